"""A pass in this process, over the real client, with its happenings in a list."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cleaner.cluster import Brake, Clock, Refusal
from cleaner.happened import Happened
from cleaner.kube import Connection, KubeCluster, Limits
from cleaner.result import Result
from cleaner.retention import Policy
from cleaner.scope import Scope, parse_selector
from cleaner.sweep import Canary, Order, Sweep

FLEET = "v0.16.1"


def never() -> Refusal | None:
    """A brake that nobody pulls."""
    return None


def clock() -> Clock:
    """Real time; sleeps are real too."""
    return Clock(time.time, time.monotonic, time.sleep)


class Passed(NamedTuple):
    """What a pass came to and what was told on the way."""

    result: Result
    happened: list[Happened]

    def fates(self) -> dict[str, int]:
        """How many deletions came to what."""
        return {fate.value: count for fate, count in self.result.fates().items()}

    def reasons(self) -> dict[str, str]:
        """The reason of each Job's verdict, by name."""
        return {verdict.job.name: verdict.reason.value for verdict in self.result.verdicts()}

    def of(self, fate: str) -> set[str]:
        """Names of the Jobs whose deletion came to this."""
        return {d.doomed.job.name for d in self.result.deletions.values() if d.fate.value == fate}


def cluster(kubeconfig: Path, timer: Clock | None = None, request_timeout: float = 20, **limits: Any) -> KubeCluster:
    """The port over a kubeconfig, unbounded unless told otherwise."""
    timer = timer or clock()
    given = {"delete_rate": 0.0, "fleet_version": FLEET, **limits}
    return KubeCluster(
        Connection((str(kubeconfig), ""), "gitjob-cleaner/test", request_timeout, timer),
        Limits(**given),
        timer,
    )


def sweep(
    kubeconfig: Path,
    namespace: str,
    *,
    policy: Policy | None = None,
    brake: Brake = never,
    between: Callable[[], object] | None = None,
    canary: Canary | None = None,
    timer: Clock | None = None,
    max_deletions: int = 0,
    lookahead: int = 64,
    orphaned_pods: bool = False,
    selector: str = "",
    **limits: Any,
) -> Passed:
    """Look, decide, let the test change the world, act."""
    timer = timer or clock()
    happened: list[Happened] = []
    order = Order(
        Scope(tuple(namespace.split(",")) if namespace else (), selector=parse_selector(selector)),
        policy or Policy(),
        dry_run=bool(limits.get("dry_run")),
        max_deletions=max_deletions,
        lookahead=lookahead,
        orphaned_pods=orphaned_pods,
    )
    one = Sweep(cluster(kubeconfig, timer, **limits), order, timer, happened.append, brake)
    one.look()
    doomed = [*one.decide(), *one.decide_on_pods()]
    if between is not None:
        between()
    canary = canary or Canary(pause=0.1)
    one.act(doomed, canary)
    one.look_for_returns(canary)
    assert threading.active_count() < 50
    return Passed(one.result(), happened)
