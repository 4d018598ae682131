"""`migrate` beside the real Job controller and garbage collector: 30 GitRepos, 300 Jobs, three of them blocked."""

import os
import ssl
import time
from collections.abc import Iterator

import pytest

from cleaner.demo.caller import Caller
from cleaner.demo.family import V0_10_2, V0_10_4, V0_16_1
from cleaner.demo.stand_in import Pace, Stage
from tests.edge.serving import eventually
from tests.edge.stand_in_world import Object, commit_of, ended_as, told
from tests.modes.running import run
from tests.modes.upgrading import Upgrading, tempers
from tests.world import seed
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.controllers import Controllers

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NAMESPACE = "fleet-default"
GOOD, BAD, COMMITS = 24, 6, 10
BLOCKED = [f"bad-{n}" for n in range(3)]
QUIET = min(120.0, float(os.environ.get("DURATION", "120").rstrip("s")))
"""Seconds in which no Job may be made; CI asks for fewer."""


@pytest.fixture
def own() -> Iterator[ControlPlane]:
    with ControlPlane() as plane, Controllers(plane.with_crd()) as controllers:
        yield plane
        controllers.must_live()


@pytest.fixture
def world(own: ControlPlane) -> Iterator[Upgrading]:
    tls = ssl.create_default_context(cafile=str(own.ca_file))

    def call(url: str) -> Caller:
        return Caller(url, timeout=60, tls=tls, token=ADMIN)

    pace = Pace(commit_every=1e9, poll=1.0, overlooked=0, past=0, step_every=0.3)
    with Upgrading(own.url, Stage(tempers(GOOD, BAD), NAMESPACE, runs=False, call=call), V0_10_2, pace) as made:
        made.deploy(COMMITS)
        yield made


def by_name(world: Upgrading) -> dict[str, list[Object]]:
    return {name: world.jobs(name) for name in world.names}


def test_exactly_the_needed_jobs_remain_and_the_blocked_run_once(own: ControlPlane, world: Upgrading) -> None:
    outcomes = [ended_as(job) for job in world.jobs()]
    world.fleet.upgrade(V0_10_4)
    eventually(lambda: all(len(world.jobs(name)) == COMMITS - 1 for name in world.names if name.startswith("good-")))
    for name in BLOCKED:
        world.force(name)
    time.sleep(5)
    pending = [world.gitrepo(name) for name in BLOCKED]
    world.fleet.upgrade(V0_16_1)
    time.sleep(3)
    errors = {name: told(world.gitrepo(name)) for name in world.names if name not in BLOCKED}
    made = set(world.made)
    home = seed.namespace(own)
    flags = ["migrate", "--own-namespace", home, "--settle", "1s", "--lease-duration", "3s", "--output", "json"]
    done = run(*flags, kubeconfig=own.kubeconfig(), timeout=400)
    report = done.document["migration"]
    runs = eventually(
        lambda: [job for uid, job in world.made.items() if uid not in made] if len(world.made) - len(made) > 2 else []
    )
    eventually(lambda: all(ended_as(world.current(name)) for name in BLOCKED))

    assert outcomes.count("Complete") == GOOD * COMMITS
    assert outcomes.count("Failed") == BAD * COMMITS
    assert all("updateGeneration" not in gitrepo["status"] for gitrepo in pending)
    assert (done.code, report["done"]) == (0, True), done
    assert report["forced"] == [f"{NAMESPACE}/{name}" for name in BLOCKED]
    assert sorted(job["metadata"]["ownerReferences"][0]["name"] for job in runs) == BLOCKED
    assert {name: len(jobs) for name, jobs in by_name(world).items() if jobs} == {f"bad-{n}": 1 for n in range(BAD)}
    assert all(commit_of(*jobs) == world.gitrepo(name)["status"]["commit"] for name, jobs in by_name(world).items() if jobs)

    count = len(world.made)
    time.sleep(QUIET)
    assert len(world.made) == count, "no other Job was made"
    assert {name: told(world.gitrepo(name)) for name in errors} == errors
    assert all(errors[f"bad-{n}"][0] == "Failed" for n in range(3, BAD))

    again = run(*flags, kubeconfig=own.kubeconfig(), timeout=120)
    assert (again.code, again.document["migration"]["done_before"]["state"]) == (0, "done")
    for n in range(3, BAD):
        world.force(f"bad-{n}")
    eventually(lambda: len(world.made) == count + 3)
