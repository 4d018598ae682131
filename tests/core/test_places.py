"""The newest N of an outcome: who takes a place, who is kept by one, and how ties are broken."""

from typing import Any

import pytest

from tests.core.worlds import FIXED, HOUR, RECREATES, Raw, current_job, gitrepo, job, judge, reasons, stamp

KEEP_2: dict[str, Any] = {"failed_keep": 2, "failed_age": 0.0, "succeeded_age": 0.0}


def kept(jobs: list[Raw], settings: dict[str, Any] | None = None, version: tuple[int, ...] = FIXED) -> list[str]:
    """Last letters of the Jobs that are kept for their place, in the order given."""
    plan = judge(jobs, gitrepo(), settings=settings or KEEP_2, version=version)
    return [name[-1] for name, reason in reasons(plan).items() if reason == "newest"]


def old(letter: str, ago: float = HOUR, **more: Any) -> Raw:
    """Make a failed Job of an old commit."""
    return job(f"shop-0000{letter}", ago=ago, **more)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param([old("a", 4000), old("b", 3000), old("c", 5000)], ["a", "b"], id="latest-finish-first"),
        pytest.param(
            [old("a", created_ago=7000), old("b", created_ago=8000), old("c", created_ago=9000)], ["a", "b"], id="then-creation"
        ),
        pytest.param([old("c"), old("a"), old("b")], ["c", "b"], id="then-name"),
        pytest.param(
            [old("a", 5000, created_ago=5001), old("b", 4000, created_ago=9999), old("c", 4500)], ["b", "c"], id="finish"
        ),
        pytest.param([old("a")], ["a"], id="fewer-than-n"),
        pytest.param(
            [old("a", deletionTimestamp=stamp(1)), old("b", 4000), old("c", 5000)], ["b", "c"], id="deleting-takes-none"
        ),
        pytest.param([job("shop-0000a", None), old("b", 4000), old("c", 5000)], ["b", "c"], id="running-takes-none"),
        pytest.param([job("shop-0000a", "succeeded", ago=1), old("b", 4000), old("c", 5000)], ["b", "c"], id="other-outcome"),
        pytest.param([current_job(ago=600), old("b", 4000), old("c", 5000)], ["b"], id="current-takes-one"),
        pytest.param(
            [current_job(ago=9000), old("b", 4000), old("c", 5000)], ["b", "c"], id="an-older-current-takes-a-later-one"
        ),
        pytest.param(
            [old("a", annotations={"protect": "true"}), old("b", 4000), old("c", 5000)], ["b"], id="protected-takes-one"
        ),
        pytest.param([old("a", 9), old("b", 4000), old("c", 5000)], ["b"], id="settling-takes-one"),
    ],
)
def test_two_places(jobs: list[Raw], expected: list[str]) -> None:
    assert expected == kept(jobs)


@pytest.mark.parametrize(
    ("count", "expected"),
    [pytest.param(0, [], id="0"), pytest.param(1, ["a"], id="1"), pytest.param(3, ["a", "b", "c"], id="3")],
)
def test_as_many_as_asked_for(count: int, expected: list[str]) -> None:
    jobs = [old(letter, 4000 + place) for place, letter in enumerate("abc")]

    assert expected == kept(jobs, KEEP_2 | {"failed_keep": count})


def test_each_outcome_has_places_of_its_own() -> None:
    jobs = [old("a"), job("shop-0000b", "succeeded", ago=HOUR), old("c", 4000), job("shop-0000d", "succeeded", ago=4000)]

    assert kept(jobs, KEEP_2 | {"failed_keep": 1, "succeeded_keep": 1}) == ["a", "b"]


def test_a_place_never_keeps_a_current_job_that_the_policy_lets_go() -> None:
    plan = judge([current_job(ago=HOUR), old("b", 4000), old("c", 5000)], gitrepo(), settings=KEEP_2 | {"current": "all"})

    assert list(reasons(plan).values()) == ["expired", "newest", "superseded"]


def test_a_job_may_ask_for_more_places_than_its_neighbours() -> None:
    """Its own annotation says how far down it may stand."""
    jobs = [old("a", 4000), old("b", 5000, annotations={"failed-keep": "2"}), old("c", 6000)]

    assert kept(jobs, KEEP_2 | {"failed_keep": 1}) == ["a", "b"]


def test_places_are_the_same_under_an_old_fleet() -> None:
    jobs = [current_job(ago=600), old("b", 4000), old("c", 5000)]

    assert kept(jobs, version=RECREATES) == ["b"]


def test_the_same_name_after_another_run_is_told_apart_by_its_uid() -> None:
    """Job names are used again; two readings of one name must not share a place."""
    first, second = old("a", 4000), {**old("a", 5000)}
    second["metadata"] = {**second["metadata"], "uid": "another"}
    plan = judge([first, second], gitrepo(), settings=KEEP_2 | {"failed_keep": 1})

    assert [verdict.reason.value for verdict in plan.verdicts] == ["newest", "superseded"]
