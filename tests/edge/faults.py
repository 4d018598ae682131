"""What the tests of faults share: a stock of Jobs, a clock that does not wait, and rules for the proxy."""

import json
import time
from typing import Any

from cleaner.cluster import Clock
from tests.edge.passes import Passed, sweep
from tests.edge.servers import JOBS
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Fault, Proxy, Request, Rule


def hurried() -> Clock:
    """A clock whose sleeps are short, so that patience costs the test nothing."""
    return Clock(time.time, time.monotonic, lambda seconds: time.sleep(min(seconds, 0.01)))


class Ahead:
    """A monotonic clock that a test can push forward; sleeps push it too, and end at once."""

    def __init__(self) -> None:
        self.by = 0.0

    def push(self, seconds: float) -> None:
        """Let time pass."""
        self.by += seconds

    def clock(self) -> Clock:
        """What the code under test gets."""
        return Clock(time.time, lambda: time.monotonic() + self.by, self.push)


def stock(control_plane: ControlPlane, namespace: str, count: int, name: str = "shop") -> list[str]:
    """A GitRepo and so many failed Jobs of old commits, all long due but for the newest; their names, oldest first."""
    repo = seed.gitrepo(namespace, name)
    (owner,) = seed.put(control_plane, [repo])
    jobs = [seed.job(owner, c, "failed", finished=seed.ago(hours=900 - n / 10)) for n, c in enumerate(seed.commits(repo, count))]
    seed.bulk(control_plane, jobs)
    return [job.object["metadata"]["name"] for job in jobs]


def jobs_list(request: Request, namespace: str) -> bool:
    """Whether a request lists the Jobs of a Namespace."""
    return request.method == "GET" and request.path == JOBS.format(namespace)


def is_delete(request: Request) -> bool:
    """Whether a request deletes a Job."""
    return request.method == "DELETE" and "/jobs/" in request.path


def first(fault: Fault, path: str) -> Rule:
    """Only the first request of this path suffers."""
    return lambda request: fault if request.path == path and request.nth == 1 else None


def always(fault: Fault, path: str, method: str = "GET", after: int = 0) -> Rule:
    """Every request of this path suffers, or every one after so many."""
    return lambda request: fault if (request.method, request.path) == (method, path) and request.nth > after else None


def refusal(code: int, reason: str, message: str = "") -> Answer:
    """An answer as the API refuses."""
    said: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return Answer(code, json.dumps(said | {"message": message or f"{reason} by the test"}).encode())


FORBIDDEN = refusal(403, "Forbidden")
EXPIRED = refusal(410, "Expired", "The provided continue parameter is too old")


def through(control_plane: ControlPlane, namespace: str, rule: Rule, **limits: Any) -> tuple[Passed, Proxy]:
    """A pass through a proxy with a rule."""
    with Proxy(control_plane, rule) as proxy:
        return sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=hurried(), **limits), proxy
