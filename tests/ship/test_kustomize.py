"""Every overlay and component, as the real kustomize combines them."""

from pathlib import Path

import pytest

from cleaner.settings import fields_of
from tests.ship.references import faults
from tests.ship.rendered import (
    K8S,
    PARTS,
    Combination,
    combinations,
    identity,
    kustomized,
    must_be_valid,
    name_of,
    template_of,
)

COMBINATIONS = {name_of(each): each for each in combinations()}
pytestmark = pytest.mark.long


def test_no_part_is_left_out() -> None:
    """Every folder with a kustomization, but the base, which the overlays have, and what wants roles of a user's own."""
    there = {str(path.parent.relative_to(K8S)) for path in K8S.rglob("kustomization.yaml")}

    assert there - {"base", "components/own-roles"} == {part for each in COMBINATIONS.values() for part in each}


@pytest.mark.parametrize("combination", COMBINATIONS.values(), ids=COMBINATIONS)
def test_a_combination_is_valid_and_finds_itself(combination: Combination, tmp_path: Path) -> None:
    objects = kustomized(tmp_path, combination)

    assert faults(objects) == []
    for each in objects:
        must_be_valid(each)


@pytest.mark.parametrize("overlay", PARTS)
def test_one_name_of_an_image_changes_all_pods(overlay: str, tmp_path: Path) -> None:
    image = {"name": "gitjob-cleaner", "newName": "registry.example.com/tools/gitjob-cleaner", "newTag": "9"}

    objects = kustomized(tmp_path, (overlay, "overlays/guard", "overlays/migration", "components/retry"), images=[image])

    images = [pod["spec"]["containers"][0]["image"] for each in objects if (pod := template_of(each))]
    assert images == ["registry.example.com/tools/gitjob-cleaner:9"] * 4


@pytest.mark.parametrize("overlay", PARTS)
def test_settings_of_components_add_up(overlay: str, tmp_path: Path) -> None:
    """A list of variables is merged by name, so that no component takes away what another has set."""
    objects = kustomized(tmp_path, (overlay, *PARTS[overlay], overlay.replace("overlays/", "components/namespaced/")))

    (pod,) = (template_of(each) for each in objects if identity(each)[0] in {"CronJob", "Deployment"} and _is_main(each))
    assert pod
    names = [each["name"] for each in pod["spec"]["containers"][0]["env"]]
    wanted = {"log_level", "orphaned_pods", "current", "namespaces", "instance"}
    wanted |= {"evidence"} if overlay == "overlays/deployment" else set()
    assert sorted(names) == sorted(f"GITJOB_CLEANER_{field.name.upper()}" for field in fields_of() if field.name in wanted)


def _is_main(each: dict[str, object]) -> bool:
    return identity(each)[2] == "gitjob-cleaner"
