"""What keeping errors does while nobody answers; no real time passes."""

from collections.abc import Iterator

from cleaner.cluster import Announcement, Clock, Unreachable
from cleaner.fleet import Page
from cleaner.model import GitRepoState, Job, Outcome, Owner, Pod, identity
from cleaner.retention import Reason, Verdict
from cleaner.sweep.keeping import PATIENCE, Keeping

OWNER = Owner("fleet-local", "shop", "u-1")


class Silent:
    """An API that lets every list of Pods wait, and then says nothing."""

    def __init__(self, wait: float) -> None:
        self.now, self.wait, self.asked = 0.0, wait, 0

    def clock(self) -> Clock:
        """Time that passes only while somebody waits."""
        return Clock(lambda: self.now, lambda: self.now, lambda _: None)

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        """Wait in vain."""
        self.asked += 1
        self.now += self.wait
        raise Unreachable(f"no answer for {job_uid} in {namespace}")

    def state(self, namespace: str, name: str) -> GitRepoState | None:
        """Nobody comes so far."""
        raise NotImplementedError(namespace, name)

    def announce(self, announcement: Announcement) -> None:
        """Nobody comes so far."""
        raise NotImplementedError(announcement)


def told(world: Silent, count: int) -> list[str]:
    """Why each of so many failed current Jobs stays."""
    keep = Keeping(world, {}, world.clock(), lambda _: None)
    jobs = [Job(OWNER, identity(f"shop-{n}", f"j-{n}", "1", "c"), 0.0, Outcome.FAILED, 1.0) for n in range(count)]
    return [keep(Verdict(job, Reason.EXPIRED)) for job in jobs]


def test_a_pass_does_not_wait_in_vain_for_each_of_many_jobs() -> None:
    world = Silent(124.0)

    assert all("could not be kept" in why for why in told(world, 1000))
    assert world.asked == 1


def test_what_fails_at_once_is_tried_for_each() -> None:
    world = Silent(PATIENCE / 1000)

    assert all("no answer" in why for why in told(world, 500))
    assert world.asked == 500
