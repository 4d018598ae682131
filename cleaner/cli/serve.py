"""`gitjob-cleaner run`: wires the service, its observers and its HTTP side, and lives until a signal comes."""

import os
import socket
import sys
from typing import NamedTuple

from cleaner import __version__
from cleaner.announce import Announcer, Evidence, Recall
from cleaner.cli.asking import agreed
from cleaner.cli.wiring import Stop, cluster_of, identity, in_a_pod, observed_by, order_of, own_namespace_of
from cleaner.happened import Observer
from cleaner.kube import Connection, KubeCluster
from cleaner.logs import Log, route_standard_logging
from cleaner.metrics import Metrics
from cleaner.service.leader import Leader, Term
from cleaner.service.passes import Duty
from cleaner.service.service import MOST_WATCHED, Service, Shape, unelected
from cleaner.settings import Settings
from cleaner.settings.checks import parse_address
from cleaner.settings.load import BadSettings
from cleaner.web import History, Server, StatusPage, routes

PATIENCE = 5.0
"""Seconds that what is under way has to finish after a signal: Kubernetes' own patience is thirty, ours ends within ten."""


class Serving(NamedTuple):
    """A service with its HTTP side, wired and not started."""

    service: Service
    server: Server
    connection: Connection
    cluster: KubeCluster

    def version(self) -> str:
        """Fleet's version, as far as it can be seen."""
        return self.cluster.fleet().version


def run(settings: Settings) -> int:
    """
    Serve until SIGTERM or SIGINT; 0 then.

    Raises:
        BadSettings: an election without a place for its Lease, or an address that cannot be had.
        Misconfigured: the client's configuration cannot be used.

    """
    stop = Stop()
    stop.listen()
    log = Log(sys.stderr, settings.log_level or "info", settings.log_format or ("console" if sys.stderr.isatty() else "json"))
    serving = wired(settings, stop, log, "run")
    if not agreed(settings, serving.connection, "Delete Jobs as they come due", stop):
        return 0
    undo = route_standard_logging(log)
    try:
        serve(settings, serving, stop, log)
    finally:
        undo()
    return 0


def serve(settings: Settings, serving: Serving, stop: Stop, log: Log) -> None:
    """Start everything, wait for the stop, and end everything."""
    listen(serving.server, settings.listen)
    where = serving.connection.where
    log.say(
        "serving",
        version=__version__,
        context=where.context,
        server=where.server,
        dry_run=settings.dry_run,
        namespaces=list(settings.namespaces) or "all",
        watch=serving.service.watching,
        election=elects(settings),
        listen=settings.listen,
        port=serving.server.port,
    )
    if settings.watch and not serving.service.watching:
        log.warning("too many Namespaces to watch", namespaces=len(settings.namespaces), most=MOST_WATCHED)
    serving.service.start()
    stop.wait()
    end(serving, log)


def listen(server: Server, address: str) -> None:
    """Begin to listen. Raises BadSettings where the address cannot be had."""
    try:
        server.start()
    except OSError as error:
        raise BadSettings([f"listen: {address!r} cannot be had: {_meaning(error)}"]) from error


def _meaning(error: OSError) -> str:
    # asyncio and socket add the address to the text, which has just been said; errors of names have numbers of their own.
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    return os.strerror(error.errno) if error.errno else str(error)


def end(serving: Serving, log: Log) -> None:
    """End everything, after the stop."""
    in_time = serving.service.stop(PATIENCE)
    serving.server.stop()
    serving.connection.close()
    log.say("stopped", in_time=in_time)


def wired(settings: Settings, stop: Stop, log: Log, mode: str, *more: Observer) -> Serving:
    """
    Wire it all; `more` observe what the service does.

    Raises:
        BadSettings: there is to be an election, and nobody knows where the Lease would be.

    """
    elected = elects(settings)
    clock = stop.clock()
    observers: list[Observer] = [log, *more]
    tell = observed_by(observers, log.observer_failed)
    requested: list[Observer] = []
    limit = settings.lease_duration / 4 if elected else 0.0
    connection, cluster = cluster_of(settings, mode, clock, observed_by(requested, log.observer_failed), delete_limit=limit)
    leader = Leader(cluster, identity(), Term.of(settings.lease_duration), clock, tell) if elected else None
    led = leader.brake if leader is not None else unelected
    patience = 5 * settings.request_timeout + 120.0
    shape = Shape(settings.interval, settings.watch, patience=patience)
    duty = Duty(cluster, order_of(settings), clock, tell, stop, led)
    service = Service(duty, cluster, shape, leader)
    metrics = Metrics(__version__, service.snapshot, service.vitals, settings.metrics_per_gitrepo, clock.monotonic)
    history = History(clock.now)
    requested += [metrics, history]
    observers += [metrics, history, service.hear]
    if settings.events:
        announcer = Announcer(cluster, clock, tell, dry_run=settings.dry_run)
        observers.append(announcer)
        service.employ("announcer", announcer.run, announcer.stop)
    _keep_errors(settings, service, observers, cluster, duty)
    page = StatusPage(service.snapshot, service.vitals, history, clock.now)
    answers = routes(metrics.exposition, service.vitals, page)
    return Serving(service, Server(parse_address(settings.listen), answers, log.observer_failed), connection, cluster)


def _keep_errors(settings: Settings, service: Service, observers: list[Observer], cluster: KubeCluster, duty: Duty) -> None:
    """Employ who takes evidence, if that is wished, and who reads back what is kept, where anything is."""
    if settings.evidence and not settings.dry_run:
        evidence = Evidence(cluster, duty.clock, duty.tell, duty.led)
        observers.append(evidence)
        service.employ("evidence", evidence.run, evidence.stop)
    if settings.evidence or settings.current == "all":
        recall = Recall(cluster, settings.namespaces, duty.tell)
        observers.append(recall)
        service.employ("recall", recall.run, recall.stop)


def elects(settings: Settings) -> bool:
    """
    Whether there is an election: where it is wished, or, if nothing is said, in a Pod. Never in a dry run, which would keep
    those that delete from leading.
    """
    wished = in_a_pod() if settings.leader_election is None else settings.leader_election
    if settings.dry_run:
        return False
    if wished and not own_namespace_of(settings):
        where = "its Lease is to be; only in a Pod it is found"
        raise BadSettings([f"leader_election: 'true' needs own_namespace (--own-namespace NAME), where {where}"])
    return wished
