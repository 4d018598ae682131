"""A watch that fails in every way it can: afterwards the inventory is what the API's own lists say."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator

import pytest

from cleaner.service.service import Shape
from tests.edge.servers import GITREPOS, JOBS, MERGE, must
from tests.edge.serving import Serving, eventually, serving
from tests.edge.test_service import ready, stock
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, CutBody, Fault, Proxy, Request, ResetBefore, Rewrite
from tests.world.wire import Silence, Wire

HASTY = Shape(interval=3600.0, quiet=2.0)
GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"}
GONE_EVENT = json.dumps({"type": "ERROR", "object": GONE}).encode() + b"\n"


class Once:
    """A rule that strikes the first so many watches of Jobs, and then no more."""

    def __init__(self, fault: Callable[[], Fault], times: int = 1) -> None:
        self._fault, self._left, self.struck = fault, times, 0

    def __call__(self, request: Request) -> Fault | None:
        if not request.watch or "/jobs" not in request.path or self._left <= 0:
            return None
        self._left -= 1
        self.struck += 1
        return self._fault()


def change_the_world(control_plane: ControlPlane, place: str) -> None:
    """Make, change and delete, so that whoever missed it knows something else."""
    repo = must(control_plane.request("GET", f"{GITREPOS.format(place)}/shop"))
    names = sorted(item["metadata"]["name"] for item in must(control_plane.request("GET", JOBS.format(place)))["items"])
    must(control_plane.request("DELETE", f"{JOBS.format(place)}/{names[0]}", {"propagationPolicy": "Background"}))
    annotated = {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}}
    must(control_plane.request("PATCH", f"{JOBS.format(place)}/{names[1]}", annotated, content_type=MERGE))
    made = seed.Made(repo, repo.get("status"))
    new = [seed.job(made, sha, "succeeded", finished=seed.ago(hours=1)) for sha in seed.commits(made, 3, salt="new")]
    seed.put(control_plane, new)
    must(
        control_plane.request("PATCH", f"{GITREPOS.format(place)}/shop", {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE)
    )


def spoil(change: Callable[[int, bytes], bytes]) -> Callable[[], Fault]:
    """A fault that passes each line of a stream, with its number, through a function."""

    def fault() -> Fault:
        numbers = itertools.count(1)
        return Rewrite(lambda line: change(next(numbers), line))

    return fault


def _unheard_of(number: int, line: bytes) -> bytes:
    return line if number > 1 else line.replace(b'"type":"', b'"type":"UN', 1)


FAULTS = [
    pytest.param(lambda: Answer(410, json.dumps(GONE).encode()), "expired", id="410-as-an-answer"),
    pytest.param(spoil(lambda n, line: GONE_EVENT if n == 1 else line), "expired", id="410-inside-the-stream"),
    pytest.param(spoil(lambda n, line: b"<html>not json</html>\n" if n == 1 else line), "failed", id="garbage"),
    pytest.param(lambda: CutBody(300), "broken", id="cut-in-mid-line"),
    pytest.param(ResetBefore, "broken", id="reset"),
    pytest.param(lambda: Answer(500, b"<html>"), "failed", id="500"),
    pytest.param(lambda: Answer(429, b"", {"Retry-After": "1"}), "failed", id="429"),
    pytest.param(lambda: Answer(403, json.dumps({**GONE, "code": 403}).encode()), "denied", id="403"),
    pytest.param(lambda: Answer(200, b"", {"Content-Type": "application/json"}), "closed", id="ends-at-once"),
    pytest.param(lambda: Answer(200, b'{"type":"ADDED","obj', {}), "broken", id="half-a-line"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_watch_that_fails(
    control_plane: ControlPlane, namespace: str, fault: Callable[[], Fault], reason: str, times: int
) -> None:
    stock(control_plane, namespace, "failed", "succeeded", "failed")
    rule = Once(fault, times)
    with (
        Proxy(control_plane, rule) as proxy,
        serving(control_plane.kubeconfig(server=proxy.url), namespace, shape=HASTY) as run,
    ):
        ready(run)
        change_the_world(control_plane, namespace)
        eventually(lambda: rule.struck == times, run.watch_ends)
        run.settled(control_plane.kubeconfig())

        assert reason in run.watch_ends("jobs")
        _still_hears(control_plane, namespace, run)


def _still_hears(control_plane: ControlPlane, namespace: str, run: Serving) -> None:
    """Whatever happened before, a change that comes now is heard without another sweep."""
    stock(control_plane, namespace, "failed", name="afterwards")
    run.settled(control_plane.kubeconfig())
    assert [swept.trigger for swept in run.swept() if swept.trigger != "watch"] == ["start"]


def test_an_event_of_an_unknown_type_costs_that_event_only(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed")
    rule = Once(spoil(_unheard_of))
    with (
        Proxy(control_plane, rule) as proxy,
        serving(control_plane.kubeconfig(server=proxy.url), namespace, shape=HASTY) as run,
    ):
        ready(run)
        eventually(lambda: rule.struck)
        stock(control_plane, namespace, "failed", name="lost-in-part")
        stock(control_plane, namespace, "failed", name="heard")
        eventually(lambda: "heard" in run.views())
        run.service.tick("interval")
        run.settled(control_plane.kubeconfig())


def test_an_object_that_cannot_be_read_costs_that_object_only(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed")
    rule = Once(spoil(lambda n, line: line.replace(b'"name":', b'"eman":') if n == 1 else line))
    with (
        Proxy(control_plane, rule) as proxy,
        serving(control_plane.kubeconfig(server=proxy.url), namespace, shape=HASTY) as run,
    ):
        ready(run)
        eventually(lambda: rule.struck)
        stock(control_plane, namespace, "failed", "failed", name="blog")
        eventually(lambda: any(type(each).__name__ == "Unreadable" for each in list(run.happened)))
        run.service.tick("interval")
        run.settled(control_plane.kubeconfig())


def test_a_watch_that_goes_silent_is_given_up(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed", "failed")
    with Wire(control_plane.port) as wire, serving(control_plane.kubeconfig(server=wire.url), namespace, shape=HASTY) as run:
        ready(run)
        wire.fault(Silence())
        change_the_world(control_plane, namespace)
        eventually(lambda: "silent" in run.watch_ends("jobs") and "silent" in run.watch_ends("gitrepos"))
        wire.fault(None)
        run.settled(control_plane.kubeconfig())
        _still_hears(control_plane, namespace, run)


@pytest.mark.parametrize("seconds", [0.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_an_api_that_goes_away_and_comes_back(namespace_of_its_own: tuple[ControlPlane, str], seconds: float) -> None:
    control_plane, namespace = namespace_of_its_own
    stock(control_plane, namespace, "failed", "failed")
    with serving(control_plane.kubeconfig(), namespace, shape=HASTY) as run:
        ready(run)
        control_plane.kill_apiserver()
        eventually(lambda: {"broken"} <= set(run.watch_ends("jobs")) and run.service.snapshot().refused, run.watch_ends)
        threading.Event().wait(seconds)
        assert run.service.vitals().ailing == ()
        control_plane.start_apiserver()
        change_the_world(control_plane, namespace)
        run.settled(control_plane.kubeconfig(), seconds=180.0)  # the longest breath is a minute
        _still_hears_again(control_plane, namespace, run)
        assert run.service.snapshot().refused == ()


def _still_hears_again(control_plane: ControlPlane, namespace: str, run: Serving) -> None:
    stock(control_plane, namespace, "failed", name="afterwards")
    run.settled(control_plane.kubeconfig())


@pytest.fixture
def namespace_of_its_own() -> Iterator[tuple[ControlPlane, str]]:
    """A control plane that this test may kill."""
    with ControlPlane() as started:
        started.with_crd()
        yield started, seed.namespace(started)


def test_watches_that_end_at_once_are_not_begun_in_a_loop(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed")
    begun: list[float] = []

    def rule(request: Request) -> Fault | None:
        if request.watch:
            begun.append(0.0)
            return Answer(200, b"")
        return None

    with (
        Proxy(control_plane, rule) as proxy,
        serving(control_plane.kubeconfig(server=proxy.url), namespace, shape=HASTY) as run,
    ):
        ready(run)
        threading.Event().wait(8.0)
        # Two readers, each with breaths of 0.5, 1, 2 and 4 seconds: some 5 times each; a loop would make thousands.
        assert 4 <= len(begun) <= 24
        assert run.service.vitals().ailing == ()
