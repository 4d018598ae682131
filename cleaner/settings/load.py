"""Flags over environment over file over default; everything that is wrong is told at once, a line for each field."""

import dataclasses
import ipaddress
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from cleaner.durations import Seconds, format_duration, parse_duration
from cleaner.scope import parse_glob, parse_namespace, parse_selector
from cleaner.settings.fields import ENV_PREFIX, Settings, fields_of

# Kubernetes tells every Pod of each Service in its Namespace: one named gitjob-cleaner, or gitjob-cleaner-something, gives these.
_SERVICE_LINK = re.compile(rf"{ENV_PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")

_HOST = re.compile(r"[A-Za-z0-9.-]{0,253}")
_PORT = re.compile(r"[0-9]{1,5}")

CONFIG = "config"
"""The one name that is not a setting: the path of the file with the settings."""


class BadSettings(Exception):
    """Settings that cannot be used: one line for each fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


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


def _between(least: Seconds, most: Seconds, right: str) -> Any:
    def check(value: object) -> object:
        seconds = _duration(value)
        if not (isinstance(seconds, float) and least <= seconds <= most):
            raise ValueError(f"{str(value).strip()!r:.60} is not {right}")
        return seconds

    return check


def _one_of(*allowed: str) -> Any:
    def check(value: object) -> object:
        text = str(value).strip()
        if text not in allowed:
            raise ValueError(f"{value!r:.60} is not one of {', '.join(allowed)}")
        return text

    return check


_BY_KIND: Mapping[str, Any] = {
    "duration": _duration,
    "count": _count,
    "per second": _rate,
    "true or false": _truth,
    "names": _names,
    "patterns": _patterns,
    "label selector": _selector,
    "version": _text,
    "path": _text,
    "host:port": _address,
    "json or console": _one_of("json", "console"),
    "keep, succeeded or all": _one_of("keep", "succeeded", "all"),
    "table or json": _one_of("table", "json"),
    "debug, info, warning or error": _one_of("debug", "info", "warning", "error"),
}
_BY_NAME: Mapping[str, Any] = {
    "fleet_namespace": _name,
    "own_namespace": _name,
    "instance": _name,
    "interval": _between(10, math.inf, "a time between two sweeps, 10s or more"),
    # The API holds whole seconds in 32 bits; and for as long as this nobody leads after a leader has died.
    "lease_duration": _between(3, 3600, "a duration from 3s to 1h"),
}


def _field(field: "dataclasses.Field[Any]") -> Any:
    kind = field.metadata["kind"]
    check = _BY_NAME.get(field.name) or _BY_KIND.get(kind, _text)
    return (Annotated[Any, BeforeValidator(check), Field(validate_default=False)], field.default)


def load_settings(flags: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """
    Merge and validate the settings.

    Raises:
        BadSettings: with a line for every fault; each names the field as its source writes it, the value, and what would be
            right.

    """
    read = _Sources(flags, environment)

    class Loaded(BaseSettings):
        model_config = SettingsConfigDict(extra="forbid")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(InitSettingsSource(settings_cls, source) for source in (read.flags, read.environment, read.file))

    model = create_model("Loaded", __base__=Loaded, **{field.name: _field(field) for field in fields_of()})
    try:
        settings = Settings(**model().model_dump())
    except ValidationError as error:
        raise BadSettings([*read.faults, *(read.line(fault) for fault in error.errors())]) from error
    faults = [*read.faults, *_contradictions(settings)]
    if faults:
        raise BadSettings(faults)
    return settings


class _Sources:
    """Where each setting comes from, so that a message can name it as its source does."""

    def __init__(self, flags: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self.flags = {name: value for name, value in flags.items() if name != CONFIG}
        self.environment = self._environment(environment)
        self.path = flags.get(CONFIG) or environment.get(ENV_PREFIX + CONFIG.upper(), "")
        self.file = self._file() if self.path else {}

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        known = {ENV_PREFIX + field.name.upper(): field.name for field in fields_of()}
        ours = {name for name in environment if name.upper().startswith(ENV_PREFIX) and not _SERVICE_LINK.fullmatch(name)}
        ours.discard(ENV_PREFIX + CONFIG.upper())
        self.faults += [f"{name}: unknown; {_nearest(name, list(known))}" for name in sorted(ours - set(known))]
        return {known[name]: environment[name] for name in ours & set(known)}

    def _file(self) -> dict[str, Any]:
        try:
            found = yaml.load(Path(self.path).read_text(encoding="utf-8"), Loader=_StrictLoader) or {}  # noqa: S506 - a SafeLoader
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            self.faults.append(f"{self.path}: {' '.join(str(error).split())[:300]}")
            return {}
        if not isinstance(found, dict):
            self.faults.append(f"{self.path}: not a list of settings like failed_age: 72h")
            return {}
        known = [field.name for field in fields_of()]
        self.faults += [f"{self.path}: {key}: unknown; {_nearest(str(key), known)}" for key in found if key not in known]
        self.faults += [f"{self.path}: {key}: it has no value" for key, value in found.items() if key in known and value is None]
        return {key: value for key, value in found.items() if key in known and value is not None}

    def line(self, fault: Any) -> str:
        """One line for one fault that pydantic found."""
        name = str(fault["loc"][0])
        if name in self.flags:
            source = "--" + name.replace("_", "-")
        else:
            source = ENV_PREFIX + name.upper() if name in self.environment else f"{self.path}: {name}"
        return f"{source}: {str(fault['msg']).removeprefix('Value error, ')}"


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else "see gitjob-cleaner sweep --help for the names"


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe part, in which a key must not stand twice and is a text: YAML would read `yes:` as true."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse duplicate keys, of which YAML would keep the last in silence."""
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = "tag:yaml.org,2002:str"
        keys = [str(key.value) for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"{', '.join(twice)} stands more than once")
        return super().construct_mapping(node, deep=deep)


def _contradictions(settings: Settings) -> list[str]:
    faults = []
    if not 1 <= settings.delete_workers <= 64:
        faults.append(f"delete_workers: {settings.delete_workers} is not from 1 to 64")
    if settings.request_timeout < 1:
        faults.append(f"request_timeout: {format_duration(settings.request_timeout)} is less than 1s")
    if settings.clock_bound < 1:
        faults.append(f"clock_bound: {format_duration(settings.clock_bound)} is less than 1s, which the API's Date cannot tell")
    if settings.annotated_age_min is not None and settings.annotated_age_min > settings.annotated_age_max:
        faults.append("annotated_age_min: it is greater than annotated_age_max")
    if settings.annotated_keep_min is not None and settings.annotated_keep_min > settings.annotated_keep_max:
        faults.append("annotated_keep_min: it is greater than annotated_keep_max")
    return faults
