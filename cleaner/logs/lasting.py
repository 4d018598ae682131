"""Troubles that every pass tells anew while they last: they are to be logged when they begin, now and then, and at their end."""

import threading
from collections.abc import Callable, Hashable
from typing import Any

import msgspec

from cleaner.durations import Seconds

REMINDER: Seconds = 3600.0
MOST = 10_000
"""Troubles that are remembered one by one; beyond them only that there are more is logged."""

_MORE: Hashable = "more"


class _Trouble(msgspec.Struct):
    fields: dict[str, Any]
    logged_at: Seconds
    told: bool = True


class Lasting:
    """Remembers which troubles last; any thread may tell one."""

    def __init__(self, monotonic: Callable[[], Seconds]) -> None:
        self._monotonic = monotonic
        self._troubles: dict[Hashable, _Trouble] = {}
        self._lock = threading.Lock()

    def begins(self, key: Hashable, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Take note of a trouble; return what to log of it: None if it was logged within the hour."""
        with self._lock:
            now = self._monotonic()
            if key not in self._troubles and len(self._troubles) >= MOST:
                key, fields = _MORE, {"error": f"there are more than {MOST}: the others are not logged"}
            known = self._troubles.get(key)
            if known is None:
                self._troubles[key] = _Trouble(fields, now)
                return fields
            known.told = True
            if now - known.logged_at < REMINDER:
                return None
            known.logged_at = now
            return fields

    def ended(self) -> list[dict[str, Any]]:
        """Return what was not told since this was last asked: it is over, unless it lies where nothing can be read just now."""
        with self._lock:
            lasting = [trouble.fields for trouble in self._troubles.values() if trouble.told]
            dark = {fields.get("namespace", "") for fields in lasting if fields.get("what") == "read"}
            silent = {key: trouble.fields.get("namespace", "") for key, trouble in self._troubles.items() if not trouble.told}
            over = [key for key, namespace in silent.items() if dark.isdisjoint(("", namespace))]
            fields = [self._troubles.pop(key).fields for key in over]
            for trouble in self._troubles.values():
                trouble.told = False
            return fields
