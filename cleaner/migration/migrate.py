"""The migration: wait for Fleet, look, adopt, delete, wait for what runs, look again, and remember that it was done."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from cleaner.cluster import Brake, Clock, Cluster, ClusterError, Fate, Markers, Patches, Refusal, Sighting, States
from cleaner.durations import Seconds
from cleaner.happened import Observer, Waited
from cleaner.migration.adopting import Adopting, blocking
from cleaner.migration.marker import Marker
from cleaner.model import Fleet, Job
from cleaner.result import Migrated, Result, exit_code
from cleaner.retention import Reason, Stuck
from cleaner.retention.stuck import StuckKind
from cleaner.sweep import SPENT, Canary, Order, Sweep

_LOOKED_EVERY: Seconds = 2.0
_TOLD_EVERY: Seconds = 10.0


class MigrationCluster(Cluster, Patches, States, Markers, Protocol):
    """What a migration asks of a cluster."""


class Terms(msgspec.Struct, frozen=True):
    """
    `marker` is the ConfigMap's name without Fleet's version; `wait` how long to wait in all; `again`: though it has been done;
    `scope` tells in words what is looked after: what was done for one scope was not done for another.

    `led` refuses while another migration may be under way; `confirmed` is asked once, with how many Jobs are to be
    deleted and how many adopted.
    """

    marker: str
    wait: Seconds
    led: Brake
    confirmed: Callable[[int, int], bool]
    again: bool = False
    scope: str = ""


class Migration:
    """One migration. It can be cut off at any point and started again: every step looks first whether it is still to be done."""

    def __init__(self, cluster: MigrationCluster, order: Order, terms: Terms, clock: Clock, tell: Observer, stop: Brake) -> None:
        self._cluster, self._terms, self._clock, self._tell, self._stop = cluster, terms, clock, tell, stop
        self._order = msgspec.structs.replace(order, policy=order.policy.migration(), orphaned_pods=False)
        self._until = clock.monotonic() + terms.wait
        self._told: tuple[str, Seconds] = ("", 0.0)
        self._asked = False
        self._refusal: Refusal | None = None
        self._migrated = Migrated()
        self._canary = Canary()
        self._adopting = Adopting(cluster, clock, tell, self._migrated, dry_run=order.dry_run)

    def run(self) -> Result:
        """
        Migrate, unless that has been done.

        Raises:
            ClusterError: the marker could not be read.

        """
        self._marker(self._terms.marker).read()  # whether we may, before we wait for long
        fleet = self._await_fleet()
        self._migrated.fleet = fleet.version
        if fleet.recreates and not self._order.dry_run:
            return self._ended(self._nothing(), f"Fleet >= 0.10.4 has not rolled out: {_which(fleet)}")
        if not self._await(self._another):
            return self._ended(self._nothing(), "" if self._stop() else "another migration may be under way")
        marker = self._marker(f"{self._terms.marker}-fleet-{_minor(fleet)}")
        before = marker.read()
        if marker.done(before) and not self._terms.again:
            self._migrated.done_before = dict(before)
            done = self._ended(self._nothing())
            done.fleet = fleet
            return done
        self._migrated.forced += marker.forced(before)
        result = self._ended(self._passes(marker))
        if exit_code(result) == 0:
            self._remember(marker, result)
        return result

    def _marker(self, name: str) -> Marker:
        return Marker(self._cluster, name, self._terms.scope, dry_run=self._order.dry_run)

    def _remember(self, marker: Marker, result: Result) -> None:
        try:
            marker.finish(result, self._clock.now())
        except ClusterError as error:
            self._migrated.problems.append(f"that it was done could not be noted in ConfigMap {marker.name}: {error}")

    def _ended(self, result: Result, problem: str = "") -> Result:
        stopped = self._brake()
        self._migrated.problems += [problem] if problem else []
        self._migrated.problems += [f"stopped: {stopped.text}"] if stopped is not None and not problem else []
        result.migrated = self._migrated
        return result

    def _nothing(self) -> Result:
        return self._sweep().result()

    def _sweep(self) -> Sweep:
        return Sweep(self._cluster, self._order, self._clock, self._tell, self._brake)

    def _brake(self) -> Refusal | None:
        return self._stop() or self._refusal or self._terms.led()

    def _await_fleet(self) -> Fleet:
        """Wait until every gitjob Deployment has rolled out a Fleet that leaves deleted Jobs alone; a dry run does not wait."""
        fleet = self._cluster.fleet()

        def waits() -> str | None:
            nonlocal fleet
            fleet = self._cluster.fleet()
            return f"waiting for Fleet >= 0.10.4: {_which(fleet)}" if fleet.recreates else None

        if fleet.recreates and not self._order.dry_run:
            self._await(waits)
        return fleet

    def _another(self) -> str | None:
        refusal = self._terms.led()
        return None if refusal is None else f"waiting to be the only migration: {refusal.text}"

    def _await(self, why: Callable[[], str | None]) -> bool:
        """Wait while there is a reason to; whether there is none any more when the time is up."""
        while (reason := why()) is not None:
            left = self._until - self._clock.monotonic()
            if left <= 0 or self._stop() is not None:
                return False
            self._tell_waiting(reason, left)
            self._clock.sleep(min(_LOOKED_EVERY, left))
        return True

    def _tell_waiting(self, what: str, left: Seconds) -> None:
        """Tell what is waited for, as soon as it is something else, and then every ten seconds."""
        text, at = self._told
        now, kind = self._clock.monotonic(), what.partition(":")[0]
        if kind != text or now - at >= _TOLD_EVERY:
            self._told = (kind, now)
            self._tell(Waited(what, left))

    def _passes(self, marker: Marker) -> Result:
        """One pass and, if legacy Jobs were running that have finished since, another."""
        result, running = self._pass(marker)
        if running and not self._order.dry_run and self._brake() is None and self._has_room(result):
            left = self._await_runs(running)
            if len(left) < len(running) and self._brake() is None:
                second, running = self._pass(marker)
                result = _merged(result, second)
        self._migrated.running = [f"{job.namespace}/{job.name}" for job in running]
        self._migrated.problems += _left_over(result)
        result.stuck = [found for found in result.stuck if not self._has_unblocked(found)]
        return result

    def _has_room(self, result: Result) -> bool:
        """Whether the cap leaves anything to a second pass; that one may delete only so many more."""
        cap = self._order.max_deletions
        left = cap - sum(deletion.fate in SPENT for deletion in result.deletions.values())
        self._order = msgspec.structs.replace(self._order, max_deletions=max(left, 1) if cap else 0)
        return not cap or left > 0

    def _has_unblocked(self, found: Stuck) -> bool:
        """Whether something was stuck when we looked, and is not any more, or, after a dry run, would not be."""
        return found.kind is StuckKind.BLOCKED_BY_LEGACY and found.gitrepo in self._migrated.adopted

    def _pass(self, marker: Marker) -> tuple[Result, list[Job]]:
        """Look, adopt and delete; return what it came to and the legacy Jobs that still run."""
        sweep = self._sweep()
        looked = sweep.look()
        doomed = sweep.decide()
        groups = looked.inventory.groups
        blocked = [job for owner, plan in sweep.plans.items() for job in blocking(groups[owner].gitrepo, plan)]
        self._check(sweep.fleet)
        if doomed or blocked:
            self._confirm(len(doomed), sum(job.legacy for job in blocked))
        refusal = sweep.brake() if doomed or blocked else None
        if refusal is None and blocked:
            refusal = self._adopt(blocked, sweep.brake, marker)
        sweep.pull(refusal)
        if doomed:
            sweep.act(doomed, self._canary)
            sweep.look_for_returns(self._canary)
            self._check(sweep.fleet)  # it is read again before current Jobs go, and spares them where it is an old one
        verdicts = [verdict for plan in sweep.plans.values() for verdict in plan.verdicts]
        return sweep.result(), [v.job for v in verdicts if v.reason is Reason.RUNNING and v.job.legacy]

    def _adopt(self, blocked: list[Job], brake: Brake, marker: Marker) -> Refusal | None:
        try:
            return self._adopting.adopt(blocked, brake, lambda: marker.begin(self._migrated))
        except ClusterError as error:
            self._migrated.problems.append(f"whom we unblock could not be noted in ConfigMap {marker.name}: {error}")
            return None

    def _check(self, fleet: Fleet) -> None:
        if fleet.recreates and not self._order.dry_run:
            self._refusal = Refusal("fleet", f"Fleet >= 0.10.4 has been rolled back: {_which(fleet)}")

    def _confirm(self, doomed: int, blocked: int) -> None:
        if not self._asked and not self._terms.confirmed(doomed, blocked):
            self._refusal = Refusal("stop", "the question was not answered with yes")
        self._asked = True

    def _await_runs(self, running: list[Job]) -> list[Job]:
        """Wait for Jobs to finish; return those that have not when the time is up."""
        left = running

        def waits() -> str | None:
            nonlocal left
            left = [seen.job for seen in self._cluster.find(left) if _still_runs(seen)]
            return f"waiting for {len(left)} legacy Jobs that still run" if left else None

        self._await(waits)
        return left


def _still_runs(seen: Sighting) -> bool:
    """Whether a Job runs for all that we can see."""
    here = seen.uid == seen.job.uid and seen.found is not None and seen.found.outcome is None
    return seen.error is not None or here


def _left_over(result: Result) -> Iterator[str]:
    """Tell what is left that no count tells of: what changed just before it was to go, and what could not be understood."""
    for owner, plan in result.plans.items():
        for verdict in plan.verdicts:
            deletion = result.deletions.get(verdict.job.uid)
            if verdict.deletes and deletion is not None and deletion.fate is Fate.CHANGED:
                yield f"{owner.namespace}/{verdict.job.name}: it changed before it was to go: {deletion.detail}"
        bad = [verdict for verdict in plan.verdicts if verdict.reason is Reason.UNREADABLE and verdict.job.legacy]
        if bad:
            what = "Jobs of Fleet <= 0.10.3 cannot be understood"
            yield f"{owner.namespace}/{owner.name}: {len(bad)} {what}: {bad[0].detail}"
    for unread in result.unreadable:
        yield f"{unread.kind} {unread.namespace}/{unread.name} cannot be understood: {unread.problem}"


def _which(fleet: Fleet) -> str:
    return fleet.detail or f"{fleet.version} runs"


def _minor(fleet: Fleet) -> str:
    return ".".join(fleet.version.split(".")[:2])


def _merged(first: Result, second: Result) -> Result:
    """Add what an earlier pass has done to a later one, which knows all that is left."""
    for owner, plan in first.plans.items():
        known = second.plans.get(owner)
        there = {verdict.job.uid for verdict in known.verdicts} if known else set[str]()
        gone = [v for v in plan.verdicts if v.job.uid in first.deletions and v.job.uid not in there]
        if gone:
            verdicts = [*(known.verdicts if known else ()), *gone]
            second.plans[owner] = msgspec.structs.replace(known or plan, verdicts=verdicts)
            second.gitrepos.setdefault(owner, first.gitrepos.get(owner))
    second.deletions = first.deletions | second.deletions
    second.tripped = first.tripped + second.tripped
    second.started = first.started
    second.brake = second.brake or first.brake
    return second
