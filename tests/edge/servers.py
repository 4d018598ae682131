"""Two servers for one suite: the real control plane, and the sandbox that `demo` uses. Both are asked in the same way."""

import json
import secrets
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cleaner.demo.sandbox import Sandbox
from tests.world import seed
from tests.world.client import Client, parsed

MERGE = "application/merge-patch+json"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
GITREPOS = "/apis/fleet.cattle.io/v1alpha1/namespaces/{}/gitrepos"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


class Server(Protocol):
    """What a test needs of a server beside the client that it tests."""

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> tuple[int, Any]:
        """Ask as an administrator; the status and the JSON of the answer."""

    def kubeconfig(self) -> Path:
        """Write a kubeconfig for it."""


class SandboxServer:
    """The sandbox, without a garbage collector, as the control plane has none."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._client = Client(urlsplit(sandbox.url).port or 0)

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> tuple[int, Any]:
        """Ask; the status and the JSON of the answer."""
        sent = None if body is None else json.dumps(body).encode()
        status, answer = self._client.request(method, path, sent, {"Content-Type": content_type, "Accept": "application/json"})
        return status, parsed(answer)

    def kubeconfig(self) -> Path:
        """Write a kubeconfig for it."""
        path = self._folder / f"sandbox-{secrets.token_hex(4)}"
        path.write_text(json.dumps(self._sandbox.kubeconfig()))
        return path

    def close(self) -> None:
        """Close its connections."""
        self._client.forget()


def must(answer: tuple[int, Any], *statuses: int) -> Any:
    """The body of an answer that went well."""
    assert answer[0] in (statuses or (200, 201)), answer
    return answer[1]


def patch(server: Server, path: str, body: Any) -> Any:
    """Change an object by a merge patch."""
    return must(server.request("PATCH", path, body, content_type=MERGE))


def names_of(server: Server, collection: str) -> set[str]:
    """Names of what a collection holds."""
    return {item["metadata"]["name"] for item in must(server.request("GET", collection))["items"]}


def put_gitjob(server: Server, namespace: str, image: str, name: str = "gitjob", *, finished: bool = True) -> None:
    """A Deployment of Fleet's gitjob controller, rolled out or on its way."""
    seed.namespace(server, namespace)
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "gitjob", "image": image}]}}
    wanted = {"metadata": {"name": name}, "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pods}}
    path = DEPLOYMENTS.format(namespace)
    made = must(server.request("POST", path, {"apiVersion": "apps/v1", "kind": "Deployment", **wanted}))
    count = 1 if finished else 2
    made["status"] = {"observedGeneration": made["metadata"]["generation"], "replicas": count, "readyReplicas": 1}
    made["status"] |= {"updatedReplicas": 1, "availableReplicas": 1}
    must(server.request("PUT", f"{path}/{name}/status", made))
