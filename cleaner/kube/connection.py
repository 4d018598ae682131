"""One request to the API server, with a time limit, and its answer or its error by meaning."""

import threading
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from kubernetes import client
from urllib3.exceptions import HTTPError, NewConnectionError

from cleaner.cluster import Clock, Unreachable
from cleaner.durations import Seconds
from cleaner.fleet import Body
from cleaner.kube.configuration import Where, load_configuration

_CHUNK = 1 << 16
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

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        timeout: Seconds | None = None,
    ) -> Answer:
        """
        Send one request and read its whole answer, whatever its status.

        Raises:
            Unreachable: no whole answer came in time. Only `NotSent` proves that the server saw nothing.

        """
        api = self._client
        answer = self._once(api, method, path, query, body, timeout or self._timeout)
        if answer.status == 401:
            self._reload(api)
            answer = self._once(self._client, method, path, query, body, timeout or self._timeout)
        return answer

    def _reload(self, used: Any) -> None:
        with self._lock:
            if self._client is used:
                self._client, self.where = self._load()

    def _once(self, api: Any, method: str, path: str, query: Any, body: object, timeout: Seconds) -> Answer:
        headers = self._credentials(api) | self._headers
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = api.configuration.host + path + ("?" + urlencode(query, quote_via=quote) if query else "")
        deadline = self._clock.monotonic() + timeout
        self.requests += 1
        try:
            response = api.call_api(method, url, headers, body, _request_timeout=(min(timeout, 10.0), timeout)).response
            return self._answer(response, self._read(response, deadline))
        except NewConnectionError as error:
            raise NotSent(describe(error)) from error
        except (HTTPError, OSError) as error:
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
                headers = {}
                api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
                self._kept = (api, now + _CREDENTIALS_KEPT, headers)
        return headers

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: Seconds) -> bytearray:
        """Read the body within the time limit: a server that sends a byte a second must not hold us for ever."""
        body = bytearray()
        try:
            # As it comes: `stream` and `read` gather a whole chunk first, and look at no clock before they have it.
            while chunk := response.read1(_CHUNK):
                body += chunk
                if self._clock.monotonic() > deadline:
                    raise Unreachable("the answer was still coming in when its time was up")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return body

    def _answer(self, response: urllib3.BaseHTTPResponse, body: bytearray) -> Answer:
        date = response.headers.get("Date", "")
        if date not in ("", self._date):
            self._note_date(date)
        return Answer(response.status, body, _retry_after(response.headers.get("Retry-After")))

    def _note_date(self, date: str) -> None:
        try:
            # The header is cut to the second: half of one is the best guess of the rest.
            self.skew = parsedate_to_datetime(date).timestamp() + 0.5 - self._clock.now()
        except (ValueError, TypeError, IndexError):
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


def message_of(answer: Answer) -> str:
    """What a `Status` says, cut; the body of anything else is not repeated, for it may be a proxy's page."""
    try:
        status = msgspec.json.decode(answer.body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"HTTP {answer.status}"
    return f"{answer.status} {status.reason}: {' '.join(status.message.split())[:256]}".strip(": ")
