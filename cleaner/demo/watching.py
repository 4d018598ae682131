"""The watch: changes as they come, one JSON line each, bookmarks between them, an end at the time limit."""

import json
from collections.abc import Callable, Iterator, Mapping

from cleaner.demo.kinds import Kind, Object
from cleaner.demo.reading import number
from cleaner.demo.selecting import Test, selected
from cleaner.demo.status import RefusedError, bad_options
from cleaner.demo.store import Change, Store

Show = Callable[[Object], Object]
"""How an object is answered: as it is, or as a row of a table."""


class Watch:
    """One watch request; iterating it blocks for the next lines. Times are in seconds of `clock`.

    Raises RefusedError (400, 422) at once for a request that cannot be understood; a past that is forgotten is told in
    the stream, as a 410.
    """

    def __init__(self, store: Store, kind: Kind, query: Mapping[str, str], *, bookmark_every: float) -> None:
        if query.get("sendInitialEvents"):
            text = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise bad_options("ListOptions", "sendInitialEvents", text)
        self._store = store
        self._kind = kind
        self._test = selected(kind, query)
        self._position = number(query, "resourceVersion")
        self._limit = number(query, "timeoutSeconds") or 1800
        self._bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        self._bookmark_every = bookmark_every

    def lines(self, namespace: str | None, show: Show, clock: Callable[[], float]) -> Iterator[bytes]:
        """The stream's lines, in batches; ends at the time limit and when the store closes."""
        inside = _inside(namespace, self._test)
        end = clock() + self._limit
        bookmark_at = clock() + self._bookmark_every
        yield b"".join(_line("ADDED", show(obj)) for obj in self._initial(namespace))
        while (moment := clock()) < end and not self._store.closed:
            try:
                changes = self._next(min(end, bookmark_at) - moment)
            except RefusedError as refusal:
                yield _line("ERROR", refusal.body)
                return
            yield b"".join(_line(word, show(obj)) for word, obj in _told(changes, self._kind, inside))
            if clock() >= bookmark_at:
                bookmark_at = clock() + self._bookmark_every
                yield self._bookmark()

    def _initial(self, namespace: str | None) -> list[Object]:
        """Without a resourceVersion, or with 0, a watch begins with all that is there."""
        if self._position:
            return []
        with self._store.lock:
            self._position = self._store.version
            return [obj for obj in self._store.items(self._kind, namespace, self._position) if self._test(obj)]

    def _next(self, seconds: float) -> list[Change]:
        with self._store.lock:
            self._store.lock.wait_for(self._has_news, max(0.0, seconds))
            if self._position > self._store.version:
                return []
            changes = self._store.since(self._position)
            self._position = self._store.version
            return changes

    def _has_news(self) -> bool:
        return self._store.closed or self._store.version > self._position

    def _bookmark(self) -> bytes:
        meta = {"resourceVersion": str(self._position)}
        mark = {"kind": self._kind.name, "apiVersion": self._kind.group_version, "metadata": meta}
        return _line("BOOKMARK", mark) if self._bookmarks else b""


def _inside(namespace: str | None, test: Test) -> Test:
    return lambda obj: (namespace is None or obj["metadata"].get("namespace") == namespace) and test(obj)


def _told(changes: list[Change], kind: Kind, inside: Test) -> Iterator[tuple[str, Object]]:
    """What a watcher with this selector sees: an object that leaves the selection is DELETED for it."""
    for change in changes:
        if change.kind != kind:
            continue
        was = change.before is not None and inside(change.before)
        now = not change.gone and inside(change.after)
        if was or now:
            yield ("MODIFIED" if was and now else "ADDED" if now else "DELETED"), change.after


def _line(word: str, obj: Object) -> bytes:
    return json.dumps({"type": word, "object": obj}, separators=(",", ":")).encode() + b"\n"
