"""Several releases of the Helm chart beside each other, and its package."""

import re
import tarfile
from pathlib import Path

import pytest

from cleaner import __version__
from cleaner.cli.wiring import lease_of
from cleaner.settings.load import load_settings
from tests.ship.references import faults
from tests.ship.rendered import CHART, HOME, PARTS, granted, identity, must_be_valid, run, template_of, templated, values_of

pytestmark = pytest.mark.long

LONG = "gitjob-cleaner-with-a-name-as-long-as-helm-allows-it1"
RELEASES = (HOME, "prod", "gitjob-cleaner-b", "a.b", "a-b", "1", LONG, LONG[:-1] + "2", f"x{LONG[14:]}")


@pytest.mark.parametrize("mode", ["cronjob", "deployment"])
def test_releases_in_one_namespace_share_nothing(mode: str) -> None:
    """No name, no Lease, and none selects the Pods of another."""
    values = values_of(tuple(part for part in PARTS[f"overlays/{mode}"] if part not in _SELECT_ALL)) | {"mode": mode}
    releases = {name: templated(name, values) for name in RELEASES}

    leases = [{each[-1] for each in granted(objects) if each[4] == "leases" and each[-1]} for objects in releases.values()]
    together = [each for objects in releases.values() for each in objects]
    assert faults(together) == []
    assert sum(map(len, leases)) == len(set().union(*leases)) >= len(RELEASES)
    for each in together:
        must_be_valid(each)
        # A CronJob's name ends up before eleven other characters in that of a Job, and that in a label.
        assert len(identity(each)[2]) <= (52 if each["kind"] == "CronJob" else 63)


_SELECT_ALL = ("components/network-policy", "components/prometheus-operator")


def test_the_lease_in_the_roles_is_the_one_that_is_taken() -> None:
    """With whatever makes the tool end its name, and without."""
    for release, values in (
        (HOME, {}),
        (HOME, {"namespaces": ["a"]}),
        (HOME, {"settings.selector": "a=b"}),
        ("b", {}),
        ("b", {"instance": "c"}),
    ):
        objects = templated(release, {"mode": "deployment", **values})
        (pod,) = (pod["spec"] for each in objects if (pod := template_of(each)))
        settings = load_settings({}, {each["name"]: each["value"] for each in pod["containers"][0]["env"]})

        assert {each[-1] for each in granted(objects) if each[4] == "leases" and each[-1]} == {lease_of(settings)}


def test_a_namespace_that_is_several_things_gets_the_rights_of_all() -> None:
    """One that is looked after may be the cleaner's own, or Fleet's."""
    plain = granted(
        templated(HOME, {"mode": "deployment", "namespaces": ["a", "b", "c"], "instance": "i", "fleetNamespace": "f"})
    )
    merged = granted(
        templated(HOME, {"mode": "deployment", "namespaces": ["a", HOME, "f"], "instance": "i", "fleetNamespace": "f"})
    )

    elsewhere = {"b": HOME, "c": "f"}
    assert merged == {(who, elsewhere.get(where, where), *what) for who, where, *what in plain}


def test_it_passes_helms_own_look() -> None:
    said = run("helm", "lint", "--strict", CHART)

    # There is no picture for it, so none is named.
    assert re.findall(r"^\[(\w+)\] (.*)", said, re.MULTILINE) == [("INFO", "Chart.yaml: icon is recommended")]


def test_its_package_has_what_it_needs_and_no_more(tmp_path: Path) -> None:
    run("helm", "package", CHART, "--destination", tmp_path)

    package = tmp_path / f"gitjob-cleaner-{__version__}.tgz"
    with tarfile.open(package) as found:
        names = {name.removeprefix("gitjob-cleaner/") for name in found.getnames()}
    here = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert names == here - {"fleet.yaml"}
    assert run("helm", "template", HOME, package) == run("helm", "template", HOME, CHART)
