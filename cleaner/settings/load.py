"""Flags over environment over file over default; everything that is wrong is told at once, a line for each field."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from cleaner.durations import format_duration
from cleaner.settings.checks import check_of
from cleaner.settings.fields import ENV_PREFIX, Settings, fields_of

# Kubernetes tells every Pod of each Service in its Namespace: one named gitjob-cleaner, or gitjob-cleaner-something, gives these.
_SERVICE_LINK = re.compile(rf"{ENV_PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")

CONFIG = "config"
"""The one name that is not a setting: the path of the file with the settings."""


class BadSettings(Exception):
    """Settings that cannot be used: one line for each fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def _field(field: "dataclasses.Field[Any]") -> Any:
    check = check_of(field.name, field.metadata["kind"])
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
    return [*faults, *_contradictions_of_push(settings)]


def _contradictions_of_push(settings: Settings) -> list[str]:
    faults = []
    if settings.pushgateway_username and not settings.pushgateway_password_file:
        faults.append("pushgateway_username: it needs pushgateway_password_file")
    if settings.pushgateway_password_file and not settings.pushgateway_username:
        faults.append("pushgateway_password_file: it needs pushgateway_username")
    if ":" in settings.pushgateway_username:
        faults.append(f"pushgateway_username: {settings.pushgateway_username!r:.60} has a colon, which basic auth cannot carry")
    if settings.pushgateway_key and not settings.pushgateway_cert:
        faults.append("pushgateway_key: it needs pushgateway_cert")
    return faults
