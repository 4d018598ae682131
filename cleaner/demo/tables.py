"""Objects as rows, for `kubectl get` (`meta.k8s.io/v1` Table; columns as kube-apiserver and Fleet's CRD have them)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cleaner.demo.kinds import GITREPO, JOB, NAMESPACE, POD, Kind, Object

Cell = Callable[[Object, float], Any]
_UNITS = (("d", 86400, 172800), ("h", 3600, 10800), ("m", 60, 120), ("s", 1, 0))
"""Unit, its seconds, and from how many seconds on it is used: kubectl's `HumanDuration`, a little simpler."""


def table(kind: Kind, objects: list[Object], metadata: Object, include: str, now: float) -> Object:
    """A Table of the objects; `include` is the query's `includeObject`: Metadata (default), Object or None."""
    columns = _columns(kind)
    head: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    head["columnDefinitions"] = [_definition(name) for name, _ in columns]
    head["rows"] = [_row(columns, obj, include, now) for obj in objects]
    return head


def age(seconds: float) -> str:
    """A duration in its largest fitting unit: `90s`, `5m`, `3h`, `2d`."""
    whole = max(0, int(seconds))
    name, size, _ = next(unit for unit in _UNITS if whole >= unit[2])
    return f"{whole // size}{name}"


def _definition(name: str) -> Object:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": form, "description": name, "priority": 0}


def _row(columns: list[tuple[str, Cell]], obj: Object, include: str, now: float) -> Object:
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    shown = {"Object": obj, "None": None}.get(include, partial)
    return {"cells": [cell(obj, now) for _, cell in columns]} | ({"object": shown} if shown else {})


def _columns(kind: Kind) -> list[tuple[str, Cell]]:
    own: dict[Kind, list[tuple[str, Cell]]] = {
        NAMESPACE: [("Status", _at("status", "phase"))],
        POD: [("Status", _at("status", "phase"))],
        JOB: [("Status", _job_state), ("Completions", _completions), ("Duration", _duration)],
        GITREPO: [
            ("Repo", _at("spec", "repo")),
            ("Commit", _at("status", "commit")),
            ("BundleDeployments-Ready", _at("status", "display", "readyBundleDeployments")),
            ("Status", _message),
        ],
    }
    return [("Name", _at("metadata", "name")), *own.get(kind, []), ("Age", _age)]


def _at(*path: str) -> Cell:
    def read(obj: Object, _now: float) -> Any:
        value: Any = obj
        for key in path:
            value = value.get(key, {})
        return value or ""

    return read


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _age(obj: Object, now: float) -> str:
    return age(now - _moment(obj["metadata"]["creationTimestamp"]))


def _true(obj: Object) -> dict[str, Object]:
    conditions = obj.get("status", {}).get("conditions") or ()
    return {condition["type"]: condition for condition in conditions if condition.get("status") == "True"}


def _job_state(job: Object, _now: float) -> str:
    true = _true(job)
    if "Complete" in true or "Failed" in true:
        return "Complete" if "Complete" in true else "Failed"
    return "Terminating" if "deletionTimestamp" in job["metadata"] else "Running"


def _completions(job: Object, _now: float) -> str:
    return f"{job.get('status', {}).get('succeeded', 0)}/{job['spec'].get('completions', 1)}"


def _duration(job: Object, now: float) -> str:
    status = job.get("status", {})
    if not status.get("startTime"):
        return ""
    failed = _true(job).get("Failed", {}).get("lastTransitionTime")
    end = status.get("completionTime") or failed
    return age((_moment(end) if end else now) - _moment(status["startTime"]))


def _message(gitrepo: Object, _now: float) -> str:
    """Fleet's column shows the Ready condition's message; the Stalled one tells more, so it comes first."""
    true = _true(gitrepo)
    return str(true.get("Stalled", {}).get("message") or true.get("Ready", {}).get("message", ""))
