"""A few threads that share a stream of work; results come back as they finish."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from cleaner.guard import guarded

T = TypeVar("T")
R = TypeVar("R")


class _Crew(Generic[T, R]):
    def __init__(self, work: Callable[[T], R], failed: Callable[[T, Exception], R], size: int) -> None:
        self._work, self._failed, self._size = work, failed, size
        self._tasks: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[R] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def take(self, task: T, waiting: int) -> None:
        if waiting >= len(self._threads) < self._size:
            thread = threading.Thread(target=self._run, name=f"kube-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks.put(task)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            self.results.put(self._one(task))

    def _one(self, task: T) -> R:
        return guarded(lambda: self._work(task), lambda error: self._failed(task, error))

    def dismiss(self) -> None:
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()


def in_parallel(tasks: Iterable[T], work: Callable[[T], R], failed: Callable[[T, Exception], R], size: int) -> Iterator[R]:
    """
    Do each task in one of `size` threads; yield the results in the order in which they finish.

    Tasks are pulled in the caller's thread, one ahead for each worker and no more, so that whoever makes them may look at the
    results that came before. `failed` makes a result of an error that `work` did not expect.
    """
    crew: _Crew[T, R] = _Crew(work, failed, size)
    source, waiting, more = iter(tasks), 0, True
    try:
        while more or waiting:
            while more and waiting < 2 * size:
                task = next(source, None)
                if task is None:
                    more = False
                else:
                    crew.take(task, waiting)
                    waiting += 1
            if waiting:
                yield crew.results.get()
                waiting -= 1
    finally:
        crew.dismiss()
