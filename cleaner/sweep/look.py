"""Look: read GitRepos, Namespaces and Jobs into an inventory; what cannot be read is not judged, and told."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from cleaner.cluster import ClusterError, Denied, Expired, Stock
from cleaner.fleet import Page
from cleaner.happened import NamespaceRefused, Observer, Read, Unreadable
from cleaner.inventory import Inventory
from cleaner.model import GitRepo, Job, Namespace
from cleaner.scope import Scope

Fact = TypeVar("Fact")


class Looked(msgspec.Struct):
    """
    What a look has found.

    `foreign` counts the Jobs that no GitRepo controls, `parts` the parts of the scope (Namespaces, or the whole cluster as
    one) that could be read; `unreadable` is what could not even be named.
    """

    inventory: Inventory
    refused: list[NamespaceRefused] = msgspec.field(default_factory=list)
    unreadable: list[Unreadable] = msgspec.field(default_factory=list)
    foreign: int = 0
    parts: int = 0


def look(stock: Stock, scope: Scope, tell: Observer) -> Looked:
    """Look at the whole scope: cluster-wide, or one named Namespace after the other, so that a Role in each is enough."""
    looked = Looked(Inventory())
    if not scope.namespaces:
        _part(looked, "", tell, lambda: _everywhere(stock, scope, looked, tell))
    for name in filter(scope.covers_namespace, scope.namespaces):
        _part(looked, name, tell, lambda name=name: _namespace(stock, name, scope, looked, tell))  # type: ignore[misc]
    return looked


def look_at(stock: Stock, gitrepo: GitRepo, tell: Observer) -> Looked:
    """Look at one GitRepo and what its Namespace holds of its Jobs."""
    looked = Looked(Inventory())
    scope = Scope(namespaces=(gitrepo.namespace,))
    _part(looked, gitrepo.namespace, tell, lambda: _namespace(stock, gitrepo.namespace, scope, looked, tell))
    return looked


def _part(looked: Looked, name: str, tell: Observer, read: Callable[[], None]) -> None:
    """Read one part of the scope; if that fails, nothing of it is kept in the inventory."""
    try:
        read()
        looked.parts += 1
    except ClusterError as error:
        refused = NamespaceRefused(name, "list", str(error), isinstance(error, Denied))
        looked.refused.append(refused)
        tell(refused)


def _everywhere(stock: Stock, scope: Scope, looked: Looked, tell: Observer) -> None:
    namespaces = _whole("Namespace", stock.namespaces, looked, tell)
    _take_in(stock, "", namespaces, scope, looked, tell)


def _namespace(stock: Stock, name: str, scope: Scope, looked: Looked, tell: Observer) -> None:
    namespace = stock.namespace(name)
    if namespace is None:
        raise Denied("there is no such Namespace")
    _take_in(stock, name, [namespace], scope, looked, tell)


def _take_in(stock: Stock, name: str, namespaces: Iterable[Namespace], scope: Scope, looked: Looked, tell: Observer) -> None:
    """Take in nothing until all of it has been read: Jobs without their GitRepos would look as if nobody owned them."""
    gitrepos: list[GitRepo] = _whole("GitRepo", lambda: stock.gitrepos(name), looked, tell)
    jobs: list[Job] = _whole("Job", lambda: stock.jobs(name), looked, tell)
    looked.inventory.add_namespaces(namespaces)
    looked.inventory.add_gitrepos(gitrepos, scope)
    looked.inventory.add_jobs(jobs, scope)


def _whole(kind: str, pages: Callable[[], Iterator[Page[Fact]]], looked: Looked, tell: Observer) -> list[Fact]:
    """Read a list to its end; if its version expires on the way, once more from the beginning."""
    try:
        facts, unreadable, foreign = _gather(kind, pages(), tell)
    except Expired:
        facts, unreadable, foreign = _gather(kind, pages(), tell)
    looked.foreign += foreign
    looked.unreadable += unreadable
    for bad in unreadable:
        tell(bad)
    return facts


def _gather(kind: str, pages: Iterator[Page[Fact]], tell: Observer) -> tuple[list[Fact], list[Unreadable], int]:
    facts: list[Fact] = []
    unreadable: list[Unreadable] = []
    foreign = 0
    for page in pages:
        facts += page.facts
        foreign += page.foreign
        unreadable += [Unreadable(kind, bad.namespace, bad.name, bad.problem) for bad in page.unreadable]
        tell(Read(kind, len(facts) + foreign))
    return facts, unreadable, foreign
