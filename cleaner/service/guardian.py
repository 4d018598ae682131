"""The guard as a service: it keeps our finalizer on GitRepos, says farewell to those that leave, and lets them go."""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from cleaner.cluster import Brake, Clock, ClusterError, Denied, Kind, Patches, Stock, Watches
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import Guarded, GuardTrouble, NamespaceRefused, Observer
from cleaner.model import GitRepo, Owner
from cleaner.scope import Scope
from cleaner.service.crew import Crew
from cleaner.service.farewell import Farewell
from cleaner.service.readers import QUIET, Changed, Failed, Listed, Message, Reader, Source, Wiring
from cleaner.service.roster import Roster, owner_of
from cleaner.service.wards import BOUND, Step, Ward, next_step

MOST_WATCHED = 16
"""Named Namespaces up to which each is watched."""

_IDLE: Seconds = 5.0
_UNWATCHED: Seconds = 30.0
_BATCH = 1_000


class Held(Stock, Watches, Patches, Protocol):
    """What the guard needs of a cluster, beside what a farewell does."""


class Watchfulness(NamedTuple):
    """How the guard is to run. Seconds; `guarding` is False where it is only to take off what it finds."""

    guarding: bool = True
    interval: Seconds = 900.0
    quiet: Seconds = QUIET
    bound: Seconds = BOUND
    patience: Seconds = 600.0


class Duty(NamedTuple):
    """What the guard is given; `paused` stops the deletion of Pods, never a release."""

    cluster: Held
    farewell: Farewell
    scope: Scope
    clock: Clock
    tell: Observer
    stop: Brake
    paused: Brake


class _Task(NamedTuple):
    step: Step
    gitrepo: GitRepo
    why: str = ""


class _Done(NamedTuple):
    task: _Task
    error: ClusterError | None = None


class Guardian:
    """
    One thread knows and decides. It never waits for the API, so nothing that hangs keeps it from letting a GitRepo go; for the
    same reason releases of what leaves have threads of their own, and so has all that is done for what stays.

    There is no election: each step is a test-and-set patch, or can be done twice, so several guards do each other no harm.
    """

    def __init__(self, duty: Duty, watchfulness: Watchfulness) -> None:
        self._duty, self._clock, self._how = duty, duty.clock, watchfulness
        self._bound = watchfulness.bound if watchfulness.guarding else 0.0
        self._inbox: queue.SimpleQueue[Message | _Done | None] = queue.SimpleQueue()
        self.readers = self._readers()
        sources = [source for reader in self.readers for source in reader.sources]
        self.roster = Roster(sources, duty.scope, duty.tell, guarding=watchfulness.guarding)
        self._asked_at = float("-inf")
        self._sign = duty.clock.monotonic()
        self._threads = [threading.Thread(target=self._run, name="guard", daemon=True)]
        self._threads += [
            threading.Thread(target=reader.run, name=f"guard-reader-{n}", daemon=True) for n, reader in enumerate(self.readers)
        ]
        self._releases = Crew("guard-release", 4, self._do, duty.clock.monotonic)
        self._farewells = Crew("guard-farewell", 4, self._do, duty.clock.monotonic)
        self._unhurried = Crew("guard-hold", 4, self._do, duty.clock.monotonic)
        self._ways: dict[Step, Callable[[GitRepo], object]] = {
            Step.HOLD: lambda gitrepo: duty.cluster.guard(owner_of(gitrepo), held=True),
            Step.TELL: duty.farewell.speak,
            Step.CLEAR: self._clear,
            Step.RELEASE: lambda gitrepo: duty.cluster.guard(owner_of(gitrepo), held=False),
        }

    def _readers(self) -> list[Reader]:
        """
        One for each Namespace that is named, and one for all others, where an earlier scope may have left finalizers.

        Whether that one may read them is not known: with a Role alone it may not, which is told.
        """
        wiring = Wiring(self._duty.cluster, self._duty.cluster, self._clock, self._duty.tell, self._inbox.put)
        named = [Source(Kind.GITREPOS, name) for name in self._duty.scope.namespaces]
        everywhere = Source(Kind.GITREPOS, "")
        if not named:
            return [Reader([everywhere], wiring, watch=True, quiet=self._how.quiet)]
        if len(named) > MOST_WATCHED:
            return [Reader(named, wiring, watch=False), Reader([everywhere], wiring, watch=False)]
        watching = [Reader([source], wiring, watch=True, quiet=self._how.quiet) for source in named]
        return [*watching, Reader([everywhere], wiring, watch=False)]

    def start(self) -> None:
        """Start all threads; returns at once."""
        for thread in self._threads:
            thread.start()
        self._releases.start()
        self._farewells.start()
        self._unhurried.start()

    def stop(self, patience: Seconds) -> bool:
        """
        End all threads, after the brake was pulled. What was not finished is begun anew by the next start.

        Returns whether all have ended in time.
        """
        until = self._clock.monotonic() + patience
        for reader in self.readers:
            reader.stop()
        self._inbox.put(None)  # wakes the worker
        ended = [crew.stop(until) for crew in (self._releases, self._farewells, self._unhurried)]
        for thread in self._threads:
            thread.join(max(0.1, until - self._clock.monotonic()))
        return all(ended) and not any(thread.is_alive() for thread in self._threads)

    def ailing(self) -> tuple[str, ...]:
        """Tell which threads show no sign of life."""
        now = self._clock.monotonic()
        signs = {f"reader {n}": reader.sign for n, reader in enumerate(self.readers)} | {"guard": self._sign}
        return tuple(
            f"{name}: no sign of life for {now - at:.0f}s" for name, at in signs.items() if now - at > self._how.patience
        )

    def _run(self) -> None:
        while self._duty.stop() is None:
            guarded(self._turn, self._unexpected)

    def _unexpected(self, error: Exception) -> None:
        # Only the kind of error: its text may hold what no log may hold. Everything is read anew after it.
        self._duty.tell(NamespaceRefused("", "guard", f"unexpected {type(error).__name__}: this is a bug", denied=False))
        self._asked_at = float("-inf")
        self._clock.sleep(1.0)

    def _turn(self) -> None:
        self._sign = now = self._clock.monotonic()
        every = self._how.interval if self.readers[0].watches else min(self._how.interval, _UNWATCHED)
        if now - self._asked_at >= every:
            self._asked_at = now
            for reader in self.readers:
                reader.ask()
        self._hear(min(_IDLE, self._asked_at + every - now, *self.roster.waits(now, self._bound)))
        for owner, ward in list(self.roster.open.items()):
            self._see_to(owner, ward)

    def _hear(self, wait: Seconds) -> None:
        with contextlib.suppress(queue.Empty):
            self._take_in(self._inbox.get(timeout=max(0.01, wait)))
            for _ in range(_BATCH):
                self._take_in(self._inbox.get_nowait())

    def _take_in(self, message: Message | _Done | None) -> None:
        now = self._clock.monotonic()
        if isinstance(message, Listed):
            self.roster.listed(message, now)
        elif isinstance(message, Changed):
            self.roster.changed(message, now)
        elif isinstance(message, Failed):
            self.roster.failed(message)
        elif isinstance(message, _Done):
            self._done(message)

    def _see_to(self, owner: Owner, ward: Ward) -> None:
        """Have the next step done, unless it is under way or was tried a moment ago."""
        now = self._clock.monotonic()
        step = next_step(ward, now, self._bound)
        if step is Step.NOTHING and (ward.leaving_since is None or not ward.gitrepo.guarded):
            del self.roster.open[owner]
        if step is Step.NOTHING or step in ward.under_way or now < ward.again.get(step, now):
            return
        ward.under_way.add(step)
        self._crew(step, ward).put(_Task(step, ward.gitrepo, self._why(ward) if step is Step.RELEASE else ""))
        if ward.leaving_since is None:
            # It comes back with what came of it: thousands may be under way, and each turn looks at all that are open.
            del self.roster.open[owner]

    def _crew(self, step: Step, ward: Ward) -> Crew[_Task]:
        """Who does a step: of those that stay there may be thousands, and none that leaves is to wait for them."""
        if ward.leaving_since is None:
            return self._unhurried
        return self._releases if step is Step.RELEASE else self._farewells

    def _why(self, ward: Ward) -> str:
        if not self._how.guarding:
            return "nothing is guarded any more"
        if not ward.covered:
            return "it is not ours to guard"
        left = [name for name, done in (("telling its last error", ward.told), ("deleting its Pods", ward.cleared)) if not done]
        return f"{self._bound:g}s have passed without {' and '.join(left)}" if left else "it leaves"

    def _do(self, task: _Task) -> None:
        """Do one step, in a thread of a crew."""
        self._inbox.put(guarded(lambda: self._tried(task), lambda error: _Done(task, _unexpected(error))))

    def _tried(self, task: _Task) -> _Done:
        try:
            done = self._ways[task.step](task.gitrepo)
        except ClusterError as error:
            return _Done(task, error)
        if done and task.step in (Step.HOLD, Step.RELEASE):
            self._duty.tell(Guarded(owner_of(task.gitrepo), task.step is Step.HOLD, task.why))
        return _Done(task)

    def _clear(self, gitrepo: GitRepo) -> None:
        """Delete its orphaned Pods, unless there is a pause."""
        refusal = self._duty.paused()
        if refusal is not None:
            self._duty.tell(GuardTrouble(owner_of(gitrepo), "clear", f"orphaned Pods are left: {refusal.text}"))
            return
        self._duty.farewell.clear(gitrepo, lambda: self._duty.stop() or self._duty.paused())

    def _done(self, done: _Done) -> None:
        owner = owner_of(done.task.gitrepo)
        if done.error is not None:
            self._duty.tell(GuardTrouble(owner, done.task.step.value, str(done.error)))
        ward = self.roster.ward(owner)
        if ward is None:
            return
        ward.under_way.discard(done.task.step)
        self.roster.open[owner] = ward
        # What we may not do to Pods now we will not be allowed to do in half a minute.
        if done.error is None or (done.task.step is Step.CLEAR and isinstance(done.error, Denied)):
            ward.done(done.task.step)
        else:
            ward.failed(done.task.step, self._clock.monotonic())


def _unexpected(error: Exception) -> ClusterError:
    # Only the kind of error: its text may hold what no log may hold.
    return ClusterError(f"unexpected {type(error).__name__}")
