"""Writes Kubernetes Events in a thread of its own, so that nothing ever waits for them."""

import queue
import threading
from collections import OrderedDict

from cleaner.announce.tallies import FAILED, Tally, presentable
from cleaner.cluster import Announcement, Clock, ClusterError, Events
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import AnnouncementsDropped, Attempted, Happened, Observer, Swept
from cleaner.model import Owner

WAITING = 256
"""Announcements that may wait; what does not fit is dropped."""

_PACE: Seconds = 0.1
_QUIET: Seconds = 300.0
_DROPS_TOLD_EVERY: Seconds = 10.0
_LAST_WORDS: Seconds = 2.0
_REMEMBERED = 4096


class Announcer:
    """
    An observer that makes at most one announcement of a kind for each GitRepo and pass, and sends it, best effort.

    The worker's thread tallies and never waits; `run` sends, ten in a second at most. In a dry run nothing is announced.
    """

    def __init__(self, events: Events, clock: Clock, tell: Observer, *, dry_run: bool = False) -> None:
        self._events, self._monotonic, self._tell, self._dry_run = events, clock.monotonic, tell, dry_run
        self._tallies: dict[Owner, Tally] = {}
        self._failed_at: OrderedDict[Owner, Seconds] = OrderedDict()
        self._queue: queue.Queue[Announcement] = queue.Queue(WAITING)
        self._stopping, self._news = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._dropped, self._why, self._told_at = 0, "", float("-inf")

    def __call__(self, happened: Happened) -> None:
        """Count what happened; when a pass has ended, have it announced."""
        if self._dry_run:
            return
        if isinstance(happened, Attempted):
            self._tallies.setdefault(happened.verdict.job.owner, Tally()).note(happened)
        elif isinstance(happened, Swept):
            self._announce()

    def _announce(self) -> None:
        """Put all that was tallied on the queue, failures first: if something must be dropped, then rather good news."""
        tallies, self._tallies = self._tallies, {}
        failures = [found for owner, tally in tallies.items() if (found := tally.failed(owner)) and self._is_news(owner)]
        for announcement in failures + [found for owner, tally in tallies.items() if (found := tally.cleaned(owner))]:
            try:
                self._queue.put_nowait(announcement)
            except queue.Full:
                self._drop(1, f"more than {WAITING} were waiting")
                if announcement.reason == FAILED:
                    self._failed_at.pop(announcement.gitrepo, None)
        self._news.set()

    def _is_news(self, gitrepo: Owner) -> bool:
        """Whether its failures were not announced a moment ago already; a pass that fails is repeated soon."""
        now = self._monotonic()
        if now - self._failed_at.get(gitrepo, float("-inf")) < _QUIET:
            return False
        self._failed_at[gitrepo] = now
        self._failed_at.move_to_end(gitrepo)
        if len(self._failed_at) > _REMEMBERED:
            self._failed_at.popitem(last=False)
        return True

    def run(self) -> None:
        """Send until stopped, then what is left, within two seconds."""
        while not self._stopping.is_set():
            self._news.clear()
            if guarded(self.send, self._unexpected):
                self._stopping.wait(_PACE)
            elif not self._stopping.is_set():
                self._news.wait(_DROPS_TOLD_EVERY)
        self._last_words()

    def stop(self) -> None:
        """End the loop."""
        self._stopping.set()
        self._news.set()

    def send(self) -> bool:
        """Send the next announcement, if one waits, and tell what was dropped, if that is due; return whether one waited."""
        self._tell_dropped()
        try:
            announcement = self._queue.get_nowait()
        except queue.Empty:
            return False
        try:
            self._events.announce(announcement)
        except ClusterError as error:
            self._drop(1, presentable(f"{type(error).__name__}: {error}"))
        return True

    def _unexpected(self, error: Exception) -> bool:
        self._drop(1, f"unexpected {type(error).__name__}")
        return True

    def _last_words(self) -> None:
        until = self._monotonic() + _LAST_WORDS
        while self._monotonic() < until and guarded(self.send, self._unexpected):
            threading.Event().wait(_PACE)
        left = self._queue.qsize()
        if left:
            self._drop(left, "the process ends")
        self._told_at = float("-inf")
        self._tell_dropped()

    def _drop(self, count: int, why: str) -> None:
        with self._lock:
            self._dropped, self._why = self._dropped + count, why

    def _tell_dropped(self) -> None:
        """Tell the sum of what was dropped, once in ten seconds at most."""
        now = self._monotonic()
        with self._lock:
            if not self._dropped or now - self._told_at < _DROPS_TOLD_EVERY:
                return
            count, why, self._dropped, self._told_at = self._dropped, self._why, 0, now
        self._tell(AnnouncementsDropped(count, why))
