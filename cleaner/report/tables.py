"""Tables for a terminal, and the same rows as plain lines for everything else."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from cleaner.cluster import Deletion
from cleaner.failures import LONGEST
from cleaner.model import GitRepo, Moment, Owner
from cleaner.report import wording
from cleaner.report.heading import Heading
from cleaner.report.wording import printable
from cleaner.result import Migrated, Result, exit_code
from cleaner.retention import Plan, Stuck, Verdict

LISTED = 100
"""Deletions listed one by one on a terminal; a file gets all of them."""

Row = Sequence[str]


def write_result(out: TextIO, heading: Heading, result: Result) -> None:
    """Write what a pass came to."""
    _line(out, title(heading, result))
    write_table(
        out, ("GITREPO", "JOBS", "DELETED" if not result.dry_run else "WOULD DELETE", "KEPT", "WHY"), _gitrepo_rows(result)
    )
    _write_deletions(out, "JOB", _deletion_rows(result.verdicts(), result.deletions, dry_run=result.dry_run))
    _write_deletions(out, "POD", _deletion_rows(result.pods.verdicts(), result.pods.deletions, dry_run=result.dry_run))
    for line in [*(_migrated(result.migrated, dry_run=result.dry_run) if result.migrated else ()), *_troubles(result)]:
        _line(out, line)
    _line(out, summary(result))


def _migrated(migrated: Migrated, *, dry_run: bool) -> Iterable[str]:
    """Tell what a migration came to beside its deletions."""
    before = migrated.done_before
    if before:
        yield (
            f"DONE BEFORE at {printable(before.get('at', '?'))}, with Fleet {printable(before.get('fleet', '?'))}:"
            f" {printable(before.get('deleted', '?'))} Jobs were deleted; --again does it once more"
        )
        yield from (f"FORCED THEN {printable(path)}" for path in before.get("forced", "").split())
    if dry_run:
        yield from (
            f"WOULD ADOPT {printable(path)}: Force Update would work again, and its error stay" for path in migrated.adopted
        )
        yield from (
            f"WOULD FORCE {printable(path)}: a Force Update is pending, and Fleet would run it" for path in migrated.forced
        )
    else:
        yield from (f"ADOPTED {printable(path)}: Force Update works again, and its error is kept" for path in migrated.adopted)
        yield from (f"FORCED {printable(path)}: a Force Update was pending, and Fleet runs it now" for path in migrated.forced)
    yield from (f"WAITING {printable(path)}: Fleet has not begun its pending Force Update yet" for path in migrated.waiting)
    yield from (f"RUNNING {printable(path)}: made by Fleet <= 0.10.3, it had not finished in time" for path in migrated.running)
    yield from (f"PROBLEM {printable(problem, 1000)}" for problem in migrated.problems)


def _write_deletions(out: TextIO, what: str, rows: list[Row]) -> None:
    if not rows:
        return
    shown = rows[:LISTED] if out.isatty() else rows
    write_table(out, (what, "OUTCOME", "FINISHED", "REASON", "RESULT"), shown)
    if len(shown) < len(rows):
        _line(out, f"... and {len(rows) - len(shown)} more: --output json has all of them")


def title(heading: Heading, result: Result) -> str:
    """Name the command, the cluster and the mode, before anything else."""
    fleet = f"Fleet {result.fleet.version}" + (f" ({printable(result.fleet.detail)})" if result.fleet.detail else "")
    what = "changed" if heading.command == "migrate" else "deleted"
    mode = f"DRY RUN, nothing is {what} · " if heading.dry_run else ""
    where = f"context {printable(heading.context)} · {printable(heading.server)}"
    return f"gitjob-cleaner {heading.version} {heading.command} · {mode}{where} · {fleet}"


def _gitrepo_rows(result: Result) -> list[Row]:
    rows = [_gitrepo_row(owner, plan, result) for owner, plan in result.plans.items() if plan.verdicts]
    return sorted(rows, key=lambda row: row[0])


def _gitrepo_row(owner: Owner, plan: Plan, result: Result) -> Row:
    kept = Counter(verdict.reason.value for verdict in plan.verdicts if not verdict.deletes)
    outcomes = Counter(
        wording.result(verdict, result.deletions.get(verdict.job.uid), dry_run=result.dry_run)
        for verdict in plan.verdicts
        if verdict.deletes
    )
    done = outcomes.pop("would-delete" if result.dry_run else "deleted", 0)
    others = [f"{count} {name}" for name, count in sorted(outcomes.items())]
    why = ", ".join([f"{count} {reason}" for reason, count in sorted(kept.items())] + others)
    name = printable(f"{owner.namespace}/{owner.name}") + ("" if result.gitrepos[owner] else " (gone)")
    return (name, str(len(plan.verdicts)), str(done), str(sum(kept.values())), why)


def _deletion_rows(verdicts: Iterable[Verdict], deletions: Mapping[str, Deletion], *, dry_run: bool) -> list[Row]:
    doomed = sorted((v for v in verdicts if v.deletes), key=lambda v: (v.job.finished or 0.0, v.job.name))
    return [_deletion_row(verdict, deletions.get(verdict.job.uid), dry_run=dry_run) for verdict in doomed]


def _deletion_row(verdict: Verdict, deletion: Deletion | None, *, dry_run: bool) -> Row:
    job, told = verdict.job, wording.result(verdict, deletion, dry_run=dry_run)
    detail = f": {printable(deletion.detail)}" if deletion and deletion.detail else ""
    name = printable(f"{job.namespace}/{job.name}")
    return (name, wording.outcome(job), wording.stamp(job.finished) or "-", verdict.reason.value, told + detail)


def _troubles(result: Result) -> Iterable[str]:
    for refused in result.refused:
        where = f"Namespace {printable(refused.namespace)}" if refused.namespace else "the whole cluster"
        yield f"REFUSED {where}: {refused.what}: {printable(refused.problem)}"
    for bad in result.unreadable:
        yield f"UNREADABLE {bad.kind} {printable(bad.namespace)}/{printable(bad.name)}: {printable(bad.problem)}"
    for owner, plan in result.plans.items():
        yield from (f"NOTE {printable(f'{owner.namespace}/{owner.name}')}: {printable(note)}" for note in plan.notes)
    for job in result.tripped:
        yield f"CANARY {printable(f'{job.namespace}/{job.name}')} came back: no current Job of its GitRepo is deleted for 24h"
    yield from (stuck_line(found) for found in result.stuck)
    if result.brake:
        yield f"STOPPED by {result.brake.brake}: {printable(result.brake.text)}"


def stuck_line(found: Stuck) -> str:
    """Tell one stuck thing in a line."""
    job = f" Job {printable(found.job)}" if found.job else ""
    return f"STUCK {printable(found.gitrepo)}{job}: {found.kind.value}: {printable(found.text)}"


def summary(result: Result) -> str:
    """Tell the totals in one line."""
    kept, fates = sum(result.kept().values()), result.fates()
    parts = [f"{count} {fate.value}" for fate, count in sorted(fates.items(), key=lambda item: item[0].value)]
    if left := _left(result):
        parts.append(f"{left} left for the next pass")
    parts.append(f"{kept} kept")
    if result.pods.plans:
        parts.append(f"of {sum(1 for _ in result.pods.verdicts())} orphaned Pods {_told_of_pods(result)}")
    if result.foreign:
        parts.append(f"{result.foreign} Jobs that are no GitRepo's")
    return f"{', '.join(parts)} (exit code {exit_code(result)})"


def _told_of_pods(result: Result) -> str:
    pods = result.pods
    told = Counter(wording.result(v, pods.deletions.get(v.job.uid), dry_run=result.dry_run) for v in pods.verdicts())
    return " and ".join(f"{count} {what}" for what, count in sorted(told.items()))


def _left(result: Result) -> int:
    """Count what was due and not tried: left by the cap or a brake, or judged anew just before its turn."""
    due = (v.job.uid for v in result.verdicts() if v.deletes)
    return max(result.backlog, 0 if result.dry_run else sum(uid not in result.deletions for uid in due))


def write_explanation(out: TextIO, heading: Heading, result: Result, gitrepo: GitRepo, now: Moment) -> None:
    """Write why each Job of one GitRepo is kept, newest first; then its orphaned Pods, where they are looked for."""
    _line(out, title(heading, result))
    verdicts, pods = _newest_first(result.verdicts(), now), _newest_first(result.pods.verdicts(), now)
    rows = [_explained(verdict, now) for verdict in verdicts]
    _line(
        out,
        f"GitRepo {printable(gitrepo.path)} at commit {printable(', '.join(gitrepo.commits)) or 'none yet'}: {len(rows)} Jobs",
    )
    write_table(out, ("JOB", "OUTCOME", "COMMIT", "AGE", "VERDICT", "REASON", "UNTIL"), rows)
    if pods:
        write_table(
            out, ("POD", "OUTCOME", "COMMIT", "AGE", "VERDICT", "REASON", "UNTIL"), [_explained(pod, now) for pod in pods]
        )
    for reason in dict.fromkeys(verdict.reason for verdict in (*verdicts, *pods)):
        _line(out, f"{reason.value}: {reason.meaning}")
    for line in (*_kept_errors(result), *_troubles(result)):
        _line(out, line)


def _newest_first(verdicts: Iterable[Verdict], now: Moment) -> list[Verdict]:
    return sorted(verdicts, key=lambda v: (v.job.finished or now, v.job.created), reverse=True)


def _kept_errors(result: Result) -> Iterable[str]:
    if result.not_recalled:
        yield f"Kept errors cannot be read, which needs list on events: {printable(result.not_recalled)}"
    for kept in result.kept_errors:
        at = wording.stamp(kept.at) or "-"
        yield f"ERROR KEPT {at} {printable(kept.job)} commit {printable(kept.commit[:12])}: {printable(kept.text, LONGEST)}"
    if result.kept_errors:
        yield "Kept errors are Events and last as long as the API keeps those, an hour by default"


def _explained(verdict: Verdict, now: Moment) -> Row:
    job, reason = verdict.job, verdict.reason.value
    why = f"{reason}: {printable(verdict.detail)}" if verdict.detail else reason
    act = "delete" if verdict.deletes else "keep"
    return (
        printable(job.name),
        wording.outcome(job),
        printable(job.commit[:12]),
        wording.age(job, now),
        act,
        why,
        wording.until(verdict, now),
    )


def _line(out: TextIO, text: str) -> None:
    out.write(text + "\n")


def write_table(out: TextIO, header: Row, rows: Sequence[Row]) -> None:
    """Write a table for a terminal, and the same rows as aligned lines for everything else; cells are printable already."""
    if out.isatty():
        _rich_table(out, header, rows)
        return
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        _line(out, "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _rich_table(out: TextIO, header: Row, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in header:
        table.add_column(column, justify="right" if column in ("JOBS", "DELETED", "WOULD DELETE", "KEPT", "AGE") else "left")
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    Console(file=out).print(table)


_STYLES = {
    "ok": "green",
    "warning": "yellow",
    "failed": "red",
    "delete": "yellow",
    "deleted": "green",
    "keep": "cyan",
    "unreadable": "magenta",
}


def _style(cell: str) -> str:
    return _STYLES.get(cell, "")
