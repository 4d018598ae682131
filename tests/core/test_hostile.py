"""What a tenant, a cluster or an environment may put before us to make us slow, fat, wrong or silent."""

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaner import fleet
from cleaner.cluster import Deletion, Doomed, Fate, Refusal
from cleaner.durations import parse_duration
from cleaner.happened import NamespaceRefused
from cleaner.model import Fleet, Job, Outcome, Owner, identity
from cleaner.result import Result, exit_code
from cleaner.retention import Bounds, Policy, Rule
from cleaner.retention.annotations import Wishes, rule_for
from cleaner.settings.load import BadSettings, load_settings
from tests.core.worlds import gitrepo, job, judge, reasons

JOB = Job(Owner("team", "shop", "shop-1"), identity("shop-00000", "uid", "7", "c0de"), 0.0)
STOP, PAUSE = Refusal("stop", "SIGTERM"), Refusal("pause", "an operator")


def result(fate: Fate | None = None, refused: bool | None = None, **more: Any) -> Result:
    """Make the result of a pass with one deletion, or of one that was refused (or, False, cut off)."""
    given: dict[str, Any] = {
        "dry_run": False,
        "fleet": Fleet(),
        "started": 0.0,
        "ended": 0.0,
        "plans": {},
        "gitrepos": {},
        "deletions": {"uid": Deletion(Doomed(JOB, 0.0), fate)} if fate else {},
        "refused": [] if refused is None else [NamespaceRefused("team", "read", "no", refused)],
        "unreadable": [],
        "stuck": [],
        "foreign": 0,
        "left_out": 0,
        "parts": 1,
    }
    return Result(**(given | more))


@pytest.mark.parametrize(
    ("passed", "code"),
    [
        pytest.param(result(Fate.DELETED), 0, id="done"),
        pytest.param(result(Fate.TERMINATING), 0, id="on-its-way-out"),
        pytest.param(result(Fate.UNCONFIRMED), 1, id="unconfirmed"),
        pytest.param(result(Fate.FAILED), 1, id="failed"),
        pytest.param(result(brake=STOP), 0, id="stopped"),
        pytest.param(result(brake=STOP, backlog=4), 0, id="stopped-and-left-some"),
        pytest.param(result(Fate.FAILED, brake=STOP), 1, id="stopped-after-a-failure"),
        pytest.param(result(Fate.UNCONFIRMED, brake=STOP), 1, id="stopped-and-unconfirmed"),
        pytest.param(result(brake=STOP, tripped=[JOB]), 5, id="stopped-and-a-canary-came-back"),
        pytest.param(result(Fate.FAILED, tripped=[JOB]), 5, id="failed-and-a-canary-came-back"),
        pytest.param(result(Fate.FAILED, brake=PAUSE), 5, id="failed-and-paused"),
        pytest.param(result(refused=True, parts=0), 3, id="everything-was-refused"),
        pytest.param(result(refused=False, parts=0), 4, id="nothing-could-be-read"),
        pytest.param(result(refused=False, parts=0, brake=PAUSE), 4, id="nothing-read-and-paused"),
        pytest.param(result(refused=True), 1, id="a-part-was-refused"),
    ],
)
def test_the_exit_code_is_the_worst_that_holds(passed: Result, code: int) -> None:
    assert exit_code(passed) == code


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["1" * 200_000, "1" * 200_000 + "h", "1." * 100_000, "-" + "1" * 200_000, "." * 200_000])
def test_a_duration_that_never_ends_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long") as refused:
        parse_duration(text)

    assert len(str(refused.value)) < 200


@pytest.mark.timeout(60)
def test_endless_digits_in_an_annotation_or_an_interval_make_the_job_unreadable() -> None:
    digits, name = "1" * 200_000, "shop-00000"

    assert reasons(judge([job(name)], gitrepo({"failed-age": digits}))) == {name: "unreadable"}
    assert reasons(judge([job(name, annotations={"failed-age": digits})], gitrepo())) == {name: "unreadable"}
    assert reasons(judge([job(name)], gitrepo(spec_pollingInterval=digits))) == {name: "unreadable"}


def nested(depth: int) -> bytes:
    """Write an object in an object in an object."""
    return b'{"a":' * depth + b"1" + b"}" * depth


NAMELESS = [
    pytest.param(b'{"metadata":{"name":"\xff\xfe"}}', id="invalid-utf-8"),
    pytest.param(b'{"metadata":{"generation":1e999}}', id="beyond-all-floats"),
    pytest.param(b'{"metadata":{"name":1e999}}', id="a-name-beyond-all-floats"),
    pytest.param(b'{"metadata":{"x":1' + b"0" * 5000 + b"}}", id="beyond-all-integers"),
]


def among_good(bad: bytes) -> bytes:
    """Put an item between two good ones."""
    first, last = (msgspec.json.encode(job(name)) for name in ("shop-1", "shop-2"))
    return b'{"metadata":{"continue":"more"},"items":[' + b",".join((first, bad, last)) + b"]}"


@pytest.mark.parametrize("bad", NAMELESS)
def test_a_nameless_item_costs_that_item_only(bad: bytes) -> None:
    page = fleet.job_page(among_good(bad), {})

    assert [fact.name for fact in page.facts] == ["shop-1", "shop-2"]
    assert (len(page.unreadable), page.next) == (1, "more")


BEYOND_JSON = [
    *(pytest.param(b'{"metadata":{},"spec":' + nested(depth) + b"}", id=f"{depth}-deep") for depth in (500, 900, 9_000, 100_000)),
    pytest.param(b'{"metadata":{"name":"\\ud800","namespace":"team"}}', id="half-a-surrogate-pair"),
]


@pytest.mark.parametrize("bad", BEYOND_JSON)
def test_what_is_hardly_json_costs_that_item_only_or_is_an_error_that_reading_expects(bad: bytes) -> None:
    """An API server writes neither; that it costs no more than the list is enough."""
    try:
        page = fleet.job_page(among_good(bad), {})
    except (msgspec.DecodeError, RecursionError):
        return
    assert ([fact.name for fact in page.facts], len(page.unreadable)) == (["shop-1", "shop-2"], 1)


def test_a_commit_of_250_kb_keeps_the_job_and_is_not_held() -> None:
    (fact,) = fleet.job_page(msgspec.json.encode({"items": [job(commit="c" * 250_000)]}), {}).facts

    assert fact.problem
    assert sum(sys.getsizeof(text) for text in (fact.identity, fact.problem)) < 1000
    assert reasons(judge([job(commit="c" * 250_000)], gitrepo())) == {"shop-00000": "unreadable"}


def test_many_long_annotations_of_ours_are_not_held_and_keep_the_job() -> None:
    wishes = {f"{number:04}{'x' * 200}": "y" * 1000 for number in range(250)}
    (fact,) = fleet.job_page(msgspec.json.encode({"items": [job(annotations=wishes)]}), {}).facts

    assert sum(sys.getsizeof(text) for pair in fact.annotations for text in pair) < 20_000
    assert reasons(judge([job(annotations=wishes)], gitrepo())) == {"shop-00000": "unreadable"}


@pytest.mark.parametrize("cut", ["2026-12-24T08:00:00Z" + " " * 200 + "x", "true" + " " * 200 + "x", "false" + " " * 200 + "x"])
@pytest.mark.parametrize("where", ["GitRepo", "Job"])
def test_a_text_that_only_its_beginning_makes_readable_is_unreadable(cut: str, where: str) -> None:
    """What is cut off must not turn a bad wish into a good one."""
    of_job, of_gitrepo = ({"protect": cut}, None) if where == "Job" else (None, {"protect": cut})

    assert reasons(judge([job(annotations=of_job)], gitrepo(of_gitrepo))) == {"shop-00000": "unreadable"}


def test_wishes_hidden_behind_many_others_cannot_delete() -> None:
    """Among too many annotations for any object, those that are not looked at must not be what protects."""
    many = {f"a{number:02}": "x" for number in range(30)} | {"protect": "true"}

    assert reasons(judge([job()], gitrepo(many))) == {"shop-00000": "unreadable"}


SERVICE_LINKS = {
    "GITJOB_CLEANER_SERVICE_HOST": "10.0.0.7",
    "GITJOB_CLEANER_SERVICE_PORT": "8080",
    "GITJOB_CLEANER_SERVICE_PORT_METRICS": "8080",
    "GITJOB_CLEANER_PORT": "tcp://10.0.0.7:8080",
    "GITJOB_CLEANER_PORT_8080_TCP": "tcp://10.0.0.7:8080",
    "GITJOB_CLEANER_PORT_8080_TCP_ADDR": "10.0.0.7",
    "GITJOB_CLEANER_PORT_8080_TCP_PROTO": "tcp",
    "GITJOB_CLEANER_METRICS_SERVICE_HOST": "10.0.0.8",
    "GITJOB_CLEANER_METRICS_SERVICE_PORT_HTTP": "8080",
    "GITJOB_CLEANER_METRICS_PORT_8080_TCP_ADDR": "10.0.0.8",
}


def test_what_kubernetes_tells_a_pod_of_our_own_services_is_no_setting() -> None:
    assert load_settings({}, SERVICE_LINKS) == load_settings({}, {})


@pytest.mark.parametrize("name", ["REPORT", "IMPORT", "PORTS", "SERVICE", "SERVICE_HOSTS", "FAILED_AEG"])
def test_a_name_that_only_looks_like_one_of_a_service_is_refused(name: str) -> None:
    with pytest.raises(BadSettings, match=f"GITJOB_CLEANER_{name}: unknown"):
        load_settings({}, SERVICE_LINKS | {f"GITJOB_CLEANER_{name}": "x"})


@pytest.mark.parametrize("text", [",", "", " ", " , ,"])
def test_namespaces_that_name_none_are_not_the_whole_cluster(text: str) -> None:
    with pytest.raises(BadSettings, match="--namespaces: it names no Namespace"):
        load_settings({"namespaces": text}, {})
    with pytest.raises(BadSettings, match="GITJOB_CLEANER_NAMESPACES: it names no Namespace"):
        load_settings({}, {"GITJOB_CLEANER_NAMESPACES": text})


@given(
    operator=st.tuples(st.integers(0, 100), st.integers(0, 10**7)),
    most=st.tuples(st.integers(0, 100), st.integers(0, 10**7)),
    more=st.tuples(st.integers(0, 100), st.integers(0, 10**7)),
    outcome=st.sampled_from(Outcome),
)
def test_a_wish_for_more_never_brings_less_than_the_operators_own(
    operator: tuple[int, int], most: tuple[int, int], more: tuple[int, int], outcome: Outcome
) -> None:
    own = Rule(operator[0], float(operator[1]))
    policy = Policy(own, own, bounds=Bounds(0.0, float(most[1]), 0, most[0]))
    wish = Wishes("GitRepo", None, {outcome: own.age + more[1]}, {outcome: own.keep + more[0]})

    rule, _ = rule_for(outcome, (wish,), policy)

    assert rule.age >= own.age
    assert rule.keep >= own.keep
