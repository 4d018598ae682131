"""The body of an answer: read to its end or to the end of its time, or piece by piece as it comes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse, IncompleteRead
from io import BufferedReader

import urllib3

_PIECE = 1 << 16
_LONGEST_LINE = 1 << 10


def read_body(response: urllib3.BaseHTTPResponse, check: Callable[[], None]) -> bytearray:
    """
    Read a body whole, as it comes; `check` is called after every piece and raises when its time is up.

    Raises:
        HTTPError, OSError, IncompleteRead: as the connection does.

    """
    body = bytearray()
    with ExitStack() as broken:
        broken.callback(response.close)  # half read, the connection is of no more use
        original = getattr(response, "_original_response", None)
        if isinstance(original, HTTPResponse) and original.chunked:
            # urllib3 spends five calls into Python on each chunk, and a page of Jobs has a thousand: reading them here saves
            # most of these.
            _read_chunks(original.fp, body, check)
            original.close()
        else:
            while piece := response.read1(_PIECE):
                body += piece
                check()
        broken.pop_all()
    response.release_conn()
    return body


def _read_chunks(stream: BufferedReader, body: bytearray, check: Callable[[], None]) -> None:
    """Read a body in chunks (RFC 9112, 7.1): a length in hex on a line of its own, so many bytes, and a line's end."""
    while length := _length(stream):
        chunk = stream.read(length + 2)
        if len(chunk) != length + 2:
            raise IncompleteRead(chunk, length + 2 - len(chunk))
        body += chunk
        del body[-2:]
        check()
    while stream.readline(_LONGEST_LINE) not in (b"\r\n", b"\n", b""):
        check()


def _length(stream: BufferedReader) -> int:
    return _hex(stream.readline(_LONGEST_LINE))


def pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """
    Yield what each read brings, without the reads that bring nothing but a chunk's frame; end where the answer ends.

    Raises:
        HTTPError, OSError, IncompleteRead: as the connection does; the last where it ends before the answer does.

    """
    original = getattr(response, "_original_response", None)
    if isinstance(original, HTTPResponse) and original.chunked:
        chunks = _Chunks()
        while not chunks.ended:
            # Go sends a chunk's length, the chunk and the line's end apart from each other, if the chunk is large.
            if piece := chunks.take(original.fp.read1(_PIECE)):
                yield piece
    else:
        while piece := response.read1(_PIECE):
            yield piece


class _Chunks:
    """Takes the frame off a body in chunks (RFC 9112, 7.1), however the reads cut it: two dozen calls fewer for each event."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0
        self._head = b""

    def take(self, data: bytes) -> bytes:
        """Return what of these bytes is the body's own."""
        if not data:
            raise IncompleteRead(b"")
        at, parts = 0, []
        while at < len(data) and not self.ended:
            if not self._left:
                at = self._begin(data, at)
            part = data[at : at + self._left]
            at += len(part)
            self._left -= len(part)
            # The last two bytes are the line's end after the chunk; they too may come in two reads.
            parts.append(part if self._left > 1 else part[: max(0, len(part) - 2 + self._left)])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _begin(self, data: bytes, at: int) -> int:
        """Read a chunk's length, a line in hex; return where the chunk begins."""
        end = data.find(b"\n", at) + 1
        line = self._head + data[at : end or len(data)]
        if len(line) > _LONGEST_LINE:
            raise IncompleteRead(line)
        self._head = b"" if end else line
        if end:
            length = _hex(line)
            self.ended = not length
            self._left = length and length + 2
        return end or len(data)


def _hex(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits.isalnum():  # int() would take a sign, too
        raise IncompleteRead(line)
    try:
        return int(digits, 16)
    except ValueError as error:
        raise IncompleteRead(line) from error
