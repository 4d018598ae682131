"""Failed current Jobs with the Pods that tell why, and what keeps that."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.edge.servers import Server, must
from tests.world import seed

RECORDED = Path(__file__).parents[1] / "data" / "fleet" / "v0.16.1" / "pod-failed.json"
WHY = "no resource found at the following paths to deploy: [does-not-exist]"
LAST_WORDS = json.dumps({"fleetErrorMessage": WHY, "level": "fatal", "msg": "Fleet cli failed"})
EVENTS = "/api/v1/namespaces/{}/events"
_SERVERS_OWN = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "finalizers", "ownerReferences", "generateName"}

Json = dict[str, Any]


def failed_jobs(server: Server, place: str, names: Sequence[str], *, pods: bool = True, **repo: Any) -> list[Json]:
    """For each name a GitRepo that has settled on a commit, and its failed current Job, the first one the oldest."""
    gitrepos = seed.put(server, [seed.gitrepo(place, name, failed=True, **repo) for name in names])
    made = [seed.job(gitrepo, seed.sha("head"), "failed", finished=seed.ago(hours=900 - n)) for n, gitrepo in enumerate(gitrepos)]
    jobs = seed.put(server, made)
    if pods:
        for job in jobs:
            put_pod(server, job)
    return jobs


def put_pod(server: Server, job: Json, message: str = LAST_WORDS, phase: str = "Failed") -> Json:
    """The Pod of a Job, recorded from a real Fleet, with these last words."""
    pod = json.loads(RECORDED.read_text())
    pod = pod["items"][0] if "items" in pod else pod
    place, status = job["metadata"]["namespace"], pod["status"]
    meta = {key: value for key, value in pod["metadata"].items() if key not in _SERVERS_OWN}
    uid, name = job["metadata"]["uid"], job["metadata"]["name"]
    labels = {
        "job-name": name,
        "controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
    }
    meta |= {"name": f"{name}-{secrets.token_hex(3)}", "namespace": place, "labels": labels}
    account = pod["spec"]["serviceAccountName"]
    must(server.request("POST", f"/api/v1/namespaces/{place}/serviceaccounts", {"metadata": {"name": account}}), 201, 409)
    path = f"/api/v1/namespaces/{place}/pods"
    made = must(server.request("POST", path, {"metadata": meta, "spec": pod["spec"]}))
    status["phase"] = phase
    if phase == "Failed":
        status["containerStatuses"][0]["state"]["terminated"]["message"] = message
    made["status"] = status
    return dict(must(server.request("PUT", f"{path}/{meta['name']}/status", made)))


def kept(server: Server, place: str) -> dict[str, str]:
    """The messages of the Events that keep errors, by GitRepo."""
    events = must(server.request("GET", EVENTS.format(place)))["items"]
    return {event["involvedObject"]["name"]: event["message"] for event in events if event["reason"] == "JobErrorKept"}
