"""One fault a row, with the exact line that tells of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cleaner.settings.load import BadSettings, load_settings

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a settings file and return its path."""

    def writing(text: str) -> str:
        (tmp_path / "settings.yaml").write_text(text, encoding="utf-8")
        return str(tmp_path / "settings.yaml")

    return writing


def refused(flags: dict[str, str], environment: dict[str, str] | None = None) -> list[str]:
    """Lines of a refusal."""
    with pytest.raises(BadSettings) as bad:
        load_settings(flags, environment or {})
    assert str(bad.value) == "\n".join(bad.value.lines)
    return bad.value.lines


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param(
            "failed_age", "-1h", "'-1h' is negative; a duration is 0 or more, like 72h, 10m or 1h30m", id="negative-age"
        ),
        pytest.param("failed_age", "72", "'72' is not a duration like 72h, 10m or 1h30m", id="age-without-a-unit"),
        pytest.param("failed_age", "", "'' is not a duration like 72h, 10m or 1h30m", id="empty-age"),
        pytest.param("settle", "999999d", "'999999d' is longer than a hundred years", id="endless-settle"),
        pytest.param("failed_keep", "-1", "'-1' is not a count, 0 or more", id="negative-count"),
        pytest.param("failed_keep", "1.5", "'1.5' is not a count, 0 or more", id="broken-count"),
        pytest.param("failed_keep", "", "'' is not a count, 0 or more", id="empty-count"),
        pytest.param("failed_keep", "9999999999", "'9999999999' is not a count, 0 or more", id="count-beyond-reason"),
        pytest.param("failed_keep", "²", "'²' is not a count, 0 or more", id="count-in-superscript"),
        pytest.param("delete_rate", "fast", "'fast' is not a rate per second, 0 (unbounded) or more", id="bad-rate"),
        pytest.param("delete_rate", "-1", "'-1' is not a rate per second, 0 (unbounded) or more", id="negative-rate"),
        pytest.param("delete_rate", "nan", "'nan' is not a rate per second, 0 (unbounded) or more", id="no-number-rate"),
        pytest.param("delete_rate", "inf", "'inf' is not a rate per second, 0 (unbounded) or more", id="infinite-rate"),
        pytest.param("wake", "yes", "'yes' is not true or false", id="bad-truth"),
        pytest.param("dry_run", "1", "'1' is not true or false", id="truth-as-number"),
        pytest.param("current", "none", "'none' is not one of keep, succeeded, all", id="bad-choice"),
        pytest.param("output", "yaml", "'yaml' is not one of table, json", id="bad-output"),
        pytest.param("log_level", "trace", "'trace' is not one of debug, info, warning, error", id="bad-log-level"),
        pytest.param(
            "namespaces", " , ", "it names no Namespace; leave it out to look after the whole cluster", id="no-namespace-at-all"
        ),
        pytest.param("namespaces", "a,B", "'B' is not the name of a Namespace", id="bad-namespace"),
        pytest.param("namespaces", "team-*", "'team-*' is not the name of a Namespace", id="pattern-for-a-name"),
        pytest.param(
            "exclude_namespaces", "team_*", "'team_*' is not a pattern for Namespaces like team-* or shop-[ab]", id="bad-glob"
        ),
        pytest.param(
            "selector",
            "env=prod,=x",
            "'=x' is not a label selector like env=prod, env!=prod, env in (a,b), env or !env",
            id="bad-selector",
        ),
        pytest.param(
            "fleet_namespace", "Fleet System", "'Fleet System' is not the name of a Namespace", id="bad-fleet-namespace"
        ),
        pytest.param("instance", "a/b", "'a/b' is not the name of a Namespace", id="bad-instance"),
    ],
)
def test_a_bad_value_is_told_as_its_source_writes_it(write: Write, name: str, text: str, message: str) -> None:
    flag, variable = "--" + name.replace("_", "-"), "GITJOB_CLEANER_" + name.upper()
    path = write(f"{name}: '{text}'")

    assert refused({name: text}) == [f"{flag}: {message}"]
    assert refused({}, {variable: text}) == [f"{variable}: {message}"]
    assert refused({"config": path}) == [f"{path}: {name}: {message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("failed_age: 72", "failed_age: 72 is not a duration like 72h, 10m or 1h30m (it needs a unit)", id="no-unit"),
        pytest.param(
            "failed_age: true",
            "failed_age: True is not a duration like 72h, 10m or 1h30m (it needs a unit)",
            id="truth-for-an-age",
        ),
        pytest.param("failed_age:", "failed_age: it has no value", id="nothing-for-an-age"),
        pytest.param("selector:", "selector: it has no value", id="nothing-for-a-selector"),
        pytest.param("annotated_age_min: null", "annotated_age_min: it has no value", id="null"),
        pytest.param("failed_keep: true", "failed_keep: True is not a count, 0 or more", id="truth-for-a-count"),
        pytest.param("failed_keep: 1.0", "failed_keep: 1.0 is not a count, 0 or more", id="fraction-for-a-count"),
        pytest.param("failed_keep: [1]", "failed_keep: [1] is not a count, 0 or more", id="list-for-a-count"),
        pytest.param("wake: 1", "wake: 1 is not true or false", id="number-for-a-truth"),
        pytest.param(
            "delete_rate: false", "delete_rate: False is not a rate per second, 0 (unbounded) or more", id="truth-for-a-rate"
        ),
        pytest.param("namespaces: {a: b}", "namespaces: \"{'a': 'b'}\" is not the name of a Namespace", id="mapping-for-names"),
        pytest.param("kubeconfig: [a]", "kubeconfig: ['a'] is not a text", id="list-for-a-text"),
        pytest.param("failed_agee: 1h", "failed_agee: unknown; did you mean failed_age?", id="misspelt"),
        pytest.param("failed-age: 1h", "failed-age: unknown; did you mean failed_age?", id="with-a-dash"),
        pytest.param("colour: blue", "colour: unknown; see gitjob-cleaner sweep --help for the names", id="unknown"),
        pytest.param("config: other.yaml", "config: unknown; did you mean kubeconfig?", id="a-file-in-a-file"),
        pytest.param("7: x", "7: unknown; see gitjob-cleaner sweep --help for the names", id="a-number-for-a-name"),
        pytest.param("yes: 1", "yes: 1 is not true or false", id="a-name-that-yaml-takes-for-a-truth"),
        pytest.param("settle: 1m\nsettle: 2m", "settle stands more than once", id="duplicate-key"),
        pytest.param("- failed_age", "not a list of settings like failed_age: 72h", id="a-list"),
        pytest.param("failed_age 72h", "not a list of settings like failed_age: 72h", id="a-text"),
    ],
)
def test_a_bad_file(write: Write, text: str, message: str) -> None:
    path = write(text)

    assert refused({"config": path}) == [f"{path}: {message}"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")

    assert refused({"config": path}) == [f"{path}: [Errno 2] No such file or directory: '{path}'"]
    assert refused({}, {"GITJOB_CLEANER_CONFIG": path}) == [f"{path}: [Errno 2] No such file or directory: '{path}'"]


def test_a_file_that_is_no_yaml_or_no_text_is_told_in_one_line(write: Write, tmp_path: Path) -> None:
    (line,) = refused({"config": write("a: [1\nb: {")})
    (tmp_path / "settings.yaml").write_bytes(b"failed_age: \xff")
    (other,) = refused({"config": str(tmp_path / "settings.yaml")})

    assert line.startswith(f"{tmp_path}/settings.yaml: while parsing a flow sequence")
    assert other.startswith(f"{tmp_path}/settings.yaml: 'utf-8' codec can't decode byte 0xff")
    assert "\n" not in line + other


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("GITJOB_CLEANER_FAILED_AGEE", "unknown; did you mean GITJOB_CLEANER_FAILED_AGE?", id="misspelt"),
        pytest.param("gitjob_cleaner_failed_age", "unknown; see gitjob-cleaner sweep --help for the names", id="small-letters"),
    ],
)
def test_an_unknown_name_in_the_environment(name: str, message: str) -> None:
    assert refused({}, {name: "1h"}) == [f"{name}: {message}"]


def test_an_unknown_flag_is_refused() -> None:
    assert refused({"colour": "blue"}) == ["--colour: Extra inputs are not permitted"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param({"delete_workers": "0"}, "delete_workers: 0 is not from 1 to 64", id="no-workers"),
        pytest.param({"delete_workers": "65"}, "delete_workers: 65 is not from 1 to 64", id="too-many-workers"),
        pytest.param({"request_timeout": "0"}, "request_timeout: 0 is less than 1s", id="no-time"),
        pytest.param({"clock_bound": "0.5s"}, "clock_bound: 0.5s is less than 1s, which the API's Date cannot tell", id="clock"),
        pytest.param(
            {"annotated_age_min": "2h", "annotated_age_max": "1h"},
            "annotated_age_min: it is greater than annotated_age_max",
            id="ages",
        ),
        pytest.param(
            {"annotated_keep_min": "3", "annotated_keep_max": "2"},
            "annotated_keep_min: it is greater than annotated_keep_max",
            id="counts",
        ),
    ],
)
def test_contradictions(flags: dict[str, str], message: str) -> None:
    assert refused(flags) == [message]


@pytest.mark.parametrize(
    "flags",
    [
        {"delete_workers": "1"},
        {"delete_workers": "64"},
        {"request_timeout": "1s", "clock_bound": "1s"},
        {"annotated_age_min": "1h", "annotated_age_max": "1h"},
        {"annotated_keep_min": "0", "annotated_keep_max": "0"},
    ],
)
def test_what_is_just_no_contradiction(flags: dict[str, str]) -> None:
    assert set(flags) <= set(vars(load_settings(flags, {})))
