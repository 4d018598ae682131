"""The brake that an operator pulls with `kubectl annotate`: `gitjob-cleaner/pause` where the cleaner lives."""

import threading
from collections.abc import Callable

import msgspec

from cleaner.cluster import Clock, ClusterError, Refusal
from cleaner.durations import Seconds
from cleaner.kube.reads import Reads, segment
from cleaner.model import ANNOTATION_PREFIX

PAUSE = ANNOTATION_PREFIX + "pause"


class _Metadata(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Annotated(msgspec.Struct):
    metadata: _Metadata


_DECODER = msgspec.json.Decoder(_Annotated)


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
                self._refusal, self._read_at = self._read(), now
            return self._refusal


def read_pause(reads: Reads, own_namespace: str, lease: str) -> Refusal | None:
    """
    Look at the cleaner's own Namespace and Lease.

    What cannot be read cannot be trusted not to say stop: without the right to read them, nothing is deleted.
    """
    name = segment(own_namespace)
    home = f"/api/v1/namespaces/{name}"
    lease_path = f"/apis/coordination.k8s.io/v1/namespaces/{name}/leases/{segment(lease)}"
    try:
        found = reads.decoded(home, _DECODER.decode)
        if found is None:
            return Refusal("pause", f"there is no Namespace {own_namespace}, so nobody could stop us there")
        leased = reads.decoded(lease_path, _DECODER.decode)
    except ClusterError as error:
        return Refusal("pause", f"{home} or its Lease {lease} cannot be read, so nobody could stop us: {error}")
    return _pause_on(home, found) or _pause_on(lease_path, leased)


def _pause_on(path: str, found: _Annotated | None) -> Refusal | None:
    text = ((found and found.metadata.annotations) or {}).get(PAUSE, "false")
    return None if text == "false" else Refusal("pause", f"{PAUSE}: {text[:100]!r} on {path}")
