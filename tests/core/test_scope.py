"""Which Namespaces and GitRepos are looked after."""

import pytest

from cleaner.model import GitRepo
from cleaner.scope import Scope, parse_glob, parse_namespace, parse_selector

PROD = {"env": "prod", "team": "shop", "fleet.cattle.io/shard-ref": "a"}


def holds(selector: str, labels: dict[str, str]) -> bool:
    return all(requirement.holds(labels) for requirement in parse_selector(selector))


@pytest.mark.parametrize(
    ("selector", "matches", "matches_none"),
    [
        pytest.param("", True, True, id="empty"),
        pytest.param("   ", True, True, id="blank"),
        pytest.param("env=prod", True, False, id="equal"),
        pytest.param("env==prod", True, False, id="double-equal"),
        pytest.param("env = prod", True, False, id="blanks-around-equal"),
        pytest.param("env=dev", False, False, id="not-equal"),
        pytest.param("env!=dev", True, True, id="unequal-holds-where-it-is-missing"),
        pytest.param("env!=prod", False, True, id="unequal-fails"),
        pytest.param("env in (dev,prod)", True, False, id="in"),
        pytest.param("env in ( dev , prod )", True, False, id="blanks-in-a-set"),
        pytest.param("env in (dev)", False, False, id="not-in"),
        pytest.param("env notin (dev,test)", True, True, id="notin-holds-where-it-is-missing"),
        pytest.param("env notin (prod)", False, True, id="notin-fails"),
        pytest.param("env", True, False, id="exists"),
        pytest.param("!env", False, True, id="is-missing"),
        pytest.param("! env", False, True, id="is-missing-with-a-blank"),
        pytest.param("!canary", True, True, id="is-missing-in-both"),
        pytest.param("fleet.cattle.io/shard-ref=a", True, False, id="prefixed-key"),
        pytest.param("!fleet.cattle.io/shard-ref", False, True, id="default-shard"),
        pytest.param("env=prod,team=shop", True, False, id="and"),
        pytest.param("env=prod,team!=shop", False, False, id="and-fails"),
        pytest.param("env in (dev,prod),team notin (a,b),!canary,team", True, False, id="all-forms"),
        pytest.param("env=", False, False, id="empty-value-is-not-a-missing-label"),
        pytest.param("env in (,dev)", False, False, id="empty-value-in-a-set"),
        pytest.param("env!=", True, True, id="not-the-empty-value"),
    ],
)
def test_a_selector_means_what_it_means_to_kubectl(selector: str, matches: bool, matches_none: bool) -> None:
    assert (matches, matches_none) == (holds(selector, PROD), holds(selector, {}))


def test_an_empty_value_matches_an_empty_label() -> None:
    assert holds("env=", {"env": ""})
    assert not holds("env!=", {"env": ""})


@pytest.mark.parametrize("selector", ["env in(dev,prod)", "env notin(dev)"])
def test_a_set_needs_no_blank_before_it(selector: str) -> None:
    """As in kubectl, whose lexer ends a word at a parenthesis."""
    assert holds(selector, PROD)


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param("env=prod,", id="comma-at-the-end"),
        pytest.param(",env", id="comma-at-the-start"),
        pytest.param("env=prod team=shop", id="no-comma"),
        pytest.param("env in dev", id="no-parentheses"),
        pytest.param("env in (dev", id="open-parenthesis"),
        pytest.param("env in (d ev)", id="blank-in-a-value"),
        pytest.param("=prod", id="no-key"),
        pytest.param("!", id="nothing-to-miss"),
        pytest.param("!env=prod", id="not-and-equal"),
        pytest.param("-env", id="dash-first"),
        pytest.param("env=-prod", id="dash-first-in-a-value"),
        pytest.param("a/b/c=d", id="two-prefixes"),
        pytest.param("env>1", id="greater"),
        pytest.param("env='prod'", id="quotes"),
    ],
)
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="is not a label selector like env=prod, env!=prod, env in \\(a,b\\), env or !env"):
        parse_selector(selector)


@pytest.mark.parametrize("glob", ["*", "team-*", "shop-[ab]", "shop-[!ab]", "team-?", "a", "x-[a-z]-*"])
def test_a_pattern_for_namespaces(glob: str) -> None:
    assert glob == parse_glob(glob)


@pytest.mark.parametrize("glob", ["", "Team", "team_*", "a.b", "team-[", "[]", "a b", "team,shop", "{a,b}"])
def test_what_is_no_pattern_is_refused(glob: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern for Namespaces like team-\\* or shop-\\[ab\\]"):
        parse_glob(glob)


@pytest.mark.parametrize("name", ["a", "fleet-default", "0a", "x" * 63])
def test_the_name_of_a_namespace(name: str) -> None:
    assert name == parse_namespace(name)


@pytest.mark.parametrize("name", ["", "Fleet", "-a", "a-", "a.b", "a_b", "team-*", "x" * 64, "a\n"])
def test_what_is_no_name_of_a_namespace_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a Namespace"):
        parse_namespace(name)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        pytest.param(Scope(), {"fleet-default", "fleet-local", "team-a"}, id="everything"),
        pytest.param(Scope(namespaces=("team-a", "x")), {"team-a"}, id="named"),
        pytest.param(Scope(exclude=("fleet-*",)), {"team-a"}, id="excluded-by-a-pattern"),
        pytest.param(Scope(exclude=("fleet-[!d]*", "team-?")), {"fleet-default"}, id="excluded-by-two"),
        pytest.param(Scope(namespaces=("team-a", "fleet-local"), exclude=("team-*",)), {"fleet-local"}, id="exclusion-wins"),
        pytest.param(Scope(exclude=("team",)), {"fleet-default", "fleet-local", "team-a"}, id="a-pattern-is-no-prefix"),
    ],
)
def test_which_namespaces_are_looked_after(scope: Scope, covered: set[str]) -> None:
    assert covered == {name for name in ("fleet-default", "fleet-local", "team-a") if scope.covers_namespace(name)}


def test_which_gitrepos_are_looked_after() -> None:
    prod = GitRepo("team", "shop", "1", labels=(("env", "prod"), ("tier", "1")))
    plain = GitRepo("team", "blog", "2")
    by_selector = {
        selector: [one.name for one in (prod, plain) if Scope(selector=parse_selector(selector)).covers(one)]
        for selector in ("", "env=prod", "!env", "env=prod,tier!=1", "tier")
    }

    assert by_selector == {"": ["shop", "blog"], "env=prod": ["shop"], "!env": ["blog"], "env=prod,tier!=1": [], "tier": ["shop"]}
