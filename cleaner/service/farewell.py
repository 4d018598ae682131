"""What is done for a GitRepo that leaves, before it is let go: its last error is told, and its orphaned Pods are deleted."""

from collections.abc import Callable, Iterator
from typing import Protocol

from cleaner.cluster import UNDONE, Announcement, Brake, ClusterError, Denied, Events, Fate, Pods, States
from cleaner.failures import shortened, told
from cleaner.fleet import failure_of
from cleaner.guard import guarded
from cleaner.happened import GuardTrouble, Observer, Parted
from cleaner.masking import masked
from cleaner.model import GitRepo, Outcome, Owner, Pod
from cleaner.result import PodResult
from cleaner.service.roster import owner_of

REASON = "LastError"
"""Reason of the Kubernetes Event."""

_LONGEST = 800


class Source(Pods, States, Events, Protocol):
    """What telling needs."""


class Farewell:
    """Two steps; each can be repeated, and none waits for a Job."""

    def __init__(self, source: Source, clear: Callable[[Owner, Brake], PodResult], tell: Observer, *, events: bool) -> None:
        self._source, self._clear, self._tell, self._events = source, clear, tell, events

    def speak(self, gitrepo: GitRepo) -> None:
        """Tell its last error, in the log always, and in an Event if its Namespace still takes one. Raises nothing."""
        owner = owner_of(gitrepo)
        error = guarded(lambda: self._last_error(gitrepo), lambda error: self._unknown(owner, error))
        self._tell(Parted(owner, error))
        if error and self._events:
            message = f"last error of a GitRepo that is being deleted: {error}"
            try:
                self._source.announce(Announcement(owner, REASON, message, warning=True))
            except ClusterError as trouble:
                self._tell(GuardTrouble(owner, "tell", f"no Event: {trouble}"))

    def _unknown(self, owner: Owner, error: Exception) -> str:
        # Of an unexpected error only the kind: its text may hold what no log may hold.
        text = str(error) if isinstance(error, ClusterError) else f"unexpected {type(error).__name__}"
        self._tell(GuardTrouble(owner, "tell", f"its last error cannot be read: {text}"))
        return ""

    def _last_error(self, gitrepo: GitRepo) -> str:
        """Its newest Pod's last words, else what Fleet made of them. Where Pods cannot be read, Fleet's words have to do."""
        try:
            error = last_words(gitrepo, self._pods(gitrepo))
        except ClusterError as trouble:
            self._tell(GuardTrouble(owner_of(gitrepo), "tell", f"its Pods cannot be read: {trouble}"))
            error = ""
        return shortened(masked(failure_of(error)) or self._stalled(gitrepo), _LONGEST)

    def _pods(self, gitrepo: GitRepo) -> Iterator[Pod]:
        for page in self._source.pods(gitrepo.namespace):
            yield from page.facts

    def _stalled(self, gitrepo: GitRepo) -> str:
        state = self._source.state(gitrepo.namespace, gitrepo.name)
        return told(state) if state is not None and state.gitrepo.uid == gitrepo.uid else ""

    def clear(self, gitrepo: GitRepo, brake: Brake) -> None:
        """
        Delete its orphaned Pods: no garbage collector ever takes them. What an annotation protects or a brake keeps stays.

        Raises:
            Denied: we may not list or delete them.
            ClusterError: it did not work, or nobody knows whether it did.

        """
        owner = owner_of(gitrepo)
        result = self._clear(owner, brake)
        if result.refused:
            refused = result.refused[0]
            raise (Denied if refused.denied else ClusterError)(refused.problem)
        undone = [deletion for deletion in result.deletions.values() if deletion.fate in UNDONE]
        if undone:
            denied = all(deletion.fate is Fate.DENIED for deletion in undone)
            raise (Denied if denied else ClusterError)(f"{len(undone)} Pods could not be deleted: {undone[0].detail}")
        left = result.left()
        if left:
            why = result.brake.text if result.brake is not None else left[0].detail or left[0].reason.value
            self._tell(GuardTrouble(owner, "clear", f"{len(left)} orphaned Pods are left: {why}"))


def last_words(gitrepo: GitRepo, pods: Iterator[Pod]) -> str:
    """
    Last words of the newest finished Pod of its current Job, if that Pod failed.

    A Pod that nothing owns any more is of a Job that is gone: what it says was overcome, or replaced by something newer.
    """
    mine = [pod for pod in pods if pod.owned and pod.gitrepo == gitrepo.name and _is_current(gitrepo, pod)]
    newest = max(mine, key=lambda pod: (pod.finished or pod.created, pod.name), default=None)
    return newest.message if newest is not None and newest.outcome is Outcome.FAILED else ""


def _is_current(gitrepo: GitRepo, pod: Pod) -> bool:
    return pod.job in gitrepo.current_names or pod.commit in gitrepo.commits
