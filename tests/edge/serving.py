"""The service in this process, over the real client, with its happenings in a list and its inventory at hand."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from cleaner.cluster import Brake, Refusal
from cleaner.happened import Attempted, Happened, Swept, WatchEnded
from cleaner.inventory import Inventory
from cleaner.kube import KubeCluster
from cleaner.model import Owner
from cleaner.retention import Policy, Rule
from cleaner.scope import Scope
from cleaner.service.passes import Duty
from cleaner.service.service import Service, Shape, unelected
from cleaner.snapshot import View
from cleaner.sweep import Order, look
from tests.edge.passes import clock, cluster, never

DEADLINE = 90.0
"""Seconds that anything may take before a test fails: generous, for busy machines."""

KEEP_ALL = Policy(succeeded=Rule(0, 1e7), failed=Rule(9, 1e7))
"""A policy that deletes nothing a test makes."""

T = TypeVar("T")


class Serving(NamedTuple):
    """A service that runs, and what it has told."""

    service: Service
    cluster: KubeCluster
    scope: Scope
    happened: list[Happened]

    def known(self) -> dict[Owner, tuple[Any, dict[str, Any]]]:
        """All that the inventory holds, in a form that can be compared."""
        return _comparable(self.service.worker.store.inventory)

    def swept(self, trigger: str = "") -> list[Swept]:
        """The passes so far."""
        return [each for each in list(self.happened) if isinstance(each, Swept) and each.trigger.startswith(trigger)]

    def fates(self) -> list[str]:
        """What became of each attempt so far."""
        return [each.deletion.fate.value for each in list(self.happened) if isinstance(each, Attempted)]

    def watch_ends(self, kind: str = "") -> list[str]:
        """Why watches ended so far."""
        return [each.reason for each in list(self.happened) if isinstance(each, WatchEnded) and kind in ("", each.kind)]

    def views(self) -> dict[str, View]:
        """What is shown, by the GitRepo's name."""
        return {owner.name: view for owner, view in self.service.snapshot().views.items()}

    def settled(self, kubeconfig: Path, seconds: float = DEADLINE) -> None:
        """Wait until it knows what the API's own lists say, as another client reads them."""
        eventually(
            lambda: self.known() == listed(kubeconfig, self.scope),
            lambda: f"{self.known()} {listed(kubeconfig, self.scope)}",
            seconds,
        )


@contextlib.contextmanager
def serving(
    kubeconfig: Path,
    namespace: str = "",
    *,
    policy: Policy | None = None,
    shape: Shape | None = None,
    stop: Brake = never,
    led: Brake = unelected,
    **limits: Any,
) -> Iterator[Serving]:
    """Run the service over one Namespace or all, until the block ends; then all its threads must have ended."""
    stopped = threading.Event()
    happened: list[Happened] = []
    scope = Scope(tuple(namespace.split(","))) if namespace else Scope()
    order = Order(
        scope,
        policy or KEEP_ALL,
        dry_run=bool(limits.get("dry_run")),
        max_deletions=limits.pop("max_deletions", 0),
        orphaned_pods=bool(limits.pop("orphaned_pods", False)),
    )
    timer = clock()._replace(sleep=lambda seconds: (stopped.wait(seconds), None)[1])
    kube = cluster(kubeconfig, timer, **limits)

    def brake() -> Refusal | None:
        return Refusal("stop", "the test is over") if stopped.is_set() else stop()

    service = Service(Duty(kube, order, timer, happened.append, brake, led), kube, shape or Shape(interval=3600.0), None)
    service.start()
    try:
        yield Serving(service, kube, scope, happened)
    finally:
        stopped.set()
        assert service.stop(30.0), "a thread did not end"
        kube._connection.close()


def listed(kubeconfig: Path, scope: Scope) -> dict[Owner, tuple[Any, dict[str, Any]]]:
    """All that the API's own lists say now."""
    kube = cluster(kubeconfig)
    try:
        return _comparable(look(kube, scope, lambda _: None, never).inventory)
    finally:
        kube._connection.close()


def _comparable(inventory: Inventory) -> dict[Owner, tuple[Any, dict[str, Any]]]:
    return {
        owner: (
            group.gitrepo and msgspec.structs.replace(group.gitrepo, last_polled=None),
            {job.uid: job for job in group.jobs},
        )
        for owner, group in list(inventory.groups.items())
        if group.gitrepo or group.jobs
    }


def eventually(holds: Callable[[], T], shown: Callable[[], object] = lambda: "", seconds: float = DEADLINE) -> T:
    """Wait until something holds; fail with what is shown then."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, f"did not come true in {seconds:.0f}s: {shown()}"
        time.sleep(0.05)
    return found
