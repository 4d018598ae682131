"""What the service keeps in its head: who vanished is judged, our own deletions are no news, lateness is never invented."""

import threading
import time
from typing import Any

from cleaner.cluster import Clock, ClusterError, Kind
from cleaner.happened import Happened
from cleaner.model import Namespace, Owner
from cleaner.retention import Plan, Reason, Verdict
from cleaner.scope import Scope
from cleaner.service.board import Board, Due, Judgement
from cleaner.service.readers import Failed, Listed, Message, Reader, Source, Wiring
from cleaner.service.retries import Retries
from cleaner.service.store import Store
from tests.core.test_board import FLEET
from tests.core.test_store import GITREPOS, JOBS, SHOP, changed, facts, filled, names, repo
from tests.core.worlds import UID


def test_a_list_concerns_whoever_it_does_not_show_any_more() -> None:
    made = filled(jobs=[])

    assert made.listed(Listed(GITREPOS, 2, [], [], 0)) == {SHOP}
    assert SHOP not in made.inventory.groups


def test_the_watch_telling_of_our_own_deletion_is_no_news() -> None:
    made = filled(jobs=facts("shop-0", "shop-1"))
    made.deleted(facts("shop-0"), listing=False)

    assert made.changed(changed(JOBS, (facts("shop-0")[0], True))) == set()
    assert made.gone == ["uid-shop-0"]
    assert made.changed(changed(JOBS, (facts("shop-1")[0], True))) == {SHOP}
    assert names(made) == []


def test_a_namespace_that_was_read_again_and_had_changed_is_told_once() -> None:
    made = filled()
    made.inventory.adopt(SHOP, repo(), Namespace("team"))
    assert made.stirred() == []

    made.inventory.adopt(SHOP, repo(), Namespace("team", (("protect", "true"),)))
    assert made.stirred() == [SHOP]
    assert made.stirred() == []


def test_only_the_sources_of_a_namespace_decide_whether_it_is_readable() -> None:
    sources = [Source(kind, f"team-{n}") for n in range(3) for kind in Kind]
    made = Store(sources, Scope(tuple(f"team-{n}" for n in range(3))), list[Happened]().append)
    for source in sources[:4]:
        made.listed(Listed(source, 1, [], [], 0))

    assert [made.readable(f"team-{n}") for n in range(3)] == [True, False, False]
    made.failed(Failed(sources[0], 2, ClusterError("no")))
    assert made.looked().parts == 2
    assert [refused.namespace for refused in made.looked().refused] == ["team-0"]


def test_a_job_that_a_shorter_age_makes_due_is_due_since_that_was_known_and_not_since_days() -> None:
    board, (job,) = Board(0.0), facts("shop-0")
    owner = Owner("team", "shop", UID)
    board.put(owner, Judgement(None, Plan([Verdict(job, Reason.YOUNG, 9_000_000.0)]), FLEET), 10.0)
    board.put(owner, Judgement(None, Plan([Verdict(job, Reason.SUPERSEDED, since=50.0)]), FLEET, 70_000.0), 70_000.2)

    assert board.due(job) == Due(70_000.0, seen=True)


def test_patience_grows_for_who_does_not_move_and_a_namespace_that_refuses_has_one_moment_for_all() -> None:
    retries, blog = Retries(), Owner("team", "blog", "b")

    assert [retries.next(SHOP, 0.0, moved=False) for _ in range(3)] == [5.0, 10.0, 20.0]
    assert [retries.next(blog, 0.0, moved=True) for _ in range(3)] == [5.0, 5.0, 5.0]
    retries.refuse("team", 100.0)
    assert retries.next(SHOP, 110.0, moved=False) == retries.next(blog, 120.0, moved=False) == 400.0
    assert retries.refused("team", 399.9)
    assert not retries.refused("team", 400.0)
    assert not retries.refused("team", 50.0), "a clock that was set back"
    assert not retries.refused("other", 110.0)


class _Broken:
    """A stock whose Jobs bring an error that nobody foresaw."""

    def jobs(self, namespace: str) -> Any:
        raise LookupError(namespace)


def test_an_unforeseen_error_of_a_reader_is_an_answer_too() -> None:
    told: list[Message] = []
    answered = threading.Event()

    def put(message: Message) -> None:
        told.append(message)
        answered.set()

    stock: Any = _Broken()
    timer = threading.Event()
    clock = Clock(lambda: 0.0, time.monotonic, lambda seconds: (timer.wait(seconds), None)[1])
    reader = Reader([JOBS], Wiring(stock, stock, clock, lambda _: None, put), watch=True)
    thread = threading.Thread(target=reader.run)
    thread.start()
    request = reader.ask()
    assert answered.wait(30.0)
    reader.stop()
    thread.join()

    assert isinstance(told[0], Failed)
    assert (told[0].source, told[0].request, reader.listing) == (JOBS, request, False)
