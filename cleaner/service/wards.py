"""What the guard is to do for one GitRepo: one pure function over what is known of it."""

import enum

import msgspec

from cleaner.durations import Seconds
from cleaner.model import GitRepo

BOUND: Seconds = 30.0
"""Seconds from when a guard first sees a deletion to when it lets go, whatever has failed: we are never why a GitRepo stays."""

_BREATHS: tuple[Seconds, Seconds] = (1.0, 60.0)
_BREATHS_OF_HOLDING: tuple[Seconds, Seconds] = (5.0, 600.0)
"""The first and the longest. Who may not patch is refused for every GitRepo, and nobody waits for that one."""


class Step(enum.Enum):
    """One thing to do; each can be done again, so a guard that dies between two of them or within one loses nothing."""

    NOTHING = "nothing"
    HOLD = "hold"
    TELL = "tell"
    CLEAR = "clear"
    RELEASE = "release"


class Ward(msgspec.Struct):
    """
    A GitRepo as it is known, and what was done for it.

    `covered`: it is ours to guard. `leaving_since` is when this process first saw it leave, on the monotonic clock. `let_go`: we
    took the finalizer off because it is not ours to guard; `contested`: it came back, so another guard must have put it there.
    """

    gitrepo: GitRepo
    covered: bool
    leaving_since: Seconds | None = None
    told: bool = False
    cleared: bool = False
    let_go: bool = False
    contested: bool = False
    under_way: set[Step] = msgspec.field(default_factory=set)
    again: dict[Step, Seconds] = msgspec.field(default_factory=dict)
    failures: dict[Step, int] = msgspec.field(default_factory=dict)

    def see(self, gitrepo: GitRepo, *, covered: bool, now: Seconds) -> bool:
        """Take in what is known now; whether this is how it came out that another guard holds it."""
        self.gitrepo, self.covered = gitrepo, covered
        if gitrepo.deleting_since is not None and self.leaving_since is None:
            self.leaving_since = now
            self.under_way.discard(Step.RELEASE)  # it may have no turn for long: see `Guardian`
        if covered:
            self.let_go = self.contested = False
        found_out = self.let_go and gitrepo.guarded and not self.contested
        self.contested |= found_out
        return found_out

    def failed(self, step: Step, now: Seconds) -> None:
        """Note that a step did not work: it is tried again, later each time."""
        self.failures[step] = self.failures.get(step, 0) + 1
        first, longest = _BREATHS_OF_HOLDING if step is Step.HOLD else _BREATHS
        self.again[step] = now + min(longest, first * 2.0 ** min(self.failures[step] - 1, 10))

    def done(self, step: Step) -> None:
        """Note what a step that was done makes true; a watch will say so, too."""
        self.failures.pop(step, None)
        if step is Step.TELL:
            self.told = True
        elif step is Step.CLEAR:
            self.cleared = True
        else:
            self.gitrepo = msgspec.structs.replace(self.gitrepo, guarded=step is Step.HOLD)
            self.let_go = step is Step.RELEASE and not self.covered


def next_step(ward: Ward, now: Seconds, bound: Seconds = BOUND) -> Step:
    """Tell what is to be done next for a GitRepo; `bound` is 0 where nothing is to be guarded any more."""
    if ward.leaving_since is None:
        return _while_it_stays(ward)
    if not ward.gitrepo.guarded:
        return Step.NOTHING  # to a GitRepo that leaves, the API lets nobody add a finalizer
    if now - ward.leaving_since >= bound:
        return Step.RELEASE
    if not ward.covered:
        return Step.NOTHING  # the guard whose it is may be at it
    if not ward.told:
        return Step.TELL
    return Step.RELEASE if ward.cleared else Step.CLEAR


def _while_it_stays(ward: Ward) -> Step:
    if ward.covered:
        return Step.NOTHING if ward.gitrepo.guarded else Step.HOLD
    return Step.RELEASE if ward.gitrepo.guarded and not ward.contested else Step.NOTHING


def next_look(ward: Ward, now: Seconds, bound: Seconds = BOUND) -> Seconds | None:
    """When time alone makes another look necessary, on the monotonic clock; None where only news does."""
    moments = [at for at in ward.again.values() if at > now]
    if ward.leaving_since is not None and ward.gitrepo.guarded and ward.leaving_since + bound > now:
        moments.append(ward.leaving_since + bound)
    return min(moments, default=None)
