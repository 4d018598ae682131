"""Errors of Jobs that Events of ours on their GitRepos keep."""

from datetime import datetime

import msgspec

from cleaner.failures import KEPT, kept_in
from cleaner.fleet import Body, Page
from cleaner.kube.announcing import COMPONENT
from cleaner.kube.reads import Reads, list_path
from cleaner.model import KeptError, Owner


class _Object(msgspec.Struct, frozen=True):
    namespace: str = ""
    name: str = ""
    uid: str = ""


class _Source(msgspec.Struct, frozen=True):
    component: str = ""


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    creation_timestamp: datetime | None = None


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    involved_object: _Object
    metadata: _Metadata
    source: _Source = _Source()
    message: str = ""
    last_timestamp: datetime | None = None


class _Continue(msgspec.Struct, frozen=True, rename={"next": "continue"}):
    next: str = ""


class _Events(msgspec.Struct, frozen=True):
    items: list[_Event] | None = None
    metadata: _Continue = _Continue()


_EVENTS = msgspec.json.Decoder(_Events)


class Kept:
    """See `cluster.KeptErrors`. The API itself leaves out all other Events."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def kept_errors(self, namespace: str, gitrepo_uid: str = "") -> list[KeptError]:
        """List them, the newest first; those of another writer that use our reason are left out."""
        selector = f"involvedObject.kind=GitRepo,reason={KEPT}"
        if gitrepo_uid:
            selector += f",involvedObject.uid={gitrepo_uid}"
        pages = self._reads.pages(list_path("/api/v1", namespace, "events"), _page, {"fieldSelector": selector})
        return sorted((error for page in pages for error in page.facts), key=lambda error: error.at, reverse=True)


def _page(body: Body) -> Page[KeptError]:
    read = _EVENTS.decode(body)
    facts = [_error(event) for event in read.items or () if event.source.component == COMPONENT]
    return Page(facts, [], 0, "", read.metadata.next)


def _error(event: _Event) -> KeptError:
    involved, at = event.involved_object, event.last_timestamp or event.metadata.creation_timestamp
    owner = Owner(involved.namespace, involved.name, involved.uid)
    return KeptError(owner, *kept_in(event.message), at.timestamp() if at else 0.0)
