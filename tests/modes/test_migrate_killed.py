"""`migrate`, killed at every step in turn: started again, it comes to the same end, and nothing runs twice."""

import os
import re
import secrets
import signal
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cleaner.demo.caller import Caller
from cleaner.demo.family import V0_16_1
from cleaner.demo.stand_in import Stage
from tests.edge.serving import eventually
from tests.edge.stand_in_world import FAULT, GENERATION, told
from tests.modes.running import command, environment, run
from tests.modes.upgrading import Upgrading, tempers
from tests.world import seed
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.proxy import Fault, LoseAnswer, Proxy, Request, ResetBefore

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Step:
    """The `nth` request of this kind: the process is killed just before the server sees it, or just after that."""

    method: str
    path: str
    nth: int = 1
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.method} {self.path} {self.nth}"


KINDS = [
    ("POST", "/leases$", 1),
    ("GET", "/configmaps/.*-fleet-", 1),
    ("GET", "/jobs$", 1),
    ("POST", "/configmaps$", 1),
    ("PATCH", "/jobs/", 1),
    ("PATCH", "/jobs/", 2),
    ("PATCH", "/gitrepos/", 1),
    ("DELETE", "/jobs/", 1),
    ("DELETE", "/jobs/", 4),
    ("PUT", "/configmaps/", 1),
]
STEPS = [Step(method, path, nth, after) for method, path, nth in KINDS for after in (False, True)]


class Killing:
    """A rule of the proxy that kills a process when its request comes."""

    def __init__(self, step: Step) -> None:
        self.pid, self.done, self.after = 0, False, step.after
        self._step, self._seen = step, 0

    def __call__(self, request: Request) -> Fault | None:
        if self.done or request.method != self._step.method or not re.search(self._step.path, request.path):
            return None
        self._seen += 1
        if self._seen < self._step.nth or not self.pid:
            return None
        self.done = True
        if self._step.after:
            return LoseAnswer()
        os.kill(self.pid, signal.SIGKILL)
        return ResetBefore()


@pytest.fixture(scope="module")
def own() -> Iterator[ControlPlane]:
    """A control plane on which no other test has a Fleet."""
    with ControlPlane() as plane:
        yield plane.with_crd()


@pytest.fixture
def world(own: ControlPlane) -> Iterator[Upgrading]:
    tls = ssl.create_default_context(cafile=str(own.ca_file))
    namespace = f"upgraded-{secrets.token_hex(4)}"

    def call(url: str) -> Caller:
        return Caller(url, tls=tls, token=ADMIN)

    with Upgrading(own.url, Stage(tempers(1, 2, namespace), namespace, collects=True, call=call)) as made:
        made.deploy(3)
        yield made


def killed(arguments: list[str], kubeconfig: Path, killing: Killing) -> int:
    """Run it until it is killed; the code that it ended with."""
    process = subprocess.Popen(
        command(*arguments),
        env=environment(kubeconfig),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    killing.pid = process.pid
    if killing.after:
        eventually(lambda: killing.done)
        process.kill()
    return process.wait(120)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_end_is_the_same(own: ControlPlane, world: Upgrading, step: Step) -> None:
    place, home = world.gitrepo("bad-0")["metadata"]["namespace"], seed.namespace(own)
    flags = ["migrate", "--namespaces", place, "--own-namespace", home, "--settle", "1s", "--lease-duration", "3s"]
    world.fleet.upgrade(V0_16_1)
    world.force("bad-0")
    eventually(lambda: len(world.jobs("good-0")) == 2)
    made = set(world.made)
    killing = Killing(step)
    with Proxy(own, killing) as proxy:
        assert killed(flags, own.kubeconfig(server=proxy.url), killing) == -signal.SIGKILL
    ended = run(*flags, "--output", "json", kubeconfig=own.kubeconfig())
    report = ended.document["migration"]
    runs = eventually(lambda: [job for uid, job in world.made.items() if uid not in made])

    assert (ended.code, report["done"] or bool(report["done_before"])) == (0, True), ended
    forced = report["forced"] or report["done_before"]["forced"].split()
    assert forced == [f"{place}/bad-0"]
    assert [job["metadata"]["ownerReferences"][0]["name"] for job in runs] == ["bad-0"], "it ran once, and nothing else did"
    assert world.jobs("good-0") == []
    assert [len(world.jobs(name)) for name in ("bad-0", "bad-1")] == [1, 1]
    assert GENERATION in world.current("bad-1")["metadata"]["labels"]
    assert FAULT in told(world.gitrepo("bad-1"))[2]
