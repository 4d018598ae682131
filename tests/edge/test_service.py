"""The service between its sweeps, on both servers: what changes or comes due is seen to, and nothing else is."""

from typing import Any

import pytest

from cleaner.cluster import Refusal
from cleaner.happened import Finished, Late
from cleaner.retention import Policy, Rule
from cleaner.scope import Scope
from cleaner.service.readers import Wiring
from cleaner.service.service import Shape, readers_for
from tests.edge.passes import clock
from tests.edge.servers import GITREPOS, JOBS, MERGE, Server, must
from tests.edge.serving import KEEP_ALL, Serving, eventually, serving
from tests.world import seed
from tests.world.seed import Outcome

AT_ONCE = Policy(succeeded=Rule(0, 0.0), failed=Rule(0, 0.0), settle=0.0)
PLAIN = Shape(interval=3600.0, watch=False)


def repo(place: str, name: str = "shop", **status: Any) -> seed.Made:
    return seed.gitrepo(place, name, lastPollingTriggered=seed.stamp(seed.ago(seconds=1)), **status)


def living(server: Server, place: str) -> set[str]:
    return {item["metadata"]["name"] for item in must(server.request("GET", JOBS.format(place)))["items"]}


def patch(server: Server, path: str, body: Any) -> None:
    must(server.request("PATCH", path, body, content_type=MERGE))


def commit(server: Server, place: str, name: str, sha: str) -> None:
    """Write a new commit into a GitRepo's status, as Fleet does."""
    patch(server, f"{GITREPOS.format(place)}/{name}/status", {"status": {"commit": sha, "pollingCommit": sha}})


def stock(server: Server, place: str, *outcomes: Outcome, name: str = "shop", **times: float) -> list[str]:
    made = repo(place, name)
    jobs = [
        seed.job(made, sha, outcome, finished=seed.ago(**(times or {"hours": 200 - n})))
        for n, (sha, outcome) in enumerate(zip(seed.commits(made, len(outcomes)), outcomes, strict=True))
    ]
    seed.put(server, [made, *jobs])
    return [job.object["metadata"]["name"] for job in jobs]


def ready(run: Serving) -> None:
    eventually(lambda: run.swept("start"))


def test_the_first_sweep_is_at_once_and_deletes_what_is_due(server: Server, place: str) -> None:
    names = stock(server, place, "failed", "failed", "failed")

    with serving(server.kubeconfig(), place, policy=Policy()) as run:
        eventually(lambda: living(server, place) == {names[2]}, lambda: living(server, place))
        ready(run)

    first = run.swept()[0]
    assert (first.trigger, first.outcome, dict(first.fates)) == ("start", "done", {"deleted": 2})


def test_a_job_goes_when_its_time_comes_and_not_before(server: Server, place: str) -> None:
    policy = Policy(succeeded=Rule(0, 8.0), settle=0.0)
    (name,) = stock(server, place, "succeeded", seconds=3)

    with serving(server.kubeconfig(), place, policy=policy) as run:
        ready(run)
        assert living(server, place) == {name}
        assert run.service.snapshot().next_due is not None
        eventually(lambda: living(server, place) == set())
        late = eventually(lambda: [each for each in list(run.happened) if isinstance(each, Late)])

    assert late[0].job.name == name
    assert [each.trigger for each in run.swept()] == ["start", "watch"]


def test_a_new_commit_lets_the_old_ones_job_go(server: Server, place: str) -> None:
    made = repo(place)
    current = made.object["status"]["commit"]
    seed.put(server, [made, seed.job(made, current, "succeeded", finished=seed.ago(hours=1))])

    with serving(server.kubeconfig(), place, policy=AT_ONCE) as run:
        ready(run)
        assert len(living(server, place)) == 1
        commit(server, place, "shop", seed.sha("the next one"))
        eventually(lambda: living(server, place) == set())
        eventually(lambda: run.service.snapshot().backlog == 0 and not run.views()["shop"].plan.verdicts)

    assert [each.trigger for each in run.swept()] == ["start", "watch"]


def test_jobs_that_finish_are_told_and_their_last_success_is_shown(server: Server, place: str) -> None:
    made = repo(place)
    running = seed.job(made, made.object["status"]["commit"], "running", finished=seed.ago(seconds=30))
    (stored, job) = seed.put(server, [made, running])

    with serving(server.kubeconfig(), place) as run:
        ready(run)
        assert run.views()[stored["metadata"]["name"]].last_success is None
        _finish(server, place, job["metadata"]["name"])
        eventually(lambda: any(isinstance(each, Finished) for each in list(run.happened)))
        eventually(lambda: run.views()["shop"].last_success is not None)


def _finish(server: Server, place: str, name: str) -> None:
    now = seed.stamp(seed.ago(seconds=1))
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("SuccessCriteriaMet", "Complete")]
    status = {"conditions": conditions, "completionTime": now, "succeeded": 1, "active": 0, "ready": 0, "terminating": 0}
    patch(server, f"{JOBS.format(place)}/{name}/status", {"status": status})


def test_polls_change_nothing_and_start_nothing(server: Server, place: str) -> None:
    stock(server, place, "failed")

    with serving(server.kubeconfig(), place) as run:
        ready(run)
        judged = len(run.happened)
        for n in range(5):
            polled = seed.stamp(seed.ago(seconds=-n))
            patch(server, f"{GITREPOS.format(place)}/shop/status", {"status": {"lastPollingTriggered": polled}})
        patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"labels": {"at": "last"}}})
        eventually(lambda: len(run.happened) > judged)

        assert len([each for each in list(run.happened)[judged:] if type(each).__name__ == "Judged"]) == 1, "of the label alone"


def test_what_lives_elsewhere_is_not_known(server: Server, place: str) -> None:
    stock(server, place, "failed")
    elsewhere = seed.namespace(server)
    stock(server, elsewhere, "failed", "failed", name="other")

    with serving(server.kubeconfig(), place) as run:
        ready(run)
        assert set(run.views()) == {"shop"}


def test_a_dry_run_deletes_nothing_and_does_not_turn_round(server: Server, place: str) -> None:
    names = stock(server, place, "failed", "failed", "failed")

    with serving(server.kubeconfig(), place, policy=AT_ONCE, dry_run=True) as run:
        ready(run)
        commit(server, place, "shop", seed.sha("the next one"))
        names += stock(server, place, "failed", name="blog")
        eventually(lambda: run.swept("watch"))

        assert living(server, place) == set(names)
        assert run.fates() == ["would-delete"] * 4, "each is told once, until everything is swept again"
        assert run.service.vitals().dry_run


def test_a_standby_knows_and_judges_and_deletes_nothing_until_it_leads(server: Server, place: str) -> None:
    names = stock(server, place, "failed", "failed")
    leading: list[bool] = []

    def led() -> Refusal | None:
        return None if leading else Refusal("leader", "another leads")

    with serving(server.kubeconfig(), place, policy=AT_ONCE, led=led) as run:
        ready(run)
        assert (living(server, place), run.service.snapshot().backlog) == (set(names), 2)
        assert run.service.vitals().ready
        leading.append(True)
        run.service.tick("leader")
        eventually(lambda: living(server, place) == set())
        eventually(lambda: run.swept("leader"))

    assert [(each.trigger, each.outcome) for each in run.swept()] == [("start", "done"), ("leader", "done")]


_FAILED: tuple[Outcome, ...] = ("failed",)


def test_one_that_ceases_to_lead_in_the_middle_stops(server: Server, place: str) -> None:
    stock(server, place, *_FAILED * 20)
    asked: list[int] = []

    def led() -> Refusal | None:
        asked.append(1)
        return None if len(asked) < 12 else Refusal("leader", "another leads")

    with serving(server.kubeconfig(), place, policy=AT_ONCE, led=led, delete_workers=1) as run:
        eventually(lambda: run.swept("start"))
        assert 10 < len(living(server, place)) < 20
        assert run.swept()[0].outcome == "braked"


def test_a_cap_holds_until_the_next_sweep_of_everything(server: Server, place: str) -> None:
    stock(server, place, "failed", "failed", "failed", "failed")

    with serving(server.kubeconfig(), place, policy=AT_ONCE, max_deletions=1) as run:
        ready(run)
        assert len(living(server, place)) == 3
        patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"labels": {"at": "last"}}})
        eventually(lambda: _labels(run, "shop").get("at") == "last")
        assert len(living(server, place)) == 3
        run.service.tick("interval")
        eventually(lambda: len(living(server, place)) == 2)

    assert [each.backlog for each in run.swept()] == [3, 2]


def _labels(run: Serving, name: str) -> dict[str, str]:
    gitrepo = run.views()[name].gitrepo
    return dict(gitrepo.labels) if gitrepo else {}


def test_a_pause_holds_and_its_end_lets_go(server: Server, place: str) -> None:
    stock(server, place, "failed", "failed")
    home = seed.namespace(server)
    pause = f"/api/v1/namespaces/{home}"
    patch(server, pause, {"metadata": {"annotations": {"gitjob-cleaner/pause": "true"}}})

    with serving(server.kubeconfig(), place, policy=AT_ONCE, own_namespace=home) as run:
        ready(run)
        assert run.swept()[0].outcome == "braked"
        assert (len(living(server, place)), run.service.vitals().paused) == (2, True)
        patch(server, pause, {"metadata": {"annotations": None}})
        eventually(lambda: living(server, place) == set())
        eventually(lambda: not run.service.vitals().paused)


def test_a_protected_namespace_is_heard_of_by_the_watch(server: Server) -> None:
    place = seed.namespace(server)
    stock(server, place, "succeeded")

    with serving(server.kubeconfig(), policy=KEEP_ALL) as run:
        ready(run)
        patch(server, f"/api/v1/namespaces/{place}", {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}})
        eventually(lambda: _reasons(run, place) == ["protected"], lambda: _reasons(run, place))


def _reasons(run: Serving, place: str) -> list[str]:
    views = [view for owner, view in run.service.snapshot().views.items() if owner.namespace == place]
    return [verdict.reason.value for view in views for verdict in view.plan.verdicts]


def test_without_a_watch_only_the_interval_counts(server: Server, place: str) -> None:
    stock(server, place, "failed")

    with serving(server.kubeconfig(), place, policy=AT_ONCE, shape=PLAIN) as run:
        eventually(lambda: living(server, place) == set())
        stock(server, place, "failed", name="blog")
        run.service.tick("interval")
        eventually(lambda: living(server, place) == set())

    assert [each.trigger for each in run.swept()] == ["start", "interval"]
    assert run.service.vitals().signs == {}


def test_a_gitrepo_that_goes_is_shown_no_more(server: Server, place: str) -> None:
    stock(server, place, "succeeded")

    with serving(server.kubeconfig(), place) as run:
        ready(run)
        must(server.request("DELETE", f"{GITREPOS.format(place)}/shop"))
        eventually(lambda: [v.reason.value for v in run.views()["shop"].plan.verdicts] == ["not-owned"])
        for name in living(server, place):
            must(server.request("DELETE", f"{JOBS.format(place)}/{name}", {"propagationPolicy": "Background"}))
        eventually(lambda: run.views() == {})


@pytest.mark.parametrize(("count", "readers", "watching"), [(1, 3, 2), (16, 33, 32), (17, 1, 0)])
def test_each_of_a_few_named_namespaces_is_watched_and_none_of_many(count: int, readers: int, watching: int) -> None:
    scope = Scope(tuple(f"team-{n}" for n in range(count)))
    found = readers_for(scope, _unwired(), Shape())

    assert (len(found), sum(reader.watches for reader in found)) == (readers, watching)
    assert {source.namespace for reader in found for source in reader.sources} == set(scope.namespaces)


def _unwired() -> Wiring:
    nothing: Any = None
    return Wiring(nothing, nothing, clock(), lambda _: None, lambda _: None)
