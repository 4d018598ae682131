"""Every setting with its default and its meaning, in plain dataclass fields, so that `--help` needs no library."""

import dataclasses
from typing import Any

from cleaner.durations import Seconds, format_duration

ENV_PREFIX = "GITJOB_CLEANER_"


def _setting(default: Any, kind: str, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "meaning": meaning})


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the operator wants, validated. Durations in seconds."""

    succeeded_keep: int = _setting(0, "count", "succeeded Jobs of old commits to keep for each GitRepo")
    succeeded_age: Seconds = _setting(600.0, "duration", "age that a succeeded Job must reach before it may go")
    failed_keep: int = _setting(1, "count", "failed Jobs of old commits to keep for each GitRepo")
    failed_age: Seconds = _setting(72 * 3600.0, "duration", "age that a failed Job must reach before it may go")
    current: str = _setting(
        "keep",
        "keep, succeeded or all",
        "what may happen to the Job of the current commit; needs Fleet >= 0.10.4. With all, a GitRepo forgets why it failed at"
        " Fleet's next poll, trigger or restart once its failed Job is gone, and shows as healthy; an Event keeps the error"
        " before that",
    )
    settle: Seconds = _setting(300.0, "duration", "time after its finish in which no Job is touched, so that Fleet sees it first")
    namespaces: tuple[str, ...] = _setting(
        (), "names", "Namespaces to look after, a Role in each is enough; none: the whole cluster"
    )
    exclude_namespaces: tuple[str, ...] = _setting((), "patterns", "Namespaces to leave alone, as patterns like team-*")
    selector: str = _setting("", "label selector", "labels of the GitRepos to look after; their Jobs follow by owner")
    instance: str = _setting("", "name", "ends the name of this installation's Lease, where several share a Namespace")
    max_deletions: int = _setting(
        0, "count", "most deletions in one sweep, of run: until the next sweep of everything; 0: no cap; a dry run has none"
    )
    delete_rate: float = _setting(50.0, "per second", "deletions per second; it slows down by itself when asked to; 0: unbounded")
    delete_workers: int = _setting(8, "count", "deletions under way at once, 1 to 64")
    clock_bound: Seconds = _setting(30.0, "duration", "how far our clock and the API's may differ before nothing is deleted")
    annotated_age_min: Seconds | None = _setting(
        None, "duration", "least age that an annotation may ask for; unset: the operator's own, so that it can only keep longer"
    )
    annotated_age_max: Seconds = _setting(720 * 3600.0, "duration", "greatest age that an annotation may ask for")
    annotated_keep_min: int | None = _setting(
        None, "count", "least count that an annotation may ask for; unset: the operator's own, so that it can only keep more"
    )
    annotated_keep_max: int = _setting(50, "count", "greatest count that an annotation may ask for")
    orphaned_pods: bool = _setting(
        False,
        "true or false",
        "delete the finished Pods, too, that Fleet 0.14.0 to 0.14.10 and 0.15.0 left without a Job",
    )
    evidence: bool = _setting(
        False,
        "true or false",
        "let run keep the error when a Job fails, and log the last lines of its Pod; it needs to read Pods and their logs",
    )
    fleet_version: str = _setting("", "version", "Fleet's version where it cannot be seen; never raises what is seen")
    fleet_namespace: str = _setting("cattle-fleet-system", "name", "Namespace in which Fleet runs")
    wake: bool = _setting(False, "true or false", "delete although Fleet <= 0.10.3 has stopped polling and would wake up")
    own_namespace: str = _setting(
        "", "name", "the cleaner's own Namespace, where gitjob-cleaner/pause stops it; in a Pod it is found"
    )
    kubeconfig: str = _setting("", "path", "kubeconfig to use; else KUBECONFIG, the Pod's own account, or ~/.kube/config")
    context: str = _setting("", "name", "context of the kubeconfig to use; else its current one")
    request_timeout: Seconds = _setting(60.0, "duration", "time limit of one request")
    interval: Seconds = _setting(900.0, "duration", "time between the sweeps of run that read everything anew, 10s or more")
    watch: bool = _setting(True, "true or false", "watch in between, so that run acts as soon as a Job comes due")
    listen: str = _setting(
        ":8080",
        "host:port",
        "where run answers metrics, health and its page; without a host on all addresses; port 0: a free one",
    )
    leader_election: bool | None = _setting(
        None, "true or false", "let one of several replicas delete, by a Lease; unset: in a Pod true, elsewhere false"
    )
    lease_duration: Seconds = _setting(
        30.0, "duration", "time after which another replica takes over from one that has died, 3s to 1h"
    )
    events: bool = _setting(True, "true or false", "let run and guard write Kubernetes Events on the GitRepos")
    guard: bool = _setting(
        True, "true or false", "hold GitRepos; a guard that does not only takes off the finalizers that it finds"
    )
    metrics_per_gitrepo: bool = _setting(
        True, "true or false", "break the metrics down by GitRepo; false where there are too many of them"
    )
    pushgateway: str = _setting(
        "", "URL", "Prometheus Pushgateway to which sweep and migrate push what they came to, like http://pushgateway:9091"
    )
    pushgateway_username: str = _setting("", "name", "user for the Pushgateway's basic auth")
    pushgateway_password_file: str = _setting("", "path", "file that holds that user's password")
    pushgateway_ca: str = _setting("", "path", "PEM file with the CAs of the Pushgateway's certificate; else the system's")
    pushgateway_cert: str = _setting("", "path", "PEM file with a certificate to show to the Pushgateway")
    pushgateway_key: str = _setting("", "path", "PEM file with that certificate's key, unless it holds both")
    pushgateway_labels: tuple[tuple[str, str], ...] = _setting(
        (), "labels", "labels to put on what is pushed, like cluster=prod, where clusters share a Pushgateway"
    )
    pushgateway_timeout: Seconds = _setting(
        5.0, "duration", "longest time that a push may take, 1s to 1m; one that fails is told"
    )
    wait: bool = _setting(False, "true or false", "let retry follow until the new Job has finished, and say how")
    wait_limit: Seconds = _setting(
        600.0, "duration", "longest time that migrate waits for Fleet and for running Jobs, and retry for the new Job"
    )
    again: bool = _setting(False, "true or false", "let migrate do once more what it has done")
    all_failed: bool = _setting(False, "true or false", "let retry see to every GitRepo whose current Job failed")
    retry_limit: int = _setting(10, "count", "most GitRepos that one retry of all that failed starts; 0: no limit")
    retry_pause: Seconds = _setting(10.0, "duration", "time between two of them")
    nudge: bool = _setting(False, "true or false", "let retry only make Fleet look at the GitRepo, whose polling has died")
    output: str = _setting("table", "table or json", "what is written to standard output")
    log_level: str = _setting(
        "", "debug, info, warning or error", "least level that is logged to standard error; unset: warning, for run info"
    )
    log_format: str = _setting("", "json or console", "how it is logged; unset: json, for run on a terminal console")
    dry_run: bool = _setting(False, "true or false", "decide and ask the API, but change nothing")
    yes: bool = _setting(
        False, "true or false", "do not ask first on a terminal; with retry, also run the newest commit where polling is disabled"
    )


def fields_of() -> tuple["dataclasses.Field[Any]", ...]:
    """All settings, in the order in which they are documented."""
    return dataclasses.fields(Settings)


def describe_default(field: "dataclasses.Field[Any]") -> str:
    """Write a default as an operator would write it."""
    default: Any = field.default
    if default is None or default in ("", ()):
        return "unset"
    if field.metadata["kind"] == "duration":
        return format_duration(default)
    return str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else str(default)
