"""A connection of its own for an answer that goes on for minutes, and a cord that ends it from any thread."""

import socket
import threading
from contextlib import suppress
from typing import Any

from kubernetes import client
from urllib3.connection import HTTPConnection


class Cord:
    """
    Ends one connection, whatever its thread is doing with it: reaching the server, shaking hands, or waiting for a byte.

    It holds a second descriptor of the same socket and shuts that down. `HTTPResponse.shutdown` would do neither before an
    answer began nor safely after: it takes TLS away from the socket first, so that a reader that is between two reads goes on
    with ciphertext.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._api: Any = None
        self.pulled = False

    def pull(self) -> None:
        """End the connection now, or as soon as there is one."""
        with self._lock:
            self.pulled = True
            self._shut()

    def private(self, api: Any, server: str) -> Any:
        """
        Make a client like another, with a pool of its own whose connections hang on this cord.

        What is half read never gets back to the others, and minutes of watching take nobody's place in a pool.
        """
        self.close()
        self._api = client.ApiClient(api.configuration)
        pool = self._api.rest_client.pool_manager.connection_from_url(server)
        make = pool.ConnectionCls
        pool.ConnectionCls = lambda **options: self._hang(make(**options))
        return self._api

    def close(self) -> None:
        """Close what is left of the connection; the response is closed by whoever has it."""
        with self._lock:
            self._drop()
        if self._api is not None:
            self._api.close()

    def _hang(self, connection: Any) -> Any:
        """Let a connection reach the server through us; one through a SOCKS proxy hangs on the cord as soon as it is made."""
        original = connection._new_conn  # noqa: SLF001 - urllib3 has no other place between a socket and its connecting
        ours = type(connection)._new_conn is HTTPConnection._new_conn  # noqa: SLF001
        connection._new_conn = lambda: self._dial(connection) if ours else self._hold(original())  # noqa: SLF001
        return connection

    def _dial(self, connection: Any) -> socket.socket:
        """Connect to the first address that answers, as urllib3 does, but with the cord tied before."""
        error = OSError("the server's name has no address")
        host = connection._dns_host.strip("[]")  # noqa: SLF001
        for family, kind, protocol, _, address in socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM):
            made = self._hold(socket.socket(family, kind, protocol))
            try:
                for option in connection.socket_options or ():
                    made.setsockopt(*option)
                made.settimeout(connection.timeout)
                made.connect(address)
            except OSError as failed:
                made.close()
                error = failed
            else:
                return made
        raise error

    def _hold(self, made: socket.socket) -> socket.socket:
        with self._lock:
            self._drop()
            if self.pulled:
                made.close()
                raise ConnectionAbortedError("interrupted")
            self._socket = made.dup()
        return made

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
