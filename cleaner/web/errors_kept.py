"""Why Jobs of a GitRepo failed, where Fleet has forgotten it."""

from collections.abc import Sequence

from cleaner.model import KeptError, Moment
from cleaner.web.markup import name, row, table, text, when

_LONGEST = 1024
_COLUMNS = ("Job", "Error", "Kept")


def kept_errors(errors: Sequence[KeptError], now: Moment) -> str:
    """List them, newest first; nothing where there are none."""
    if not errors:
        return ""
    caption = "Errors kept, newest first; their Events last as long as the API keeps Events, an hour by default"
    return table("kept", caption, _COLUMNS, (_row(error, now) for error in errors))


def _row(error: KeptError, now: Moment) -> str:
    commit = f'<span class="commit">{text(error.commit[:12])}</span>'
    return row(f"{name(error.job)} {commit}", text(error.text, _LONGEST), when(error.at, now))
