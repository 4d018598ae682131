"""The lines as a table, and as one JSON document."""

from collections import Counter
from typing import TextIO

import msgspec

from cleaner.model import Fleet
from cleaner.preflight.lines import Line, State
from cleaner.preflight.preflight import Checked
from cleaner.report import SCHEMA, Heading, escaped, write_table
from cleaner.report.wording import printable

_LONGEST = 1000


class RightPart(msgspec.Struct, frozen=True):
    """A right that is missing; an empty Namespace is the whole cluster, an empty name any object."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


class CheckLine(msgspec.Struct, frozen=True):
    """What was looked at, how it is, what was found, and what to do about it."""

    check: str
    state: str
    found: str
    advice: str
    right: RightPart | None


class CheckDocument(msgspec.Struct, frozen=True):
    """The whole document."""

    schema: int
    command: str
    checked: str
    version: str
    context: str
    server: str
    dry_run: bool
    exit_code: int
    user: str
    kubernetes: str
    fleet: Fleet | None
    lines: list[CheckLine]


def write_lines(out: TextIO, heading: Heading, command: str, checked: Checked) -> None:
    """Write a table for a terminal; elsewhere what was found and what to do about it share a cell, so that lines stay short."""
    where = f"context {printable(heading.context)} · {printable(heading.server)}"
    out.write(f"gitjob-cleaner {heading.version} {heading.command} {command} · {where}\n")
    if out.isatty():
        write_table(out, ("STATE", "CHECK", "FOUND", "WHAT TO DO"), [_row(line) for line in checked.lines])
    else:
        write_table(out, ("STATE", "CHECK", "FOUND"), [_short_row(line) for line in checked.lines])
    counts = Counter(line.state for line in checked.lines)
    told = ", ".join(f"{counts[state]} {state.value}" for state in reversed(State))
    out.write(f"{told} (exit code {checked.exit_code()})\n")


def _row(line: Line) -> tuple[str, ...]:
    return line.state.value, line.check, printable(line.found, _LONGEST), printable(line.advice, _LONGEST)


def _short_row(line: Line) -> tuple[str, ...]:
    *cells, found, advice = _row(line)
    return (*cells, f"{found} -> {advice}" if advice else found)


def document(heading: Heading, command: str, checked: Checked) -> bytes:
    """Write the JSON document, with a line's end."""
    made = CheckDocument(
        schema=SCHEMA,
        command=heading.command,
        checked=command,
        version=heading.version,
        context=heading.context,
        server=heading.server,
        dry_run=heading.dry_run,
        exit_code=checked.exit_code(),
        user=checked.user,
        kubernetes=checked.kubernetes,
        fleet=checked.fleet,
        lines=[_check_line(line) for line in checked.lines],
    )
    return escaped(msgspec.json.encode(made)) + b"\n"


def _check_line(line: Line) -> CheckLine:
    access = line.access
    right = None if access is None else RightPart(access.verb, access.group, access.resource, access.namespace, access.name)
    return CheckLine(line.check, line.state.value, line.found, line.advice, right)
