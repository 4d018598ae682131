"""`gitjob-cleaner guard` and `gitjob-cleaner release`: the component that holds GitRepos which are deleted, and its undoing."""

import sys
from collections.abc import Sequence

from cleaner import __version__
from cleaner.cli.asking import agreed
from cleaner.cli.serve import PATIENCE, listen
from cleaner.cli.wiring import Stop, cluster_of, observed_by, own_namespace_of
from cleaner.cluster import Brake
from cleaner.durations import Seconds
from cleaner.happened import Observer
from cleaner.kube import Connection, KubeCluster
from cleaner.logs import Log, route_standard_logging
from cleaner.metrics import GuardMetrics
from cleaner.model import Owner
from cleaner.report.wording import printable
from cleaner.result import PodResult
from cleaner.scope import Scope, parse_selector
from cleaner.service.farewell import Farewell
from cleaner.service.guardian import Duty, Guardian, Watchfulness
from cleaner.service.releasing import Releases, Releasing
from cleaner.settings import Settings
from cleaner.settings.checks import parse_address
from cleaner.settings.load import BadSettings
from cleaner.sweep.pods import clear_orphaned_pods
from cleaner.web import Server, probes

_SHOWN = 20
_SOON: Seconds = 3.0
"""How long a guard that runs is given to put a finalizer back, so that `release` sees it."""


def guard(settings: Settings) -> int:
    """
    Guard until SIGTERM or SIGINT; 0 then.

    Raises:
        BadSettings: a dry run, or an address that cannot be had.
        Misconfigured: the client's configuration cannot be used.

    """
    if settings.dry_run:
        raise BadSettings(["dry_run: guard has none, for what it holds must be let go in earnest"])
    stop = Stop()
    stop.listen()
    log = Log(sys.stderr, settings.log_level or "info", settings.log_format or ("console" if sys.stderr.isatty() else "json"))
    observers: list[Observer] = [log]
    tell = observed_by(observers, log.observer_failed)
    connection, cluster = cluster_of(settings, "guard", stop.clock(), tell)
    if settings.guard and not agreed(settings, connection, "Put a finalizer on the GitRepos", stop):
        return 0
    guardian = wired(settings, cluster, stop, tell)
    metrics = GuardMetrics(__version__, guardian.roster.counts, lambda: guardian.roster.ready)
    observers.append(metrics)
    answers = probes(metrics.exposition, guardian.ailing, lambda: guardian.roster.ready)
    server = Server(parse_address(settings.listen), answers, log.observer_failed)
    _serve(settings, connection, guardian, server, stop, log)
    return 0


def _serve(settings: Settings, connection: Connection, guardian: Guardian, server: Server, stop: Stop, log: Log) -> None:
    """Start everything, wait for the stop, and end everything."""
    undo = route_standard_logging(log)
    try:
        listen(server, settings.listen)
        _say(settings, connection, server, log)
        guardian.start()
        stop.wait()
        in_time = guardian.stop(PATIENCE)
        server.stop()
        connection.close()
        log.say("stopped", in_time=in_time)
    finally:
        undo()


def wired(settings: Settings, cluster: KubeCluster, stop: Stop, tell: Observer) -> Guardian:
    """Wire the guard."""
    scope = Scope(settings.namespaces, settings.exclude_namespaces, parse_selector(settings.selector))
    clock = stop.clock()

    def clear(gitrepo: Owner, brake: Brake) -> PodResult:
        return clear_orphaned_pods(cluster, gitrepo, clock, tell, brake, settings.clock_bound)

    farewell = Farewell(cluster, clear, tell, events=settings.events)
    duty = Duty(cluster, farewell, scope, clock, tell, stop, cluster.paused)
    how = Watchfulness(settings.guard, settings.interval, patience=5 * settings.request_timeout + 120.0)
    return Guardian(duty, how)


def _say(settings: Settings, connection: Connection, server: Server, log: Log) -> None:
    log.say(
        "guarding" if settings.guard else "letting go",
        version=__version__,
        context=connection.where.context,
        server=connection.where.server,
        namespaces=list(settings.namespaces) or "all",
        pause=own_namespace_of(settings) or "nowhere",
        port=server.port,
    )


def release(settings: Settings) -> int:
    """
    Take our finalizer off every GitRepo of the Namespaces that are named, or of all; the exit code (0, 1, 3 or 4).

    Raises:
        Misconfigured: the client's configuration cannot be used.

    """
    stop = Stop()
    stop.listen()
    log = Log(sys.stderr, settings.log_level, settings.log_format)
    connection, cluster = cluster_of(settings, "release", stop.clock())
    releasing = Releasing(cluster, settings.namespaces, observed_by([log], log.observer_failed), stop)
    where = connection.where
    dry = " (dry run)" if settings.dry_run else ""
    _write(f"gitjob-cleaner release {__version__}{dry} in context {where.context} ({where.server})")
    found = releasing.find()
    if found and not agreed(settings, connection, f"Take our finalizer off {len(found)} GitRepos", stop):
        stop.pull("the question was not answered with yes")
    releasing.release(found)
    if releasing.came_to.released and not settings.dry_run:
        stop.clock().sleep(_SOON)
        releasing.look_again()
    connection.close()
    _tell(releasing.came_to, len(found), dry_run=settings.dry_run)
    return releasing.came_to.exit_code()


def _tell(came_to: Releases, found: int, *, dry_run: bool) -> None:
    verb = "would be released" if dry_run else "released"
    _write(f"{len(came_to.released)} of {found} GitRepos with our finalizer {verb}{_named(came_to.released)}")
    for words, paths in (
        ("could not be released", came_to.failed),
        ("carry it again: a guard still runs, stop it first", came_to.again),
        ("cannot be read: look at their finalizers", came_to.unreadable),
    ):
        if paths:
            _write(f"{len(paths)} {words}{_named(paths)}")
    for refused in came_to.refused:
        _write(f"{refused.namespace or 'the cluster'} could not be listed: {refused.problem}")


def _named(paths: Sequence[str]) -> str:
    """The first of some names, after a colon; nothing for none."""
    more = ", …" if len(paths) > _SHOWN else ""
    return f": {', '.join(paths[:_SHOWN])}{more}" if paths else ""


def _write(text: str) -> None:
    sys.stdout.write(printable(text, 2000) + "\n")
