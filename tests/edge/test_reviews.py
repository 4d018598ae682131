"""What the API says of itself and of us, over the real one and over the sandbox."""

from typing import Any

import pytest

from cleaner.cluster import Api, ClusterError, Denied, OwnCleanUp, Unreachable
from cleaner.kube import Connection, KubeCluster, Limits
from cleaner.rights import Access
from tests.edge.faults import FORBIDDEN, hurried, refusal
from tests.edge.servers import Server, must
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.proxy import Answer, Fault, LoseAnswer, Proxy, Request

JOBS, LOGS = Access("delete", "batch", "jobs", "somewhere"), Access("get", "", "pods/log")


def port(server: Server, **limits: Any) -> KubeCluster:
    """What is tested."""
    clock = hurried()
    return KubeCluster(Connection((str(server.kubeconfig()), ""), "gitjob-cleaner/test", 20, clock), Limits(**limits), clock)


def through(control_plane: ControlPlane, proxy: Proxy, token: str = ADMIN) -> KubeCluster:
    """The same, with a proxy in between."""
    clock = hurried()
    path = control_plane.kubeconfig(server=proxy.url, token=token)
    return KubeCluster(Connection((str(path), ""), "gitjob-cleaner/test", 20, clock), Limits(), clock)


def reviewed(request: Request) -> bool:
    """Whether a request asks for a review."""
    return "/selfsubject" in request.path


def test_it_tells_its_version_and_that_it_serves_gitrepos(server: Server) -> None:
    version, gitrepos = port(server).api()

    assert version.startswith("v1.")
    assert gitrepos is True


def test_an_administrator_may_do_all(server: Server) -> None:
    asked = [JOBS, LOGS]

    assert sorted((each.access.verb, each.allowed, each.error) for each in port(server).may(asked)) == [
        ("delete", True, None),
        ("get", True, None),
    ]


def test_of_nothing_nothing_is_asked(server: Server) -> None:
    assert list(port(server).may([])) == []


def test_who_we_are(control_plane: ControlPlane) -> None:
    assert port(control_plane).who() == "admin"


def test_a_server_that_does_not_know_the_question_does_not_say_who_we_are(server: Server) -> None:
    if isinstance(server, ControlPlane):
        assert port(server).who() == "admin"
        return
    with pytest.raises(ClusterError):
        port(server).who()


def test_fleets_own_clean_up_is_found_by_its_name(server: Server, place: str) -> None:
    mine = port(server, fleet_namespace=place)
    before = mine.own_clean_up()
    pods = {"containers": [{"name": "cleanup", "image": "fleet"}], "restartPolicy": "Never"}
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pods}}}}
    made = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "fleet-cleanup-gitrepo-jobs"}, "spec": spec}
    must(server.request("POST", f"/apis/batch/v1/namespaces/{place}/cronjobs", made))

    assert (before, mine.own_clean_up()) == (None, OwnCleanUp("fleet-cleanup-gitrepo-jobs", "@daily", suspended=False))


@pytest.mark.parametrize(
    "fault", [refusal(500, "InternalError"), refusal(429, "TooManyRequests"), refusal(401, "U"), LoseAnswer()]
)
def test_a_review_is_asked_for_again(control_plane: ControlPlane, fault: Fault) -> None:
    """It changes nothing, so that a lost answer costs nothing."""
    with Proxy(control_plane, lambda request: fault if reviewed(request) and request.nth < 3 else None) as proxy:
        (answer,) = through(control_plane, proxy).may([JOBS])

    assert (answer.allowed, answer.error) == (True, None)


@pytest.mark.parametrize(
    ("fault", "error"), [(refusal(500, "InternalError"), ClusterError), (FORBIDDEN, Denied), (LoseAnswer(), Unreachable)]
)
def test_what_nobody_answers_nobody_knows(control_plane: ControlPlane, fault: Fault, error: type[Exception]) -> None:
    with Proxy(control_plane, lambda request: fault if reviewed(request) else None) as proxy:
        mine = through(control_plane, proxy)
        (answer,) = mine.may([JOBS])
        with pytest.raises(error):
            mine.who()

    assert (answer.allowed, type(answer.error)) == (False, error)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status": 1}', b"{}"])
def test_a_page_is_no_answer(control_plane: ControlPlane, body: bytes) -> None:
    with Proxy(control_plane, lambda _: Answer(200, body)) as proxy:
        mine = through(control_plane, proxy)
        (answer,) = mine.may([JOBS])
        with pytest.raises(ClusterError):
            mine.who()

    assert (answer.allowed, type(answer.error)) == (False, ClusterError)


def test_what_it_serves_may_be_hidden_from_us(control_plane: ControlPlane) -> None:
    with Proxy(control_plane, lambda _: FORBIDDEN) as proxy:
        assert through(control_plane, proxy).api() == Api("", None)


def test_who_has_no_right_may_not(control_plane: ControlPlane) -> None:
    with Proxy(control_plane) as proxy:
        (answer,) = through(control_plane, proxy, "user-0").may([JOBS])

    assert (answer.allowed, answer.error) == (False, None)
