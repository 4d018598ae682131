"""What the guard does next for a GitRepo, case by case."""

import pytest

from cleaner.model import GitRepo
from cleaner.service.wards import BOUND, Step, Ward, next_look, next_step

AT = 1000.0


def ward(
    *, covered: bool = True, guarded: bool = True, leaving: float | None = None, told: bool = False, cleared: bool = False
) -> Ward:
    """A GitRepo that has been seen leaving for so many seconds."""
    gitrepo = GitRepo("team", "shop", "uid", guarded=guarded, deleting_since=None if leaving is None else 1.0)
    return Ward(gitrepo, covered, None if leaving is None else AT - leaving, told, cleared)


@pytest.mark.parametrize(
    ("known", "step"),
    [
        pytest.param(ward(), Step.NOTHING, id="held"),
        pytest.param(ward(guarded=False), Step.HOLD, id="new"),
        pytest.param(ward(covered=False), Step.RELEASE, id="not-ours-any-more"),
        pytest.param(ward(covered=False, guarded=False), Step.NOTHING, id="never-ours"),
        pytest.param(ward(leaving=0, guarded=False), Step.NOTHING, id="left-before-it-was-held"),
        pytest.param(ward(leaving=0), Step.TELL, id="leaves"),
        pytest.param(ward(leaving=1, told=True), Step.CLEAR, id="has-told"),
        pytest.param(ward(leaving=1, told=True, cleared=True), Step.RELEASE, id="is-done"),
        pytest.param(ward(leaving=BOUND - 1, told=True), Step.CLEAR, id="within-the-bound"),
        pytest.param(ward(leaving=BOUND, told=True), Step.RELEASE, id="at-the-bound"),
        pytest.param(ward(leaving=BOUND), Step.RELEASE, id="at-the-bound-without-a-word"),
        pytest.param(ward(leaving=BOUND - 1, covered=False), Step.NOTHING, id="its-own-guard-may-be-at-it"),
        pytest.param(ward(leaving=BOUND, covered=False), Step.RELEASE, id="its-own-guard-is-not-at-it"),
        pytest.param(ward(leaving=BOUND, guarded=False), Step.NOTHING, id="gone-from-us"),
    ],
)
def test_what_is_next(known: Ward, step: Step) -> None:
    assert next_step(known, AT) is step


def test_what_is_not_guarded_any_more_waits_for_nothing() -> None:
    assert next_step(ward(leaving=0, covered=False), AT, bound=0.0) is Step.RELEASE


def test_the_deletion_counts_from_when_it_was_first_seen() -> None:
    known = ward()
    leaves = GitRepo("team", "shop", "uid", guarded=True, deleting_since=1.0)

    known.see(leaves, covered=True, now=AT)
    known.see(leaves, covered=True, now=AT + 20)

    assert next_look(known, AT + 20) == AT + BOUND
    assert next_step(known, AT + BOUND) is Step.RELEASE


def test_a_finalizer_that_comes_back_is_told_once_and_left() -> None:
    known = ward(covered=False)
    held, free = known.gitrepo, GitRepo("team", "shop", "uid")
    known.done(Step.RELEASE)

    seen = [known.see(gitrepo, covered=False, now=AT) for gitrepo in (free, held, held)]

    assert seen == [False, True, False]
    assert next_step(known, AT) is Step.NOTHING


def test_what_comes_into_scope_and_leaves_it_again_is_let_go_again() -> None:
    known = ward(covered=False)
    held = known.gitrepo
    known.done(Step.RELEASE)
    known.see(GitRepo("team", "shop", "uid"), covered=True, now=AT)
    known.done(Step.HOLD)

    assert not known.see(held, covered=False, now=AT)
    assert next_step(known, AT) is Step.RELEASE


def test_a_step_that_fails_waits_longer_each_time_and_no_other_waits_for_it() -> None:
    known = ward(leaving=0, told=True)
    for _ in range(9):
        known.failed(Step.CLEAR, AT)
        assert next_look(known, AT) is not None

    assert known.again == {Step.CLEAR: AT + 60.0}
    assert known.again.get(Step.RELEASE) is None
    known.done(Step.CLEAR)
    assert next_step(known, AT) is Step.RELEASE
