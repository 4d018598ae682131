"""Whether the objects of an installation find each other: accounts, roles, labels and ports."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cleaner import __version__
from tests.ship.rendered import Object, identity, template_of

_NAME = "app.kubernetes.io/name"


def faults(objects: Sequence[Object]) -> list[str]:
    """Everything that leads nowhere, or to more than it should, in words."""
    found = _Installation(objects)
    return [
        *found.twice(),
        *found.pods_without_account(),
        *found.bindings_to_nothing(),
        *found.services_without_pods(),
        *found.selectors_to_nothing(),
        *found.foreign_labels_and_images(),
    ]


class _Installation:
    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = objects
        self.there = [identity(each) for each in objects]
        self.pods = {identity(each): template for each in objects if (template := template_of(each))}

    def of(self, *kinds: str) -> Iterator[Object]:
        return (each for each in self.objects if each["kind"] in kinds)

    def twice(self) -> Iterator[str]:
        return (f"{each} stands twice" for each in set(self.there) if self.there.count(each) > 1)

    def pods_without_account(self) -> Iterator[str]:
        for who, template in self.pods.items():
            if ("ServiceAccount", who[1], template["spec"]["serviceAccountName"]) not in self.there:
                yield f"{who}: its account is not there"

    def bindings_to_nothing(self) -> Iterator[str]:
        bound = set()
        for each in self.of("RoleBinding", "ClusterRoleBinding"):
            role = each["roleRef"]
            # Ours name a role of their own kind, in their own Namespace.
            bound.add((role["kind"], each["metadata"].get("namespace", ""), role["name"]))
            for subject in each["subjects"]:
                if (subject["kind"], subject["namespace"], subject["name"]) not in self.there:
                    yield f"{identity(each)}: {subject['name']} is not there"
        roles = {identity(each) for each in self.of("Role", "ClusterRole")}
        yield from (f"{role} is bound and not there, or there and not bound" for role in bound ^ roles)

    def services_without_pods(self) -> Iterator[str]:
        for each in self.of("Service"):
            pods = self._selected(each["spec"]["selector"], each)
            ports = {port["name"] for pod in pods for box in pod["spec"]["containers"] for port in box.get("ports", [])}
            if len(pods) != 1 or {port["targetPort"] for port in each["spec"]["ports"]} - ports:
                yield f"{identity(each)}: it leads to {len(pods)} kinds of Pods, and to ports {ports}"

    def selectors_to_nothing(self) -> Iterator[str]:
        for each in self.of("Deployment", "PodDisruptionBudget"):
            if len(self._selected(each["spec"]["selector"]["matchLabels"], each)) != 1:
                yield f"{identity(each)}: it selects not exactly its own Pods"
        for each in self.of("NetworkPolicy"):
            if len(self._selected(each["spec"]["podSelector"]["matchLabels"], each)) != len(self.pods):
                yield f"{identity(each)}: it selects not all Pods"
        for each in self.of("ServiceMonitor"):
            yield from self._not_scraped(each)

    def _not_scraped(self, monitor: Object) -> Iterator[str]:
        ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
        for each in self.of("Service"):
            seen = _matches(monitor["spec"]["selector"]["matchLabels"], each["metadata"]["labels"])
            if not seen or ports != {port["name"] for port in each["spec"]["ports"]}:
                yield f"{identity(each)} is not scraped"

    def _selected(self, labels: Mapping[str, str], by: Object) -> list[Any]:
        home = by["metadata"]["namespace"]
        return [pod for who, pod in self.pods.items() if who[1] == home and _matches(labels, pod["metadata"]["labels"])]

    def foreign_labels_and_images(self) -> Iterator[str]:
        for each in self.objects:
            if each["metadata"].get("labels", {}).get(_NAME) != "gitjob-cleaner":
                yield f"{identity(each)} is not labelled as ours"
        for who, pod in self.pods.items():
            images = [box["image"] for box in pod["spec"]["containers"]]
            if images != [f"gitjob-cleaner:{__version__}"]:
                yield f"{who}: {images}"


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()
