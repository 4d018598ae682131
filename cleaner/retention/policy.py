"""What the operator wants: ages, counts, and what may happen to current Jobs."""

import enum

import msgspec

from cleaner.durations import Seconds
from cleaner.model import Outcome


class Current(enum.Enum):
    """What may happen to the Job of a GitRepo's current commit. Anything but KEEP needs Fleet >= 0.10.4."""

    KEEP = "keep"
    SUCCEEDED = "succeeded"
    ALL = "all"


class Rule(msgspec.Struct, frozen=True):
    """For the finished Jobs of one outcome: keep the newest `keep` of each GitRepo, and every one younger than `age`."""

    keep: int
    age: Seconds


class Bounds(msgspec.Struct, frozen=True):
    """
    How far an annotation may move away from the operator's rule.

    A lower bound of None is the operator's own value: annotations can then only keep more, so that whoever may annotate a
    GitRepo cannot delete a Job through us.
    """

    age_min: Seconds | None = None
    age_max: Seconds = 720 * 3600.0
    keep_min: int | None = None
    keep_max: int = 50


class Policy(msgspec.Struct, frozen=True):
    """
    Everything that the planner is told by the operator. Durations in seconds.

    `migrating`: legacy Jobs of old commits, and succeeded current ones, need not reach an age.
    """

    succeeded: Rule = Rule(keep=0, age=600.0)
    failed: Rule = Rule(keep=1, age=72 * 3600.0)
    current: Current = Current.KEEP
    settle: Seconds = 300.0
    clock_bound: Seconds = 30.0
    wake: bool = False
    bounds: Bounds = Bounds()
    migrating: bool = False

    def rule(self, outcome: Outcome) -> Rule:
        """Return the operator's rule for an outcome."""
        return self.succeeded if outcome is Outcome.SUCCEEDED else self.failed

    def lets_go(self, outcome: Outcome) -> bool:
        """Whether a current Job of this outcome may go at all."""
        return self.current is Current.ALL or (self.current is Current.SUCCEEDED and outcome is Outcome.SUCCEEDED)

    def migration(self) -> "Policy":
        """
        The policy of a migration: the same, but without ages for what older Fleets have left.

        Succeeded current Jobs go: Fleet >= 0.10.4 deletes them itself and has forgotten these. Failed ones never do: they are
        adopted, which keeps their error.
        """
        return msgspec.structs.replace(self, current=Current.SUCCEEDED, migrating=True)

    def ageless(self) -> "Policy":
        """The same without ages; an annotation may still ask for one."""
        succeeded, failed = (Rule(rule.keep, 0.0) for rule in (self.succeeded, self.failed))
        return msgspec.structs.replace(self, succeeded=succeeded, failed=failed)
