"""What no log, Event or page may repeat: credentials in texts that come from elsewhere. Rather too much than too little."""

import re

_KEYS = r"(?i)\b(\w*(?:token|password|passwd|secret|authorization))"

_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_HALF_A_KEY = re.compile(r"\A.*-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)

_SECRETS = (
    (_KEY, "…"),
    (_HALF_A_KEY, "…"),
    (re.compile(r"(?<=://)[^/\s]+@"), ""),
    (re.compile(r"(?<=://)[^\s@/:]*:(?!\d+/)[^\s@]*@"), ""),
    (re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*"), r"\1"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"']+"), r"\1 …"),
    (re.compile(_KEYS + r"([\"']?\s*[=:]\s*[\"']?)(?!bearer|basic)[^\s\"',;&]+"), r"\1\2…"),
    (re.compile(r"\b(gh[pousr]_|github_pat_|glpat-)[\w-]{8,}"), r"\1…"),
)


def masked_lines(text: str) -> list[str]:
    """Make a text lines without control characters and credentials; a key stands over several of them."""
    whole = _HALF_A_KEY.sub("…", _KEY.sub("…", text))
    return [line for line in map(masked, whole.splitlines()) if line]


def masked(text: str) -> str:
    """Make a text one line without control characters and without credentials: of URLs, of headers, of key=value pairs."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line
