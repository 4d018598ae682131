"""What is known now, grouped by GitRepo."""

from typing import Any

import msgspec
import pytest

from cleaner.fleet import read_gitrepo
from cleaner.inventory import Inventory
from cleaner.model import GitRepo, Namespace, Owner
from cleaner.scope import Scope, parse_selector
from tests.core.worlds import UID, gitrepo, job, job_facts

EVERYTHING = Scope()
SHOP = Owner("team", "shop", UID)


def _gitrepo(**parts: Any) -> GitRepo:
    return read_gitrepo(msgspec.json.encode(gitrepo(**parts)))


def _known(scope: Scope, *gitrepos: GitRepo, jobs: list[str], owner_uid: str = UID) -> Inventory:
    inventory = Inventory()
    inventory.add_namespaces([Namespace("team")])
    inventory.add_gitrepos(gitrepos, scope)
    inventory.add_jobs(job_facts(job(name, owner_uid=owner_uid) for name in jobs), scope)
    return inventory


def test_jobs_come_to_their_gitrepo() -> None:
    inventory = _known(EVERYTHING, _gitrepo(), _gitrepo(name="blog", uid="2"), jobs=["shop-00000", "shop-00001"])

    assert [job.name for job in inventory.groups[SHOP].jobs] == ["shop-00000", "shop-00001"]
    assert inventory.groups[SHOP].gitrepo == _gitrepo()
    assert inventory.groups[Owner("team", "blog", "2")].jobs == []
    assert inventory.left_out_jobs == 0


@pytest.mark.parametrize(
    "gitrepos",
    [
        pytest.param([], id="there-is-none"),
        pytest.param([_gitrepo(uid="made-anew")], id="another-uid"),
        pytest.param([_gitrepo(name="blog")], id="another-name"),
        pytest.param([_gitrepo(namespace="other")], id="another-namespace"),
    ],
)
def test_jobs_whose_gitrepo_does_not_live_are_a_group_without_one(gitrepos: list[GitRepo]) -> None:
    group = _known(EVERYTHING, *gitrepos, jobs=["shop-00000", "shop-00001"]).groups[SHOP]

    assert group.gitrepo is None
    assert [job.name for job in group.jobs] == ["shop-00000", "shop-00001"]


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(Scope(selector=parse_selector("env=prod")), id="by-selector"),
        pytest.param(Scope(namespaces=("other",)), id="by-namespace"),
        pytest.param(Scope(exclude=("te*",)), id="by-exclusion"),
    ],
)
def test_jobs_of_a_gitrepo_that_is_not_looked_after_are_counted_and_never_judged(scope: Scope) -> None:
    inventory = _known(scope, _gitrepo(), jobs=["shop-00000", "shop-00001"])

    assert inventory.groups == {}
    assert inventory.left_out_jobs == 2


def test_jobs_of_no_gitrepo_in_a_namespace_that_is_not_looked_after_are_counted() -> None:
    assert _known(Scope(namespaces=("other",)), jobs=["shop-00000"]).left_out_jobs == 1


def test_a_namespace_that_nobody_has_seen_cannot_be_understood() -> None:
    inventory = _known(EVERYTHING, jobs=[])

    assert inventory.namespace("team") == Namespace("team")
    assert inventory.namespace("other") == Namespace("other", problem="its Namespace has not been seen")


@pytest.mark.parametrize(
    ("fresh", "namespace"),
    [
        pytest.param(_gitrepo(), Namespace("team"), id="the-same"),
        pytest.param(_gitrepo(resourceVersion="99"), Namespace("team"), id="nothing-that-the-planner-reads"),
        pytest.param(_gitrepo(status_commit="feed"), Namespace("team"), id="another-commit"),
        pytest.param(_gitrepo(generation=2), Namespace("team"), id="unsettled-now"),
        pytest.param(_gitrepo(uid="made-anew"), Namespace("team"), id="made-anew"),
        pytest.param(None, Namespace("team"), id="gone"),
        pytest.param(_gitrepo(), Namespace("team", (("protect", "true"),)), id="the-namespace-is-protected-now"),
    ],
)
def test_a_fresh_reading_is_taken_in(fresh: GitRepo | None, namespace: Namespace) -> None:
    inventory = _known(EVERYTHING, _gitrepo(), jobs=["shop-00000"])

    inventory.adopt(SHOP, fresh, namespace)

    assert inventory.groups[SHOP].gitrepo == (fresh if fresh is not None and fresh.uid == UID else None)
    assert inventory.namespace("team") == namespace
