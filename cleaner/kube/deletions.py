"""The delete contract: one Job, named by uid and resourceVersion, in the background, after every brake has been asked."""

import threading

import msgspec

from cleaner.cluster import Brake, Clock, ClusterError, Deletion, Doomed, Fate, Unreachable
from cleaner.durations import Seconds
from cleaner.kube.connection import Answer, Connection, is_not_found, message_of
from cleaner.kube.failures import NotSent
from cleaner.kube.reads import segment
from cleaner.kube.throttle import Throttle
from cleaner.model import Job, OrphanedPod

ATTEMPTS = 5
"""Requests for one Job in one pass, before it counts as failed."""


class _LeftMetadata(msgspec.Struct, gc=False):
    finalizers: list[str] | None = None
    grace: int | None = msgspec.field(default=None, name="deletionGracePeriodSeconds")


class _Left(msgspec.Struct, gc=False):
    kind: str = ""
    metadata: _LeftMetadata = msgspec.field(default_factory=_LeftMetadata)

    @property
    def is_last_sight(self) -> bool:
        """Whether nothing is left: the API answers a Pod's deletion with the Pod as it was, where others get a Status."""
        return self.kind == "Status" or (self.kind == "Pod" and self.metadata.grace == 0 and not self.metadata.finalizers)


_LEFT = msgspec.json.Decoder(_Left)


class Deletions:
    """
    Sends DELETE requests and reads what became of them; `limit` is how long each may take, connecting and answering together.

    `propagationPolicy: Background` always: the API's default orphans the Pods, and Foreground leaves the GitRepo at
    `Terminating` with its error gone (seen live on Fleet 0.14.10 and 0.16.1).
    """

    def __init__(
        self, connection: Connection, throttle: Throttle, clock: Clock, *, dry_run: bool, limit: Seconds | None = None
    ) -> None:
        self._connection = connection
        self._throttle = throttle
        self._clock = clock
        self._dry_run = dry_run
        self._limit = limit
        self._denied: set[str] = set()
        self._lock = threading.Lock()

    def forget_denials(self) -> None:
        """Begin a new pass: what was refused before may be allowed now."""
        self._denied.clear()

    def delete(self, doomed: Doomed, brake: Brake) -> Deletion:
        """
        Try to delete one Job once, or tell why not: the brakes are asked, and how fresh its facts are, just before.

        Whatever is worth another attempt comes back as `again`, for its GitRepo must be read again before that.
        """
        try:
            self._connection.ready()
            held = self._held(doomed, brake)
            return held if held is not None else self._attempt(doomed)
        except ClusterError as error:
            return self._failed(doomed, str(error))

    def _attempt(self, doomed: Doomed) -> Deletion:
        doomed = msgspec.structs.replace(doomed, attempts=doomed.attempts + 1)
        patience = max(doomed.fresh_until - self._clock.monotonic(), 0.1)
        try:
            answer = self._connection.send(
                "DELETE", path_of(doomed.job), body=self._options(doomed.job), connect=patience, limit=self._limit
            )
        except NotSent as error:
            return self._again(doomed, str(error))
        except Unreachable as error:
            return self._again(msgspec.structs.replace(doomed, lost=True), str(error))
        deletion = self._fate(doomed, answer)
        if deletion is not None:
            self._throttle.recover()
            return deletion
        # A 5xx, or a page that is not the API's, may come from a server that had acted; a 429 comes from one that had not.
        lost = doomed.lost or answer.status != 429
        return self._again(msgspec.structs.replace(doomed, lost=lost), message_of(answer), answer.retry_after)

    def _again(self, doomed: Doomed, trouble: str, wait: Seconds | None = None) -> Deletion:
        self._throttle.slow_down(wait)
        return Deletion(doomed, Fate.AGAIN, trouble) if doomed.attempts < ATTEMPTS else self._failed(doomed, trouble)

    def _failed(self, doomed: Doomed, trouble: str) -> Deletion:
        if self._dry_run:
            return Deletion(doomed, Fate.WOULD_DELETE, f"the dry run of the deletion failed: {trouble}")
        return Deletion(doomed, Fate.UNCONFIRMED if doomed.lost else Fate.FAILED, trouble)

    def _held(self, doomed: Doomed, brake: Brake) -> Deletion | None:
        refusal = brake()
        if refusal is not None:
            return Deletion(doomed, Fate.REFUSED, f"{refusal.brake}: {refusal.text}")
        if self._clock.monotonic() >= doomed.fresh_until:
            return Deletion(doomed, Fate.AGAIN, "its GitRepo must be read again")
        if self._throttle.paused():
            return Deletion(doomed, Fate.AGAIN, "the server has asked for patience")
        if doomed.job.namespace in self._denied:
            return Deletion(doomed, Fate.DENIED, "refused for this Namespace before, in this pass")
        return None

    def _options(self, job: Job) -> dict[str, object]:
        options: dict[str, object] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": job.uid, "resourceVersion": job.version},
            "propagationPolicy": "Background",
        }
        # In the body, for the API ignores `?dryRun=All` on a DELETE that has one, and deletes.
        return options | ({"dryRun": ["All"]} if self._dry_run else {})

    def _fate(self, doomed: Doomed, answer: Answer) -> Deletion | None:
        """What an answer means; None where the request is to be repeated."""
        if answer.status in (200, 202):
            return self._accepted(doomed, answer)
        if answer.status == 404:
            fate = Fate.UNCONFIRMED if doomed.lost else Fate.GONE
            return Deletion(doomed, fate, "it was gone already") if is_not_found(answer) else None
        if answer.status == 409:
            # After a lost answer, another uid under this name may mean that our first request did delete the Job.
            return Deletion(doomed, Fate.UNCONFIRMED if doomed.lost else Fate.CHANGED, message_of(answer))
        if answer.status == 429 or answer.status >= 500:
            return None
        if answer.status == 401 and doomed.attempts == 1:
            return Deletion(doomed, Fate.AGAIN, message_of(answer))  # with the credentials that have just been loaded afresh
        return self._refused(doomed, answer)

    def _refused(self, doomed: Doomed, answer: Answer) -> Deletion:
        if self._dry_run or answer.status not in (401, 403):
            return self._failed(doomed, message_of(answer))
        with self._lock:
            self._denied.add(doomed.job.namespace)
        return Deletion(doomed, Fate.DENIED, message_of(answer))

    def _accepted(self, doomed: Doomed, answer: Answer) -> Deletion | None:
        """Tell a Job that is gone from one that waits for its finalizers (the answer is the Job then)."""
        try:
            left = _LEFT.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # a proxy's page: what the server did is not known, so ask again
        if self._dry_run:
            return Deletion(doomed, Fate.WOULD_DELETE)
        if left.is_last_sight:
            return Deletion(doomed, Fate.DELETED)
        waits = left.kind == doomed.job.KIND
        return Deletion(doomed, Fate.TERMINATING, "it waits for its finalizers") if waits else None


def path_of(job: Job) -> str:
    """Path of a Job, or of a Pod; names come from the API and need no quoting but for hostile answers, which are quoted away."""
    group, plural = ("/api/v1", "pods") if isinstance(job, OrphanedPod) else ("/apis/batch/v1", "jobs")
    return f"{group}/namespaces/{segment(job.namespace)}/{plural}/{segment(job.name)}"
