"""What happened, as frozen values; whoever wants to know observes."""

from collections.abc import Callable

import msgspec

from cleaner.cluster import Deletion, Refusal
from cleaner.durations import Seconds
from cleaner.model import GitRepo, Job, KeptError, Moment, Owner
from cleaner.retention import Plan, Verdict


class Read(msgspec.Struct, frozen=True):
    """A page has been read: how many objects of which kind in all so far."""

    kind: str
    total: int


class Unreadable(msgspec.Struct, frozen=True):
    """An object could not even be named properly; nothing is done with it."""

    kind: str
    namespace: str
    name: str
    problem: str


class Judged(msgspec.Struct, frozen=True):
    """All Jobs of one GitRepo have their verdicts."""

    gitrepo: GitRepo | None
    plan: Plan


class Attempted(msgspec.Struct, frozen=True):
    """A deletion was tried, and this became of it."""

    verdict: Verdict
    deletion: Deletion


class Spared(msgspec.Struct, frozen=True):
    """A doomed Job is needed after all: something changed between looking and deleting."""

    verdict: Verdict


class NamespaceRefused(msgspec.Struct, frozen=True):
    """Nothing is judged or deleted in a Namespace (empty: in the whole cluster), and why."""

    namespace: str
    what: str
    problem: str
    denied: bool


class OfPods(msgspec.Struct, frozen=True):
    """
    The same, of Pods that their Jobs left behind. In an envelope, so that whoever counts Jobs counts no Pod.

    A refusal in it concerns the Pods of its Namespace alone.
    """

    happened: Judged | Attempted | Spared | NamespaceRefused | Unreadable


class Braked(msgspec.Struct, frozen=True):
    """A brake stopped the deletions."""

    refusal: Refusal


class CanaryTripped(msgspec.Struct, frozen=True):
    """A current Job that we deleted has come back: no current Job of its GitRepo goes for a day."""

    job: Job
    returned: Job


class Waited(msgspec.Struct, frozen=True):
    """Something is waited for, for so many more seconds at most."""

    what: str
    left: Seconds


class Adopted(msgspec.Struct, frozen=True):
    """
    A legacy Job that blocked its GitRepo has Fleet's labels now (in a dry run: would have).

    `pending`: a Force Update was asked for before, and Fleet runs it now.
    """

    job: Job
    pending: bool
    dry_run: bool = False


class NotAdopted(msgspec.Struct, frozen=True):
    """It could not be given them, and why."""

    job: Job
    problem: str


class Requested(msgspec.Struct, frozen=True):
    """
    A request to the API has had its answer, or none.

    `verb` and `resource` are those of RBAC; `code` is the HTTP status, or `timeout`, `connection` or `other`. It is told by the
    thread that asked, so several may tell at once. For a watch, `seconds` is the time until its answer began.
    """

    verb: str
    resource: str
    code: str
    seconds: Seconds


class WatchEnded(msgspec.Struct, frozen=True):
    """A watch ended and is begun again. `reason`: closed, expired, silent, broken, denied or failed."""

    kind: str
    namespace: str
    reason: str
    detail: str = ""


class Finished(msgspec.Struct, frozen=True):
    """One of Fleet's Jobs has finished while we watched."""

    job: Job


class Late(msgspec.Struct, frozen=True):
    """A Job that came due while we watched is gone, this long after its last reason to stay had ended."""

    job: Job
    seconds: Seconds


class Led(msgspec.Struct, frozen=True):
    """We began or ceased to lead."""

    leading: bool
    detail: str = ""


class SweepBegan(msgspec.Struct, frozen=True):
    """A pass that may delete begins; what its thread tells until its `Swept` belongs to it, and to passes within it."""

    id: str
    trigger: str


class Swept(msgspec.Struct, frozen=True):
    """
    A pass has ended.

    `trigger`: start, interval, leader (these read everything) or watch. `outcome`: done, partial, braked, refused, unreachable or
    stopped, as the exit code of a `sweep` would say. `fates` are of Jobs, `pods` of Pods that Jobs left behind.
    """

    id: str
    trigger: str
    outcome: str
    started: Moment
    seconds: Seconds
    gitrepos: int
    jobs: int
    fates: tuple[tuple[str, int], ...] = ()
    backlog: int = 0
    detail: str = ""
    pods: tuple[tuple[str, int], ...] = ()


class AnnouncementsDropped(msgspec.Struct, frozen=True):
    """Kubernetes Events that were not written, and why."""

    count: int
    detail: str


class Guarded(msgspec.Struct, frozen=True):
    """Our finalizer was put on a GitRepo (`held`), or taken off, and why."""

    gitrepo: Owner
    held: bool
    why: str = ""


class Parted(msgspec.Struct, frozen=True):
    """A GitRepo that we hold leaves; its last error, empty where there is none."""

    gitrepo: Owner
    error: str = ""


class GuardTrouble(msgspec.Struct, frozen=True):
    """A step of the guard did not work, or only in part; nothing is held up by it for longer than the guard's bound."""

    gitrepo: Owner
    step: str
    problem: str


class ErrorKept(msgspec.Struct, frozen=True):
    """
    Why a Job failed is kept in an Event on its GitRepo, with the last lines of its log, where they are asked for.

    With a `problem` there is no such Event, and this is all that is known of it.
    """

    job: Job
    text: str
    lines: tuple[str, ...] = ()
    problem: str = ""


class ErrorsRecalled(msgspec.Struct, frozen=True):
    """The errors that Events still keep have been read; `problem` is why they could not be."""

    errors: tuple[KeptError, ...] = ()
    problem: str = ""


Happened = (
    Read
    | Unreadable
    | Judged
    | Attempted
    | Spared
    | NamespaceRefused
    | OfPods
    | Braked
    | CanaryTripped
    | Waited
    | Adopted
    | NotAdopted
    | Requested
    | WatchEnded
    | Finished
    | Late
    | Led
    | SweepBegan
    | Swept
    | AnnouncementsDropped
    | Guarded
    | Parted
    | GuardTrouble
    | ErrorKept
    | ErrorsRecalled
)
Observer = Callable[[Happened], None]
