"""A list that is read to its end."""

from collections.abc import Callable
from typing import TypeVar

from cleaner.cluster.errors import Expired

T = TypeVar("T")


def whole(read: Callable[[], T]) -> T:
    """
    Read a list page by page; if its version expires on the way, once more from the beginning.

    The API server keeps the version that the pages belong to for five minutes by default (etcd's compaction).
    """
    try:
        return read()
    except Expired:
        return read()
