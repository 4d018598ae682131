"""A retry in this process, while the world changes under its hands."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.cli.ticking import ticking_until
from cleaner.cluster import Clock, Refusal
from cleaner.demo.sandbox import Sandbox
from cleaner.model import Fleet
from cleaner.retry import Came, Means, Refused, Retries, Retry, Wish, exit_code
from cleaner.retry.attempts import Attempt
from cleaner.scope import Scope
from tests.edge.faults import FORBIDDEN
from tests.edge.passes import clock, cluster
from tests.edge.servers import GITREPOS, JOBS, SandboxServer, Server, must, patch
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Fault, Proxy, Request

HEAD = seed.sha("head")
NUDGE = "gitjob-cleaner/nudged"
Json = dict[str, Any]


class Shop:
    """A GitRepo that has failed; `play` is called with every line that is said, and with every sleep."""

    def __init__(self, server: Server) -> None:
        self.server, self.place, self.kubeconfig = server, seed.namespace(server), server.kubeconfig()
        self.stopped: Refusal | None = None
        self.play: Callable[[str], object] = lambda _: None
        self.slept: list[float] = []

    def begin(self, *, legacy: bool = False, **spec: Any) -> None:
        self.repo = seed.gitrepo(self.place, "shop", failed=True, spec=spec)
        failed = seed.job(self.repo, HEAD, "failed", finished=seed.ago(hours=1), legacy=legacy)
        self.job = seed.put(self.server, [self.repo, failed])[1]

    def gitrepo(self) -> Json:
        found: Json = must(self.server.request("GET", f"{GITREPOS.format(self.place)}/shop"))
        return found

    def change(self, change: Json) -> None:
        patch(self.server, f"{GITREPOS.format(self.place)}/shop", change)

    def is_labelled(self) -> bool:
        job = must(self.server.request("GET", f"{JOBS.format(self.place)}/{self.job['metadata']['name']}"))
        return seed.GENERATION in (job["metadata"].get("labels") or {})

    def replace_job(self, outcome: seed.Outcome, number: int) -> Json:
        """Fleet deletes the Job and makes it anew."""
        path = f"{JOBS.format(self.place)}/{self.job['metadata']['name']}"
        must(self.server.request("DELETE", path, {"propagationPolicy": "Background"}))
        labels = {seed.FORCE_SYNC: str(number), seed.GENERATION: "2"}
        [made] = seed.put(self.server, [seed.job(self.gitrepo(), HEAD, outcome, metadata={"labels": labels})])
        return made

    def retry(self, wish: Wish | None = None) -> Retry:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.play("sleep")

        timer = Clock(clock().now, clock().monotonic, sleep)
        means = Means(self.port, timer, lambda: self.stopped, ticking_until(lambda: self.stopped), 20.0, self._say)
        return Retry(means, wish or Wish(), Fleet("0.16.1", recreates=False))

    def one(self, wish: Wish | None = None, may: Callable[[str], bool] = lambda _: True) -> Retries:
        found = self.port.state(self.place, "shop")
        assert found
        return self.retry(wish).one(found.gitrepo, may)

    @property
    def port(self) -> Any:
        return cluster(self.kubeconfig)

    def _say(self, line: str) -> None:
        self.play(line)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Sandbox(collect_garbage=False) as sandbox:
        server = SandboxServer(sandbox, tmp_path)
        yield Shop(server)
        server.close()


def only(retries: Retries) -> Attempt:
    [attempt] = retries.attempts
    return attempt


def test_fleet_hears_of_the_labels_before_it_is_woken(shop: Shop) -> None:
    """It hears of Jobs and GitRepos by two watches: woken too soon, it ignores the Force Update for good."""
    shop.begin(legacy=True)
    seen: list[tuple[bool, Any]] = []

    def play(line: str) -> None:
        if line == "sleep":
            seen.append((shop.is_labelled(), shop.gitrepo()["spec"].get("forceSyncGeneration")))

    shop.play = play
    shop.one()

    assert seen == [(True, None)]
    assert shop.slept[0] >= 1
    assert shop.gitrepo()["spec"]["forceSyncGeneration"] == 1


def test_a_force_update_that_fleet_has_ignored_meanwhile_is_seen_to(shop: Shop) -> None:
    shop.begin(legacy=True)

    def play(line: str) -> None:
        if "failed:" in line:
            shop.change({"spec": {"forceSyncGeneration": 1}})

    shop.play = play
    begun = only(shop.one()).begun

    assert begun
    assert begun.number == 1
    assert shop.gitrepo()["spec"]["forceSyncGeneration"] == 1
    assert NUDGE in shop.gitrepo()["metadata"]["annotations"]


def test_what_has_healed_while_somebody_thought_it_over_is_left_alone(shop: Shop) -> None:
    shop.begin(disablePolling=True)

    def may(_question: str) -> bool:
        shop.replace_job("succeeded", 0)
        return True

    with pytest.raises(Refused, match="nothing has failed"):
        shop.one(may=may)
    assert "forceSyncGeneration" not in shop.gitrepo()["spec"]


def test_a_run_that_fleet_had_begun_just_before_is_followed(shop: Shop) -> None:
    """A pending Force Update, which Fleet notices between our two lists: nothing else will come."""
    shop.begin(forceSyncGeneration=1)
    made: list[Json] = []

    def play(line: str) -> None:
        if "failed:" in line:
            made.append(shop.replace_job("running", 1))
        elif "is there" in line:
            shop.replace_job("failed", 1)

    shop.play = play
    attempt = only(shop.one(Wish(wait=True)))

    assert len(made) == 1
    assert attempt.came is Came.FAILED


def test_one_of_many_that_a_stop_has_left_is_told_by_the_exit_code(shop: Shop) -> None:
    shop.begin()

    def play(line: str) -> None:
        if "failed:" in line:
            shop.stopped = Refusal("stop", "SIGTERM")

    shop.play = play
    retries = shop.retry().all_failed(Scope((shop.place,)), lambda _: True)

    assert (only(retries).came, exit_code(retries)) == (Came.LEFT, 1)
    assert "forceSyncGeneration" not in shop.gitrepo()["spec"]


def test_a_job_that_cannot_be_read_is_not_taken_for_gone(control_plane: ControlPlane) -> None:
    """A legacy one would block the Force Update, which would be told as started and run on some later day."""
    shop = Shop(control_plane)
    shop.begin(legacy=True)

    def rule(request: Request) -> Fault | None:
        return FORBIDDEN if request.method == "GET" and "/jobs/" in request.path else None

    with Proxy(control_plane, rule) as proxy:
        shop.kubeconfig = control_plane.kubeconfig(server=proxy.url)
        retries = shop.retry().all_failed(Scope((shop.place,)), lambda _: True)

    assert (only(retries).came, exit_code(retries)) == (Came.NOT_STARTED, 1)
    assert "forceSyncGeneration" not in shop.gitrepo()["spec"]
