"""The status page: everything that is known is on it, and nothing that anybody named does more than stand there."""

import re
from collections.abc import Callable

import pytest

from cleaner.cluster import Fate, Refusal
from cleaner.happened import CanaryTripped, ErrorKept, Happened, Led, NamespaceRefused, Requested, Swept, Unreadable, WatchEnded
from cleaner.model import Fleet, Outcome
from cleaner.retention import Reason, Stuck, Verdict
from cleaner.retention.stuck import StuckKind
from cleaner.snapshot import Snapshot, Vitals
from cleaner.web import History
from cleaner.web.gitrepos import JOBS
from cleaner.web.scene import PER_PAGE
from cleaner.web.script import SCRIPT
from tests.core.worlds import AT, DAY, HOUR
from tests.edge import scenes
from tests.edge.reading import Reader
from tests.edge.scenes import deleted, every_verdict, job, owner, snapshot, swept, view, vitals

SHOP = owner("team/shop")


def read(known: Snapshot, living: Vitals | None = None, past: History | None = None, query: str = "") -> Reader:
    """The page of these."""
    return Reader(scenes.page(known, living, past)(query))


def after(*events: Happened) -> History:
    """What is remembered of some events."""
    history = scenes.history()
    for event in events:
        history(event)
    return history


@pytest.fixture(scope="module")
def rich() -> Reader:
    return read(*scenes.rich())


@pytest.mark.parametrize("verdict", every_verdict(SHOP), ids=lambda verdict: str(verdict.reason.value))
def test_every_verdict_is_there_with_its_reason_and_its_end(verdict: Verdict) -> None:
    name, outcome, ended, why, until = read(snapshot([view(SHOP, every_verdict(SHOP))])).row(verdict.job.name)

    assert verdict.reason.value in why
    assert verdict.reason.meaning in why
    assert verdict.detail in why
    assert why.startswith("↓ delete" if verdict.deletes else "keep")
    assert (verdict.job.outcome.value if verdict.job.outcome else "running") in outcome
    assert verdict.job.commit[:12] in name
    if verdict.job.finished is not None:
        assert "h ago 2026-11-2" in ended
    if verdict.until is not None:
        assert re.search(r"in \d+h 2026-11-2\dT\d\d:00:00Z", until)
    else:
        assert len(until) > 3


def test_pods_are_told_beside_the_jobs() -> None:
    pods = {(SHOP, Outcome.FAILED, Reason.YOUNG): 2, (SHOP, Outcome.FAILED, Reason.ORPHANED): 1}

    page = read(snapshot([view(SHOP, every_verdict(SHOP))], pods=pods))

    assert "3 Pods that Jobs left behind" in page.text
    assert "left behind" not in read(snapshot([view(SHOP, every_verdict(SHOP))])).text


def test_the_end_of_a_verdict_is_told_in_both_ways() -> None:
    young = Verdict(job(SHOP, "shop-00001", ago=HOUR), Reason.YOUNG, AT + 3 * DAY + 4 * HOUR)

    row = read(snapshot([view(SHOP, [young])])).row("shop-00001")

    assert (row[2], row[4]) == ("1h ago 2026-11-23T11:00:00Z", "in 3d 4h 2026-11-26T16:00:00Z")


def test_what_is_due_tells_since_when() -> None:
    due = Verdict(job(SHOP, "shop-00001", ago=DAY), Reason.SUPERSEDED, since=AT - 90)

    assert read(snapshot([view(SHOP, [due])])).row("shop-00001")[4] == "due since 1m 30s ago 2026-11-23T11:58:30Z"


def test_deleted_jobs_tell_why_and_when() -> None:
    past = after(deleted(job(SHOP, "shop-00009", Outcome.SUCCEEDED)))

    page = read(snapshot([view(SHOP, [])]), past=past)

    row = page.row("shop-00009")
    assert "superseded" in row[3]
    assert row[4] == "now 2026-11-23T12:00:00Z"
    assert "Deleted, complete since 3d ago" in page.text


def test_kept_errors_tell_why_and_how_long_they_last() -> None:
    past = after(ErrorKept(job(SHOP, "shop-00009"), "no such <branch>"))

    page = read(snapshot([view(SHOP, [])]), past=past)

    name, error, at = page.row("shop-00009")
    assert scenes.COMMIT[:12] in name
    assert error == "no such <branch>"
    assert at == "now 2026-11-23T12:00:00Z"
    assert "an hour by default" in page.text


def test_what_is_stuck_tells_what_helps() -> None:
    stuck = Stuck(StuckKind.BLOCKED_BY_LEGACY, "team/shop", "shop-1", "this helps: kubectl label job -n team shop-1 a=0")

    page = read(snapshot([view(SHOP, [], stuck=(stuck,))]))

    assert "blocked-by-legacy-job" in page.text
    assert "kubectl label job -n team shop-1 a=0" in page.texts


def test_a_page_of_nothing() -> None:
    page = read(Snapshot(at=AT), Vitals())

    assert page.open_tags == []
    assert "Starting: nothing has been read yet" in page.headings[1]
    assert "None is known yet" in page.text


def test_the_page_is_whole(rich: Reader) -> None:
    assert rich.open_tags == []
    assert rich.headings[0] == "gitjob-cleaner"
    assert [rich.count(tag) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert rich.count("caption") == rich.count("table")
    ids = rich.values("id")
    assert len(ids) == len(set(ids))
    assert set(rich.values("aria-labelledby")) <= set(ids)
    assert {link[1:] for link in rich.values("href") if link.startswith("#")} <= set(ids)


def test_nothing_comes_from_elsewhere() -> None:
    page = scenes.page(*scenes.rich())()

    assert re.findall(r"https?://|url\(|@import|//[a-z]|\son\w+=|\sstyle=", page.replace(SCRIPT, "")) == []
    assert set(Reader(page).values("src")) == set()
    assert all(
        link.startswith(("#", "?", "data:,")) or link in ("metrics", "healthz", "readyz") for link in Reader(page).values("href")
    )


def test_lists_tell_since_when_they_are_complete(rich: Reader) -> None:
    for title in ("Last sweeps", "Last passes after changes", "Last errors"):
        assert f"{title}, complete since 3d ago" in rich.text
    assert "1 refused, as of 30s ago" in rich.text
    assert "1 unreadable, as of 30s ago" in rich.text


def test_sweeps_errors_and_what_cannot_be_seen_are_listed(rich: Reader) -> None:
    assert rich.row("32s ago")[1:] == ["interval", "! partial (2 deletions failed)", "2s", "87", "412", "12 deleted, 1 gone"]
    assert ["now 2026-11-23T12:00:00Z", "· request", "list jobs", "answered 503", "14 since 2026-11-23T12:00:00Z"] in rich.rows
    assert rich.row("team-green")[2].startswith("a right is missing: jobs.batch is forbidden")
    assert rich.row("team-red/strange") == ["team-red/strange", "Job", "metadata.uid is missing"]
    assert rich.row("not-owned")[1] == "61"


# --- what is first seen ---


def headline(page: Reader) -> str:
    return page.headings[1]


def test_all_is_well() -> None:
    page = read(snapshot(scenes.calm_views(3, 4)), past=after(swept(4), Led(True)))

    assert headline(page) == "✓ All is well"
    for term in ("done 4s ago", "this process", "0.12.3", "12"):
        assert term in page.text


BAD: dict[str, tuple[Snapshot, Vitals, tuple[Happened, ...], str]] = {
    "ailing": (snapshot(), vitals(ailing=("the worker is dead",)), (), "the worker is dead"),
    "braked": (snapshot(brake=Refusal("clock", "off by 41s")), vitals(), (), "off by 41s"),
    "nobody leads": (snapshot(), vitals(leading=False, holder=""), (), "Nobody is known to lead"),
    "silent": (snapshot(), vitals(signs={("jobs", "team"): AT - 300}), (), "silent: its last sign of life came 5m ago"),
    "refused": (
        snapshot(refused=(NamespaceRefused("a", "list", "no", True),)),
        vitals(),
        (),
        "nothing is judged or deleted there",
    ),
    "all refused": (snapshot(refused=(NamespaceRefused("", "list", "no", True),)), vitals(), (), "The whole cluster is refused"),
    "sweep": (snapshot(), vitals(), (swept(outcome="unreachable", detail="no route"),), "no route"),
    "error": (snapshot(), vitals(), (deleted(job(SHOP, "a"), fate=Fate.FAILED),), "1 error in the last hour"),
    "canary": (snapshot(), vitals(), (CanaryTripped(job(SHOP, "a"), job(SHOP, "a")),), "Job team/a came back"),
    "overdue": (
        snapshot([view(SHOP, [Verdict(job(SHOP, "a"), Reason.SUPERSEDED, since=AT - 2 * HOUR)])]),
        vitals(),
        (),
        "the oldest for 2h",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_well_is_said_first(case: str) -> None:
    known, living, events, said = BAD[case]

    page = read(known, living, after(*events))

    assert headline(page) == "! 1 thing needs a look"
    assert said in "".join(page.texts).partition("Last sweep")[0]


def test_several_things_are_counted(rich: Reader) -> None:
    assert headline(rich) == "! 4 things need a look"


@pytest.mark.parametrize(
    ("living", "said"),
    [
        (vitals(paused=True), "‖ Paused: nothing is deleted"),
        (vitals(leading=False, holder="another-pod"), "‖ Standing by: another one leads"),
        (vitals(throttled=True), "✓ All is well"),
        (vitals(leading=None), "✓ All is well"),
    ],
)
def test_what_somebody_wants_so_alarms_nobody(living: Vitals, said: str) -> None:
    late = view(SHOP, [Verdict(job(SHOP, "a"), Reason.SUPERSEDED, since=AT - 60)])
    # A pause shows as a brake too, once.
    known = snapshot([late], brake=Refusal("pause", "by hand") if living.paused else None)

    assert headline(read(known, living)) == said


def test_who_leads_is_told() -> None:
    assert "another-pod leads; this process only looks" in "".join(
        read(snapshot(), vitals(leading=False, holder="another-pod")).texts
    )


@pytest.mark.parametrize("leading", [True, False])
def test_a_backlog_of_a_dry_run_or_of_a_standby_is_not_overdue(leading: bool) -> None:
    known = snapshot([view(SHOP, [Verdict(job(SHOP, "a"), Reason.SUPERSEDED, since=AT - DAY)])])

    assert headline(read(known, vitals(leading=leading, holder="x", dry_run=leading)))[0] != "!"


def test_a_dry_run_is_said_in_large_letters() -> None:
    page = read(snapshot(), vitals(dry_run=True))

    assert "DRY RUN " in page.texts
    assert any("DRY RUN" in text and "All is well" in text for text in page.texts)  # the title


def test_small_and_old_errors_do_not_alarm() -> None:
    events = (WatchEnded("jobs", "", "broken"), Requested("list", "jobs", "503", 0.1))
    failed = after(deleted(job(SHOP, "a"), fate=Fate.FAILED))

    assert headline(read(snapshot(), past=after(*events)))[0] == "✓"
    later = scenes.page(snapshot(), vitals(signs={}), failed, now=AT + 2 * HOUR)
    assert headline(Reader(later()))[0] == "✓"


def test_an_old_fleet_is_told() -> None:
    page = read(snapshot(fleet=Fleet("0.10.2", recreates=True, detail="an unfinished rollout")))

    assert "makes a deleted current Job again" in page.text
    assert "an unfinished rollout" in page.text


# --- names that mean harm ---

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;b&gt;\x1b[31m\u202egnp.exe\u2066\x00\ud800\n</title></style>"


def hostile() -> tuple[Snapshot, Vitals, History]:
    """A world in which every text that can be somebody else's is a hostile one."""
    of = owner(f"{EVIL}/{EVIL}", EVIL)
    named = job(of, EVIL.replace(" ", ""), problem=EVIL, commit="<img/src=x>")
    verdicts = [Verdict(named, Reason.UNREADABLE, None, EVIL)]
    bad = view(of, verdicts, stuck=(Stuck(StuckKind.NAME_TAKEN, EVIL, EVIL, f"{EVIL}: kubectl {EVIL}"),), problem=EVIL)
    bad = type(bad)(of, bad.gitrepo, type(bad.plan)(verdicts, None, (EVIL,)), bad.tally, bad.stuck)
    events: tuple[Happened, ...] = (
        deleted(job(of, EVIL.replace(" ", ""))),
        deleted(job(of, EVIL.replace(" ", "")), fate=Fate.FAILED, detail=EVIL),
        CanaryTripped(job(of, EVIL.replace(" ", "")), job(of, "a")),
        Requested(EVIL, EVIL, "500", 1.0),
        WatchEnded(EVIL, EVIL, "failed", EVIL),
        Swept(EVIL, EVIL, EVIL, AT - 60, 1.0, 1, 1, ((EVIL, 1),), 1, EVIL),
        Swept(EVIL, "watch", EVIL, AT - 60, 1.0, 1, 1, ((EVIL, 1),), 1, EVIL),
    )
    known = snapshot(
        [bad],
        fleet=Fleet(EVIL, detail=f"{EVIL} too"),
        refused=(NamespaceRefused(EVIL, EVIL, EVIL, denied=True),),
        unreadable=(Unreadable(EVIL, EVIL, EVIL, EVIL),),
        brake=Refusal(EVIL, EVIL),
    )
    living = vitals(leading=False, holder=EVIL, ailing=(EVIL,), signs={(EVIL, EVIL): AT - DAY, (EVIL, ""): AT - DAY})
    return known, living, after(*events)


def test_hostile_texts_in_every_field_stay_texts() -> None:
    query = "text=%3Cscript%3Ealert(1)%3C/script%3E%22%20onfocus=%22alert(1)%22%27&sort=%22%3E%3Cimg%3E&only=%3Cb%3E&page=%3Ci%3E"
    known, living, past = hostile()
    leads = vitals(holder=EVIL)
    for source in (
        scenes.page(known, living, past)(),
        scenes.page(known, leads, past)(),
        scenes.page(known, living, past)(query),
    ):
        page = Reader(source)

        assert (page.count("script"), page.count("style"), page.count("title"), page.count("img"), page.open_tags) == (
            1,
            1,
            1,
            0,
            [],
        )
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") and name != "on"]
        # Nothing that turns the line around or cannot be seen, and all of it can be written.
        assert re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800]", source) == []
        source.encode()


def test_what_cannot_be_seen_is_shown() -> None:
    text = "".join(read(*hostile()).texts)

    assert "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;b&gt;⟨U+001B⟩[31m⟨U+202E⟩gnp.exe" in text
    assert "⟨U+2066⟩⟨U+0000⟩⟨U+D800⟩⟨U+000A⟩" in text
    assert text.count("⟨U+202E⟩") > 25


def test_an_endless_text_is_cut() -> None:
    endless = Verdict(job(SHOP, "shop-1"), Reason.UNREADABLE, None, "x" * 1_000_000)

    assert len(scenes.page(snapshot([view(SHOP, [endless])]))()) < 50_000


def test_moments_out_of_any_calendar_harm_nothing() -> None:
    odd = [
        Verdict(job(SHOP, f"shop-{number}", ago=-moment), Reason.YOUNG, moment)
        for number, moment in enumerate((1e18, -1e18, 1e308, float("inf")))
    ]

    assert read(snapshot([view(SHOP, odd)])).open_tags == []


# --- what is asked for ---

FAILED = Verdict(job(owner("b/failed"), "f-1", Outcome.FAILED, 2 * HOUR), Reason.CURRENT)
NEWER = Verdict(job(owner("c/newer"), "n-1", Outcome.FAILED, HOUR), Reason.CURRENT)
DUE = [Verdict(job(owner("d/due"), f"d-{n}", Outcome.SUCCEEDED), Reason.SUPERSEDED, since=AT - n) for n in (5, 60)]
LESS_DUE = Verdict(job(owner("a/less"), "l-1", Outcome.SUCCEEDED), Reason.SUPERSEDED, since=AT - 30)
KEPT = [Verdict(job(owner("e/kept"), f"k-{n}", Outcome.SUCCEEDED), Reason.YOUNG, AT + HOUR) for n in range(5)]
ODD = Verdict(job(owner("f/odd"), "o-1", Outcome.SUCCEEDED), Reason.UNREADABLE)


def mixed() -> Snapshot:
    stuck = (Stuck(StuckKind.POLLING_DIED, "g/stuck", "", "it has died"),)
    return snapshot(
        [
            view(owner("g/stuck"), [], stuck=stuck),
            view(owner("f/odd"), [ODD]),
            view(owner("e/kept"), KEPT),
            view(owner("d/due"), DUE),
            view(owner("c/newer"), [NEWER]),
            view(owner("b/failed"), [FAILED]),
            view(owner("a/less"), [LESS_DUE]),
        ]
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a/less", "b/failed", "c/newer", "d/due", "e/kept", "f/odd", "g/stuck"]),
        ("text=D%2FD", ["d/due"]),
        ("text=+ept+", ["e/kept"]),
        ("text=nowhere", []),
        ("only=failed", ["b/failed", "c/newer"]),
        ("only=due", ["a/less", "d/due"]),
        ("only=stuck", ["g/stuck"]),
        ("only=errors", ["e/kept", "f/odd"]),
        ("only=stuck&only=due", ["a/less", "d/due", "g/stuck"]),
        ("only=due&text=d/", ["d/due"]),
        ("only=due&sort=due", ["d/due", "a/less"]),
        ("only=failed&sort=failure", ["c/newer", "b/failed"]),
    ],
)
def test_gitrepos_can_be_looked_for(query: str, found: list[str]) -> None:
    past = after(deleted(job(owner("e/kept"), "k-9"), fate=Fate.FAILED))

    assert read(mixed(), past=past, query=query).gitrepos == found


@pytest.mark.parametrize(("sort", "first"), [("kept", "e/kept"), ("due", "d/due"), ("failure", "c/newer"), ("deletion", "f/odd")])
def test_gitrepos_can_be_ordered(sort: str, first: str) -> None:
    past = after(deleted(job(owner("f/odd"), "o-9")))

    assert read(mixed(), past=past, query=f"sort={sort}").gitrepos[0] == first


@pytest.mark.parametrize(
    "query", ["sort=elsewhere", "page=-1", "page=x", "page=99999999999", "only=x", "&".join(["a=1"] * 99), "%ff=%00"]
)
def test_what_nobody_understands_is_not_asked(query: str) -> None:
    assert len(read(mixed(), query=query).gitrepos) == 7


def test_the_form_shows_what_was_asked() -> None:
    page = read(mixed(), query="text=shop&only=due&sort=kept")

    chosen = [attributes for _, attributes in page.tags if "checked" in attributes or "selected" in attributes]
    assert [attributes["value"] for attributes in chosen] == ["due", "kept"]
    assert "shop" in page.values("value")


def test_many_gitrepos_come_in_pages() -> None:
    known = snapshot(scenes.calm_views(PER_PAGE * 2 + 5, 2))

    pages = [read(known, query=f"page={number}&sort=kept&text=app") for number in (1, 2, 3, 4)]

    assert [len(page.gitrepos) for page in pages] == [PER_PAGE, PER_PAGE, 5, 5]
    assert len({name for page in pages for name in page.gitrepos}) == PER_PAGE * 2 + 5
    assert "?text=app&sort=kept&page=3#gitrepos" in pages[1].values("href")
    assert "?text=app&sort=kept#gitrepos" in pages[1].values("href")
    assert f"{PER_PAGE * 2 + 5} of {PER_PAGE * 2 + 5} GitRepos match" in pages[0].text
    assert PER_PAGE <= 200


def test_many_jobs_of_a_gitrepo_are_counted() -> None:
    verdicts = [Verdict(job(SHOP, f"shop-{number:05}", ago=number), Reason.CURRENT) for number in range(500)]

    page = read(snapshot([view(SHOP, verdicts)]))

    assert [row[0].split()[0] for row in page.rows if "shop-" in row[0]] == [f"shop-{number:05}" for number in range(JOBS)]
    assert "and 450 more Jobs" in page.text


def test_long_lists_are_cut_and_say_so() -> None:
    refused = tuple(NamespaceRefused(f"team-{number:05}", "list", "no", denied=True) for number in range(5000))
    odd = tuple(Unreadable("Job", "team", f"odd-{number:05}", "no") for number in range(5000))

    page = read(snapshot(refused=refused, unreadable=odd))

    assert "5,000 refused, as of 30s ago" in page.text
    assert page.text.count("; the first 200 of them") == 2
    assert sum("odd-" in row[0] or "team-" in row[0] for row in page.rows if row) == 400


@pytest.mark.parametrize("make", [scenes.rich, hostile])
def test_the_same_world_gives_the_same_page(make: Callable[[], tuple[Snapshot, Vitals, History]]) -> None:
    assert scenes.page(*make())("sort=kept") == scenes.page(*make())("sort=kept")
