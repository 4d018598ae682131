"""What became of each GitRepo that was to be retried, as values, and the exit code."""

import enum
from collections.abc import Sequence

import msgspec

from cleaner.happened import NamespaceRefused
from cleaner.retry.beginning import Begun


class Came(enum.Enum):
    """What a retry came to."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    NUDGED = "nudged"
    WOULD_START = "would-start"
    WOULD_NUDGE = "would-nudge"
    NOT_STARTED = "not-started"
    LEFT_OUT = "left-out"
    LEFT = "left"


SHORT = (Came.FAILED, Came.UNFINISHED, Came.NOT_STARTED, Came.LEFT)
"""What is less than what was asked for."""


class Ran(msgspec.Struct, frozen=True):
    """A Job by what is told of it: its name, its commit, and why it failed, if it did."""

    job: str = ""
    commit: str = ""
    error: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One GitRepo: what had failed, what was asked of Fleet, and what came of it; `detail` says what no field does."""

    gitrepo: str
    came: Came
    detail: str = ""
    before: Ran = Ran()
    begun: Begun | None = None
    after: Ran = Ran()


class Retries(msgspec.Struct, frozen=True):
    """All that one command did; `parts` counts the Namespaces that could be read, where several were to be."""

    attempts: Sequence[Attempt]
    refused: Sequence[NamespaceRefused] = ()
    parts: int = 1


def exit_code(retries: Retries) -> int:
    """Tell the process's exit code: 4 and 3 where nothing could be read at all, 1 where anything fell short, else 0."""
    if not retries.parts:
        return 3 if all(refused.denied for refused in retries.refused) else 4
    return 1 if retries.refused or any(attempt.came in SHORT for attempt in retries.attempts) else 0
