"""The stand-in's own way to the API: one connection, JSON, and no more than it needs."""

import http.client
import json
from typing import Any, Self
from urllib.parse import urlsplit

from cleaner.demo.kinds import Object

_MERGE = "application/merge-patch+json"


class Caller:
    """Calls one API server. Raises OSError or http.client.HTTPException where that cannot be reached.

    What the server refuses is None: other hands delete and change things at any time, and the next look tells more.
    """

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)

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

    def delete(self, path: str, uid: str) -> None:
        """Delete in the background what has this uid."""
        self._call("DELETE", path, {"propagationPolicy": "Background", "preconditions": {"uid": uid}})

    def _call(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Object | None:
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, data, {"Content-Type": media_type, "Accept": "application/json"})
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
