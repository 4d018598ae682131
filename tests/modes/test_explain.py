"""`explain`: why each Job of one GitRepo is there, until when, and what is stuck around it."""

import re
from json import loads
from pathlib import Path
from typing import Any

import pytest

from tests.edge.failing import WHY, failed_jobs
from tests.edge.roles import allow
from tests.edge.servers import GITREPOS, JOBS, must, names_of, patch
from tests.modes.running import Said, run
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.seed import Made

HEAD = seed.sha("head")


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> Path:
    """As an administrator."""
    return control_plane.kubeconfig()


def explained(kubeconfig: Path, name: str, *flags: str, fleet: str = "v0.16.1") -> Said:
    """What it says."""
    return run("explain", name, "--fleet-version", fleet, *flags, kubeconfig=kubeconfig)


def put(control_plane: ControlPlane, repo: Made, *jobs: Made) -> list[str]:
    """Put a GitRepo and Jobs that were made for it into the world; the names of the Jobs."""
    return [made["metadata"]["name"] for made in seed.put(control_plane, [repo, *jobs])[1:]]


def shop(control_plane: ControlPlane, namespace: str, name: str = "shop") -> list[str]:
    """A GitRepo with Jobs of five fates, newest first; its name is for the test to choose."""
    repo = seed.gitrepo(namespace, name, lastPollingTriggered=seed.stamp(seed.ago(seconds=1)))
    old = seed.commits(repo, 4)
    return put(
        control_plane,
        repo,
        seed.job(repo, HEAD, finished=seed.ago(minutes=1)),
        seed.job(repo, old[0], finished=seed.ago(minutes=7)),
        seed.job(repo, old[1], "failed", finished=seed.ago(hours=30)),
        seed.job(repo, old[2], "failed", finished=seed.ago(hours=60)),
        seed.job(repo, old[3], "failed", finished=seed.ago(hours=90)),
    )


def lines_of(said: Said, names: list[str]) -> list[str]:
    """The lines of some Jobs, in the order in which they were written."""
    return [line for line in said.out.splitlines() if line.split(" ")[0] in names]


def test_jobs_come_newest_first_each_with_its_reason_and_its_end(
    control_plane: ControlPlane, namespace: str, kubeconfig: Path
) -> None:
    names = shop(control_plane, namespace)

    said = explained(kubeconfig, f"{namespace}/shop")

    lines = lines_of(said, names)
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in lines] == names
    assert [re.findall(r" (keep|delete) +(\S+)", line) for line in lines] == [
        [("keep", "current")],
        [("keep", "young")],
        [("keep", "newest")],
        [("keep", "young")],
        [("delete", "superseded")],
    ]
    assert ["(in " in line for line in lines] == [False, True, False, True, False]
    assert HEAD[:12] in lines[0]
    assert {line.split()[1] for line in lines} == {"succeeded", "failed"}


def test_nothing_is_deleted(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    shop(control_plane, namespace)
    mark = control_plane.audit_end

    explained(kubeconfig, f"{namespace}/shop")

    assert {event["verb"] for event in control_plane.audit(mark)} <= {"get", "list"}


def test_a_bare_name_finds_the_one_that_there_is(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    names = shop(control_plane, namespace, f"only-{namespace}")

    said = explained(kubeconfig, f"only-{namespace}")

    assert len(lines_of(said, names)) == 5


def test_a_name_of_several_is_told_with_all_of_them(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    other, name = seed.namespace(control_plane), f"both-{namespace}"
    shop(control_plane, namespace, name), shop(control_plane, other, name)

    said = explained(kubeconfig, name)

    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert f"{namespace}/{name}" in said.err
    assert f"{other}/{name}" in said.err


@pytest.mark.parametrize(
    "name", ["no-such-gitrepo", "{}/no-such-gitrepo", "no-such-namespace/shop", "/", "../../etc", "a/b/c", ""]
)
def test_a_missing_gitrepo_is_one_line(namespace: str, kubeconfig: Path, name: str) -> None:
    said = explained(kubeconfig, name.format(namespace))

    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)


def test_the_document_has_the_jobs_of_this_gitrepo_alone(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    names = shop(control_plane, namespace)
    shop(control_plane, namespace, "another")

    document = explained(kubeconfig, f"{namespace}/shop", "--output", "json").document

    assert (document["schema"], document["command"]) == (1, "explain")
    assert {line["name"]: line["reason"] for line in document["jobs"]} == dict(
        zip(names, ["current", "young", "newest", "young", "superseded"], strict=True)
    )
    assert document["totals"]["results"] == {}


def test_jobs_left_by_an_earlier_gitrepo_of_the_name_are_shown(
    control_plane: ControlPlane, namespace: str, kubeconfig: Path
) -> None:
    names = shop(control_plane, namespace)
    must(control_plane.request("DELETE", f"{GITREPOS.format(namespace)}/shop"))
    put(control_plane, seed.gitrepo(namespace, "shop"))

    document = explained(kubeconfig, f"{namespace}/shop", "--output", "json").document

    assert {line["name"]: line["reason"] for line in document["jobs"]} == dict.fromkeys(names, "not-owned")


def stuck(said: Said) -> list[tuple[str, str]]:
    """Kind and Job of what is stuck."""
    return [(line["kind"], line["job"]) for line in said.document["stuck"]]


def json(kubeconfig: Path, namespace: str, fleet: str = "v0.16.1") -> Said:
    """What it says of `shop` as JSON."""
    return explained(kubeconfig, f"{namespace}/shop", "--output", "json", fleet=fleet)


def polled() -> dict[str, Any]:
    """A poll a moment ago; not a constant, for a suite takes longer than polling may be silent."""
    return {"lastPollingTriggered": seed.stamp(seed.ago(seconds=1))}


def test_a_healthy_gitrepo_is_not_stuck(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    shop(control_plane, namespace)

    assert stuck(json(kubeconfig, namespace)) == []


def test_a_legacy_job_that_blocks_is_told_with_the_line_that_helps(
    control_plane: ControlPlane, namespace: str, kubeconfig: Path
) -> None:
    repo = seed.gitrepo(namespace, "shop", failed=True, **polled())
    (name,) = put(control_plane, repo, seed.job(repo, HEAD, "failed", finished=seed.ago(hours=3), legacy=True))

    said = explained(kubeconfig, f"{namespace}/shop")

    (line,) = [line for line in said.out.splitlines() if line.startswith("STUCK")]
    assert f"gitjob-cleaner retry {namespace}/shop" in line
    assert stuck(json(kubeconfig, namespace)) == [("blocked-by-legacy-job", name)]
    assert stuck(json(kubeconfig, namespace, fleet="v0.10.2")) == []
    labels = {"fleet.cattle.io/gitrepo-generation": "0", "fleet.cattle.io/force-sync-generation": "0"}
    patch(control_plane, f"{JOBS.format(namespace)}/{name}", {"metadata": {"labels": labels}})
    assert stuck(json(kubeconfig, namespace)) == []


def test_a_job_that_runs_for_hours_is_stuck(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    """A Job's age is its creation, which the API sets by itself: so it is put into the store."""
    repo = seed.gitrepo(namespace, "shop", **polled())
    (owner,) = seed.put(control_plane, [repo])
    long, short = seed.job(owner, HEAD, "running", finished=seed.ago(hours=2)), seed.job(owner, seed.sha("b"), "running")
    seed.bulk(control_plane, [long, short])

    assert stuck(json(kubeconfig, namespace)) == [("running-long", long.object["metadata"]["name"])]


def test_polling_that_died_is_told(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    put(control_plane, seed.gitrepo(namespace, "shop", lastPollingTriggered=seed.stamp(seed.ago(hours=5))))

    assert stuck(json(kubeconfig, namespace, fleet="v0.10.2")) == [("polling-died", "")]


def test_a_name_that_another_owner_holds_is_told(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    repo = seed.gitrepo(namespace, "shop", **polled())
    put(control_plane, repo)
    name = seed.job_name("shop", "https://git.example/shop", HEAD)
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    must(control_plane.request("POST", JOBS.format(namespace), {"metadata": {"name": name}, "spec": {"template": pod}}))

    assert stuck(json(kubeconfig, namespace)) == [("name-taken", name)]


def test_a_gitrepo_that_is_leaving_tells_so(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    repo = seed.gitrepo(namespace, "shop", metadata={"finalizers": ["example.com/wait"]}, **polled())
    (name,) = put(control_plane, repo, seed.job(repo, seed.sha("a"), "failed", finished=seed.ago(hours=200)))
    must(control_plane.request("DELETE", f"{GITREPOS.format(namespace)}/shop"))

    said = json(kubeconfig, namespace)

    assert [(line["name"], line["reason"]) for line in said.document["jobs"]] == [(name, "leaving")]
    patch(control_plane, f"{GITREPOS.format(namespace)}/shop", {"metadata": {"finalizers": None}})


def test_a_gitrepo_that_has_been_leaving_for_hours_is_stuck(
    control_plane: ControlPlane, namespace: str, kubeconfig: Path
) -> None:
    """Its departure lies in the past, so it is put into the store as it would stand there."""
    gone = {"deletionTimestamp": seed.stamp(seed.ago(hours=2)), "deletionGracePeriodSeconds": 0}
    repo = seed.gitrepo(namespace, "shop", metadata={"finalizers": ["example.com/wait"], **gone}, **polled())
    seed.place(control_plane, repo)

    assert stuck(json(kubeconfig, namespace)) == [("leaving-long", "")]


def test_a_kept_error_is_read_back_and_told_how_long_it_lasts(
    control_plane: ControlPlane, namespace: str, kubeconfig: Path
) -> None:
    jobs = failed_jobs(control_plane, namespace, ["shop", "cart"])
    name = jobs[0]["metadata"]["name"]
    flags = ("--current", "all", "--namespaces", namespace, "--fleet-version", "v0.16.1")
    swept = run("sweep", *flags, "--log-format", "json", kubeconfig=kubeconfig, timeout=100)

    said = explained(kubeconfig, f"{namespace}/shop")
    document = explained(kubeconfig, f"{namespace}/shop", "--output", "json").document

    assert (swept.code, names_of(control_plane, JOBS.format(namespace))) == (0, set())
    assert {(line["gitrepo"], line["error"]) for line in map(loads, swept.err.splitlines())} == {("shop", WHY), ("cart", WHY)}
    (line,) = [line for line in said.out.splitlines() if line.startswith("ERROR KEPT")]
    assert re.fullmatch(rf"ERROR KEPT \S+Z {name} commit {HEAD[:12]}: {re.escape(WHY)}", line)
    assert "an hour by default" in said.out
    (kept,) = document["kept_errors"]
    assert (kept["gitrepo"], kept["job"], kept["commit"], kept["text"]) == (f"{namespace}/shop", name, HEAD, WHY)


def test_that_events_may_not_be_read_is_a_line(control_plane: ControlPlane, namespace: str) -> None:
    shop(control_plane, namespace)
    allow(control_plane, "user-7", namespace)

    said = explained(control_plane.kubeconfig(token="user-7"), f"{namespace}/shop", "--namespaces", namespace)
    flags = ("--namespaces", namespace, "--output", "json")
    document = explained(control_plane.kubeconfig(token="user-7"), f"{namespace}/shop", *flags).document

    assert said.code == 0
    assert len([line for line in said.out.splitlines() if line.startswith("Kept errors cannot be read")]) == 1
    assert document["kept_errors"] == []
    assert [note["text"] for note in document["notes"] if "events" in note["text"]]


def test_an_error_that_cannot_be_kept_is_told_and_ends_with_1(control_plane: ControlPlane, namespace: str) -> None:
    (job,) = failed_jobs(control_plane, namespace, ["shop"])
    allow(control_plane, "user-8", namespace)
    flags = ("--current", "all", "--namespaces", namespace, "--fleet-version", "v0.16.1", "--output", "json")

    said = run("sweep", *flags, kubeconfig=control_plane.kubeconfig(token="user-8"))

    (line,) = said.document["jobs"]
    assert (said.code, line["name"], line["result"]) == (1, job["metadata"]["name"], "failed")
    assert "its error could not be kept" in line["result_detail"]
    assert names_of(control_plane, JOBS.format(namespace)) == {job["metadata"]["name"]}
