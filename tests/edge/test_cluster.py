"""The port over the official client, the same against the real API and against the sandbox of the demo."""

import time
from collections.abc import Iterable
from typing import Any

from cleaner.cluster import Brake, Deletion, Doomed, Fate
from cleaner.fleet import Page
from cleaner.kube import KubeCluster
from cleaner.model import GitRepo, Job, Owner
from tests.edge.passes import cluster, never, sweep
from tests.edge.servers import GITREPOS, JOBS, Server, must, names_of, patch
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

    found = {seen.job.name: (seen.uid, seen.found) for seen in port.find([here, gone])}

    assert found == {here.name: (here.uid, here), gone.name: ("", None)}


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


def test_a_sweep_deletes_what_is_due(server: Server, place: str) -> None:
    names = [job["metadata"]["name"] for job in some_jobs(server, place, 4)[1:]]

    passed = sweep(server.kubeconfig(), place)

    assert passed.of("deleted") == set(names[:3])
    assert names_of(server, JOBS.format(place)) == {names[3]}
