"""Metrics that have been told everything there is, and what a scrape then reads."""

import gzip
from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

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
    Late,
    Led,
    NamespaceRefused,
    OfPods,
    Requested,
    Spared,
    Swept,
    Unreadable,
    WatchEnded,
)
from cleaner.metrics import Exposition, Metrics
from cleaner.model import Fleet, GitRepo, Job, KeptError, OrphanedPod, Outcome, Owner, identity
from cleaner.retention import Plan, Reason, Stuck, Verdict
from cleaner.retention.stuck import StuckKind
from cleaner.snapshot import Snapshot, Tally, View, Vitals

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
FAILED, SUCCEEDED = Outcome.FAILED, Outcome.SUCCEEDED
SHOP = Owner("team", "shop", "uid-shop")


def job(owner: Owner = SHOP, outcome: Outcome | None = FAILED, took: float = 42.0) -> Job:
    """A Job with a name, a uid and a commit that no metric may tell."""
    finished = None if outcome is None else 1000.0 + took
    return Job(owner, identity("secret-name", "secret-uid", "7", "secret-commit"), 1000.0, outcome, finished)


def attempted(fate: Fate, owner: Owner = SHOP, outcome: Outcome = FAILED, reason: Reason = Reason.SUPERSEDED) -> Attempted:
    """An attempt to delete, with a message that no metric may tell."""
    doomed = job(owner, outcome)
    return Attempted(Verdict(doomed, reason), Deletion(Doomed(doomed, 0.0), fate, "secret-message"))


def pod(outcome: Outcome = FAILED) -> OrphanedPod:
    """A Pod that its Job left behind; it knows its GitRepo by name alone."""
    owner = Owner(SHOP.namespace, SHOP.name, "")
    return OrphanedPod(owner, identity("secret-pod", "secret-pod-uid", "7", "secret-commit"), 1000.0, outcome, 1042.0)


def of_pods(fate: Fate, outcome: Outcome = FAILED) -> OfPods:
    """An attempt to delete a Pod."""
    doomed = pod(outcome)
    return OfPods(Attempted(Verdict(doomed, Reason.ORPHANED), Deletion(Doomed(doomed, 0.0), fate, "secret-message")))


def view(owner: Owner = SHOP, tally: Tally | None = None, *, lives: bool = True, stuck: tuple[Stuck, ...] = ()) -> View:
    """What is known of one owner; it has no verdicts, so whoever reads them counts nothing."""
    gitrepo = GitRepo(owner.namespace, owner.name, owner.uid) if lives else None
    return View(owner, gitrepo, Plan([]), tally or {}, stuck, last_success=1500.0 if lives else None)


def snapshot(*views: View) -> Snapshot:
    """A snapshot of these, with everything else that can be told."""
    tally: Counter[tuple[Outcome | None, Reason]] = Counter()
    for each in views:
        tally.update(each.tally)
    return Snapshot(
        at=2000.0,
        fleet=Fleet("0.14.1", recreates=False),
        views={each.owner: each for each in views},
        tally=tally,
        refused=(NamespaceRefused("other", "jobs", "secret-message", denied=True),),
        unreadable=(Unreadable("Job", "team", "secret-name", "secret-message"),),
        foreign=3,
        oldest_due=1700.0,
        next_due=2100.0,
        swept=1900.0,
        succeeded=1800.0,
        pods={(Owner("team", "shop", ""), FAILED, Reason.YOUNG): 2, (Owner("team", "gone", ""), SUCCEEDED, Reason.PROTECTED): 1},
    )


class Told:
    """Metrics, and what they read at a scrape: a snapshot, vitals and a clock, each to be changed at will."""

    def __init__(self, seen: Snapshot | None = None, *, per_gitrepo: bool = True) -> None:
        self.snapshot = seen or snapshot()
        self.vitals = Vitals()
        self.now = 0.0
        self.metrics = Metrics("1.2.3", lambda: self.snapshot, lambda: self.vitals, per_gitrepo, lambda: self.now)

    def tell(self, *happened: Happened) -> None:
        """Let all of this have happened."""
        for each in happened:
            self.metrics(each)

    def scrape(self, accept: str = "") -> dict[tuple[str, tuple[str, ...]], float]:
        """Scrape: the values by name, without the prefix, and label values in the order of the labels' names."""
        read: dict[tuple[str, tuple[str, ...]], float] = {}
        for family in families(self.metrics.exposition(accept, "")):
            for sample in family.samples:
                key = (sample.name.removeprefix("gitjob_cleaner_"), tuple(value for _, value in sorted(sample.labels.items())))
                assert key not in read, f"{key} occurs twice"
                read[key] = sample.value
        return read

    def of(self, name: str) -> Mapping[tuple[str, ...], float]:
        """Scrape one metric."""
        return {labels: value for (found, labels), value in self.scrape().items() if found == name}


def text_of(exposition: Exposition) -> str:
    """The text of an answer, whatever its encoding."""
    return (gzip.decompress(exposition.body) if exposition.content_encoding else exposition.body).decode()


def families(exposition: Exposition) -> list[Family]:
    """Read an answer with the parser for its form."""
    read = read_openmetrics if exposition.content_type.startswith("application/openmetrics-text") else read_text
    return list(read(text_of(exposition)))


def everything() -> Iterator[Happened]:
    """One of each that can happen, and every fate."""
    yield from (attempted(fate) for fate in Fate)
    yield Spared(Verdict(job(), Reason.CURRENT))
    yield from (of_pods(fate) for fate in Fate)
    yield OfPods(Spared(Verdict(pod(), Reason.PROTECTED)))
    yield Braked(Refusal("clock", "secret-message"))
    yield CanaryTripped(job(), job())
    yield Requested("list", "jobs", "200", 0.02)
    yield Requested("watch", "jobs", "200", 0.02)
    yield WatchEnded("jobs", "", "expired", "secret-message")
    yield Finished(job(outcome=SUCCEEDED))
    yield Late(job(), 0.3)
    yield Led(leading=True)
    yield Swept("id", "interval", "done", 1000.0, 1.5, 1, 4)
    yield AnnouncementsDropped(2, "secret-message")
    yield ErrorKept(job(), "secret-message", ("secret-message",))
    yield ErrorsRecalled((KeptError(job().owner, "secret-name", "secret", "secret-message", 1.0),), "secret-message")


def full(per_gitrepo: bool = True) -> Told:
    """Metrics in which every series that there can be has a value."""
    tally = {
        (SUCCEEDED, Reason.CURRENT): 1,
        (FAILED, Reason.NEWEST): 2,
        (None, Reason.RUNNING): 1,
        (FAILED, Reason.SUPERSEDED): 5,
    }
    stuck = (Stuck(StuckKind.RUNNING_LONG, "team/shop", "secret-name", "secret-message"),)
    told = Told(snapshot(view(SHOP, tally, stuck=stuck)), per_gitrepo=per_gitrepo)
    told.vitals = Vitals(leading=True, ready=True, signs={("jobs", ""): 1990.0, ("gitrepos", ""): 1991.0})
    told.tell(*everything())
    return told
