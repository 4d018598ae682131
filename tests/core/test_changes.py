"""Lines of a watch: what each says, and what one that is not what it should be costs."""

import functools
import json
from typing import Any

import msgspec
import pytest

from cleaner import fleet
from cleaner.fleet import Change, WatchError
from cleaner.model import GitRepo, Job, Namespace
from tests.core.worlds import gitrepo, job, namespace

find_job = functools.partial(fleet.find_job, shared={})


def line(kind: Any, made: Any) -> bytes:
    """One line as the API sends it, but for the newline."""
    return json.dumps({"type": kind, "object": made}).encode()


def versioned(made: dict[str, Any], version: str = "77", **metadata: Any) -> dict[str, Any]:
    """An object with a version, and more of its metadata laid over."""
    return {**made, "metadata": {**made["metadata"], "resourceVersion": version, **metadata}}


def change(kind: Any, made: Any, understand: Any = find_job) -> Change[Any]:
    """What a line tells that is no ERROR."""
    read = fleet.read_change(line(kind, made), understand)
    assert isinstance(read, Change)
    return read


@pytest.mark.parametrize(("kind", "gone"), [("ADDED", False), ("MODIFIED", False), ("DELETED", True)])
def test_an_event_tells_a_fact_its_version_and_whether_it_is_gone(kind: str, gone: bool) -> None:
    read = change(kind, versioned(job("shop-1")))

    assert isinstance(read.fact, Job)
    assert (read.fact.name, read.fact.version) == ("shop-1", "77")
    assert (read.version, read.gone, read.unreadable) == ("77", gone, None)


def test_gitrepos_and_namespaces_are_told_as_they_are_read() -> None:
    repo = change("ADDED", versioned(gitrepo()), fleet.read_gitrepo)
    place = change("ADDED", versioned(namespace()), fleet.read_namespace)

    assert isinstance(repo.fact, GitRepo)
    assert isinstance(place.fact, Namespace)
    assert (repo.version, place.version) == ("77", "77")


def test_a_foreign_job_has_a_version_and_no_fact() -> None:
    assert change("ADDED", versioned(job("shop-1"), ownerReferences=None)) == Change("77")


def test_a_bookmark_has_a_version_and_no_fact() -> None:
    mark = {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"resourceVersion": "99", "creationTimestamp": None}}

    assert change("BOOKMARK", {**mark, "spec": {"template": {}}, "status": {}}) == Change("99")


@pytest.mark.parametrize("mark", [None, 7, "x", {}, {"metadata": 7}, {"metadata": {"resourceVersion": 7}}])
def test_a_bookmark_that_does_not_say_where_says_nothing(mark: object) -> None:
    assert change("BOOKMARK", mark) == Change("")


@pytest.mark.parametrize("kind", ["RENAMED", "", "added", "ERRORS"])
def test_an_unknown_type_of_event_says_nothing(kind: str) -> None:
    assert change(kind, versioned(job("shop-1"))) == Change("")


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_a_job_with_a_bad_field_is_rescued_with_its_problem(kind: str) -> None:
    read = change(kind, {**versioned(job("shop-1")), "status": {"conditions": 7}})

    assert isinstance(read.fact, Job)
    assert (read.fact.name, read.version, read.gone) == ("shop-1", "77", kind == "DELETED")
    assert "conditions" in read.fact.problem
    assert read.unreadable is None


def test_a_gitrepo_with_a_bad_field_is_rescued_with_its_problem() -> None:
    read = change("MODIFIED", {**versioned(gitrepo()), "status": {"commit": 7}}, fleet.read_gitrepo)

    assert isinstance(read.fact, GitRepo)
    assert read.fact.problem


def test_an_object_that_cannot_be_named_properly_is_told_as_unreadable() -> None:
    read = change("ADDED", versioned(job("shop-1"), name=7, namespace=None))

    assert (read.version, read.fact, read.gone) == ("77", None, False)
    assert read.unreadable is not None
    assert (read.unreadable.namespace, read.unreadable.name) == ("None", "7")
    assert read.unreadable.problem


@pytest.mark.parametrize("made", [None, 7, "x", [], {}, {"metadata": None}])
def test_what_is_no_object_is_told_as_unreadable(made: object) -> None:
    read = change("ADDED", made)

    assert (read.version, read.fact) == ("", None)
    assert read.unreadable is not None
    assert (read.unreadable.namespace, read.unreadable.name) == ("?", "?")


def test_an_object_whose_version_is_none_is_told_without_one() -> None:
    read = change("ADDED", versioned(gitrepo(), resourceVersion=None), fleet.read_gitrepo)

    assert isinstance(read.fact, GitRepo)
    assert read.version == ""


def test_an_error_is_a_code_and_a_message() -> None:
    status = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"}

    assert fleet.read_change(line("ERROR", status), find_job) == WatchError(410, "too old")


@pytest.mark.parametrize("status", [None, 7, "x", {"code": "410"}, {"message": 3}])
def test_an_error_that_says_nothing_is_one_all_the_same(status: object) -> None:
    read = fleet.read_change(line("ERROR", status), find_job)

    assert isinstance(read, WatchError)
    assert (read.code, bool(read.message)) == (0, True)


def test_an_error_without_fields_is_one_all_the_same() -> None:
    assert fleet.read_change(line("ERROR", {}), find_job) == WatchError()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>",
        b"{",
        b"7",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"ADDED"}',
        b'{"type":7,"object":{}}',
        b'{"object":{}}',
        b'"\xff"',
    ],
)
def test_a_line_that_is_no_event_raises(text: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        fleet.read_change(text, find_job)
