"""What the guard knows: every GitRepo that it can see, whether it is ours to guard, and which of them need a look."""

from cleaner.cluster import Denied
from cleaner.durations import Seconds
from cleaner.fleet import Unreadable
from cleaner.happened import GuardTrouble, NamespaceRefused, Observer
from cleaner.happened import Unreadable as Illegible
from cleaner.model import GitRepo, Owner
from cleaner.scope import Scope
from cleaner.service.readers import Changed, Failed, Listed, Source
from cleaner.service.wards import Step, Ward, next_look, next_step

_CONTESTED = "another guard has put the finalizer back, so this GitRepo is left to that one"


class Roster:
    """
    One thread's own, but for what is only counted. `scope` is None where nothing is to be guarded any more.

    Where Namespaces are named, the source of all of them tells of strays: GitRepos that an earlier scope may have left held.
    """

    def __init__(self, sources: list[Source], scope: Scope, tell: Observer, *, guarding: bool) -> None:
        self._scope, self._tell, self._guarding = scope, tell, guarding
        self._wards: dict[Source, dict[Owner, Ward]] = {source: {} for source in sources}
        self._unread = {source for source in sources if not self._of_strays(source)}
        self.open: dict[Owner, Ward] = {}

    @property
    def ready(self) -> bool:
        """Whether all that is to be guarded has been read once."""
        return not self._unread

    def counts(self) -> tuple[int, int, int]:
        """How many GitRepos are held, how many are still to be held or let go, and how many leave with our finalizer on them."""
        wards = [ward for of_source in self._wards.values() for ward in list(of_source.values())]
        staying = [ward for ward in wards if ward.leaving_since is None]
        held = sum(ward.gitrepo.guarded for ward in staying)
        due = sum(next_step(ward, 0.0) is not Step.NOTHING for ward in staying)
        return held, due, sum(ward.gitrepo.guarded for ward in wards if ward.leaving_since is not None)

    def listed(self, message: Listed, now: Seconds) -> None:
        """Take in a list: what it does not show is gone."""
        wards = self._wards[message.source]
        for gitrepo in message.facts:
            self._see(message.source, gitrepo, now)
        there = {owner_of(gitrepo) for gitrepo in message.facts}
        for owner in [owner for owner in wards if owner not in there]:
            self._forget(message.source, owner)
        for unreadable in message.unreadable:
            self._illegible(unreadable)
        self._unread.discard(message.source)

    def changed(self, message: Changed, now: Seconds) -> None:
        """Take in what a watch brought."""
        for change in message.changes:
            if change.unreadable is not None:
                self._illegible(change.unreadable)
            elif change.fact is not None and change.gone:
                self._forget(message.source, owner_of(change.fact))
            elif change.fact is not None:
                self._see(message.source, change.fact, now)

    def failed(self, message: Failed) -> None:
        """Tell what could not be read; what was known stays known."""
        denied = isinstance(message.error, Denied)
        what, problem = "gitrepos", str(message.error)
        if self._of_strays(message.source):
            what = "gitrepos of other Namespaces"
            problem = f"if an earlier scope left finalizers there, gitjob-cleaner release takes them off: {problem}"
        self._tell(NamespaceRefused(message.source.namespace, what, problem, denied=denied))

    def ward(self, owner: Owner) -> Ward | None:
        """What is known of a GitRepo, if it is still there."""
        return next((wards[owner] for wards in self._wards.values() if owner in wards), None)

    def waits(self, now: Seconds, bound: Seconds) -> list[Seconds]:
        """Seconds until each GitRepo whose turn comes by time alone."""
        looks = (next_look(ward, now, bound) for ward in self.open.values())
        return [max(0.01, at - now) for at in looks if at is not None]

    def _of_strays(self, source: Source) -> bool:
        return bool(self._scope.namespaces) and not source.namespace

    def _see(self, source: Source, gitrepo: GitRepo, now: Seconds) -> None:
        if self._of_strays(source) and gitrepo.namespace in self._scope.namespaces:
            return
        owner = owner_of(gitrepo)
        covered = self._guarding and self._scope.covers_namespace(gitrepo.namespace) and self._scope.covers(gitrepo)
        ward = self._wards[source].setdefault(owner, Ward(gitrepo, covered))
        if ward.see(gitrepo, covered=covered, now=now):
            self._tell(GuardTrouble(owner, "release", _CONTESTED))
        self.open[owner] = ward

    def _forget(self, source: Source, owner: Owner) -> None:
        self._wards[source].pop(owner, None)
        self.open.pop(owner, None)

    def _illegible(self, unreadable: Unreadable) -> None:
        self._tell(Illegible("GitRepo", unreadable.namespace, unreadable.name, unreadable.problem))


def owner_of(gitrepo: GitRepo) -> Owner:
    """Return a GitRepo's name as everything else has it."""
    return Owner(gitrepo.namespace, gitrepo.name, gitrepo.uid)
