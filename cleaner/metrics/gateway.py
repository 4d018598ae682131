"""The Pushgateway: where the totals of a run go, within a time limit, and what is wrong if they do not."""

import base64
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, push_to_gateway, pushadd_to_gateway
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from cleaner.durations import Seconds, format_duration
from cleaner.guard import guarded
from cleaner.masking import masked

JOB = "gitjob-cleaner"
"""The label `job` of all that is pushed."""

_DETAIL = 300


class NotPushed(Exception):
    """The totals did not arrive, or nobody knows whether they did; the text says why, without credentials."""


class Gateway(msgspec.Struct, frozen=True):
    """
    Where to push, as whom, under which labels, and how long that may take in all.

    `ca`, `cert` and `key` are paths of PEM files, `password_file` that of a file with the password alone; empty ones are
    not used. Files are read when they are needed: what a Secret holds changes.
    """

    url: str
    labels: Mapping[str, str] = {}
    username: str = ""
    password_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    timeout: Seconds = 5.0

    def push(self, families: Iterable[Family], *, success: bool) -> None:
        """
        Push: after a success in place of all that is there under these labels; else only in place of the same names, so that what
        is not told, the last success above all, stays.

        Raises:
            NotPushed: it did not work, or not in time.

        """
        problem = self._in_time(lambda: self._push(families, success=success))
        if problem:
            raise NotPushed(problem)

    def why_not_ready(self) -> str:
        """Ask whether it would take what is pushed, as who pushes; an empty text if it would, else why not."""
        return self._in_time(self._ask)

    def _ask(self) -> str:
        self._handler()(f"{self.url.rstrip('/')}/-/ready", "GET", self.timeout, [], None)()
        return ""

    def _in_time(self, work: Callable[[], str]) -> str:
        """Work in a thread: a name that is looked up for long, or an answer that drips, is under no time limit of the library."""
        problem: list[str] = []
        thread = threading.Thread(target=lambda: problem.append(guarded(work, _why)), name="push", daemon=True)
        thread.start()
        thread.join(self.timeout)
        return f"no answer within {format_duration(self.timeout)}" if thread.is_alive() else problem[0]

    def _push(self, families: Iterable[Family], *, success: bool) -> str:
        registry = CollectorRegistry()
        registry.register(_Told(list(families)))
        push = push_to_gateway if success else pushadd_to_gateway
        push(self.url, JOB, registry, dict(self.labels), self.timeout, self._handler())
        return ""

    def _handler(self) -> Callable[..., Callable[[], None]]:
        """Make what the library sends with: its own knows either TLS or a password, and takes a login page for a success."""
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=self._tls()))
        credentials = {"Authorization": f"Basic {self._credentials()}"} if self.username else {}

        def handler(
            url: str, method: str, timeout: Seconds, headers: list[tuple[str, str]], data: bytes | None
        ) -> Callable[[], None]:
            request = urllib.request.Request(url, data, dict(headers) | credentials, method=method)  # noqa: S310 - a setting
            return lambda: _send(opener, request, timeout)

        return handler

    def _tls(self) -> ssl.SSLContext:
        for path in filter(None, (self.ca, self.cert, self.key)):
            Path(path).read_bytes()  # it names the file that is missing; the library of TLS does not
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except ssl.SSLError as error:
            raise OSError(f"the CA, the certificate or the key cannot be used: {error.reason}") from error
        return context

    def _credentials(self) -> str:
        password = Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        return base64.b64encode(f"{self.username}:{password}".encode()).decode()


class _Told(Collector):
    """Families that are there already, for the library's registry."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> list[Family]:
        """Tell them."""
        return self._families


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET, and what that answers says nothing of what was pushed."""

    def redirect_request(self, *_: object) -> None:
        """Let the redirect be the answer, which is an error."""


def _send(opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout: Seconds) -> None:
    with opener.open(request, timeout=timeout) as answer:
        said = answer.read(_DETAIL)
    if said != (b"OK" if request.method == "GET" else b""):  # a Pushgateway says nothing when what was pushed is well
        raise OSError(f"what answered is no Pushgateway: {said.decode(errors='replace')}")


def _said(refusal: urllib.error.HTTPError) -> str:
    with refusal:
        return refusal.read(_DETAIL).decode(errors="replace")


def _why(error: Exception) -> str:
    """Tell in one line what went wrong."""
    match error:
        case urllib.error.HTTPError():
            text = f"HTTP {error.code}: {guarded(lambda: _said(error), lambda _: '') or error.reason}"
        case urllib.error.URLError():
            text = str(error.reason)
        case OSError(filename=str(path), strerror=str(meaning)):
            text = f"{path}: {meaning}"
        case TimeoutError():
            text = "no answer in time"
        case OSError():
            text = str(error)
        case _:
            text = f"{type(error).__name__}: {error}"
    return masked(text)[:_DETAIL] or type(error).__name__
