"""The workflows for GitHub, which no test here can run: what they run exists, and nothing in them can be abused."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.modes.running import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
DEPENDABOT = ROOT / ".github/dependabot.yml"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
EVERY = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    """One workflow. YAML 1.1 takes its `on` for a truth."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found | {"on": found.get("on", found.get(True))}


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Every step of every job."""
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


def test_zizmor_finds_nothing() -> None:
    zizmor = shutil.which("zizmor", path=Path(sys.executable).parent)
    assert zizmor is not None

    said = subprocess.run(
        [zizmor, "--offline", "--no-progress", "--persona=pedantic", ".github"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stdout + said.stderr


def test_there_are_three() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "dependencies", "release"]


@EVERY
def test_it_runs_only_make_targets_that_exist(path: Path) -> None:
    lines = [line.split("#")[0] for step in steps(read(path)) for line in step.get("run", "").splitlines()]
    targets = {target for line in lines for target in re.findall(r"(?:^|\s)make ([a-z-]+)", line)}

    assert targets
    assert targets - TARGETS == set()


@EVERY
def test_it_may_do_nothing_but_read_unless_a_job_says_why(path: Path) -> None:
    workflow = read(path)

    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    assert all("timeout-minutes" in job for job in workflow["jobs"].values() if "steps" in job)


@EVERY
def test_every_action_is_a_commit_with_its_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    others = [(action, comment) for action, comment in used if not action.startswith("./")]

    assert others
    assert [
        action
        for action, comment in others
        if not (re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment))
    ] == []


def test_an_action_is_one_commit_everywhere() -> None:
    used = {pinned for path in WORKFLOWS for pinned in re.findall(r"uses: ([\w/-]+)@(\w+)", path.read_text(encoding="utf-8"))}

    assert len(dict(used)) == len(used)


@EVERY
def test_what_strangers_start_sees_no_secret(path: Path) -> None:
    text, workflow = path.read_text(encoding="utf-8"), read(path)

    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(workflow["on"])
    if "pull_request" in workflow["on"] or "workflow_call" in workflow["on"]:
        assert "secrets" not in re.sub(r"#.*", "", text)
        assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []


@EVERY
def test_it_names_no_registry(path: Path) -> None:
    assert re.findall(r"[\w-]+\.(?:io|com|org|dev)\b", path.read_text(encoding="utf-8")) in (
        [],
        ["github.com"],
    )


def test_ci_runs_all_that_ci_runs_here_but_the_benchmarks() -> None:
    ours = set(re.findall(r"\bmake ([a-z-]+) <", (ROOT / ".ci/run").read_text(encoding="utf-8")))
    theirs = {step["run"].removeprefix("make ") for step in steps(read(ROOT / ".github/workflows/ci.yaml")) if "run" in step}

    assert "test" in ours
    assert {target for target in ours if not target.startswith("bench")} <= theirs


def test_ci_tests_the_oldest_python() -> None:
    versions = read(ROOT / ".github/workflows/ci.yaml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    oldest = re.search(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert oldest is not None
    assert versions[0] == oldest[1]
    assert all(tuple(map(int, later.split("."))) > tuple(map(int, versions[0].split("."))) for later in versions[1:])


def test_dependabot_looks_at_every_go_module_and_the_npm_package() -> None:
    updates = {each["package-ecosystem"]: each for each in yaml.safe_load(DEPENDABOT.read_text(encoding="utf-8"))["updates"]}
    modules = {path for pattern in updates["gomod"]["directories"] for path in ROOT.glob(f"{pattern.strip('/')}/go.mod")}

    assert set(updates) == {"github-actions", "gomod", "npm"}
    assert modules == set((ROOT / "tests").rglob("go.mod")) != set()
    assert (ROOT / updates["npm"]["directory"].strip("/") / "package-lock.json").exists()


def test_the_locks_that_dependabot_leaves_alone_are_proposed() -> None:
    workflow = read(ROOT / ".github/workflows/dependencies.yaml")

    assert "make lock" in [step.get("run") for step in workflow["jobs"]["lock"]["steps"]]
    assert "permissions" not in workflow["jobs"]["lock"]
    assert not any("make" in step.get("run", "") for step in workflow["jobs"]["propose"]["steps"])
