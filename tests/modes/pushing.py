"""A sandbox with failed Jobs of old commits, for sweeps that push what they came to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleaner.demo.sandbox import Sandbox
from tests.edge.servers import SandboxServer, put_gitjob
from tests.edge.test_service import stock
from tests.modes.running import Said, run
from tests.world import seed
from tests.world.ports import free_ports

PLACE = "team"


@contextmanager
def sandbox(folder: Path) -> Iterator[SandboxServer]:
    """A sandbox with Fleet 0.16.1 and three failed Jobs of old commits of one GitRepo: by default two go, one is kept."""
    with Sandbox() as started:
        server = SandboxServer(started, folder)
        seed.namespace(server, PLACE)
        put_gitjob(server, "cattle-fleet-system", "rancher/fleet:v0.16.1")
        stock(server, PLACE, "failed", "failed", "failed")
        yield server
        server.close()


def sweep(server: SandboxServer | Path, gateway: str, *flags: str) -> Said:
    """Sweep, and push to a gateway."""
    kubeconfig = server if isinstance(server, Path) else server.kubeconfig()
    return run("sweep", "--output", "json", "--pushgateway", gateway, *flags, kubeconfig=kubeconfig)


def check(server: SandboxServer, *arguments: str) -> Said:
    """Check."""
    return run("check", *arguments, "--output", "json", kubeconfig=server.kubeconfig())


def pushgateway_of(said: Said) -> list[tuple[str, str]]:
    """What a check says of the Pushgateway."""
    return [(line["state"], line["found"]) for line in said.document["lines"] if line["check"] == "pushgateway"]


def nowhere(folder: Path) -> Path:
    """A kubeconfig for a server that does not answer."""
    (port,) = free_ports(1)
    path = folder / "nowhere"
    named = {"cluster": "x", "user": "x"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": named}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "x", "user": {}}],
    }
    path.write_text(json.dumps(config))
    return path
