"""What k8s/ ships, built by kustomize as a user builds it, and what its Pods are told."""

import copy
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cleaner.cli.checking import use_of
from cleaner.cli.granting import in_a_pod_of
from cleaner.cli.parser import parse
from cleaner.rights import Access, Use, rights
from cleaner.settings import Settings
from cleaner.settings.load import load_settings
from tests.ship.rendered import ALONE, HOME, K8S, PARTS, kustomized

Json = dict[str, Any]

FLEET = "cattle-fleet-system"
WORKSPACES = ("fleet-default", "fleet-local")
WORKLOADS = ("CronJob", "Deployment", "Job")


def built(*parts: str) -> list[Json]:
    """What kustomize makes of overlays and components, named by their folders, the components laid over all overlays."""
    return copy.deepcopy(_built(parts))


@cache
def _built(parts: tuple[str, ...]) -> list[Json]:
    with tempfile.TemporaryDirectory() as folder:
        return kustomized(Path(folder), parts)


def namespace() -> Json:
    """The cleaner's own Namespace."""
    return dict(yaml.safe_load((K8S / "namespace.yaml").read_text()))


def one(objects: list[Json], kind: str, name: str = "") -> Json:
    """The object of a kind and a name; without one, the only one of the kind."""
    (found,) = (each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"]))
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


def _roles(objects: list[Json], account: str) -> list[Json]:
    """The roles that are bound to an account of the cleaner's Namespace."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": HOME}
    bindings = [each for each in objects if each["kind"].endswith("Binding") and subject in each["subjects"]]
    return [role for binding in bindings for role in objects if _is_bound(role, binding)]


def _is_bound(role: Json, binding: Json) -> bool:
    named = role["kind"], role["metadata"]["name"], _place(role)
    return named == (binding["roleRef"]["kind"], binding["roleRef"]["name"], _place(binding))


def _place(role: Json) -> str:
    """Where a role counts; everywhere is an empty place."""
    return str(role["metadata"].get("namespace", ""))


def allowed_by(role: Json) -> set[Access]:
    """All that a role allows."""
    return {access for rule in role["rules"] for access in accesses(rule, _place(role))}


def accesses(rule: Json, place: str) -> Iterator[Access]:
    """What a rule of a role in this place allows."""
    for name in rule.get("resourceNames", [""]):
        for resource in rule["resources"]:
            for group in rule["apiGroups"]:
                yield from (Access(verb, group, resource, place, name) for verb in rule["verbs"])


class Shipped(NamedTuple):
    """A workload among what was built of some parts, by its name, or as the only one of its kind."""

    parts: tuple[str, ...]
    kind: str
    name: str = HOME

    @property
    def objects(self) -> list[Json]:
        """All that is built."""
        return built(*self.parts)

    @property
    def workload(self) -> Json:
        """The one that this is about."""
        return one(self.objects, self.kind, self.name)

    @property
    def account(self) -> str:
        """Its ServiceAccount."""
        return str(template_of(self.workload)["spec"]["serviceAccountName"])

    @property
    def user(self) -> str:
        """What the API calls that account."""
        return f"system:serviceaccount:{HOME}:{self.account}"

    @property
    def use(self) -> Use:
        """What its rights depend on."""
        return use_of(told(self.workload)[1], told(self.workload)[0])

    def needed(self) -> set[Access]:
        """All that the table of rights says it needs."""
        return {access for right in rights(self.use) for access in right.accesses(self.use)}

    def roles(self) -> list[Json]:
        """The roles of its account."""
        return _roles(self.objects, self.account)

    def rules(self) -> list[tuple[Json, str]]:
        """Their rules, and where each counts."""
        return [(rule, _place(role)) for role in self.roles() for rule in role["rules"]]

    def granted(self) -> set[Access]:
        """All that they allow."""
        return {access for role in self.roles() for access in allowed_by(role)}


def namespaced(overlay: str) -> str:
    """The component that gives it Roles in the workspaces alone."""
    return overlay.replace("overlays/", "components/namespaced/")


_MORE = "components/orphaned-pods"
CRONJOB = Shipped(("overlays/cronjob",), "CronJob")
CRONJOB_ALL = Shipped(("overlays/cronjob", "components/current-all/cronjob", _MORE), "CronJob")
CRONJOB_NAMED = Shipped(("overlays/cronjob", "components/namespaced/cronjob"), "CronJob")
DEPLOYMENT = Shipped(("overlays/deployment",), "Deployment")
DEPLOYMENT_ALL = Shipped(("overlays/deployment", "components/evidence", "components/current-all/deployment", _MORE), "Deployment")
DEPLOYMENT_NAMED = Shipped(("overlays/deployment", "components/namespaced/deployment"), "Deployment")
MIGRATION = Shipped(("overlays/migration",), "Job", "")
GUARD = Shipped(("overlays/guard",), "Deployment", "gitjob-cleaner-guard")
RETRY = Shipped(("overlays/cronjob", "components/retry"), "CronJob", "gitjob-cleaner-retry")
EACH = {
    "cronjob": CRONJOB,
    "cronjob, all": CRONJOB_ALL,
    "cronjob, namespaced": CRONJOB_NAMED,
    "deployment": DEPLOYMENT,
    "deployment, all": DEPLOYMENT_ALL,
    "deployment, namespaced": DEPLOYMENT_NAMED,
    "migration": MIGRATION,
    "guard": GUARD,
    "retry": RETRY,
}

WAYS = [
    *((overlay,) for overlay in (*PARTS, *ALONE)),
    *((overlay, *parts) for overlay, parts in PARTS.items()),
    *((overlay, namespaced(overlay)) for overlay in PARTS),
    *((overlay, *parts, namespaced(overlay)) for overlay, parts in PARTS.items()),
]
"""All overlays and components, alone where this asks for something else, and together."""
