"""A whole migration in this process: what it may not call done, and what it may not do twice."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.cluster import Clock, Fate
from cleaner.demo.sandbox import Sandbox
from cleaner.happened import Adopted, Attempted, Happened, Judged, NotAdopted, Waited
from cleaner.migration import Migration, Terms
from cleaner.migration.marker import Marker
from cleaner.result import Migrated, Result, exit_code
from cleaner.retention.stuck import StuckKind
from cleaner.scope import Scope
from cleaner.sweep import Order
from tests.edge.faults import FORBIDDEN, Ahead
from tests.edge.passes import FLEET, cluster, never
from tests.edge.servers import DEPLOYMENTS, JOBS, SandboxServer, Server, must, patch, put_gitjob
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Fault, Proxy, Request

HEAD = seed.sha("head")
Json = dict[str, Any]


class Upgraded:
    """A cluster with what Fleet <= 0.10.3 has left, in which the test itself plays Fleet, whenever something happens."""

    def __init__(self, server: Server) -> None:
        self.server, self.kubeconfig = server, server.kubeconfig()
        self.place, self.home = seed.namespace(server), seed.namespace(server)
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

    def migrate(self, order: Order | None = None, *, version: str = FLEET, timer: Clock | None = None, scope: str = "") -> Result:
        clock = timer or Ahead().clock()
        order = order or Order(Scope((self.place,)))
        places: Any = {"own_namespace": self.home, "fleet_namespace": self.home}
        port = cluster(self.kubeconfig, clock, fleet_version=version, dry_run=order.dry_run, **places)
        terms = Terms("gitjob-cleaner-migration", 60.0, never, lambda _doomed, _blocked: True, scope=scope)
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


def test_a_job_that_changed_before_it_was_to_go_is_left_over(world: Upgraded) -> None:
    old = world.job(world.gitrepo(), seed.sha("old"))

    def play(happened: Happened) -> None:
        if isinstance(happened, Judged):
            patch(world.server, world.path(old), {"metadata": {"annotations": {"example.com/touched": "once"}}})

    world.play = play
    result = world.migrate()

    assert world.there(old)
    assert (exit_code(result), world.noted()) == (1, [])
    assert result.migrated
    assert "it changed before it was to go" in result.migrated.problems[0]


def test_a_fleet_that_is_rolled_back_while_old_jobs_go_leaves_current_ones_and_is_told(world: Upgraded) -> None:
    shop = world.gitrepo()
    old, current = world.job(shop, seed.sha("old")), world.job(shop, HEAD, legacy=False)
    put_gitjob(world.server, world.home, "rancher/fleet:v0.16.1")

    def play(happened: Happened) -> None:
        if isinstance(happened, Attempted):
            must(world.server.request("DELETE", f"{DEPLOYMENTS.format(world.home)}/gitjob"))

    world.play = play
    result = world.migrate(version="")

    assert (world.there(old), world.there(current)) == (False, True)
    assert (exit_code(result), world.noted()) == (1, [])


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_what_cannot_be_understood_is_left_over(world: Upgraded, outcome: seed.Outcome) -> None:
    """A bad annotation of a GitRepo: its failed Job goes on to block it, which is not to be called done."""
    shop = world.gitrepo(metadata={"annotations": {"gitjob-cleaner/failed-age": "soon"}})
    job = world.job(shop, HEAD, outcome)

    result = world.migrate()

    assert world.there(job)
    assert (exit_code(result), world.noted()) == (1, [])
    assert result.migrated
    assert result.migrated.problems[0].startswith(f"{world.place}/shop: 1 Jobs of Fleet <= 0.10.3 cannot be understood")


def test_what_was_done_for_one_scope_was_not_done_for_another(world: Upgraded) -> None:
    """`exclude_namespaces` is no part of the marker's name; nor is anything where the operator gives the name."""
    old = world.job(world.gitrepo(), seed.sha("old"))
    excluding = world.migrate(Order(Scope(exclude=(world.place,))), scope="all but one")
    before = world.there(old)
    whole = world.migrate(Order(), scope="all")

    assert (exit_code(excluding), before) == (0, True)
    assert whole.migrated
    assert (exit_code(whole), whole.migrated.done_before, world.there(old)) == (0, {}, False)
    assert [data["scope"] for data in world.noted()] == ["all"]


def test_the_marker_has_room_for_as_many_names_as_it_can_hold(world: Upgraded) -> None:
    marker = Marker(cluster(world.server.kubeconfig(), own_namespace=world.home), "m", "", dry_run=False)
    names = [f"{'n' * 60}/{number:060}" for number in range(9000)]

    marker.begin(Migrated(forced=names))

    [data] = world.noted()
    remembered = marker.forced(data)
    assert len(data["forced"]) < 500_000
    assert remembered == names[: len(remembered)]


def test_what_was_unblocked_is_not_told_as_blocked(world: Upgraded) -> None:
    world.job(world.gitrepo(failed=True), HEAD, "failed")

    result = world.migrate()

    assert result.migrated
    assert len(result.migrated.adopted) == 1
    assert StuckKind.BLOCKED_BY_LEGACY not in {found.kind for found in result.stuck}


def test_the_cap_is_for_both_passes_together(world: Upgraded) -> None:
    shop = world.gitrepo()
    old = [world.job(shop, commit) for commit in seed.commits(shop, 4)]
    running = world.job(world.gitrepo("slow", commit=seed.sha("slow")), seed.sha("slow"), "running")

    def play(happened: Happened) -> None:
        if isinstance(happened, Waited) and world.there(running):
            must(world.server.request("DELETE", world.path(running), {"propagationPolicy": "Background"}))

    world.play = play
    result = world.migrate(Order(Scope((world.place,)), max_deletions=1))

    assert sum(map(world.there, old)) == 3
    assert exit_code(result) == 1


def test_a_marker_that_cannot_be_written_is_told_beside_all_else(control_plane: ControlPlane) -> None:
    """Nothing runs of which nobody could note that we began it; what was deleted is in the report all the same."""
    world = Upgraded(control_plane)
    shop = world.gitrepo(failed=True, spec={"forceSyncGeneration": 1})
    old, failed = world.job(shop, seed.sha("old")), world.job(shop, HEAD, "failed")

    def rule(request: Request) -> Fault | None:
        return FORBIDDEN if request.method == "POST" and request.path.endswith("/configmaps") else None

    with Proxy(control_plane, rule) as proxy:
        world.kubeconfig = control_plane.kubeconfig(server=proxy.url)
        result = world.migrate()

    labels = must(control_plane.request("GET", world.path(failed)))["metadata"]["labels"]
    assert (world.there(old), seed.GENERATION in labels, exit_code(result)) == (False, False, 1)
    assert result.migrated
    assert result.migrated.problems[0].startswith("whom we unblock could not be noted")


def test_a_dry_run_tells_who_may_only_read_what_would_be_done(control_plane: ControlPlane) -> None:
    world = Upgraded(control_plane)
    shop = world.gitrepo(failed=True)
    world.job(shop, seed.sha("old"))
    world.job(shop, HEAD, "failed")

    with Proxy(control_plane, lambda request: None if request.method == "GET" else FORBIDDEN) as proxy:
        world.kubeconfig = control_plane.kubeconfig(server=proxy.url)
        result = world.migrate(Order(Scope((world.place,)), dry_run=True))

    assert result.migrated
    assert (exit_code(result), result.migrated.adopted) == (0, [f"{world.place}/shop"])
    assert result.fates() == {Fate.WOULD_DELETE: 1}
    assert [NotAdopted, Adopted] == [type(each) for each in world.happened if isinstance(each, NotAdopted | Adopted)]
