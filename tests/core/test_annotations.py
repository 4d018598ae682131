"""What a Job, its GitRepo and its Namespace may ask for themselves by annotations."""

from typing import Any

import pytest

from cleaner.retention import Verdict
from tests.core.worlds import AT, DAY, HOUR, current_job, gitrepo, job, judge, namespace, stamp

OPERATOR: dict[str, Any] = {"failed_keep": 0, "failed_age": 10.0 * HOUR}


def verdict(
    of_job: dict[str, str] | None = None,
    of_gitrepo: dict[str, str] | None = None,
    of_namespace: dict[str, str] | None = None,
    *,
    ago: float = 20 * HOUR,
    settings: dict[str, Any] | None = None,
    at: float = AT,
) -> Verdict:
    """Judge a failed Job of an old commit, alone, with annotations on three levels."""
    plan = judge(
        [job(ago=ago, annotations=of_job)], gitrepo(of_gitrepo), namespace(of_namespace), OPERATOR | (settings or {}), at=at
    )
    return plan.verdicts[0]


@pytest.mark.parametrize(
    ("levels", "until_age"),
    [
        pytest.param((None, None, None), None, id="the-operator"),
        pytest.param((None, None, {"failed-age": "30h"}), 30, id="the-namespace-over-the-operator"),
        pytest.param((None, {"failed-age": "40h"}, {"failed-age": "30h"}), 40, id="the-gitrepo-over-the-namespace"),
        pytest.param((None, {"failed-age": "11h"}, {"failed-age": "30h"}), None, id="even-where-it-asks-for-less"),
        pytest.param(({"failed-age": "50h"}, {"failed-age": "40h"}, {"failed-age": "30h"}), 50, id="the-job-over-all"),
        pytest.param(({"succeeded-age": "50h"}, None, None), None, id="of-the-other-outcome"),
        pytest.param(({"succeeded-age": "50h"}, {"failed-age": "40h"}, None), 40, id="each-outcome-by-itself"),
        pytest.param((None, {"failed-age": " 30h "}, None), 30, id="blanks-around-it"),
    ],
)
def test_the_nearest_level_that_says_something_wins(levels: tuple[dict[str, str] | None, ...], until_age: int | None) -> None:
    judged = verdict(*levels)

    assert (None if until_age is None else AT + (until_age - 20) * HOUR) == judged.until
    assert ("superseded" if until_age is None else "young") == judged.reason.value


@pytest.mark.parametrize(
    ("wish", "settings", "reason", "note"),
    [
        pytest.param({"failed-age": "1h"}, {}, "young", "failed-age 1h of the GitRepo is out of bounds: 10h", id="below-own"),
        pytest.param({"failed-age": "10h"}, {}, "young", None, id="exactly-own"),
        pytest.param({"failed-age": "1h"}, {"annotated_age_min": 3600.0}, "superseded", None, id="exactly-the-least"),
        pytest.param(
            {"failed-age": "59m"},
            {"annotated_age_min": 3600.0},
            "superseded",
            "failed-age 59m of the GitRepo is out of bounds: 1h",
            id="below-the-least",
        ),
        pytest.param(
            {"failed-age": "800h"},
            {},
            "young",
            "failed-age 800h of the GitRepo is out of bounds: 720h",
            id="above-the-default-most",
        ),
        pytest.param({"failed-age": "720h"}, {}, "young", None, id="exactly-the-most"),
        pytest.param(
            {"failed-age": "6h"},
            {"annotated_age_min": 0.0, "annotated_age_max": 4.0 * HOUR},
            "young",
            None,
            id="above-the-most-but-not-above-own",
        ),
        pytest.param(
            {"failed-age": "11h"},
            {"annotated_age_max": 4.0 * HOUR},
            "young",
            "failed-age 11h of the GitRepo is out of bounds: 10h",
            id="above-the-most-and-own",
        ),
        pytest.param({"failed-keep": "1"}, {}, "newest", None, id="more-than-own"),
        pytest.param(
            {"failed-keep": "0"},
            {"failed_keep": 1},
            "newest",
            "failed-keep 0 of the GitRepo is out of bounds: 1",
            id="fewer-than-own",
        ),
        pytest.param({"failed-keep": "0"}, {"failed_keep": 1, "annotated_keep_min": 0}, "young", None, id="fewer-where-allowed"),
        pytest.param(
            {"failed-keep": "51"}, {}, "newest", "failed-keep 51 of the GitRepo is out of bounds: 50", id="more-than-the-most"
        ),
        pytest.param({"failed-keep": "50"}, {}, "newest", None, id="exactly-the-most-places"),
    ],
)
def test_a_wish_is_held_within_the_bounds_and_that_is_told(
    wish: dict[str, str], settings: dict[str, Any], reason: str, note: str | None
) -> None:
    """Without a lower bound, the operator's own value is it: an annotation can only keep more."""
    plan = judge([job(ago=5 * HOUR)], gitrepo(wish), settings=OPERATOR | settings)

    assert [reason] == [one.reason.value for one in plan.verdicts]
    assert plan.notes == (() if note is None else (note,))


def test_notes_name_the_level_and_come_sorted() -> None:
    plan = judge(
        [job(annotations={"failed-keep": "70"})], gitrepo({"succeeded-age": "1s"}), namespace({"failed-age": "2h"}), OPERATOR
    )

    assert plan.notes == (
        "failed-age 2h of the Namespace is out of bounds: 10h",
        "failed-keep 70 of the Job is out of bounds: 50",
        "succeeded-age 1s of the GitRepo is out of bounds: 10m",
    )


@pytest.mark.parametrize("name", ["protect", "pause"])
@pytest.mark.parametrize(
    ("text", "until"),
    [
        pytest.param("true", None, id="for-good"),
        pytest.param("2026-11-23", AT + DAY / 2, id="today-counts-to-its-end"),
        pytest.param("2026-12-24", AT + DAY / 2 + 31 * DAY, id="a-day-to-its-end"),
        pytest.param(stamp(-1), AT + 1, id="a-time-to-come"),
        pytest.param("2026-11-23T14:00:00+01:00", AT + HOUR, id="another-zone"),
        pytest.param(" true ", None, id="blanks-around-it"),
    ],
)
def test_a_protection_holds(name: str, text: str, until: float | None) -> None:
    for levels in ({name: text}, None, None), (None, {name: text}, None), (None, None, {name: text}):
        judged = verdict(*levels)

        assert judged.reason.value == "protected"
        assert until == judged.until


def test_protection_to_the_last_day_there_is_holds() -> None:
    """A common way to say "for good"; the day after it cannot be written."""
    assert verdict({"protect": "9999-12-31"}).reason.value == "protected"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("false", id="false"),
        pytest.param("2026-11-22", id="yesterday"),
        pytest.param(stamp(0), id="just-now"),
        pytest.param(stamp(1), id="a-second-ago"),
    ],
)
def test_a_protection_does_not_hold(text: str) -> None:
    assert verdict({"protect": text}).reason.value == "superseded"


def test_the_longest_of_several_protections_counts_and_false_takes_none_away() -> None:
    assert verdict({"protect": stamp(-HOUR)}, {"protect": stamp(-DAY)}).until == AT + DAY
    assert verdict({"protect": "false"}, {"protect": "true"}).reason.value == "protected"
    assert verdict({"protect": stamp(-HOUR), "pause": stamp(-DAY)}).until == AT + DAY


def test_a_protection_ends_at_its_moment() -> None:
    assert verdict({"protect": stamp(-HOUR)}, at=AT + HOUR - 1).reason.value == "protected"
    assert verdict({"protect": stamp(-HOUR)}, at=AT + HOUR).reason.value == "superseded"


BAD = [
    pytest.param(
        "protect", "yes", "'yes' is not true, false, a date like 2026-12-24 or a time like 2026-12-24T08:00:00Z", id="yes"
    ),
    pytest.param(
        "protect",
        "2026-12-24T08:00:00",
        "'2026-12-24T08:00:00' is not true, false, a date like 2026-12-24 or a time like 2026-12-24T08:00:00Z",
        id="no-zone",
    ),
    pytest.param(
        "pause",
        "2026-02-30",
        "'2026-02-30' is not true, false, a date like 2026-12-24 or a time like 2026-12-24T08:00:00Z",
        id="no-such-day",
    ),
    pytest.param("failed-age", "soon", "'soon' is not a duration like 72h, 10m or 1h30m", id="no-duration"),
    pytest.param("failed-age", "-1h", "'-1h' is negative; a duration is 0 or more, like 72h, 10m or 1h30m", id="negative"),
    pytest.param("succeeded-age", "3", "'3' is not a duration like 72h, 10m or 1h30m", id="no-unit-on-the-other-outcome"),
    pytest.param("failed-keep", "all", "'all' is not a count from 0 to 999999", id="no-count"),
    pytest.param("failed-keep", "-1", "'-1' is not a count from 0 to 999999", id="a-negative-count"),
    pytest.param("succeeded-keep", "1.5", "'1.5' is not a count from 0 to 999999", id="half-a-job"),
    pytest.param("failed-keep", "1000000", "'1000000' is not a count from 0 to 999999", id="too-many"),
    pytest.param("keep", "3", "not one of protect, pause, succeeded-age, failed-age, succeeded-keep, failed-keep", id="unknown"),
    pytest.param(
        "current", "all", "not one of protect, pause, succeeded-age, failed-age, succeeded-keep, failed-keep", id="never-current"
    ),
    pytest.param(
        "settle", "0", "not one of protect, pause, succeeded-age, failed-age, succeeded-keep, failed-keep", id="never-settle"
    ),
    pytest.param("", "x", "not one of protect, pause, succeeded-age, failed-age, succeeded-keep, failed-keep", id="no-name"),
]


@pytest.mark.parametrize(("name", "text", "problem"), BAD)
def test_a_bad_annotation_makes_the_job_unreadable_and_is_named(name: str, text: str, problem: str) -> None:
    for of, levels in {
        "Job": ({name: text}, None, None),
        "GitRepo": (None, {name: text}, None),
        "Namespace": (None, None, {name: text}),
    }.items():
        judged = verdict(*levels)

        assert judged.reason.value == "unreadable"
        assert judged.detail == f"annotation gitjob-cleaner/{name} of its {of}: {problem}"


def test_a_bad_annotation_on_one_job_costs_its_neighbours_nothing() -> None:
    plan = judge([job("shop-00000", annotations={"failed-age": "soon"}), job("shop-00001")], gitrepo(), settings=OPERATOR)

    assert [one.reason.value for one in plan.verdicts] == ["unreadable", "superseded"]


def test_a_namespace_that_cannot_be_understood_keeps_its_jobs() -> None:
    plan = judge([job()], gitrepo(), {"metadata": {"name": "team", "annotations": 3}}, OPERATOR)

    assert [one.detail for one in plan.verdicts] == [
        "its Namespace: Expected `object | null`, got `int` - at `$.metadata.annotations`"
    ]


def test_annotations_reach_current_jobs_that_the_policy_lets_go() -> None:
    plan = judge([current_job(ago=20 * HOUR)], gitrepo({"failed-age": "30h"}), settings=OPERATOR | {"current": "all"})

    assert [one.until for one in plan.verdicts] == [AT + 10 * HOUR]


def test_an_annotation_is_not_made_readable_by_cutting_it() -> None:
    """What is longer than we keep is no good value, whatever its beginning says."""
    long = {"failed-age": "20h" + " " * 300 + "after the audit"}

    assert verdict(of_gitrepo=long).reason.value == "unreadable"


def test_more_annotations_than_are_kept_make_the_job_unreadable() -> None:
    many = {f"a-note-{number:02}": "x" for number in range(30)} | {"protect": "false"}

    assert verdict(of_gitrepo=many).reason.value == "unreadable"
