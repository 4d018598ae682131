"""The list of what is shipped: it is the lock, no more and no less, and the same every time."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from cleaner import __version__
from requirements import sbom
from tests.modes.running import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_PIN = r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))? \\\n(?P<hashes>(?:    --hash=.*\n)+)"
PINS = re.compile(_PIN, re.MULTILINE)


@pytest.fixture(scope="module")
def written() -> str:
    """The list, as `make sbom` writes it."""
    return sbom.sbom()


@pytest.fixture(scope="module")
def document(written: str) -> dict[str, Any]:
    """The list."""
    told: dict[str, Any] = json.loads(written)
    return told


def locked() -> list[re.Match[str]]:
    """Every library of the lock that applies to this machine."""
    pins = PINS.finditer((ROOT / "requirements/runtime.txt").read_text(encoding="utf-8"))
    return [pin for pin in pins if not pin["marker"] or Marker(pin["marker"]).evaluate()]


def test_it_is_the_lock(document: dict[str, Any]) -> None:
    found = {canonicalize_name(each["name"]): each["version"] for each in document["components"]}

    assert found == {pin["name"]: pin["version"] for pin in locked()}
    assert len(document["components"]) == len(found) > 30


def test_each_library_has_its_address_its_licenses_and_the_locks_hashes(document: dict[str, Any]) -> None:
    hashes = {pin["name"]: set(re.findall(r"sha256:(\w{64})", pin["hashes"])) for pin in locked()}

    for each in document["components"]:
        name = canonicalize_name(each["name"])
        files = [reference["hashes"] for reference in each["externalReferences"] if "hashes" in reference]
        assert each["purl"] == f"pkg:pypi/{name}@{each['version']}"
        assert each["licenses"]
        assert {one["content"] for one in files[0]} == hashes[name]


def test_the_project_is_the_root_and_needs_what_it_says(document: dict[str, Any]) -> None:
    root = document["metadata"]["component"]
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    names = {canonicalize_name(ref.partition("==")[0]) for ref in needs[root["bom-ref"]]}

    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert (root["name"], root["version"]) == ("gitjob-cleaner", __version__)
    assert names == {re.split(r"[<>=]", dependency)[0] for dependency in PROJECT["dependencies"]}
    reached, edge = set[str](), {root["bom-ref"]}
    while edge := {ref for known in edge for ref in needs[known]} - reached:
        reached |= edge
    assert reached == {each["bom-ref"] for each in document["components"]}


def test_it_is_the_same_every_time(written: str) -> None:
    assert sbom.sbom() == written
    assert "serialNumber" not in written
    assert "timestamp" not in written
    assert str(ROOT) not in written


def test_what_is_installed_must_be_what_is_locked(tmp_path: Path) -> None:
    other = tmp_path / "runtime.txt"
    other.write_text(sbom.LOCK.read_text(encoding="utf-8").replace("\nrich==", "\nrich==1.2.3+"), encoding="utf-8")

    with pytest.raises(SystemExit, match=r"rich is installed as .* but locked is ==1\.2\.3\+"):
        sbom.sbom(other)
