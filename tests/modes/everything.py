"""2,000 Jobs of 40 GitRepos: every class of the design's table, in the forms of four recorded Fleets, in several Namespaces."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.edge.servers import GITREPOS, must
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.seed import Json, Made

VERSIONS = ("v0.10.2", "v0.10.4", "v0.14.10", "v0.16.1")
JOBS_OF_EACH = 50
HEAD = seed.sha("head")
NEXT = seed.sha("next")
FINALIZER = "example.com/wait"

Change = Callable[[Json], object]


def day(**ahead: float) -> str:
    """A date as an annotation has it."""
    return (datetime.now(UTC) + timedelta(**ahead)).strftime("%Y-%m-%d")


def annotated(**annotations: str) -> Change:
    """Annotations meant for the cleaner, with _ for -."""
    ours = {"gitjob-cleaner/" + name.replace("_", "-"): text for name, text in annotations.items()}
    return lambda thing: thing["metadata"].setdefault("annotations", {}).update(ours)


def finalizer(job: Json) -> None:
    """Something waits for the Job's end."""
    job["metadata"]["finalizers"] = [FINALIZER]


def deleting(job: Json) -> None:
    """It is on its way out."""
    finalizer(job)
    job["metadata"] |= {"deletionTimestamp": seed.stamp(seed.ago(minutes=1)), "deletionGracePeriodSeconds": 0}


def without_times(*names: str) -> Change:
    """A status that does not say when it ended."""

    def change(job: Json) -> None:
        for condition in job["status"]["conditions"]:
            condition.pop("lastTransitionTime", None)
        for name in names:
            job["status"].pop(name, None)

    return change


def only(kind: str) -> Change:
    """Of its conditions only the one that comes before the end."""
    return lambda job: job["status"].update(conditions=[c for c in job["status"]["conditions"] if c["type"] == kind])


def both(job: Json) -> None:
    """It says that it succeeded and that it failed."""
    now = job["status"]["conditions"][-1]["lastTransitionTime"]
    ends = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Complete", "Failed")]
    job["status"]["conditions"] = ends


def deadline(job: Json) -> None:
    """Neither condition nor completion say when it ended: its start and its deadline do."""
    without_times("completionTime")(job)
    job["spec"]["activeDeadlineSeconds"] = 600


def miscounted(job: Json) -> None:
    """Counters that contradict the condition."""
    job["status"] |= {"failed": 2, "succeeded": 1}


def no_commit(job: Json) -> None:
    """Fleet 0.14.0 to 0.15.0 wrote such Jobs."""
    job["metadata"]["annotations"].pop("commit")


def commit(text: str) -> Change:
    """The name says one commit, the annotation another: after `spec.repo` was changed."""
    return lambda job: job["metadata"]["annotations"].update(commit=text)


def same(_: Json) -> None:
    """Nothing special."""


DECORATIONS: tuple[Change, ...] = (
    annotated(protect="true"),
    annotated(protect=day(days=3)),
    annotated(protect=day(days=-3)),
    annotated(protect="false"),
    annotated(protect="perhaps"),
    annotated(unheard_of="x"),
    annotated(succeeded_age="2h", failed_age="200h"),
    annotated(succeeded_keep="3", failed_keep="40"),
    annotated(succeeded_age="1s", failed_age="1s"),
    finalizer,
    deleting,
    both,
    without_times(),
    deadline,
    no_commit,
    miscounted,
)

DUE: tuple[tuple[seed.Outcome, float], ...] = (("succeeded", 45.0), ("failed", 4800.0))
"""Old enough to go, if nothing special holds."""

RECIPES: tuple[tuple[seed.Outcome, float, Change], ...] = (
    *(("succeeded", minutes, same) for minutes in (1, 6, 30, 90, 3000)),
    *(("failed", minutes, same) for minutes in (2, 400, 4000, 5000, 6000, 6000)),
    *((outcome, minutes, each) for outcome, minutes in DUE for each in DECORATIONS),
    ("running", 2, same),
    ("running", 300, same),
    ("failed", 9000, only("FailureTarget")),
    ("succeeded", 9000, only("SuccessCriteriaMet")),
    ("succeeded", -90, same),
    ("failed", 7000, commit(HEAD)),
)
"""Of old commits: outcome, minutes since the finish, and what is special. The two current ones come on top."""


def gitrepos(names: list[str]) -> Iterator[Made]:
    """Forty GitRepos, over the Namespaces in turn."""
    polled = {"lastPollingTriggered": seed.stamp(seed.ago(seconds=1))}
    silent = {"lastPollingTriggered": seed.stamp(seed.ago(days=1))}
    kinds: list[tuple[str, dict[str, Any], Change]] = [
        ("plain", polled, same),
        ("legacy", polled, same),
        ("failing", polled | {"failed": True}, same),
        ("silent", silent, same),
        ("unpolled", silent | {"spec": {"disablePolling": True}}, same),
        ("slow", silent | {"spec": {"pollingInterval": "72h"}}, same),
        ("unsynced", polled | {"spec": {"forceSyncGeneration": 3}}, same),
        ("unobserved", polled | {"observedGeneration": 7}, same),
        ("next", polled | {"pollingCommit": NEXT}, same),
        ("empty", polled | {"commit": None, "pollingCommit": None}, same),
        ("garbled", polled | {"spec": {"pollingInterval": "often"}}, same),
        ("protected", polled, annotated(protect="true")),
        ("paused", polled, annotated(pause=day(days=2))),
        ("released", polled, annotated(protect=day(days=-2))),
        ("wishes", polled, annotated(failed_age="90h", succeeded_keep="2")),
        ("greedy", polled, annotated(failed_keep="9999", succeeded_age="9000h")),
        ("misread", polled, annotated(failed_age="soon")),
        ("leaving", polled, lambda repo: repo["metadata"].update(finalizers=[FINALIZER])),
        ("x" * 63, polled, same),
        ("forged", polled, same),
    ]
    for n, (name, status, change) in enumerate(kinds * 2):
        made = seed.gitrepo(names[n % len(names)] if n < len(kinds) else names[0], f"{name[:61]}{n // len(kinds)}", **status)
        change(made.object)
        yield made


def jobs_of(gitrepo: Json, version: str) -> Iterator[Made]:
    """Fifty Jobs of one GitRepo in the form of one Fleet; those of a `forged` one name an owner that is nobody."""
    owner = gitrepo
    if gitrepo["metadata"]["name"].startswith("forged"):
        owner = {**gitrepo, "metadata": {**gitrepo["metadata"], "uid": "00000000-0000-4000-8000-000000000000"}}
    outcome: seed.Outcome = "failed" if len(gitrepo["metadata"]["name"]) % 2 else "succeeded"
    old = seed.commits(gitrepo, JOBS_OF_EACH, salt=version)
    every = itertools.chain([(outcome, 7000.0, same, HEAD), ("failed", 8000.0, same, NEXT)], _of(old))
    for status, minutes, change, sha in itertools.islice(every, JOBS_OF_EACH):
        made = seed.job(owner, sha, status, finished=seed.ago(minutes=minutes), version=version, legacy=version == "v0.10.2")
        whole = {**made.object, "status": made.status}
        change(whole)
        if sha == HEAD and gitrepo["metadata"]["name"].startswith("wishes"):
            finalizer(whole)
        yield Made(whole, whole["status"])


def _of(commits: list[str]) -> Iterator[tuple[seed.Outcome, float, Change, str]]:
    return ((*recipe, sha) for recipe, sha in zip(itertools.cycle(RECIPES), commits, strict=False))


def foreign(names: list[str], made: list[Json]) -> Iterator[Made]:
    """Jobs that are none of a GitRepo's, and one whose owner lives in another Namespace."""
    forms: tuple[dict[str, Any], ...] = (
        {"kind": "CronJob", "apiVersion": "batch/v1"},
        {"kind": "GitRepo", "apiVersion": "example.com/v1"},
        {"controller": False},
        {},
    )
    for n, form in enumerate(forms):
        whole = seed.job(made[n], seed.sha(f"foreign-{n}"), "failed", finished=seed.ago(days=30)).object
        whole["metadata"]["ownerReferences"][0] |= form
        if not form:
            whole["metadata"]["namespace"] = next(name for name in names if name != whole["metadata"]["namespace"])
        yield Made(whole, whole["status"])


def fill(control_plane: ControlPlane) -> list[str]:
    """Put all of it into the world; the names of the Namespaces."""
    names = ["team-a", "team-b", "guarded", "released", "tuned", "garbled"]
    changes: dict[str, Change] = {
        "guarded": annotated(protect=day(days=9)),
        "released": annotated(protect=day(days=-9)),
        "tuned": annotated(failed_keep="4", succeeded_age="40m"),
        "garbled": annotated(failed_keep="many"),
    }
    for name in names:
        body: Json = {"metadata": {"name": name}}
        changes.get(name, same)(body)
        must(control_plane.request("POST", "/api/v1/namespaces", body))
    made = seed.put(control_plane, gitrepos(names))
    for n, repo in enumerate(made):
        seed.bulk(control_plane, jobs_of(repo, VERSIONS[n % len(VERSIONS)]))
        if repo["metadata"]["name"].startswith("leaving"):
            must(control_plane.request("DELETE", f"{GITREPOS.format(repo['metadata']['namespace'])}/{repo['metadata']['name']}"))
    seed.bulk(control_plane, foreign(names, made))
    return names
