"""A run that ends by itself tells a Pushgateway what it came to, if one is named, however it ends."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cleaner import __version__
from cleaner.cli.codes import code_of
from cleaner.cli.wiring import instance_of
from cleaner.cluster import Clock
from cleaner.happened import Happened
from cleaner.logs import Log
from cleaner.result import Result, exit_code
from cleaner.settings import Settings

if TYPE_CHECKING:
    from cleaner.metrics import Gateway

PUSHING = ("sweep", "migrate")
"""Commands that push."""


def gateway_of(settings: Settings, labels: Mapping[str, str]) -> "Gateway":
    """Return the Pushgateway of the settings, for a group with these labels."""
    from cleaner.metrics import Gateway  # the client of Prometheus: only who pushes needs it

    return Gateway(
        settings.pushgateway,
        labels,
        settings.pushgateway_username,
        settings.pushgateway_password_file,
        settings.pushgateway_ca,
        settings.pushgateway_cert,
        settings.pushgateway_key,
        settings.pushgateway_timeout,
    )


class Run:
    """
    A run from `with` until its end. It observes; `came_to` hears the result; then all is pushed.

    A push that fails changes nothing that was done, and no exit code: it is logged.
    """

    def __init__(self, settings: Settings, mode: str, clock: Clock, log: Log) -> None:
        self._settings, self._mode, self._clock, self._log = settings, mode, clock, log
        self._result: Result | None = None
        self._began = clock.monotonic()
        self._pushes = bool(settings.pushgateway)

    def __enter__(self) -> Self:
        if self._pushes:
            from cleaner.metrics import RunTotals

            self._totals = RunTotals(__version__, self._settings.metrics_per_gitrepo, migrates=self._mode == "migrate")
        return self

    def __call__(self, happened: Happened) -> None:
        """Observe."""
        if self._pushes:
            self._totals(happened)

    def came_to(self, result: Result) -> Result:
        """Hear what the run came to."""
        self._result = result
        return result

    def is_void(self) -> None:
        """Hear that the question was declined: there was no run to tell of."""
        self._pushes = False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pushes:
            self._push(exit_code(self._result) if self._result is not None and error is None else code_of(error))

    def _push(self, code: int) -> None:
        from cleaner.metrics import Ended, NotPushed

        settings = self._settings
        gateway = gateway_of(settings, self._labels())
        ended = Ended(self._result, code, self._clock.now(), self._clock.monotonic() - self._began)
        try:
            gateway.push(self._totals.families(ended), success=ended.success)
        except NotPushed as error:
            self._log.warning("run totals not pushed", pushgateway=settings.pushgateway, error=str(error))
        else:
            self._log.say("run totals pushed", pushgateway=settings.pushgateway, success=ended.success)

    def _labels(self) -> dict[str, str]:
        """Tell the labels of the group: stable ones only, so that each run takes the place of the last one of its kind."""
        instance = instance_of(self._settings)
        labels = {"mode": self._mode, "dry_run": str(self._settings.dry_run).lower()}
        return {**labels, **({"installation": instance} if instance else {}), **dict(self._settings.pushgateway_labels)}
