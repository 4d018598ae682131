"""The log: what is written of what happened, at which level, how often, and that nobody can forge or read too much."""

import io
import json
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
import urllib3
from apscheduler.schedulers.background import BackgroundScheduler

from cleaner.cluster import Deletion, Doomed, Fate, Refusal
from cleaner.happened import (
    AnnouncementsDropped,
    Attempted,
    Braked,
    CanaryTripped,
    ErrorKept,
    ErrorsRecalled,
    Finished,
    Happened,
    Judged,
    Late,
    Led,
    NamespaceRefused,
    OfPods,
    Read,
    Requested,
    Spared,
    SweepBegan,
    Swept,
    Unreadable,
    WatchEnded,
)
from cleaner.logs import Log, route_standard_logging
from cleaner.logs.lasting import MOST
from cleaner.model import Job, OrphanedPod, Outcome, Owner, identity
from cleaner.retention import Plan, Reason, Verdict

SECRET = "s3cr3t-t0k3n"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nFAKE LINE\x9b31m\u202e"
JOB = Job(Owner("team-a", "shop", "u1"), identity("shop-1", "uid-1", "1", "abc"), 0.0, Outcome.FAILED, 1.0)
POD = OrphanedPod(Owner("team-a", "shop", ""), identity("pod-1", "uid-2", "1", "abc"), 0.0, Outcome.FAILED, 1.0)
OF_POD = {"namespace": "team-a", "pod": "pod-1", "uid": "uid-2", "gitrepo": "shop", "commit": "abc"}
OF_JOB = {"namespace": "team-a", "job": "shop-1", "uid": "uid-1", "gitrepo": "shop", "commit": "abc"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Bench:
    """A log, what it wrote, and its clock."""

    def __init__(self, level: str = "debug", form: str = "json", out: io.StringIO | None = None) -> None:
        self.now = 0.0
        self.out = out or io.StringIO()
        self.log = Log(self.out, level, form, lambda: self.now)

    @property
    def text(self) -> str:
        """What was written since this was last asked."""
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return text

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [{k: v for k, v in json.loads(line).items() if k != "timestamp"} for line in self.text.splitlines()]

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def attempted(fate: Fate, detail: str = "", job: Job = JOB) -> Attempted:
    return Attempted(Verdict(job, Reason.SUPERSEDED), Deletion(Doomed(job, 0.0), fate, detail))


def swept(trigger: str = "interval", outcome: str = "done", detail: str = "", **fates: int) -> Swept:
    return Swept("5f-1", trigger, outcome, 100.0, 1.23456, 3, 40, tuple(fates.items()), 2, detail)


EXPECTED: list[tuple[Happened, str, dict[str, Any]]] = [
    (attempted(Fate.DELETED), "info", {"event": "deleted", **OF_JOB, "reason": "superseded", "detail": ""}),
    (attempted(Fate.FAILED, "no"), "warning", {"event": "failed", **OF_JOB, "reason": "superseded", "detail": "no"}),
    (
        Spared(Verdict(JOB, Reason.PROTECTED, detail="x")),
        "info",
        {"event": "spared", **OF_JOB, "reason": "protected", "detail": "x"},
    ),
    (
        NamespaceRefused("ns", "read", "403", denied=True),
        "error",
        {"event": "refused", "namespace": "ns", "what": "read", "error": "403"},
    ),
    (
        Unreadable("job", "ns", "j", "bad"),
        "warning",
        {"event": "unreadable", "kind": "job", "namespace": "ns", "name": "j", "error": "bad"},
    ),
    (OfPods(attempted(Fate.DELETED, job=POD)), "info", {"event": "deleted", **OF_POD, "reason": "superseded", "detail": ""}),
    (
        OfPods(NamespaceRefused("ns", "list Pods", "403", denied=True)),
        "error",
        {"event": "refused", "namespace": "ns", "what": "list Pods", "error": "403"},
    ),
    (Braked(Refusal("clock", "off")), "warning", {"event": "braked", "brake": "clock", "detail": "off"}),
    (Braked(Refusal("leader", "b leads")), "info", {"event": "braked", "brake": "leader", "detail": "b leads"}),
    (CanaryTripped(JOB, JOB), "error", {"event": "a current Job came back", **OF_JOB, "returned_as": "uid-1"}),
    (
        Requested("list", "jobs", "200", 0.12345),
        "debug",
        {"event": "requested", "verb": "list", "resource": "jobs", "code": "200", "seconds": 0.1235},
    ),
    (
        WatchEnded("jobs", "ns", "closed"),
        "info",
        {"event": "a watch ended", "kind": "jobs", "namespace": "ns", "reason": "closed", "detail": ""},
    ),
    (
        WatchEnded("jobs", "", "broken", "5m"),
        "warning",
        {"event": "a watch ended", "kind": "jobs", "namespace": "", "reason": "broken", "detail": "5m"},
    ),
    (Finished(JOB), "debug", {"event": "a Job finished", **OF_JOB}),
    (Late(JOB, 2.0), "debug", {"event": "late", **OF_JOB, "seconds": 2.0}),
    (Led(leading=True, detail="me"), "info", {"event": "leading", "detail": "me"}),
    (Led(leading=False, detail="b leads"), "info", {"event": "not leading any more", "detail": "b leads"}),
    (
        AnnouncementsDropped(3, "403"),
        "warning",
        {"event": "announcements dropped", "count": 3, "detail": "403"},
    ),
    (ErrorKept(JOB, "no such branch"), "warning", {"event": "error kept", **OF_JOB, "error": "no such branch"}),
    (
        ErrorKept(JOB, "no such branch", ("cloning", "fatal"), "403"),
        "warning",
        {"event": "error not kept", **OF_JOB, "error": "no such branch", "log": ["cloning", "fatal"], "problem": "403"},
    ),
    (ErrorsRecalled((), "403"), "info", {"event": "kept errors cannot be read", "error": "403"}),
]


@pytest.mark.parametrize(("happened", "level", "line"), EXPECTED, ids=lambda value: type(value).__name__)
def test_each_thing_has_its_line_and_level(bench: Bench, happened: Happened, level: str, line: dict[str, Any]) -> None:
    bench.log(happened)

    assert bench.lines == [{"level": level, **line}]


@pytest.mark.parametrize("happened", [Read("job", 5), Judged(None, Plan([]))], ids=["Read", "Judged"])
def test_what_happens_all_the_time_has_no_line(bench: Bench, happened: Happened) -> None:
    bench.log(happened)

    assert bench.lines == []


def test_a_pass_has_one_line_with_its_id_and_counts(bench: Bench) -> None:
    bench.log(swept(deleted=3, failed=1))

    assert bench.lines == [
        {
            "event": "swept",
            "level": "info",
            "sweep": "5f-1",
            "trigger": "interval",
            "outcome": "done",
            "seconds": 1.235,
            "gitrepos": 3,
            "jobs": 40,
            "fates": {"deleted": 3, "failed": 1},
            "backlog": 2,
            "detail": "",
        }
    ]


@pytest.mark.parametrize(
    ("happened", "level"),
    [
        (swept(), "info"),
        (swept(outcome="partial"), "warning"),
        (swept(outcome="unreachable"), "warning"),
        (swept(outcome="braked", detail="clock: off"), "warning"),
        (swept(outcome="braked", detail="leader: b leads"), "info"),
        (swept("watch", deleted=1), "info"),
        (swept("watch"), "debug"),
        (swept("watch", "partial"), "warning"),
        (swept("watch", "braked", "leader: b leads"), "debug"),
    ],
)
def test_a_pass_that_did_not_end_well_is_a_warning_and_an_idle_one_no_news(bench: Bench, happened: Swept, level: str) -> None:
    bench.log(happened)

    assert [line["level"] for line in bench.lines] == [level]


def test_the_lines_of_a_pass_name_it_and_those_of_other_threads_do_not(bench: Bench) -> None:
    bench.log(SweepBegan("5f-1", "interval"))
    bench.log(SweepBegan("5f-2", "watch"))
    bench.log(attempted(Fate.DELETED))
    bench.log(msgspec.structs.replace(swept(), id="5f-2"))
    bench.log(attempted(Fate.DELETED))
    other = threading.Thread(target=bench.log, args=(Led(leading=True),))
    other.start()
    other.join()
    bench.log(swept())
    bench.log(attempted(Fate.DELETED))

    assert [line.get("sweep") for line in bench.lines] == ["5f-2", "5f-2", "5f-1", None, "5f-1", None]


@pytest.mark.parametrize(
    ("level", "count"), [("debug", 21), ("info", 18), ("warning", 10), ("", 10), ("error", 3), ("WARNING", 10)]
)
def test_the_level_is_kept(level: str, count: int) -> None:
    bench = Bench(level)

    for happened, _, _ in EXPECTED:
        bench.log(happened)

    assert len(bench.lines) == count


REFUSED, BROKEN = NamespaceRefused("ns", "read", "403", denied=True), Unreadable("job", "team-a", "j", "bad")


def test_a_trouble_is_logged_when_it_begins_once_an_hour_and_when_it_is_over(bench: Bench) -> None:
    events: list[tuple[float, str]] = []
    for quarter in range(12):
        bench.now = 900.0 * quarter
        if quarter < 10:
            bench.log(REFUSED)
            bench.log(BROKEN)
        bench.log(swept(outcome="partial" if quarter < 10 else "done"))
        events += [(quarter, event) for event in bench.events if event != "swept"]

    over = "no longer refused or unreadable"
    assert events == [
        *[(quarter, event) for quarter in (0, 4, 8) for event in ("refused", "unreadable")],
        *[(10, over), (10, over)],
    ]


def test_a_trouble_that_comes_again_is_logged_again(bench: Bench) -> None:
    bench.log(REFUSED)
    bench.log(swept())
    bench.log(swept())
    assert bench.events == ["refused", "swept", "no longer refused or unreadable", "swept"]

    bench.log(REFUSED)
    assert bench.events == ["refused"]


@pytest.mark.parametrize(
    "happened", [swept("watch"), swept(outcome="unreachable"), swept(outcome="stopped"), swept(outcome="refused")]
)
def test_a_pass_that_did_not_read_everything_proves_no_end(bench: Bench, happened: Swept) -> None:
    bench.log(BROKEN)
    for _ in range(3):
        bench.log(happened)

    assert "no longer refused or unreadable" not in bench.events


def test_what_lies_where_nothing_can_be_read_is_not_over(bench: Bench) -> None:
    bench.log(BROKEN)
    for _ in range(3):
        bench.log(NamespaceRefused("team-a", "read", "403", denied=True))
        bench.log(swept(outcome="partial"))

    assert "no longer refused or unreadable" not in bench.events


def test_troubles_without_a_name_are_told_apart_by_what_is_wrong(bench: Bench) -> None:
    for problem in ("no name", "no uid", "no name"):
        bench.log(Unreadable("job", "ns", "", problem))

    assert [line["error"] for line in bench.lines] == ["no name", "no uid"]


def test_the_memory_for_troubles_is_bounded(bench: Bench) -> None:
    for _ in range(2):
        for n in range(MOST + 500):
            bench.log(Unreadable("job", "ns", f"j-{n}", "bad"))
        bench.log(swept())

    lines = bench.lines
    assert len(lines) == MOST + 1 + 2
    assert lines[MOST]["error"] == f"there are more than {MOST}: the others are not logged"


hostile_job = Job(Owner(HOSTILE, HOSTILE, "u"), identity("j", "u", "1", HOSTILE), 0.0, Outcome.FAILED, 1.0)
ATTACKS: list[Happened] = [
    attempted(Fate.FAILED, HOSTILE, hostile_job),
    Unreadable(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
    NamespaceRefused(HOSTILE, "read", HOSTILE, denied=False),
    Led(leading=False, detail=HOSTILE),
    WatchEnded("jobs", HOSTILE, "broken", HOSTILE),
    AnnouncementsDropped(1, HOSTILE + "\udcff"),
    ErrorKept(hostile_job, HOSTILE, (HOSTILE, "\udcff"), HOSTILE),
    ErrorsRecalled((), HOSTILE),
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)
def test_nobody_forges_a_line_or_reaches_the_terminal(form: str, attack: Happened) -> None:
    bench = Bench(form=form)

    bench.log(attack)
    bench.log.library(logging.WARNING, "x", HOSTILE, ValueError(HOSTILE))

    text = bench.text
    assert len(text.splitlines()) == text.count("\n") == 2
    assert all(character == "\n" or character.isprintable() for character in text)


def test_on_a_terminal_the_console_has_colours_of_its_own_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = Bench(form="console", out=Terminal()), Bench(form="console")
    for bench in (coloured, plain):
        bench.log(Led(leading=True, detail="\x1b[2Jme"))

    assert "\x1b" not in plain.text
    text = coloured.text
    assert "\x1b[0m" in text
    assert "\x1b[2J" not in text
    assert "\\x1b[2Jme" in text

    monkeypatch.setenv("NO_COLOR", "1")
    quiet = Bench(form="console", out=Terminal())
    quiet.log(Led(leading=True))
    assert "\x1b" not in quiet.text


def test_a_percent_sign_is_just_that(bench: Bench) -> None:
    bench.log(Led(leading=True, detail="100% %s %d"))
    bench.log.library(logging.WARNING, "x", "100% %s %d", None)

    assert [line.get("detail", line["event"]) for line in bench.lines] == ["100% %s %d"] * 2


def test_the_process_itself_has_news_too(bench: Bench) -> None:
    bench.log.say("serving", port=8080)
    bench.log.warning("too many", most=16)

    assert bench.lines == [
        {"event": "serving", "level": "info", "port": 8080},
        {"event": "too many", "level": "warning", "most": 16},
    ]


def test_an_observer_that_failed_is_one_line(bench: Bench) -> None:
    bench.log.observer_failed(ValueError("x" * 1000))

    (line,) = bench.lines
    assert (line["event"], line["level"], len(line["error"])) == ("observer failed", "error", 300)


@pytest.fixture
def routed(bench: Bench) -> Iterator[Bench]:
    undo = route_standard_logging(bench.log)
    yield bench
    undo()


class Silent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_what_urllib3_says_is_logged_without_the_token(routed: Bench) -> None:
    with HTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with urllib3.PoolManager() as pool:
            headers = {"Authorization": f"Bearer {SECRET}"}
            pool.request("GET", f"http://bob:{SECRET}@127.0.0.1:{server.server_port}/apis?limit=5", headers=headers)
        server.shutdown()
        thread.join()

    text = routed.text
    assert "/apis?limit=5" in text
    assert '"logger": "urllib3.connectionpool"' in text
    assert SECRET not in text


def test_what_the_clockwork_says_is_logged_in_our_form(routed: Bench) -> None:
    done = threading.Event()

    def fail() -> None:
        done.set()
        raise ValueError(HOSTILE)

    scheduler = BackgroundScheduler()
    scheduler.start()
    scheduler.add_job(fail)
    assert done.wait(10)
    while scheduler.get_jobs():  # shut down in the middle of a turn, it would miss the Job that it is about to forget
        time.sleep(0.01)
    scheduler.shutdown(wait=True)

    lines = routed.lines
    assert {line["logger"].partition(".")[0] for line in lines} == {"apscheduler"}
    assert [line["error"] for line in lines if line["level"] == "error"] == [f"ValueError: {HOSTILE}"]
    assert {line["level"] for line in lines} == {"debug", "error"}


def test_only_libraries_that_tell_no_secret_may_say_all(routed: Bench) -> None:
    logging.getLogger("kubernetes.client.rest").debug("response body: %s", SECRET)
    logging.getLogger("requests_oauthlib").debug("token %s", SECRET)
    logging.getLogger("kubernetes.client.rest").warning("Bearer %s for https://bob:%s@host/", SECRET, SECRET)

    (line,) = routed.lines
    assert line == {"event": "Bearer … for https://…host/", "level": "warning", "logger": "kubernetes.client.rest"}


def test_warnings_are_logged_too(routed: Bench) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)  # catch_warnings keeps the function that shows them
        warnings.warn("insecure", stacklevel=1)
        logging.captureWarnings(capture=False)

    (line,) = routed.lines
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "insecure" in line["event"]


@pytest.mark.parametrize(
    ("level", "written"), [("debug", ["a", "b", "c", "d"]), ("info", ["c", "d"]), ("warning", ["c", "d"]), ("error", ["d"])]
)
def test_libraries_never_bypass_the_level(level: str, written: list[str]) -> None:
    bench = Bench(level)
    undo = route_standard_logging(bench.log)
    logger = logging.getLogger("apscheduler.x")
    logger.debug("a")
    logger.info("b")
    logger.warning("c")
    logger.log(45, "d")
    undo()

    assert bench.events == written


def test_a_line_that_cannot_be_made_harms_nobody(routed: Bench) -> None:
    (ours,) = [one for one in logging.getLogger().handlers if type(one).__module__.startswith("cleaner.")]
    bad = {"name": "apscheduler", "levelno": logging.ERROR, "msg": "%d", "args": ("no number",)}

    ours.handle(logging.makeLogRecord(bad))
    assert routed.events == ["observer failed"]

    routed.out.close()
    ours.handle(logging.makeLogRecord(bad))


def test_undone_is_as_before(bench: Bench) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), warnings.showwarning)

    route_standard_logging(bench.log)()

    assert (root.level, list(root.handlers), warnings.showwarning) == before
    root.warning("not ours")
    assert bench.text == ""
