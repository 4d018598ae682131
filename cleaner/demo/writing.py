"""Create, update, patch and delete, as `registry.Store` of k8s.io/apiserver does them, dry runs included."""

from collections.abc import Callable, Mapping
from typing import Any

from cleaner.demo import deleting, status
from cleaner.demo.forms import newborn, typed
from cleaner.demo.job_rules import check_status
from cleaner.demo.kinds import JOB, NAMESPACE, POD, REVIEW, Kind, Object
from cleaner.demo.patching import patched
from cleaner.demo.store import Key, Store, key_of

_SERVERS = ("name", "generateName", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp")
"""Metadata that only the server writes."""


class Writer:
    """The verbs that change something; each takes the store's lock for its whole length.

    `now` gives seconds since the epoch. Without `collect_garbage` the server is as bare as a kube-apiserver with no
    controllers: dependents stay, and what waits for the garbage collector waits for ever.
    """

    def __init__(self, store: Store, now: Callable[[], float], *, collect_garbage: bool) -> None:
        self._store = store
        self._now = now
        self._collects = collect_garbage

    def create(self, kind: Kind, namespace: str, body: object, query: Mapping[str, str]) -> Object:
        """The new object; raises RefusedError (400, 404 for the namespace, 409, 422)."""
        dry = _dry(query)
        if kind == REVIEW:
            return typed(kind, body) | {"status": {"allowed": True}}
        with self._store.lock:
            obj = newborn(kind, namespace, body, self._now())
            if kind.namespaced:
                self._check_namespace(kind, obj)
            if self._store.has(kind, key_of(obj)):
                raise status.exists(kind, obj["metadata"]["name"])
            return obj if dry else self._store.put(kind, obj)

    def update(self, kind: Kind, key: Key, part: str, body: object, query: Mapping[str, str]) -> Object:
        """The object after a PUT of it or of its status (`part`); raises RefusedError (400, 404, 409, 422)."""
        obj = typed(kind, body)
        if obj["metadata"].get("name", key[1]) != key[1]:
            named = obj["metadata"]["name"]
            raise status.bad_request(f"the name of the object ({named}) does not match the name on the URL ({key[1]})")
        with self._store.lock:
            before = self._store.get(kind, key)
            if not kind.blind_update and not obj["metadata"].get("resourceVersion"):
                text = "Invalid value: 0: must be specified for an update"
                raise status.invalid(kind, key[1], "metadata.resourceVersion", text)
            return self._replace(kind, part, before, obj, dry=_dry(query))

    def patch(self, kind: Kind, key: Key, part: str, media: str, change: Any, query: Mapping[str, str]) -> Object:
        """The object after the patch; raises RefusedError (400, 404, 409, 415, 422)."""
        with self._store.lock:
            before = self._store.get(kind, key)
            return self._replace(kind, part, before, typed(kind, patched(before, media, change)), dry=_dry(query))

    def delete(self, kind: Kind, key: Key, body: object, query: Mapping[str, str]) -> Object:
        """What is left of the object, or a success `Status`; raises RefusedError (400, 404, 409, 422).

        As in the real server, a body replaces the query altogether: `?dryRun=All` with a body that does not say
        so deletes in earnest.
        """
        options = _delete_options(body, query)
        with self._store.lock:
            obj = self._store.get(kind, key)
            left = deleting.delete(self._store, kind, key, options, self._now())
            self._tidy()
        if left is None and kind == POD:
            return deleting.last_sight(kind, obj, self._now())
        return left or status.success(kind, obj["metadata"]["name"], obj["metadata"]["uid"])

    def _replace(self, kind: Kind, part: str, before: Object, sent: Object, *, dry: bool) -> Object:
        _check_same(kind, before, sent["metadata"])
        after = _after(kind, part, before, sent)
        if part and kind == JOB:
            check_status(after)
        if dry or _bare(after) == _bare(before):
            return after if dry else before
        stored = deleting.settle(self._store, kind, after)
        self._tidy()
        return stored

    def _check_namespace(self, kind: Kind, obj: Object) -> None:
        meta = obj["metadata"]
        home = self._store.get(NAMESPACE, ("", meta["namespace"]))
        if "deletionTimestamp" in home["metadata"]:
            why = f"unable to create new content in namespace {meta['namespace']} because it is being terminated"
            raise status.forbidden(f'{kind.resource} "{meta["name"]}" is forbidden: {why}')

    def _tidy(self) -> None:
        if self._collects:
            deleting.collect(self._store, self._now())
        self._store.unseen.clear()

    def ensure_namespace(self, name: str) -> None:
        """Make a namespace that a new cluster has from the start, unless it is there."""
        with self._store.lock:
            if not self._store.has(NAMESPACE, ("", name)):
                self._store.put(NAMESPACE, newborn(NAMESPACE, "", {"metadata": {"name": name}}, self._now()))


def _dry(query: Mapping[str, str]) -> bool:
    value = query.get("dryRun", "")
    if value not in ("", "All"):
        raise status.bad_options("DeleteOptions", "dryRun", f'Unsupported value: ["{value}"]: supported values: "All"')
    return value == "All"


def _delete_options(body: object, query: Mapping[str, str]) -> Object:
    if body is None:
        return {"dryRun": _dry(query), "propagationPolicy": query.get("propagationPolicy")}
    if not isinstance(body, dict):
        raise status.bad_request("the object provided is unrecognized (must be of type DeleteOptions)")
    for value in body.get("dryRun") or ():
        _dry({"dryRun": value})
    return body


def _check_same(kind: Kind, before: Object, sent: Object) -> None:
    """A uid or resourceVersion that was sent must be the stored one."""
    meta = before["metadata"]
    if sent.get("uid", meta["uid"]) != meta["uid"]:
        text = f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {meta['uid']}"
        raise status.conflict(kind, meta["name"], text, kind.resource, kind.plural)
    if sent.get("resourceVersion") not in (None, "", "0", meta["resourceVersion"]):
        raise status.modified(kind, meta["name"])


def _after(kind: Kind, part: str, before: Object, sent: Object) -> Object:
    """The new whole: through `/status` only the status is taken, elsewhere all but the status."""
    if part:
        return {**before, "status": sent.get("status", {})}
    meta = {key: value for key, value in sent["metadata"].items() if value not in ([], {}, None)}
    for key in ("deletionGracePeriodSeconds", "resourceVersion", *_SERVERS):
        meta.pop(key, None)
    kept = {key: before["metadata"][key] for key in ("deletionGracePeriodSeconds", *_SERVERS) if key in before["metadata"]}
    after = {**sent, "metadata": kept | {"resourceVersion": before["metadata"]["resourceVersion"]} | meta}
    if kind.status:
        after.pop("status", None)
        after |= {"status": before["status"]} if "status" in before else {}
    if kind.generation and _wanted(after) != _wanted(before):
        after["metadata"]["generation"] = before["metadata"]["generation"] + 1
    return after


def _wanted(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def _bare(obj: Object) -> Object:
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}}
