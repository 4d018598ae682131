"""Where the cluster is and who we are there, as the official client finds it."""

import os
from typing import Any, NamedTuple

import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from cleaner.cluster import Misconfigured

IN_CLUSTER = "in-cluster"


class Where(NamedTuple):
    """What the first line of every output names."""

    context: str
    server: str
    namespace: str


def load_configuration(kubeconfig: str = "", context: str = "") -> tuple[Any, Where]:
    """
    Load the client's configuration: a kubeconfig if one is named, in a Pod the Pod's own, else the default kubeconfig.

    Raises:
        Misconfigured: nothing can be loaded from there; the text is one line.

    """
    configuration = client.Configuration()
    in_cluster = not (kubeconfig or context or os.environ.get("KUBECONFIG")) and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if in_cluster:
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(kubeconfig or None, context or None, configuration)
        where = Where(IN_CLUSTER, configuration.host, "") if in_cluster else _where(kubeconfig, context, configuration.host)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        source = (
            "the Pod's service account"
            if in_cluster
            else f"kubeconfig {kubeconfig or os.environ.get('KUBECONFIG') or '~/.kube/config'}"
        )
        raise Misconfigured(f"{source}: {_one_line(error)}") from error
    # urllib3 would repeat even a DELETE by itself on a 429: every retry is ours, and counted.
    configuration.retries = False
    return configuration, where


def _where(kubeconfig: str, context: str, server: str) -> Where:
    contexts, active = config.list_kube_config_contexts(kubeconfig or None)
    chosen = next((c for c in contexts if c["name"] == context), active)
    return Where(chosen["name"], without_secrets(server), chosen["context"].get("namespace", ""))


def without_secrets(server: str) -> str:
    """Write a URL without the user and the password that it may hold, even one that is no URL at all."""
    scheme, mark, rest = server.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
