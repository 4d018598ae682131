"""Which path is answered by what."""

import gzip
import threading
from collections.abc import Callable

from cleaner.snapshot import Vitals
from cleaner.web.exchange import Answer, Answers, Request, line

Exposition = Callable[[str, str], tuple[str, str, bytes]]
"""The metrics for an `Accept` and an `Accept-Encoding`: their content type, their encoding (empty for none) and the bytes."""


def routes(exposition: Exposition, vitals: Callable[[], Vitals], page: Callable[[str], str]) -> Answers:
    """Serve the metrics, what probes ask, and the page for a query, one page at a time: a scrape is never behind many."""
    one_page = threading.Lock()

    def status_page(request: Request) -> Answer:
        with one_page:
            return _page(request, page(request.query))

    return {
        "/": status_page,
        **probes(exposition, lambda: vitals().ailing, lambda: vitals().ready),
    }


def probes(exposition: Exposition, ailing: Callable[[], tuple[str, ...]], ready: Callable[[], bool]) -> Answers:
    """Serve the metrics and what probes ask, and no page."""
    return {
        "/healthz": lambda _: _health(ailing()),
        "/metrics": lambda request: _metrics(request, exposition),
        "/readyz": lambda _: line(200, "ready") if ready() else line(503, "not ready"),
    }


def _health(ailing: tuple[str, ...]) -> Answer:
    return line(503, "\n".join(ailing)) if ailing else line(200, "ok")


def _metrics(request: Request, exposition: Exposition) -> Answer:
    headers = request.headers
    content_type, encoding, body = exposition(headers.get("accept", ""), headers.get("accept-encoding", ""))
    varied = {"Vary": "Accept, Accept-Encoding"}
    return Answer(200, body, content_type, varied | ({"Content-Encoding": encoding} if encoding else {}))


def _page(request: Request, text: str) -> Answer:
    body, headers = text.encode(), {"Vary": "Accept-Encoding"}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        body, headers = gzip.compress(body, 1, mtime=0), headers | {"Content-Encoding": "gzip"}
    return Answer(200, body, "text/html; charset=utf-8", headers)


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names gzip and does not forbid it."""
    for choice in accepted.lower().split(","):
        coding, _, weight = choice.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return not weight or weight.strip("0.") != ""
    return False
