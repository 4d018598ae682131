"""Why a Job failed: what its Pod left, else what Fleet tells of it."""

import msgspec

from cleaner.cluster import ClusterError, Pods
from cleaner.masking import masked
from cleaner.model import GitRepoState, Job, Outcome
from cleaner.retry.choosing import FAILED


class _Words(msgspec.Struct):
    fleetErrorMessage: str = ""  # noqa: N815 - Fleet writes its fields so


_WORDS = msgspec.json.Decoder(_Words)


def error_of(pods: Pods, job: Job | None, state: GitRepoState | None) -> str:
    """Say why a Job failed, in one line without credentials; empty where nobody tells. Never raises."""
    text = _left_by(pods, job) if job is not None else ""
    if not text and state is not None and state.status == FAILED:
        text = state.stalled or ""
    return masked(meant_by(text))


def _left_by(pods: Pods, job: Job) -> str:
    """Last words of the newest Pod that failed; whoever may not read Pods is left with what the GitRepo tells."""
    try:
        found = [pod for page in pods.pods(job.namespace, job.uid) for pod in page.facts]
    except ClusterError:
        return ""
    failed = [pod for pod in found if pod.outcome is Outcome.FAILED and pod.message]
    return max(failed, key=lambda pod: pod.created).message if failed else ""


def meant_by(text: str) -> str:
    """Pick the `fleetErrorMessage` out of the JSON lines that Fleet writes; a text without any stays as it is."""
    found = [words for line in text.splitlines() if (words := _words_of(line))]
    return " ".join(dict.fromkeys(found)) or text


def _words_of(line: str) -> str:
    # Fleet until 0.12 tells `Job Failed. failed: 3/1{"fleetErrorMessage":...}` of it.
    try:
        return _WORDS.decode(line[max(line.find("{"), 0) :]).fleetErrorMessage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
