"""Where an unexpected error of one piece of work is caught, so that it never takes the rest along."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def guarded(work: Callable[[], T], failed: Callable[[Exception], T]) -> T:
    """
    Do a piece of work; what `failed` makes of any exception is the result if it raises one.

    Threads and observers run through this: an error that dies with its thread is an error that nobody is told of.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the package's one broad except: see the docstring
        return failed(error)
