"""Three ways to read all Jobs, each in a process of its own: ours, a bare urllib3 loop, and the client's typed list."""

import json
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

PAGE = 500


def ours(kubeconfig: str) -> Callable[[], int]:
    """Look and decide, exactly as `sweep` does."""
    from cleaner.cli.wiring import Stop, cluster_of, order_of
    from cleaner.settings import Settings
    from cleaner.sweep import Sweep

    settings = Settings(kubeconfig=kubeconfig, dry_run=True)
    stop = Stop()
    _, cluster = cluster_of(settings, "benchmark", stop.clock())
    sweep = Sweep(cluster, order_of(settings), stop.clock(), lambda _: None, stop)
    _KEPT.append(sweep)

    def read() -> int:
        looked = sweep.look()
        sweep.decide()
        return sum(len(group.jobs) for group in looked.inventory.groups.values())

    return read


def bare(kubeconfig: str) -> Callable[[], int]:
    """The same pages through urllib3 alone: bodies are read, and nothing of them is understood but the continue token."""
    pool, host, headers = connect(kubeconfig)

    def read() -> int:
        token, size = "", 0
        while True:
            body = pool.request("GET", f"{host}/apis/batch/v1/jobs?limit={PAGE}&continue={token}", headers=headers).data
            size += len(body)
            # The list's metadata comes first: no need to look at the rest.
            token = body[:2000].partition(b'"continue":"')[2].partition(b'"')[0].decode()
            if not token:
                return size

    return read


def typed(kubeconfig: str) -> Callable[[], int]:
    """The official client's typed list, paged, keeping nothing of a page when the next one comes."""
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    api = client.BatchV1Api()

    def read() -> int:
        token, count = None, 0
        while True:
            page = api.list_job_for_all_namespaces(limit=PAGE, _continue=token)
            count += len(page.items)
            token = page.metadata._continue
            if not token:
                return count

    return read


def connect(kubeconfig: str, connections: int = 1) -> tuple[Any, str, dict[str, str]]:
    """The client's own connection pool, the server, and the headers that let us in."""
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(kubeconfig, client_configuration=configuration)
    configuration.connection_pool_maxsize = connections
    api = client.ApiClient(configuration)
    token = configuration.get_api_key_with_prefix("BearerToken")
    return api.rest_client.pool_manager, configuration.host, {"authorization": token, "accept": "application/json"}


_KEPT: list[Any] = []
READERS = {"ours": ours, "bare": bare, "typed": typed}


def _measured(read: Callable[[], int]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    count = read()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "rss_mib": peak, "count": count}


def _traced(read: Callable[[], int]) -> dict[str, float]:
    """Bytes that the pass holds at its end, as Python's allocator counts them."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    count = read()
    held = tracemalloc.get_traced_memory()[0] - before
    return {"held": held, "count": count}


if __name__ == "__main__":
    name, kubeconfig, how = sys.argv[1:4]
    reader = READERS[name](kubeconfig)
    print(json.dumps(_traced(reader) if how == "traced" else _measured(reader)))
