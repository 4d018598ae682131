"""What is known now, grouped by GitRepo."""

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from cleaner.model import GitRepo, Job, Namespace, Owner
from cleaner.scope import Scope


class Group(msgspec.Struct):
    """One GitRepo, which may not live, and its Jobs."""

    owner: Owner
    gitrepo: GitRepo | None
    jobs: list[Job] = msgspec.field(default_factory=list)


class Inventory:
    """
    Groups by owner. A Job's GitRepo lives if namespace, name and uid are all those of the owner reference.

    `stirred` gathers the Namespaces that a fresh reading found changed; whoever keeps an inventory current clears it.
    """

    def __init__(self) -> None:
        self.groups: dict[Owner, Group] = {}
        self.namespaces: dict[str, Namespace] = {}
        self.left_out: set[Owner] = set()
        self.left_out_jobs = 0
        self.stirred: set[str] = set()

    def add_namespaces(self, namespaces: Iterable[Namespace]) -> None:
        """Take in what is known of Namespaces."""
        self.namespaces.update((namespace.name, namespace) for namespace in namespaces)

    def add_gitrepos(self, gitrepos: Iterable[GitRepo], scope: Scope) -> None:
        """Take in the GitRepos that are looked after; of the others only that they live."""
        for gitrepo in gitrepos:
            self.put_gitrepo(gitrepo, scope)

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

    def put_gitrepo(self, gitrepo: GitRepo, scope: Scope) -> Owner | None:
        """
        Take in a GitRepo as it is now; None where it is not looked after.

        One that is not any more takes its Jobs along: they are another installation's.
        """
        owner = Owner(gitrepo.namespace, gitrepo.name, gitrepo.uid)
        if not (scope.covers_namespace(gitrepo.namespace) and scope.covers(gitrepo)):
            self.left_out.add(owner)
            self.left_out_jobs += len(self.groups.pop(owner, Group(owner, None)).jobs)
            return None
        self.left_out.discard(owner)
        self.groups.setdefault(owner, Group(owner, None)).gitrepo = gitrepo
        return owner

    def drop_gitrepo(self, owner: Owner) -> None:
        """Forget a GitRepo that is gone; its Jobs stay until they are gone as well."""
        self.left_out.discard(owner)
        group = self.groups.get(owner)
        if group is not None:
            group.gitrepo = None
            self._drop_if_empty(group)

    def change_jobs(self, owner: Owner, there: Mapping[str, Job], gone: Collection[str]) -> bool:
        """Take in Jobs of one owner by uid, forget those that are gone, and tell whether anything has changed by that."""
        if owner in self.left_out:
            return False
        group = self.groups.setdefault(owner, Group(owner, None))
        before = len(group.jobs)
        group.jobs = [job for job in group.jobs if (uid := job.uid) not in there and uid not in gone] + list(there.values())
        self._drop_if_empty(group)
        return bool(there) or len(group.jobs) != before

    def _drop_if_empty(self, group: Group) -> None:
        if group.gitrepo is None and not group.jobs:
            self.groups.pop(group.owner, None)

    def clear_jobs(self, covers: Callable[[str], bool]) -> None:
        """Forget the Jobs of some Namespaces, before what a list has told of them is taken in."""
        for group in [group for group in self.groups.values() if covers(group.owner.namespace)]:
            group.jobs = []
            self._drop_if_empty(group)

    def clear_gitrepos(self, covers: Callable[[str], bool]) -> None:
        """Forget the GitRepos of some Namespaces, as `clear_jobs` does."""
        self.left_out = {owner for owner in self.left_out if not covers(owner.namespace)}
        for group in [group for group in self.groups.values() if covers(group.owner.namespace)]:
            group.gitrepo = None
            self._drop_if_empty(group)

    def namespace(self, name: str) -> Namespace:
        """What is known of a Namespace; one that nobody has seen cannot be understood, so its Jobs are kept."""
        return self.namespaces.get(name) or Namespace(name, problem="its Namespace has not been seen")

    def adopt(self, owner: Owner, gitrepo: GitRepo | None, namespace: Namespace) -> None:
        """Take in a fresh reading of what has the name of a GitRepo, and of its Namespace."""
        lives = gitrepo is not None and gitrepo.uid == owner.uid
        self.groups[owner].gitrepo = gitrepo if lives else None
        if self.namespaces.get(namespace.name) != namespace:
            self.namespaces[namespace.name] = namespace
            self.stirred.add(namespace.name)
