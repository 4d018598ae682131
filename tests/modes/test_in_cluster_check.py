"""`check` as an account of k8s/, on a real API: each rule of a shipped role that is taken away is named."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.cli import run as run_here
from cleaner.rights import Access, rights
from tests.edge.servers import must
from tests.edge.serving import eventually
from tests.modes import shipped
from tests.modes.in_cluster import Cluster, Installation, without_controllers
from tests.modes.shipped import Shipped
from tests.ship.rendered import HOME
from tests.ship.test_own_roles import as_the_readme_tells
from tests.world import seed
from tests.world.control_plane import ControlPlane

Json = dict[str, Any]

TAKEN = {name: which for name, which in shipped.EACH.items() if name not in ("cronjob", "deployment")}
"""Those two have no rule that they do not have with all that they can do."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of its own, without controllers."""
    with ControlPlane() as plane:
        yield without_controllers(plane)


def without(role: Json, gone: set[Access]) -> Json:
    """A role that does not allow this, and all else that it did."""
    return {**role, "rules": [_rule(access) for access in sorted(shipped.allowed_by(role) - gone, key=repr)]}


def _rule(access: Access) -> Json:
    rule: Json = {"apiGroups": [access.group], "resources": [access.resource], "verbs": [access.verb]}
    return rule | ({"resourceNames": [access.name]} if access.name else {})


class Checked:
    """`check` in this process, which is quick, as the account and with the settings of a workload."""

    def __init__(self, cluster: Cluster, workload: Json, monkeypatch: pytest.MonkeyPatch, captured: Any) -> None:
        for name in [name for name in os.environ if name.startswith(("GITJOB_CLEANER_", "KUBE"))]:
            monkeypatch.delenv(name)
        for name, text in shipped.environment_of(workload).items():
            monkeypatch.setenv(name, text)
        account = shipped.template_of(workload)["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{HOME}/serviceaccounts/{account}/token"
        token = must(cluster.plane.request("POST", path, {"spec": {"expirationSeconds": 3600}}))["status"]["token"]
        command, settings = shipped.told(workload)
        flags = shipped.container_of(workload)["args"][1:]
        # What it knows by itself in a Pod.
        flags += ["--own-namespace", HOME, *(["--leader-election"] if settings.leader_election and command == "run" else [])]
        config = cluster.plane.kubeconfig(token=token)
        self._line = ["check", command, *flags, "--output=json", "--kubeconfig", str(config)]
        self._captured = captured

    def document(self) -> Any:
        """What it says."""
        self._captured.readouterr()
        run_here(self._line)
        return json.loads(self._captured.readouterr().out)

    def missing(self) -> dict[Access, str]:
        """What it finds missing, and how bad that is."""
        lines = [line for line in self.document()["lines"] if line["right"] is not None]
        return {Access(**line["right"]): line["state"] for line in lines}


@pytest.mark.parametrize("which", TAKEN.values(), ids=TAKEN)
def test_each_rule_that_is_taken_away_is_named(
    cluster: Cluster, which: Shipped, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any
) -> None:
    use = which.use
    states = {access: "failed" if right.needed else "warning" for right in rights(use) for access in right.accesses(use)}
    with cluster.installed(*which.parts):
        checked = Checked(cluster, which.workload, monkeypatch, capsysbinary)
        eventually(lambda: checked.missing() == {}, checked.document)
        for rule, place in which.rules():
            gone = set(shipped.accesses(rule, place))
            expected = {access: states[access] for access in gone}
            # Two components may give the same, each for itself.
            less = [role for role in which.roles() if shipped.allowed_by(role) & gone]
            cluster.apply(*(without(role, gone) for role in less))
            eventually(lambda e=expected: checked.missing() == e, lambda e=expected: (e, checked.missing()))  # type: ignore[misc]
            cluster.apply(*less)


def test_roles_of_one_s_own_are_all_that_is_needed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any, tmp_path: Path
) -> None:
    """Written and applied as k8s/README.md tells to."""
    for name in ("team-a", "team-b"):
        seed.namespace(cluster.plane, name)

    with Installation(cluster, as_the_readme_tells(tmp_path)) as there:
        checked = Checked(cluster, there.workload("CronJob"), monkeypatch, capsysbinary)
        eventually(lambda: {line["state"] for line in checked.document()["lines"]} == {"ok"}, checked.document)
        assert there.uninstall() == set()
