"""What k8s/ ships, as it is written: each account has what its Pods' settings need, and each Job ends as its exit codes mean."""

import pytest

from tests.modes import shipped
from tests.modes.shipped import CRONJOB, EACH, MIGRATION, WAYS, WORKLOADS, Shipped
from tests.ship.rendered import HOME, name_of


@pytest.mark.parametrize("which", EACH.values(), ids=EACH)
def test_the_roles_are_what_the_pods_settings_need(which: Shipped) -> None:
    assert which.granted() == which.needed()


@pytest.mark.parametrize("parts", WAYS, ids=name_of)
def test_no_account_of_any_combination_has_more_or_less(parts: tuple[str, ...]) -> None:
    objects = shipped.built(*parts)
    every = [Shipped(parts, each["kind"], each["metadata"]["name"]) for each in objects if each["kind"] in WORKLOADS]

    # `namespaced` brings the roles of the overlay alone, whatever else is laid over it: its own text says how to write more.
    others = [which for which in every if "/namespaced/" not in parts[-1] or which.name != HOME]
    assert {which.name: which.granted() for which in others} == {which.name: which.needed() for which in others}
    bound = {subject["name"] for each in objects if each["kind"].endswith("Binding") for subject in each["subjects"]}
    accounts = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    assert bound == accounts == {which.account for which in every}


@pytest.mark.parametrize(("which", "fatal"), [(CRONJOB, {1, 2, 3, 5}), (MIGRATION, {2, 3})], ids=["cronjob", "migration"])
def test_which_exit_codes_end_a_job_at_once(which: Shipped, fatal: set[int]) -> None:
    workload = which.workload
    spec = workload["spec"]["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else workload["spec"]
    rules = spec["podFailurePolicy"]["rules"]

    (exits,) = [rule["onExitCodes"] for rule in rules if rule["action"] == "FailJob"]
    assert (set(exits["values"]), exits["operator"]) == (fatal, "In")
    assert exits["containerName"] == shipped.container_of(workload)["name"]
    assert [rule["action"] for rule in rules] == ["Ignore", "FailJob"]
    assert spec["backoffLimit"] > 0


def test_a_migration_that_is_done_stays() -> None:
    """Else whoever applies the same again starts it again."""
    assert "ttlSecondsAfterFinished" not in MIGRATION.workload["spec"]
