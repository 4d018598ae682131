"""`gitjob-cleaner check`: wires the look at everything that a command relies on."""

import sys
from collections.abc import Callable, Mapping

import msgspec

from cleaner import __version__
from cleaner.cli.migrating import name_of
from cleaner.cli.pushing import PUSHING, gateway_of
from cleaner.cli.serve import elects
from cleaner.cli.wiring import Stop, cluster_of, lease_of, own_namespace_of, scope_of
from cleaner.kube.leases import Leases
from cleaner.preflight import Preflight, Terms, document, write_lines
from cleaner.preflight.fleets import Keeps
from cleaner.report import Heading
from cleaner.rights import Use
from cleaner.service import guardian
from cleaner.service.service import MOST_WATCHED
from cleaner.settings import Settings
from cleaner.settings.load import BadSettings

Write = Callable[[Callable[[], None]], None]
"""Runs what writes to standard output, whatever becomes of that."""

_NAMED = 10
"""Namespaces that are named in a line; of more, how many there are."""

_SKIPPING = ("sweep", "run", "migrate")
"""Commands that do not even look at a named Namespace that is excluded."""


def check(settings: Settings, flags: Mapping[str, str], write: Write) -> int:
    """
    Check, and tell; return the exit code.

    Raises:
        Misconfigured: the client's configuration cannot be used.

    """
    clock = Stop().clock()
    command = flags["checked"]
    terms = terms_of(settings, command)
    connection, cluster = cluster_of(settings, "check", clock)
    leases = Leases(connection, clock, terms.use.own_namespace, terms.lease)
    pushes = settings.pushgateway and command in PUSHING
    not_ready = gateway_of(settings, {}).why_not_ready if pushes else None
    checked = Preflight(cluster, leases, terms, clock, not_ready).check()
    heading = Heading("check", __version__, connection.where.context, connection.where.server, settings.dry_run)
    if settings.output == "json":
        write(lambda: _bytes(document(heading, command, checked)))
    else:
        write(lambda: write_lines(sys.stdout, heading, command, checked))
    connection.close()
    return checked.exit_code()


def _bytes(made: bytes) -> None:
    sys.stdout.buffer.write(made)


def terms_of(settings: Settings, command: str) -> Terms:
    """Return what is to be checked for a command."""
    faults = list(faults_of(settings, command))
    use = use_of(settings, command)
    lease = use.migration_lease if command == "migrate" else use.lease
    keeps = Keeps(settings.succeeded_keep, settings.succeeded_age)
    return Terms(use, _scope_in_words(settings), settings.clock_bound, tuple(faults), keeps, lease)


def faults_of(settings: Settings, command: str) -> list[str]:
    """Tell of settings that the command itself would refuse, in the words in which it does."""
    faults: list[str] = []
    try:
        if command == "run":
            elects(settings)
    except BadSettings as error:
        faults += error.lines
    if command == "migrate" and not (settings.dry_run or own_namespace_of(settings)):
        faults.append("own_namespace: migrate needs it (--own-namespace NAME); only in a Pod it is found")
    if command == "guard" and settings.dry_run:
        faults.append("dry_run: guard has none, for what it holds must be let go in earnest")
    if command == "retry" and settings.nudge and (settings.all_failed or settings.wait):
        faults.append("nudge: it goes with one GITREPO, and without wait: it starts nothing that could be waited for")
    return faults


def use_of(settings: Settings, command: str) -> Use:
    """Tell what a command's rights depend on."""
    names = settings.namespaces
    if command in _SKIPPING:
        names = tuple(filter(scope_of(settings).covers_namespace, names))
    use = Use(
        command,
        names if settings.namespaces else None,
        own_namespace_of(settings),
        settings.fleet_namespace,
        lease_of(settings),
        name_of(settings),
        settings.current,
        settings.dry_run,
        fleet_told=bool(settings.fleet_version),
    )
    return msgspec.structs.replace(
        use,
        watches=_watches(settings, command, len(names)),
        elects=_elects(settings, command),
        events=settings.events,
        evidence=settings.evidence,
        orphaned_pods=settings.orphaned_pods,
        guard=settings.guard,
        wait=settings.wait,
        all_failed=settings.all_failed,
        nudge=settings.nudge,
    )


def _watches(settings: Settings, command: str, named: int) -> bool:
    if command == "guard":
        return named <= guardian.MOST_WATCHED
    return settings.watch and named <= MOST_WATCHED


def _elects(settings: Settings, command: str) -> bool:
    if not own_namespace_of(settings):
        return False
    if command == "migrate":
        return settings.leader_election is not False and not settings.dry_run
    return command == "run" and elects(settings)


def _scope_in_words(settings: Settings) -> str:
    names = settings.namespaces
    more = f" and {len(names) - _NAMED} more" if names[_NAMED:] else ""
    words = f"Namespaces {', '.join(names[:_NAMED])}{more}" if names else "the whole cluster"
    words += f", without {', '.join(settings.exclude_namespaces)}" if settings.exclude_namespaces else ""
    return words + (f", GitRepos with {settings.selector}" if settings.selector else "")
