"""A few threads that share one queue of work."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from cleaner.durations import Seconds
from cleaner.guard import guarded

Task = TypeVar("Task")


class Crew(Generic[Task]):
    """Does tasks in the order in which they come, as many at a time as it has threads; `work` must not raise."""

    def __init__(self, name: str, count: int, work: Callable[[Task], None], monotonic: Callable[[], Seconds]) -> None:
        self._work, self._monotonic = work, monotonic
        self._queue: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(count)]

    def put(self, task: Task) -> None:
        """Have a task done."""
        self._queue.put(task)

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, until: Seconds) -> bool:
        """End them; what waits is dropped, what is under way may take until a moment. Whether all have ended."""
        self._stopped = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.1, until - self._monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None and not self._stopped:
            guarded(lambda task=task: self._work(task), _died)  # type: ignore[misc]


def _died(error: Exception) -> None:
    # The log tells what it was, as for any thread that dies; this one goes on with the next task.
    threading.excepthook(threading.ExceptHookArgs((type(error), error, None, threading.current_thread())))
