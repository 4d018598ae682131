"""The deletions of one pass, over a cluster that is slow to read; no real time passes."""

from collections.abc import Iterable, Iterator

import pytest

from cleaner.cluster import Brake, Clock, Deletion, Doomed, Fate, Reread, Sighting
from cleaner.model import Fleet, GitRepo, Job, Moment, Namespace, Outcome, Owner, identity
from cleaner.retention import Plan, Reason, Verdict
from cleaner.sweep.acting import LATE, Acting

OWNER = Owner("fleet-local", "shop", "u-1")
TOO_MANY = 50


def verdict(name: str) -> Verdict:
    """A Job of an old commit that is due."""
    return Verdict(Job(OWNER, identity(name, f"uid-{name}", "1", "old"), 0.0, Outcome.FAILED, 1.0), Reason.SUPERSEDED)


class Slow:
    """A cluster whose GitRepos take longer to read than a reading is fresh, and whoever judges nothing anew."""

    def __init__(self, doomed: list[Verdict]) -> None:
        self.now, self.reads, self.plan = 0.0, 0, Plan(doomed)

    def clock(self) -> Clock:
        """Time that passes only while something is read."""
        return Clock(lambda: self.now, lambda: self.now, lambda _: None)

    def fleet(self) -> Fleet:
        """Nobody asks."""
        return Fleet()

    def reread(self, owners: Iterable[Owner]) -> Iterator[Reread]:
        """Take six seconds for each."""
        for owner in owners:
            self.reads += 1
            if self.reads > TOO_MANY:
                pytest.fail("it is read for ever")
            began, self.now = self.now, self.now + 6.0
            yield Reread(owner, GitRepo(owner.namespace, owner.name, owner.uid), Namespace(owner.namespace), began)

    def delete(self, doomed: Iterable[Doomed], brake: Brake) -> Iterator[Deletion]:
        """Delete whatever is fed."""
        return (Deletion(each, Fate.DELETED) for each in doomed if brake() is None)

    def find(self, jobs: Iterable[Job]) -> Iterator[Sighting]:
        """Nothing is there."""
        return (Sighting(job) for job in jobs)

    def knows(self, owner: Owner) -> bool:
        """There is one."""
        return owner == OWNER

    def adopt(self, owner: Owner, gitrepo: GitRepo | None, namespace: Namespace) -> None:
        """Nothing comes of it."""

    def judge(self, owner: Owner, now: Moment) -> Plan:
        """Nothing has changed."""
        return self.plan if owner == OWNER else Plan([], now)


def test_a_gitrepo_that_is_always_stale_is_left_alone_in_every_part_of_a_pass() -> None:
    first, second = verdict("one"), verdict("two")
    world = Slow([first, second])
    acting = Acting(world, world, world.clock(), lambda _: None, lambda: None)

    left = acting.delete([first], 10) + acting.delete([second], 10)

    assert left == 0
    assert [deletion.fate for deletion in acting.deletions.values()] == [Fate.FAILED, Fate.FAILED]
    assert world.reads <= LATE + 1
