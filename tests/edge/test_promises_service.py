"""The service between its sweeps: nothing that is due is forgotten, nothing turns round, and no cap or count is wrong."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from cleaner.cluster import Brake, Clock, ClusterError, Kind, Refusal
from cleaner.fleet import Change
from cleaner.happened import Attempted, Braked, Happened, Judged, Swept
from cleaner.kube import KubeCluster
from cleaner.model import Owner
from cleaner.retention import Policy
from cleaner.scope import Scope
from cleaner.service.passes import Duty, Passes
from cleaner.service.readers import Changed, Failed, Listed, Source, Wiring
from cleaner.service.service import Shape, readers_for, unelected
from cleaner.service.worker import Inbox, Worker
from cleaner.sweep import Order
from tests.edge.faults import FORBIDDEN, Ahead, is_delete, refusal, stock
from tests.edge.passes import cluster, never, sweep
from tests.edge.servers import DEPLOYMENTS, GITREPOS, JOBS, must, patch, put_gitjob
from tests.edge.serving import eventually, serving
from tests.edge.test_service import AT_ONCE, living, ready
from tests.edge.test_service import stock as few
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Before, Fault, Proxy, Request

PAUSE = "gitjob-cleaner/pause"


class ByHand(NamedTuple):
    """A service without threads: the test brings the news and the time, and the API is the real one."""

    worker: Worker
    kube: KubeCluster
    place: str
    happened: list[Happened]
    ahead: Ahead

    @property
    def passes(self) -> Passes:
        """What judges and deletes."""
        return self.worker.passes

    def owner(self, name: str = "shop") -> Owner:
        """A GitRepo by its name."""
        return next(owner for owner in self.worker.store.inventory.groups if owner.name == name)

    def read(self) -> None:
        """Have everything read, as the readers would."""
        for reader in self.worker._readers:
            for source in reader.sources:
                reader._list(source, reader._requested)

    def start(self) -> None:
        """Read and sweep everything."""
        self.worker._want("start")
        self.read()
        self.turns(1)

    def turns(self, count: int = 4) -> None:
        """Let the worker go on; where it would wait, time passes."""
        for _ in range(count):
            self.worker._turn()

    def wait(self, seconds: float) -> None:
        """Let time pass and the worker see to what that brings."""
        self.ahead.push(seconds)
        self.turns()

    def fates(self) -> list[str]:
        """What became of each attempt so far."""
        return [each.deletion.fate.value for each in self.happened if isinstance(each, Attempted)]


class Shifted(NamedTuple):
    """A wall clock that goes with the monotonic one of `Ahead`, and may be off by some seconds."""

    ahead: Ahead
    off: list[float]

    def clock(self) -> Clock:
        return Clock(lambda: time.time() + self.off[0], self.ahead.clock().monotonic, self.ahead.push)


@contextlib.contextmanager
def by_hand(
    control_plane: ControlPlane,
    place: str,
    *,
    server: str = "",
    scope: Scope | None = None,
    policy: Policy = AT_ONCE,
    timer: Clock | None = None,
    ahead: Ahead | None = None,
    led: Brake = unelected,
    max_deletions: int = 0,
    **limits: Any,
) -> Iterator[ByHand]:
    """A worker to be led by the hand."""
    ahead = ahead or Ahead()
    timer = timer or ahead.clock()
    happened: list[Happened] = []
    kubeconfig = control_plane.kubeconfig(server=server) if server else control_plane.kubeconfig()
    kube = cluster(kubeconfig, timer, **limits)
    order = Order(scope or Scope((place,)), policy, dry_run=bool(limits.get("dry_run")), max_deletions=max_deletions)
    inbox: Inbox = queue.SimpleQueue()
    wiring = Wiring(kube, kube, timer, happened.append, inbox.put)
    readers = readers_for(order.scope, wiring, Shape())
    worker = Worker(Duty(kube, order, timer, happened.append, never, led), readers, inbox, 3600.0)
    # The inbox is filled before each turn: nothing has to be waited for.
    worker._wait = lambda: 0.0  # type: ignore[method-assign]
    try:
        yield ByHand(worker, kube, place, happened, ahead)
    finally:
        kube._connection.close()


def test_a_lease_that_ends_while_the_pause_is_read_stops_the_deletion_that_waited_for_it(
    control_plane: ControlPlane, namespace: str
) -> None:
    stock(control_plane, namespace, 2)
    home, ahead, lapsed = seed.namespace(control_plane), Ahead(), threading.Event()

    def rule(request: Request) -> Fault | None:
        if request.path.endswith("/gitrepos/shop"):
            return Before(lambda: ahead.push(2.5))  # so that the pause is read anew before the deletion
        if request.path == f"/api/v1/namespaces/{home}" and request.nth == 2:
            return Before(lapsed.set)
        return None

    def led() -> Refusal | None:
        return Refusal("leader", "another leads") if lapsed.is_set() else None

    with Proxy(control_plane, rule) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        sweep(kubeconfig, namespace, policy=AT_ONCE, brake=led, timer=ahead.clock(), own_namespace=home, delete_workers=1)

    assert lapsed.is_set()
    assert [seen for seen in proxy.seen if is_delete(seen.request)] == []


def test_the_cap_counts_what_passes_between_two_slices_delete(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 120, "shop")
    stock(control_plane, namespace, 60, "blog")
    with by_hand(control_plane, namespace, max_deletions=100) as hand:
        hand.worker._begun = True
        hand.read()
        hand.turns(1)
        store, passes = hand.worker.store, hand.passes
        blog = store.inventory.groups.pop(hand.owner("blog"))

        def between() -> None:
            store.inventory.groups[blog.owner] = blog
            passes.some({blog.owner: time.time()})

        passes.everything("interval", between)

        assert hand.fates().count("deleted") == 100
        assert [each.backlog for each in hand.happened if isinstance(each, Swept) and each.trigger == "interval"] == [56]


@pytest.mark.parametrize("dry_run", [True, False])
def test_many_jobs_of_one_gitrepo_that_cannot_go_are_not_tried_in_a_loop(
    control_plane: ControlPlane, namespace: str, dry_run: bool
) -> None:
    stock(control_plane, namespace, 80)
    invalid = refusal(422, "Invalid")
    with (
        Proxy(control_plane, lambda request: invalid if is_delete(request) else None) as proxy,
        serving(control_plane.kubeconfig(server=proxy.url), namespace, policy=AT_ONCE, dry_run=dry_run) as run,
    ):
        ready(run)
        patch(control_plane, f"{GITREPOS.format(namespace)}/shop", {"metadata": {"labels": {"at": "last"}}})
        threading.Event().wait(8.0)
        sent = [seen for seen in proxy.seen if is_delete(seen.request)]

    # 80 by the first sweep, 64 of the change, and 64 when it comes back after five seconds.
    assert 80 <= len(sent) <= 80 + 3 * 64


def test_a_namespace_that_refuses_deletions_is_asked_a_few_times_and_left_alone(
    control_plane: ControlPlane, namespace: str
) -> None:
    for name in ("shop", "blog", "docs"):
        stock(control_plane, namespace, 80, name)
    with (
        Proxy(control_plane, lambda request: FORBIDDEN if is_delete(request) else None) as proxy,
        by_hand(control_plane, namespace, server=proxy.url) as hand,
    ):
        hand.start()
        hand.passes.some(dict.fromkeys(hand.worker.store.inventory.groups, time.time()))
        hand.turns(20)

        assert 1 <= len([seen for seen in proxy.seen if is_delete(seen.request)]) <= 16, "what was under way, and no more"
        assert hand.fates() == ["denied"] * len(hand.fates())
        assert hand.passes.board.snapshot.backlog == 240
        assert hand.passes.board.snapshot.next_due is not None, "it comes back by itself"


@pytest.mark.parametrize("who", ["a pass of another GitRepo", "a look for returns"])
def test_a_hold_that_somebody_else_finds_ended_ends_for_all(control_plane: ControlPlane, namespace: str, who: str) -> None:
    stock(control_plane, namespace, 2, "shop")
    stock(control_plane, namespace, 2, "blog")
    home = seed.namespace(control_plane)
    annotate(control_plane, home, {PAUSE: "true"})
    with by_hand(control_plane, namespace, own_namespace=home) as hand:
        hand.start()
        assert hand.passes.held is not None
        hand.ahead.push(6.0)
        if who == "a look for returns":
            (job, *_) = hand.worker.store.inventory.groups[hand.owner()].jobs
            hand.passes._canary.deleted([job], hand.worker._clock.monotonic())
            hand.passes.look_for_returns(watching=True)
            assert hand.passes.held is not None, "nobody has asked the brake"
        annotate(control_plane, home, {PAUSE: None})
        hand.ahead.push(6.0)
        if who != "a look for returns":
            hand.passes.some({hand.owner("blog"): time.time()})
        hand.wait(6.0)

    assert living(control_plane, namespace) == set()


def annotate(control_plane: ControlPlane, name: str, annotations: dict[str, str | None]) -> None:
    patch(control_plane, f"/api/v1/namespaces/{name}", {"metadata": {"annotations": annotations}})


def test_a_clock_that_was_off_and_is_right_again_lets_go_without_another_request(
    control_plane: ControlPlane, namespace: str
) -> None:
    stock(control_plane, namespace, 2)
    shifted = Shifted(Ahead(), [-100.0])
    with by_hand(control_plane, namespace, timer=shifted.clock(), ahead=shifted.ahead) as hand:
        hand.start()
        assert hand.passes.held is not None
        assert hand.passes.held.brake == "clock"
        shifted.off[0] = 0.0
        time.sleep(1.1)  # an answer of the same second tells nothing new
        hand.wait(6.0)

    assert living(control_plane, namespace) == set()


def test_namespaces_that_cannot_be_read_do_not_hold_the_others_up(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 2)
    missing = [f"{namespace}-{n}" for n in range(20)]
    with serving(control_plane.kubeconfig(), ",".join([*missing, namespace]), policy=AT_ONCE):
        eventually(lambda: living(control_plane, namespace) == set(), seconds=30)
        # And one that comes to be is seen to before the next interval.
        seed.namespace(control_plane, missing[0])
        stock(control_plane, missing[0], 2)
        eventually(lambda: living(control_plane, missing[0]) == set(), seconds=60)


@pytest.mark.parametrize("code", [403, 410])
def test_a_watch_that_is_refused_for_ever_does_not_list_in_a_loop(control_plane: ControlPlane, namespace: str, code: int) -> None:
    stock(control_plane, namespace, 2)
    answer = refusal(code, {403: "Forbidden", 410: "Expired"}[code])
    with (
        Proxy(control_plane, lambda request: answer if request.watch else None) as proxy,
        serving(control_plane.kubeconfig(server=proxy.url), namespace) as run,
    ):
        ready(run)
        threading.Event().wait(13.0)
        lists = [seen for seen in proxy.seen if seen.request.path == JOBS.format(namespace) and not seen.request.watch]

    assert 2 <= len(lists) <= 6


def test_a_gitrepo_that_vanishes_during_a_sweep_costs_its_own_jobs_only(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 70, "shop")
    few(control_plane, namespace, "failed", "failed", name="zoo", hours=400)
    with by_hand(control_plane, namespace) as hand:
        hand.read()
        hand.worker._hear(0.0)
        zoo = hand.owner("zoo")
        names = {job.name for job in hand.worker.store.inventory.groups[zoo].jobs}
        # As a change of its labels does, or a list in which it is not any more.
        hand.passes.everything("start", lambda: (hand.worker.store.inventory.groups.pop(zoo, None), None)[1])

        assert living(control_plane, namespace) == names
        assert [each.outcome for each in hand.happened if isinstance(each, Swept)] == ["done"]


def hang(control_plane: ControlPlane, place: str, names: list[str], *, on: bool) -> None:
    """Give Jobs a finalizer, or take it away."""
    for name in names:
        finalizers = ["example.com/wait"] if on else None
        patch(control_plane, f"{JOBS.format(place)}/{name}", {"metadata": {"finalizers": finalizers}})


def test_jobs_on_their_way_out_are_looked_for_once_each_and_not_with_each_slice(
    control_plane: ControlPlane, namespace: str
) -> None:
    names = stock(control_plane, namespace, 200)
    hang(control_plane, namespace, names, on=True)
    with Proxy(control_plane, lambda _: None) as proxy, by_hand(control_plane, namespace, server=proxy.url) as hand:
        hand.start()
        looks = [s for s in proxy.seen if s.request.method == "GET" and "/jobs/" in s.request.path]

        assert hand.fates() == ["terminating"] * 200
        assert len(looks) == 200
    hang(control_plane, namespace, names, on=False)


def test_a_job_that_was_on_its_way_out_counts_as_deleted_once_it_is_seen_gone(
    control_plane: ControlPlane, namespace: str
) -> None:
    names = stock(control_plane, namespace, 1)
    hang(control_plane, namespace, names, on=True)
    with by_hand(control_plane, namespace) as hand:
        hand.start()
        hand.passes.some({hand.owner(): time.time()})  # by what is known it has not changed
        assert hand.fates() == ["terminating", "changed"]
        hang(control_plane, namespace, names, on=False)
        hand.read()
        hand.turns()

        assert hand.fates() == ["terminating", "changed", "deleted"]


def test_a_namespace_that_a_deletion_read_anew_concerns_its_other_gitrepos(control_plane: ControlPlane, namespace: str) -> None:
    """What its own watch tells of it later is what we know by then: nothing new."""
    shop, kept = (seed.gitrepo(namespace, name) for name in ("shop", "kept"))
    done = seed.job(shop, seed.commits(shop, 1)[0], "succeeded", finished=seed.ago(hours=200))
    failed = seed.job(kept, seed.commits(kept, 1)[0], "failed", finished=seed.ago(hours=200))
    seed.put(control_plane, [shop, kept, done, failed])
    annotate(control_plane, namespace, {"gitjob-cleaner/failed-age": "700h"})
    held: list[Refusal] = [Refusal("leader", "not yet")]
    with by_hand(control_plane, namespace, led=lambda: held[0] if held else None) as hand:
        hand.start()
        annotate(control_plane, namespace, {"gitjob-cleaner/failed-age": None})
        held.clear()
        hand.passes.some({hand.owner("shop"): time.time()})
        assert living(control_plane, namespace) == {failed.object["metadata"]["name"]}
        change = Change("9", hand.kube.namespace(namespace))
        hand.worker._take_in(Changed(Source(Kind.NAMESPACES, namespace), [change], time.time()))
        hand.wait(1.0)

    assert living(control_plane, namespace) == set()


def test_an_old_fleet_that_appears_between_two_sweeps_is_not_woken(control_plane: ControlPlane, namespace: str) -> None:
    """Fleet <= 0.10.3: deleting any Job of a GitRepo that has ceased to poll deploys its newest commit."""
    made = seed.gitrepo(namespace, "shop", lastPollingTriggered=seed.stamp(seed.ago(hours=1)))
    job = seed.job(made, seed.commits(made, 1)[0], "failed", finished=seed.ago(hours=300))
    seed.put(control_plane, [made, job])
    fleets = seed.namespace(control_plane)
    put_gitjob(control_plane, fleets, "rancher/fleet:v0.16.1")
    held: list[Refusal] = [Refusal("leader", "not yet")]
    limits: dict[str, Any] = {"fleet_version": "", "fleet_namespace": fleets}
    with by_hand(control_plane, namespace, led=lambda: held[0] if held else None, **limits) as hand:
        hand.start()
        assert not hand.passes.fleet.recreates
        assert hand.worker.passes.board.snapshot.backlog == 1
        must(control_plane.request("DELETE", f"{DEPLOYMENTS.format(fleets)}/gitjob"))
        put_gitjob(control_plane, fleets, "rancher/fleet:v0.10.2")
        held.clear()
        hand.ahead.push(60.0)
        hand.passes.some({hand.owner(): time.time()})

        assert hand.fates() == []
        assert [v.reason.value for v in hand.passes.board.snapshot.views[hand.owner()].plan.verdicts] == ["asleep"]


def test_a_source_that_comes_and_goes_does_not_renew_the_cap(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 5)
    with by_hand(control_plane, namespace, max_deletions=1) as hand:
        hand.start()
        assert hand.fates() == ["deleted"]
        source = Source(Kind.GITREPOS, namespace)
        for _ in range(3):
            hand.worker._inbox.put(Failed(source, 0, ClusterError("no")))
            hand.turns(1)
            facts = [gitrepo for page in hand.kube.gitrepos(namespace) for gitrepo in page.facts]
            hand.worker._inbox.put(Listed(source, 0, facts, [], 0))
            hand.turns(2)
        assert hand.fates() == ["deleted"]
        hand.worker._want("interval")
        hand.worker._answers.update(hand.worker._awaited)
        hand.turns(2)

        assert hand.fates() == ["deleted", "deleted"]


def test_many_gitrepos_at_once_are_judged_some_at_a_time(control_plane: ControlPlane, namespace: str) -> None:
    for n in range(3):
        stock(control_plane, namespace, 1, f"app-{n}")
    with by_hand(control_plane, namespace) as hand:
        hand.start()
        owners = [Owner(namespace, f"none-{n}", "") for n in range(200)]
        hand.passes.some(dict.fromkeys(owners, time.time()))
        left = len(hand.worker._agenda._due)
        judged = len([each for each in hand.happened if isinstance(each, Judged | Braked)])

        assert left == 200 - 64
        assert judged
        hand.turns(5)
        assert hand.worker._agenda.next_due() is None
