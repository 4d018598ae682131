"""A Job's Pod as the Job controller creates it, and as scheduler, admission and kubelet fill it in."""

import json
import secrets
from typing import Any

from cleaner.demo.forms import stamp
from cleaner.demo.job_form import owner
from cleaner.demo.kinds import Object

TRACKING = "batch.kubernetes.io/job-tracking"
"""The finalizer that keeps a Pod until the Job controller has counted it."""
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def pod(job: Object) -> Object:
    """The Pod to create for this Job, already on its node."""
    meta, template = job["metadata"], job["spec"]["template"]
    letters = "".join(secrets.choice(_LETTERS) for _ in range(5))
    made: Object = {
        "name": f"{meta['name']}-{letters}",
        "generateName": f"{meta['name']}-",
        "namespace": meta["namespace"],
        "labels": template["metadata"]["labels"],
        "finalizers": [TRACKING],
        "ownerReferences": [owner("Job", "batch/v1", job)],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": _spec(template["spec"], letters)}


def _spec(spec: Object, letters: str) -> Object:
    """With what admission adds: the token volume, two tolerations, the priority."""
    token = f"kube-api-access-{letters}"
    tolerations = [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for key in _TAINTS]
    filled = {
        **spec,
        "volumes": [*spec.get("volumes", ()), _token_volume(token)],
        "nodeName": "sandbox",
        "tolerations": [*spec.get("tolerations", ()), *tolerations],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    mount = {"name": token, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    for group in ("initContainers", "containers"):
        filled |= {group: [c | {"volumeMounts": [*c.get("volumeMounts", ()), mount]} for c in spec.get(group, ())]}
    return filled


def _token_volume(name: str) -> Object:
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": _field("metadata.namespace")}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


def _field(path: str) -> Object:
    return {"apiVersion": "v1", "fieldPath": path}


def running(spec: Object, start: float) -> Object:
    """The status of a Pod with this spec while its container runs."""
    state = {"running": {"startedAt": stamp(start)}}
    return _status(spec, "Running", start, start, {}) | _containers(spec, state, ready=True)


def ended(spec: Object, start: float, end: float, message: str = "") -> Object:
    """The status of a Pod with this spec at its end; a message makes it a failure."""
    phase, reason = ("Failed", "PodFailed") if message else ("Succeeded", "PodCompleted")
    conditions = _status(spec, phase, start, end, {"reason": reason})
    return conditions | _containers(spec, {"terminated": _terminated(start, end, message)}, ready=False)


def termination_message(text: str, moment: float) -> str:
    """What `fleet apply` leaves in its termination log when it fails."""
    return json.dumps(
        {"fleetErrorMessage": text, "level": "fatal", "msg": "Fleet cli failed", "time": stamp(moment)},
        separators=(",", ":"),
    )


def message_of(pod_object: Object) -> str:
    """The termination messages of a Pod's containers, joined."""
    statuses = pod_object.get("status", {}).get("containerStatuses") or ()
    return "".join(status.get("state", {}).get("terminated", {}).get("message", "") for status in statuses)


def _terminated(start: float, end: float, message: str) -> Object:
    told = {"message": message} if message else {}
    code, reason = (1, "Error") if message else (0, "Completed")
    return {"exitCode": code, "reason": reason} | told | {"startedAt": stamp(start), "finishedAt": stamp(end)}


def _status(spec: Object, phase: str, start: float, moment: float, why: Object) -> Object:
    ready = "True" if phase == "Running" else "False"
    done = why if phase == "Succeeded" else {}
    address = "10.244.1.1"
    conditions = [
        _condition("Initialized", "True", moment) | done,
        _condition("Ready", ready, moment) | why,
        _condition("ContainersReady", ready, moment) | why,
        _condition("PodScheduled", "True", start),
    ]
    head: Object = {"phase": phase, "conditions": conditions, "hostIP": "10.244.0.1", "podIP": address}
    head |= {"podIPs": [{"ip": address}], "startTime": stamp(start), "qosClass": "BestEffort"}
    cloned = {"terminated": _terminated(start, start, "")}
    inits = spec.get("initContainers", ())
    return head | {"initContainerStatuses": [_container(c, cloned, ready=True) for c in inits]}


def _condition(kind: str, status: str, moment: float) -> Object:
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": stamp(moment)}


def _containers(spec: Object, state: Object, *, ready: bool) -> Object:
    stopped = {} if ready else {"started": False}
    return {"containerStatuses": [_container(c, state, ready=ready) | stopped for c in spec["containers"]]}


def _container(container: Object, state: Object, *, ready: bool) -> dict[str, Any]:
    head = {"name": container["name"], "state": state, "lastState": {}, "ready": ready, "restartCount": 0}
    return head | {"image": container["image"], "imageID": ""}
