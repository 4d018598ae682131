"""Roles for the users whom the control plane knows by their tokens."""

from typing import Any

from tests.edge.servers import Server, must

RBAC = "/apis/rbac.authorization.k8s.io/v1"
RULES: dict[str, dict[str, Any]] = {
    "namespace": {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    "gitrepos": {"apiGroups": ["fleet.cattle.io"], "resources": ["gitrepos"], "verbs": ["get", "list"]},
    "jobs": {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list"]},
    "delete": {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["delete"]},
}
"""What a Role in one Namespace needs for a sweep, part by part."""


def allow(server: Server, user: str, namespace: str, *but: str) -> None:
    """Give a user all that a sweep of this Namespace needs, but for some parts of it; a Role, nothing cluster-wide."""
    name = f"cleaner-{user}"
    rules = [rule for part, rule in RULES.items() if part not in but]
    place = f"{RBAC}/namespaces/{namespace}"
    must(server.request("POST", f"{place}/roles", {"metadata": {"name": name}, "rules": rules}))
    whom = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    role = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    must(server.request("POST", f"{place}/rolebindings", {"metadata": {"name": name}, "subjects": whom, "roleRef": role}))
