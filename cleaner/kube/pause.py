"""The brake that an operator pulls with `kubectl annotate`: `gitjob-cleaner/pause` where the cleaner lives."""

import threading
from collections.abc import Callable

import msgspec

from cleaner.cluster import Clock, ClusterError, Refusal
from cleaner.durations import Seconds
from cleaner.kube.deletions import segment
from cleaner.kube.reads import Reads
from cleaner.model import ANNOTATION_PREFIX

PAUSE = ANNOTATION_PREFIX + "pause"


class _Metadata(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Annotated(msgspec.Struct):
    metadata: _Metadata


class Pause:
    """Reads `gitjob-cleaner/pause` where the cleaner lives, at most every two seconds, for all workers together."""

    def __init__(self, read: Callable[[], Refusal | None], clock: Clock, every: Seconds = 2.0) -> None:
        self._read = read
        self._clock = clock
        self._every = every
        self._lock = threading.Lock()
        self._read_at: Seconds | None = None
        self._refusal: Refusal | None = None

    def __call__(self) -> Refusal | None:
        """Why nothing may be deleted now; None where there is no pause."""
        with self._lock:
            now = self._clock.monotonic()
            if self._read_at is None or now - self._read_at >= self._every:
                self._refusal = self._read()
                self._read_at = self._clock.monotonic()
            return self._refusal


def read_pause(reads: Reads, own_namespace: str, lease: str) -> Refusal | None:
    """
    Look at the cleaner's own Namespace and Lease.

    What cannot be read cannot be trusted not to say stop: without the right to read them, nothing is deleted.
    """
    name = segment(own_namespace)
    for path in (
        f"/api/v1/namespaces/{name}",
        f"/apis/coordination.k8s.io/v1/namespaces/{name}/leases/{segment(lease)}",
    ):
        try:
            found = reads.decoded(path, None, msgspec.json.Decoder(_Annotated).decode)
        except ClusterError as error:
            return Refusal("pause", f"{path} cannot be read, so nobody could stop us: {error}")
        text = ((found and found.metadata.annotations) or {}).get(PAUSE, "false")
        if text != "false":
            return Refusal("pause", f"{PAUSE}: {text[:100]!r} on {path}")
    return None
