"""A progress bar on standard error while a long pass runs; it disappears when the pass is over."""

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TextIO

from cleaner.happened import Attempted, Happened, Judged, OfPods, Read, Spared, Waited


class ProgressBar:
    """An observer that shows how far a pass is; where nobody watches it does nothing."""

    def __init__(self, out: TextIO) -> None:
        self._bar = None
        self._doomed = self._done = 0
        if out.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(file=out), transient=True)
            self._task = self._bar.add_task("reading", total=None)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Make room for a question, and go on after it."""
        if self._bar is not None:
            self._bar.stop()
        yield
        if self._bar is not None:
            self._bar.start()

    def __call__(self, happened: Happened) -> None:
        """Take note of what happened."""
        if self._bar is None:
            return
        happened = happened.happened if isinstance(happened, OfPods) else happened
        if isinstance(happened, Waited):
            self._bar.update(self._task, description=f"{happened.what} ({happened.left:.0f}s at most)", completed=0, total=None)
        elif isinstance(happened, Read):
            self._bar.update(self._task, description=f"reading {happened.kind}s", completed=happened.total)
        elif isinstance(happened, Judged):
            self._doomed += len(happened.plan.doomed)
            self._bar.update(self._task, description="deleting", completed=0, total=self._doomed)
        elif isinstance(happened, Attempted | Spared):
            self._done += 1
            self._bar.update(self._task, description="deleting", completed=self._done, total=self._doomed)
