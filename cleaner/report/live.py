"""The demo's table: what is kept, why and until when, redrawn after every sweep; plain lines where nobody watches."""

from collections import Counter, deque
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

import msgspec

from cleaner.cluster import Fate
from cleaner.durations import describe_duration
from cleaner.model import Moment
from cleaner.report import wording
from cleaner.report.wording import printable
from cleaner.result import Result
from cleaner.retention import Verdict

if TYPE_CHECKING:
    from rich.table import Table


_REMEMBERED = 5


class Tally(msgspec.Struct):
    """What all sweeps so far have come to."""

    sweeps: int = 0
    deleted: Counter[str] = msgspec.field(default_factory=Counter)
    by_gitrepo: Counter[str] = msgspec.field(default_factory=Counter)
    failed: int = 0

    def add(self, result: Result) -> list[Verdict]:
        """Count one sweep in; return what it deleted."""
        gone = [v for v in result.verdicts() if _deleted(result, v)]
        self.sweeps += 1
        self.deleted.update(f"{verdict.job.outcome and verdict.job.outcome.value} {verdict.reason.value}" for verdict in gone)
        self.by_gitrepo.update(f"{verdict.job.namespace}/{verdict.job.owner.name}" for verdict in gone)
        self.failed += result.failures
        return gone

    def summary(self) -> str:
        """Tell it in a line."""
        what = ", ".join(f"{count} {kind}" for kind, count in sorted(self.deleted.items())) or "nothing"
        return f"{self.sweeps} sweeps deleted {sum(self.deleted.values())} Jobs ({what}), {self.failed} deletions failed"


def _deleted(result: Result, verdict: Verdict) -> bool:
    deletion = result.deletions.get(verdict.job.uid)
    return deletion is not None and deletion.fate is Fate.DELETED


class LiveTable:
    """Shows one result after the other."""

    def __init__(self, out: TextIO) -> None:
        self.tally = Tally()
        self._gone: deque[Verdict] = deque(maxlen=_REMEMBERED)
        self._out = out
        self._live: Any = None
        if out.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=out), auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, result: Result, now: Moment) -> None:
        """Show what a sweep came to."""
        gone = self.tally.add(result)
        self._gone.extend(gone)
        if self._live is not None:
            self._live.update(self._drawn(result, now), refresh=True)
            return
        for verdict in gone:
            job = verdict.job
            self._out.write(f"deleted {job.namespace}/{job.name} ({wording.outcome(job)}, {verdict.reason.value})\n")
        kept = ", ".join(f"{count} {reason}" for reason, count in sorted(result.kept().items()))
        self._out.write(f"sweep {self.tally.sweeps}: {len(gone)} deleted; kept: {kept}\n")
        self._out.flush()

    def _drawn(self, result: Result, now: Moment) -> Any:
        from rich.console import Group
        from rich.text import Text

        rows = max(4, self._live.console.size.height - len(result.plans) - 6)
        headline = Text(f"{self.tally.summary()}; Ctrl-C ends the demo", style="bold")
        return Group(headline, self._gitrepos(result, now), _jobs(result, reversed(self._gone), now, rows))

    def _gitrepos(self, result: Result, now: Moment) -> "Table":
        table = _table("GITREPO", "JOBS", "DELETED SO FAR", "KEPT BECAUSE", "NEXT TO GO")
        for owner, plan in sorted(result.plans.items(), key=lambda item: (item[0].namespace, item[0].name)):
            name = f"{owner.namespace}/{owner.name}"
            kept = Counter(verdict.reason.value for verdict in plan.verdicts if not verdict.deletes)
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(kept.items()))
            due = "" if plan.next_due is None else f"in {describe_duration(plan.next_due - now)}"
            table.add_row(printable(name), str(kept.total()), str(self.tally.by_gitrepo[name]), why, due)
        return table


def _jobs(result: Result, gone: Iterable[Verdict], now: Moment, rows: int) -> "Table":
    """List what went last, and the kept Jobs that finished last."""
    table = _table("JOB", "OUTCOME", "FINISHED", "VERDICT", "WHY", "UNTIL")
    kept = [verdict for verdict in result.verdicts() if not verdict.deletes]
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
        table.add_column(column, justify="right" if column in ("JOBS", "DELETED SO FAR") else "left", no_wrap=True)
    return table
