"""The GitRepos of the demo, and how their runs end: believable names, one of each temper."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from cleaner.demo.kinds import Object

FINALIZER = "fleet.cattle.io/gitrepo-finalizer"
FLEET_NAMESPACE = "cattle-fleet-system"
DEPLOYMENTS = ("fleet-controller", "gitjob")
NAMESPACES = (FLEET_NAMESPACE, "fleet-local", "fleet-default")
_FAULTS = (
    "no resource found at the following paths to deploy: [deploy/production]",
    'Get "https://charts.example.com/index.yaml": dial tcp: lookup charts.example.com: no such host',
    "error converting YAML to JSON: yaml: line 14: mapping values are not allowed in this context",
    "chart requires kubeVersion: >=1.31.0 which is incompatible with Kubernetes v1.28.9",
)


@dataclass(frozen=True)
class Temper:
    """How a GitRepo's runs go."""

    namespace: str
    name: str
    failing: float = 0.25
    """The share of its commits that cannot be applied, 0 to 1."""
    slowness: float = 1.0
    """Its runs take this many times longer than others."""
    protected: bool = False
    faults: tuple[str, ...] = _FAULTS
    """What a failing run says, one of these."""

    def fault(self, commit: str) -> str:
        """Why a run of this commit fails; empty when it succeeds. A commit that is run again ends as it did before."""
        rng = random.Random(commit)  # noqa: S311 - a play, not a secret
        return rng.choice(self.faults) if rng.random() < self.failing else ""


CAST = (
    Temper("fleet-default", "shop-frontend", 0.2),
    Temper("fleet-default", "shop-checkout", 0.75),
    Temper("fleet-default", "payments", 0.4, protected=True),
    Temper("fleet-default", "search-index", slowness=4.0),
    Temper("fleet-local", "monitoring", 0.0),
    Temper("fleet-local", "cluster-baseline", 0.3),
)


def temper_of(tempers: Iterable[Temper], namespace: str, name: str) -> Temper:
    """The temper of this GitRepo; one that the user has made gets a middling one."""
    known = (temper for temper in tempers if (temper.namespace, temper.name) == (namespace, name))
    return next(known, Temper(namespace, name))


def gitrepo(temper: Temper, poll: float) -> Object:
    """The GitRepo as its owner would apply it; `poll` is its polling interval in seconds."""
    made: Object = {"name": temper.name, "namespace": temper.namespace}
    made |= {"annotations": {"gitjob-cleaner/protect": "true"}} if temper.protected else {}
    spec = {
        "branch": "main",
        "paths": ["deploy/production"],
        "pollingInterval": f"{poll:g}s",
        "repo": f"https://git.example.com/platform/{temper.name}",
    }
    return {"apiVersion": "fleet.cattle.io/v1alpha1", "kind": "GitRepo", "metadata": made, "spec": spec}


def deployment(name: str, image: str) -> Object:
    """One of Fleet's own Deployments."""
    labels = {"app": name}
    containers = [{"name": name, "image": image, "args": ["fleetcontroller"]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, "serviceAccountName": name}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    made = {"name": name, "namespace": FLEET_NAMESPACE, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": made, "spec": spec}


ROLLED_OUT: Object = {
    "replicas": 1,
    "updatedReplicas": 1,
    "readyReplicas": 1,
    "availableReplicas": 1,
}
"""The status of a Deployment that has settled, but for the generation."""
