"""A progress bar on standard error while a long pass runs; it disappears when the pass is over."""

from types import TracebackType
from typing import Self, TextIO

from cleaner.happened import Attempted, Happened, Judged, Read, Spared, Waited


class ProgressBar:
    """An observer that shows how far a pass is; where nobody watches it does nothing."""

    def __init__(self, out: TextIO) -> None:
        self._bar = None
        self._doomed = 0
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

    def pause(self) -> None:
        """Make room for a question."""
        if self._bar is not None:
            self._bar.stop()

    def resume(self) -> None:
        """Go on after it."""
        if self._bar is not None:
            self._bar.start()

    def __call__(self, happened: Happened) -> None:
        """Take note of what happened."""
        if self._bar is None:
            return
        if isinstance(happened, Waited):
            self._bar.update(self._task, description=f"{happened.what} ({happened.left:.0f}s at most)", completed=0, total=None)
        elif isinstance(happened, Read):
            self._bar.update(self._task, description=f"reading {happened.kind}s", completed=happened.total)
        elif isinstance(happened, Judged):
            self._doomed += len(happened.plan.doomed)
            self._bar.update(self._task, description="deleting", completed=0, total=self._doomed)
        elif isinstance(happened, Attempted | Spared):
            self._bar.advance(self._task)
