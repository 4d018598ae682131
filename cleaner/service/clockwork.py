"""APScheduler, told what it would otherwise decide by itself; all it ever does is to tick."""

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from cleaner.durations import Seconds

HEARTBEAT: Seconds = 10.0
RETURNS: Seconds = 60.0


class Clockwork:
    """
    Ticks `start` at once, `interval` at every interval, and `returns` once a minute; `beat` tells that it still goes.

    A tick that comes late comes all the same (the library's default drops what is a second late), and several that were missed
    are one. Times are UTC: the library would look for the machine's time zone, which a container may not have.
    """

    def __init__(self, tick: Callable[[str], None], beat: Callable[[], None], interval: Seconds) -> None:
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._tick, self._trigger = tick, "start"
        add = self._scheduler.add_job
        # The library's first run would come one interval late.
        add(self._sweep, "interval", seconds=interval, next_run_time=datetime.now(UTC), id="sweep", name="sweep")
        add(tick, "interval", seconds=RETURNS, args=["returns"], id="returns", name="returns")
        add(beat, "interval", seconds=HEARTBEAT, id="beat", name="beat")

    def _sweep(self) -> None:
        trigger, self._trigger = self._trigger, "interval"
        self._tick(trigger)

    def start(self) -> None:
        """Start ticking."""
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=True)
