"""The brakes and the rate: they slow and stop, they never spin, and one bad object never holds the others up."""

import time
from typing import Any

import pytest

from cleaner.cluster import Clock
from cleaner.happened import NamespaceRefused, Spared
from cleaner.result import exit_code
from cleaner.retention import Current, Policy, Rule
from cleaner.sweep import Canary
from tests.edge.faults import FORBIDDEN, Ahead, is_delete, refusal, stock
from tests.edge.passes import Passed, sweep
from tests.edge.servers import GITREPOS, JOBS, names_of, patch
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Fault, LoseAnswer, Proxy, Request

LET_GO = Policy(succeeded=Rule(0, 60.0), current=Current.SUCCEEDED)
DIGITS = "1" * 200_000


def living(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(control_plane, JOBS.format(namespace))


def hastened(times: float = 4.0) -> Clock:
    """Real waits and real races, in a world that goes so many times faster."""
    return Clock(time.time, lambda: time.monotonic() * times, lambda seconds: time.sleep(seconds / times))


def deletes(proxy: Proxy) -> list[str]:
    """Names of the Jobs whose DELETE was sent, in that order."""
    return [seen.request.path.rpartition("/")[2] for seen in proxy.seen if is_delete(seen.request)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_a_low_rate_with_many_workers_ends_with_everything_deleted(
    control_plane: ControlPlane, namespace: str, rate: float
) -> None:
    """A worker's turn may come later than the 5 s for which a reading is fresh: that must not be waited for in vain."""
    names = stock(control_plane, namespace, 31)

    passed = sweep(control_plane.kubeconfig(), namespace, timer=hastened(), delete_rate=rate, delete_workers=8)

    assert passed.of("deleted") == set(names[:-1])


@pytest.mark.timeout(60)
def test_a_burst_of_429_is_one_plea_for_patience(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 19)
    sent = [0]

    def rule(request: Request) -> Answer | None:
        sent[0] += is_delete(request)
        return Answer(429, b"{}") if is_delete(request) and sent[0] <= 16 else None

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=hastened(), delete_rate=50.0)

    assert passed.of("deleted") == set(names[:-1])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("status", "reason"), [(500, "InternalError"), (429, "TooManyRequests")])
@pytest.mark.parametrize("which", ["one", "all"])
def test_a_delete_that_never_works_ends_after_five_requests_and_the_others_go_on(
    control_plane: ControlPlane, namespace: str, status: int, reason: str, which: str
) -> None:
    names = stock(control_plane, namespace, 7)
    bad = {names[1]} if which == "one" else set(names[:-1])

    def rule(request: Request) -> Answer | None:
        hit = is_delete(request) and request.path.rpartition("/")[2] in bad
        return refusal(status, reason, "failed calling webhook") if hit else None

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=Ahead().clock(), delete_rate=50.0)

    assert {name: deletes(proxy).count(name) for name in bad} == dict.fromkeys(bad, 5)
    assert (passed.of("failed"), passed.of("deleted")) == (bad, set(names[:-1]) - bad)
    assert exit_code(passed.result) == 1


@pytest.mark.timeout(60)
def test_a_dry_delete_that_never_works_leaves_the_verdict_marked_with_the_cause(
    control_plane: ControlPlane, namespace: str
) -> None:
    names = stock(control_plane, namespace, 9)
    broken = refusal(500, "InternalError", "failed calling webhook")

    with Proxy(control_plane, lambda request: broken if is_delete(request) else None) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        passed = sweep(kubeconfig, namespace, dry_run=True, timer=Ahead().clock(), delete_rate=50.0)

    assert (passed.of("would-delete"), exit_code(passed.result)) == (set(names[:-1]), 0)
    assert all("failed calling webhook" in deletion.detail for deletion in passed.result.deletions.values())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["annotation", "interval"])
def test_two_hundred_thousand_digits_for_a_duration_cost_that_gitrepo_only(
    control_plane: ControlPlane, namespace: str, where: str
) -> None:
    evil, good = stock(control_plane, namespace, 3, "evil"), stock(control_plane, namespace, 3, "good")
    annotated = {"metadata": {"annotations": {"gitjob-cleaner/failed-age": DIGITS}}}
    body = annotated if where == "annotation" else {"spec": {"pollingInterval": DIGITS}}
    patch(control_plane, f"{GITREPOS.format(namespace)}/evil", body)

    passed = sweep(control_plane.kubeconfig(), namespace)

    assert passed.of("deleted") == set(good[:2])
    assert {passed.reasons()[name] for name in evil} == {"unreadable"}


def current_jobs(control_plane: ControlPlane, namespace: str, count: int) -> list[str]:
    """GitRepos with one succeeded current Job each; the names of the Jobs."""
    owners = seed.put(control_plane, [seed.gitrepo(namespace, f"app-{n}") for n in range(count)])
    jobs = [seed.job(o, o["status"]["commit"], finished=seed.ago(hours=100 - n)) for n, o in enumerate(owners)]
    seed.bulk(control_plane, jobs)
    return [job.object["metadata"]["name"] for job in jobs]


def behind_a_canary(control_plane: ControlPlane, namespace: str, rule: Any, canary: Canary) -> tuple[Passed, Proxy]:
    """A pass that lets current Jobs go, through a proxy."""
    with Proxy(control_plane, rule) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        return sweep(kubeconfig, namespace, policy=LET_GO, canary=canary, timer=Ahead().clock()), proxy


def test_a_canary_whose_answer_was_lost_is_looked_for_before_any_other_goes(control_plane: ControlPlane, namespace: str) -> None:
    names = current_jobs(control_plane, namespace, 6)

    def rule(request: Request) -> Fault | None:
        return LoseAnswer() if is_delete(request) and request.path.endswith(names[0]) and request.nth == 1 else None

    canary = Canary(pause=10.0)
    passed, proxy = behind_a_canary(control_plane, namespace, rule, canary)

    about_jobs = [s.request for s in proxy.seen if "/jobs/" in s.request.path]
    before = about_jobs[: next(n for n, r in enumerate(about_jobs) if is_delete(r) and not r.path.endswith(names[0]))]
    assert [r.method for r in before if r.path.endswith(names[0])][-1] == "GET"
    assert (passed.of("unconfirmed"), passed.of("deleted")) == ({names[0]}, set(names[1:]))
    assert canary.proven


def test_where_the_canary_cannot_be_looked_for_no_other_current_job_goes(control_plane: ControlPlane, namespace: str) -> None:
    names = current_jobs(control_plane, namespace, 6)

    def rule(request: Request) -> Fault | None:
        return FORBIDDEN if request.method == "GET" and "/jobs/" in request.path else None

    canary = Canary(pause=10.0)
    passed, proxy = behind_a_canary(control_plane, namespace, rule, canary)

    assert deletes(proxy) == names[:1]
    assert living(control_plane, namespace) == set(names[1:])
    assert passed.result.brake is not None
    assert (passed.result.brake.brake, exit_code(passed.result), canary.proven) == ("canary", 5, False)


def test_an_old_job_that_a_revert_makes_current_does_not_go_in_this_pass(control_plane: ControlPlane, namespace: str) -> None:
    """It was doomed as superseded: as a current one it would have to go behind the canary."""
    repo = seed.gitrepo(namespace, "shop")
    (owner,) = seed.put(control_plane, [repo])
    old = seed.commits(repo, 3)
    jobs = [seed.job(owner, c, finished=seed.ago(hours=900 - n)) for n, c in enumerate(old)]
    seed.bulk(control_plane, jobs)
    names = [job.object["metadata"]["name"] for job in jobs]

    def revert() -> None:
        status = {"status": {"commit": old[0], "pollingCommit": old[0]}}
        path = f"{GITREPOS.format(namespace)}/shop/status"
        assert control_plane.request("PATCH", path, status, content_type="application/merge-patch+json")[0] == 200

    canary = Canary(pause=0.1)
    passed = sweep(control_plane.kubeconfig(), namespace, policy=LET_GO, between=revert, canary=canary)

    assert living(control_plane, namespace) == {names[0]}
    assert passed.of("deleted") == set(names[1:])
    assert [h.verdict.job.name for h in passed.happened if isinstance(h, Spared)] == names[:1]


def test_an_own_namespace_that_does_not_exist_stops_every_deletion(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)

    passed = sweep(control_plane.kubeconfig(), namespace, own_namespace="gitjob-claener")

    assert passed.result.brake is not None
    assert (passed.result.brake.brake, exit_code(passed.result)) == ("pause", 5)
    assert (passed.fates(), living(control_plane, namespace)) == ({}, set(names))


@pytest.mark.parametrize("lookahead", [1, 64])
def test_a_refused_namespace_is_told_once_however_many_gitrepos_it_has(
    control_plane: ControlPlane, namespace: str, lookahead: int
) -> None:
    names = {name for n in range(12) for name in stock(control_plane, namespace, 2, f"app-{n}")}

    def rule(request: Request) -> Fault | None:
        return FORBIDDEN if request.method == "GET" and "/gitrepos/" in request.path else None

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, lookahead=lookahead)

    assert [refused.namespace for refused in passed.result.refused] == [namespace]
    assert len([h for h in passed.happened if isinstance(h, NamespaceRefused)]) == 1
    assert (living(control_plane, namespace), exit_code(passed.result)) == (names, 1)
