"""How Fleet's versions differ in the Jobs that they make and in what they do with them, and the name that all give to a Job.

Each version here stands for its family: those before and after it up to the next behave alike.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import Enum


class JobWatch(Enum):
    """What happens to a GitRepo's Jobs that makes Fleet look at the GitRepo."""

    EVERYTHING = "any change, a deletion too"
    NOTHING = "nothing"
    STATUS = "a changed status"
    STATUS_AND_TERMINATION = "a changed status, and a deletion that something holds up"


class Previous(Enum):
    """What becomes of the Job of the commit before, when there is a new one."""

    LEFT = "it stays"
    ORPHANING = "deleted, its Pods stay"
    DELETED = "deleted with its Pods"


@dataclass(frozen=True)
class Family:
    """A Fleet version as far as its Jobs and its GitRepos' status show it."""

    version: str
    backoff_limit: int
    """Retries after the first failed Pod: 2 until v0.10, 0 from v0.11."""
    labelled: bool
    """Writes the two fleet labels (v0.10.4 and later)."""
    known_hosts: bool
    """Passes the whole known_hosts text in the environment (v0.12.1 and later)."""
    clone_command: tuple[str, ...]
    """What starts the init container, before `gitcloner`."""
    apply_command: tuple[str, ...] = ("log.sh", "fleet")
    """What starts the container, before `apply`."""
    tolerates_new_nodes: bool = True
    """Runs on Nodes that their cloud provider has not set up yet (v0.10.4 and later)."""
    tuned: bool = False
    """Names the Job and some limits in the environment (seen from v0.14)."""
    message_policy: str = "File"
    """Where the kubelet looks for a termination message: from v0.16 also in the log."""

    recreates: bool = False
    """Makes a missing current Job again at once and keeps those that succeeded (v0.10.3 and before)."""
    watch: JobWatch = JobWatch.STATUS
    resync: float = float("inf")
    """Looks at every GitRepo again after so many seconds (v0.11.3 and later: two hours)."""
    mortal_polling: bool = False
    """Polls on timers that can be lost (v0.10.1 to v0.10.8, v0.11.0 to v0.11.3)."""
    polls_apart: bool = False
    """A scheduler polls, and wakes the controller only with a new `status.pollingCommit` (v0.14 and later)."""
    previous: Previous = Previous.LEFT
    waits: bool = False
    """Pauses between deleting a Job and making it anew (v0.14 and later)."""
    waits_for_previous: bool = False
    """Pauses after the deletion of the previous Job, too (v0.15.1 and later)."""
    watches_secrets: bool = False
    """Deletes the current Job when the Secret for the git server changes, and makes none instead (v0.15 and later)."""
    needs_controller: bool = False
    """Copies tolerations from the Deployment fleet-controller, and makes no Job without it (v0.14 and later)."""
    plain_errors: bool = False
    """Tells of a failure only its `fleetErrorMessage` (v0.13 and later), not all that the Pod left."""
    scan_commit: bool = False
    """Adds an empty `spec.imageScanCommit` together with its finalizer (seen until v0.10.4)."""

    @property
    def image(self) -> str:
        """The image of the controller and of both containers of its Jobs."""
        return f"rancher/fleet:{self.version}"


V0_10_2 = Family(
    "v0.10.2",
    2,
    labelled=False,
    known_hosts=False,
    clone_command=("fleet",),
    tolerates_new_nodes=False,
    recreates=True,
    watch=JobWatch.EVERYTHING,
    mortal_polling=True,
    scan_commit=True,
)
V0_10_4 = replace(V0_10_2, version="v0.10.4", labelled=True, tolerates_new_nodes=True, recreates=False, watch=JobWatch.NOTHING)
V0_12_4 = replace(
    V0_10_4,
    version="v0.12.4",
    backoff_limit=0,
    known_hosts=True,
    clone_command=("log.sh", "fleet"),
    watch=JobWatch.STATUS,
    resync=7200.0,
    mortal_polling=False,
    scan_commit=False,
)
V0_14_10 = replace(
    V0_12_4,
    version="v0.14.10",
    tuned=True,
    watch=JobWatch.STATUS_AND_TERMINATION,
    polls_apart=True,
    previous=Previous.ORPHANING,
    waits=True,
    needs_controller=True,
    plain_errors=True,
)
V0_16_1 = replace(
    V0_14_10,
    version="v0.16.1",
    clone_command=("fleet",),
    apply_command=("fleet",),
    message_policy="FallbackToLogsOnError",
    previous=Previous.DELETED,
    waits_for_previous=True,
    watches_secrets=True,
)
FAMILIES = (V0_10_2, V0_10_4, V0_12_4, V0_14_10, V0_16_1)
"""Oldest first."""


def job_name(gitrepo: str, repo: str, commit: str) -> str:
    """The name of the Job for a commit: Fleet's `jobName`, the same in every version from v0.9 on."""
    digest = hashlib.md5((repo + commit).encode(), usedforsecurity=False).hexdigest()
    return safe_concat(gitrepo, digest[:5])


def safe_concat(*parts: str) -> str:
    """Joined with dashes and at most 63 characters: Fleet's `SafeConcatName`, cut and marked with a digest."""
    full = "-".join(parts)
    if len(full) < 64:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()
    letter = full[56]
    return f"{full[:57]}-{digest[:5]}" if letter.isascii() and letter.isalnum() else f"{full[:56]}-{digest[:6]}"
