"""Asking Fleet to run a GitRepo again, in the way that Fleet itself has for it."""

import msgspec

from cleaner.cluster import Clock, Patches
from cleaner.fleet import SEEN_LATER
from cleaner.model import Fleet
from cleaner.retry.choosing import Candidate


class Begun(msgspec.Struct, frozen=True):
    """
    What was asked: the number of the Force Update, whether we raised it, and what had to be done beside.

    It is not raised where one is pending: Fleet would run twice. `adopted` tells that the failed Job got Fleet's labels.
    """

    number: int
    raised: bool
    adopted: bool
    nudged: bool


def begin(patches: Patches, candidate: Candidate, fleet: Fleet, clock: Clock) -> Begun:
    """
    Ask for a Force Update, or see to it that the one that is pending runs.

    Fleet >= 0.10.4 ignores both while the failed Job lacks its labels, so those come first. A raised number is a change of the
    spec, which wakes every Fleet; labels on a Job wake none, and from 0.14 on polling does not either. A Fleet that is woken
    before it has heard of the labels ignores what was asked, and nothing wakes it again.

    Raises:
        Conflict: the Job or the GitRepo is another by now.
        ClusterError: it could not be changed.

    """
    state, job = candidate.state, candidate.job
    # Seeing no version is no proof of an old Fleet, and an old one does not mind the labels.
    works_without = fleet.recreates and fleet.version != "unknown"
    adopted = job is not None and job.legacy and not works_without and patches.adopt(job, state.forced)
    if adopted:
        clock.sleep(SEEN_LATER)
    if state.force_pending:
        patches.nudge(state)
        return Begun(state.force, raised=False, adopted=adopted, nudged=True)
    number = patches.force(state)
    if adopted:
        # Somebody may have raised it while the Job had no labels, and Fleet has ignored that.
        patches.nudge(state)
    return Begun(number, raised=True, adopted=adopted, nudged=adopted)
