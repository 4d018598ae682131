"""What we change of what is not ours: adopting, forcing, nudging and guarding, on both servers and under faults."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cleaner.cluster import ClusterError, Conflict, Denied, Unreachable
from cleaner.kube import KubeCluster
from cleaner.model import GUARD, GitRepoState, Job, Owner
from tests.edge.faults import FORBIDDEN, hurried, refusal
from tests.edge.passes import cluster
from tests.edge.servers import GITREPOS, JOBS, Server, must, patch
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Before, Fault, HalfBody, LoseAnswer, Proxy, Request, ResetBefore, Rule

HEAD = seed.sha("head")
LABELS = (seed.GENERATION, seed.FORCE_SYNC)
NUDGE = "gitjob-cleaner/nudged"

Object = dict[str, Any]


class Scene:
    """A GitRepo `shop` with a failed legacy Job, and the port to what serves them."""

    def __init__(self, server: Server, place: str, port: KubeCluster, **spec: Any) -> None:
        self.server, self.place, self.port = server, place, port
        repo = seed.gitrepo(place, "shop", failed=True, spec=spec)
        job = seed.job(repo, HEAD, "failed", finished=seed.ago(hours=1), legacy=True)
        self.name = seed.put(server, [repo, job])[1]["metadata"]["name"]

    @property
    def state(self) -> GitRepoState:
        found = self.port.state(self.place, "shop")
        assert found
        return found

    @property
    def job(self) -> Job:
        [job] = [job for page in self.port.jobs(self.place) for job in page.facts]
        return job

    def gitrepo(self) -> Object:
        found: Object = must(self.server.request("GET", f"{GITREPOS.format(self.place)}/shop"))
        return found

    def labels(self) -> tuple[str | None, ...]:
        found = must(self.server.request("GET", f"{JOBS.format(self.place)}/{self.name}"))["metadata"].get("labels") or {}
        return tuple(found.get(name) for name in LABELS)

    def force_number(self) -> int:
        return int(self.gitrepo()["spec"].get("forceSyncGeneration", 0))

    def change(self, change: Object) -> None:
        patch(self.server, f"{GITREPOS.format(self.place)}/shop", change)

    def owner(self) -> Owner:
        gitrepo = self.state.gitrepo
        return Owner(gitrepo.namespace, gitrepo.name, gitrepo.uid)


@pytest.fixture
def scene(server: Server, place: str) -> Scene:
    """On the real API server, and on the sandbox."""
    return Scene(server, place, cluster(server.kubeconfig(), hurried()))


@pytest.fixture
def dry(server: Server, place: str) -> Scene:
    """The same for one who only tries."""
    return Scene(server, place, cluster(server.kubeconfig(), hurried(), dry_run=True))


def test_a_legacy_job_gets_the_labels_that_fleet_would_have_written(scene: Scene) -> None:
    job = scene.job
    before = scene.labels()

    assert scene.port.adopt(job, 4)

    generation = must(scene.server.request("GET", f"{JOBS.format(scene.place)}/{scene.name}"))["metadata"]["annotations"]
    assert before == (None, None)
    assert scene.labels() == (generation["generation"], "4")
    assert (scene.job.uid, scene.job.legacy, scene.job.outcome) == (job.uid, False, job.outcome)
    assert not scene.port.adopt(scene.job, 9)
    assert scene.labels()[1] == "4"


@pytest.mark.parametrize("generation", ["9" * 64, "-1", "", "two", "\u0662"])
def test_no_annotation_keeps_a_job_from_being_adopted(scene: Scene, generation: str) -> None:
    """Whatever somebody has written there must not make a label that the API refuses."""
    annotated = {"metadata": {"annotations": {"generation": generation}}}
    patch(scene.server, f"{JOBS.format(scene.place)}/{scene.name}", annotated)

    assert scene.port.adopt(scene.job, 0)
    assert scene.labels() == ("0", "0")


def test_a_job_of_the_same_name_is_not_adopted_in_its_place(scene: Scene) -> None:
    job = scene.job
    gone = {"propagationPolicy": "Background"}
    must(scene.server.request("DELETE", f"{JOBS.format(scene.place)}/{scene.name}", gone), 200)
    with pytest.raises(Conflict):
        scene.port.adopt(job, 0)
    owner = scene.gitrepo()
    seed.put(scene.server, [seed.job(owner, HEAD, "running", legacy=True)])

    with pytest.raises(Conflict):
        scene.port.adopt(job, 0)

    assert scene.labels() == (None, None)


def test_a_force_update_is_raised_by_one_and_changes_nothing_else(scene: Scene) -> None:
    before = scene.gitrepo()

    numbers = [scene.port.force(scene.state), scene.port.force(scene.state)]

    after = scene.gitrepo()
    assert numbers == [1, 2]
    assert after["spec"] == before["spec"] | {"forceSyncGeneration": 2}
    assert after["status"] == before["status"]
    assert (scene.state.force, scene.state.forced, scene.state.force_pending) == (2, 0, True)


def test_a_force_update_is_higher_than_any_that_fleet_has_acted_on(scene: Scene) -> None:
    status = scene.gitrepo()
    status["status"]["updateGeneration"] = 7
    must(scene.server.request("PUT", f"{GITREPOS.format(scene.place)}/shop/status", status))

    assert scene.port.force(scene.state) == 8


def test_who_comes_second_finds_the_force_update_of_the_first(scene: Scene) -> None:
    seen = scene.state

    assert [scene.port.force(seen), scene.port.force(seen)] == [1, 1]
    assert scene.force_number() == 1


def test_a_gitrepo_made_anew_is_not_forced_in_its_place(scene: Scene) -> None:
    seen = scene.state
    must(scene.server.request("DELETE", f"{GITREPOS.format(scene.place)}/shop"), 200)
    for change in (scene.port.force, scene.port.nudge):
        with pytest.raises(Conflict):
            change(seen)
    seed.put(scene.server, [seed.gitrepo(scene.place, "shop")])

    for change in (scene.port.force, scene.port.nudge):
        with pytest.raises(Conflict):
            change(seen)

    assert (scene.force_number(), scene.state.gitrepo.annotations) == (0, ())


def test_each_nudge_is_a_change(scene: Scene) -> None:
    seen = []
    for _ in range(2):
        scene.port.nudge(scene.state)
        seen.append(scene.gitrepo()["metadata"])

    assert seen[0]["annotations"][NUDGE] != seen[1]["annotations"][NUDGE]
    assert seen[0]["generation"] == seen[1]["generation"]
    assert scene.state.gitrepo.annotations == ()


def test_the_guard_comes_and_goes_beside_other_finalizers(scene: Scene) -> None:
    for others in ([], ["example.com/one", "example.com/two"]):
        scene.change({"metadata": {"finalizers": others}})
        assert scene.port.guard(scene.owner(), held=True)
        assert not scene.port.guard(scene.owner(), held=True)
        assert scene.gitrepo()["metadata"]["finalizers"] == [*others, GUARD]
        assert scene.state.gitrepo.guarded
        assert scene.port.guard(scene.owner(), held=False)
        assert not scene.port.guard(scene.owner(), held=False)
        assert scene.gitrepo()["metadata"].get("finalizers", []) == others
        assert not scene.state.gitrepo.guarded


def test_the_guard_of_a_gitrepo_that_leaves_comes_off_and_never_on(scene: Scene) -> None:
    owner = scene.owner()
    assert scene.port.guard(owner, held=True)
    must(scene.server.request("DELETE", f"{GITREPOS.format(scene.place)}/shop"), 200)

    assert not scene.port.guard(owner, held=True)
    assert scene.port.guard(owner, held=False)
    assert scene.port.state(scene.place, "shop") is None
    assert not scene.port.guard(owner, held=False)
    assert not scene.port.guard(owner, held=True)


def test_a_dry_run_asks_the_api_and_changes_nothing(dry: Scene) -> None:
    before = dry.gitrepo()

    assert dry.port.adopt(dry.job, 0)
    assert dry.port.force(dry.state) == 1
    dry.port.nudge(dry.state)
    assert dry.port.guard(dry.owner(), held=True)

    assert dry.labels() == (None, None)
    assert dry.gitrepo() == before


# --- Faults

Act = Callable[[Scene], object]
ACTS: dict[str, tuple[Act, Callable[[Scene], object], object]] = {
    "adopt": (lambda scene: scene.port.adopt(scene.job, 3), lambda scene: scene.labels()[1], "3"),
    "force": (lambda scene: scene.port.force(scene.state), Scene.force_number, 1),
    "guard": (
        lambda scene: scene.port.guard(scene.owner(), held=True),
        lambda scene: scene.gitrepo()["metadata"].get("finalizers"),
        [GUARD],
    ),
    "nudge": (
        lambda scene: scene.port.nudge(scene.state),
        lambda scene: len(scene.gitrepo()["metadata"].get("annotations") or {}),
        1,
    ),
}

Start = Callable[[Rule], tuple[Scene, Proxy]]


@pytest.fixture
def through(control_plane: ControlPlane, namespace: str) -> Iterator[Start]:
    """Starts a scene behind a proxy with a rule."""
    with ExitStack() as stack:

        def start(rule: Rule) -> tuple[Scene, Proxy]:
            proxy = stack.enter_context(Proxy(control_plane, rule))
            port = cluster(control_plane.kubeconfig(server=proxy.url), hurried())
            return Scene(control_plane, namespace, port), proxy

        yield start


def on_patches(*faults: Fault) -> Rule:
    """The first PATCHes suffer these."""
    left = iter(faults)
    return lambda request: next(left, None) if request.method == "PATCH" else None


def patches(proxy: Proxy) -> list[int | None]:
    """What the server itself answered to each PATCH."""
    return [seen.server_status for seen in proxy.seen if seen.request.method == "PATCH"]


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LoseAnswer(), id="the answer is lost"),
        pytest.param(HalfBody(), id="half an answer"),
        pytest.param(ResetBefore(), id="reset before"),
        pytest.param(refusal(500, "InternalError"), id="500"),
        pytest.param(refusal(503, "ServiceUnavailable"), id="503"),
        pytest.param(refusal(429, "TooManyRequests"), id="429"),
        pytest.param(refusal(409, "Conflict"), id="409"),
    ],
)
def test_one_fault_and_the_change_is_made_exactly_once(through: Start, name: str, fault: Fault) -> None:
    act, look, expected = ACTS[name]
    scene, proxy = through(on_patches(fault))

    act(scene)

    assert look(scene) == expected
    assert patches(proxy).count(200) == 1


@pytest.mark.parametrize("name", ACTS)
def test_what_another_writes_in_between_stays(through: Start, name: str, control_plane: ControlPlane) -> None:
    """A change between our reading and our patch: the API refuses it (409, or 422 for a JSON patch), and we read again."""
    act, look, expected = ACTS[name]
    made: list[Scene] = []
    counted = itertools.count()

    def another() -> None:
        mark = {"metadata": {"labels": {"example.com/mark": str(next(counted))}}}
        made[0].change(mark)
        patch(control_plane, f"{JOBS.format(made[0].place)}/{made[0].name}", mark)

    scene, proxy = through(on_patches(Before(another), Before(another)))
    made.append(scene)

    act(scene)

    assert look(scene) == expected
    assert scene.gitrepo()["metadata"]["labels"]["example.com/mark"] == "1"
    assert [status for status in patches(proxy) if status in (409, 422)] == patches(proxy)[:2]
    assert len(patches(proxy)) == 3


def test_another_who_forces_in_between_has_done_our_work(through: Start) -> None:
    made: list[Scene] = []
    scene, proxy = through(on_patches(Before(lambda: made[0].change({"spec": {"forceSyncGeneration": 1}}))))
    made.append(scene)

    assert scene.port.force(scene.state) == 1
    assert scene.force_number() == 1
    assert patches(proxy) == [409]


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(FORBIDDEN, Denied, id="403"),
        pytest.param(refusal(400, "BadRequest"), ClusterError, id="400"),
    ],
)
def test_a_refusal_is_told_at_once(through: Start, name: str, fault: Fault, error: type[ClusterError]) -> None:
    scene, proxy = through(lambda request: fault if request.method == "PATCH" else None)

    with pytest.raises(error, match="by the test"):
        ACTS[name][0](scene)

    assert len(patches(proxy)) == 1


@pytest.mark.parametrize("name", ACTS)
def test_patience_has_an_end(through: Start, name: str) -> None:
    scene, proxy = through(lambda request: ResetBefore() if request.method == "PATCH" else None)

    with pytest.raises(Unreachable):
        ACTS[name][0](scene)

    assert len(patches(proxy)) == 5


def test_an_answer_that_is_no_object_is_told(through: Start) -> None:
    def rule(request: Request) -> Fault | None:
        return refusal(200, "Fine") if request.path.endswith("/jobs/" + names[0]) else None

    names = ["-"]
    scene, proxy = through(rule)
    job = scene.job
    names[0] = scene.name

    with pytest.raises(ClusterError, match="not what the API promises"):
        scene.port.adopt(job, 0)

    assert patches(proxy) == []
