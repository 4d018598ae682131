"""What a reconcile of one GitRepo goes by, and the questions that Fleet asks of it."""

from dataclasses import dataclass
from functools import cached_property

from cleaner.demo.credentials import noted
from cleaner.demo.family import job_name
from cleaner.demo.kinds import Object
from cleaner.demo.store import Key, owners, uid_of


@dataclass(frozen=True)
class Look:
    """A GitRepo among all Jobs (by namespace and name) and Pods, at one moment in seconds since the epoch."""

    gitrepo: Object
    jobs: dict[Key, Object]
    pods: list[Object]
    now: float
    polled: bool = False
    """Whether the git server was asked in this very reconcile."""
    secret: str = ""
    """The digest of the Secret for the git server, where Fleet looks at it."""

    @property
    def uid(self) -> str:
        """The GitRepo's."""
        return uid_of(self.gitrepo)

    @property
    def status(self) -> Object:
        """The GitRepo's, empty before Fleet has written one."""
        found: Object = self.gitrepo.get("status") or {}
        return found

    @property
    def polls(self) -> bool:
        """Whether the GitRepo is to be polled."""
        return not self.gitrepo["spec"].get("disablePolling")

    @property
    def generation(self) -> int:
        """The version of the GitRepo's spec."""
        return int(self.gitrepo["metadata"]["generation"])

    @property
    def force(self) -> int:
        """The number of the last Force Update that was asked for."""
        return int(self.gitrepo["spec"].get("forceSyncGeneration") or 0)

    def job(self, commit: str) -> Object | None:
        """The Job that is named for this commit."""
        meta = self.gitrepo["metadata"]
        return self.jobs.get((meta["namespace"], job_name(meta["name"], self.gitrepo["spec"]["repo"], commit)))

    @cached_property
    def owned(self) -> list[Object]:
        """All Jobs of the GitRepo."""
        return [job for job in self.jobs.values() if self.uid in owners(job)]

    @property
    def forced(self) -> bool:
        """Whether a Force Update has yet to run."""
        return bool(self.force != self.status.get("updateGeneration", 0))

    @property
    def changed(self) -> bool:
        """Whether a new spec has yet to run; the first one, seen by nobody yet, is not new."""
        observed = self.status.get("observedGeneration", 0)
        return bool(observed > 0 and observed != self.generation)

    @property
    def pending(self) -> bool:
        """Whether something other than a commit has yet to run."""
        return self.forced or self.changed

    @property
    def rotated(self) -> bool:
        """Whether the Secret is another than when Fleet looked last."""
        return noted(self.gitrepo) not in ("", self.secret) and bool(self.secret)

    def overtakes(self, job: Object) -> bool:
        """Whether what is pending is newer than what the Job was made for, by its labels: one without has no say."""
        labels = job["metadata"].get("labels", {})
        force, generation = str(self.force), str(self.generation)
        old_force = labels.get("fleet.cattle.io/force-sync-generation", force) != force
        old_generation = labels.get("fleet.cattle.io/gitrepo-generation", generation) != generation
        return (self.forced and old_force) or (self.changed and old_generation)
