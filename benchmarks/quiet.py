"""
What the service costs while little happens: between two sweeps, with every GitRepo polled and a Job changed now and then.

20,000 retained Jobs; 500 GitRepos whose status moves every 15 seconds though nothing in it matters; one Job a second changes.
`gitjob-cleaner run`, with its election and scraped every 15 seconds, beside a bare process that watches the same kinds, decodes
every line and does nothing with it; both at once, each through a forwarder that counts bytes.
"""

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from benchmarks.running import (
    Bounds,
    Samples,
    cleaner,
    cpu_seconds,
    memory_mib,
    running,
    scrape_as_prometheus,
    scraped,
    total,
    wait_for,
)
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.fleet_load import NAMESPACE
from tests.world.ports import free_ports
from tests.world.processes import Child
from tests.world.seed import Json, Made
from tests.world.wire import Wire, _Connection, _End

OWN_NAMESPACE = "gitjob-cleaner"
POLLED_EVERY = 15.0
SCRAPED_EVERY = 15.0
INTERVAL = 600.0

FLAGS = (
    *("--interval", f"{INTERVAL:g}s", "--succeeded-age", "720h", "--failed-age", "720h", "--fleet-version", "v0.16.1"),
    *("--own-namespace", OWN_NAMESPACE),
)


class Used(NamedTuple):
    """What a process has used up to a moment, in seconds and bytes; `rss` is in MiB, as it is then."""

    cpu: float
    read: int
    sent: int
    rss: float


class Party(NamedTuple):
    """A process under measurement and the wire that it hangs on."""

    child: Child
    pid: int
    wire: "CountingWire"

    def used(self) -> Used:
        """What it has used until now."""
        return Used(cpu_seconds(self.pid), self.wire.read, self.wire.sent, memory_mib(self.pid))


def main() -> None:
    """Measure both over one window, print the table, and check what is stated."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="quiet-") as folder, ControlPlane() as control_plane:
        gitrepos, names = _prepare(control_plane, given)
        port = free_ports(1)[0]
        with _both(control_plane, Path(folder), port, given) as (ours, bare), Changes(control_plane, gitrepos, names) as changes:
            _await_calm(port, ours.child, election=given.election)
            bounds = _measure((ours, bare), port, changes, given)
    bounds.settle(heeded=given.bounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000, help="Jobs that are retained")
    parser.add_argument("--gitrepos", type=int, default=500, help=f"GitRepos, each polled every {POLLED_EVERY:g} seconds")
    parser.add_argument("--duration", type=float, default=110.0, help="seconds that are measured")
    parser.add_argument("--no-election", dest="election", action="store_false", help="leave the election out")
    parser.add_argument("--no-scrapes", dest="scrapes", action="store_false", help="leave the scrapes out")
    parser.add_argument("--no-bounds", dest="bounds", action="store_false", help="only print")
    given = parser.parse_args()
    if given.duration > INTERVAL - 120:
        parser.error("no sweep may fall into the window")
    return given


def _prepare(control_plane: ControlPlane, given: argparse.Namespace) -> tuple[list[Json], list[str]]:
    """Seed all; the GitRepos, and the names of Jobs that are to change, one of each GitRepo."""
    control_plane.with_crd()
    for name in (NAMESPACE, OWN_NAMESPACE, "cattle-fleet-system"):
        seed.namespace(control_plane, name)
    polled = seed.stamp(seed.ago(hours=1))
    wanted = [seed.gitrepo(NAMESPACE, f"shop-{n}", lastPollingTriggered=polled) for n in range(given.gitrepos)]
    gitrepos = seed.put(control_plane, wanted)
    print(f"seeding {seed.bulk(control_plane, _jobs(gitrepos, given.jobs))} Jobs", flush=True)
    return gitrepos, [_name_of_job(gitrepo, seed.commits(gitrepo, 1)[0]) for gitrepo in gitrepos]


def _name_of_job(gitrepo: Json, commit: str) -> str:
    return seed.job_name(gitrepo["metadata"]["name"], gitrepo["spec"]["repo"], commit)


def _jobs(gitrepos: list[Json], count: int) -> Iterator[Made]:
    for gitrepo in gitrepos:
        for n, commit in enumerate(seed.commits(gitrepo, count // len(gitrepos))):
            yield seed.job(gitrepo, commit, "failed" if n % 4 == 3 else "succeeded", finished=seed.ago(hours=1 + n))


@contextlib.contextmanager
def _both(control_plane: ControlPlane, folder: Path, port: int, given: argparse.Namespace) -> Iterator[tuple[Party, Party]]:
    """Run the service and the bare watch, each on a wire of its own."""
    with CountingWire(control_plane.port) as one, CountingWire(control_plane.port) as other:
        election = "--leader-election" if given.election else "--no-leader-election"
        ours = cleaner(control_plane.kubeconfig(server=one.url), port, *FLAGS, election)
        bare: list[str | Path] = [sys.executable, "-m", "benchmarks.bare_watch", control_plane.kubeconfig(server=other.url)]
        with running("gitjob-cleaner", ours, folder) as (child, pid), running("bare-watch", bare, folder) as (watch, its):
            wait_for(lambda: "watching" in watch.tail(), watch, "the bare process watches")
            yield Party(child, pid, one), Party(watch, its, other)


def _await_calm(port: int, child: Child, *, election: bool) -> None:
    """Wait until the first sweeps have ended: one at the start, and one when it begins to lead, unless they are one."""
    wanted = "leader" if election else "start"
    print(f"waiting for the sweep of the {wanted}", flush=True)
    # A Lease that nobody had yet leads to nothing for its first half minute.
    wait_for(lambda: wanted in _sweeps(port), child, "the first sweeps", every=2.0)
    before = None
    while before != (before := _sweeps(port)):
        time.sleep(5.0)


def _sweeps(port: int) -> dict[str, float]:
    """How many sweeps of everything there were, by what began them."""
    try:
        samples = scraped(port)
    except OSError:
        return {}
    counts = {
        trigger: total(samples, "gitjob_cleaner_sweeps_total", trigger=trigger) for trigger in ("start", "leader", "interval")
    }
    return {trigger: count for trigger, count in counts.items() if count}


def _measure(parties: tuple[Party, Party], port: int, changes: "Changes", given: argparse.Namespace) -> Bounds:
    sweeps, samples = _sweeps(port), scraped(port)
    before, counted = [party.used() for party in parties], changes.counts()
    scrapes = _pass_time(given.duration, port if given.scrapes else None)
    after = [party.used() for party in parties]
    made = [now - then for now, then in zip(changes.counts(), counted, strict=True)]
    if _sweeps(port) != sweeps:
        raise SystemExit("a sweep of everything fell into the window")
    ours, bare = (_used(one, other) for one, other in zip(before, after, strict=True))
    seen = _stopped(parties[1].child)
    print(f"\n{given.duration:.0f} s: {made[0]} GitRepos polled, {made[1]} Jobs changed, {len(scrapes)} scrapes", end="")
    print(f"{f' of {scrapes[-1]} bytes' if scrapes else ''}; the bare watch has seen {seen} since it began")
    print(f"\n{'':<22}{'read KiB':>10}{'sent KiB':>10}{'CPU s':>8}{'CPU %':>8}{'RSS MiB':>9}")
    for name, one in (("gitjob-cleaner run", ours), ("bare watch", bare)):
        told = f"{one.read / 1024:10.0f}{one.sent / 1024:10.1f}{one.cpu:8.2f}{100 * one.cpu / given.duration:8.2f}{one.rss:9.0f}"
        print(f"{name:<22}{told}")
    print(f"requests meanwhile: {_requests(samples, scraped(port))}\n", flush=True)
    bounds = Bounds()
    bounds.most("bytes read, ours to the bare watch's", ours.read / max(1, bare.read), 1.5)
    bounds.most("CPU, ours to the bare watch's", ours.cpu / max(0.01, bare.cpu), 2.0)
    return bounds


def _pass_time(seconds: float, port: int | None) -> list[int]:
    """Let time pass, scraping as Prometheus does; the sizes of what came back."""
    scrapes: list[int] = []
    begun = time.monotonic()
    while (left := begun + seconds - time.monotonic()) > 0:
        if port is not None and time.monotonic() - begun >= SCRAPED_EVERY * (len(scrapes) + 0.5):
            scrapes.append(scrape_as_prometheus(port))
        time.sleep(min(0.5, left))
    return scrapes


def _used(before: Used, after: Used) -> Used:
    return Used(after.cpu - before.cpu, after.read - before.read, after.sent - before.sent, after.rss)


def _stopped(child: Child) -> str:
    """End the bare watch, and tell what it has counted."""
    child.stop()
    counts: dict[str, int] = json.loads(child.tail().splitlines()[-1])
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _requests(before: Samples, after: Samples) -> str:
    """What the cleaner asked in the window, watches and renewals of its Lease among it."""
    name = "gitjob_cleaner_api_requests_total"
    grown = {key: value - before.get(key, 0.0) for key, value in after.items() if key[0] == name}
    told = {labels: count for (_, labels), count in grown.items() if count}
    return ", ".join(f"{count:.0f} {dict(labels)['verb']} {dict(labels)['resource']}" for labels, count in told.items()) or "none"


class Changes:
    """Polls of GitRepos and changes of Jobs, from `with` on, each at its own steady pace."""

    def __init__(self, control_plane: ControlPlane, gitrepos: list[Json], jobs: list[str]) -> None:
        self._control_plane = control_plane
        self._gitrepos = [each["metadata"]["name"] for each in gitrepos]
        self._jobs = jobs
        self._ended = threading.Event()
        self._counts = [0, 0]
        paces = ((0, len(gitrepos) / POLLED_EVERY, self._poll), (1, 1.0, self._change))
        self._threads = [threading.Thread(target=self._go_on, args=pace, daemon=True) for pace in paces]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def counts(self) -> list[int]:
        """How many polls and how many changes there were; raises if one of them has ended."""
        if not all(thread.is_alive() for thread in self._threads):
            raise SystemExit("the changes have ended by themselves")
        return list(self._counts)

    def _go_on(self, which: int, rate: float, act: Callable[[int], None]) -> None:
        begun = time.monotonic()
        for n in itertools.count():
            if self._ended.wait(max(0.0, begun + n / rate - time.monotonic())):
                return
            act(n)
            self._counts[which] = n + 1

    def _poll(self, n: int) -> None:
        """Do what Fleet does every 15 seconds for each GitRepo that has nothing new."""
        status = {"status": {"lastPollingTriggered": seed.stamp(seed.ago())}}
        name = self._gitrepos[n % len(self._gitrepos)]
        self._patch(f"/apis/fleet.cattle.io/v1alpha1/namespaces/{NAMESPACE}/gitrepos/{name}/status", status)

    def _change(self, n: int) -> None:
        change = {"metadata": {"annotations": {"example.com/changed": str(time.time())}}}
        self._patch(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{self._jobs[n % len(self._jobs)]}", change)

    def _patch(self, path: str, change: dict[str, Any]) -> None:
        status, answer = self._control_plane.request("PATCH", path, change, content_type="application/merge-patch+json")
        if status != 200:
            raise RuntimeError(f"PATCH {path} was refused: {answer}")


class CountingWire(Wire):
    """A wire that counts what passes, in bytes as they are under TLS: `read` by the client, and `sent` by it."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.read = 0
        self.sent = 0

    def _accept(self) -> _End:
        self.connections += 1
        connection = _Counting(self, self._loop, self._server_port)
        self._open.add(connection)
        return connection.client


class _Counting(_Connection):
    wire: CountingWire

    def from_client(self, data: bytes) -> None:
        self.wire.sent += len(data)
        super().from_client(data)

    def from_server(self, data: bytes) -> None:
        self.wire.read += len(data)
        super().from_server(data)


if __name__ == "__main__":
    main()
