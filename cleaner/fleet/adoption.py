"""Adopting: the labels that give a legacy Job back to a Fleet that ignores Jobs without them."""

from typing import Any

import msgspec

from cleaner.durations import Seconds
from cleaner.fleet import wire
from cleaner.fleet.wire import Body

_LONGEST_NUMBER = 20

SEEN_LATER: Seconds = 2.0
"""Between a Job's labels and what wakes its GitRepo: Fleet hears of both by watches of their own, and would not look again."""

NUDGED_EVERY: Seconds = 15.0
"""Between two nudges of a GitRepo whose pending Force Update Fleet has not begun."""

_DECODER = msgspec.json.Decoder(wire.Job)


class Adoptable(msgspec.Struct, frozen=True):
    """A Job as it was read to be adopted, and the merge patch that does it; no patch: it has the labels."""

    uid: str
    patch: dict[str, Any] | None


def read_adoptable(body: Body, forced: int) -> Adoptable:
    """
    Tell how to adopt a Job, for a GitRepo whose Fleet has acted on Force Update number `forced`.

    The labels say what Fleet would have written: the generation in the Job's own annotation, and a force-sync generation that
    differs from any that is still to come. Raises as `msgspec.json.decode` does.
    """
    metadata = _DECODER.decode(body).metadata
    if metadata.labels is not None and metadata.labels.gitrepo is not None:
        return Adoptable(metadata.uid, None)
    generation = (metadata.annotations or {}).get("generation", "0")
    # Anybody may have written the annotation: a label that the API refuses would keep the Job from being adopted for ever.
    is_number = generation.isascii() and generation.isdigit() and len(generation) < _LONGEST_NUMBER
    labels = {
        "fleet.cattle.io/gitrepo-generation": generation if is_number else "0",
        "fleet.cattle.io/force-sync-generation": str(forced),
    }
    named = {"uid": metadata.uid, "resourceVersion": metadata.resourceVersion}
    return Adoptable(metadata.uid, {"metadata": named | {"labels": labels}})
