"""Free ports on loopback."""

import os
import random
import re
import socket

_FIRST, _LAST = 15_000, 32_000
_CHOICE = random.SystemRandom()  # hypothesis seeds the other one, so that two processes would choose the same


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now.

    They lie below the range that the kernel hands to outgoing connections: there, a client that tries again while its
    server is down can be given the server's own port and end up connected to itself. Tests that run beside these, in
    another process of pytest-xdist, choose among other ports: between here and its use nobody holds a port.
    """
    mine = choices(os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ.get("PYTEST_XDIST_WORKER_COUNT", ""))
    found: set[int] = set()
    while len(found) < count:
        port = _CHOICE.choice(mine)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0 and _binds(port):
                found.add(port)
    return list(found)


def choices(worker: str, workers: str) -> range:
    """The ports of one process of so many: `gw0` of `2` has every second one."""
    number = re.search(r"\d+$", worker)
    return range(_FIRST + int(number[0]), _LAST, int(workers)) if number else range(_FIRST, _LAST)


def _binds(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
