"""Why a Job failed: what its Pod said last, else what Fleet tells of its GitRepo. It goes with the Pod and the Job."""

from collections.abc import Iterator
from typing import Protocol

from cleaner.cluster import ClusterError, States
from cleaner.fleet import Page, failure_of
from cleaner.masking import masked
from cleaner.model import Job, Outcome, Pod

LOST = "its Pod is gone and Fleet tells no reason"
SILENT = "its Pod left no message"

_GAP = " … "


class Testimony(Protocol):
    """What a failed Pod is found by: see `cluster.Pods`."""

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        """List the finished Pods of a Job."""


class Witnesses(Testimony, States, Protocol):
    """What is asked for an error."""


def error_of(cluster: Witnesses, job: Job) -> str:
    """
    Tell why a failed Job failed, as one line without credentials, of any length.

    The newest failed Pod of this very Job counts; only where none is left what Fleet says of the GitRepo does, and only while
    Fleet says that its Job failed: elsewhere `Stalled` tells of polling.

    Raises:
        ClusterError: its Pods, or then its GitRepo, cannot be read.

    """
    pod = failed_pod(cluster, job)
    if pod is not None:
        return masked(failure_of(pod.message)) or SILENT
    return _told_by_fleet(cluster, job) or LOST


def failed_pod(cluster: Testimony, job: Job) -> Pod | None:
    """
    Find the newest failed Pod of a Job; None where there is none any more.

    Raises:
        ClusterError: its Pods cannot be read or understood.

    """
    pages = list(cluster.pods(job.namespace, job.uid))
    failed = [pod for page in pages for pod in page.facts if pod.outcome is Outcome.FAILED and pod.job_uid == job.uid]
    bad = next((bad for page in pages for bad in page.unreadable), None)
    if not failed and bad is not None:
        raise ClusterError(f"its Pod {bad.name} cannot be understood: {bad.problem}")
    return max(failed, key=lambda pod: (pod.created, pod.name), default=None)


def _told_by_fleet(cluster: States, job: Job) -> str:
    """What Fleet says of the GitRepo, if it says so of this Job."""
    state = cluster.state(job.namespace, job.owner.name)
    if state is None or state.gitrepo.uid != job.owner.uid or not state.gitrepo.is_current(job):
        return ""
    return masked(failure_of(state.stalled or "")) if state.status == "Failed" else ""


def shortened(text: str, most: int) -> str:
    """Cut a text to so many bytes from its middle: its end tells most of a log, its beginning what it is about."""
    whole = text.encode(errors="replace")
    if len(whole) <= most:
        return whole.decode()
    room = max(0, most - len(_GAP.encode()))
    head = whole[: room // 4].decode(errors="ignore")
    tail = whole[len(whole) - (room - room // 4) :].decode(errors="ignore")
    return f"{head.rstrip()}{_GAP}{tail.lstrip()}"
