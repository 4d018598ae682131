"""`migrate` after an upgrade of Fleet: what goes, what is unblocked, what stays, and that it is done once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cleaner.demo.cast import Temper
from cleaner.demo.family import V0_10_2, V0_10_4, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import Stage
from tests.edge.servers import SandboxServer, must
from tests.edge.serving import eventually
from tests.edge.stand_in_world import FAULT, FORCE, GENERATION, ended_as, of, told
from tests.modes.running import Said, run
from tests.modes.upgrading import HOME, NAMESPACE, Upgrading, upgrading

FLAGS = ("--own-namespace", HOME, "--settle", "1s", "--lease-duration", "3s", "--output", "json")
World = tuple[Upgrading, SandboxServer]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Fleet 0.10.2 with one healthy and two failed GitRepos, after three commits each."""
    with upgrading(tmp_path, good=1, bad=2, commits=3) as made:
        yield made


def migrate(world: World, *flags: str, timeout: float = 120) -> Said:
    return run("migrate", *FLAGS, *flags, kubeconfig=world[1].kubeconfig(), timeout=timeout)


def uids(jobs: list[dict[str, Any]]) -> set[str]:
    return {job["metadata"]["uid"] for job in jobs}


def marker(server: SandboxServer, minor: str) -> Any:
    return server.request("GET", f"/api/v1/namespaces/{HOME}/configmaps/gitjob-cleaner-migration-fleet-{minor}")[1]["data"]


@of(V0_10_4, V0_16_1)
def test_an_upgrade_is_cleared_and_unblocked_once(world: World, family: Family) -> None:
    fleet, server = world
    blocked, failed = fleet.current("bad-0"), fleet.current("bad-1")
    error = told(fleet.gitrepo("bad-1"))[2]
    fleet.fleet.upgrade(family)
    fleet.force("bad-0")
    eventually(lambda: len(fleet.jobs("good-0")) == 2)  # Fleet itself deletes the succeeded current one
    made = set(fleet.made)
    done = migrate(world)
    again = eventually(lambda: uids(fleet.jobs("bad-0")) - made)
    report = done.document["migration"]

    assert (done.code, report["done"]) == (0, True), done
    assert report["adopted"] == [f"{NAMESPACE}/bad-0", f"{NAMESPACE}/bad-1"]
    assert report["forced"] == [f"{NAMESPACE}/bad-0"]
    assert fleet.jobs("good-0") == []
    assert done.document["totals"]["doomed"] == {"legacy": 6}
    assert len(again) == 1
    assert uids(fleet.jobs("bad-1")) >= uids([failed])
    assert uids([blocked]).isdisjoint(uids(fleet.jobs("bad-0")))
    assert set(fleet.made) - made == again
    assert FAULT in error
    assert FAULT in told(fleet.gitrepo("bad-1"))[2]
    assert {FORCE, GENERATION} <= fleet.current("bad-1")["metadata"]["labels"].keys()

    fleet.force("bad-1")
    eventually(lambda: uids(fleet.jobs("bad-1")) - made)
    second = migrate(world)
    assert second.code == 0
    assert second.document["migration"]["done_before"]["state"] == "done"
    assert second.document["jobs"] == []
    assert marker(server, family.version.removeprefix("v").rpartition(".")[0])["forced"] == f"{NAMESPACE}/bad-0"


def test_a_dry_run_changes_nothing(world: World) -> None:
    fleet, server = world
    fleet.fleet.upgrade(V0_16_1)
    fleet.force("bad-0")
    eventually(lambda: len(fleet.jobs("good-0")) == 2)
    before, made = json.dumps(fleet.jobs(), sort_keys=True), set(fleet.made)
    said = migrate(world, "--dry-run")

    assert said.code == 0, said
    assert json.dumps(fleet.jobs(), sort_keys=True) == before
    assert set(fleet.made) == made
    assert said.document["migration"]["forced"] == [f"{NAMESPACE}/bad-0"]
    assert said.document["totals"]["results"] == {"would-delete": 6}
    assert server.request("GET", f"/api/v1/namespaces/{HOME}/configmaps")[1]["items"] == []
    assert server.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases")[1]["items"] == []


def test_it_waits_for_fleet_and_gives_up_when_its_time_is_up(world: World) -> None:
    fleet, _ = world
    before = json.dumps(fleet.jobs(), sort_keys=True)
    said = migrate(world, "--wait-limit", "3s")

    assert said.code == 1
    assert said.document["migration"]["problems"] == ["Fleet >= 0.10.4 has not rolled out: 0.10.2 runs"]
    assert "waiting for Fleet >= 0.10.4: 0.10.2 runs" in said.err
    assert json.dumps(fleet.jobs(), sort_keys=True) == before


def test_what_somebody_protects_is_neither_deleted_nor_adopted(world: World) -> None:
    fleet, _ = world
    fleet.change("bad-0", {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}})
    fleet.fleet.upgrade(V0_16_1)
    fleet.force("bad-0")
    eventually(lambda: len(fleet.jobs("good-0")) == 2)
    before = uids(fleet.jobs("bad-0"))
    done = migrate(world)

    assert done.code == 0, done
    assert done.document["migration"]["adopted"] == [f"{NAMESPACE}/bad-1"]
    assert uids(fleet.jobs("bad-0")) == before
    assert GENERATION not in fleet.current("bad-0")["metadata"]["labels"]


@contextmanager
def slow_one(tmp_path: Path, slowness: float) -> Iterator[World]:
    """Fleet 0.16.1 with a GitRepo whose Fleet 0.10.2 has begun a run that will fail."""
    slow = Temper(NAMESPACE, "slow", failing=1.0, slowness=slowness, faults=(FAULT,))
    with Sandbox() as sandbox, Upgrading(sandbox.url, Stage((slow,))) as fleet:
        server = SandboxServer(sandbox, tmp_path)
        must(server.request("POST", "/api/v1/namespaces", {"metadata": {"name": HOME}}))
        eventually(lambda: fleet.jobs("slow"))
        fleet.fleet.upgrade(V0_16_1)
        yield fleet, server
        server.close()


@pytest.mark.long
def test_what_still_runs_is_waited_for_and_adopted_if_it_fails(tmp_path: Path) -> None:
    with slow_one(tmp_path, 60.0) as world:
        fleet, _ = world
        running = not ended_as(fleet.current("slow"))
        done = migrate(world)

        assert running
        assert "waiting for 1 legacy Jobs that still run" in done.err
        assert (done.code, done.document["migration"]["adopted"]) == (0, [f"{NAMESPACE}/slow"]), done
        assert GENERATION in fleet.current("slow")["metadata"]["labels"]
        assert len(fleet.made) == 1


def test_what_runs_for_longer_leaves_the_migration_undone(tmp_path: Path) -> None:
    with slow_one(tmp_path, 10_000.0) as world:
        fleet, server = world
        said = migrate(world, "--wait-limit", "6s")

        assert said.code == 1
        assert said.document["migration"]["running"] == [f"{NAMESPACE}/{fleet.current('slow')['metadata']['name']}"]
        assert server.request("GET", f"/api/v1/namespaces/{HOME}/configmaps")[1]["items"] == []


def test_without_a_place_for_its_marker_it_does_not_begin(world: World) -> None:
    said = run("migrate", kubeconfig=world[1].kubeconfig())

    assert said.code == 2
    assert said.err.startswith("gitjob-cleaner: own_namespace: migrate needs it (--own-namespace NAME)")
    assert said.err.count("\n") == 1


def test_the_table_tells_what_was_done(world: World) -> None:
    fleet, _ = world
    fleet.fleet.upgrade(V0_10_4)
    fleet.force("bad-0")
    eventually(lambda: len(fleet.jobs("good-0")) == 2)
    said = run("migrate", *FLAGS[:-2], kubeconfig=world[1].kubeconfig())

    assert f"ADOPTED {NAMESPACE}/bad-1: Force Update works again" in said.out
    assert f"FORCED {NAMESPACE}/bad-0: a Force Update was pending" in said.out


def test_a_second_one_waits_until_the_first_has_ended(world: World) -> None:
    fleet, server = world
    lease = {
        "metadata": {"name": "gitjob-cleaner-migration", "namespace": HOME},
        "spec": {"holderIdentity": "another", "leaseDurationSeconds": 3600},
    }
    server.request("POST", f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases", lease)
    fleet.fleet.upgrade(V0_16_1)
    eventually(lambda: len(fleet.jobs("good-0")) == 2)
    before = uids(fleet.jobs())
    said = migrate(world, "--wait-limit", "4s")

    assert said.code == 1
    assert said.document["migration"]["problems"] == ["another migration may be under way"]
    assert uids(fleet.jobs()) == before


def test_a_fleet_that_is_rolled_back_stops_it(world: World) -> None:
    fleet, _ = world
    fleet.fleet.upgrade(V0_16_1)
    eventually(lambda: len(fleet.jobs("good-0")) == 2)
    fleet.fleet.upgrade(V0_10_2)
    before = uids(fleet.jobs("bad-0"))

    assert migrate(world, "--wait-limit", "2s").code == 1
    assert uids(fleet.jobs("bad-0")) == before


def test_a_home_that_is_not_there_is_told_at_once(world: World) -> None:
    for dry_run in ((), ("--dry-run",)):
        said = run("migrate", "--own-namespace", "nosuch", *dry_run, kubeconfig=world[1].kubeconfig())
        assert (said.code, said.err) == (2, "gitjob-cleaner: own_namespace: there is no Namespace 'nosuch'\n")


def test_the_table_of_a_dry_run_says_would(world: World) -> None:
    fleet, _ = world
    fleet.fleet.upgrade(V0_16_1)
    eventually(lambda: len(fleet.jobs("good-0")) == 2)
    said = run("migrate", *FLAGS[:-2], "--dry-run", kubeconfig=world[1].kubeconfig())

    assert "DRY RUN, nothing is changed" in said.out.splitlines()[0]
    assert f"WOULD ADOPT {NAMESPACE}/bad-1: " in said.out
    assert "STUCK" not in said.out
    assert '"would adopt"' in said.err
