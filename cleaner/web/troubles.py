"""Which of the things that happen are errors that somebody should be told of, and in which words."""

import msgspec

from cleaner.cluster import Fate
from cleaner.happened import (
    AnnouncementsDropped,
    Attempted,
    Braked,
    CanaryTripped,
    ErrorsRecalled,
    Happened,
    NamespaceRefused,
    OfPods,
    Requested,
    WatchEnded,
)
from cleaner.model import Moment, Owner

LONGEST = 300
"""Characters of a detail that are kept."""


class Trouble(msgspec.Struct, frozen=True):
    """
    An error, told `count` times between `first` and `last`.

    `where` is a Job, Namespace or resource; `owner` the GitRepo, if it is one's. Those that pass by themselves, as a watch that
    breaks and begins anew, are not `grave`: they are listed, and nobody need be called.
    """

    kind: str
    where: str
    text: str
    first: Moment
    last: Moment
    owner: Owner | None = None
    grave: bool = True
    count: int = 1

    @property
    def key(self) -> tuple[str, str, str]:
        """What two tellings of the same error share."""
        return (self.kind, self.where, self.text)


_BAD = {Fate.FAILED: "deletion failed", Fate.DENIED: "deletion denied", Fate.UNCONFIRMED: "deletion unconfirmed"}
_REQUESTS = frozenset({"401", "403", "timeout", "connection", "other"})
_WATCHES = frozenset({"silent", "broken", "denied", "failed"})


def trouble_in(event: Happened, at: Moment) -> Trouble | None:
    """Tell the error that an event is, if it is one."""
    match event:
        case Attempted(verdict, deletion) if deletion.fate in _BAD:
            job = verdict.job
            return _trouble(_BAD[deletion.fate], f"{job.KIND} {job.namespace}/{job.name}", deletion.detail, at, owner=job.owner)
        case CanaryTripped(job):
            text = "it came back after we deleted it: no current Job of its GitRepo goes for a day"
            return _trouble("canary", f"Job {job.namespace}/{job.name}", text, at, owner=job.owner)
        case NamespaceRefused(namespace, what, problem):
            where = f"Namespace {namespace}" if namespace else "the whole cluster"
            return _trouble("refused", where, f"{what}: {problem}", at)
        case OfPods(happened):
            return trouble_in(happened, at)
        case Braked(refusal) if refusal.brake not in ("pause", "stop"):
            return _trouble("brake", refusal.brake, refusal.text, at)
    return _trouble_on_the_wire(event, at)


def _trouble_on_the_wire(event: Happened, at: Moment) -> Trouble | None:
    match event:
        case Requested(verb, resource, code) if code in _REQUESTS or code.startswith("5"):
            return _trouble("request", f"{verb} {resource}", f"answered {code}" if code.isdigit() else code, at, grave=False)
        case WatchEnded(kind, namespace, reason, detail) if reason in _WATCHES:
            where = f"{kind} in {namespace}" if namespace else kind
            grave = reason in ("denied", "failed")
            return _trouble("watch", where, f"{reason}: {detail}" if detail else reason, at, grave=grave)
        case AnnouncementsDropped(_, detail):
            return _trouble("events", "Kubernetes Events", f"not written: {detail}", at, grave=False)
        case ErrorsRecalled(_, problem) if problem:
            return _trouble("events", "Kubernetes Events", f"not read: {problem}", at, grave=False)
    return None


def _trouble(kind: str, where: str, text: str, at: Moment, *, owner: Owner | None = None, grave: bool = True) -> Trouble:
    return Trouble(kind, where, text if len(text) <= LONGEST else text[:LONGEST] + "…", at, at, owner, grave)
