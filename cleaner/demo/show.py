"""The demo itself: sweep after sweep over the sandbox, through the same client and rules as on any cluster."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cleaner.cluster import Brake, Clock, Cluster
from cleaner.demo.sandbox import Sandbox
from cleaner.durations import Seconds
from cleaner.happened import Observer
from cleaner.result import Result
from cleaner.sweep import Canary, Order, Sweep

SWEEP_EVERY: Seconds = 2.0
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


def sweep_on(cluster: Cluster, order: Order, clock: Clock, stop: Brake, show: Callable[[Result], None], tell: Observer) -> None:
    """Sweep every few seconds until the brake is pulled, and show what each sweep came to."""
    canary = Canary()
    while stop() is None:
        sweep = Sweep(cluster, order, clock, tell, stop)
        sweep.look()
        sweep.act(sweep.decide(), canary)
        sweep.look_for_returns(canary)
        show(sweep.result())
        clock.sleep(SWEEP_EVERY)
