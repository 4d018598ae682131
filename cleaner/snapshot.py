"""What is known after a pass, as one immutable value: scrapes and the page read this and nothing else, and never plan."""

from collections.abc import Mapping

import msgspec

from cleaner.cluster import Refusal
from cleaner.happened import NamespaceRefused, Unreadable
from cleaner.model import Fleet, GitRepo, Moment, Outcome, Owner
from cleaner.retention import Plan, Reason, Stuck

Tally = Mapping[tuple[Outcome | None, Reason], int]
"""How many Jobs have which outcome (None: not finished) and which verdict, the deleting verdicts too."""


class View(msgspec.Struct, frozen=True):
    """
    One GitRepo, or an owner that does not live.

    `oldest_due` is the moment since which the longest-waiting of its doomed Jobs has been due.
    """

    owner: Owner
    gitrepo: GitRepo | None
    plan: Plan
    tally: Tally
    stuck: tuple[Stuck, ...] = ()
    oldest_due: Moment | None = None
    last_success: Moment | None = None

    @property
    def backlog(self) -> int:
        """How many of its Jobs are due and still there."""
        return sum(count for (_, reason), count in self.tally.items() if reason.deletes)


class Snapshot(msgspec.Struct, frozen=True):
    """
    All of it, as of `at`. `swept` is when everything was last read and judged, `succeeded` when that last went well.

    `brake` is what held the last pass back, if anything did. `pods` counts the Pods that Jobs left behind and that were still
    there after that; its owners have no uid.
    """

    at: Moment
    fleet: Fleet = Fleet()
    views: Mapping[Owner, View] = {}
    tally: Tally = {}
    refused: tuple[NamespaceRefused, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    foreign: int = 0
    left_out: int = 0
    oldest_due: Moment | None = None
    next_due: Moment | None = None
    swept: Moment | None = None
    succeeded: Moment | None = None
    brake: Refusal | None = None
    pods: Mapping[tuple[Owner, Outcome | None, Reason], int] = {}

    @property
    def backlog(self) -> int:
        """How many Jobs are due and still there."""
        return sum(count for (_, reason), count in self.tally.items() if reason.deletes)


class Vitals(msgspec.Struct, frozen=True):
    """
    What is true of the process at this moment.

    `leading` is None without an election; `holder` is who holds the Lease as far as we know; `signs` tells for each watch, by
    kind and Namespace, when it last gave a sign of life; `ailing` names what makes `/healthz` fail.
    """

    leading: bool | None = None
    holder: str = ""
    ready: bool = False
    paused: bool = False
    throttled: bool = False
    dry_run: bool = False
    signs: Mapping[tuple[str, str], Moment] = {}
    ailing: tuple[str, ...] = ()
