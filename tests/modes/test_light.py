"""What only informs is light: a shell's completion or a `--help` must not wait for a cluster's client to load."""

import json
import subprocess
import sys

import pytest

from cleaner import __version__
from tests.modes.running import environment

HEAVY = ("pydantic", "pydantic_settings", "kubernetes", "urllib3", "apscheduler", "rich", "structlog", "yaml")

LOOK = """
import json, sys
from cleaner.cli import run
try:
    code = run(sys.argv[1:])
except SystemExit as ended:
    code = ended.code or 0
sys.stderr.write(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["sweep", "--help"], 0),
        (["explain", "--help"], 0),
        (["retry", "--help"], 0),
        (["check", "--help"], 0),
        (["demo", "--help"], 0),
    ],
)
def test_what_only_informs_imports_nothing_heavy(arguments: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )

    ended, modules = json.loads(done.stderr)
    assert ended == code
    assert done.stdout
    assert set(modules).isdisjoint(HEAVY)


def test_the_version_is_the_packages() -> None:
    command = [sys.executable, "-m", "cleaner", "--version"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == f"gitjob-cleaner {__version__}\n"
