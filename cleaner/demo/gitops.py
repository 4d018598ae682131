"""Fleet's gitops controller, v0.10.2 to v0.16: one Job a commit, and what it does to the ones it has.

Seen live, and read in `manageGitJob`, `shouldCreateJob`, `deleteJobIfNeeded` and `deletePreviousJob`: until v0.10.3 a
missing Job is made at once; later only for a new commit, a raised `forceSyncGeneration` or a changed spec, so that a
Job which somebody deletes stays away, and a succeeded Job of the current commit is deleted. Failed Jobs of older
commits stay until v0.13.
"""

import random
from dataclasses import replace

from cleaner.demo import credentials, gitrepo_form, job_form, pod_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import FINALIZER, FLEET_NAMESPACE
from cleaner.demo.family import Family, Previous
from cleaner.demo.kinds import Object
from cleaner.demo.looking import Look
from cleaner.demo.store import key_of, uid_of
from cleaner.demo.upstream import Upstream
from cleaner.demo.waking import Wakes


class Gitops:
    """The controller, from one start to the next.

    Of the Jobs that succeed, one in `overlooked` is never noticed, and stays (0: none); its name decides. Where its
    version waits between deleting a Job and making it anew, it does so for `pause` seconds.
    """

    def __init__(self, family: Family, upstream: Upstream, overlooked: int, pause: float) -> None:
        self._family = family
        self._upstream = upstream
        self._overlooked = overlooked
        self._pause = pause if family.waits else 0.0
        self.wakes = Wakes(family)

    def step(self, caller: Caller, gitrepos: list[Object], jobs: list[Object], pods: list[Object], now: float) -> None:
        """Reconcile every GitRepo that has a reason for it."""
        self.wakes.forget(set(map(uid_of, gitrepos)))
        by_key = {key_of(job): job for job in jobs}
        for gitrepo in gitrepos:
            if "deletionTimestamp" in gitrepo["metadata"]:
                _release(caller, gitrepo)
                continue
            look = Look(gitrepo, by_key, pods, now, secret=self._secret(caller, gitrepo))
            if self._family.polls_apart and self.wakes.poll(look):
                look = replace(look, gitrepo=self._note_poll(caller, look))
            if self.wakes.woken(look):
                self._reconcile(caller, look)

    def _secret(self, caller: Caller, gitrepo: Object) -> str:
        return credentials.digest(caller, gitrepo) if self._family.watches_secrets else ""

    def _note_poll(self, caller: Caller, look: Look) -> Object:
        status = gitrepo_form.polled(look.status, self._upstream.head(look.gitrepo), look.now)
        return caller.set_status(path_to("gitrepos", look.gitrepo), status) or look.gitrepo

    def _reconcile(self, caller: Caller, look: Look) -> None:
        if FINALIZER not in look.gitrepo["metadata"].get("finalizers", ()):
            hold(caller, look.gitrepo, self._family)
            self.wakes.again(look)
            return
        look = replace(look, polled=not self._family.polls_apart and self.wakes.poll(look))
        old = look.status.get("commit", "")
        if commit := self._commit(look, old):
            self._manage(caller, look, old, commit)

    def _commit(self, look: Look, old: str) -> str:
        """The commit to run. Without polling, the git server is asked whenever the Job is missing."""
        if look.polled or (not look.polls and look.job(old) is None):
            return self._upstream.head(look.gitrepo)
        return str(look.status.get("pollingCommit") or old) if self._family.polls_apart and look.polls else old

    def _manage(self, caller: Caller, look: Look, old: str, commit: str) -> None:
        """Fleet's `manageGitJob`. A Job that is there for a commit gone back to is left alone, whatever became of it."""
        job = look.job(commit)
        if commit != old and self._drop_previous(caller, look, old):
            self.wakes.again(look, self._pause)
        elif job is None and (commit != old or look.pending or self._family.recreates):
            self._make(caller, look, commit)
        elif job and commit == old and self._is_overtaken(look, job):
            self._renew(caller, look, commit, job)
        else:
            if job and commit == old and self._is_done(job):
                caller.delete(path_to("jobs", job), uid_of(job))
            self._tell(caller, look, commit, job)

    def _drop_previous(self, caller: Caller, look: Look, old: str) -> bool:
        """Delete the Job of the commit before, by the name it has with the present `spec.repo`; whether to wait then."""
        job = look.job(old)
        if not old or not job or self._family.previous is Previous.LEFT:
            return False
        policy = None if self._family.previous is Previous.ORPHANING else "Background"
        caller.delete(path_to("jobs", job), uid_of(job), policy)
        return self._family.waits_for_previous

    def _make(self, caller: Caller, look: Look, commit: str) -> None:
        """Create the Job; when that cannot be, the next step tries again."""
        if self._family.needs_controller and not caller.get(path_of("deployments", FLEET_NAMESPACE, "fleet-controller")):
            refused = gitrepo_form.refused(look.status, 'Deployment.apps "fleet-controller" not found', look.now)
            self._write(caller, look, refused)
            self.wakes.again(look)
        elif create_job(caller, self._family, look.gitrepo, commit):
            self._tell(caller, look, commit, None, ran=True)
        else:
            self.wakes.again(look)

    def _is_overtaken(self, look: Look, job: Object) -> bool:
        return look.rotated or look.overtakes(job) if self._family.labelled else look.pending

    def _renew(self, caller: Caller, look: Look, commit: str, job: Object) -> None:
        """Delete the Job, to make it anew in a later reconcile: until v0.10.3 the deletion itself wakes the GitRepo."""
        caller.delete(path_to("jobs", job), uid_of(job))
        if self._family.recreates:
            self._tell(caller, look, commit, job, ran=True)
        else:
            self.wakes.again(look, self._pause)

    def _is_done(self, job: Object) -> bool:
        """Succeeded, and noticed: some ends are lost between two reconciles, and their Jobs stay."""
        if self._family.recreates or "Complete" not in gitrepo_form.ended_conditions(job):
            return False
        rng = random.Random(f"{job['metadata']['name']} is noticed")  # noqa: S311 - a play, not a secret
        return not self._overlooked or rng.randrange(self._overlooked) > 0

    def _tell(self, caller: Caller, look: Look, commit: str, job: Object | None, *, ran: bool = False) -> None:
        """Write what the Job tells. A Job that was made just now is not looked at yet: Fleet sees none."""
        pods = [pod for pod in look.pods if job and pod["metadata"].get("labels", {}).get("job-name") == key_of(job)[1]]
        newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default={})
        left = pod_form.message_of(newest)
        state, message = gitrepo_form.state_of(job, left, plain=self._family.plain_errors)
        after = gitrepo_form.status(look.status, commit, state, message, look.now)
        after |= {"observedGeneration": look.generation}
        after |= gitrepo_form.polled_at(look.now) if look.polled else {}
        if ran and look.forced:
            after |= {"updateGeneration": look.force}
        self._write(caller, look, after)
        credentials.note(caller, look.gitrepo, look.secret)

    def _write(self, caller: Caller, look: Look, status: Object) -> None:
        if status != look.status:
            caller.set_status(path_to("gitrepos", look.gitrepo), status)


def create_job(caller: Caller, family: Family, gitrepo: Object, commit: str) -> Object | None:
    """The new Job for a commit, and the ServiceAccount of its Pods, which may be there from the last one."""
    namespace = gitrepo["metadata"]["namespace"]
    caller.create(path_of("serviceaccounts", namespace), job_form.account(gitrepo))
    return caller.create(path_of("jobs", namespace), job_form.job(family, gitrepo, commit))


def hold(caller: Caller, gitrepo: Object, family: Family) -> Object | None:
    """Put Fleet's finalizer on the GitRepo, and what its version adds to the spec in the same breath."""
    finalizers = [*gitrepo["metadata"].get("finalizers", ()), FINALIZER]
    scan = {"spec": {"imageScanCommit": {"authorEmail": "", "authorName": ""}}} if family.scan_commit else {}
    return caller.patch(path_to("gitrepos", gitrepo), {"metadata": {"finalizers": finalizers}, **scan})


def _release(caller: Caller, gitrepo: Object) -> None:
    kept = [name for name in gitrepo["metadata"].get("finalizers", ()) if name != FINALIZER]
    caller.patch(path_to("gitrepos", gitrepo), {"metadata": {"finalizers": kept or None}})
