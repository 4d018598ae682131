"""How fast deletions may go: a token bucket that slows down when the server asks for it, and recovers."""

import threading

from cleaner.cluster import Clock
from cleaner.durations import Seconds

_FIRST_RATE = 100.0
_SLOWEST = 0.5
_RECOVERY = 1.05
_DEFAULT_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


class Throttle:
    """
    Requests per second over all workers; a rate of 0 is unbounded until the server first asks for patience.

    The clock is the monotonic one: a wall clock that jumps must neither stop nor flood.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._limit = rate or float("inf")
        self._rate = self._limit
        self._clock = clock
        self._lock = threading.Lock()
        self._next: Seconds = 0.0
        self._calm_at: Seconds = 0.0

    def wait(self) -> None:
        """Sleep until the next request may go."""
        delay = self._reserve()
        if delay > 0:
            self._clock.sleep(delay)

    def _reserve(self) -> Seconds:
        with self._lock:
            now = self._clock.monotonic()
            # Up to a second's worth may be caught up on after an idle moment, not more.
            start = max(self._next, now - min(1.0, 8 / self._rate))
            self._next = start + 1 / self._rate
            return start - now

    def paused(self) -> bool:
        """Whether the server has asked for patience, and its time is not over."""
        return self._clock.monotonic() < self._calm_at

    def slowed(self) -> bool:
        """Whether requests go slower than they are allowed to."""
        return self._rate < self._limit

    def slow_down(self, retry_after: Seconds | None = None) -> None:
        """Halve the rate, and send nothing for as long as the server asks, a minute at most; many pleas at once are one."""
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._calm_at:
                self._rate = max(_SLOWEST, (_FIRST_RATE if self._rate == float("inf") else self._rate) / 2)
            pause = _DEFAULT_PAUSE if retry_after is None else min(retry_after, _LONGEST_PAUSE)
            self._calm_at = now + pause
            self._next = max(self._next, self._calm_at)

    def recover(self) -> None:
        """Approach the limit again, a step for each request that went well."""
        if self._rate != self._limit:
            with self._lock:
                faster = self._rate * _RECOVERY
                self._rate = self._limit if faster >= min(self._limit, 10_000.0) else faster
