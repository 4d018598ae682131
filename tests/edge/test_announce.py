"""Kubernetes Events on GitRepos: few, late if need be, and never in the way."""

import threading
import time
from collections.abc import Callable

import pytest

from cleaner.announce import Announcer
from cleaner.announce.announcer import WAITING
from cleaner.cluster import Announcement, Clock, Deletion, Denied, Doomed, Fate, Unreachable
from cleaner.happened import AnnouncementsDropped, Attempted, Happened, Spared, Swept
from cleaner.model import Job, Outcome, Owner, identity
from cleaner.retention import Reason, Verdict

SHOP, FORUM = Owner("team-a", "shop", "u1"), Owner("team-a", "forum", "u2")
SECRET = "s3cr3t"


class Written:
    """Events that keeps what it was asked to write, and fails as it is told to."""

    def __init__(self) -> None:
        self.announced: list[Announcement] = []
        self.fails: Callable[[], None] = lambda: None

    def announce(self, announcement: Announcement) -> None:
        self.fails()
        self.announced.append(announcement)

    def refuse(self, error: Exception) -> None:
        def fails() -> None:
            raise error

        self.fails = fails

    @property
    def messages(self) -> list[tuple[str, str, str]]:
        return [(one.gitrepo.name, one.reason, one.message) for one in self.announced]


class Bench:
    """An announcer with a clock of its own."""

    def __init__(self, *, dry_run: bool = False) -> None:
        self.now = 100.0
        self.events, self.told = Written(), list[Happened]()
        clock = Clock(time.time, lambda: self.now, time.sleep)
        self.announcer = Announcer(self.events, clock, self.told.append, dry_run=dry_run)

    def attempt(self, owner: Owner, n: int, fate: Fate, detail: str = "", reason: Reason = Reason.SUPERSEDED) -> None:
        job = Job(owner, identity(f"job-{n}", f"uid-{n}", "1", "c"), 0.0, Outcome.FAILED, 1.0)
        self.announcer(Attempted(Verdict(job, reason), Deletion(Doomed(job, 0.0), fate, detail)))

    def swept(self) -> None:
        self.announcer(Swept("1", "interval", "done", 0.0, 1.0, 1, 1))

    def send_all(self) -> None:
        while self.announcer.send():
            pass

    def messages(self) -> list[tuple[str, str, str]]:
        self.swept()
        self.send_all()
        return self.events.messages

    @property
    def dropped(self) -> list[tuple[int, str]]:
        return [(told.count, told.detail) for told in self.told if isinstance(told, AnnouncementsDropped)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_gitrepo_is_told_once_what_was_deleted_and_why(bench: Bench) -> None:
    for n, reason in enumerate([Reason.EXPIRED, Reason.SUPERSEDED, Reason.SUPERSEDED]):
        bench.attempt(SHOP, n, Fate.DELETED, reason=reason)
    bench.attempt(FORUM, 9, Fate.DELETED)

    assert bench.messages() == [
        ("shop", "JobsCleaned", "deleted 3 Jobs that nothing needs any more: 2 superseded, 1 expired"),
        ("forum", "JobsCleaned", "deleted 1 Job that nothing needs any more: 1 superseded"),
    ]
    assert bench.events.announced[0] == Announcement(SHOP, "JobsCleaned", bench.events.messages[0][2])
    assert bench.dropped == []


def test_nothing_is_told_before_the_pass_has_ended_and_nothing_twice(bench: Bench) -> None:
    bench.attempt(SHOP, 1, Fate.DELETED)
    bench.send_all()
    assert bench.events.messages == []

    assert len(bench.messages()) == 1
    assert len(bench.messages()) == 1


@pytest.mark.parametrize("fate", [Fate.FAILED, Fate.DENIED, Fate.UNCONFIRMED])
def test_what_could_not_be_deleted_is_a_warning_with_its_first_cause(bench: Bench, fate: Fate) -> None:
    bench.attempt(SHOP, 1, fate, "a webhook says no")
    bench.attempt(SHOP, 2, fate, "a webhook says never")
    bench.attempt(FORUM, 3, fate)

    assert bench.messages() == [
        ("shop", "JobCleanupFailed", "2 Jobs could not be deleted: a webhook says no, they are tried again"),
        ("forum", "JobCleanupFailed", "1 Job could not be deleted: no reason is known, it is tried again"),
    ]
    assert all(announcement.warning for announcement in bench.events.announced)


def test_both_kinds_may_be_told_of_one_gitrepo_the_failures_first(bench: Bench) -> None:
    bench.attempt(SHOP, 1, Fate.DELETED)
    bench.attempt(SHOP, 2, Fate.FAILED, "x")

    assert [reason for _, reason, _ in bench.messages()] == ["JobCleanupFailed", "JobsCleaned"]


@pytest.mark.parametrize("fate", [Fate.GONE, Fate.CHANGED, Fate.TERMINATING, Fate.WOULD_DELETE])
def test_what_nobody_needs_to_know_is_not_told(bench: Bench, fate: Fate) -> None:
    bench.attempt(SHOP, 1, fate)
    bench.announcer(Spared(Verdict(Job(SHOP, identity("j", "u", "1", "c"), 0.0), Reason.PROTECTED)))

    assert bench.messages() == []


def test_the_last_word_on_a_job_counts(bench: Bench) -> None:
    bench.attempt(SHOP, 1, Fate.UNCONFIRMED, "lost")
    bench.attempt(SHOP, 1, Fate.TERMINATING)
    bench.attempt(SHOP, 1, Fate.DELETED, "seen gone")
    bench.attempt(SHOP, 2, Fate.UNCONFIRMED, "lost")
    bench.attempt(SHOP, 2, Fate.FAILED, "it is still there")

    assert [message for _, _, message in bench.messages()] == [
        "1 Job could not be deleted: it is still there, it is tried again",
        "deleted 1 Job that nothing needs any more: 1 superseded",
    ]


def test_in_a_dry_run_nothing_is_told() -> None:
    bench = Bench(dry_run=True)
    bench.attempt(SHOP, 1, Fate.WOULD_DELETE)
    bench.attempt(SHOP, 2, Fate.FAILED, "x")
    bench.attempt(SHOP, 3, Fate.DELETED)

    assert bench.messages() == []


def test_the_same_failure_is_told_once_in_five_minutes(bench: Bench) -> None:
    for _ in range(10):
        bench.attempt(SHOP, 1, Fate.FAILED, "x")
        bench.attempt(SHOP, 2, Fate.DELETED)
        bench.messages()
        bench.now += 29.9
    bench.attempt(FORUM, 3, Fate.FAILED, "x")
    bench.messages()
    assert [name for name, reason, _ in bench.events.messages if reason == "JobCleanupFailed"] == ["shop", "forum"]
    assert len([1 for _, reason, _ in bench.events.messages if reason == "JobsCleaned"]) == 10

    bench.now += 1.1
    bench.attempt(SHOP, 1, Fate.FAILED, "x")
    bench.messages()
    assert [name for name, reason, _ in bench.events.messages if reason == "JobCleanupFailed"] == ["shop", "forum", "shop"]
    assert bench.dropped == []


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (f"https://bob:{SECRET}@git.example/x?token={SECRET} failed", "https://git.example/x failed"),
        (f"ssh://git:{SECRET}@git.example/x", "ssh://git.example/x"),
        (f"header Authorization: Bearer {SECRET} refused", "header Authorization: Bearer … refused"),
        (f"password={SECRET} is wrong", "password=… is wrong"),
        ("two\nlines \x1b[2J\u202e", "two lines [2J"),
        ("x" * 5000, "x" * 300 + "…"),
    ],
)
def test_a_cause_is_one_line_cut_and_without_secrets(bench: Bench, detail: str, told: str) -> None:
    bench.attempt(SHOP, 1, Fate.FAILED, detail)

    ((_, _, message),) = bench.messages()
    assert message == f"1 Job could not be deleted: {told}, it is tried again"
    assert len(message) < 1024  # the API takes no more


def test_many_failures_are_counted_and_only_some_remembered(bench: Bench) -> None:
    for n in range(5000):
        bench.attempt(SHOP, n, Fate.FAILED, f"no {n}")

    assert bench.messages() == [
        ("shop", "JobCleanupFailed", "5000 Jobs could not be deleted: no 0, they are tried again"),
    ]


def test_what_does_not_fit_is_dropped_counted_and_told(bench: Bench) -> None:
    for n in range(WAITING + 44):
        bench.attempt(Owner("team-a", f"repo-{n}", f"u{n}"), n, Fate.DELETED)
    bench.attempt(SHOP, 999, Fate.FAILED, "x")

    assert len(bench.messages()) == WAITING
    assert bench.events.messages[0][0] == "shop"
    assert bench.dropped == [(45, "more than 256 were waiting")]


def test_a_failure_that_did_not_fit_is_told_next_time(bench: Bench) -> None:
    for _ in range(2):
        for n in range(WAITING + 1):
            bench.attempt(Owner("team-a", f"repo-{n}", f"u{n}"), n, Fate.FAILED, "x")
        bench.messages()

    assert len({name for name, _, _ in bench.events.messages}) == len(bench.events.messages) == WAITING + 1


def test_what_cannot_be_written_is_told_once_in_ten_seconds_with_the_sum(bench: Bench) -> None:
    bench.events.refuse(Denied(f"403 Forbidden: events is forbidden, Bearer {SECRET}"))
    for n in range(30):
        bench.attempt(SHOP, n, Fate.DELETED)
        bench.messages()
        bench.now += 1

    assert [count for count, _ in bench.dropped] == [1, 9, 10]
    assert {detail for _, detail in bench.dropped} == {"Denied: 403 Forbidden: events is forbidden, Bearer …"}


def running(announcer: Announcer) -> threading.Thread:
    thread = threading.Thread(target=announcer.run)
    thread.start()
    return thread


def test_the_thread_sends_what_comes_and_what_is_left_at_the_end() -> None:
    events, sent = Written(), threading.Event()
    events.fails = sent.set
    announcer = Announcer(events, Clock(time.time, time.monotonic, time.sleep), lambda _: None)
    bench = Bench()
    bench.announcer = announcer
    thread = running(announcer)

    bench.attempt(SHOP, 1, Fate.DELETED)
    bench.swept()
    assert sent.wait(10)
    bench.attempt(FORUM, 1, Fate.DELETED)
    bench.swept()
    announcer.stop()
    thread.join(10)

    assert [name for name, _, _ in events.messages] == ["shop", "forum"]


@pytest.mark.parametrize("error", [Unreachable("reset"), ZeroDivisionError()])
def test_no_error_ends_the_thread_and_all_drops_are_told_at_the_end(error: Exception) -> None:
    bench = Bench()
    bench.events.refuse(error)
    for n in range(3):
        bench.attempt(Owner("team-a", f"repo-{n}", "u"), n, Fate.DELETED)
    bench.swept()
    thread = running(bench.announcer)

    bench.announcer.stop()
    thread.join(10)

    assert sum(count for count, _ in bench.dropped) == 3


def test_at_the_end_only_two_seconds_are_spent_and_the_rest_is_told() -> None:
    bench = Bench()

    def slow() -> None:
        bench.now += 1.5

    bench.events.fails = slow
    for n in range(5):
        bench.attempt(Owner("team-a", f"repo-{n}", "u"), n, Fate.DELETED)
    bench.swept()
    bench.announcer.stop()
    running(bench.announcer).join(10)

    assert len(bench.events.messages) == 2
    assert bench.dropped == [(3, "the process ends")]
