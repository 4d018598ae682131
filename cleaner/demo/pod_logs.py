"""The log of a container that has ended: its last words, which is what a Pod here has of one."""

from collections.abc import Mapping

from cleaner.demo.kinds import Object
from cleaner.demo.reading import number
from cleaner.demo.status import bad_request


def log_of(pod: Object, query: Mapping[str, str]) -> str:
    """What a container wrote, or the last lines of it; raises RefusedError (400) where there is no such container."""
    name, lines = query.get("container", ""), number(query, "tailLines")
    told = pod.get("status", {})
    statuses = [*(told.get("initContainerStatuses") or ()), *(told.get("containerStatuses") or ())]
    found = next((status for status in statuses if status["name"] == name), None)
    where = f'"{name}" in pod "{pod["metadata"]["name"]}"'
    if found is None:
        raise bad_request(f"container {name} is not valid for pod {pod['metadata']['name']}")
    if "waiting" in found["state"]:
        raise bad_request(f"container {where} is waiting to start: PodInitializing")
    written = found["state"].get("terminated", {}).get("message", "").splitlines(keepends=True)
    return "".join(written[-lines:] if lines else written)
