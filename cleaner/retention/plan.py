"""The one pure function from which every way of running the tool takes its verdicts."""

import math
from collections.abc import Collection, Iterable

import msgspec

from cleaner.model import Fleet, GitRepo, Job, Moment, Namespace, OrphanedPod, Outcome, Owner
from cleaner.retention.annotations import Wishes, read_wishes, rule_for
from cleaner.retention.policy import Policy, Rule
from cleaner.retention.reasons import Reason, Verdict

ASLEEP_AFTER = 3
"""Polling intervals without a poll after which a GitRepo of Fleet <= 0.10.3 counts as asleep."""


class Surroundings(msgspec.Struct, frozen=True):
    """What the Jobs of a GitRepo share with its neighbours."""

    namespace: Namespace
    fleet: Fleet


class Plan(msgspec.Struct, frozen=True):
    """
    Verdicts of all Jobs of one GitRepo.

    `next_due` is the first moment at which, if nothing but time changes, one of the kept Jobs is to be deleted; `notes` tell
    which annotations were clamped.
    """

    verdicts: list[Verdict]
    next_due: Moment | None = None
    notes: tuple[str, ...] = ()

    @property
    def doomed(self) -> list[Verdict]:
        """The verdicts that delete."""
        return [verdict for verdict in self.verdicts if verdict.deletes]


class _Terms(msgspec.Struct, frozen=True):
    """What one finished Job is judged by."""

    rule: Rule
    protected_until: Moment | None
    protected_by: str = ""
    problem: str = ""


class _Case(msgspec.Struct):
    """What all finished Jobs of one GitRepo are judged by; in a migration, what older Fleets have left is `freed` of ages."""

    gitrepo: GitRepo
    fleet: Fleet
    policy: Policy
    places: dict[str, int]
    terms: dict[Outcome, _Terms]
    freed: dict[Outcome, _Terms]
    shared: tuple[Wishes, ...]
    problem: str
    notes: set[str]


def plan(gitrepo: GitRepo | None, jobs: Collection[Job], around: Surroundings, policy: Policy, now: Moment) -> Plan:
    """
    Judge every Job of one GitRepo; `gitrepo` is None where none lives under the uid that the Jobs name.

    Each Job gets exactly one verdict, in the order given; the order of the Jobs changes no verdict.
    """
    if gitrepo is None:
        return Plan([Verdict(job, Reason.NOT_OWNED) for job in jobs])
    return _planned(jobs, _case(gitrepo, jobs, around, policy), now)


def plan_pods(
    owner: Owner, gitrepo: GitRepo | None, pods: Collection[OrphanedPod], namespace: Namespace, policy: Policy, now: Moment
) -> Plan:
    """
    Judge the Pods that Jobs of one GitRepo left behind; `gitrepo` is None where none has that name.

    They are of no use to Fleet, and no garbage collector takes them, not even when their GitRepo leaves: what keeps them are
    annotations (of whatever lives), the settle time and the age of their outcome. They take no place among the newest.
    """
    known = gitrepo or GitRepo(owner.namespace, owner.name, owner.uid)
    return _planned(pods, _case(known, (), Surroundings(namespace, Fleet()), policy), now)


def _planned(jobs: Iterable[Job], case: _Case, now: Moment) -> Plan:
    verdicts, next_due = [], math.inf
    for job in jobs:
        verdict = _verdict(job, case, now)
        verdicts.append(verdict)
        if verdict.until is not None:
            next_due = min(next_due, _due(verdict, case))
    return Plan(verdicts, None if next_due == math.inf else next_due, tuple(sorted(case.notes)))


def _case(gitrepo: GitRepo, jobs: Collection[Job], around: Surroundings, policy: Policy) -> _Case:
    case = _Case(gitrepo, around.fleet, policy, _places(jobs), {}, {}, (), gitrepo.problem or around.namespace.problem, set())
    try:
        of_gitrepo = read_wishes("GitRepo", gitrepo.annotations)
        case.shared = (of_gitrepo, read_wishes("Namespace", around.namespace.annotations))
    except ValueError as error:
        case.problem = case.problem or str(error)
    case.terms = {outcome: _terms(outcome, case.shared, case, policy) for outcome in Outcome}
    if policy.migrating:
        case.freed = {outcome: _terms(outcome, case.shared, case, policy.ageless()) for outcome in Outcome}
    return case


def _places(jobs: Collection[Job]) -> dict[str, int]:
    """
    Place of each finished Job among those of its outcome, newest first, by identity.

    Jobs that are being deleted take no place. Ties are broken by name, so that the plan is the same every time.
    """
    places: dict[str, int] = {}
    for outcome in Outcome:
        standing = [job for job in jobs if job.outcome is outcome and not job.deleting]
        standing.sort(key=_newness, reverse=True)
        places.update((job.identity, place) for place, job in enumerate(standing))
    return places


def _newness(job: Job) -> tuple[Moment, Moment, str]:
    # An identity begins with the name, and the space after it sorts before every character of a name.
    return (job.finished or 0.0, job.created, job.identity)


def _terms(outcome: Outcome, levels: tuple[Wishes, ...], case: _Case, policy: Policy) -> _Terms:
    rule, told = rule_for(outcome, levels, policy)
    case.notes.update(told)
    dates = [(wishes.protected_until, wishes.of) for wishes in levels if wishes.protected_until is not None]
    until, of = max(dates, default=(None, ""))
    return _Terms(rule, until, f"an annotation on the {of}" if of else "", case.problem)


def _terms_of(job: Job, outcome: Outcome, case: _Case, *, current: bool) -> _Terms:
    """Terms of one Job: those of its GitRepo, unless it carries annotations of its own."""
    freed = case.policy.migrating and (job.legacy or current)
    terms = (case.freed if freed else case.terms)[outcome]
    if not job.annotations:
        return terms
    try:
        wishes = read_wishes(job.KIND, job.annotations)
    except ValueError as error:
        return msgspec.structs.replace(terms, problem=str(error))
    return _terms(outcome, (wishes, *case.shared), case, case.policy.ageless() if freed else case.policy)


def _verdict(job: Job, case: _Case, now: Moment) -> Verdict:
    """Judge one Job: the first reason that holds, in the order of `Reason`."""
    outcome, finished = job.outcome, job.finished
    if outcome is None or finished is None:
        return _unfinished(job)
    if job.deleting:
        return Verdict(job, Reason.DELETING)
    if isinstance(job, OrphanedPod):
        return _orphaned(job, finished, _terms_of(job, outcome, case, current=False), case, now)
    current = case.gitrepo.is_current(job)
    terms = _terms_of(job, outcome, case, current=current)
    return (
        _unreadable(job, terms, case, now)
        or _protected(job, terms, current, now)
        or _needed_by_gitrepo(job, outcome, case, current)
        or _asleep(job, case, now)
        or _too_new(job, terms, case, current, now)
        or Verdict(job, _deleting(job, case, current=current), since=_since(finished, terms, case))
    )


def _deleting(job: Job, case: _Case, *, current: bool) -> Reason:
    if current:
        return Reason.EXPIRED
    return Reason.LEGACY if case.policy.migrating and job.legacy else Reason.SUPERSEDED


def _orphaned(pod: OrphanedPod, finished: Moment, terms: _Terms, case: _Case, now: Moment) -> Verdict:
    """Judge a Pod; as for a current Job, nobody asks for its place among the newest."""
    return (
        _unreadable(pod, terms, case, now)
        or _protected(pod, terms, current=False, now=now)
        or _too_new(pod, terms, case, current=True, now=now)
        or Verdict(pod, Reason.ORPHANED, since=_since(finished, terms, case))
    )


def _since(finished: Moment, terms: _Terms, case: _Case) -> Moment:
    return max(finished + max(case.policy.settle, terms.rule.age), terms.protected_until or finished)


def _unfinished(job: Job) -> Verdict:
    if not job.problem:
        return Verdict(job, Reason.RUNNING)
    if job.deleting:
        return Verdict(job, Reason.DELETING)
    return Verdict(job, Reason.UNREADABLE, detail=job.problem)


def _unreadable(job: Job, terms: _Terms, case: _Case, now: Moment) -> Verdict | None:
    problem = job.problem or terms.problem
    if problem:
        return Verdict(job, Reason.UNREADABLE, detail=problem)
    if job.finished is not None and job.finished > now + case.policy.clock_bound:
        return Verdict(job, Reason.UNREADABLE, job.finished, "it finished in the future")
    return None


def _protected(job: Job, terms: _Terms, current: bool, now: Moment) -> Verdict | None:
    if current and job.has_finalizers:
        return Verdict(job, Reason.PROTECTED, detail="it is current and has a finalizer")
    if terms.protected_until is None or now >= terms.protected_until:
        return None
    until = None if terms.protected_until == math.inf else terms.protected_until
    return Verdict(job, Reason.PROTECTED, until, terms.protected_by)


def _needed_by_gitrepo(job: Job, outcome: Outcome, case: _Case, current: bool) -> Verdict | None:
    gitrepo = case.gitrepo
    if gitrepo.deleting_since is not None:
        return Verdict(job, Reason.LEAVING)
    if not current:
        return None
    # Fleet <= 0.10.3 makes a missing current Job again at once, for ever: no setting may override this.
    if case.fleet.recreates or not case.policy.lets_go(outcome):
        return Verdict(job, Reason.CURRENT)
    if not gitrepo.settled or gitrepo.disable_polling:
        return Verdict(job, Reason.UNSETTLED)
    return None


def _asleep(job: Job, case: _Case, now: Moment) -> Verdict | None:
    """Keep what would wake a GitRepo: polling dies by itself in old Fleets, and there any Job's deletion starts it again."""
    gitrepo = case.gitrepo
    if not case.fleet.recreates or case.policy.wake or gitrepo.disable_polling or gitrepo.last_polled is None:
        return None
    if now > gitrepo.last_polled + ASLEEP_AFTER * gitrepo.polling_interval:
        return Verdict(job, Reason.ASLEEP)
    return None


def _too_new(job: Job, terms: _Terms, case: _Case, current: bool, now: Moment) -> Verdict | None:
    finished = job.finished or 0.0
    if now < finished + case.policy.settle:
        return Verdict(job, Reason.SETTLING, finished + case.policy.settle)
    if not current and case.places[job.identity] < terms.rule.keep:
        return Verdict(job, Reason.NEWEST)
    if now < finished + terms.rule.age:
        return Verdict(job, Reason.YOUNG, finished + terms.rule.age)
    return None


def _due(verdict: Verdict, case: _Case) -> Moment:
    """When this Job is to be deleted if only time changes: every reason that ends is asked again at its end."""
    until = verdict.until
    while until is not None:
        verdict = _verdict(verdict.job, case, until)
        if verdict.deletes:
            return until
        until = verdict.until
    return math.inf
