"""The Pods of Fleet's Jobs: which are Fleet's, how they ended, and what they said last."""

import re
from collections.abc import Iterable

import msgspec

from cleaner import model
from cleaner.fleet import wire
from cleaner.fleet.objects import ours
from cleaner.fleet.pages import BAD, Page, Unreadable, unnamed
from cleaner.fleet.wire import Body

CLONER, APPLIER = "gitcloner-initializer", "fleet"
"""The containers of Fleet's Pods, in the order in which they run."""

_OUTCOMES = {"Succeeded": model.Outcome.SUCCEEDED, "Failed": model.Outcome.FAILED}
_REPO_LABEL = "--label=fleet.cattle.io/repo-name="
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

_LISTED = msgspec.json.Decoder(wire.Listed[msgspec.Raw])
_POD = msgspec.json.Decoder(wire.Pod)


def pod_page(body: Body) -> Page[model.Pod]:
    """
    Facts of a page of Pods; `foreign` counts those that have not the form of Fleet's.

    Raises:
        msgspec.DecodeError: the body is not a list of anything.

    """
    listed = _LISTED.decode(body)
    facts: list[model.Pod] = []
    bad: list[Unreadable] = []
    for item in listed.items or ():
        try:
            found = _pod(_POD.decode(item))
        except BAD as error:
            bad.append(unnamed(item, str(error)))
        else:
            facts += [found] if found else []
    foreign = len(listed.items or ()) - len(facts) - len(bad)
    return Page(facts, bad, foreign, listed.metadata.resourceVersion, listed.metadata.next)


def _pod(read: wire.Pod) -> model.Pod | None:
    """Facts of a Pod; None for one that is not Fleet's: its form is the same from Fleet 0.10.0 to 0.16.1."""
    metadata, labels = read.metadata, read.metadata.labels or {}
    job, job_uid = labels.get("job-name", ""), labels.get("controller-uid", "")
    applier = _named(read.spec.containers, APPLIER)
    fleets = applier is not None and _named(read.spec.initContainers, CLONER) is not None
    if not (fleets and applier and job and job_uid and read.spec.serviceAccountName.startswith("git-")):
        return None
    status = read.status or wire.PodStatus()
    outcome = _OUTCOMES.get(status.phase)
    return model.Pod(
        metadata.namespace,
        metadata.name,
        metadata.uid,
        metadata.resourceVersion,
        job,
        job_uid,
        _gitrepo(applier),
        next((variable.value for variable in applier.env or () if variable.name == "COMMIT"), ""),
        metadata.creationTimestamp.timestamp(),
        outcome,
        None if outcome is None else _finished_at(read, status),
        bool(metadata.ownerReferences),
        metadata.deletionTimestamp is not None,
        ours(metadata.annotations or {}),
        _message(status),
    )


def _named(containers: Iterable[wire.PodContainer] | None, name: str) -> wire.PodContainer | None:
    return next((container for container in containers or () if container.name == name), None)


def _gitrepo(applier: wire.PodContainer) -> str:
    """Name of the GitRepo, as `fleet apply` is given it; nothing that Kubernetes could not have as a name."""
    names = (arg.removeprefix(_REPO_LABEL) for arg in applier.args or () if arg.startswith(_REPO_LABEL))
    return next((name for name in names if _NAME.fullmatch(name)), "")


def _ended(status: wire.PodStatus) -> list[wire.Terminated]:
    """What is told of the containers that ended, the first to start first."""
    containers = [*(status.initContainerStatuses or ()), *(status.containerStatuses or ())]
    return [each.state.terminated for each in containers if each.state and each.state.terminated]


def _finished_at(read: wire.Pod, status: wire.PodStatus) -> model.Moment:
    """When its last container ended; a Pod that was evicted may have none that did."""
    ends = [ended.finishedAt.timestamp() for ended in _ended(status) if ended.finishedAt is not None]
    return max(ends, default=read.metadata.creationTimestamp.timestamp())


def _message(status: wire.PodStatus) -> str:
    """Last words of the containers that failed; else what the kubelet says of the Pod (an eviction, for one)."""
    words = [ended.message for ended in _ended(status) if ended.exitCode and ended.message]
    return "\n".join(words) or status.message or status.reason
