"""The one question before something is deleted on a terminal."""

import select
import sys

from cleaner.cli.wiring import Stop
from cleaner.kube import Connection
from cleaner.settings import Settings


def must_ask(settings: Settings) -> bool:
    """Whether to ask first: something is to be deleted, nobody has said yes before, and there is a terminal to ask on."""
    return not (settings.dry_run or settings.yes) and sys.stdin.isatty() and sys.stderr.isatty()


def agreed(settings: Settings, connection: Connection, what: str, stop: Stop) -> bool:
    """Ask once whether to do something in this very cluster; where nobody is there to answer, somebody has agreed before."""
    where = connection.where
    return not must_ask(settings) or answered_yes(f"{what} in context {where.context} ({where.server})?", stop)


def answered_yes(question: str, stop: Stop) -> bool:
    """Ask, and wait for the answer, or for a signal: a read alone would go on after one, and Ctrl-C would seem to do nothing."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    while stop() is None:
        if select.select([sys.stdin], [], [], 0.1)[0]:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
    return False
