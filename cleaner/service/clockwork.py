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
        add = self._scheduler.add_job
        add(tick, "date", run_date=datetime.now(UTC), args=["start"], id="start", name="start")
        add(tick, "interval", seconds=interval, args=["interval"], id="interval", name="interval")
        add(tick, "interval", seconds=RETURNS, args=["returns"], id="returns", name="returns")
        add(beat, "interval", seconds=HEARTBEAT, id="beat", name="beat")

    def start(self) -> None:
        """Start ticking."""
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=True)
