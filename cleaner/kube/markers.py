"""ConfigMaps in our own Namespace, in which we remember what was done."""

from collections.abc import Mapping

import msgspec

from cleaner.cluster import Conflict, Misconfigured
from cleaner.kube.connection import Connection, message_of
from cleaner.kube.reads import Reads, refused, segment


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] | None = None


_DECODER = msgspec.json.Decoder(_ConfigMap)


class Markers:
    """See `cluster.Markers`."""

    def __init__(self, connection: Connection, reads: Reads, namespace: str) -> None:
        self._connection, self._reads, self._namespace = connection, reads, namespace

    def marker(self, name: str) -> Mapping[str, str] | None:
        """Read one."""
        found = self._reads.decoded(self._path(name), _DECODER.decode)
        return None if found is None else found.data or {}

    def mark(self, name: str, data: Mapping[str, str]) -> None:
        """Write one, in the place of an earlier one."""
        metadata = {"name": name, "namespace": self._namespace, "labels": {"app.kubernetes.io/name": "gitjob-cleaner"}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        if self.marker(name) is None:
            answer = self._connection.send("POST", self._path(""), body=body)
        else:
            answer = self._connection.send("PUT", self._path(name), body=body)
        if answer.status == 409:
            raise Conflict(message_of(answer))
        if answer.status not in (200, 201):
            raise refused(answer)

    def _path(self, name: str) -> str:
        if not self._namespace:
            raise Misconfigured("we do not know our own Namespace, where our ConfigMap would be")
        path = f"/api/v1/namespaces/{segment(self._namespace)}/configmaps"
        return f"{path}/{segment(name)}" if name else path
