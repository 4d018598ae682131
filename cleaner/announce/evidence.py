"""Keeps the error of a Job when it fails, with the end of its log: later Fleet may have deleted both."""

import queue
import threading
from typing import Protocol

from cleaner.cluster import Brake, Clock, ClusterError, Denied, Events, Pods
from cleaner.durations import Seconds
from cleaner.failures import Witnesses, keeping, kept_in, testimony
from cleaner.guard import guarded
from cleaner.happened import AnnouncementsDropped, ErrorKept, Finished, Happened, Observer
from cleaner.masking import masked, masked_lines
from cleaner.model import Job, Outcome, Pod

WAITING = 256
"""Failed Jobs that may wait; what does not fit is dropped."""

LINES, BYTES = 20, 2048
"""How much of the end of a log is kept."""

_PACE: Seconds = 0.1
_IDLE: Seconds = 5.0
_LAST_WORDS: Seconds = 2.0


class Source(Pods, Witnesses, Events, Protocol):
    """What taking evidence needs of a cluster."""


class Evidence:
    """
    An observer that notes which Jobs fail; `run`, in a thread of its own, looks why and keeps that, best effort.

    Only the leader does: `led` refuses where we are not. What cannot be read for want of a right is told once, until it can.
    """

    def __init__(self, source: Source, clock: Clock, tell: Observer, led: Brake) -> None:
        self._source, self._monotonic, self._tell, self._led = source, clock.monotonic, tell, led
        self._queue: queue.Queue[Job] = queue.Queue(WAITING)
        self._stopping, self._news = threading.Event(), threading.Event()
        self._denied: set[tuple[str, str]] = set()
        self._dropped, self._lock = 0, threading.Lock()

    def __call__(self, happened: Happened) -> None:
        """Note a failed Job."""
        if not isinstance(happened, Finished) or happened.job.outcome is not Outcome.FAILED or self._led() is not None:
            return
        try:
            self._queue.put_nowait(happened.job)
        except queue.Full:
            with self._lock:
                self._dropped += 1
        self._news.set()

    def run(self) -> None:
        """Take evidence until stopped, then of what is left, within two seconds."""
        while not self._stopping.is_set():
            self._news.clear()
            if guarded(self.take, self._unexpected):
                self._stopping.wait(_PACE)
            elif not self._stopping.is_set():
                self._news.wait(_IDLE)
        until = self._monotonic() + _LAST_WORDS
        while self._monotonic() < until and guarded(self.take, self._unexpected):
            pass
        self._drop(self._queue.qsize(), "the process ends")

    def stop(self) -> None:
        """End the loop."""
        self._stopping.set()
        self._news.set()

    def take(self) -> bool:
        """Take the evidence of the next failed Job, if one waits; return whether one did."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        self._drop(dropped, f"more than {WAITING} failed Jobs were waiting")
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return False
        if self._led() is None:
            self._take(job)
        return True

    def _take(self, job: Job) -> None:
        try:
            text, pod = testimony(self._source, job)
        except ClusterError as error:
            self._missed(job, "read pods", error)
            return
        self._denied.discard((job.namespace, "read pods"))
        announcement, lines, problem = keeping(job, text), self._lines(job, pod), ""
        try:
            self._source.announce(announcement)
            self._denied.discard((job.namespace, "create events"))
        except ClusterError as error:
            problem = masked(str(error))
            self._missed(job, "create events", error)
        self._tell(ErrorKept(job, kept_in(announcement.message)[2], lines, problem))

    def _lines(self, job: Job, pod: Pod | None) -> tuple[str, ...]:
        """The last lines of the log, within their bounds; none where there is none, or none to be read."""
        try:
            text = self._source.log_of(pod, LINES, BYTES) if pod else ""
        except Denied as error:
            self._missed(job, "read logs", error)
            return ()
        except ClusterError:
            return ()
        self._denied.discard((job.namespace, "read logs"))
        return tuple(masked_lines(text)[-LINES:])

    def _missed(self, job: Job, what: str, error: ClusterError) -> None:
        key = (job.namespace, what)
        if isinstance(error, Denied):
            if key in self._denied:
                return
            self._denied.add(key)
        self._drop(1, f"evidence: may not {what} in {job.namespace}: {masked(str(error))}"[:300])

    def _unexpected(self, error: Exception) -> bool:
        self._drop(1, f"evidence: unexpected {type(error).__name__}")
        return True

    def _drop(self, count: int, why: str) -> None:
        if count:
            self._tell(AnnouncementsDropped(count, why))
