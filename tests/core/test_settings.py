"""The settings: where they come from, which source wins, and the exact line for everything that is wrong."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleaner.durations import format_duration
from cleaner.settings import Settings, describe_default, fields_of
from cleaner.settings.checks import TAKEN_LABELS, parse_address
from cleaner.settings.load import BadSettings, load_settings

FILE = "GITJOB_CLEANER_CONFIG"
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
    return bad.value.lines


def test_without_any_source_all_have_their_defaults() -> None:
    assert load_settings({}, {"HOME": "/root", "PATH": "/bin"}) == Settings()


def test_what_kubernetes_tells_a_pod_of_a_service_of_our_name_is_no_setting() -> None:
    """Links to a Service `gitjob-cleaner`, or `gitjob-cleaner-metrics`, come into the environment of every Pod beside it."""
    links = {
        "GITJOB_CLEANER_SERVICE_HOST": "10.0.0.1",
        "GITJOB_CLEANER_SERVICE_PORT": "8080",
        "GITJOB_CLEANER_SERVICE_PORT_HTTP_METRICS": "8080",
        "GITJOB_CLEANER_PORT": "tcp://10.0.0.1:8080",
        "GITJOB_CLEANER_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "GITJOB_CLEANER_PORT_8080_TCP_ADDR": "10.0.0.1",
        "GITJOB_CLEANER_METRICS_SERVICE_HOST": "10.0.0.2",
    }

    assert load_settings({}, links) == Settings()


def test_the_defaults_are_those_of_the_design() -> None:
    defaults = dataclasses.asdict(Settings())
    expected = {
        "succeeded_keep": 0,
        "succeeded_age": 600.0,
        "failed_keep": 1,
        "failed_age": 259200.0,
        "current": "keep",
        "settle": 300.0,
        "namespaces": (),
        "exclude_namespaces": (),
        "selector": "",
        "instance": "",
        "max_deletions": 0,
        "delete_rate": 50.0,
        "delete_workers": 8,
        "clock_bound": 30.0,
        "fleet_version": "",
        "fleet_namespace": "cattle-fleet-system",
        "wake": False,
        "interval": 900.0,
        "watch": True,
        "listen": ":8080",
        "leader_election": None,
        "lease_duration": 30.0,
        "events": True,
        "metrics_per_gitrepo": True,
        "log_format": "",
        "log_level": "",
    }

    assert expected == {name: defaults[name] for name in expected}


@pytest.mark.parametrize(
    ("flags", "environment", "file", "expected"),
    [
        pytest.param({}, {}, "", 72, id="default"),
        pytest.param({}, {}, "failed_age: 1h", 1, id="file-over-default"),
        pytest.param({}, {"GITJOB_CLEANER_FAILED_AGE": "2h"}, "failed_age: 1h", 2, id="environment-over-file"),
        pytest.param({"failed_age": "3h"}, {"GITJOB_CLEANER_FAILED_AGE": "2h"}, "failed_age: 1h", 3, id="flag-over-all"),
        pytest.param({"failed_age": "3h"}, {}, "failed_age: 1h", 3, id="flag-over-file"),
        pytest.param({"settle": "9m"}, {"GITJOB_CLEANER_SETTLE": "8m"}, "failed_age: 1h", 1, id="each-setting-by-itself"),
    ],
)
def test_the_nearest_source_wins(
    write: Write, flags: dict[str, str], environment: dict[str, str], file: str, expected: int
) -> None:
    assert load_settings({**flags, "config": write(file)}, environment).failed_age == expected * 3600


def test_the_file_may_be_named_by_the_environment_and_the_flag_wins(write: Write, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("failed_keep: 7", encoding="utf-8")
    path = write("failed_keep: 5")

    assert load_settings({}, {FILE: path}).failed_keep == 5
    assert load_settings({"config": str(tmp_path / "other.yaml")}, {FILE: path}).failed_keep == 7


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("namespaces", "a,b", ("a", "b"), id="list"),
        pytest.param("namespaces", " a , b ,", ("a", "b"), id="list-with-blanks"),
        pytest.param("exclude_namespaces", "", (), id="empty-list"),
        pytest.param("exclude_namespaces", "team-*,shop-[ab]", ("team-*", "shop-[ab]"), id="patterns"),
        pytest.param("selector", " env in (a,b),!x ", "env in (a,b),!x", id="selector"),
        pytest.param("failed_age", "1h30m", 5400.0, id="duration"),
        pytest.param("failed_age", "0", 0.0, id="zero"),
        pytest.param("failed_keep", " 3 ", 3, id="count"),
        pytest.param("annotated_keep_min", "0", 0, id="count-that-may-be-unset"),
        pytest.param("annotated_age_min", "1h", 3600.0, id="duration-that-may-be-unset"),
        pytest.param("delete_rate", "0.5", 0.5, id="rate"),
        pytest.param("wake", "TRUE", True, id="truth"),
        pytest.param("dry_run", "false", False, id="untruth"),
        pytest.param("current", "succeeded", "succeeded", id="one-of"),
        pytest.param("output", "json", "json", id="output"),
        pytest.param("log_level", "debug", "debug", id="log-level"),
        pytest.param("log_format", "console", "console", id="log-format"),
        pytest.param("interval", "10s", 10.0, id="shortest-interval"),
        pytest.param("lease_duration", "3s", 3.0, id="shortest-lease"),
        pytest.param("lease_duration", "1h", 3600.0, id="longest-lease"),
        pytest.param("leader_election", "false", False, id="truth-that-may-be-unset"),
        pytest.param("watch", "false", False, id="watch"),
        pytest.param("listen", " :0 ", ":0", id="any-free-port"),
        pytest.param("listen", "127.0.0.1:8080", "127.0.0.1:8080", id="one-address"),
        pytest.param("listen", "[::1]:65535", "[::1]:65535", id="one-address-of-ipv6"),
        pytest.param("listen", "cleaner.local:80", "cleaner.local:80", id="one-name"),
        pytest.param("fleet_version", "v0.10.4", "v0.10.4", id="version"),
        pytest.param("fleet_namespace", "fleet-system", "fleet-system", id="name"),
        pytest.param("instance", "", "", id="empty-name"),
        pytest.param("context", "kind-dev", "kind-dev", id="text"),
        pytest.param("pushgateway", " http://gateway:9091 ", "http://gateway:9091", id="url"),
        pytest.param("pushgateway", "https://[::1]/behind/", "https://[::1]/behind/", id="url-with-a-path"),
        pytest.param("pushgateway", "", "", id="empty-url"),
        pytest.param("pushgateway_labels", "cluster=prod, _x=a=b", (("_x", "a=b"), ("cluster", "prod")), id="labels"),
        pytest.param("pushgateway_labels", "", (), id="no-labels"),
        pytest.param("pushgateway_timeout", "1m", 60.0, id="longest-push"),
    ],
)
def test_a_text_is_read_the_same_as_flag_and_from_the_environment(name: str, text: str, expected: object) -> None:
    by_flag = getattr(load_settings({name: text}, {}), name)

    assert expected == by_flag
    assert by_flag == getattr(load_settings({}, {f"GITJOB_CLEANER_{name.upper()}": text}), name)
    assert type(by_flag) is type(expected)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        pytest.param("namespaces: [a, b]", "namespaces", ("a", "b"), id="list"),
        pytest.param("namespaces: a, b", "namespaces", ("a", "b"), id="text"),
        pytest.param("exclude_namespaces:\n- team-*\n- x", "exclude_namespaces", ("team-*", "x"), id="patterns"),
        pytest.param("failed_keep: 3", "failed_keep", 3, id="number"),
        pytest.param("failed_keep: '3'", "failed_keep", 3, id="number-in-quotes"),
        pytest.param("failed_age: 0", "failed_age", 0.0, id="zero"),
        pytest.param("listen: :8080", "listen", ":8080", id="address"),
        pytest.param("leader_election: true", "leader_election", True, id="truth-that-may-be-unset"),
        pytest.param("yes: true", "yes", True, id="a-name-that-yaml-takes-for-a-truth"),
        pytest.param("wake: true", "wake", True, id="truth"),
        pytest.param("wake: 'false'", "wake", False, id="untruth-in-quotes"),
        pytest.param("delete_rate: 2.5", "delete_rate", 2.5, id="rate"),
        pytest.param("fleet_version: 0.11", "fleet_version", "0.11", id="version-that-yaml-takes-for-a-number"),
        pytest.param(
            "pushgateway_labels: {cluster: prod, n: 1}", "pushgateway_labels", (("cluster", "prod"), ("n", "1")), id="map"
        ),
        pytest.param("pushgateway_labels: [cluster=prod]", "pushgateway_labels", (("cluster", "prod"),), id="list-of-labels"),
        pytest.param("", "failed_keep", 1, id="empty-file"),
        pytest.param("# nothing\n", "failed_keep", 1, id="only-a-comment"),
        pytest.param("failed_keep: &k 4\nsucceeded_keep: *k", "succeeded_keep", 4, id="alias"),
    ],
)
def test_a_file_may_say_it_in_the_ways_of_yaml(write: Write, text: str, name: str, expected: object) -> None:
    assert expected == getattr(load_settings({"config": write(text)}, {}), name)


@pytest.mark.parametrize("field", [pytest.param(field, id=field.name) for field in fields_of()])
def test_every_setting_is_documented_and_its_default_can_be_written(field: "dataclasses.Field[Any]") -> None:
    assert field.metadata["kind"]
    assert field.metadata["meaning"]
    assert field.metadata["meaning"] == field.metadata["meaning"].strip().rstrip(".")
    written = describe_default(field)
    again = Settings() if written == "unset" else load_settings({field.name: written}, {})
    assert getattr(again, field.name) == field.default


def test_a_default_is_described_as_an_operator_writes_it() -> None:
    described = {field.name: describe_default(field) for field in fields_of()}

    assert (described["failed_age"], described["succeeded_age"], described["settle"]) == (format_duration(259200), "10m", "5m")
    assert (described["wake"], described["delete_rate"], described["failed_keep"]) == ("false", "50", "1")
    assert (described["namespaces"], described["selector"], described["annotated_age_min"]) == ("unset", "unset", "unset")
    assert (described["interval"], described["listen"], described["leader_election"]) == ("15m", ":8080", "unset")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", ("", 8080)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        ("[::]:80", ("::", 80)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


ADDRESS = "is not an address like :8080, 127.0.0.1:8080 or [::1]:8080 (port 0: a free one)"
INTERVAL = "is not a time between two sweeps, 10s or more"
LEASE = "is not a duration from 3s to 1h"
URL = "is not a URL like http://pushgateway:9091 or https://host/path (/metrics is added to it)"
SHOWN = "credentials in it would be shown; they belong into pushgateway_username and pushgateway_password_file"
MIGRATION = "is the beginning of a migration's own name: choose one that does not begin with migration"
LABEL = f"is not a label like cluster=prod (none of {', '.join(TAKEN_LABELS)})"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        *(
            pytest.param("listen", text, f"{text!r} {ADDRESS}", id=f"listen {text!r}")
            for text in (
                "",
                "8080",
                ":",
                ":65536",
                ":-1",
                ":http",
                "::1:80",
                "[::1]",
                "[::1:80",
                "[x]:80",
                "a b:80",
                "*:80",
                ":\u0668",
            )
        ),
        *(pytest.param("interval", text, f"{text!r} {INTERVAL}", id=f"interval {text}") for text in ("0", "0s", "9.9s")),
        *(pytest.param("lease_duration", text, f"{text!r} {LEASE}", id=f"lease {text}") for text in ("0", "2.9s", "61m")),
        ("interval", "900", "'900' is not a duration like 72h, 10m or 1h30m"),
        ("lease_duration", "-30s", "'-30s' is negative; a duration is 0 or more, like 72h, 10m or 1h30m"),
        *(
            pytest.param("pushgateway", text, f"{text!r} {URL}", id=f"gateway {text}")
            for text in (
                "gateway:9091",
                "ftp://gateway",
                "http://",
                "http://x:99999",
                "http://x:0",
                "http://x?y=1",
                "http://x#y",
                "http://a b",
                "http://x/metrics/job/y",
            )
        ),
        *(
            pytest.param("pushgateway", text, SHOWN, id=text)
            for text in (
                "http://me:secret@x",
                "https://token@x",
                "me:secret@x:9091",
                "http://me:sec/ret@x",
                "http://me:12/secret@x:9091",
                "http://me:sec#ret@x",
                "http://me:secret\uff20x",
                "http://me:sec\uff0fret@x",
            )
        ),
        *(
            pytest.param("pushgateway_labels", text, f"{text!r} {LABEL}", id=f"label {text}")
            for text in ("cluster=", "=prod", "a-b=c", "__x=y", "job=mine", "gitrepo=mine", "a=.", "a=..")
        ),
        *(
            pytest.param("pushgateway_timeout", text, f"{text!r} is not a duration from 1s to 1m", id=f"push {text}")
            for text in ("0", "61s")
        ),
        ("log_format", "xml", "'xml' is not one of json, console"),
        ("leader_election", "auto", "'auto' is not true or false"),
        *(pytest.param("instance", text, f"{text!r} {MIGRATION}", id=text) for text in ("migration", "migration-a")),
    ],
)
def test_a_bad_setting_of_the_service_is_one_line_that_names_its_source(write: Write, name: str, text: str, problem: str) -> None:
    path = write(f"{name}: '{text}'")

    assert refused({name: text}) == [f"--{name.replace('_', '-')}: {problem}"]
    assert refused({}, {f"GITJOB_CLEANER_{name.upper()}": text}) == [f"GITJOB_CLEANER_{name.upper()}: {problem}"]
    assert refused({"config": path}) == [f"{path}: {name}: {problem}"]


@pytest.mark.parametrize("text", ["{cluster: }", "{cluster: true}", "{cluster: 1.10}", "{cluster: [a]}", "{1: a}"])
def test_a_label_that_yaml_reads_as_something_else_is_refused(write: Write, text: str) -> None:
    assert len(refused({"config": write(f"pushgateway_labels: {text}")})) == 1


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"pushgateway_username": "me"}, "pushgateway_username: it needs pushgateway_password_file"),
        ({"pushgateway_password_file": "/x"}, "pushgateway_password_file: it needs pushgateway_username"),
        (
            {"pushgateway_username": "a:b", "pushgateway_password_file": "/x"},
            "pushgateway_username: 'a:b' has a colon, which basic auth cannot carry",
        ),
        ({"pushgateway_labels": "a=b,a=c"}, "--pushgateway-labels: 'a=b,a=c' names a label more than once"),
        ({"pushgateway_key": "/key"}, "pushgateway_key: it needs pushgateway_cert"),
    ],
)
def test_half_of_what_a_pushgateway_wants_is_refused(flags: dict[str, str], problem: str) -> None:
    assert refused(flags) == [problem]


def test_everything_that_is_wrong_is_told_at_once(write: Write) -> None:
    path = write("failed_agee: 1h\nsettle: soon")

    assert refused({"config": path, "failed_keep": "-1"}, {"GITJOB_CLEANER_WAKE": "perhaps", "GITJOB_CLEANER_WAKEE": "1"}) == [
        "GITJOB_CLEANER_WAKEE: unknown; did you mean GITJOB_CLEANER_WAKE?",
        f"{path}: failed_agee: unknown; did you mean failed_age?",
        "--failed-keep: '-1' is not a count, 0 or more",
        f"{path}: settle: 'soon' is not a duration like 72h, 10m or 1h30m",
        "GITJOB_CLEANER_WAKE: 'perhaps' is not true or false",
    ]
