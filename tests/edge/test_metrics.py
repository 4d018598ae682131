"""The metrics as a scraper reads them: what is counted, what begins at zero, what goes away, and that nothing gets lost."""

import gzip
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import product
from typing import TypeVar

import msgspec
import pytest
from prometheus_client import REGISTRY

from cleaner.cluster import Fate
from cleaner.happened import Finished, Led, OfPods, Read, Requested, Spared, Swept
from cleaner.metrics import CATALOGUE, Metrics
from cleaner.metrics.ledger import GONE_FOR, MOST
from cleaner.model import Owner
from cleaner.retention import Reason, Verdict
from cleaner.retention.stuck import StuckKind
from cleaner.snapshot import Tally, Vitals
from tests.edge.telling import (
    FAILED,
    OPENMETRICS,
    SHOP,
    SUCCEEDED,
    Told,
    attempted,
    everything,
    families,
    full,
    job,
    of_pods,
    pod,
    snapshot,
    text_of,
    view,
)

T = TypeVar("T")

HOSTILE = [
    'quo"te',
    "back\\slash",
    "new\nline",
    "car\rriage",
    'a="b",c="d"} 1\nforged 2',
    "żółć ☃ 𐍈",
    "{}",
    " ",
    "\x00\x7f\u2028",
]


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_both_forms_say_the_same(accept: str) -> None:
    told = full()
    read = {key: value for key, value in told.scrape(accept).items() if not key[0].startswith("process_")}

    assert read == {key: value for key, value in told.scrape().items() if not key[0].startswith("process_")}
    assert read["jobs_deleted_total", ("shop", "team", "failed", "superseded")] == 1
    assert read["build_info", ("1.2.3",)] == 1
    assert read["fleet_info", ("0.14.1",)] == 1


def test_what_happened_is_counted() -> None:
    read = full().scrape()

    assert read["jobs_would_be_deleted_total", ("shop", "team", "failed", "superseded")] == 1
    assert {labels[3]: value for (name, labels), value in read.items() if name == "job_errors_total"} == {
        "failed": 1,
        "denied": 1,
        "unconfirmed": 1,
    }
    assert all(read["job_deletions_total", (fate.value,)] == 1 for fate in Fate)
    assert read["spared_total", ()] == read["canary_tripped_total", ()] == read["brakes_total", ("clock",)] == 1
    assert read["api_requests_total", ("200", "jobs", "list")] == read["api_requests_total", ("200", "jobs", "watch")] == 1
    assert read["watch_restarts_total", ("expired", "jobs")] == 1
    assert read["fleet_jobs_finished_total", ("shop", "team", "succeeded")] == 1
    assert read["sweeps_total", ("done", "interval")] == read["leader_changes_total", ()] == 1
    assert read["announcements_dropped_total", ()] == 2
    assert read["errors_kept_total", ()] == 1


def test_pods_are_counted_apart_from_jobs() -> None:
    told, before = Told(), Told()

    told.tell(*(of_pods(fate) for fate in Fate), of_pods(Fate.DELETED, SUCCEEDED))
    told.tell(OfPods(Spared(Verdict(pod(), Reason.PROTECTED))))

    old = before.scrape()
    assert {key: count for key, count in told.scrape().items() if count != old.get(key) and "process_" not in key[0]} == {
        ("pods_deleted_total", ("shop", "team", "failed")): 1,
        ("pods_deleted_total", ("shop", "team", "succeeded")): 1,
        ("pod_errors_total", ("shop", "team", "failed", "failed")): 1,
        ("pod_errors_total", ("shop", "team", "failed", "denied")): 1,
        ("pod_errors_total", ("shop", "team", "failed", "unconfirmed")): 1,
    }


def test_pods_that_are_still_there_are_told() -> None:
    """Those of GitRepos that do not live share one series for each Namespace."""
    assert Told(snapshot(view())).of("pods_retained") == {
        ("shop", "team", "failed", "young"): 2,
        ("", "team", "succeeded", "protected"): 1,
    }
    assert Told(snapshot(view()), per_gitrepo=False).of("pods_retained") == {
        ("", "", "failed", "young"): 2,
        ("", "", "succeeded", "protected"): 1,
    }


def test_durations_are_in_their_buckets() -> None:
    read = full().scrape()

    assert read["fleet_job_duration_seconds_sum", ("succeeded",)] == 42
    assert [read["fleet_job_duration_seconds_bucket", (le, "succeeded")] for le in ("30.0", "60.0", "+Inf")] == [0, 1, 1]
    assert [read["lateness_seconds_bucket", (le,)] for le in ("0.25", "0.5", "+Inf")] == [0, 1, 1]
    assert read["sweep_duration_seconds_sum", ("interval",)] == 1.5
    assert read["api_request_duration_seconds_count", ("jobs", "list")] == 1
    assert ("api_request_duration_seconds_count", ("jobs", "watch")) not in read


def test_what_is_there_now_is_told() -> None:
    read = full().scrape()

    assert {labels: value for (name, labels), value in read.items() if name == "jobs_retained"} == {
        ("shop", "team", "succeeded", "current"): 1,
        ("shop", "team", "failed", "newest"): 2,
        ("shop", "team", "running", "running"): 1,
    }
    assert read["backlog_jobs", ("shop", "team")] == 5
    assert read["fleet_last_success_timestamp_seconds", ("shop", "team")] == 1500
    assert read["stuck", ("running-long",)] == read["gitrepos", ()] == read["leader", ()] == read["ready", ()] == 1
    assert read["namespaces_refused", ()] == read["unreadable_objects", ()] == 1
    assert read["foreign_jobs", ()] == 3
    moments = {"oldest_due": 1700, "next_due": 2100, "last_sweep": 1900, "last_success": 1800}
    assert {name: read[f"{name}_timestamp_seconds", ()] for name in moments} == moments
    assert read["watch_last_sign_timestamp_seconds", ("", "jobs")] == 1990


def test_vitals_are_told_as_they_are_at_the_scrape() -> None:
    told = Told()
    calm = {"leader": 1, "ready": 0, "paused": 0, "throttled": 0, "dry_run": 0}

    assert {name: told.scrape()[name, ()] for name in calm} == calm  # without an election everyone may delete

    told.vitals = Vitals(leading=False, ready=True, paused=True, throttled=True, dry_run=True)
    assert {name: told.scrape()[name, ()] for name in calm} == {
        "leader": 0,
        "ready": 1,
        "paused": 1,
        "throttled": 1,
        "dry_run": 1,
    }


def test_moments_that_have_not_come_are_absent() -> None:
    told = Told()
    told.snapshot = msgspec.structs.replace(told.snapshot, oldest_due=None, next_due=None, swept=None, succeeded=None)

    assert [name for name, _ in told.scrape() if name.endswith("timestamp_seconds")] == []


def test_known_label_sets_begin_at_zero() -> None:
    read = Told().scrape()
    triggers = ("start", "interval", "leader", "watch")
    outcomes = ("done", "partial", "braked", "refused", "unreachable", "stopped")

    assert [read["sweeps_total", pair] for pair in product(outcomes, triggers)] == [0] * 24
    assert [read["sweep_duration_seconds_count", (trigger,)] for trigger in triggers] == [0] * 4
    assert all(read["job_deletions_total", (fate.value,)] == 0 for fate in Fate if fate is not Fate.AGAIN)
    assert all(read["brakes_total", (brake,)] == 0 for brake in ("stop", "pause", "clock", "canary", "leader"))
    reasons = ("closed", "expired", "silent", "broken", "denied", "failed")
    assert all(read["watch_restarts_total", pair] == 0 for pair in product(reasons, ("jobs", "gitrepos", "namespaces")))
    assert all(read["stuck", (kind.value,)] == 0 for kind in StuckKind)
    bare = ("spared", "canary_tripped", "leader_changes", "announcements_dropped", "errors_kept")
    assert all(read[f"{name}_total", ()] == 0 for name in bare)


def test_deletions_that_are_to_be_expected_begin_at_zero() -> None:
    told = Told(snapshot(view(SHOP, {(FAILED, Reason.YOUNG): 1, (None, Reason.RUNNING): 1})))

    assert told.of("jobs_deleted_total") == {("shop", "team", "failed", "superseded"): 0}

    told.tell(attempted(Fate.DELETED))
    assert told.of("jobs_deleted_total") == {("shop", "team", "failed", "superseded"): 1}


def test_a_job_that_waits_for_a_finalizer_counts_once() -> None:
    told = Told()
    told.tell(attempted(Fate.TERMINATING))
    assert told.of("jobs_deleted_total") == {}

    told.tell(attempted(Fate.DELETED))
    assert told.of("jobs_deleted_total") == {("shop", "team", "failed", "superseded"): 1}


def test_a_dry_run_counts_nothing_as_deleted() -> None:
    told = Told(snapshot(view(SHOP, {(FAILED, Reason.SUPERSEDED): 1})))
    told.vitals = Vitals(dry_run=True)
    told.scrape()
    told.tell(attempted(Fate.WOULD_DELETE))

    assert told.of("jobs_deleted_total") == {}
    assert told.of("jobs_would_be_deleted_total") == {("shop", "team", "failed", "superseded"): 1}


def test_the_series_of_a_deleted_gitrepo_go_away() -> None:
    told = Told(snapshot(view(SHOP, {(SUCCEEDED, Reason.CURRENT): 1})))
    told.tell(attempted(Fate.DELETED), attempted(Fate.FAILED), Finished(job()))
    told.scrape()
    told.snapshot = snapshot()

    assert told.of("jobs_retained") == told.of("backlog_jobs") == told.of("fleet_last_success_timestamp_seconds") == {}

    told.now = GONE_FOR - 1
    assert told.of("jobs_deleted_total")["shop", "team", "failed", "superseded"] == 1

    told.now = GONE_FOR
    assert [key for key in told.scrape() if "shop" in key[1]] == []


def test_a_gitrepo_that_comes_back_in_time_keeps_its_counts() -> None:
    told = Told()
    told.tell(attempted(Fate.DELETED))
    told.scrape()
    told.now, told.snapshot = GONE_FOR - 1, snapshot(view(msgspec.structs.replace(SHOP, uid="another")))
    told.scrape()
    told.now, told.snapshot = GONE_FOR + 1, snapshot()

    assert told.of("jobs_deleted_total")["shop", "team", "failed", "superseded"] == 1


def test_a_late_count_gives_a_gitrepo_that_has_gone_another_hour() -> None:
    told = Told()
    told.tell(Finished(job()))
    told.scrape()
    told.now = GONE_FOR - 1
    told.tell(Finished(job()))
    told.now = GONE_FOR + 1

    assert told.of("fleet_jobs_finished_total") == {("shop", "team", "failed"): 2}


def test_owners_that_do_not_live_share_one_series_for_each_namespace() -> None:
    dead = [view(Owner("team", f"made-up-{n}", f"uid-{n}"), {(FAILED, Reason.NOT_OWNED): 2}, lives=False) for n in range(5)]
    told = Told(snapshot(*dead, view(SHOP, {(FAILED, Reason.NEWEST): 1})))

    assert told.of("jobs_retained") == {("", "team", "failed", "not-owned"): 10, ("shop", "team", "failed", "newest"): 1}
    assert list(told.of("backlog_jobs")) == [("shop", "team")]
    assert told.scrape()["gitrepos", ()] == 1


def test_the_bound_holds_and_who_went_first_goes_first() -> None:
    owners = [Owner("team", f"repo-{n}", f"uid-{n}") for n in range(MOST + 3)]
    told = Told(snapshot(*(view(owner) for owner in owners[2:])))
    told.tell(*(Finished(job(owner)) for owner in owners[:MOST]))
    told.snapshot = snapshot(*(view(owner) for owner in owners[1:]))
    told.scrape()
    told.snapshot = snapshot(*(view(owner) for owner in owners[2:]))
    told.scrape()
    told.tell(*(Finished(job(owner)) for owner in owners[MOST:]), Finished(job(owners[MOST])))
    counted = told.of("fleet_jobs_finished_total")

    assert len(counted) == MOST + 1
    assert ("repo-0", "team", "failed") not in counted
    assert ("repo-1", "team", "failed") not in counted
    assert counted[f"repo-{MOST}", "team", "failed"] == 2
    assert counted[f"repo-{MOST + 1}", "team", "failed"] == 1
    assert counted["", "", "failed"] == 1  # nobody else has gone, so the last shares a series with all that may follow
    assert sum(counted.values()) == MOST + 2


def test_a_late_count_saves_a_gitrepo_from_going_first() -> None:
    owners = [Owner("team", f"repo-{n}", f"uid-{n}") for n in range(MOST + 1)]
    told = Told(snapshot())
    told.tell(*(Finished(job(owner)) for owner in owners[:MOST]))
    told.scrape()
    told.tell(Finished(job(owners[0])), Finished(job(owners[MOST])))
    counted = told.of("fleet_jobs_finished_total")

    assert counted["repo-0", "team", "failed"] == 2
    assert ("repo-1", "team", "failed") not in counted


def test_beyond_the_bound_nothing_is_lost() -> None:
    owners = [Owner("team", f"repo-{n}", f"uid-{n}") for n in range(MOST + 5)]
    told = Told(snapshot(*(view(owner, {(FAILED, Reason.YOUNG): 1}) for owner in owners)))
    told.scrape()
    told.tell(*(attempted(Fate.DELETED, owner) for owner in owners))
    counted = told.of("jobs_deleted_total")

    assert sum(counted.values()) == MOST + 5
    assert counted["", "", "failed", "superseded"] == 5
    assert len(counted) == MOST + 1


def test_without_the_breakdown_everything_is_summed() -> None:
    other = Owner("other", "web", "uid-web")
    tally: Tally = {(SUCCEEDED, Reason.CURRENT): 1, (FAILED, Reason.SUPERSEDED): 2}
    told = Told(snapshot(view(SHOP, tally), view(other, tally)), per_gitrepo=False)

    assert set(told.of("jobs_deleted_total").items()) == {
        (("", "", outcome, reason), 0) for outcome, reason in product(("succeeded", "failed"), ("superseded", "expired"))
    }

    told.tell(attempted(Fate.DELETED), attempted(Fate.DELETED, other), attempted(Fate.DENIED, other), Finished(job(other)))
    told.snapshot, told.now = snapshot(), 10 * GONE_FOR
    read = told.scrape()

    assert read["jobs_deleted_total", ("", "", "failed", "superseded")] == 2
    assert read["job_errors_total", ("", "", "failed", "denied")] == 1
    assert read["fleet_jobs_finished_total", ("", "", "failed")] == 1


def test_without_the_breakdown_the_gauges_are_sums_too() -> None:
    other = Owner("other", "web", "uid-web")
    tally: Tally = {(SUCCEEDED, Reason.CURRENT): 1, (FAILED, Reason.SUPERSEDED): 2}
    read = Told(snapshot(view(SHOP, tally), view(other, tally)), per_gitrepo=False).scrape()

    assert {labels: value for (name, labels), value in read.items() if name == "jobs_retained"} == {
        ("", "", "succeeded", "current"): 2
    }
    assert read["backlog_jobs", ("", "")] == 4
    assert read["fleet_last_success_timestamp_seconds", ("", "")] == 1500
    assert read["gitrepos", ()] == 2


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_hostile_names_survive(name: str, accept: str) -> None:
    owner = Owner("team", name, "uid")
    told = Told(snapshot(view(owner, {(FAILED, Reason.YOUNG): 7})))
    told.tell(attempted(Fate.DELETED, owner))
    read = told.scrape(accept)

    assert read["jobs_retained", (name, "team", "failed", "young")] == 7
    assert read["jobs_deleted_total", (name, "team", "failed", "superseded")] == 1
    assert {found for found, _ in read} == {
        found for found, _ in Told(snapshot(view(SHOP, {(FAILED, Reason.YOUNG): 7}))).scrape()
    }


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_a_name_that_nothing_can_write_does_not_cost_the_scrape(accept: str) -> None:
    owner = Owner("team", "half \ud800 a pair", "uid")
    told = Told(snapshot(view(owner, {(FAILED, Reason.YOUNG): 7})))
    told.tell(attempted(Fate.DELETED, owner))

    assert told.scrape(accept)["jobs_deleted_total", ("half ? a pair", "team", "failed", "superseded")] == 1


def test_names_are_cut_and_what_then_looks_alike_is_summed() -> None:
    owners = [Owner("team", "x" * 100_000 + end, end) for end in "ab"]
    told = Told(snapshot(*(view(owner, {(FAILED, Reason.YOUNG): 1, (FAILED, Reason.SUPERSEDED): 1}) for owner in owners)))
    told.tell(*(attempted(Fate.DELETED, owner) for owner in owners))
    read = told.scrape()

    assert read["jobs_retained", ("x" * 253, "team", "failed", "young")] == 2
    assert read["backlog_jobs", ("x" * 253, "team")] == 2
    assert read["jobs_deleted_total", ("x" * 253, "team", "failed", "superseded")] == 2


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html, image/avif;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        ("text/plain;q=0.1, application/openmetrics-text ; q=0.9", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.9", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0, text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=latest", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=1.x.y;q=much", "text/plain; version=0.0.4; charset=utf-8"),
        (";,;;q=,=,\x00", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_form_is_negotiated(accept: str, form: str) -> None:
    exposition = full().metrics.exposition(accept, "")

    assert exposition.content_type == form
    assert families(exposition)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("deflate, GZip;q=0.5", "gzip"), ("", ""), ("gzip;q=0", ""), ("identity", ""), ("br, zstd", "")],
)
@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_gzip_is_used_where_it_is_accepted(accepted: str, encoding: str, accept: str) -> None:
    told = full()
    exposition = told.metrics.exposition(accept, accepted)
    plain = told.metrics.exposition(accept, "")

    assert exposition.content_encoding == encoding
    assert "gitjob_cleaner_jobs_deleted_total{" in text_of(exposition)
    assert exposition.content_type == plain.content_type
    if encoding:
        assert len(exposition.body) < len(plain.body) / 5
        assert gzip.decompress(exposition.body).count(b"\n") == plain.body.count(b"\n")


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_no_time_of_creation_is_told(accept: str) -> None:
    assert "_created" not in text_of(full().metrics.exposition(accept, ""))


def test_nothing_that_names_a_job_is_told() -> None:
    assert "secret" not in text_of(full().metrics.exposition(OPENMETRICS, ""))


def test_each_instance_has_a_registry_of_its_own() -> None:
    first, second = full(), Told()

    assert second.scrape()["spared_total", ()] == 0
    assert first.scrape()["spared_total", ()] == 1
    assert [family.name for family in REGISTRY.collect() if family.name.startswith("gitjob_cleaner")] == []


def test_what_has_no_metric_is_let_by() -> None:
    told = Told()
    before = {key: value for key, value in told.scrape().items() if not key[0].startswith("process_")}
    told.tell(Read("jobs", 500))

    assert {key: value for key, value in told.scrape().items() if not key[0].startswith("process_")} == before


def test_a_scrape_reads_each_source_once() -> None:
    asked: list[str] = []
    seen, vitals = full().snapshot, Vitals()

    def noted(source: str, answer: T) -> Callable[[], T]:
        def ask() -> T:
            asked.append(source)
            return answer

        return ask

    metrics = Metrics("1", noted("snapshot", seen), noted("vitals", vitals), True, float)
    assert asked == []

    metrics.exposition("", "")
    assert sorted(asked) == ["snapshot", "vitals"]


@pytest.fixture
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_turns_often")
def test_nothing_is_lost_when_many_tell_and_scrape_at_once() -> None:
    threads, rounds = 8, 4000
    owners = [Owner("team", f"repo-{n}", f"uid-{n}") for n in range(10)]
    told = Told(snapshot(*(view(owner, {(FAILED, Reason.YOUNG): 1}) for owner in owners)))
    begin = threading.Barrier(threads + 2)
    done = threading.Event()
    sums: list[float] = []

    def tell(thread: int) -> None:
        begin.wait()
        for n in range(rounds):
            told.tell(
                attempted(Fate.DELETED, owners[n % 10]),
                Requested("delete", "jobs", str(200 + thread % 2), 0.25),
                Finished(job(owners[n % 10], took=2.0)),
                Swept("id", "watch", "done", 0.0, 0.5, 1, 1),
                Led(leading=True),
            )

    def scrape() -> None:
        begin.wait()
        while not done.is_set():
            sums.append(sum(told.of("jobs_deleted_total").values()))

    tellers = [threading.Thread(target=tell, args=(n,)) for n in range(threads)]
    scraper = threading.Thread(target=scrape)
    for thread in (*tellers, scraper):
        thread.start()
    begin.wait()
    for thread in tellers:
        thread.join()
    done.set()
    scraper.join()
    read, total = told.scrape(), threads * rounds

    assert told.of("jobs_deleted_total") == {(f"repo-{n}", "team", "failed", "superseded"): total / 10 for n in range(10)}
    assert [read["api_requests_total", (code, "jobs", "delete")] for code in ("200", "201")] == [total / 2] * 2
    assert read["api_request_duration_seconds_sum", ("jobs", "delete")] == total * 0.25
    assert read["fleet_job_duration_seconds_sum", ("failed",)] == total * 2
    assert read["fleet_job_duration_seconds_count", ("failed",)] == read["sweeps_total", ("done", "watch")] == total
    assert read["leader_changes_total", ()] == read["job_deletions_total", ("deleted",)] == total
    assert sums == sorted(sums)


def test_every_series_has_the_labels_of_the_catalogue() -> None:
    labels = {metric.name: set(metric.labels) for metric in CATALOGUE}
    told = full()
    told.tell(*everything())
    wrong = [
        sample.name
        for family in families(told.metrics.exposition("", ""))
        for sample in family.samples
        if set(sample.labels) - {"le"} != labels.get(sample.name, labels.get(family.name))
    ]

    assert wrong == []
