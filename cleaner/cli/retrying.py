"""`gitjob-cleaner retry`: wires the retry of one GitRepo, or of all that failed."""

import sys
from collections.abc import Callable, Mapping

from cleaner import __version__
from cleaner.cli.asking import answered_yes, must_ask
from cleaner.cli.ticking import ticking_until
from cleaner.cli.wiring import Stop, cluster_of, scope_of
from cleaner.explain import find_gitrepo
from cleaner.kube import Connection, KubeCluster
from cleaner.report import Heading
from cleaner.retry import Means, Refused, Retries, Retry, Wish, document, exit_code, title
from cleaner.settings import Settings

Write = Callable[[Callable[[], None]], None]
"""Runs what writes to standard output, whatever becomes of that."""


def retry(settings: Settings, flags: Mapping[str, str], write: Write) -> int:
    """
    Retry, and tell of it; return the exit code.

    Raises:
        Refused: wrong usage, or nothing to retry; nothing was changed.
        NoSuchGitRepo, ClusterError: it could not be found, read or changed.

    """
    name = flags.get("gitrepo", "")
    _check_usage(settings, name)
    stop = Stop()
    stop.listen()
    connection, cluster = cluster_of(settings, "retry", stop.clock())
    fleet, shown = cluster.fleet(), settings.output != "json"
    where = connection.where
    heading = Heading("retry", __version__, where.context, where.server, settings.dry_run)

    def say(line: str) -> None:
        if shown:
            write(lambda: _line(line))

    say(title(heading, fleet))
    means = Means(cluster, stop.clock(), stop, ticking_until(stop), settings.wait_limit, say)
    wish = Wish(settings.wait, settings.dry_run, settings.retry_limit, settings.retry_pause)
    retries = _retried(settings, name, cluster, Retry(means, wish, fleet), _Asking(settings, connection, stop))
    if not shown:
        write(lambda: _bytes(document(heading, fleet, retries)))
    connection.close()
    return exit_code(retries)


def _check_usage(settings: Settings, name: str) -> None:
    if bool(name) == settings.all_failed:
        raise Refused("retry takes either [NAMESPACE/]GITREPO or --all-failed")
    if settings.nudge and (settings.all_failed or settings.wait):
        raise Refused("--nudge goes with one GITREPO, and without --wait: it starts nothing that could be waited for")


def _retried(settings: Settings, name: str, cluster: KubeCluster, work: Retry, asking: "_Asking") -> Retries:
    scope = scope_of(settings)
    if settings.all_failed:
        return work.all_failed(scope, asking.if_somebody_is_there)
    gitrepo = find_gitrepo(cluster, scope, name)
    return work.wake(gitrepo) if settings.nudge else work.one(gitrepo, asking.in_any_case)


class _Asking:
    """The question before something is run that a user might not expect."""

    def __init__(self, settings: Settings, connection: Connection, stop: Stop) -> None:
        self._settings, self._where, self._stop = settings, connection.where, stop

    def if_somebody_is_there(self, question: str) -> bool:
        """Ask where somebody can answer; a script has been written by somebody who knew."""
        return not must_ask(self._settings) or self._answered(question)

    def in_any_case(self, question: str) -> bool:
        """Ask unless somebody has said yes; where nobody can answer, it is no."""
        return self._settings.yes or (must_ask(self._settings) and self._answered(question))

    def _answered(self, question: str) -> bool:
        return answered_yes(f"Context {self._where.context} ({self._where.server}): {question}", self._stop)


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


def _bytes(made: bytes) -> None:
    sys.stdout.buffer.write(made)
