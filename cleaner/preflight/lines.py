"""What was looked at, how it is, and what to do about it, as values."""

import enum

import msgspec

from cleaner.rights import Access

UNREACHABLE = 4
"""The exit code where the API does not answer."""


class State(enum.Enum):
    """How something is: a warning is something that the command can do without."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Line(msgspec.Struct, frozen=True):
    """
    One line. `check` is a name from a short list, which `docs/json.md` has.

    `code` is what the process ends with for its sake, if it failed. `access` is the right that it is about, if it is about one.
    """

    check: str
    state: State
    found: str
    advice: str = ""
    code: int = 1
    access: Access | None = None


def fine(check: str, found: str, advice: str = "") -> Line:
    """Make a line of something that is as it should be."""
    return Line(check, State.OK, found, advice)


def warning(check: str, found: str, advice: str = "") -> Line:
    """Make a line of something that the command can do without, or that its user should know."""
    return Line(check, State.WARNING, found, advice)


def failed(check: str, found: str, advice: str = "", code: int = 1) -> Line:
    """Make a line of something that the command cannot do without."""
    return Line(check, State.FAILED, found, advice, code)
