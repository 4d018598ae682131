"""One look at everything that a command relies on."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from cleaner.cluster import Clock, ClusterError, Deletions, Denied, Gauges, Lease, Leases, Reviews, Stock
from cleaner.durations import Seconds, describe_duration
from cleaner.model import Fleet
from cleaner.preflight.contradictions import contradictions
from cleaner.preflight.fleets import Keeps, clean_up_line, fleet_lines
from cleaner.preflight.granted import Granted
from cleaner.preflight.lines import UNREACHABLE, Line, State, failed, fine, warning
from cleaner.rights import Use

STOPPED_BY_BRAKES = ("sweep", "run", "migrate")
"""Commands that a pause or a clock that is off stops as a whole."""

_PAUSED = (*STOPPED_BY_BRAKES, "guard")
_JUDGING = (*STOPPED_BY_BRAKES, "explain", "retry")
_REFUSED, _BRAKED, _SETTINGS = 3, 5, 2
_PRECEDENCE = (_SETTINGS, UNREACHABLE, _REFUSED, _BRAKED, 1)
_LEASE_LIMIT: Seconds = 10.0


class Around(Stock, Deletions, Gauges, Reviews, Protocol):
    """What checking asks of a cluster."""


class Terms(msgspec.Struct, frozen=True):
    """
    What is to be checked. `scope` says in words what is looked after; `faults` are settings that the command would refuse.

    `lease` is the name of the Lease of its election.
    """

    use: Use
    scope: str
    clock_bound: Seconds
    faults: tuple[str, ...] = ()
    keeps: Keeps = Keeps()
    lease: str = ""


class Checked(msgspec.Struct, frozen=True):
    """All lines, in order, and what is told of the cluster beside them, as far as it is known."""

    lines: list[Line]
    user: str = ""
    kubernetes: str = ""
    fleet: Fleet | None = None

    def exit_code(self) -> int:
        """Tell the process's exit code: the first of 2, 4, 3, 5 and 1 for which a line failed, else 0."""
        codes = {line.code for line in self.lines if line.state is State.FAILED}
        return next((code for code in _PRECEDENCE if code in codes), 0)


class Preflight:
    """Asks, and changes nothing; what cannot be seen is a line of its own and stops nothing else."""

    def __init__(
        self, cluster: Around, leases: Leases, terms: Terms, clock: Clock, not_ready: Callable[[], str] | None = None
    ) -> None:
        """With a Pushgateway, `not_ready` asks it, and tells why it would not take what is pushed, if it would not."""
        self._cluster, self._leases, self._terms, self._clock = cluster, leases, terms, clock
        self._not_ready = not_ready
        self._use = terms.use
        self._user = self._kubernetes = ""
        self._missing: set[str] = set()
        self._fleet: Fleet | None = None

    def check(self) -> Checked:
        """Look at everything, in the order in which the lines are read."""
        lines = [*self._settings(), *self._everything(), *self._pushgateway()]
        return Checked(lines, self._user, self._kubernetes, self._fleet)

    def _settings(self) -> Iterator[Line]:
        dry = ", dry run" if self._use.dry_run else ""
        yield fine("settings", f"{self._use.command} looks after {self._terms.scope}{dry}")
        yield from (failed("settings", fault, code=_SETTINGS) for fault in self._terms.faults)
        yield from contradictions(self._use)

    def _everything(self) -> Iterator[Line]:
        try:
            api = self._cluster.api()
        except ClusterError as error:
            code = _REFUSED if isinstance(error, Denied) else UNREACHABLE
            yield failed("server", f"the API cannot be reached: {error}", "look at the context and the server above", code)
            return
        self._kubernetes = api.version
        yield fine("server", f"Kubernetes {api.version}" if api.version else "it answers, and does not tell its version")
        yield self._account()
        yield self._time()
        yield _gitrepos(served=api.gitrepos)
        yield from self._namespaces()
        granted = Granted(self._cluster, self._use)
        yield from granted.lines()
        if granted.everything_is_refused():
            yield failed("rights", "everything that is needed is refused", "is this the right context and account?", _REFUSED)
        yield from self._fleets()
        yield from self._brakes(granted)
        if self._use.elects and granted.may_read("leases"):
            yield self._lease()
        if self._use.command == "run" and not self._use.elects:
            advice = "in a Pod there is one unless leader_election is false: --leader-election checks what it needs"
            yield fine("lease", "there is no election", advice)

    def _pushgateway(self) -> Iterator[Line]:
        if self._not_ready is None:
            return
        problem = self._not_ready()
        if problem:
            yield warning("pushgateway", f"it is not ready: {problem}", "the run goes on without; what it came to is not pushed")
        else:
            yield fine("pushgateway", "it is ready")

    def _account(self) -> Line:
        try:
            self._user = self._cluster.who()
        except ClusterError as error:
            return fine("account", f"the API does not say who we are: {error}")
        return fine("account", self._user)

    def _time(self) -> Line:
        skew, bound = self._cluster.skew(), self._terms.clock_bound
        stops = self._use.command in STOPPED_BY_BRAKES
        if skew is not None and abs(skew) <= bound:
            return fine("clock", f"our clock and the API's differ by {abs(skew):.0f}s, {bound:.0f}s are allowed")
        if skew is None:
            found = "the API's answers carry no date to hold our clock against"
        else:
            found = f"our clock and the API's differ by {abs(skew):.0f}s, more than {bound:.0f}s"
        found += ": nothing would be deleted" if stops else ""
        advice = "set both clocks right (NTP); clock_bound is how far they may differ"
        return failed("clock", found, advice, _BRAKED) if stops else warning("clock", found, advice)

    def _namespaces(self) -> Iterator[Line]:
        """Tell of the Namespaces that are named: those that are there in one line, each other in one of its own."""
        there: list[str] = []
        own = self._use.own_namespace if self._use.command in _PAUSED else ""
        for name in dict.fromkeys((*(self._use.namespaces or ()), *filter(None, [own]))):
            setting = "own_namespace" if name == self._use.own_namespace else "namespaces"
            try:
                if self._cluster.namespace(name) is None:
                    self._missing.add(name)
                    # Services tell of it, and go on with the others.
                    state = warning if self._use.command in ("run", "guard") and name != own else failed
                    yield state("namespace", f"there is no Namespace {name}", f"make it, or set {setting} right")
                else:
                    there.append(name)
            except ClusterError as error:
                yield warning("namespace", f"whether Namespace {name} is there cannot be seen: {error}")
        if there:
            yield fine("namespace", f"{', '.join(there[:10])}{f' and {len(there) - 10} more' if there[10:] else ''}: there")

    def _fleets(self) -> Iterator[Line]:
        if self._use.command in _JUDGING:
            self._fleet = self._cluster.fleet()
            yield from fleet_lines(self._fleet, self._use)
        if self._use.command in STOPPED_BY_BRAKES:
            yield clean_up_line(self._cluster, self._terms.keeps)

    def _brakes(self, granted: Granted) -> Iterator[Line]:
        """Tell of a pause, where one is looked for and could be read: a Namespace or a right that is missing has been told."""
        if self._use.command not in _PAUSED or self._use.own_namespace in self._missing:
            return
        if not self._use.own_namespace:
            yield fine("pause", "there is no place for one", "own_namespace names where gitjob-cleaner/pause would stop it")
            return
        if not (granted.may_read("leases") and granted.may_read("namespaces")):
            return
        refusal = self._cluster.paused()
        if refusal is None:
            yield fine("pause", f"there is none on Namespace {self._use.own_namespace} or on its Lease {self._use.lease}")
        elif self._use.command in STOPPED_BY_BRAKES:
            yield failed("pause", refusal.text, "nothing is deleted until that annotation is gone", _BRAKED)
        else:
            yield warning("pause", refusal.text, "orphaned Pods stay until that annotation is gone")

    def _lease(self) -> Line:
        name = f"Lease {self._use.own_namespace}/{self._terms.lease}"
        try:
            lease = self._leases.lease(_LEASE_LIMIT)
        except ClusterError as error:
            return warning("lease", f"{name} cannot be read: {error}")
        if lease is None:
            return fine("lease", f"{name} is not there yet: the first start makes it, and waits one lease_duration")
        if not lease.holder:
            return fine("lease", f"nobody holds {name}")
        return self._held(name, lease)

    def _held(self, name: str, lease: Lease) -> Line:
        if lease.renewed is None:
            return warning("lease", f"{lease.holder} holds {name}, and has never renewed it")
        age = self._clock.now() + (self._cluster.skew() or 0.0) - lease.renewed
        if age <= max(lease.duration, 1.0):
            return fine("lease", f"{lease.holder} holds {name} and renews it: whoever starts now stands by")
        found = f"{lease.holder} holds {name}, and last renewed it {describe_duration(age)} ago"
        return warning("lease", found, "another takes it over once it has stood unrenewed for its duration")


def _gitrepos(*, served: bool | None) -> Line:
    if served is None:
        return warning("gitrepos", "whether GitRepos are served cannot be seen: the API does not tell us what it serves")
    if served:
        return fine("gitrepos", "gitrepos.fleet.cattle.io are served")
    return failed("gitrepos", "gitrepos.fleet.cattle.io are not served", "install Fleet: only its upstream cluster has them")
