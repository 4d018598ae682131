"""What the readers have told, as one inventory; each change names the GitRepos whose verdicts it may change."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from cleaner import fleet
from cleaner.cluster import ClusterError, Denied, Kind, Sighting
from cleaner.happened import Finished, NamespaceRefused, Observer, Unreadable
from cleaner.inventory import Inventory
from cleaner.model import GitRepo, Job, Moment, Namespace, Outcome, Owner
from cleaner.scope import Scope
from cleaner.service.readers import Changed, Failed, Listed, Source
from cleaner.sweep import Looked


class _Told(msgspec.Struct):
    """What is known of one source, beside its facts. None of `error` and `listed`: nobody has answered yet."""

    listed: bool = False
    error: ClusterError | None = None
    unreadable: list[Unreadable] = []
    foreign: int = 0
    left_out: int = 0


class Store:
    """
    Touched by the worker's thread only.

    `gone` gathers the uids of Jobs that a watch has seen go; `wants_jobs` is set where the Jobs must be listed again. Whoever
    reads these clears them.
    """

    def __init__(self, sources: Iterable[Source], scope: Scope, tell: Observer) -> None:
        self.inventory = Inventory()
        self.last_success: dict[Owner, Moment] = {}
        self.wants_jobs = False
        self.gone: list[str] = []
        self._scope, self._tell = scope, tell
        self._told = {source: _Told() for source in sources}
        self._just_deleted: set[str] = set()

    def listed(self, message: Listed) -> set[Owner]:
        """Put what a list says in the place of what was known of its source; whoever is or was there is to be judged again."""
        source, told = message.source, self._told[message.source]
        before = self._owners_of(source)
        told.listed, told.error, told.foreign = True, None, message.foreign
        told.unreadable = [self._unreadable(source, bad) for bad in message.unreadable]
        if source.kind is Kind.JOBS:
            self._list_jobs(message.facts, source, told)
        elif source.kind is Kind.GITREPOS:
            self._list_gitrepos(message.facts, source)
        else:
            self._list_namespaces(message.facts, source)
        return before | self._owners_of(source)

    def _owners_of(self, source: Source) -> set[Owner]:
        return {owner for owner in self.inventory.groups if _covers(source, owner.namespace)}

    def _list_jobs(self, facts: list[Job], source: Source, told: _Told) -> None:
        inventory = self.inventory
        before = {job.uid for group in self._groups_of(source) for job in group if job.outcome is None}
        already = inventory.left_out_jobs
        inventory.clear_jobs(lambda namespace: _covers(source, namespace))
        inventory.add_jobs((job for job in facts if job.uid not in self._just_deleted), self._scope)
        told.left_out = inventory.left_out_jobs - already
        inventory.left_out_jobs = sum(each.left_out for each in self._told.values())
        self._just_deleted.clear()
        for job in facts:
            self._note_success(job)
            if job.outcome is not None and before and job.uid in before:
                self._tell(Finished(job))
        self.wants_jobs = False

    def _groups_of(self, source: Source) -> Iterable[list[Job]]:
        return [group.jobs for owner, group in self.inventory.groups.items() if _covers(source, owner.namespace)]

    def _list_gitrepos(self, facts: list[GitRepo], source: Source) -> None:
        self.inventory.clear_gitrepos(lambda namespace: _covers(source, namespace))
        self.inventory.add_gitrepos(facts, self._scope)

    def _list_namespaces(self, facts: list[Namespace], source: Source) -> None:
        for name in [name for name in self.inventory.namespaces if _covers(source, name)]:
            del self.inventory.namespaces[name]
        self.inventory.add_namespaces(facts)

    def failed(self, message: Failed) -> set[Owner]:
        """Note that a source cannot be read: nothing of its part is judged until it can be."""
        self._told[message.source].error = message.error
        return self._owners_of(message.source)

    def changed(self, message: Changed) -> set[Owner]:
        """Take in what a watch brought, in its order; return the GitRepos whose verdicts may differ now."""
        kind = message.source.kind
        for change in message.changes:
            if change.unreadable is not None:
                self._unreadable(message.source, change.unreadable)
        told = [(change.fact, change.gone) for change in message.changes if change.fact is not None]
        if kind is Kind.JOBS:
            return self._change_jobs(told)
        change_one = self._change_gitrepo if kind is Kind.GITREPOS else self._change_namespace
        return {owner for fact, gone in told for owner in change_one(fact, gone)}

    def _unreadable(self, source: Source, bad: fleet.Unreadable) -> Unreadable:
        """Tell of an object that could not even be named."""
        told = Unreadable(_KINDS[source.kind], bad.namespace, bad.name, bad.problem)
        self._tell(told)
        return told

    def _change_jobs(self, told: Sequence[tuple[Job, bool]]) -> set[Owner]:
        latest: defaultdict[Owner, dict[str, tuple[Job, bool]]] = defaultdict(dict)
        for job, gone in told:
            latest[job.owner][job.uid] = (job, gone)
        dirty = set()
        ended = self._ended(told)
        for owner, jobs in latest.items():
            there = {uid: job for uid, (job, gone) in jobs.items() if not gone and self._scope.covers_namespace(job.namespace)}
            self._note_finished(owner, ended.get(owner, {}))
            if self.inventory.change_jobs(owner, there, [uid for uid, (_, gone) in jobs.items() if gone]):
                dirty.add(owner)
        self.gone += [job.uid for job, gone in told if gone]
        return dirty

    def _ended(self, told: Sequence[tuple[Job, bool]]) -> dict[Owner, dict[str, Job]]:
        """The Jobs that were seen to be there and finished, though Fleet may have deleted them by now; not on their way out."""
        ended: defaultdict[Owner, dict[str, Job]] = defaultdict(dict)
        for job, gone in told:
            if not gone and not job.deleting and job.outcome is not None and self._scope.covers_namespace(job.namespace):
                ended[job.owner][job.uid] = job
        return ended

    def _note_finished(self, owner: Owner, there: dict[str, Job]) -> None:
        group = self.inventory.groups.get(owner)
        known = {job.uid for job in group.jobs if job.outcome is not None} if group else set()
        for uid, job in there.items():
            if job.outcome is not None and uid not in known and owner not in self.inventory.left_out:
                self._note_success(job)
                self._tell(Finished(job))

    def _note_success(self, job: Job) -> None:
        if job.outcome is Outcome.SUCCEEDED and job.finished is not None and job.finished > self.last_success.get(job.owner, 0.0):
            self.last_success[job.owner] = job.finished

    def _change_gitrepo(self, gitrepo: GitRepo, gone: bool) -> Iterable[Owner]:
        owner = Owner(gitrepo.namespace, gitrepo.name, gitrepo.uid)
        if gone:
            self.inventory.drop_gitrepo(owner)
            return (owner,)
        group = self.inventory.groups.get(owner)
        before = None if group is None else group.gitrepo
        newly_looked_after = owner in self.inventory.left_out
        if self.inventory.put_gitrepo(gitrepo, self._scope) is None:
            return (owner,) if group else ()
        if newly_looked_after:
            # Its labels have changed, and of its Jobs nothing but their number was kept.
            self.wants_jobs = True
        return () if before is not None and _same(before, gitrepo) else (owner,)

    def _change_namespace(self, namespace: Namespace, gone: bool) -> Iterable[Owner]:
        before = self.inventory.namespaces.get(namespace.name)
        if gone:
            self.inventory.namespaces.pop(namespace.name, None)
        else:
            self.inventory.namespaces[namespace.name] = namespace
        if before == namespace and not gone:
            return ()
        return [owner for owner in self.inventory.groups if owner.namespace == namespace.name]

    def deleted(self, jobs: Iterable[Job], *, listing: bool) -> None:
        """Forget Jobs that are gone by the API's own word; a list that is under way does not bring them back."""
        of: defaultdict[Owner, list[str]] = defaultdict(list)
        for job in jobs:
            of[job.owner].append(job.uid)
            if listing:
                self._just_deleted.add(job.uid)
        for owner, uids in of.items():
            self.inventory.change_jobs(owner, {}, frozenset(uids))

    def stirred(self) -> list[Owner]:
        """
        The GitRepos whose Namespace was read again since the last time and had changed.

        They are told of here, for what a watch tells of that Namespace later is nothing new.
        """
        stirred, self.inventory.stirred = self.inventory.stirred, set()
        return [owner for owner in self.inventory.groups if owner.namespace in stirred] if stirred else []

    def recovers(self, message: Listed) -> bool:
        """Whether a list tells of a source that could not be read before."""
        return self._told[message.source].error is not None

    def readable(self, namespace: str) -> bool:
        """Whether all that the verdicts of a Namespace need has been read, and can be."""
        sources = (Source(kind, part) for kind in Kind for part in ("", namespace))
        told = (self._told.get(source) for source in sources)
        return all(each.listed and each.error is None for each in told if each is not None)

    def looked(self) -> Looked:
        """All that is known, as a look would have found it, but for what cannot be read now: that is left out, and told."""
        parts = {source.namespace for source in self._told}
        refused = self._refusals()
        unreadable = [bad for told in self._told.values() for bad in told.unreadable]
        return Looked(
            self.inventory,
            refused=[refused[part] for part in sorted(refused)],
            unreadable=unreadable,
            foreign=sum(told.foreign for told in self._told.values()),
            parts=len(parts) - len(refused),
        )

    def _refusals(self) -> dict[str, NamespaceRefused]:
        refused: dict[str, NamespaceRefused] = {}
        for (_, part), told in self._told.items():
            if told.error is not None and part not in refused:
                refused[part] = NamespaceRefused(part, "read", str(told.error), isinstance(told.error, Denied))
        return refused

    def find(self, jobs: Iterable[Job]) -> Iterable[Sighting]:
        """Tell what has the names of some Jobs, by what is known."""
        for job in jobs:
            group = self.inventory.groups.get(job.owner)
            found = next((other for other in group.jobs if other.name == job.name), None) if group else None
            yield Sighting(job) if found is None else Sighting(job, found.uid, found.deleting, found)

    def prune(self) -> None:
        """Forget what was noted of owners that are not known any more."""
        self.last_success = {owner: at for owner, at in self.last_success.items() if owner in self.inventory.groups}


_KINDS = {Kind.JOBS: "Job", Kind.GITREPOS: "GitRepo", Kind.NAMESPACES: "Namespace"}


def _covers(source: Source, namespace: str) -> bool:
    return source.namespace in ("", namespace)


def _same(before: GitRepo, now: GitRepo) -> bool:
    """Whether the planner could not tell them apart; a poll, every 15 seconds, is no change."""
    return msgspec.structs.replace(now, last_polled=before.last_polled) == before
