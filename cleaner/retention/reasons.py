"""The closed list of reasons, and the verdict that names one of them."""

import enum

import msgspec

from cleaner.model import Job, Moment


class Reason(enum.Enum):
    """Why a Job is kept, in the order in which reasons are given; at the end, why one is deleted."""

    NOT_OWNED = "not-owned"
    RUNNING = "running"
    DELETING = "deleting"
    UNREADABLE = "unreadable"
    PROTECTED = "protected"
    LEAVING = "leaving"
    CURRENT = "current"
    UNSETTLED = "unsettled"
    ASLEEP = "asleep"
    SETTLING = "settling"
    NEWEST = "newest"
    YOUNG = "young"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    LEGACY = "legacy"

    # As for `Outcome`: a verdict is asked whether it deletes once for every Job of the cluster.
    __hash__ = object.__hash__

    @property
    def deletes(self) -> bool:
        """Whether this is a reason to delete."""
        return self in _DELETING

    @property
    def meaning(self) -> str:
        """One sentence for a person."""
        return _MEANINGS[self]


_DELETING = frozenset({Reason.SUPERSEDED, Reason.EXPIRED, Reason.LEGACY})

_MEANINGS = {
    Reason.NOT_OWNED: "its owner is a GitRepo that does not live (any more): the garbage collector's business",
    Reason.RUNNING: "it has not finished",
    Reason.DELETING: "it is being deleted already",
    Reason.UNREADABLE: "something that the verdict needs cannot be understood",
    Reason.PROTECTED: "an annotation on it, its GitRepo or its Namespace protects it, or it is current and has a finalizer",
    Reason.LEAVING: "its GitRepo is being deleted and takes its Jobs along",
    Reason.CURRENT: "it belongs to the GitRepo's current commit",
    Reason.UNSETTLED: "it is current and its GitRepo has a change pending or does not poll: Fleet might run something again",
    Reason.ASLEEP: "this Fleet has stopped polling the GitRepo, and any deletion would wake it into the newest commit",
    Reason.SETTLING: "it finished a moment ago, and Fleet must see that first",
    Reason.NEWEST: "it is among the newest of its outcome for its GitRepo",
    Reason.YOUNG: "it is younger than the age for its outcome",
    Reason.SUPERSEDED: "a newer commit has replaced it and no reason to keep it holds",
    Reason.EXPIRED: "it is current, and the policy lets current Jobs of this outcome and age go",
    Reason.LEGACY: "a newer commit has replaced it, Fleet <= 0.10.3 has left it behind, and this is the migration",
}


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """
    What is to happen to one Job, why, and until when that stands (None: until something else than time changes).

    `since` is told of what is to be deleted: when the last of the reasons that end with time ended.
    """

    job: Job
    reason: Reason
    until: Moment | None = None
    detail: str = ""
    since: Moment | None = None

    @property
    def deletes(self) -> bool:
        """Whether nothing needs the Job any more."""
        return self.reason in _DELETING
