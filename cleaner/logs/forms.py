"""The two forms of a line: JSON for a cluster's log collector, and words in colours for a person at a terminal."""

import logging
import os
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor


def logger_in(form: str, out: TextIO, level: str) -> FilteringBoundLogger:
    """Return a logger that writes to `out`, in the form `json` or `console`, from a level on."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_console(out) if form == "console" else [structlog.processors.JSONRenderer(ensure_ascii=True)]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
    return logger


def _console(out: TextIO) -> list[Processor]:
    colours = out.isatty() and "NO_COLOR" not in os.environ
    # Not the renderer's own choice of a formatter: it shows the values of variables.
    plain = structlog.dev.plain_traceback
    return [_visible, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain, sort_keys=False)]


def _visible(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make control characters visible: a name must neither move the cursor nor forge a line. JSON escapes them by itself."""
    return {key: _seen(value) for key, value in line.items()}


def _seen(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    if isinstance(value, list):
        return [_seen(one) for one in value]
    return {key: _seen(one) for key, one in value.items()} if isinstance(value, dict) else value
