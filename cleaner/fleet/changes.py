"""Lines of a watch: what has changed, one object at a time."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from cleaner.fleet.pages import BAD, Unreadable, unnamed
from cleaner.fleet.wire import Body

Fact = TypeVar("Fact")


class Change(msgspec.Struct, Generic[Fact], frozen=True):
    """
    What one line tells: a fact that is there now or, with `gone`, is not any more; none for a bookmark or a foreign Job.

    `version` is where a later watch may go on; empty where the line does not say.
    """

    version: str
    fact: Fact | None = None
    gone: bool = False
    unreadable: Unreadable | None = None


class WatchError(msgspec.Struct, frozen=True):
    """The server's own ERROR event: an HTTP status code and a message."""

    code: int = 0
    message: str = ""


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - Kubernetes writes its fields so


class _Versioned(msgspec.Struct):
    metadata: _Metadata


_LINE = msgspec.json.Decoder(_Line)
_VERSIONED = msgspec.json.Decoder(_Versioned)
_ERROR = msgspec.json.Decoder(WatchError)


def read_change(line: Body, understand: Callable[[msgspec.Raw], Fact | None]) -> Change[Fact] | WatchError:
    """
    Understand one line; an object that cannot be understood is told, and an unknown type of event says nothing.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: the line is no event at all.

    """
    read = _LINE.decode(line)
    if read.type == "ERROR":
        return _error(read.object)
    if read.type not in ("ADDED", "MODIFIED", "DELETED"):
        return Change(_version(read.object) if read.type == "BOOKMARK" else "")
    version = _version(read.object)
    try:
        return Change(version, understand(read.object), read.type == "DELETED")
    except BAD as error:
        return Change(version, unreadable=unnamed(read.object, str(error)))


def _version(item: msgspec.Raw) -> str:
    try:
        return _VERSIONED.decode(item).metadata.resourceVersion
    except BAD:
        return ""


def _error(item: msgspec.Raw) -> WatchError:
    try:
        return _ERROR.decode(item)
    except BAD:
        return WatchError(message="an ERROR event that says nothing")
