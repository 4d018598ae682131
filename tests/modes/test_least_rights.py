"""Each mode does its work with exactly the rights of the table: none is refused it, and each of its rights is used."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cleaner.model import GUARD
from cleaner.rights import rights
from tests.edge.guarding import FLEETS, delete, events_of, finalizers_of, free, held, put_gitrepo, put_pod
from tests.edge.servers import GITREPOS, JOBS, names_of, patch, put_gitjob
from tests.edge.serving import eventually
from tests.modes.granting import Mode, asked, covers, grant
from tests.modes.running import Said, command, environment, run
from tests.modes.serving import Running
from tests.world import pods, seed
from tests.world.control_plane import ControlPlane
from tests.world.pods import PODS

FLEET = "cattle-fleet-system"
ACCOUNTS = [f"account-{n}" for n in range(40)]
HEAD = seed.sha("head")
AT_ONCE = {"settle": "0s", "failed_keep": "0", "failed_age": "1h"}
ALL = {**AT_ONCE, "current": "all", "orphaned_pods": "true"}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A world of its own, in which Fleet 0.16.1 runs."""
    with ControlPlane({account: account for account in ACCOUNTS}, audit=True) as started:
        started.with_crd()
        put_gitjob(started, FLEET, "rancher/fleet:v0.16.1")
        yield started


_ACCOUNTS = iter(ACCOUNTS)


class Exactly(NamedTuple):
    """An account that has exactly the rights of a mode, from now on."""

    plane: ControlPlane
    mode: Mode
    account: str
    config: Path
    mark: int

    @classmethod
    def of(cls, plane: ControlPlane, mode: Mode) -> "Exactly":
        """Make one, once the API has heard of its rights."""
        account = next(_ACCOUNTS)
        config = plane.kubeconfig(token=account)
        grant(plane, account, mode.use)
        eventually(lambda: run("check", mode.command, *mode.line(), kubeconfig=config).code == 0)
        return cls(plane, mode, account, config, plane.audit_end)

    def run(self, *arguments: str, timeout: float = 200) -> Said:
        """Run the mode with its flags to its end."""
        return run(self.mode.command, *arguments, *self.mode.line(), kubeconfig=self.config, timeout=timeout)

    def must_have_used_all(self) -> None:
        """Nothing was refused, and every right has allowed something."""
        seen, use = asked(self.plane.audit(self.mark), self.account), self.mode.use
        unused = [r for r in rights(use) if not any(covers(r, use, access) for access, _ in seen)]

        assert [access for access, code in seen if code in (401, 403)] == []
        assert unused == []
        assert [access for access, _ in seen if not any(covers(right, use, access) for right in rights(use))] == []


@pytest.fixture
def place(plane: ControlPlane) -> str:
    """A Namespace that no other test has seen."""
    return seed.namespace(plane)


@pytest.fixture
def home(plane: ControlPlane) -> str:
    """The cleaner's own."""
    return seed.namespace(plane)


def scoped(scope: str, place: str, **flags: str) -> dict[str, str]:
    """Settings for one Namespace, or for all of them."""
    return {**({"namespaces": place} if scope == "named" else {}), **flags}


def fill(plane: ControlPlane, place: str, name: str = "shop") -> Any:
    """A GitRepo with old failed Jobs, a failed current one whose Pod is there, and a Pod that some Job left behind."""
    wanted = seed.gitrepo(place, name, commit=HEAD, failed=True)
    old = [seed.job(wanted, c, "failed", finished=seed.ago(hours=300 - n)) for n, c in enumerate(seed.commits(wanted, 3))]
    made, *_, current = seed.put(plane, [wanted, *old, seed.job(wanted, HEAD, "failed", finished=seed.ago(hours=200))])
    put_pod(plane, made, f"{name}-of-the-job", message="the error", job=current)
    pods.put(plane, pods.pod(place, f"{name}-orphan", gitrepo=name))
    return made


def jobs_of(plane: ControlPlane, place: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(plane, JOBS.format(place))


@pytest.mark.long
def test_a_sweep_of_named_namespaces_with_all_that_it_can_do(plane: ControlPlane, place: str, home: str) -> None:
    fill(plane, place)
    exactly = Exactly.of(plane, Mode("sweep", {"namespaces": place, "own_namespace": home, **ALL}))

    assert exactly.run().code == 0
    exactly.must_have_used_all()
    assert jobs_of(plane, place) == set()
    assert names_of(plane, PODS.format(place)) == {"shop-of-the-job"}
    assert [reason for reason, _ in events_of(plane, place)] == ["JobErrorKept"]


def test_a_plain_sweep_of_the_whole_cluster(plane: ControlPlane, place: str) -> None:
    wanted = seed.gitrepo(place, "shop")
    old = [seed.job(wanted, commit, "failed", finished=seed.ago(hours=200)) for commit in seed.commits(wanted, 2)]
    old.append(
        seed.job(wanted, seed.sha("slow"), "failed", metadata={"finalizers": ["example.com/slow"]}, finished=seed.ago(hours=200))
    )
    seed.put(plane, [wanted, *old])
    exactly = Exactly.of(plane, Mode("sweep", AT_ONCE))

    said = exactly.run("--output", "json")

    assert (said.code, said.document["refused"]) == (0, [])
    exactly.must_have_used_all()
    assert {line["result"] for line in said.document["jobs"] if line["namespace"] == place} == {"deleted", "terminating"}


class GuardProcess(Running):
    """A guard under way."""

    COMMAND = ("guard",)


def bare(plane: ControlPlane, mode: Mode) -> Path:
    """The kubeconfig of an account that lacks all that a mode can do without."""
    account = next(_ACCOUNTS)
    config = plane.kubeconfig(token=account)
    grant(plane, account, mode.use, lambda right, _: not right.needed)
    eventually(lambda: run("check", mode.command, *mode.line(), kubeconfig=config).code == 0)
    return config


def test_a_dry_run_needs_no_more_than_it_says(plane: ControlPlane, place: str) -> None:
    fill(plane, place)
    mode = Mode("sweep", {"namespaces": place, "dry_run": "true", "fleet_version": "v0.16.1", **ALL})
    config, before = bare(plane, mode), jobs_of(plane, place)

    said = run("sweep", "--output", "json", *mode.line(), kubeconfig=config)

    assert (said.code, said.document["refused"], said.document["brake"]) == (0, [], None)
    assert said.document["totals"]["results"] == {"would-delete": 4}
    assert jobs_of(plane, place) == before


def test_a_sweep_can_do_without_what_it_says(plane: ControlPlane, place: str, home: str) -> None:
    polled = seed.stamp(seed.ago(seconds=1))  # without a version in sight, one that is not polled is left alone
    wanted = seed.gitrepo(place, "shop", lastPollingTriggered=polled)
    seed.put(plane, [wanted, *(seed.job(wanted, c, "failed", finished=seed.ago(hours=200)) for c in seed.commits(wanted, 2))])
    mode = Mode("sweep", {"namespaces": place, "own_namespace": home, **AT_ONCE})

    said = run("sweep", *mode.line(), kubeconfig=bare(plane, mode))

    assert (said.code, jobs_of(plane, place)) == (0, set()), said


@pytest.mark.parametrize("flags", [{}, {"all_failed": "true"}], ids=["one", "all"])
def test_a_retry_can_do_without_what_it_says(plane: ControlPlane, place: str, flags: dict[str, str]) -> None:
    """But for Jobs of old Fleets, which it can do nothing for."""
    wanted = seed.gitrepo(place, "shop", commit=HEAD, failed=True)
    seed.put(plane, [wanted, seed.job(wanted, HEAD, "failed", finished=seed.ago(hours=1))])
    mode = Mode("retry", {"namespaces": place, **flags})

    said = run("retry", *([] if flags else [f"{place}/shop"]), *mode.line(), kubeconfig=bare(plane, mode))

    assert (said.code, forced(plane, place)) == (0, 1), said


def test_an_explanation_can_do_without_what_it_says(plane: ControlPlane, place: str) -> None:
    wanted = seed.gitrepo(place, "shop")
    seed.put(plane, [wanted, seed.job(wanted, HEAD, "failed")])
    mode = Mode("explain", {"namespaces": place, "orphaned_pods": "true"})

    said = run("explain", f"{place}/shop", *mode.line(), kubeconfig=bare(plane, mode))

    assert (said.code, "Kept errors cannot be read" in said.out) == (0, True), said


def test_a_guard_can_do_without_what_it_says(plane: ControlPlane, place: str, home: str) -> None:
    put_pod(plane, put_gitrepo(plane, place), "orphan")
    mode = Mode("guard", {"namespaces": place, "own_namespace": home})
    with GuardProcess(bare(plane, mode), *mode.line()) as guard:
        held(plane, place)
        delete(plane, place)
        free(plane, place)
        assert guard.terminate() == 0

    assert names_of(plane, PODS.format(place)) == {"orphan"}


@pytest.mark.long
def test_the_service_can_do_without_what_it_says(plane: ControlPlane, place: str, home: str) -> None:
    fill(plane, place)
    serving = {"own_namespace": home, "leader_election": "true", "lease_duration": "3s", "evidence": "true"}
    mode = Mode("run", {"namespaces": place, **serving, **ALL})
    with Running(bare(plane, mode), *mode.line()) as service:
        eventually(lambda: jobs_of(plane, place) == set(), lambda: "".join(service.lines[-20:]))
        eventually(lambda: names_of(plane, PODS.format(place)) == {"shop-of-the-job"})
        assert service.terminate() == 0


@pytest.mark.parametrize("scope", ["named", pytest.param("cluster", marks=pytest.mark.long)])
def test_the_service_with_all_that_it_can_do(plane: ControlPlane, place: str, home: str, scope: str) -> None:
    fill(plane, place)
    blog = seed.gitrepo(place, "blog", commit=HEAD)
    made, job = seed.put(plane, [blog, seed.job(blog, HEAD, "running")])
    serving = {"own_namespace": home, "leader_election": "true", "lease_duration": "3s", "evidence": "true"}
    exactly = Exactly.of(plane, Mode("run", scoped(scope, place, **serving, **ALL)))

    with Running(exactly.config, *exactly.mode.line()) as service:
        service.ready()
        eventually(lambda: jobs_of(plane, place) == {job["metadata"]["name"]}, lambda: "".join(service.lines[-20:]))
        put_pod(plane, made, "blog-of-the-job", message="another error", job=job)
        fail(plane, place, job)
        eventually(lambda: errors_kept(service, place) == {"shop", "blog"}, lambda: "".join(service.lines[-20:]))
        reasons = {"JobsCleaned", "JobErrorKept"}
        eventually(lambda: {reason for reason, _ in events_of(plane, place)} == reasons, lambda: events_of(plane, place))
        assert service.terminate() == 0

    exactly.must_have_used_all()
    assert names_of(plane, PODS.format(place)) == {"shop-of-the-job", "blog-of-the-job"}


def errors_kept(service: Running, place: str) -> set[str]:
    """The GitRepos of a Namespace whose errors were logged as kept."""
    return {line["gitrepo"] for line in service.logged("error kept") if line["namespace"] == place}


def fail(plane: ControlPlane, place: str, job: Any) -> None:
    """End a Job as the Job controller does one that failed."""
    ended = seed.job(seed.gitrepo(place, "any"), HEAD, "failed").status
    status = {**ended, "startTime": job["status"]["startTime"], "active": None, "ready": None}
    patch(plane, f"{JOBS.format(place)}/{job['metadata']['name']}/status", {"status": status})


@pytest.mark.long
def test_a_migration(plane: ControlPlane, place: str, home: str) -> None:
    good = seed.gitrepo(place, "good", commit=HEAD)
    old = [seed.job(good, c, finished=seed.ago(hours=30), legacy=True) for c in (*seed.commits(good, 2), HEAD)]
    bad = seed.gitrepo(place, "bad", commit=HEAD, failed=True, spec={"forceSyncGeneration": 1}, updateGeneration=0)
    seed.put(plane, [good, *old, bad, seed.job(bad, HEAD, "failed", finished=seed.ago(hours=30), legacy=True)])
    flags = {"namespaces": place, "own_namespace": home, "leader_election": "true", "lease_duration": "3s", "settle": "1s"}
    exactly = Exactly.of(plane, Mode("migrate", flags))

    line = command("migrate", *exactly.mode.line(output="json"))
    with subprocess.Popen(line, env=environment(exactly.config), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        path = f"{GITREPOS.format(place)}/bad"
        eventually(lambda: "gitjob-cleaner/nudged" in plane.request("GET", path)[1]["metadata"].get("annotations", {}))
        patch(plane, f"{path}/status", {"status": {"updateGeneration": 1}})  # as Fleet does
        out, err = process.communicate(timeout=200)

    assert process.returncode == 0, (out, err)
    exactly.must_have_used_all()
    assert jobs_of(plane, place) == {seed.job_name("bad", bad.object["spec"]["repo"], HEAD)}


@pytest.mark.parametrize("scope", ["named", "cluster"])
def test_an_explanation(plane: ControlPlane, place: str, scope: str) -> None:
    wanted = seed.gitrepo(place, "shop")
    seed.put(plane, [wanted, *(seed.job(wanted, commit, "failed") for commit in seed.commits(wanted, 2))])
    exactly = Exactly.of(plane, Mode("explain", scoped(scope, place, orphaned_pods="true")))

    assert exactly.run(f"{place}/shop").code == 0
    exactly.must_have_used_all()


def blocked(plane: ControlPlane, place: str, name: str = "shop") -> Any:
    """A GitRepo whose failed Job, made by Fleet 0.10.2, blocks it."""
    wanted = seed.gitrepo(place, name, commit=HEAD, failed=True)
    made, _ = seed.put(plane, [wanted, seed.job(wanted, HEAD, "failed", finished=seed.ago(hours=1), legacy=True)])
    return made


def forced(plane: ControlPlane, place: str, name: str = "shop") -> int:
    """The Force Update that was asked for."""
    return int(plane.request("GET", f"{GITREPOS.format(place)}/{name}")[1]["spec"].get("forceSyncGeneration", 0))


@pytest.mark.parametrize("scope", ["named", pytest.param("cluster", marks=pytest.mark.long)])
def test_a_retry(plane: ControlPlane, place: str, scope: str) -> None:
    """By its full name, and by its bare one."""
    blocked(plane, place)
    blocked(plane, place, f"blog-{scope}")
    exactly = Exactly.of(plane, Mode("retry", scoped(scope, place, wait="true", wait_limit="2s")))

    ended = [exactly.run(name).code for name in (f"{place}/shop", f"blog-{scope}")]
    assert ended == [1, 1]  # there is no Fleet that would run them
    exactly.must_have_used_all()
    assert (forced(plane, place), forced(plane, place, f"blog-{scope}")) == (1, 1)


def test_a_retry_of_all_that_failed(plane: ControlPlane, place: str) -> None:
    """In two Namespaces, one of which has no GitRepo."""
    blocked(plane, place)
    exactly = Exactly.of(plane, Mode("retry", {"namespaces": f"{place},{seed.namespace(plane)}", "all_failed": "true"}))

    assert exactly.run().code == 0
    exactly.must_have_used_all()
    assert forced(plane, place) == 1


@pytest.mark.parametrize("scope", ["named", "cluster"])
def test_a_guard(plane: ControlPlane, place: str, home: str, scope: str) -> None:
    made = put_gitrepo(plane, place)
    (job,) = seed.put(plane, [seed.job(made, HEAD, "failed")])
    put_pod(plane, made, "of-the-job", message="the error", job=job)
    put_pod(plane, made, "orphan")
    exactly = Exactly.of(plane, Mode("guard", scoped(scope, place, own_namespace=home)))

    with GuardProcess(exactly.config, *exactly.mode.line()) as guard:
        held(plane, place)
        guard.ready()
        delete(plane, place)
        free(plane, place)
        assert guard.terminate() == 0

    exactly.must_have_used_all()
    assert names_of(plane, PODS.format(place)) == {"of-the-job"}
    assert [reason for reason, _ in events_of(plane, place)] == ["LastError"]


@pytest.mark.parametrize("scope", ["named", "cluster"])
def test_a_release(plane: ControlPlane, place: str, scope: str) -> None:
    """In two Namespaces, one of which has no GitRepo, or in all."""
    put_gitrepo(plane, place, "shop", FLEETS, GUARD)
    exactly = Exactly.of(plane, Mode("release", scoped(scope, f"{place},{seed.namespace(plane)}")))

    assert exactly.run().code == 0
    exactly.must_have_used_all()
    assert finalizers_of(plane, place) == [FLEETS]
