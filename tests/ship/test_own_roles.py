"""Roles of a user's own, as k8s/README.md tells to write them: in place of all that are shipped, and no right beside them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cleaner.rights import rights
from docs.manifests import ROOT
from tests.modes.granting import Mode
from tests.modes.running import run
from tests.ship import rendered
from tests.ship.references import faults

README = (ROOT / "k8s/README.md").read_text(encoding="utf-8")
ACCOUNT = "gitjob-cleaner"
SETTINGS = {"namespaces": "team-a,team-b", "orphaned_pods": "true"}


def recipe() -> tuple[list[str], dict[str, Any]]:
    """The command and the kustomization of the README."""
    command = re.search(r"^gitjob-cleaner (rights .*) > rbac\.yaml$", README, re.MULTILINE)
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
    assert command
    (kustomization,) = [block for block in blocks if "rbac.yaml" in block["resources"]]
    return command[1].split(), kustomization


def as_the_readme_tells(folder: Path) -> list[rendered.Object]:
    """What comes of them, beside a checkout in this folder."""
    command, kustomization = recipe()
    (folder / "gitjob-cleaner").symlink_to(ROOT)
    mine = folder / "mine"
    mine.mkdir()
    (mine / "rbac.yaml").write_text(run(*command).out, encoding="utf-8")
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    return rendered.built(mine)


def test_the_readme_s_roles_are_all_that_the_account_has(tmp_path: Path) -> None:
    objects = as_the_readme_tells(tmp_path)

    use = Mode("sweep", {**SETTINGS, "own_namespace": ACCOUNT}).use
    needed = {
        (ACCOUNT, access.namespace, access.verb, access.group, access.resource, access.name)
        for right in rights(use)
        for access in right.accesses(use)
    }
    (job,) = [each for each in objects if each["kind"] == "CronJob"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert rendered.granted(objects) == needed
    assert faults(objects) == []
    assert {f"GITJOB_CLEANER_{name.upper()}": text for name, text in SETTINGS.items()}.items() <= env.items()


@pytest.mark.parametrize("overlay", rendered.PARTS)
def test_nothing_of_what_is_shipped_is_left(tmp_path: Path, overlay: str) -> None:
    parts = [part for part in rendered.PARTS[overlay] if part.startswith("components/")]

    objects = rendered.kustomized(tmp_path, (overlay, *parts, "components/own-roles"))

    assert {account for account, *_ in rendered.granted(objects)} == {"gitjob-cleaner-retry"}
