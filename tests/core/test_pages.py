"""Pages of a list: one bad object costs that object only, and never in silence."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from cleaner import fleet, model
from cleaner.fleet.version import deployment_page
from tests.core.worlds import AT, HOUR, Raw, gitrepo, job, namespace, page, stamp

QUOTED = b"SPOILT"


def _spoilt(**metadata: Any) -> Raw:
    made = job("shop-bad")
    return {**made, "metadata": {**made["metadata"], **metadata}}


def _bad(**metadata: Any) -> bytes:
    return msgspec.json.encode(_spoilt(**metadata))


def _bad_status(**status: Any) -> bytes:
    return msgspec.json.encode({**job("shop-bad"), "status": status})


def _late(seconds: str) -> bytes:
    raw = {**job("shop-bad"), "status": {"startTime": stamp(HOUR), "conditions": [{"type": "Failed", "status": "True"}]}}
    return msgspec.json.encode({**raw, "spec": {"activeDeadlineSeconds": 7777}}).replace(b"7777", seconds.encode())


BAD_JOBS = [
    pytest.param(_bad(labels=3), id="labels-are-a-number"),
    pytest.param(_bad(labels={"fleet.cattle.io/gitrepo-generation": 4}), id="a-label-is-a-number"),
    pytest.param(_bad(finalizers="all of them"), id="finalizers-are-a-text"),
    pytest.param(_bad(ownerReferences={"kind": "GitRepo"}), id="owners-are-no-list"),
    pytest.param(_bad(name=7), id="the-name-is-a-number"),
    pytest.param(_bad(creationTimestamp="last week"), id="no-timestamp"),
    pytest.param(_bad(creationTimestamp="2026-11-23T12:00:00"), id="naive-creation"),
    pytest.param(_bad(creationTimestamp=None), id="creation-is-null"),
    pytest.param(_bad(uid=None), id="uid-is-null"),
    pytest.param(_bad_status(conditions={"Failed": "True"}), id="conditions-are-no-list"),
    pytest.param(_bad_status(conditions=["Failed"]), id="a-condition-is-a-text"),
    pytest.param(_bad_status(conditions=[{"type": "Failed"}]), id="a-condition-without-status"),
    pytest.param(
        _bad_status(conditions=[{"type": "Failed", "status": "True", "lastTransitionTime": "2026-11-23T12:00:00"}]),
        id="naive-condition",
    ),
    pytest.param(
        _bad_status(conditions=[{"type": "Failed", "status": "True", "lastTransitionTime": "2026-13-01T00:00:00Z"}]),
        id="month-13",
    ),
    pytest.param(_bad_status(conditions=[{"type": "Failed", "status": True}]), id="status-is-a-truth"),
    pytest.param(_late("1" * 400), id="a-deadline-beyond-all-floats"),
    pytest.param(_late('"7"'), id="a-deadline-in-quotes"),
    pytest.param(b"null", id="null"),
    pytest.param(b"7", id="a-number"),
    pytest.param(b'"Job"', id="a-text"),
    pytest.param(b"[]", id="a-list"),
    pytest.param(b"{}", id="no-metadata"),
    pytest.param(b'{"metadata": null}', id="metadata-is-null"),
    pytest.param(b'{"metadata": {"name": "shop-bad"}}', id="nothing-but-a-name"),
    pytest.param(_bad_status(conditions=[{"type": QUOTED.decode(), "status": "True"}]), id="invalid-utf-8-in-a-condition"),
    pytest.param(_bad(annotations={"note": QUOTED.decode()}), id="invalid-utf-8-in-an-annotation"),
    pytest.param(_bad(resourceVersion=QUOTED.decode()), id="invalid-utf-8-in-metadata"),
]


def _among_good(bad: bytes, good: Callable[[str], Raw], count: int = 499) -> bytes:
    items = [msgspec.json.encode(good(f"shop-{number:05}")) for number in range(count)]
    items.insert(count // 2, bad.replace(QUOTED, b"\xff\xfe"))
    return b'{"metadata":{"resourceVersion":"5","continue":"more"},"items":[' + b",".join(items) + b"]}"


@pytest.mark.parametrize("bad", BAD_JOBS)
def test_one_bad_job_of_500_costs_only_itself(bad: bytes) -> None:
    read = fleet.job_page(_among_good(bad, job), {})
    problems = [fact.problem for fact in read.facts if fact.problem] + [one.problem for one in read.unreadable]

    assert [f"shop-{number:05}" for number in range(499)] == [fact.name for fact in read.facts if not fact.problem]
    assert len(problems) == 1
    assert (read.version, read.next, read.foreign) == ("5", "more", 0)


def test_a_job_that_has_a_name_and_an_owner_is_a_fact_with_a_problem() -> None:
    (fact,) = fleet.job_page(page([{**job("shop-bad"), "status": {"conditions": 3}}]), {}).facts

    assert (fact.name, fact.owner.name, fact.outcome, fact.finished) == ("shop-bad", "shop", None, None)
    assert fact.problem == "Expected `array | null`, got `int` - at `$.status.conditions`"


def test_a_bad_job_of_another_owner_is_only_counted() -> None:
    read = fleet.job_page(page([{**job(ownerReferences=[]), "status": 3}]), {})

    assert (read.facts, read.unreadable, read.foreign) == ([], [], 1)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(_spoilt(labels=[]), ("team", "shop-bad"), id="named"),
        pytest.param({"metadata": {"name": 7}}, ("?", "7"), id="half-named"),
        pytest.param({"metadata": []}, ("?", "?"), id="nameless"),
        pytest.param(None, ("?", "?"), id="null"),
        pytest.param(_spoilt(name="x" * 999, labels=[]), ("team", "x" * 253), id="too-long-to-be-true"),
    ],
)
def test_an_unreadable_object_is_named_as_well_as_can_be(item: Any, expected: tuple[str, str]) -> None:
    (unreadable,) = fleet.job_page(page([item]), {}).unreadable

    assert expected == (unreadable.namespace, unreadable.name)


def _named_gitrepo(name: str) -> Raw:
    return gitrepo(name=name)


BAD_GITREPOS = [
    pytest.param({"status": 3}, id="status-is-a-number"),
    pytest.param({"status": {"commit": ["a"]}}, id="the-commit-is-a-list"),
    pytest.param({"status": {"lastPollingTriggered": "2026-11-23T12:00:00"}}, id="naive-time"),
    pytest.param({"spec": {"forceSyncGeneration": "1"}}, id="a-generation-in-quotes"),
    pytest.param({"spec": {"disablePolling": "yes"}}, id="a-truth-in-words"),
    pytest.param({"spec": {"pollingInterval": 15}}, id="a-number-for-a-duration"),
]


@pytest.mark.parametrize("part", BAD_GITREPOS)
def test_one_bad_gitrepo_of_500_is_a_fact_with_a_problem(part: Raw) -> None:
    bad = msgspec.json.encode({**_named_gitrepo("shop-bad"), **part})
    read = fleet.gitrepo_page(_among_good(bad, _named_gitrepo))

    assert (len(read.facts), read.unreadable) == (500, [])
    assert [fact.name for fact in read.facts if fact.problem] == ["shop-bad"]
    assert fleet.read_gitrepo(bad).problem.startswith("its GitRepo: Expected ")


@pytest.mark.parametrize("bad", [b"null", b"{}", b'{"metadata": {"name": 3}}', b"[[]]"])
def test_a_gitrepo_without_a_name_is_unreadable(bad: bytes) -> None:
    read = fleet.gitrepo_page(_among_good(bad, _named_gitrepo))

    assert (len(read.facts), len(read.unreadable)) == (499, 1)


def test_invalid_utf_8_in_a_gitrepo_costs_only_that_gitrepo() -> None:
    bad = msgspec.json.encode(gitrepo({"protect": QUOTED.decode()}, name="shop-bad"))
    read = fleet.gitrepo_page(_among_good(bad, _named_gitrepo))

    assert [fact.name for fact in read.facts if not fact.problem] == [f"shop-{number:05}" for number in range(499)]
    assert len([fact for fact in read.facts if fact.problem]) + len(read.unreadable) == 1


def test_what_the_metadata_of_a_bad_gitrepo_tell_is_known_all_the_same() -> None:
    """Else the guard would never let go of it, and a selector would take it for one without labels."""
    parts: Raw = {"labels": {"team": "a"}, "finalizers": [model.GUARD], "deletionTimestamp": stamp(60)}
    bad = gitrepo({"protect": "true"}, spec_pollingInterval=7, **parts)

    for read in (fleet.read_gitrepo(msgspec.json.encode(bad)), fleet.gitrepo_page(page([bad])).facts[0]):
        assert (read.guarded, read.deleting_since, read.labels) == (True, AT - 60, (("team", "a"),))
        assert (read.annotations, read.settled) == ((("protect", "true"),), True)
        assert read.problem.startswith("its GitRepo: Expected ")


def test_invalid_utf_8_in_a_single_gitrepo_is_its_problem() -> None:
    bad = msgspec.json.encode(gitrepo({"protect": QUOTED.decode()})).replace(QUOTED, b"\xff")

    assert fleet.read_gitrepo(bad).problem


def test_a_bad_namespace_is_a_fact_with_a_problem() -> None:
    bad = {"metadata": {"name": "team", "annotations": {"gitjob-cleaner/protect": True}}}
    read = fleet.namespace_page(page([namespace(), bad]))

    assert [fact.name for fact in read.facts] == ["team", "team"]
    assert read.facts[1].problem == "its Namespace: Expected `str`, got `bool` - at `$.metadata.annotations[...]`"
    assert read.facts[1].problem == fleet.read_namespace(msgspec.json.encode(bad)).problem


PAGES: list[tuple[str, Callable[[bytes], fleet.Page[Any]]]] = [
    ("jobs", lambda body: fleet.job_page(body, {})),
    ("gitrepos", fleet.gitrepo_page),
    ("namespaces", fleet.namespace_page),
]
of_each_kind = pytest.mark.parametrize("read", [pytest.param(read, id=kind) for kind, read in PAGES])


@of_each_kind
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>502</html>", id="html"),
        pytest.param(b'{"items": [', id="half-a-body"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b'{"kind": "Status", "code": 500}', id="a-status"),
        pytest.param(b'{"items": 3}', id="items-are-a-number"),
        pytest.param(b'{"items": [{]}', id="a-broken-item"),
    ],
)
def test_a_body_that_is_no_list_is_refused(read: Callable[[bytes], fleet.Page[Any]], body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(body)


@of_each_kind
@pytest.mark.parametrize("items", [b"null", b"[]"])
def test_an_empty_page_keeps_its_version(read: Callable[[bytes], fleet.Page[Any]], items: bytes) -> None:
    found = read(b'{"metadata": {"resourceVersion": "12", "remainingItemCount": null}, "items": ' + items + b"}")

    assert found == fleet.Page([], [], 0, "12", "")


@of_each_kind
def test_a_page_keeps_its_continue_token(read: Callable[[bytes], fleet.Page[Any]]) -> None:
    found = read(page([], resourceVersion="12", **{"continue": "abc="}))

    assert (found.version, found.next) == ("12", "abc=")


def test_a_page_may_come_in_a_buffer_that_is_used_again() -> None:
    buffer = bytearray(page([job("shop-00000")]))
    (fact,) = fleet.job_page(buffer, {}).facts
    buffer[:] = b" " * len(buffer)

    assert (fact.name, fact.owner.name) == ("shop-00000", "shop")


def test_uid_and_departure_of_any_object() -> None:
    assert fleet.read_identity(msgspec.json.encode(job("shop-00000"))) == ("uid-shop-00000", False)
    assert fleet.read_identity(msgspec.json.encode(gitrepo(deletionTimestamp=stamp(1)))) == ("11111111-aaaa", True)


def test_a_page_of_deployments_is_handed_on_whole() -> None:
    body = page([{"metadata": {"name": "gitjob"}}], resourceVersion="3", **{"continue": "more"})

    assert deployment_page(body) == fleet.Page([body], [], 0, "3", "more")
    with pytest.raises(msgspec.DecodeError):
        deployment_page(b"<html>")
