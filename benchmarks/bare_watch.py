"""
The least that anybody must do who watches what the cleaner watches: read lines with urllib3, decode each, and keep nothing.

It says `watching` once all three watches are open, and on SIGTERM how many lines of each kind came.
"""

import functools
import json
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.readers import connect
from cleaner import fleet

Understand = Callable[[msgspec.Raw], Any]


def main(kubeconfig: str) -> None:
    """Watch until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    pool, host, headers = connect(kubeconfig, 4)
    kinds: dict[str, Understand] = {
        "/apis/batch/v1/jobs": functools.partial(fleet.find_job, shared={}),
        "/apis/fleet.cattle.io/v1alpha1/gitrepos": fleet.read_gitrepo,
        "/api/v1/namespaces": fleet.read_namespace,
    }
    counts: dict[str, int] = {}
    for path, understand in kinds.items():
        page = pool.request("GET", f"{host}{path}?limit=1", headers=headers)
        version = json.loads(page.data)["metadata"]["resourceVersion"]
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=3600"
        response = pool.request("GET", f"{host}{path}?{query}", headers=headers, preload_content=False)
        threading.Thread(target=_follow, args=(response, understand, counts, path.rpartition("/")[2]), daemon=True).start()
    print("watching", flush=True)
    ended.wait()
    print(json.dumps(counts), flush=True)


def _follow(response: Any, understand: Understand, counts: dict[str, int], kind: str) -> None:
    rest, counts[kind] = b"", 0
    for piece in response.stream(1 << 16):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            change = fleet.read_change(line, understand)
            if isinstance(change, fleet.WatchError):
                raise SystemExit(f"the watch of {kind} ended: {change}")
            counts[kind] += 1


if __name__ == "__main__":
    main(sys.argv[1])
