"""What a pass came to: final verdicts, what became of each deletion, and the exit code."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from cleaner.cluster import UNDONE, Deletion, Fate, Refusal
from cleaner.happened import NamespaceRefused, Unreadable
from cleaner.model import Fleet, GitRepo, Job, KeptError, Moment, Owner
from cleaner.retention import Plan, Stuck, Verdict


class Migrated(msgspec.Struct):
    """
    What a migration came to beside its deletions; GitRepos as `namespace/name`.

    `adopted`: their legacy failed Job has Fleet's labels now; `forced`: those among them, and among those of an earlier attempt,
    for which Fleet runs a Force Update that was pending; `waiting`: those for which it has not begun to; `running`: legacy Jobs
    that had not finished; `problems`: what went wrong. `done_before` is what the marker of an earlier migration says.
    """

    fleet: str = ""
    adopted: list[str] = msgspec.field(default_factory=list)
    forced: list[str] = msgspec.field(default_factory=list)
    waiting: list[str] = msgspec.field(default_factory=list)
    running: list[str] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)
    done_before: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether nothing is left over of it."""
        return not (self.waiting or self.running or self.problems)


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
    """
    The outcome of one pass. Counts are of what happened, after the API had answered.

    `kept_errors` are read for an explanation only; `not_recalled` is why they could not be.
    """

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
    kept_errors: list[KeptError] = msgspec.field(default_factory=list)
    not_recalled: str = ""
    migrated: Migrated | None = None
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
    """Tell the process's exit code: the first that holds of 4, 3, 5, 1 and 0 (2: settings). Only a migration fails by a stop."""
    stopped = result.brake is not None and result.brake.brake == "stop"
    if not result.parts and stopped and result.migrated is None:
        return 0
    if not result.parts and result.refused:
        return 3 if all(refused.denied for refused in result.refused) else 4
    if result.tripped or (result.brake is not None and not stopped):
        return 5
    if result.migrated is not None and not result.migrated.complete:
        return 1
    left = result.refused or result.backlog
    return 1 if result.failures or (left and not stopped) else 0
