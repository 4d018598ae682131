"""Durations as operators write and read them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaner.durations import describe_duration, format_duration, parse_duration

YEAR = 365 * 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("0", 0, id="zero-needs-no-unit"),
        pytest.param("0s", 0, id="zero-seconds"),
        pytest.param("90s", 90, id="seconds"),
        pytest.param("10m", 600, id="minutes"),
        pytest.param("72h", 259200, id="hours"),
        pytest.param("2d", 172800, id="days"),
        pytest.param("1h30m", 5400, id="two-units"),
        pytest.param("1d2h3m4s", 93784, id="four-units"),
        pytest.param("1h0m0s", 3600, id="as-go-writes-it"),
        pytest.param("1.5h", 5400, id="a-fraction"),
        pytest.param(".5m", 30, id="a-bare-fraction"),
        pytest.param("500ms", 0.5, id="milliseconds"),
        pytest.param("2us", 2e-6, id="microseconds"),
        pytest.param("2µs", 2e-6, id="microseconds-in-greek"),
        pytest.param("3ns", 3e-9, id="nanoseconds"),
        pytest.param("36500d", 100 * YEAR, id="a-hundred-years"),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "'' is not a duration like 72h, 10m or 1h30m", id="empty"),
        pytest.param("72", "'72' is not a duration like 72h, 10m or 1h30m", id="no-unit"),
        pytest.param("h", "'h' is not a duration like 72h, 10m or 1h30m", id="no-number"),
        pytest.param("1w", "'1w' is not a duration like 72h, 10m or 1h30m", id="weeks"),
        pytest.param("1 h", "'1 h' is not a duration like 72h, 10m or 1h30m", id="a-blank"),
        pytest.param(" 1h", "' 1h' is not a duration like 72h, 10m or 1h30m", id="a-blank-first"),
        pytest.param("1h30", "'1h30' is not a duration like 72h, 10m or 1h30m", id="no-unit-at-the-end"),
        pytest.param("1H", "'1H' is not a duration like 72h, 10m or 1h30m", id="capital"),
        pytest.param("1e3s", "'1e3s' is not a duration like 72h, 10m or 1h30m", id="exponent"),
        pytest.param("inf", "'inf' is not a duration like 72h, 10m or 1h30m", id="infinite"),
        pytest.param("1h-30m", "'1h-30m' is not a duration like 72h, 10m or 1h30m", id="minus-inside"),
        pytest.param("-1h", "'-1h' is negative; a duration is 0 or more, like 72h, 10m or 1h30m", id="negative"),
        pytest.param("36501d", "'36501d' is longer than a hundred years", id="too-long"),
        pytest.param("9" * 63 + "h", "'" + "9" * 59 + " is longer than a hundred years", id="beyond-all-reason"),
        pytest.param(
            "9" * 400 + "h", "'" + "9" * 20 + "'... is too long for a duration like 72h, 10m or 1h30m", id="beyond-all-floats"
        ),
        pytest.param("x" * 64, "'" + "x" * 59 + " is not a duration like 72h, 10m or 1h30m", id="long-text-is-cut"),
        pytest.param("x" * 65, "'" + "x" * 20 + "'... is too long for a duration like 72h, 10m or 1h30m", id="longer-text"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole message is compared
        parse_duration(text)

    assert message == str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (1, "1s"), (60, "1m"), (5400, "1h30m"), (259200, "72h"), (3661, "1h1m1s"), (0.25, "0.25s"), (59.7, "1m")],
)
def test_a_duration_is_written_in_its_largest_units(seconds: float, text: str) -> None:
    assert text == format_duration(seconds)


@settings(max_examples=300)
@given(st.integers(0, 100 * YEAR))
def test_whole_seconds_survive_writing_and_reading(seconds: int) -> None:
    assert seconds == parse_duration(format_duration(seconds))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (725, "12m 5s"),
        (3600, "1h"),
        (3605, "1h 5s"),
        (4 * 86400 + 3 * 3600 + 59, "4d 3h"),
    ],
)
def test_a_span_is_told_in_two_units(seconds: float, text: str) -> None:
    assert text == describe_duration(seconds)
