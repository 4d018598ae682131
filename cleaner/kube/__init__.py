"""The door to the cluster: the official client's configuration and credentials, our own requests, retries and concurrency."""

from cleaner.kube.adapter import KubeCluster, Limits
from cleaner.kube.configuration import Where, load_configuration
from cleaner.kube.connection import Connection

__all__ = ["Connection", "KubeCluster", "Limits", "Where", "load_configuration"]
