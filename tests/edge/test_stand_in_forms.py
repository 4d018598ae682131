"""Whatever version the stand-in plays, its objects are those that the real Fleet of that version was seen to make.

They are compared whole with what an API server sent: only what is new in every run is taken out of both.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleaner.demo import job_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.family import FAMILIES, Family, job_name, safe_concat
from cleaner.demo.runs import Run, Runs, begin, finish
from cleaner.demo.sandbox import Sandbox
from tests.edge.stand_in_world import FAULT, FORCE, GENERATION, NAMESPACE, PLAIN, RECORDED, Object, World, recorded

BY_VERSION = {family.version: family for family in FAMILIES}
SEEN = ("v0.10.2", "v0.10.4", "v0.14.10", "v0.16.1")
JOBS = sorted(RECORDED.glob("*/jobs-*.json"))
PODS = sorted(RECORDED.glob("*/pod-*.json"))
UID = "00000000-0000-0000-0000-000000000000"
NEW_IN_EVERY_RUN = {
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "UID",
    r"20\d\d-\d\d-\d\dT[0-9:.]+Z": "TIME",
    r"\b[0-9a-f]{40}\b": "COMMIT",
    r"-config-[0-9a-f]{12}": "-config-HASH",
    r"kube-api-access-\w{5}": "kube-api-access-XXXXX",
    r"host0\.example[^\"]*": "KNOWN HOSTS",
    r"\b(sandbox|fake-0)\b": "NODE",
}


def same_in_all(obj: Object) -> Object:
    """The object without bookkeeping, and with a word for all that differs from run to run."""
    kept = {key: value for key, value in obj["metadata"].items() if key not in ("managedFields", "resourceVersion")}
    text = json.dumps({**obj, "metadata": kept})
    for pattern, word in NEW_IN_EVERY_RUN.items():
        text = re.sub(pattern, word, text)
    read: Object = json.loads(text)
    if "generateName" in kept:
        read["metadata"]["name"] = f"{kept['generateName']}XXXXX"
    return read


def identified(paths: list[Path]) -> list[str]:
    return [f"{path.parent.name}-{path.stem}" for path in paths]


@pytest.fixture
def caller() -> Iterator[Caller]:
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        caller.create(path_of("namespaces", ""), {"metadata": {"name": NAMESPACE}})
        yield caller


# --- what an object of Fleet's tells about how it came to be


def spec_of(obj: Object) -> Object:
    """The Pod's spec, or that in a Job's template."""
    spec: Object = obj["spec"]["template"]["spec"] if obj["kind"] == "Job" else obj["spec"]
    return spec


def words(obj: Object, first: str) -> list[str]:
    """The arguments of its containers, from this one on."""
    spec = spec_of(obj)
    args = [*spec["initContainers"][0]["args"], *spec["containers"][0]["args"]]
    return args[args.index(first) :]


def owner(obj: Object) -> str:
    """The GitRepo's name."""
    return words(obj, "--")[1]


def commit(obj: Object) -> str:
    env = spec_of(obj)["containers"][0]["env"]
    return str(next(variable["value"] for variable in env if variable["name"] == "COMMIT"))


def family(obj: Object) -> Family:
    """The version that made it: it left its image."""
    return BY_VERSION[spec_of(obj)["containers"][0]["image"].partition(":")[2]]


def gitrepo(obj: Object) -> Object:
    spec: Object = {"repo": words(obj, "gitcloner")[1], "branch": words(obj, "--branch")[1], "paths": words(obj, "--")[2:]}
    sync = next(word for word in words(obj, "apply") if word.startswith("--sync-generation="))
    spec |= {"forceSyncGeneration": int(sync.partition("=")[2])}
    generation = int(obj["metadata"].get("annotations", {}).get("generation", 0))
    return {"metadata": {"name": owner(obj), "namespace": NAMESPACE, "uid": UID, "generation": generation}, "spec": spec}


# --- names


@pytest.mark.parametrize("path", JOBS, ids=identified(JOBS))
def test_names_are_those_that_fleet_gave(path: Path) -> None:
    job = recorded(path.parent.name, path.stem)

    assert job["metadata"]["annotations"]["commit"] == commit(job)
    assert job_name(owner(job), words(job, "gitcloner")[1], commit(job)) == job["metadata"]["name"]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("a" * 63,), "a" * 63),
        (("a" * 64,), "a" * 57 + "-ffe05"),
        (("a" * 56, "a" * 7), "a" * 56 + "-768c62"),
    ],
)
def test_long_names_are_cut_as_fleet_cuts_them(parts: tuple[str, ...], name: str) -> None:
    """Fleet's own vectors (`internal/names/safeconcat_test.go`)."""
    assert safe_concat(*parts) == name


# --- Jobs and Pods


def make(caller: Caller, seen: Object) -> Object:
    """The Job that led to what was seen, or is it."""
    made = caller.create(path_of("jobs", NAMESPACE), job_form.job(family(seen), gitrepo(seen), commit(seen)))
    assert made
    return made


def play(caller: Caller, job: Object, *, running: bool, failed: bool) -> None:
    if running:
        begin(caller, job, 1e9)
    else:
        finish(caller, job, (), Run(1e9, 1e9 + 5, FAULT if failed else ""))


@pytest.mark.parametrize("path", JOBS, ids=identified(JOBS))
def test_a_job_is_the_recorded_one(caller: Caller, path: Path) -> None:
    """Running, about to end, succeeded, failed, of a commit before; and one of v0.10.2 that was given the two labels."""
    seen = recorded(path.parent.name, path.stem)
    job = make(caller, seen)
    if path.stem.endswith("then-labelled"):
        caller.patch(path_to("jobs", job), {"metadata": {"labels": {FORCE: "0", GENERATION: "0"}}})
    ends = [condition["type"] for condition in seen["status"].get("conditions", ())]
    failed = "FailureTarget" in ends
    if len(ends) == 1:
        caller.set_status(path_to("jobs", job), job_form.ending(1e9, 1e9, [UID], failed=failed)[0])
    else:
        play(caller, job, running=not ends, failed=failed)

    assert same_in_all(caller.get(path_to("jobs", job)) or {}) == same_in_all(seen)


@pytest.mark.parametrize("path", PODS, ids=identified(PODS))
def test_a_pod_is_the_recorded_one(caller: Caller, path: Path) -> None:
    """Running, succeeded, and failed, of which v0.10 has three; and one that lost its Job."""
    seen = recorded(path.parent.name, path.stem)
    job = make(caller, seen)
    phase = seen["status"]["phase"]
    play(caller, job, running=phase == "Running", failed=phase == "Failed")
    pods = caller.items(path_of("pods", NAMESPACE))
    if "orphan" in path.stem:
        caller.delete(path_to("jobs", job), job["metadata"]["uid"], policy=None)
        Runs(random.Random(1), (1.0, 1.0), ()).step(caller, [], pods, 1e9)
        pods = caller.items(path_of("pods", NAMESPACE))

    assert len(pods) == (family(seen).backoff_limit + 1 if phase == "Failed" else 1)
    assert [same_in_all(seen)] * len(pods) == [same_in_all({"kind": "Pod", "apiVersion": "v1", **pod}) for pod in pods]


# --- GitRepos


@pytest.mark.parametrize("version", SEEN)
@pytest.mark.parametrize(("name", "state"), [("good", "healthy"), ("bad", "failed"), ("slow", "running")])
def test_a_gitrepo_is_the_recorded_one(version: str, name: str, state: str) -> None:
    """With the message that its version writes, `pollingCommit` where there is one, and what v0.10 adds to the spec."""
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        world = World(sandbox.url, caller, BY_VERSION[version], PLAIN)
        world.pass_time(8)
        seen = recorded(version, f"gitrepo-{state}")
        for number in range(seen["spec"].get("forceSyncGeneration", 0)):
            world.force(name, number + 1)
            world.pass_time(8)
        ours = world.gitrepo(name)

    assert told(ours) == told(seen)
    assert ours["spec"].keys() == seen["spec"].keys()
    assert ours["metadata"]["generation"] == seen["metadata"]["generation"] == ours["status"]["observedGeneration"]
    assert ours["metadata"]["finalizers"] == seen["metadata"]["finalizers"]


def told(obj: Object) -> Object:
    """The status; of the conditions the order says nothing, it comes from which controller was first."""
    status: Object = same_in_all(obj)["status"]
    return status | {"conditions": sorted(status["conditions"], key=lambda condition: str(condition["type"]))}
