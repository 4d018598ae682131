"""Whole pages of a list, decoded at once; one bad object costs that object only."""

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from cleaner import model
from cleaner.fleet import objects, wire
from cleaner.fleet.objects import Shared
from cleaner.fleet.wire import Body

Fact = TypeVar("Fact")
Wire = TypeVar("Wire")
Encoded = Body | msgspec.Raw


class Unreadable(msgspec.Struct, frozen=True):
    """An object of a page that could not even be told apart from others, or that holds what its kind must not hold."""

    namespace: str
    name: str
    problem: str


class Page(msgspec.Struct, Generic[Fact], frozen=True):
    """
    Facts of one page of a list.

    `foreign` counts the Jobs that no GitRepo controls; `next` is the continue token, empty at the end.
    """

    facts: list[Fact]
    unreadable: list[Unreadable]
    foreign: int
    version: str
    next: str


class _Named(msgspec.Struct):
    """The least that a Job must have, so that a verdict can be told of it."""

    metadata: wire.JobMetadata


class _Described(msgspec.Struct):
    """What the API itself answers for: it has checked the metadata of every kind alike."""

    metadata: wire.Metadata


class _Identity(msgspec.Struct):
    name: str
    namespace: str = ""
    uid: str = ""
    deletionTimestamp: str | None = None  # noqa: N815 - Kubernetes writes its fields so


class _Identified(msgspec.Struct):
    metadata: _Identity


def _decoders(kind: Any) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    return msgspec.json.Decoder(wire.Listed[kind]), msgspec.json.Decoder(kind)


_JOBS, _JOB = _decoders(wire.Job)
_GITREPOS, _GITREPO = _decoders(wire.GitRepo)
_NAMESPACES, _NAMESPACE = _decoders(wire.Namespace)
_STATE = msgspec.json.Decoder(wire.WholeGitRepo)
_NAMED = msgspec.json.Decoder(_Named)
_DESCRIBED = msgspec.json.Decoder(_Described)
_IDENTIFIED = msgspec.json.Decoder(_Identified)
_RAW = msgspec.json.Decoder(wire.Listed[msgspec.Raw])

BAD = (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError)
"""What one object that is not what it should be may raise: a wrong type, bytes that are no text, a time beyond the calendar."""


def job_page(body: Body, shared: Shared) -> Page[model.Job]:
    """
    Facts of a page of Jobs. A Job that cannot be understood but has a name and an owner becomes a fact with a `problem`.

    Raises:
        msgspec.DecodeError: the body is not a list of anything.

    """
    understand = functools.partial(objects.job, shared=shared)
    return _page(body, (_JOBS, _JOB), understand, functools.partial(_rescue_job, shared=shared))


def gitrepo_page(body: Body) -> Page[model.GitRepo]:
    """
    Facts of a page of GitRepos.

    Raises:
        msgspec.DecodeError: the body is not a list of anything.

    """
    return _page(body, (_GITREPOS, _GITREPO), objects.gitrepo, _rescue_gitrepo)


def namespace_page(body: Body) -> Page[model.Namespace]:
    """
    Facts of a page of Namespaces.

    Raises:
        msgspec.DecodeError: the body is not a list of anything.

    """
    return _page(body, (_NAMESPACES, _NAMESPACE), objects.namespace, _rescue_namespace)


def read_job(body: Body) -> model.Job | None:
    """Facts of a single Job; None where no GitRepo controls it. Raises as `msgspec.json.decode` does."""
    return objects.job(_JOB.decode(body), {})


def find_job(body: Encoded, shared: Shared) -> model.Job | None:
    """Facts of a single Job, as a list would have them: one that cannot be understood has a `problem`. Raises if nameless."""
    understand = functools.partial(objects.job, shared=shared)
    return _single(body, _JOB, understand, functools.partial(_rescue_job, shared=shared))


def read_identity(body: Body) -> tuple[str, bool]:
    """Uid of any single object, and whether it is being deleted. Raises where it has no uid."""
    metadata = _IDENTIFIED.decode(body).metadata
    return metadata.uid, metadata.deletionTimestamp is not None


def read_gitrepo(body: Encoded) -> model.GitRepo:
    """Facts of a single GitRepo; what cannot be decoded is its `problem`. Raises where it has no name."""
    return _single(body, _GITREPO, objects.gitrepo, _rescue_gitrepo)


def read_gitrepo_state(body: Encoded) -> model.GitRepoState:
    """Facts of a single GitRepo, with what Fleet tells of it; what cannot be decoded is its `problem`. Raises if nameless."""
    return _single(body, _STATE, objects.gitrepo_state, _rescue_state)


def read_namespace(body: Encoded) -> model.Namespace:
    """Facts of a single Namespace; what cannot be decoded is its `problem`. Raises where it has no name."""
    return _single(body, _NAMESPACE, objects.namespace, _rescue_namespace)


def _single(
    body: Encoded,
    decoder: msgspec.json.Decoder[Wire],
    understand: Callable[[Wire], Fact],
    rescue: Callable[[Encoded, str], Fact],
) -> Fact:
    try:
        return understand(decoder.decode(body))
    except BAD as error:
        return rescue(body, str(error))


def _page(
    body: Body,
    decoders: tuple[Any, Any],
    understand: Callable[[Any], Fact | None],
    rescue: Callable[[Any, str], Fact | None],
) -> Page[Fact]:
    whole, single = decoders
    try:
        listed = whole.decode(body)
        read = [understand(item) for item in listed.items or ()]
        bad: list[Unreadable] = []
    except BAD:
        # Something on this page is not what it should be: take the page apart, so that it costs only that object.
        listed = _RAW.decode(body)
        read, bad = _one_by_one(listed.items or [], single, understand, rescue)
    facts = [fact for fact in read if fact is not None]
    return Page(facts, bad, len(read) - len(facts), listed.metadata.resourceVersion, listed.metadata.next)


def _one_by_one(
    items: list[msgspec.Raw],
    single: Any,
    understand: Callable[[Any], Fact | None],
    rescue: Callable[[Any, str], Fact | None],
) -> tuple[list[Fact | None], list[Unreadable]]:
    read: list[Fact | None] = []
    bad: list[Unreadable] = []
    for item in items:
        try:
            read.append(understand(single.decode(item)))
        except BAD as error:
            try:
                read.append(rescue(item, str(error)))
            except BAD:
                bad.append(unnamed(item, str(error)))
    return read, bad


def _rescue_job(item: Encoded, problem: str, shared: Shared) -> model.Job | None:
    found = objects.job(wire.Job(_NAMED.decode(item).metadata), shared)
    return found and msgspec.structs.replace(found, problem=problem)


def _rescue_gitrepo(item: Encoded, problem: str) -> model.GitRepo:
    """What its metadata tells is kept, if they can be understood: whether it is ours, leaves, and carries our finalizer."""
    try:
        read = wire.GitRepo(_DESCRIBED.decode(item).metadata)
    except BAD:
        known = _IDENTIFIED.decode(item).metadata
        read = wire.GitRepo(wire.Metadata(known.name, known.namespace, known.uid))
    return msgspec.structs.replace(objects.gitrepo(read), settled=True, problem=f"its GitRepo: {problem}")


def _rescue_state(item: Encoded, problem: str) -> model.GitRepoState:
    return model.GitRepoState(_rescue_gitrepo(item, problem), "")


def _rescue_namespace(item: Encoded, problem: str) -> model.Namespace:
    return model.Namespace(_IDENTIFIED.decode(item).metadata.name, problem=f"its Namespace: {problem}")


def unnamed(item: msgspec.Raw, problem: str) -> Unreadable:
    """Name what can still be named: a nameless object is told with question marks rather than left out."""
    try:
        found = msgspec.json.decode(bytes(item).decode(errors="replace"))
    except BAD:
        found = None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    known = metadata if isinstance(metadata, dict) else {}
    return Unreadable(str(known.get("namespace", "?"))[:63], str(known.get("name", "?"))[:253], problem[:300])
