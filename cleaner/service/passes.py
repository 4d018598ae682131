"""Passes over what is known: all of it at an interval, a few GitRepos whenever something changes or comes due."""

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from cleaner.cluster import Brake, Clock, Cluster, Fate, Refusal
from cleaner.durations import Seconds
from cleaner.happened import Attempted, Braked, Happened, Late, NamespaceRefused, Observer, OfPods
from cleaner.model import Fleet, Job, Moment, Owner
from cleaner.retention import Reason, Verdict
from cleaner.service.account import Account, jobs_of, pods_left
from cleaner.service.agenda import Agenda
from cleaner.service.board import Board, Judgement
from cleaner.service.leaving import Leaving
from cleaner.service.retries import Retries
from cleaner.service.store import Store
from cleaner.sweep import SPENT, Canary, Looked, Order, Sweep

_HOLD: Seconds = 5.0
_FLEET_KNOWN: Seconds = 30.0
_GONE = frozenset({Fate.DELETED, Fate.GONE})
_NOT_HELD = frozenset({"canary", "leader", "stop"})


class Duty(NamedTuple):
    """
    What the worker is given.

    `led` refuses where we do not lead: then everything is judged and shown, and nothing is deleted.
    """

    cluster: Cluster
    order: Order
    clock: Clock
    tell: Observer
    stop: Brake
    led: Brake


class Passes:
    """Judges and deletes through `Sweep`, as a single sweep does; keeps the board and the agenda in step. One thread's own."""

    def __init__(self, duty: Duty, store: Store, agenda: Agenda, listing: Callable[[], bool]) -> None:
        self.board = Board(duty.clock.now())
        self.sign = duty.clock.monotonic()
        self.fleet = Fleet()
        self.held: Refusal | None = None
        self._duty, self._clock, self._store, self._agenda, self._listing = duty, duty.clock, store, agenda, listing
        self._canary = Canary()
        self._canary_held = False
        self._held_until: Seconds = 0.0
        self._fleet_at: Seconds = 0.0
        self._spent = 0
        self._retries = Retries()
        self._moved: set[Owner] = set()
        self._leaving = Leaving()
        self._landed: list[Job] = []
        self._account = Account(duty.clock, duty.tell, duty.led)

    def everything(self, trigger: str, between: Callable[[], None], *, anew: bool = True) -> None:
        """
        Judge all that is known and delete what is doomed, a slice at a time; `between` slices the news is heard.

        Where it is not `anew`, but for a source that can be read again, the cap and a canary that has not passed still hold.
        """
        if trigger == "leader":
            self._canary = Canary()
        if anew:
            self._spent, self._canary_held = 0, False
        self._retries.clear()
        self._see_fleet()
        sweep = self._begin(self._store.looked())
        sweep_id = self._account.begin(trigger)
        groups = self._store.inventory.groups
        self.board.drop([owner for owner in self.board.owners() if owner not in groups])
        doomed = deque(self._judge(sweep, list(groups), self._agenda.take_changed()))
        self._publish()
        jobs = jobs_of(sweep)
        self._delete_all(sweep, doomed, between)
        self._delete_all(sweep, deque(sweep.decide_on_pods() if self._duty.led() is None else ()), between)
        self._store.prune()
        ended, well = self._account.end(sweep_id, trigger, sweep, jobs)
        self._publish(swept=ended, pods=pods_left(sweep), **({"succeeded": ended} if well else {}))

    def _delete_all(self, sweep: Sweep, doomed: "deque[Verdict]", between: Callable[[], None]) -> None:
        while doomed and (size := self._slice()) and self._may_act(sweep):
            part = [doomed.popleft() for _ in range(min(size, len(doomed)))]
            self._act(sweep, [verdict for verdict in part if verdict.reason is Reason.ORPHANED or self._stands(verdict)])
            self._publish()
            between()
        if self._duty.led() is None:
            sweep.leave(len(doomed))
            if self.held is None and self._slice():  # a canary stops current Jobs alone: the next passes see to the others
                self._soon(verdict.job.owner for verdict in doomed)

    def _soon(self, owners: Iterable[Owner]) -> None:
        for owner in dict.fromkeys(owners):
            self._agenda.schedule(owner, self._clock.now())

    def _stands(self, verdict: Verdict) -> bool:
        """Whether a verdict is the latest: no pass in between has deleted or spared the Job, and no news waits to be judged."""
        owner = verdict.job.owner
        known = owner in self._store.inventory.groups and owner not in self._agenda.changed
        return known and self.board.due(verdict.job) is not None and not self._waits(verdict)

    def some(self, ready: Mapping[Owner, Moment]) -> None:
        """Judge a few GitRepos, and delete what is doomed there; what is more than a slice is left to the next pass."""
        turn = self._first(ready)
        sweep = self._begin(Looked(self._store.inventory, parts=1))
        doomed = self._judge(sweep, list(turn), turn)
        refused = {owner for owner in turn if self._retries.refused(owner.namespace, self._clock.now())}
        for owner in refused:
            self._come_back(owner)
        doomed = [verdict for verdict in doomed if verdict.job.owner not in refused and not self._waits(verdict)]
        size = self._slice()
        if doomed and size and self._may_act(sweep):
            sweep_id, jobs = self._account.begin("watch"), jobs_of(sweep)
            self._act(sweep, doomed[:size])
            self._go_on(doomed[:size], doomed[size:])
            self._account.end(sweep_id, "watch", sweep, jobs)
        self._publish()

    def _first(self, ready: Mapping[Owner, Moment]) -> Mapping[Owner, Moment]:
        """As many GitRepos as one pass may delete Jobs, at most; for were all judged in each pass, none would come to an end."""
        most = self._most()
        for owner, at in itertools.islice(ready.items(), most, None):
            self._agenda.schedule(owner, min(at, self._clock.now()))
        return dict(itertools.islice(ready.items(), most))

    def _go_on(self, tried: list[Verdict], left: list[Verdict]) -> None:
        """Go on at once with GitRepos that had no turn, or had one that moved something; with others it would be a loop."""
        stood = {verdict.job.owner for verdict in tried} - self._moved
        self._soon(verdict.job.owner for verdict in left if verdict.job.owner not in stood)

    def _waits(self, verdict: Verdict) -> bool:
        """Whether a Job waits for the next sweep of everything: a current one after a canary, any that a dry run has tried."""
        blocked = self._canary_held or self._canary.blocks(verdict.job.owner, self._clock.monotonic())
        return (blocked and verdict.reason is Reason.EXPIRED) or verdict.job.uid in self._retries.tried

    def _slice(self) -> int:
        """How many Jobs may be tried in one go: no more than the cap leaves until the next sweep of everything."""
        order = self._duty.order
        capped = order.max_deletions and not order.dry_run
        return max(0, min(self._most(), order.max_deletions - self._spent)) if capped else self._most()

    def _most(self) -> int:
        return max(50, self._duty.order.lookahead)

    def _begin(self, looked: Looked) -> Sweep:
        sweep = Sweep(self._duty.cluster, self._duty.order, self._clock, self._observe, self._brake)
        sweep.know(looked, self.fleet)
        return sweep

    def _brake(self) -> Refusal | None:
        self.sign = self._clock.monotonic()
        return self._duty.stop() or self._duty.led()

    def _may_act(self, sweep: Sweep) -> bool:
        """Whether anything may be deleted now: not on standby, and not for some seconds after a brake has refused."""
        if self._duty.led() is not None:
            return False
        waits = self.held is not None and self._clock.monotonic() < self._held_until
        sweep.pull(self.held if waits else sweep.brake())
        if not waits:
            self._hold(sweep.braked)
        return sweep.braked is None

    def _hold(self, refusal: Refusal | None) -> None:
        """Note what holds us back; once nothing does any more, whoever found that out, all that is due has its turn."""
        self._canary_held |= refusal is not None and refusal.brake == "canary"
        before, self.held = self.held, None if refusal is None or refusal.brake in _NOT_HELD else refusal
        self._held_until = self._clock.monotonic() + _HOLD
        if before is not None and self.held is None:
            self._soon(self.board.backlog())

    def look_at_brakes(self) -> None:
        """Ask again what held us back."""
        if self.held is None or self._clock.monotonic() < self._held_until or self._duty.led() is not None:
            return
        if self.held.brake == "clock":
            self._see_fleet()  # any answer tells the API's time, and there may be no other for minutes
        sweep = self._begin(Looked(self._store.inventory))
        self._hold(sweep.brake())
        self._publish()

    def _see_fleet(self) -> None:
        self.fleet, self._fleet_at = self._duty.cluster.fleet(), self._clock.monotonic()

    def hold_until(self) -> Seconds | None:
        """When the brakes are to be asked again, on the monotonic clock."""
        return self._held_until if self.held is not None and self._duty.led() is None else None

    def _judge(self, sweep: Sweep, owners: Collection[Owner], changed: Mapping[Owner, Moment]) -> list[Verdict]:
        """Judge GitRepos, show their plans, and note when time makes it necessary again."""
        groups, now = self._store.inventory.groups, self._clock.now()
        known = [owner for owner in owners if owner in groups and self._store.readable(owner.namespace)]
        self._forget(set(owners).difference(known))
        doomed = sweep.decide(known)
        for owner in known:
            plan, gitrepo = sweep.plans[owner], groups[owner].gitrepo
            last_success = self._store.last_success.get(owner)
            self.board.put(owner, Judgement(gitrepo, plan, self.fleet, changed.get(owner), last_success), now)
            self._agenda.schedule(owner, plan.next_due)
        return doomed

    def _forget(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self.board.drop([owner])
            self._agenda.forget(owner)
            self._retries.forget(owner)

    def _act(self, sweep: Sweep, doomed: list[Verdict]) -> None:
        """Delete, forget what is gone, judge again whoever was concerned, and come back later for what is left."""
        self._landed, self._moved = [], set()
        if self._clock.monotonic() - self._fleet_at >= _FLEET_KNOWN:
            self._see_fleet()  # whether a GitRepo is asleep depends on it
        sweep.fleet = self.fleet
        sweep.act(doomed, self._canary)
        self.fleet = sweep.fleet
        self._hold(sweep.braked)
        self._store.deleted(self._landed, listing=self._listing())
        for owner in self._store.stirred():
            self._agenda.change(owner, self._clock.now(), self._clock.monotonic())
        owners = list(dict.fromkeys(verdict.job.owner for verdict in doomed))
        self._judge(sweep, owners, {})
        for owner in owners:
            self._come_back(owner)

    def _come_back(self, owner: Owner) -> None:
        plan = self.board.plan(owner)
        if plan is None or all(self._waits(verdict) for verdict in plan.doomed):
            self._retries.forget(owner)
            return
        # A dry run leaves all of them, and one cap does not end before the next sweep of everything.
        if self._duty.order.dry_run or self.held is not None or not self._slice():
            return
        due = self._retries.next(owner, self._clock.now(), moved=owner in self._moved)
        self._agenda.schedule(owner, due if plan.next_due is None else min(due, plan.next_due))

    def _observe(self, happened: Happened) -> None:
        self.sign = self._clock.monotonic()
        if isinstance(happened, NamespaceRefused):
            self._retries.refuse(happened.namespace, self._clock.now())
        if isinstance(happened, Braked) and self.held is not None and self.held.brake == happened.refusal.brake:
            return  # told when it began
        self._duty.tell(happened)
        if isinstance(happened, OfPods) and isinstance(happened.happened, Attempted):
            self._spent += happened.happened.deletion.fate in SPENT
        if isinstance(happened, Attempted):
            self._note(happened)

    def _note(self, attempted: Attempted) -> None:
        job, fate = attempted.verdict.job, attempted.deletion.fate
        self._spent += fate in SPENT and job.uid not in self._leaving
        if fate in _GONE:
            self._landed.append(job)
        if fate in _GONE or fate is Fate.TERMINATING:
            self._moved.add(job.owner)
        if fate is Fate.WOULD_DELETE:
            self._retries.tried.add(job.uid)
        self._leaving.note(attempted)
        if fate is Fate.GONE:
            self.seen_gone(job.uid)
        due = self.board.due(job)
        if fate is Fate.DELETED and due is not None and due.seen:
            self._duty.tell(Late(job, max(0.0, self._clock.now() - due.since)))

    def seen_gone(self, uid: str) -> None:
        """Count a deletion that was accepted before, now that the Job is seen to be gone."""
        attempted = self._leaving.gone(uid)
        if attempted is not None:
            self._observe(attempted)

    def seen_list(self) -> None:
        """Count those that a list does not show any more."""
        for uid in self._leaving.missing(self._store.inventory):
            self.seen_gone(uid)

    def look_for_returns(self, *, watching: bool) -> None:
        """Look whether current Jobs that we deleted have come back: by what is known, if a watch keeps that current."""
        if self._duty.led() is None and self._canary.watched(self._clock.monotonic()):
            sweep = self._begin(Looked(self._store.inventory, parts=1))
            sweep.look_for_returns(self._canary, self._store.find if watching else None)
            self._canary_held |= sweep.braked is not None

    def _publish(self, **told: object) -> None:
        looked = self._store.looked()
        self.board.publish(
            self._clock.now(),
            fleet=self.fleet,
            refused=tuple(looked.refused),
            unreadable=tuple(looked.unreadable),
            foreign=looked.foreign,
            left_out=self._store.inventory.left_out_jobs,
            next_due=self._agenda.next_due(),
            brake=self.held,
            **told,
        )
