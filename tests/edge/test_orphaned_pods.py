"""Pods that Jobs left behind: which go, which stay, and by which contract; on the real API and on the sandbox."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cleaner.cluster import Refusal
from cleaner.happened import Attempted, Braked, Happened, Judged, OfPods, Spared
from cleaner.model import Owner
from cleaner.result import Result, exit_code
from cleaner.retention import Policy, Rule
from cleaner.sweep import clear_orphaned_pods
from tests.edge.passes import Passed, clock, cluster, never, sweep
from tests.edge.roles import RULES, allow
from tests.edge.servers import GITREPOS, JOBS, Server, must, names_of, patch
from tests.edge.serving import eventually, serving
from tests.world import pods, seed
from tests.world.control_plane import ControlPlane
from tests.world.pods import ORPHAN, OWNED, PODS, STILL_RUNNING
from tests.world.proxy import Answer, Proxy, Request
from tests.world.seed import Json, Made

POD = "shop-1ab2c-xyz12"
PROTECT = {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}}


def living(server: Server, place: str) -> set[str]:
    """Names of the Pods that are there."""
    return names_of(server, PODS.format(place))


def gitrepo(server: Server, place: str, name: str = "shop", **more: Any) -> Json:
    """A GitRepo that Pods may name."""
    return seed.put(server, [seed.gitrepo(place, name, **more)])[0]


def passed(server: Server, place: str, **more: Any) -> Passed:
    """A pass that sees to Pods."""
    return sweep(server.kubeconfig(), place, orphaned_pods=True, **more)


def fates(result: Result) -> dict[str, str]:
    """What became of each Pod, by name."""
    return {one.doomed.job.name: one.fate.value for one in result.pods.deletions.values()}


def reasons(result: Result) -> dict[str, str]:
    """The verdict on each Pod, by name."""
    return {verdict.job.name: verdict.reason.value for verdict in result.pods.verdicts()}


def test_the_recorded_orphan_goes_and_is_no_job(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place))

    done = passed(server, place)

    assert (fates(done.result), reasons(done.result)) == ({POD: "deleted"}, {POD: "orphaned"})
    assert (living(server, place), exit_code(done.result)) == (set(), 0)
    assert (done.fates(), list(done.result.verdicts())) == ({}, [])
    assert not [happened for happened in done.happened if isinstance(happened, Attempted)]
    assert [type(each.happened) for each in done.happened if isinstance(each, OfPods)] == [Judged, Attempted]


def test_the_answer_to_a_pods_deletion_is_the_pod(server: Server, place: str) -> None:
    """Where other kinds get a Status: whoever waits for that would take no deletion for one."""
    pods.put(server, pods.pod(place))

    answer = must(server.request("DELETE", f"{PODS.format(place)}/{POD}"))

    assert (answer["kind"], answer["metadata"]["deletionGracePeriodSeconds"]) == ("Pod", 0)
    assert living(server, place) == set()


def test_many_go_each_by_itself_oldest_first(server: Server, place: str) -> None:
    gitrepo(server, place)
    gitrepo(server, place, "other")
    wanted = [
        pods.pod(place, f"pod-{n}", gitrepo="shop" if n % 2 else "other", finished=seed.ago(hours=200 - n), outcome=outcome)
        for n, outcome in enumerate(["Failed", "Succeeded"] * 4)
    ]
    pods.put(server, *wanted[::-1])

    done = passed(server, place, delete_workers=1)

    assert fates(done.result) == {f"pod-{n}": "deleted" for n in range(8)}
    assert list(fates(done.result)) == [f"pod-{n}" for n in range(8)]


def test_off_by_default(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place))

    done = sweep(server.kubeconfig(), place)

    assert (living(server, place), done.result.pods.plans) == ({POD}, {})


def _without_cloner(made: Made) -> None:
    del made.object["spec"]["initContainers"]
    made.status.pop("initContainerStatuses")


def _another_container(made: Made) -> None:
    made.object["spec"]["containers"][0]["name"] = made.status["containerStatuses"][0]["name"] = "backup"


def _another_account(made: Made) -> None:
    made.object["spec"]["serviceAccountName"] = made.object["spec"]["serviceAccount"] = "default"


def _no_labels(made: Made) -> None:
    made.object["metadata"]["labels"] = {"app": "shop"}


@pytest.mark.parametrize("change", [_without_cloner, _another_container, _another_account, _no_labels])
def test_the_pod_of_another_tool_is_none_of_ours(server: Server, place: str, change: Callable[[Made], None]) -> None:
    gitrepo(server, place)
    made = pods.pod(place)
    change(made)
    pods.put(server, made)

    done = passed(server, place)

    assert (living(server, place), reasons(done.result)) == ({POD}, {})


@pytest.mark.parametrize(
    ("recorded", "phase"), [(STILL_RUNNING, ""), (ORPHAN, "Unknown"), (ORPHAN, "Pending"), (OWNED, "Failed")]
)
def test_one_that_may_run_or_has_an_owner_is_no_orphan(server: Server, place: str, recorded: str, phase: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place, recorded=recorded, outcome=phase))

    done = passed(server, place)

    assert (living(server, place), reasons(done.result)) == ({POD}, {})


def test_the_pods_of_a_job_that_lives_stay_and_those_of_its_namesake_go(server: Server, place: str) -> None:
    repo = gitrepo(server, place)
    (job,) = seed.put(server, [seed.job(repo, repo["status"]["commit"])])
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    pods.put(server, pods.pod(place, "of-the-living", job=name, job_uid=uid), pods.pod(place, "of-the-dead", job=name))

    done = passed(server, place)

    assert (living(server, place), fates(done.result)) == ({"of-the-living"}, {"of-the-dead": "deleted"})


@pytest.mark.parametrize("where", ["Pod", "GitRepo", "Namespace"])
def test_a_protected_one_stays(server: Server, place: str, where: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place))
    paths = {"Pod": f"{PODS.format(place)}/{POD}", "GitRepo": f"{GITREPOS.format(place)}/shop"}
    patch(server, paths.get(where, f"/api/v1/namespaces/{place}"), PROTECT)

    done = passed(server, place)

    assert (living(server, place), reasons(done.result)) == ({POD}, {POD: "protected"})


@pytest.mark.parametrize(
    ("outcome", "hours", "annotation", "reason"),
    [
        ("Failed", 71.9, "", "young"),
        ("Succeeded", 0.15, "", "young"),
        ("Succeeded", 0.01, "", "settling"),
        ("Failed", 100, "failed-age", "young"),
        ("Failed", 100, "no-such-wish", "unreadable"),
    ],
)
def test_one_that_is_too_young_or_unclear_stays(
    server: Server, place: str, outcome: str, hours: float, annotation: str, reason: str
) -> None:
    gitrepo(server, place, metadata={"annotations": {f"gitjob-cleaner/{annotation}": "200h"}} if annotation else {})
    pods.put(server, pods.pod(place, outcome=outcome, finished=seed.ago(hours=hours)))

    done = passed(server, place)

    assert (living(server, place), reasons(done.result)) == ({POD}, {POD: reason})


def test_one_that_names_no_gitrepo_stays(server: Server, place: str) -> None:
    made = pods.pod(place)
    container = made.object["spec"]["containers"][0]
    container["args"] = [arg for arg in container["args"] if "repo-name" not in arg] + ["--label=fleet.cattle.io/repo-name=../x"]
    pods.put(server, made)

    assert reasons(passed(server, place).result) == {POD: "unreadable"}
    assert living(server, place) == {POD}


def test_no_gitrepo_need_live(server: Server, place: str) -> None:
    pods.put(server, pods.pod(place))

    assert fates(passed(server, place).result) == {POD: "deleted"}


def test_where_labels_select_only_what_carries_them_goes(server: Server, place: str) -> None:
    gitrepo(server, place, metadata={"labels": {"env": "prod"}})
    gitrepo(server, place, "other", metadata={"labels": {"env": "test"}})
    for name in ("shop", "other", "gone"):
        pods.put(server, pods.pod(place, name, gitrepo=name))

    done = passed(server, place, selector="env=prod")

    assert (fates(done.result), reasons(done.result)) == ({"shop": "deleted"}, {"shop": "orphaned", "gone": "unreadable"})
    assert living(server, place) == {"other", "gone"}


def test_a_gitrepo_that_leaves_holds_no_pod(server: Server, place: str) -> None:
    gitrepo(server, place)
    patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"finalizers": ["example.com/wait"]}})
    must(server.request("DELETE", f"{GITREPOS.format(place)}/shop"))
    pods.put(server, pods.pod(place))

    assert fates(passed(server, place).result) == {POD: "deleted"}
    patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"finalizers": None}})


def test_a_dry_run_asks_the_api_and_changes_nothing(server: Server, place: str) -> None:
    gitrepo(server, place)
    before = pods.put(server, pods.pod(place))[0]

    done = passed(server, place, dry_run=True)

    assert (fates(done.result), exit_code(done.result)) == ({POD: "would-delete"}, 0)
    after = must(server.request("GET", f"{PODS.format(place)}/{POD}"))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_one_that_changes_in_between_is_left_alone(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place))
    path = f"{PODS.format(place)}/{POD}"

    done = passed(server, place, between=lambda: patch(server, path, {"metadata": {"labels": {"new": "label"}}}))

    assert (fates(done.result), living(server, place)) == ({POD: "changed"}, {POD})


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (GITREPOS + "/shop", PROTECT),
        ("/api/v1/namespaces/{}", PROTECT),
        (GITREPOS + "/shop", {"metadata": {"labels": {"env": "test"}}}),
    ],
    ids=["its GitRepo is protected", "its Namespace is protected", "its GitRepo is another installation's now"],
)
def test_a_change_in_between_spares(server: Server, place: str, path: str, change: Json) -> None:
    gitrepo(server, place, metadata={"labels": {"env": "prod"}})
    pods.put(server, pods.pod(place))

    done = passed(server, place, selector="env=prod", between=lambda: patch(server, path.format(place), change))

    assert (fates(done.result), living(server, place)) == ({}, {POD})
    spared = [each.happened for each in done.happened if isinstance(each, OfPods) and isinstance(each.happened, Spared)]
    assert [each.verdict.job.name for each in spared] == [POD]


def test_one_with_a_finalizer_counts_once_it_is_gone(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place, metadata={"finalizers": ["example.com/wait"]}))
    path = f"{PODS.format(place)}/{POD}"

    done = passed(server, place)

    assert (fates(done.result), living(server, place)) == ({POD: "terminating"}, {POD})
    assert reasons(passed(server, place).result) == {POD: "deleting"}
    patch(server, path, {"metadata": {"finalizers": None}})
    assert living(server, place) == set()


def test_the_cap_is_one_for_jobs_and_pods(server: Server, place: str) -> None:
    repo = gitrepo(server, place)
    seed.put(server, [seed.job(repo, c, "failed", finished=seed.ago(hours=99)) for c in seed.commits(repo, 2)])
    pods.put(server, *(pods.pod(place, f"pod-{n}") for n in range(3)))

    done = passed(server, place, max_deletions=2, policy=Policy(failed=Rule(0, 3600.0)))

    assert (done.fates(), fates(done.result)) == ({"deleted": 2}, {})
    assert (done.result.backlog, exit_code(done.result), len(living(server, place))) == (3, 1, 3)


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_brake_stops_pods_too_and_is_told_once(server: Server, place: str, jobs: int) -> None:
    repo = gitrepo(server, place)
    seed.put(server, [seed.job(repo, commit, finished=seed.ago(hours=9)) for commit in seed.commits(repo, jobs)])
    pods.put(server, pods.pod(place))

    off = clock()._replace(now=lambda: clock().now() + 120)
    done = passed(server, place, timer=off)

    assert done.result.brake is not None
    assert (done.result.brake.brake, exit_code(done.result), living(server, place)) == ("clock", 5, {POD})
    assert (done.result.backlog, sum(isinstance(each, Braked) for each in done.happened)) == (jobs + 1, 1)


def test_every_delete_names_uid_version_and_background(control_plane: ControlPlane, namespace: str) -> None:
    gitrepo(control_plane, namespace)
    (made,) = pods.put(control_plane, pods.pod(namespace))

    with Proxy(control_plane) as proxy:
        for dry_run in (True, False):
            sweep(control_plane.kubeconfig(server=proxy.url), namespace, orphaned_pods=True, dry_run=dry_run)

    meta = made["metadata"]
    options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    options |= {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
    sent = [(s.request.path, json.loads(s.request.body)) for s in proxy.seen if s.request.method == "DELETE"]
    path = f"{PODS.format(namespace)}/{POD}"
    assert sent == [(path, options | {"dryRun": ["All"]}), (path, options)]


def test_a_job_that_cannot_be_looked_for_keeps_its_pod(control_plane: ControlPlane, namespace: str) -> None:
    gitrepo(control_plane, namespace)
    pods.put(control_plane, pods.pod(namespace), pods.pod(namespace, "another", job="shop-9zz9z"))

    def rule(request: Request) -> Answer | None:
        return Answer(403, b"{}") if request.method == "GET" and request.path.endswith("/jobs/shop-1ab2c") else None

    with Proxy(control_plane, rule) as proxy:
        done = sweep(control_plane.kubeconfig(server=proxy.url), namespace, orphaned_pods=True)

    assert (fates(done.result), reasons(done.result)[POD]) == ({"another": "deleted"}, "unreadable")
    assert living(control_plane, namespace) == {POD}


def test_a_stop_ends_the_search_for_the_jobs(control_plane: ControlPlane, namespace: str) -> None:
    """There may be thousands; whoever asks for a stop after each answer is also seen to live."""
    gitrepo(control_plane, namespace)
    count = 60
    pods.put(control_plane, *[pods.pod(namespace, f"pod-{n}", job=f"job-{n}") for n in range(count)])
    asked: list[Request] = []

    def rule(request: Request) -> None:
        if request.method == "GET" and "/jobs/" in request.path:
            asked.append(request)

    def stop() -> Refusal | None:
        return Refusal("stop", "a signal came") if asked else None

    with Proxy(control_plane, rule) as proxy:
        done = sweep(control_plane.kubeconfig(server=proxy.url), namespace, orphaned_pods=True, brake=stop)

    assert 0 < len(asked) < count
    assert (done.result.pods.brake, fates(done.result)) == (Refusal("stop", "a signal came"), {})
    assert len(living(control_plane, namespace)) == count


def test_one_that_cannot_be_understood_is_told_and_stops_no_other(control_plane: ControlPlane, namespace: str) -> None:
    gitrepo(control_plane, namespace)
    pods.put(control_plane, pods.pod(namespace), pods.pod(namespace, "bad"))

    def rule(request: Request) -> Answer | None:
        if not request.path.endswith("/pods"):
            return None
        _, listed = control_plane.request("GET", PODS.format(namespace))
        for item in listed["items"]:
            item["metadata"]["labels"] |= {"job-name": 7} if item["metadata"]["name"] == "bad" else {}
        return Answer(200, json.dumps(listed).encode())

    with Proxy(control_plane, rule) as proxy:
        done = sweep(control_plane.kubeconfig(server=proxy.url), namespace, orphaned_pods=True)

    assert (fates(done.result), living(control_plane, namespace)) == ({POD: "deleted"}, {"bad"})
    assert [(bad.kind, bad.name) for bad in done.result.unreadable] == [("Pod", "bad")]


POD_RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}


@pytest.mark.parametrize(("user", "may", "what"), [("user-3", "", "list Pods"), ("user-4", "list", "delete Pods")])
def test_without_the_rights_pods_stay_and_jobs_go(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, user: str, may: str, what: str
) -> None:
    repo = gitrepo(control_plane, namespace)
    seed.put(control_plane, [seed.job(repo, c, finished=seed.ago(hours=9)) for c in seed.commits(repo, 1)])
    pods.put(control_plane, pods.pod(namespace))
    if may:
        monkeypatch.setitem(RULES, "pods", POD_RULE)
    allow(control_plane, user, namespace)

    done = sweep(control_plane.kubeconfig(token=user), namespace, orphaned_pods=True)

    assert (done.fates(), names_of(control_plane, JOBS.format(namespace))) == ({"deleted": 1}, set())
    assert [(refused.namespace, refused.what, refused.denied) for refused in done.result.refused] == [(namespace, what, True)]
    assert (living(control_plane, namespace), exit_code(done.result)) == ({POD}, 1)


def clear(
    server: Server, place: str, tell: Callable[[Happened], None] = lambda _: None, brake: Any = never, ahead: float = 0.0
) -> Any:
    """Clear what Jobs of the GitRepo `shop` left behind, by a clock that is so many seconds ahead."""
    timer = clock()._replace(now=lambda: time.time() + ahead)
    uid = must(server.request("GET", f"{GITREPOS.format(place)}/shop"))["metadata"]["uid"]
    return clear_orphaned_pods(cluster(server.kubeconfig(), timer), Owner(place, "shop", uid), timer, tell, brake)


def test_one_gitrepo_can_be_cleared_at_once(server: Server, place: str) -> None:
    gitrepo(server, place, metadata={"annotations": {"gitjob-cleaner/failed-age": "300h"}})
    (job,) = seed.put(server, [seed.job(gitrepo(server, place, "other"), seed.sha("head"))])
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    just = seed.ago(seconds=1)
    pods.put(
        server,
        pods.pod(place, "failed", finished=just),
        pods.pod(place, "succeeded", finished=just, outcome="Succeeded"),
        pods.pod(place, "of-another", gitrepo="other"),
        pods.pod(place, "runs", recorded=STILL_RUNNING),
        pods.pod(place, "of-a-living-job", job=name, job_uid=uid),
        pods.pod(place, "protected", metadata=PROTECT["metadata"]),
    )
    happened: list[Happened] = []

    result = clear(server, place, happened.append)

    assert {one.doomed.job.name: one.fate.value for one in result.deletions.values()} == {
        "failed": "deleted",
        "succeeded": "deleted",
    }
    assert [(verdict.job.name, verdict.reason.value) for verdict in result.left()] == [("protected", "protected")]
    assert not result.cleared
    patch(server, f"{PODS.format(place)}/protected", {"metadata": {"annotations": None}})
    assert clear(server, place).cleared
    assert living(server, place) == {"of-another", "runs", "of-a-living-job"}
    assert sum(isinstance(each, OfPods) and isinstance(each.happened, Attempted) for each in happened) == 2


def test_a_brake_holds_the_clearing_too(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place))

    result = clear(server, place, brake=lambda: Refusal("pause", "somebody said so"))

    assert (living(server, place), result.brake) == ({POD}, Refusal("pause", "somebody said so"))
    assert not result.cleared


def test_a_clock_that_is_off_holds_the_clearing_too(server: Server, place: str) -> None:
    """By a clock that is ahead, a protection would end before its time."""
    gitrepo(server, place)
    pods.put(server, pods.pod(place))

    result = clear(server, place, ahead=3600.0)

    assert living(server, place) == {POD}
    assert (result.brake.brake, result.cleared) == ("clock", False)


@pytest.mark.parametrize("anew", [True, False], ids=["made anew", "gone"])
def test_a_gitrepo_that_is_gone_has_nothing_cleared_any_more(server: Server, place: str, anew: bool) -> None:
    """What it protected nobody can tell; and what a new one of its name keeps for a while is not ours to hurry."""
    left = Owner(place, "shop", "uid-of-an-earlier-one")
    if anew:
        gitrepo(server, place)
    pods.put(server, pods.pod(place))

    result = clear_orphaned_pods(cluster(server.kubeconfig()), left, clock(), lambda _: None, never)

    assert living(server, place) == {POD}
    assert [(v.reason.value, "is gone" in v.detail) for v in result.left()] == [("unreadable", True)]


def test_the_service_sees_to_them_in_each_sweep_of_everything(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, pods.pod(place), pods.pod(place, "young", finished=seed.ago(hours=1)))

    with serving(server.kubeconfig(), place, policy=Policy(), orphaned_pods=True) as served:
        swept = eventually(served.swept)[0]
        shown = eventually(lambda: served.service.snapshot().pods)

    assert (living(server, place), swept.fates, swept.pods, swept.outcome) == ({"young"}, (), (("deleted", 1),), "done")
    ((owner, _, reason),) = shown
    assert (owner.name, reason.value, list(shown.values())) == ("shop", "young", [1])


def test_the_services_cap_is_one_for_jobs_and_pods(server: Server, place: str) -> None:
    gitrepo(server, place)
    pods.put(server, *(pods.pod(place, f"pod-{n}") for n in range(3)))

    with serving(server.kubeconfig(), place, policy=Policy(), orphaned_pods=True, max_deletions=2) as served:
        swept = eventually(served.swept)[0]

    assert (swept.pods, swept.backlog, len(living(server, place))) == ((("deleted", 2),), 1, 1)


def test_what_pods_took_of_the_cap_is_gone_until_the_next_sweep_of_everything(server: Server, place: str) -> None:
    repo = gitrepo(server, place)
    pods.put(server, pods.pod(place))

    with serving(server.kubeconfig(), place, policy=Policy(), orphaned_pods=True, max_deletions=1) as served:
        assert eventually(served.swept)[0].pods == (("deleted", 1),)
        (job,) = seed.put(server, [seed.job(repo, seed.sha("old"), finished=seed.ago(hours=9))])
        eventually(lambda: served.views()["shop"].backlog)
        time.sleep(1.0)

    assert names_of(server, JOBS.format(place)) == {job["metadata"]["name"]}
