"""Rights as the roles of RBAC that give them, and as the text of manifests."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from cleaner.rights.right import Right, Use
from cleaner.rights.table import rights

_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
_PLAIN = re.compile(r"[a-z][a-z0-9./-]*")
_RBAC = "rbac.authorization.k8s.io"
_LABELS = "labels: {app.kubernetes.io/name: gitjob-cleaner}"


class Rule(msgspec.Struct, frozen=True):
    """One rule of a role: what may be done to one kind of object, or to that of a `name`; `rights` by verb."""

    group: str
    resource: str
    name: str
    rights: tuple[Right, ...]

    @property
    def verbs(self) -> tuple[str, ...]:
        """What may be done."""
        return tuple(right.verb for right in self.rights)


class Role(msgspec.Struct, frozen=True):
    """A Role, or without a `namespace` a ClusterRole."""

    name: str
    namespace: str
    rules: tuple[Rule, ...]


def more(use: Use, than: Use) -> list[Right]:
    """Return the rights of one use that another has not: verb, resource, place and name count, not what they are for."""
    has = {_what(right) for right in rights(than)}
    return [right for right in rights(use) if _what(right) not in has]


def _what(right: Right) -> tuple[object, ...]:
    return right.verb, right.group, right.resource, right.where, right.name


def roles(found: Iterable[Right], use: Use, name: str) -> list[Role]:
    """Return the roles of one name that give these rights: one for each place, the whole cluster first."""
    places: dict[str, list[Right]] = {}
    for right in found:
        for place in use.places(right.where):
            places.setdefault(place, []).append(right)
    return [Role(name, place, rules(places[place])) for place in sorted(places, key=bool)]


def rules(found: Iterable[Right]) -> tuple[Rule, ...]:
    """Return the rules that give these rights in one place, one for each kind of object and name."""
    kinds: dict[tuple[str, str, str], dict[str, Right]] = {}
    for right in found:
        kinds.setdefault((right.group, right.resource, right.name), {})[right.verb] = right
    return tuple(Rule(*kind, tuple(verbs[verb] for verb in _VERBS if verb in verbs)) for kind, verbs in kinds.items())


def manifests(wanted: Iterable[Role], account: str, home: str) -> str:
    """Write roles as YAML, each with its binding to a ServiceAccount in the Namespace `home`."""
    return "".join(f"---\n{text}" for role in wanted for text in (_role(role), _binding(role, account, home)))


def _role(role: Role) -> str:
    lines = [*_head(role, "Role"), "rules:"]
    for rule in role.rules:
        lines += [*_why(rule), *_rule(rule)]
    return "\n".join(lines) + "\n"


def _head(role: Role, kind: str) -> list[str]:
    scoped = [f"  namespace: {_text(role.namespace)}"] if role.namespace else []
    kind = kind if role.namespace else f"Cluster{kind}"
    return [f"apiVersion: {_RBAC}/v1", f"kind: {kind}", "metadata:", f"  name: {_text(role.name)}", *scoped, f"  {_LABELS}"]


def _why(rule: Rule) -> Iterator[str]:
    for right in rule.rights:
        yield f"  # {right.verb}: {right.purpose}" + (f" (without it: {right.lost})" if right.lost else "")


def _rule(rule: Rule) -> Iterator[str]:
    yield f"  - apiGroups: [{_text(rule.group)}]"
    yield f"    resources: [{rule.resource}]"
    if rule.name:
        yield f"    resourceNames: [{_text(rule.name)}]"
    yield f"    verbs: [{', '.join(rule.verbs)}]"


def _binding(role: Role, account: str, home: str) -> str:
    kind = "Role" if role.namespace else "ClusterRole"
    lines = [
        *_head(role, "RoleBinding"),
        f"roleRef: {{apiGroup: {_RBAC}, kind: {kind}, name: {_text(role.name)}}}",
        "subjects:",
        f"  - {{kind: ServiceAccount, name: {_text(account)}, namespace: {_text(home)}}}",
    ]
    return "\n".join(lines) + "\n"


def _text(name: str) -> str:
    """A name as YAML reads it as text: the names of Kubernetes can look like numbers and other things."""
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    return name if _PLAIN.fullmatch(name) and name not in words else f'"{name}"'
