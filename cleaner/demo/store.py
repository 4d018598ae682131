"""The sandbox's memory: the objects, one resourceVersion counter, and a bounded past to watch and page from.

As in etcd, one counter numbers all writes. The past is kept as a list of changes, so a list at an older version
is the present with the later changes undone, and a watch is the changes that follow.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from cleaner.demo.kinds import STORED, Kind, Object
from cleaner.demo.status import not_found, too_old

Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name: the order in which lists are answered."""


@dataclass(frozen=True)
class Change:
    """One write: what was there, what is there now. A deletion has both, and `gone` set."""

    version: int
    kind: Kind
    before: Object | None
    after: Object
    """With the new resourceVersion, in a deletion too."""
    gone: bool = False


def key_of(obj: Object) -> Key:
    """Where the object is stored."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Store:
    """Objects by kind and key. Every method expects `lock` to be held; `lock.notify_all` tells of each change."""

    def __init__(self, history: int = 2000) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.version = 1
        self.closed = False
        self.unseen: list[Change] = []
        """Changes that the garbage collector has yet to look at; it empties this list."""
        self._objects: dict[Kind, dict[Key, Object]] = {kind: {} for kind in STORED}
        self._kind_of: dict[str, tuple[Kind, Key]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._past: deque[Change] = deque(maxlen=history)

    def get(self, kind: Kind, key: Key) -> Object:
        """The object; raises RefusedError (404)."""
        try:
            return self._objects[kind][key]
        except KeyError:
            raise not_found(kind, key[1]) from None

    def has(self, kind: Kind, key: Key) -> bool:
        """Whether there is such an object."""
        return key in self._objects[kind]

    def by_uid(self, uid: str) -> tuple[Kind, Object] | None:
        """The living object with this uid, and its kind."""
        place = self._kind_of.get(uid)
        return (place[0], self._objects[place[0]][place[1]]) if place else None

    def dependents(self, uid: str) -> list[tuple[Kind, Object]]:
        """The living objects that name this uid as an owner."""
        found = (self.by_uid(dependent) for dependent in sorted(self._dependents.get(uid, ())))
        return [place for place in found if place]

    def inside(self, namespace: str) -> list[tuple[Kind, Object]]:
        """All that lives in a namespace."""
        pairs = ((kind, obj) for kind, kept in self._objects.items() for obj in kept.values())
        return [(kind, obj) for kind, obj in pairs if obj["metadata"].get("namespace") == namespace]

    def items(self, kind: Kind, namespace: str | None, version: int) -> list[Object]:
        """The objects as of `version`, sorted by key; raises RefusedError (410) when that past is forgotten."""
        kept = dict(self._objects[kind])
        for change in reversed(self.since(version)):
            if change.kind == kind:
                _undo(kept, change)
        return [kept[key] for key in sorted(kept) if namespace is None or key[0] == namespace]

    def put(self, kind: Kind, obj: Object) -> Object:
        """Store the object as new or in place of the one with its key; returns it with its resourceVersion."""
        before = self._objects[kind].get(key_of(obj))
        after = self._numbered(obj)
        self._objects[kind][key_of(obj)] = after
        self._index(kind, before, after)
        self._record(Change(self.version, kind, before, after))
        return after

    def drop(self, kind: Kind, obj: Object) -> None:
        """Remove the object; its last state carries the resourceVersion of the removal."""
        before = self._objects[kind].pop(key_of(obj))
        self._index(kind, before, None)
        self._record(Change(self.version + 1, kind, before, self._numbered(before), gone=True))

    def since(self, version: int) -> list[Change]:
        """What has changed after `version`, oldest first; raises RefusedError (410) when part of it is forgotten."""
        oldest = self._past[0].version if self._past else self.version + 1
        if version < oldest - 1:
            raise too_old(version, oldest)
        return list(islice(self._past, max(0, version + 1 - oldest), None))

    def forget(self) -> None:
        """Forget the past, as etcd's compaction does: older watches and continue tokens get a 410."""
        self.version += 1
        self._past.clear()
        self.lock.notify_all()

    def _numbered(self, obj: Object) -> Object:
        self.version += 1
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}

    def _record(self, change: Change) -> None:
        self._past.append(change)
        self.unseen.append(change)
        self.lock.notify_all()

    def _index(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        for owner in owners(before):
            self._dependents.get(owner, set()).discard(uid_of(before))
        for owner in owners(after):
            self._dependents.setdefault(owner, set()).add(uid_of(after))
        if after:
            self._kind_of[uid_of(after)] = (kind, key_of(after))
        elif before:
            self._kind_of.pop(uid_of(before), None)


def uid_of(obj: Object | None) -> str:
    """The object's uid."""
    return str(obj["metadata"]["uid"]) if obj else ""


def owners(obj: Object | None) -> Iterator[str]:
    """The uids in its ownerReferences."""
    for reference in (obj["metadata"].get("ownerReferences") or []) if obj else []:
        yield str(reference.get("uid", ""))


def _undo(kept: dict[Key, Object], change: Change) -> None:
    if change.before is None:
        kept.pop(key_of(change.after), None)
    else:
        kept[key_of(change.before)] = change.before
