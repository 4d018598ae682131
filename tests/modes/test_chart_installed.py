"""The Helm chart on a real API: installed, changed, and gone without a trace."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.rendered import CHART, PARTS, Object, identity, run, template_of, values_of
from tests.world.control_plane import ControlPlane

pytestmark = pytest.mark.long

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
RELEASE = "installed"
EVERYTHING = {
    **values_of(("overlays/deployment", *(part for part in PARTS["overlays/deployment"] if "prometheus" not in part))),
}
"""All but what needs the Prometheus Operator's kinds, which this API does not know."""

NAMESPACED = {
    "ServiceAccount": "api/v1/{}/serviceaccounts",
    "Service": "api/v1/{}/services",
    "ConfigMap": "api/v1/{}/configmaps",
    "Secret": "api/v1/{}/secrets",
    "Deployment": "apis/apps/v1/{}/deployments",
    "CronJob": "apis/batch/v1/{}/cronjobs",
    "Job": "apis/batch/v1/{}/jobs",
    "PodDisruptionBudget": "apis/policy/v1/{}/poddisruptionbudgets",
    "NetworkPolicy": "apis/networking.k8s.io/v1/{}/networkpolicies",
    "Role": "apis/rbac.authorization.k8s.io/v1/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
}
IN_THE_CLUSTER = {
    "ClusterRole": "apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


class Cluster:
    """An API and a Namespace on it, as helm and a person with kubectl see them."""

    def __init__(self, control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
        self.api, self.namespace, self.kubeconfig = control_plane, namespace, kubeconfig
        control_plane.kubeconfig(kubeconfig)

    def helm(self, *words: str | Path) -> str:
        return run("helm", *words, "--namespace", self.namespace, "--kubeconfig", self.kubeconfig)

    def apply(self, verb: str, values: Mapping[str, Any]) -> str:
        here = {**values, "fleetNamespace": self.namespace, "dashboard.namespace": self.namespace}
        return self.helm(verb, RELEASE, CHART, *(f"--set-json={name}={json.dumps(value)}" for name, value in here.items()))

    def there(self) -> dict[tuple[str, str, str], Object]:
        """All that could be the release's: what the Namespace has, and roles of the cluster of its name."""
        return {identity(each): each for each in self._all()}

    def _all(self) -> Iterator[Object]:
        for kind, path in NAMESPACED.items():
            place = path.format(f"namespaces/{self.namespace}")
            yield from ({**each, "kind": kind} for each in self._items(place))
        for kind, path in IN_THE_CLUSTER.items():
            yield from ({**each, "kind": kind} for each in self._items(path) if each["metadata"]["name"].startswith(RELEASE))

    def _items(self, path: str) -> list[Object]:
        status, answer = self.api.request("GET", f"/{path}")
        assert status == 200
        found: list[Object] = answer["items"]
        return found

    def wished(self) -> set[tuple[str, str, str]]:
        """What helm says that the release has."""
        return {identity(each) for each in yaml.safe_load_all(self.helm("get", "manifest", RELEASE)) if each}


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Cluster:
    labels = {"metadata": {"labels": RESTRICTED}}
    path = f"/api/v1/namespaces/{namespace}"
    assert control_plane.request("PATCH", path, labels, content_type="application/merge-patch+json")[0] == 200
    return Cluster(control_plane, namespace, tmp_path / "kubeconfig")


def own(there: Mapping[tuple[str, str, str], Object]) -> set[tuple[str, str, str]]:
    """Without the Secrets in which helm keeps what it knows of a release."""
    return {who for who, each in there.items() if each.get("type") != "helm.sh/release.v1"}


def jobs(there: Mapping[tuple[str, str, str], Object]) -> dict[str, str]:
    return {name: each["metadata"]["uid"] for (kind, _, name), each in there.items() if kind == "Job"}


def test_it_comes_changes_and_goes(cluster: Cluster) -> None:
    before = cluster.there()

    said = cluster.apply("install", EVERYTHING)
    installed = cluster.there()
    assert "STATUS: deployed" in said
    assert f"kubectl annotate namespace {cluster.namespace} gitjob-cleaner/pause=true" in said
    assert own(installed) - own(before) == cluster.wished()
    assert {kind for kind, *_ in cluster.wished()} == {*NAMESPACED, *IN_THE_CLUSTER} - {"Secret"}

    cluster.apply("upgrade", {**EVERYTHING, "mode": "cronjob", "settings.failed_age": "5h", "guard.enabled": False})
    changed = cluster.there()
    assert own(changed) - own(before) == cluster.wished()
    assert ("Deployment", cluster.namespace, f"{RELEASE}-gitjob-cleaner") not in changed
    assert ("CronJob", cluster.namespace, f"{RELEASE}-gitjob-cleaner") in changed

    cluster.helm("uninstall", RELEASE)
    assert cluster.there() == before


def test_another_migration_takes_the_place_of_one_whose_pods_would_be_others(cluster: Cluster) -> None:
    values = {"migration.enabled": True}
    cluster.apply("install", values)
    first = jobs(cluster.there())

    cluster.apply("upgrade", {**values, "cronjob.schedule": "47 * * * *", "retry.enabled": True})
    same = jobs(cluster.there())
    cluster.apply("upgrade", {**values, "settings.again": True})
    second = jobs(cluster.there())

    assert len(first) == len(second) == 1
    assert first == same
    assert first.keys().isdisjoint(second)
    cluster.helm("uninstall", RELEASE)


def test_pod_security_lets_all_pods_in(cluster: Cluster) -> None:
    """As they are, with their accounts there, into a Namespace that enforces `restricted`."""
    cluster.apply("install", EVERYTHING)

    pods = [template for each in cluster.there().values() if (template := template_of(each))]
    answers = [
        cluster.api.request(
            "POST",
            f"/api/v1/namespaces/{cluster.namespace}/pods?dryRun=All",
            {"metadata": {**pod["metadata"], "generateName": "one-"}, "spec": {**pod["spec"], "restartPolicy": "Never"}},
        )
        for pod in pods
    ]
    assert len(pods) == 4
    assert [(status, answer.get("message")) for status, answer in answers] == [(201, None)] * 4
    cluster.helm("uninstall", RELEASE)
