"""Reads back what Events keep, once for each sweep of everything, in a thread of its own."""

import threading
from collections.abc import Sequence

from cleaner.cluster import ClusterError, KeptErrors
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import ErrorsRecalled, Happened, Observer, Swept
from cleaner.masking import masked

_IDLE: Seconds = 5.0


class Recall:
    """An observer of sweeps; `run` reads and tells. `namespaces` are those that are looked after, none for all."""

    def __init__(self, source: KeptErrors, namespaces: Sequence[str], tell: Observer) -> None:
        self._source, self._tell = source, tell
        self._namespaces = tuple(namespaces) or ("",)
        self._wanted, self._stopping = threading.Event(), threading.Event()

    def __call__(self, happened: Happened) -> None:
        """Want to read anew after a sweep of everything."""
        if isinstance(happened, Swept) and happened.trigger != "watch":
            self._wanted.set()

    def run(self) -> None:
        """Read whenever that is wanted, until stopped."""
        while not self._stopping.is_set():
            if self._wanted.wait(_IDLE) and not self._stopping.is_set():
                self._wanted.clear()
                self._tell(guarded(self.read, _unexpected))

    def stop(self) -> None:
        """End the loop."""
        self._stopping.set()
        self._wanted.set()

    def read(self) -> ErrorsRecalled:
        """Read what is kept where we may, and tell why not where we may not."""
        errors, problem = [], ""
        for namespace in self._namespaces:
            try:
                errors += self._source.kept_errors(namespace)
            except ClusterError as error:
                problem = problem or masked(str(error))
        return ErrorsRecalled(tuple(sorted(errors, key=lambda error: -error.at)), problem)


def _unexpected(error: Exception) -> ErrorsRecalled:
    return ErrorsRecalled(problem=f"unexpected {type(error).__name__}")
