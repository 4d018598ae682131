"""What no log, Event or page may repeat: credentials in texts that come from elsewhere. Rather too much than too little."""

import re

_KEYS = (
    r"(?i)\b(\w*(?:token|password|passwd|passphrase|pwd|secret|authorization|(?:api|access|private)[_-]?key)\w{0,24}"
    r"[\\\"']*\s*(?:=>|:=|[=:])\s*)"
)
_QUOTED = r"\"(?:\\.|[^\"\\])*\"?|'[^']*'?"
_QUOTED_IN_QUOTES = r"\\+[\"'](?:[^\"'\\]|\\+[^\"'\\])*(?:\\+[\"'])?"

_BEGIN, _END = (rf"-----{where} [A-Z ]*PRIVATE KEY(?: BLOCK)?-----" for where in ("BEGIN", "END"))
_KEY = re.compile(rf"{_BEGIN}.*?({_END}|\Z)", re.DOTALL)
_HALF_A_KEY = re.compile(rf"\A.*{_END}", re.DOTALL)

_SECRETS = (
    (_KEY, "…"),
    (_HALF_A_KEY, "…"),
    (re.compile(r"(?:(?<=://)|(?<=:\\/\\/))[^/\s]+@"), ""),
    (re.compile(r"(?<=://)[^\s@/:]*:(?!\d+/)[^\s@]*@"), ""),
    # Go says which URL it could not parse, for one because there is a space in its password.
    (re.compile(r"(?<=://)[^\s@/:\"']*:(?!\d+[/\s]|\s)[^@/\"']*@"), ""),
    (re.compile(r"(?i)(?<=%3A%2F%2F)[^\s&\"']*%40"), ""),
    (re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*"), r"\1"),
    (re.compile(r"(?i)\b(bearer|basic|authorization: \w+)\s+[^\s\"']+"), r"\1 …"),
    (re.compile(rf"{_KEYS}(?!(?:bearer|basic) …)(?:{_QUOTED_IN_QUOTES}|{_QUOTED}|[^\s\"',;&]+)"), r"\1…"),
    (re.compile(rf"(\"auth\\*\"\s*:\s*)(?:{_QUOTED_IN_QUOTES}|{_QUOTED})"), r"\1…"),
    (re.compile(r"(?i)(?<!\S)(--?[\w-]*(?:token|password|secret))\s+(?!-)\S+"), r"\1 …"),
    (re.compile(r"\b(gh[pousr]_|github_pat_|glpat-)[\w-]{8,}"), r"\1…"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), "…"),
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
