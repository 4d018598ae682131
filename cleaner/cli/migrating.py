"""`gitjob-cleaner migrate`: wires the migration and its election."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from cleaner.cli.asking import agreed
from cleaner.cli.pushing import Run
from cleaner.cli.wiring import Stop, cluster_of, identity, instance_of, observed_by, order_of, own_namespace_of
from cleaner.cluster import Brake, Clock
from cleaner.happened import Observer
from cleaner.kube import Connection
from cleaner.kube.leases import Leases
from cleaner.logs import Log
from cleaner.migration import Migration, Terms
from cleaner.report.progress import ProgressBar
from cleaner.result import Result
from cleaner.service.leader import Leader, Term
from cleaner.service.service import unelected
from cleaner.settings import Settings
from cleaner.settings.load import BadSettings
from cleaner.sweep import is_missing


def migrate(settings: Settings) -> tuple[Connection, Result]:
    """
    Migrate; return the connection, still open, and what it came to.

    Raises:
        BadSettings: nobody knows where to note that it was done.
        ClusterError: the cluster could not be reached, or what was noted could not be read.

    """
    if not (settings.dry_run or own_namespace_of(settings)):
        where = "where a ConfigMap notes that it was done and a Lease keeps a second one out; only in a Pod it is found"
        raise BadSettings([f"own_namespace: migrate needs it (--own-namespace NAME), {where}"])
    stop = Stop()
    stop.listen()
    # On a terminal the progress bar says what is waited for.
    level = settings.log_level or ("warning" if sys.stderr.isatty() else "info")
    clock, log = stop.clock(), Log(sys.stderr, level, settings.log_format)
    with Run(settings, "migrate", clock, log) as run:
        connection, result = _migrated(settings, stop, clock, log, run)
        return connection, run.came_to(result)


def _migrated(settings: Settings, stop: Stop, clock: Clock, log: Log, run: Run) -> tuple[Connection, Result]:
    elected = settings.leader_election is not False and not settings.dry_run
    limit = settings.lease_duration / 4 if elected else 0.0
    connection, cluster = cluster_of(settings, "migrate", clock, run, limit)
    if own_namespace_of(settings) and is_missing(cluster, own_namespace_of(settings)):
        raise BadSettings([f"own_namespace: there is no Namespace {own_namespace_of(settings)!r}"])
    with ProgressBar(sys.stderr) as bar:
        tell = observed_by([log, bar, run], log.observer_failed)
        with _election(settings, connection, clock, tell) if elected else contextlib.nullcontext(unelected) as led:
            question = _question(settings, connection, bar, stop, run)
            terms = Terms(name_of(settings), settings.wait_limit, led, question, settings.again, _scope_in_words(settings))
            return connection, Migration(cluster, order_of(settings), terms, clock, tell, stop).run()


def name_of(settings: Settings) -> str:
    """Return the name that begins those of the Lease and of the ConfigMap."""
    return "-".join(filter(None, ("gitjob-cleaner-migration", instance_of(settings))))


def _scope_in_words(settings: Settings) -> str:
    """Write down what is looked after, always the same for the same."""
    names, excluded = (",".join(sorted(some)) for some in (settings.namespaces, settings.exclude_namespaces))
    return f"namespaces={names} exclude={excluded} selector={settings.selector}"


@contextlib.contextmanager
def _election(settings: Settings, connection: Connection, clock: Clock, tell: Observer) -> Iterator[Brake]:
    """Take part in the election of migrations, which is not that of `run`: both may work at once."""
    leases = Leases(connection, clock, own_namespace_of(settings), name_of(settings))
    leader = Leader(leases, identity(), Term.of(settings.lease_duration), clock, tell)
    thread = threading.Thread(target=leader.run, name="leader")
    thread.start()
    try:
        yield leader.brake
    finally:
        leader.stop()
        thread.join()
        leader.release()


def _question(settings: Settings, connection: Connection, bar: ProgressBar, stop: Stop, run: Run) -> Callable[[int, int], bool]:
    """Return what asks once, where somebody is there to answer."""

    def confirmed(doomed: int, blocked: int) -> bool:
        with bar.paused():
            yes = agreed(settings, connection, f"Delete {doomed} Jobs and unblock {blocked} GitRepos", stop)
        if not yes:
            run.is_void()
        return yes

    return confirmed
