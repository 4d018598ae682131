"""The Helm chart, as the real helm renders it, beside what kustomize makes of the same wishes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.ship.references import faults
from tests.ship.rendered import (
    HOME,
    PARTS,
    Combination,
    Object,
    combinations,
    granted,
    identity,
    kustomized,
    name_of,
    templated,
    values_of,
)

pytestmark = pytest.mark.long

_OWN_RIGHTS = ("overlays/guard", "overlays/migration", "components/retry", "components/evidence", "components/orphaned-pods")


def is_namespaced(combination: Combination) -> bool:
    return combination[-1].startswith("components/namespaced/")


def with_rights_of_its_own(combination: Combination) -> bool:
    return any(part in _OWN_RIGHTS or part.startswith("components/current-all/") for part in combination)


TO_RUN = {name_of(each): each for each in combinations() if each[0] in PARTS}
ALIKE = {name: each for name, each in TO_RUN.items() if not is_namespaced(each)}
NAMESPACED = {name: each for name, each in TO_RUN.items() if is_namespaced(each) and not with_rights_of_its_own(each)}
"""In kustomize that component writes the rights of the plain settings only; the chart's follow the settings."""

_HELMS = {"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"}
# kustomize's components are of any version, the chart's objects all of one, which a test of its own looks at.
_LABELS_ASIDE = {*_HELMS, "app.kubernetes.io/version"}


def plain(value: Any) -> Any:
    """An object without Helm's labels, lists of variables in the order of their names, JSON read."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in _LABELS_ASIDE}
    if isinstance(value, list):
        return sorted(map(plain, value), key=lambda each: each["name"]) if _is_environment(value) else list(map(plain, value))
    return json.loads(value) if (isinstance(value, str) and value.startswith('{"')) or str(value).startswith("{\n") else value


def _is_environment(value: list[Any]) -> bool:
    return all(isinstance(each, dict) and str(each.get("name")).startswith("GITJOB_CLEANER_") for each in value)


def by_identity(objects: list[Object]) -> dict[tuple[str, str, str], Any]:
    """All objects, by what tells them apart; a Job without what ends its name in the chart."""
    found = {}
    for each in map(plain, objects):
        if each["kind"] == "Job":
            each["metadata"]["name"] = re.sub(r"-[0-9a-f]{8}$", "", each["metadata"]["name"])
        found[identity(each)] = each
    return found


def without_rights(objects: list[Object]) -> dict[tuple[str, str, str], Any]:
    return {who: each for who, each in by_identity(objects).items() if "Role" not in who[0]}


@pytest.mark.parametrize("combination", ALIKE.values(), ids=ALIKE)
def test_it_makes_what_kustomize_makes(combination: Combination, tmp_path: Path) -> None:
    assert by_identity(templated(HOME, values_of(combination))) == by_identity(kustomized(tmp_path, combination))


@pytest.mark.parametrize("combination", NAMESPACED.values(), ids=NAMESPACED)
def test_in_named_namespaces_it_makes_the_same_and_gives_the_same_rights(combination: Combination, tmp_path: Path) -> None:
    """There kustomize has one Role for all of the rights, and the chart one for each reason."""
    helms, kustomizes = templated(HOME, values_of(combination)), kustomized(tmp_path, combination)

    assert without_rights(helms) == without_rights(kustomizes)
    assert granted(helms) == granted(kustomizes)
    assert faults(helms) == []
