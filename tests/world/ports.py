"""Free ports on loopback."""

import random
import socket


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now.

    They lie below the range that the kernel hands to outgoing connections: there, a client that tries again while its
    server is down can be given the server's own port and end up connected to itself.
    """
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0 and _binds(port):
                found.add(port)
    return list(found)


def _binds(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
