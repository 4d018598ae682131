"""The name that Fleet gives to a Job, by Fleet's own vectors and by what was recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaner.fleet import job_name
from cleaner.fleet.names import _safe_concat

RECORDED = sorted((Path(__file__).parent.parent / "data/fleet").glob("*/jobs-*.json"))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(["a" * 64], "a" * 57 + "-ffe05", id="one-long-part"),
        pytest.param(["a" * 32, "a" * 32], "a" * 32 + "-" + "a" * 24 + "-da5ed", id="two-parts"),
        pytest.param(["a" * 56, "a" * 7], "a" * 56 + "-768c62", id="a-dash-at-the-cut"),
        pytest.param(["a" * 63], "a" * 63, id="the-longest-that-stays"),
        pytest.param(["a", "b", "c"], "a-b-c", id="short-parts"),
    ],
)
def test_shortening_agrees_with_the_vectors_of_fleet(parts: list[str], expected: str) -> None:
    assert expected == _safe_concat(*parts)


def test_there_are_recorded_jobs_of_four_versions() -> None:
    assert sorted({path.parent.name for path in RECORDED}) == ["v0.10.2", "v0.10.4", "v0.14.10", "v0.16.1"]


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in RECORDED])
def test_every_recorded_job_has_the_name_that_the_formula_gives(path: Path) -> None:
    recorded: dict[str, Any] = json.loads(path.read_text())
    metadata = recorded["metadata"]
    arguments: list[str] = recorded["spec"]["template"]["spec"]["initContainers"][0]["args"]
    repo = arguments[arguments.index("gitcloner") + 1]

    expected = job_name(metadata["ownerReferences"][0]["name"], repo, metadata["annotations"]["commit"])

    assert expected == metadata["name"]


@pytest.mark.parametrize(
    ("gitrepo", "end"),
    [pytest.param("x" * 57, "x", id="letter-at-the-cut"), pytest.param("x" * 56 + "-x", "-", id="dash-at-the-cut")],
)
def test_a_long_name_ends_in_a_digest_whose_length_depends_on_the_cut(gitrepo: str, end: str) -> None:
    made = job_name(gitrepo, "https://git.example/x", "c")

    assert (63, 5 if end == "x" else 6) == (len(made), len(made.rpartition("-")[2]))


@settings(max_examples=200)
@given(st.text("abcxyz019-.", min_size=1, max_size=253), st.text(max_size=80), st.text(max_size=40))
def test_every_name_fits_into_a_label_and_is_the_same_every_time(gitrepo: str, repo: str, commit: str) -> None:
    made = job_name(gitrepo, repo, commit)

    assert made == job_name(gitrepo, repo, commit)
    assert len(made) <= 63


def test_repo_and_commit_both_count() -> None:
    names = {job_name("shop", repo, commit) for repo in ("r1", "r2") for commit in ("c1", "c2")}

    assert len(names) == 4
