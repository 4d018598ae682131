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
from tests.modes.pushing import nowhere, sweep
from tests.modes.running import command, environment, run
from tests.modes.serving import Running
from tests.ship.charted import RULES
from tests.world.prometheus import Prometheus
from tests.world.pushgateway import Pushgateway

SWEEP = ("sweep",)
MIGRATE = ("migrate", "--yes", "--own-namespace", "fleet-local", "--lease-duration", "3s")
UNREACHABLE = 4


class Shown(NamedTuple):
    """A demo under way: where its service tells its metrics, and what a second terminal needs."""

    target: str
    kubeconfig: Path
    config: str


class Guarding(Running):
    """A guard under way."""

    COMMAND = ("guard",)


class Trying(Running):
    """A service in a dry run that would delete much more: what is due stays due, and its first look for a Lease is a 404."""

    COMMAND = ("run", "--dry-run", "--leader-election", "--own-namespace", "fleet-default", "--lease-duration", "3s")
    GREED = ("--failed-keep", "0", "--failed-age", "0s", "--succeeded-age", "0s", "--settle", "0s")


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
    """Prometheus that scrapes a demo, a dry run, a guard and a Pushgateway, and evaluates the rules."""
    with (
        demo(folder) as shown,
        Pushgateway() as gateway,
        Guarding(shown.kubeconfig) as guard,
        Trying(shown.kubeconfig, *Trying.GREED) as trying,
    ):
        _push(shown, gateway, folder)
        targets = [shown.target, f"127.0.0.1:{guard.port}", f"127.0.0.1:{trying.port}"]
        rules = {RULES.name: RULES.read_text(encoding="utf-8")}
        with Prometheus(config=_config(targets, gateway.address, sorted(rules)), files=rules) as prometheus:
            yield prometheus


def _push(shown: Shown, gateway: Pushgateway, folder: Path) -> None:
    """Push a sweep, a dry run and a migration of the demo's world, and then a sweep that could not reach a cluster."""
    for arguments in (SWEEP, (*SWEEP, "--dry-run"), MIGRATE):
        said = run(*arguments, "--pushgateway", gateway.url, kubeconfig=shown.kubeconfig, GITJOB_CLEANER_CONFIG=shown.config)
        assert said.code == 0, said.err
    assert sweep(nowhere(folder), gateway.url).code == UNREACHABLE


def _config(targets: list[str], gateway: str, rules: list[str]) -> str:
    jobs = [
        {"job_name": "demo", "static_configs": [{"targets": targets}]},
        {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway]}]},
    ]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    return json.dumps({"global": every, "scrape_configs": jobs, "rule_files": rules})  # JSON is YAML
