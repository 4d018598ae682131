"""A simulated election: contenders in threads of which one runs at a time, a virtual clock, and a store with versions."""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import msgspec

from cleaner.cluster import Clock, Conflict, Lease, Unreachable
from cleaner.happened import Happened
from cleaner.service.leader import Leader, Term

DURATION, DEADLINE, RETRY = 30.0, 20.0, 5.0
TERM = Term(DURATION, DEADLINE, RETRY)
STEP = 0.5


class Killed(BaseException):
    """The actor is to end where it is."""


class Fate(NamedTuple):
    """
    What becomes of one request: seconds until the server acts, then until its answer is here; None: it never comes.

    A `reset` breaks the connection at the server's door.
    """

    there: float | None = 0.01
    back: float | None = 0.01
    reset: bool = False


class Actor:
    """A thread that runs only while the simulation waits for it."""

    def __init__(self, sim: "Simulation", body: Callable[[], None]) -> None:
        self.killed = False
        self._go, self._sim = threading.Semaphore(0), sim
        self.thread = threading.Thread(target=self._run, args=(body,), daemon=True)

    def _run(self, body: Callable[[], None]) -> None:
        self._go.acquire()
        try:
            if not self.killed:
                body()
        except Killed:
            pass
        finally:
            self.killed = True
            self._sim.turn.release()

    def resume(self) -> None:
        """Let it run until it sleeps or ends."""
        self._go.release()
        self._sim.turn.acquire()

    def sleep(self, seconds: float) -> None:
        """Called by the actor: let virtual time pass."""
        self._sim.schedule(seconds, self)
        self._sim.turn.release()
        self._go.acquire()
        if self.killed:
            raise Killed


class Simulation:
    """Virtual time; after each event, and every half second, `watch` is called."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = 0.0
        self.turn = threading.Semaphore(0)
        self.watch: Callable[[], None] = lambda: None
        self.actor: Actor | None = None
        self._events: list[tuple[float, int, Actor | Callable[[], None]]] = []
        self._order = itertools.count()
        self._actors: list[Actor] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._actors:
            self.kill(actor)

    def schedule(self, seconds: float, event: Actor | Callable[[], None]) -> None:
        """Wake an actor, or call something, later."""
        heapq.heappush(self._events, (self.now + max(0.0, seconds), next(self._order), event))

    def start(self, body: Callable[[], None], after: float = 0.0) -> Actor:
        """Start an actor."""
        actor = Actor(self, body)
        self._actors.append(actor)
        actor.thread.start()
        self.schedule(after, actor)
        return actor

    def kill(self, actor: Actor) -> None:
        """End an actor where it sleeps, as SIGKILL does."""
        if not actor.killed:
            actor.killed = True
            actor.resume()
        actor.thread.join()

    def sleep(self, seconds: float) -> None:
        """Let time pass for the actor that runs."""
        assert self.actor is not None
        self.actor.sleep(seconds)

    def run(self, seconds: float) -> None:
        """Let virtual time pass for all."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            at, _, event = heapq.heappop(self._events)
            self._pass_until(at)
            if isinstance(event, Actor):
                self._resume(event)
            else:
                event()
            self.watch()
        self._pass_until(end)

    def _resume(self, actor: Actor) -> None:
        if not actor.killed:
            self.actor = actor
            actor.resume()
            self.actor = None

    def _pass_until(self, at: float) -> None:
        while self.now + STEP < at:
            self.now += STEP
            self.watch()
        # Once just before the event, too: what holds until then must hold up to then.
        self.now = max(self.now, at)
        self.watch()


class Store:
    """One Lease as the API keeps it: every write gives a new version, and names the one that it replaces."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self._versions = itertools.count(1)

    def put(self, seen: Lease | None, holder: str, duration: float) -> Lease:
        """Create or replace."""
        there = self.lease
        if (there.version if there else None) != (seen.version if seen else None):
            raise Conflict("409")
        transitions = (there.transitions if there else -1) + (there is None or there.holder != holder)
        self.lease = Lease(holder, duration, str(next(self._versions)), transitions)
        return self.lease

    def annotate(self) -> None:
        """As `kubectl annotate` does: a new version that says the same."""
        if self.lease is not None:
            self.lease = msgspec.structs.replace(self.lease, version=str(next(self._versions)))

    def delete(self) -> None:
        """As `kubectl delete` does."""
        self.lease = None


class Line:
    """One contender's Leases: the store at the end of a line whose every request has its own fate."""

    def __init__(self, sim: Simulation, store: Store, fates: Iterator[Fate]) -> None:
        self.requests: list[tuple[float, str, float]] = []
        self.obeys_limits = True
        self._sim, self._store, self._fates = sim, store, fates

    def lease(self, limit: float) -> Lease | None:
        return self._ask("lease", lambda: self._store.lease, limit)

    def hold(self, seen: Lease | None, holder: str, duration: float, limit: float) -> Lease:
        made = self._ask("hold", lambda: self._store.put(seen, holder, duration), limit)
        assert made is not None
        return made

    def release(self, seen: Lease, limit: float) -> None:
        self._ask("release", lambda: self._store.put(seen, "", 1.0), limit)

    def _ask(self, verb: str, act: Callable[[], Lease | None], limit: float) -> Lease | None:
        assert limit > 0
        self.requests.append((self._sim.now, verb, limit))
        fate = next(self._fates, Fate())
        there = fate.there if fate.there is not None else limit
        if self.obeys_limits and there >= limit:
            # It may still arrive after its limit: giving up here does not call it back.
            if fate.there is not None:
                self._sim.schedule(there, lambda: self._unheard(act))
            self._sim.sleep(limit)
            raise Unreachable("no answer in time")
        self._sim.sleep(there)
        if fate.there is None or fate.reset:
            raise Unreachable("lost on its way")
        try:
            answer: Lease | Conflict | None = act()
        except Conflict as conflict:
            answer = conflict
        left = limit - there
        if fate.back is None or (self.obeys_limits and fate.back > left):
            self._sim.sleep(left)
            raise Unreachable("the answer was lost")
        self._sim.sleep(fate.back)
        if isinstance(answer, Conflict):
            raise answer
        return answer

    def _unheard(self, act: Callable[[], Lease | None]) -> None:
        try:
            act()
        except Conflict:
            return


class Contender:
    """A Leader that lives in the simulation."""

    def __init__(self, sim: Simulation, store: Store, name: str, fates: Iterator[Fate] | None = None, after: float = 0.0) -> None:
        self.told: list[tuple[float, Happened]] = []
        self.line = Line(sim, store, fates if fates is not None else iter(()))
        self._sim = sim
        # The wall clock jumps about with every look at it, and nobody may care.
        clock = Clock(lambda: next(walls), lambda: sim.now, sim.sleep)
        walls = (1e9 * (-1) ** n * n for n in itertools.count())
        self.leader = Leader(self.line, name, TERM, clock, lambda told: self.told.append((sim.now, told)), lambda: 0.5)
        self.actor = sim.start(self._live, after)

    def _live(self) -> None:
        while True:
            self._sim.sleep(self.leader.beat())

    @property
    def leads(self) -> bool:
        return not self.actor.killed and self.leader.brake() is None

    def kill(self) -> None:
        self._sim.kill(self.actor)
