"""Act: feed the doomed to the cluster, oldest first, each only while its GitRepo was read a moment ago."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator

import msgspec

from cleaner.cluster import Brake, Clock, ClusterError, Deletion, Deletions, Denied, Doomed, Fate, Refusal, Reread
from cleaner.durations import Seconds
from cleaner.happened import Attempted, Braked, NamespaceRefused, Observer, Spared
from cleaner.model import Job, Owner
from cleaner.retention import Verdict
from cleaner.sweep.judge import Judge

FRESH = 5.0
"""Seconds for which a GET of a GitRepo and its Namespace lets their Jobs be deleted."""

LATE = 3
"""Times that a GitRepo, read alone, may come too late to be fresh before its Jobs are left."""


class Acting:
    """The deletions of one pass. All its state is touched by the caller's thread only; the cluster brings the concurrency."""

    def __init__(self, cluster: Deletions, judge: Judge, clock: Clock, tell: Observer, brake: Brake) -> None:
        self.deletions: dict[str, Deletion] = {}
        self.refused: list[NamespaceRefused] = []
        self.brake: Refusal | None = None
        self.confirmed = 0
        self.lookahead = 64
        self._cluster, self._judge, self._clock, self._tell, self._ask = cluster, judge, clock, tell, brake
        self._pending: deque[Verdict] = deque()
        self._doomed: dict[str, Verdict] = {}
        self._fresh_until: dict[Owner, Seconds] = {}
        self._lost: set[str] = set()
        self._late: Counter[Owner] = Counter()
        self._in_flight = 0
        self._allowed: float = 0

    def delete(self, verdicts: Iterable[Verdict], allowed: float) -> int:
        """Delete what is still doomed when its turn comes, `allowed` confirmed deletions at most; return how many are left."""
        self._pending = deque(verdicts)
        self._doomed = {verdict.job.uid: verdict for verdict in self._pending}
        self._allowed = self.confirmed + allowed
        while self._pending and self._may_go_on():
            for deletion in self._cluster.delete(self._feed(), self._ask):
                self._settle(deletion)
        return len(self._pending)

    def _may_go_on(self) -> bool:
        if self.brake is None:
            self._pull(self._ask())
        return self.brake is None and self.confirmed < self._allowed

    def _pull(self, refusal: Refusal | None) -> None:
        if refusal is not None and self.brake is None:
            self.brake = refusal
            self._tell(Braked(refusal))

    def _feed(self) -> Iterator[Doomed]:
        """Yield what is to be deleted next; asked anew after each result, so that the cap counts what was confirmed."""
        while self._pending and self.brake is None and self.confirmed + self._in_flight < self._allowed:
            verdict = self._pending[0]
            if verdict.job.uid in self._doomed and self._freshness(verdict.job.owner) <= self._clock.monotonic():
                self._read_again()
                continue
            self._pending.popleft()
            if verdict.job.uid in self._doomed:
                self._in_flight += 1
                yield Doomed(verdict.job, self._freshness(verdict.job.owner), verdict.job.uid in self._lost)

    def _freshness(self, owner: Owner) -> Seconds:
        return self._fresh_until.get(owner, float("-inf"))

    def _read_again(self) -> None:
        """GET the GitRepos of the next Jobs, and judge again those that have changed."""
        if not self._may_go_on():
            return
        now = self._clock.monotonic()
        ahead = [self._pending[i].job for i in range(min(self.lookahead, len(self._pending)))]
        owners = dict.fromkeys(job.owner for job in ahead if job.uid in self._doomed and self._freshness(job.owner) <= now)
        for read in self._cluster.reread(owners):
            self._take_in(read)
        first = ahead[0]
        if first.uid in self._doomed and self._freshness(first.owner) <= self._clock.monotonic():
            self._came_late(first.owner, alone=len(owners) == 1)

    def _came_late(self, owner: Owner, *, alone: bool) -> None:
        """Read fewer GitRepos at a time on a slow line; leave one that even so is stale again as soon as it is read."""
        self._late[owner] += alone
        if not alone:
            self.lookahead = max(1, min(self.lookahead, len(self._pending)) // 2)
        elif self._late[owner] == LATE:
            self._unread(owner, ClusterError(f"reading it takes longer than the {FRESH:.0f}s for which it counts as fresh"))

    def _take_in(self, read: Reread) -> None:
        if read.error is not None:
            self._unread(read.owner, read.error)
        elif read.namespace is None:
            self._unread(read.owner, Denied("there is no such Namespace any more"))
        else:
            self._fresh_until[read.owner] = read.read_at + FRESH
            if self._judge.inventory.adopt(read.owner, read.gitrepo, read.namespace):
                self._judge_again(read.owner)

    def _judge_again(self, owner: Owner) -> None:
        """Spare what is needed after all. What has become due meanwhile is left to the next pass."""
        for verdict in self._judge.judge(owner, self._clock.now()).verdicts:
            if not verdict.deletes and verdict.job.uid in self._doomed:
                self._drop(verdict.job, Spared(verdict))

    def _unread(self, owner: Owner, error: ClusterError) -> None:
        """A GitRepo that cannot be read again spares its Jobs in this pass; a refusal spares its whole Namespace."""
        if isinstance(error, Denied):
            self._refuse(owner.namespace, "read", str(error))
            return
        for job in [verdict.job for verdict in self._doomed.values() if verdict.job.owner == owner]:
            detail = f"its GitRepo could not be read again: {error}"
            self._record(Deletion(Doomed(job, 0.0, job.uid in self._lost), Fate.FAILED, detail))

    def _refuse(self, namespace: str, what: str, problem: str) -> None:
        refused = NamespaceRefused(namespace, what, problem, denied=True)
        self.refused.append(refused)
        self._tell(refused)
        for job in [verdict.job for verdict in self._doomed.values() if verdict.job.namespace == namespace]:
            self._drop(job, None)

    def _drop(self, job: Job, happened: Spared | None) -> None:
        """Take a Job off the list; if a request for it was lost before, that it may be gone is recorded."""
        if job.uid in self._lost:
            self._record(Deletion(Doomed(job, 0.0, lost=True), Fate.UNCONFIRMED, "an earlier answer was lost"))
        elif happened is not None:
            self._tell(happened)
        self._doomed.pop(job.uid, None)

    def _settle(self, deletion: Deletion) -> None:
        self._in_flight -= 1
        job, fate = deletion.doomed.job, deletion.fate
        if deletion.doomed.lost:
            self._lost.add(job.uid)
        if fate is Fate.STALE:
            self._pending.appendleft(self._doomed[job.uid]) if job.uid in self._doomed else None
        elif fate is Fate.REFUSED:
            self._put_back(deletion)
        else:
            self._record(deletion)
            if fate is Fate.DENIED and job.namespace not in {refused.namespace for refused in self.refused}:
                self._refuse(job.namespace, "delete", deletion.detail)

    def _put_back(self, deletion: Deletion) -> None:
        self._pull(self._ask() or Refusal(*deletion.detail.split(": ", 1)))
        if deletion.doomed.lost:
            self._record(msgspec.structs.replace(deletion, fate=Fate.UNCONFIRMED))
        elif deletion.doomed.job.uid in self._doomed:
            self._pending.appendleft(self._doomed[deletion.doomed.job.uid])

    def _record(self, deletion: Deletion) -> None:
        """Count what happened and tell it; after a lost answer a failure may have been a deletion."""
        job = deletion.doomed.job
        if deletion.doomed.lost and deletion.fate in (Fate.FAILED, Fate.DENIED):
            deletion = msgspec.structs.replace(deletion, fate=Fate.UNCONFIRMED)
        self.confirmed += deletion.fate is Fate.DELETED
        self.deletions[job.uid] = deletion
        verdict = self._doomed.pop(job.uid, None)
        if verdict is not None:
            self._tell(Attempted(verdict, deletion))

    def look_again(self, verdicts: dict[str, Verdict]) -> None:
        """Look once more for what was on its way out, or may have been: `verdicts` by uid."""
        unsure = (Fate.TERMINATING, Fate.UNCONFIRMED)
        jobs = [deletion.doomed.job for deletion in self.deletions.values() if deletion.fate in unsure]
        for job, found in self._cluster.find(jobs):
            better = _seen(self.deletions[job.uid], found)
            if better is not None:
                self._doomed[job.uid] = verdicts[job.uid]
                self._record(better)


def _seen(deletion: Deletion, found: Job | ClusterError | None) -> Deletion | None:
    """What a second look makes of a deletion; None where it proves nothing new."""
    if isinstance(found, ClusterError):
        return None
    there = found is not None and found.uid == deletion.doomed.job.uid
    if deletion.fate is Fate.TERMINATING:
        return None if there else msgspec.structs.replace(deletion, fate=Fate.DELETED, detail="seen gone")
    doomed = msgspec.structs.replace(deletion.doomed, lost=False)
    return Deletion(doomed, Fate.FAILED, f"it is still there: {deletion.detail}") if there else None
