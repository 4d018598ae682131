"""What a raw Job, GitRepo or Namespace says, by the design's vocabulary alone; for the oracle, without the package's decoder."""

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, cast

Object = Mapping[str, Any]

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


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
    references = cast(list[Object], job["metadata"]["ownerReferences"])
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
    full: str = gitrepo["metadata"]["name"] + "-" + hashlib.md5((repo + commit).encode()).hexdigest()[:5]
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
