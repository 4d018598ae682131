"""What checkov says of the manifests: nothing but what we know better, each with its reason."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.ship.rendered import HOME, PARTS, ROOT, Object, kustomized, templated, values_of

pytestmark = pytest.mark.long

CHECKOV = ROOT / ".venv-checkov/bin/checkov"

TOKEN = {"CKV_K8S_38": "the token is what the cleaner works with; an account gives it only to Pods that ask for it"}
IMAGE = {
    "CKV_K8S_43": "whoever pushes the image knows its digest, and can name it",
    "CKV_K8S_15": "its tag is a version, which is not pushed twice",
}
NETWORK = {
    "CKV2_K8S_6": "a NetworkPolicy is a component of its own, for it must know where Prometheus is, and the port of the API"
}


def failed(folder: Path, objects: list[Object]) -> set[str]:
    """The checks that fail for these objects; it must have looked at all of them."""
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    flags = ["--framework", "kubernetes", "--skip-download", "--output", "json", "--compact", "--soft-fail"]
    command: list[str | Path] = [CHECKOV, "--file", folder / "objects.yaml", *flags]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["resource_count"] >= len(objects)
    return {each["check_id"] for each in told["results"]["failed_checks"]}


@pytest.mark.parametrize("overlay", PARTS)
def test_an_overlay_alone(overlay: str, tmp_path: Path) -> None:
    """An exception that nothing needs any more fails, too. For Pods of a CronJob checkov asks for no NetworkPolicy."""
    known = {*TOKEN, *IMAGE, *(NETWORK if overlay == "overlays/deployment" else ())}

    assert failed(tmp_path, kustomized(tmp_path, (overlay,))) == known


@pytest.mark.parametrize("overlay", PARTS)
def test_an_overlay_with_all_that_goes_with_it(overlay: str, tmp_path: Path) -> None:
    assert failed(tmp_path, kustomized(tmp_path, (overlay, *PARTS[overlay]))) == {*TOKEN, *IMAGE}


@pytest.mark.parametrize("overlay", PARTS)
def test_an_overlay_in_named_namespaces(overlay: str, tmp_path: Path) -> None:
    last = overlay.replace("overlays/", "components/namespaced/")

    assert failed(tmp_path, kustomized(tmp_path, (overlay, "components/network-policy", last))) == {*TOKEN, *IMAGE}


@pytest.mark.parametrize("overlay", PARTS)
def test_the_chart_with_all_that_it_can_do_and_the_image_by_its_digest(overlay: str, tmp_path: Path) -> None:
    values = {**values_of((overlay, *PARTS[overlay])), "image.digest": f"sha256:{'0' * 64}", "image.pullPolicy": "Always"}

    assert failed(tmp_path, templated(HOME, values)) == set(TOKEN)
