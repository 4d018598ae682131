"""The kinds that the sandbox serves: one table, from which storage, discovery and printing all follow."""

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object as JSON. Once stored it is never changed in place, only replaced."""


@dataclass(frozen=True)
class Kind:
    """A resource as the Kubernetes API knows it."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    status: bool = False
    """Has a `status` subresource: its status changes only there, and everything else only elsewhere."""
    generation: bool = False
    """Counts the changes of what is wanted in `metadata.generation`."""
    blind_update: bool = True
    """Accepts a PUT without a resourceVersion (`AllowUnconditionalUpdate`)."""
    custom: bool = False
    """Defined by a CRD: list items keep their `kind` and `apiVersion`."""
    short: tuple[str, ...] = ()

    @property
    def group_version(self) -> str:
        """`v1` or `batch/v1`, as in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`pods` or `jobs.batch`, as in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """`Pod` or `Job.batch`, as in messages about preconditions and validity."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def root(self) -> str:
        """The path below which the group and version live."""
        return f"/apis/{self.group_version}" if self.group else f"/api/{self.version}"


NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False, status=True, short=("ns",))
POD = Kind("", "v1", "pods", "Pod", status=True, generation=True, short=("po",))
JOB = Kind("batch", "v1", "jobs", "Job", status=True, generation=True)
GITREPO = Kind(
    "fleet.cattle.io", "v1alpha1", "gitrepos", "GitRepo", status=True, generation=True, blind_update=False, custom=True
)
REVIEW = Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False)
"""Virtual: a POST is answered, nothing is stored."""

STORED: tuple[Kind, ...] = (
    NAMESPACE,
    POD,
    Kind("", "v1", "events", "Event", short=("ev",)),
    Kind("", "v1", "configmaps", "ConfigMap", short=("cm",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",)),
    JOB,
    Kind("batch", "v1", "cronjobs", "CronJob", status=True, generation=True, short=("cj",)),
    Kind("apps", "v1", "deployments", "Deployment", status=True, generation=True, short=("deploy",)),
    Kind("coordination.k8s.io", "v1", "leases", "Lease", blind_update=False),
    Kind("events.k8s.io", "v1", "events", "Event", short=("ev",)),
    GITREPO,
)
KINDS: tuple[Kind, ...] = (*STORED, REVIEW)


def find(group: str, version: str, plural: str) -> Kind | None:
    """The kind served under this path, or None."""
    wanted = (group, version, plural)
    return next((kind for kind in KINDS if (kind.group, kind.version, kind.plural) == wanted), None)
