"""The few fields of Fleet's and Kubernetes' objects that are read, as they travel."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
T = TypeVar("T")

Body = bytes | bytearray
"""What travels: the whole answer to one request."""


class OwnerReference(msgspec.Struct, gc=False):
    """`metadata.ownerReferences[]`."""

    apiVersion: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class JobLabels(msgspec.Struct, gc=False):
    """The two labels that Fleet >= 0.10.4 puts on a Job."""

    gitrepo: str | None = msgspec.field(name="fleet.cattle.io/gitrepo-generation", default=None)
    force_sync: str | None = msgspec.field(name="fleet.cattle.io/force-sync-generation", default=None)


class JobMetadata(msgspec.Struct, gc=False):
    """`metadata` of a Job."""

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    creationTimestamp: Time
    deletionTimestamp: str | None = None
    labels: JobLabels | None = None
    annotations: dict[str, str] | None = None
    ownerReferences: list[OwnerReference] | None = None
    finalizers: list[str] | None = None


class JobSpec(msgspec.Struct, gc=False):
    """`spec` of a Job."""

    activeDeadlineSeconds: int | None = None


class Condition(msgspec.Struct, gc=False):
    """`status.conditions[]` of a Job."""

    type: str
    status: str
    lastTransitionTime: Time | None = None


class JobStatus(msgspec.Struct, gc=False):
    """`status` of a Job."""

    conditions: list[Condition] | None = None
    startTime: Time | None = None
    completionTime: Time | None = None


class Job(msgspec.Struct, gc=False):
    """A Job, as `batch/v1` writes it."""

    metadata: JobMetadata
    spec: JobSpec | None = None
    status: JobStatus | None = None


class Metadata(msgspec.Struct, gc=False):
    """`metadata` of a GitRepo or a Namespace."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int | None = None
    deletionTimestamp: Time | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None


class GitRepoSpec(msgspec.Struct, gc=False):
    """`spec` of a GitRepo."""

    repo: str | None = None
    forceSyncGeneration: int | None = None
    disablePolling: bool | None = None
    pollingInterval: str | None = None


class GitRepoStatus(msgspec.Struct, gc=False):
    """`status` of a GitRepo."""

    commit: str | None = None
    pollingCommit: str | None = None
    observedGeneration: int | None = None
    updateGeneration: int | None = None
    lastPollingTriggered: Time | None = None


class GitRepo(msgspec.Struct, gc=False):
    """A GitRepo, as `fleet.cattle.io/v1alpha1` writes it."""

    metadata: Metadata
    spec: GitRepoSpec | None = None
    status: GitRepoStatus | None = None


class VersionedMetadata(Metadata, gc=False):
    """`metadata` of an object that is to be changed."""

    resourceVersion: str = ""


class GitRepoCondition(msgspec.Struct, gc=False):
    """`status.conditions[]` of a GitRepo."""

    type: str
    status: str
    message: str | None = None


class WholeGitRepoStatus(GitRepoStatus, gc=False):
    """`status` of a GitRepo, with what Fleet tells of its Job."""

    gitJobStatus: str | None = None
    conditions: list[GitRepoCondition] | None = None


class WholeGitRepo(msgspec.Struct, gc=False):
    """A GitRepo, read alone."""

    metadata: VersionedMetadata
    spec: GitRepoSpec | None = None
    status: WholeGitRepoStatus | None = None


class PodMetadata(msgspec.Struct, gc=False):
    """`metadata` of a Pod."""

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    creationTimestamp: Time
    deletionTimestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    ownerReferences: list[OwnerReference] | None = None


class EnvironmentVariable(msgspec.Struct, gc=False):
    """`spec.containers[].env[]`."""

    name: str
    value: str = ""


class PodContainer(msgspec.Struct, gc=False):
    """`spec.containers[]` or `spec.initContainers[]`."""

    name: str
    args: list[str] | None = None
    env: list[EnvironmentVariable] | None = None


class RunPodSpec(msgspec.Struct, gc=False):
    """`spec` of a Pod."""

    containers: list[PodContainer] | None = None
    initContainers: list[PodContainer] | None = None
    serviceAccountName: str = ""


class Terminated(msgspec.Struct, gc=False):
    """`state.terminated` of a container."""

    exitCode: int = 0
    reason: str = ""
    message: str = ""
    finishedAt: Time | None = None


class ContainerState(msgspec.Struct, gc=False):
    """`state` of a container."""

    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, gc=False):
    """`status.containerStatuses[]` or `status.initContainerStatuses[]`."""

    name: str
    state: ContainerState | None = None


class PodStatus(msgspec.Struct, gc=False):
    """`status` of a Pod."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    containerStatuses: list[ContainerStatus] | None = None
    initContainerStatuses: list[ContainerStatus] | None = None


class Pod(msgspec.Struct, gc=False):
    """A Pod."""

    metadata: PodMetadata
    spec: RunPodSpec
    status: PodStatus | None = None


class Namespace(msgspec.Struct, gc=False):
    """A Namespace."""

    metadata: Metadata


class ListMetadata(msgspec.Struct, gc=False):
    """`metadata` of a list."""

    resourceVersion: str = ""
    next: str = msgspec.field(name="continue", default="")


class Listed(msgspec.Struct, Generic[T], gc=False):
    """One page of a list."""

    items: list[T] | None
    metadata: ListMetadata = msgspec.field(default_factory=ListMetadata)


class Container(msgspec.Struct, gc=False):
    """A container of a Deployment's Pod template."""

    name: str = ""
    image: str = ""


class PodSpec(msgspec.Struct, gc=False):
    """The Pod template's `spec`."""

    containers: list[Container] | None = None


class PodTemplate(msgspec.Struct, gc=False):
    """`spec.template` of a Deployment."""

    spec: PodSpec


class DeploymentSpec(msgspec.Struct, gc=False):
    """`spec` of a Deployment."""

    template: PodTemplate
    replicas: int | None = None


class DeploymentStatus(msgspec.Struct, gc=False):
    """`status` of a Deployment: what tells whether its rollout is done."""

    observedGeneration: int = 0
    replicas: int = 0
    updatedReplicas: int = 0
    availableReplicas: int = 0
    terminatingReplicas: int | None = None


class Deployment(msgspec.Struct, gc=False):
    """A Deployment, as `apps/v1` writes it."""

    metadata: Metadata
    spec: DeploymentSpec
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)
