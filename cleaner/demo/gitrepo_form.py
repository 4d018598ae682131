"""A GitRepo's status as Fleet's gitops controller writes it (`setStatusFromGitjob` and what is around it)."""

import json
import re

from cleaner.demo.forms import stamp
from cleaner.demo.kinds import Object

_COUNTS = ("desiredReady", "missing", "modified", "notReady", "orphaned", "ready", "unknown", "waitApplied")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def polling_interval(gitrepo: Object) -> float:
    """Seconds between two looks at the git server: `spec.pollingInterval`, 15 s when it says nothing."""
    found = re.findall(r"([0-9.]+)(ms|s|m|h)", str(gitrepo["spec"].get("pollingInterval") or "15s"))
    return sum(float(number) * _UNITS[unit] for number, unit in found) or 15.0


def state_of(job: Object | None, left: str, *, plain: bool) -> tuple[str, str]:
    """`gitJobStatus`, and the message of a failure, for the current Job or its absence.

    A missing Job counts as Current, so a failure is forgotten with its Job; a Job without a start is InProgress.
    `left` is the termination message of the Job's last Pod; `plain` versions tell only what is meant for people in it.
    """
    if job is None:
        return "Current", ""
    if "deletionTimestamp" in job["metadata"]:
        return "Terminating", ""
    if "Failed" in ended_conditions(job):
        tries = f"{job['status'].get('failed', 0)}/{job['spec'].get('completions', 1)}"
        return "Failed", _plain(left) if plain else f"Job Failed. failed: {tries}{left}"
    return ("Current" if job.get("status", {}).get("startTime") else "InProgress"), ""


def _plain(left: str) -> str:
    try:
        return str(json.loads(left)["fleetErrorMessage"])
    except (ValueError, KeyError, TypeError):
        return "Unknown error"


def ended_conditions(job: Object) -> set[str]:
    """`Complete` or `Failed` where the Job has ended, else nothing."""
    conditions = job.get("status", {}).get("conditions") or ()
    true = {condition["type"] for condition in conditions if condition["status"] == "True"}
    return true & {"Complete", "Failed"}


def status(before: Object, commit: str, state: str, message: str, moment: float) -> Object:
    """The whole status after a look at the current Job; times change only with what they tell."""
    blocked = {"status": "True", "reason": "Stalled", "message": message} if state == "Failed" else {"status": "False"}
    conditions = _conditions(
        before,
        moment,
        GitPolling={"status": "True"},
        Reconciling={"status": "True" if state == "InProgress" else "False"},
        Stalled=blocked,
        Ready={"status": "True"},
        Accepted={"status": "True"},
    )
    display = {"readyBundleDeployments": "0/0"} | ({} if state == "Current" else {"state": "GitUpdating"})
    fixed: Object = {"desiredReadyClusters": 0, "readyClusters": 0, "resourceCounts": dict.fromkeys(_COUNTS, 0)}
    fixed |= {"summary": {"desiredReady": 0, "ready": 0}}
    seen = {"commit": commit, "conditions": conditions, "display": display, "gitJobStatus": state}
    return {**before, **fixed, **seen}


def polled(before: Object, commit: str, moment: float) -> Object:
    """The status after a poll apart from the reconcile (v0.14 and later), which looks at no Job."""
    conditions = _conditions(before, moment, Ready={"status": "True"}, GitPolling={"status": "True"})
    return {**before, **polled_at(moment), "pollingCommit": commit, "conditions": conditions}


def polled_at(moment: float) -> Object:
    """When the git server was asked last."""
    return {"lastPollingTriggered": stamp(moment)}


def refused(before: Object, why: str, moment: float) -> Object:
    """The status when the Job cannot be made: nothing else is told, so the commit still counts as new."""
    accepted = {"status": "False", "reason": "Error", "message": f"error creating git job: {why}"}
    return {**before, "conditions": _conditions(before, moment, Accepted=accepted)}


def _conditions(before: Object, moment: float, **wanted: Object) -> list[Object]:
    """Known conditions keep their places; new ones are added at the end, as wrangler's `condition` does."""
    known = {condition["type"]: condition for condition in before.get("conditions") or ()}
    told = {name: _condition(name, now, known.get(name, {}), moment) for name, now in wanted.items()}
    return list((known | told).values())


def _condition(name: str, wanted: Object, old: Object, moment: float) -> Object:
    same = all(old.get(key) == wanted.get(key) for key in ("status", "reason", "message"))
    updated = old.get("lastUpdateTime") if same else None
    return {"lastUpdateTime": updated or stamp(moment), "type": name, **wanted}
