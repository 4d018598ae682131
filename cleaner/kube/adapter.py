"""The port, spoken to a real API server."""

import functools
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from cleaner import fleet
from cleaner.cluster import (
    Allowed,
    Announcement,
    Api,
    Brake,
    Clock,
    ClusterError,
    Deletion,
    Doomed,
    Fate,
    Kind,
    Lease,
    OwnCleanUp,
    Refusal,
    Reread,
    Sighting,
    Stream,
)
from cleaner.durations import Seconds
from cleaner.fleet import Body, Page, Shared
from cleaner.kube.announcing import Announcing
from cleaner.kube.connection import Connection
from cleaner.kube.deletions import Deletions, path_of
from cleaner.kube.kept import Kept
from cleaner.kube.leases import Leases
from cleaner.kube.markers import Markers
from cleaner.kube.parallel import in_parallel
from cleaner.kube.patches import Patches
from cleaner.kube.pause import Pause, read_pause
from cleaner.kube.pods import Pods
from cleaner.kube.reads import Reads, list_path, segment
from cleaner.kube.reviews import Reviews
from cleaner.kube.throttle import Throttle
from cleaner.kube.watch import Watch
from cleaner.model import Fleet, GitRepo, GitRepoState, Job, KeptError, Namespace, OrphanedPod, Owner, Pod
from cleaner.rights import Access

_Found = tuple[Namespace | ClusterError | None, Seconds]

_GITREPOS = "/apis/fleet.cattle.io/v1alpha1"
_JOBS = "/apis/batch/v1"


class Limits(msgspec.Struct, frozen=True):
    """
    What the operator allows: deletions per second (0: unbounded), workers, and where to look for Fleet and for a pause.

    `delete_limit` is how many seconds one deletion may take, connecting and answering together; 0 is no limit of its own.
    """

    delete_rate: float = 50.0
    delete_workers: int = 8
    dry_run: bool = False
    fleet_version: str = ""
    fleet_namespace: str = "cattle-fleet-system"
    own_namespace: str = ""
    lease: str = "gitjob-cleaner"
    delete_limit: float = 0.0


class KubeCluster:
    """All of the port over one connection."""

    def __init__(self, connection: Connection, limits: Limits, clock: Clock) -> None:
        self._connection = connection
        self._limits = limits
        self._clock = clock
        self._reads = Reads(connection, clock)
        self._throttle = Throttle(limits.delete_rate, clock)
        limit = limits.delete_limit or None
        self._deletions = Deletions(connection, self._throttle, clock, dry_run=limits.dry_run, limit=limit)
        self._leases = Leases(connection, clock, limits.own_namespace, limits.lease)
        self._announcing = Announcing(connection, clock)
        self._kept = Kept(self._reads)
        self._patches = Patches(connection, self._reads, clock, dry_run=limits.dry_run)
        self._pods = Pods(self._reads)
        self._reviews = Reviews(connection, self._reads, clock, limits.fleet_namespace, limits.delete_workers)
        self._markers = Markers(connection, self._reads, limits.own_namespace)
        self._pause = Pause(lambda: read_pause(self._reads, limits.own_namespace, limits.lease), clock)

    def gitrepos(self, namespace: str) -> Iterator[Page[GitRepo]]:
        """List GitRepos."""
        return self._reads.pages(list_path(_GITREPOS, namespace, "gitrepos"), fleet.gitrepo_page)

    def namespaces(self) -> Iterator[Page[Namespace]]:
        """List Namespaces."""
        return self._reads.pages("/api/v1/namespaces", fleet.namespace_page)

    def namespace(self, name: str) -> Namespace | None:
        """Read one Namespace."""
        return self._reads.decoded(f"/api/v1/namespaces/{segment(name)}", fleet.read_namespace)

    def jobs(self, namespace: str) -> Iterator[Page[Job]]:
        """List Jobs; what they have in common is kept once for the whole list."""
        shared: Shared = {}
        path = list_path(_JOBS, namespace, "jobs")
        return self._reads.pages(path, functools.partial(fleet.job_page, shared=shared))

    def fleet(self) -> Fleet:
        """Tell the lowest Fleet over all `gitjob*` Deployments; the oldest where they cannot be seen and no setting says."""
        path = list_path("/apis/apps/v1", self._limits.fleet_namespace, "deployments")
        try:
            bodies = [page.facts[0] for page in self._reads.pages(path, fleet.deployment_page)]
        except ClusterError as error:
            seen = fleet.fleet_version([], self._limits.fleet_version)
            return msgspec.structs.replace(seen, detail=f"Fleet's Deployments cannot be read: {error}")
        return fleet.fleet_version(bodies, self._limits.fleet_version)

    def reread(self, owners: Iterable[Owner]) -> Iterator[Reread]:
        """GET each Namespace once and each GitRepo; `read_at` is the earlier of the two beginnings."""
        asked = list(owners)
        names = dict.fromkeys(owner.namespace for owner in asked)
        found = dict(in_parallel(names, self._read_namespace, _unread_namespace, self._limits.delete_workers))
        return in_parallel(asked, lambda owner: self._reread(owner, found[owner.namespace]), _unread, self._limits.delete_workers)

    def _read_namespace(self, name: str) -> tuple[str, _Found]:
        read_at = self._clock.monotonic()
        try:
            return name, (self.namespace(name), read_at)
        except ClusterError as error:
            return name, (error, read_at)

    def _reread(self, owner: Owner, found: _Found) -> Reread:
        namespace, read_at = found
        if isinstance(namespace, ClusterError):
            return Reread(owner, None, None, read_at, namespace)
        path = f"{_GITREPOS}/namespaces/{segment(owner.namespace)}/gitrepos/{segment(owner.name)}"
        try:
            return Reread(owner, self._reads.decoded(path, fleet.read_gitrepo), namespace, read_at)
        except ClusterError as error:
            return Reread(owner, None, namespace, read_at, error)

    def delete(self, doomed: Iterable[Doomed], brake: Brake) -> Iterator[Deletion]:
        """Delete by the contract of `kube.deletions`."""
        self._deletions.forget_denials()
        work = functools.partial(self._deletions.delete, brake=brake)
        return in_parallel(self._paced(doomed), work, _failed, self._limits.delete_workers)

    def _paced(self, doomed: Iterable[Doomed]) -> Iterator[Doomed]:
        """Wait for a place in the rate first and ask for the next Job then: what it brings was read after the wait."""
        source = iter(doomed)
        while True:
            self._throttle.wait()
            one = next(source, None)
            if one is None:
                return
            yield one

    def find(self, jobs: Iterable[Job]) -> Iterator[Sighting]:
        """GET what has the names of some Jobs now."""
        return in_parallel(jobs, self._find, _not_found, self._limits.delete_workers)

    def _find(self, job: Job) -> Sighting:
        try:
            seen = self._reads.decoded(path_of(job), functools.partial(_sighted, job))
        except ClusterError as error:
            return Sighting(job, error=error)
        return Sighting(job) if seen is None else Sighting(job, *seen[0], seen[1])

    def taken(self, namespace: str, name: str) -> bool:
        """Whether a Job of this name exists."""
        path = f"/apis/batch/v1/namespaces/{segment(namespace)}/jobs/{segment(name)}"
        return self._reads.get(path).status == 200

    def watch(self, kind: Kind, namespace: str, version: str, quiet: Seconds) -> Stream:
        """Prepare a watch of a Namespace, or of all for an empty name; Namespaces are watched all, whatever the name."""
        if kind is Kind.NAMESPACES:
            path = "/api/v1/namespaces"
        else:
            path = list_path(_JOBS if kind is Kind.JOBS else _GITREPOS, namespace, kind.value)
        return Watch(self._connection, path, version, quiet, kind)

    def lease(self, limit: Seconds) -> Lease | None:
        """Read our Lease."""
        return self._leases.lease(limit)

    def hold(self, seen: Lease | None, holder: str, duration: Seconds, limit: Seconds) -> Lease:
        """Take or renew our Lease."""
        return self._leases.hold(seen, holder, duration, limit)

    def release(self, seen: Lease, limit: Seconds) -> None:
        """Give our Lease back."""
        self._leases.release(seen, limit)

    def state(self, namespace: str, name: str) -> GitRepoState | None:
        """Read one GitRepo, with what Fleet tells of it."""
        return self._patches.state(namespace, name)

    def adopt(self, job: Job, forced: int) -> bool:
        """Give a legacy Job Fleet's labels."""
        return self._patches.adopt(job, forced)

    def force(self, seen: GitRepoState) -> int:
        """Ask for a Force Update."""
        return self._patches.force(seen)

    def nudge(self, seen: GitRepoState) -> None:
        """Make Fleet look at a GitRepo."""
        self._patches.nudge(seen)

    def guard(self, gitrepo: Owner, *, held: bool) -> bool:
        """Put our finalizer on a GitRepo, or take it off."""
        return self._patches.guard(gitrepo, held=held)

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        """List the finished Pods of Fleet's form."""
        return self._pods.pods(namespace, job_uid)

    def log_of(self, pod: Pod, lines: int, limit: int) -> str:
        """Read the last lines of a Pod's log."""
        return self._pods.log_of(pod, lines, limit)

    def marker(self, name: str) -> Mapping[str, str] | None:
        """Read what is remembered."""
        return self._markers.marker(name)

    def mark(self, name: str, data: Mapping[str, str]) -> None:
        """Remember."""
        self._markers.mark(name, data)

    def announce(self, announcement: Announcement) -> None:
        """Write a Kubernetes Event on a GitRepo."""
        self._announcing.announce(announcement)

    def kept_errors(self, namespace: str, gitrepo_uid: str = "") -> list[KeptError]:
        """List the errors that Events keep."""
        return self._kept.kept_errors(namespace, gitrepo_uid)

    def api(self) -> Api:
        """Ask the API about itself."""
        return self._reviews.api()

    def who(self) -> str:
        """Ask who we are."""
        return self._reviews.who()

    def may(self, accesses: Iterable[Access]) -> Iterator[Allowed]:
        """Ask what we may."""
        return self._reviews.may(accesses)

    def own_clean_up(self) -> OwnCleanUp | None:
        """Look for Fleet's own CronJob."""
        return self._reviews.own_clean_up()

    def skew(self) -> Seconds | None:
        """Seconds that the API's clock is ahead of ours."""
        return self._connection.skew

    def throttled(self) -> bool:
        """Whether deletions are slowed down."""
        return self._throttle.slowed()

    def paused(self) -> Refusal | None:
        """Whether there is a pause."""
        return self._pause() if self._limits.own_namespace else None


def _unread_namespace(name: str, error: Exception) -> tuple[str, _Found]:
    return name, (_unexpected(error), 0.0)


def _unread(owner: Owner, error: Exception) -> Reread:
    return Reread(owner, None, None, 0.0, _unexpected(error))


def _failed(doomed: Doomed, error: Exception) -> Deletion:
    # The request may have been on its way when whatever went wrong went wrong.
    return Deletion(msgspec.structs.replace(doomed, lost=True), Fate.UNCONFIRMED, str(_unexpected(error)))


def _sighted(job: Job, body: Body) -> tuple[tuple[str, bool], Job | None]:
    return fleet.read_identity(body), None if isinstance(job, OrphanedPod) else fleet.read_job(body)


def _not_found(job: Job, error: Exception) -> Sighting:
    return Sighting(job, error=_unexpected(error))


def _unexpected(error: Exception) -> ClusterError:
    # Only the kind of error: its text may hold what no log may hold.
    return ClusterError(f"unexpected {type(error).__name__}")
