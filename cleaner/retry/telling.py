"""A retry in words, and as one JSON document."""

from collections.abc import Iterator

import msgspec

from cleaner.happened import NamespaceRefused
from cleaner.model import Fleet
from cleaner.report import SCHEMA, Heading, escaped
from cleaner.report.document import RefusedLine
from cleaner.report.wording import printable
from cleaner.retry.attempts import Attempt, Came, Ran, Retries, exit_code
from cleaner.retry.beginning import Begun

_LONGEST = 1000

_WORDS = {
    Came.SUCCEEDED: "succeeded",
    Came.FAILED: "failed again",
    Came.UNFINISHED: "not finished",
    Came.NUDGED: "nudged: Fleet looks at it now",
    Came.WOULD_NUDGE: "would be nudged",
    Came.NOT_STARTED: "NOT STARTED",
    Came.LEFT_OUT: "left out",
    Came.LEFT: "left",
}


class RanLine(msgspec.Struct, frozen=True):
    """A Job, its commit and why it failed; empty where nothing is known."""

    job: str
    commit: str
    error: str


class RetryLine(msgspec.Struct, frozen=True):
    """One GitRepo: what it came to, what had failed (`before`), what ran then (`after`), and what was asked of Fleet."""

    gitrepo: str
    result: str
    detail: str
    before: RanLine
    after: RanLine
    force_sync_generation: int | None
    raised: bool
    adopted: bool
    nudged: bool


class RetryDocument(msgspec.Struct, frozen=True):
    """The whole document."""

    schema: int
    command: str
    version: str
    context: str
    server: str
    dry_run: bool
    exit_code: int
    fleet: Fleet
    refused: list[RefusedLine]
    gitrepos: list[RetryLine]


def title(heading: Heading, fleet: Fleet) -> str:
    """Name the command, the cluster and the mode, before anything else."""
    seen = f"Fleet {fleet.version}" + (f" ({printable(fleet.detail)})" if fleet.detail else "")
    mode = "DRY RUN, nothing is changed · " if heading.dry_run else ""
    where = f"context {printable(heading.context)} · {printable(heading.server)}"
    return f"gitjob-cleaner {heading.version} {heading.command} · {mode}{where} · {seen}"


def failure_line(path: str, ran: Ran) -> str:
    """Say what had failed, and why."""
    what = f"Job {ran.job} of commit {ran.commit[:12]} failed" if ran.job else f"commit {ran.commit[:12]} failed, its Job is gone"
    return _line(path, f"{what}: {ran.error or 'nobody tells why'}")


def refused_line(refused: NamespaceRefused) -> str:
    """Say where nobody could look."""
    where = f"Namespace {refused.namespace}" if refused.namespace else "the whole cluster"
    return printable(f"REFUSED {where}: {refused.what}: {refused.problem}", _LONGEST)


def attempt_lines(attempt: Attempt) -> Iterator[str]:
    """Say what was asked of Fleet, or what came of it."""
    if attempt.came in (Came.STARTED, Came.WOULD_START) and attempt.begun is not None:
        yield from (_line(attempt.gitrepo, text) for text in _begun(attempt.begun, dry_run=attempt.came is Came.WOULD_START))
        return
    job = f": Job {attempt.after.job} of commit {attempt.after.commit[:12]}" if attempt.after.job else ""
    detail = f": {attempt.detail}" if attempt.detail else ""
    newer = ", another than the one that had failed" if _moved_on(attempt) else ""
    error = f": {attempt.after.error or 'nobody tells why'}" if attempt.came is Came.FAILED else ""
    yield _line(attempt.gitrepo, _WORDS[attempt.came] + job + newer + detail + error)


def _moved_on(attempt: Attempt) -> bool:
    return bool(attempt.after.commit) and attempt.after.commit != attempt.before.commit


def _begun(begun: Begun, *, dry_run: bool) -> Iterator[str]:
    would = "would be " if dry_run else ""
    if begun.adopted:
        yield f"its Job, made by Fleet <= 0.10.3, {would or 'was '}given the labels without which it blocks a Force Update"
    if begun.raised:
        yield f"Force Update {begun.number} {would}asked for"
    else:
        yield f"Force Update {begun.number} is pending already; Fleet {would or 'was '}nudged"


def _line(path: str, text: str) -> str:
    return printable(f"{path}: {text}", _LONGEST)


def document(heading: Heading, fleet: Fleet, retries: Retries) -> bytes:
    """Write the JSON document, with a line's end."""
    made = RetryDocument(
        schema=SCHEMA,
        command=heading.command,
        version=heading.version,
        context=heading.context,
        server=heading.server,
        dry_run=heading.dry_run,
        exit_code=exit_code(retries),
        fleet=fleet,
        refused=[RefusedLine(r.namespace, r.what, r.problem, r.denied) for r in retries.refused],
        gitrepos=[_retry_line(attempt) for attempt in retries.attempts],
    )
    return escaped(msgspec.json.encode(made)) + b"\n"


def _retry_line(attempt: Attempt) -> RetryLine:
    begun = attempt.begun
    return RetryLine(
        gitrepo=attempt.gitrepo,
        result=attempt.came.value,
        detail=attempt.detail,
        before=_ran_line(attempt.before),
        after=_ran_line(attempt.after),
        force_sync_generation=begun.number if begun is not None else None,
        raised=begun is not None and begun.raised,
        adopted=begun is not None and begun.adopted,
        nudged=(begun is not None and begun.nudged) or attempt.came in (Came.NUDGED, Came.WOULD_NUDGE),
    )


def _ran_line(ran: Ran) -> RanLine:
    return RanLine(ran.job, ran.commit, ran.error)
