"""The Dockerfile, as it is written; tests/image builds it."""

import re
import subprocess
import sys
from pathlib import Path

from tests.modes.running import ROOT

DOCKERFILE = ROOT / "Dockerfile"


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    """What hadolint says of a Dockerfile, its hints too."""
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run([program, "--failure-threshold", "style", path], capture_output=True, text=True, check=False)


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text(encoding="utf-8").replace("USER 65532:65532", "RUN cd /tmp"), encoding="utf-8")

    said = hadolint(DOCKERFILE)

    assert (said.returncode, said.stdout) == (0, "")
    assert hadolint(worse).returncode == 1, "it looks"
    assert "hadolint ignore" not in DOCKERFILE.read_text(encoding="utf-8")


def test_what_is_installed_is_locked_and_what_is_left_out_is_locked_too() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8"), re.MULTILINE)
    left_out = re.search(r"uninstall --quiet --yes \\\n +(.*)\n", text)

    assert left_out
    assert set(left_out[1].split()) - {"pip"} <= set(locked), "a name that is gone from the lock is gone from here"
    assert [
        line for line in text.splitlines() if "pip install" in line and not re.search("--require-hashes|--no-index", line)
    ] == []
