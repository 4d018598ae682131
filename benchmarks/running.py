"""Programs under measurement: how they are started, what they cost by /proc, and what their metrics say."""

import contextlib
import gzip
import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.world.control_plane import ControlPlane
from tests.world.processes import Child

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""What a scrape tells, by the name of the series and its labels, sorted."""

PATIENCE = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Bounds:
    """What was stated beforehand, and whether it held."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def most(self, what: str, value: float, bound: float, unit: str = "") -> None:
        """State that a value is at most so much."""
        self.holds(f"{what}: {value:.3g}{unit} (<= {bound:g}{unit})", value <= bound)

    def least(self, what: str, value: float, bound: float, unit: str = "") -> None:
        """State that a value is at least so much."""
        self.holds(f"{what}: {value:.5g}{unit} (>= {bound:g}{unit})", value >= bound)

    def holds(self, told: str, held: bool) -> None:
        """Tell, and remember what did not hold."""
        print(f"{'held  ' if held else 'MISSED'}  {told}", flush=True)
        if not held:
            self.missed.append(told)

    def settle(self, heeded: bool) -> None:
        """End with 1 if a bound was missed, unless they are not heeded."""
        if self.missed and heeded:
            raise SystemExit(f"{len(self.missed)} bounds missed")


@contextlib.contextmanager
def running(name: str, command: list[str | Path], folder: Path) -> Iterator[tuple[Child, int]]:
    """Run a program for as long as the context lasts; the child and the process id of the program itself."""
    child = Child(name, command, folder / f"{name}.log")
    try:
        yield child, _program_of(child)
    finally:
        child.stop()


def cleaner(kubeconfig: Path, port: int, *flags: str) -> list[str | Path]:
    """The command that runs the service as an operator does, with this Python."""
    listen = f"127.0.0.1:{port}"
    return [sys.executable, "-m", "cleaner", "run", "--kubeconfig", kubeconfig, "--listen", listen, "--yes", *flags]


def wait_for(condition: Callable[[], bool], child: Child, what: str, every: float = 0.1) -> None:
    """Wait until it holds; the child must live until then."""
    until = time.monotonic() + PATIENCE
    while not condition():
        child.must_live()
        if time.monotonic() > until:
            raise SystemExit(f"{what}: not within {PATIENCE:.0f} s\n{child.tail()}")
        time.sleep(every)


def answers(port: int, path: str) -> bool:
    """Whether the program answers this with 200."""
    try:
        return _get(port, path, {})[0] == 200
    except OSError:
        return False


def scraped(port: int) -> Samples:
    """What the metrics say now."""
    text = _get(port, "/metrics", {})[1].decode()
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def scrape_as_prometheus(port: int) -> int:
    """Ask for the metrics as Prometheus 3 does, and answer how many bytes they are when unpacked."""
    accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    status, body = _get(port, "/metrics", {"Accept": accept, "Accept-Encoding": "gzip"})
    if status != 200:
        raise SystemExit(f"a scrape was answered with {status}")
    return len(gzip.decompress(body))


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric over all series with these labels."""
    wanted = set(labels.items())
    return sum(value for (each, its), value in samples.items() if each == name and wanted <= set(its))


def cpu_seconds(pid: int) -> float:
    """Processor time of a process until now, its own and the system's for it; Linux counts in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process now, or with `VmHWM` its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 1024


def let_in(control_plane: ControlPlane, *users: str) -> None:
    """Let these users do everything: with names of their own, the API's log tells them apart."""
    for user in users:
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        binding = {"metadata": {"name": f"all-for-{user}"}, "roleRef": role, "subjects": [subject]}
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        status, answer = control_plane.request("POST", path, binding)
        if status != 201:
            raise SystemExit(f"{user} could not be let in: {answer}")


def _get(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _program_of(child: Child) -> int:
    """The program that the child's warden has started."""
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    wait_for(lambda: bool(children.read_text().split()), child, f"{child.name} starts")
    return int(children.read_text().split()[0])
