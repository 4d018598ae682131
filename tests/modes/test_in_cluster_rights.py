"""Least privilege as it is shipped: each workload of k8s/, run in its Pod as its own account, does all that it can do."""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cleaner.rights import Access
from tests.edge.guarding import delete, events_of, free, held, put_gitrepo, put_pod
from tests.edge.servers import GITREPOS, JOBS, must, names_of, patch
from tests.edge.serving import eventually
from tests.modes import shipped
from tests.modes.granting import asked
from tests.modes.in_cluster import HEAD, OWN_PODS, TERM, Cluster, jobs_of, probe, without_controllers
from tests.modes.shipped import (
    CRONJOB,
    CRONJOB_ALL,
    CRONJOB_NAMED,
    DEPLOYMENT,
    DEPLOYMENT_ALL,
    DEPLOYMENT_NAMED,
    GUARD,
    MIGRATION,
    RETRY,
    WORKSPACES,
    Shipped,
)
from tests.modes.test_least_rights import blocked, fail, fill, forced
from tests.ship.rendered import HOME
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.kubelet import Container
from tests.world.pods import PODS
from tests.world.ports import free_ports

Json = dict[str, Any]


NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of its own, without controllers: nothing but what is asked for happens."""
    with ControlPlane(audit=True) as plane:
        yield without_controllers(plane)


@pytest.fixture(autouse=True)
def _no_seed_left(cluster: Cluster) -> Iterator[None]:
    """Take away all GitRepos, Jobs and Pods of the workspaces: every sweep is one of the whole cluster."""
    yield
    for key in cluster.catalogue.everything():
        path = {"GitRepo": GITREPOS, "Job": JOBS, "Pod": PODS}.get(key.kind, "").format(key.namespace)
        if path and cluster.plane.request("GET", f"{path}/{key.name}")[0] == 200:
            cluster.patch(f"{path}/{key.name}", {"metadata": {"finalizers": None}})
            cluster.plane.request("DELETE", f"{path}/{key.name}", {"gracePeriodSeconds": 0})


@pytest.fixture
def place(cluster: Cluster) -> str:
    """A workspace that no other test has seen."""
    return seed.namespace(cluster.plane)


@contextlib.contextmanager
def made_pod(cluster: Cluster, workload: Json, args: list[str] | None = None) -> Iterator[Json]:
    """A Pod as the workload's controller would make it, for a block; with other arguments, as an init container has them."""
    template = json.loads(json.dumps(shipped.template_of(workload)))
    if args:
        template["spec"]["containers"][0]["args"] = args
    metadata = {**template["metadata"], "name": f"{workload['metadata']['name']}-{next(NUMBERS)}"}
    made = must(cluster.plane.request("POST", OWN_PODS, {"metadata": metadata, "spec": template["spec"]}))
    try:
        yield dict(made)
    finally:
        cluster.plane.request("DELETE", f"{OWN_PODS}/{metadata['name']}", {"gracePeriodSeconds": 0})


@contextlib.contextmanager
def running(cluster: Cluster, which: Shipped, **override: str) -> Iterator[tuple[Container, Callable[[], None]]]:
    """
    Its Pod's process, once `check` has found nothing amiss in such a Pod; and what asserts, after all is done, that nothing was
    refused and nothing was granted in vain.
    """
    (port,) = free_ports(1)
    command = shipped.told(which.workload)[0]
    flags = shipped.container_of(which.workload)["args"][1:]
    with cluster.installed(*which.parts):
        with (
            made_pod(cluster, which.workload, ["check", command, *flags, "--output=json"]) as pod,
            Container(cluster.plane, pod) as check,
        ):
            assert check.wait() == 0, check.out + check.err
            lines = json.loads(check.out)["lines"]
        assert [line for line in lines if line["state"] != "ok"] == []

        mark = cluster.plane.audit_end
        settings = {f"GITJOB_CLEANER_{name.upper()}": text for name, text in override.items()}
        listen = {"GITJOB_CLEANER_LISTEN": f"127.0.0.1:{port}"}
        with made_pod(cluster, which.workload) as pod, Container(cluster.plane, pod, settings | listen) as container:
            yield container, lambda: must_have_used_all(cluster, which, mark)


def must_have_used_all(cluster: Cluster, which: Shipped, mark: int) -> None:
    """Nothing was refused, and all that is granted has allowed something."""
    seen = asked(cluster.plane.audit(mark), which.user)

    assert [access for access, code in seen if code in (401, 403)] == []
    assert [each for each in sorted(which.granted(), key=repr) if not any(_allows(each, access) for access, _ in seen)] == []


def _allows(given: Access, wanted: Access) -> bool:
    what = (given.verb, given.group, given.resource) == (wanted.verb, wanted.group, wanted.resource)
    return what and given.namespace in ("", wanted.namespace) and given.name in ("", wanted.name)


def old_jobs(cluster: Cluster, place: str) -> None:
    """Failed Jobs of old commits, one of which waits for a finalizer when it is deleted."""
    wanted = seed.gitrepo(place, "shop")
    slow = {"finalizers": ["example.com/slow"]}
    jobs = [seed.job(wanted, commit, "failed", finished=seed.ago(hours=200)) for commit in seed.commits(wanted, 2)]
    jobs.append(seed.job(wanted, seed.sha("slow"), "failed", metadata=slow, finished=seed.ago(hours=300)))
    seed.put(cluster.plane, [wanted, *jobs])


@pytest.mark.parametrize("which", [CRONJOB, CRONJOB_NAMED], ids=["cluster", "namespaced"])
def test_the_cronjob(cluster: Cluster, place: str, which: Shipped) -> None:
    places = WORKSPACES if which is CRONJOB_NAMED else (place,)
    for each in places:
        old_jobs(cluster, each)

    with running(cluster, which, failed_keep="0") as (sweep, must_have_used_all):
        assert sweep.wait() == 0, sweep.err
        must_have_used_all()

    left = {seed.job_name("shop", "https://git.example/shop", seed.sha("slow"))}
    assert [jobs_of(cluster, each) for each in places] == [left] * len(places)


def test_the_cronjob_with_all_that_it_can_do(cluster: Cluster, place: str) -> None:
    fill(cluster.plane, place)

    with running(cluster, CRONJOB_ALL, failed_keep="0") as (sweep, must_have_used_all):
        assert sweep.wait() == 0, sweep.err
        must_have_used_all()

    assert jobs_of(cluster, place) == set()
    assert names_of(cluster.plane, PODS.format(place)) == {"shop-of-the-job"}
    assert [reason for reason, _ in events_of(cluster.plane, place)] == ["JobErrorKept"]


@pytest.mark.parametrize("which", [DEPLOYMENT, DEPLOYMENT_NAMED], ids=["cluster", "namespaced"])
def test_the_deployment(cluster: Cluster, place: str, which: Shipped) -> None:
    places = WORKSPACES if which is DEPLOYMENT_NAMED else (place,)
    for each in places:
        old_jobs(cluster, each)

    with running(cluster, which, failed_keep="0", lease_duration="3s") as (service, must_have_used_all):
        eventually(lambda: [len(jobs_of(cluster, each)) for each in places] == [1] * len(places), lambda: service.err)
        told = {"JobsCleaned"}
        eventually(lambda: all(told <= {reason for reason, _ in events_of(cluster.plane, each)} for each in places))
        assert service.terminate() == 0
        must_have_used_all()


def test_the_deployment_with_all_that_it_can_do(cluster: Cluster, place: str) -> None:
    fill(cluster.plane, place)
    blog = seed.gitrepo(place, "blog", commit=HEAD)
    made, job = seed.put(cluster.plane, [blog, seed.job(blog, HEAD, "running")])

    with running(cluster, DEPLOYMENT_ALL, failed_keep="0", lease_duration="3s") as (service, must_have_used_all):
        eventually(lambda: jobs_of(cluster, place) == {job["metadata"]["name"]}, lambda: service.err)
        put_pod(cluster.plane, made, "blog-of-the-job", message="another error", job=job)
        fail(cluster.plane, place, job)
        eventually(lambda: errors_kept(service, place) == {"shop", "blog"}, lambda: service.err)
        reasons = {"JobsCleaned", "JobErrorKept"}
        eventually(lambda: {reason for reason, _ in events_of(cluster.plane, place)} == reasons)
        assert service.terminate() == 0
        must_have_used_all()

    assert names_of(cluster.plane, PODS.format(place)) == {"shop-of-the-job", "blog-of-the-job"}


def errors_kept(service: Container, place: str) -> set[str]:
    """The GitRepos of a Namespace whose errors were logged as kept."""
    logged = [json.loads(line) for line in service.err.splitlines() if line.startswith("{") and line.endswith("}")]
    return {line["gitrepo"] for line in logged if line["event"] == "error kept" and line["namespace"] == place}


def test_the_migration(cluster: Cluster, place: str) -> None:
    good = seed.gitrepo(place, "good", commit=HEAD)
    old = [seed.job(good, c, finished=seed.ago(hours=30), legacy=True) for c in (*seed.commits(good, 2), HEAD)]
    bad = seed.gitrepo(place, "bad", commit=HEAD, failed=True, spec={"forceSyncGeneration": 1}, updateGeneration=0)
    seed.put(cluster.plane, [good, *old, bad, seed.job(bad, HEAD, "failed", finished=seed.ago(hours=30), legacy=True)])

    with running(cluster, MIGRATION, lease_duration="3s", settle="1s") as (migration, must_have_used_all):
        path = f"{GITREPOS.format(place)}/bad"
        nudged = "gitjob-cleaner/nudged"
        eventually(lambda: nudged in cluster.plane.request("GET", path)[1]["metadata"].get("annotations", {}))
        patch(cluster.plane, f"{path}/status", {"status": {"updateGeneration": 1}})  # as Fleet does
        assert migration.wait() == 0, migration.err
        must_have_used_all()

    assert jobs_of(cluster, place) == {seed.job_name("bad", bad.object["spec"]["repo"], HEAD)}


def test_the_guard(cluster: Cluster, place: str) -> None:
    made = put_gitrepo(cluster.plane, place)
    (job,) = seed.put(cluster.plane, [seed.job(made, HEAD, "failed")])
    put_pod(cluster.plane, made, "of-the-job", message="the error", job=job)
    put_pod(cluster.plane, made, "orphan")

    with running(cluster, GUARD) as (guard, must_have_used_all):
        held(cluster.plane, place)
        port = int(guard.environment()["GITJOB_CLEANER_LISTEN"].rpartition(":")[2])
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            eventually(lambda k=kind: probe(guard, k, port) == 200, lambda: guard.err)  # type: ignore[misc]
        delete(cluster.plane, place)
        free(cluster.plane, place)
        assert guard.terminate() == 0
        must_have_used_all()

    assert names_of(cluster.plane, PODS.format(place)) == {"of-the-job"}
    assert [reason for reason, _ in events_of(cluster.plane, place)] == ["LastError"]


def test_the_retry(cluster: Cluster, place: str) -> None:
    blocked(cluster.plane, place)

    with running(cluster, RETRY) as (retry, must_have_used_all):
        assert retry.wait() == 0, retry.err
        must_have_used_all()

    assert forced(cluster.plane, place) == 1


def test_a_token_that_has_died_is_read_anew(cluster: Cluster, place: str) -> None:
    """The kubelet puts another into the same file long before the first one runs out; a service lives longer than both."""
    old_jobs(cluster, place)
    secret = must(cluster.plane.request("POST", f"/api/v1/namespaces/{HOME}/secrets", {"metadata": {"name": "holds-a-token"}}))
    bound = {"apiVersion": "v1", "kind": "Secret", "name": "holds-a-token", "uid": secret["metadata"]["uid"]}
    with cluster.installed("overlays/deployment"):
        listen = {"GITJOB_CLEANER_LISTEN": "127.0.0.1:0", **TERM}
        with made_pod(cluster, DEPLOYMENT.workload) as pod, Container(cluster.plane, pod, listen) as service:
            eventually(lambda: len(jobs_of(cluster, place)) == 2, lambda: service.err)
            first = service.renew(service.token({"expirationSeconds": 3607}, bound))
            cluster.plane.request("DELETE", f"{OWN_PODS}/{service.name}", {"gracePeriodSeconds": 0})
            # The API believes a token for some seconds more, once it has seen it: this very one must be refused.
            eventually(lambda: cluster.plane.request("GET", "/api", token=first)[0] == 401)
            more = seed.namespace(cluster.plane)
            old_jobs(cluster, more)
            eventually(lambda: len(jobs_of(cluster, more)) == 2, lambda: service.err)
            assert service.terminate() == 0
