"""What the demo gives to whoever looks on: a policy of seconds, and files for a second terminal."""

import json
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from cleaner.demo.sandbox import Sandbox
from cleaner.durations import Seconds

COMMIT_EVERY: Seconds = 1.5

SETTINGS = """\
# The demo's policy: seconds where a real cluster has hours.
succeeded_age: 8s
succeeded_keep: 0
failed_age: 20s
failed_keep: 1
settle: 4s
# Its server is one program on this machine: no need to be gentle with it.
delete_rate: 0
# Between the sweeps a watch makes it prompt.
interval: 15s
listen: 127.0.0.1:0
"""


class Files(NamedTuple):
    """What a second terminal needs."""

    kubeconfig: Path
    settings: Path

    def exports(self) -> list[str]:
        """Lines to paste there; the command's own folder too, where a shell would not find it."""
        lines = [f"export KUBECONFIG={self.kubeconfig}", f"export GITJOB_CLEANER_CONFIG={self.settings}"]
        folder = Path(sys.executable).parent
        if shutil.which("gitjob-cleaner") is None and (folder / "gitjob-cleaner").exists():
            lines.append(f'export PATH="{folder}:$PATH"')
        return lines


def write_files(folder: Path, sandbox: Sandbox) -> Files:
    """Write a kubeconfig for the sandbox and the demo's settings."""
    files = Files(folder / "kubeconfig", folder / "settings.yaml")
    files.kubeconfig.write_text(json.dumps(sandbox.kubeconfig(), indent=1), encoding="utf-8")
    files.settings.write_text(SETTINGS, encoding="utf-8")
    return files
