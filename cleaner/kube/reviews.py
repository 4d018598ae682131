"""What the API says of itself and of us: its version, what it serves, who we are there, and what we may."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from cleaner.cluster import Allowed, Api, Clock, ClusterError, Denied, OwnCleanUp, Unreachable
from cleaner.kube.connection import Answer, Connection
from cleaner.kube.parallel import in_parallel
from cleaner.kube.reads import NOT_JSON, Reads, refused, segment
from cleaner.rights import Access

CLEAN_UP = "fleet-cleanup-gitrepo-jobs"
"""Fleet's own CronJob (Fleet >= 0.10.4; in 0.10.3 it was a Helm hook that could not work)."""

_GITREPOS = "/apis/fleet.cattle.io/v1alpha1"
_ATTEMPTS = 3
_BREATH = 0.5

T = TypeVar("T")


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Resources(msgspec.Struct, frozen=True):
    resources: list[_Named] | None = None


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _Who(msgspec.Struct, frozen=True, rename="camel"):
    user_info: _User = _User()


class _WhoReview(msgspec.Struct, frozen=True):
    status: _Who


class _May(msgspec.Struct, frozen=True):
    allowed: bool = False


class _MayReview(msgspec.Struct, frozen=True):
    status: _May


class _Schedule(msgspec.Struct, frozen=True):
    schedule: str = ""
    suspend: bool | None = None


class _CronJob(msgspec.Struct, frozen=True):
    spec: _Schedule


class Reviews:
    """See `cluster.Reviews`. A review is a POST that changes nothing, so it is repeated like a read."""

    def __init__(self, connection: Connection, reads: Reads, clock: Clock, fleet_namespace: str, workers: int) -> None:
        self._connection, self._reads, self._clock = connection, reads, clock
        self._fleet_namespace, self._workers = fleet_namespace, workers

    def api(self) -> Api:
        """Read `/version` and what is served of Fleet; a refusal is no trouble: that may be hidden from us."""
        try:
            version = _understood(self._reads.get("/version"), _Version).git_version
        except Denied:
            version = ""
        return Api(version, self._serves_gitrepos())

    def _serves_gitrepos(self) -> bool | None:
        try:
            answer = self._reads.get(_GITREPOS)
        except Denied:
            return None
        if answer.status == 404:
            return False
        return any(found.name == "gitrepos" for found in _understood(answer, _Resources).resources or ())

    def who(self) -> str:
        """Ask for a SelfSubjectReview (Kubernetes >= 1.28)."""
        return self._review("authentication.k8s.io/v1", "SelfSubjectReview", {}, _WhoReview).status.user_info.username

    def may(self, accesses: Iterable[Access]) -> Iterator[Allowed]:
        """Ask for a SelfSubjectAccessReview for each."""
        return in_parallel(accesses, self._may, _unexpected, self._workers)

    def _may(self, access: Access) -> Allowed:
        resource, _, part = access.resource.partition("/")
        asked = {"verb": access.verb, "group": access.group, "resource": resource, "subresource": part}
        asked |= {"namespace": access.namespace, "name": access.name}
        spec = {"spec": {"resourceAttributes": {key: text for key, text in asked.items() if text}}}
        try:
            review = self._review("authorization.k8s.io/v1", "SelfSubjectAccessReview", spec, _MayReview)
        except ClusterError as error:
            return Allowed(access, allowed=False, error=error)
        return Allowed(access, review.status.allowed)

    def own_clean_up(self) -> OwnCleanUp | None:
        """GET the CronJob by its name."""
        path = f"/apis/batch/v1/namespaces/{segment(self._fleet_namespace)}/cronjobs/{CLEAN_UP}"
        found = self._reads.decoded(path, msgspec.json.Decoder(_CronJob).decode)
        return None if found is None else OwnCleanUp(CLEAN_UP, found.spec.schedule, bool(found.spec.suspend))

    def _review(self, group: str, kind: str, spec: dict[str, Any], answer: type[T]) -> T:
        body = {"apiVersion": group, "kind": kind, **spec}
        return _understood(self._posted(f"/apis/{group}/{kind.lower()}s", body), answer)

    def _posted(self, path: str, body: dict[str, Any]) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                answer = self._connection.send("POST", path, body=body)
            except Unreachable:
                if last:
                    raise
            else:
                if answer.status in (200, 201):
                    return answer
                # After a 401 the credentials have been loaded afresh, so that once more is worth it.
                if last or not (answer.status in (401, 429) or answer.status >= 500):
                    raise refused(answer)
            self._clock.sleep(_BREATH * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")


def _understood(answer: Answer, kind: type[T]) -> T:
    if answer.status not in (200, 201):
        raise refused(answer)
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except NOT_JSON as error:
        raise ClusterError(f"the answer is not what the API promises: {str(error)[:200]}") from error


def _unexpected(access: Access, error: Exception) -> Allowed:
    # Only the kind of error: its text may hold what nobody may repeat.
    return Allowed(access, allowed=False, error=ClusterError(f"unexpected {type(error).__name__}"))
