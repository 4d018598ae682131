"""What k8s/ ships, built by kustomize as a user builds it, and what its Pods are told."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cleaner.cli.checking import use_of
from cleaner.cli.granting import in_a_pod_of
from cleaner.cli.parser import parse
from cleaner.rights import Access, Use
from cleaner.settings import Settings
from cleaner.settings.load import load_settings
from tests.modes.running import ROOT
from tests.world import binaries

Json = dict[str, Any]

HOME = "gitjob-cleaner"
FLEET = "cattle-fleet-system"
WORKSPACES = ("fleet-default", "fleet-local")
K8S = ROOT / "k8s"
WORKLOADS = ("CronJob", "Deployment", "Job")


def built(*parts: str) -> list[Json]:
    """What kustomize makes of overlays and components, named by their folders, the components laid over all overlays."""
    return list(yaml.safe_load_all(_built(parts)))


@cache
def _built(parts: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.relpath(K8S / part, Path(folder).resolve()) for part in parts]
        components = [path for path in paths if "/components/" in path]
        wanted = {"resources": [path for path in paths if path not in components], "components": components}
        Path(folder, "kustomization.yaml").write_text(json.dumps(wanted))  # JSON is YAML
        line = [str(binaries.packaging()["kustomize"]), "build", folder]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def namespace() -> Json:
    """The cleaner's own Namespace."""
    return dict(yaml.safe_load((K8S / "namespace.yaml").read_text()))


def one(objects: list[Json], kind: str, name: str) -> Json:
    """The object of a kind and a name."""
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def template_of(workload: Json) -> Json:
    """The template of a workload's Pods."""
    spec = workload["spec"]["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else workload["spec"]
    return dict(spec["template"])


def container_of(workload: Json) -> Json:
    """The only container in them."""
    (found,) = template_of(workload)["spec"]["containers"]
    return dict(found)


def environment_of(workload: Json) -> dict[str, str]:
    """What that container's environment holds."""
    return {each["name"]: each["value"] for each in container_of(workload).get("env", [])}


def told(workload: Json) -> tuple[str, Settings]:
    """The command that is run, and its settings as they come out in the Pod."""
    command, flags = parse(container_of(workload)["args"])
    return command, in_a_pod_of(load_settings(flags, environment_of(workload)))


def use(workload: Json) -> Use:
    """What its rights depend on."""
    command, settings = told(workload)
    return use_of(settings, command)


def granted(objects: list[Json], account: str) -> set[Access]:
    """All that the roles among these objects allow an account of the cleaner's Namespace."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": HOME}
    bindings = [each for each in objects if each["kind"].endswith("Binding") and subject in each["subjects"]]
    return {access for binding in bindings for access in _allowed(objects, binding)}


def _allowed(objects: list[Json], binding: Json) -> Iterator[Access]:
    place = binding["metadata"].get("namespace", "")
    (role,) = (each for each in objects if _is_bound(each, binding, place))
    for rule in role["rules"]:
        yield from accesses(rule, place)


def _is_bound(role: Json, binding: Json, place: str) -> bool:
    named = role["kind"], role["metadata"]["name"], role["metadata"].get("namespace", "")
    return named == (binding["roleRef"]["kind"], binding["roleRef"]["name"], place)


def accesses(rule: Json, place: str) -> Iterator[Access]:
    """What a rule of a role in this place allows."""
    for name in rule.get("resourceNames", [""]):
        for resource in rule["resources"]:
            for group in rule["apiGroups"]:
                yield from (Access(verb, group, resource, place, name) for verb in rule["verbs"])
