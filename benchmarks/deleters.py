"""Two ways to delete all due Jobs, each in a process of its own: ours, and bare urllib3 threads sending the same requests."""

import json
import queue
import sys
import threading
import time

from benchmarks.readers import connect

WORKERS = 32


def ours(kubeconfig: str) -> dict[str, float]:
    """Look and decide, then measure the deleting: re-reading of GitRepos, brakes, verdicts and counting included."""
    from cleaner.cli.wiring import Stop, cluster_of, order_of
    from cleaner.result import exit_code
    from cleaner.settings import Settings
    from cleaner.sweep import Canary, Sweep

    settings = Settings(kubeconfig=kubeconfig, delete_rate=0.0, delete_workers=WORKERS, failed_keep=0)
    stop = Stop()
    _, cluster = cluster_of(settings, "benchmark", stop.clock())
    sweep = Sweep(cluster, order_of(settings), stop.clock(), lambda _: None, stop)
    sweep.look()
    doomed = sweep.decide()
    wall, cpu = time.perf_counter(), time.process_time()
    sweep.act(doomed, Canary())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    result = sweep.result()
    if exit_code(result) or {fate.value for fate in result.fates()} != {"deleted"}:
        raise SystemExit(f"not everything was deleted: {result.fates()}")
    return {"wall": wall, "cpu": cpu, "count": len(doomed)}


def bare(kubeconfig: str) -> dict[str, float]:
    """The same DELETE requests from as many threads, and nothing else."""
    pool, host, headers = connect(kubeconfig, WORKERS)
    listed = json.loads(pool.request("GET", f"{host}/apis/batch/v1/jobs", headers=headers).data)
    tasks: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
    for item in listed["items"]:
        metadata = item["metadata"]
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
            "propagationPolicy": "Background",
        }
        path = f"/apis/batch/v1/namespaces/{metadata['namespace']}/jobs/{metadata['name']}"
        tasks.put((host + path, json.dumps(options)))
    statuses: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work() -> None:
        while (task := tasks.get()) is not None:
            sent = {**headers, "content-type": "application/json"}
            answer = pool.request("DELETE", task[0], body=task[1], headers=sent, retries=False)
            statuses.put(answer.status)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for _ in threads:
        tasks.put(None)
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if {statuses.get() for _ in listed["items"]} != {200}:
        raise SystemExit("not everything was deleted")
    return {"wall": wall, "cpu": cpu, "count": len(listed["items"])}


if __name__ == "__main__":
    print(json.dumps({"ours": ours, "bare": bare}[sys.argv[1]](sys.argv[2])))
