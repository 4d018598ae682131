"""What `sweep` may not read or delete: the rest is done, it is said, and the exit code tells."""

import pytest

from tests.edge.faults import stock
from tests.edge.roles import allow
from tests.edge.servers import GITREPOS, JOBS, names_of, patch
from tests.modes.running import Said, run
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Before, Proxy, Request

FLEET = ("--fleet-version", "v0.16.1")


@pytest.fixture
def three(control_plane: ControlPlane) -> list[str]:
    """Three Namespaces that no other test has seen."""
    return [seed.namespace(control_plane) for _ in range(3)]


def living(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(control_plane, JOBS.format(namespace))


@pytest.mark.parametrize("output", ["table", "json"])
def test_one_namespace_that_is_forbidden_is_named_and_the_others_are_swept(
    control_plane: ControlPlane, three: list[str], output: str
) -> None:
    """A Role in each of two Namespaces is all that this user has."""
    names = {namespace: stock(control_plane, namespace, 4) for namespace in three}
    allow(control_plane, "user-5", three[0])
    allow(control_plane, "user-5", three[2])
    mark = control_plane.audit_end

    kubeconfig = control_plane.kubeconfig(token="user-5")
    said = run("sweep", "--namespaces", ",".join(three), "--output", output, *FLEET, kubeconfig=kubeconfig)

    assert said.code == 1
    if output == "json":
        assert [(line["namespace"], line["denied"]) for line in said.document["refused"]] == [(three[1], True)]
    else:
        assert [line for line in said.out.splitlines() if line.startswith("REFUSED") and three[1] in line]
    assert living(control_plane, three[1]) == set(names[three[1]])
    for namespace in (three[0], three[2]):
        assert living(control_plane, namespace) == {names[namespace][3]}
    asked = [event for event in control_plane.audit(mark) if event["user"]["username"] == "user-5"]
    assert {event["objectRef"].get("namespace", "") for event in asked} <= {*three, "cattle-fleet-system"}
    assert {e["objectRef"]["resource"] for e in asked} == {"namespaces", "gitrepos", "jobs", "deployments"}


def test_a_role_in_each_namespace_is_enough(control_plane: ControlPlane, three: list[str]) -> None:
    names = [stock(control_plane, namespace, 3) for namespace in three]
    for namespace in three:
        allow(control_plane, "user-6", namespace)

    kubeconfig = control_plane.kubeconfig(token="user-6")
    said = run("sweep", "--namespaces", ",".join(three), "--output", "json", *FLEET, kubeconfig=kubeconfig)

    assert (said.code, said.document["refused"]) == (0, [])
    assert [living(control_plane, namespace) for namespace in three] == [{each[2]} for each in names]


@pytest.mark.parametrize("scope", ["named", "cluster"])
def test_without_the_right_to_list_gitrepos_nothing_goes(control_plane: ControlPlane, namespace: str, scope: str) -> None:
    names = stock(control_plane, namespace, 4)
    user = {"named": "user-7", "cluster": "user-8"}[scope]
    allow(control_plane, user, namespace, "gitrepos")
    mark = control_plane.audit_end
    flags = ("--namespaces", namespace) if scope == "named" else ()

    said = run("sweep", *flags, *FLEET, kubeconfig=control_plane.kubeconfig(token=user))

    assert said.code == 3
    assert living(control_plane, namespace) == set(names)
    assert not [event for event in control_plane.audit(mark) if event["verb"] == "delete"]


def test_a_role_without_delete_makes_a_dry_run_that_says_why(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)
    allow(control_plane, "user-9", namespace, "delete")
    kubeconfig = control_plane.kubeconfig(token="user-9")

    said = run("sweep", "--dry-run", "--namespaces", namespace, "--output", "json", *FLEET, kubeconfig=kubeconfig)

    lines = [line for line in said.document["jobs"] if line["verdict"] == "delete"]
    assert {line["name"] for line in lines} == set(names[:3])
    assert all(line["result"] == "would-delete" and "403" in line["result_detail"] for line in lines)
    assert said.code == 0


def sweep(control_plane: ControlPlane, *flags: str, server: str | None = None) -> Said:
    """A sweep as an administrator, as JSON."""
    return run("sweep", "--output", "json", *FLEET, *flags, kubeconfig=control_plane.kubeconfig(server=server))


def test_excluded_namespaces_are_left_alone(control_plane: ControlPlane, three: list[str]) -> None:
    names = [stock(control_plane, namespace, 3) for namespace in three]

    said = sweep(control_plane, "--namespaces", ",".join(three), "--exclude-namespaces", f"{three[0]},*{three[1][-6:]}")

    assert [living(control_plane, namespace) for namespace in three] == [set(names[0]), set(names[1]), {names[2][2]}]
    assert {line["namespace"] for line in said.document["jobs"]} == {three[2]}


def label(control_plane: ControlPlane, namespace: str, gitrepo: str, **labels: str | None) -> None:
    """Label a GitRepo."""
    patch(control_plane, f"{GITREPOS.format(namespace)}/{gitrepo}", {"metadata": {"labels": labels}})


def test_a_selector_chooses_gitrepos_and_their_jobs_follow(control_plane: ControlPlane, namespace: str) -> None:
    east, west = stock(control_plane, namespace, 3, "east"), stock(control_plane, namespace, 3, "west")
    label(control_plane, namespace, "east", shard="east")

    said = sweep(control_plane, "--namespaces", namespace, "--selector", "shard in (east,north)")

    assert living(control_plane, namespace) == {east[2], *west}
    assert said.document["totals"]["left_out_jobs"] == 3


def test_a_gitrepo_that_leaves_the_selection_between_list_and_delete_keeps_its_jobs(
    control_plane: ControlPlane, namespace: str
) -> None:
    names = stock(control_plane, namespace, 3)
    label(control_plane, namespace, "shop", shard="east")
    again = f"{GITREPOS.format(namespace)}/shop"

    def rule(request: Request) -> Before | None:
        if request.path == again and request.nth == 1:
            return Before(lambda: label(control_plane, namespace, "shop", shard="west"))
        return None

    with Proxy(control_plane, rule) as proxy:
        sweep(control_plane, "--namespaces", namespace, "--selector", "shard=east", server=proxy.url)

    assert living(control_plane, namespace) == set(names)


def test_a_cap_is_kept_and_what_it_left_is_told(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 8)

    said = sweep(control_plane, "--namespaces", namespace, "--max-deletions", "2")

    assert living(control_plane, namespace) == set(names[2:])
    assert (said.code, said.document["totals"]["backlog"]) == (1, 5)
