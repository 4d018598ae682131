"""The stand-in needs no more than an API: on a bare kube-apiserver it plays all controllers, and comes to the same."""

import secrets
import ssl
from collections.abc import Callable, Iterator

import pytest

from cleaner.demo.caller import Caller, path_of
from cleaner.demo.family import FAMILIES, V0_10_2, V0_14_10, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import Stage
from tests.edge.stand_in_world import FORCE, World, ended_as, of, plain, told
from tests.world.control_plane import ADMIN, ControlPlane

Start = Callable[[Family], World]
FLEET = path_of("deployments", "cattle-fleet-system")


def stage(call: Callable[[str], Caller]) -> Stage:
    namespace = f"stand-in-{secrets.token_hex(4)}"
    return Stage(plain(namespace), namespace, collects=True, call=call)


@pytest.fixture(params=["control plane", "sandbox"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts a world on one server after the other, both without a garbage collector."""
    if request.param == "sandbox":
        with Sandbox(collect_garbage=False) as sandbox, Caller(sandbox.url) as caller:
            yield lambda family: World(sandbox.url, caller, family, stage(Caller))
        return
    plane: ControlPlane = request.getfixturevalue("control_plane")
    tls = ssl.create_default_context(cafile=str(plane.ca_file))
    with Caller(plane.url, tls=tls, token=ADMIN) as caller:
        yield lambda family: World(plane.url, caller, family, stage(lambda url: Caller(url, tls=tls, token=ADMIN)))
        for deployment in caller.items(FLEET):  # other tests share this server, and look for Fleet's version there
            caller.delete(f"{FLEET}/{deployment['metadata']['name']}", deployment["metadata"]["uid"])


@of(*FAMILIES)
def test_a_life_is_the_same_on_both(start: Start, family: Family) -> None:
    """Success, failure, a run that goes on, a Force Update, a new commit during a run."""
    world = start(family)
    world.pass_time(6)
    good, bad, slow = (world.jobs(name) for name in ("good", "bad", "slow"))
    world.force("bad", 1)
    world.push("slow")
    world.pass_time(9)
    again = world.job("bad")

    assert [ended_as(job) for job in good] == (["Complete"] if family is V0_10_2 else [])
    assert [ended_as(job) for job in (*bad, *slow)] == ["Failed", ""]
    assert told(world.gitrepo("bad"))[:2] == ("Failed", "True")
    assert (again["metadata"]["name"], ended_as(again)) == (bad[0]["metadata"]["name"], "Failed")
    assert again["metadata"]["uid"] != bad[0]["metadata"]["uid"]
    assert again["metadata"]["labels"].get(FORCE) == ("1" if family.labelled else None)
    assert len(world.pods(again)) == again["status"]["failed"] == family.backoff_limit + 1
    assert world.pods(bad[0]) == []
    assert len(world.jobs("slow")) == (1 if family in (V0_14_10, V0_16_1) else 2)
    assert len(world.pods(slow[0])) == (0 if family is V0_16_1 else 1)
    [beside] = (
        pod for job in world.jobs("slow") if job["metadata"]["uid"] != slow[0]["metadata"]["uid"] for pod in world.pods(job)
    )
    assert beside["status"]["phase"] == "Running"


def test_orphans_are_the_same_on_both(start: Start) -> None:
    world = start(V0_14_10)
    world.pass_time(6)
    before = world.job("bad")
    world.deploy("bad")
    [orphan] = world.pods(before)

    assert world.caller.get(path_of("jobs", world.namespace, before["metadata"]["name"])) is None
    assert not {"ownerReferences", "finalizers", "deletionTimestamp"}.intersection(orphan["metadata"])
    assert orphan["status"]["phase"] == "Failed"


@of(V0_14_10, V0_16_1)
def test_a_foreground_deletion_is_the_same_on_both(start: Start, family: Family) -> None:
    """With a collector that takes its time, nothing needs to hold the Pod: Terminating, and so it stays."""
    world = start(family)
    world.pass_time(6)
    job = world.job("bad")
    world.delete(job, "Foreground")
    world.pass_time(10)

    assert (world.jobs("bad"), world.pods(job)) == ([], [])
    assert told(world.gitrepo("bad")) == ("Terminating", "False", "")


def test_an_upgrade_is_the_same_on_both(start: Start) -> None:
    world = start(V0_10_2)
    world.pass_time(6)
    world.deploy("bad")
    uids = world.uids("bad")
    world.fleet.upgrade(V0_16_1)
    world.pass_time(8)
    [container] = (world.caller.get(f"{FLEET}/gitjob") or {})["spec"]["template"]["spec"]["containers"]

    assert container["image"] == V0_16_1.image
    assert (world.jobs("good"), world.uids("bad")) == ([], uids)


def test_a_deleted_gitrepo_takes_all_along_on_both(start: Start) -> None:
    world = start(V0_16_1)
    world.pass_time(6)
    jobs = world.jobs("bad") + world.jobs("slow")
    for name in ("bad", "slow"):
        world.caller.delete(path_of("gitrepos", world.namespace, name), world.gitrepo(name)["metadata"]["uid"])
    world.pass_time(3)

    assert world.jobs("bad") + world.jobs("slow") == []
    assert [pod for job in jobs for pod in world.pods(job)] == []
