"""The delete contract: one Job, named by uid and resourceVersion, in the background, after every brake has been asked."""

import threading
from urllib.parse import quote

import msgspec

from cleaner.cluster import Brake, Clock, Deletion, Doomed, Fate, Unreachable
from cleaner.kube.connection import Answer, Connection, NotSent, message_of
from cleaner.kube.throttle import Throttle
from cleaner.model import Job

_ATTEMPTS = 5


class _Left(msgspec.Struct, gc=False):
    kind: str = ""


_LEFT = msgspec.json.Decoder(_Left)


class Deletions:
    """
    Sends DELETE requests and reads what became of them.

    `propagationPolicy: Background` always: the API's default orphans the Pods, and Foreground leaves the GitRepo at
    `Terminating` with its error gone (seen live on Fleet 0.14.10 and 0.16.1).
    """

    def __init__(self, connection: Connection, throttle: Throttle, clock: Clock, *, dry_run: bool) -> None:
        self._connection = connection
        self._throttle = throttle
        self._clock = clock
        self._dry_run = dry_run
        self._denied: set[str] = set()
        self._lock = threading.Lock()

    def forget_denials(self) -> None:
        """Begin a new pass: what was refused before may be allowed now."""
        self._denied.clear()

    def delete(self, doomed: Doomed, brake: Brake) -> Deletion:
        """Delete one Job, or tell why not. Every attempt is preceded by the brakes and by a look at how fresh its facts are."""
        trouble = ""
        for _ in range(_ATTEMPTS):
            self._throttle.wait()
            held = self._held(doomed, brake)
            if held is not None:
                return held
            try:
                answer = self._connection.send("DELETE", job_path(doomed.job), body=self._options(doomed.job))
            except Unreachable as error:
                trouble, wait = str(error), None
                doomed = msgspec.structs.replace(doomed, lost=doomed.lost or not isinstance(error, NotSent))
            else:
                deletion = self._fate(doomed, answer)
                if deletion is not None:
                    self._throttle.recover()
                    return deletion
                trouble, wait = message_of(answer), answer.retry_after
                # A 5xx may come from a server that had acted; a 429 comes from one that had not.
                doomed = msgspec.structs.replace(doomed, lost=doomed.lost or answer.status != 429)
            self._throttle.slow_down(wait)
        return Deletion(doomed, Fate.UNCONFIRMED if doomed.lost else Fate.FAILED, trouble)

    def _held(self, doomed: Doomed, brake: Brake) -> Deletion | None:
        refusal = brake()
        if refusal is not None:
            return Deletion(doomed, Fate.REFUSED, f"{refusal.brake}: {refusal.text}")
        if self._clock.monotonic() >= doomed.fresh_until:
            return Deletion(doomed, Fate.STALE)
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
            return Deletion(doomed, Fate.UNCONFIRMED if doomed.lost else Fate.GONE, "it was gone already")
        if answer.status == 409:
            # After a lost answer, another uid under this name may mean that our first request did delete the Job.
            return Deletion(doomed, Fate.UNCONFIRMED if doomed.lost else Fate.CHANGED, message_of(answer))
        if answer.status == 429 or answer.status >= 500:
            return None
        if self._dry_run:
            return Deletion(doomed, Fate.WOULD_DELETE, f"the dry run of the deletion was refused: {message_of(answer)}")
        if answer.status in (401, 403):
            with self._lock:
                self._denied.add(doomed.job.namespace)
            return Deletion(doomed, Fate.DENIED, message_of(answer))
        return Deletion(doomed, Fate.FAILED, message_of(answer))

    def _accepted(self, doomed: Doomed, answer: Answer) -> Deletion | None:
        """Tell a Job that is gone (the answer is a Status) from one that waits for its finalizers (the answer is the Job)."""
        try:
            left = _LEFT.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # a proxy's page: what the server did is not known, so ask again
        if self._dry_run:
            return Deletion(doomed, Fate.WOULD_DELETE)
        if left.kind == "Status":
            return Deletion(doomed, Fate.DELETED)
        return Deletion(doomed, Fate.TERMINATING, "it waits for its finalizers") if left.kind == "Job" else None


def job_path(job: Job) -> str:
    """Path of a Job; names come from the API and need no quoting but for hostile answers, which are quoted away."""
    return f"/apis/batch/v1/namespaces/{segment(job.namespace)}/jobs/{segment(job.name)}"


def segment(name: str) -> str:
    """One path segment, so that nothing in a name can lead elsewhere."""
    return quote(name, safe="")
