"""One world, two servers: the sandbox of the demo and the real API lead to the same verdicts and the same survivors."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cleaner.demo.sandbox import Sandbox
from tests.edge.passes import Passed, sweep
from tests.edge.servers import JOBS, SandboxServer, Server, names_of
from tests.modes.everything import VERSIONS, gitrepos, jobs_of
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.seed import Made


def acceptable(job: Made) -> bool:
    """Whether a real API lets such a status in: the strangest Jobs can only be put into its store."""
    conditions = job.status.get("conditions", [])
    ends = [one for one in conditions if one["type"] in ("Complete", "Failed")]
    announced = "completionTime" not in job.status or [one["type"] for one in ends] == ["Complete"]
    return len(ends) < 2 and announced and all("lastTransitionTime" in one for one in conditions)


def world(place: str) -> Iterator[Made]:
    """Twenty GitRepos of every kind with every third of their Jobs."""
    for n, repo in enumerate(itertools.islice(gitrepos([place]), 20)):
        yield repo
        yield from filter(acceptable, itertools.islice(jobs_of(repo.object, VERSIONS[n % 4]), n % 3, None, 3))


def swept(server: Server) -> tuple[Passed, set[str]]:
    """The world put into a server, and swept: what came of it, and who survived."""
    place = seed.namespace(server)
    seed.put(server, world(place))
    passed = sweep(server.kubeconfig(), place)
    return passed, names_of(server, JOBS.format(place))


def reasons(passed: Passed) -> Counter[tuple[str, str]]:
    """
    How many Jobs of each GitRepo have which reason.

    Not which: of two that finished at one moment the one made later is the newer, and servers count that in whole seconds.
    """
    return Counter((verdict.job.owner.name, verdict.reason.value) for verdict in passed.result.verdicts())


def test_both_servers_lead_to_the_same_verdicts(control_plane: ControlPlane, tmp_path: Path) -> None:
    real, left = swept(control_plane)
    with Sandbox(collect_garbage=False) as sandbox:
        server = SandboxServer(sandbox, tmp_path)
        played, left_there = swept(server)
        server.close()

    assert reasons(real) == reasons(played)
    assert len(left) == len(left_there)
    assert real.fates() == played.fates()
    assert len(real.reasons()) > 200
    assert len(real.of("deleted")) > 20
