"""Decide: the verdicts of every GitRepo in the inventory, and again for one whose facts have changed."""

from collections.abc import Iterable

import msgspec

from cleaner.happened import Judged, Observer
from cleaner.inventory import Inventory
from cleaner.model import Fleet, GitRepo, Job, Moment, Namespace, Owner
from cleaner.retention import Plan, Policy, Reason, Stuck, Surroundings, Verdict, plan, stuck
from cleaner.scope import Scope


class Judge(msgspec.Struct):
    """Holds the plans of a pass; every one of them comes from `retention.plan`."""

    inventory: Inventory
    scope: Scope
    policy: Policy
    fleet: Fleet
    plans: dict[Owner, Plan] = msgspec.field(default_factory=dict)

    def judge_all(self, owners: Iterable[Owner], now: Moment, tell: Observer) -> None:
        """Judge GitRepos, and tell."""
        for owner in owners:
            tell(Judged(self.gitrepo(owner), self.judge(owner, now)))

    def gitrepo(self, owner: Owner) -> GitRepo | None:
        """Return a GitRepo, if it lives."""
        group = self.inventory.groups.get(owner)
        return None if group is None else group.gitrepo

    def knows(self, owner: Owner) -> bool:
        """Whether a GitRepo is in the inventory."""
        return owner in self.inventory.groups

    def adopt(self, owner: Owner, gitrepo: GitRepo | None, namespace: Namespace) -> None:
        """Take in a fresh reading."""
        self.inventory.adopt(owner, gitrepo, namespace)

    def judge(self, owner: Owner, now: Moment) -> Plan:
        """Judge one GitRepo by what is known now."""
        group = self.inventory.groups[owner]
        if group.gitrepo is not None and not self.scope.covers(group.gitrepo):
            self.plans[owner] = unselected(group.jobs)
        else:
            around = Surroundings(self.inventory.namespace(owner.namespace), self.fleet)
            self.plans[owner] = plan(group.gitrepo, group.jobs, around, self.policy, now)
        return self.plans[owner]

    def plans_as_acted(self, acted: dict[str, Verdict]) -> dict[Owner, Plan]:
        """Return the plans, with the verdict that was acted on for each Job whose deletion was tried."""
        if not acted:
            return self.plans
        owners = {verdict.job.owner for verdict in acted.values()}
        return {owner: as_acted(each, acted) if owner in owners else each for owner, each in self.plans.items()}

    def stuck(self, now: Moment) -> list[Stuck]:
        """Tell what is stuck, over all GitRepos."""
        groups = [group for owner in self.plans if (group := self.inventory.groups.get(owner))]
        return [found for g in groups if g.gitrepo for found in stuck(g.gitrepo, g.jobs, self.fleet, now)]

    def doomed(self) -> list[Verdict]:
        """Return all verdicts that delete, oldest finish first; those of one moment stay in the API's order."""
        return oldest_first(self.plans.values())


def as_acted(each: Plan, acted: dict[str, Verdict]) -> Plan:
    """Put the verdicts that were acted on into a plan."""
    verdicts = [acted.get(verdict.job.uid, verdict) for verdict in each.verdicts]
    return msgspec.structs.replace(each, verdicts=verdicts)


def oldest_first(plans: Iterable[Plan]) -> list[Verdict]:
    """Return the verdicts that delete in the order in which they are acted on."""
    return sorted((verdict for each in plans for verdict in each.doomed), key=_age)


def _age(verdict: Verdict) -> Moment:
    return verdict.job.finished or 0.0


def unselected(jobs: Iterable[Job]) -> Plan:
    """Judge the Jobs of a GitRepo whose labels have changed during the pass: it is another installation's now."""
    return all_kept(jobs, "its GitRepo no longer has the labels that this installation selects")


def all_kept(jobs: Iterable[Job], why: str) -> Plan:
    """Keep all, for a reason that is no rule's."""
    return Plan([Verdict(job, Reason.UNREADABLE, detail=why) for job in jobs])
