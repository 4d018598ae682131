"""What a pass came to: final verdicts, what became of each deletion, and the exit code."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from cleaner.cluster import UNDONE, Deletion, Fate, Refusal
from cleaner.happened import NamespaceRefused, Unreadable
from cleaner.model import Fleet, GitRepo, Job, Moment, Owner
from cleaner.retention import Plan, Stuck, Verdict


class PodResult(msgspec.Struct):
    """
    What a pass came to of the Pods that their Jobs left behind, apart from the Jobs: a Pod is none.

    `refused` are Namespaces in which only the Pods were not to be read or deleted.
    """

    plans: dict[Owner, Plan] = msgspec.field(default_factory=dict)
    deletions: dict[str, Deletion] = msgspec.field(default_factory=dict)
    refused: list[NamespaceRefused] = msgspec.field(default_factory=list)
    unreadable: list[Unreadable] = msgspec.field(default_factory=list)
    brake: Refusal | None = None

    def verdicts(self) -> Iterator[Verdict]:
        """All verdicts, GitRepo by GitRepo."""
        for plan in self.plans.values():
            yield from plan.verdicts

    def fates(self) -> Counter[Fate]:
        """How many deletions came to what."""
        return Counter(deletion.fate for deletion in self.deletions.values())

    def left(self) -> list[Verdict]:
        """Tell what is still there, as far as anybody knows: kept, or not deleted for some other reason."""
        return [v for v in self.verdicts() if v.job.uid not in self.deletions or self.deletions[v.job.uid].fate not in _GONE]

    @property
    def cleared(self) -> bool:
        """Whether nothing is left, as far as all of it could be read."""
        return not self.left() and not self.refused and self.brake is None


_GONE = frozenset({Fate.DELETED, Fate.GONE})


class Result(msgspec.Struct):
    """The outcome of one pass. Counts are of what happened, after the API had answered."""

    dry_run: bool
    fleet: Fleet
    started: Moment
    ended: Moment
    plans: dict[Owner, Plan]
    gitrepos: dict[Owner, GitRepo | None]
    deletions: dict[str, Deletion]
    refused: list[NamespaceRefused]
    unreadable: list[Unreadable]
    stuck: list[Stuck]
    foreign: int
    left_out: int
    parts: int
    backlog: int = 0
    brake: Refusal | None = None
    tripped: list[Job] = msgspec.field(default_factory=list)
    pods: PodResult = msgspec.field(default_factory=PodResult)

    def verdicts(self) -> Iterator[Verdict]:
        """All verdicts, GitRepo by GitRepo."""
        for plan in self.plans.values():
            yield from plan.verdicts

    def fates(self) -> Counter[Fate]:
        """How many deletions came to what."""
        return Counter(deletion.fate for deletion in self.deletions.values())

    def kept(self) -> Counter[str]:
        """Count the verdicts that keep, by reason."""
        return Counter(verdict.reason.value for verdict in self.verdicts() if not verdict.deletes)

    def doomed(self) -> Counter[str]:
        """Count the verdicts that delete, by reason."""
        return Counter(verdict.reason.value for verdict in self.verdicts() if verdict.deletes)

    @property
    def failures(self) -> int:
        """
        Count the deletions, of Pods too, that did not work, or of which we do not know.

        Those that a brake or a change prevented are none of them.
        """
        return sum(deletion.fate in UNDONE for deletion in (*self.deletions.values(), *self.pods.deletions.values()))


def exit_code(result: Result) -> int:
    """Tell the process's exit code: the first that holds of 4, 3, 5, 1 and 0 (2 is for settings). A stop is no failure."""
    stopped = result.brake is not None and result.brake.brake == "stop"
    if not result.parts and stopped:
        return 0
    if not result.parts and result.refused:
        return 3 if all(refused.denied for refused in result.refused) else 4
    if result.tripped or (result.brake is not None and not stopped):
        return 5
    left = result.refused or result.backlog
    return 1 if result.failures or (left and not stopped) else 0
