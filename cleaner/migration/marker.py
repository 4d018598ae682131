"""What is remembered of a migration, in a ConfigMap: that it has begun, whom it unblocked, and that it was done."""

from collections.abc import Mapping
from datetime import UTC, datetime

from cleaner.cluster import ClusterError, Fate, Markers
from cleaner.model import Moment
from cleaner.result import Migrated, Result

_STATE, _BEGUN, _DONE = "state", "begun", "done"
_MOST = 400_000
"""Characters of a list of GitRepos: a ConfigMap holds a megabyte, and this one two lists."""


class Marker:
    """
    One ConfigMap. In a dry run it is read, if it can be, and never written.

    `scope` tells in words what is looked after: its name does not tell all of that.
    """

    def __init__(self, markers: Markers, name: str, scope: str, *, dry_run: bool) -> None:
        self._markers, self._scope, self._dry_run = markers, scope, dry_run
        self.name = name

    def read(self) -> Mapping[str, str]:
        """What it says; empty where there is none. Raises a ClusterError where it cannot be read."""
        try:
            return self._markers.marker(self.name) or {}
        except ClusterError:
            if self._dry_run:
                return {}
            raise

    def done(self, data: Mapping[str, str]) -> bool:
        """Whether the migration was done, for all that is looked after now."""
        return data.get(_STATE) == _DONE and data.get("scope") == self._scope

    def forced(self, data: Mapping[str, str]) -> list[str]:
        """GitRepos that an attempt which was cut off has unblocked, or was about to."""
        return data.get("forced", "").split() if data.get(_STATE) == _BEGUN else []

    def begin(self, migrated: Migrated) -> None:
        """Note whom we are about to unblock: if we are cut off, the next attempt still names them."""
        self._markers.mark(self.name, {_STATE: _BEGUN, "fleet": migrated.fleet, "forced": _names(migrated.forced)})

    def finish(self, result: Result, now: Moment) -> None:
        """Note that it was done, and what."""
        migrated = result.migrated
        if migrated is None or self._dry_run:
            return
        deleted = sum(deletion.fate is Fate.DELETED for deletion in result.deletions.values())
        done = {
            _STATE: _DONE,
            "fleet": migrated.fleet,
            "scope": self._scope,
            "at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "deleted": str(deleted),
            "adopted": _names(migrated.adopted),
            "forced": _names(migrated.forced),
        }
        self._markers.mark(self.name, done)


def _names(gitrepos: list[str]) -> str:
    """Join as many as there is room for."""
    text = " ".join(gitrepos)
    return text if len(text) <= _MOST else text[:_MOST].rpartition(" ")[0]
