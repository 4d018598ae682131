"""What happened, as frozen values; whoever wants to know observes."""

from collections.abc import Callable

import msgspec

from cleaner.cluster import Deletion, Refusal
from cleaner.model import GitRepo, Job
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


class Braked(msgspec.Struct, frozen=True):
    """A brake stopped the deletions."""

    refusal: Refusal


class CanaryTripped(msgspec.Struct, frozen=True):
    """A current Job that we deleted has come back: no current Job of its GitRepo goes for a day."""

    job: Job
    returned: Job


Happened = Read | Unreadable | Judged | Attempted | Spared | NamespaceRefused | Braked | CanaryTripped
Observer = Callable[[Happened], None]
