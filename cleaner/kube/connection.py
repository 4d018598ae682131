"""One request to the API server, with a time limit, and its answer or its error by meaning."""

import threading
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from kubernetes import client
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from cleaner.cluster import Clock, Misconfigured, Unreachable
from cleaner.durations import Seconds
from cleaner.fleet import Body
from cleaner.kube.body import read_body
from cleaner.kube.configuration import IN_CLUSTER, Where, load_configuration

_CONNECT: Seconds = 10.0
_CREDENTIALS_KEPT: Seconds = 1.0


class Answer(NamedTuple):
    """What came back: a status, the body whole, and the seconds that the server asks us to wait."""

    status: int
    body: Body
    retry_after: Seconds | None


class NotSent(Unreachable):
    """The request cannot have reached the server: no connection could be made."""


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


class Connection:
    """
    The official client's connection pool and credentials; `source` is a kubeconfig and a context, each may be empty.

    A 401 loads the configuration afresh, once for each request; nothing else is ever repeated here.
    """

    def __init__(self, source: tuple[str, str], user_agent: str, timeout: Seconds, clock: Clock, connections: int = 16) -> None:
        self._source = source
        self._headers = {"Accept": "application/json", "User-Agent": user_agent}
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._date = ""
        self._kept: tuple[Any, Seconds, dict[str, str]] = (None, 0.0, {})
        self._connections = connections
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
    ) -> Answer:
        """
        Send one request and read its whole answer, whatever its status. A GET is repeated after a 401, nothing else is.

        Raises:
            Unreachable: no whole answer came in time. Only `NotSent` proves that the server saw nothing.
            Misconfigured: there are no credentials to send, or they are now for another cluster.

        """
        api = self._client
        request = (method, path + ("?" + urlencode(query, quote_via=quote) if query else ""), body, min(connect, _CONNECT))
        answer = self._once(api, *request)
        if answer.status == 401:
            self._reload(api)
            return self._once(self._client, *request) if method == "GET" else answer
        return answer

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

    def _once(self, api: Any, method: str, path: str, body: object, connect: Seconds) -> Answer:
        headers = self._credentials(api) | self._headers
        if body is not None:
            headers["Content-Type"] = "application/json"
        deadline = self._clock.monotonic() + self._timeout
        limits = (min(connect, self._timeout), self._timeout)
        self.requests += 1
        try:
            # Not the client's own host: it may hold a password, which errors would repeat, and nothing goes to another server.
            response = api.call_api(method, self.where.server + path, headers, body, _request_timeout=limits).response
            self._note_date(response.headers.get("Date", ""))
            retry_after = _retry_after(response.headers.get("Retry-After"))
            body = read_body(response, lambda: self._in_time(deadline))
            return Answer(response.status, body, retry_after)
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise NotSent(describe(error)) from error
        except (HTTPError, HTTPException, OSError) as error:
            raise Unreachable(describe(error)) from error
        except client.ApiException as error:
            # The client wraps an error of TLS in this, with no status.
            raise Unreachable(describe(error.__context__ or error)) from error

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

    def _in_time(self, deadline: Seconds) -> None:
        if self._clock.monotonic() > deadline:
            raise Unreachable("the answer was still coming in when its time was up")

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


def _retry_after(text: str | None) -> Seconds | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None


def describe(error: BaseException) -> str:
    """Tell a connection's error in one line: the innermost cause says most, and no URL with its query is repeated."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None) or cause.__cause__ or cause.__context__) and isinstance(inner, BaseException):
        cause = inner
    text = str(cause).rpartition(": ")[2] if isinstance(cause, NewConnectionError) else str(cause)
    return " ".join(f"{type(cause).__name__}: {text}".split())[:300]


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
