"""The canary: what counts as a deleted current Job that came back, and what follows from it."""

import pytest

from cleaner.model import Job, Owner
from cleaner.sweep.canary import BLOCKED, WATCHED, Canary, came_back
from tests.core.worlds import COMMIT, current_job, job_facts

LEGACY: dict[str, str] = {}


def made(uid: str, *, generation: str = "4", force_sync: str = "2", commit: str = COMMIT, owner_uid: str = "shop-1") -> Job:
    """Make a current Job; an empty generation makes it a legacy one."""
    labels = {"fleet.cattle.io/gitrepo-generation": generation, "fleet.cattle.io/force-sync-generation": force_sync}
    raw = current_job(labels=labels if generation else LEGACY, owner_uid=owner_uid)
    raw["metadata"]["annotations"]["commit"] = commit
    raw["metadata"]["uid"] = uid
    return job_facts([raw])[0]


@pytest.mark.parametrize(
    ("deleted", "found", "expected"),
    [
        pytest.param(made("a"), made("b"), True, id="another-uid"),
        pytest.param(made("a"), made("a"), False, id="the-same-uid-is-still-there"),
        pytest.param(made("a"), made("b", commit="c0de"), False, id="another-commit"),
        pytest.param(made("a"), made("b", generation="5"), False, id="a-spec-change-raised-the-generation"),
        pytest.param(made("a"), made("b", force_sync="3"), False, id="a-force-update-raised-the-other"),
        pytest.param(made("a"), made("b", generation="10"), False, id="generations-are-numbers"),
        pytest.param(made("a"), made("b", generation="3", force_sync="1"), True, id="lower-generations-raise-nothing"),
        pytest.param(made("a"), made("b", generation="latest"), True, id="no-number-raises-nothing"),
        pytest.param(made("a"), made("b", generation="9" * 40), True, id="nor-does-one-that-is-too-long"),
        pytest.param(made("a", generation=""), made("b", generation=""), True, id="legacy-again"),
        pytest.param(made("a"), made("b", owner_uid="shop-2"), False, id="the-gitrepo-was-made-anew"),
    ],
)
def test_whether_a_job_came_back(deleted: Job, found: Job, expected: bool) -> None:
    assert expected is came_back(deleted, found)


def test_a_deleted_job_is_watched_for_ten_minutes() -> None:
    canary = Canary()
    canary.deleted([made("a")], at=1000.0)
    canary.deleted([made("b")], at=1300.0)

    assert WATCHED == 600.0
    assert [job.uid for job in canary.watched(1000.0 + WATCHED - 1)] == ["a", "b"]
    assert [job.uid for job in canary.watched(1000.0 + WATCHED)] == ["b"]
    assert canary.watched(1300.0 + WATCHED) == []


def test_jobs_that_prove_nothing_any_more_are_forgotten() -> None:
    canary = Canary()
    for second in range(0, 6000, 60):
        canary.deleted([made(f"uid-{second}")], at=float(second))

    assert len(canary.gone) == WATCHED / 60


def test_a_tripped_canary_blocks_that_gitrepo_for_a_day() -> None:
    canary, back = Canary(), made("a")
    canary.deleted([back], at=1000.0)
    canary.trip(back, at=1010.0)
    other = Owner("team", "blog", "blog-1")

    assert BLOCKED == 86400.0
    assert [canary.blocks(back.owner, at) for at in (1010.0, 1010.0 + BLOCKED - 1, 1010.0 + BLOCKED)] == [True, True, False]
    assert not canary.blocks(other, 1010.0)
    assert canary.watched(1010.0) == []


def test_a_new_process_has_learnt_nothing() -> None:
    canary = Canary()

    assert not canary.proven
    assert not canary.blocks(made("a").owner, 0.0)
    assert canary.watched(0.0) == []
