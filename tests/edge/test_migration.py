"""A whole migration in this process: what it may not call done, and what it may not do twice."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cleaner.cluster import Clock, Refusal
from cleaner.demo.sandbox import Sandbox
from cleaner.happened import Attempted, Happened, Waited
from cleaner.migration import Migration, Terms
from cleaner.result import Result, exit_code
from cleaner.scope import Scope
from cleaner.sweep import Order
from tests.edge.faults import Ahead
from tests.edge.passes import FLEET, cluster, never
from tests.edge.servers import JOBS, SandboxServer, must, patch
from tests.world import seed

HEAD = seed.sha("head")
Json = dict[str, Any]


class Upgraded:
    """A cluster with what Fleet <= 0.10.3 has left, in which the test itself plays Fleet, whenever something happens."""

    def __init__(self, server: SandboxServer) -> None:
        self.server, self.place, self.home = server, seed.namespace(server), seed.namespace(server)
        self.happened: list[Happened] = []
        self.play: Callable[[Happened], object] = lambda _: None

    def gitrepo(self, name: str = "shop", **parts: Any) -> Json:
        [made] = seed.put(self.server, [seed.gitrepo(self.place, name, **parts)])
        return made

    def job(self, gitrepo: Json, commit: str, outcome: seed.Outcome = "succeeded", **parts: Any) -> Json:
        given: Json = {"finished": seed.ago(hours=1), "legacy": True} | parts
        [made] = seed.put(self.server, [seed.job(gitrepo, commit, outcome, **given)])
        return made

    def there(self, job: Json) -> bool:
        return self.server.request("GET", self.path(job))[0] == 200

    def path(self, job: Json) -> str:
        return f"{JOBS.format(self.place)}/{job['metadata']['name']}"

    def noted(self) -> list[Json]:
        found = must(self.server.request("GET", f"/api/v1/namespaces/{self.home}/configmaps"))["items"]
        return [each["data"] for each in found]

    def migrate(self, order: Order | None = None, *, version: str = FLEET, timer: Clock | None = None) -> Result:
        clock = timer or Ahead().clock()
        order = order or Order(Scope((self.place,)))
        port = cluster(self.server.kubeconfig(), clock, own_namespace=self.home, fleet_version=version)
        terms = Terms("gitjob-cleaner-migration", 60.0, never, lambda _doomed, _blocked: True)
        return Migration(port, order, terms, clock, self._hear, never).run()

    def _hear(self, happened: Happened) -> None:
        self.happened.append(happened)
        self.play(happened)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Upgraded]:
    with Sandbox(collect_garbage=False) as sandbox:
        server = SandboxServer(sandbox, tmp_path)
        yield Upgraded(server)
        server.close()


def test_a_current_job_that_came_back_is_not_deleted_by_the_second_pass(world: Upgraded) -> None:
    """Whatever makes it anew runs once more each time: it is let alone for a day."""
    shop = world.gitrepo()
    world.job(shop, HEAD, legacy=False)
    running = world.job(world.gitrepo("slow", commit=seed.sha("slow")), seed.sha("slow"), "running")
    returned: list[Json] = []

    def play(happened: Happened) -> None:
        if isinstance(happened, Attempted):
            returned.append(world.job(shop, HEAD, legacy=False))
        elif isinstance(happened, Waited) and world.there(running):
            must(world.server.request("DELETE", world.path(running), {"propagationPolicy": "Background"}))

    world.play = play
    result = world.migrate()

    assert len(returned) == 1
    assert world.there(returned[0])
    assert (exit_code(result), world.noted()) == (5, [])
