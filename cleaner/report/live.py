"""The demo's table: what is kept, why and until when, redrawn twice a second; plain lines where nobody watches."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

import msgspec

from cleaner.cluster import UNDONE, Fate
from cleaner.durations import describe_duration
from cleaner.happened import Attempted, Happened, Swept
from cleaner.model import Moment
from cleaner.report import wording
from cleaner.report.wording import printable
from cleaner.retention import Verdict
from cleaner.snapshot import Snapshot

if TYPE_CHECKING:
    from rich.table import Table


_REMEMBERED = 5


class Tally(msgspec.Struct):
    """What all passes so far have come to."""

    sweeps: int = 0
    deleted: Counter[str] = msgspec.field(default_factory=Counter)
    by_gitrepo: Counter[str] = msgspec.field(default_factory=Counter)
    failed: int = 0

    def add(self, attempted: Attempted) -> bool:
        """Count one attempt in; whether it deleted."""
        job, fate = attempted.verdict.job, attempted.deletion.fate
        self.failed += fate in UNDONE
        if fate is not Fate.DELETED:
            return False
        self.deleted[f"{wording.outcome(job)} {attempted.verdict.reason.value}"] += 1
        self.by_gitrepo[f"{job.namespace}/{job.owner.name}"] += 1
        return True

    def summary(self) -> str:
        """Tell it in a line."""
        what = ", ".join(f"{count} {kind}" for kind, count in sorted(dict(self.deleted).items())) or "nothing"
        sweeps = f"{self.sweeps} sweep{'s' * (self.sweeps != 1)}"
        return f"{sweeps} deleted {self.deleted.total()} Jobs ({what}), {self.failed} deletions failed"


class LiveTable:
    """
    An observer of a service, and what shows its latest snapshot.

    The worker's thread tells what happens; on a terminal, only whoever calls `draw` writes.
    """

    def __init__(self, out: TextIO) -> None:
        self.tally = Tally()
        self._gone: deque[Verdict] = deque(maxlen=_REMEMBERED)
        self._out, self._heading = out, ""
        self._snapshot: Callable[[], Snapshot] | None = None
        self._live: Any = None
        if out.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=out), auto_refresh=False, vertical_overflow="crop")

    def watch(self, snapshot: Callable[[], Snapshot], heading: str) -> None:
        """Show these snapshots from now on, under this heading."""
        self._snapshot, self._heading = snapshot, heading

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, happened: Happened) -> None:
        """Hear what the service tells."""
        if isinstance(happened, Attempted) and self.tally.add(happened):
            self._gone.append(happened.verdict)
            job = happened.verdict.job
            self._line(f"deleted {job.namespace}/{job.name} ({wording.outcome(job)}, {happened.verdict.reason.value})")
        elif isinstance(happened, Swept):
            self.tally.sweeps += 1
            deleted = dict(happened.fates).get(Fate.DELETED.value, 0)
            self._line(f"sweep {self.tally.sweeps}: {deleted} deleted; kept: {self._kept()}")

    def _line(self, text: str) -> None:
        if self._live is None:
            self._out.write(text + "\n")
            self._out.flush()

    def _kept(self) -> str:
        kept: Counter[str] = Counter()
        if self._snapshot is not None:
            for (_, reason), count in self._snapshot().tally.items():
                kept[reason.value] += 0 if reason.deletes else count
        return ", ".join(f"{count} {reason}" for reason, count in sorted((+kept).items()))

    def draw(self, now: Moment) -> None:
        """Draw the latest snapshot, on a terminal."""
        if self._live is not None and self._snapshot is not None:
            self._live.update(self._drawn(self._snapshot(), now), refresh=True)

    def _drawn(self, snapshot: Snapshot, now: Moment) -> Any:
        from rich.console import Group
        from rich.text import Text

        rows = max(4, self._live.console.size.height - len(snapshot.views) - 8)
        headline = Text(f"{self.tally.summary()}; Ctrl-C ends the demo", style="bold")
        gone = list(self._gone)[::-1]
        return Group(headline, Text(self._heading), self._gitrepos(snapshot, now), _jobs(snapshot, gone, now, rows))

    def _gitrepos(self, snapshot: Snapshot, now: Moment) -> "Table":
        table = _table("GITREPO", "JOBS", "DELETED", "KEPT BECAUSE", "NEXT TO GO")
        for owner, view in sorted(snapshot.views.items(), key=lambda item: (item[0].namespace, item[0].name)):
            name = f"{owner.namespace}/{owner.name}"
            kept = Counter(verdict.reason.value for verdict in view.plan.verdicts if not verdict.deletes)
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(kept.items()))
            due = "" if view.plan.next_due is None else f"in {describe_duration(view.plan.next_due - now)}"
            table.add_row(printable(name), str(kept.total()), str(self.tally.by_gitrepo[name]), why, due)
        return table


def _jobs(snapshot: Snapshot, gone: Iterable[Verdict], now: Moment, rows: int) -> "Table":
    """List what went last, and the kept Jobs that finished last."""
    table = _table("JOB", "OUTCOME", "FINISHED", "VERDICT", "WHY", "UNTIL")
    kept = [verdict for view in snapshot.views.values() for verdict in view.plan.verdicts if not verdict.deletes]
    kept.sort(key=lambda verdict: verdict.job.finished or now, reverse=True)
    for verdict in [*gone, *kept][:rows]:
        job, until = verdict.job, verdict.until
        table.add_row(
            printable(f"{job.namespace}/{job.name}"),
            wording.outcome(job),
            "-" if job.finished is None else f"{wording.age(job, now)} ago",
            "deleted" if verdict.deletes else "keep",
            verdict.reason.value,
            "" if until is None else f"in {describe_duration(until - now)}",
            style="green" if verdict.deletes else "",
        )
    return table


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("JOBS", "DELETED") else "left", no_wrap=True)
    return table
