"""Lists and single reads: pages of raw JSON in, facts out; patience with a server in trouble, and no more than that."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

import msgspec

from cleaner.cluster import Clock, ClusterError, Denied, Expired, Throttled, Unreachable
from cleaner.fleet import Body, Page
from cleaner.kube.connection import Answer, Connection, is_not_found, message_of
from cleaner.kube.failures import NotSent

PAGE_SIZE = 500
_ATTEMPTS = 4
_FIRST_BREATH = 0.5
_LONGEST_PATIENCE = 60.0

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What an answer raises that is not what it should be."""

Fact = TypeVar("Fact")


class Reads:
    """GETs with retries of our own: an answer that never came, a 429 and a 5xx are asked again, with growing breaths."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """
        GET once it works: 200 or 404.

        Raises:
            Denied: 401 or 403.
            Expired: 410.
            Throttled, Unreachable, ClusterError: it did not work in time.

        """
        breath = _FIRST_BREATH
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._connection.send("GET", path, query)
            except Unreachable as error:
                if attempt == _ATTEMPTS or (isinstance(error, NotSent) and attempt > 1):
                    raise
                self._clock.sleep(breath)
            else:
                if answer.status in (200, 404) or attempt == _ATTEMPTS:
                    return settled(answer)
                if answer.status != 429 and answer.status < 500:
                    return settled(answer)
                self._clock.sleep(min(answer.retry_after or breath, _LONGEST_PATIENCE))
            breath *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def pages(
        self, path: str, decode: Callable[[Body], Page[Fact]], selectors: Mapping[str, str] | None = None
    ) -> Iterator[Page[Fact]]:
        """
        Read a list page by page; `selectors` leave out what they do not select.

        Raises:
            Denied: we may not list it, or its kind is not served.
            Expired: the list took longer than the server remembers; whoever asked begins again.

        """
        query = {"limit": str(PAGE_SIZE), **(selectors or {})}
        while True:
            page = self._page(path, query, decode)
            yield page
            if not page.next:
                return
            if page.next == query.get("continue"):
                raise ClusterError(f"{path}: the list does not go on")
            query["continue"] = page.next

    def _page(self, path: str, query: Mapping[str, str], decode: Callable[[Body], Page[Fact]]) -> Page[Fact]:
        """Read one page; its body is gone when this returns, so that the next one can have its place in memory."""
        answer = self.get(path, query)
        if answer.status == 404:
            raise Denied(f"{path} is not served here: is Fleet installed?")
        return self._understood(path, query, answer, decode)

    def decoded(self, path: str, decode: Callable[[Body], Fact]) -> Fact | None:
        """GET and decode one object; None where the API says that there is none."""
        answer = self.get(path)
        if answer.status == 404:
            if is_not_found(answer):
                return None
            raise ClusterError(f"{path}: {message_of(answer)}, which is not the API's way to say that there is none")
        return self._understood(path, None, answer, decode)

    def _understood(self, path: str, query: Mapping[str, str] | None, answer: Answer, decode: Callable[[Body], Fact]) -> Fact:
        """Decode an answer; one that is no JSON at all is asked for once more."""
        try:
            return decode(answer.body)
        except NOT_JSON:
            answer = self.get(path, query)
        try:
            return decode(answer.body)
        except NOT_JSON as error:
            raise ClusterError(f"{path}: the answer is not what the API promises: {str(error)[:200]}") from error


def list_path(group: str, namespace: str, plural: str) -> str:
    """Path of a list in a Namespace, or in all of them for an empty name."""
    return f"{group}/namespaces/{segment(namespace)}/{plural}" if namespace else f"{group}/{plural}"


def segment(name: str) -> str:
    """One path segment, so that nothing in a name can lead elsewhere."""
    return quote(name, safe="")


def settled(answer: Answer) -> Answer:
    """Hand on 200 and 404, raise anything else by its meaning."""
    if answer.status in (200, 404):
        return answer
    raise refused(answer)


def refused(answer: Answer) -> ClusterError:
    """The error that an answer is."""
    if answer.status in (401, 403):
        return Denied(message_of(answer))
    if answer.status == 410:
        return Expired(message_of(answer))
    return (Throttled if answer.status == 429 else ClusterError)(message_of(answer))
