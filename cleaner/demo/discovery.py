"""What the server says about itself: versions, groups, resources, and as much OpenAPI as kubectl asks for."""

from cleaner.demo.kinds import KINDS, POD, REVIEW, Kind, Object

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_VERSION: Object = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-sandbox",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "gitjob-cleaner/demo",
}


def describe(path: str) -> Object | None:
    """The discovery document at this path, or None."""
    documents: dict[str, Object] = {
        "/version": _VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _groups()]},
        "/openapi/v2": {"swagger": "2.0", "info": _info(), "paths": {}, "definitions": {}},
        "/openapi/v3": {"paths": {root.strip("/"): {"serverRelativeURL": f"/openapi/v3{root}"} for root in _roots()}},
    }
    documents |= {f"/apis/{name}": {"kind": "APIGroup", "apiVersion": "v1"} | _group(name) for name in _groups()}
    documents |= {root: _resources(root) for root in _roots()}
    documents |= {f"/openapi/v3{root}": _openapi(root) for root in _roots()}
    return documents.get(path.rstrip("/"))


def served(group: str, version: str) -> bool:
    """Whether anything is served under this group and version."""
    return any((kind.group, kind.version) == (group, version) for kind in KINDS)


def _groups() -> list[str]:
    return sorted({kind.group for kind in KINDS if kind.group})


def _roots() -> list[str]:
    return sorted({kind.root for kind in KINDS})


def _group(name: str) -> Object:
    versions = sorted({kind.version for kind in KINDS if kind.group == name})
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(root: str) -> Object:
    kinds = [kind for kind in KINDS if kind.root == root]
    listed = [entry for kind in kinds for entry in _entries(kind)]
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": kinds[0].group_version}
    return head | {"resources": listed}


def _entries(kind: Kind) -> list[Object]:
    base: Object = {"namespaced": kind.namespaced, "kind": kind.name}
    verbs = ["create"] if kind == REVIEW else _VERBS
    whole = {"name": kind.plural, "singularName": kind.name.lower(), **base, "verbs": verbs}
    whole |= {"shortNames": list(kind.short)} if kind.short else {}
    whole |= {"categories": ["all"]} if kind.plural in ("pods", "jobs", "cronjobs", "deployments") else {}
    part = {"name": f"{kind.plural}/status", "singularName": "", **base, "verbs": ["get", "patch", "update"]}
    log = {"name": f"{kind.plural}/log", "singularName": "", **base, "verbs": ["get"]}
    return [whole, *([part] if kind.status else []), *([log] if kind == POD else [])]


def _info() -> Object:
    return {"title": "gitjob-cleaner demo", "version": str(_VERSION["gitVersion"])}


def _openapi(root: str) -> Object:
    """Only what kubectl reads before it writes: which kinds take `fieldValidation` and `dryRun`."""
    paths = {}
    for kind in KINDS:
        if kind.root == root:
            middle = "/namespaces/{namespace}" if kind.namespaced else ""
            paths[f"{root}{middle}/{kind.plural}/{{name}}"] = {"patch": _patch(kind)}
    return {"openapi": "3.0.0", "info": _info(), "paths": paths, "components": {"schemas": {}}}


def _patch(kind: Kind) -> Object:
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    named = {"group": kind.group, "version": kind.version, "kind": kind.name}
    return {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": named}
