"""What the process's exit code is where an error ends a command."""

from cleaner.cluster import ClusterError, Denied, Misconfigured
from cleaner.explain import NoSuchGitRepo
from cleaner.settings.load import BadSettings

TOLD = (BadSettings, Misconfigured, NoSuchGitRepo, ClusterError)
"""Errors that are told in a line each, and no more."""


def code_of(error: BaseException | None) -> int:
    """Tell the exit code: 2 settings, 3 everything was refused, 4 the cluster is out of reach; 1 for what nobody expected."""
    match error:
        case BadSettings() | Misconfigured() | NoSuchGitRepo():
            return 2
        case Denied():
            return 3
        case ClusterError():
            return 4
        case _:
            return 1
