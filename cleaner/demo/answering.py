"""One request, one answer: which verb it is, and in which form the answer goes out."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cleaner.demo import status
from cleaner.demo.discovery import describe
from cleaner.demo.kinds import REVIEW, Object
from cleaner.demo.patching import PATCHES
from cleaner.demo.pod_logs import log_of
from cleaner.demo.reading import page
from cleaner.demo.routing import Place, place
from cleaner.demo.store import Store
from cleaner.demo.tables import table
from cleaner.demo.watching import Show, Watch
from cleaner.demo.writing import Writer

_ACCEPTED = ("application/json", "application/*", "*/*")
_MISSHAPEN = (AttributeError, KeyError, TypeError, ValueError)
"""What an object of an impossible shape leads to: there is no schema here that would have caught it before."""
_READ = ("application/json", "")
"""Media types of bodies. kubectl's typed commands (`create namespace`) send protobuf, and are refused (415)."""


@dataclass(frozen=True)
class Request:
    """An HTTP request, its query's last values, and its body as bytes."""

    method: str
    path: str
    query: Mapping[str, str]
    accept: str = ""
    media_type: str = ""
    body: bytes = b""

    def json(self) -> Any:
        """The body; None when there is none. Raises RefusedError (400, 415)."""
        if self.body and self.media_type not in _READ and not self.media_type.endswith("+json"):
            text = "the body of the request was in an unknown format - accepted media types include: application/json"
            raise status.RefusedError(415, "UnsupportedMediaType", text)
        try:
            return json.loads(self.body) if self.body else None
        except ValueError as fault:
            raise status.bad_request(f"couldn't get version/kind; json parse error: {fault}") from fault


@dataclass(frozen=True)
class Answer:
    """A whole answer, or the lines of a watch."""

    code: int
    body: Object | str | None = None
    lines: Iterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """The Kubernetes API over one store. Its one method may be called from many threads."""

    def __init__(self, store: Store, writer: Writer, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self._store = store
        self._writer = writer
        self._now = now
        self._clock = clock
        self.bookmark_every = 60.0

    def answer(self, request: Request) -> Answer:
        """The answer to the request; refusals are answers too."""
        try:
            return self._answer(request)
        except status.RefusedError as refusal:
            seconds = refusal.body.get("details", {}).get("retryAfterSeconds")
            return Answer(refusal.code, refusal.body, headers={"Retry-After": str(seconds)} if seconds else {})
        except _MISSHAPEN as fault:
            return Answer(400, status.bad_request(f"cannot be handled as what it should be: {fault!r}").body)

    def _answer(self, request: Request) -> Answer:
        if request.path in ("/healthz", "/livez", "/readyz"):
            return Answer(200, "ok")
        if document := describe(request.path):
            return Answer(200, document)
        asked = place(request.path)
        if asked is None:
            return Answer(404, "404 page not found\n")
        if not _acceptable(request.accept):
            raise status.RefusedError(406, "NotAcceptable", "406: Not Acceptable\n\nAvailable: application/json", {})
        return self._at_object(request, asked) if asked.name else self._at_collection(request, asked)

    def _at_collection(self, request: Request, asked: Place) -> Answer:
        if request.method == "POST" and bool(asked.namespace) == asked.kind.namespaced:
            body = {} if asked.kind == REVIEW else request.json()  # the answer is the same for all, protobuf or not
            return Answer(201, self._writer.create(asked.kind, asked.namespace or "", body, request.query))
        if request.method != "GET" or asked.kind == REVIEW:
            raise status.unsupported_verb()
        if request.query.get("watch") in ("true", "1"):
            return Answer(200, lines=self._watch(request, asked))
        listed = page(self._store, asked.kind, asked.namespace, request.query)
        return Answer(200, self._shown(request, asked, listed["items"], listed["metadata"]) or listed)

    def _at_object(self, request: Request, asked: Place) -> Answer:
        kind, key = asked.kind, asked.key
        if request.method == "GET" and kind != REVIEW:
            with self._store.lock:
                obj = self._store.get(kind, key)
            if asked.part == "log":
                return Answer(200, log_of(obj, request.query))
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return Answer(200, self._shown(request, asked, [obj], meta) or obj)
        if asked.part == "log":
            raise status.unsupported_verb()
        if request.method == "PUT":
            return Answer(200, self._writer.update(kind, key, asked.part, request.json(), request.query))
        if request.method == "PATCH":
            change = request.json() if request.media_type in PATCHES else None
            return Answer(200, self._writer.patch(kind, key, asked.part, request.media_type, change, request.query))
        if request.method == "DELETE" and not asked.part:
            return Answer(200, self._writer.delete(kind, key, request.json(), request.query))
        raise status.unsupported_verb()

    def _watch(self, request: Request, asked: Place) -> Iterator[bytes]:
        watch = Watch(self._store, asked.kind, request.query, bookmark_every=self.bookmark_every)
        show: Show = lambda obj: self._shown(request, asked, [obj], {}) or obj  # noqa: E731 - it has no name to give
        return watch.lines(asked.namespace, show, self._clock)

    def _shown(self, request: Request, asked: Place, objects: list[Object], metadata: Object) -> Object | None:
        """The objects as a Table, when the client would rather have one."""
        if "as=Table" not in request.accept.partition(",")[0]:
            return None
        include = request.query.get("includeObject", "Metadata")
        return table(asked.kind, objects, metadata, include, self._now())


def _acceptable(accept: str) -> bool:
    kinds = [part.partition(";")[0].strip() for part in accept.split(",")]
    return not accept or any(kind in _ACCEPTED for kind in kinds)
