"""The servers of the suites that hold for more than one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleaner.demo.sandbox import Sandbox
from tests.edge.servers import SandboxServer, Server
from tests.world import seed


@pytest.fixture(params=["control plane", "sandbox"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """One after the other: the real API server and the sandbox."""
    if request.param == "control plane":
        yield request.getfixturevalue("control_plane")
        return
    with Sandbox(collect_garbage=False) as sandbox:
        stand_in = SandboxServer(sandbox, tmp_path)
        yield stand_in
        stand_in.close()


@pytest.fixture
def place(server: Server) -> str:
    """A Namespace of that server which no other test has seen."""
    return seed.namespace(server)
