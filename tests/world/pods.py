"""Pods that Fleet's Jobs left behind, from the recorded one, and how they come into the world."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.world import seed
from tests.world.seed import Api, Json, Made

PODS = "/api/v1/namespaces/{}/pods"
ORPHAN, STILL_RUNNING, OWNED = "v0.14.10/pod-orphan.json", "v0.14.10/pod-orphan-still-running.json", "v0.14.10/pod-failed.json"


def pod(
    namespace: str,
    name: str = "shop-1ab2c-xyz12",
    *,
    gitrepo: str = "shop",
    job: str = "shop-1ab2c",
    job_uid: str = "",
    finished: datetime | None = None,
    outcome: str = "Failed",
    recorded: str = ORPHAN,
    metadata: Mapping[str, Any] | None = None,
) -> Made:
    """The recorded Pod under other names; it ended 100 hours ago, if not told otherwise."""
    made: Json = seed.fixture(recorded)
    old = made["metadata"]["labels"]["job-name"].rsplit("-", 1)[0]
    made["spec"] = json.loads(json.dumps(made["spec"]).replace(old, gitrepo))
    uid = job_uid or str(uuid.uuid4())
    labels = {"job-name": job, "batch.kubernetes.io/job-name": job}
    labels |= {"controller-uid": uid, "batch.kubernetes.io/controller-uid": uid}
    kept = {"ownerReferences": made["metadata"]["ownerReferences"]} if "ownerReferences" in made["metadata"] else {}
    made["metadata"] = {"name": name, "namespace": namespace, "labels": labels, **kept, **(metadata or {})}
    if recorded != STILL_RUNNING:
        _end(made["status"], seed.stamp(finished or seed.ago(hours=100)), outcome)
    return Made(made, made["status"])


def _end(status: Json, at: str, outcome: str) -> None:
    status["phase"] = outcome
    for each in (*status["initContainerStatuses"], *status["containerStatuses"]):
        each["state"]["terminated"] |= {"startedAt": at, "finishedAt": at}
    if outcome == "Succeeded":
        status["containerStatuses"][0]["state"]["terminated"] |= {"exitCode": 0, "reason": "Completed"}


def put(server: Api, *pods: Made) -> list[Json]:
    """Create Pods as the Job controller and the kubelet do; a Pod needs its ServiceAccount."""
    return [_put(server, each) for each in pods]


def _put(server: Api, wanted: Made) -> Json:
    namespace, account = wanted.object["metadata"]["namespace"], wanted.object["spec"]["serviceAccountName"]
    server.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
    sent = {key: part for key, part in wanted.object.items() if key != "status"}
    status, made = server.request("POST", PODS.format(namespace), sent)
    if status != 201:
        raise RuntimeError(f"a Pod was refused: {made}")
    path = f"{PODS.format(namespace)}/{made['metadata']['name']}/status"
    status, ended = server.request("PUT", path, {**made, "status": wanted.status})
    if status != 200:
        raise RuntimeError(f"the status of a Pod was refused: {ended}")
    return dict(ended)
