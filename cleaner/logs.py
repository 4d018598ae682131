"""One line of JSON on standard error for each thing that happened and that somebody may want to look up later."""

import logging
from typing import Any, TextIO

import structlog

from cleaner.cluster import Fate
from cleaner.happened import Attempted, Braked, CanaryTripped, Happened, NamespaceRefused, Spared, Unreadable
from cleaner.model import Job

_QUIET = frozenset({Fate.DELETED, Fate.WOULD_DELETE, Fate.GONE, Fate.CHANGED, Fate.TERMINATING})


class Log:
    """An observer that logs. Values are JSON strings, so no name can forge a line."""

    def __init__(self, out: TextIO, level: str) -> None:
        self._logger = structlog.wrap_logger(
            structlog.WriteLogger(out),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        )

    def observer_failed(self, error: Exception) -> None:
        """Tell that an observer failed: the work goes on."""
        self._logger.error("observer failed", error=f"{type(error).__name__}: {error}"[:300])

    def __call__(self, happened: Happened) -> None:
        """Log what happened."""
        if isinstance(happened, Attempted):
            self._attempted(happened)
        elif isinstance(happened, Spared):
            verdict = happened.verdict
            self._logger.info("spared", **_job(verdict.job), reason=verdict.reason.value, detail=verdict.detail)
        elif isinstance(happened, NamespaceRefused):
            self._logger.error("refused", namespace=happened.namespace, what=happened.what, error=happened.problem)
        elif isinstance(happened, Unreadable):
            self._logger.warning("unreadable", kind=happened.kind, name=happened.name, error=happened.problem)
        elif isinstance(happened, Braked):
            self._logger.warning("stopped", brake=happened.refusal.brake, detail=happened.refusal.text)
        elif isinstance(happened, CanaryTripped):
            self._logger.error("a current Job came back", **_job(happened.job), returned_as=happened.returned.uid)

    def _attempted(self, happened: Attempted) -> None:
        fate = happened.deletion.fate
        log = self._logger.info if fate in _QUIET else self._logger.warning
        log(fate.value, **_job(happened.verdict.job), reason=happened.verdict.reason.value, detail=happened.deletion.detail)


def _job(job: Job) -> dict[str, Any]:
    return {"namespace": job.namespace, "job": job.name, "uid": job.uid, "gitrepo": job.owner.name, "commit": job.commit[:64]}
