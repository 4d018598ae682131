"""What may go wrong with a cluster, by meaning."""


class ClusterError(Exception):
    """The cluster answered what nobody can use, or failed in a way that has no better name."""


class Misconfigured(ClusterError):
    """We do not even know where the cluster is or who we are there."""


class Denied(ClusterError):
    """We are not allowed to (401, 403), or the kind is not served at all (a missing CRD)."""


class Unreachable(ClusterError):
    """No answer, or only a part of one."""


class Expired(ClusterError):
    """410: the version that a list or a watch began with is gone from the server's memory."""


class Throttled(ClusterError):
    """The server asks for patience (429) for longer than we have."""


class Conflict(ClusterError):
    """409: somebody else has written the object since we read it, or has made one of its name."""
