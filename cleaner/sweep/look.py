"""Look: read GitRepos, Namespaces and Jobs into an inventory; what cannot be read is not judged, and told."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from cleaner.cluster import Brake, ClusterError, Denied, Refusal, Stock, whole
from cleaner.fleet import Page
from cleaner.happened import NamespaceRefused, Observer, Read, Unreadable
from cleaner.inventory import Inventory
from cleaner.model import Namespace
from cleaner.scope import Scope

Fact = TypeVar("Fact")


class Looked(msgspec.Struct):
    """
    What a look has found.

    `foreign` counts the Jobs that no GitRepo controls, `parts` the parts of the scope (Namespaces, or the whole cluster as
    one) that could be read; `unreadable` is what could not even be named; `stopped` is the brake that cut it short.
    """

    inventory: Inventory
    stopped: Refusal | None = None
    refused: list[NamespaceRefused] = msgspec.field(default_factory=list)
    unreadable: list[Unreadable] = msgspec.field(default_factory=list)
    foreign: int = 0
    parts: int = 0


def look(stock: Stock, scope: Scope, tell: Observer, stop: Brake) -> Looked:
    """Look at the whole scope: cluster-wide, or one named Namespace after the other, so that a Role in each is enough."""
    looked = Looked(Inventory())
    reading = _Reading(stock, scope, looked, tell, stop)
    if not scope.namespaces:
        reading.part("", reading.everywhere)
    for name in filter(scope.covers_namespace, scope.namespaces):
        reading.part(name, functools.partial(reading.namespace, name))
    return looked


def is_missing(stock: Stock, namespace: str) -> bool:
    """Whether a Namespace that somebody named is proven not to exist: its empty lists look like those of one that does."""
    try:
        return bool(namespace) and stock.namespace(namespace) is None
    except Denied:
        return False


class _Reading(NamedTuple):
    """One look under way."""

    stock: Stock
    scope: Scope
    looked: Looked
    tell: Observer
    stop: Brake

    def part(self, name: str, read: Callable[[], None]) -> None:
        """Read one part of the scope; if that fails, nothing of it is kept in the inventory."""
        try:
            read()
            self.looked.parts += 1
        except ClusterError as error:
            refused = NamespaceRefused(name, "read", str(error), isinstance(error, Denied))
            self.looked.refused.append(refused)
            self.tell(refused)

    def everywhere(self) -> None:
        """Read the whole cluster."""
        self._take_in("", self._whole("Namespace", self.stock.namespaces))

    def namespace(self, name: str) -> None:
        """Read one Namespace."""
        found = self.stock.namespace(name)
        if found is None:
            raise Denied("there is no such Namespace")
        self._take_in(name, [found])

    def _take_in(self, name: str, namespaces: list[Namespace]) -> None:
        """Take in nothing until all of it has been read: Jobs without their GitRepos would look as if nobody owned them."""
        gitrepos = self._whole("GitRepo", lambda: self.stock.gitrepos(name))
        jobs = self._whole("Job", lambda: self.stock.jobs(name))
        inventory = self.looked.inventory
        inventory.add_namespaces(namespaces)
        inventory.add_gitrepos(gitrepos, self.scope)
        inventory.add_jobs(jobs, self.scope)

    def _whole(self, kind: str, pages: Callable[[], Iterator[Page[Fact]]]) -> list[Fact]:
        facts, unreadable, foreign = whole(lambda: self._gather(kind, pages()))
        self.looked.foreign += foreign
        self.looked.unreadable += unreadable
        for bad in unreadable:
            self.tell(bad)
        return facts

    def _gather(self, kind: str, pages: Iterator[Page[Fact]]) -> tuple[list[Fact], list[Unreadable], int]:
        facts: list[Fact] = []
        unreadable: list[Unreadable] = []
        foreign = 0
        for page in pages:
            facts += page.facts
            foreign += page.foreign
            unreadable += [Unreadable(kind, bad.namespace, bad.name, bad.problem) for bad in page.unreadable]
            self.tell(Read(kind, len(facts) + foreign))
            refusal = self.stop()
            if refusal is not None:
                self.looked.stopped = refusal
                raise ClusterError(f"stopped while reading: {refusal.text}")
        return facts, unreadable, foreign
