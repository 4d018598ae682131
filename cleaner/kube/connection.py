"""One request to the API server, with a time limit, and its answer or its error by meaning."""

import functools
import json
import threading
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from kubernetes import client

from cleaner.cluster import Clock, Misconfigured, Unreachable
from cleaner.durations import Seconds
from cleaner.fleet import Body
from cleaner.happened import Observer, Requested
from cleaner.kube.body import read_body
from cleaner.kube.configuration import IN_CLUSTER, Where, load_configuration
from cleaner.kube.cord import Cord
from cleaner.kube.failures import NotSent, failure, meaning
from cleaner.kube.requested import asked

_CONNECT: Seconds = 10.0
_CREDENTIALS_KEPT: Seconds = 1.0


class Answer(NamedTuple):
    """What came back: a status, the body whole, and the seconds that the server asks us to wait."""

    status: int
    body: Body
    retry_after: Seconds | None


class _Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str] | None
    body: object
    connect: Seconds
    until: Seconds | None

    def target(self) -> str:
        return self.path + ("?" + urlencode(self.query, quote_via=quote) if self.query else "")


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


class _Statused(Protocol):
    @property
    def status(self) -> int: ...


Statused = TypeVar("Statused", bound=_Statused)


class Connection:
    """
    The official client's connections and credentials; `source` is a kubeconfig and a context, each may be empty.

    A 401 loads the configuration afresh, once for each request; nothing else is ever repeated here. `tell` is told of every
    single request, by the thread that asked; what it raises is its own affair.
    """

    def __init__(
        self,
        source: tuple[str, str],
        user_agent: str,
        timeout: Seconds,
        clock: Clock,
        connections: int = 16,
        tell: Observer | None = None,
    ) -> None:
        self._source = source
        self._headers = {"Accept": "application/json", "User-Agent": user_agent}
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._date = ""
        self._kept: tuple[Any, Seconds, dict[str, str]] = (None, 0.0, {})
        self._connections = connections
        self._tell = tell
        self.skew: Seconds | None = None
        self.requests = 0
        self._client, self.where = self._load()

    def _load(self) -> tuple[Any, Where]:
        configuration, where = load_configuration(*self._source)
        configuration.connection_pool_maxsize = self._connections
        return client.ApiClient(configuration), where

    def ready(self) -> None:
        """
        Have credentials at hand, so that the next request does not wait for them.

        Raises:
            Misconfigured: what the client found cannot be sent.

        """
        self._credentials(self._client)

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        connect: Seconds = _CONNECT,
        limit: Seconds | None = None,
    ) -> Answer:
        """
        Send one request and read its whole answer, whatever its status. A GET is repeated after a 401, nothing else is.

        `limit` is for all of it together: connecting, waiting, reading and being repeated.

        Raises:
            Unreachable: no whole answer came in time. Only `NotSent` proves that the server saw nothing.
            Misconfigured: there are no credentials to send, or they are now for another cluster.

        """
        api = self._client
        until = None if limit is None else self._clock.monotonic() + min(limit, self._timeout)
        request = _Request(method, path, query, body, min(connect, _CONNECT, self._timeout), until)
        answer = self._once(api, request)
        if answer.status == 401:
            self._reload(api)
            return self._once(self._client, request) if method == "GET" else answer
        return answer

    def open(self, path: str, query: Mapping[str, str], quiet: Seconds, cord: Cord) -> urllib3.BaseHTTPResponse:
        """
        Begin a watch and hand over its answer, whatever its status, unread; it comes on a connection that hangs on `cord`.

        A 401 begins it once more. `quiet` is the longest wait for a byte; whoever reads on does it within `meaning`.

        Raises:
            Unreachable: there was no answer.
            Misconfigured: there are no credentials to send, or they are now for another cluster.

        """
        request = _Request("GET", path, query, None, _CONNECT, None)
        for last in (False, True):
            api = self._client
            headers = self._credentials(api) | self._headers
            private = cord.private(api, self.where.server)
            begin = functools.partial(self._begin, private, request, headers, urllib3.Timeout(connect=_CONNECT, read=quiet))
            response = self._told("watch", request, begin)
            if response.status != 401 or last:
                break
            response.close()
            self._reload(api)
        return response

    def _reload(self, used: Any) -> None:
        """Load the configuration afresh, for the same context: the kubeconfig's current one may be another by now."""
        with self._lock:
            if self._client is not used:
                return
            in_cluster = self.where.context == IN_CLUSTER
            self._source = self._source if in_cluster else (self._source[0], self.where.context)
            fresh, where = self._load()
            if where.server != self.where.server:
                raise Misconfigured(f"context {where.context} has moved from {self.where.server} to {where.server}: start again")
            self._client = fresh

    def _once(self, api: Any, request: _Request) -> Answer:
        headers = self._credentials(api) | self._headers
        began = self._clock.monotonic()
        limits = self._limits(request, began)
        deadline = began + self._timeout
        return self._told("", request, lambda: self.read(self._begin(api, request, headers, limits), deadline, request.until))

    def _limits(self, request: _Request, now: Seconds) -> urllib3.Timeout:
        """How long to connect, how long to wait for each byte and, where there is a limit, for both together."""
        if request.until is None:
            return urllib3.Timeout(connect=request.connect, read=self._timeout)
        if request.until <= now:
            raise NotSent("its time was up before it was sent")
        return urllib3.Timeout(connect=request.connect, total=request.until - now)

    def _begin(self, api: Any, request: _Request, headers: dict[str, str], limits: urllib3.Timeout) -> urllib3.BaseHTTPResponse:
        """Send a request, with the client's connections but not through its `call_api`, which knows no limit for all together."""
        sent = None
        if request.body is not None:
            headers["Content-Type"] = _content_type(request)
            sent = json.dumps(request.body)
        # Not the client's own host: it may hold a password, which errors would repeat, and nothing goes to another server.
        url = self.where.server + request.target()
        pools: urllib3.PoolManager = api.rest_client.pool_manager
        response = pools.request(request.method, url, body=sent, headers=headers, timeout=limits, preload_content=False)
        self._note_date(response.headers.get("Date", ""))
        return response

    def read(self, response: urllib3.BaseHTTPResponse, deadline: Seconds | None = None, until: Seconds | None = None) -> Answer:
        """
        Read the rest of an answer that has begun, by the deadline or in the usual time; no wait for a byte goes beyond `until`.

        Raises:
            HTTPError, HTTPException, OSError: as the connection does; `TimeoutError` when its time is up.

        """
        end = until or deadline or self._clock.monotonic() + self._timeout
        sock = getattr(response.connection, "sock", None) if until else None

        def check() -> None:
            left = end - self._clock.monotonic()
            if left < 0:
                raise TimeoutError("the answer was still coming in when its time was up")
            if sock is not None:
                sock.settimeout(max(left, 0.001))

        if sock is not None:
            sock.settimeout(max(end - self._clock.monotonic(), 0.001))
        return Answer(response.status, read_body(response, check), _retry_after(response.headers.get("Retry-After")))

    def _told(self, verb: str, request: _Request, work: Callable[[], Statused]) -> Statused:
        """Do one request, count it, give its errors their meaning, and tell how it went."""
        began = self._clock.monotonic()
        code = "other"
        self.requests += 1
        try:
            with meaning():
                answer = work()
            code = str(answer.status)
        except Unreachable as error:
            code = failure(error)
            raise
        finally:
            if self._tell is not None:
                usual, resource = asked(request.method, request.path)
                self._tell(Requested(verb or usual, resource, code, self._clock.monotonic() - began))
        return answer

    def _credentials(self, api: Any) -> dict[str, str]:
        """
        Ask the client for its credentials, which it may read or make anew, at most once a second.

        Asking costs it a walk through the environment each time, a fifth of what a whole request costs us.
        """
        now = self._clock.monotonic()
        kept_for, until, headers = self._kept
        if kept_for is not api or now >= until:
            with self._lock:
                found: dict[str, str] = {}
                api.update_params_for_auth(found, [], ["BearerToken"], "", "GET", None)
                headers = {name: text.strip() for name, text in found.items()}
            if not all(text.isprintable() and text.isascii() for text in headers.values()):
                raise Misconfigured("the token holds characters that no header may hold")
            self._kept = (api, now + _CREDENTIALS_KEPT, headers)
        return headers

    def _note_date(self, date: str) -> None:
        """Hold the API's clock against ours, as soon as its answer begins; an answer without a date tells nothing new."""
        if date in ("", self._date):
            return
        try:
            # The header is cut to the second: half of one is the best guess of the rest.
            self.skew = parsedate_to_datetime(date).timestamp() + 0.5 - self._clock.now()
        except (ValueError, TypeError, IndexError, OverflowError):
            self.skew = None
        self._date = date

    def close(self) -> None:
        """Close the pool."""
        self._client.close()


def _content_type(request: _Request) -> str:
    if request.method != "PATCH":
        return "application/json"
    return "application/json-patch+json" if isinstance(request.body, list) else "application/merge-patch+json"


def _retry_after(text: str | None) -> Seconds | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None


def is_not_found(answer: Answer) -> bool:
    """Whether a 404 is the API's own word that the object does not exist, and not some proxy's."""
    try:
        return msgspec.json.decode(answer.body, type=_Status).reason == "NotFound"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def message_of(answer: Answer) -> str:
    """What a `Status` says, cut; the body of anything else is not repeated, for it may be a proxy's page."""
    try:
        status = msgspec.json.decode(answer.body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"HTTP {answer.status}"
    return f"{answer.status} {status.reason}: {' '.join(status.message.split())[:256]}".strip(": ")
