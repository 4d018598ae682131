"""The facts that the rules read: what is left of a Job, a GitRepo and a Namespace once their bytes have been understood."""

import enum

import msgspec

Moment = float
"""A point in time, in seconds since the Unix epoch."""

Annotations = tuple[tuple[str, str], ...]
"""An object's annotations that begin with `gitjob-cleaner/`, without that prefix, sorted."""

ANNOTATION_PREFIX = "gitjob-cleaner/"

NUDGED = "nudged"
"""Our annotation, without its prefix, whose only purpose is to change, so that Fleet looks at a GitRepo again; no wish."""

GUARD = ANNOTATION_PREFIX + "guard"
"""Our finalizer on GitRepos."""


class Outcome(enum.Enum):
    """How a finished Job ended, from its `Complete` or `Failed` condition."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"

    # Members are equal only to themselves; Enum's own hash is a call into Python for each look into a dict.
    __hash__ = object.__hash__


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The GitRepo that controls a Job, by what the Job's owner reference says; shared by all Jobs that say the same."""

    namespace: str
    name: str
    uid: str


class Generations(msgspec.Struct, frozen=True, gc=False):
    """Fleet's two labels on a Job (Fleet >= 0.10.4): what it was made for."""

    gitrepo: str
    force_sync: str


class Job(msgspec.Struct, frozen=True, gc=False):
    """
    One Job that a GitRepo controls.

    `identity` holds name, uid, resourceVersion and commit in one string: a cluster has a hundred thousand Jobs, and four
    strings would cost 170 bytes more for each.
    """

    owner: Owner
    identity: str
    created: Moment
    outcome: Outcome | None = None
    finished: Moment | None = None
    generations: Generations | None = None
    annotations: Annotations = ()
    marks: int = 0
    problem: str = ""

    KIND = "Job"
    DELETING = 1
    FINALIZERS = 2

    @property
    def namespace(self) -> str:
        """The Namespace, which is its GitRepo's too: owner references do not cross Namespaces."""
        return self.owner.namespace

    @property
    def name(self) -> str:
        """`metadata.name`, which Fleet uses again when it runs the same commit again."""
        return self.identity.split(" ", 1)[0]

    @property
    def uid(self) -> str:
        """`metadata.uid`: tells this Job from an earlier or later one of the same name."""
        return self.identity.split(" ", 2)[1]

    @property
    def version(self) -> str:
        """`metadata.resourceVersion`: what a deletion names, so that it cannot hit a Job that has changed since."""
        return self.identity.split(" ", 3)[2]

    @property
    def commit(self) -> str:
        """The annotation `commit`, empty where Fleet wrote none."""
        return self.identity.split(" ", 3)[3]

    @property
    def legacy(self) -> bool:
        """Whether Fleet <= 0.10.3 made it: it lacks the label `fleet.cattle.io/gitrepo-generation`."""
        return self.generations is None

    @property
    def deleting(self) -> bool:
        """Whether `metadata.deletionTimestamp` is set."""
        return bool(self.marks & Job.DELETING)

    @property
    def has_finalizers(self) -> bool:
        """Whether anything at all waits in `metadata.finalizers`."""
        return bool(self.marks & Job.FINALIZERS)


class OrphanedPod(Job, frozen=True, gc=False):
    """
    A finished Pod that its Job left behind: it stands for that run where it is judged, deleted and told.

    Its owner is the GitRepo that its command line names; no uid is told there, so whatever GitRepo has the name speaks for it.
    `job` and `job_uid` are of the Job that left it.
    """

    KIND = "Pod"

    job: str = ""
    job_uid: str = ""


def identity(name: str, uid: str, version: str, commit: str) -> str:
    """Join what `Job.identity` holds; the commit comes last, for it alone may hold a space."""
    return f"{name} {uid} {version} {commit}"


class GitRepo(msgspec.Struct, frozen=True):
    """One GitRepo: what the rules need of it. Two readings are equal when the planner could not tell them apart."""

    namespace: str
    name: str
    uid: str
    commits: tuple[str, ...] = ()
    current_names: tuple[str, ...] = ()
    settled: bool = True
    disable_polling: bool = False
    polling_interval: float = 15.0
    last_polled: Moment | None = None
    deleting_since: Moment | None = None
    labels: tuple[tuple[str, str], ...] = ()
    annotations: Annotations = ()
    problem: str = ""
    guarded: bool = False

    @property
    def path(self) -> str:
        """`namespace/name`, as every output writes it."""
        return f"{self.namespace}/{self.name}"

    def is_current(self, job: Job) -> bool:
        """Whether Fleet would look at this Job for one of the commits in the GitRepo's status."""
        name, _, _, commit = job.identity.split(" ", 3)
        return name in self.current_names or commit in self.commits


class GitRepoState(msgspec.Struct, frozen=True):
    """
    One GitRepo as a single GET found it: what is asked of Fleet, and what Fleet tells, beside what the rules read.

    `force` is `spec.forceSyncGeneration`, `forced` the one that Fleet has acted on (`status.updateGeneration`); `status` is
    `status.gitJobStatus`, which is no proof of success; `stalled` is the message of a `Stalled` condition that is True, and None
    where it is not.
    """

    gitrepo: GitRepo
    version: str
    force: int = 0
    forced: int = 0
    status: str = ""
    stalled: str | None = None

    @property
    def force_pending(self) -> bool:
        """Whether a Force Update was asked for that Fleet has not acted on."""
        return self.force != self.forced


class Pod(msgspec.Struct, frozen=True):
    """
    One Pod of the form that Fleet gives to the Pods of its Jobs.

    `job` and `job_uid` are of the Job that made it, by the Job controller's labels; `gitrepo` is the name that its command line
    tells; `owned` says whether anything owns it now; `outcome` is None unless its phase is Succeeded or Failed; `message` is what
    its containers left as their last words, as they wrote it.
    """

    namespace: str
    name: str
    uid: str
    version: str
    job: str
    job_uid: str
    gitrepo: str
    commit: str
    created: Moment
    outcome: Outcome | None = None
    finished: Moment | None = None
    owned: bool = True
    deleting: bool = False
    annotations: Annotations = ()
    message: str = ""


class KeptError(msgspec.Struct, frozen=True):
    """Why a Job failed, as an Event of ours on its GitRepo keeps it."""

    gitrepo: Owner
    job: str
    commit: str
    text: str
    at: Moment


class Namespace(msgspec.Struct, frozen=True):
    """A Namespace and our annotations on it."""

    name: str
    annotations: Annotations = ()
    problem: str = ""


class Fleet(msgspec.Struct, frozen=True):
    """
    What is known of the Fleet that runs in the cluster.

    `recreates` is True wherever it may be <= 0.10.3, which makes a current Job again as soon as it is gone.
    """

    version: str = "unknown"
    recreates: bool = True
    detail: str = ""
