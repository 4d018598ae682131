"""Why a Job failed, as far as we may know: whoever may not read Pods is left with what the GitRepo tells."""

from cleaner.cluster import ClusterError
from cleaner.failures import Witnesses, told
from cleaner.failures import error_of as testified
from cleaner.model import GitRepoState, Job


def error_of(cluster: Witnesses, job: Job | None, state: GitRepoState | None) -> str:
    """Say why a Job failed, in one line without credentials; empty where nobody tells. Never raises."""
    if job is not None:
        try:
            return testified(cluster, job)
        except ClusterError:
            pass
    return told(state)
