"""Which Job of a GitRepo a retry is about, and whether there is anything to retry."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from cleaner.cluster import Cluster, ClusterError, Denied, Patches, Watches
from cleaner.happened import NamespaceRefused
from cleaner.model import GitRepo, GitRepoState, Job, Outcome
from cleaner.scope import Scope
from cleaner.sweep import is_missing

FAILED = "Failed"
"""What `status.gitJobStatus` says of a Job that failed."""


class Around(Cluster, Patches, Watches, Protocol):
    """What a retry needs of the port."""


class Refused(Exception):
    """There is nothing to retry, or it was not allowed; nothing was changed. The text is one line."""


class Candidate(msgspec.Struct, frozen=True):
    """A GitRepo that failed, and the Job that says so; None where that is gone, and only the GitRepo's status tells."""

    state: GitRepoState
    job: Job | None

    @property
    def commit(self) -> str:
        """The commit that failed."""
        return self.job.commit if self.job is not None else "".join(self.state.gitrepo.commits[:1])


class Found(msgspec.Struct, frozen=True):
    """What a look over a scope has found: GitRepos whose current Job failed, and where nobody could look."""

    failed: Sequence[tuple[GitRepo, Job]]
    refused: Sequence[NamespaceRefused]
    parts: int


def candidate_of(state: GitRepoState, jobs: Iterable[Job]) -> Candidate:
    """
    Tell what failed of a GitRepo, among Jobs of its Namespace.

    Raises:
        Refused: nothing has failed, or it runs, or the GitRepo leaves.

    """
    gitrepo = state.gitrepo
    check_stays(state)
    current = [job for job in jobs if job.owner.uid == gitrepo.uid and gitrepo.is_current(job)]
    if not current and state.status == FAILED:
        return Candidate(state, None)
    if not current:
        told = f"its gitJobStatus is {state.status}" if state.status else "it tells of none"
        raise Refused(f"{gitrepo.path}: nothing has failed: it has no Job now, and {told}")
    job = _newest(current)
    if job.outcome is not Outcome.FAILED:
        raise Refused(f"{gitrepo.path}: nothing has failed: {_doing(job)}")
    if job.deleting:
        raise Refused(f"{gitrepo.path}: its failed Job {job.name} is being deleted right now")
    return Candidate(state, job)


def check_stays(state: GitRepoState) -> None:
    """Raise Refused for a GitRepo that cannot be understood, or is being deleted."""
    if not state.version:
        raise Refused(f"{state.gitrepo.path} cannot be understood: {state.gitrepo.problem}")
    if state.gitrepo.deleting_since is not None:
        raise Refused(f"{state.gitrepo.path} is being deleted")


def _newest(jobs: Iterable[Job]) -> Job:
    """The Job that counts: one that runs before all, else the newest."""
    return max(jobs, key=lambda job: (job.outcome is None, job.created))


def _doing(job: Job) -> str:
    if job.problem:
        return f"its Job {job.name} cannot be understood: {job.problem}"
    return f"its Job {job.name} is running" if job.outcome is None else f"its Job {job.name} succeeded"


def find_failed(cluster: Cluster, scope: Scope) -> Found:
    """Find the GitRepos of a scope whose current Job failed, in the order of their names; what cannot be read is told."""
    failed: list[tuple[GitRepo, Job]] = []
    refused: list[NamespaceRefused] = []
    asked = scope.namespaces or ("",)
    for namespace in asked:
        try:
            failed += _failed_in(cluster, scope, namespace)
        except ClusterError as error:
            refused.append(NamespaceRefused(namespace, "its GitRepos and Jobs", str(error), isinstance(error, Denied)))
    return Found(sorted(failed, key=lambda one: one[0].path), refused, len(asked) - len(refused))


def _failed_in(cluster: Cluster, scope: Scope, namespace: str) -> list[tuple[GitRepo, Job]]:
    """Of a hundred thousand Jobs only the current ones are kept."""
    gitrepos = {
        gitrepo.uid: gitrepo
        for page in cluster.gitrepos(namespace)
        for gitrepo in page.facts
        if scope.covers_namespace(gitrepo.namespace) and scope.covers(gitrepo)
    }
    if not gitrepos and is_missing(cluster, namespace):
        raise Denied("there is no such Namespace")
    current: dict[str, list[Job]] = {}
    for page in cluster.jobs(namespace):
        for job in page.facts:
            gitrepo = gitrepos.get(job.owner.uid)
            if gitrepo is not None and gitrepo.is_current(job):
                current.setdefault(gitrepo.uid, []).append(job)
    newest = ((gitrepos[uid], _newest(jobs)) for uid, jobs in current.items())
    return [(gitrepo, job) for gitrepo, job in newest if job.outcome is Outcome.FAILED and not job.deleting]
