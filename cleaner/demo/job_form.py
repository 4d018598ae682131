"""A GitRepo's Job as Fleet's gitops controller writes it (`newGitJob`, `newJobSpec`), and its status as it runs."""

import hashlib
from collections.abc import Sequence

from cleaner.demo.family import Family, job_name, safe_concat
from cleaner.demo.forms import stamp
from cleaner.demo.kinds import Object

_HARDENED: Object = {
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_EMPTY = ("fleet-tmp-empty-dir", "fleet-home-empty-dir", "git-cloner", "git-cloner-empty-dir")
_TOLERATIONS = [
    {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
    for key, value in (("cattle.io/os", "linux"), ("node.cloudprovider.kubernetes.io/uninitialized", "true"))
]
_LIMITS = (("FLEET_APPLY_CONFLICT_RETRIES", "1"), ("FLEET_BUNDLE_CREATION_MAX_CONCURRENCY", "4"))


def owner(kind: str, api_version: str, obj: Object) -> Object:
    """The reference that `SetControllerReference` writes."""
    meta = obj["metadata"]
    head = {"apiVersion": api_version, "kind": kind, "name": meta["name"], "uid": meta["uid"]}
    return head | {"controller": True, "blockOwnerDeletion": True}


def account(gitrepo: Object) -> Object:
    """The ServiceAccount that the Pods run as."""
    meta = gitrepo["metadata"]
    owners = [owner("GitRepo", "fleet.cattle.io/v1alpha1", gitrepo)]
    made = {"name": _account(gitrepo), "namespace": meta["namespace"], "ownerReferences": owners}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": made}


def _account(gitrepo: Object) -> str:
    return safe_concat("git", gitrepo["metadata"]["name"])


def job(family: Family, gitrepo: Object, commit: str) -> Object:
    """The Job to create for this commit."""
    meta, spec = gitrepo["metadata"], gitrepo["spec"]
    generation = str(meta["generation"])
    made: Object = {
        "name": job_name(meta["name"], spec["repo"], commit),
        "namespace": meta["namespace"],
        "annotations": {"commit": commit, "generation": generation},
        "ownerReferences": [owner("GitRepo", "fleet.cattle.io/v1alpha1", gitrepo)],
    }
    if family.labelled:
        force = str(spec.get("forceSyncGeneration", 0))
        names = ("force-sync-generation", "gitrepo-generation")
        made["labels"] = {f"fleet.cattle.io/{name}": n for name, n in zip(names, (force, generation), strict=True)}
    template = {
        "metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"},  # Go's zero time, as Kubernetes 1.36 keeps it
        "spec": _pod(family, gitrepo, commit),
    }
    body = {"backoffLimit": family.backoff_limit, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": made, "spec": body}


def _pod(family: Family, gitrepo: Object, commit: str) -> Object:
    runs_as = _account(gitrepo)
    config = f"{gitrepo['metadata']['name']}-config-{hashlib.sha256(b'targets').hexdigest()[:12]}"
    volumes: list[Object] = [{"name": "config", "configMap": {"name": config, "defaultMode": 420}}]
    return {
        "volumes": volumes + [{"name": name, "emptyDir": {}} for name in _EMPTY],
        "initContainers": [_cloner(family, gitrepo)],
        "containers": [_applier(family, gitrepo, commit)],
        "restartPolicy": "Never",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "serviceAccountName": runs_as,
        "serviceAccount": runs_as,
        "securityContext": {"runAsUser": 1000},
        "tolerations": _TOLERATIONS if family.tolerates_new_nodes else _TOLERATIONS[:1],
    }


def _cloner(family: Family, gitrepo: Object) -> Object:
    spec = gitrepo["spec"]
    words = [*family.clone_command, "gitcloner", spec["repo"], "/workspace", "--branch", spec.get("branch", "master")]
    mounts = [("git-cloner", "/workspace"), ("git-cloner-empty-dir", "/tmp")]  # noqa: S108 - inside the container
    env = [*([_JSON_OUTPUT] if family.tuned else []), *_known_hosts(family)]
    return _container(family, "gitcloner-initializer", words, mounts) | ({"env": env} if env else {})


def _applier(family: Family, gitrepo: Object, commit: str) -> Object:
    mounts = [
        ("config", "/run/config"),
        ("fleet-tmp-empty-dir", "/tmp"),  # noqa: S108 - inside the container
        ("fleet-home-empty-dir", "/fleet-home"),
        ("git-cloner", "/workspace/source"),
    ]
    made = _container(family, "fleet", [*family.apply_command, *_apply(family, gitrepo)], mounts)
    env = [_variable("HOME", "/fleet-home"), *_tuning(family, gitrepo, commit), *_known_hosts(family)]
    return made | {"workingDir": "/workspace/source", "env": [*env, _variable("COMMIT", commit)]}


def _apply(family: Family, gitrepo: Object) -> list[str]:
    meta, spec = gitrepo["metadata"], gitrepo["spec"]
    return [
        *("apply", "--debug", "--debug-level", "9", "--targets-file=/run/config/targets.yaml"),
        f"--label=fleet.cattle.io/repo-name={meta['name']}",
        *("--namespace", meta["namespace"], "--service-account", spec.get("serviceAccount", "")),
        f"--sync-generation={spec.get('forceSyncGeneration', 0)}",
        f"--paused={str(spec.get('paused', False)).lower()}",
        *("--target-namespace", spec.get("targetNamespace", "")),
        *(("--oci-registry-secret", "") if family.tuned else ()),
        *("--", meta["name"], *spec.get("paths", ())),
    ]


def _container(family: Family, name: str, words: list[str], mounts: list[tuple[str, str]]) -> Object:
    return {
        "name": name,
        "image": family.image,
        "command": words[:1],
        "args": words[1:],
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, path in mounts],
        "terminationMessagePolicy": family.message_policy,
        "securityContext": _HARDENED,
    }


def _variable(name: str, value: str) -> Object:
    return {"name": name, "value": value}


_JSON_OUTPUT = _variable("FLEET_JSON_OUTPUT", "true")


def _tuning(family: Family, gitrepo: Object, commit: str) -> list[Object]:
    if not family.tuned:
        return []
    name = job_name(gitrepo["metadata"]["name"], gitrepo["spec"]["repo"], commit)
    return [_JSON_OUTPUT, _variable("JOB_NAME", name), *(_variable(*limit) for limit in _LIMITS)]


def _known_hosts(family: Family) -> list[Object]:
    """The known_hosts text that Fleet's chart brings is 3 KB; this one is made up, and as long."""
    if not family.known_hosts:
        return []
    keys = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(20)]
    lines = [f"host{n}.example ssh-ed25519 {key}{key}" for n, key in enumerate(keys)]
    return [_variable("FLEET_KNOWN_HOSTS", "\n".join(lines))]


def running(start: float, failed: int = 0) -> Object:
    """The status of a Job whose Pod runs, after so many that have failed."""
    counts = {"active": 1, "terminating": 0, "uncountedTerminatedPods": {}, "ready": 1}
    return {"startTime": stamp(start)} | counts | ({"failed": failed} if failed else {})


def ending(start: float, end: float, pods: Sequence[str], *, failed: bool) -> tuple[Object, Object]:
    """The two last statuses of a Job: its end announced while its last Pod is not counted yet, then its end.

    `pods` are the uids of its Pods, of which a success has one. Only a success has a completion time.
    """
    words = ("FailureTarget", "Failed") if failed else ("SuccessCriteriaMet", "Complete")
    conditions = [_condition(word, end, failed=failed) for word in words]
    began, count = {"startTime": stamp(start)}, "failed" if failed else "succeeded"
    before = {count: len(pods) - 1} if len(pods) > 1 else {}
    finished = began if failed else began | {"completionTime": stamp(end)}
    rest: Object = {"terminating": 0, "ready": 0}
    return (
        {"conditions": conditions[:1], **began, **before, **rest, "uncountedTerminatedPods": {count: list(pods[-1:])}},
        {"conditions": conditions, **finished, count: max(1, len(pods)), **rest, "uncountedTerminatedPods": {}},
    )


def _condition(word: str, moment: float, *, failed: bool) -> Object:
    reason = "BackoffLimitExceeded" if failed else "CompletionsReached"
    text = "Job has reached the specified backoff limit" if failed else "Reached expected number of succeeded pods"
    times = {"lastProbeTime": stamp(moment), "lastTransitionTime": stamp(moment)}
    return {"type": word, "status": "True", **times, "reason": reason, "message": text}
