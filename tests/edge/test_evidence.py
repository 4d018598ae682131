"""Evidence: taken when a Job fails, bounded, without credentials, and never in the way of anything."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.announce import Evidence, Recall
from cleaner.announce.evidence import BYTES, LINES, WAITING
from cleaner.cluster import Clock, Refusal
from cleaner.demo.sandbox import Sandbox
from cleaner.happened import AnnouncementsDropped, ErrorKept, ErrorsRecalled, Finished, Happened, Swept
from cleaner.kube import KubeCluster
from cleaner.model import Job, Outcome, Owner, identity
from tests.edge.failing import LAST_WORDS, WHY, failed_jobs, kept, put_pod
from tests.edge.faults import FORBIDDEN
from tests.edge.passes import cluster
from tests.edge.servers import SandboxServer
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Fault, Proxy, Request


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    """It has logs, which the control plane without a kubelet has not."""
    with Sandbox(collect_garbage=False) as started:
        server = SandboxServer(started, tmp_path)
        yield server
        server.close()


class Bench:
    """Evidence over a cluster, stepped by hand."""

    def __init__(self, port: KubeCluster, *, leads: bool = True) -> None:
        self.told: list[Happened] = []
        self.leads = leads
        clock = Clock(time.time, time.monotonic, time.sleep)
        self.evidence = Evidence(port, clock, self.told.append, self.led)

    def led(self) -> Refusal | None:
        """Whether another leads."""
        return None if self.leads else Refusal("leader", "another leads")

    def fail(self, *jobs: dict[str, Any]) -> None:
        """Let Jobs fail, and take the evidence of all that wait."""
        for each in jobs:
            self.evidence(Finished(fact(each)))
        while self.evidence.take():
            pass

    @property
    def kept(self) -> list[ErrorKept]:
        """What was told as kept."""
        return [each for each in self.told if isinstance(each, ErrorKept)]

    @property
    def dropped(self) -> list[str]:
        """What was told as missed."""
        return [each.detail for each in self.told if isinstance(each, AnnouncementsDropped)]


def fact(job: dict[str, Any], outcome: Outcome = Outcome.FAILED) -> Job:
    """What is known of a Job that has ended."""
    meta = job["metadata"]
    owner = meta["ownerReferences"][0]
    named = identity(meta["name"], meta["uid"], meta["resourceVersion"], meta["annotations"]["commit"])
    return Job(Owner(meta["namespace"], owner["name"], owner["uid"]), named, 0.0, outcome, 1.0)


def one_job(server: SandboxServer, message: str) -> tuple[str, dict[str, Any]]:
    """A failed Job in a Namespace of its own, whose log is these words."""
    place = seed.namespace(server)
    (job,) = failed_jobs(server, place, ["shop"], pods=False)
    put_pod(server, job, message)
    return place, job


def test_error_and_log_are_told_and_the_error_kept(sandbox: SandboxServer) -> None:
    place, job = one_job(sandbox, f"cloning\nreading\n{LAST_WORDS}")
    bench = Bench(cluster(sandbox.kubeconfig()))

    bench.fail(job)

    (error,) = bench.kept
    assert (error.text, error.problem, error.lines[:2]) == (WHY, "", ("cloning", "reading"))
    assert kept(sandbox, place)["shop"].endswith(f": {WHY}")
    assert bench.dropped == []


def test_the_log_is_bounded_and_its_lines_are_whole(sandbox: SandboxServer) -> None:
    lines = [f"line {n} " + "é" * 100 for n in range(60)]
    _, job = one_job(sandbox, "\n".join(lines))
    bench = Bench(cluster(sandbox.kubeconfig()))

    bench.fail(job)

    (error,) = bench.kept
    assert 5 < len(error.lines) <= LINES
    assert len("\n".join(error.lines).encode()) <= BYTES
    assert list(error.lines) == lines[-len(error.lines) :]


def test_no_credential_is_told(sandbox: SandboxServer) -> None:
    words = [
        "fatal: https://user:hunter2@git.example/x",
        "GET https://git.example/x?token=hunter2",
        "Authorization: Bearer hunter2",
        "hunter2",
        "hunter2",
        "-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----",
        "hunter2",
        "-----END RSA PRIVATE KEY-----",
        "password: hunter2",
        "the end",
    ]
    place, job = one_job(sandbox, "\n".join(words))
    bench = Bench(cluster(sandbox.kubeconfig()))

    bench.fail(job)

    (error,) = bench.kept
    assert error.lines[-1] == "the end"
    assert "hunter2" not in str(error.lines)
    assert "hunter2" not in str(error.text)
    assert "hunter2" not in str(kept(sandbox, place))


def test_a_cloner_that_failed_has_its_log_read(sandbox: SandboxServer) -> None:
    place, job = one_job(sandbox, "")
    (pod,) = sandbox.request("GET", f"/api/v1/namespaces/{place}/pods")[1]["items"]
    cloner = pod["status"]["initContainerStatuses"][0]["state"]["terminated"]
    cloner |= {"exitCode": 1, "message": "fatal: repository not found"}
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "PodInitializing"}}
    sandbox.request("PUT", f"/api/v1/namespaces/{place}/pods/{pod['metadata']['name']}/status", pod)
    bench = Bench(cluster(sandbox.kubeconfig()))

    bench.fail(job)

    (error,) = bench.kept
    assert (error.text, error.lines) == ("fatal: repository not found", ("fatal: repository not found",))


def test_without_a_log_the_error_is_kept_all_the_same(control_plane: ControlPlane, namespace: str) -> None:
    """No kubelet answers there."""
    jobs = failed_jobs(control_plane, namespace, ["shop"])
    bench = Bench(cluster(control_plane.kubeconfig()))

    bench.fail(*jobs)

    assert [(error.text, error.lines) for error in bench.kept] == [(WHY, ())]
    assert kept(control_plane, namespace)["shop"].endswith(WHY)


def test_a_standby_takes_none(sandbox: SandboxServer) -> None:
    place, job = one_job(sandbox, LAST_WORDS)
    bench = Bench(cluster(sandbox.kubeconfig()), leads=False)
    bench.fail(job)
    bench.leads = True
    bench.evidence(Finished(fact(job)))
    bench.leads = False
    while bench.evidence.take():
        pass

    assert (bench.told, kept(sandbox, place)) == ([], {})


def test_what_has_succeeded_is_no_evidence(sandbox: SandboxServer) -> None:
    _, job = one_job(sandbox, LAST_WORDS)
    bench = Bench(cluster(sandbox.kubeconfig()))
    bench.evidence(Finished(fact(job, Outcome.SUCCEEDED)))

    assert (bench.evidence.take(), bench.told) == (False, [])


REFUSED = [
    pytest.param(lambda r: r.method == "GET" and r.path.endswith("/pods"), 0, "read pods", id="pods"),
    pytest.param(lambda r: r.path.endswith("/log"), 3, "read logs", id="logs"),
    pytest.param(lambda r: r.method == "POST" and r.path.endswith("/events"), 3, "create events", id="events"),
]


@pytest.mark.parametrize(("hit", "told", "what"), REFUSED)
def test_a_right_that_is_missing_is_told_once(
    control_plane: ControlPlane, namespace: str, hit: Any, told: int, what: str
) -> None:
    jobs = failed_jobs(control_plane, namespace, ["one", "two", "three"])

    def rule(request: Request) -> Fault | None:
        return FORBIDDEN if hit(request) else None

    with Proxy(control_plane, rule) as proxy:
        bench = Bench(cluster(control_plane.kubeconfig(server=proxy.url)))
        bench.fail(*jobs)

    assert len(bench.kept) == told
    assert len(bench.dropped) == 1
    assert f"may not {what} in {namespace}" in bench.dropped[0]
    if what == "create events":
        assert all("Forbidden" in error.problem for error in bench.kept)


def test_too_many_at_once_are_dropped_and_told(sandbox: SandboxServer) -> None:
    _, job = one_job(sandbox, LAST_WORDS)
    bench = Bench(cluster(sandbox.kubeconfig()))
    for _ in range(WAITING + 7):
        bench.evidence(Finished(fact(job)))

    assert bench.evidence.take()
    (dropped,) = [each for each in bench.told if isinstance(each, AnnouncementsDropped)]
    assert dropped == AnnouncementsDropped(7, f"more than {WAITING} failed Jobs were waiting")


def test_the_thread_takes_what_comes_and_what_is_left_at_the_end(sandbox: SandboxServer) -> None:
    place = seed.namespace(sandbox)
    jobs = failed_jobs(sandbox, place, ["one", "two"])
    bench = Bench(cluster(sandbox.kubeconfig()))
    thread = threading.Thread(target=bench.evidence.run)
    thread.start()
    for job in jobs:
        bench.evidence(Finished(fact(job)))
    bench.evidence.stop()
    thread.join(20)

    assert not thread.is_alive()
    assert {error.job.owner.name for error in bench.kept} == {"one", "two"} == set(kept(sandbox, place))


def test_what_is_kept_is_read_back_after_a_sweep_of_everything(sandbox: SandboxServer) -> None:
    _, job = one_job(sandbox, LAST_WORDS)
    port = cluster(sandbox.kubeconfig())
    Bench(port).fail(job)
    told, came = list[Happened](), threading.Event()

    def tell(event: Happened) -> None:
        told.append(event)
        came.set()

    recall = Recall(port, (), tell)
    thread = threading.Thread(target=recall.run)
    thread.start()
    recall(swept("watch"))
    recall(swept("interval"))
    assert came.wait(20)
    recall.stop()
    thread.join(20)

    (recalled,) = told
    assert isinstance(recalled, ErrorsRecalled)
    assert [(error.gitrepo.name, error.text) for error in recalled.errors] == [("shop", WHY)]


def test_events_that_may_not_be_read_are_told_and_the_others_recalled(control_plane: ControlPlane, namespace: str) -> None:
    jobs = failed_jobs(control_plane, namespace, ["shop"])
    Bench(cluster(control_plane.kubeconfig())).fail(*jobs)

    with Proxy(control_plane, lambda request: FORBIDDEN if "/other/" in request.path else None) as proxy:
        recall = Recall(cluster(control_plane.kubeconfig(server=proxy.url)), ("other", namespace), lambda _: None)
        recalled = recall.read()

    assert "Forbidden" in recalled.problem
    assert [error.text for error in recalled.errors] == [WHY]


def swept(trigger: str) -> Swept:
    """The end of a pass."""
    return Swept("1", trigger, "done", 0.0, 1.0, 1, 1)
