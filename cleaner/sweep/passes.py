"""One pass over the scope, in the three steps that the operator can see."""

from collections.abc import Iterable, Mapping

import msgspec

from cleaner.cluster import Brake, Clock, Cluster, Refusal
from cleaner.happened import Observer
from cleaner.inventory import Inventory
from cleaner.model import Fleet, Owner
from cleaner.result import Result
from cleaner.retention import Plan, Policy, Reason, Verdict
from cleaner.scope import Scope
from cleaner.sweep.acting import Acting
from cleaner.sweep.brakes import clock_is_off
from cleaner.sweep.canary import Canary
from cleaner.sweep.current import CurrentJobs, Find
from cleaner.sweep.judge import Judge
from cleaner.sweep.keeping import Keeping
from cleaner.sweep.look import Looked, look
from cleaner.sweep.pods import PodSweep


class Order(msgspec.Struct, frozen=True):
    """What a pass is asked to do. `max_deletions` counts confirmed deletions, 0 is no cap; `lookahead` is in Jobs."""

    scope: Scope = Scope()
    policy: Policy = Policy()
    dry_run: bool = False
    max_deletions: int = 0
    lookahead: int = 64
    orphaned_pods: bool = False


class Sweep:
    """Look, decide, act: `stop` is the caller's own brake; a pause and a clock that is off are asked for here."""

    def __init__(self, cluster: Cluster, order: Order, clock: Clock, tell: Observer, stop: Brake) -> None:
        self._cluster, self._order, self._clock, self._tell, self._stop = cluster, order, clock, tell, stop
        self._started = clock.now()
        self._looked = Looked(Inventory())
        self._judge = Judge(self._looked.inventory, order.scope, order.policy, Fleet())
        self._acting = Acting(cluster, self._judge, clock, tell, self.brake)
        self._pods = PodSweep(cluster, order.scope, order.policy, clock, tell, self.brake)
        self._current: CurrentJobs | None = None
        self._backlog = 0

    def brake(self) -> Refusal | None:
        """
        Ask every brake; the first that refuses is the answer.

        The caller's own is asked again at the end: reading a pause may take seconds, in which a Lease may end.
        """
        return self._stop() or self._cluster.paused() or self._clock_is_off() or self._stop()

    def _clock_is_off(self) -> Refusal | None:
        return clock_is_off(self._cluster, self._order.policy.clock_bound)

    def look(self, scope: Scope | None = None) -> Looked:
        """Read the world, or a part of it."""
        self._judge.fleet = self._cluster.fleet()
        self._looked = look(self._cluster, scope or self._order.scope, self._tell, self._stop)
        self._judge.inventory = self._looked.inventory
        return self._looked

    def know(self, looked: Looked, fleet: Fleet) -> None:
        """Take what is known already, where somebody keeps it current, instead of looking."""
        self._looked = looked
        self._judge.fleet, self._judge.inventory = fleet, looked.inventory

    @property
    def fleet(self) -> Fleet:
        """The Fleet that is judged by; deleting current Jobs may have found another."""
        return self._judge.fleet

    @fleet.setter
    def fleet(self, fleet: Fleet) -> None:
        self._judge.fleet = fleet

    def decide(self, owners: Iterable[Owner] | None = None) -> list[Verdict]:
        """Judge every Job, or those of some; return what is to be deleted, oldest first. By a clock that is off nothing goes."""
        self._judge.judge_all(self._looked.inventory.groups if owners is None else owners, self._clock.now(), self._tell)
        doomed = self._judge.doomed()
        self._acting.pull(self._clock_is_off() if doomed else None)
        return doomed

    def decide_on_pods(self, gitrepo: str = "") -> list[Verdict]:
        """
        List and judge the Pods that Jobs left behind, if that is asked for, where Jobs could be read; as `decide` for Jobs.

        With `gitrepo`, only those that name it.
        """
        if not self._order.orphaned_pods:
            return []
        scope, unread = self._order.scope, {refused.namespace for refused in self._looked.refused}
        parts = [name for name in scope.namespaces if scope.covers_namespace(name)] if scope.namespaces else [""]
        return self._pods.decide([name for name in parts if name not in unread], self._stop, gitrepo)

    def act(self, doomed: list[Verdict], canary: Canary) -> None:
        """
        Delete: the Jobs of old commits first, then, behind a canary, current ones, then Pods. It may be called part after part.
        """
        pods = [verdict for verdict in doomed if verdict.reason is Reason.ORPHANED]
        jobs = [verdict for verdict in doomed if verdict.reason is not Reason.ORPHANED]
        if jobs:
            self._act_on_jobs(jobs, canary)
        if pods:
            self._act_on_pods(pods)

    def _act_on_pods(self, doomed: list[Verdict]) -> None:
        acting = self._pods.acting
        acting.lookahead = self._order.lookahead
        # A brake that the Jobs have met holds the Pods too; asking it again would tell it twice.
        self._backlog += len(doomed) if self._acting.brake is not None else acting.delete(doomed, self._allowed())
        acting.look_again()

    def _act_on_jobs(self, doomed: list[Verdict], canary: Canary) -> None:
        self._acting.lookahead = self._order.lookahead
        if self._current is None:
            self._current = CurrentJobs(self._cluster, self._acting, canary, self._clock, self._tell)
        self._backlog += self._acting.delete([v for v in doomed if v.reason is not Reason.EXPIRED], self._allowed())
        self._backlog += self._delete_current([verdict for verdict in doomed if verdict.reason is Reason.EXPIRED], canary)
        self._acting.look_again()

    def look_for_returns(self, canary: Canary, find: Find | None = None) -> None:
        """Look whether current Jobs that we deleted have come back; `find` where somebody knows without asking the API."""
        if self._current is None:
            self._current = CurrentJobs(self._cluster, self._acting, canary, self._clock, self._tell)
        if not self._order.dry_run:
            self._current.look_again(find or self._cluster.find)

    def leave(self, count: int) -> None:
        """Count Jobs that were due and are left to a later pass."""
        self._backlog += count

    @property
    def plans(self) -> Mapping[Owner, Plan]:
        """The latest plan of each GitRepo that was judged."""
        return self._judge.plans

    def pull(self, refusal: Refusal | None) -> None:
        """Pull the brake for the rest of this pass, if there is a refusal; the first one counts."""
        self._acting.pull(refusal)

    @property
    def braked(self) -> Refusal | None:
        """What stopped the deletions, if anything did."""
        return self._acting.brake or self._pods.acting.brake

    def _allowed(self) -> float:
        return (self._order.max_deletions or float("inf")) - self._acting.spent - self._pods.acting.spent

    def _delete_current(self, expired: list[Verdict], canary: Canary) -> int:
        """Read Fleet's version again before any current Job goes: a Fleet that makes it again must not see it missing."""
        if not expired or self._acting.brake is not None or self._current is None:
            return len(expired)
        fleet = self._cluster.fleet()
        if fleet.recreates:
            self._judge.fleet = fleet
            for owner in dict.fromkeys(verdict.job.owner for verdict in expired):
                self._judge.judge(owner, self._clock.now())
            return 0
        if self._order.dry_run:
            return self._acting.delete(expired, self._allowed())
        if self._acting.prepare is None:
            self._acting.prepare = Keeping(self._cluster, canary.kept, self._clock, self._tell)
        return self._current.delete(expired, self._allowed())

    def result(self) -> Result:
        """Return what the pass came to."""
        looked, acting, pods, now = self._looked, self._acting, self._pods.result(), self._clock.now()
        return Result(
            dry_run=self._order.dry_run,
            fleet=self._judge.fleet,
            started=self._started,
            ended=now,
            plans=self._judge.plans_as_acted(acting.acted),
            gitrepos={owner: self._judge.gitrepo(owner) for owner in self._judge.plans},
            deletions=acting.deletions,
            refused=[*looked.refused, *acting.refused, *pods.refused],
            unreadable=[*looked.unreadable, *pods.unreadable],
            stuck=self._judge.stuck(now),
            foreign=looked.foreign,
            left_out=looked.inventory.left_out_jobs,
            parts=looked.parts,
            backlog=self._backlog,
            brake=self.braked or looked.stopped,
            tripped=self._current.tripped if self._current else [],
            pods=pods,
        )
