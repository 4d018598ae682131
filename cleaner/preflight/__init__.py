"""`check`: whether a command could do its work here, line by line, before anybody relies on it. It changes nothing."""

from cleaner.preflight.lines import Line, State
from cleaner.preflight.preflight import Around, Checked, Preflight, Terms
from cleaner.preflight.telling import CheckDocument, CheckLine, RightPart, document, write_lines

__all__ = [
    "Around",
    "CheckDocument",
    "CheckLine",
    "Checked",
    "Line",
    "Preflight",
    "RightPart",
    "State",
    "Terms",
    "document",
    "write_lines",
]
