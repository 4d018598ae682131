"""The garbage collector of kube-controller-manager, one step after the other, for a server beside which none runs."""

from cleaner.demo.caller import Caller, path_to
from cleaner.demo.deleting import FOREGROUND, ORPHAN
from cleaner.demo.kinds import Object
from cleaner.demo.store import owners, uid_of


def collect(caller: Caller, gitrepos: list[Object], jobs: list[Object], pods: list[Object]) -> None:
    """Do what follows from deletions: let Pods go or delete them for their Job, and delete what has lost all its owners."""
    for job in jobs:
        finalizers = job["metadata"].get("finalizers", ())
        mine = [pod for pod in pods if uid_of(job) in owners(pod)]
        if ORPHAN in finalizers:
            for pod in mine:
                caller.patch(path_to("pods", pod), {"metadata": {"ownerReferences": None}})
            _let_go(caller, job, ORPHAN)
        elif FOREGROUND in finalizers:
            _delete_with(caller, job, mine)
    living = set(map(uid_of, (*gitrepos, *jobs)))
    for plural, objects in (("jobs", jobs), ("pods", pods)):
        for obj in objects:
            if list(owners(obj)) and living.isdisjoint(owners(obj)):
                caller.delete(path_to(plural, obj), uid_of(obj))


def _delete_with(caller: Caller, job: Object, pods: list[Object]) -> None:
    """Delete the Pods; once they are gone, the Job may go."""
    for pod in pods:
        caller.delete(path_to("pods", pod), uid_of(pod))
    if not pods:
        _let_go(caller, job, FOREGROUND)


def _let_go(caller: Caller, job: Object, finalizer: str) -> None:
    kept = [name for name in job["metadata"]["finalizers"] if name != finalizer]
    caller.patch(path_to("jobs", job), {"metadata": {"finalizers": kept or None}})
