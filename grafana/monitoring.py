"""
The demo with all that watches it: `make demo-monitoring`.

A demo, its guard, a CronJob's sweeps that push to a Pushgateway, a Prometheus that scrapes them all, and the page that draws
the dashboard. Everything is real but the cluster, which is the demo's sandbox, and Grafana, whose components the page uses.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cleaner.durations import parse_duration
from grafana.page import CannotBuildError, LackingError, Page, built
from tests.world.ports import free_ports
from tests.world.processes import Child, ChildDiedError
from tests.world.prometheus import Prometheus
from tests.world.pushgateway import Pushgateway

SCRAPE_INTERVAL = 2.0
REFRESH = 5.0
SWEEP_EVERY = 30.0
"""Seconds between the sweeps of what would be a CronJob."""

ROOT = Path(__file__).parent.parent
RULES = ROOT / "k8s" / "prometheus" / "rules.yaml"
DEADLINE = 60.0

_EXPORT = re.compile(r'^\s*export (KUBECONFIG|GITJOB_CLEANER_CONFIG)="?([^"\n]*)"?$', re.MULTILINE)
_METRICS = re.compile(r"its metrics +http://(\S+)/metrics")


class World(NamedTuple):
    """What runs, by its addresses."""

    page: str
    prometheus: Prometheus
    cleaner: str
    pushgateway: str


@contextlib.contextmanager
def watched(port: int = 0, *, sweeps: bool = True) -> Iterator[World]:
    """All of it, or all but the CronJob's sweeps, until the end of the `with`; `port` is the page's."""
    _must_have("prometheus", "prometheus-pushgateway")
    built()  # what cannot be built is told before anything runs, too
    with tempfile.TemporaryDirectory(prefix="gitjob-cleaner-monitoring-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        demo = _started("demo", folder, {}, running)
        cleaner, environment = _told(demo)
        (listen,) = free_ports(1)
        guard = f"127.0.0.1:{listen}"
        _started("guard", folder, environment, running, "--listen", guard)
        gateway = running.enter_context(Pushgateway())
        if sweeps:
            running.enter_context(_sweeping(folder, environment, gateway.url))
        prometheus = running.enter_context(_prometheus(cleaner, guard, gateway.address))
        page = running.enter_context(Page(prometheus.url, scrape_interval=SCRAPE_INTERVAL, refresh=REFRESH, port=port))
        yield World(page.url, prometheus, f"http://{cleaner}", gateway.url)


def _must_have(*programs: str) -> None:
    if lacking := [program for program in programs if shutil.which(program) is None]:
        raise LackingError(f"there is no {' and no '.join(lacking)} here: make system")


def _started(command: str, folder: Path, environment: Mapping[str, str], running: contextlib.ExitStack, *arguments: str) -> Child:
    child = Child(command, _command(environment, command, *arguments), folder / f"{command}.log")
    running.callback(child.stop)
    return child


def _command(environment: Mapping[str, str], *arguments: str) -> list[str]:
    """Our command, of this checkout, wherever it is started from."""
    unset = [f"--unset={name}" for name in os.environ if name.startswith("GITJOB_CLEANER_")]
    given = [f"{name}={value}" for name, value in {"PYTHONPATH": str(ROOT), **environment}.items()]
    return ["env", *unset, *given, sys.executable, "-m", "cleaner", *arguments]


def _told(demo: Child) -> tuple[str, dict[str, str]]:
    """Where a demo's metrics are, and what it says to paste into a second terminal."""
    deadline = time.monotonic() + DEADLINE
    while True:
        told = demo.log.read_text()
        environment = dict(_EXPORT.findall(told))
        if (metrics := _METRICS.search(told)) and len(environment) == 2:
            return metrics[1], environment
        demo.must_live()
        if time.monotonic() > deadline:
            raise TimeoutError(f"the demo did not tell its addresses within {DEADLINE:.0f} s:\n{demo.tail()}")
        time.sleep(0.1)


@contextlib.contextmanager
def _sweeping(folder: Path, environment: Mapping[str, str], gateway: str) -> Iterator[None]:
    """The sweeps of a CronJob beside the service, one after another; each tells a Pushgateway what it came to."""
    over = threading.Event()
    sweep = _command(environment, "sweep", "--yes", "--pushgateway", gateway)

    def go() -> None:
        while not over.is_set():
            run = Child("sweep", sweep, folder / "sweeps.log")
            while run.alive() and not over.wait(0.2):
                pass
            run.stop()
            over.wait(SWEEP_EVERY)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _prometheus(cleaner: str, guard: str, gateway: str) -> Prometheus:
    every = f"{SCRAPE_INTERVAL:g}s"
    jobs = [
        {"job_name": "gitjob-cleaner", "static_configs": [{"targets": [cleaner]}]},
        {"job_name": "gitjob-cleaner-guard", "static_configs": [{"targets": [guard]}]},
        {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway]}]},
    ]
    rules = {RULES.name: RULES.read_text()} if RULES.exists() else {}
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "scrape_configs": jobs,
        "rule_files": sorted(rules),
    }
    return Prometheus(config=json.dumps(config), files=rules)  # JSON is YAML


def main() -> int:
    """Show it until Ctrl-C, or for as long as `--for` says."""
    parser = argparse.ArgumentParser(prog="python -m grafana.monitoring", description=main.__doc__)
    parser.add_argument("--for", dest="duration", type=parse_duration, help="end by itself after this time, e.g. 60s")
    parser.add_argument("--port", type=int, default=0, help="of the page; 0, the default, is a free one")
    said = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        with watched(said.port) as world:
            sys.stdout.write(_welcome(world))
            sys.stdout.flush()
            over.wait(said.duration)
    except (CannotBuildError, ChildDiedError, LackingError) as error:
        sys.stderr.write(f"demo-monitoring: {error}\n")
        return 1
    return 0


def _welcome(world: World) -> str:
    return f"""\
The demo runs, with its guard and a CronJob's sweeps beside it; Prometheus scrapes them every {SCRAPE_INTERVAL:g} s.

    the dashboard  {world.page}/?from=now-5m   (Grafana's UI components, not a Grafana server)
    Prometheus     {world.prometheus.url}/alerts
    Pushgateway    {world.pushgateway}
    the cleaner    {world.cleaner}/

Ctrl-C ends it all.
"""


if __name__ == "__main__":
    sys.exit(main())
