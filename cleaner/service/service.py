"""The service as a whole: its threads, how they begin and end, and whether they are well."""

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from cleaner.cluster import Kind, Refusal, Watches
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import Happened, Led
from cleaner.scope import Scope
from cleaner.service.clockwork import HEARTBEAT, Clockwork
from cleaner.service.leader import Leader
from cleaner.service.passes import Duty
from cleaner.service.readers import QUIET, Reader, Source, Wiring
from cleaner.service.worker import Inbox, Tick, Worker
from cleaner.snapshot import Snapshot, Vitals

MOST_WATCHED = 16
"""Named Namespaces up to which each is watched: beyond that, two connections for each would be too many."""


class Shape(NamedTuple):
    """
    How the service is to run. Seconds.

    `patience` is the longest that a thread may be silent before it counts as wedged: longer than any request with its retries.
    """

    interval: Seconds = 900.0
    watch: bool = True
    quiet: Seconds = QUIET
    patience: Seconds = 600.0


class Service:
    """Readers, worker, clockwork and leader; made, started once, and stopped."""

    def __init__(self, duty: Duty, watches: Watches, shape: Shape, leader: Leader | None) -> None:
        self._clock, self._shape, self._leader = duty.clock, shape, leader
        self._dry_run, self._throttled = duty.order.dry_run, duty.cluster.throttled
        self._inbox: Inbox = queue.SimpleQueue()
        wiring = Wiring(duty.cluster, watches, duty.clock, duty.tell, self._inbox.put)
        self.readers = readers_for(duty.order.scope, wiring, shape)
        self.worker = Worker(duty, self.readers, self._inbox, shape.interval)
        self._clockwork = Clockwork(self.tick, self._beat, shape.interval)
        self._beaten = duty.clock.monotonic()
        self._threads: list[threading.Thread] = []
        self._employed: list[tuple[str, Callable[[], None], Callable[[], None]]] = []

    def hear(self, happened: Happened) -> None:
        """Observe: who begins to lead sweeps everything at once."""
        if isinstance(happened, Led) and happened.leading:
            self.tick("leader")

    def tick(self, trigger: str) -> None:
        """Have everything swept, for the reason given."""
        self._inbox.put(Tick(trigger))

    def employ(self, name: str, work: Callable[[], None], stop: Callable[[], None]) -> None:
        """Have another thread start with ours; it is stopped when nothing more can happen that it would be told of."""
        self._employed.append((name, work, stop))

    def _beat(self) -> None:
        self._beaten = self._clock.monotonic()

    def start(self) -> None:
        """Start all threads; returns at once."""
        for n, reader in enumerate(self.readers):
            self._launch(f"reader-{n}", reader.run)
        self._launch("worker", self.worker.run)
        if self._leader is not None:
            self._launch("leader", self._leader.run)
        for name, work, _ in self._employed:
            self._launch(name, work)
        self._clockwork.start()

    def _launch(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=lambda: guarded(work, self._died), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _died(self, error: Exception) -> None:
        # Its sign of life ends here, so /healthz will tell; what it was is told in the log.
        threading.excepthook(threading.ExceptHookArgs((type(error), error, None, threading.current_thread())))

    def stop(self, patience: Seconds) -> bool:
        """
        End all threads, after the brake has been pulled; give the Lease back once the last deletion has ended.

        Returns whether all ended in time; a thread that did not is left to the end of the process.
        """
        until = self._clock.monotonic() + patience
        self._clockwork.stop()
        for reader in self.readers:
            reader.stop()
        self._inbox.put(Tick("returns"))  # wakes the worker
        worker = next(thread for thread in self._threads if thread.name == "worker")
        worker.join(max(0.0, until - self._clock.monotonic()))
        if self._leader is not None:
            self._leader.stop()
            if not worker.is_alive():
                self._leader.release()
        for _, _, stop in self._employed:
            stop()
        for thread in self._threads:
            thread.join(max(0.1, until - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def watching(self) -> bool:
        """Whether there is a watch between the sweeps."""
        return self.worker.watching

    def snapshot(self) -> Snapshot:
        """Return what was last published."""
        return self.worker.passes.board.snapshot

    def vitals(self) -> Vitals:
        """Tell how the process is at this moment."""
        held = self.worker.passes.held
        return Vitals(
            leading=None if self._leader is None else self._leader.leading,
            holder="" if self._leader is None else self._leader.holder,
            ready=self.worker.ready,
            paused=held is not None and held.brake == "pause",
            throttled=self._throttled(),
            dry_run=self._dry_run,
            signs={
                (reader.sources[0].kind.value, reader.sources[0].namespace): reader.seen
                for reader in self.readers
                if reader.watches and reader.seen is not None
            },
            ailing=tuple(self._ailing()),
        )

    def _ailing(self) -> list[str]:
        now, patience = self._clock.monotonic(), self._shape.patience
        signs = {f"reader of {_name(reader)}": (reader.sign, patience) for reader in self.readers}
        signs["worker"] = (self.worker.sign, patience)
        signs["clockwork"] = (self._beaten, 6 * HEARTBEAT)
        if self._leader is not None:
            signs["leader"] = (self._leader.sign, min(patience, self._leader.patience))
        return [f"{name}: no sign of life for {now - at:.0f}s" for name, (at, limit) in signs.items() if now - at > limit]


def _name(reader: Reader) -> str:
    kinds = sorted({source.kind.value for source in reader.sources})
    return ", ".join(kinds) + (
        f" in {reader.sources[0].namespace}" if len(reader.sources) == 1 and reader.sources[0].namespace else ""
    )


def readers_for(scope: Scope, wiring: Wiring, shape: Shape) -> list[Reader]:
    """Return a reader for each kind and part that is watched; without a watch, one that reads them all in turn."""
    names = [name for name in scope.namespaces if scope.covers_namespace(name)] if scope.namespaces else [""]
    if not shape.watch or len(names) > MOST_WATCHED:
        return [Reader([Source(kind, name) for name in names for kind in Kind], wiring, watch=False)]
    readers = [
        Reader([Source(kind, name)], wiring, watch=True, quiet=shape.quiet)
        for name in names
        for kind in (Kind.GITREPOS, Kind.JOBS)
    ]
    # A single Namespace is got by its name: with a Role alone nobody may watch it.
    everywhere = not scope.namespaces
    return [*readers, Reader([Source(Kind.NAMESPACES, name) for name in names], wiring, watch=everywhere, quiet=shape.quiet)]


def unelected() -> Refusal | None:
    """The brake of a service that has no election: it always leads."""
    return None
