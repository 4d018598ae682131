"""Moments, Jobs and verdicts in words. Nothing that a tenant wrote reaches a terminal with its control characters."""

from datetime import UTC, datetime

from cleaner.cluster import Deletion, Fate
from cleaner.durations import describe_duration
from cleaner.model import Job, Moment
from cleaner.retention import Verdict


def printable(text: str, longest: int = 300) -> str:
    """Make a text safe for a terminal and a log line: one line, no escape sequences, not endless."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: longest + 1])
    return shown if len(shown) <= longest else shown[:longest] + "…"


def stamp(moment: Moment | None) -> str | None:
    """RFC 3339, in UTC and whole seconds; None where there is no moment or no calendar for it."""
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


def age(job: Job, now: Moment) -> str:
    """How long ago a Job finished, or that it has not."""
    return "-" if job.finished is None else describe_duration(now - job.finished)


def until(verdict: Verdict, now: Moment) -> str:
    """Until when a verdict stands."""
    if verdict.until is None:
        return ""
    return f"{stamp(verdict.until)} (in {describe_duration(verdict.until - now)})"


def outcome(job: Job) -> str:
    """How a Job ended."""
    if job.outcome is None:
        return "unreadable" if job.problem else "running"
    return job.outcome.value


def result(verdict: Verdict, deletion: Deletion | None, *, dry_run: bool) -> str:
    """What became of a Job in this pass."""
    if deletion is not None:
        return deletion.fate.value
    if not verdict.deletes:
        return "kept"
    return Fate.WOULD_DELETE.value if dry_run else "left"
