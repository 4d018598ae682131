"""What can be said of k8s/ without any tool: that it is the code's, of one version, and as hardened as it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cleaner import __version__
from cleaner.cli.parser import COMMANDS
from cleaner.rights import more
from cleaner.settings import fields_of
from docs import manifests

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
FILES = sorted(path for path in K8S.rglob("*.yaml") if not path.is_relative_to(K8S / "chart"))


def objects() -> Iterator[tuple[Path, Any]]:
    for path in FILES:
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path, each


def pods() -> dict[str, Any]:
    """The Pod templates, by where they stand."""
    found = {}
    for path, each in objects():
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            found[str(path.relative_to(K8S))] = template
    return found


PODS = pods()


def test_there_are_pods() -> None:
    assert len(PODS) == 5


@pytest.mark.parametrize("path", manifests.files())
def test_what_comes_from_the_code_is_the_codes(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == manifests.files()[path]


def test_both_ways_to_run_need_the_same_for_orphaned_pods() -> None:
    """That component is for both."""
    needed = [
        {(r.verb, r.resource) for r in more(manifests.changed(use, orphaned_pods=True), use)}
        for use in (manifests.SWEEP, manifests.RUN)
    ]

    assert needed[0] == needed[1]


def test_all_of_it_is_of_this_version() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)

    assert set(re.findall(r"image: gitjob-cleaner:(\S+)", text)) == {__version__}
    assert set(re.findall(r"app.kubernetes.io/version: ([^\s}]+)", text)) == {__version__}
    assert set(re.findall(r"name: gitjob-cleaner-migration-(\d\S*)", text)) == {__version__.replace(".", "-")}


@pytest.mark.parametrize("where", PODS)
def test_a_pod_is_as_restricted_as_can_be(where: str) -> None:
    spec = PODS[where]["spec"]
    (container,) = spec["containers"]
    own = container["securityContext"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["runAsGroup"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}.isdisjoint(spec)
    assert [volume for volume in spec["volumes"] if "hostPath" in volume] == []
    assert container["resources"].keys() == {"requests", "limits"}
    assert spec["enableServiceLinks"] is False


@pytest.mark.parametrize("where", PODS)
def test_a_pod_runs_a_command_with_settings_that_there_are(where: str) -> None:
    (container,) = PODS[where]["spec"]["containers"]
    known = {f"GITJOB_CLEANER_{field.name.upper()}" for field in fields_of()}

    assert container["args"][0] in COMMANDS
    assert {each["name"] for each in container["env"]} <= known


def test_settings_of_components_are_settings() -> None:
    known = {field.name.upper() for field in fields_of()}
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)

    assert {name for name in re.findall(r"GITJOB_CLEANER_([A-Z_]+)", text) if name} <= known


def test_no_account_gives_its_token_to_who_does_not_ask() -> None:
    accounts = [each for _, each in objects() if each.get("kind") == "ServiceAccount"]

    assert len(accounts) == 4
    assert {each["automountServiceAccountToken"] for each in accounts} == {False}


def test_every_file_belongs_to_a_kustomization() -> None:
    """Or is named by people: the Namespace, and the rules for a Prometheus without its Operator."""
    named = set()
    for path, each in objects():
        if path.name == "kustomization.yaml":
            named |= {(path.parent / other).resolve() for key in ("resources", "components") for other in each.get(key, [])}
    loose = {str(path.relative_to(K8S)) for path in FILES if path.resolve() not in named and path.name != "kustomization.yaml"}

    assert loose == {"namespace.yaml", "prometheus/rules.yaml"}
