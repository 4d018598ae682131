"""The guard in this process, over the real client; GitRepos that it holds, and Pods that Jobs left behind."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cleaner.cluster import Brake, Refusal
from cleaner.happened import Guarded, GuardTrouble, Happened, Parted
from cleaner.kube import KubeCluster
from cleaner.model import GUARD, Owner
from cleaner.result import PodResult
from cleaner.scope import Scope, parse_selector
from cleaner.service.farewell import Farewell
from cleaner.service.guardian import Duty, Guardian, Watchfulness
from cleaner.sweep.pods import clear_orphaned_pods
from tests.edge.passes import clock, cluster, never
from tests.edge.servers import GITREPOS, Server, must, patch
from tests.edge.serving import eventually
from tests.world import seed

FLEETS = "fleet.cattle.io/gitrepo-finalizer"
PODS = "/api/v1/namespaces/{}/pods"
EVENTS = "/api/v1/namespaces/{}/events"


class Guarding(NamedTuple):
    """A guard that runs, and what it has told."""

    guardian: Guardian
    cluster: KubeCluster
    happened: list[Happened]
    places: tuple[str, ...]

    def errors(self) -> list[str]:
        """The last errors told so far."""
        return [each.error for each in list(self.happened) if isinstance(each, Parted)]

    def troubles(self, step: str = "") -> list[str]:
        """What did not work so far."""
        return [each.problem for each in list(self.happened) if isinstance(each, GuardTrouble) and step in ("", each.step)]

    def let_go(self, count: int = 1) -> list[str]:
        """
        Why each GitRepo of its Namespaces that was let go was; the API shows it a moment before the guard tells it.

        It also lets go, everywhere else, of what other tests have left held.
        """
        return eventually(lambda: found if len(found := self._let_go()) >= count else [], lambda: self.happened)

    def _let_go(self) -> list[str]:
        gone = [each for each in list(self.happened) if isinstance(each, Guarded) and not each.held]
        return [each.why for each in gone if each.gitrepo.namespace in self.places or not self.places]


@contextlib.contextmanager
def guarding(
    kubeconfig: Path,
    namespaces: str = "",
    *,
    selector: str = "",
    exclude: tuple[str, ...] = (),
    on: bool = True,
    bound: float = 30.0,
    paused: Brake = never,
    interval: float = 3600.0,
    request_timeout: float = 20.0,
) -> Iterator[Guarding]:
    """Run a guard until the block ends; then all its threads must have ended."""
    stopped = threading.Event()
    happened: list[Happened] = []
    timer = clock()._replace(sleep=lambda seconds: (stopped.wait(seconds), None)[1])
    kube = cluster(kubeconfig, timer, request_timeout)

    def stop() -> Refusal | None:
        return Refusal("stop", "the test is over") if stopped.is_set() else None

    def clear(gitrepo: Owner, brake: Brake) -> PodResult:
        return clear_orphaned_pods(kube, gitrepo, timer, happened.append, brake)

    farewell = Farewell(kube, clear, happened.append, events=True)
    scope = Scope(tuple(filter(None, namespaces.split(","))), exclude, parse_selector(selector))
    duty = Duty(kube, farewell, scope, timer, happened.append, stop, paused)
    guardian = Guardian(duty, Watchfulness(on, interval, bound=bound))
    guardian.start()
    try:
        yield Guarding(guardian, kube, happened, scope.namespaces)
    finally:
        stopped.set()
        assert guardian.stop(60.0), "a thread did not end"
        kube._connection.close()


def put_gitrepo(server: Server, namespace: str, name: str = "shop", *finalizers: str, **given: Any) -> Any:
    """A GitRepo as Fleet leaves it, by default with Fleet's finalizer and not yet ours; as the API shows it."""
    metadata = {"finalizers": list(finalizers or (FLEETS,)), **given.pop("metadata", {})}
    (made,) = seed.put(server, [seed.gitrepo(namespace, name, metadata=metadata, **given)])
    return made


def put_pod(
    server: Server, gitrepo: Any, name: str, *, commit: str = seed.sha("head"), message: str = "", job: Any = None
) -> Any:
    """A Pod of Fleet's form that failed: of a Job that lives, or left by one that is gone."""
    namespace, repo = gitrepo["metadata"]["namespace"], gitrepo["metadata"]["name"]
    account = {"metadata": {"name": f"git-{repo}"}}
    must(server.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account), 201, 409)
    recorded = seed.fixture("v0.14.10/pod-orphan.json")
    uid = job["metadata"]["uid"] if job else f"gone-{name}"
    made = job["metadata"]["name"] if job else seed.job_name(repo, gitrepo["spec"]["repo"], commit)
    labels = {"job-name": made, "controller-uid": uid}
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels}
    if job:
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": made, "uid": uid, "controller": True}
        metadata["ownerReferences"] = [owner]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _spec(repo, commit)}
    pod = must(server.request("POST", PODS.format(namespace), body))
    pod["status"] = recorded["status"]
    for ended in pod["status"]["containerStatuses"]:
        ended["state"]["terminated"] |= {"message": message, "exitCode": 1}
    return must(server.request("PUT", f"{PODS.format(namespace)}/{name}/status", pod))


def _spec(gitrepo: str, commit: str) -> dict[str, Any]:
    """What tells a Pod of Fleet's: its two containers, its ServiceAccount, and the name of its GitRepo."""
    applier: dict[str, Any] = {
        "name": "fleet",
        "image": "fleet",
        "args": ["fleet", "apply", f"--label=fleet.cattle.io/repo-name={gitrepo}"],
    }
    applier |= {"env": [{"name": "COMMIT", "value": commit}]}
    return {
        "serviceAccountName": f"git-{gitrepo}",
        "restartPolicy": "Never",
        "initContainers": [{"name": "gitcloner-initializer", "image": "fleet"}],
        "containers": [applier],
    }


def finalizers_of(server: Server, namespace: str, name: str = "shop") -> list[str] | None:
    """The finalizers of a GitRepo; None if it is gone."""
    status, found = server.request("GET", f"{GITREPOS.format(namespace)}/{name}")
    return None if status == 404 else found["metadata"].get("finalizers", [])


def delete(server: Server, namespace: str, name: str = "shop") -> None:
    """Delete a GitRepo as a user does."""
    must(server.request("DELETE", f"{GITREPOS.format(namespace)}/{name}"))


def fleet_lets_go(server: Server, namespace: str, name: str = "shop") -> None:
    """Take Fleet's finalizer off, as Fleet does once its Bundles are gone; with it the GitRepo goes."""
    assert finalizers_of(server, namespace, name) == [FLEETS]
    patch(server, f"{GITREPOS.format(namespace)}/{name}", {"metadata": {"finalizers": None}})
    assert finalizers_of(server, namespace, name) is None


def held(server: Server, namespace: str, name: str = "shop") -> None:
    """Wait until our finalizer is on a GitRepo, behind Fleet's."""
    eventually(lambda: finalizers_of(server, namespace, name) == [FLEETS, GUARD], lambda: finalizers_of(server, namespace, name))


def free(server: Server, namespace: str, name: str = "shop") -> None:
    """Wait until Fleet's finalizer alone is on a GitRepo."""
    eventually(lambda: finalizers_of(server, namespace, name) == [FLEETS], lambda: finalizers_of(server, namespace, name))


def events_of(server: Server, namespace: str) -> list[tuple[str, str]]:
    """Reason and message of the Events of a Namespace."""
    return [(each["reason"], each["message"]) for each in must(server.request("GET", EVENTS.format(namespace)))["items"]]
