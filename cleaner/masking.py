"""What no log, Event or page may repeat: credentials in texts that come from elsewhere."""

import re

_SECRETS = (
    (re.compile(r"(?<=://)[^/\s@]+@"), ""),
    (re.compile(r"(https?://[^\s?]+)\?\S*"), r"\1"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 …"),
    (re.compile(r"(?i)\b(token|password|passwd|secret|authorization)(\s*[=:]\s*)(?!bearer|basic)\S+"), r"\1\2…"),
)


def masked(text: str) -> str:
    """Make a text one line without control characters and without credentials: of URLs, of headers, of key=value pairs."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line
