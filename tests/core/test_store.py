"""The store: whatever the readers tell in whatever pieces, in the end it knows what a fresh list would say."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaner.cluster import ClusterError, Denied, Kind
from cleaner.fleet import Change, Unreadable, read_gitrepo
from cleaner.happened import Finished, Happened
from cleaner.model import GitRepo, Job, Namespace, Owner
from cleaner.scope import Scope, parse_selector
from cleaner.service.readers import Changed, Failed, Listed, Source
from cleaner.service.store import Store
from tests.core.worlds import UID, gitrepo, job, job_facts

JOBS, GITREPOS, NAMESPACES = (Source(kind, "") for kind in (Kind.JOBS, Kind.GITREPOS, Kind.NAMESPACES))
SHOP = Owner("team", "shop", UID)
TEAM = Namespace("team")


def repo(**parts: Any) -> GitRepo:
    return read_gitrepo(msgspec.json.encode(gitrepo(**parts)))


def facts(*names: str, outcome: str | None = "failed", version: str = "7", owner_uid: str = UID) -> list[Job]:
    return job_facts(job(name, outcome, resourceVersion=version, owner_uid=owner_uid) for name in names)


def store(told: list[Happened] | None = None, scope: Scope | None = None) -> Store:
    return Store([JOBS, GITREPOS, NAMESPACES], scope or Scope(), (told if told is not None else []).append)


def filled(told: list[Happened] | None = None, scope: Scope | None = None, jobs: list[Job] | None = None) -> Store:
    made = store(told, scope)
    made.listed(Listed(NAMESPACES, 1, [TEAM], [], 0))
    made.listed(Listed(GITREPOS, 1, [repo()], [], 0))
    made.listed(Listed(JOBS, 1, jobs if jobs is not None else facts("shop-0"), [], 3))
    return made


def changed(source: Source, *changes: tuple[Any, bool]) -> Changed:
    return Changed(source, [Change("9", fact, gone) for fact, gone in changes], 100.0)


def names(made: Store, owner: Owner = SHOP) -> list[str]:
    group = made.inventory.groups.get(owner)
    return sorted(job.name for job in group.jobs) if group else []


def test_nothing_is_readable_before_all_of_a_part_has_been_listed() -> None:
    made = store()
    made.listed(Listed(GITREPOS, 1, [repo()], [], 0))
    made.listed(Listed(JOBS, 1, facts("shop-0"), [], 0))
    assert not made.readable("team")

    made.listed(Listed(NAMESPACES, 1, [TEAM], [], 0))
    assert made.readable("team")
    assert made.looked().parts == 1


def test_a_source_that_fails_takes_its_part_out_until_it_is_listed_again() -> None:
    made = filled()

    assert made.failed(Failed(GITREPOS, 2, Denied("no"))) == {SHOP}
    assert not made.readable("team")
    assert [refused.denied for refused in made.looked().refused] == [True]
    assert made.recovers(Listed(GITREPOS, 2, [], [], 0))

    made.listed(Listed(GITREPOS, 2, [repo()], [], 0))
    assert made.readable("team")
    assert made.looked().refused == []


def test_one_namespace_that_fails_leaves_the_others_readable() -> None:
    sources = [Source(kind, name) for kind in Kind for name in ("team", "other")]
    made = Store(sources, Scope(namespaces=("team", "other")), list[Happened]().append)
    for source in sources:
        made.listed(Listed(source, 1, [], [], 0))
    made.failed(Failed(Source(Kind.JOBS, "other"), 2, ClusterError("gone")))

    assert made.readable("team")
    assert not made.readable("other")
    assert made.looked().parts == 1


def test_a_poll_is_no_change_and_anything_that_the_rules_read_is() -> None:
    made = filled()

    assert made.changed(changed(GITREPOS, (repo(status_lastPollingTriggered="2026-11-23T11:59:59Z"), False))) == set()
    assert made.changed(changed(GITREPOS, (repo(status_commit="beef"), False))) == {SHOP}
    assert made.changed(changed(GITREPOS, (repo(status_commit="beef"), False))) == set()


def test_a_namespace_whose_annotations_change_concerns_its_gitrepos() -> None:
    made = filled()

    assert made.changed(changed(NAMESPACES, (TEAM, False))) == set()
    assert made.changed(changed(NAMESPACES, (Namespace("team", (("protect", "true"),)), False))) == {SHOP}
    assert made.changed(changed(NAMESPACES, (Namespace("elsewhere", (("protect", "true"),)), False))) == set()


def test_only_the_last_of_several_changes_of_a_job_counts() -> None:
    made = filled(jobs=[])

    made.changed(changed(JOBS, (facts("shop-1")[0], False), (facts("shop-1", version="8")[0], False)))
    assert [job.version for job in made.inventory.groups[SHOP].jobs] == ["8"]

    made.changed(changed(JOBS, (facts("shop-1", version="9")[0], False), (facts("shop-1")[0], True)))
    assert names(made) == []
    assert made.gone == ["uid-shop-1"]


def test_a_deleted_job_does_not_come_back_with_a_list_that_was_under_way() -> None:
    made = filled(jobs=facts("shop-0", "shop-1"))

    made.deleted(facts("shop-0"), listing=True)
    assert names(made) == ["shop-1"]
    made.listed(Listed(JOBS, 2, facts("shop-0", "shop-1"), [], 0))
    assert names(made) == ["shop-1"]

    made.listed(Listed(JOBS, 3, facts("shop-0"), [], 0))
    assert names(made) == ["shop-0"], "a list that began later knows better"


def test_jobs_that_finish_are_told_once() -> None:
    told: list[Happened] = []
    made = filled(told, jobs=facts("shop-1", outcome=None))

    made.changed(changed(JOBS, (facts("shop-1", "shop-1")[0], False)))
    made.changed(changed(JOBS, (facts("shop-1", version="8")[0], False)))
    assert [happened.job.name for happened in told if isinstance(happened, Finished)] == ["shop-1"]


def test_a_job_that_finished_and_was_deleted_at_once_is_told_and_one_that_was_known_or_only_left_is_not() -> None:
    told: list[Happened] = []
    made = filled(told, jobs=[*facts("shop-1", outcome=None), *facts("shop-0")])
    finished, old = facts("shop-1")[0], facts("shop-0")[0]
    leaving = msgspec.structs.replace(facts("shop-7")[0], marks=Job.DELETING)

    made.changed(changed(JOBS, (finished, False), (finished, True), (old, False), (old, True), (leaving, False), (leaving, True)))
    assert [happened.job.name for happened in told if isinstance(happened, Finished)] == ["shop-1"]
    assert names(made) == []


def test_a_job_that_finished_between_two_lists_is_told_and_an_old_one_is_not() -> None:
    told: list[Happened] = []
    made = filled(told, jobs=[*facts("shop-1", outcome=None), *facts("shop-0")])

    made.listed(Listed(JOBS, 2, facts("shop-0", "shop-1", "shop-2"), [], 0))
    assert [happened.job.name for happened in told if isinstance(happened, Finished)] == ["shop-1"]


def test_a_gitrepo_that_leaves_the_selector_takes_its_jobs_along_and_one_that_comes_in_asks_for_them() -> None:
    scope = Scope(selector=parse_selector("env=prod"))
    made = store(scope=scope)
    made.listed(Listed(NAMESPACES, 1, [TEAM], [], 0))
    made.listed(Listed(GITREPOS, 1, [repo(labels={"env": "prod"})], [], 0))
    made.listed(Listed(JOBS, 1, facts("shop-0"), [], 0))

    assert made.changed(changed(GITREPOS, (repo(labels={"env": "test"}), False))) == {SHOP}
    assert names(made) == []
    assert made.changed(changed(JOBS, (facts("shop-1")[0], False))) == set()
    assert not made.wants_jobs

    assert made.changed(changed(GITREPOS, (repo(labels={"env": "prod"}), False))) == {SHOP}
    assert made.wants_jobs


def test_a_gitrepo_that_is_gone_leaves_its_jobs_to_nobody() -> None:
    made = filled()

    assert made.changed(changed(GITREPOS, (repo(), True))) == {SHOP}
    assert made.inventory.groups[SHOP].gitrepo is None
    made.changed(changed(JOBS, (facts("shop-0")[0], True)))
    assert SHOP not in made.inventory.groups


def test_what_could_not_be_named_is_told() -> None:
    told: list[Happened] = []
    made = filled(told)

    made.changed(Changed(JOBS, [Change("9", unreadable=Unreadable("team", "?", "no name"))], 1.0))
    assert [(type(each).__name__, getattr(each, "kind", "")) for each in told] == [("Unreadable", "Job")]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["put", "gone", "repo", "no repo", "list"]), st.integers(0, 5), st.booleans()), max_size=40
)


@given(EVENTS)
@settings(max_examples=300)
def test_after_any_story_it_knows_what_a_fresh_list_would_say(events: list[tuple[str, int, bool]]) -> None:
    made = filled(jobs=[])
    there: dict[str, Job] = {}
    living: GitRepo | None = repo()
    for version, (what, number, finished) in enumerate(events):
        if what == "put":
            fact = facts(f"shop-{number}", outcome="failed" if finished else None, version=str(version))[0]
            there[fact.uid] = fact
            made.changed(changed(JOBS, (fact, False)))
        elif what == "gone":
            fact = facts(f"shop-{number}")[0]
            there.pop(fact.uid, None)
            made.changed(changed(JOBS, (fact, True)))
        elif what == "list":
            made.listed(Listed(JOBS, version, list(there.values()), [], 0))
        else:
            living = repo(status_commit=str(number)) if what == "repo" else None
            made.changed(changed(GITREPOS, (living or repo(), living is None)))
    fresh = filled(jobs=list(there.values()))
    fresh.listed(Listed(GITREPOS, 2, [living] if living else [], [], 0))

    assert set(made.inventory.groups) == set(fresh.inventory.groups)
    for owner, group in fresh.inventory.groups.items():
        assert made.inventory.groups[owner].gitrepo == group.gitrepo
        assert {job.uid: job for job in made.inventory.groups[owner].jobs} == {job.uid: job for job in group.jobs}
