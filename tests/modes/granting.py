"""Users with exactly the rights of the table, and what the audit log says that they asked for."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cleaner.cli.checking import use_of
from cleaner.rights import Access, Right, Use, rights
from cleaner.settings.load import load_settings
from tests.edge.roles import RBAC
from tests.edge.servers import must
from tests.world.control_plane import ControlPlane

Json = dict[str, Any]


class Mode(NamedTuple):
    """A command with its flags, as text."""

    command: str
    flags: dict[str, str]

    @property
    def use(self) -> Use:
        """What its rights depend on."""
        return use_of(load_settings(self.flags, {}), self.command)

    def line(self, **more: str) -> list[str]:
        """The flags as they are typed."""
        given = {**self.flags, **more}
        return [
            f"--{name.replace('_', '-')}" if text == "true" else f"--{name.replace('_', '-')}={text}"
            for name, text in given.items()
        ]


def rule_of(right: Right) -> Json:
    """The rule of a role that gives one right."""
    rule: Json = {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
    return rule | ({"resourceNames": [right.name]} if right.name else {})


def grant(plane: ControlPlane, user: str, use: Use, but: Callable[[Right, str], bool] = lambda *_: False) -> None:
    """Give a user exactly the rights of a use, but for some in some places; what it had before in these places is gone."""
    found = rights(use)
    places = dict.fromkeys(place for right in found for place in use.places(right.where))
    for place in places:
        mine = [right for right in found if place in use.places(right.where) and not but(right, place)]
        _bind(plane, user, place, [rule_of(right) for right in mine])


def _bind(plane: ControlPlane, user: str, place: str, rules: list[Json]) -> None:
    kind, root = ("Role", f"{RBAC}/namespaces/{place}/role") if place else ("ClusterRole", f"{RBAC}/clusterrole")
    name = f"exactly-{user}"
    role = {"metadata": {"name": name}, "rules": rules}
    if plane.request("POST", f"{root}s", role)[0] == 409:
        must(plane.request("PUT", f"{root}s/{name}", role))
    whom = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    bound = {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    must(plane.request("POST", f"{root}bindings", {"metadata": {"name": name}, "subjects": whom, "roleRef": bound}), 201, 409)


def asked(events: Iterable[Json], user: str) -> list[tuple[Access, int]]:
    """What a user asked for, and with which status it was answered."""
    mine = [event for event in events if event["user"]["username"] == user and "objectRef" in event]
    return [(_access(event["verb"], event["objectRef"]), event.get("responseStatus", {}).get("code", 0)) for event in mine]


def _access(verb: str, seen: Json) -> Access:
    part = f"/{seen['subresource']}" if seen.get("subresource") else ""
    return Access(verb, seen.get("apiGroup", ""), seen["resource"] + part, seen.get("namespace", ""), seen.get("name", ""))


def covers(right: Right, use: Use, access: Access) -> bool:
    """Whether a right, as the roles of `grant` give it, allows an access."""
    what = (right.verb, right.group, right.resource) == (access.verb, access.group, access.resource)
    where = {"", access.namespace} & set(use.places(right.where))
    return what and bool(where) and right.name in ("", access.name)
