"""The body of an answer, read to its end or to the end of its time."""

from collections.abc import Callable
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
    line = stream.readline(_LONGEST_LINE)
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError as error:
        raise IncompleteRead(line) from error
