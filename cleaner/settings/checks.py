"""What a value of each kind must be: the value as it is used, or a ValueError that says what would be right."""

import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from cleaner.durations import Seconds, parse_duration
from cleaner.scope import parse_glob, parse_namespace, parse_selector

_LABEL = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
TAKEN_LABELS = (
    *("job", "mode", "dry_run", "installation"),
    *("gitrepo_namespace", "gitrepo", "outcome", "reason", "kind", "brake", "verb", "resource", "code", "version", "fleet"),
)
"""Labels that what is pushed has already."""

Check = Callable[[object], object]

_HOST = re.compile(r"[A-Za-z0-9.-]{0,253}")
_PORT = re.compile(r"[0-9]{1,5}")


def _duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value.strip())
    if value == 0 and not isinstance(value, bool):
        return 0.0
    raise ValueError(f"{value!r:.60} is not a duration like 72h, 10m or 1h30m (it needs a unit)")


def _count(value: object) -> object:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"{value!r:.60} is not a count, 0 or more")
    return int(text)


def _rate(value: object) -> object:
    try:
        rate = float(str(value).strip())
    except ValueError:
        rate = -1.0
    if isinstance(value, bool) or not 0 <= rate <= 100_000:
        raise ValueError(f"{value!r:.60} is not a rate per second, 0 (unbounded) or more")
    return rate


def _truth(value: object) -> object:
    known = {"true": True, "false": False}
    text = str(value).strip().lower()
    if text not in known:
        raise ValueError(f"{value!r:.60} is not true or false")
    return known[text]


def _list(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item).strip() for item in value]
    return [part.strip() for part in str(value).split(",") if part.strip()]


def _names(value: object) -> object:
    names = tuple(parse_namespace(name) for name in _list(value))
    if not names:
        # Nobody who writes the name of this setting means the whole cluster, which is what no names mean.
        raise ValueError("it names no Namespace; leave it out to look after the whole cluster")
    return names


def _patterns(value: object) -> object:
    return tuple(parse_glob(pattern) for pattern in _list(value))


def _selector(value: object) -> object:
    parse_selector(str(value))
    return str(value).strip()


def _name(value: object) -> object:
    return parse_namespace(str(value).strip()) if str(value).strip() else ""


def _text(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r:.60} is not a text")  # noqa: TRY004 - pydantic makes a line only of a ValueError
    return str(value).strip()


def _address(value: object) -> object:
    parse_address(str(value).strip())
    return str(value).strip()


def parse_address(text: str) -> tuple[str, int]:
    """
    Host and port that a text like `:8080`, `127.0.0.1:8080` or `[::1]:8080` stands for; an empty host: all addresses.

    Raises:
        ValueError: it is not of that form.

    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    good = _is_ipv6(bare) if bare else _HOST.fullmatch(host) is not None
    if not (colon and good and _PORT.fullmatch(port) and int(port) <= 65535):
        raise ValueError(f"{text!r:.60} is not an address like :8080, 127.0.0.1:8080 or [::1]:8080 (port 0: a free one)")
    return bare or host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _between(least: Seconds, most: Seconds, right: str) -> Check:
    def check(value: object) -> object:
        seconds = _duration(value)
        if not (isinstance(seconds, float) and least <= seconds <= most):
            raise ValueError(f"{str(value).strip()!r:.60} is not {right}")
        return seconds

    return check


def _url(value: object) -> object:
    """Refuse credentials in a URL without repeating them: every message shows the URL."""
    text = str(value).strip()
    if not text:
        return ""
    # Before it is taken apart: a password may hold what ends a host, and an @ may be written in other ways.
    if "@" in unicodedata.normalize("NFKC", text):
        raise ValueError("credentials in it would be shown; they belong into pushgateway_username and pushgateway_password_file")
    if not _leads_somewhere(text):
        raise ValueError(
            f"{text!r:.100} is not a URL like http://pushgateway:9091 or https://host/path (/metrics is added to it)"
        )
    return text


def _leads_somewhere(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no port, or no address
        return False
    return named and not (parts.query or parts.fragment or "metrics" in parts.path.split("/") or re.search(r"\s", url))


def _labels(value: object) -> object:
    pairs = list(value.items()) if isinstance(value, dict) else [text.partition("=")[::2] for text in _list(value)]
    for name, text in pairs:
        _check_label(str(name).strip(), text)
    labels = {str(name).strip(): str(text).strip() for name, text in pairs}
    if len(labels) < len(pairs):
        raise ValueError(f"{str(value)!r:.100} names a label more than once")
    return tuple(sorted(labels.items()))


def _instance(value: object) -> object:
    """The name of a migration's Lease begins like this; that of another installation must not be the same."""
    name = _name(value)
    if name == "migration" or str(name).startswith("migration-"):
        raise ValueError(
            f"{value!r:.60} is the beginning of a migration's own name: choose one that does not begin with migration"
        )
    return name


def _check_label(name: str, text: object) -> None:
    """Refuse what is no label, what YAML has read as something else than was written (1.10), and what no path can hold."""
    plain = isinstance(text, str | int) and not isinstance(text, bool) and str(text).strip() not in ("", ".", "..")
    if not (plain and _LABEL.fullmatch(name) and name not in TAKEN_LABELS):
        raise ValueError(f"{f'{name}={text}'!r:.100} is not a label like cluster=prod (none of {', '.join(TAKEN_LABELS)})")


def _one_of(*allowed: str) -> Check:
    def check(value: object) -> object:
        text = str(value).strip()
        if text not in allowed:
            raise ValueError(f"{value!r:.60} is not one of {', '.join(allowed)}")
        return text

    return check


_BY_KIND: Mapping[str, Check] = {
    "duration": _duration,
    "count": _count,
    "per second": _rate,
    "true or false": _truth,
    "names": _names,
    "patterns": _patterns,
    "label selector": _selector,
    "labels": _labels,
    "URL": _url,
    "version": _text,
    "path": _text,
    "host:port": _address,
    "json or console": _one_of("json", "console"),
    "keep, succeeded or all": _one_of("keep", "succeeded", "all"),
    "table or json": _one_of("table", "json"),
    "debug, info, warning or error": _one_of("debug", "info", "warning", "error"),
}
_BY_NAME: Mapping[str, Check] = {
    "fleet_namespace": _name,
    "own_namespace": _name,
    "instance": _instance,
    "interval": _between(10, math.inf, "a time between two sweeps, 10s or more"),
    # The API holds whole seconds in 32 bits; and for as long as this nobody leads after a leader has died.
    "lease_duration": _between(3, 3600, "a duration from 3s to 1h"),
    "pushgateway_timeout": _between(1, 60, "a duration from 1s to 1m"),
}


def check_of(name: str, kind: str) -> Check:
    """Return what checks a setting."""
    return _BY_NAME.get(name) or _BY_KIND.get(kind, _text)
