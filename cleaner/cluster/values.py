"""What is asked of a cluster and what it answers, as values."""

import enum
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from cleaner.cluster.errors import ClusterError
from cleaner.durations import Seconds
from cleaner.model import GitRepo, Job, Moment, Namespace, Owner
from cleaner.rights import Access


class Kind(enum.Enum):
    """The kinds that are watched, by the plural that the API has for them."""

    JOBS = "jobs"
    GITREPOS = "gitrepos"
    NAMESPACES = "namespaces"


class Refusal(msgspec.Struct, frozen=True):
    """A brake's answer: which brake, and why nothing may be deleted now."""

    brake: str
    text: str


Brake = Callable[[], Refusal | None]


class Clock(NamedTuple):
    """Time, handed in: wall time, a clock that never jumps, and a sleep that a stop cuts short."""

    now: Callable[[], Moment]
    monotonic: Callable[[], Seconds]
    sleep: Callable[[Seconds], None]


class Doomed(msgspec.Struct, frozen=True):
    """
    A Job to be deleted, if its GitRepo and Namespace were read recently enough: before `fresh_until` on the monotonic clock.

    `attempts` counts the requests sent for it so far; `lost` says that the answer to one of them never came: a 404 then proves
    nothing.
    """

    job: Job
    fresh_until: Seconds
    attempts: int = 0
    lost: bool = False


class Fate(enum.Enum):
    """What became of a deletion."""

    DELETED = "deleted"
    WOULD_DELETE = "would-delete"
    GONE = "gone"
    CHANGED = "changed"
    TERMINATING = "terminating"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    DENIED = "denied"
    REFUSED = "refused"
    AGAIN = "again"


UNDONE = (Fate.FAILED, Fate.DENIED, Fate.UNCONFIRMED)
"""Fates of deletions that did not work, or of which nobody knows, beside those that a brake or a change prevented."""


class Deletion(msgspec.Struct, frozen=True):
    """One attempt as it went: `again` means that it is to be repeated, once its GitRepo has been read again."""

    doomed: Doomed
    fate: Fate
    detail: str = ""


class Reread(NamedTuple):
    """A GitRepo and its Namespace as a GET found them, begun at `read_at` on the monotonic clock."""

    owner: Owner
    gitrepo: GitRepo | None
    namespace: Namespace | None
    read_at: Seconds
    error: ClusterError | None = None


class Sighting(NamedTuple):
    """
    What has the name of a Job now.

    `uid` is empty where nothing has it; `found` is None, too, where something has it that no GitRepo controls.
    """

    job: Job
    uid: str = ""
    deleting: bool = False
    found: Job | None = None
    error: ClusterError | None = None


class Lease(msgspec.Struct, frozen=True):
    """
    A Lease as it was read: an empty holder has released it; every renewal changes the version.

    `renewed` is told by the holder's clock, so that it proves nothing; it is there to be shown.
    """

    holder: str
    duration: Seconds
    version: str
    transitions: int = 0
    renewed: Moment | None = None


class Api(NamedTuple):
    """What the API says of itself: its version (empty: it does not say), and whether it serves GitRepos (None: nor that)."""

    version: str
    gitrepos: bool | None


class OwnCleanUp(NamedTuple):
    """Fleet's own CronJob that deletes succeeded Jobs."""

    name: str
    schedule: str
    suspended: bool


class Allowed(NamedTuple):
    """The API's word on one access; with an error nobody knows."""

    access: Access
    allowed: bool
    error: ClusterError | None = None


class Announcement(msgspec.Struct, frozen=True):
    """A Kubernetes Event on a GitRepo, in the making."""

    gitrepo: Owner
    reason: str
    message: str
    warning: bool = False
