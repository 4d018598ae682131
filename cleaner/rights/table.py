"""The table: what each command asks of the API, by its settings."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from cleaner.rights.right import Right, Use, Where

Resource = tuple[str, str]

_JOBS, _GITREPOS = ("batch", "jobs"), ("fleet.cattle.io", "gitrepos")
_NAMESPACES, _PODS, _LOGS, _EVENTS = ("", "namespaces"), ("", "pods"), ("", "pods/log"), ("", "events")
_LEASES, _CONFIGMAPS, _DEPLOYMENTS = ("coordination.k8s.io", "leases"), ("", "configmaps"), ("apps", "deployments")

_UNTRIED = "the dry run decides all the same, but does not hear whether the API would do it"


def rights(use: Use) -> list[Right]:
    """
    Return every right that a command needs or can use, each once.

    A right in one Namespace is left out where the same right in the whole cluster is wanted at least as much.
    """
    merged = _merged(_TABLE[use.command](use))
    everywhere = {_what(right): right.needed for right in merged if right.where is Where.CLUSTER}
    return [right for right in merged if right.where is Where.CLUSTER or not _covered(right, everywhere)]


def _covered(right: Right, everywhere: Mapping[tuple[str, str, str], bool]) -> bool:
    return _what(right) in everywhere and everywhere[_what(right)] >= right.needed


def _what(right: Right) -> tuple[str, str, str]:
    return right.verb, right.group, right.resource


def _merged(all_of_them: Iterable[Right]) -> list[Right]:
    """Make one of those that differ only in what they are for: it is needed if any of them is."""
    found: dict[tuple[object, ...], Right] = {}
    for right in all_of_them:
        key = (*_what(right), right.where, right.name)
        before = found.get(key)
        found[key] = right if before is None else _joined(before, right)
    return list(found.values())


def _joined(first: Right, second: Right) -> Right:
    lost = f"{first.lost}; {second.lost}" if first.lost and second.lost and first.lost != second.lost else first.lost
    purpose = first.purpose if first.purpose == second.purpose else f"{first.purpose}; {second.purpose}"
    return msgspec.structs.replace(first, purpose=purpose, lost=lost if second.lost else "")


def _right(verb: str, of: Resource, where: Where, purpose: str, lost: str = "", name: str = "") -> Right:
    return Right(verb, *of, where, purpose, lost, name)


def _sweep(use: Use) -> Iterator[Right]:
    yield from _pass(use)
    yield from _fleet(use, "Fleet counts as the oldest: no current Job goes, and no Job of a GitRepo that looks asleep")


def _pass(use: Use) -> Iterator[Right]:
    yield from _looking(use)
    yield from _deleting(use)
    yield from _letting_current_go(use)
    yield from _clearing_pods(use)
    yield from _pause(use)


def _looking(use: Use) -> Iterator[Right]:
    if use.namespaces is None:
        yield _right("list", _NAMESPACES, use.scope, "annotations on Namespaces")
    else:
        yield _right("get", _NAMESPACES, use.scope, "annotations on the Namespace")
    yield _right("list", _GITREPOS, use.scope, "which GitRepos live, and at which commit")
    yield _right("list", _JOBS, use.scope, "the Jobs to judge")


def _fleet(use: Use, lost: str) -> Iterator[Right]:
    lost = "fleet_version is believed" if use.fleet_told else lost
    yield _right("list", _DEPLOYMENTS, Where.FLEET, "Fleet's version", lost)


def _deleting(use: Use) -> Iterator[Right]:
    yield _right("get", _NAMESPACES, use.scope, "read again just before each deletion")
    yield _right("get", _GITREPOS, use.scope, "read again just before each deletion")
    yield _right("delete", _JOBS, use.scope, "the deletions", _UNTRIED if use.dry_run else "")
    if not use.dry_run:
        lost = "a deletion that waits for a finalizer, or whose answer was lost, is never seen done"
        yield _right("get", _JOBS, use.scope, "a second look after a deletion", lost)


def _letting_current_go(use: Use) -> Iterator[Right]:
    """The canary, and the error that is kept before a failed current Job goes."""
    if use.current == "keep" or use.dry_run:
        return
    yield _right("get", _JOBS, use.scope, "whether a current Job that was deleted stays away")
    if use.current == "all":
        yield _right("list", _PODS, use.scope, "the error of a failed current Job, before it goes")
        yield _right("create", _EVENTS, use.scope, "the Event that keeps that error")


def _clearing_pods(use: Use) -> Iterator[Right]:
    if use.orphaned_pods:
        yield _right("list", _PODS, use.scope, "the Pods that Jobs left behind")
        yield _right("get", _JOBS, use.scope, "whether the Job of such a Pod is gone")
        yield _right("delete", _PODS, use.scope, "their deletion", _UNTRIED if use.dry_run else "")


def _pause(use: Use, lost: str = "") -> Iterator[Right]:
    if use.own_namespace:
        yield _right("get", _NAMESPACES, Where.OWN, "gitjob-cleaner/pause on it; unread, nothing is deleted", lost)
        yield _right("get", _LEASES, Where.OWN, "gitjob-cleaner/pause on it; unread, nothing is deleted", lost, use.lease)


def _run(use: Use) -> Iterator[Right]:
    yield from _sweep(use)
    if use.watches:
        yield from _watching(use)
    if use.elects:
        yield from _electing(use.lease)
    if use.events and not use.dry_run:
        yield _right("create", _EVENTS, use.scope, "Events on the GitRepos", "there are no Events on the GitRepos")
    if use.evidence and not use.dry_run:
        yield from _evidence(use)
    if use.evidence or use.current == "all":
        lost = "after a restart the page does not know the errors that were kept before"
        yield _right("list", _EVENTS, use.scope, "errors that Events keep", lost)


def _watching(use: Use) -> Iterator[Right]:
    lost = "everything is listed again and again instead, a minute apart"
    kinds = (_JOBS, _GITREPOS) if use.namespaces is not None else (_JOBS, _GITREPOS, _NAMESPACES)
    yield from (_right("watch", kind, use.scope, "changes, as they happen", lost) for kind in kinds)


def _electing(lease: str) -> Iterator[Right]:
    yield _right("get", _LEASES, Where.OWN, "the election", name=lease)
    yield _right("update", _LEASES, Where.OWN, "the election", name=lease)
    yield _right("create", _LEASES, Where.OWN, "the election: the first start makes the Lease")


def _evidence(use: Use) -> Iterator[Right]:
    lost = "no error is kept when a Job fails"
    yield _right("list", _PODS, use.scope, "why a Job failed, when it fails", lost)
    yield _right("create", _EVENTS, use.scope, "the Event that keeps the error of a Job that fails", lost)
    yield _right("get", _LOGS, use.scope, "the last lines of its log", "the end of its log is not kept")


def _migrate(use: Use) -> Iterator[Right]:
    # Succeeded current Jobs of older Fleets go, whatever `current` says, and Pods stay.
    yield from _pass(msgspec.structs.replace(use, current="succeeded", orphaned_pods=False))
    yield from _fleet(use, "it is not seen whether Fleet has rolled out" if use.dry_run else "")
    untried = _UNTRIED if use.dry_run else ""
    yield _right("get", _JOBS, use.scope, "adopting the Job that blocks a GitRepo, and waiting for those that run", untried)
    yield _right("patch", _JOBS, use.scope, "adopting the Job that blocks a GitRepo", untried)
    if not use.dry_run:
        yield _right("patch", _GITREPOS, use.scope, "nudging a GitRepo whose Force Update is pending")
    if use.own_namespace:
        yield from _remembering(use)
    if use.elects:
        yield from _electing(use.migration_lease)


def _remembering(use: Use) -> Iterator[Right]:
    lost = "it is not told whether it was done before" if use.dry_run else ""
    yield _right("get", _CONFIGMAPS, Where.OWN, "whether it was done before", lost)
    if not use.dry_run:
        yield _right("create", _CONFIGMAPS, Where.OWN, "noting that it was done")
        yield _right("update", _CONFIGMAPS, Where.OWN, "noting that it was done, after a first note that it has begun")


def _explain(use: Use) -> Iterator[Right]:
    yield _right("get", _NAMESPACES, use.scope, "annotations on the Namespace")
    yield _right("get", _GITREPOS, use.scope, "the GitRepo of NAMESPACE/GITREPO")
    yield _right("list", _GITREPOS, use.scope, "which GitRepos live, and at which commit")
    yield _right("list", _JOBS, use.scope, "its Jobs")
    yield _right("get", _JOBS, use.scope, "whether another holds the name of its Job")
    yield from _fleet(use, "Fleet counts as the oldest")
    yield _right("list", _EVENTS, use.scope, "errors that Events keep", "the errors that were kept are not shown")
    if use.orphaned_pods:
        yield _right("list", _PODS, use.scope, "the Pods that its Jobs left behind", "they are not shown")


def _retry(use: Use) -> Iterator[Right]:
    yield _right("get", _GITREPOS, use.scope, "its state, before and after")
    yield _right("patch", _GITREPOS, use.scope, "asking for the Force Update, or nudging")
    yield from _finding(use)
    yield from _fleet(use, "Fleet counts as one that cannot be told")
    if use.nudge:
        return
    yield _right("list", _JOBS, use.scope, "what has failed")
    blocked = "a GitRepo that a Job of Fleet <= 0.10.3 blocks cannot be run again"
    yield _right("get", _JOBS, use.scope, "the failed Job, just before", "" if use.all_failed else blocked)
    yield _right("patch", _JOBS, use.scope, "the labels that a Job of Fleet <= 0.10.3 lacks", blocked)
    yield _right("list", _PODS, use.scope, "why it failed", "the error comes from the GitRepo, if Fleet tells it there")
    if use.wait and not use.dry_run:
        yield _right("watch", _JOBS, use.scope, "following the new Job", "its Jobs are listed every two seconds instead")


def _finding(use: Use) -> Iterator[Right]:
    if use.all_failed:
        yield _right("list", _GITREPOS, use.scope, "all GitRepos that failed")
        yield from _existence(use)
    else:
        yield _right("get", _NAMESPACES, use.scope, "the Namespace of NAMESPACE/GITREPO")
        lost = "a GITREPO is found with its NAMESPACE/ only"
        yield _right("list", _GITREPOS, use.scope, "finding a GITREPO by its bare name", lost)


def _existence(use: Use) -> Iterator[Right]:
    if use.namespaces is not None:
        lost = "a Namespace that is not there looks like one without GitRepos"
        yield _right("get", _NAMESPACES, use.scope, "whether a Namespace without GitRepos is there", lost)


def _guard(use: Use) -> Iterator[Right]:
    yield _right("list", _GITREPOS, use.scope, "which GitRepos there are")
    if use.watches:
        yield _right("watch", _GITREPOS, use.scope, "that one is deleted, at once", "a deletion is noticed up to a minute later")
    yield _right("get", _GITREPOS, use.scope, "the GitRepo as it is, before each patch")
    yield _right("patch", _GITREPOS, use.scope, "putting our finalizer on, and taking it off")
    if use.namespaces is not None:
        lost = "finalizers that an earlier scope left elsewhere are not found: gitjob-cleaner release --namespaces OLD"
        yield _right("list", _GITREPOS, Where.CLUSTER, "finalizers that an earlier scope left elsewhere", lost)
    if use.guard:
        yield from _farewell(use)


def _farewell(use: Use) -> Iterator[Right]:
    stay = "orphaned Pods of a GitRepo that is deleted stay"
    yield _right(
        "list", _PODS, use.scope, "the last error, and orphaned Pods", f"{stay}, and its last error is Fleet's own words"
    )
    yield _right("delete", _PODS, use.scope, "its orphaned Pods", stay)
    yield _right("get", _JOBS, use.scope, "whether the Job of an orphaned Pod is gone", stay)
    yield _right("get", _NAMESPACES, use.scope, "annotations that protect Pods", stay)
    if use.events:
        yield _right("create", _EVENTS, use.scope, "the Event with its last error", "the last error is in the log only")
    yield from _pause(use, stay)


def _release(use: Use) -> Iterator[Right]:
    yield _right("list", _GITREPOS, use.scope, "which GitRepos carry our finalizer")
    yield _right("get", _GITREPOS, use.scope, "the GitRepo as it is, before the patch")
    yield _right("patch", _GITREPOS, use.scope, "taking our finalizer off")
    yield from _existence(use)


_TABLE: Mapping[str, Callable[[Use], Iterator[Right]]] = {
    "sweep": _sweep,
    "run": _run,
    "migrate": _migrate,
    "explain": _explain,
    "retry": _retry,
    "guard": _guard,
    "release": _release,
}
