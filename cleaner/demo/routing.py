"""Paths of the Kubernetes API, taken apart."""

from dataclasses import dataclass

from cleaner.demo.discovery import served
from cleaner.demo.kinds import POD, Kind, find
from cleaner.demo.status import no_resource
from cleaner.demo.store import Key


@dataclass(frozen=True)
class Place:
    """What a path names: a collection, an object, or its status."""

    kind: Kind
    namespace: str | None
    """None for a cluster-wide collection."""
    name: str = ""
    part: str = ""
    """`status`, `log` or nothing."""

    @property
    def key(self) -> Key:
        """Where the object is stored."""
        return self.namespace or "", self.name


def place(path: str) -> Place | None:
    """What the path names; None where no such group and version is served.

    Raises RefusedError (404) where the group and version is served, but not this resource.
    """
    parts = path.strip("/").split("/")
    head = 2 if parts[0] == "api" else 3
    group, version = ("", *parts[1:2]) if head == 2 else parts[1:3] or ("", "")
    if parts[0] not in ("api", "apis") or len(parts) <= head or not served(group, version):
        return None
    return _inside(group, version, parts[head:])


def _inside(group: str, version: str, rest: list[str]) -> Place:
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    kind = find(group, version, rest[0])
    name, part = [*rest, "", ""][1:3]
    if not kind or len(rest) > 3 or part not in ("", *parts_of(kind)):
        raise no_resource()
    needed = kind.namespaced and bool(name)
    if (namespace is None and needed) or (namespace is not None and not kind.namespaced):
        raise no_resource()
    return Place(kind, namespace, name, part)


def parts_of(kind: Kind) -> list[str]:
    """What an object of this kind has of its own to be asked for."""
    return (["status"] if kind.status else []) + (["log"] if kind == POD else [])
