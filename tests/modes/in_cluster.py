"""A cluster for what k8s/ ships: an API with Fleet in it, and installations that come and go."""

import json
import urllib.request
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.edge.guarding import EVENTS
from tests.edge.servers import JOBS, LEASES, must, names_of, put_gitjob
from tests.edge.serving import eventually
from tests.modes import shipped
from tests.modes.shipped import FLEET, WORKSPACES
from tests.ship.rendered import HOME
from tests.world import crd, seed
from tests.world.catalogue import Catalogue, Key
from tests.world.control_plane import ControlPlane
from tests.world.kubelet import Container
from tests.world.pods import PODS

Json = dict[str, Any]

OWN_REPLICASETS = f"/apis/apps/v1/namespaces/{HOME}/replicasets"
OWN_JOBS, OWN_PODS, OWN_LEASES = JOBS.format(HOME), PODS.format(HOME), LEASES.format(HOME)
CONFIGMAPS = f"/api/v1/namespaces/{HOME}/configmaps"
ROOT_CA = "kube-root-ca.crt"
HEAD = seed.sha("head")
TERM = {"GITJOB_CLEANER_LEASE_DURATION": "3s"}
"""A Lease that had to be made counts only after its duration: of the shipped one thirty seconds would only be waited for."""
_AUDITED = "pod-security.kubernetes.io/audit-violations"


class Cluster:
    """An API that knows GitRepos and what the Prometheus Operator does, with Rancher's Namespaces and Fleet 0.16.1."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane.with_crd()
        for kind in ("ServiceMonitor", "PrometheusRule"):
            must(plane.request("POST", crd.COLLECTION, crd.of_anything("monitoring.coreos.com", "v1", kind)))
        for name in (*WORKSPACES, FLEET, "cattle-dashboards"):
            seed.namespace(plane, name)
        put_gitjob(plane, FLEET, "rancher/fleet:v0.16.1")
        for plural in ("servicemonitors", "prometheusrules"):
            wait_for(lambda path=f"/apis/monitoring.coreos.com/v1/{plural}": plane.request("GET", path)[0] == 200)  # type: ignore[misc]
        self.catalogue = Catalogue(plane)

    def apply(self, *objects: Json) -> list[Json]:
        """Apply objects as `kubectl apply --server-side` does; a field that the API does not know is an error."""
        query = "fieldManager=kubectl&force=true&fieldValidation=Strict"
        return [
            must(self.plane.request("PATCH", f"{self.catalogue.path(each)}?{query}", each, content_type=_APPLY))
            for each in objects
        ]

    def delete(self, *objects: Json) -> None:
        """Delete objects as `kubectl delete` does."""
        for each in objects:
            must(self.plane.request("DELETE", self.catalogue.path(each), {"propagationPolicy": "Background"}), 200, 202)

    def get(self, made: Json) -> Json:
        """An object as it is now."""
        return dict(must(self.plane.request("GET", self.catalogue.path(made))))

    def patch(self, path: str, body: Json) -> Json:
        """Change an object by a merge patch."""
        return dict(must(self.plane.request("PATCH", path, body, content_type="application/merge-patch+json")))

    def installed(self, *parts: str) -> "Installation":
        """An installation of overlays and components, for a block."""
        return Installation(self, shipped.built(*parts))


_APPLY = "application/apply-patch+yaml"


def without_controllers(plane: ControlPlane) -> Cluster:
    """A cluster in which nothing happens but what is asked for."""
    made = Cluster(plane)
    made.apply(shipped.namespace())
    must(plane.request("POST", CONFIGMAPS, {"metadata": {"name": ROOT_CA}, "data": {"ca.crt": plane.ca_file.read_text()}}))
    return made


class Installation:
    """What was applied, from the beginning of a block to its end, and what came of it."""

    def __init__(self, cluster: Cluster, objects: list[Json]) -> None:
        self.cluster, self.objects = cluster, objects
        self._before: set[Key] = set()
        self._mark = 0
        self._there = False

    def __enter__(self) -> Self:
        self.cluster.apply(shipped.namespace())
        eventually(lambda: ROOT_CA in names_of(self.cluster.plane, CONFIGMAPS))
        self._before, self._mark = self.cluster.catalogue.everything(), self.cluster.plane.audit_end
        self._there = True
        self.cluster.apply(*self.objects)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            error.add_note(json.dumps(self.events(), indent=1))
        if self._there:
            self.uninstall()
        for leftover in (OWN_LEASES, EVENTS.format(HOME)):
            self.cluster.plane.request("DELETE", leftover)
        for name in names_of(self.cluster.plane, CONFIGMAPS) - {ROOT_CA}:
            self.cluster.plane.request("DELETE", f"{CONFIGMAPS}/{name}")

    def uninstall(self) -> set[Key]:
        """Delete what was applied; what there is then that there was not before, but for what a test has put into workspaces."""
        self._there = False
        self.cluster.delete(*self.objects)
        eventually(lambda: not self._going(), self._going)
        found = self.cluster.catalogue.everything() - self._before
        return {key for key in found if key.namespace == HOME or key.kind not in ("GitRepo", "Job")}

    def _going(self) -> set[str]:
        """What the garbage collector has not come to yet."""
        return {name for path in (OWN_JOBS, OWN_PODS, OWN_REPLICASETS) for name in names_of(self.cluster.plane, path)}

    def workload(self, kind: str, name: str = HOME) -> Json:
        """One of the objects that make Pods, as the API has it."""
        return self.cluster.get(shipped.one(self.objects, kind, name))

    def job(self, cronjob: Json, name: str) -> Json:
        """Make a Job of a CronJob, as `kubectl create job --from` does."""
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cronjob["metadata"]["name"], "controller": True}
        owner["uid"] = cronjob["metadata"]["uid"]
        metadata = {"name": name, "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}, "ownerReferences": [owner]}
        spec = cronjob["spec"]["jobTemplate"]["spec"]
        return dict(must(self.cluster.plane.request("POST", OWN_JOBS, {"metadata": metadata, "spec": spec})))

    def pods(self, component: str, count: int = 1) -> list[Json]:
        """The Pods of a component, once the controllers have made so many that have not ended, each on a Node."""
        return eventually(lambda: self._pods(component, count), self.events)

    def _pods(self, component: str, count: int) -> list[Json]:
        selector = f"app.kubernetes.io/name={HOME},app.kubernetes.io/component={component}"
        found = must(self.cluster.plane.request("GET", f"{OWN_PODS}?labelSelector={selector}"))["items"]
        found = [pod for pod in found if pod["status"]["phase"] in ("Pending", "Running") and pod["spec"].get("nodeName")]
        return found if len(found) == count else []

    def events(self) -> list[str]:
        """What the controllers have told in the cleaner's Namespace."""
        found = must(self.cluster.plane.request("GET", EVENTS.format(HOME)))["items"]
        return [f"{each['involvedObject'].get('name')}: {each['reason']}: {each['message']}" for each in found]

    def violations(self) -> list[str]:
        """What Pod Security has found in anything that was asked for since it was applied."""
        seen = [event.get("annotations", {}).get(_AUDITED) for event in self.cluster.plane.audit(self._mark)]
        return [text for text in seen if text]


def probe(container: Container, kind: str, port: int) -> int:
    """The status with which a container answers a probe of its manifest on the port that stands for the named one."""
    asked = container.spec[kind]["httpGet"]
    assert asked["port"] in [each["name"] for each in container.spec["ports"]]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{asked['path']}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def stock(plane: ControlPlane, place: str, name: str = "shop") -> tuple[set[str], set[str]]:
    """A GitRepo and Jobs of its that ended long ago: the names of those that the defaults let go, and of those that stay."""
    (made,) = seed.put(plane, [seed.gitrepo(place, name, commit=HEAD)])
    first, second, third, done, fresh = seed.commits(made, 5)
    failed = [seed.job(made, commit, "failed", finished=seed.ago(hours=hours)) for commit, hours in ((first, 300), (second, 200))]
    gone = [*failed, seed.job(made, done, finished=seed.ago(hours=1))]
    kept = [seed.job(made, third, "failed", finished=seed.ago(hours=100)), seed.job(made, HEAD, finished=seed.ago(hours=1))]
    kept.append(seed.job(made, fresh, finished=seed.ago(seconds=30)))
    # Straight into the store: the Job controller, which runs here, would not let a test say when one has ended.
    seed.bulk(plane, [*gone, *kept])
    wait_for(lambda: len(names_of(plane, JOBS.format(place))) >= len(gone) + len(kept))
    return _names(gone), _names(kept)


def _names(jobs: list[seed.Made]) -> set[str]:
    return {job.object["metadata"]["name"] for job in jobs}


def wait_for(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    eventually(holds)


def jobs_of(cluster: Cluster, place: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(cluster.plane, JOBS.format(place))
