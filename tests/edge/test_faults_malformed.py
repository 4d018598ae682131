"""A list with one object that nobody can understand: it costs itself alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cleaner.result import exit_code
from tests.edge.faults import jobs_list, stock, through
from tests.edge.servers import JOBS, names_of
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Rewrite, Rule


def put_in(*path: str, value: Any) -> Callable[[Any], None]:
    """A change that writes nonsense at a place of a Job."""

    def change(job: Any) -> None:
        for key in path[:-1]:
            job = job[key]
        job[path[-1]] = value

    return change


def bad_condition(job: Any) -> None:
    """A finish that is no time."""
    job["status"]["conditions"][-1]["lastTransitionTime"] = "last Tuesday"


MALFORMED = [
    pytest.param(bad_condition, id="a finish that is no time"),
    pytest.param(put_in("status", value=5), id="a status that is a number"),
    pytest.param(put_in("status", "conditions", value="Failed"), id="conditions that are a text"),
    pytest.param(put_in("spec", "activeDeadlineSeconds", value="soon"), id="a deadline that is a text"),
    pytest.param(put_in("metadata", "creationTimestamp", value="yesterday"), id="a creation that is no time"),
    pytest.param(put_in("metadata", "annotations", value=["commit"]), id="annotations that are a list"),
    pytest.param(put_in("metadata", "ownerReferences", value="shop"), id="owners that are a text"),
    pytest.param(put_in("metadata", "uid", value=None), id="no uid"),
    pytest.param(put_in("metadata", value=None), id="no metadata"),
    pytest.param(put_in("metadata", "finalizers", value={"a": 1}), id="finalizers that are a map"),
]


def malformed(namespace: str, name: str, change: Callable[[Any], None]) -> Rule:
    """One Job of the list is nonsense."""

    def rewrite(body: bytes) -> bytes:
        read = json.loads(body)
        change(next(item for item in read["items"] if item["metadata"]["name"] == name))
        return json.dumps(read).encode()

    return lambda request: Rewrite(rewrite) if jobs_list(request, namespace) else None


@pytest.fixture(scope="module")
def page_of_500(control_plane: ControlPlane) -> tuple[str, list[str]]:
    """A Namespace whose Jobs fill one page; nobody deletes them."""
    namespace = seed.namespace(control_plane)
    return namespace, stock(control_plane, namespace, 500)


@pytest.mark.parametrize("change", MALFORMED)
def test_one_malformed_job_of_500_costs_itself_alone(
    control_plane: ControlPlane, page_of_500: tuple[str, list[str]], change: Callable[[Any], None]
) -> None:
    namespace, names = page_of_500

    passed, proxy = through(control_plane, namespace, malformed(namespace, names[7], change), dry_run=True)

    judged = [verdict.reason.value for verdict in passed.result.verdicts()]
    assert len([s for s in proxy.seen if jobs_list(s.request, namespace)]) == 1
    assert len([reason for reason in judged if reason != "unreadable"]) == 499
    assert judged.count("unreadable") + len(passed.result.unreadable) == 1
    assert passed.of("would-delete") == set(names[:-1]) - {names[7]}


def test_beside_a_malformed_job_the_others_really_go(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 500)

    passed, _ = through(control_plane, namespace, malformed(namespace, names[7], bad_condition))

    assert passed.reasons()[names[7]] == "unreadable"
    assert names_of(control_plane, JOBS.format(namespace)) == {names[7], names[-1]}
    assert exit_code(passed.result) == 0
