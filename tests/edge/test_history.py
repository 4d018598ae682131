"""What is remembered for people: bounded, and honest about since when it is complete."""

import threading

import pytest

from cleaner.cluster import Fate
from cleaner.happened import (
    AnnouncementsDropped,
    ErrorKept,
    ErrorsRecalled,
    Finished,
    Happened,
    Late,
    Led,
    NamespaceRefused,
    OfPods,
    Read,
    Requested,
    Spared,
    Unreadable,
    WatchEnded,
)
from cleaner.model import KeptError
from cleaner.retention import Reason, Verdict
from cleaner.web import Bounds, History
from cleaner.web.history import Past
from cleaner.web.recollection import EACH
from tests.edge.scenes import braked, deleted, job, owner, swept

SHOP = owner("team/shop")


class Ticking:
    """A clock that goes on by a second each time that it is asked."""

    def __init__(self) -> None:
        self.at = 999.0

    def __call__(self) -> float:
        self.at += 1
        return self.at


def told(*events: Happened, **bounds: int) -> Past:
    """What is left of some events."""
    history = History(Ticking(), Bounds(**bounds))
    for event in events:
        history(event)
    return history.past()


def gone(number: int, of: str = "team/shop") -> Happened:
    return deleted(job(owner(of), f"{owner(of).name}-{number:05}"))


def test_nothing_has_happened_yet() -> None:
    past = told()

    assert (past.began, past.deleted, past.sweeps, past.errors) == (1000.0, 0, (), ())
    assert past.deletions_of(SHOP).since == past.errors_since == past.sweeps_since == past.passes_since == 1000.0


def test_deleted_jobs_are_remembered_newest_first() -> None:
    past = told(gone(1), gone(2), gone(3, "team/other"))

    assert [each.job.name for each in past.deletions_of(SHOP).jobs] == ["shop-00002", "shop-00001"]
    assert past.deleted == 3
    assert past.deletions_of(SHOP).since == past.began


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate is not Fate.DELETED])
def test_only_what_the_api_confirmed_counts_as_deleted(fate: Fate) -> None:
    past = told(deleted(job(SHOP, "shop-00001"), fate=fate))

    assert (past.deleted, past.deletions) == (0, {})


def test_a_gitrepo_with_many_deletions_tells_since_when_they_are_complete() -> None:
    past = told(*(gone(number) for number in range(5)), deleted_each=3)

    kept = past.deletions_of(SHOP)
    assert [each.job.name for each in kept.jobs] == ["shop-00004", "shop-00003", "shop-00002"]
    # The last one that is missing was deleted then.
    assert past.began < kept.since < kept.jobs[-1].at
    assert past.deleted == 5


def test_the_gitrepo_without_deletions_for_longest_is_forgotten_first() -> None:
    past = told(gone(1, "a/a"), gone(1, "b/b"), gone(2, "a/a"), gone(1, "c/c"), gitrepos=2)

    assert list(past.deletions) == [owner("a/a"), owner("c/c")]
    assert past.deletions_of(owner("b/b")).since > past.began
    assert past.deletions_of(owner("a/a")).since == past.began


def test_what_was_forgotten_stays_told_when_it_comes_again() -> None:
    past = told(gone(1, "b/b"), gone(1, "a/a"), gone(1, "c/c"), gone(2, "b/b"), gitrepos=2)

    assert past.deletions_of(owner("b/b")).since > past.began


def test_deletions_are_bounded_in_all() -> None:
    past = told(*(gone(number, f"team/app-{number % 7}") for number in range(500)), deleted_all=20, deleted_each=5)

    assert sum(len(each.jobs) for each in past.deletions.values()) <= 20
    assert past.deleted == 500


def test_sweeps_are_bounded_and_passes_do_not_push_them_out() -> None:
    past = told(swept(500), swept(400), swept(300), *(swept(ago, "watch") for ago in range(200, 0, -1)), sweeps=2)

    assert [each.trigger for each in past.sweeps] == ["interval", "interval"]
    assert len(past.passes) == 2
    assert past.sweeps_since == pytest.approx(swept(500).started + 2.4)
    assert past.passes_since == pytest.approx(swept(3).started + 2.4)


TROUBLES = [
    (deleted(job(SHOP, "shop-1"), fate=Fate.FAILED, detail="HTTP 500"), "deletion failed", "Job team/shop-1", "HTTP 500", True),
    (deleted(job(SHOP, "shop-1"), fate=Fate.DENIED), "deletion denied", "Job team/shop-1", "", True),
    (deleted(job(SHOP, "shop-1"), fate=Fate.UNCONFIRMED), "deletion unconfirmed", "Job team/shop-1", "", True),
    (NamespaceRefused("team", "list jobs", "forbidden", denied=True), "refused", "Namespace team", "list jobs: forbidden", True),
    (OfPods(NamespaceRefused("team", "list Pods", "no", denied=True)), "refused", "Namespace team", "list Pods: no", True),
    (NamespaceRefused("", "list jobs", "down", denied=False), "refused", "the whole cluster", "list jobs: down", True),
    (braked(), "brake", "clock", "our clock and the API's differ by 41s, more than 30s", True),
    (Requested("list", "jobs", "503", 0.1), "request", "list jobs", "answered 503", False),
    (Requested("list", "jobs", "timeout", 0.1), "request", "list jobs", "timeout", False),
    (WatchEnded("jobs", "team", "denied", "403"), "watch", "jobs in team", "denied: 403", True),
    (WatchEnded("jobs", "", "silent"), "watch", "jobs", "silent", False),
    (ErrorsRecalled((), "403"), "events", "Kubernetes Events", "not read: 403", False),
    (AnnouncementsDropped(3, "full"), "events", "Kubernetes Events", "not written: full", False),
]


@pytest.mark.parametrize(("event", "kind", "where", "text", "grave"), TROUBLES)
def test_errors_are_told(event: Happened, kind: str, where: str, text: str, grave: bool) -> None:
    (trouble,) = told(event).errors

    assert (trouble.kind, trouble.where, trouble.text, trouble.grave, trouble.count) == (kind, where, text, grave, 1)


@pytest.mark.parametrize(
    "event",
    [
        gone(1),
        Read("jobs", 5),
        Unreadable("Job", "team", "x", "odd"),  # the snapshot has these
        Spared(Verdict(job(SHOP, "shop-1"), Reason.SUPERSEDED)),
        Requested("list", "jobs", "200", 0.1),
        Requested("delete", "jobs", "404", 0.1),
        Requested("list", "jobs", "429", 0.1),
        WatchEnded("jobs", "", "closed"),
        WatchEnded("jobs", "", "expired"),
        Finished(job(SHOP, "shop-1")),
        Late(job(SHOP, "shop-1"), 2.0),
        swept(),
    ],
)
def test_what_is_no_error_is_not_told_as_one(event: Happened) -> None:
    assert told(event).errors == ()


def test_an_error_that_repeats_is_one_with_a_count() -> None:
    often = [Requested("list", "jobs", "503", 0.1)] * 40
    past = told(braked(), *often, gone(1), *often, errors=2)

    assert [(each.kind, each.count) for each in past.errors] == [("request", 80), ("brake", 1)]
    assert past.errors[0].first < past.errors[0].last
    assert past.errors_since == past.began


def test_errors_are_bounded_and_tell_since_when_they_are_complete() -> None:
    past = told(*(WatchEnded("jobs", f"team-{number}", "broken") for number in range(9)), errors=4)

    assert [each.where for each in past.errors] == [f"jobs in team-{number}" for number in (8, 7, 6, 5)]
    assert past.began < past.errors_since < past.errors[-1].last


def test_a_long_detail_is_cut() -> None:
    (trouble,) = told(WatchEnded("jobs", "", "broken", "x" * 100_000)).errors

    assert len(trouble.text) < 400


def test_the_last_change_of_the_leader_is_known() -> None:
    past = told(Led(True), Led(False, "lost"))

    assert past.led is not None
    assert past.led[1] == Led(False, "lost")


def test_what_was_read_stays_as_it_is() -> None:
    history = History(Ticking())
    history(gone(1))
    before = history.past()
    history(gone(2))
    history(braked())

    assert len(before.deletions_of(SHOP).jobs) == 1
    assert (before.errors, before.deleted) == ((), 1)


def test_it_may_be_told_and_read_by_many_at_once() -> None:
    history = History(Ticking(), Bounds(deleted_each=5, deleted_all=50, gitrepos=9, errors=20))
    done = threading.Event()

    def tell(who: int) -> None:
        for number in range(2000):
            history(gone(number, f"team/app-{number % 20}"))
            history(Requested("list", f"kind-{who}-{number}", "503", 0.1))

    def read() -> None:
        while not done.is_set():
            past = history.past()
            assert sum(len(each.jobs) for each in past.deletions.values()) <= 50
            assert len(past.errors) <= 20

    tellers = [threading.Thread(target=tell, args=(who,)) for who in range(4)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in [*tellers, *readers]:
        thread.start()
    for thread in tellers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()

    assert history.past().deleted == 8000


def kept(name: str, text: str = "boom", of: str = "team/shop") -> ErrorKept:
    return ErrorKept(job(owner(of), name), text)


def texts(past: Past, of: str = "team/shop") -> list[tuple[str, str]]:
    """The kept errors of a GitRepo."""
    return [(each.job, each.text) for each in past.kept.get(owner(of), ())]


def test_kept_errors_are_remembered_newest_first() -> None:
    past = told(kept("a"), kept("b"), kept("c", of="team/other"))

    assert texts(past) == [("b", "boom"), ("a", "boom")]
    assert texts(past, "team/other") == [("c", "boom")]


def test_what_is_read_back_is_the_error_that_was_told() -> None:
    live = kept("a")
    (error,) = told(live).kept[SHOP]
    later = KeptError(SHOP, "b", error.commit, "earlier", 500.0)

    past = told(live, ErrorsRecalled((error, later)), ErrorsRecalled(problem="403"))

    assert past.kept == {SHOP: (error, later)}


def test_kept_errors_are_bounded() -> None:
    many = [kept(f"j{n}") for n in range(EACH + 5)]
    assert [name for name, _ in texts(told(*many))] == [f"j{n}" for n in range(EACH + 4, 4, -1)]

    past = told(kept("a", of="team/one"), kept("b", of="team/two"), kept("c", of="team/one"), kept("d"), gitrepos=2)
    assert set(past.kept) == {owner("team/one"), SHOP}
