"""The port over the official client, the same against the real API and against the sandbox of the demo."""

import time
from collections.abc import Iterable
from typing import Any

import pytest

from cleaner.cluster import Brake, Deletion, Doomed, Fate
from cleaner.fleet import Page
from cleaner.kube import KubeCluster
from cleaner.model import GitRepo, Job, Owner
from tests.edge.passes import cluster, never, sweep
from tests.edge.servers import DEPLOYMENTS, GITREPOS, JOBS, LEASES, Server, must, names_of, patch, put_gitjob
from tests.world import seed
from tests.world.seed import Made


def some_jobs(server: Server, place: str, count: int = 1, name: str = "shop") -> list[dict[str, Any]]:
    """A GitRepo and so many failed Jobs of its old commits, as the server has them: the GitRepo first, Jobs oldest first."""
    repo = seed.gitrepo(place, name)
    jobs = [seed.job(repo, c, "failed", finished=seed.ago(hours=900 - n)) for n, c in enumerate(seed.commits(repo, count))]
    return seed.put(server, [repo, *jobs])


def listed(pages: Iterable[Page[Job]]) -> list[Job]:
    """All Jobs of some pages."""
    return [job for page in pages for job in page.facts]


def end(port: KubeCluster, job: Job, brake: Brake = never) -> Deletion:
    """Delete one Job whose GitRepo was read a moment ago."""
    (deletion,) = port.delete([Doomed(job, time.monotonic() + 60)], brake)
    return deletion


def of(gitrepo: dict[str, Any]) -> Owner:
    """The owner that a GitRepo is."""
    return Owner(gitrepo["metadata"]["namespace"], gitrepo["metadata"]["name"], gitrepo["metadata"]["uid"])


def test_an_empty_list_is_one_page_of_nothing(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())

    (jobs,), (gitrepos,) = port.jobs(place), port.gitrepos(place)

    assert (jobs.facts, jobs.next, gitrepos.facts) == ([], "", [])


def test_a_long_list_comes_in_pages_and_each_job_once(server: Server, place: str) -> None:
    made = some_jobs(server, place, 505)

    pages = list(cluster(server.kubeconfig()).jobs(place))

    assert [len(page.facts) for page in pages] == [500, 5]
    assert sorted(job.name for job in listed(pages)) == sorted(job["metadata"]["name"] for job in made[1:])


def test_jobs_carry_what_the_api_says(server: Server, place: str) -> None:
    repo, made = some_jobs(server, place)

    (job,) = listed(cluster(server.kubeconfig()).jobs(place))

    metadata = made["metadata"]
    assert (job.name, job.uid, job.version) == (metadata["name"], metadata["uid"], metadata["resourceVersion"])
    assert (job.owner, job.commit) == (of(repo), metadata["annotations"]["commit"])


def test_jobs_of_others_are_counted_and_not_told(server: Server, place: str) -> None:
    some_jobs(server, place, 2)
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    must(server.request("POST", JOBS.format(place), {"metadata": {"name": "foreign"}, "spec": {"template": pod}}))

    (page,) = cluster(server.kubeconfig()).jobs(place)

    assert (len(page.facts), page.foreign) == (2, 1)


def test_the_whole_cluster_is_listed_over_its_namespaces(server: Server, place: str) -> None:
    other = seed.namespace(server)
    some_jobs(server, place), some_jobs(server, other)
    port = cluster(server.kubeconfig())

    assert {place, other} <= {job.namespace for job in listed(port.jobs(""))}
    assert {place, other} <= {repo.namespace for page in port.gitrepos("") for repo in page.facts}
    assert {place, other} <= {found.name for page in port.namespaces() for found in page.facts}


def test_a_namespace_is_read_with_our_annotations_and_a_missing_one_is_none(server: Server, place: str) -> None:
    patch(server, f"/api/v1/namespaces/{place}", {"metadata": {"annotations": {"gitjob-cleaner/protect": "true", "a": "b"}}})
    port = cluster(server.kubeconfig())

    found = port.namespace(place)

    assert found is not None
    assert (found.name, found.annotations) == (place, (("protect", "true"),))
    assert port.namespace("no-such-namespace") is None


def test_a_reread_finds_the_gitrepo_as_it_is_now(server: Server, place: str) -> None:
    repo, _ = some_jobs(server, place)
    patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"labels": {"shard": "east"}}})

    (read,) = cluster(server.kubeconfig()).reread([of(repo)])

    assert read.error is None
    assert read.gitrepo is not None
    assert (read.gitrepo.uid, read.gitrepo.labels) == (repo["metadata"]["uid"], (("shard", "east"),))
    assert read.namespace is not None


def test_a_reread_tells_a_gitrepo_that_is_gone_from_one_made_again(server: Server, place: str) -> None:
    repo, _ = some_jobs(server, place)
    port = cluster(server.kubeconfig())
    must(server.request("DELETE", f"{GITREPOS.format(place)}/shop"))
    (gone,) = port.reread([of(repo)])
    seed.put(server, [seed.gitrepo(place, "shop")])

    (again,) = port.reread([of(repo)])

    assert (gone.gitrepo, gone.error) == (None, None)
    assert isinstance(again.gitrepo, GitRepo)
    assert again.gitrepo.uid != repo["metadata"]["uid"]


def test_what_has_a_jobs_name_now_is_found(server: Server, place: str) -> None:
    some_jobs(server, place, 2)
    port = cluster(server.kubeconfig())
    here, gone = listed(port.jobs(place))
    end(port, gone)

    found = {job.name: now for job, now in port.find([here, gone])}

    assert (found[here.name], found[gone.name]) == (here, None)


def test_a_name_is_taken_whoever_owns_it(server: Server, place: str) -> None:
    _, job = some_jobs(server, place)
    port = cluster(server.kubeconfig())

    assert (port.taken(place, job["metadata"]["name"]), port.taken(place, "nobody")) == (True, False)


def test_a_job_is_deleted_once_and_then_gone(server: Server, place: str) -> None:
    some_jobs(server, place)
    port = cluster(server.kubeconfig())
    (job,) = listed(port.jobs(place))

    fates = [end(port, job).fate, end(port, job).fate]

    assert fates == [Fate.DELETED, Fate.GONE]
    assert names_of(server, JOBS.format(place)) == set()


def test_a_job_that_has_changed_stays(server: Server, place: str) -> None:
    some_jobs(server, place)
    port = cluster(server.kubeconfig())
    (job,) = listed(port.jobs(place))
    patch(server, f"{JOBS.format(place)}/{job.name}", {"metadata": {"labels": {"touched": "yes"}}})

    assert end(port, job).fate is Fate.CHANGED
    assert names_of(server, JOBS.format(place)) == {job.name}


def test_another_job_under_the_same_name_stays(server: Server, place: str) -> None:
    repo, _ = some_jobs(server, place)
    port = cluster(server.kubeconfig())
    (job,) = listed(port.jobs(place))
    must(server.request("DELETE", f"{JOBS.format(place)}/{job.name}", {"propagationPolicy": "Background"}))
    made = Made(repo, {})
    (again,) = seed.put(server, [seed.job(made, job.commit, "failed")])

    assert end(port, job).fate is Fate.CHANGED
    assert again["metadata"]["name"] == job.name
    assert names_of(server, JOBS.format(place)) == {job.name}


def test_a_job_with_a_finalizer_is_on_its_way_out(server: Server, place: str) -> None:
    _, made = some_jobs(server, place)
    path = f"{JOBS.format(place)}/{made['metadata']['name']}"
    patch(server, path, {"metadata": {"finalizers": ["example.com/wait"]}})
    port = cluster(server.kubeconfig())
    (job,) = listed(port.jobs(place))

    assert end(port, job).fate is Fate.TERMINATING
    assert "deletionTimestamp" in must(server.request("GET", path))["metadata"]
    patch(server, path, {"metadata": {"finalizers": None}})


def test_a_dry_run_leaves_every_job(server: Server, place: str) -> None:
    some_jobs(server, place, 3)
    port = cluster(server.kubeconfig(), dry_run=True)
    jobs = listed(port.jobs(place))

    assert {end(port, job).fate for job in jobs} == {Fate.WOULD_DELETE}
    assert names_of(server, JOBS.format(place)) == {job.name for job in jobs}


@pytest.mark.parametrize(
    ("deployments", "version", "recreates"),
    [
        pytest.param({"gitjob": "rancher/fleet:v0.16.1"}, "0.16.1", False, id="one"),
        pytest.param({"gitjob": "rancher/fleet:v0.10.2"}, "0.10.2", True, id="an old one"),
        pytest.param({"gitjob": "r/fleet:v0.16.1", "gitjob-shard-a": "r/fleet:v0.10.2"}, "0.10.2", True, id="the lowest shard"),
        pytest.param({"gitjob": "r/fleet:v0.16.1", "other": "r/other:v0.1.0"}, "0.16.1", False, id="only gitjob counts"),
        pytest.param({"gitjob": "r/fleet@sha256:" + "0" * 64}, "unknown", True, id="a digest"),
        pytest.param({}, "unknown", True, id="none"),
    ],
)
def test_the_lowest_fleet_that_may_run_is_told(
    server: Server, place: str, deployments: dict[str, str], version: str, *, recreates: bool
) -> None:
    for name, image in deployments.items():
        put_gitjob(server, place, image, name)

    fleet = cluster(server.kubeconfig(), fleet_version="", fleet_namespace=place).fleet()

    assert (fleet.version, fleet.recreates) == (version, recreates)


def test_an_unfinished_rollout_may_run_the_oldest_fleet(server: Server, place: str) -> None:
    put_gitjob(server, place, "rancher/fleet:v0.16.1", finished=False)

    assert cluster(server.kubeconfig(), fleet_version="v0.16.1", fleet_namespace=place).fleet().recreates
    assert names_of(server, DEPLOYMENTS.format(place)) == {"gitjob"}


@pytest.mark.parametrize("where", ["Namespace", "Lease"])
def test_a_pause_is_seen(server: Server, place: str, where: str) -> None:
    annotated = {"metadata": {"annotations": {"gitjob-cleaner/pause": "until Monday"}}}
    if where == "Namespace":
        patch(server, f"/api/v1/namespaces/{place}", annotated)
    else:
        annotated["metadata"]["name"] = "gitjob-cleaner"  # type: ignore[assignment]
        must(server.request("POST", LEASES.format(place), annotated))

    refusal = cluster(server.kubeconfig(), own_namespace=place).paused()

    assert refusal is not None
    assert (refusal.brake, "until Monday" in refusal.text) == ("pause", True)


def test_without_an_annotation_nothing_is_paused(server: Server, place: str) -> None:
    assert cluster(server.kubeconfig(), own_namespace=place).paused() is None


def test_the_servers_clock_is_known_after_the_first_answer(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    before = port.skew()
    port.namespace(place)

    skew = port.skew()

    assert before is None
    assert skew is not None
    assert abs(skew) < 30


def test_a_sweep_deletes_what_is_due(server: Server, place: str) -> None:
    names = [job["metadata"]["name"] for job in some_jobs(server, place, 4)[1:]]

    passed = sweep(server.kubeconfig(), place)

    assert passed.of("deleted") == set(names[:3])
    assert names_of(server, JOBS.format(place)) == {names[3]}
