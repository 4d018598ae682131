"""The table of rights, as a table: what no command may ever ask for, and what it must."""

import itertools
from typing import Any

import pytest

from cleaner.rights import Access, Right, Use, Where, rights

COMMANDS = ("sweep", "run", "migrate", "explain", "retry", "guard", "release")
WRITES = {"create", "update", "patch", "delete"}
SWITCHES = ("dry_run", "watches", "elects", "events", "evidence", "orphaned_pods", "guard", "wait", "all_failed", "nudge")


def uses(command: str) -> list[Use]:
    """Every combination of what rights depend on."""
    switches: list[dict[str, Any]] = [
        dict(zip(SWITCHES, each, strict=True)) for each in itertools.product((False, True), repeat=len(SWITCHES))
    ]
    rest: list[dict[str, Any]] = [
        {"namespaces": names, "current": current} for names in (None, ("a", "b")) for current in ("keep", "all")
    ]
    # An election needs a place for its Lease; the command line sees to that.
    return [Use(command, own_namespace="own", **one, **other) for one in switches for other in rest]


def told(command: str, **given: Any) -> set[str]:
    """The rights of one use, as `verb resource where`, those that it can do without with a question mark."""
    found = rights(Use(command, **given))
    return {f"{r.verb} {r.resource} {r.where.name}{'' if r.needed else '?'}" for r in found}


def test_a_sweep_of_the_whole_cluster_needs_these() -> None:
    assert told("sweep") == {
        "list namespaces CLUSTER",
        "get namespaces CLUSTER",
        "list gitrepos CLUSTER",
        "get gitrepos CLUSTER",
        "list jobs CLUSTER",
        "get jobs CLUSTER?",
        "delete jobs CLUSTER",
        "list deployments FLEET?",
    }


def test_in_named_namespaces_a_role_in_each_is_enough() -> None:
    assert told("sweep", namespaces=("a",), own_namespace="own") == {
        "get namespaces NAMED",
        "list gitrepos NAMED",
        "get gitrepos NAMED",
        "list jobs NAMED",
        "get jobs NAMED?",
        "delete jobs NAMED",
        "list deployments FLEET?",
        "get namespaces OWN",
        "get leases OWN",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_each_right_is_there_once_and_says_what_it_is_for(command: str) -> None:
    for use in uses(command):
        found = rights(use)
        keys = [(r.verb, r.group, r.resource, r.where, r.name) for r in found]

        assert len(keys) == len(set(keys))
        assert all(right.purpose and list(right.accesses(use)) for right in found)
        assert all(right.needed is not bool(right.lost) for right in found)


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_asked_of_the_whole_cluster_where_namespaces_are_named(command: str) -> None:
    for use in uses(command):
        wide = [right for right in rights(use) if right.where is Where.CLUSTER]

        assert use.namespaces is None or not [right for right in wide if right.needed]


@pytest.mark.parametrize("command", ["sweep", "run", "migrate"])
def test_a_dry_run_needs_no_right_to_change_anything(command: str) -> None:
    needed = [r for use in uses(command) if use.dry_run and not use.elects for r in rights(use) if r.needed]

    assert not [right for right in needed if right.verb in WRITES]


def test_to_explain_changes_nothing() -> None:
    assert not [right for use in uses("explain") for right in rights(use) if right.verb in WRITES]


def test_only_who_must_patch_may_patch() -> None:
    """To patch a GitRepo is to deploy: what deletes Jobs day by day never has that right."""
    patching = {command for command in COMMANDS for use in uses(command) for r in rights(use) if r.verb == "patch"}

    assert patching == {"migrate", "retry", "guard", "release"}


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_may_write_what_another_component_owns(command: str) -> None:
    """Neither Pods nor Namespaces nor Deployments nor Secrets are ever written, and nothing is deleted but Jobs and Pods."""
    found = {(r.verb, r.resource) for use in uses(command) for r in rights(use)}

    assert {resource for verb, resource in found if verb == "delete"} <= {"jobs", "pods"}
    assert {resource for verb, resource in found if verb in {"create", "update"}} <= {"events", "leases", "configmaps"}
    assert "secrets" not in {resource for _, resource in found}


@pytest.mark.parametrize("where", list(Where))
def test_a_right_is_asked_for_in_each_of_its_places(where: Where) -> None:
    use = Use(namespaces=("a", "b"), own_namespace="own", fleet_namespace="fleet")
    places = {Where.NAMED: ["a", "b"], Where.CLUSTER: [""], Where.OWN: ["own"], Where.FLEET: ["fleet"]}

    asked = list(Right("get", "", "pods/log", where, "a test", name="x").accesses(use))

    assert asked == [Access("get", "", "pods/log", place, "x") for place in places[where]]


def test_one_reason_to_need_a_right_is_enough() -> None:
    """Evidence can do without the Event, what keeps the error of a current Job cannot."""
    assert "create events CLUSTER?" in told("run", evidence=True, events=False)
    assert "create events CLUSTER" in told("run", evidence=True, events=False, current="all")


def test_a_lease_is_read_and_renewed_by_its_name_and_made_without_one() -> None:
    leases = {(r.verb, r.name) for r in rights(Use("migrate", own_namespace="own", elects=True)) if r.resource == "leases"}

    assert leases == {
        ("get", "gitjob-cleaner"),
        ("get", "gitjob-cleaner-migration"),
        ("update", "gitjob-cleaner-migration"),
        ("create", ""),
    }
