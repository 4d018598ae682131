"""What kustomize and helm make of k8s/, and which combinations of its parts there are to make."""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.world import binaries

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
CHART = K8S / "chart"
HOME = "gitjob-cleaner"
KUBERNETES = ("1.34", "1.35", "1.36", "1.37")

Object = dict[str, Any]
Combination = tuple[str, ...]
"""Names of overlays and components, the one that runs first and `namespaced` last."""

ALONE = ("overlays/guard", "overlays/migration")
ANYWHERE = ("components/retry", "components/prometheus-operator", "components/grafana", "components/network-policy")
PARTS: Mapping[str, Sequence[str]] = {
    "overlays/cronjob": (*ALONE, *ANYWHERE, "components/orphaned-pods", "components/current-all/cronjob"),
    "overlays/deployment": (
        *(*ALONE, *ANYWHERE, "components/orphaned-pods", "components/current-all/deployment"),
        "components/evidence",
    ),
}
"""What goes with each of the two ways to run."""


AS_VALUES: Mapping[str, Mapping[str, Any]] = {
    "overlays/cronjob": {},
    "overlays/deployment": {"mode": "deployment"},
    "overlays/guard": {"guard.enabled": True},
    "overlays/migration": {"migration.enabled": True},
    "components/retry": {"retry.enabled": True},
    "components/prometheus-operator": {"serviceMonitor.enabled": True, "prometheusRule.enabled": True},
    "components/grafana": {"dashboard.enabled": True},
    "components/network-policy": {"networkPolicy.enabled": True},
    "components/orphaned-pods": {"settings.orphaned_pods": True},
    "components/evidence": {"settings.evidence": True},
    "components/current-all/cronjob": {"settings.current": "all"},
    "components/current-all/deployment": {"settings.current": "all"},
    "components/namespaced/cronjob": {"namespaces": ["fleet-default", "fleet-local"], "instance": "namespaced"},
    "components/namespaced/deployment": {"namespaces": ["fleet-default", "fleet-local"], "instance": "namespaced"},
}
"""The values that wish for what an overlay or a component is."""


def values_of(combination: Combination) -> dict[str, Any]:
    """The values that wish for what a combination is."""
    return {name: value for part in combination for name, value in AS_VALUES[part].items()}


def combinations() -> Iterator[Combination]:
    """Each part alone, each pair, and all together; with each way to run, or beside none where that makes sense."""
    for overlay, parts in PARTS.items():
        last = overlay.replace("overlays/", "components/namespaced/")
        for more in _subsets((*parts, last)):
            yield (overlay, *more)
    for overlay in ALONE:
        for more in _subsets(ANYWHERE):
            yield (overlay, *more)
    yield ALONE


def _subsets(parts: Sequence[str]) -> Iterator[Combination]:
    for size in (0, 1, 2, len(parts)):
        yield from itertools.combinations(parts, size)


def name_of(combination: Combination) -> str:
    """A short name of a combination, for the names of tests."""
    return "+".join(part.split("/", 1)[1] for part in combination)


def kustomized(folder: Path, combination: Combination, **more: Any) -> list[Object]:
    """What kustomize makes of a combination that a person has written into a folder of their own, as k8s/README.md shows."""
    where = {part: os.path.relpath(K8S / part, folder.resolve()) for part in combination}
    kustomization = {
        "resources": [path for part, path in where.items() if part.startswith("overlays/")],
        "components": [path for part, path in where.items() if part.startswith("components/")],
        **more,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    return built(folder)


def built(folder: Path) -> list[Object]:
    """What kustomize makes of a folder."""
    return _objects(run("kustomize", "build", folder))


def templated(release: str, values: Mapping[str, Any], namespace: str = HOME) -> list[Object]:
    """What helm makes of the chart with these values."""
    flags = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
    return _objects(run("helm", "template", release, CHART, "--namespace", namespace, *flags))


def run(program: str, *words: str | Path) -> str:
    """What a program says; raises with its complaint if it fails."""
    command = [binaries.packaging()[program], *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def _objects(text: str) -> list[Object]:
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


def identity(each: Object) -> tuple[str, str, str]:
    """What tells an object from all others."""
    return each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]


def template_of(each: Object) -> Object | None:
    """The Pod template in an object, if it has one."""
    spec = each.get("spec", {})
    found: Object | None = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return found


def granted(objects: list[Object]) -> set[tuple[str, ...]]:
    """What accounts may do: account, Namespace, verb, group, resource, name."""
    rules = {identity(each): each["rules"] for each in objects if each["kind"] in {"Role", "ClusterRole"}}
    return {
        (subject["name"], where, verb, group, resource, name)
        for each in objects
        if each["kind"] in {"RoleBinding", "ClusterRoleBinding"}
        for subject in each["subjects"]
        for where in [each["metadata"].get("namespace", "")]
        for rule in rules[each["roleRef"]["kind"], where, each["roleRef"]["name"]]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


_VALID: set[tuple[str, str]] = set()


def must_be_valid(each: Object) -> None:
    """Raise if one of these versions of Kubernetes does not know a field of it, or wants another; each is asked once."""
    text = json.dumps(each, sort_keys=True)
    if each["apiVersion"].startswith("monitoring.coreos.com/"):
        return
    for version in KUBERNETES:
        if (version, text) not in _VALID:
            kubernetes_validate.validate(each, version, strict=True)
            _VALID.add((version, text))
