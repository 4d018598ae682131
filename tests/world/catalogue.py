"""What an API serves, by its own discovery: where an object of any kind is, and all that there is."""

from typing import Any, NamedTuple

from tests.world.control_plane import ControlPlane

Json = dict[str, Any]


class Key(NamedTuple):
    """What tells an object from all others."""

    kind: str
    namespace: str
    name: str


class Catalogue:
    """The kinds that an API serves at this moment."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        groups = self._get("/apis")["groups"]
        self._roots = {"v1": "/api/v1", **{_preferred(group): f"/apis/{_preferred(group)}" for group in groups}}
        self._resources = {
            (version, each["kind"]): each
            for version, root in self._roots.items()
            for each in self._get(root)["resources"]
            if "/" not in each["name"]
        }

    def path(self, made: Json) -> str:
        """Where an object is."""
        resource = self._resources[made["apiVersion"], made["kind"]]
        namespace = made["metadata"]["namespace"] if resource["namespaced"] else ""
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{self._roots[made['apiVersion']]}{scope}/{resource['name']}/{made['metadata']['name']}"

    def everything(self) -> set[Key]:
        """All objects, but for Events, which come and go by themselves."""
        kinds = [key for key, each in self._resources.items() if "list" in each["verbs"] and each["kind"] != "Event"]
        return {key for version, kind in kinds for key in self._listed(version, kind)}

    def _listed(self, version: str, kind: str) -> set[Key]:
        found = self._get(f"{self._roots[version]}/{self._resources[version, kind]['name']}")["items"]
        return {Key(kind, each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in found}

    def _get(self, path: str) -> Json:
        status, answer = self._plane.request("GET", path)
        if status != 200:
            raise RuntimeError(f"{path} was refused: {answer}")
        return dict(answer)


def _preferred(group: Json) -> str:
    return str(group["preferredVersion"]["groupVersion"])
