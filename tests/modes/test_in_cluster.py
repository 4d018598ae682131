"""What k8s/ ships, on a real API with the real controllers: they make the Pods, and what stands in these is run for real."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.edge.servers import GITREPOS, must, names_of
from tests.edge.serving import eventually
from tests.modes import shipped
from tests.modes.in_cluster import (
    HEAD,
    OWN_JOBS,
    OWN_LEASES,
    OWN_PODS,
    TERM,
    Cluster,
    Installation,
    jobs_of,
    probe,
    stock,
    wait_for,
)
from tests.modes.shipped import FLEET
from tests.ship.rendered import HOME, PARTS, name_of
from tests.world import seed
from tests.world.catalogue import Key
from tests.world.control_plane import ControlPlane
from tests.world.controllers import WORKLOADS, Controllers, Course
from tests.world.kubelet import Container
from tests.world.ports import free_ports

pytestmark = pytest.mark.long

Json = dict[str, Any]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of its own; the Pods of the cleaner's Namespace are ours to run."""
    with ControlPlane(audit=True) as plane:
        made = Cluster(plane)
        with Controllers(plane, controllers=WORKLOADS, course=Course(spared=HOME)) as controllers:
            gitjob = f"/apis/apps/v1/namespaces/{FLEET}/deployments/gitjob"
            wait_for(lambda: plane.request("GET", gitjob)[1]["status"].get("conditions", []))
            wait_for(lambda: plane.request("GET", gitjob)[1]["status"].get("availableReplicas") == 1)
            yield made
            controllers.must_live()


@pytest.fixture
def place(cluster: Cluster) -> str:
    """A workspace that no other test has seen."""
    return seed.namespace(cluster.plane)


def ended(cluster: Cluster, job: Json) -> tuple[str, str]:
    """How a Job of ours has ended and why, once it has."""

    def found() -> list[tuple[str, str]]:
        status = must(cluster.plane.request("GET", f"{OWN_JOBS}/{job['metadata']['name']}"))["status"]
        every = [(each["type"], each.get("reason", "")) for each in status.get("conditions", []) if each["status"] == "True"]
        return [each for each in every if each[0] in ("Complete", "Failed")]

    return eventually(found)[0]


def kept_policy(cluster: Cluster) -> dict[str, str]:
    """The labels of Pod Security on the cleaner's Namespace."""
    labels = must(cluster.plane.request("GET", f"/api/v1/namespaces/{HOME}"))["metadata"]["labels"]
    return {name: text for name, text in labels.items() if name.startswith("pod-security.kubernetes.io/")}


@pytest.mark.parametrize("parts", shipped.WAYS, ids=name_of)
def test_every_pod_is_admitted_where_pod_security_is_restricted(cluster: Cluster, parts: tuple[str, ...]) -> None:
    with cluster.installed(*parts) as there:
        made = 0
        for each in [each for each in there.objects if each["kind"] in shipped.WORKLOADS]:
            workload = cluster.get(each)
            if workload["kind"] == "CronJob":
                there.job(workload, f"by-hand-{workload['metadata']['name']}")
            component = shipped.template_of(workload)["metadata"]["labels"]["app.kubernetes.io/component"]
            made += len(there.pods(component, workload["spec"].get("replicas", 1)))

        assert made > 0
        assert set(kept_policy(cluster).values()) == {"restricted"}
        assert there.violations() == []
        assert [event for event in there.events() if "FailedCreate" in event] == []
        assert there.uninstall() == set()


def test_a_pod_that_is_not_restricted_is_refused(cluster: Cluster) -> None:
    """Else the test above could not fail."""
    with cluster.installed("overlays/cronjob") as there:
        loose = there.workload("CronJob")
        del shipped.template_of(loose)["spec"]["securityContext"]
        there.job(loose, "loose")

        eventually(lambda: [event for event in there.events() if "FailedCreate" in event], there.events)
        assert there.violations() != []


def test_the_cronjob_starts_a_sweep_that_deletes_what_it_should(cluster: Cluster, place: str) -> None:
    doomed, kept = stock(cluster.plane, place)
    with cluster.installed("overlays/cronjob") as there:
        make_due(cluster, there.workload("CronJob"))
        (pod,) = there.pods("sweep")
        with Container(cluster.plane, pod) as sweep:
            sweep.tell()
            assert jobs_of(cluster, place) == doomed | kept
            assert sweep.wait() == 0, sweep.err
            sweep.tell()

        (job,) = must(cluster.plane.request("GET", OWN_JOBS))["items"]
        assert ended(cluster, job)[0] == "Complete"
        assert jobs_of(cluster, place) == kept
        assert there.uninstall() == set()


def make_due(cluster: Cluster, cronjob: Json, minutes: int = 1) -> None:
    """Let the CronJob's controller find that it has overlooked a start some minutes ago: it makes up for it at once."""
    path = cluster.catalogue.path(cronjob)
    cluster.patch(path, {"spec": {"schedule": f"{seed.ago(minutes=minutes).minute} * * * *"}})
    # Of a new schedule it only reckons when to look next; of anything else that changes it looks at once.
    cluster.patch(f"{path}/status", {"status": {"lastScheduleTime": seed.stamp(seed.ago(hours=3))}})


def test_one_run_at_a_time(cluster: Cluster) -> None:
    with cluster.installed("overlays/cronjob") as there:
        make_due(cluster, there.workload("CronJob"))
        there.pods("sweep")
        make_due(cluster, there.workload("CronJob"), minutes=2)

        eventually(lambda: [event for event in there.events() if "JobAlreadyActive" in event], there.events)
        assert len(names_of(cluster.plane, OWN_JOBS)) == 1


MARKER = "gitjob-cleaner-migration-fleet-0.16"
FAILS = ("Failed", "PodFailurePolicy")
NOWHERE = {"KUBERNETES_SERVICE_PORT": "1"}


def unbind(there: Installation) -> None:
    """Take all rights away."""
    there.cluster.delete(*(each for each in there.objects if each["kind"].endswith("Binding")))
    there.objects = [each for each in there.objects if not each["kind"].endswith("Binding")]


@contextlib.contextmanager
def paused(cluster: Cluster) -> Iterator[None]:
    """Nothing is to be deleted, says somebody."""
    path, name = f"/api/v1/namespaces/{HOME}", "gitjob-cleaner/pause"
    cluster.patch(path, {"metadata": {"annotations": {name: "true"}}})
    yield
    cluster.patch(path, {"metadata": {"annotations": {name: None}}})


@pytest.mark.parametrize(
    ("code", "override"),
    [(1, {"GITJOB_CLEANER_MAX_DELETIONS": "1"}), (2, {"GITJOB_CLEANER_SETTLE": "soon"}), (3, {}), (5, {})],
    ids=["1 in part", "2 settings", "3 refused", "5 paused"],
)
def test_a_run_that_would_end_so_again_fails_the_job_at_once(
    cluster: Cluster, place: str, code: int, override: dict[str, str]
) -> None:
    stock(cluster.plane, place)
    with cluster.installed("overlays/cronjob") as there, contextlib.ExitStack() as stack:
        if code == 3:
            unbind(there)
        if code == 5:
            stack.enter_context(paused(cluster))
        job = there.job(there.workload("CronJob"), "by-hand")
        (pod,) = there.pods("sweep")
        with Container(cluster.plane, pod, override) as sweep:
            assert sweep.wait() == code, sweep.err
            sweep.tell()

        assert ended(cluster, job) == FAILS
        assert len(names_of(cluster.plane, OWN_PODS)) == 1


def test_a_run_that_could_not_reach_the_api_is_tried_again(cluster: Cluster, place: str) -> None:
    doomed, kept = stock(cluster.plane, place)
    with cluster.installed("overlays/cronjob") as there:
        job = there.job(there.workload("CronJob"), "by-hand")
        (pod,) = there.pods("sweep")
        with Container(cluster.plane, pod, NOWHERE) as sweep:
            assert sweep.wait() == 4, sweep.err
            sweep.tell()
        assert jobs_of(cluster, place) == doomed | kept

        (again,) = there.pods("sweep")
        assert again["metadata"]["name"] != pod["metadata"]["name"]
        with Container(cluster.plane, again) as sweep:
            assert sweep.wait() == 0, sweep.err
            sweep.tell()
        assert ended(cluster, job)[0] == "Complete"
        assert jobs_of(cluster, place) == kept


def leader_of(cluster: Cluster) -> str:
    """Which Pod holds the Lease; empty where none does."""
    status, lease = cluster.plane.request("GET", f"{OWN_LEASES}/{HOME}")
    return str(lease["spec"].get("holderIdentity", "")).partition("_")[0] if status == 200 else ""


def test_of_two_replicas_one_deletes_and_the_other_takes_over(cluster: Cluster, place: str) -> None:
    with cluster.installed("overlays/deployment") as there, contextlib.ExitStack() as stack:
        doomed, kept = stock(cluster.plane, place)
        pods = there.pods("service", there.workload("Deployment")["spec"]["replicas"])
        ports = dict(zip((pod["metadata"]["name"] for pod in pods), free_ports(len(pods)), strict=True))
        replicas = {}
        for pod in pods:
            listen = f"127.0.0.1:{ports[pod['metadata']['name']]}"
            container = stack.enter_context(Container(cluster.plane, pod, {**TERM, "GITJOB_CLEANER_LISTEN": listen}))
            replicas[container.name] = container
        for name, container in replicas.items():
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                eventually(lambda c=container, k=kind, p=ports[name]: probe(c, k, p) == 200, lambda c=container: c.err)  # type: ignore[misc]
            container.tell()

        eventually(lambda: jobs_of(cluster, place) == kept, lambda: [each.err for each in replicas.values()])
        first = replicas.pop(leader_of(cluster))
        assert ['"event": "deleted"' in each.err for each in (first, *replicas.values())] == [True, False]
        available = eventually(lambda: there.workload("Deployment")["status"].get("availableReplicas"))
        assert available == 2

        assert first.terminate() == 0, first.err
        more, left = stock(cluster.plane, place, "blog")
        eventually(lambda: jobs_of(cluster, place) == kept | left, lambda: [each.err for each in replicas.values()])
        (other,) = replicas.values()
        assert leader_of(cluster) == other.name
        assert other.terminate() == 0, other.err

        assert doomed.isdisjoint(more)
        assert there.uninstall() == {Key("Lease", HOME, HOME)}


def test_the_migration_runs_once(cluster: Cluster, place: str) -> None:
    left = {("Lease", "gitjob-cleaner-migration"), ("ConfigMap", MARKER)}
    kept = legacy(cluster, place)
    with cluster.installed("overlays/migration") as there:
        job = there.workload("Job", "")
        (pod,) = there.pods("migration")
        with Container(cluster.plane, pod, TERM) as migration:
            assert migration.wait() == 0, migration.err
            migration.tell()
        assert ended(cluster, job)[0] == "Complete"
        assert jobs_of(cluster, place) == kept
        done = cluster.get(job)

        cluster.apply(*there.objects)
        again = cluster.get(job)
        assert (again["metadata"]["uid"], again["metadata"]["generation"]) == (job["metadata"]["uid"], 1)
        assert again["status"] == done["status"]
        assert len(names_of(cluster.plane, OWN_PODS)) == 1

        late = legacy(cluster, place, "blog", adopted=False)
        cluster.delete(job)
        wait_for(lambda: not names_of(cluster.plane, OWN_PODS))
        cluster.apply(*there.objects)
        (pod,) = there.pods("migration")
        mark, account = cluster.plane.audit_end, f"system:serviceaccount:{HOME}:gitjob-cleaner-migration"
        with Container(cluster.plane, pod, TERM) as migration:
            assert migration.wait() == 0, migration.err
            migration.tell()
        asked = [event for event in cluster.plane.audit(mark) if event["user"]["username"] == account]
        assert {event["objectRef"]["resource"] for event in asked if event["verb"] not in ("get", "list")} <= {"leases"}
        assert jobs_of(cluster, place) == kept | late

        assert {(key.kind, key.name) for key in there.uninstall()} == left


def legacy(cluster: Cluster, place: str, name: str = "shop", *, adopted: bool = True) -> set[str]:
    """Jobs that Fleet 0.10.2 left, of a GitRepo that works; the names of those that a migration, if there is one, lets stay."""
    (made,) = seed.put(cluster.plane, [seed.gitrepo(place, name, commit=HEAD, failed=True)])
    old = [seed.job(made, commit, finished=seed.ago(hours=30), legacy=True) for commit in seed.commits(made, 2)]
    current = seed.job(made, HEAD, "failed", finished=seed.ago(hours=30), ran=timedelta(seconds=9), legacy=True)
    seed.bulk(cluster.plane, [*old, current])
    every = {job.object["metadata"]["name"] for job in (*old, current)}
    wait_for(lambda: every <= jobs_of(cluster, place))
    return {current.object["metadata"]["name"]} if adopted else every


def test_uninstalling_all_leaves_nothing_but_what_it_says(cluster: Cluster, place: str) -> None:
    stock(cluster.plane, place)
    before = {key for key in cluster.catalogue.everything() if HOME not in (key.namespace, key.name)}
    with cluster.installed("overlays/cronjob", *PARTS["overlays/cronjob"]) as there:
        (pod,) = there.pods("migration")
        with Container(cluster.plane, pod, TERM) as migration:
            assert migration.wait() == 0, migration.err
            migration.tell()
        there.uninstall()
        cluster.delete(shipped.namespace())
        wait_for(lambda: cluster.plane.request("GET", f"/api/v1/namespaces/{HOME}")[0] == 404)

    assert cluster.catalogue.everything() <= before
    assert names_of(cluster.plane, GITREPOS.format(place)) == {"shop"}
