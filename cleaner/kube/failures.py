"""What goes wrong with a connection, by meaning."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationValueError, NewConnectionError
from urllib3.exceptions import TimeoutError as PoolTimeoutError

from cleaner.cluster import Unreachable


class NotSent(Unreachable):
    """The request cannot have reached the server: no connection could be made."""


@contextmanager
def meaning() -> Iterator[None]:
    """
    Give the errors of a connection their meaning.

    Raises:
        NotSent, Unreachable: whatever the connection raised, in one line.

    """
    try:
        yield
    except (NewConnectionError, ConnectTimeoutError) as error:
        raise NotSent(describe(error)) from error
    except (HTTPError, HTTPException, OSError) as error:
        raise Unreachable(describe(error)) from error


def describe(error: BaseException) -> str:
    """Tell a connection's error in one line: the innermost cause says most, and no URL with its query is repeated."""
    cause = innermost(error)
    text = str(cause).rpartition(": ")[2] if isinstance(cause, NewConnectionError) else str(cause)
    return " ".join(f"{type(cause).__name__}: {text}".split())[:300]


def innermost(error: BaseException) -> BaseException:
    """What began a chain of errors; it says most."""
    cause = error
    while (inner := getattr(cause, "reason", None) or cause.__cause__ or cause.__context__) and isinstance(inner, BaseException):
        cause = inner
    return cause


def failure(error: BaseException) -> str:
    """How a request failed that had no answer: `timeout`, `connection` or `other`."""
    cause = innermost(error)
    if isinstance(cause, TimeoutError | PoolTimeoutError) and not isinstance(cause, NewConnectionError):
        return "timeout"
    if isinstance(cause, LocationValueError | ssl.SSLCertVerificationError):
        return "other"
    return "connection" if isinstance(cause, OSError | HTTPError | HTTPException) else "other"
