"""The port: one small Protocol for each consumer. It speaks facts, never bytes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from cleaner.cluster.values import (
    Allowed,
    Announcement,
    Api,
    Brake,
    Deletion,
    Doomed,
    Kind,
    Lease,
    OwnCleanUp,
    Refusal,
    Reread,
    Sighting,
)
from cleaner.durations import Seconds
from cleaner.fleet import Change, Page
from cleaner.model import Fleet, GitRepo, GitRepoState, Job, KeptError, Namespace, Owner, Pod
from cleaner.rights import Access


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


class Leases(Protocol):
    """What electing a leader needs: one request per call, none is repeated, each within `limit` seconds."""

    def lease(self, limit: Seconds) -> Lease | None:
        """Read our Lease; None where there is none. Raises a ClusterError."""

    def hold(self, seen: Lease | None, holder: str, duration: Seconds, limit: Seconds) -> Lease:
        """Take or renew the Lease as it was seen, or make it. Raises Conflict where it has changed since, or a ClusterError."""

    def release(self, seen: Lease, limit: Seconds) -> None:
        """Give our Lease back, so that another need not wait. Raises as `hold` does."""


class Events(Protocol):
    """What announcing needs."""

    def announce(self, announcement: Announcement) -> None:
        """Write one Event. Raises a ClusterError."""


class KeptErrors(Protocol):
    """What recalling needs."""

    def kept_errors(self, namespace: str, gitrepo_uid: str = "") -> list[KeptError]:
        """
        List the errors that Events of ours keep, the newest first: of a Namespace, or of all for an empty name.

        They last as long as the API keeps Events. Raises a ClusterError.
        """


class Pods(Protocol):
    """What knowing of Pods needs."""

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        """List the finished Pods of Fleet's form in a Namespace, or in all for an empty name; of one Job, if its uid is given."""

    def log_of(self, pod: Pod, lines: int, limit: int) -> str:
        """Read the last lines of a Pod's log, `limit` bytes at most. Raises a ClusterError."""


class Patches(Protocol):
    """What changing needs. Each reads what there is, changes it if that is still to be done, and raises a ClusterError."""

    def adopt(self, job: Job, forced: int) -> bool:
        """
        Give a legacy Job the labels that Fleet >= 0.10.4 looks for; whether that was still to be done.

        `forced` is the Force Update that Fleet has acted on. Raises Conflict where the Job is another by now, or gone.
        """

    def force(self, seen: GitRepoState) -> int:
        """Ask for a Force Update as Fleet's own UI does, unless somebody else has since; return its number."""

    def nudge(self, seen: GitRepoState) -> None:
        """Make Fleet look at a GitRepo, by an annotation."""

    def guard(self, gitrepo: Owner, *, held: bool) -> bool:
        """Put our finalizer on a GitRepo, or take it off; whether that was still to be done."""


class States(Protocol):
    """What following a GitRepo needs."""

    def state(self, namespace: str, name: str) -> GitRepoState | None:
        """Read one GitRepo; None where there is none."""


class Markers(Protocol):
    """What remembering needs: ConfigMaps in our own Namespace."""

    def marker(self, name: str) -> Mapping[str, str] | None:
        """Read what is remembered under a name; None for nothing. Raises a ClusterError."""

    def mark(self, name: str, data: Mapping[str, str]) -> None:
        """Remember, in the place of what was before. Raises a ClusterError."""


class Names(Protocol):
    """What explaining needs beside looking."""

    def taken(self, namespace: str, name: str) -> bool:
        """Whether a Job of this name exists, whoever owns it."""


class Reviews(Protocol):
    """What checking needs beforehand: each asks the API, and changes nothing."""

    def api(self) -> Api:
        """Ask the API for its version and whether it serves GitRepos. Raises a ClusterError where it cannot be reached."""

    def who(self) -> str:
        """Tell as whom the API knows us (SelfSubjectReview). Raises a ClusterError where it does not say."""

    def may(self, accesses: Iterable[Access]) -> Iterator[Allowed]:
        """Ask for each access whether we have it (SelfSubjectAccessReview), in the order in which the answers come."""

    def own_clean_up(self) -> OwnCleanUp | None:
        """Look for Fleet's own CronJob; None where there is none. Raises a ClusterError where nobody can see."""


class Cluster(Stock, Deletions, Gauges, Pods, States, Events, Protocol):
    """All of it, for the room that wires."""
