"""The JSON document of a pass: an API with a version of its own (`docs/json.md`)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from cleaner.cluster import Deletion, Fate, Refusal
from cleaner.model import Fleet, KeptError, OrphanedPod, Owner
from cleaner.report import wording
from cleaner.report.heading import Heading
from cleaner.result import Migrated, PodResult, Result, exit_code
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


class PodLine(JobLine, frozen=True, kw_only=True):
    """One Pod that its Job left behind: as of a Job, and the name of that Job."""

    job: str


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


class PodTotals(msgspec.Struct, frozen=True):
    """Counts of the Pods that Jobs left behind, as for Jobs."""

    pods: int = 0
    kept: dict[str, int] = {}
    doomed: dict[str, int] = {}
    results: dict[str, int] = {}


class KeptErrorLine(msgspec.Struct, frozen=True):
    """Why a Job of the GitRepo failed, as an Event keeps it, and when that was written."""

    gitrepo: str
    job: str
    commit: str
    text: str
    at: str | None


class Totals(msgspec.Struct, frozen=True):
    """
    Counts, of Jobs alone but for `pods`.

    `kept` and `doomed` are verdicts by reason, `results` what became of the doomed; `backlog` is left by a cap.
    """

    jobs: int
    kept: dict[str, int]
    doomed: dict[str, int]
    results: dict[str, int]
    backlog: int
    other_jobs: int
    left_out_jobs: int
    pods: PodTotals = PodTotals()


class MigrationPart(msgspec.Struct, frozen=True):
    """What `migrate` came to beside its deletions: GitRepos, and Jobs that run, as `namespace/name`; and whether it is done."""

    done: bool
    fleet: str
    adopted: list[str]
    forced: list[str]
    waiting: list[str]
    running: list[str]
    problems: list[str]
    done_before: dict[str, str]


class Head(msgspec.Struct, frozen=True):
    """All of the document but its Pods and Jobs, which come last."""

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
    migration: MigrationPart | None
    kept_errors: list[KeptErrorLine]


class Document(Head, frozen=True):
    """The whole document, as its JSON schema describes it."""

    pods: list[PodLine] = []
    jobs: list[JobLine] = []


def job_lines(result: Result) -> Iterator[JobLine]:
    """Every Job of the pass, GitRepo by GitRepo."""
    return (_job_line(result, owner, verdict) for owner, plan in result.plans.items() for verdict in plan.verdicts)


def _job_line(result: Result, owner: Owner, verdict: Verdict) -> JobLine:
    return JobLine(**_fields(verdict, owner, result.deletions.get(verdict.job.uid), dry_run=result.dry_run))


def pod_lines(result: Result) -> Iterator[PodLine]:
    """Every Pod of the pass that its Job left behind, GitRepo by GitRepo."""
    for verdict in result.pods.verdicts():
        pod, deletion = verdict.job, result.pods.deletions.get(verdict.job.uid)
        job = pod.job if isinstance(pod, OrphanedPod) else ""
        yield PodLine(**_fields(verdict, pod.owner, deletion, dry_run=result.dry_run), job=job)


def _fields(verdict: Verdict, owner: Owner, deletion: Deletion | None, *, dry_run: bool) -> dict[str, Any]:
    job = verdict.job
    return {
        "namespace": job.namespace,
        "name": job.name,
        "uid": job.uid,
        "gitrepo": owner.name,
        "commit": job.commit,
        "outcome": wording.outcome(job),
        "finished_at": wording.stamp(job.finished),
        "verdict": "delete" if verdict.deletes else "keep",
        "reason": verdict.reason.value,
        "until": wording.stamp(verdict.until),
        "detail": verdict.detail,
        "result": wording.result(verdict, deletion, dry_run=dry_run),
        "result_detail": deletion.detail if deletion else "",
    }


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
        notes=_notes(result),
        migration=None if result.migrated is None else _migration_part(result, result.migrated),
        kept_errors=[_kept_error_line(kept) for kept in result.kept_errors],
    )


def _notes(result: Result) -> list[NoteLine]:
    notes = [NoteLine(f"{o.namespace}/{o.name}", note) for o, plan in result.plans.items() for note in plan.notes]
    return notes + ([NoteLine("", f"kept errors cannot be read: {result.not_recalled}")] if result.not_recalled else [])


def _kept_error_line(kept: KeptError) -> KeptErrorLine:
    where = f"{kept.gitrepo.namespace}/{kept.gitrepo.name}"
    return KeptErrorLine(where, kept.job, kept.commit, kept.text, wording.stamp(kept.at))


def _migration_part(result: Result, migrated: Migrated) -> MigrationPart:
    done = not result.dry_run and exit_code(result) == 0
    return MigrationPart(done=done, **msgspec.structs.asdict(migrated))


def _stuck_line(found: Stuck) -> StuckLine:
    return StuckLine(found.kind.value, found.gitrepo, found.job, found.text)


def _totals(result: Result) -> Totals:
    return Totals(
        jobs=sum(len(plan.verdicts) for plan in result.plans.values()),
        kept=dict(sorted(result.kept().items())),
        doomed=dict(sorted(result.doomed().items())),
        results=_by_value(result.fates()),
        backlog=result.backlog,
        other_jobs=result.foreign,
        left_out_jobs=result.left_out,
        pods=_pod_totals(result.pods),
    )


def _pod_totals(pods: PodResult) -> PodTotals:
    verdicts = list(pods.verdicts())
    kept = Counter(verdict.reason.value for verdict in verdicts if not verdict.deletes)
    doomed = Counter(verdict.reason.value for verdict in verdicts if verdict.deletes)
    return PodTotals(len(verdicts), dict(sorted(kept.items())), dict(doomed), _by_value(pods.fates()))


def _by_value(fates: Mapping[Fate, int]) -> dict[str, int]:
    return {fate.value: count for fate, count in sorted(fates.items(), key=lambda item: item[0].value)}


def escaped(line: bytes) -> bytes:
    """Escape the control characters that JSON lets pass: a terminal would obey U+009B as it obeys an escape sequence."""
    return _C1.sub(lambda found: b"\\u00%02x" % found[1][0], line)


def write_document(out: BinaryIO, heading: Heading, result: Result) -> None:
    """Write the document; a hundred thousand Jobs are written one by one rather than held as text, and so are Pods."""
    encoder = msgspec.json.Encoder()
    out.write(escaped(encoder.encode(head(heading, result)))[:-1])
    for name, lines in ((b"pods", pod_lines(result)), (b"jobs", job_lines(result))):
        out.write(b',"' + name + b'":[')
        separator = b"\n"
        for line in lines:
            out.write(separator + escaped(encoder.encode(line)))
            separator = b",\n"
        out.write(b"\n]")
    out.write(b"}\n")
    out.flush()


__all__ = ["SCHEMA", "Document", "escaped", "head", "job_lines", "pod_lines", "write_document"]
