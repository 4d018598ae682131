"""What changes between the decision and the deletion spares; what is deleted meanwhile is told and counted as what it was."""

import io
import json
import threading
import time
from typing import Any

import pytest

from cleaner.happened import Attempted, Spared
from cleaner.report import Heading, write_document, write_result
from cleaner.result import exit_code
from cleaner.retention import Policy
from tests.edge.faults import Ahead, is_delete, refusal, stock
from tests.edge.passes import Passed, clock, sweep
from tests.edge.servers import GITREPOS, JOBS, names_of, patch
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Before, Fault, LoseAnswer, Proxy, Request

PROTECTED = {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}}
DAY = 86400.0


def living(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(control_plane, JOBS.format(namespace))


def protect(control_plane: ControlPlane, namespace: str, name: str = "shop") -> None:
    """Somebody protects a GitRepo."""
    patch(control_plane, f"{GITREPOS.format(namespace)}/{name}", PROTECTED)


def told(passed: Passed, name: str) -> list[type]:
    """What was told of one Job's end, in order."""
    return [type(h) for h in passed.happened if isinstance(h, Attempted | Spared) and h.verdict.job.name == name]


def finalized(control_plane: ControlPlane, namespace: str, count: int) -> list[str]:
    """A GitRepo and so many due Jobs that wait for a finalizer (the newest is kept)."""
    repo = seed.gitrepo(namespace, "shop")
    (owner,) = seed.put(control_plane, [repo])
    waits = {"finalizers": ["example.com/wait"]}
    old = seed.commits(repo, count)
    jobs = [seed.job(owner, c, "failed", finished=seed.ago(hours=900 - n), metadata=waits) for n, c in enumerate(old)]
    seed.bulk(control_plane, jobs)
    return [job.object["metadata"]["name"] for job in jobs]


@pytest.mark.parametrize("lookahead", [1, 64])
@pytest.mark.parametrize(("annotation", "text"), [("protect", "true"), ("failed-keep", "50")])
def test_an_annotation_put_on_the_namespace_meanwhile_spares_the_jobs_of_all_its_gitrepos(
    control_plane: ControlPlane, namespace: str, annotation: str, text: str, lookahead: int
) -> None:
    names = {name for gitrepo in ("alpha", "beta", "gamma") for name in stock(control_plane, namespace, 4, gitrepo)}
    wish = {"metadata": {"annotations": {f"gitjob-cleaner/{annotation}": text}}}

    passed = sweep(
        control_plane.kubeconfig(),
        namespace,
        lookahead=lookahead,
        between=lambda: patch(control_plane, f"/api/v1/namespaces/{namespace}", wish),
    )

    assert (passed.fates(), living(control_plane, namespace)) == ({}, names)


def test_a_gitrepo_that_falls_asleep_meanwhile_keeps_its_jobs(control_plane: ControlPlane, namespace: str) -> None:
    """Nothing has changed but the time: an old Fleet's last poll is now more than three intervals ago."""
    polled = seed.stamp(seed.ago(seconds=100))
    repo = seed.gitrepo(namespace, "shop", spec={"pollingInterval": "60s", "disablePolling": None}, lastPollingTriggered=polled)
    (owner,) = seed.put(control_plane, [repo])
    old = seed.commits(repo, 4)
    seed.bulk(control_plane, [seed.job(owner, c, "failed", finished=seed.ago(hours=900), legacy=True) for c in old])
    ahead = [0.0]

    passed = sweep(
        control_plane.kubeconfig(),
        namespace,
        policy=Policy(clock_bound=3600.0),
        timer=clock()._replace(now=lambda: time.time() + ahead[0]),
        between=lambda: ahead.__setitem__(0, 600.0),
        fleet_version="v0.10.2",
    )

    assert passed.fates() == {}
    assert set(passed.reasons().values()) == {"asleep"}


@pytest.mark.parametrize("bound", [30.0, 10 * DAY])
def test_a_clock_that_was_days_ahead_when_it_was_decided_deletes_nothing_young(
    control_plane: ControlPlane, namespace: str, bound: float
) -> None:
    """Whether the skew is seen at once (30 s) or tolerated: what is deleted is due by the time of the deletion."""
    repo = seed.gitrepo(namespace, "shop")
    (owner,) = seed.put(control_plane, [repo])
    young = [seed.job(owner, c, "failed", finished=seed.ago(hours=10 - n)) for n, c in enumerate(seed.commits(repo, 4))]
    seed.bulk(control_plane, young)
    ahead = [4 * DAY]

    def set_right() -> None:
        ahead[0] = 0.0
        time.sleep(1.1)  # The API's Date goes on, so that the next answer shows that the clock is right.

    passed = sweep(
        control_plane.kubeconfig(),
        namespace,
        policy=Policy(clock_bound=bound),
        timer=clock()._replace(now=lambda: time.time() + ahead[0]),
        between=set_right,
        own_namespace="default",
    )

    assert (passed.fates(), len(living(control_plane, namespace))) == ({}, 4)
    assert exit_code(passed.result) == (5 if bound == 30.0 else 0)


@pytest.mark.parametrize("protected", [True, False])
def test_after_a_late_401_the_gitrepo_is_read_before_the_delete_is_repeated(
    control_plane: ControlPlane, namespace: str, *, protected: bool
) -> None:
    (name, kept) = stock(control_plane, namespace, 2)
    ahead = Ahead()

    def rule(request: Request) -> Answer | None:
        if not is_delete(request) or request.nth > 1:
            return None
        ahead.push(8)
        if protected:
            protect(control_plane, namespace)
        return refusal(401, "Unauthorized")

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=ahead.clock())

    trace = [s.request.method for s in proxy.seen if is_delete(s.request) or s.request.path.endswith("/gitrepos/shop")]
    assert trace == (["GET", "DELETE", "GET"] if protected else ["GET", "DELETE", "GET", "DELETE"])
    assert living(control_plane, namespace) == ({name, kept} if protected else {kept})
    assert passed.of("deleted") == (set() if protected else {name})


def overtaken(control_plane: ControlPlane, namespace: str, fate: Fault | None) -> tuple[Passed, list[str]]:
    """While the first DELETE is under way its GitRepo is protected and read again; then the DELETE is done."""
    names = stock(control_plane, namespace, 21)
    ahead, read_again = Ahead(), threading.Event()

    def rule(request: Request) -> Fault | None:
        if is_delete(request) and request.path.endswith(names[0]):
            read_again.wait(30)
            return fate
        if is_delete(request):
            ahead.push(6)
        elif request.method == "GET" and request.path.endswith("/gitrepos/shop") and request.nth == 2:
            protect(control_plane, namespace)
            read_again.set()
        return None

    with Proxy(control_plane, rule) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        return sweep(kubeconfig, namespace, timer=ahead.clock(), delete_workers=2), names


def test_a_lost_answer_is_unconfirmed_though_its_gitrepo_is_protected_by_then(
    control_plane: ControlPlane, namespace: str
) -> None:
    passed, names = overtaken(control_plane, namespace, LoseAnswer())

    assert names[0] not in living(control_plane, namespace)
    assert passed.of("unconfirmed") == {names[0]}
    assert Attempted in told(passed, names[0])
    assert exit_code(passed.result) == 1


def test_what_is_deleted_in_flight_is_told_as_tried_and_never_as_spared(control_plane: ControlPlane, namespace: str) -> None:
    passed, names = overtaken(control_plane, namespace, None)

    gone = set(names) - living(control_plane, namespace)
    assert passed.of("deleted") == gone
    assert names[0] in gone
    assert {name: told(passed, name) for name in gone} == {name: [Attempted] for name in gone}


def test_what_was_deleted_has_a_verdict_that_deletes_in_every_output(control_plane: ControlPlane, namespace: str) -> None:
    """Its GitRepo was judged again after that, and would be protected now."""
    passed, _ = overtaken(control_plane, namespace, None)
    gone, heading = len(passed.of("deleted")), Heading("sweep", "1", "context", "server")
    table, written = io.StringIO(), io.BytesIO()
    write_result(table, heading, passed.result)
    write_document(written, heading, passed.result)
    document: Any = json.loads(written.getvalue())

    assert {v.reason.value for v in passed.result.verdicts() if v.job.uid in passed.result.deletions} == {"superseded"}
    totals = document["totals"]
    assert (totals["doomed"], sum(totals["kept"].values()), totals["jobs"]) == ({"superseded": gone}, 21 - gone, 21)
    assert sum(job["verdict"] == "delete" and job["result"] == "deleted" for job in document["jobs"]) == gone
    row = next(line.split() for line in table.getvalue().splitlines() if line.startswith(f"{namespace}/shop "))
    assert row[1:4] == ["21", str(gone), str(21 - gone)]


@pytest.mark.parametrize("fault", ["finalizers", "lost answers"])
def test_the_cap_counts_what_waits_for_finalizers_and_what_may_be_gone(
    control_plane: ControlPlane, namespace: str, fault: str
) -> None:
    (finalized if fault == "finalizers" else stock)(control_plane, namespace, 21)

    def rule(request: Request) -> LoseAnswer | None:
        return LoseAnswer() if fault == "lost answers" and is_delete(request) and request.nth == 1 else None

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, max_deletions=3, timer=Ahead().clock())

    assert len({seen.request.path for seen in proxy.seen if is_delete(seen.request)}) == 3
    assert passed.fates() == {"terminating" if fault == "finalizers" else "unconfirmed": 3}
    assert passed.result.backlog == 17


def test_a_job_with_a_finalizer_whose_answer_was_lost_is_terminating(control_plane: ControlPlane, namespace: str) -> None:
    names = finalized(control_plane, namespace, 2)

    with Proxy(control_plane, lambda request: LoseAnswer() if is_delete(request) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=Ahead().clock())

    assert (passed.of("terminating"), passed.fates()) == ({names[0]}, {"terminating": 1})


def test_a_job_that_nobody_owns_any_more_is_not_deleted_while_it_is_there(control_plane: ControlPlane, namespace: str) -> None:
    name, kept = finalized(control_plane, namespace, 2)
    path = f"{JOBS.format(namespace)}/{name}"
    orphan = Before(lambda: patch(control_plane, path, {"metadata": {"ownerReferences": None}}))

    with Proxy(control_plane, lambda r: orphan if (r.method, r.path) == ("GET", path) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    assert passed.fates() == {"terminating": 1}
    assert living(control_plane, namespace) == {name, kept}


def test_a_load_balancers_404_is_not_the_apis_word_that_a_job_is_gone(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)
    page = Answer(404, b"<html>no backend</html>", {"Content-Type": "text/html"})

    with Proxy(control_plane, lambda request: page if is_delete(request) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=Ahead().clock())

    assert (passed.fates(), exit_code(passed.result)) == ({"failed": 3}, 1)
    assert living(control_plane, namespace) == set(names)
