"""A watch read in a thread of its own, so that whoever waits for it hears time and signals too."""

import queue
import threading
from collections.abc import Generator
from typing import Any

from cleaner.cluster import Brake, ClusterError, Stream
from cleaner.fleet import Change
from cleaner.guard import guarded
from cleaner.retry import Ticking

_TICK = 0.2

News = list[Change[Any]] | ClusterError | None


def ticking_until(stop: Brake) -> Ticking:
    """Make a way to read streams that ends with a stop."""
    return lambda stream: _ticks(stream, stop)


def _ticks(stream: Stream, stop: Brake) -> Generator[list[Change[Any]], None, None]:
    came: queue.SimpleQueue[News] = queue.SimpleQueue()
    thread = threading.Thread(target=_read, args=(stream, came), name="watch", daemon=True)
    thread.start()
    try:
        while stop() is None:
            try:
                news = came.get(timeout=_TICK)
            except queue.Empty:
                news = []
            if news is None:
                return
            if isinstance(news, ClusterError):
                raise news
            yield news
    finally:
        stream.interrupt()
        thread.join()


def _read(stream: Stream, came: "queue.SimpleQueue[News]") -> None:
    """Hand on all that comes, and how it ended."""

    def read() -> None:
        try:
            for batch in stream:
                came.put(batch)
        except ClusterError as error:
            came.put(error)
        came.put(None)

    # Only the kind of error: its text may hold what nobody may repeat.
    guarded(read, lambda error: came.put(ClusterError(f"unexpected {type(error).__name__}")))
