"""GitRepos and Jobs as Fleet makes them, from recorded ones, and two ways to put them into the world.

Fleet's formulas stand here a second time on purpose: the tests state independently what the package must get right.
"""

import base64
import hashlib
import itertools
import json
import re
import secrets
import threading
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import urlencode

from tests.world.control_plane import ControlPlane

FIXTURES = Path(__file__).parent.parent / "data" / "fleet"
GENERATION = "fleet.cattle.io/gitrepo-generation"
FORCE_SYNC = "fleet.cattle.io/force-sync-generation"

Outcome = Literal["succeeded", "failed", "running"]
Json = dict[str, Any]


class Api(Protocol):
    """Whatever can be asked like a Kubernetes API: the control plane, or a stand-in for it."""

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask; the status and the JSON of the answer."""


class Made(NamedTuple):
    """An object as the API would show it, and apart from it the status, which has a request of its own."""

    object: Json
    status: Json


def fixture(name: str) -> Any:
    """A recorded answer of the API, e.g. `v0.16.1/jobs-failed-current.json`."""
    return json.loads(_text(name))


def sha(text: str) -> str:
    """A commit id, always the same for the same text."""
    return hashlib.sha1(text.encode()).hexdigest()


def job_name(gitrepo: str, repo: str, commit: str) -> str:
    """What Fleet calls the Job of a GitRepo for a commit."""
    full = f"{gitrepo}-{hashlib.md5((repo + commit).encode()).hexdigest()[:5]}"
    if len(full) < 64:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()
    if full[56].isalnum():
        return f"{full[:57]}-{digest[:5]}"
    return f"{full[:56]}-{digest[:6]}"


def commits(gitrepo: Made | Json, count: int, salt: str = "") -> list[str]:
    """So many commits of a GitRepo whose Jobs have names of their own: five digits collide among a few thousand."""
    owner = gitrepo.object if isinstance(gitrepo, Made) else gitrepo
    by_name: dict[str, str] = {}
    for n in itertools.count():
        if len(by_name) == count:
            return list(by_name.values())
        commit = sha(f"{salt}{n}")
        by_name.setdefault(job_name(owner["metadata"]["name"], owner["spec"]["repo"], commit), commit)
    raise AssertionError("never reached")


def gitrepo(
    namespace: str,
    name: str,
    *,
    repo: str | None = None,
    commit: str | None = sha("head"),
    failed: bool = False,
    spec: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **status: Any,
) -> Made:
    """A GitRepo of Fleet 0.16.1 that has settled on a commit; `metadata`, `spec` and `status` are laid over it.

    A field given as None is left out. Fleet's finalizer is not put on, so that a test can delete the GitRepo.
    """
    recorded = fixture("v0.16.1/gitrepo-failed.json" if failed else "v0.16.1/gitrepo-healthy.json")
    at = {"name": name, "namespace": namespace, "uid": str(uuid.uuid4()), "generation": 1}
    recorded["metadata"] = _laid_over(at, metadata or {})
    recorded["spec"] = _laid_over(recorded["spec"], {"repo": repo or f"https://git.example/{name}", **(spec or {})})
    settled = {"commit": commit, "pollingCommit": commit, "observedGeneration": 1, **status}
    recorded["status"] = _laid_over(recorded["status"], settled)
    return Made(recorded, recorded["status"])


def job(
    gitrepo: Made | Json,
    commit: str,
    outcome: Outcome = "succeeded",
    *,
    finished: datetime | None = None,
    ran: timedelta = timedelta(seconds=5),
    version: str = "v0.16.1",
    legacy: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Made:
    """A Job that this Fleet made for a commit: it finished (or, running, began) at the time given, else just now.

    `legacy`: made by Fleet 0.10.3 or older, so without Fleet's labels.
    """
    owner = gitrepo.object if isinstance(gitrepo, Made) else gitrepo
    made: Json = json.loads(_replaced("v0.10.2" if legacy else version, outcome, owner, commit))
    end = finished or datetime.now(UTC)
    start = end if outcome == "running" else end - ran
    made["metadata"]["creationTimestamp"] = stamp(start)
    _set_generations(made["metadata"], owner)
    made["metadata"] = _laid_over(made["metadata"], metadata or {})
    _set_times(made["status"], stamp(start), stamp(end))
    return Made(made, made["status"])


def stamp(moment: datetime) -> str:
    """A moment in the API's own form."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(**duration: float) -> datetime:
    """A moment in the past: `ago(hours=100)`."""
    return datetime.now(UTC) - timedelta(**duration)


def namespace(control_plane: Api, name: str | None = None) -> str:
    """Make a Namespace, by default one with a fresh name, and answer its name.

    A test takes one of its own: nothing in this world finishes the deletion of a Namespace.
    """
    chosen = name or f"fleet-{secrets.token_hex(4)}"
    status, answer = control_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": chosen}})
    if status not in {201, 409}:
        raise RuntimeError(f"the Namespace {chosen} was refused: {answer}")
    return chosen


def put(control_plane: Api, objects: Iterable[Made], threads: int = 16) -> list[Json]:
    """Create the objects through the API as Fleet and the Job controller do; answer them, in order, as they are then.

    GitRepos come first; a Job's owner gets the uid that its GitRepo was given. Namespaces are made if they are missing.
    """
    wanted = list(objects)
    for name in sorted({each.object["metadata"]["namespace"] for each in wanted}):
        namespace(control_plane, name)
    gitrepos = [each for each in wanted if each.object["kind"] == "GitRepo"]
    jobs = [each for each in wanted if each.object["kind"] != "GitRepo"]
    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(lambda each: _create(control_plane, each, {}), gitrepos))
        given = {old.object["metadata"]["uid"]: new["metadata"]["uid"] for old, new in zip(gitrepos, made, strict=True)}
        made += pool.map(lambda each: _create(control_plane, each, given), jobs)
    order = {id(each): new for each, new in zip([*gitrepos, *jobs], made, strict=True)}
    return [order[id(each)] for each in wanted]


def bulk(control_plane: ControlPlane, jobs: Iterable[Made], threads: int = 4) -> int:
    """Write Jobs straight into etcd, with the uid and the creation time they have; answer how many.

    For seeds of many thousands; a generator is fine. The owner's uid must be right already (make Jobs from what `put`
    answered), and the Namespace must be there. Every Job gets a revision of its own, as the API would give it.
    """
    remaining = _Shared(jobs)
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda _: _write_all(control_plane, remaining), range(threads)))


def place(control_plane: ControlPlane, gitrepo: Made) -> None:
    """Write a GitRepo straight into etcd: with the uid, the generation, the times and the status that it has."""
    where = gitrepo.object["metadata"]
    _store(control_plane, f"/registry/fleet.cattle.io/gitrepos/{where['namespace']}/{where['name']}", gitrepo)


def _create(control_plane: Api, wanted: Made, uids: Mapping[str, str]) -> Json:
    collection = _collection(wanted.object)
    by_fleet, by_kubernetes = _managers(wanted.object)
    status, made = control_plane.request("POST", f"{collection}?{by_fleet}", _as_input(wanted.object, uids))
    if status != 201:
        raise RuntimeError(f"{wanted.object['metadata']['name']} was refused: {made}")
    path = f"{collection}/{made['metadata']['name']}"
    for _ in range(_CONFLICTS):
        status, finished = control_plane.request("PUT", f"{path}/status?{by_kubernetes}", {**made, "status": wanted.status})
        if status != 409:
            break
        # Who watches, e.g. a guard, has written to the object in between: as a controller does, begin from what it is now.
        _, made = control_plane.request("GET", path)
    if status != 200:
        raise RuntimeError(f"the status of {wanted.object['metadata']['name']} was refused: {finished}")
    return dict(finished)


def _collection(made: Json) -> str:
    place = f"namespaces/{made['metadata']['namespace']}"
    if made["kind"] == "GitRepo":
        return f"/apis/fleet.cattle.io/v1alpha1/{place}/gitrepos"
    return f"/apis/batch/v1/{place}/jobs"


def _managers(made: Json) -> tuple[str, str]:
    status = "fleetcontroller" if made["kind"] == "GitRepo" else "kube-controller-manager"
    return urlencode({"fieldManager": "fleetcontroller"}), urlencode({"fieldManager": status})


def _as_input(made: Json, uids: Mapping[str, str]) -> Json:
    """What Fleet sends: without what the API server adds."""
    sent: Json = {**made, "metadata": {k: v for k, v in made["metadata"].items() if k not in _SERVERS_OWN}}
    sent["metadata"]["ownerReferences"] = [
        {**owner, "uid": uids.get(owner["uid"], owner["uid"])} for owner in made["metadata"].get("ownerReferences", [])
    ]
    sent.pop("status", None)
    if made["kind"] == "Job":
        template = {**made["spec"]["template"], "metadata": {"creationTimestamp": stamp(datetime.fromtimestamp(0, UTC))}}
        sent["spec"] = {k: v for k, v in made["spec"].items() if k != "selector"} | {"template": template}
        # A Job without Fleet's labels has those of its Pods, which the API server copies by itself.
        labels = {k: v for k, v in made["metadata"].get("labels", {}).items() if k not in _POD_LABELS}
        sent["metadata"]["labels"] = labels
    return sent


_CONFLICTS = 5
"""How often at most a status is written, when others write to the object too."""
_SERVERS_OWN = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "deletionTimestamp"}
_POD_LABELS = {"job-name", "controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"}


def _write_all(control_plane: ControlPlane, remaining: "_Shared") -> int:
    written = 0
    while batch := remaining.next(50):
        for each in batch:
            _write(control_plane, each)
        written += len(batch)
    return written


def _write(control_plane: ControlPlane, made: Made) -> None:
    where = made.object["metadata"]
    _store(control_plane, f"/registry/jobs/{where['namespace']}/{where['name']}", made)


def _store(control_plane: ControlPlane, key: str, made: Made) -> None:
    body = json.dumps({"key": _base64(key.encode()), "value": _base64(_stored(made))}).encode()
    status, answer = control_plane.etcd.request("POST", "/v3/kv/put", body)
    if status != 200:
        raise RuntimeError(f"etcd refused {key}: {answer!r}")


class _Shared:
    """One source for several threads: 100,000 Jobs need not exist at once."""

    def __init__(self, jobs: Iterable[Made]) -> None:
        self._jobs = iter(jobs)
        self._lock = threading.Lock()

    def next(self, count: int) -> list[Made]:
        with self._lock:
            return list(itertools.islice(self._jobs, count))


def _stored(made: Made) -> bytes:
    # The revision is etcd's to give: an object at rest has none.
    metadata = {k: v for k, v in made.object["metadata"].items() if k != "resourceVersion"}
    return json.dumps({**made.object, "metadata": metadata, "status": made.status}).encode()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@cache
def _text(name: str) -> str:
    return (FIXTURES / name).read_text()


_RECORDED = {"succeeded": "jobs-succeeded-current.json", "failed": "jobs-failed-current.json", "running": "jobs-running.json"}


def _replaced(version: str, outcome: Outcome, owner: Json, commit: str) -> str:
    """The text of a recorded Job with every name, uid and commit in it exchanged: its size and form stay Fleet's own."""
    repo, name = owner["spec"]["repo"], owner["metadata"]["name"]
    new = _Identity(
        job=job_name(name, repo, commit),
        job_uid=str(uuid.uuid4()),
        gitrepo=name,
        gitrepo_uid=owner["metadata"]["uid"],
        commit=commit,
        repo=repo,
        namespace=owner["metadata"]["namespace"],
    )
    return "".join(new[part] if isinstance(part, int) else part for part in _template(f"{version}/{_RECORDED[outcome]}"))


@cache
def _template(name: str) -> tuple[str | int, ...]:
    """A recorded Job's text cut at everything that names it; a number says which of its names stood there."""
    recorded = _identity(name)
    # The longest first: a Job's name and the URL both begin or end with the GitRepo's.
    ordered = sorted(recorded, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, ordered)) + ")", _text(name))
    return tuple(recorded.index(piece) if n % 2 else piece for n, piece in enumerate(pieces))


class _Identity(NamedTuple):
    job: str
    job_uid: str
    gitrepo: str
    gitrepo_uid: str
    commit: str
    repo: str
    namespace: str


@cache
def _identity(name: str) -> _Identity:
    recorded = fixture(name)
    metadata, owner = recorded["metadata"], recorded["metadata"]["ownerReferences"][0]
    cloner = recorded["spec"]["template"]["spec"]["initContainers"][0]
    repo = next(word for word in cloner["args"] if word.startswith("http"))
    return _Identity(
        metadata["name"],
        metadata["uid"],
        owner["name"],
        owner["uid"],
        metadata["annotations"]["commit"],
        repo,
        metadata["namespace"],
    )


def _set_times(status: Json, start: str, end: str) -> None:
    status["startTime"] = start
    if "completionTime" in status:
        status["completionTime"] = end
    for condition in status.get("conditions", []):
        condition["lastProbeTime"] = condition["lastTransitionTime"] = end


def _set_generations(metadata: Json, owner: Json) -> None:
    """What of the GitRepo the Job was made for; older Fleets say less."""
    generation = str(owner["metadata"].get("generation", 1))
    metadata["annotations"]["generation"] = generation
    if GENERATION in metadata["labels"]:
        metadata["labels"] |= {GENERATION: generation, FORCE_SYNC: str(owner["spec"].get("forceSyncGeneration", 0))}


def _laid_over(base: Json, changes: Mapping[str, Any]) -> Json:
    """One level of changes over an object; None takes a field away."""
    merged = {**base, **changes}
    return {key: value for key, value in merged.items() if value is not None}
