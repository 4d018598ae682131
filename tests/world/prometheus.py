"""A real Prometheus on loopback, in a temporary folder, and promtool beside it (`make system` installs both)."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world.ports import free_ports
from tests.world.processes import Child

DEADLINE = 60.0
"""Seconds until Prometheus must be ready, or a query have a result: generous, for a busy machine."""

# A proxy that the environment names has no business on loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RefusedError(RuntimeError):
    """Prometheus answered that it will not; the message is its own."""


def promtool(*args: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end, e.g. `promtool("check", "metrics", stdin=text)`; what it found is in its answer."""
    command = ["promtool", *map(str, args)]
    # Never the input of the tests themselves: promtool would wait for it.
    return subprocess.run(command, input=stdin or "", capture_output=True, text=True, timeout=DEADLINE, check=False)


class Prometheus:
    """Scrapes targets (`host:port`) under the job `test`, or does what a whole configuration says, from `with` until its end.

    `interval` is the time between scrapes in seconds. `files` are written beside the configuration, which can then name them
    as they are (`rule_files: [alerts.yaml]`).
    """

    def __init__(
        self,
        targets: Sequence[str] = (),
        *,
        config: str | None = None,
        interval: float = 1.0,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config or _config(targets, interval, files or {})
        self._files = files or {}
        self._folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
        self._child: Child | None = None
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            error.add_note(f"--- prometheus\n{self.logs_tail()}")
        self.stop()

    def start(self) -> Self:
        """Start it and wait until it is ready; one that does not come up tells the end of its log."""
        for name, text in {**self._files, "prometheus.yml": self._config}.items():
            (self._folder / name).write_text(text)
        self._child = Child("prometheus", self._command(), self._folder / "prometheus.log")
        deadline = time.monotonic() + DEADLINE
        while not self._ready():
            self._child.must_live()
            if time.monotonic() > deadline:
                raise TimeoutError(f"prometheus was not ready after {DEADLINE:.0f} s:\n{self.logs_tail()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it, and forget everything."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def logs_tail(self) -> str:
        """The end of its log, to be shown when something failed."""
        return "" if self._child is None else self._child.tail()

    def api(self, path: str, **parameters: str | float) -> Any:
        """The `data` of an answer of `/api/v1/PATH`, e.g. of `targets`, `rules` or `alerts`.

        Raises RefusedError with Prometheus' own words, e.g. about a query that it cannot parse.
        """
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with _OPENER.open(url, timeout=DEADLINE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise RefusedError(refusal.read().decode(errors="replace")) from None

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The series of an instant query now, each with `metric` (its labels) and `value` (Unix seconds and a text)."""
        return _series(self.api("query", query=promql))

    def query_range(self, promql: str, start: float, end: float, step: float = 1.0) -> list[dict[str, Any]]:
        """The series of a query over a time, from and to Unix seconds; each has `metric` and `values`."""
        return _series(self.api("query_range", query=promql, start=start, end=end, step=step))

    def eventually(self, promql: str, seconds: float = DEADLINE) -> list[dict[str, Any]]:
        """The series of the first instant query that has any; a comparison (`up == 1`) has some once it holds.

        Prometheus begins to scrape five seconds after its start, whatever the interval.
        """
        deadline = time.monotonic() + seconds
        while not (found := self.query(promql)):
            if time.monotonic() > deadline:
                targets = [(target["scrapeUrl"], target["lastError"]) for target in self.api("targets")["activeTargets"]]
                raise TimeoutError(f"no series for {promql} after {seconds:.0f} s; targets: {targets}\n{self.logs_tail()}")
            time.sleep(0.1)
        return found

    def _command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def _ready(self) -> bool:
        try:
            with _OPENER.open(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:  # not there yet, or there and answering 503
            return False


def _config(targets: Sequence[str], interval: float, files: Mapping[str, str]) -> str:
    every = f"{round(interval * 1000)}ms"
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "scrape_configs": [{"job_name": "test", "static_configs": [{"targets": list(targets)}]}],
        "rule_files": sorted(files),
    }
    return json.dumps(config)  # JSON is YAML


def _series(data: Any) -> list[dict[str, Any]]:
    """The result of a query as series, whatever kind of value it has: a scalar is a series without labels."""
    result = data["result"]
    return [{"metric": {}, "value": result}] if data["resultType"] in {"scalar", "string"} else list(result)
