"""What libraries say through Python's own logging, in the same form as our own lines."""

import logging
from collections.abc import Callable

from cleaner.guard import guarded
from cleaner.logs.log import Log

_TALKATIVE = ("apscheduler", "urllib3")
"""What these say at debug is known to hold no secret: times, addresses and paths. Others tell whole bodies, or tokens."""


class _Route(logging.Handler):
    """Python's logging as far as the log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; if that fails, the library that logs must not fail with it."""
        if record.levelno >= logging.INFO or record.name.partition(".")[0] in _TALKATIVE:
            guarded(lambda: guarded(lambda: self._write(record), self._log.observer_failed), lambda _: None)

    def _write(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._log.library(record.levelno, record.name, record.getMessage(), error)


def route_standard_logging(log: Log) -> Callable[[], None]:
    """
    Send what libraries log, and Python's warnings, through `log`; return a callable that undoes it.

    The root logger's level follows the log's, so that what would not be written is not even made: what libraries say below a
    warning is written at debug.
    """
    root, route = logging.getLogger(), _Route(log)
    before = root.level
    root.setLevel(logging.WARNING if log.level == "INFO" else log.level)
    root.addHandler(route)
    logging.captureWarnings(capture=True)

    def undo() -> None:
        logging.captureWarnings(capture=False)
        root.removeHandler(route)
        root.setLevel(before)

    return undo
