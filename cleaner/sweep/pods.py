"""The Pods that Jobs left behind: found by their form, judged like Jobs, deleted by the same contract."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from cleaner.cluster import Brake, Clock, Cluster, ClusterError, Denied, Refusal, whole
from cleaner.durations import Seconds
from cleaner.happened import Attempted, Happened, Judged, NamespaceRefused, Observer, OfPods, Read, Spared, Unreadable
from cleaner.model import GitRepo, Job, Moment, Namespace, OrphanedPod, Owner, Pod, identity
from cleaner.result import PodResult
from cleaner.retention import Bounds, Plan, Policy, Rule, Verdict, plan_pods
from cleaner.scope import Scope
from cleaner.sweep.acting import Acting
from cleaner.sweep.brakes import clock_is_off
from cleaner.sweep.judge import all_kept, as_acted, oldest_first, unselected

T = TypeVar("T")

_LONGEST_COMMIT = 200
_AT_ONCE = Policy(Rule(0, 0.0), Rule(0, 0.0), settle=0.0, bounds=Bounds(age_max=0.0))


class _Group(msgspec.Struct):
    """The Pods that name one GitRepo, and what has that name."""

    namespace: Namespace
    gitrepo: GitRepo | None = None
    pods: list[OrphanedPod] = msgspec.field(default_factory=list)


class _PodJudge:
    """
    Holds the plans of the Pods of a pass, by the GitRepos that they name; every one comes from `retention.plan_pods`.

    With a `uid`, only the GitRepo that has it speaks for them.
    """

    def __init__(self, scope: Scope, policy: Policy) -> None:
        self.uid = ""
        self.groups: dict[Owner, _Group] = {}
        self.plans: dict[Owner, Plan] = {}
        self._scope, self._policy = scope, policy

    def add(self, pods: Iterable[OrphanedPod]) -> None:
        """Take in Pods; until their GitRepo and Namespace have been read, nothing lets them go."""
        for pod in pods:
            unseen = Namespace(pod.namespace, problem="its Namespace has not been seen")
            self.groups.setdefault(pod.owner, _Group(unseen)).pods.append(pod)

    def knows(self, owner: Owner) -> bool:
        """Whether Pods name this GitRepo."""
        return owner in self.groups

    def adopt(self, owner: Owner, gitrepo: GitRepo | None, namespace: Namespace) -> None:
        """Take in a fresh reading: Pods tell no uid, so whatever has the name of their GitRepo speaks for them."""
        self.groups[owner].gitrepo, self.groups[owner].namespace = gitrepo, namespace

    def doubt(self, owner: Owner, problem: str) -> None:
        """Keep all Pods of a GitRepo."""
        self.groups[owner].namespace = Namespace(owner.namespace, problem=problem)

    def settle_runs(self, found: Mapping[Job, str], now: Moment) -> None:
        """
        Judge again what Jobs left that are not gone, as far as anybody knows: the problem of a Job keeps its Pods.

        Without a problem it lives, and its Pods are not orphaned, whatever they wait for: they are forgotten.
        """
        for owner in {job.owner for job in found}:
            group = self.groups[owner]
            group.pods = [kept for pod in group.pods if (kept := _settled(pod, found.get(_job_of(pod)))) is not None]
            self.judge(owner, now)

    def judge_all(self, now: Moment) -> None:
        """Judge all."""
        for owner in self.groups:
            self.judge(owner, now)

    def judge(self, owner: Owner, now: Moment) -> Plan:
        """Judge the Pods of one GitRepo by what is known now."""
        group = self.groups[owner]
        if group.gitrepo is not None and not self._scope.covers(group.gitrepo):
            self.plans[owner] = unselected(group.pods)
        elif self.uid and (group.gitrepo is None or group.gitrepo.uid != self.uid):
            self.plans[owner] = all_kept(group.pods, "the GitRepo for which they were looked for is gone")
        else:
            self.plans[owner] = plan_pods(owner, group.gitrepo, group.pods, self._namespace(group), self._policy, now)
        return self.plans[owner]

    def _namespace(self, group: _Group) -> Namespace:
        """What speaks for the Namespace; of a GitRepo that does not live nobody can tell whose it was, if labels select."""
        if group.gitrepo is not None or not self._scope.selector or group.namespace.problem:
            return group.namespace
        return Namespace(group.namespace.name, problem="its GitRepo does not live, so it has no labels to select it by")

    def doomed(self) -> list[Verdict]:
        """Return all verdicts that delete, oldest finish first."""
        return oldest_first(self.plans.values())

    def plans_as_acted(self, acted: dict[str, Verdict]) -> dict[Owner, Plan]:
        """Return the plans, with the verdict that was acted on for each Pod whose deletion was tried."""
        return {owner: as_acted(each, acted) for owner, each in self.plans.items() if each.verdicts}


class PodSweep:
    """
    The half of a pass that sees to Pods; `brake` is asked before each deletion.

    A Pod is orphaned if nothing owns it and no Job has its Job's uid any more: a uid that is gone never comes back, so that is
    asked once, of those that nothing else keeps.
    """

    def __init__(self, cluster: Cluster, scope: Scope, policy: Policy, clock: Clock, tell: Observer, brake: Brake) -> None:
        self._cluster, self._scope, self._clock, self._tell, self._stop = cluster, scope, clock, tell, brake
        self._judge = _PodJudge(scope, policy)
        self._refused: list[NamespaceRefused] = []
        self._unreadable: list[Unreadable] = []
        self.acting = Acting(cluster, self._judge, clock, self._told, brake)

    def decide(self, namespaces: Iterable[str], stop: Brake, gitrepo: str = "", uid: str = "") -> list[Verdict]:
        """
        List the Pods of Namespaces (an empty name: of all), or only those of one GitRepo; return what is to go, oldest first.

        With a `uid`, only while a GitRepo that has it lives.

        `stop` is asked between pages, and after each answer.
        """
        self._stop, self._judge.uid = stop, uid
        for namespace in namespaces:
            self._judge.add(pod for pod in self._listed(namespace) if gitrepo in ("", pod.owner.name))
        for read in self._unstopped(self._cluster.reread([owner for owner in self._judge.groups if owner.name])):
            if read.error is not None:
                self._judge.doubt(read.owner, f"its GitRepo or its Namespace cannot be read: {read.error}")
            elif read.namespace is None:
                self._judge.doubt(read.owner, "there is no such Namespace any more")
            elif read.gitrepo is not None and not self._scope.covers(read.gitrepo):
                del self._judge.groups[read.owner]
            else:
                self._judge.adopt(read.owner, read.gitrepo, read.namespace)
        self._judge.judge_all(self._clock.now())
        gone = self._gone_jobs()
        for owner, plan in self._judge.plans.items():
            self._told(Judged(self._judge.groups[owner].gitrepo, plan))
        return [verdict for verdict in self._judge.doomed() if _job_of(verdict.job) in gone]

    def _listed(self, namespace: str) -> list[OrphanedPod]:
        """List the orphans of a Namespace; where that fails, all its Pods stay, and it is told."""
        try:
            pods, unreadable = whole(lambda: self._gather(namespace))
        except ClusterError as error:
            self._told(NamespaceRefused(namespace, "list Pods", str(error), isinstance(error, Denied)))
            return []
        for bad in unreadable:
            self._told(bad)
        return pods

    def _gather(self, namespace: str) -> tuple[list[OrphanedPod], list[Unreadable]]:
        pods: list[OrphanedPod] = []
        unreadable: list[Unreadable] = []
        seen = 0
        for page in self._cluster.pods(namespace):
            pods += [_orphan(pod) for pod in page.facts if _may_be_orphaned(pod) and self._scope.covers_namespace(pod.namespace)]
            unreadable += [Unreadable("Pod", bad.namespace, bad.name, bad.problem) for bad in page.unreadable]
            seen += len(page.facts) + page.foreign
            self._tell(Read("Pod", seen))
            refusal = self._stop()
            if refusal is not None:
                self.acting.pull(refusal)
                return [], []
        return pods, unreadable

    def _gone_jobs(self) -> set[Job]:
        """Look whether the Jobs of what is to go are gone, and return those: a Pod stays whose Job lives, or may live."""
        gone: set[Job] = set()
        others: dict[Job, str] = {}
        for seen in self._unstopped(self._cluster.find(dict.fromkeys(_job_of(verdict.job) for verdict in self._judge.doomed()))):
            if seen.error is not None:
                others[seen.job] = f"whether its Job is gone cannot be seen: {seen.error}"
            elif seen.uid == seen.job.uid:
                others[seen.job] = ""
            else:
                gone.add(seen.job)
        self._judge.settle_runs(others, self._clock.now())
        return gone

    def _unstopped(self, answers: Iterable[T]) -> Iterator[T]:
        """Hand on answers until a stop: there may be thousands, and who asks `stop` is seen to live."""
        for answer in answers:
            refusal = self._stop()
            if refusal is not None:
                self.acting.pull(refusal)
                return
            yield answer

    def _told(self, happened: Happened) -> None:
        """Tell what happened to Pods as such; what is no matter of Pods alone goes on as it is."""
        if isinstance(happened, NamespaceRefused):
            if happened.what == "delete":
                happened = msgspec.structs.replace(happened, what="delete Pods")
            self._refused.append(happened)
        if isinstance(happened, Unreadable):
            self._unreadable.append(happened)
        if isinstance(happened, Judged | Attempted | Spared | NamespaceRefused | Unreadable):
            happened = OfPods(happened)
        self._tell(happened)

    def result(self) -> PodResult:
        """Return what came of it so far."""
        acting = self.acting
        return PodResult(
            self._judge.plans_as_acted(acting.acted), acting.deletions, self._refused, self._unreadable, acting.brake
        )


def _may_be_orphaned(pod: Pod) -> bool:
    return pod.outcome is not None and not pod.owned


def _orphan(pod: Pod) -> OrphanedPod:
    return OrphanedPod(
        Owner(pod.namespace, pod.gitrepo, ""),
        identity(pod.name, pod.uid, pod.version, pod.commit[:_LONGEST_COMMIT]),
        pod.created,
        pod.outcome,
        pod.finished,
        annotations=pod.annotations,
        marks=Job.DELETING if pod.deleting else 0,
        problem="" if pod.gitrepo else "its command line names no GitRepo",
        job=pod.job,
        job_uid=pod.job_uid,
    )


def _job_of(pod: Job) -> Job:
    """Return the Job that left a Pod, as far as the Pod tells."""
    name, uid = (pod.job, pod.job_uid) if isinstance(pod, OrphanedPod) else ("", "")
    return Job(pod.owner, identity(name, uid, "", ""), 0.0)


def _settled(pod: OrphanedPod, problem: str | None) -> OrphanedPod | None:
    if problem == "":
        return None
    return pod if problem is None else msgspec.structs.replace(pod, problem=problem)


def clear_orphaned_pods(
    cluster: Cluster, gitrepo: Owner, clock: Clock, tell: Observer, brake: Brake, clock_bound: Seconds = 30.0
) -> PodResult:
    """
    Delete the finished Pods that Jobs of one GitRepo left behind, now: no age and no settle time keeps them.

    All else of the contract holds: annotations that protect, a Job that lives, preconditions, a clock that is off, `brake`
    before each (hand in one that asks for a stop and a pause). Once that very GitRepo is gone nothing goes any more: nobody can
    tell what it protected, and one made anew under its name has its own ages. `PodResult.cleared` tells whether none is left; if
    not, `left()`, `refused` and `brake` tell what and why. Never raises a ClusterError.
    """

    def braked() -> Refusal | None:
        return brake() or clock_is_off(cluster, clock_bound) or brake()

    pods = PodSweep(cluster, Scope(), _AT_ONCE, clock, tell, braked)
    doomed = pods.decide([gitrepo.namespace], brake, gitrepo.name, gitrepo.uid)
    if doomed:
        pods.acting.delete(doomed, float("inf"))
        pods.acting.look_again()
    return pods.result()
