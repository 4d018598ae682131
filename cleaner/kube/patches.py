"""The few changes that we make to what is not ours: labels on a legacy Job, and a wish, a nudge or a finalizer on a GitRepo."""

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from cleaner import fleet
from cleaner.cluster import Clock, ClusterError, Conflict, Throttled, Unreachable
from cleaner.fleet import Body
from cleaner.kube.connection import Connection, message_of
from cleaner.kube.deletions import path_of
from cleaner.kube.reads import NOT_JSON, Reads, refused, segment
from cleaner.model import ANNOTATION_PREFIX, GUARD, NUDGED, GitRepoState, Job, Moment, Owner

_ATTEMPTS = 5
_FIRST_BREATH = 0.2
_MANAGER = "gitjob-cleaner"

Patch = dict[str, Any] | list[dict[str, Any]]


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str
    resource_version: str
    deletion_timestamp: str | None = None
    finalizers: list[str] | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata


_OBJECT = msgspec.json.Decoder(_Object)


class Patches:
    """
    Level, not edge: each change is read for, made if it is needed, and read for again where its answer was lost or refused.

    Every patch names the resourceVersion that it was made for, so that it cannot undo what another has written since.
    """

    def __init__(self, connection: Connection, reads: Reads, clock: Clock, *, dry_run: bool) -> None:
        self._connection, self._reads, self._clock = connection, reads, clock
        self._query = {"fieldManager": _MANAGER} | ({"dryRun": "All"} if dry_run else {})

    def state(self, namespace: str, name: str) -> GitRepoState | None:
        """Read one GitRepo."""
        return self._reads.decoded(_gitrepo_path(namespace, name), fleet.read_gitrepo_state)

    def adopt(self, job: Job, forced: int) -> bool:
        """Give a legacy Job Fleet's labels; whether that was still to be done."""

        def wanted(body: Body) -> Patch | None:
            adoptable = fleet.read_adoptable(body, forced)
            if adoptable.uid != job.uid:
                raise Conflict(f"{job.namespace}/{job.name} is another Job by now")
            return adoptable.patch

        return self._bring_about(path_of(job), wanted)

    def force(self, seen: GitRepoState) -> int:
        """Raise `spec.forceSyncGeneration` by one, unless somebody else has done so since; return what it is then."""
        raised = max(seen.force, seen.forced) + 1

        def wanted(body: Body) -> Patch | None:
            nonlocal raised
            now = _same(seen, body)
            if now.force != seen.force:
                raised = now.force
                return None
            return _merge(seen, now, {"spec": {"forceSyncGeneration": raised}})

        self._bring_about(_path_of(seen), wanted)
        return raised

    def nudge(self, seen: GitRepoState) -> None:
        """Change an annotation of ours on a GitRepo, which makes every Fleet look at it."""
        at = _stamp(self._clock.now())
        done = False

        def wanted(body: Body) -> Patch | None:
            nonlocal done
            if done and _annotated(body) == at:
                return None
            done = True
            return _merge(seen, _same(seen, body), {"metadata": {"annotations": {ANNOTATION_PREFIX + NUDGED: at}}})

        self._bring_about(_path_of(seen), wanted)

    def guard(self, gitrepo: Owner, *, held: bool) -> bool:
        """Put our finalizer on a GitRepo, or take it off; whether that was still to be done. A GitRepo that is gone is done."""
        wanted = functools.partial(_finalizer_patch, uid=gitrepo.uid, held=held)
        return self._bring_about(_gitrepo_path(gitrepo.namespace, gitrepo.name), wanted, gone=True)

    def _bring_about(self, path: str, wanted: Callable[[Body], Patch | None], *, gone: bool = False) -> bool:
        """Patch until nothing is wanted any more; whether any patch was sent that may have worked."""
        sent = False
        trouble = ClusterError(f"{path}: it changes faster than we can change it")
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._clock.sleep(_FIRST_BREATH * 2 ** (attempt - 1))
            patch = self._wanted(path, wanted, gone=gone)
            if patch is None:
                return sent
            sent = True
            try:
                if self._sent(path, patch):
                    return True
            except (Unreachable, Throttled, Conflict) as error:
                trouble = error
        raise trouble

    def _wanted(self, path: str, wanted: Callable[[Body], Patch | None], *, gone: bool) -> Patch | None:
        body = self._reads.decoded(path, bytes)
        if body is None:
            if gone:
                return None
            raise Conflict(f"{path} is gone")
        try:
            return wanted(body)
        except NOT_JSON as error:
            raise ClusterError(f"{path}: the answer is not what the API promises: {str(error)[:200]}") from error

    def _sent(self, path: str, patch: Patch) -> bool:
        """
        Send a patch; whether it was taken: a proxy's page says nothing. What a change by another, a lost answer or a server in
        trouble raises is told.
        """
        answer = self._connection.send("PATCH", path, self._query, body=patch)
        if answer.status == 200:
            return _is_object(answer.body)
        if answer.status in (404, 409, 422):
            # 422: the `test` of a JSON patch did not hold. A 404 is looked at again by the next reading.
            raise Conflict(message_of(answer))
        if answer.status >= 500:
            raise Unreachable(message_of(answer))
        raise refused(answer)


def _is_object(body: Body) -> bool:
    try:
        _OBJECT.decode(body)
    except NOT_JSON:
        return False
    return True


def _finalizer_patch(body: Body, uid: str, *, held: bool) -> Patch | None:
    """A JSON patch that adds or removes our finalizer alone, on the very object that was read."""
    metadata = _OBJECT.decode(body).metadata
    there = metadata.finalizers or []
    if metadata.uid != uid or (GUARD in there) is held or (held and metadata.deletion_timestamp is not None):
        return None
    seen = {"op": "test", "path": "/metadata/resourceVersion", "value": metadata.resource_version}
    if held:
        added: dict[str, Any] = {"op": "add", "path": "/metadata/finalizers/-", "value": GUARD}
        return [seen, added if there else added | {"path": "/metadata/finalizers", "value": [GUARD]}]
    place = f"/metadata/finalizers/{there.index(GUARD)}"
    return [seen, {"op": "test", "path": place, "value": GUARD}, {"op": "remove", "path": place}]


def _same(seen: GitRepoState, body: Body) -> GitRepoState:
    now = fleet.read_gitrepo_state(body)
    if now.gitrepo.uid != seen.gitrepo.uid:
        raise Conflict(f"{seen.gitrepo.path} is another GitRepo by now")
    return now


def _merge(seen: GitRepoState, now: GitRepoState, change: dict[str, Any]) -> Patch:
    metadata = {"uid": seen.gitrepo.uid, "resourceVersion": now.version}
    return change | {"metadata": metadata | change.get("metadata", {})}


class _Annotated(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _WithAnnotations(msgspec.Struct):
    metadata: _Annotated


def _annotated(body: Body) -> str:
    annotations = msgspec.json.decode(body, type=_WithAnnotations).metadata.annotations or {}
    return annotations.get(ANNOTATION_PREFIX + NUDGED, "")


def _stamp(moment: Moment) -> str:
    return f"{moment:.3f}"


def _path_of(state: GitRepoState) -> str:
    return _gitrepo_path(state.gitrepo.namespace, state.gitrepo.name)


def _gitrepo_path(namespace: str, name: str) -> str:
    return f"/apis/fleet.cattle.io/v1alpha1/namespaces/{segment(namespace)}/gitrepos/{segment(name)}"
