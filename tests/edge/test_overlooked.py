"""Fleet may hear of a nudge before it hears of the labels, and then looks in vain: whoever follows nudges again."""

from collections.abc import Generator
from typing import Any

import pytest

from cleaner.cluster import Denied, Stream
from cleaner.fleet import Change
from cleaner.migration.adopting import Adopting
from cleaner.model import Fleet, Outcome
from cleaner.result import Migrated
from cleaner.retry import Means, Retry, Wish
from cleaner.retry.attempts import Came
from tests.edge.faults import Ahead
from tests.edge.passes import cluster, never
from tests.edge.servers import GITREPOS
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Proxy

FLEET = Fleet("0.16.1", recreates=False)


def unseen(_stream: Stream) -> Generator[list[Change[Any]], None, None]:
    """A watch that may not be had."""
    raise Denied("403 Forbidden")
    yield []


@pytest.fixture
def blocked(control_plane: ControlPlane, namespace: str) -> str:
    """A GitRepo with a legacy failed Job and a pending Force Update, and no Fleet that would act on it; its Namespace."""
    repo = seed.gitrepo(namespace, "shop", failed=True, spec={"forceSyncGeneration": 1})
    seed.put(control_plane, [repo, seed.job(repo, seed.sha("head"), "failed", finished=seed.ago(hours=1), legacy=True)])
    return namespace


def nudges(proxy: Proxy, place: str) -> int:
    return sum(seen.request.method == "PATCH" and seen.request.path == f"{GITREPOS.format(place)}/shop" for seen in proxy.seen)


def test_a_retry_nudges_again_while_nothing_has_begun(control_plane: ControlPlane, blocked: str) -> None:
    clock = Ahead().clock()
    with Proxy(control_plane) as proxy:
        port = cluster(control_plane.kubeconfig(server=proxy.url), clock)
        state = port.state(blocked, "shop")
        assert state is not None
        said: list[str] = []
        retry = Retry(Means(port, clock, never, unseen, 50.0, said.append), Wish(wait=True), FLEET)
        [attempt] = retry.one(state.gitrepo, lambda _: True).attempts
        count = nudges(proxy, blocked)

    assert attempt.came is Came.UNFINISHED
    assert count >= 3, "at once, and every 15 of the 50 seconds"


def test_a_migration_nudges_again_and_says_in_the_end_that_nothing_has_begun(control_plane: ControlPlane, blocked: str) -> None:
    clock, migrated = Ahead().clock(), Migrated()
    with Proxy(control_plane) as proxy:
        port = cluster(control_plane.kubeconfig(server=proxy.url), clock)
        jobs = [job for page in port.jobs(blocked) for job in page.facts if job.outcome is Outcome.FAILED]
        noted: list[bool] = []
        adopting = Adopting(port, clock, lambda _: None, migrated, dry_run=False)
        assert adopting.adopt(jobs, never, lambda: noted.append(True)) is None
        count = nudges(proxy, blocked)

    assert (migrated.adopted, migrated.forced, migrated.waiting) == ([f"{blocked}/shop"],) * 3
    assert noted == [True]
    assert count >= 3, "at once, and every 15 of the 60 seconds"
    assert not migrated.complete
