"""The rules for Pods that their Jobs left behind: bytes in, verdicts out."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaner import fleet
from cleaner.model import GitRepo, Job, Namespace, OrphanedPod, Outcome, Owner, identity
from cleaner.retention import Bounds, Plan, Policy, Reason, Rule, plan_pods

RECORDED = Path(__file__).parent.parent / "data/fleet/v0.14.10"
AT, HOUR = 1_000_000.0, 3600.0
SHOP = Owner("team", "shop", "")
REPO, TEAM = GitRepo("team", "shop", "uid"), Namespace("team")


def pod(outcome: Outcome = Outcome.FAILED, ago: float = 100 * HOUR, name: str = "pod", **more: Any) -> OrphanedPod:
    """A Pod that ended so many seconds ago."""
    made = OrphanedPod(SHOP, identity(name, f"uid-{name}", "7", "c0ffee"), AT - ago - 5, outcome, AT - ago, **more)
    return msgspec.structs.replace(made, job="shop-1ab2c", job_uid="gone")


def judged(one: OrphanedPod, gitrepo: GitRepo | None = REPO, namespace: Namespace = TEAM, policy: Policy | None = None) -> Plan:
    """Judge a Pod that is alone."""
    return plan_pods(SHOP, gitrepo, [one], namespace, policy or Policy(), AT)


def recorded(**changes: Any) -> dict[str, Any]:
    """The orphaned Pod as the API server sent it, with other metadata."""
    made: dict[str, Any] = msgspec.json.decode((RECORDED / "pod-orphan.json").read_bytes())
    made["metadata"] |= changes
    return made


def page(*pods: dict[str, Any]) -> bytes:
    """Write a page of a list."""
    return msgspec.json.encode({"kind": "PodList", "metadata": {}, "items": pods})


PROTECTED = (("protect", "true"),)


@pytest.mark.parametrize(
    ("one", "gitrepo", "namespace", "reason"),
    [
        (pod(), REPO, TEAM, "orphaned"),
        (pod(), None, TEAM, "orphaned"),
        (pod(), msgspec.structs.replace(REPO, deleting_since=AT - 1), TEAM, "orphaned"),
        (pod(), msgspec.structs.replace(REPO, commits=("c0ffee",), current_names=("pod",)), TEAM, "orphaned"),
        (pod(), msgspec.structs.replace(REPO, last_polled=AT - 1e6, settled=False), TEAM, "orphaned"),
        (pod(Outcome.SUCCEEDED, 601), REPO, TEAM, "orphaned"),
        (pod(Outcome.SUCCEEDED, 599), REPO, TEAM, "young"),
        (pod(Outcome.SUCCEEDED, 299), REPO, TEAM, "settling"),
        (pod(ago=71 * HOUR), REPO, TEAM, "young"),
        (pod(ago=71 * HOUR), None, TEAM, "young"),
        (pod(ago=-31), REPO, TEAM, "unreadable"),
        (pod(problem="odd"), REPO, TEAM, "unreadable"),
        (pod(), msgspec.structs.replace(REPO, problem="odd"), TEAM, "unreadable"),
        (pod(), REPO, Namespace("team", problem="odd"), "unreadable"),
        (pod(), None, Namespace("team", problem="odd"), "unreadable"),
        (pod(annotations=(("protekt", "true"),)), REPO, TEAM, "unreadable"),
        (pod(annotations=PROTECTED), REPO, TEAM, "protected"),
        (pod(), msgspec.structs.replace(REPO, annotations=PROTECTED), TEAM, "protected"),
        (pod(), REPO, Namespace("team", PROTECTED), "protected"),
        (pod(), None, Namespace("team", PROTECTED), "protected"),
        (pod(), REPO, Namespace("team", (("failed-age", "101h"),)), "young"),
        (pod(annotations=(("failed-keep", "9"),)), REPO, TEAM, "orphaned"),
        (pod(marks=Job.DELETING), REPO, TEAM, "deleting"),
    ],
)
def test_the_first_reason_that_holds(one: OrphanedPod, gitrepo: GitRepo | None, namespace: Namespace, reason: str) -> None:
    (verdict,) = judged(one, gitrepo, namespace).verdicts

    assert (verdict.reason.value, verdict.deletes) == (reason, reason == "orphaned")


def test_no_pod_stays_for_its_place() -> None:
    pods = [pod(name=f"pod-{n}", ago=(100 + n) * HOUR) for n in range(4)]

    plan = plan_pods(SHOP, REPO, pods, TEAM, Policy(failed=Rule(keep=3, age=HOUR)), AT)

    assert [verdict.reason for verdict in plan.verdicts] == [Reason.ORPHANED] * 4


def test_when_the_next_is_due_is_known() -> None:
    assert judged(pod(ago=HOUR)).next_due == AT + 71 * HOUR


@given(
    outcome=st.sampled_from(Outcome),
    ago=st.floats(0, 2000),
    age=st.floats(0, 2000),
    settle=st.floats(0, 2000),
    wish=st.none() | st.integers(0, 3000),
)
def test_nothing_goes_before_its_age_its_settle_time_and_what_anybody_wished(
    outcome: Outcome, ago: float, age: float, settle: float, wish: int | None
) -> None:
    policy = Policy(Rule(0, age), Rule(0, age), settle=settle)
    repo = REPO if wish is None else msgspec.structs.replace(REPO, annotations=((f"{outcome.value}-age", f"{wish}s"),))

    (verdict,) = judged(pod(outcome, ago), repo, policy=policy).verdicts

    finished = AT - ago
    old_enough = finished + settle <= AT and finished + max(age, wish or 0) <= AT
    assert verdict.deletes == old_enough


def test_a_policy_of_no_age_leaves_protections_alone() -> None:
    now = Policy(Rule(0, 0.0), Rule(0, 0.0), settle=0.0, bounds=Bounds(age_max=0.0))
    wishes = (("failed-age", "300h"),)

    assert judged(pod(ago=0, annotations=wishes), policy=now).verdicts[0].deletes
    assert not judged(pod(ago=0, annotations=(*wishes, *PROTECTED)), policy=now).verdicts[0].deletes


def test_the_recorded_orphan_is_known_for_what_it_is() -> None:
    (found,) = fleet.pod_page(page(recorded())).facts

    assert (found.gitrepo, found.job, found.owned, found.outcome) == ("bad-a", "bad-a-c86cf", False, Outcome.FAILED)
    assert found.job_uid == "c37f0e88-954a-41ac-921f-98d82fab7f94"


@pytest.mark.parametrize("name", ["", "..", "a/b", "UPPER", "x" * 254, "a b"])
def test_a_name_that_no_gitrepo_can_have_is_none(name: str) -> None:
    text = (RECORDED / "pod-orphan.json").read_text().replace("repo-name=bad-a", f"repo-name={name}")

    (found,) = fleet.pod_page(page(msgspec.json.decode(text))).facts

    assert found.gitrepo == ""


def test_one_that_cannot_be_understood_costs_no_other() -> None:
    bad = recorded(name="bad", labels={"job-name": 7})

    read = fleet.pod_page(page(bad, recorded(), {"kind": "Pod"}))

    assert [pod.name for pod in read.facts] == ["bad-a-c86cf-89txw"]
    assert [each.name for each in read.unreadable] == ["bad", "?"]
