"""Deletion: preconditions, propagation, finalizers, and what the garbage collector does afterwards.

Rules: `BeforeDelete` and `deletionFinalizersForGarbageCollection` of k8s.io/apiserver, the garbage collector of
kube-controller-manager. What that collector does some milliseconds later is done here at once, after the answer
is fixed, so the changes come in the same order.
"""

from cleaner.demo.forms import stamp
from cleaner.demo.kinds import JOB, NAMESPACE, Kind, Object
from cleaner.demo.status import bad_options, precondition
from cleaner.demo.store import Key, Store, key_of, owners, uid_of

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_FINALIZER = {"Background": None, "Orphan": ORPHAN, "Foreground": FOREGROUND}


def delete(store: Store, kind: Kind, key: Key, options: Object, now: float) -> Object | None:
    """Delete as the options say; returns what is left of the object, None when it is gone. Raises RefusedError.

    With `dryRun` in the options nothing is written.
    """
    obj = store.get(kind, key)
    _check(kind, obj, options.get("preconditions") or {})
    marked = _marked(kind, obj, _policy(kind, options), now)
    dry = bool(options.get("dryRun"))
    if _held(kind, marked):
        return marked if dry or marked == obj else store.put(kind, marked)
    if not dry:
        store.drop(kind, obj)
    return None


def last_sight(kind: Kind, obj: Object, now: float) -> Object:
    """What is answered to the deletion of a Pod that is gone at once (`ReturnDeletedObject`); other kinds get a Status."""
    return _marked(kind, obj, "Background", now)


def collect(store: Store, now: float) -> None:
    """Do what kube-controller-manager would do next, until nothing is left to do."""
    while store.unseen:
        changes, store.unseen = store.unseen, []
        for change in changes:
            if change.gone:
                _after_removal(store, change.after, now)
            elif "deletionTimestamp" in change.after["metadata"]:
                _continue_deleting(store, change.kind, key_of(change.after), now)


def settle(store: Store, kind: Kind, obj: Object) -> Object:
    """Store an updated object, or let it go when it is being deleted and nothing holds it any more."""
    if "deletionTimestamp" in obj["metadata"] and not _held(kind, obj):
        store.drop(kind, obj)
        return obj
    return store.put(kind, obj)


def _check(kind: Kind, obj: Object, wanted: Object) -> None:
    meta = obj["metadata"]
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != meta[field]:
            raise precondition(kind, meta["name"], label, wanted[field], meta[field])


def _policy(kind: Kind, options: Object) -> str:
    """Batch/v1 Jobs orphan their Pods unless told otherwise (`jobStrategy.DefaultGarbageCollectionPolicy`)."""
    policy = options.get("propagationPolicy")
    if policy is None and options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    policy = policy or ("Orphan" if kind == JOB else "Background")
    if policy not in _FINALIZER:
        supported = 'supported values: "Foreground", "Background", "Orphan", "nil"'
        raise bad_options("DeleteOptions", "propagationPolicy", f'Unsupported value: "{policy}": {supported}')
    return str(policy)


def _marked(kind: Kind, obj: Object, policy: str, now: float) -> Object:
    """The object with the deletion written on it."""
    meta = dict(obj["metadata"])
    kept = [name for name in meta.pop("finalizers", ()) if name not in (ORPHAN, FOREGROUND)]
    added = _FINALIZER[policy]
    finalizers = [*kept, added] if added else kept
    if "deletionTimestamp" not in meta:
        meta |= {"deletionTimestamp": stamp(now), "deletionGracePeriodSeconds": 0}
        meta |= {"generation": meta["generation"] + 1} if kind.generation else {}
    marked = {**obj, "metadata": meta | ({"finalizers": finalizers} if finalizers else {})}
    return marked | {"status": {"phase": "Terminating"}} if kind == NAMESPACE else marked


def _held(kind: Kind, obj: Object) -> bool:
    """A namespace is held by its `spec.finalizers`, all else by `metadata.finalizers`."""
    own = obj.get("spec", {}).get("finalizers") if kind == NAMESPACE else None
    return bool(own or obj["metadata"].get("finalizers"))


def _after_removal(store: Store, removed: Object, now: float) -> None:
    """Dependents with no living owner go; an owner or namespace that waited for this object may be done."""
    for kind, obj in store.dependents(uid_of(removed)):
        if not any(store.by_uid(owner) for owner in owners(obj)):
            delete(store, kind, key_of(obj), {"propagationPolicy": "Background"}, now)
    waiting = [place for place in map(store.by_uid, owners(removed)) if place]
    for kind, obj in waiting:
        if "deletionTimestamp" in obj["metadata"]:
            _continue_deleting(store, kind, key_of(obj), now)
    home = ("", key_of(removed)[0])
    if store.has(NAMESPACE, home) and "deletionTimestamp" in store.get(NAMESPACE, home)["metadata"]:
        _continue_deleting(store, NAMESPACE, home, now)


def _continue_deleting(store: Store, kind: Kind, key: Key, now: float) -> None:
    if not store.has(kind, key):
        return
    obj = store.get(kind, key)
    finalizers = obj["metadata"].get("finalizers", ())
    if ORPHAN in finalizers:
        _release(store, uid_of(obj))
        _unhold(store, kind, obj, ORPHAN)
    elif FOREGROUND in finalizers and not _still_held(store, store.dependents(uid_of(obj)), now):
        _unhold(store, kind, obj, FOREGROUND)
    elif kind == NAMESPACE and not _still_held(store, store.inside(key[1]), now):
        store.drop(kind, obj)


def _release(store: Store, uid: str) -> None:
    for kind, obj in store.dependents(uid):
        kept = [ref for ref in obj["metadata"]["ownerReferences"] if ref.get("uid") != uid]
        meta = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
        store.put(kind, {**obj, "metadata": meta | ({"ownerReferences": kept} if kept else {})})


def _unhold(store: Store, kind: Kind, obj: Object, finalizer: str) -> None:
    kept = [name for name in obj["metadata"]["finalizers"] if name != finalizer]
    meta = {key: value for key, value in obj["metadata"].items() if key != "finalizers"}
    settle(store, kind, {**obj, "metadata": meta | ({"finalizers": kept} if kept else {})})


def _still_held(store: Store, doomed: list[tuple[Kind, Object]], now: float) -> bool:
    """Delete what is there; whether some of it is still held by a finalizer."""
    background = {"propagationPolicy": "Background"}
    held = [delete(store, kind, key_of(obj), background, now) for kind, obj in doomed]
    return any(held)
