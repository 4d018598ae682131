"""The stand-in's own way to the API: one connection, JSON, and no more than it needs."""

import http.client
import json
import ssl
from typing import Any, Self
from urllib.parse import urlsplit

from cleaner.demo.kinds import Object

_MERGE = "application/merge-patch+json"


class Caller:
    """Calls one API server. Raises OSError or http.client.HTTPException where that cannot be reached.

    A server behind TLS needs a context for that, and most likely a token.

    What the server refuses is None: other hands delete and change things at any time, and the next look tells more.
    """

    def __init__(self, url: str, timeout: float = 10.0, tls: ssl.SSLContext | None = None, token: str = "") -> None:
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        self._connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=tls)
            if tls
            else http.client.HTTPConnection(host, parts.port, timeout=timeout)
        )
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def items(self, path: str) -> list[Object]:
        """All objects of a collection, page by page."""
        found: list[Object] = []
        token = ""
        while True:
            answer = self._call("GET", f"{path}?limit=500&continue={token}") or {}
            found += answer.get("items", ())
            token = answer.get("metadata", {}).get("continue", "")
            if not token:
                return found

    def get(self, path: str) -> Object | None:
        """One object."""
        return self._call("GET", path)

    def create(self, path: str, obj: Object) -> Object | None:
        """The object as made; None when it exists or cannot be."""
        return self._call("POST", path, obj)

    def patch(self, path: str, change: Object) -> Object | None:
        """The object after a merge patch."""
        return self._call("PATCH", path, change, _MERGE)

    def set_status(self, path: str, status: Object) -> Object | None:
        """Replace the whole status, as a PUT of it does."""
        obj = self.get(path)
        return self._call("PUT", f"{path}/status", {**obj, "status": status}) if obj else None

    def delete(self, path: str, uid: str, policy: str | None = "Background") -> None:
        """Delete what has this uid; without a policy as the API likes best, which leaves a Job's Pods behind."""
        self._call("DELETE", path, {"propagationPolicy": policy, "preconditions": {"uid": uid}})

    def bury(self, path: str, uid: str) -> None:
        """Remove what has this uid and is being deleted, as the kubelet does with a Pod that has ended."""
        self._call("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})

    def _call(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Object | None:
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, data, {**self._headers, "Content-Type": media_type})
            answer = self._connection.getresponse()
            read = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            raise
        return read if answer.status < 400 else None


def path_of(plural: str, namespace: str, name: str = "") -> str:
    """The path of an object or collection that the stand-in works with; an empty namespace is the whole cluster."""
    root = {"gitrepos": "/apis/fleet.cattle.io/v1alpha1", "jobs": "/apis/batch/v1", "deployments": "/apis/apps/v1"}
    middle = f"/namespaces/{namespace}" if namespace else ""
    return f"{root.get(plural, '/api/v1')}{middle}/{plural}" + (f"/{name}" if name else "")


def path_to(plural: str, obj: Object) -> str:
    """The path of this object."""
    return path_of(plural, obj["metadata"]["namespace"], obj["metadata"]["name"])
