"""The delete contract, on the real API: what changes between looking and deleting is never deleted."""

import json
import time
from typing import Any

import pytest

from cleaner.cluster import Clock, Refusal
from cleaner.result import exit_code
from cleaner.retention import Current, Policy, Rule
from tests.edge.passes import clock, sweep
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, LoseAnswer, Proxy, Request, ResetBefore
from tests.world.seed import Made

JOBS = "/apis/batch/v1/namespaces/{}/jobs/{}"
GITREPOS = "/apis/fleet.cattle.io/v1alpha1/namespaces/{}/gitrepos/{}"


def stock(control_plane: ControlPlane, namespace: str, count: int = 4, name: str = "shop", **gitrepo: Any) -> list[str]:
    """Put a GitRepo and so many failed Jobs of old commits, all long due but for the newest; answer their names, oldest first."""
    repo = seed.gitrepo(namespace, name, lastPollingTriggered=seed.stamp(seed.ago(seconds=1)), **gitrepo)
    jobs = [seed.job(repo, c, "failed", finished=seed.ago(hours=200 - n)) for n, c in enumerate(seed.commits(repo, count))]
    seed.put(control_plane, [repo, *jobs])
    return [job.object["metadata"]["name"] for job in jobs]


def living(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the Jobs that are there."""
    _, listed = control_plane.request("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs")
    return {item["metadata"]["name"] for item in listed["items"]}


def patch(control_plane: ControlPlane, path: str, body: Any, part: str = "") -> None:
    """Change an object, or its status."""
    status, answer = control_plane.request("PATCH", path + part, body, content_type="application/merge-patch+json")
    assert status == 200, answer


def is_delete(request: Request) -> bool:
    """Whether a request deletes a Job."""
    return request.method == "DELETE" and "/jobs/" in request.path


def test_what_is_due_goes_and_the_newest_stays(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace)

    passed = sweep(control_plane.kubeconfig(), namespace)

    assert (passed.of("deleted"), living(control_plane, namespace)) == (set(names[:3]), {names[3]})
    assert exit_code(passed.result) == 0


def test_every_delete_names_uid_version_and_background(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace)

    with Proxy(control_plane) as proxy:
        sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    sent = [json.loads(seen.request.body) for seen in proxy.seen if is_delete(seen.request)]
    assert len(sent) == 3
    assert all(set(body["preconditions"]) == {"uid", "resourceVersion"} for body in sent)
    assert {body["propagationPolicy"] for body in sent} == {"Background"}


def test_a_job_made_again_under_the_same_name_survives(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace)
    path = JOBS.format(namespace, names[0])

    def make_again() -> None:
        _, old = control_plane.request("GET", path)
        control_plane.request("DELETE", path, {"propagationPolicy": "Background"})
        metadata = {key: old["metadata"][key] for key in ("name", "namespace", "annotations", "labels", "ownerReferences")}
        template = old["spec"]["template"]
        for labels in (template["metadata"]["labels"], metadata["labels"]):
            labels.pop("controller-uid", None), labels.pop("batch.kubernetes.io/controller-uid", None)
        new = {"metadata": metadata, "spec": {"template": template, "backoffLimit": 0}}
        status, answer = control_plane.request("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", new)
        assert status == 201, answer

    passed = sweep(control_plane.kubeconfig(), namespace, between=make_again)

    assert passed.of("changed") == {names[0]}
    assert names[0] in living(control_plane, namespace)
    assert passed.of("deleted") == set(names[1:3])


def revert(control_plane: ControlPlane, namespace: str, names: list[str]) -> None:
    """The GitRepo goes back to the oldest Job's commit."""
    _, job = control_plane.request("GET", JOBS.format(namespace, names[0]))
    commit = job["metadata"]["annotations"]["commit"]
    status = {"status": {"commit": commit, "pollingCommit": commit}}
    patch(control_plane, GITREPOS.format(namespace, "shop"), status, "/status")


def protect_gitrepo(control_plane: ControlPlane, namespace: str, _names: list[str]) -> None:
    """Somebody protects the GitRepo."""
    body = {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}}
    patch(control_plane, GITREPOS.format(namespace, "shop"), body)


def protect_namespace(control_plane: ControlPlane, namespace: str, _names: list[str]) -> None:
    """Somebody protects the Namespace."""
    patch(control_plane, f"/api/v1/namespaces/{namespace}", {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}})


def replace_gitrepo(control_plane: ControlPlane, namespace: str, _names: list[str]) -> None:
    """The GitRepo is deleted and made again under its name."""
    control_plane.request("DELETE", GITREPOS.format(namespace, "shop"))
    seed.put(control_plane, [seed.gitrepo(namespace, "shop", lastPollingTriggered=seed.stamp(seed.ago(seconds=1)))])


CHANGES = [
    pytest.param(revert, lambda names: {names[0]}, id="a revert makes it current"),
    pytest.param(protect_gitrepo, set, id="its GitRepo is protected"),
    pytest.param(protect_namespace, set, id="its Namespace is protected"),
    pytest.param(replace_gitrepo, set, id="its GitRepo is made again"),
]


@pytest.mark.parametrize(("change", "spared"), CHANGES)
def test_a_change_between_looking_and_deleting_spares(
    control_plane: ControlPlane, namespace: str, change: Any, spared: Any
) -> None:
    names = stock(control_plane, namespace)

    passed = sweep(control_plane.kubeconfig(), namespace, between=lambda: change(control_plane, namespace, names))

    assert spared(names) <= living(control_plane, namespace)
    assert passed.of("deleted").isdisjoint(spared(names))


@pytest.mark.parametrize(("change", "spared"), CHANGES)
def test_a_change_during_a_minute_of_throttling_spares(
    control_plane: ControlPlane, namespace: str, change: Any, spared: Any
) -> None:
    """After its GitRepo's first deletion the API says 429 and wants a minute: what was read before that minute is stale."""
    names = stock(control_plane, namespace, count=6)
    ahead = [0.0]
    timer = Clock(time.time, lambda: time.monotonic() + ahead[0], lambda seconds: ahead.__setitem__(0, ahead[0] + seconds))
    deletes = 0

    def rule(request: Request) -> Answer | None:
        nonlocal deletes
        deletes += is_delete(request)
        if is_delete(request) and deletes == 2:
            change(control_plane, namespace, names[1:])
            return Answer(429, b"{}", {"Retry-After": "60"})
        return None

    with Proxy(control_plane, rule) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        passed = sweep(kubeconfig, namespace, timer=timer, delete_workers=1)

    assert ahead[0] > 59
    assert passed.of("deleted") >= {names[0]}
    assert spared(names[1:]) <= living(control_plane, namespace)


@pytest.mark.parametrize("status", [429, 503])
def test_one_delete_reaches_the_server_for_each_attempt_of_ours(control_plane: ControlPlane, namespace: str, status: int) -> None:
    names = stock(control_plane, namespace, count=2)
    fast = Clock(time.time, time.monotonic, lambda seconds: time.sleep(min(seconds, 0.01)))

    def rule(request: Request) -> Answer | None:
        return Answer(status, b"{}") if is_delete(request) and request.nth <= 2 else None

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=fast)

    assert [seen.status for seen in proxy.seen if is_delete(seen.request)] == [status, status, 200]
    assert passed.of("deleted") == {names[0]}


def test_a_reset_before_the_server_saw_it_is_one_attempt(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, count=2)

    with Proxy(control_plane, lambda r: ResetBefore() if is_delete(r) and r.nth == 1 else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    assert [seen.server_status for seen in proxy.seen if is_delete(seen.request)] == [None, 200]
    assert passed.of("deleted") == {names[0]}


def test_a_delete_whose_answer_was_lost_is_never_counted(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace)

    with Proxy(control_plane, lambda r: LoseAnswer() if is_delete(r) and r.path.endswith(names[0]) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    assert (passed.of("unconfirmed"), passed.of("deleted")) == ({names[0]}, set(names[1:3]))
    assert names[0] not in living(control_plane, namespace)


def test_a_proxys_page_is_not_taken_for_a_deletion(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, count=2)

    def rule(request: Request) -> Answer | None:
        return Answer(200, b"<html>ok</html>", {"Content-Type": "text/html"}) if is_delete(request) else None

    fast = Clock(time.time, time.monotonic, lambda seconds: time.sleep(min(seconds, 0.01)))
    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=fast)

    assert passed.fates() == {"failed": 1}
    assert names[0] in living(control_plane, namespace)


def test_a_job_with_a_finalizer_counts_once_it_is_gone(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace)
    for name in names[:2]:
        patch(control_plane, JOBS.format(namespace, name), {"metadata": {"finalizers": ["example.com/wait"]}})

    def rule(request: Request) -> None:
        # The first look again, after all deletions: by now one of the two has been let go.
        if request.method == "GET" and request.path.endswith(names[0]) and request.nth == 1:
            patch(control_plane, JOBS.format(namespace, names[0]), {"metadata": {"finalizers": None}})

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    assert (passed.of("deleted"), passed.of("terminating")) == ({names[0], names[2]}, {names[1]})
    patch(control_plane, JOBS.format(namespace, names[1]), {"metadata": {"finalizers": None}})


def test_a_dry_run_asks_the_api_and_deletes_nothing(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace)

    with Proxy(control_plane) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, dry_run=True)

    assert (passed.of("would-delete"), passed.fates()) == (set(names[:3]), {"would-delete": 3})
    assert [json.loads(s.request.body)["dryRun"] for s in proxy.seen if is_delete(s.request)] == [["All"]] * 3
    assert living(control_plane, namespace) == set(names)


def test_a_cap_is_never_passed_and_the_rest_is_backlog(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, count=8)

    passed = sweep(control_plane.kubeconfig(), namespace, max_deletions=3)

    assert passed.of("deleted") == set(names[:3])
    assert (passed.result.backlog, exit_code(passed.result)) == (4, 1)


def test_a_stop_lets_finish_what_is_under_way_and_leaves_the_rest(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, count=12)
    asked = [0]

    def brake() -> Refusal | None:
        asked[0] += 1
        return Refusal("stop", "SIGTERM") if asked[0] > 14 else None

    passed = sweep(control_plane.kubeconfig(), namespace, brake=brake, delete_workers=2)

    gone = len(passed.of("deleted"))
    assert 0 < gone < 11
    assert len(living(control_plane, namespace)) == 12 - gone
    assert (passed.result.backlog, exit_code(passed.result)) == (11 - gone, 0)


def test_a_clock_that_is_off_stops_every_deletion(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace)
    real = clock()

    passed = sweep(control_plane.kubeconfig(), namespace, timer=real._replace(now=lambda: time.time() + 120))

    assert passed.result.brake is not None
    assert (passed.result.brake.brake, exit_code(passed.result)) == ("clock", 5)
    assert living(control_plane, namespace) == set(names)


@pytest.mark.parametrize("where", ["Namespace", "Lease"])
def test_a_pause_stops_every_deletion(control_plane: ControlPlane, namespace: str, where: str) -> None:
    names = stock(control_plane, namespace)
    home = seed.namespace(control_plane)
    annotated = {"metadata": {"name": "gitjob-cleaner", "annotations": {"gitjob-cleaner/pause": "true"}}}
    if where == "Namespace":
        patch(
            control_plane,
            f"/api/v1/namespaces/{home}",
            annotated | {"metadata": {"annotations": annotated["metadata"]["annotations"]}},
        )
    else:
        control_plane.request("POST", f"/apis/coordination.k8s.io/v1/namespaces/{home}/leases", annotated)

    passed = sweep(control_plane.kubeconfig(), namespace, own_namespace=home)

    assert passed.result.brake is not None
    assert (passed.result.brake.brake, exit_code(passed.result)) == ("pause", 5)
    assert living(control_plane, namespace) == set(names)


def test_without_a_pause_the_own_namespace_changes_nothing(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace)

    passed = sweep(control_plane.kubeconfig(), namespace, own_namespace=seed.namespace(control_plane))

    assert (passed.fates(), passed.result.brake) == ({"deleted": 3}, None)


def current_jobs(control_plane: ControlPlane, namespace: str, count: int) -> list[Made]:
    """GitRepos with one succeeded current Job each."""
    made = []
    for n in range(count):
        repo = seed.gitrepo(namespace, f"app-{n}", lastPollingTriggered=seed.stamp(seed.ago(seconds=1)))
        made += [repo, seed.job(repo, repo.object["status"]["commit"], finished=seed.ago(hours=10 - n))]
    seed.put(control_plane, made)
    return made


LET_GO = Policy(succeeded=Rule(0, 60.0), current=Current.SUCCEEDED)


def test_current_jobs_go_behind_a_canary(control_plane: ControlPlane, namespace: str) -> None:
    current_jobs(control_plane, namespace, 4)

    passed = sweep(control_plane.kubeconfig(), namespace, policy=LET_GO)

    assert (passed.fates(), exit_code(passed.result)) == ({"deleted": 4}, 0)


def test_a_canary_that_comes_back_stops_all_current_jobs(control_plane: ControlPlane, namespace: str) -> None:
    """The first current Job is made again at once, as Fleet 0.10.2 does; an old Job still goes."""
    made = current_jobs(control_plane, namespace, 3)
    old = stock(control_plane, namespace, count=2)
    _, first = control_plane.request("GET", JOBS.format(namespace, made[1].object["metadata"]["name"]))

    def make_again(_seconds: float) -> None:
        new = {key: first["metadata"][key] for key in ("name", "namespace", "annotations", "labels", "ownerReferences")}
        template = first["spec"]["template"]
        for key in ("controller-uid", "batch.kubernetes.io/controller-uid"):
            template["metadata"]["labels"].pop(key, None)
        body = {"metadata": new, "spec": {"template": template, "backoffLimit": 0}}
        control_plane.request("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body)

    timer = clock()._replace(sleep=make_again)
    passed = sweep(control_plane.kubeconfig(), namespace, policy=LET_GO, timer=timer, delete_rate=1000.0)

    assert [job.name for job in passed.result.tripped] == [first["metadata"]["name"]]
    assert passed.of("deleted") == {first["metadata"]["name"], old[0]}
    assert exit_code(passed.result) == 5


def test_no_current_job_goes_where_fleet_may_be_old(control_plane: ControlPlane, namespace: str) -> None:
    current_jobs(control_plane, namespace, 2)

    passed = sweep(control_plane.kubeconfig(), namespace, policy=LET_GO, fleet_version="v0.10.2")

    assert (passed.fates(), set(passed.reasons().values())) == ({}, {"current"})
