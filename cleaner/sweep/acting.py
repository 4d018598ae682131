"""Act: feed the doomed to the cluster, oldest first, each only while its GitRepo was read a moment ago."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from cleaner.cluster import Brake, Clock, ClusterError, Deletion, Deletions, Denied, Doomed, Fate, Refusal, Reread, Sighting
from cleaner.durations import Seconds
from cleaner.happened import Attempted, Braked, NamespaceRefused, Observer, Spared
from cleaner.model import GitRepo, Job, Moment, Namespace, Owner
from cleaner.retention import Plan, Verdict

FRESH = 5.0
"""Seconds for which a GET of a GitRepo and its Namespace lets their Jobs be deleted."""

LATE = 3
"""How often a GitRepo is read again in vain, because reading it took longer than that, before its Jobs are left alone."""

SPENT = frozenset({Fate.DELETED, Fate.TERMINATING, Fate.UNCONFIRMED})
"""Fates that count against the cap: what is gone, on its way out, or may be gone."""

_UNSURE = frozenset({Fate.TERMINATING, Fate.UNCONFIRMED})


class Judges(Protocol):
    """Who is asked again before anything goes."""

    def knows(self, owner: Owner) -> bool:
        """Whether this GitRepo, living or not, is still looked after."""

    def adopt(self, owner: Owner, gitrepo: GitRepo | None, namespace: Namespace) -> None:
        """Take in a fresh reading of what has the name of a GitRepo, and of its Namespace."""

    def judge(self, owner: Owner, now: Moment) -> Plan:
        """Judge by what is known now."""


class Acting:
    """
    The deletions of one pass. All its state is touched by the caller's thread only; the cluster brings the concurrency.

    A doomed Job waits, then flies (a request for it may be under way), and lands with a deletion; `again` sends it back to wait.
    `prepare` does what must be done just before a Job goes, and says why it must stay, if it must.
    """

    def __init__(self, cluster: Deletions, judge: Judges, clock: Clock, tell: Observer, brake: Brake) -> None:
        self.deletions: dict[str, Deletion] = {}
        self.acted: dict[str, Verdict] = {}
        self.refused: list[NamespaceRefused] = []
        self.brake: Refusal | None = None
        self.spent = 0
        self.lookahead = 64
        self.prepare: Callable[[Verdict], str] | None = None
        self._cluster, self._judge, self._clock, self._tell, self._ask = cluster, judge, clock, tell, brake
        self._queue: deque[Verdict] = deque()
        self._waiting: dict[str, Verdict] = {}
        self._flying: dict[str, Verdict] = {}
        self._needed: dict[str, Verdict] = {}
        self._tries: dict[str, Doomed] = {}
        self._unsure: dict[str, Job] = {}
        self._of: defaultdict[Owner, list[Verdict]] = defaultdict(list)
        self._fresh_until: dict[Owner, Seconds] = {}
        self._late: Counter[Owner] = Counter()
        self._allowed: float = 0

    def delete(self, verdicts: Iterable[Verdict], allowed: float) -> int:
        """
        Delete what is still doomed when its turn comes, `allowed` at most; return how many are left for another pass.

        A Namespace that has refused once is left alone by this and all later calls.
        """
        refused = {each.namespace for each in self.refused}
        self._queue = deque(verdict for verdict in verdicts if verdict.job.namespace not in refused)
        self._waiting = {verdict.job.uid: verdict for verdict in self._queue}
        self._of.clear()
        for verdict in self._queue:
            self._of[verdict.job.owner].append(verdict)
        self._allowed = self.spent + allowed
        while self._waiting and self._may_go_on():
            for deletion in self._cluster.delete(self._feed(), self._ask):
                self._land(deletion)
        for verdict in [verdict for uid, verdict in self._waiting.items() if self._lost(uid)]:
            self._leave(verdict, None)
        return len(self._waiting)

    def pull(self, refusal: Refusal | None) -> None:
        """Pull the brake for the rest of the pass, if there is a refusal and it is the first."""
        if refusal is not None and self.brake is None:
            self.brake = refusal
            self._tell(Braked(refusal))

    def _may_go_on(self) -> bool:
        if self.brake is None:
            self.pull(self._ask())
        return self.brake is None and self.spent < self._allowed

    def _feed(self) -> Iterator[Doomed]:
        """Yield what is to be deleted next; asked anew for each, so that the cap counts what has happened so far."""
        while self._queue and self.brake is None and self.spent + len(self._flying) < self._allowed:
            verdict = self._queue[0]
            uid, owner = verdict.job.uid, verdict.job.owner
            if uid in self._waiting and self._freshness(owner) <= self._clock.monotonic():
                self._read_again()
                continue
            if uid in self._waiting and not self._prepared(verdict):
                continue
            self._queue.popleft()
            if uid in self._waiting:
                self._flying[uid] = self._waiting.pop(uid)
                tried = self._tries.get(uid, Doomed(verdict.job, 0.0))
                yield msgspec.structs.replace(tried, fresh_until=self._freshness(owner))

    def _prepared(self, verdict: Verdict) -> bool:
        """Prepare a deletion; whether it may go on at once: preparing takes time, in which a brake may be pulled."""
        if self.prepare is None:
            return True
        if not self._may_go_on():
            return False
        why = self.prepare(verdict)
        if why:
            self._record(self._waiting.pop(verdict.job.uid), Deletion(self._tried(verdict.job), Fate.FAILED, why))
        return not why and self._freshness(verdict.job.owner) > self._clock.monotonic()

    def _freshness(self, owner: Owner) -> Seconds:
        return self._fresh_until.get(owner, float("-inf"))

    def _read_again(self) -> None:
        """GET the GitRepos of the next Jobs, and judge them again: the world may have changed, and time has."""
        if not self._may_go_on():
            return
        now = self._clock.monotonic()
        ahead = [self._queue[i].job for i in range(min(self.lookahead, len(self._queue)))]
        owners = dict.fromkeys(job.owner for job in ahead if job.uid in self._waiting and self._freshness(job.owner) <= now)
        for read in self._cluster.reread(owners):
            self._take_in(read)
        first = ahead[0]
        if first.uid in self._waiting and self._freshness(first.owner) <= self._clock.monotonic():
            self._came_late(first.owner, alone=len(owners) == 1)

    def _came_late(self, owner: Owner, *, alone: bool) -> None:
        """Read fewer GitRepos at a time on a slow line; leave one that even so is stale again as soon as it is read."""
        self._late[owner] += alone
        if not alone:
            self.lookahead = max(1, min(self.lookahead, len(self._queue)) // 2)
        elif self._late[owner] >= LATE:
            self._unread(owner, ClusterError(f"reading it takes longer than the {FRESH:.0f}s for which it counts as fresh"))

    def _take_in(self, read: Reread) -> None:
        if read.error is not None:
            self._unread(read.owner, read.error)
        elif read.namespace is None:
            self._unread(read.owner, Denied("there is no such Namespace any more"))
        elif not self._judge.knows(read.owner):
            # Whoever keeps the inventory current has struck it out since: gone, or another installation's.
            for verdict in self._waiting_of(read.owner):
                self._leave(verdict, None)
        else:
            self._fresh_until[read.owner] = read.read_at + FRESH
            self._judge.adopt(read.owner, read.gitrepo, read.namespace)
            self._judge_again(read.owner)

    def _judge_again(self, owner: Owner) -> None:
        """Spare what is needed after all, or doomed for another reason now. What has become due is left to the next pass."""
        for verdict in self._judge.judge(owner, self._clock.now()).verdicts:
            uid = verdict.job.uid
            before = self._waiting.get(uid) or self._flying.get(uid)
            if before is None or before.reason is verdict.reason:
                self._needed.pop(uid, None)
            elif uid in self._flying:
                self._needed[uid] = verdict
            else:
                self._leave(before, verdict)

    def _unread(self, owner: Owner, error: ClusterError) -> None:
        """A GitRepo that cannot be read again spares its Jobs in this pass; a refusal spares its whole Namespace."""
        if isinstance(error, Denied):
            self._refuse(owner.namespace, "read", str(error))
            return
        for verdict in self._waiting_of(owner):
            detail = f"its GitRepo could not be read again: {error}"
            self._record(self._waiting.pop(verdict.job.uid), Deletion(self._tried(verdict.job), Fate.FAILED, detail))

    def _refuse(self, namespace: str, what: str, problem: str) -> None:
        if namespace not in {refused.namespace for refused in self.refused}:
            refused = NamespaceRefused(namespace, what, problem, denied=True)
            self.refused.append(refused)
            self._tell(refused)
        for owner in [owner for owner in self._of if owner.namespace == namespace]:
            for verdict in self._waiting_of(owner):
                self._leave(verdict, None)

    def _waiting_of(self, owner: Owner) -> list[Verdict]:
        return [verdict for verdict in self._of[owner] if verdict.job.uid in self._waiting]

    def _tried(self, job: Job) -> Doomed:
        return self._tries.get(job.uid, Doomed(job, 0.0))

    def _lost(self, uid: str) -> bool:
        return uid in self._tries and self._tries[uid].lost

    def _leave(self, verdict: Verdict, better: Verdict | None) -> None:
        """Leave a Job alone; if the answer to a request for it was lost before, it is recorded that it may be gone."""
        uid = verdict.job.uid
        self._waiting.pop(uid, None)
        if self._lost(uid):
            self._record(verdict, Deletion(self._tries[uid], Fate.UNCONFIRMED, "the answer to a request for it was lost"))
        elif better is not None:
            self._tell(Spared(better))

    def _land(self, deletion: Deletion) -> None:
        job, fate = deletion.doomed.job, deletion.fate
        verdict, needed = self._flying.pop(job.uid), self._needed.pop(job.uid, None)
        self._tries[job.uid] = deletion.doomed
        if fate is Fate.REFUSED:
            self.pull(self._ask() or Refusal(*deletion.detail.split(": ", 1)))
        if fate not in (Fate.AGAIN, Fate.REFUSED):
            self._record(verdict, deletion)
        elif needed is not None:
            self._leave(verdict, needed)
        elif job.namespace in {refused.namespace for refused in self.refused}:
            self._leave(verdict, None)
        else:
            self._waiting[job.uid] = verdict
            self._queue.appendleft(verdict)
        if fate is Fate.DENIED:
            self._refuse(job.namespace, "delete", deletion.detail)

    def _record(self, verdict: Verdict, deletion: Deletion) -> None:
        """Count what happened and tell it; after a lost answer a failure may have been a deletion."""
        uid = verdict.job.uid
        if deletion.doomed.lost and deletion.fate in (Fate.FAILED, Fate.DENIED):
            deletion = msgspec.structs.replace(deletion, fate=Fate.UNCONFIRMED)
        self.spent += deletion.fate in SPENT and uid not in self.deletions
        self.deletions[uid] = deletion
        self.acted[uid] = verdict
        if deletion.fate in _UNSURE:
            self._unsure[uid] = verdict.job
        self._tell(Attempted(verdict, deletion))

    def look_again(self) -> None:
        """Look once more for what was on its way out, or may have been, since the last time; once for each Job."""
        jobs = [job for uid, job in self._unsure.items() if self.deletions[uid].fate in _UNSURE]
        self._unsure = {}
        for seen in self._cluster.find(jobs):
            better = _seen(self.deletions[seen.job.uid], seen)
            if better is not None:
                self._record(self.acted[seen.job.uid], better)


def _seen(deletion: Deletion, seen: Sighting) -> Deletion | None:
    """What a second look makes of a deletion; None where it proves nothing new."""
    if seen.error is not None:
        return None
    there = seen.uid == deletion.doomed.job.uid
    if deletion.fate is Fate.TERMINATING:
        return None if there else msgspec.structs.replace(deletion, fate=Fate.DELETED, detail="seen gone")
    if not there:
        return None
    if seen.deleting:
        return msgspec.structs.replace(deletion, fate=Fate.TERMINATING, detail="it waits for its finalizers")
    doomed = msgspec.structs.replace(deletion.doomed, lost=False)
    return Deletion(doomed, Fate.FAILED, f"it is still there: {deletion.detail}")
