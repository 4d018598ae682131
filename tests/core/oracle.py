"""
The rules once more, slow and obvious: from raw API objects and the design's table alone, without the planner.

Whoever changes the rules changes both, and says so.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

Object = Mapping[str, Any]

DEFAULTS: dict[str, Any] = {
    "succeeded_keep": 0,
    "succeeded_age": 600.0,
    "failed_keep": 1,
    "failed_age": 72 * 3600.0,
    "current": "keep",
    "settle": 300.0,
    "clock_bound": 30.0,
    "wake": False,
    "annotated_age_min": None,
    "annotated_age_max": 720 * 3600.0,
    "annotated_keep_min": None,
    "annotated_keep_max": 50,
}
"""Durations in seconds."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Case:
    """One Job with all that its verdict may depend on."""

    def __init__(
        self,
        job: Object,
        gitrepo: Object | None,
        jobs: list[Object],
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

    def limit(self, what: str) -> float:
        """`age` or `keep` for this outcome: Job over GitRepo over Namespace over operator, within the operator's bounds."""
        name = f"{self.outcome}-{what}"
        operator = float(self.settings[f"{self.outcome}_{what}"])
        wishes = [ours(one)[name] for one in self.objects if name in ours(one)]
        if not wishes:
            return operator
        wish = duration(wishes[0]) if what == "age" else float(wishes[0].strip())
        least = self.settings[f"annotated_{what}_min"]
        return max(min(wish, self.settings[f"annotated_{what}_max"]), operator if least is None else least)


def moment(text: str) -> float:
    """Seconds since the epoch of a time as the API writes it."""
    return datetime.fromisoformat(text).timestamp()


def duration(text: str) -> float:
    """Seconds of a duration like 1h30m; raises ValueError."""
    found = re.findall(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h|d)", text.strip())
    if text.strip() != "0" and (not found or "".join(a + b for a, b in found) != text.strip()):
        raise ValueError(text)
    return sum(float(number) * _UNITS[unit] for number, unit in found)


def ours(thing: Object) -> dict[str, str]:
    """Annotations meant for the cleaner, without the prefix."""
    found: dict[str, str] = thing["metadata"].get("annotations") or {}
    prefix = "gitjob-cleaner/"
    return {name.removeprefix(prefix): text for name, text in found.items() if name.startswith(prefix)}


def owner_of(job: Object) -> Object:
    """Return the reference to the GitRepo that controls a Job; the caller hands in no other Jobs."""
    references: list[Object] = job["metadata"]["ownerReferences"]
    return next(one for one in references if one.get("controller") and one["kind"] == "GitRepo")


def terminal(job: Object) -> list[Object]:
    """Conditions that end a Job; `FailureTarget` and `SuccessCriteriaMet` do not."""
    conditions: list[Object] = (job.get("status") or {}).get("conditions") or []
    return [one for one in conditions if one["type"] in ("Complete", "Failed") and one["status"] == "True"]


def finished_at(job: Object) -> float:
    """Condition, then completionTime, then start and deadline, then creation; never the present."""
    status, deadline = job.get("status") or {}, (job.get("spec") or {}).get("activeDeadlineSeconds")
    if terminal(job)[0].get("lastTransitionTime"):
        return moment(terminal(job)[0]["lastTransitionTime"])
    if status.get("completionTime"):
        return moment(status["completionTime"])
    if status.get("startTime") and deadline is not None:
        return moment(status["startTime"]) + float(deadline)
    return moment(job["metadata"]["creationTimestamp"])


def commits_of(gitrepo: Object) -> list[str]:
    """Commits that Fleet may be looking at."""
    status = gitrepo.get("status") or {}
    return [commit for commit in (status.get("commit"), status.get("pollingCommit")) if commit]


def job_name(gitrepo: Object, commit: str) -> str:
    """Fleet's `jobName`."""
    repo = (gitrepo.get("spec") or {}).get("repo") or ""
    full = gitrepo["metadata"]["name"] + "-" + hashlib.md5((repo + commit).encode()).hexdigest()[:5]
    if len(full) < 64:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()
    return full[:57] + "-" + digest[:5] if re.match("[a-z0-9]", full[56]) else full[:56] + "-" + digest[:6]


def is_current(job: Object, gitrepo: Object) -> bool:
    """By name, or by the annotation `commit`."""
    commits = commits_of(gitrepo)
    by_name = job["metadata"]["name"] in [job_name(gitrepo, commit) for commit in commits]
    return by_name or (job["metadata"].get("annotations") or {}).get("commit") in commits


def protected_until(text: str) -> float:
    """End of what `protect` or `pause` asks for; the past for not at all. Raises ValueError."""
    if text.strip() in ("true", "false"):
        return math.inf if text.strip() == "true" else -math.inf
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
        return moment((date.fromisoformat(text.strip()) + timedelta(days=1)).isoformat() + "T00:00:00Z")
    if datetime.fromisoformat(text.strip()).tzinfo is None:
        raise ValueError(text)
    return moment(text.strip())


def annotations_readable(thing: Object) -> bool:
    """Whether every annotation that is meant for us can be understood."""
    readers: dict[str, Callable[[str], float]] = {
        "protect": protected_until,
        "pause": protected_until,
        "succeeded-age": duration,
        "failed-age": duration,
        "succeeded-keep": _count,
        "failed-keep": _count,
    }
    try:
        for name, text in ours(thing).items():
            readers[name](text)
    except (KeyError, ValueError):
        return False
    return True


def _count(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
        raise ValueError(text)
    return float(text.strip())


def settled(gitrepo: Object) -> bool:
    """Whether Fleet has seen all that was asked of it."""
    metadata, spec, status = gitrepo["metadata"], gitrepo.get("spec") or {}, gitrepo.get("status") or {}
    seen = metadata.get("generation", 0) == (status.get("observedGeneration") or 0)
    return bool(seen and (spec.get("forceSyncGeneration") or 0) == (status.get("updateGeneration") or 0))


def polling_interval(gitrepo: Object) -> float:
    """Fleet's default is 15 s, for 0 too."""
    return duration((gitrepo.get("spec") or {}).get("pollingInterval") or "0") or 15.0


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
    policy = case.settings["current"]
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
    ("superseded", lambda case: not case.current),
    ("expired", lambda case: case.current),
)
"""The design's table, in its order."""


def verdict(
    job: Object,
    gitrepo: Object | None,
    jobs: list[Object],
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
    jobs: list[Object],
    namespace: Object,
    settings: Mapping[str, Any],
    fleet_version: tuple[int, ...] | None,
    now: datetime,
) -> Iterator[str]:
    """Names of those Jobs of one GitRepo that nothing needs."""
    for job in jobs:
        if verdict(job, gitrepo, jobs, namespace, settings, fleet_version, now) in ("superseded", "expired"):
            yield job["metadata"]["name"]
