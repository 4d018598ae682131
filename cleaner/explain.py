"""Why each Job of one GitRepo is kept, and what is stuck around it."""

import re
from collections.abc import Iterable
from typing import Protocol

import msgspec

from cleaner.cluster import Clock, Cluster, ClusterError, Denied, KeptErrors, Names, Refusal
from cleaner.model import GitRepo, Owner
from cleaner.result import Result
from cleaner.retention import Stuck, stuck
from cleaner.scope import Scope
from cleaner.sweep import Order, Sweep

# A name that Kubernetes could not have would make another path of the request.
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Around(Names, KeptErrors, Protocol):
    """What explaining needs beside looking."""


class NoSuchGitRepo(Exception):
    """There is no GitRepo of that name, or more than one."""


def find_gitrepo(cluster: Cluster, scope: Scope, text: str) -> GitRepo:
    """
    Find the GitRepo that `NAMESPACE/NAME`, or a NAME that is unique in the scope, stands for.

    Raises:
        NoSuchGitRepo: none or several have that name.
        ClusterError: it could not be read.

    """
    namespace, slash, name = text.rpartition("/")
    if not _OBJECT.fullmatch(name) or (slash and not _OBJECT.fullmatch(namespace)):
        raise NoSuchGitRepo(f"{text!r} is not [NAMESPACE/]GITREPO")
    found = [_read(cluster, namespace, name)] if slash else list(_search(cluster, scope, name))
    living = [gitrepo for gitrepo in found if gitrepo is not None]
    if len(living) > 1:
        raise NoSuchGitRepo(f"{name} is the name of several: {', '.join(sorted(gitrepo.path for gitrepo in living))}")
    if not living:
        raise NoSuchGitRepo(f"there is no GitRepo {text}")
    return living[0]


def _read(cluster: Cluster, namespace: str, name: str) -> GitRepo | None:
    for read in cluster.reread([Owner(namespace, name, "")]):
        if read.error is not None:
            raise read.error
        return read.gitrepo
    return None


def _search(cluster: Cluster, scope: Scope, name: str) -> Iterable[GitRepo]:
    for namespace in scope.namespaces or ("",):
        for page in cluster.gitrepos(namespace):
            yield from (gitrepo for gitrepo in page.facts if gitrepo.name == name)


def explain(cluster: Cluster, around: Around, order: Order, clock: Clock, gitrepo: GitRepo) -> Result:
    """
    Judge the Jobs of one GitRepo, those left from others of its name too; nothing is deleted.

    So for the Pods that its Jobs left behind, where the order is to see to them.
    """
    scope = Scope(namespaces=(gitrepo.namespace,))
    order = msgspec.structs.replace(order, scope=scope, dry_run=True)
    sweep = Sweep(cluster, order, clock, lambda _: None, _never)
    looked = sweep.look()
    if not looked.parts:
        raise Denied(looked.refused[0].problem) if looked.refused[0].denied else ClusterError(looked.refused[0].problem)
    sweep.decide()
    sweep.decide_on_pods(gitrepo.name)
    result = sweep.result()
    mine = {owner: plan for owner, plan in result.plans.items() if owner.name == gitrepo.name}
    result.stuck = _stuck(around, result, gitrepo, clock)
    _recall(around, result, gitrepo)
    result.plans = mine
    return result


def _recall(around: KeptErrors, result: Result, gitrepo: GitRepo) -> None:
    """Read the errors that Events keep; that they cannot be read changes nothing else."""
    try:
        result.kept_errors = around.kept_errors(gitrepo.namespace, gitrepo.uid)
    except ClusterError as error:
        result.not_recalled = str(error)


def _stuck(names: Names, result: Result, gitrepo: GitRepo, clock: Clock) -> list[Stuck]:
    """Tell what is stuck around this GitRepo; whether another owner holds the name of its Job takes a look of its own."""
    me = Owner(gitrepo.namespace, gitrepo.name, gitrepo.uid)
    jobs = [verdict.job for verdict in result.plans[me].verdicts] if me in result.plans else []
    mine = {job.name for job in jobs}
    others = frozenset(n for n in gitrepo.current_names if n not in mine and names.taken(gitrepo.namespace, n))
    return stuck(gitrepo, jobs, result.fleet, clock.now(), others)


def _never() -> Refusal | None:
    return None
