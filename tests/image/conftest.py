"""The image, built as `make image` builds it on a Debian of debootstrap's, once for the tests of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleaner import __version__
from tests.modes.running import ROOT
from tests.world.containers import BASE, Containers
from tests.world.control_plane import ADMIN, ControlPlane

IMAGE = f"localhost/gitjob-cleaner:{__version__}"
SOURCE = "https://git.example/x"
SECRETS = {".env": "TOKEN=hunter2", ".git/config": "[user]", "id_rsa": "secret", "k8s/image/.kube/config": "secret"}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as somebody has it: all our files, a wheel, and what is nobody's business."""
    folder = tmp_path_factory.mktemp("context")
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).exists(), listing.stdout.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for name, text in SECRETS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def containers(context: Path) -> Iterator[Containers]:
    """With the image built on a Debian."""
    with Containers() as started:
        started.import_debian()
        # The wheel is there: make takes it as made.
        build = ["make", "--old-file=wheel", "image", f"BUILDER={started.builder}", f"BASE={BASE}", f"SOURCE={SOURCE}"]
        started.run([*build, "BUILD=--isolation chroot --quiet"], cwd=context)
        yield started


@pytest.fixture(scope="module")
def root(containers: Containers) -> Path:
    """The image's files."""
    return containers.mount(IMAGE)


@pytest.fixture(scope="module")
def files(root: Path) -> dict[str, os.stat_result]:
    """All that is in the image, by its path."""
    found = (Path(parent, name) for parent, folders, names in os.walk(root) for name in (*folders, *names))
    return {path.relative_to(root).as_posix(): path.lstat() for path in found}


@pytest.fixture(scope="module")
def given(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is mounted: a kubeconfig, and beside it the certificate that it names."""
    folder = tmp_path_factory.mktemp("given")
    config = json.loads(control_plane.kubeconfig().read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    (folder / "kubeconfig").write_text(json.dumps(config))
    (folder / "ca.crt").write_bytes(control_plane.ca_file.read_bytes())
    (folder / "token").write_text(ADMIN)
    folder.chmod(0o755)
    return folder
