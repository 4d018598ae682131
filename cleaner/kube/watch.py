"""Watches: one answer that goes on, a line of JSON for each change."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import urllib3

from cleaner import fleet
from cleaner.cluster import ClusterError, Denied, Expired, Kind, Unreachable
from cleaner.durations import Seconds
from cleaner.fleet import Change, Shared, WatchError
from cleaner.kube.body import pieces
from cleaner.kube.connection import Connection
from cleaner.kube.cord import Cord
from cleaner.kube.failures import failure, meaning
from cleaner.kube.reads import NOT_JSON, refused

LONGEST_LINE = 16 << 20
"""Bytes of one line: ten times the largest object that etcd takes."""

MOST_SHARED = 10_000
"""Facts in common that are kept before they are forgotten: a watch that lives for months must not fill the memory."""

_ENDS_AFTER = "600"
"""Seconds after which the server ends a watch by itself; another then begins where it was."""

_FORBIDDEN, _GONE, _UNAUTHORIZED = 403, 410, 401


class Watch:
    """One watch, to be iterated once: see `cluster.Stream`. `path` is that of the list it goes on from."""

    def __init__(self, connection: Connection, path: str, version: str, quiet: Seconds, kind: Kind) -> None:
        self._connection = connection
        self._path = path
        self._query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": _ENDS_AFTER}
        self._quiet = quiet
        self._shared: Shared = {}
        self._understand = _understanding(kind, self._shared)
        self._cord = Cord()

    def interrupt(self) -> None:
        """End it at once, from any thread."""
        self._cord.pull()

    def __iter__(self) -> Iterator[list[Change[Any]]]:
        """Yield what each read brings; see `cluster.Stream` for the errors."""
        try:
            yield from self._batches()
        except Unreachable as error:
            if self._cord.pulled:
                return
            if failure(error.__cause__ or error) == "timeout":
                raise Unreachable(f"silent for too long: {error}") from error
            raise
        except ClusterError:
            if not self._cord.pulled:
                raise
        finally:
            self._cord.close()

    def _batches(self) -> Iterator[list[Change[Any]]]:
        if self._cord.pulled:
            return
        response = self._connection.open(self._path, self._query, self._quiet, self._cord)
        try:
            with meaning():
                self._must_go_on(response)
                lines = _Lines()
                for piece in pieces(response):
                    if self._cord.pulled:
                        return
                    yield from self._changes(lines.take(piece))
                lines.end()
        finally:
            response.close()

    def _must_go_on(self, response: urllib3.BaseHTTPResponse) -> None:
        """Raise what an answer means that is no stream."""
        if response.status == 404:
            raise Denied(f"{self._path} is not served here: is Fleet installed?")
        if response.status != 200:
            raise refused(self._connection.read(response))

    def _changes(self, lines: list[bytes]) -> Iterator[list[Change[Any]]]:
        """Yield what some lines tell; those before a bad one are told before it is raised."""
        changes: list[Change[Any]] = []
        try:
            changes.extend(self._change(line) for line in lines if line)  # as far as it gets
        except ClusterError:
            if changes:
                yield changes
            raise
        if len(self._shared) > MOST_SHARED:
            self._shared.clear()
        yield changes

    def _change(self, line: bytes) -> Change[Any]:
        try:
            change = fleet.read_change(line, self._understand)
        except NOT_JSON as error:
            raise ClusterError(f"a line of the watch is not what the API promises: {str(error)[:200]}") from error
        if isinstance(change, WatchError):
            raise _meant(change)
        return change


class _Lines:
    """Lines out of pieces; what is no whole line yet waits in pieces, so that a large object is joined once."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0

    def take(self, piece: bytes) -> list[bytes]:
        if b"\n" not in piece:
            self._keep(piece)
            return []
        lines = (b"".join((*self._rest, piece)) if self._rest else piece).split(b"\n")
        self._rest, self._size = [], 0
        self._keep(lines.pop())
        _bounded(len(lines[0]))  # no other can be longer than what one read brings
        return lines

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._size += len(piece)
            _bounded(self._size)

    def end(self) -> None:
        if self._size:
            raise Unreachable("the watch ended with half a line, which is dropped")


def _bounded(size: int) -> None:
    if size > LONGEST_LINE:
        raise ClusterError(f"a line of the watch is longer than {LONGEST_LINE >> 20} MiB")


def _understanding(kind: Kind, shared: Shared) -> Callable[[msgspec.Raw], Any]:
    if kind is Kind.JOBS:
        return functools.partial(fleet.find_job, shared=shared)
    return fleet.read_gitrepo if kind is Kind.GITREPOS else fleet.read_namespace


def _meant(error: WatchError) -> ClusterError:
    text = f"{error.code}: {' '.join(error.message.split())[:256]}"
    if error.code == _GONE:
        return Expired(text)
    return (Denied if error.code in (_UNAUTHORIZED, _FORBIDDEN) else ClusterError)(text)
