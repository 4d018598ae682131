"""One object as it travels into the facts that the rules read."""

from datetime import datetime

from cleaner import model
from cleaner.durations import parse_duration
from cleaner.fleet import wire
from cleaner.fleet.names import job_name

DEFAULT_POLLING_INTERVAL = 15.0
"""Seconds; Fleet's `defaultPollingSyncInterval`, which also stands in for an interval of 0."""

LONGEST = 200
"""Characters of an annotation that are kept: whoever may write one must not be able to fill our memory with it."""

Shared = dict[object, object]
"""Facts that many Jobs have in common, kept once."""

_OUTCOMES = {"Complete": model.Outcome.SUCCEEDED, "Failed": model.Outcome.FAILED}


def job(read: wire.Job, shared: Shared) -> model.Job | None:
    """
    Facts of a Job that a GitRepo controls; None for any other Job.

    The controlling owner is a GitRepo by kind and apiVersion (Fleet sets exactly one, by `SetControllerReference`).
    """
    metadata = read.metadata
    owner = _owner(metadata, shared)
    if owner is None:
        return None
    annotations = metadata.annotations or {}
    commit = annotations.get("commit", "")
    outcome, finished, problem = _finish(read)
    if len(commit) > LONGEST:
        problem = problem or (f"its annotation commit has {len(commit)} characters" if outcome else "")
        commit = commit[:LONGEST]
    return model.Job(
        owner,
        model.identity(metadata.name, metadata.uid, metadata.resourceVersion, commit),
        metadata.creationTimestamp.timestamp(),
        outcome,
        finished,
        _generations(metadata.labels, shared),
        ours(annotations),
        _marks(metadata),
        problem,
    )


def _owner(metadata: wire.JobMetadata, shared: Shared) -> model.Owner | None:
    for reference in metadata.ownerReferences or ():
        if reference.controller and reference.kind == "GitRepo" and reference.apiVersion == "fleet.cattle.io/v1alpha1":
            known = shared.get(reference.uid)
            if isinstance(known, model.Owner) and (known.namespace, known.name) == (metadata.namespace, reference.name):
                return known
            owner = shared[reference.uid] = model.Owner(metadata.namespace, reference.name, reference.uid)
            return owner
    return None


def _generations(labels: wire.JobLabels | None, shared: Shared) -> model.Generations | None:
    if labels is None or labels.gitrepo is None:
        return None
    key = (labels.gitrepo, labels.force_sync)
    known = shared.get(key)
    if not isinstance(known, model.Generations):
        known = shared[key] = model.Generations(labels.gitrepo, labels.force_sync or "")
    return known


def _marks(metadata: wire.JobMetadata) -> int:
    deleting = model.Job.DELETING if metadata.deletionTimestamp else 0
    return deleting | (model.Job.FINALIZERS if metadata.finalizers else 0)


def ours(annotations: dict[str, str]) -> model.Annotations:
    """Our annotations, without their prefix; those that are no wishes are left out."""
    prefix = model.ANNOTATION_PREFIX
    told = prefix + model.NUDGED
    ours = [
        (name.removeprefix(prefix), _bounded(text))
        for name, text in annotations.items()
        if name.startswith(prefix) and name != told
    ]
    # There are six names: where more than twenty are given, some of these twenty are unknown, and the object unreadable.
    return tuple(sorted(ours)[:20]) if ours else ()


def _bounded(text: str) -> str:
    """Keep a value whole or make it one that cannot be read: cut short, it could mean something that nobody wrote."""
    return text if len(text) <= LONGEST else f"{text[:40]}... ({len(text)} characters)"


def _finish(read: wire.Job) -> tuple[model.Outcome | None, model.Moment | None, str]:
    """
    Outcome, finish and problem of a Job, from its terminal condition and never from its counters.

    `FailureTarget` and `SuccessCriteriaMet` come before the terminal condition: alone they mean that it still runs.
    """
    ended: wire.Condition | None = None
    for condition in (read.status and read.status.conditions) or ():
        if condition.type in _OUTCOMES and condition.status == "True":
            if ended is not None:
                return None, None, "its status says both Complete and Failed"
            ended = condition
    if ended is None:
        return None, None, ""
    return _OUTCOMES[ended.type], _finished_at(read, ended), ""


def _finished_at(read: wire.Job, condition: wire.Condition) -> model.Moment:
    """When it finished: a failed Job has no completionTime, so the condition comes first; never "now"."""
    status, deadline = read.status, read.spec.activeDeadlineSeconds if read.spec else None
    if condition.lastTransitionTime is not None:
        return condition.lastTransitionTime.timestamp()
    if status is not None and status.completionTime is not None:
        return status.completionTime.timestamp()
    if status is not None and status.startTime is not None and deadline is not None:
        return status.startTime.timestamp() + deadline
    return read.metadata.creationTimestamp.timestamp()


def gitrepo(read: wire.GitRepo) -> model.GitRepo:
    """Facts of a GitRepo; what cannot be understood becomes its `problem`, and its Jobs are kept."""
    metadata, spec, status = read.metadata, read.spec or wire.GitRepoSpec(), read.status or wire.GitRepoStatus()
    interval, problem = _polling_interval(spec)
    commits = tuple(dict.fromkeys(filter(None, (status.commit, status.pollingCommit))))
    return model.GitRepo(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        commits=commits,
        current_names=tuple(job_name(metadata.name, spec.repo or "", commit) for commit in commits),
        settled=_settled(metadata, spec, status),
        disable_polling=bool(spec.disablePolling),
        polling_interval=interval,
        last_polled=_moment(status.lastPollingTriggered),
        deleting_since=_moment(metadata.deletionTimestamp),
        labels=tuple(sorted((metadata.labels or {}).items())),
        annotations=ours(metadata.annotations or {}),
        problem=problem if status.commit else "its GitRepo has no status.commit",
        guarded=model.GUARD in (metadata.finalizers or ()),
    )


def gitrepo_state(read: wire.WholeGitRepo) -> model.GitRepoState:
    """Facts of a GitRepo that was read alone."""
    spec, status = read.spec or wire.GitRepoSpec(), read.status or wire.WholeGitRepoStatus()
    stalled = [c.message or "" for c in status.conditions or () if c.type == "Stalled" and c.status == "True"]
    return model.GitRepoState(
        gitrepo(wire.GitRepo(read.metadata, read.spec, read.status)),
        read.metadata.resourceVersion,
        force=spec.forceSyncGeneration or 0,
        forced=status.updateGeneration or 0,
        status=status.gitJobStatus or "",
        stalled=stalled[0] if stalled else None,
    )


def _moment(time: datetime | None) -> model.Moment | None:
    return None if time is None else time.timestamp()


def _settled(metadata: wire.Metadata, spec: wire.GitRepoSpec, status: wire.GitRepoStatus) -> bool:
    observed = metadata.generation == (status.observedGeneration or 0)
    return observed and (spec.forceSyncGeneration or 0) == (status.updateGeneration or 0)


def _polling_interval(spec: wire.GitRepoSpec) -> tuple[float, str]:
    try:
        return parse_duration(spec.pollingInterval or "0") or DEFAULT_POLLING_INTERVAL, ""
    except ValueError as error:
        return DEFAULT_POLLING_INTERVAL, f"spec.pollingInterval of its GitRepo: {error}"


def namespace(read: wire.Namespace) -> model.Namespace:
    """Facts of a Namespace."""
    return model.Namespace(read.metadata.name, ours(read.metadata.annotations or {}))
