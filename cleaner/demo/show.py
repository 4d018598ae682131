"""The demo itself: sweep after sweep over the sandbox, through the same client and rules as on any cluster."""

import json
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

SETTINGS = """\
# The demo's policy: seconds where a real cluster has hours.
succeeded_age: 10s
succeeded_keep: 1
failed_age: 20s
failed_keep: 2
settle: 3s
# Its server is one program on this machine: no need to be gentle with it.
delete_rate: 0
"""


class Files(NamedTuple):
    """What a second terminal needs."""

    kubeconfig: Path
    settings: Path

    def exports(self) -> list[str]:
        """The lines to paste there."""
        return [f"export KUBECONFIG={self.kubeconfig}", f"export GITJOB_CLEANER_CONFIG={self.settings}"]


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
        show(sweep.result())
        clock.sleep(SWEEP_EVERY)
