"""Durations as operators write them: `72h`, `10m`, `1h30m`, `2d`."""

import re

Seconds = float

_UNITS: dict[str, float] = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h|d)")
_LONGEST_TEXT = 64
_LONGEST = 100 * 365 * 86400.0


def parse_duration(text: str) -> Seconds:
    """
    Seconds that a text stands for, in Go's form with `d` for days added.

    Raises:
        ValueError: the text is not a duration, is negative, or is longer than a hundred years.

    """
    if text == "0":
        return 0.0
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"{text[:20]!r}... is too long for a duration like 72h, 10m or 1h30m")
    if text.startswith("-"):
        raise ValueError(f"{text!r:.60} is negative; a duration is 0 or more, like 72h, 10m or 1h30m")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r:.60} is not a duration like 72h, 10m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r:.60} is longer than a hundred years")
    return seconds


def format_duration(seconds: Seconds) -> str:
    """Write seconds in the largest units that lose nothing below a second: 5400 becomes `1h30m`."""
    rest = round(seconds)
    if rest == 0:
        return "0" if seconds == 0 else f"{seconds:g}s"
    written = ""
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        written += f"{count}{unit}" if count else ""
    return written


def describe_duration(seconds: Seconds) -> str:
    """Tell a span to a person, in its two largest units: `3d 4h`, `12m 5s`, `0s`."""
    rest = max(0, int(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
