"""What a retry is about, how it says why something failed, and what it ends with."""

from typing import Any

import msgspec
import pytest

from cleaner.fleet import read_gitrepo_state
from cleaner.happened import NamespaceRefused
from cleaner.retry import Came, Refused, Retries, exit_code
from cleaner.retry.attempts import Attempt
from cleaner.retry.choosing import Candidate, candidate_of
from tests.core.worlds import Raw, current_job, gitrepo, job, job_facts, stamp

FAILED = {"status_gitJobStatus": "Failed"}
CURRENT = {"status_gitJobStatus": "Current"}


def chosen(jobs: list[Raw], **parts: Any) -> Candidate:
    return candidate_of(read_gitrepo_state(msgspec.json.encode(_whole(parts))), job_facts(jobs))


def _whole(parts: dict[str, Any]) -> Raw:
    made = gitrepo(**parts)
    made["metadata"]["resourceVersion"] = "7"
    return made


def test_a_failed_current_job_is_what_a_retry_is_about() -> None:
    found = chosen([job(), current_job(), job("other-1", "succeeded")], **FAILED)

    assert found.job is not None
    assert found.job.commit == found.commit == found.state.gitrepo.commits[0]


def test_the_status_alone_is_enough_where_the_job_is_gone() -> None:
    found = chosen([job()], **FAILED)

    assert (found.job, found.commit) == (None, found.state.gitrepo.commits[0])


@pytest.mark.parametrize(
    ("jobs", "parts", "why"),
    [
        pytest.param([current_job(None, ago=9)], FAILED, "is running", id="running"),
        pytest.param([current_job("succeeded")], CURRENT, "succeeded", id="succeeded"),
        pytest.param([current_job("succeeded")], FAILED, "succeeded", id="succeeded-and-fleet-is-late"),
        pytest.param([], CURRENT, "gitJobStatus is Current", id="none"),
        pytest.param([], {}, "it tells of none", id="nothing-told"),
        pytest.param([job()], CURRENT, "it has no Job now", id="only-old-ones"),
        pytest.param([current_job(owner_uid="of-another")], CURRENT, "it has no Job now", id="of-an-earlier-gitrepo"),
        pytest.param([current_job()], {**FAILED, "deletionTimestamp": stamp(5)}, "is being deleted", id="leaving"),
        pytest.param([current_job(deletionTimestamp=stamp(5))], FAILED, "being deleted right now", id="job-deleting"),
        pytest.param([{**current_job(), "status": 3}], FAILED, "cannot be understood", id="unreadable-job"),
        pytest.param([current_job()], {"spec_pollingInterval": 7}, "cannot be understood", id="unreadable-gitrepo"),
    ],
)
def test_all_else_is_refused_in_one_line(jobs: list[Raw], parts: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused) as refused:
        chosen(jobs, **parts)

    assert why in str(refused.value)
    assert str(refused.value).startswith("team/shop")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("came", "denied", "parts", "code"),
    [
        ([], [], 1, 0),
        ([Came.STARTED, Came.SUCCEEDED, Came.LEFT_OUT], [], 1, 0),
        ([Came.WOULD_START, Came.WOULD_NUDGE, Came.NUDGED], [], 1, 0),
        ([Came.STARTED, Came.FAILED], [], 1, 1),
        ([Came.UNFINISHED], [], 1, 1),
        ([Came.NOT_STARTED, Came.STARTED], [], 1, 1),
        ([Came.LEFT, Came.STARTED], [], 1, 1),
        ([Came.STARTED], [True], 1, 1),
        ([], [True, True], 0, 3),
        ([], [True, False], 0, 4),
    ],
)
def test_the_exit_code_is_the_first_that_holds(came: list[Came], denied: list[bool], parts: int, code: int) -> None:
    attempts = [Attempt("team/shop", one) for one in came]
    refused = [NamespaceRefused("team", "its Jobs", "403", one) for one in denied]

    assert exit_code(Retries(attempts, refused, parts)) == code
