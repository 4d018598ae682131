"""What the tests of watches share: a thread that reads one, and lines as the API writes them."""

import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from cleaner.cluster import ClusterError, Kind, Stream
from cleaner.fleet import Change
from cleaner.kube import KubeCluster

DEADLINE = 60.0
"""Seconds that a test waits at most for what must come."""

QUIET = 300.0
"""A silence that no test lives to see."""


class Reading:
    """Reads a stream in a thread of its own until it ends; leaving the block interrupts it."""

    def __init__(self, stream: Stream) -> None:
        self.batches: list[list[Change[Any]]] = []
        self.error: ClusterError | None = None
        self._stream = stream
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="reading")

    def _read(self) -> None:
        try:
            for batch in self._stream:
                self._note(batch)
        except ClusterError as error:
            self.error = error

    def _note(self, batch: list[Change[Any]]) -> None:
        with self._news:
            self.batches.append(batch)
            self._news.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.interrupt()
        assert self.ended(), "the stream did not end when it was interrupted"

    @property
    def changes(self) -> list[Change[Any]]:
        """All that has come so far."""
        return [change for batch in list(self.batches) for change in batch]

    def named(self) -> list[tuple[str, bool]]:
        """The facts that have come: their names, and whether they are gone."""
        return [(change.fact.name, change.gone) for change in self.changes if change.fact is not None]

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what has come."""
        with self._news:
            assert self._news.wait_for(holds, DEADLINE), (self.batches, self.error)

    def ended(self) -> bool:
        """Wait for the end."""
        self._thread.join(DEADLINE)
        return not self._thread.is_alive()


def read(stream: Stream) -> list[list[Change[Any]]]:
    """Read a stream to its end, in this thread."""
    return list(stream)


def now(port: KubeCluster, kind: Kind, namespace: str) -> str:
    """The version of a list, from which a watch goes on."""
    pages: Any = port.jobs(namespace) if kind is Kind.JOBS else port.gitrepos(namespace)
    if kind is Kind.NAMESPACES:
        pages = port.namespaces()
    return str([page.version for page in pages][-1])


def line(kind: str, made: Any) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": kind, "object": made}).encode() + b"\n"
