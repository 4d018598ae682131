"""Run the command line as a user does, in a process of its own, and read what it said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def environment(kubeconfig: Path | None = None, **more: str) -> dict[str, str]:
    """An environment without anything of ours or of a cluster's, but for what is given."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("GITJOB_CLEANER_", "KUBE"))}
    return kept | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}) | {"PYTHONPATH": str(ROOT)} | more


def command(*arguments: str) -> list[str]:
    """The command line of the tool."""
    return [sys.executable, "-m", "cleaner", *arguments]


def run(*arguments: str, kubeconfig: Path | None = None, timeout: float = 200, **env: str) -> Said:
    """Run it to its end, with no standard input."""
    done = subprocess.run(
        command(*arguments),
        env=environment(kubeconfig, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
