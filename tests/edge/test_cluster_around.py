"""What the port tells of the surroundings, on both servers: Fleet's version, a pause, the clock."""

import pytest

from tests.edge.passes import cluster
from tests.edge.servers import DEPLOYMENTS, LEASES, Server, must, names_of, patch, put_gitjob


@pytest.mark.parametrize(
    ("deployments", "version", "recreates"),
    [
        pytest.param({"gitjob": "rancher/fleet:v0.16.1"}, "0.16.1", False, id="one"),
        pytest.param({"gitjob": "rancher/fleet:v0.10.2"}, "0.10.2", True, id="an old one"),
        pytest.param({"gitjob": "r/fleet:v0.16.1", "gitjob-shard-a": "r/fleet:v0.10.2"}, "0.10.2", True, id="the lowest shard"),
        pytest.param({"gitjob": "r/fleet:v0.16.1", "other": "r/other:v0.1.0"}, "0.16.1", False, id="only gitjob counts"),
        pytest.param({"gitjob": "r/fleet@sha256:" + "0" * 64}, "unknown", True, id="a digest"),
        pytest.param({}, "unknown", True, id="none"),
    ],
)
def test_the_lowest_fleet_that_may_run_is_told(
    server: Server, place: str, deployments: dict[str, str], version: str, *, recreates: bool
) -> None:
    for name, image in deployments.items():
        put_gitjob(server, place, image, name)

    fleet = cluster(server.kubeconfig(), fleet_version="", fleet_namespace=place).fleet()

    assert (fleet.version, fleet.recreates) == (version, recreates)


def test_an_unfinished_rollout_may_run_the_oldest_fleet(server: Server, place: str) -> None:
    put_gitjob(server, place, "rancher/fleet:v0.16.1", finished=False)

    assert cluster(server.kubeconfig(), fleet_version="v0.16.1", fleet_namespace=place).fleet().recreates
    assert names_of(server, DEPLOYMENTS.format(place)) == {"gitjob"}


@pytest.mark.parametrize("where", ["Namespace", "Lease"])
def test_a_pause_is_seen(server: Server, place: str, where: str) -> None:
    annotated = {"metadata": {"annotations": {"gitjob-cleaner/pause": "until Monday"}}}
    if where == "Namespace":
        patch(server, f"/api/v1/namespaces/{place}", annotated)
    else:
        annotated["metadata"]["name"] = "gitjob-cleaner"  # type: ignore[assignment]
        must(server.request("POST", LEASES.format(place), annotated))

    refusal = cluster(server.kubeconfig(), own_namespace=place).paused()

    assert refusal is not None
    assert (refusal.brake, "until Monday" in refusal.text) == ("pause", True)


def test_without_an_annotation_nothing_is_paused(server: Server, place: str) -> None:
    assert cluster(server.kubeconfig(), own_namespace=place).paused() is None


def test_the_servers_clock_is_known_after_the_first_answer(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    before = port.skew()
    port.namespace(place)

    skew = port.skew()

    assert before is None
    assert skew is not None
    assert abs(skew) < 30
