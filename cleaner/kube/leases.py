"""Our Lease: read, taken, renewed and given back, with single requests that nobody repeats."""

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

from cleaner.cluster import Clock, ClusterError, Conflict, Lease, Misconfigured
from cleaner.durations import Seconds
from cleaner.fleet import Body
from cleaner.kube.connection import Answer, Connection, is_not_found, message_of
from cleaner.kube.reads import NOT_JSON, refused, segment
from cleaner.model import Moment


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    renew_time: str | None = None


class _Lease(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | None = None


class Leases:
    """
    The Lease of a name in our own Namespace: see `cluster.Leases`.

    What was last read or written is kept, so that a write keeps all that others have put there: annotations, labels, and fields
    that we do not know.
    """

    def __init__(self, connection: Connection, clock: Clock, namespace: str, name: str) -> None:
        self._connection = connection
        self._clock = clock
        self._place = {"namespace": namespace, "name": name}
        self._kept: tuple[str, dict[str, Any]] = ("", {})

    def lease(self, limit: Seconds) -> Lease | None:
        """Read it; None where there is none."""
        answer = self._connection.send("GET", self._path(self._place["name"]), limit=limit)
        if answer.status == 404 and is_not_found(answer):
            return None
        return self._understood(answer)

    def hold(self, seen: Lease | None, holder: str, duration: Seconds, limit: Seconds) -> Lease:
        """Take or renew it as it was seen, or make it; a holder that changes is a transition."""
        now = micro_time(self._clock.now())
        spec = {"holderIdentity": holder, "leaseDurationSeconds": max(1, math.ceil(duration)), "renewTime": now}
        if seen is None:
            made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._place}
            return self._written("POST", "", made | {"spec": spec | {"acquireTime": now, "leaseTransitions": 0}}, limit)
        if seen.holder != holder:
            spec |= {"acquireTime": now, "leaseTransitions": seen.transitions + 1}
        return self._written("PUT", self._place["name"], self._changed(seen, spec), limit)

    def release(self, seen: Lease, limit: Seconds) -> None:
        """Give it back, as client-go does: no holder, and a second's duration for whoever still counts."""
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": micro_time(self._clock.now())}
        self._written("PUT", self._place["name"], self._changed(seen, spec), limit)

    def _changed(self, seen: Lease, spec: dict[str, Any]) -> dict[str, Any]:
        """Lay a spec over the object as it was seen; its resourceVersion goes along, so that nobody else's change is lost."""
        version, kept = self._kept
        if version != seen.version:
            raise Conflict(f"the Lease was seen at version {seen.version}, and has been read at {version or 'none'} since")
        return {**kept, "spec": {**(kept.get("spec") or {}), **spec}}

    def _written(self, method: str, name: str, body: dict[str, Any], limit: Seconds) -> Lease:
        answer = self._connection.send(method, self._path(name), body=body, limit=limit)
        # A 404 to a PUT: the Lease has been deleted since, and another may make it anew.
        if answer.status == 409 or (method == "PUT" and answer.status == 404):
            raise Conflict(message_of(answer))
        return self._understood(answer)

    def _understood(self, answer: Answer) -> Lease:
        if answer.status not in (200, 201):
            raise refused(answer)
        found, read = _decoded(answer.body)
        spec = read.spec or _Spec()
        self._kept = (read.metadata.resource_version, found)
        return Lease(
            spec.holder_identity or "",
            float(spec.lease_duration_seconds or 0),
            read.metadata.resource_version,
            spec.lease_transitions or 0,
            _moment(spec.renew_time or ""),
        )

    def _path(self, name: str) -> str:
        if not self._place["namespace"]:
            raise Misconfigured("we do not know our own Namespace, where our Lease would be")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{segment(self._place['namespace'])}/leases"
        return f"{path}/{segment(name)}" if name else path


def _decoded(body: Body) -> tuple[dict[str, Any], _Lease]:
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
        return found, msgspec.convert(found, _Lease)
    except NOT_JSON as error:
        raise ClusterError(f"the Lease is not what the API promises: {str(error)[:200]}") from error


def _moment(text: str) -> Moment | None:
    """Read a MicroTime that is only shown: one that is none must not cost an election."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def micro_time(moment: Moment) -> str:
    """A moment as Kubernetes writes a MicroTime."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
