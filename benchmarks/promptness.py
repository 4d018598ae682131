"""
How soon Jobs go once nothing needs them, beside Kubernetes' own TTL-after-finished controller on the same load.

A real kube-apiserver, Job controller and scheduler, with kwok for a Node: Jobs run and finish by themselves while every GitRepo
gets a new commit every few seconds. `gitjob-cleaner run` is a process of its own, and so is the TTL controller, in worlds that
come one after the other. Lateness is taken from the API's own log.
"""

import argparse
import contextlib
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import lateness
from benchmarks.lateness import Counted, Late, Sampler, Story, Watcher, quantile
from benchmarks.running import (
    Bounds,
    Samples,
    answers,
    cleaner,
    cpu_seconds,
    let_in,
    memory_mib,
    running,
    scraped,
    total,
    wait_for,
)
from tests.world import binaries, seed
from tests.world.control_plane import ControlPlane
from tests.world.controllers import AS_DELIVERED, TTL_AFTER_FINISHED, Controllers, Pace
from tests.world.fleet_load import NAMESPACE, Load
from tests.world.ports import free_ports
from tests.world.processes import Child

AGE = 5.0
SETTLE = 2.0
AFTERWARDS = 10.0
"""Seconds after the load in which what was due before its end may still go."""

WITHIN = 0.2
"""Seconds by which the cleaner's own histogram may differ from the API's log."""

USER = "user-0"
"""As whom Jobs are deleted, be it by the cleaner or by the TTL controller."""

FLAGS = (
    *("--settle", f"{SETTLE:g}s", "--succeeded-age", f"{AGE:g}s", "--failed-age", f"{AGE:g}s", "--failed-keep", "0"),
    *("--interval", "15m", "--delete-rate", "0", "--fleet-version", "v0.16.1", "--no-leader-election"),
)


class Measured(NamedTuple):
    """One world: its story, and what it cost. `begun` and `ended` frame the load; `cpu` is in seconds, `rss` a peak in MiB."""

    name: str
    story: Story
    late: Late
    begun: float
    ended: float
    commits: int
    cpu: float
    rss: float
    sampler: Sampler
    samples: Samples


Due = Callable[[Story, str], float | None]
"""When a Job was to go; None if it was not."""


def main() -> None:
    """Run the worlds, print the table, and check what is stated."""
    given = _arguments()
    measured = {name: WORLDS[name](given) for name in given.worlds.split(",")}
    _print_table(list(measured.values()))
    bounds = Bounds()
    if "ours" in measured:
        _print_details(measured["ours"])
        _check(measured["ours"], given, bounds)
    bounds.settle(heeded=given.bounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=10.0, help="commits, and so Jobs, a second")
    parser.add_argument("--every", type=float, default=AGE + 0.5, help="seconds between two commits of one GitRepo")
    parser.add_argument("--duration", type=float, default=240.0, help="seconds of load in each world")
    parser.add_argument("--deletions", type=int, default=1000, help="the fewest deletions that prove anything")
    parser.add_argument("--worlds", default=",".join(WORLDS), help="which worlds, in which order")
    parser.add_argument("--no-bounds", dest="bounds", action="store_false", help="only print")
    given = parser.parse_args()
    if not set(given.worlds.split(",")) <= set(WORLDS):
        parser.error(f"--worlds is some of {','.join(WORLDS)}")
    return given


def _load(control_plane: ControlPlane, given: argparse.Namespace, ttl: int | None = None) -> Load:
    """The same in every world; the Jobs of every fourth GitRepo fail.

    A Job takes a second, and its end is rounded down: half a second after its age, half of the Jobs come due by that and half by
    the commit that supersedes them.
    """
    gitrepos = max(1, round(given.rate * given.every))
    return Load(control_plane, gitrepos=gitrepos, failing=gitrepos // 4, rate=given.rate, ttl=ttl)


def _ours(given: argparse.Namespace) -> Measured:
    port = free_ports(1)[0]
    with _world() as (control_plane, folder):
        command = cleaner(control_plane.kubeconfig(token=USER), port, *FLAGS)
        with running("gitjob-cleaner", command, folder) as (child, pid):
            wait_for(lambda: answers(port, "/readyz"), child, "the cleaner is ready")
            load = _load(control_plane, given)
            due = functools.partial(lateness.due_by_us, age=max(AGE, SETTLE))
            measured = _measured("gitjob-cleaner run", control_plane, (child, pid), (load, given.duration), due)
            return measured._replace(samples=scraped(port))


def _ttl(given: argparse.Namespace, pace: Pace) -> Measured:
    """The TTL controller has a process of its own, so that its pace is not the Job controller's."""
    name = f"TTL controller, {pace.qps:g} qps"
    with _world() as (control_plane, folder):
        command: list[str | Path] = [
            binaries.controllers()["kube-controller-manager"],
            f"--kubeconfig={control_plane.kubeconfig(token=USER)}",
            *("--leader-elect=false", "--secure-port=0", f"--controllers={TTL_AFTER_FINISHED}"),
            *(f"--kube-api-qps={pace.qps}", f"--kube-api-burst={pace.burst}"),
        ]
        with running("ttl", command, folder) as (child, pid):
            wait_for(lambda: "Starting TTL after finished controller" in child.tail(), child, "the TTL controller works")
            load = _load(control_plane, given, ttl=int(AGE))
            return _measured(name, control_plane, (child, pid), (load, given.duration), lambda story, job: story.ends[job] + AGE)


@contextlib.contextmanager
def _world() -> Iterator[tuple[ControlPlane, Path]]:
    """An API that keeps a log, what makes Jobs run, and a folder for other logs."""
    with (
        tempfile.TemporaryDirectory(prefix="promptness-") as folder,
        ControlPlane(audit=True) as control_plane,
        Controllers(control_plane.with_crd()),
    ):
        seed.namespace(control_plane, NAMESPACE)
        seed.namespace(control_plane, "cattle-fleet-system")
        let_in(control_plane, USER)
        yield control_plane, Path(folder)


def _measured(name: str, control_plane: ControlPlane, program: tuple[Child, int], work: tuple[Load, float], due: Due) -> Measured:
    """Put the load on, wait until what was due by its end had time to go, and read what happened."""
    (child, pid), (load, seconds) = program, work
    print(f"{name}: {seconds:.0f} s of load", flush=True)
    with Watcher(control_plane, NAMESPACE) as watcher, Sampler(control_plane, NAMESPACE) as sampler:
        load.prepare()
        begun, cpu = time.time(), cpu_seconds(pid)
        try:
            load.start().wait(seconds)
        finally:
            load.stop()
        ended, cpu = time.time(), cpu_seconds(pid) - cpu
        time.sleep(AFTERWARDS)
        child.must_live()
        watcher.must_live()
        story = lateness.tell(control_plane._folder / "audit.log", USER, load.commits, watcher.ends)
        late = lateness.late(story, due, ended)
    return Measured(name, story, late, begun, ended, len(load.commits), cpu, memory_mib(pid, "VmHWM"), sampler, {})


def _print_table(worlds: list[Measured]) -> None:
    heads = ("Jobs/s", "deleted", "p50 s", "p99 s", "max s", "standing", "current", "CPU %", "RSS MiB")
    print(f"\n{'':<28}" + "".join(f"{head:>9}" for head in heads))
    for one in worlds:
        waits, took = one.late.all(), one.ended - one.begun
        quantiles = "".join(f"{quantile(waits, part):9.2f}" for part in (0.5, 0.99, 1.0))
        counts = f"{len(one.late.standing):9}{len(lateness.still_current(one.story)):9}"
        figures = f"{one.commits / took:9.2f}{len(one.story.deletions):9}{quantiles}{counts}"
        print(f"{one.name:<28}{figures}{100 * one.cpu / took:9.1f}{one.rss:9.0f}")
    print("standing: due before the load ended and there ten seconds later, counted with what they had waited by then")
    print("current: deleted although their commit was the GitRepo's current one; CPU: percent of one core, while the load was on")
    print("a Job's end is told by the API to the second, rounded down; lateness counts from there, for all of them\n", flush=True)


def _print_details(ours: Measured) -> None:
    """Which of the two reasons to stay ended last, and how late we were after each."""
    story = ours.story
    by_age: list[float] = []
    by_commit: list[float] = []
    for job, waited in ours.late.deleted.items():
        aged = story.ends[job] + AGE >= story.superseded[job].answered if job in story.superseded else True
        (by_age if aged else by_commit).append(waited)
    for what, waits in (("by their age", sorted(by_age)), ("by a newer commit", sorted(by_commit))):
        told = ", ".join(f"{name} {quantile(waits, part):.2f}" for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)))
        print(f"{len(waits)} came due {what}: {told} s")
    counted, seen = _histogram(ours.samples), sorted(ours.late.deleted.values())
    print(f"its own histogram: {counted.number} of {len(seen)} deletions, mean {counted.mean:.3f} s", end="")
    print(f" (the API's log: {sum(seen) / max(1, len(seen)):.3f} s)", end="")
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        low, high = counted.quantile(part)
        print(f", {name} in {low:g} to {high:g} s ({quantile(seen, part):.2f} s)", end="")
    print("\n", flush=True)


def _check(ours: Measured, given: argparse.Namespace, bounds: Bounds) -> None:
    story, waits = ours.story, ours.late.all()
    bounds.least("deletions", len(story.deletions), given.deletions)
    bounds.least("rate sustained", ours.commits / (ours.ended - ours.begun), 0.95 * given.rate, "/s")
    bounds.most("p99 of the lateness", quantile(waits, 0.99), 1.0, " s")
    bounds.most("Jobs deleted whose commit was current", len(lateness.still_current(story)), 0)
    bounds.most("Jobs deleted while they ran", len(lateness.still_running(story)), 0)
    bounds.most("Jobs deleted younger than their age", len(lateness.too_young(story, max(AGE, SETTLE))), 0)
    _check_live_jobs(ours, bounds)
    _check_histogram(ours, bounds)


def _check_live_jobs(ours: Measured, bounds: Bounds) -> None:
    """Whether Jobs pile up: in the last minute there are no more than in the second."""
    if ours.ended - ours.begun < 180:
        print("        live Jobs: not compared, for that takes three minutes", flush=True)
        return
    second, last = ours.sampler.mean(ours.begun + 60, ours.begun + 120), ours.sampler.mean(ours.ended - 60, ours.ended)
    bounds.most(f"live Jobs in the last minute ({last:.1f}) to the second ({second:.1f})", last / max(1.0, second), 1.1)


def _check_histogram(ours: Measured, bounds: Bounds) -> None:
    """Compare means; and at each bucket's bound, its count with what the log has, were all of it earlier or later by 0.2 s."""
    counted, seen = _histogram(ours.samples), list(ours.late.deleted.values())
    bounds.most("deletions that its histogram lacks, or has too many", abs(len(seen) - counted.number), 0.01 * len(seen))
    mean = sum(seen) / max(1, len(seen))
    bounds.most("mean of its histogram, off the API's log by", abs(counted.mean - mean), WITHIN, " s")
    bounds.most(f"buckets that no shift by {WITHIN:g} s explains", len(counted.strays(seen, WITHIN)), 0)


def _histogram(samples: Samples) -> Counted:
    name = "gitjob_cleaner_lateness_seconds"
    buckets = {float(dict(labels)["le"]): value for (each, labels), value in samples.items() if each == f"{name}_bucket"}
    return Counted(buckets, total(samples, f"{name}_sum"), int(total(samples, f"{name}_count")))


WORLDS: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "ours": _ours,
    "ttl": functools.partial(_ttl, pace=AS_DELIVERED),
    "ttl-raised": functools.partial(_ttl, pace=Pace()),
}


if __name__ == "__main__":
    main()
