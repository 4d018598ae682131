"""Which of several replicas deletes: the holder of a Lease, for as long as its own clock proves it."""

import math
import random
import threading
from collections.abc import Callable
from typing import Self

import msgspec

from cleaner.cluster import Clock, ClusterError, Conflict, Lease, Leases, Refusal
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import Led, Observer

_JITTER = 0.2
_RELEASE: Seconds = 3.0
_GIVEN_BACK: Seconds = 1.0
"""The duration in a Lease that its holder has given back, ours as client-go's."""


class Term(msgspec.Struct, frozen=True):
    """
    The times of an election, in seconds.

    `duration`: how long a Lease must stand unchanged before another may take it. `deadline`: how long a renewal lets us lead; it
    is less, so that we have stopped before anybody else begins. `retry`: the time between two requests, and the limit of one.
    """

    duration: Seconds = 30.0
    deadline: Seconds = 20.0
    retry: Seconds = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.deadline < self.duration:
            raise ValueError(f"0 < retry < deadline < duration does not hold for {self}")

    @classmethod
    def of(cls, duration: Seconds) -> Self:
        """All three from the first: two thirds and one sixth of it."""
        return cls(duration, duration * 2 / 3, duration / 6)


class _Reign(msgspec.Struct, frozen=True):
    """When we lead, on our monotonic clock: from `begins` on, before `ends`. Replaced as a whole, so any thread may read it."""

    begins: Seconds = math.inf
    ends: Seconds = -math.inf


class _Sight(msgspec.Struct, frozen=True):
    """The Lease in one version (None: there is none), when we first saw that, and whether we wrote it."""

    lease: Lease | None
    since: Seconds
    ours: bool = False


class _Doubt(msgspec.Struct, frozen=True):
    """Requests to hold the Lease have had no answer; `made`: one of them was to make it."""

    made: bool


def _unproven(lease: Lease | None) -> bool:
    """Whether somebody may lead of whom the Lease tells nothing: it is not there, or names nobody and was not given back."""
    return lease is None or (not lease.holder and lease.duration != _GIVEN_BACK)


_NO_REIGN = _Reign()
_NOTHING_SEEN = _Sight(None, math.inf)


class Leader:
    """
    Asks for the Lease, again and again, in a thread of its own; whoever acts asks `brake` before each request.

    Why never two lead at once: we lead only until `deadline` after the moment just before our last proven request was sent, and
    another takes the Lease only after it has seen one version of it for `duration`, each by its own monotonic clock, so wall
    clocks may say what they like. A Lease that had to be made counts only `duration` after it was made: somebody may still lead
    by the one before it, which was deleted. So does one that names no holder and was not given back: whoever was struck out may
    not know it yet. Every write names the version that it replaces, so only one of two can succeed.
    """

    def __init__(
        self,
        leases: Leases,
        identity: str,
        term: Term,
        clock: Clock,
        tell: Observer,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._leases, self._identity, self._term, self._tell, self._jitter = leases, identity, term, tell, jitter
        self._monotonic = clock.monotonic
        self._stopping, self._ended = threading.Event(), False
        self._reign, self._sight = _NO_REIGN, _NOTHING_SEEN
        self._doubt: _Doubt | None = None
        self._sure = False
        self._problem = ""
        self._telling, self._told = threading.Lock(), False
        self.sign: Seconds = clock.monotonic()

    @property
    def leading(self) -> bool:
        """Whether we lead at this moment."""
        return self.brake() is None

    @property
    def patience(self) -> Seconds:
        """Seconds without a sign of life after which the loop counts as wedged: each of its requests is far shorter."""
        return max(60.0, 4 * self._term.duration)

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as we know; empty where nobody does."""
        lease = self._sight.lease
        return lease.holder[:253] if lease is not None else ""

    def brake(self) -> Refusal | None:
        """
        Whether we do not lead at this moment, and who does or why.

        It asks the clock and not the thread, which may be stuck in a request.
        """
        now, reign = self._monotonic(), self._reign
        if not self._ended and reign.begins <= now < reign.ends:
            return None
        return Refusal("leader", self._why_not(now, reign))

    def _why_not(self, now: Seconds, reign: _Reign) -> str:
        problem = f": {self._problem}" if self._problem else ""
        if self._ended:
            return "the Lease is given back"
        if now < reign.begins < math.inf and now < reign.ends:
            return f"the Lease was not there and is made anew: in {reign.begins - now:.0f}s nobody can lead by an older one"
        if self._sight.ours:
            return f"the Lease could not be renewed for {self._term.deadline:g}s{problem}"
        return f"{self.holder} leads{problem}" if self.holder else f"nobody leads yet{problem}"

    def run(self) -> None:
        """Take part in the election until stopped; no error ends it."""
        while not self._stopping.is_set():
            self._stopping.wait(guarded(self.beat, self._failed))

    def stop(self) -> None:
        """End the loop. What we hold is neither renewed nor given back by this."""
        self._stopping.set()

    def release(self, limit: Seconds = _RELEASE) -> None:
        """
        Cease to lead, and give the Lease back if we hold it, so that another need not wait: best effort.

        To be called when the last deletion has ended, for at that moment another may begin.
        """
        self._ended = True
        self.stop()
        until = self._monotonic() + limit
        sight = self._sight
        try:
            if sight.ours and sight.lease is not None:
                self._give_back(sight.lease, until)
            self._tell_change("the Lease is given back")
        except ClusterError as error:
            self._tell_change(f"the Lease could not be given back and has to expire: {error}")

    def _give_back(self, lease: Lease, until: Seconds) -> None:
        try:
            self._leases.release(lease, until - self._monotonic())
        except Conflict:
            # A renewal of ours that was under way came in between.
            found = self._leases.lease(max(0.1, until - self._monotonic()))
            if found is not None and found.holder == self._identity:
                self._leases.release(found, max(0.1, until - self._monotonic()))

    def beat(self) -> Seconds:
        """Take one turn, the loop's body: look, take or renew, tell. Return how long to rest."""
        self._tell_change()
        try:
            self._ask()
            self._problem = ""
        except ClusterError as error:
            self._problem = f"{type(error).__name__}: {error}"[:300]
            self._sure = False
        self._tell_change()
        self.sign = self._monotonic()
        return self._rest(self.sign)

    def _failed(self, error: Exception) -> Seconds:
        """An error that nobody foresaw: try again, but show no sign of life, so that health fails if it lasts."""
        self._problem, self._sure = f"unexpected {type(error).__name__}", False
        return self._term.retry

    def _ask(self) -> None:
        """Look if we are not sure of what is there, and hold it if we may; after a Conflict look again at once, but only once."""
        for _ in range(2):
            if not self._sure:
                self._look()
            if self._ended or not self._may_hold():
                return
            try:
                self._hold()
            except Conflict:
                self._sure = False
            else:
                return

    def _limit(self) -> Seconds:
        left = self._reign.ends - self._monotonic()
        return min(self._term.retry, left) if left > 0 else self._term.retry

    def _look(self) -> None:
        lease = self._leases.lease(self._limit())
        now, before = self._monotonic(), self._sight
        if lease is not None and before.lease is not None and lease.version == before.lease.version:
            self._sure = before.ours
            return
        doubt, named = self._doubt, lease is not None and lease.holder == self._identity
        # Who annotates the Lease makes a version, too: what was ours and names us still is, for others would write their name.
        ours = named and (before.ours or doubt is not None)
        self._sight, self._sure = _Sight(lease, now, ours), ours
        if ours and not before.ours and doubt is not None:
            # A request of ours came through though its answer did not. Only the renewal that follows proves until when we lead.
            self._reign = _Reign(now + self._term.duration if doubt.made else -math.inf)
        elif lease is not None and not ours:
            # Somebody else wrote it, or another process of our name: at this moment others may take it for theirs.
            self._reign = _NO_REIGN

    def _may_hold(self) -> bool:
        lease = self._sight.lease
        return lease is None or self._sight.ours or not lease.holder or self._monotonic() >= self._expiry()

    def _expiry(self) -> Seconds:
        """When the Lease in the version that we saw has stood for as long as its holder asked, and at least as long as we ask."""
        lease = self._sight.lease
        return self._sight.since + max(self._term.duration, lease.duration if lease is not None else 0)

    def _hold(self) -> None:
        sight, before, term = self._sight, self._doubt, self._term
        made, sent = _unproven(sight.lease), self._monotonic()
        begins = self._reign.begins if sight.ours else -math.inf
        self._doubt = _Doubt(made or (before is not None and before.made))
        try:
            lease = self._leases.hold(sight.lease, self._identity, term.duration, self._limit())
        except Conflict:
            self._doubt = before
            raise
        self._tell_change()  # an answer that came late must not hide that we had ceased to lead meanwhile
        now = self._monotonic()
        self._sight, self._doubt, self._sure = _Sight(lease, now, ours=True), None, True
        self._reign = _Reign(now + term.duration if made else begins, sent + term.deadline)

    def _rest(self, now: Seconds) -> Seconds:
        """Until the next turn: a retry, or less where something begins or ends before that."""
        rest = self._term.retry * (1 - _JITTER * self._jitter())
        moments = [self._reign.begins, self._reign.ends]
        if not self._sight.ours and self._sight.lease is not None and self._sight.lease.holder:
            moments.append(self._expiry())
        return min([rest, *(moment - now for moment in moments if moment > now)])

    def _tell_change(self, why: str = "") -> None:
        with self._telling:
            refusal = self.brake()
            if (refusal is None) != self._told:
                self._told = refusal is None
                self._tell(Led(self._told, self._identity if refusal is None else why or refusal.text))
