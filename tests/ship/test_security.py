"""SECURITY.md says what each command may write: no more and no less than the table of rights."""

import re
from typing import Any

import pytest

from cleaner.rights import Right, Use, Where, rights
from cleaner.rights.table import _TABLE
from cleaner.settings import fields_of
from tests.modes.running import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
READING = {"get", "list", "watch"}
SETTINGS: dict[str, dict[str, Any]] = {
    "current: all": {"current": "all"},
    "orphaned_pods": {"orphaned_pods": True},
    "evidence": {"evidence": True},
}
COMMANDS = sorted(_TABLE)


def told() -> dict[tuple[str, str], set[str]]:
    """What the page's table says, by command and setting (empty: without any)."""
    found: dict[tuple[str, str], set[str]] = {}
    command = ""
    for row in re.findall(r"^\|(.*)\|$", PAGE, re.MULTILINE)[2:]:
        named, setting, may = ([*re.findall(r"`([^`]+)`", cell)] for cell in row.split("|")[:3])
        command = named[0] if named else command
        found[command, setting[0] if setting else ""] = set(may)
    return found


def everything(command: str, **change: Any) -> list[Right]:
    """What a command may, in the whole cluster and in named Namespaces."""
    plain = {
        "command": command,
        "own_namespace": "home",
        "elects": command in {"run", "migrate"},
        "all_failed": True,
        "wait": True,
    }
    return [right for names in (None, ("team",)) for right in rights(Use(**{**plain, **change, "namespaces": names}))]


def writes(command: str, **change: Any) -> set[str]:
    """What it may write, as the page says it."""
    return {f"{right.verb} {right.resource}" for right in everything(command, **change) if right.verb not in READING}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_right_to_write_is_told(command: str) -> None:
    assert told().get((command, ""), set()) == writes(command)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_what_a_setting_adds_is_told(command: str, setting: str) -> None:
    assert told().get((command, setting), set()) == writes(command, **SETTINGS[setting]) - writes(command)


def test_nothing_is_told_of_what_there_is_not() -> None:
    assert {command for command, _ in told()} <= set(COMMANDS)
    assert {setting for _, setting in told()} <= {"", *SETTINGS}


def test_commands_that_only_read_are_named() -> None:
    assert [command for command in COMMANDS if not writes(command)] == ["explain"]
    assert "`explain` only reads" in PAGE


def test_none_has_what_the_page_says_that_none_has() -> None:
    every = [right for command in COMMANDS for change in ({}, *SETTINGS.values()) for right in everything(command, **change)]

    assert {right.verb for right in every} == READING | {"create", "delete", "patch", "update"}
    assert {right.resource for right in every if right.verb == "create"} == {"configmaps", "events", "leases"}
    assert not {"secrets", "roles", "pods/exec", "*"} & {right.resource for right in every}


def test_named_namespaces_ask_for_nothing_in_the_whole_cluster_but_what_guard_can_do_without() -> None:
    wide = [
        (command, right.verb, right.needed)
        for command in COMMANDS
        for right in rights(Use(command=command, namespaces=("team",), own_namespace="home", orphaned_pods=True))
        if right.where is Where.CLUSTER
    ]

    assert wide == [("guard", "list", False)]


def test_who_reads_pods_and_logs_is_told() -> None:
    def reads(resource: str, **change: Any) -> set[str]:
        return {each for each in COMMANDS if any(right.resource == resource for right in everything(each, **change))}

    assert reads("pods") == {"guard", "retry"}
    assert "for `guard` and `retry`, Pods too" in PAGE
    assert [name for name, change in SETTINGS.items() if reads("pods/log", **change)] == ["evidence"]
    assert [name for name, change in SETTINGS.items() if "run" in reads("pods", **change)] == list(SETTINGS)


def test_the_settings_hold_no_secret_but_where_one_is() -> None:
    sounding = [name for name in (each.name for each in fields_of()) if re.search("password|token|secret|key", name)]

    assert sounding == ["pushgateway_password_file", "pushgateway_key"]
    assert [name for name in sounding if f"`{name}`" not in PAGE] == []
    assert {each.metadata["kind"] for each in fields_of() if each.name in sounding} == {"path"}


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)", PAGE)

    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
