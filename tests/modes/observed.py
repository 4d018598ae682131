"""A real demo, a guard and runs beside it, and the real Prometheus that scrapes all of them."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.edge.serving import eventually
from tests.modes.running import command, environment, run
from tests.modes.serving import Running
from tests.ship.charted import RULES
from tests.world.prometheus import Prometheus
from tests.world.pushgateway import Pushgateway


class Shown(NamedTuple):
    """A demo under way: where its service tells its metrics, and what a second terminal needs."""

    target: str
    kubeconfig: Path
    config: str


class GuardProcess(Running):
    """A guard under way."""

    COMMAND = ("guard",)


@contextmanager
def demo(folder: Path) -> Iterator[Shown]:
    """The demo, as a process."""
    said = folder / "demo.txt"
    with said.open("w") as out:
        process = subprocess.Popen(command("demo"), env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        eventually(lambda: "deleted " in said.read_text(), said.read_text)
        text = said.read_text()
        (target,) = re.findall(r"http://(\S+)/metrics", text)
        exports = dict(re.findall(r'export (\w+)="?([^"\n]*)"?\n', text))
        yield Shown(target, Path(exports["KUBECONFIG"]), exports["GITJOB_CLEANER_CONFIG"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def observed(folder: Path) -> Iterator[Prometheus]:
    """
    Prometheus that scrapes a demo, a guard and a Pushgateway, and evaluates the rules.

    A sweep, a dry run and a migration of the demo's world were pushed, and then a sweep that could not reach a cluster.
    """
    with demo(folder) as shown, Pushgateway() as gateway, GuardProcess(shown.kubeconfig) as guard:
        for arguments in (("sweep",), ("sweep", "--dry-run"), ("migrate", "--yes")):
            run(*arguments, "--pushgateway", gateway.url, kubeconfig=shown.kubeconfig, GITJOB_CLEANER_CONFIG=shown.config)
        targets = [shown.target, f"127.0.0.1:{guard.port}"]
        rules = {RULES.name: RULES.read_text(encoding="utf-8")} if RULES.exists() else {}
        with Prometheus(config=_config(targets, gateway.address, sorted(rules)), files=rules) as prometheus:
            yield prometheus


def _config(targets: list[str], gateway: str, rules: list[str]) -> str:
    jobs = [
        {"job_name": "demo", "static_configs": [{"targets": targets}]},
        {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway]}]},
    ]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    return json.dumps({"global": every, "scrape_configs": jobs, "rule_files": rules})  # JSON is YAML
