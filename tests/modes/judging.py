"""The oracle's word on everything that an API holds, from its raw JSON."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.core import oracle
from tests.edge.servers import Server, must

Key = tuple[str, str]
"""Namespace and name."""


def key_of(thing: Mapping[str, Any]) -> Key:
    """Namespace and name of an object."""
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def raw(server: Server, path: str) -> dict[Key, Any]:
    """All objects of a kind."""
    return {key_of(item): item for item in must(server.request("GET", path))["items"]}


def jobs(server: Server) -> dict[Key, Any]:
    """All Jobs."""
    return raw(server, "/apis/batch/v1/jobs")


def owner_of(job: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Namespace, name and uid of the GitRepo that a Job says controls it."""
    for one in job["metadata"].get("ownerReferences", []):
        if one.get("controller") and (one["apiVersion"], one["kind"]) == ("fleet.cattle.io/v1alpha1", "GitRepo"):
            return job["metadata"]["namespace"], one["name"], one["uid"]
    return None


def verdicts(
    server: Server, settings: Mapping[str, Any] | None = None, version: tuple[int, ...] | None = (0, 16, 1), at: str = ""
) -> dict[Key, str]:
    """The oracle's reason for each Job that some GitRepo controls."""
    gitrepos = raw(server, "/apis/fleet.cattle.io/v1alpha1/gitrepos")
    namespaces = raw(server, "/api/v1/namespaces")
    groups: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for job in jobs(server).values():
        if owner := owner_of(job):
            groups[owner].append(job)
    now = datetime.fromisoformat(at) if at else datetime.now(UTC)
    return {
        key_of(job): oracle.verdict(job, gitrepos.get(owner[:2]), group, namespaces["", owner[0]], settings or {}, version, now)
        for owner, group in groups.items()
        for job in group
    }


def told(document: Mapping[str, Any]) -> dict[Key, str]:
    """The reasons that a JSON document names."""
    return {(line["namespace"], line["name"]): line["reason"] for line in document["jobs"]}


def with_result(document: Mapping[str, Any], result: str) -> set[Key]:
    """The Jobs whose deletion came to this."""
    return {(line["namespace"], line["name"]) for line in document["jobs"] if line["result"] == result}
