"""Golden: every recorded object, as the API server sent it, read into the facts that its file name promises."""

from pathlib import Path
from typing import NamedTuple

import pytest

from cleaner import fleet, model

DATA = Path(__file__).parent.parent / "data/fleet"
FAILED, SUCCEEDED, RUNNING = "failed", "succeeded", "None"


class JobRow(NamedTuple):
    """What must be read from one Job."""

    name: str
    outcome: str
    finished: str
    generations: str
    gitrepo: str
    commit: str


JOBS = {
    "v0.10.2/jobs-running": JobRow("slow-a-0b64f", RUNNING, "", "legacy", "slow-a", "e3406c"),
    "v0.10.2/jobs-succeeded-current": JobRow("good-a-4b291", SUCCEEDED, "08:53:14", "legacy", "good-a", "94bb2e"),
    "v0.10.2/jobs-succeeded-old": JobRow("good-c-009e2", SUCCEEDED, "08:54:09", "legacy", "good-c", "3fec33"),
    "v0.10.2/jobs-failed-current": JobRow("bad-b-54224", FAILED, "08:55:13", "legacy", "bad-b", "84f1e0"),
    "v0.10.2/jobs-failed-old": JobRow("bad-b-2db48", FAILED, "08:54:51", "legacy", "bad-b", "3bc3df"),
    "v0.10.4/jobs-running": JobRow("slow-b-c1383", RUNNING, "", "2/0", "slow-b", "3ede43"),
    "v0.10.4/jobs-succeeded-current": JobRow("good-d-cccce", SUCCEEDED, "09:01:00", "2/0", "good-d", "a9f901"),
    "v0.10.4/jobs-failed-current": JobRow("bad-b-54224", FAILED, "08:58:52", "4/2", "bad-b", "84f1e0"),
    "v0.10.4/jobs-failed-old": JobRow("bad-d-8e415", FAILED, "09:01:38", "2/0", "bad-d", "0527a4"),
    "v0.10.4/jobs-failed-current-legacy-unlabelled": JobRow("bad-a-9543c", FAILED, "08:54:41", "legacy", "bad-a", "bd05c6"),
    "v0.14.10/jobs-running": JobRow("slow-a-48558", RUNNING, "", "1/0", "slow-a", "8919d7"),
    "v0.14.10/jobs-succeeded-current": JobRow("good-n-29fc6", SUCCEEDED, "09:11:46", "1/0", "good-n", "58e4d7"),
    "v0.14.10/jobs-failed-current": JobRow("bad-n-1d440", FAILED, "09:11:31", "1/0", "bad-n", "261e9d"),
    "v0.16.1/jobs-running": JobRow("slow-a-6e336", RUNNING, "", "1/0", "slow-a", "d6a0a7"),
    "v0.16.1/jobs-succeeded-current": JobRow("good-a-f51e1", SUCCEEDED, "09:07:50", "1/0", "good-a", "866f62"),
    "v0.16.1/jobs-failed-current": JobRow("bad-a-9cf72", FAILED, "09:07:54", "1/0", "bad-a", "0ad6ff"),
    "v0.16.1/jobs-failed-old": JobRow("bad-a-9c062", FAILED, "09:10:08", "4/3", "bad-a", "faddb7"),
    "v0.16.1/jobs-failed-current-legacy-unlabelled": JobRow("bad-a-8243c", FAILED, "09:13:30", "legacy", "bad-a", "a3d906"),
    "v0.16.1/jobs-failed-current-legacy-then-labelled": JobRow("bad-d-4e80e", FAILED, "09:24:25", "0/0", "bad-d", "db43dd"),
    "v0.16.1/jobs-transitional-FailureTarget-only": JobRow("bad-a-9cf72", RUNNING, "", "1/0", "bad-a", "0ad6ff"),
    "v0.16.1/jobs-transitional-SuccessCriteriaMet-only": JobRow("good-a-f51e1", RUNNING, "", "1/0", "good-a", "866f62"),
}


class GitRepoRow(NamedTuple):
    """What must be read from one GitRepo."""

    name: str
    settled: bool
    commits: tuple[str, ...]
    interval: float
    polled: str


GITREPOS = {
    "v0.10.2/gitrepo-failed": GitRepoRow("bad-b", True, ("84f1e0",), 2, "08:55:13"),
    "v0.10.2/gitrepo-healthy": GitRepoRow("good-a", True, ("94bb2e",), 2, "08:53:14"),
    "v0.10.2/gitrepo-running": GitRepoRow("slow-a", True, ("e3406c",), 2, "08:55:27"),
    "v0.10.4/gitrepo-failed": GitRepoRow("bad-b", True, ("84f1e0",), 2, "09:00:19"),
    "v0.10.4/gitrepo-failed-after-job-deleted": GitRepoRow("bad-b", True, ("84f1e0",), 2, "09:00:39"),
    "v0.10.4/gitrepo-healthy": GitRepoRow("good-d", True, ("a9f901",), 5, "09:01:41"),
    "v0.10.4/gitrepo-healthy-with-job": GitRepoRow("good-d", True, ("a9f901",), 5, "09:00:56"),
    "v0.10.4/gitrepo-running": GitRepoRow("slow-b", True, ("3ede43",), 5, "09:01:02"),
    "v0.10.4/gitrepo-unsettled-legacy-blocked": GitRepoRow("bad-a", False, ("bd05c6",), 2, "09:02:33"),
    "v0.14.10/gitrepo-failed": GitRepoRow("bad-a", True, ("03c3a1",), 2, "09:05:21"),
    "v0.14.10/gitrepo-healthy": GitRepoRow("good-a", True, ("2cbca2",), 2, "09:05:21"),
    "v0.14.10/gitrepo-running": GitRepoRow("slow-a", True, ("8919d7",), 2, "09:05:11"),
    "v0.16.1/gitrepo-failed": GitRepoRow("bad-a", True, ("0ad6ff",), 2, "09:08:03"),
    "v0.16.1/gitrepo-failed-after-background-delete": GitRepoRow("bad-a", True, ("0ad6ff",), 2, "09:08:35"),
    "v0.16.1/gitrepo-failed-after-job-deleted": GitRepoRow("bad-a", True, ("0ad6ff",), 2, "09:08:39"),
    "v0.16.1/gitrepo-failed-after-secret-rotation": GitRepoRow("bad-s", True, ("e1149e",), 15, "09:18:20"),
    "v0.16.1/gitrepo-healthy": GitRepoRow("good-a", True, ("866f62",), 2, "09:08:03"),
    "v0.16.1/gitrepo-running": GitRepoRow("slow-a", True, ("d6a0a7",), 2, "09:07:53"),
    "v0.16.1/gitrepo-terminating-after-foreground-delete": GitRepoRow("bad-a", True, ("faddb7",), 2, "09:08:58"),
    "v0.16.1/gitrepo-unsettled-force-sync": GitRepoRow("bad-a", False, ("faddb7",), 2, "09:09:59"),
    "v0.16.1/gitrepo-unsettled-legacy-blocked": GitRepoRow("bad-a", False, ("a3d906",), 3, "09:15:23"),
}

CURRENT = [
    ("v0.10.2/jobs-running", "v0.10.2/gitrepo-running"),
    ("v0.10.2/jobs-succeeded-current", "v0.10.2/gitrepo-healthy"),
    ("v0.10.2/jobs-failed-current", "v0.10.2/gitrepo-failed"),
    ("v0.10.4/jobs-running", "v0.10.4/gitrepo-running"),
    ("v0.10.4/jobs-succeeded-current", "v0.10.4/gitrepo-healthy-with-job"),
    ("v0.10.4/jobs-failed-current", "v0.10.4/gitrepo-failed"),
    ("v0.10.4/jobs-failed-current-legacy-unlabelled", "v0.10.4/gitrepo-unsettled-legacy-blocked"),
    ("v0.14.10/jobs-running", "v0.14.10/gitrepo-running"),
    ("v0.16.1/jobs-running", "v0.16.1/gitrepo-running"),
    ("v0.16.1/jobs-succeeded-current", "v0.16.1/gitrepo-healthy"),
    ("v0.16.1/jobs-failed-current", "v0.16.1/gitrepo-failed"),
    ("v0.16.1/jobs-failed-current-legacy-unlabelled", "v0.16.1/gitrepo-unsettled-legacy-blocked"),
    ("v0.16.1/jobs-transitional-FailureTarget-only", "v0.16.1/gitrepo-failed"),
    ("v0.16.1/jobs-transitional-SuccessCriteriaMet-only", "v0.16.1/gitrepo-healthy"),
]
OLD = [("v0.10.2/jobs-failed-old", "v0.10.2/gitrepo-failed"), ("v0.16.1/jobs-failed-old", "v0.16.1/gitrepo-failed")]


def _recorded(name: str) -> bytes:
    return (DATA / f"{name}.json").read_bytes()


def _job(name: str) -> model.Job:
    found = fleet.read_job(_recorded(name))
    assert found is not None
    return found


def _clock(moment: float | None) -> str:
    """Write a moment of the day on which all was recorded."""
    from datetime import UTC, datetime

    return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat().removeprefix("2026-11-23T")[:8]


@pytest.mark.parametrize("name", list(JOBS))
def test_a_recorded_job(name: str) -> None:
    job = _job(name)
    outcome = RUNNING if job.outcome is None else job.outcome.value
    generations = "legacy" if job.generations is None else f"{job.generations.gitrepo}/{job.generations.force_sync}"

    assert JOBS[name] == JobRow(job.name, outcome, _clock(job.finished), generations, job.owner.name, job.commit[:6])
    assert (job.legacy, job.deleting, job.has_finalizers, job.problem) == (generations == "legacy", False, False, "")
    assert (job.namespace, job.annotations, len(job.uid), len(job.commit)) == ("fleet-default", (), 36, 40)
    assert job.version.isdigit()


@pytest.mark.parametrize("name", list(GITREPOS))
def test_a_recorded_gitrepo(name: str) -> None:
    gitrepo = fleet.read_gitrepo(_recorded(name))
    commits = tuple(commit[:6] for commit in gitrepo.commits)
    read = GitRepoRow(gitrepo.name, gitrepo.settled, commits, gitrepo.polling_interval, _clock(gitrepo.last_polled))

    assert GITREPOS[name] == read
    assert (gitrepo.path, gitrepo.problem, gitrepo.labels) == (f"fleet-default/{gitrepo.name}", "", ())
    assert (gitrepo.disable_polling, gitrepo.deleting_since, gitrepo.annotations) == (False, None, ())


@pytest.mark.parametrize(
    ("job", "gitrepo", "current"),
    [pytest.param(job, gitrepo, True, id=job) for job, gitrepo in CURRENT]
    + [pytest.param(job, gitrepo, False, id=job) for job, gitrepo in OLD],
)
def test_a_recorded_job_is_current_or_old_as_its_file_says(job: str, gitrepo: str, current: bool) -> None:
    found, of = _job(job), fleet.read_gitrepo(_recorded(gitrepo))

    assert model.Owner(of.namespace, of.name, of.uid) == found.owner
    assert current is of.is_current(found)
    assert current is (found.name in of.current_names)


def test_every_recorded_job_and_gitrepo_has_a_row() -> None:
    recorded = {f"{path.parent.name}/{path.stem}" for path in DATA.glob("*/*.json")}

    assert {*JOBS, *GITREPOS} == {name for name in recorded if "/jobs-" in name or "/gitrepo-" in name}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in sorted(DATA.glob("*/pod-*.json"))])
def test_a_recorded_pod_is_no_job_of_a_gitrepo(path: Path) -> None:
    assert fleet.read_job(path.read_bytes()) is None
