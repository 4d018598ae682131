"""What the commands say of Pods that their Jobs left behind."""

from pathlib import Path

import msgspec
import pytest

from cleaner.report import Document
from tests.edge.servers import names_of
from tests.modes.running import Said, run
from tests.world import pods, seed
from tests.world.control_plane import ControlPlane
from tests.world.pods import PODS

FLEET = ("--fleet-version", "v0.16.1")


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, namespace: str) -> Path:
    """A GitRepo with a failed Job of an old commit that is due, and with two Pods: one that is due, one that is young."""
    repo = seed.gitrepo(namespace, "shop", lastPollingTriggered=seed.stamp(seed.ago(seconds=1)))
    old = seed.commits(repo, 2)
    jobs = [seed.job(repo, commit, "failed", finished=seed.ago(hours=200 - n)) for n, commit in enumerate(old)]
    seed.put(control_plane, [repo, *jobs])
    pods.put(control_plane, pods.pod(namespace, "due"), pods.pod(namespace, "young", finished=seed.ago(hours=1)))
    return control_plane.kubeconfig()


def swept(kubeconfig: Path, namespace: str, *flags: str) -> Said:
    """What `sweep` says."""
    return run("sweep", "--namespaces", namespace, *FLEET, *flags, kubeconfig=kubeconfig)


def test_the_document_tells_pods_apart(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    said = swept(kubeconfig, namespace, "--orphaned-pods", "--output", "json")

    document = msgspec.json.decode(said.out, type=Document)
    told = {line.name: (line.verdict, line.reason, line.result, line.gitrepo, line.job) for line in document.pods}
    assert told == {
        "due": ("delete", "orphaned", "deleted", "shop", "shop-1ab2c"),
        "young": ("keep", "young", "kept", "shop", "shop-1ab2c"),
    }
    totals = document.totals
    assert (totals.jobs, totals.results, totals.pods.pods, totals.pods.results) == (2, {"deleted": 1}, 2, {"deleted": 1})
    assert (totals.pods.kept, totals.pods.doomed) == ({"young": 1}, {"orphaned": 1})
    assert (said.code, names_of(control_plane, PODS.format(namespace))) == (0, {"young"})


def test_the_table_tells_pods_apart(namespace: str, kubeconfig: Path) -> None:
    said = swept(kubeconfig, namespace, "--orphaned-pods")

    lines = said.out.splitlines()
    header = next(n for n, line in enumerate(lines) if line.startswith("POD "))
    assert lines[header + 1].split()[0] == f"{namespace}/due"
    assert "1 deleted, 1 kept, of 2 orphaned Pods 1 deleted and 1 kept" in lines[-1]


def test_a_dry_run_says_so_and_leaves_them(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    said = swept(kubeconfig, namespace, "--orphaned-pods", "--dry-run")

    assert "of 2 orphaned Pods 1 kept and 1 would-delete" in said.out
    assert names_of(control_plane, PODS.format(namespace)) == {"due", "young"}


def test_nothing_is_said_of_them_unless_asked_for(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    mark = control_plane.audit_end

    said = swept(kubeconfig, namespace, "--output", "json")

    assert said.document["pods"] == []
    assert names_of(control_plane, PODS.format(namespace)) == {"due", "young"}
    requests = [each for each in control_plane.audit(mark) if each["objectRef"]["resource"] == "pods"]
    assert [each for each in requests if "gitjob-cleaner" in each.get("userAgent", "")] == []


def test_explain_shows_those_of_its_gitrepo(control_plane: ControlPlane, namespace: str, kubeconfig: Path) -> None:
    pods.put(control_plane, pods.pod(namespace, "of-another", gitrepo="other"))

    said = run("explain", f"{namespace}/shop", "--orphaned-pods", *FLEET, kubeconfig=kubeconfig)

    assert [line.split()[0] for line in said.out.splitlines() if line.startswith(("due ", "young "))] == ["young", "due"]
    assert "orphaned: a Pod whose Job is gone" in said.out
    assert "of-another" not in said.out
    without = run("explain", f"{namespace}/shop", *FLEET, kubeconfig=kubeconfig)
    assert "POD" not in without.out
