"""Kubernetes Events on GitRepos, over the real API and over the sandbox."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from cleaner.cluster import Announcement, Clock, ClusterError, Denied, Throttled, Unreachable
from cleaner.model import Owner
from tests.edge.faults import FORBIDDEN, refusal
from tests.edge.passes import cluster
from tests.edge.servers import Server, must
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import LoseAnswer, Proxy

NOW = 1_700_000_000.6


def announced(server: Server, place: str, message: str = "3 Jobs deleted", *, warning: bool = False, name: str = "shop") -> Any:
    """The Event that the server has after one was announced, and the GitRepo."""
    (gitrepo,) = seed.put(server, [seed.gitrepo(place, name)])
    timer = Clock(lambda: NOW, time.monotonic, time.sleep)
    owner = Owner(place, name, gitrepo["metadata"]["uid"])
    cluster(server.kubeconfig(), timer).announce(Announcement(owner, "JobsDeleted", message, warning))
    (event,) = must(server.request("GET", f"/api/v1/namespaces/{place}/events"))["items"]
    return event


def test_an_event_is_on_its_gitrepo(server: Server, place: str) -> None:
    event = announced(server, place)

    (gitrepo,) = must(server.request("GET", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{place}/gitrepos"))["items"]
    involved = {"kind": "GitRepo", "apiVersion": "fleet.cattle.io/v1alpha1", "namespace": place, "name": "shop"}
    assert event["involvedObject"] == involved | {"uid": gitrepo["metadata"]["uid"]}
    assert (event["reason"], event["message"], event["type"]) == ("JobsDeleted", "3 Jobs deleted", "Normal")
    assert event["metadata"]["name"].startswith("shop.")


def test_an_event_says_who_wrote_it_and_when(server: Server, place: str) -> None:
    event = announced(server, place)

    stamp = datetime.fromtimestamp(int(NOW), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (event["firstTimestamp"], event["lastTimestamp"], event["count"]) == (stamp, stamp, 1)
    assert (event["source"]["component"], event["reportingComponent"]) == ("gitjob-cleaner", "gitjob-cleaner")
    assert event["reportingInstance"]


def test_a_warning_is_one(server: Server, place: str) -> None:
    assert announced(server, place, warning=True)["type"] == "Warning"


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("x" * 1025, "x" * 1024),
        ("\u20ac" * 1000, "\u20ac" * 341),
        ("a\nb\t\x00c", "a\nb\t\x00c"),
        ("\ud800", "?"),
        ("", ""),
    ],
    ids=["long", "wide", "control", "surrogate", "empty"],
)
def test_a_message_is_cut_to_what_the_api_takes(server: Server, place: str, message: str, written: str) -> None:
    assert announced(server, place, message).get("message", "") == written


def test_a_long_name_is_cut_by_the_server(server: Server, place: str) -> None:
    name = "a" * 61 + "-b"

    event = announced(server, place, name=name)

    assert event["involvedObject"]["name"] == name


def test_two_of_a_kind_are_two_events(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    for _ in range(2):
        port.announce(Announcement(Owner(place, "shop", "uid"), "JobsDeleted", "again"))

    assert len(must(server.request("GET", f"/api/v1/namespaces/{place}/events"))["items"]) == 2


def test_a_namespace_that_is_not_there_is_an_error(server: Server) -> None:
    with pytest.raises(ClusterError):
        cluster(server.kubeconfig()).announce(Announcement(Owner("no-such-namespace", "shop", "uid"), "A", "b"))


FAULTS = [
    pytest.param(FORBIDDEN, Denied, id="403"),
    pytest.param(refusal(429, "TooManyRequests"), Throttled, id="429"),
    pytest.param(refusal(500, "InternalError"), ClusterError, id="500"),
    pytest.param(LoseAnswer(), Unreachable, id="no answer"),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_fault_is_an_error_by_meaning_and_one_attempt(
    control_plane: ControlPlane, namespace: str, fault: Any, kind: type[ClusterError]
) -> None:
    with Proxy(control_plane, lambda _: fault) as proxy:
        port = cluster(control_plane.kubeconfig(server=proxy.url))
        with pytest.raises(ClusterError) as raised:
            port.announce(Announcement(Owner(namespace, "shop", "uid"), "A", "b"))

    assert type(raised.value) is kind
    assert len(proxy.seen) == 1
