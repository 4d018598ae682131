"""The JSON document of a pass: an API with a version of its own (`docs/json.md`)."""

import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from cleaner.cluster import Refusal
from cleaner.model import Fleet, Owner
from cleaner.report import wording
from cleaner.report.heading import Heading
from cleaner.result import Result, exit_code
from cleaner.retention import Stuck, Verdict

_C1 = re.compile(rb"\xc2([\x80-\x9f])")

SCHEMA = 1
"""Raised when a field goes away or changes its meaning; new fields may come at any time."""


class JobLine(msgspec.Struct, frozen=True):
    """One Job: its verdict, why, until when, and what became of it."""

    namespace: str
    name: str
    uid: str
    gitrepo: str
    commit: str
    outcome: str
    finished_at: str | None
    verdict: str
    reason: str
    until: str | None
    detail: str
    result: str
    result_detail: str


class RefusedLine(msgspec.Struct, frozen=True):
    """A Namespace (empty: the whole cluster) in which nothing was judged or deleted, and why."""

    namespace: str
    what: str
    problem: str
    denied: bool


class UnreadableLine(msgspec.Struct, frozen=True):
    """An object that could not even be named properly."""

    kind: str
    namespace: str
    name: str
    problem: str


class StuckLine(msgspec.Struct, frozen=True):
    """Something that does not move and is not ours to delete."""

    kind: str
    gitrepo: str
    job: str
    text: str


class NoteLine(msgspec.Struct, frozen=True):
    """Something to know of one GitRepo, such as an annotation that was clamped."""

    gitrepo: str
    text: str


class Totals(msgspec.Struct, frozen=True):
    """Counts. `kept` and `doomed` are verdicts by reason, `results` what became of the doomed; `backlog` is left by a cap."""

    jobs: int
    kept: dict[str, int]
    doomed: dict[str, int]
    results: dict[str, int]
    backlog: int
    other_jobs: int
    left_out_jobs: int


class Head(msgspec.Struct, frozen=True):
    """All of the document but its Jobs, which come last."""

    schema: int
    command: str
    version: str
    context: str
    server: str
    dry_run: bool
    started: str | None
    ended: str | None
    exit_code: int
    fleet: Fleet
    totals: Totals
    brake: Refusal | None
    canary_tripped: list[str]
    refused: list[RefusedLine]
    unreadable: list[UnreadableLine]
    stuck: list[StuckLine]
    notes: list[NoteLine]


class Document(Head, frozen=True):
    """The whole document, as its JSON schema describes it."""

    jobs: list[JobLine] = []


def job_lines(result: Result) -> Iterator[JobLine]:
    """Every Job of the pass, GitRepo by GitRepo."""
    return (_job_line(result, owner, verdict) for owner, plan in result.plans.items() for verdict in plan.verdicts)


def _job_line(result: Result, owner: Owner, verdict: Verdict) -> JobLine:
    job, deletion = verdict.job, result.deletions.get(verdict.job.uid)
    return JobLine(
        namespace=job.namespace,
        name=job.name,
        uid=job.uid,
        gitrepo=owner.name,
        commit=job.commit,
        outcome=wording.outcome(job),
        finished_at=wording.stamp(job.finished),
        verdict="delete" if verdict.deletes else "keep",
        reason=verdict.reason.value,
        until=wording.stamp(verdict.until),
        detail=verdict.detail,
        result=wording.result(verdict, deletion, dry_run=result.dry_run),
        result_detail=deletion.detail if deletion else "",
    )


def head(heading: Heading, result: Result) -> Head:
    """Everything that comes before the Jobs."""
    return Head(
        schema=SCHEMA,
        command=heading.command,
        version=heading.version,
        context=heading.context,
        server=heading.server,
        dry_run=heading.dry_run,
        started=wording.stamp(result.started),
        ended=wording.stamp(result.ended),
        exit_code=exit_code(result),
        fleet=result.fleet,
        totals=_totals(result),
        brake=result.brake,
        canary_tripped=[f"{job.namespace}/{job.name}" for job in result.tripped],
        refused=[RefusedLine(r.namespace, r.what, r.problem, r.denied) for r in result.refused],
        unreadable=[UnreadableLine(bad.kind, bad.namespace, bad.name, bad.problem) for bad in result.unreadable],
        stuck=[_stuck_line(found) for found in result.stuck],
        notes=[NoteLine(f"{o.namespace}/{o.name}", note) for o, plan in result.plans.items() for note in plan.notes],
    )


def _stuck_line(found: Stuck) -> StuckLine:
    return StuckLine(found.kind.value, found.gitrepo, found.job, found.text)


def _totals(result: Result) -> Totals:
    return Totals(
        jobs=sum(len(plan.verdicts) for plan in result.plans.values()),
        kept=dict(sorted(result.kept().items())),
        doomed=dict(sorted(result.doomed().items())),
        results={fate.value: count for fate, count in sorted(result.fates().items(), key=lambda item: item[0].value)},
        backlog=result.backlog,
        other_jobs=result.foreign,
        left_out_jobs=result.left_out,
    )


def escaped(line: bytes) -> bytes:
    """Escape the control characters that JSON lets pass: a terminal would obey U+009B as it obeys an escape sequence."""
    return _C1.sub(lambda found: b"\\u00%02x" % found[1][0], line)


def write_document(out: BinaryIO, heading: Heading, result: Result) -> None:
    """Write the document; a hundred thousand Jobs are written one by one rather than held as text."""
    encoder = msgspec.json.Encoder()
    out.write(escaped(encoder.encode(head(heading, result)))[:-1] + b',"jobs":[')
    separator = b"\n"
    for line in job_lines(result):
        out.write(separator + escaped(encoder.encode(line)))
        separator = b",\n"
    out.write(b"\n]}\n")
    out.flush()


__all__ = ["SCHEMA", "Document", "escaped", "head", "job_lines", "write_document"]
