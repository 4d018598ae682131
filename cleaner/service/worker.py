"""The one thread that knows, decides and deletes; everything else only brings it news."""

import contextlib
import queue
from collections.abc import Sequence
from typing import NamedTuple

from cleaner.cluster import Kind
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import NamespaceRefused
from cleaner.model import Owner
from cleaner.service.agenda import Agenda
from cleaner.service.passes import Duty, Passes
from cleaner.service.readers import Changed, Listed, Message, Reader, Source
from cleaner.service.store import Store

IDLE: Seconds = 5.0
"""Longest wait for news, so that the worker shows that it lives."""

LULL: Seconds = 0.15
"""How long more news is let come in after the first, unless something is due before that."""

_BATCH = 1_000
_RELIST_EVERY: Seconds = 30.0
_RANK = {"": 0, "interval": 1, "start": 2, "leader": 3}


class Tick(NamedTuple):
    """The clockwork's word: sweep everything (`start`, `interval`, `leader`), or look for `returns`."""

    trigger: str


Inbox = queue.SimpleQueue[Message | Tick]


class Worker:
    """Reads its inbox, keeps the store current, and starts passes: over everything, or over what has changed or come due."""

    def __init__(self, duty: Duty, readers: Sequence[Reader], inbox: Inbox, interval: Seconds) -> None:
        self.ready = False
        # The plain loop acts on fresh lists alone: what it knows in between may be as old as its interval.
        self.watching = any(reader.watches for reader in readers)
        self._begun = False
        self._duty, self._clock, self._readers, self._inbox, self._interval = duty, duty.clock, readers, inbox, interval
        sources = [source for reader in readers for source in reader.sources]
        self._agenda = Agenda()
        self.store = Store(sources, duty.order.scope, duty.tell)
        self.passes = Passes(duty, self.store, self._agenda, lambda: any(reader.listing for reader in readers))
        self._wanted = ""
        self._asked = False
        self._awaited: dict[Source, int] = {}
        self._answers: dict[Source, int] = {}
        self._swept_at = self._clock.monotonic()
        self._relisted_at = float("-inf")

    @property
    def sign(self) -> Seconds:
        """When it last showed that it lives, on the monotonic clock."""
        return self.passes.sign

    def run(self) -> None:
        """Work until stopped; the thread's own work. No error ends it."""
        while self._duty.stop() is None:
            guarded(self._turn, self._unexpected)

    def _unexpected(self, error: Exception) -> None:
        # Only the kind of error and where: its text may hold what no log may hold.
        self._duty.tell(NamespaceRefused("", "judge", f"unexpected {type(error).__name__}: this is a bug", denied=False))
        # Whoever had a turn in what went wrong has lost it: all have one in a minute.
        self._swept_at = min(self._swept_at, self._clock.monotonic() - 2 * self._interval)
        self._clock.sleep(1.0)

    def _turn(self) -> None:
        self.passes.sign = self._clock.monotonic()
        self._hear(self._wait())
        self._mind_the_interval()
        self._list_jobs_if_wanted()
        if self._wanted and self._all_answered():
            self._everything()
        elif self._begun and self.watching:
            self._some()
            self.passes.look_at_brakes()

    def _wait(self) -> Seconds:
        """Seconds until the next pass, if no news comes before that."""
        monotonic = self._clock.monotonic()
        waits = [IDLE]
        if self._begun and self.watching and (ahead := self._agenda.wait(self._clock.now(), monotonic)) is not None:
            waits.append(ahead)
        if (held := self.passes.hold_until()) is not None:
            waits.append(max(0.05, held - monotonic))
        return min(waits)

    def _mind_the_interval(self) -> None:
        """Sweep although nobody has said so: the clockwork goes by wall time, which may be set back by a day."""
        if not self._wanted and self._clock.monotonic() - self._swept_at > 2 * self._interval + 60.0:
            self._want("interval")

    def _hear(self, wait: Seconds) -> None:
        """Take in the news: all there is by now, a batch at most; wait for the first if there is none."""
        with contextlib.suppress(queue.Empty):
            if wait > 0:
                self._take_in(self._inbox.get(timeout=wait))
                # Fleet writes into every GitRepo every 15 seconds: waking up for each would cost more than what they say.
                self._clock.sleep(max(0.0, min(LULL, self._wait())))
            for _ in range(_BATCH):
                self._take_in(self._inbox.get_nowait())

    def _take_in(self, message: Message | Tick) -> None:
        if isinstance(message, Tick):
            self._tick(message.trigger)
            return
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if isinstance(message, Changed):
            now = message.at
            dirty = self.store.changed(message)
            self._note_gone()
        else:
            dirty = self._listed(message) if isinstance(message, Listed) else self.store.failed(message)
            self._answers[message.source] = max(message.request, self._answers.get(message.source, 0))
        for owner in dirty:
            self._agenda.change(owner, now, monotonic)

    def _list_jobs_if_wanted(self) -> None:
        """Read the Jobs anew for a GitRepo that has just come into our scope; labels may flip as often as a tenant likes."""
        now = self._clock.monotonic()
        if self.store.wants_jobs and now - self._relisted_at >= _RELIST_EVERY:
            self.store.wants_jobs, self._relisted_at = False, now
            self._ask([reader for reader in self._readers if reader.sources[0].kind is Kind.JOBS])

    def _note_gone(self) -> None:
        gone, self.store.gone = self.store.gone, []
        for uid in gone:
            self.passes.seen_gone(uid)

    def _listed(self, message: Listed) -> set[Owner]:
        if self.store.recovers(message) and not self._wanted:
            self._wanted = "interval"  # nothing has to be read for it that has not been
        dirty = self.store.listed(message)
        if message.source.kind is Kind.JOBS:
            self.passes.seen_list()
        return dirty

    def _tick(self, trigger: str) -> None:
        if trigger == "returns":
            self.passes.look_for_returns(watching=self.watching)
        else:
            self._want(trigger)

    def _want(self, trigger: str) -> None:
        """Have everything read anew; several wishes before that is done are one."""
        if not self._asked:
            self._ask(self._readers)
        self._asked = True
        self._wanted = max(self._wanted, trigger, key=_RANK.__getitem__)

    def _ask(self, readers: Sequence[Reader]) -> None:
        for reader in readers:
            request = reader.ask()
            self._awaited.update(dict.fromkeys(reader.sources, request))

    def _all_answered(self) -> bool:
        return all(self._answers.get(source, 0) >= request for source, request in self._awaited.items())

    def _everything(self) -> None:
        (trigger, self._wanted), (anew, self._asked) = (self._wanted, ""), (self._asked, False)
        looked = self.store.looked()
        self.ready = self.ready or looked.parts > 0
        for refused in looked.refused:
            self._duty.tell(refused)
        self._begun = True
        self.passes.everything(trigger, self._between, anew=anew)
        self._swept_at = self._clock.monotonic()

    def _between(self) -> None:
        """Between two slices of a long sweep: hear the news, and let those have their turn whose Jobs have just come due."""
        self._hear(0.0)
        if self.watching:
            self._some()

    def _some(self) -> None:
        ready = self._agenda.take(self._clock.now(), self._clock.monotonic())
        if ready:
            self.passes.some(ready)
