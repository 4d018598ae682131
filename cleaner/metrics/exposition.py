"""The metrics as bytes, in the form and the encoding that a scraper asks for."""

import gzip
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_LEVEL = 1
"""Of gzip: a scrape is read once, so time is worth more than the last bytes."""

_VERSIONS = {"application/openmetrics-text": {"", "1.0.0"}, "text/plain": {"", "0.0.4", "1.0.0"}}


class Exposition(NamedTuple):
    """An answer to a scrape; an empty `content_encoding` is none."""

    content_type: str
    content_encoding: str
    body: bytes


def expose(registry: CollectorRegistry, accept: str, accept_encoding: str) -> Exposition:
    """Write all metrics as the headers `Accept` and `Accept-Encoding` wish; whatever they say, there is an answer."""
    encode, content_type = choose_encoder(next((offer for offer in _preferred(accept) if _spoken(offer)), ""))
    body = encode(registry)
    if "gzip" in (offer.lower() for offer in _preferred(accept_encoding)):
        return Exposition(content_type, "gzip", gzip.compress(body, _LEVEL, mtime=0))
    return Exposition(content_type, "", body)


def _preferred(header: str) -> list[str]:
    """Read what a header accepts, the best liked first and without the weights, of which the client knows nothing."""
    weighed = []
    for offer in header.split(","):
        parts = [part.strip() for part in offer.split(";")]
        weight = next((_weight(part[2:]) for part in parts if part.startswith("q=")), 1.0)
        if weight > 0:
            weighed.append((weight, ";".join(part for part in parts if not part.startswith("q="))))
    return [offer for _, offer in sorted(weighed, key=lambda pair: -pair[0])]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _spoken(offer: str) -> bool:
    """Whether it is a form that we write: the client compares any version, be it a word, and claims to write it."""
    form, *parameters = offer.split(";")
    version = next((part.removeprefix("version=") for part in parameters if part.startswith("version=")), "")
    return version in _VERSIONS.get(form, set())
