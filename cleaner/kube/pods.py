"""The finished Pods of Fleet's Jobs, and their logs."""

from collections.abc import Iterator

from cleaner import fleet
from cleaner.cluster import ClusterError, Denied, Unreachable
from cleaner.fleet import APPLIER, CLONER, Page
from cleaner.kube.reads import Reads, list_path, segment
from cleaner.model import Pod

_FINISHED = "status.phase!=Pending,status.phase!=Running"

_MOST = 1 << 20
"""Bytes of a log that are read at most, however long its lines are."""


class Pods:
    """See `cluster.Pods`. The API itself leaves out what runs and what no Job has made."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        """List them; the label `controller-uid` is there in every Kubernetes that Fleet runs on."""
        selectors = {"labelSelector": f"controller-uid={job_uid}" if job_uid else "controller-uid", "fieldSelector": _FINISHED}
        return self._reads.pages(list_path("/api/v1", namespace, "pods"), fleet.pod_page, selectors)

    def log_of(self, pod: Pod, lines: int, limit: int) -> str:
        """
        Read the last lines that the container `fleet` wrote, or the one before it, where that one has never begun.

        What is cut off a line may be half a credential: such a line is left out.
        """
        path = f"/api/v1/namespaces/{segment(pod.namespace)}/pods/{segment(pod.name)}/log"
        query = {"tailLines": str(lines), "limitBytes": str(_MOST)}
        try:
            answer = self._reads.get(path, query | {"container": APPLIER})
        except (Denied, Unreachable):
            raise
        except ClusterError:
            answer = self._reads.get(path, query | {"container": CLONER})
        if answer.status != 200:
            raise ClusterError(f"{path}: there is no such log")
        body = bytes(answer.body)
        end = body[-limit:] if len(body) <= limit else body[-limit:].partition(b"\n")[2]
        return end.decode(errors="replace")
