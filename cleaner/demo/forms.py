"""What the API server itself writes into new objects: identity, defaults, first status (as kube-apiserver 1.36 does)."""

import copy
import re
import secrets
import uuid
from datetime import UTC, datetime

from cleaner.demo.kinds import JOB, NAMESPACE, POD, Kind, Object
from cleaner.demo.status import RefusedError, bad_request, invalid

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_RANDOM = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of apimachinery's `rand.String`: no vowels, so no words."""
_GIVEN = ("labels", "annotations", "ownerReferences", "finalizers")
_JOB: Object = {
    "parallelism": 1,
    "completions": 1,
    "backoffLimit": 6,
    "manualSelector": False,
    "completionMode": "NonIndexed",
    "suspend": False,
    "podReplacementPolicy": "TerminatingOrFailed",
}
_POD: Object = {
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER: Object = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


def stamp(moment: float) -> str:
    """Seconds since the epoch as `metav1.Time` writes them: whole seconds, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def typed(kind: Kind, body: object) -> Object:
    """The body as an object of this kind, with `kind` and `apiVersion`; raises RefusedError (400) for another kind."""
    if not isinstance(body, dict) or not _is_shaped(body):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.name})")
    sent = body.get("kind", kind.name), body.get("apiVersion", kind.group_version)
    if sent != (kind.name, kind.group_version):
        raise bad_request(f'{sent[0]} in version "{sent[1]}" cannot be handled as a {kind.name}')
    head: Object = {"kind": kind.name, "apiVersion": kind.group_version, "metadata": body.get("metadata", {})}
    return head | {key: value for key, value in body.items() if key not in head}


def _is_shaped(body: Object) -> bool:
    """Whether the parts that every kind has are what they must be; null is as good as absent."""
    meta = body.get("metadata", {})
    parts: list[tuple[object, type]] = [(body.get(key), dict) for key in ("spec", "status")]
    if isinstance(meta, dict):
        parts += [(meta.get("labels"), dict), (meta.get("annotations"), dict)]
        parts += [(meta.get("finalizers"), list), (meta.get("ownerReferences"), list)]
    return isinstance(meta, dict) and all(part is None or isinstance(part, shape) for part, shape in parts)


def newborn(kind: Kind, namespace: str, body: object, now: float) -> Object:
    """The object that a create request makes of its body, but for the resourceVersion; raises RefusedError."""
    obj = copy.deepcopy(typed(kind, body))
    obj["metadata"] = _identity(kind, namespace, obj["metadata"], now)
    if kind.status:
        obj.pop("status", None)
    obj |= _first_status(kind)
    if kind == JOB:
        _fill_job(obj)
    elif kind == POD:
        obj["spec"] = _pod_spec(obj.get("spec", {}))
    elif kind == NAMESPACE:
        obj["spec"] = {"finalizers": ["kubernetes"]}
    return obj


def _identity(kind: Kind, namespace: str, given: Object, now: float) -> Object:
    if given.get("resourceVersion"):
        raise RefusedError(500, "", "resourceVersion should not be set on objects to be created")
    if given.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    made: Object = {"name": _name(kind, given)}
    made |= {"generateName": given["generateName"]} if given.get("generateName") else {}
    made |= {"namespace": namespace} if kind.namespaced else {}
    made |= {"uid": str(uuid.uuid4()), "resourceVersion": ""}
    made |= {"generation": 1} if kind.generation else {}
    made |= {"creationTimestamp": stamp(now)} | {key: given[key] for key in _GIVEN if given.get(key)}
    if kind == NAMESPACE:
        made["labels"] = {**made.get("labels", {}), "kubernetes.io/metadata.name": made["name"]}
    return made


def _name(kind: Kind, given: Object) -> str:
    name, stem = given.get("name"), given.get("generateName")
    if not name and not stem:
        raise invalid(kind, "", "metadata.name", "Required value: name or generateName is required")
    name = name or str(stem) + "".join(secrets.choice(_RANDOM) for _ in range(5))
    if not isinstance(name, str) or len(name) > 253 or not _NAME.match(name):
        text = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
        raise invalid(kind, str(name), "metadata.name", f'Invalid value: "{name}": {text}')
    return name


def _first_status(kind: Kind) -> Object:
    if kind == POD:
        return {"status": {"phase": "Pending", "qosClass": "BestEffort"}}
    if kind == NAMESPACE:
        return {"status": {"phase": "Active"}}
    return {"status": {}} if kind.status and not kind.custom else {}


def _fill_job(job: Object) -> None:
    """Selector, defaults, and the template's labels; a Job without labels gets those of its template."""
    meta, spec = job["metadata"], {**_JOB, **job.get("spec", {})}
    template = spec.get("template", {})
    uid, name = meta["uid"], meta["name"]
    tracked = {"controller-uid": uid, "job-name": name}
    tracked |= {f"batch.kubernetes.io/{key}": value for key, value in tracked.items()}
    labels = {**(template.get("metadata", {}).get("labels") or {}), **tracked}
    spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    spec["template"] = {
        "metadata": {**template.get("metadata", {}), "labels": labels},
        "spec": _pod_spec(template.get("spec", {})),
    }
    job["spec"] = spec
    meta.setdefault("labels", dict(labels))


def _pod_spec(spec: Object) -> Object:
    filled = {**_POD, **spec}
    for group in ("initContainers", "containers"):
        if group in filled:
            filled[group] = [{**_CONTAINER, **container} for container in filled[group]]
    return filled
