"""One thread for each kind: it lists, then watches, and puts what it learns into the worker's inbox."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from cleaner.cluster import Clock, ClusterError, Denied, Expired, Kind, Stock, Stream, Unreachable, Watches, whole
from cleaner.durations import Seconds
from cleaner.fleet import Change, Page, Unreadable
from cleaner.guard import guarded
from cleaner.happened import Observer, WatchEnded
from cleaner.model import Moment

QUIET: Seconds = 90.0
"""Longest silence of a watch: the API sends a bookmark every minute, unless its own cache has heard nothing at all from etcd."""

_FIRST_BREATH: Seconds = 0.5
_LONGEST_BREATH: Seconds = 60.0


class Source(NamedTuple):
    """What is read: a kind, in one Namespace or (empty) in all."""

    kind: Kind
    namespace: str


class Listed(NamedTuple):
    """A source was read from the beginning, in answer to the `request`th time of being asked."""

    source: Source
    request: int
    facts: list[Any]
    unreadable: list[Unreadable]
    foreign: int


class Changed(NamedTuple):
    """What a watch brought, and when."""

    source: Source
    changes: list[Change[Any]]
    at: Moment


class Failed(NamedTuple):
    """A source could not be read."""

    source: Source
    request: int
    error: ClusterError


Message = Listed | Changed | Failed


class Wiring(NamedTuple):
    """What every reader is given."""

    stock: Stock
    watches: Watches
    clock: Clock
    tell: Observer
    put: Callable[[Message], None]


class Reader:
    """
    Reads its sources from the beginning whenever it is asked to; between that it watches, if it may and has only one.

    There is no second reader of a source, so what a list says and what a watch says come in the order in which they are true.
    """

    def __init__(self, sources: Sequence[Source], wiring: Wiring, *, watch: bool, quiet: Seconds = QUIET) -> None:
        self.sources = tuple(sources)
        self.watches = watch and len(self.sources) == 1
        self.sign = wiring.clock.monotonic()
        self.seen: Moment | None = None
        self.listing = False
        self._wiring, self._quiet = wiring, quiet
        self._bell = threading.Condition()
        self._requested = self._answered = 0
        self._stopped = False
        self._stream: Stream | None = None
        self._errors = self._vain = 0

    def ask(self) -> int:
        """Have everything read anew; return the number of the request."""
        with self._bell:
            self._requested += 1
            self._ring()
            return self._requested

    def stop(self) -> None:
        """End the thread; a read that blocks is woken."""
        with self._bell:
            self._stopped = True
            self._ring()

    def _ring(self) -> None:
        self._bell.notify_all()
        if self._stream is not None:
            self._stream.interrupt()

    def run(self) -> None:
        """Read until stopped; the thread's own work. No error ends it."""
        while not self._stopped:
            self._beat()
            guarded(self._round, self._unexpected)

    def _unexpected(self, error: Exception) -> None:
        # Only the kind of error: its text may hold what no log may hold. Whoever waits for an answer must have one.
        self.listing = False
        for source in self.sources:
            self._wiring.put(Failed(source, self._answered, ClusterError(f"unexpected {type(error).__name__}")))
        self._trouble()
        self._answered = 0

    def _round(self) -> None:
        """Read everything, and watch from there until that has to be done again."""
        self._wait_for_request()
        if self._stopped:
            return
        request = self._answered = self._requested
        version = self._read(request)
        if version is not None and self.watches:
            self._follow(self.sources[0], version)

    def _read(self, request: int) -> str | None:
        """Read all sources, and a part that fails again after a breath; return the last version, None if asked anew before."""
        left, version = list(self.sources), ""
        while left and not self._stopped and self._answered == self._requested:
            self.listing = True
            versions = [self._list(source, request) for source in left]
            self.listing = False
            failed = {source.namespace for source, found in zip(left, versions, strict=True) if found is None}
            left = [source for source in left if source.namespace in failed]
            version = versions[-1] or version
            if left:
                self._trouble()
        if left:
            return None
        self._errors = 0
        return version

    def _wait_for_request(self) -> None:
        with self._bell:
            while self._answered == self._requested and not self._stopped:
                self._beat()
                self._bell.wait(5.0)

    def _pause(self, seconds: Seconds) -> None:
        """Take a breath, which being asked does not cut short: an API in trouble is not to be pressed. A stop does."""
        until = self._wiring.clock.monotonic() + seconds
        with self._bell:
            while not self._stopped and (left := until - self._wiring.clock.monotonic()) > 0:
                self._beat()
                self._bell.wait(min(left, 5.0))

    def _beat(self) -> None:
        self.sign = self._wiring.clock.monotonic()

    def _list(self, source: Source, request: int) -> str | None:
        """Read a source from the beginning; return its version, or None if that failed."""
        try:
            facts, unreadable, foreign, version = whole(lambda: self._pages(source))
        except ClusterError as error:
            if not self._stopped:
                self._wiring.put(Failed(source, request, error))
            return None
        self.seen = self._wiring.clock.now()
        self._wiring.put(Listed(source, request, facts, unreadable, foreign))
        return version

    def _pages(self, source: Source) -> tuple[list[Any], list[Unreadable], int, str]:
        facts: list[Any] = []
        unreadable: list[Unreadable] = []
        foreign, version = 0, ""
        for page in _pages_of(self._wiring.stock, source):
            self._beat()
            facts += page.facts
            unreadable += page.unreadable
            foreign += page.foreign
            version = page.version
            if self._stopped:
                raise ClusterError("stopped while reading")
        return facts, unreadable, foreign, version

    def _follow(self, source: Source, version: str) -> None:
        """Watch, and watch again from where the last watch ended, until a list is asked for or needed."""
        stale = 0
        while not self._stopped and self._answered == self._requested and stale < 2:
            came = self._watch(source, version)
            # A watch that fails twice without a single change may fail at that very place for ever.
            stale = 0 if came.version != version or came.reason in ("closed", "silent") else stale + 1
            version = came.version
            if came.reason == "expired":
                break
        self._answered = 0

    def _watch(self, source: Source, version: str) -> "_Came":
        stream = self._wiring.watches.watch(source.kind, source.namespace, version, self._quiet)
        with self._bell:
            if self._stopped or self._answered != self._requested:
                return _Came(version, "closed")
            self._stream = stream
        reading = _Reading(version)
        try:
            for changes in stream:
                self._take_in(source, changes, reading)
        except ClusterError as error:
            return self._broke(source, reading, error)
        finally:
            with self._bell:
                self._stream = None
        return self._ended(source, reading)

    def _take_in(self, source: Source, changes: list[Change[Any]], reading: "_Reading") -> None:
        self._beat()
        self.seen = now = self._wiring.clock.now()
        self._vain = 0
        reading.came = True
        reading.version = next((change.version for change in reversed(changes) if change.version), reading.version)
        told = [change for change in changes if change.fact is not None or change.unreadable is not None]
        if told:
            self._wiring.put(Changed(source, told, now))

    def _ended(self, source: Source, reading: "_Reading") -> "_Came":
        if not self._stopped and self._answered == self._requested:
            self._wiring.tell(WatchEnded(source.kind.value, source.namespace, "closed"))
            # An end is no error, but a server that ends every watch at once must not be asked in a loop.
            self._pause_after_a_watch(reading)
        return _Came(reading.version, "closed")

    def _broke(self, source: Source, reading: "_Reading", error: ClusterError) -> "_Came":
        reason = _reason(error)
        reading.came |= reason == "silent"  # silence takes its time anyway, and is no error where nothing happens at all
        if not self._stopped:
            self._wiring.tell(WatchEnded(source.kind.value, source.namespace, reason, str(error)))
            self._pause_after_a_watch(reading)
        return _Came(reading.version, reason)

    def _pause_after_a_watch(self, reading: "_Reading") -> None:
        """Longer after each watch that brought nothing: lists between them work, and would be made in a loop."""
        self._vain = 0 if reading.came else self._vain + 1
        self._pause(_breath(self._vain))

    def _trouble(self) -> None:
        self._errors += 1
        self._pause(_breath(self._errors))


def _breath(count: int) -> Seconds:
    return min(_LONGEST_BREATH, _FIRST_BREATH * 2.0 ** min(max(count - 1, 0), 10))


class _Came(NamedTuple):
    """How a watch ended, and where the next one may go on."""

    version: str
    reason: str


class _Reading:
    """A watch under way, and whether anything came of it."""

    def __init__(self, version: str) -> None:
        self.version, self.came = version, False


def _reason(error: ClusterError) -> str:
    if isinstance(error, Expired):
        return "expired"
    if isinstance(error, Denied):
        return "denied"
    if isinstance(error, Unreachable):
        return "silent" if "silent" in str(error) else "broken"
    return "failed"


def _pages_of(stock: Stock, source: Source) -> Iterator[Page[Any]]:
    if source.kind is Kind.JOBS:
        return stock.jobs(source.namespace)
    if source.kind is Kind.GITREPOS:
        return stock.gitrepos(source.namespace)
    return stock.namespaces() if not source.namespace else _one_namespace(stock, source.namespace)


def _one_namespace(stock: Stock, name: str) -> Iterator[Page[Any]]:
    found = stock.namespace(name)
    if found is None:
        raise Denied("there is no such Namespace")
    yield Page([found], [], 0, "", "")
