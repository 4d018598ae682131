"""What is known now, grouped by GitRepo."""

from collections.abc import Iterable

import msgspec

from cleaner.model import GitRepo, Job, Namespace, Owner
from cleaner.scope import Scope


class Group(msgspec.Struct):
    """One GitRepo, which may not live, and its Jobs."""

    owner: Owner
    gitrepo: GitRepo | None
    jobs: list[Job] = msgspec.field(default_factory=list)


class Inventory:
    """Groups by owner. A Job's GitRepo lives if namespace, name and uid are all those of the owner reference."""

    def __init__(self) -> None:
        self.groups: dict[Owner, Group] = {}
        self.namespaces: dict[str, Namespace] = {}
        self.left_out: set[Owner] = set()
        self.left_out_jobs = 0

    def add_namespaces(self, namespaces: Iterable[Namespace]) -> None:
        """Take in what is known of Namespaces."""
        self.namespaces.update((namespace.name, namespace) for namespace in namespaces)

    def add_gitrepos(self, gitrepos: Iterable[GitRepo], scope: Scope) -> None:
        """Take in the GitRepos that are looked after; of the others only that they live."""
        for gitrepo in gitrepos:
            owner = Owner(gitrepo.namespace, gitrepo.name, gitrepo.uid)
            if scope.covers_namespace(gitrepo.namespace) and scope.covers(gitrepo):
                self.groups[owner] = Group(owner, gitrepo)
            else:
                self.left_out.add(owner)

    def add_jobs(self, jobs: Iterable[Job], scope: Scope) -> None:
        """Take in Jobs, each to its GitRepo; those of GitRepos that are not looked after are only counted."""
        for job in jobs:
            group = self.groups.get(job.owner)
            if group is not None:
                group.jobs.append(job)
            elif job.owner in self.left_out or not scope.covers_namespace(job.namespace):
                self.left_out_jobs += 1
            else:
                self.groups[job.owner] = Group(job.owner, None, [job])

    def namespace(self, name: str) -> Namespace:
        """What is known of a Namespace; one that nobody has seen cannot be understood, so its Jobs are kept."""
        return self.namespaces.get(name) or Namespace(name, problem="its Namespace has not been seen")

    def adopt(self, owner: Owner, gitrepo: GitRepo | None, namespace: Namespace) -> None:
        """Take in a fresh reading of what has the name of a GitRepo, and of its Namespace."""
        lives = gitrepo is not None and gitrepo.uid == owner.uid
        self.groups[owner].gitrepo = gitrepo if lives else None
        self.namespaces[namespace.name] = namespace
