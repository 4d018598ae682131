"""Kubernetes Events on GitRepos."""

import socket
from datetime import UTC, datetime
from typing import Any

import msgspec

from cleaner.cluster import Announcement, Clock, ClusterError
from cleaner.kube.connection import Connection
from cleaner.kube.reads import NOT_JSON, refused, segment

COMPONENT = "gitjob-cleaner"
_LONGEST_MESSAGE = 1024


class _Written(msgspec.Struct):
    kind: str = ""


_WRITTEN = msgspec.json.Decoder(_Written)


class Announcing:
    """Writes Events: see `cluster.Events`. One attempt each; whoever announces too much is dropped by its caller."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def announce(self, announcement: Announcement) -> None:
        """Write one Event into the GitRepo's Namespace. Raises a ClusterError."""
        path = f"/api/v1/namespaces/{segment(announcement.gitrepo.namespace)}/events"
        answer = self._connection.send("POST", path, body=self._event(announcement))
        if answer.status not in (200, 201):
            raise refused(answer)
        try:
            written = _WRITTEN.decode(answer.body)
        except NOT_JSON as error:
            raise ClusterError(f"{path}: the answer is not the API's, so nobody knows whether it was written") from error
        if written.kind != "Event":
            raise ClusterError(f"{path}: the answer is no Event, so nobody knows whether it was written")

    def _event(self, announcement: Announcement) -> dict[str, Any]:
        """
        Write it as client-go's recorder does, without an `eventTime`: with one, the API demands an `action`, too.

        Source: ValidateEventCreate and legacyValidateEvent in pkg/apis/core/validation/events.go.
        """
        gitrepo = announcement.gitrepo
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {"apiVersion": "fleet.cattle.io/v1alpha1", "kind": "GitRepo", "namespace": gitrepo.namespace}
        host = socket.gethostname()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": gitrepo.namespace, "generateName": f"{gitrepo.name}."},
            "involvedObject": involved | {"name": gitrepo.name, "uid": gitrepo.uid},
            "reason": announcement.reason,
            "message": _cut(announcement.message),
            "type": "Warning" if announcement.warning else "Normal",
            "source": {"component": COMPONENT, "host": host},
            "reportingComponent": COMPONENT,
            "reportingInstance": host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _cut(text: str) -> str:
    """Cut to what the API takes; a character is kept whole or not at all."""
    return text.encode(errors="replace")[:_LONGEST_MESSAGE].decode(errors="ignore")
