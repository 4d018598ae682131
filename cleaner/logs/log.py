"""What is logged of what happened, and at which level."""

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from cleaner.cluster import Fate
from cleaner.durations import Seconds
from cleaner.happened import (
    Adopted,
    AnnouncementsDropped,
    Attempted,
    Braked,
    CanaryTripped,
    ErrorKept,
    ErrorsRecalled,
    Finished,
    Guarded,
    GuardTrouble,
    Happened,
    Late,
    Led,
    NamespaceRefused,
    NotAdopted,
    OfPods,
    Parted,
    Requested,
    Spared,
    SweepBegan,
    Swept,
    Unreadable,
    Waited,
    WatchEnded,
)
from cleaner.logs.forms import logger_in
from cleaner.logs.lasting import Lasting
from cleaner.model import Job, Owner

_DEBUG, _INFO, _WARNING, _ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
_QUIET = frozenset({Fate.DELETED, Fate.WOULD_DELETE, Fate.GONE, Fate.CHANGED, Fate.TERMINATING})
_EVERYTHING = frozenset({"start", "interval", "leader"})
_COMPLETE = frozenset({"done", "partial"})
_CREDENTIALS = re.compile(r"(?i)(?<=://)[^/\s@]+@|(?<=bearer )\S+|(?<=basic )\S+")


class Log:
    """
    An observer that logs. In JSON values are strings, so no name can forge a line; on a console they are made visible.

    `form` is `json` or `console`. An empty level stands for warning, an empty form for JSON.
    """

    def __init__(self, out: TextIO, level: str = "", form: str = "", monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self.level = (level or "warning").upper()
        self._logger = logger_in(form, out, self.level)
        self._lasting = Lasting(monotonic)
        self._of_thread = threading.local()
        self._ways: dict[type, Callable[[Any], None]] = {
            Attempted: self._attempted,
            Spared: self._spared,
            NamespaceRefused: self._refused,
            OfPods: lambda of_pods: self(of_pods.happened),
            Unreadable: self._unreadable,
            Braked: self._braked,
            CanaryTripped: self._canary,
            Waited: self._waited,
            Adopted: self._adopted,
            NotAdopted: self._not_adopted,
            Requested: self._requested,
            WatchEnded: self._watch_ended,
            Finished: self._finished,
            Late: self._late,
            Led: self._led,
            SweepBegan: self._sweep_began,
            Swept: self._swept,
            AnnouncementsDropped: self._dropped,
            Guarded: self._guarded,
            Parted: self._parted,
            GuardTrouble: self._guard_trouble,
            ErrorKept: self._error_kept,
            ErrorsRecalled: self._recalled,
        }

    def say(self, event: str, **fields: Any) -> None:
        """Log news of the process itself."""
        self._line(_INFO, event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log what the operator ought to change."""
        self._line(_WARNING, event, **fields)

    def observer_failed(self, error: Exception) -> None:
        """Tell that an observer failed: the work goes on."""
        self._line(_ERROR, "observer failed", error=f"{type(error).__name__}: {error}"[:300])

    def library(self, level: int, name: str, text: str, error: BaseException | None) -> None:
        """Log what a library said, in one line and without credentials. What it takes for news is a detail to our operator."""
        fields = {"logger": name}
        ours = _DEBUG if level < _WARNING else _WARNING if level < _ERROR else _ERROR
        if error is not None:
            fields["error"] = _CREDENTIALS.sub("…", f"{type(error).__name__}: {error}")[:300]
        self._line(ours, _CREDENTIALS.sub("…", text)[:1000], **fields)

    def __call__(self, happened: Happened) -> None:
        """Log what happened, if it is worth a line."""
        way = self._ways.get(type(happened))
        if way is not None:
            way(happened)

    def _line(self, level: int, event: str, **fields: Any) -> None:
        self._logger.log(level, event, **({"sweep": self._sweeps()[-1]} if self._sweeps() else {}) | fields)

    def _sweeps(self) -> list[str]:
        """The sweeps under way in this thread: a short pass may come to pass within a long one."""
        sweeps: list[str] = self._of_thread.__dict__.setdefault("sweeps", [])
        return sweeps

    def _sweep_began(self, happened: SweepBegan) -> None:
        self._sweeps().append(happened.id)

    def _attempted(self, happened: Attempted) -> None:
        verdict, deletion = happened.verdict, happened.deletion
        level = _INFO if deletion.fate in _QUIET else _WARNING
        self._line(level, deletion.fate.value, **_job(verdict.job), reason=verdict.reason.value, detail=deletion.detail)

    def _spared(self, happened: Spared) -> None:
        verdict = happened.verdict
        self._line(_INFO, "spared", **_job(verdict.job), reason=verdict.reason.value, detail=verdict.detail)

    def _refused(self, happened: NamespaceRefused) -> None:
        fields = {"namespace": happened.namespace, "what": happened.what, "error": happened.problem}
        if (told := self._lasting.begins(("refused", happened.namespace, happened.what), fields)) is not None:
            self._line(_ERROR, "refused", **told)

    def _unreadable(self, happened: Unreadable) -> None:
        fields = {"kind": happened.kind, "namespace": happened.namespace, "name": happened.name, "error": happened.problem}
        key = (happened.kind, happened.namespace, happened.name or happened.problem)
        if (told := self._lasting.begins(key, fields)) is not None:
            self._line(_WARNING, "unreadable", **told)

    def _braked(self, happened: Braked) -> None:
        refusal = happened.refusal
        self._line(_INFO if refusal.brake == "leader" else _WARNING, "braked", brake=refusal.brake, detail=refusal.text)

    def _canary(self, happened: CanaryTripped) -> None:
        self._line(_ERROR, "a current Job came back", **_job(happened.job), returned_as=happened.returned.uid)

    def _waited(self, happened: Waited) -> None:
        self._line(_INFO, "waiting", what=happened.what, longest=round(happened.left, 1))

    def _adopted(self, happened: Adopted) -> None:
        self._line(
            _INFO, "would adopt" if happened.dry_run else "adopted", **_job(happened.job), force_update_pending=happened.pending
        )

    def _not_adopted(self, happened: NotAdopted) -> None:
        self._line(_ERROR, "not adopted", **_job(happened.job), error=happened.problem)

    def _requested(self, happened: Requested) -> None:
        seconds = round(happened.seconds, 4)
        self._line(_DEBUG, "requested", verb=happened.verb, resource=happened.resource, code=happened.code, seconds=seconds)

    def _watch_ended(self, happened: WatchEnded) -> None:
        level = _INFO if happened.reason in ("closed", "silent") else _WARNING
        fields = {"kind": happened.kind, "namespace": happened.namespace, "reason": happened.reason, "detail": happened.detail}
        self._line(level, "a watch ended", **fields)

    def _finished(self, happened: Finished) -> None:
        self._line(_DEBUG, "a Job finished", **_job(happened.job))

    def _late(self, happened: Late) -> None:
        self._line(_DEBUG, "late", **_job(happened.job), seconds=round(happened.seconds, 3))

    def _led(self, happened: Led) -> None:
        self._line(_INFO, "leading" if happened.leading else "not leading any more", detail=happened.detail)

    def _swept(self, happened: Swept) -> None:
        if happened.id in self._sweeps():
            del self._sweeps()[self._sweeps().index(happened.id) :]  # those that an error ended without a word, too
        if happened.trigger in _EVERYTHING and happened.outcome in _COMPLETE:
            for fields in self._lasting.ended():
                self._line(_INFO, "no longer refused or unreadable", **fields)
        self._line(
            _level_of(happened),
            "swept",
            sweep=happened.id,
            trigger=happened.trigger,
            outcome=happened.outcome,
            seconds=round(happened.seconds, 3),
            gitrepos=happened.gitrepos,
            jobs=happened.jobs,
            fates=dict(happened.fates),
            **({"pods": dict(happened.pods)} if happened.pods else {}),
            backlog=happened.backlog,
            detail=happened.detail,
        )

    def _dropped(self, happened: AnnouncementsDropped) -> None:
        self._line(_WARNING, "announcements dropped", count=happened.count, detail=happened.detail)

    def _guarded(self, happened: Guarded) -> None:
        self._line(_INFO, "guarded" if happened.held else "released", **_gitrepo(happened.gitrepo), detail=happened.why)

    def _parted(self, happened: Parted) -> None:
        fields = {"last_error": happened.error} if happened.error else {}
        self._line(_WARNING if happened.error else _INFO, "a GitRepo leaves", **_gitrepo(happened.gitrepo), **fields)

    def _guard_trouble(self, happened: GuardTrouble) -> None:
        self._line(_WARNING, "guard", **_gitrepo(happened.gitrepo), step=happened.step, error=happened.problem)

    def _error_kept(self, happened: ErrorKept) -> None:
        told: dict[str, Any] = {"log": list(happened.lines)} if happened.lines else {}
        told |= {"problem": happened.problem} if happened.problem else {}
        event = "error not kept" if happened.problem else "error kept"
        self._line(_WARNING, event, **_job(happened.job), error=happened.text, **told)

    def _recalled(self, happened: ErrorsRecalled) -> None:
        if happened.problem:
            self._line(_INFO, "kept errors cannot be read", error=happened.problem)


def _level_of(swept: Swept) -> int:
    """A standby is well though it may not delete; and a watch makes many passes that find nothing to do."""
    if swept.outcome == "braked" and swept.detail.startswith("leader: "):
        return _DEBUG if swept.trigger == "watch" else _INFO
    if swept.outcome != "done":
        return _WARNING
    return _DEBUG if swept.trigger == "watch" and not swept.fates else _INFO


def _gitrepo(owner: Owner) -> dict[str, Any]:
    return {"namespace": owner.namespace, "gitrepo": owner.name, "uid": owner.uid}


def _job(job: Job) -> dict[str, Any]:
    """Name a Job; of a Pod that its Job left behind `pod` is the name."""
    named = {"namespace": job.namespace, job.KIND.lower(): job.name, "uid": job.uid}
    return named | {"gitrepo": job.owner.name, "commit": job.commit[:64]}
