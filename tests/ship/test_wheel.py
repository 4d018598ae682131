"""What is shipped is what was tested: the wheel is built, unpacked elsewhere, and run."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cleaner import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "content")
    return folder / "content"


def _run(unpacked: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r}); from cleaner.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments], cwd=unpacked, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_wheel_holds_every_module(unpacked: Path) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cleaner").rglob("*.py")}

    assert {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.py")} == modules


def test_the_wheels_command_runs(unpacked: Path) -> None:
    said = _run(unpacked, "--version")

    assert (said.returncode, said.stdout) == (0, f"gitjob-cleaner {__version__}\n")


def test_the_wheels_demo_cleans(unpacked: Path) -> None:
    said = _run(unpacked, "demo", "--for", "4s")

    assert (said.returncode, said.stderr) == (0, "")
    assert "superseded" in said.stdout
    assert "0 deletions failed" in said.stdout
