"""Rights as roles, and roles as text."""

from typing import Any

import pytest
import yaml

from cleaner.rights import Right, Role, Rule, Use, Where, manifests, more, rights, roles, rules

NAMED = Use(namespaces=("team-a", "team-b"), own_namespace="home")


def right(verb: str, resource: str = "jobs", name: str = "", where: Where = Where.CLUSTER, **more_of_it: str) -> Right:
    return Right(verb, "batch", resource, where, "a test", name=name, **more_of_it)


def given(text: str) -> set[tuple[str, ...]]:
    """What the text of manifests allows: verb, group, resource, name and place, each once."""
    objects = list(yaml.safe_load_all(text))
    return {
        (verb, group, resource, name, each["metadata"].get("namespace", ""))
        for each in objects
        if "rules" in each
        for rule in each["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def test_verbs_on_one_kind_of_object_are_one_rule_in_their_usual_order() -> None:
    (rule,) = rules([right("delete"), right("list"), right("get")])

    assert (rule.group, rule.resource, rule.verbs) == ("batch", "jobs", ("get", "list", "delete"))


def test_an_object_that_is_named_has_a_rule_of_its_own() -> None:
    found = rules([right("create", "leases"), right("get", "leases", "mine"), right("get", "leases", "yours")])

    assert [(rule.name, rule.verbs) for rule in found] == [("", ("create",)), ("mine", ("get",)), ("yours", ("get",))]


def test_each_place_has_a_role_the_whole_cluster_first() -> None:
    found = roles(
        [right("get", where=Where.OWN), right("get"), right("get", where=Where.FLEET)], Use(own_namespace="home"), "any"
    )

    assert [(role.name, role.namespace) for role in found] == [("any", ""), ("any", "home"), ("any", "cattle-fleet-system")]


def test_places_that_are_the_same_share_one_role() -> None:
    """The cleaner may live in a Namespace that it looks after, or in Fleet's."""
    use = Use("run", namespaces=("home",), own_namespace="home", fleet_namespace="home", elects=True)

    (role,) = roles(rights(use), use, "any")

    assert {right.verb for rule in role.rules for right in rule.rights} == {"get", "list", "watch", "create", "update", "delete"}


@pytest.mark.parametrize("use", [Use("run", elects=True, own_namespace="home", current="all"), NAMED, Use("guard")])
def test_the_text_gives_exactly_the_rights(use: Use) -> None:
    wanted = rights(use)
    text = manifests(roles(wanted, use, "any"), "any", "home")

    assert given(text) == {(a.verb, a.group, a.resource, a.name, a.namespace) for each in wanted for a in each.accesses(use)}


def test_each_role_is_bound_to_the_account_in_its_home() -> None:
    objects: list[dict[str, Any]] = list(yaml.safe_load_all(manifests(roles(rights(NAMED), NAMED, "roles"), "account", "home")))
    bindings = [each for each in objects if "roleRef" in each]
    bound = {(each["kind"] + "Binding", each["metadata"].get("namespace")) for each in objects if "rules" in each}

    assert {(each["kind"], each["metadata"].get("namespace")) for each in bindings} == bound
    assert {each["roleRef"]["name"] for each in bindings} == {each["metadata"]["name"] for each in objects} == {"roles"}
    assert [each["subjects"] for each in bindings] == [
        [{"kind": "ServiceAccount", "name": "account", "namespace": "home"}] for _ in bindings
    ]


@pytest.mark.parametrize("name", ["yes", "null", "1e3", "0", "2026", "on", "1.5"])
def test_a_name_that_yaml_takes_for_something_else_stays_text(name: str) -> None:
    role = Role(name, name, (Rule("", "leases", name, (right("get", "leases", name, Where.OWN),)),))

    made, binding = yaml.safe_load_all(manifests([role], name, name))

    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == (name, name)
    assert made["rules"][0]["resourceNames"] == [name]
    assert (binding["subjects"][0]["name"], binding["subjects"][0]["namespace"], binding["roleRef"]["name"]) == (name, name, name)


def test_what_is_lost_without_a_right_stands_beside_it() -> None:
    text = manifests(roles([right("get", lost="nothing is seen")], Use(), "any"), "any", "home")

    assert "  # get: a test (without it: nothing is seen)\n" in text


def test_more_is_what_the_other_has_not() -> None:
    service, sweep = Use("run", elects=True, own_namespace="home"), Use("sweep", own_namespace="home")

    assert {(each.verb, each.resource) for each in more(service, sweep)} == {
        ("watch", "jobs"),
        ("watch", "gitrepos"),
        ("watch", "namespaces"),
        ("create", "events"),
        ("update", "leases"),
        ("create", "leases"),
    }
    assert more(sweep, service) == []
