"""Watches over the real API and over the sandbox: what comes, in which order, and how they end."""

import gc
import logging

import pytest

from cleaner.cluster import ClusterError, Denied, Events, Expired, Kind, Leases, Watches
from cleaner.demo.sandbox import Sandbox
from cleaner.kube import Connection, KubeCluster, Limits
from cleaner.model import GitRepo, Job, Namespace
from tests.edge.passes import clock, cluster
from tests.edge.servers import JOBS, SandboxServer, Server, must, patch
from tests.edge.streams import QUIET, Reading, now, read
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.seed import Json


def ports(port: KubeCluster) -> tuple[Watches, Leases, Events]:
    """The type checker holds the adapter against its ports."""
    return port, port, port


def watching(port: KubeCluster, kind: Kind, namespace: str) -> Reading:
    """A watch from now on."""
    return Reading(port.watch(kind, namespace, now(port, kind, namespace), QUIET))


def put(server: Server, place: str, count: int = 1, name: str = "shop") -> list[Json]:
    """A GitRepo and some failed Jobs of it: the GitRepo first."""
    repo = seed.gitrepo(place, name)
    (owner,) = seed.put(server, [repo])
    return [owner, *seed.put(server, [seed.job(owner, commit, "failed") for commit in seed.commits(owner, count)])]


def test_a_job_is_told_as_it_comes_changes_and_goes(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    with watching(port, Kind.JOBS, place) as reading:
        _, job = put(server, place)
        name = job["metadata"]["name"]
        reading.until(lambda: len(reading.named()) == 2)
        must(server.request("DELETE", f"{JOBS.format(place)}/{name}", {"propagationPolicy": "Background"}))
        reading.until(lambda: (name, True) in reading.named())

        created, finished, gone = (change for change in reading.changes if change.fact is not None)

    assert isinstance(finished.fact, Job)
    assert (finished.fact.uid, finished.fact.version) == (job["metadata"]["uid"], job["metadata"]["resourceVersion"])
    assert (created.gone, finished.gone, gone.gone) == (False, False, True)
    assert int(created.version) < int(finished.version) < int(gone.version)
    assert isinstance(created.fact, Job)
    assert (created.fact.finished, finished.fact.finished is None) == (None, False)
    assert reading.error is None


def test_a_foreign_job_says_nothing_but_its_version(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    with watching(port, Kind.JOBS, place) as reading:
        made = must(server.request("POST", JOBS.format(place), {"metadata": {"name": "foreign"}, "spec": {"template": pod}}))
        reading.until(lambda: bool(reading.changes))

    (change,) = reading.changes
    assert (change.fact, change.version, change.unreadable) == (None, made["metadata"]["resourceVersion"], None)


def test_gitrepos_and_namespaces_are_watched_too(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    with watching(port, Kind.GITREPOS, place) as gitrepos, watching(port, Kind.NAMESPACES, place) as namespaces:
        put(server, place, 0)
        other = seed.namespace(server)
        gitrepos.until(lambda: len(gitrepos.named()) == 2)
        namespaces.until(lambda: (other, False) in namespaces.named())

    assert {type(change.fact) for change in gitrepos.changes} == {GitRepo}
    assert Namespace in {type(change.fact) for change in namespaces.changes}


def test_a_namespace_sees_its_own_and_the_whole_cluster_all(server: Server, place: str) -> None:
    other = seed.namespace(server)
    port = cluster(server.kubeconfig())
    with watching(port, Kind.GITREPOS, place) as own, watching(port, Kind.GITREPOS, "") as everything:
        put(server, other, 0, "elsewhere")
        put(server, place, 0, "here")
        own.until(lambda: ("here", False) in own.named())
        everything.until(lambda: {("elsewhere", False), ("here", False)} <= set(everything.named()))

    assert ("elsewhere", False) not in own.named()


def test_a_later_watch_goes_on_where_one_ended(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    with watching(port, Kind.JOBS, place) as first:
        put(server, place, 1, "shop")
        first.until(lambda: len(first.named()) == 2)
    put(server, place, 1, "store")

    with Reading(port.watch(Kind.JOBS, place, first.changes[-1].version, QUIET)) as second:
        second.until(lambda: len(second.named()) == 2)

    assert {name.partition("-")[0] for name, _ in first.named()} == {"shop"}
    assert {name.partition("-")[0] for name, _ in second.named()} == {"store"}


def test_a_large_object_comes_whole(server: Server, place: str) -> None:
    """An object of many reads, with the largest annotation that the API takes."""
    port = cluster(server.kubeconfig())
    _, job = put(server, place)
    with watching(port, Kind.JOBS, place) as reading:
        path = f"{JOBS.format(place)}/{job['metadata']['name']}"
        changed = patch(server, path, {"metadata": {"annotations": {"a": "x" * 261_000}}})
        reading.until(lambda: bool(reading.changes))

    (change,) = reading.changes
    assert isinstance(change.fact, Job)
    assert (change.fact.name, change.version) == (job["metadata"]["name"], changed["metadata"]["resourceVersion"])
    assert [] in reading.batches


def test_many_changes_are_all_told_in_their_order(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    with watching(port, Kind.JOBS, place) as reading:
        names = {job["metadata"]["name"] for job in put(server, place, 150)[1:]}
        reading.until(lambda: len(reading.named()) == 300)

    versions = [int(change.version) for change in reading.changes]
    assert versions == sorted(versions)
    assert {name for name, _ in reading.named()} == names


def test_interrupted_while_it_waits_it_ends_without_an_error(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    with watching(port, Kind.GITREPOS, place) as reading:
        put(server, place, 0)
        reading.until(lambda: bool(reading.changes))

    assert reading.error is None
    gc.collect()  # a socket that nobody closed is told of here


def test_interrupted_before_it_begins_it_asks_nothing(server: Server, place: str) -> None:
    connection = Connection((str(server.kubeconfig()), ""), "gitjob-cleaner/test", 20, clock())
    stream = KubeCluster(connection, Limits(), clock()).watch(Kind.JOBS, place, "1", QUIET)

    stream.interrupt()

    assert (read(stream), connection.requests) == ([], 0)
    connection.close()


def test_a_reader_who_leaves_early_leaves_no_socket(server: Server, place: str) -> None:
    port = cluster(server.kubeconfig())
    stream = port.watch(Kind.GITREPOS, place, now(port, Kind.GITREPOS, place), QUIET)
    put(server, place, 0)

    first = next(batch for batch in stream if batch)

    assert isinstance(first[0].fact, GitRepo)
    del stream
    gc.collect()


def test_watches_take_nobodys_place(server: Server, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Four watches over a pool of one connection: everything else is asked as ever, over a connection that is kept."""
    timer = clock()
    connection = Connection((str(server.kubeconfig()), ""), "gitjob-cleaner/test", 20, timer, 1)
    port = KubeCluster(connection, Limits(), timer)
    version = now(port, Kind.GITREPOS, place)
    with caplog.at_level(logging.WARNING):
        readings = [Reading(port.watch(Kind.GITREPOS, place, version, QUIET)) for _ in range(4)]
        with readings[0], readings[1], readings[2], readings[3]:
            put(server, place, 0)
            for reading in readings:
                reading.until(lambda reading=reading: len(reading.changes) >= 1)  # type: ignore[misc]
            asked = [port.namespace(place) for _ in range(5)]
    connection.close()

    assert [found and found.name for found in asked] == [place] * 5
    assert caplog.records == []


def test_a_kind_that_is_not_served_is_denied(server: Server) -> None:
    class Elsewhere:
        value = "nothings"

    port = cluster(server.kubeconfig())

    with pytest.raises(Denied, match="not served"):
        read(port.watch(Elsewhere(), "", "1", QUIET))  # type: ignore[arg-type]


def test_a_version_that_is_none_is_an_error(server: Server, place: str) -> None:
    with pytest.raises(ClusterError, match="abc"):
        read(cluster(server.kubeconfig()).watch(Kind.JOBS, place, "abc", QUIET))


def test_whom_the_api_does_not_know_is_denied(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(Denied, match="401"):
        read(cluster(control_plane.kubeconfig(token="nobody")).watch(Kind.JOBS, namespace, "1", QUIET))


def test_who_may_not_watch_is_denied(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(Denied, match="403"):
        read(cluster(control_plane.kubeconfig(token="user-0")).watch(Kind.JOBS, namespace, "1", QUIET))


def test_the_real_api_tells_of_a_version_that_it_has_forgotten(control_plane: ControlPlane, namespace: str) -> None:
    """GitRepos are served later than version 1 was current, so nobody remembers what followed it."""
    with pytest.raises(Expired, match="410"):
        read(cluster(control_plane.kubeconfig()).watch(Kind.GITREPOS, namespace, "1", QUIET))


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A sandbox that sends bookmarks all the time."""
    with Sandbox(bookmark_every=0.05, collect_garbage=False) as started:
        server = SandboxServer(started, tmp_path_factory.mktemp("sandbox"))
        yield started, server
        server.close()


def test_the_sandbox_tells_of_a_version_that_it_has_forgotten(sandbox: tuple[Sandbox, SandboxServer]) -> None:
    started, server = sandbox
    seed.namespace(server, "somewhere")
    with started.store.lock:
        started.store.forget()

    with pytest.raises(Expired, match="410"):
        read(cluster(server.kubeconfig()).watch(Kind.NAMESPACES, "", "1", QUIET))


def test_a_bookmark_says_where_to_go_on_and_nothing_else(sandbox: tuple[Sandbox, SandboxServer]) -> None:
    _, server = sandbox
    port = cluster(server.kubeconfig())
    version = now(port, Kind.JOBS, "")
    with Reading(port.watch(Kind.JOBS, "", version, QUIET)) as reading:
        seed.namespace(server, "somewhere")
        reading.until(lambda: any(int(change.version) > int(version) for change in reading.changes))

    assert {(change.fact, change.gone, change.unreadable) for change in reading.changes} == {(None, False, None)}


def test_a_server_that_stops_ends_the_watch_without_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Sandbox(collect_garbage=False) as started:
        server = SandboxServer(started, tmp_path_factory.mktemp("sandbox"))
        reading = Reading(cluster(server.kubeconfig()).watch(Kind.NAMESPACES, "", "1", QUIET))
        with reading:
            reading.until(lambda: bool(reading.changes))
            started.stop()
            assert reading.ended()
        server.close()

    assert reading.error is None or isinstance(reading.error, ClusterError)
