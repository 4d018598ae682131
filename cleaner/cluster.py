"""The port: what the ways of running ask of a cluster, and the answers and errors by meaning. It speaks facts, never bytes."""

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import msgspec

from cleaner.durations import Seconds
from cleaner.fleet import Change, Page
from cleaner.model import Fleet, GitRepo, Job, Moment, Namespace, Owner


class ClusterError(Exception):
    """The cluster answered what nobody can use, or failed in a way that has no better name."""


class Misconfigured(ClusterError):
    """We do not even know where the cluster is or who we are there."""


class Denied(ClusterError):
    """We are not allowed to (401, 403), or the kind is not served at all (a missing CRD)."""


class Unreachable(ClusterError):
    """No answer, or only a part of one."""


class Expired(ClusterError):
    """410: the version that a list or a watch began with is gone from the server's memory."""


class Throttled(ClusterError):
    """The server asks for patience (429) for longer than we have."""


class Conflict(ClusterError):
    """409: somebody else has written the object since we read it, or has made one of its name."""


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


class Stock(Protocol):
    """What looking needs. Each may raise a ClusterError, in the middle of its pages too."""

    def gitrepos(self, namespace: str) -> Iterator[Page[GitRepo]]:
        """List the GitRepos of a Namespace, or of all for an empty name."""

    def namespaces(self) -> Iterator[Page[Namespace]]:
        """List all Namespaces."""

    def namespace(self, name: str) -> Namespace | None:
        """Read one Namespace; None where there is none."""

    def jobs(self, namespace: str) -> Iterator[Page[Job]]:
        """List the Jobs of a Namespace, or of all for an empty name."""


class Deletions(Protocol):
    """What acting needs."""

    def fleet(self) -> Fleet:
        """Tell the lowest Fleet that may be running. Never raises: what cannot be seen counts as the oldest."""

    def reread(self, owners: Iterable[Owner]) -> Iterator[Reread]:
        """GET GitRepos and their Namespaces, several at a time, in the order in which they come back."""

    def delete(self, doomed: Iterable[Doomed], brake: Brake) -> Iterator[Deletion]:
        """Try each once, by the whole delete contract; `doomed` is pulled from at the allowed rate, in the caller's thread."""

    def find(self, jobs: Iterable[Job]) -> Iterator[Sighting]:
        """GET what now has the names of some Jobs."""


class Gauges(Protocol):
    """What the brakes ask."""

    def skew(self) -> Seconds | None:
        """How far the API's clock is ahead of ours, by its last answer; None before the first."""

    def paused(self) -> Refusal | None:
        """Whether the cleaner's own Namespace or Lease carries `gitjob-cleaner/pause`, as read within the last seconds."""

    def throttled(self) -> bool:
        """Whether deletions go slower than allowed, because the server asked for it."""


class Stream(Protocol):
    """An open watch. Iterating it ends when the server ends it, or when it is interrupted."""

    def __iter__(self) -> Iterator[list[Change[Any]]]:
        """
        Yield what has come, some changes at a time, an empty list where nothing came of it but a sign of life.

        Raises:
            Expired: the version that it began with is gone (410, as an answer or as an event): list afresh.
            Denied: we may not watch.
            Unreachable: it went silent for longer than it may, or broke; half a line is dropped.
            ClusterError: anything else, a line that is no JSON among it.

        """

    def interrupt(self) -> None:
        """End it at once, from any thread; the thread that reads it wakes up."""


class Watches(Protocol):
    """What keeping an inventory current needs beside looking."""

    def watch(self, kind: Kind, namespace: str, version: str, quiet: Seconds) -> Stream:
        """
        Prepare a watch from a version on, with bookmarks; nothing is sent before it is iterated.

        `quiet` is the longest silence: on a quiet kind the API sends a bookmark every minute.
        """


class Lease(msgspec.Struct, frozen=True):
    """A Lease as it was read: an empty holder has released it; every renewal changes the version."""

    holder: str
    duration: Seconds
    version: str
    transitions: int = 0


class Leases(Protocol):
    """What electing a leader needs: one request per call, none is repeated, each within `limit` seconds."""

    def lease(self, limit: Seconds) -> Lease | None:
        """Read our Lease; None where there is none. Raises a ClusterError."""

    def hold(self, seen: Lease | None, holder: str, duration: Seconds, limit: Seconds) -> Lease:
        """Take or renew the Lease as it was seen, or make it. Raises Conflict where it has changed since, or a ClusterError."""

    def release(self, seen: Lease, limit: Seconds) -> None:
        """Give our Lease back, so that another need not wait. Raises as `hold` does."""


class Announcement(msgspec.Struct, frozen=True):
    """A Kubernetes Event on a GitRepo, in the making."""

    gitrepo: Owner
    reason: str
    message: str
    warning: bool = False


class Events(Protocol):
    """What announcing needs."""

    def announce(self, announcement: Announcement) -> None:
        """Write one Event. Raises a ClusterError."""


class Names(Protocol):
    """What explaining needs beside looking."""

    def taken(self, namespace: str, name: str) -> bool:
        """Whether a Job of this name exists, whoever owns it."""


class Cluster(Stock, Deletions, Gauges, Protocol):
    """All of it, for the room that wires."""
