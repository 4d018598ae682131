"""Raw API objects for the tests of the rules, and the way from them through the real decoder to a plan."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cleaner import fleet, model, retention
from tests.core import oracle

Raw = dict[str, Any]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = NOW.timestamp()
REPO = "https://git.example/shop"
COMMIT, OLD = "c0ffee", "0ddba11"
UID = "11111111-aaaa"
HOUR, DAY = 3600, 86400
FIXED, RECREATES, UNKNOWN = (0, 16, 1), (0, 10, 2), None


def stamp(ago: float) -> str:
    """Write the time so many seconds before NOW as the API does."""
    return (NOW - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z")


def conditions(outcome: str | None, at: str | None) -> list[Raw]:
    """Conditions of a Job that has ended so, or is running."""
    if outcome is None:
        return []
    first, last = ("SuccessCriteriaMet", "Complete") if outcome == "succeeded" else ("FailureTarget", "Failed")
    when = {} if at is None else {"lastTransitionTime": at}
    return [{"type": first, "status": "True", **when}, {"type": last, "status": "True", **when}]


def job(
    name: str = "shop-00000",
    outcome: str | None = "failed",
    *,
    ago: float = 100 * HOUR,
    commit: str = OLD,
    owner_uid: str = UID,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    created_ago: float | None = None,
    **metadata: Any,
) -> Raw:
    """Make a Job of the GitRepo `shop` that ended `ago` seconds before NOW; the default is an old commit's, needed by nothing."""
    fleets = {"fleet.cattle.io/gitrepo-generation": "1", "fleet.cattle.io/force-sync-generation": "0"}
    return {
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "creationTimestamp": stamp(ago + 60 if created_ago is None else created_ago),
            "labels": dict(fleets if labels is None else labels),
            "annotations": {"commit": commit, "generation": "1", **ours(annotations)},
            "ownerReferences": [
                {
                    "apiVersion": "fleet.cattle.io/v1alpha1",
                    "kind": "GitRepo",
                    "name": "shop",
                    "uid": owner_uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            **metadata,
        },
        "spec": {},
        "status": {"conditions": conditions(outcome, stamp(ago))},
    }


def current_job(outcome: str | None = "failed", **more: Any) -> Raw:
    """Make the Job of the GitRepo's commit, under the name that Fleet gives it."""
    return job(fleet.job_name("shop", REPO, COMMIT), outcome, commit=COMMIT, **more)


def gitrepo(annotations: Mapping[str, str] | None = None, **parts: Any) -> Raw:
    """Make the GitRepo `shop`, settled and polled 5 s ago; `spec_x` and `status_x` set x there, all else goes into metadata."""
    made: Raw = {
        "metadata": {"name": "shop", "namespace": "team", "uid": UID, "generation": 1, "annotations": ours(annotations)},
        "spec": {"repo": REPO},
        "status": {"commit": COMMIT, "observedGeneration": 1, "lastPollingTriggered": stamp(5)},
    }
    for name, value in parts.items():
        where, _, field = name.partition("_")
        if where in ("spec", "status"):
            made[where][field] = value
        else:
            made["metadata"][name] = value
    return made


def namespace(annotations: Mapping[str, str] | None = None) -> Raw:
    """Make the Namespace `team`."""
    return {"metadata": {"name": "team", "uid": "22222222", "annotations": ours(annotations)}}


def ours(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """Put our prefix before the names of annotations."""
    return {f"gitjob-cleaner/{name}": text for name, text in (annotations or {}).items()}


def page(items: Iterable[Any], **metadata: str) -> bytes:
    """Write a page of a list."""
    return msgspec.json.encode({"kind": "List", "metadata": metadata, "items": list(items)})


def job_facts(jobs: Iterable[Raw]) -> list[model.Job]:
    """Decode Jobs as the door to the cluster does."""
    return fleet.job_page(page(jobs), {}).facts


def fleet_facts(version: tuple[int, ...] | None) -> model.Fleet:
    """Tell what the planner is told of a version of Fleet."""
    return fleet.fleet_version([], "" if version is None else ".".join(map(str, version)))


def policy(settings: Mapping[str, Any]) -> retention.Policy:
    """Make a policy of settings by their names; those not given have the defaults of the design."""
    want = {**oracle.DEFAULTS, **settings}
    made = retention.Policy(
        succeeded=retention.Rule(want["succeeded_keep"], want["succeeded_age"]),
        failed=retention.Rule(want["failed_keep"], want["failed_age"]),
        current=retention.Current(want["current"]),
        settle=want["settle"],
        clock_bound=want["clock_bound"],
        wake=want["wake"],
        bounds=retention.Bounds(
            want["annotated_age_min"], want["annotated_age_max"], want["annotated_keep_min"], want["annotated_keep_max"]
        ),
    )
    return made.migration() if want["migrating"] else made


def judge(
    jobs: list[Raw],
    of: Raw | None,
    around: Raw | None = None,
    settings: Mapping[str, Any] | None = None,
    version: tuple[int, ...] | None = FIXED,
    at: float = AT,
) -> retention.Plan:
    """Plan raw objects. The GitRepo counts as living where its uid is the one that the first Job names."""
    facts = job_facts(jobs)
    lives = of is not None and (not facts or facts[0].owner.uid == of["metadata"]["uid"])
    surroundings = retention.Surroundings(fleet.read_namespace(msgspec.json.encode(around or namespace())), fleet_facts(version))
    known = fleet.read_gitrepo(msgspec.json.encode(of)) if lives else None
    return retention.plan(known, facts, surroundings, policy(settings or {}), at)


def reasons(plan: retention.Plan) -> dict[str, str]:
    """Reason of each verdict by the name of its Job."""
    return {verdict.job.name: verdict.reason.value for verdict in plan.verdicts}
