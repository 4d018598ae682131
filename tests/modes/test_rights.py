"""`rights`: what it prints is what a real API needs to be given, and it asks none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.edge.servers import must
from tests.edge.serving import eventually
from tests.modes.running import run
from tests.world import seed
from tests.world.control_plane import ControlPlane

NOWHERE = Path("/dev/null")
PATHS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "namespaces/{}/roles",
    "RoleBinding": "namespaces/{}/rolebindings",
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A world of its own: roles for the whole cluster would be seen by other tests."""
    with ControlPlane() as started:
        started.with_crd()
        for name in ("home", "team-a", "team-b", "cattle-fleet-system"):
            seed.namespace(started, name)
        yield started


def given(plane: ControlPlane, account: str, *line: str) -> Path:
    """Make an account, give it what `rights` prints, and return its kubeconfig."""
    must(plane.request("POST", "/api/v1/namespaces/home/serviceaccounts", {"metadata": {"name": account}}), 201)
    said = run("rights", *line, "--account", account, kubeconfig=NOWHERE)
    assert (said.code, said.err) == (0, "")
    for each in yaml.safe_load_all(said.out):
        path = PATHS[each["kind"]].format(each["metadata"].get("namespace"))
        must(plane.request("POST", f"/apis/rbac.authorization.k8s.io/v1/{path}", each), 201)
    token = must(plane.request("POST", f"/api/v1/namespaces/home/serviceaccounts/{account}/token", {"spec": {}}), 201)
    return plane.kubeconfig(token=token["status"]["token"])


@pytest.mark.parametrize(
    "line",
    [
        ("sweep", "--own-namespace", "home"),
        ("run", "--own-namespace", "home", "--namespaces", "team-a,team-b", "--current", "all", "--evidence", "--orphaned-pods"),
        ("migrate", "--own-namespace", "home", "--instance", "two"),
        ("guard", "--own-namespace", "home", "--namespaces", "team-a"),
        ("retry", "--own-namespace", "home", "--all-failed", "--namespaces", "team-a,team-b"),
    ],
    ids=lambda line: line[0],
)
def test_check_finds_nothing_missing_once_they_are_applied(plane: ControlPlane, line: tuple[str, ...]) -> None:
    config = given(plane, f"to-{line[0]}", *line)
    election = ["--leader-election"] if line[0] in {"run", "migrate"} else []

    def lines() -> list[str]:
        checked = run("check", *line, *election, "--output", "json", kubeconfig=config).document["lines"]
        return [line["found"] for line in checked if line["check"] in {"right", "rights"} and line["state"] != "ok"]

    eventually(lambda: lines() == [], lines)


def test_without_a_place_it_is_the_one_that_the_manifests_have() -> None:
    objects = yaml.safe_load_all(run("rights", kubeconfig=NOWHERE).out)
    subjects = {(who["name"], who["namespace"]) for each in objects for who in each.get("subjects", [])}

    assert subjects == {("gitjob-cleaner", "gitjob-cleaner")}


def test_the_service_is_meant_as_it_runs_in_a_pod() -> None:
    assert "leases" in run("rights", "run", kubeconfig=NOWHERE).out
    assert "update" not in run("rights", "run", "--no-leader-election", kubeconfig=NOWHERE).out
    assert "update" not in run("rights", "run", "--dry-run", kubeconfig=NOWHERE).out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["sweep", "--account", "Not A Name"], "account: 'Not A Name' is no name"),
        (["sweep", "--name", "-"], "name: '-' is no name"),
        (["guard", "--dry-run"], "dry_run: guard has none"),
        (["sweep", "--namespaces", "*"], "namespaces: "),
    ],
)
def test_what_it_cannot_write_roles_for_is_one_line(line: list[str], told: str) -> None:
    said = run("rights", *line, kubeconfig=NOWHERE)

    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert len(said.err.splitlines()) == 1
