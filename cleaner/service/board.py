"""What is published after each pass: one immutable snapshot, its totals kept as GitRepos change."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from cleaner.model import Fleet, GitRepo, Job, Moment, Outcome, Owner
from cleaner.retention import Plan, Reason, Verdict, stuck
from cleaner.snapshot import Snapshot, View

_TIMED = frozenset({Reason.SETTLING, Reason.YOUNG, Reason.PROTECTED})
"""Reasons that end with time: when one has ended, the Job has been due since then, and not since something changed."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """Since when a Job has been due; `seen` tells whether we watched it become so, and so may count how late we are."""

    since: Moment
    seen: bool


class Judgement(NamedTuple):
    """A plan and what led to it; `changed` is when that became known, None if time alone did."""

    gitrepo: GitRepo | None
    plan: Plan
    fleet: Fleet
    changed: Moment | None = None
    last_success: Moment | None = None


class Board:
    """Views by owner; touched by the worker's thread, but for `snapshot`, which anybody may read."""

    def __init__(self, now: Moment) -> None:
        self.snapshot = Snapshot(now)
        self._views: dict[Owner, View] = {}
        self._tally: Counter[tuple[Outcome | None, Reason]] = Counter()
        self._dues: dict[Owner, dict[str, Due]] = {}

    def plan(self, owner: Owner) -> Plan | None:
        """The last plan of a GitRepo."""
        view = self._views.get(owner)
        return None if view is None else view.plan

    def due(self, job: Job) -> Due | None:
        """Since when a Job has been due, if it is."""
        return self._dues.get(job.owner, {}).get(job.uid)

    def backlog(self) -> list[Owner]:
        """The GitRepos that have Jobs which are due."""
        return list(self._dues)

    def put(self, owner: Owner, judged: Judgement, now: Moment) -> None:
        """Show a new plan."""
        before, plan, gitrepo = self._views.get(owner), judged.plan, judged.gitrepo
        dues = self._find_dues(plan, before, now if judged.changed is None else judged.changed)
        tally = Counter((verdict.job.outcome, verdict.reason) for verdict in plan.verdicts)
        found = stuck(gitrepo, [verdict.job for verdict in plan.verdicts], judged.fleet, now) if gitrepo is not None else []
        oldest = min((due.since for due in dues.values()), default=None)
        view = View(owner, gitrepo, plan, dict(tally), tuple(found), oldest, judged.last_success)
        self._replace(owner, before, view)
        if dues:
            self._dues[owner] = dues

    def _replace(self, owner: Owner, before: View | None, view: View | None) -> None:
        self._dues.pop(owner, None)
        if before is not None:
            self._tally.subtract(before.tally)
        if view is None:
            self._views.pop(owner, None)
        else:
            self._tally.update(view.tally)
            self._views[owner] = view

    def drop(self, owners: Iterable[Owner]) -> None:
        """Show some GitRepos no more."""
        for owner in owners:
            self._replace(owner, self._views.get(owner), None)

    def owners(self) -> list[Owner]:
        """All GitRepos that are shown."""
        return list(self._views)

    def _find_dues(self, plan: Plan, before: View | None, changed: Moment) -> dict[str, Due]:
        doomed = plan.doomed
        if not doomed:
            return {}
        known = self._dues.get(doomed[0].job.owner, {})
        earlier = {verdict.job.uid: verdict for verdict in before.plan.verdicts} if before is not None else {}
        dues = {}
        for verdict in doomed:
            uid = verdict.job.uid
            dues[uid] = known.get(uid) or _due(verdict, earlier.get(uid), changed)
        return dues

    def publish(self, now: Moment, **told: object) -> None:
        """Make all of it the snapshot. `told` are fields of Snapshot that the worker knows; others stay as they are."""
        waiting = (self._views[owner].oldest_due for owner in self._dues)
        oldest = min((moment for moment in waiting if moment is not None), default=None)
        tally = {key: count for key, count in self._tally.items() if count}
        views = dict(self._views)
        self.snapshot = msgspec.structs.replace(self.snapshot, at=now, views=views, tally=tally, oldest_due=oldest, **told)


def _due(verdict: Verdict, before: Verdict | None, changed: Moment) -> Due:
    """Since when a Job that has just become doomed has been due: its time had come, and nothing else needed it any more."""
    since = verdict.since or changed
    if before is None:
        return Due(since, seen=False)
    if before.reason in _TIMED and before.until is not None and before.until <= changed:
        return Due(since, seen=True)
    return Due(max(since, changed), seen=True)
