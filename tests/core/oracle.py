"""
The rules once more, slow and obvious: from raw API objects and the design's table alone, without the planner.

Whoever changes the rules changes both, and says so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.core.reading import (
    Object,
    annotations_readable,
    duration,
    finished_at,
    is_current,
    moment,
    ours,
    owner_of,
    polling_interval,
    protected_until,
    settled,
    terminal,
)

DEFAULTS: dict[str, Any] = {
    "succeeded_keep": 0,
    "succeeded_age": 600.0,
    "failed_keep": 1,
    "failed_age": 72 * 3600.0,
    "current": "keep",
    "settle": 300.0,
    "clock_bound": 30.0,
    "wake": False,
    "migrating": False,
    "annotated_age_min": None,
    "annotated_age_max": 720 * 3600.0,
    "annotated_keep_min": None,
    "annotated_keep_max": 50,
}
"""Durations in seconds."""


class Case:
    """One Job with all that its verdict may depend on."""

    def __init__(
        self,
        job: Object,
        gitrepo: Object | None,
        jobs: Sequence[Object],
        namespace: Object,
        settings: Mapping[str, Any],
        fleet_version: tuple[int, ...] | None,
        now: datetime,
    ) -> None:
        self.job, self.jobs, self.namespace, self.now = job, jobs, namespace, now.timestamp()
        self.settings: dict[str, Any] = {**DEFAULTS, **settings}
        self.recreates = fleet_version is None or fleet_version < (0, 10, 4)
        owner = owner_of(job)
        lives = gitrepo is not None and gitrepo["metadata"].get("uid") == owner["uid"]
        self.gitrepo: Object | None = gitrepo if lives else None

    @property
    def repo(self) -> Object:
        """The GitRepo, where it lives."""
        assert self.gitrepo is not None
        return self.gitrepo

    @property
    def outcome(self) -> str:
        """`succeeded` or `failed`."""
        return "succeeded" if terminal(self.job)[0]["type"] == "Complete" else "failed"

    @property
    def objects(self) -> list[Object]:
        """Whose annotations count, the nearest first."""
        return [self.job, self.repo, self.namespace]

    @property
    def current(self) -> bool:
        """Whether it is the Job of a commit in the GitRepo's status."""
        return is_current(self.job, self.repo)

    @property
    def legacy(self) -> bool:
        """Whether Fleet <= 0.10.3 made it."""
        return "fleet.cattle.io/gitrepo-generation" not in (self.job["metadata"].get("labels") or {})

    @property
    def freed(self) -> bool:
        """Whether a migration asks no age of it."""
        return bool(self.settings["migrating"]) and (self.legacy or self.current)

    def limit(self, what: str) -> float:
        """`age` or `keep` for this outcome: Job over GitRepo over Namespace over operator, within the operator's bounds."""
        name = f"{self.outcome}-{what}"
        operator = 0.0 if what == "age" and self.freed else float(self.settings[f"{self.outcome}_{what}"])
        wishes = [ours(one)[name] for one in self.objects if name in ours(one)]
        if not wishes:
            return operator
        wish = duration(wishes[0]) if what == "age" else float(wishes[0].strip())
        least = self.settings[f"annotated_{what}_min"]
        most = max(operator, float(self.settings[f"annotated_{what}_max"]))
        return max(min(wish, most), operator if least is None else float(least))


def _unreadable(case: Case) -> bool:
    if len(terminal(case.job)) > 1 or finished_at(case.job) > case.now + case.settings["clock_bound"]:
        return True
    try:
        polling_interval(case.repo)
    except ValueError:
        return True
    return not (case.repo.get("status") or {}).get("commit") or not all(map(annotations_readable, case.objects))


def _protected(case: Case) -> bool:
    ends = [protected_until(text) for one in case.objects for name, text in ours(one).items() if name in ("protect", "pause")]
    return any(end > case.now for end in ends) or (case.current and bool(case.job["metadata"].get("finalizers")))


def _current_stays(case: Case) -> bool:
    policy = "succeeded" if case.settings["migrating"] else case.settings["current"]
    goes = policy == "all" or (policy == "succeeded" and case.outcome == "succeeded")
    return case.current and (case.recreates or not goes)


def _unsettled(case: Case) -> bool:
    return case.current and (not settled(case.repo) or bool(case.repo["spec"].get("disablePolling")))


def _asleep(case: Case) -> bool:
    last = (case.repo.get("status") or {}).get("lastPollingTriggered")
    polls = not (case.repo.get("spec") or {}).get("disablePolling")
    if case.settings["wake"] or not case.recreates or not polls or not last:
        return False
    return case.now - moment(last) > 3 * polling_interval(case.repo)


def _order(job: Object) -> tuple[float, float, str]:
    return finished_at(job), moment(job["metadata"]["creationTimestamp"]), job["metadata"]["name"]


def _newest(case: Case) -> bool:
    same = [
        job
        for job in case.jobs
        if len(terminal(job)) == 1
        and terminal(job)[0]["type"] == terminal(case.job)[0]["type"]
        and not job["metadata"].get("deletionTimestamp")
    ]
    newer = [job for job in same if _order(job) > _order(case.job)]
    return not case.current and len(newer) < case.limit("keep")


TABLE: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("not-owned", lambda case: case.gitrepo is None),
    ("running", lambda case: not terminal(case.job)),
    ("deleting", lambda case: bool(case.job["metadata"].get("deletionTimestamp"))),
    ("unreadable", _unreadable),
    ("protected", _protected),
    ("leaving", lambda case: bool(case.repo["metadata"].get("deletionTimestamp"))),
    ("current", _current_stays),
    ("unsettled", _unsettled),
    ("asleep", _asleep),
    ("settling", lambda case: case.now - finished_at(case.job) < case.settings["settle"]),
    ("newest", _newest),
    ("young", lambda case: case.now - finished_at(case.job) < case.limit("age")),
    ("superseded", lambda case: not case.current and not case.freed),
    ("expired", lambda case: case.current),
    ("legacy", lambda case: not case.current and case.freed),
)
"""The design's table, in its order."""


def verdict(
    job: Object,
    gitrepo: Object | None,
    jobs: Sequence[Object],
    namespace: Object,
    settings: Mapping[str, Any],
    fleet_version: tuple[int, ...] | None,
    now: datetime,
) -> str:
    """
    Reason of the verdict on a Job that some GitRepo controls.

    `jobs` are all Jobs with the same owner, this one too. No Fleet version means that it may be any. Settings that are not
    given have their defaults; durations are seconds.
    """
    case = Case(job, gitrepo, jobs, namespace, settings, fleet_version, now)
    return next(reason for reason, holds in TABLE if holds(case))


def doomed(
    gitrepo: Object | None,
    jobs: Sequence[Object],
    namespace: Object,
    settings: Mapping[str, Any],
    fleet_version: tuple[int, ...] | None,
    now: datetime,
) -> Iterator[str]:
    """Names of those Jobs of one GitRepo that nothing needs."""
    for job in jobs:
        if verdict(job, gitrepo, jobs, namespace, settings, fleet_version, now) in ("superseded", "expired", "legacy"):
            yield job["metadata"]["name"]
