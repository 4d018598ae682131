"""Why a Job failed: what its Pod said last, else what Fleet tells of its GitRepo; and how an Event keeps that."""

import re
from collections.abc import Iterator
from typing import Protocol

from cleaner.cluster import Announcement, ClusterError, States
from cleaner.fleet import Page, failure_of
from cleaner.masking import masked
from cleaner.model import GitRepoState, Job, Outcome, Pod

LOST = "its Pod is gone and Fleet tells no reason"
SILENT = "its Pod left no message"

KEPT = "JobErrorKept"
"""The reason of the Events that keep errors."""

LONGEST = 1024
"""Bytes of an Event's message, which is what the API takes."""

_GAP = " … "
_MESSAGE = re.compile(r"Job (\S+), commit (\S*): (.*)")


class Lists(Protocol):
    """What a failed Pod is found by: see `cluster.Pods`."""

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        """List the finished Pods of a Job."""


class Witnesses(Lists, States, Protocol):
    """What is asked for an error."""


def error_of(cluster: Witnesses, job: Job) -> str:
    """
    Tell why a failed Job failed, as one line without credentials, of any length.

    The newest failed Pod of this very Job counts; only where none is left what Fleet says of the GitRepo does, and only while
    Fleet says that its Job failed: elsewhere `Stalled` tells of polling.

    Raises:
        ClusterError: its Pods, or then its GitRepo, cannot be read.

    """
    return testimony(cluster, job)[0]


def testimony(cluster: Witnesses, job: Job) -> tuple[str, Pod | None]:
    """Tell why a failed Job failed as `error_of` does, and which Pod says so, if one is left."""
    pod = _failed_pod(cluster, job)
    if pod is not None:
        return masked(failure_of(pod.message)) or SILENT, pod
    return _told_by_fleet(cluster, job) or LOST, None


def _failed_pod(cluster: Lists, job: Job) -> Pod | None:
    """Find the newest failed Pod of a Job; None where there is none any more."""
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
    return told(state)


def told(state: GitRepoState | None) -> str:
    """What Fleet says of its Job's failure; empty where it says none, for `Stalled` alone may tell of polling."""
    return masked(failure_of(state.stalled or "")) if state is not None and state.status == "Failed" else ""


def shortened(text: str, most: int) -> str:
    """Cut a text to so many bytes from its middle: its end tells most of a log, its beginning what it is about."""
    whole = text.encode(errors="replace")
    if len(whole) <= most:
        return whole.decode()
    room = max(0, most - len(_GAP.encode()))
    head = whole[: room // 4].decode(errors="ignore")
    tail = whole[len(whole) - (room - room // 4) :].decode(errors="ignore")
    return f"{head.rstrip()}{_GAP}{tail.lstrip()}"


def keeping(job: Job, text: str) -> Announcement:
    """Make the Event that keeps an error; of a long one as much as fits."""
    head = f"Job {job.name}, commit {commit_of(job)}: "
    return Announcement(job.owner, KEPT, head + shortened(text, LONGEST - len(head.encode())), warning=True)


def commit_of(job: Job) -> str:
    """The commit as it may be told: an annotation may say anything."""
    return "".join(c for c in job.commit if c.isascii() and c.isalnum())[:64] or "unknown"


def kept_in(message: str) -> tuple[str, str, str]:
    """Job, commit and text of an Event's message; one that was written otherwise is all text."""
    found = _MESSAGE.fullmatch(message)
    return (found[1], found[2], masked(found[3])) if found else ("", "", masked(message))
