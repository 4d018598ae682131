"""The board: totals that are kept as GitRepos change equal those counted anew, and each due Job has its moment."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cleaner.model import Fleet, Owner
from cleaner.retention import Plan, Reason, Verdict
from cleaner.service.board import Board, Due, Judgement
from tests.core.worlds import UID, job, job_facts

SHOP = Owner("team", "shop", UID)
FLEET = Fleet("0.16.1", recreates=False)
JOBS = job_facts(job(f"shop-{n}", outcome) for n, outcome in enumerate(["failed", "succeeded", None]))


def judged(*verdicts: Verdict, changed: float | None = None) -> Judgement:
    return Judgement(None, Plan(list(verdicts)), FLEET, changed)


def test_a_job_whose_time_came_has_been_due_since_then() -> None:
    board = Board(0.0)
    board.put(SHOP, judged(Verdict(JOBS[0], Reason.YOUNG, 50.0)), 10.0)
    board.put(SHOP, judged(Verdict(JOBS[0], Reason.SUPERSEDED, since=50.0)), 51.0)
    assert board.due(JOBS[0]) == Due(50.0, seen=True)

    board.put(SHOP, judged(Verdict(JOBS[0], Reason.SUPERSEDED, since=50.0), changed=70.0), 71.0)
    assert board.due(JOBS[0]) == Due(50.0, seen=True), "it has been due since the first time"


def test_a_job_that_a_commit_has_replaced_has_been_due_since_that_was_known() -> None:
    board = Board(0.0)
    board.put(SHOP, judged(Verdict(JOBS[0], Reason.CURRENT)), 10.0)
    board.put(SHOP, judged(Verdict(JOBS[0], Reason.SUPERSEDED, since=5.0), changed=20.0), 20.2)
    assert board.due(JOBS[0]) == Due(20.0, seen=True)

    board.put(SHOP, judged(Verdict(JOBS[0], Reason.CURRENT)), 30.0)
    assert board.due(JOBS[0]) is None
    board.put(SHOP, judged(Verdict(JOBS[0], Reason.SUPERSEDED, since=90.0), changed=40.0), 91.0)
    assert board.due(JOBS[0]) == Due(90.0, seen=True), "its age came later than the commit"


def test_a_job_that_was_due_before_anybody_watched_is_due_but_not_late() -> None:
    board = Board(0.0)
    board.put(SHOP, judged(Verdict(JOBS[0], Reason.SUPERSEDED, since=5.0), changed=20.0), 20.2)
    assert board.due(JOBS[0]) == Due(5.0, seen=False)

    board.publish(21.0, fleet=FLEET)
    assert board.snapshot.oldest_due == 5.0
    assert board.snapshot.backlog == 1
    assert board.snapshot.fleet == FLEET


VERDICTS = st.lists(st.tuples(st.sampled_from(range(3)), st.sampled_from(list(Reason))), unique_by=lambda pair: pair[0])
STORIES = st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), VERDICTS)), max_size=20)


@given(STORIES)
@settings(max_examples=200)
def test_totals_are_those_of_the_views(story: list[tuple[str, list[tuple[int, Reason]] | None]]) -> None:
    board = Board(0.0)
    for at, (name, verdicts) in enumerate(story):
        owner = Owner("team", name, name)
        if verdicts is None:
            board.drop([owner])
        else:
            board.put(owner, judged(*(Verdict(JOBS[n], reason, since=float(at)) for n, reason in verdicts)), float(at))
    board.publish(100.0)

    counted: Counter[object] = Counter()
    for view in board.snapshot.views.values():
        counted.update((verdict.job.outcome, verdict.reason) for verdict in view.plan.verdicts)
    assert board.snapshot.tally == dict(counted)
    assert set(board.backlog()) == {view.owner for view in board.snapshot.views.values() if view.backlog}
    waiting = [view.oldest_due for view in board.snapshot.views.values() if view.oldest_due is not None]
    assert board.snapshot.oldest_due == min(waiting, default=None)
