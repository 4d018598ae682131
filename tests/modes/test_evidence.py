"""`run --evidence` beside a Fleet that fails: why a Job failed is kept when it fails, though Fleet deletes it soon."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleaner.demo.caller import Caller
from cleaner.demo.family import V0_10_4, V0_14_10, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from tests.edge.serving import eventually
from tests.edge.stand_in_world import FAULT, NAMESPACE, PLAIN, World, ended_as, of
from tests.modes.running import run
from tests.modes.serving import Running


@pytest.fixture
def kubeconfig(sandbox: Sandbox, tmp_path: Path) -> Path:
    """For the sandbox."""
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(sandbox.kubeconfig()))
    return path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """It has real time."""
    with Sandbox() as started:
        yield started


@pytest.fixture
def world(sandbox: Sandbox, family: Family) -> Iterator[World]:
    """Stepped by hand, a few seconds ahead of the real time at most."""
    with Caller(sandbox.url) as caller:
        begun = World(sandbox.url, caller, family, PLAIN)
        begun.at = time.time() - 600.0
        begun.pass_time(1)
        yield begun


def kept(service: Running) -> list[tuple[str, str]]:
    """Job and error of what was logged as kept."""
    return [(line["job"], line["error"]) for line in service.logged("error kept")]


@of(V0_10_4, V0_14_10, V0_16_1)
def test_it_is_kept_when_the_job_fails_and_still_known_when_fleet_has_deleted_it(world: World, kubeconfig: Path) -> None:
    with Running(kubeconfig, "--evidence", "--log-format", "json") as service:
        service.ready()
        world.until(lambda: any(ended_as(job) for job in world.jobs("bad")))
        first = world.job("bad")
        eventually(lambda: len(kept(service)) == 1, lambda: "".join(service.lines[-20:]))
        second = world.deploy("bad")
        eventually(lambda: len(kept(service)) == 2, lambda: "".join(service.lines[-20:]))
        said = run("explain", f"{NAMESPACE}/bad", "--output", "json", kubeconfig=kubeconfig)
        page = service.get().text
        counted = service.metric("errors_kept_total")
        log = service.logged("error kept")[0]["log"]

    names = [job["metadata"]["name"] for job in (first, second)]
    assert kept(service) == [(name, FAULT) for name in names]
    assert {(line["job"], line["text"]) for line in said.document["kept_errors"]} == {(name, FAULT) for name in names}
    assert FAULT in page
    assert counted == 2
    assert FAULT in log[-1]


@of(V0_14_10)
def test_it_is_kept_though_fleet_deletes_the_job_right_after(world: World, kubeconfig: Path) -> None:
    """The Pod outlives it there for a while, or for good."""
    with Running(kubeconfig, "--evidence", "--log-format", "json") as service:
        service.ready()
        world.until(lambda: any(ended_as(job) for job in world.jobs("bad")))
        first = world.job("bad")
        world.deploy("bad")
        gone = first["metadata"]["uid"] not in world.uids("bad")
        eventually(lambda: len(kept(service)) == 2, lambda: "".join(service.lines[-20:]))

    assert gone
    assert (first["metadata"]["name"], FAULT) in kept(service)


@of(V0_16_1)
def test_a_new_process_reads_back_what_was_kept(world: World, kubeconfig: Path) -> None:
    with Running(kubeconfig, "--evidence", "--log-format", "json") as service:
        service.ready()
        world.until(lambda: any(ended_as(job) for job in world.jobs("bad")))
        eventually(lambda: len(kept(service)) == 1, lambda: "".join(service.lines[-20:]))
        service.terminate()

    with Running(kubeconfig, "--evidence", "--log-format", "json") as service:
        eventually(lambda: FAULT in service.ready().get().text)
        assert kept(service) == []
