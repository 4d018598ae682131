"""What the status page is shown in tests: a rich example, large ones, and single GitRepos."""

from collections import Counter
from collections.abc import Iterable

from cleaner.cluster import Deletion, Doomed, Fate, Refusal
from cleaner.happened import (
    Attempted,
    Braked,
    CanaryTripped,
    Happened,
    NamespaceRefused,
    Requested,
    Swept,
    Unreadable,
    WatchEnded,
)
from cleaner.model import Fleet, GitRepo, Job, Moment, Outcome, Owner, identity
from cleaner.retention import Plan, Reason, Stuck, Verdict
from cleaner.retention.stuck import StuckKind
from cleaner.snapshot import Snapshot, View, Vitals
from cleaner.web import Bounds, History, StatusPage
from tests.core.worlds import AT, DAY, HOUR

COMMIT = "c0ffee1234567890c0ffee1234567890c0ffee12"


def owner(path: str, uid: str = "") -> Owner:
    """The GitRepo at `namespace/name`."""
    namespace, _, name = path.partition("/")
    return Owner(namespace, name, uid or f"uid-{path}")


def job(
    of: Owner, name: str, outcome: Outcome | None = Outcome.FAILED, ago: float = HOUR, problem: str = "", commit: str = COMMIT
) -> Job:
    """A Job that ended so long before AT."""
    finished = None if outcome is None else AT - ago
    return Job(of, identity(name, f"uid-{name}", "7", commit), AT - ago - 60, outcome, finished, problem=problem)


def view(of: Owner, verdicts: Iterable[Verdict], *, lives: bool = True, stuck: tuple[Stuck, ...] = (), problem: str = "") -> View:
    """A GitRepo as the snapshot has it."""
    judged = list(verdicts)
    untils = [v.until for v in judged if v.until is not None]
    doomed = [v.since for v in judged if v.since is not None]
    return View(
        owner=of,
        gitrepo=GitRepo(of.namespace, of.name, of.uid, (COMMIT,), problem=problem) if lives else None,
        plan=Plan(judged, min(untils, default=None)),
        tally=Counter((v.job.outcome, v.reason) for v in judged),
        stuck=stuck,
        oldest_due=min(doomed, default=None),
    )


def snapshot(views: Iterable[View] = (), **more: object) -> Snapshot:
    """A snapshot of these GitRepos, swept half a minute ago."""
    known = {each.owner: each for each in views}
    tally: Counter[tuple[Outcome | None, Reason]] = Counter()
    for each in known.values():
        tally.update(each.tally)
    dues = [each.oldest_due for each in known.values() if each.oldest_due is not None]
    nexts = [each.plan.next_due for each in known.values() if each.plan.next_due is not None]
    parts = {
        "at": AT,
        "fleet": Fleet("0.12.3", recreates=False, detail="v0.12.3"),
        "views": known,
        "tally": tally,
        "oldest_due": min(dues, default=None),
        "next_due": min(nexts, default=None),
        "swept": AT - 30,
        "succeeded": AT - 30,
    }
    return Snapshot(**(parts | more))  # type: ignore[arg-type]


def vitals(**more: object) -> Vitals:
    """A process that leads, and whose watches live."""
    signs = {("jobs", ""): AT - 2, ("gitrepos", ""): AT - 11, ("namespaces", ""): AT - 40}
    parts = {"leading": True, "holder": "gitjob-cleaner-7c9f-x2x8p", "ready": True, "signs": signs}
    return Vitals(**(parts | more))  # type: ignore[arg-type]


def history(began: Moment = AT - 3 * DAY, bounds: Bounds | None = None) -> History:
    """An empty one."""
    times = iter([began])
    return History(lambda: next(times, AT), bounds)


def deleted(of: Job, reason: Reason = Reason.SUPERSEDED, fate: Fate = Fate.DELETED, detail: str = "") -> Attempted:
    """A deletion that came to this."""
    return Attempted(Verdict(of, reason), Deletion(Doomed(of, 0.0), fate, detail))


def swept(ago: float = 30, trigger: str = "interval", outcome: str = "done", detail: str = "") -> Swept:
    """A pass that ended so long before AT."""
    return Swept("5f1c", trigger, outcome, AT - ago - 2.4, 2.4, 87, 412, (("deleted", 12), ("gone", 1)), 0, detail)


def page(known: Snapshot, living: Vitals | None = None, past: History | None = None, now: Moment = AT) -> StatusPage:
    """A page of values that stay as they are."""
    remembered = past or history()
    return StatusPage(lambda: known, lambda: living or vitals(), remembered, lambda: now)


def every_verdict(of: Owner) -> list[Verdict]:
    """One verdict of each reason, those that end with time with their end."""
    outcomes = (Outcome.FAILED, Outcome.SUCCEEDED)
    verdicts = []
    for place, reason in enumerate(Reason):
        outcome = None if reason is Reason.RUNNING else outcomes[place % 2]
        until = AT + (place + 1) * HOUR if reason in (Reason.SETTLING, Reason.YOUNG, Reason.PROTECTED) else None
        detail = "gitjob-cleaner/protect: 'soon' is no date" if reason is Reason.UNREADABLE else ""
        since = AT - 5 * 60 if reason.deletes else None
        verdicts.append(Verdict(job(of, f"{of.name}-{place:05}", outcome, (place + 1) * HOUR), reason, until, detail, since))
    return verdicts


def calm_views(gitrepos: int, jobs: int) -> list[View]:
    """Many GitRepos of which nothing is to be told."""
    views = []
    for number in range(gitrepos):
        of = owner(f"fleet-{number % 40:02}/app-{number:05}")
        verdicts = [Verdict(job(of, f"{of.name}-{0:05}", Outcome.SUCCEEDED, 2 * DAY), Reason.CURRENT)]
        for place in range(1, jobs):
            outcome, ago = (Outcome.FAILED, Outcome.SUCCEEDED)[place % 2], place * HOUR + number
            verdicts.append(Verdict(job(of, f"{of.name}-{place:05}", outcome, ago), Reason.YOUNG, AT - ago + 3 * DAY))
        views.append(view(of, verdicts))
    return views


def rich() -> tuple[Snapshot, Vitals, History]:
    """A busy cluster with one of each trouble."""
    shop, legacy, gone = owner("fleet-default/payments"), owner("fleet-default/storefront"), owner("team-red/old-experiment")
    blocked = Stuck(
        StuckKind.BLOCKED_BY_LEGACY,
        "fleet-default/storefront",
        "storefront-4b291",
        "Fleet ignores Force Update and spec changes while this Job, made by Fleet <= 0.10.3, has no generation labels;"
        " this runs it again: gitjob-cleaner retry fleet-default/storefront",
    )
    views = [
        view(shop, every_verdict(shop)),
        view(legacy, [Verdict(job(legacy, "storefront-4b291", ago=9 * DAY), Reason.CURRENT)], stuck=(blocked,)),
        view(gone, [Verdict(job(gone, f"old-experiment-{n:05}"), Reason.NOT_OWNED) for n in range(60)], lives=False),
        view(owner("team-blue/a-gitrepo-whose-name-is-about-as-long-as-kubernetes-lets-it-be-which-is-rather-long"), []),
        *calm_views(6, 4),
    ]
    past = history()
    events: tuple[Happened, ...] = (
        *(deleted(job(shop, f"payments-{n:05}", ago=80 * HOUR + n)) for n in range(7)),
        swept(4000, "start"),
        swept(30, outcome="partial", detail="2 deletions failed"),
        swept(12, "watch"),
        *(
            deleted(job(shop, "payments-0e0e0"), fate=Fate.FAILED, detail="HTTP 500: etcdserver: request timed out")
            for _ in range(2)
        ),
        WatchEnded("jobs", "", "broken", "connection reset by peer"),
        *(Requested("list", "jobs", "503", 0.2) for _ in range(14)),
        CanaryTripped(job(shop, "payments-00006"), job(shop, "payments-00006")),
    )
    for event in events:
        past(event)
    refusals = (NamespaceRefused("team-green", "list jobs", 'jobs.batch is forbidden: User "x" cannot list', denied=True),)
    odd = (Unreadable("Job", "team-red", "strange", "metadata.uid is missing"),)
    return snapshot(views, refused=refusals, unreadable=odd, foreign=31), vitals(throttled=True), past


def braked() -> Braked:
    """A brake that is nobody's wish."""
    return Braked(Refusal("clock", "our clock and the API's differ by 41s, more than 30s"))
