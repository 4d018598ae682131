"""Passes over what is known: all of it at an interval, a few GitRepos whenever something changes or comes due."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from cleaner.cluster import Brake, Clock, Cluster, Fate, Refusal
from cleaner.durations import Seconds
from cleaner.happened import Attempted, Braked, Happened, Late, Observer, SweepBegan, Swept
from cleaner.model import Fleet, Job, Moment, Owner
from cleaner.result import Result, exit_code
from cleaner.retention import Reason, Verdict
from cleaner.service.agenda import Agenda
from cleaner.service.board import Board, Judgement
from cleaner.service.store import Store
from cleaner.sweep import SPENT, Canary, Looked, Order, Sweep

_HOLD: Seconds = 5.0
_RETRY: Seconds = 5.0
_LONGEST_RETRY: Seconds = 300.0
_SLICE_SECONDS = 2
_GONE = frozenset({Fate.DELETED, Fate.GONE})
_NOT_HELD = frozenset({"canary", "leader", "stop"})
_OUTCOMES = {0: "done", 1: "partial", 3: "refused", 4: "unreachable", 5: "braked"}


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
        self._spent = 0
        self._tries: Counter[Owner] = Counter()
        self._leaving: dict[str, Attempted] = {}
        self._landed: list[Job] = []
        self._count = 0

    def everything(self, trigger: str, between: Callable[[], None]) -> None:
        """Judge all that is known and delete what is doomed, a slice at a time; `between` slices the news is heard."""
        if trigger == "leader":
            self._canary = Canary()
        self._spent, self._canary_held = 0, False
        self._tries.clear()
        self.fleet = self._duty.cluster.fleet()
        sweep = self._begin(self._store.looked(), self._duty.order)
        sweep_id = self._tell_begun(trigger)
        groups = self._store.inventory.groups
        self.board.drop([owner for owner in self.board.owners() if owner not in groups])
        doomed = deque(self._judge(sweep, list(groups), self._agenda.take_changed()))
        self._publish()
        jobs = _jobs(sweep)
        self._delete_all(sweep, doomed, between)
        result = sweep.result()
        self._store.prune()
        self._tell_swept(sweep_id, trigger, result, jobs)
        done = {"succeeded": result.ended} if exit_code(result) == 0 else {}
        self._publish(swept=result.ended, **done)

    def _delete_all(self, sweep: Sweep, doomed: "deque[Verdict]", between: Callable[[], None]) -> None:
        size = self._slice()
        while doomed and self._may_act(sweep):
            part = [doomed.popleft() for _ in range(min(size, len(doomed)))]
            # What the news has spared meanwhile is not due any more, and what a pass in between has deleted is not either.
            self._act(sweep, [verdict for verdict in part if self.board.due(verdict.job) is not None])
            self._publish()
            between()
        if self._duty.led() is None:
            self._leave(sweep, doomed)

    def _leave(self, sweep: Sweep, doomed: Collection[Verdict]) -> None:
        """Count what is left; unless a brake holds everything, the next passes see to it: a canary stops current Jobs alone."""
        sweep.leave(len(doomed))
        if self.held is None:
            for owner in dict.fromkeys(verdict.job.owner for verdict in doomed):
                self._agenda.schedule(owner, self._clock.now())

    def some(self, ready: Mapping[Owner, Moment]) -> None:
        """Judge a few GitRepos, and delete what is doomed there; what is more than a slice is left to the next pass."""
        remaining = self._remaining()
        sweep = self._begin(Looked(self._store.inventory, parts=1), remaining or self._duty.order)
        doomed = [verdict for verdict in self._judge(sweep, list(ready), ready) if not self._waits(verdict)]
        if doomed and remaining is not None and self._may_act(sweep):
            size, sweep_id, jobs = self._slice(), self._tell_begun("watch"), _jobs(sweep)
            self._act(sweep, doomed[:size])
            for verdict in doomed[size:]:
                self._agenda.schedule(verdict.job.owner, self._clock.now())
            self._tell_swept(sweep_id, "watch", sweep.result(), jobs)
        self._publish()

    def _waits(self, verdict: Verdict) -> bool:
        """After a canary that did not pass, current Jobs wait for the next sweep of everything; others go on."""
        return self._canary_held and verdict.reason is Reason.EXPIRED

    def _remaining(self) -> Order | None:
        """Return the order with what the cap leaves until the next sweep of everything; None if that is nothing."""
        cap = self._duty.order.max_deletions
        if not cap:
            return self._duty.order
        left = cap - self._spent
        return msgspec.structs.replace(self._duty.order, max_deletions=left) if left > 0 else None

    def _slice(self) -> int:
        return max(50, self._duty.order.lookahead)

    def _begin(self, looked: Looked, order: Order) -> Sweep:
        sweep = Sweep(self._duty.cluster, order, self._clock, self._observe, self._brake)
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
        refusal = self.held if waits else sweep.brake()
        sweep.pull(refusal)
        if not waits:
            self._hold(sweep.braked)
        return sweep.braked is None

    def _hold(self, refusal: Refusal | None) -> None:
        self._canary_held |= refusal is not None and refusal.brake == "canary"
        self.held = None if refusal is None or refusal.brake in _NOT_HELD else refusal
        self._held_until = self._clock.monotonic() + _HOLD

    def look_at_brakes(self) -> None:
        """Ask again what held us back; once nothing does, all that is due has its turn."""
        if self.held is None or self._clock.monotonic() < self._held_until or self._duty.led() is not None:
            return
        sweep = self._begin(Looked(self._store.inventory), self._duty.order)
        self._hold(sweep.brake())
        if self.held is None:
            for owner in self.board.backlog():
                self._agenda.schedule(owner, self._clock.now())
        self._publish()

    def hold_until(self) -> Seconds | None:
        """When the brakes are to be asked again, on the monotonic clock."""
        return self._held_until if self.held is not None and self._duty.led() is None else None

    def _judge(self, sweep: Sweep, owners: Collection[Owner], changed: Mapping[Owner, Moment]) -> list[Verdict]:
        """Judge GitRepos, show their plans, and note when time makes it necessary again."""
        groups, now = self._store.inventory.groups, self._clock.now()
        known = [owner for owner in owners if owner in groups and self._store.readable(owner.namespace)]
        if len(known) < len(owners):
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
            self._tries.pop(owner, None)

    def _act(self, sweep: Sweep, doomed: list[Verdict]) -> None:
        """Delete, forget what is gone, judge again whoever was concerned, and come back later for what is left."""
        spent, self._landed = self._spent, []
        sweep.act(doomed, self._canary)
        self._hold(sweep.braked)
        self._store.deleted(self._landed, listing=self._listing())
        owners = list(dict.fromkeys(verdict.job.owner for verdict in doomed))
        self._judge(sweep, owners, {})
        for owner in owners:
            self._come_back(owner, moved=self._spent > spent)

    def _come_back(self, owner: Owner, *, moved: bool) -> None:
        plan = self.board.plan(owner)
        if plan is None or not plan.doomed:
            self._tries.pop(owner, None)
            return
        # A dry run leaves all of them, and one cap does not end before the next sweep of everything.
        if self._duty.order.dry_run or self.held is not None or self._remaining() is None:
            return
        wait = min(_LONGEST_RETRY, _RETRY * 2.0 ** min(self._tries[owner], 10))
        self._tries[owner] += not moved
        due = self._clock.now() + wait
        self._agenda.schedule(owner, due if plan.next_due is None else min(due, plan.next_due))

    def _observe(self, happened: Happened) -> None:
        self.sign = self._clock.monotonic()
        if isinstance(happened, Braked) and self.held is not None and self.held.brake == happened.refusal.brake:
            return  # told when it began
        self._duty.tell(happened)
        if isinstance(happened, Attempted):
            self._note(happened)

    def _note(self, attempted: Attempted) -> None:
        job, fate = attempted.verdict.job, attempted.deletion.fate
        self._spent += fate in SPENT and job.uid not in self._leaving
        if fate in _GONE:
            self._landed.append(job)
        if fate is Fate.TERMINATING:
            self._leaving[job.uid] = attempted
        else:
            self._leaving.pop(job.uid, None)
        due = self.board.due(job)
        if fate is Fate.DELETED and due is not None and due.seen:
            self._duty.tell(Late(job, max(0.0, self._clock.now() - due.since)))

    def seen_gone(self, uid: str) -> None:
        """Count a deletion that was accepted before, now that the Job is seen to be gone."""
        attempted = self._leaving.get(uid)
        if attempted is not None:
            deletion = msgspec.structs.replace(attempted.deletion, fate=Fate.DELETED, detail="seen gone")
            self._observe(msgspec.structs.replace(attempted, deletion=deletion))

    def seen_list(self, uids: Callable[[Owner], Collection[str]]) -> None:
        """Count those that a list does not show any more."""
        for uid, attempted in list(self._leaving.items()):
            if uid not in uids(attempted.verdict.job.owner):
                self.seen_gone(uid)

    def look_for_returns(self, *, watching: bool) -> None:
        """Look whether current Jobs that we deleted have come back: by what is known, if a watch keeps that current."""
        if self._duty.led() is None and self._canary.watched(self._clock.monotonic()):
            sweep = self._begin(Looked(self._store.inventory, parts=1), self._duty.order)
            sweep.look_for_returns(self._canary, self._store.find if watching else None)
            self._hold(sweep.braked)

    def _tell_begun(self, trigger: str) -> str:
        self._count += 1
        sweep_id = f"{int(self._clock.now()):x}-{self._count}"
        self._duty.tell(SweepBegan(sweep_id, trigger))
        return sweep_id

    def _tell_swept(self, sweep_id: str, trigger: str, result: Result, jobs: int) -> None:
        stopped = result.brake is not None and result.brake.brake == "stop"
        brake = result.brake or self._duty.led()
        self._duty.tell(
            Swept(
                id=sweep_id,
                trigger=trigger,
                outcome="stopped" if stopped else _OUTCOMES[exit_code(result)],
                started=result.started,
                seconds=max(0.0, result.ended - result.started),
                gitrepos=len(result.plans),
                jobs=jobs,
                fates=tuple(sorted((fate.value, count) for fate, count in result.fates().items())),
                backlog=result.backlog,
                detail=f"{brake.brake}: {brake.text}" if brake is not None else "",
            )
        )

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


def _jobs(sweep: Sweep) -> int:
    return sum(len(plan.verdicts) for plan in sweep.plans.values())
