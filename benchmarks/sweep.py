"""
How fast and how lean a pass is, as ratios to what was measured beside it in the same run.

Seeds Jobs of Fleet's size in a real kube-apiserver, reads them in three ways and deletes them in two; each measurement is a
process of its own, the ways take turns, and the medians are compared.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.seed import Made
from tests.world.wire import Wire

GITREPOS = 40
ROUND_TRIP = 0.005
NAMESPACE = "fleet-default"

Figures = dict[str, float]


def main() -> None:
    """Run it all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000, help="Jobs to read")
    parser.add_argument("--deletions", type=int, default=5_000, help="Jobs to delete in each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way takes its turn")
    given = parser.parse_args()
    with ControlPlane() as control_plane:
        gitrepos = _prepare(control_plane)
        print(f"seeding {seed.bulk(control_plane, _jobs(gitrepos, given.jobs))} Jobs", flush=True)
        _reading(control_plane, given.rounds)
    with ControlPlane() as control_plane:
        gitrepos = _prepare(control_plane)
        for latency in (0.0, ROUND_TRIP):
            _deleting(control_plane, gitrepos, given.deletions, max(1, given.rounds - 2), latency)


def _prepare(control_plane: ControlPlane) -> list[dict[str, Any]]:
    control_plane.with_crd()
    seed.namespace(control_plane, NAMESPACE)
    seed.namespace(control_plane, "cattle-fleet-system")
    polled = seed.stamp(seed.ago(seconds=-3600))
    return seed.put(control_plane, [seed.gitrepo(NAMESPACE, f"shop-{n}", lastPollingTriggered=polled) for n in range(GITREPOS)])


def _jobs(gitrepos: list[dict[str, Any]], count: int) -> Iterator[Made]:
    for gitrepo in gitrepos:
        for n, commit in enumerate(seed.commits(gitrepo, count // GITREPOS)):
            yield seed.job(gitrepo, commit, "failed" if n % 2 else "succeeded", finished=seed.ago(hours=100 + n % 200))


def _reading(control_plane: ControlPlane, rounds: int) -> None:
    kubeconfig = str(control_plane.kubeconfig())
    figures: dict[str, list[Figures]] = {"ours": [], "bare": [], "typed": []}
    for turn in range(rounds):
        for name, taken in figures.items():
            if name != "typed" or turn < 2:
                taken.append(_run("benchmarks.readers", name, kubeconfig, "measured"))
    held = _run("benchmarks.readers", "ours", kubeconfig, "traced")
    ours, bare, typed = ({key: _median(taken, key) for key in taken[0]} for taken in figures.values())
    print("\nlook and decide        wall s    CPU s   peak RSS MiB")
    for name, one in (("ours", ours), ("bare urllib3 read", bare), ("client's typed list", typed)):
        print(f"{name:<20} {one['wall']:8.2f} {one['cpu']:8.2f} {one['rss_mib']:10.0f}")
    _ratio("wall, ours to a bare read", ours["wall"] / bare["wall"], "<= 1.2")
    _ratio("CPU, ours to a bare read", ours["cpu"] / bare["cpu"], "<= 1.4")
    _ratio("wall, the typed list to ours", typed["wall"] / ours["wall"], ">= 8")
    _ratio("CPU, the typed list to ours", typed["cpu"] / ours["cpu"], ">= 8")
    print(f"{held['held'] / held['count']:.0f} bytes held for each retained Job, verdict included (<= 400)")


def _deleting(control_plane: ControlPlane, gitrepos: list[dict[str, Any]], count: int, rounds: int, latency: float) -> None:
    rates: dict[str, list[Figures]] = {"ours": [], "bare": []}
    with Wire(control_plane.port, latency=latency / 2) as wire:
        kubeconfig = str(control_plane.kubeconfig(server=wire.url if latency else None))
        for _ in range(rounds):
            for name, taken in rates.items():
                seed.bulk(control_plane, _jobs(gitrepos, count))
                one = _run("benchmarks.deleters", name, kubeconfig)
                taken.append({"rate": one["count"] / one["wall"]})
                _remove_all(control_plane)
    ours, bare = (_median(taken, "rate") for taken in rates.values())
    print(f"\ndeletions with 32 workers, {latency * 1000:.0f} ms added: ours {ours:.0f}/s, bare urllib3 {bare:.0f}/s")
    _ratio("ours to bare", ours / bare, ">= 0.9")


def _run(*arguments: str) -> Figures:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    return figures


def _median(taken: list[Figures], key: str) -> float:
    return statistics.median(one[key] for one in taken)


def _ratio(what: str, ratio: float, wanted: str) -> None:
    print(f"{what}: {ratio:.2f} ({wanted})", flush=True)


def _remove_all(control_plane: ControlPlane) -> None:
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs?propagationPolicy=Background"
    status, answer = control_plane.request("DELETE", path)
    if status != 200:
        raise SystemExit(f"the Jobs could not be removed: {answer}")


if __name__ == "__main__":
    main()
