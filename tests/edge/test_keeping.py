"""Before a failed current Job goes, its error is kept in an Event; what cannot be kept keeps its Job."""

import json
import re
from typing import Any

import pytest

from cleaner.cluster import Refusal
from cleaner.happened import ErrorKept
from cleaner.model import Owner
from cleaner.result import exit_code
from cleaner.retention import Current, Policy, Rule
from cleaner.sweep import Canary
from tests.edge.failing import EVENTS, LAST_WORDS, WHY, failed_jobs, kept, put_pod
from tests.edge.faults import FORBIDDEN, Ahead, is_delete, refusal
from tests.edge.passes import Passed, clock, cluster, sweep
from tests.edge.servers import JOBS, Server, must, names_of
from tests.edge.serving import eventually, serving
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Before, Fault, LoseAnswer, Proxy, Request

ALL = Policy(failed=Rule(0, 60.0), current=Current.ALL)


def is_event(request: Request) -> bool:
    """Whether a request writes an Event."""
    return request.method == "POST" and request.path.endswith("/events")


def lists_pods(request: Request) -> bool:
    """Whether a request lists Pods."""
    return request.method == "GET" and request.path.endswith("/pods")


def told(passed: Passed) -> list[tuple[str, str]]:
    """The GitRepos whose errors were kept, and these."""
    return [(each.job.owner.name, each.text) for each in passed.happened if isinstance(each, ErrorKept)]


def test_the_error_is_kept_and_the_job_goes(server: Server, place: str) -> None:
    (job,) = failed_jobs(server, place, ["shop"])

    passed = sweep(server.kubeconfig(), place, policy=ALL)

    name, commit = job["metadata"]["name"], seed.sha("head")
    assert passed.of("deleted") == {name}
    assert kept(server, place) == {"shop": f"Job {name}, commit {commit}: {WHY}"}
    assert told(passed) == [("shop", WHY)]
    assert exit_code(passed.result) == 0


def test_it_can_be_read_back(server: Server, place: str) -> None:
    jobs = failed_jobs(server, place, ["shop", "cart"])
    sweep(server.kubeconfig(), place, policy=ALL)
    must(server.request("POST", EVENTS.format(place), forged(jobs[0])))
    port = cluster(server.kubeconfig())
    uid = jobs[0]["metadata"]["ownerReferences"][0]["uid"]

    (mine,) = port.kept_errors(place, uid)

    assert (mine.gitrepo, mine.job) == (Owner(place, "shop", uid), jobs[0]["metadata"]["name"])
    assert (mine.commit, mine.text) == (seed.sha("head"), WHY)
    assert abs(mine.at - clock().now()) < 60
    assert {error.gitrepo.name for error in port.kept_errors(place)} == {"shop", "cart"}
    assert {error.gitrepo.name for error in port.kept_errors("") if error.gitrepo.namespace == place} == {"shop", "cart"}
    assert port.kept_errors(place, "no-such-uid") == []


def forged(job: dict[str, Any]) -> dict[str, Any]:
    """An Event that looks like ours, by another component."""
    owner = job["metadata"]["ownerReferences"][0]
    involved = {"kind": "GitRepo", "namespace": job["metadata"]["namespace"], "name": owner["name"], "uid": owner["uid"]}
    made = {"metadata": {"generateName": "x"}, "reason": "JobErrorKept", "message": "no", "source": {"component": "other"}}
    return made | {"involvedObject": involved}


def test_the_event_comes_first_for_every_job(control_plane: ControlPlane, namespace: str) -> None:
    names = [f"shop-{n}" for n in range(6)]
    failed_jobs(control_plane, namespace, names)

    with Proxy(control_plane) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, policy=ALL)

    assert len(passed.of("deleted")) == 6
    done: dict[str, float] = {}
    for seen in proxy.seen:
        if is_event(seen.request):
            assert (seen.status, seen.ended is not None) == (201, True)
            done[json.loads(seen.request.body)["message"].split()[1].rstrip(",")] = seen.ended or 0.0
        if is_delete(seen.request):
            assert done[seen.request.path.rpartition("/")[2]] <= seen.began
    assert len(done) == 6


FAULTS = [
    pytest.param(FORBIDDEN, "403|Forbidden", id="403"),
    pytest.param(refusal(500, "InternalError"), "InternalError", id="500"),
    pytest.param(refusal(404, "NotFound"), "NotFound", id="404"),
    pytest.param(LoseAnswer(), "", id="no answer"),
    pytest.param(Answer(200, b"<html>please sign in</html>"), "not the API's", id="a proxy's page"),
    pytest.param(Answer(201, b'{"kind":"Status","status":"Success"}'), "no Event", id="another answer"),
]


@pytest.mark.parametrize(("fault", "text"), FAULTS)
def test_an_event_that_cannot_be_written_keeps_the_job_and_is_an_error(
    control_plane: ControlPlane, namespace: str, fault: Fault, text: str
) -> None:
    failed_jobs(control_plane, namespace, ["bad", "good"])
    broken = namespace + "x"
    seed.namespace(control_plane, broken)
    stays = {job["metadata"]["name"] for job in failed_jobs(control_plane, broken, ["one", "two"])}

    with Proxy(control_plane, lambda request: fault if is_event(request) and broken in request.path else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), f"{broken},{namespace}", policy=ALL)

    details = [d.detail for d in passed.result.deletions.values() if d.fate.value == "failed"]
    assert passed.of("failed") == stays == names_of(control_plane, JOBS.format(broken))
    assert all(re.search(rf"its error could not be kept: .*({text})", detail) for detail in details)
    assert len(passed.of("deleted")) == 2
    assert names_of(control_plane, JOBS.format(namespace)) == set()
    assert exit_code(passed.result) == 1


def test_a_namespace_that_refused_is_asked_once(control_plane: ControlPlane, namespace: str) -> None:
    failed_jobs(control_plane, namespace, ["one", "two", "three"])

    with Proxy(control_plane, lambda request: FORBIDDEN if is_event(request) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, policy=ALL)

    assert passed.fates() == {"failed": 3}
    assert len([seen for seen in proxy.seen if is_event(seen.request)]) == 1


def test_a_namespace_that_is_leaving_takes_no_event_and_keeps_its_job(control_plane: ControlPlane, namespace: str) -> None:
    """Nothing here finishes its deletion."""
    (job,) = failed_jobs(control_plane, namespace, ["shop"])
    must(control_plane.request("DELETE", f"/api/v1/namespaces/{namespace}"))

    passed = sweep(control_plane.kubeconfig(), namespace, policy=ALL)

    (deletion,) = passed.result.deletions.values()
    assert passed.of("failed") == {job["metadata"]["name"]} == names_of(control_plane, JOBS.format(namespace))
    assert "being terminated" in deletion.detail


@pytest.mark.parametrize("fault", [FORBIDDEN, refusal(410, "Expired"), Answer(200, b"no json"), Answer(200, b'{"items":[7]}')])
def test_pods_that_cannot_be_read_keep_the_job(control_plane: ControlPlane, namespace: str, fault: Fault) -> None:
    (job,) = failed_jobs(control_plane, namespace, ["shop"])

    with Proxy(control_plane, lambda request: fault if lists_pods(request) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, policy=ALL)

    assert passed.of("failed") == {job["metadata"]["name"]} == names_of(control_plane, JOBS.format(namespace))
    assert kept(control_plane, namespace) == {}
    assert exit_code(passed.result) == 1


def test_jobs_of_old_commits_and_succeeded_ones_ask_for_nothing(control_plane: ControlPlane, namespace: str) -> None:
    repo = seed.gitrepo(namespace, "shop")
    old, head = seed.sha("old"), seed.sha("head")
    (gitrepo,) = seed.put(control_plane, [repo])
    seed.put(control_plane, [seed.job(gitrepo, old, "failed", finished=seed.ago(hours=9))])
    seed.put(control_plane, [seed.job(gitrepo, head, finished=seed.ago(hours=9))])

    with Proxy(control_plane) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, policy=ALL)

    assert passed.fates() == {"deleted": 2}
    assert not [seen for seen in proxy.seen if is_event(seen.request) or lists_pods(seen.request)]


def test_a_dry_run_writes_nothing(control_plane: ControlPlane, namespace: str) -> None:
    failed_jobs(control_plane, namespace, ["shop"])

    passed = sweep(control_plane.kubeconfig(), namespace, policy=ALL, dry_run=True)

    assert (passed.fates(), told(passed), kept(control_plane, namespace)) == ({"would-delete": 1}, [], {})


def test_the_cap_lets_no_more_be_kept_than_go(control_plane: ControlPlane, namespace: str) -> None:
    failed_jobs(control_plane, namespace, [f"shop-{n}" for n in range(9)])

    passed = sweep(control_plane.kubeconfig(), namespace, policy=ALL, max_deletions=3)

    assert passed.fates() == {"deleted": 3}
    assert len(kept(control_plane, namespace)) == 3
    assert passed.result.backlog == 6


def test_a_brake_that_is_pulled_meanwhile_lets_nothing_more_be_kept(control_plane: ControlPlane, namespace: str) -> None:
    failed_jobs(control_plane, namespace, [f"shop-{n}" for n in range(9)])
    pulled = [False]

    def pull(request: Request) -> Before | None:
        return Before(lambda: pulled.__setitem__(0, True)) if is_event(request) else None

    with Proxy(control_plane, pull) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        passed = sweep(kubeconfig, namespace, policy=ALL, brake=lambda: Refusal("stop", "now") if pulled[0] else None)

    assert passed.of("deleted") == set()
    assert len(kept(control_plane, namespace)) == 1


def test_what_is_tried_again_is_not_kept_again(control_plane: ControlPlane, namespace: str) -> None:
    failed_jobs(control_plane, namespace, ["shop"])
    canary, time = Canary(pause=0.1), Ahead()
    broken = refusal(500, "InternalError", "failed calling webhook")

    with Proxy(control_plane, lambda request: broken if is_delete(request) else None) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        for _ in range(2):
            assert sweep(kubeconfig, namespace, policy=ALL, canary=canary, timer=time.clock()).fates() == {"failed": 1}
        proxy.rule = None
        assert sweep(kubeconfig, namespace, policy=ALL, canary=canary, timer=time.clock()).fates() == {"deleted": 1}

    assert len([seen for seen in proxy.seen if is_event(seen.request)]) == 1


def test_it_is_kept_anew_before_the_api_may_have_forgotten_it(control_plane: ControlPlane, namespace: str) -> None:
    (job,) = failed_jobs(control_plane, namespace, ["shop"])
    canary = Canary(pause=0.1, kept={job["metadata"]["uid"]: clock().monotonic() - 3000.0})

    sweep(control_plane.kubeconfig(), namespace, policy=ALL, canary=canary)

    assert len(kept(control_plane, namespace)) == 1


def test_a_job_that_is_needed_after_all_has_nothing_kept(control_plane: ControlPlane, namespace: str) -> None:
    failed_jobs(control_plane, namespace, ["shop"])
    path = f"/apis/fleet.cattle.io/v1alpha1/namespaces/{namespace}/gitrepos/shop"
    force = {"spec": {"forceSyncGeneration": 7}}

    def ask() -> object:
        return control_plane.request("PATCH", path, force, content_type="application/merge-patch+json")

    passed = sweep(control_plane.kubeconfig(), namespace, policy=ALL, between=ask)

    assert (passed.fates(), kept(control_plane, namespace)) == ({}, {})


@pytest.mark.parametrize("unsettled", [{"spec": {"disablePolling": True}}, {"spec": {"forceSyncGeneration": 3}}])
def test_a_gitrepo_that_is_unsettled_or_does_not_poll_keeps_its_failed_job(
    control_plane: ControlPlane, namespace: str, unsettled: dict[str, Any]
) -> None:
    (job,) = failed_jobs(control_plane, namespace, ["shop"], **unsettled)

    passed = sweep(control_plane.kubeconfig(), namespace, policy=ALL)

    assert passed.reasons() == {job["metadata"]["name"]: "unsettled"}
    assert kept(control_plane, namespace) == {}


@pytest.mark.parametrize("letter", ["x", "€", "😀"])
def test_a_long_error_fits_into_the_event_with_its_end(server: Server, place: str, letter: str) -> None:
    (job,) = failed_jobs(server, place, ["shop"], pods=False)
    put_pod(server, job, f"cloning\n{letter * 500}\nfatal: no such branch")

    sweep(server.kubeconfig(), place, policy=ALL)

    message = kept(server, place)["shop"]
    assert len(message.encode()) <= 1024
    assert message.endswith("fatal: no such branch")
    assert message.startswith("Job shop-")


@pytest.mark.parametrize(
    "words",
    [
        "fatal: could not read from https://user:hunter2@git.example/x",
        "GET https://git.example/x?token=hunter2 failed",
        "Authorization: Bearer hunter2",
    ],
)
def test_no_credential_is_kept(server: Server, place: str, words: str) -> None:
    (job,) = failed_jobs(server, place, ["shop"], pods=False)
    put_pod(server, job, LAST_WORDS.replace(WHY, words))

    passed = sweep(server.kubeconfig(), place, policy=ALL)

    assert passed.fates() == {"deleted": 1}
    assert "hunter2" not in str(must(server.request("GET", EVENTS.format(place)))["items"])
    assert "hunter2" not in str(told(passed))


def test_without_a_pod_what_fleet_says_is_kept_or_that_nobody_knows(server: Server, place: str) -> None:
    failed_jobs(server, place, ["shop"], pods=False)
    failed_jobs(server, place, ["cart"], pods=False, gitJobStatus="Current")

    sweep(server.kubeconfig(), place, policy=ALL)

    texts = {name: message.partition(": ")[2] for name, message in kept(server, place).items()}
    assert texts == {"shop": WHY, "cart": "its Pod is gone and Fleet tells no reason"}


def test_another_run_of_the_same_name_tells_nothing(server: Server, place: str) -> None:
    (job,) = failed_jobs(server, place, ["shop"])
    other = {**job, "metadata": job["metadata"] | {"uid": "11111111-2222-4333-8444-555555555555"}}
    put_pod(server, other, "the error of another run")
    put_pod(server, job, phase="Succeeded")

    sweep(server.kubeconfig(), place, policy=ALL)

    assert kept(server, place)["shop"].endswith(WHY)


def test_the_service_tries_again_and_the_job_goes_once_its_error_is_kept(control_plane: ControlPlane, namespace: str) -> None:
    (job,) = failed_jobs(control_plane, namespace, ["shop"])

    with Proxy(control_plane, lambda request: FORBIDDEN if is_event(request) else None) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        with serving(kubeconfig, namespace, policy=ALL) as service:
            service.service.tick("start")
            eventually(lambda: "failed" in service.fates(), service.fates)
            stayed = names_of(control_plane, JOBS.format(namespace))
            proxy.rule = None
            service.service.tick("interval")
            eventually(lambda: "deleted" in service.fates(), service.fates)

    assert stayed == {job["metadata"]["name"]}
    assert kept(control_plane, namespace)["shop"].endswith(WHY)
