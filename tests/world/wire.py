"""A wire between client and server with the faults of a network: it carries bytes and does not look under TLS.

One thread runs one event loop for all connections. Faults that change an answer are made by `proxy.Proxy` instead.
"""

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

LINGER_ZERO = struct.pack("ii", 1, 0)
"""The option with which a close is a reset."""


@dataclass(frozen=True)
class Silence:
    """Connections are accepted, or stay open, and nothing ever comes through them again."""


@dataclass(frozen=True)
class ResetAtConnect:
    """A new connection is reset before anything of it reaches the server."""


@dataclass(frozen=True)
class ResetAfterRequest:
    """The next request reaches the server whole; its connection is reset before any of the answer comes back."""


@dataclass(frozen=True)
class CutAnswer:
    """The answer to the next request breaks off after so many bytes (as they are under TLS)."""

    after: int


_QUIET = 0.05
"""Seconds without another byte after which a request counts as whole."""

Fault = Silence | ResetAtConnect | ResetAfterRequest | CutAnswer


class Wire:
    """Listens on a loopback port of its own and carries to another; `latency` is in seconds, for each direction."""

    def __init__(self, port: int, latency: float = 0.0) -> None:
        self.latency = latency
        self.connections = 0
        self._server_port = port
        self._fault: Fault | None = None
        self._times: int | None = None
        self._open: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="wire")
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def url(self) -> str:
        """What goes into a kubeconfig in place of the server's own URL."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def fault(self, fault: Fault | None, times: int | None = None) -> None:
        """From now on connections suffer this: without end, or so many times; None heals the wire.

        A connection that fell silent stays silent, as after a network partition.
        """
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._set_fault, fault, times, done)
        done.wait()

    def _set_fault(self, fault: Fault | None, times: int | None, done: threading.Event) -> None:
        self._fault, self._times = fault, times
        done.set()

    def strikes(self, kind: type[Fault]) -> Fault | None:
        """The fault of this kind that is to happen now, used up by one."""
        if not isinstance(self._fault, kind) or self._times == 0:
            return None
        if self._times is not None:
            self._times -= 1
        return self._fault

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._accept, "127.0.0.1", 0, backlog=512))
        self.port = cast(int, server.sockets[0].getsockname()[1])
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for connection in list(self._open):
            connection.reset()
        # Closing a transport is an appointment with the loop, not an act.
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def _accept(self) -> "_End":
        self.connections += 1
        connection = _Connection(self, self._loop, self._server_port)
        self._open.add(connection)
        return connection.client

    def closed(self, connection: "_Connection") -> None:
        """A connection has ended."""
        self._open.discard(connection)


class _Connection:
    """The two ends of one connection, and how far its talk has come."""

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop, server_port: int) -> None:
        self.wire = wire
        self.loop = loop
        self.silent = False
        self._drop: asyncio.TimerHandle | None = None
        self._records = _Records()
        self._left: int | None = None
        self._port = server_port
        self._dialling: asyncio.Task[None] | None = None
        self.client = _End(self, self.from_client, self._client_connected)
        self.server = _End(self, self.from_server, lambda: None)
        self.client.peer, self.server.peer = self.server, self.client

    def _client_connected(self) -> None:
        if self.wire.strikes(ResetAtConnect):
            self.reset()
        elif self.wire.strikes(Silence):
            self.silent = True
        else:
            self._dialling = self.loop.create_task(self._dial())

    async def _dial(self) -> None:
        try:
            await self.loop.create_connection(lambda: self.server, "127.0.0.1", self._port)
        except OSError:
            self.reset()  # nobody listens there: so it must seem here

    def from_client(self, data: bytes) -> None:
        """Bytes of a request, or of the handshake before it."""
        if self._falls_silent():
            return
        self.server.send(data)
        request = self._records.request_in(data)
        if self._left is None and request and isinstance(cut := self.wire.strikes(CutAnswer), CutAnswer):
            self._left = cut.after
        if self._drop is None and request and self.wire.strikes(ResetAfterRequest):
            self._drop = self.loop.call_later(_QUIET, self._drop_client)
        elif self._drop is not None:
            # Headers and body come in pieces: the request is whole when no more comes.
            self._drop.cancel()
            self._drop = self.loop.call_later(_QUIET, self._drop_client)

    def from_server(self, data: bytes) -> None:
        """Bytes of an answer, or of the handshake before it."""
        if self._falls_silent():
            return
        if self._drop is not None:
            return
        if self._left is None:
            self.client.send(data)
            return
        self.client.send(data[: self._left])
        self._left = max(0, self._left - len(data))
        if self._left == 0:
            self.client.when_sent(self.reset)

    def _falls_silent(self) -> bool:
        self.silent = self.silent or self.wire.strikes(Silence) is not None
        return self.silent

    def _drop_client(self) -> None:
        """Reset towards the client only: the server must still get to read, and do, what it was asked."""
        self.client.reset()
        self.loop.call_later(self.wire.latency + 2.0, self.server.reset)

    def lost(self, end: "_End") -> None:
        """One side has ended: the other is told, unless the fault is that it is not."""
        hidden = self._drop is not None if end is self.client else self.silent
        if not hidden and end.peer:
            end.peer.when_sent(end.peer.close)

    def ended(self) -> None:
        """One side is gone; with both, the connection is."""
        if self.client.gone and self.server.gone:
            self.wire.closed(self)

    def reset(self) -> None:
        """End both sides at once."""
        if self._dialling:
            self._dialling.cancel()
        self.client.reset()
        self.server.reset()


class _End(asyncio.Protocol):
    """One end of a connection: what is sent through it leaves after the latency, in order."""

    def __init__(self, connection: _Connection, received: Callable[[bytes], None], connected: Callable[[], None]) -> None:
        self.peer: _End | None = None
        self._connection = connection
        self._received = received
        self._connected = connected
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.gone:
            self.reset()
            return
        self._flush()
        self._connected()

    def data_received(self, data: bytes) -> None:
        self._received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._end()
        self._connection.lost(self)

    def pause_writing(self) -> None:
        if self.peer and self.peer._transport:
            self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer and self.peer._transport:
            self.peer._transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Write it when its time has come."""
        if self.gone:
            return
        latency = self._connection.wire.latency
        if not latency and not self._waiting and self._transport:
            self._transport.write(data)
            return
        self._waiting.append((self._connection.loop.time() + latency, data))
        if self._timer is None:
            self._arm()

    def when_sent(self, act: Callable[[], None]) -> None:
        """Do it when all that waits has left."""
        delay = max(0.0, self._waiting[-1][0] - self._connection.loop.time()) if self._waiting else 0.0
        # A little later than the last bytes: timers of one moment have no order.
        self._connection.loop.call_later(delay + 0.001, act)

    def close(self) -> None:
        """End this side as a peer does that has said all."""
        self._end()
        if self._transport:
            self._transport.close()

    def reset(self) -> None:
        """End this side with a reset; what waits is lost."""
        self._end()
        if self._timer:
            self._timer.cancel()
        if self._transport and not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            self._transport.abort()

    def _end(self) -> None:
        self.gone = True
        self._connection.ended()

    def _arm(self) -> None:
        self._timer = self._connection.loop.call_at(self._waiting[0][0], self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._transport is None:
            return  # still dialling; connection_made comes back here
        now = self._connection.loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            self._transport.write(self._waiting.popleft()[1])
        if self._waiting:
            self._arm()


class _Records:
    """Follows the client's TLS records far enough to know a request from the handshake.

    In TLS 1.3 the client's first record of application data is the end of its handshake; every later one is a request's.
    """

    _APPLICATION_DATA = 23
    _HEAD = 5

    def __init__(self) -> None:
        self._rest = b""
        self._skip = 0
        self._seen = 0

    def request_in(self, data: bytes) -> bool:
        """Whether a record of a request ends in these bytes."""
        # Every record must be counted, so no shortcut.
        return sum(self._is_request(kind) for kind in self._kinds(data)) > 0

    def _is_request(self, kind: int) -> bool:
        self._seen += kind == self._APPLICATION_DATA
        return kind == self._APPLICATION_DATA and self._seen > 1

    def _kinds(self, data: bytes) -> Iterator[int]:
        self._rest += data
        while len(self._rest) >= self._HEAD:
            end = self._HEAD + int.from_bytes(self._rest[3:5], "big")
            if len(self._rest) < end:
                return
            yield self._rest[0]
            self._rest = self._rest[end:]
