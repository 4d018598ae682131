"""What each command does, in terms of the rooms below."""

import io
import os
import sys
from collections.abc import Callable, Mapping

from cleaner import __version__
from cleaner.cli.asking import agreed
from cleaner.cli.codes import TOLD, code_of
from cleaner.cli.pushing import Run
from cleaner.cli.wiring import Stop, cluster_of, observed_by, order_of
from cleaner.explain import explain, find_gitrepo
from cleaner.kube import Connection
from cleaner.logs import Log
from cleaner.report import Heading, write_document, write_explanation, write_result
from cleaner.report.progress import ProgressBar
from cleaner.report.wording import printable
from cleaner.result import Result, exit_code
from cleaner.settings import Settings
from cleaner.settings.load import load_settings
from cleaner.sweep import Canary, Sweep

Command = Callable[[Settings, Mapping[str, str]], int]

_NO_SETTINGS = ("gitrepo", "checked", "account", "name")
"""What only the command line names."""


def dispatch(command: str, flags: Mapping[str, str]) -> int:
    """Load the settings and run a command; return its exit code (design: 2 settings, 3 refused, 4 unreachable)."""
    if command == "demo":
        from cleaner.cli.demonstration import demo

        return demo(flags)
    try:
        settings = load_settings({name: text for name, text in flags.items() if name not in _NO_SETTINGS}, os.environ)
        return _COMMANDS[command](settings, flags)
    except TOLD as error:
        return _said(str(error), code_of(error))


def _said(text: str, code: int) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"gitjob-cleaner: {printable(line, 1000)}\n")
    return code


def _run(settings: Settings, _flags: Mapping[str, str]) -> int:
    from cleaner.cli.serve import run  # metrics, clockwork and web: nobody else needs them

    return run(settings)


def _migrate(settings: Settings, _flags: Mapping[str, str]) -> int:
    from cleaner.cli.migrating import migrate  # the election: nobody else needs it

    connection, result = migrate(settings)
    _write(settings, _heading(settings, "migrate", connection), result)
    connection.close()
    return exit_code(result)


def _guard(settings: Settings, _flags: Mapping[str, str]) -> int:
    from cleaner.cli.guarding import guard

    return guard(settings)


def _release(settings: Settings, _flags: Mapping[str, str]) -> int:
    from cleaner.cli.guarding import release

    return release(settings)


def _check(settings: Settings, flags: Mapping[str, str]) -> int:
    from cleaner.cli.checking import check  # all that the other commands are wired with

    return check(settings, flags, _written)


def _rights(settings: Settings, flags: Mapping[str, str]) -> int:
    from cleaner.cli.granting import write_rights

    _written(lambda: write_rights(sys.stdout, settings, flags))
    return 0


def _retry(settings: Settings, flags: Mapping[str, str]) -> int:
    from cleaner.cli.retrying import retry
    from cleaner.retry import Refused

    try:
        return retry(settings, flags, _written)
    except Refused as error:
        return _said(str(error), 2)


def _sweep(settings: Settings, _flags: Mapping[str, str]) -> int:
    stop = Stop()
    stop.listen()
    clock, log = stop.clock(), Log(sys.stderr, settings.log_level, settings.log_format)
    with Run(settings, "sweep", clock, log) as run:
        connection, cluster = cluster_of(settings, "sweep", clock, run)
        with ProgressBar(sys.stderr) as bar:
            sweep = Sweep(cluster, order_of(settings), clock, observed_by([log, bar, run], log.observer_failed), stop)

            def may_delete(what: str) -> bool:
                with bar.paused():
                    return agreed(settings, connection, f"Delete {what}", stop)

            _swept(sweep, may_delete, run, stop)
        result = run.came_to(sweep.result())
    _write(settings, _heading(settings, "sweep", connection), result)
    connection.close()
    return exit_code(result)


def _swept(sweep: Sweep, may_delete: Callable[[str], bool], run: Run, stop: Stop) -> None:
    sweep.look()
    jobs, pods = sweep.decide(), sweep.decide_on_pods()
    if not (jobs or pods):
        return
    if not may_delete(f"{len(jobs)} Jobs" + (f" and {len(pods)} Pods" if pods else "")):
        stop.pull("the question was not answered with yes")
        run.is_void()
    canary = Canary()
    sweep.act([*jobs, *pods], canary)
    sweep.look_for_returns(canary)


def _write(settings: Settings, heading: Heading, result: Result) -> None:
    if settings.output == "json":
        _written(lambda: write_document(sys.stdout.buffer, heading, result))
    else:
        _written(lambda: write_result(sys.stdout, heading, result))


def _written(write: Callable[[], None]) -> None:
    """Write to standard output: that nobody reads it to its end, or that the disk is full, changes nothing that was done."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        write()
        sys.stdout.flush()
    except OSError as error:
        _said(f"the report could not be written: {error.strerror}", 0)
        # What is still buffered would raise once more at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _heading(settings: Settings, command: str, connection: Connection) -> Heading:
    return Heading(command, __version__, connection.where.context, connection.where.server, settings.dry_run)


def _explain(settings: Settings, flags: Mapping[str, str]) -> int:
    clock = Stop().clock()
    connection, cluster = cluster_of(settings, "explain", clock)
    order = order_of(settings)
    gitrepo = find_gitrepo(cluster, order.scope, flags["gitrepo"])
    result = explain(cluster, cluster, order, clock, gitrepo)
    heading = _heading(settings, "explain", connection)
    if settings.output == "json":
        _write(settings, heading, result)
    else:
        _written(lambda: write_explanation(sys.stdout, heading, result, gitrepo, clock.now()))
    connection.close()
    return 0


_COMMANDS: Mapping[str, Command] = {
    "sweep": _sweep,
    "run": _run,
    "migrate": _migrate,
    "explain": _explain,
    "retry": _retry,
    "guard": _guard,
    "release": _release,
    "check": _check,
    "rights": _rights,
}
