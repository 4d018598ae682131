"""`release` takes our finalizer off every GitRepo that can be seen, once: before an uninstallation, or where no guard runs."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from cleaner.cluster import Brake, ClusterError, Denied, Patches, Stock, whole
from cleaner.fleet import Unreadable
from cleaner.happened import Guarded, GuardTrouble, Happened, NamespaceRefused, Observer
from cleaner.happened import Unreadable as Illegible
from cleaner.model import GitRepo
from cleaner.service.roster import owner_of
from cleaner.sweep import is_missing


class Guards(Stock, Patches, Protocol):
    """What releasing needs."""


class Releases(msgspec.Struct):
    """
    What came of it, by the GitRepo's path. `again` carried it once more at the end: some guard still runs.

    `parts` counts what could be listed.
    """

    released: list[str] = msgspec.field(default_factory=list)
    failed: list[str] = msgspec.field(default_factory=list)
    denied: int = 0
    again: list[str] = msgspec.field(default_factory=list)
    unreadable: list[str] = msgspec.field(default_factory=list)
    refused: list[NamespaceRefused] = msgspec.field(default_factory=list)
    parts: int = 0
    stopped: bool = False

    def exit_code(self) -> int:
        """Tell the process's exit code: the first that holds of 4, 3, 1 and 0."""
        if not self.parts and self.refused:
            return 3 if all(refused.denied for refused in self.refused) else 4
        if self.denied and self.denied == len(self.failed) and not self.released:
            return 3
        return 1 if self.failed or self.again or self.unreadable or self.refused or self.stopped else 0


class Releasing:
    """Labels and exclusions do not matter here: a finalizer that is left blocks its GitRepo, whoever's scope that was in."""

    def __init__(self, cluster: Guards, namespaces: Sequence[str], tell: Observer, stop: Brake) -> None:
        self._cluster, self._namespaces, self._tell, self._stop = cluster, namespaces or ("",), tell, stop
        self.came_to = Releases()

    def find(self) -> list[GitRepo]:
        """Return all GitRepos that carry our finalizer; what cannot be listed is told and kept in mind."""
        found: list[GitRepo] = []
        for namespace in self._namespaces:
            try:
                found += self._listed(namespace)
            except ClusterError as error:
                refused = NamespaceRefused(namespace, "gitrepos", str(error), isinstance(error, Denied))
                self.came_to.refused.append(refused)
                self._tell(refused)
            else:
                self.came_to.parts += 1
        return found

    def _listed(self, namespace: str) -> list[GitRepo]:
        facts, unreadable = whole(lambda: self._gather(namespace))
        for bad in unreadable:
            # It may carry our finalizer: who uninstalls us must look for himself.
            self.came_to.unreadable.append(f"{bad.namespace}/{bad.name}")
            self._tell(Illegible("GitRepo", bad.namespace, bad.name, bad.problem))
        return facts

    def _gather(self, namespace: str) -> tuple[list[GitRepo], list[Unreadable]]:
        pages = list(self._cluster.gitrepos(namespace))
        if not any(page.facts for page in pages) and is_missing(self._cluster, namespace):
            raise Denied("there is no such Namespace")
        held = [gitrepo for page in pages for gitrepo in page.facts if gitrepo.guarded]
        return held, [bad for page in pages for bad in page.unreadable]

    def release(self, found: Sequence[GitRepo]) -> None:
        """Take the finalizer off each."""
        for gitrepo in self._until_stopped(found):
            owner = owner_of(gitrepo)
            try:
                done = self._cluster.guard(owner, held=False)
            except ClusterError as error:
                self.came_to.failed.append(gitrepo.path)
                self.came_to.denied += isinstance(error, Denied)
                self._tell(GuardTrouble(owner, "release", str(error)))
                continue
            self.came_to.released.append(gitrepo.path)
            if done:
                self._tell(Guarded(owner, held=False, why="release"))

    def _until_stopped(self, found: Sequence[GitRepo]) -> Iterator[GitRepo]:
        for gitrepo in found:
            if self._stop() is not None:
                self.came_to.stopped = True
                return
            yield gitrepo

    def look_again(self) -> None:
        """See whether any that was released carries it again, as far as can be seen: then a guard still runs."""
        released = set(self.came_to.released)
        again = Releasing(self._cluster, self._namespaces, _unheard, self._stop)
        self.came_to.again = [gitrepo.path for gitrepo in again.find() if gitrepo.path in released]
        self.came_to.refused += again.came_to.refused


def _unheard(_: Happened) -> None:
    """Do nothing: what it tells has been told."""
