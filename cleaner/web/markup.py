"""Texts, moments and numbers as HTML. All that comes from a cluster goes through `text`: who names a Job may mean harm."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from html import escape

from cleaner.durations import Seconds, describe_duration
from cleaner.model import Job, Moment
from cleaner.web.troubles import LONGEST


def text(raw: str, longest: int = LONGEST) -> str:
    """Escape a text for HTML and for attributes; what cannot be seen, or turns the line around, is shown as its number."""
    shown = raw if len(raw) <= longest else raw[:longest] + "…"
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in shown)
    return escape(shown)


def name(raw: str) -> str:
    """Show a name: letters that run from right to left stay within it."""
    return f"<bdi>{text(raw)}</bdi>"


def told(raw: str) -> str:
    """Show a message; a command at its end can be copied."""
    before, colon, command = raw.partition(": kubectl ")
    return f"{text(before)}: <code>{text('kubectl ' + command, 1000)}</code>" if colon else text(raw)


@lru_cache(maxsize=4096)
def stamp(moment: Moment | None) -> str:
    """RFC 3339 in UTC and whole seconds, as all our outputs have it; empty where there is no moment or no calendar for it."""
    if moment is None:
        return ""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return ""


def when(moment: Moment | None, now: Moment) -> str:
    """Tell a moment by its distance and by its date."""
    if moment is None:
        return "-"
    return f"{distance(moment, now)} <time>{stamp(moment)}</time>"


def distance(moment: Moment, now: Moment) -> str:
    """How far away a moment is: `in 3h`, `2m 5s ago`, `now`."""
    if abs(moment - now) < 1:
        return "now"
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def span(seconds: Seconds) -> str:
    """Tell a span in its two largest units."""
    return describe_duration(min(seconds, 1e12))


def since(moment: Moment, now: Moment) -> str:
    """Tell since when a list is complete."""
    return f"complete since {when(moment, now)}"


def number(count: int) -> str:
    """Write a count with its thousands apart."""
    return f"{count:,}"


def count(amount: int, one: str, many: str = "") -> str:
    """Count something: `1 Job`, `1,200 Jobs`."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


_MARKS = {"failed": "✕", "succeeded": "✓", "running": "▶", "unreadable": "?"}


def outcome(job: Job) -> str:
    """How a Job ended: a mark, a word and, beside them, a colour."""
    word = job.outcome.value if job.outcome else "unreadable" if job.problem else "running"
    return f'<span class="{word}">{_MARKS[word]} {word}</span>'


def table(css: str, caption: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    """Make a table; on a narrow screen each row becomes a card."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return (
        f'<table class="{css}"><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def row(*cells: str) -> str:
    """Make a row; its first cell heads it."""
    return f'<tr><th scope="row">{cells[0]}</th><td>{"</td><td>".join(cells[1:])}</td></tr>'


def section(key: str, title: str, *parts: str) -> str:
    """Make a part of the page with its heading."""
    return f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>{"".join(parts)}</section>'
