"""From settings to the parts that work with them."""

import hashlib
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from cleaner import __version__
from cleaner.cluster import Clock, Refusal
from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.happened import Happened, Observer
from cleaner.kube import Connection, KubeCluster, Limits
from cleaner.retention import Bounds, Current, Policy, Rule
from cleaner.scope import Scope, parse_selector
from cleaner.settings import Settings
from cleaner.sweep import Order

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Stop:
    """A brake that SIGTERM and SIGINT pull; a sleep ends with it. A second signal ends the process as it always does."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._text = ""

    def listen(self) -> None:
        """Take the signals."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._caught)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        self._text = f"{signal.Signals(number).name}: what was under way is finished, the rest is left"
        self._event.set()
        signal.signal(number, signal.SIG_DFL)

    def pull(self, text: str) -> None:
        """Stop for a reason of our own."""
        self._text = text
        self._event.set()

    def __call__(self) -> Refusal | None:
        """Whether we are to stop."""
        return Refusal("stop", self._text) if self._event.is_set() else None

    def wait(self) -> None:
        """Wait until somebody stops us."""
        self._event.wait()

    def clock(self) -> Clock:
        """Real time, with a sleep that a stop cuts short."""
        return Clock(time.time, _since_boot, lambda seconds: (self._event.wait(seconds), None)[1])


def _since_boot() -> Seconds:
    """Tell a time that never jumps; on Linux it goes on while the machine sleeps, so that a Lease has expired after that."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


def policy_of(settings: Settings) -> Policy:
    """Return what the planner is told."""
    return Policy(
        succeeded=Rule(settings.succeeded_keep, settings.succeeded_age),
        failed=Rule(settings.failed_keep, settings.failed_age),
        current=Current(settings.current),
        settle=settings.settle,
        clock_bound=settings.clock_bound,
        wake=settings.wake,
        bounds=Bounds(
            settings.annotated_age_min, settings.annotated_age_max, settings.annotated_keep_min, settings.annotated_keep_max
        ),
    )


def scope_of(settings: Settings) -> Scope:
    """Return what is looked after."""
    return Scope(settings.namespaces, settings.exclude_namespaces, parse_selector(settings.selector))


def order_of(settings: Settings) -> Order:
    """Return what a pass is asked to do; it reads GitRepos again for as many Jobs as two seconds of deleting take."""
    ahead = int(settings.delete_rate * 2) or 256
    return Order(
        scope=scope_of(settings),
        policy=policy_of(settings),
        dry_run=settings.dry_run,
        max_deletions=settings.max_deletions,
        lookahead=max(settings.delete_workers, min(ahead, 256)),
        orphaned_pods=settings.orphaned_pods,
    )


def cluster_of(
    settings: Settings, mode: str, clock: Clock, tell: Observer | None = None, delete_limit: Seconds = 0.0
) -> tuple[Connection, KubeCluster]:
    """
    Connect, in the sense of knowing where and as whom; `tell` hears of each request.

    Raises:
        Misconfigured: the client's configuration cannot be used.

    """
    agent = f"gitjob-cleaner/{__version__} ({mode})"
    source = (settings.kubeconfig, settings.context)
    connection = Connection(source, agent, settings.request_timeout, clock, settings.delete_workers + 8, tell)
    return connection, KubeCluster(connection, _limits(settings, delete_limit), clock)


def _limits(settings: Settings, delete_limit: Seconds) -> Limits:
    return Limits(
        delete_rate=settings.delete_rate,
        delete_workers=settings.delete_workers,
        dry_run=settings.dry_run,
        fleet_version=settings.fleet_version,
        fleet_namespace=settings.fleet_namespace,
        own_namespace=own_namespace_of(settings),
        lease=lease_of(settings),
        delete_limit=delete_limit,
    )


def lease_of(settings: Settings) -> str:
    """Return the name of the Lease, which may carry a pause, too."""
    return "-".join(filter(None, ("gitjob-cleaner", instance_of(settings))))


def instance_of(settings: Settings) -> str:
    """Return the name that tells this installation from others: by default from what it looks after."""
    if settings.instance or not (settings.namespaces or settings.selector):
        return settings.instance
    text = ",".join(sorted(settings.namespaces)) + ";" + settings.selector
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def identity() -> str:
    """Return a name for this process in an election: no two are the same."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def in_a_pod() -> bool:
    """Whether we run in a Pod, by what Kubernetes gives each of them."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and _SERVICE_ACCOUNT.is_file()


def own_namespace_of(settings: Settings) -> str:
    """Return the Namespace where the cleaner lives: the one that is set, or the Pod's; empty where nobody knows."""
    return settings.own_namespace or (_SERVICE_ACCOUNT.read_text(encoding="utf-8").strip() if in_a_pod() else "")


def observed_by(observers: list[Observer], failed: Callable[[Exception], None]) -> Observer:
    """Make one observer of many; one that fails is told of and does not stop the others or the work."""

    def tell(happened: Happened) -> None:
        for observer in observers:
            guarded(lambda observer=observer: observer(happened), failed)  # type: ignore[misc]

    return tell
