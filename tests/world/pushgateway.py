"""A real Pushgateway on loopback, in memory (`make system` installs it)."""

import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world.ports import free_ports
from tests.world.processes import Child

DEADLINE = 60.0
"""Seconds until it must be ready: generous, for a busy machine."""

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Pushgateway:
    """
    A gateway from `with` until its end.

    `web_config` is Prometheus' own file for TLS and basic auth; with one, only the test knows how to get in, so it counts as
    ready once it listens.
    """

    def __init__(self, *, web_config: Mapping[str, Any] | None = None) -> None:
        self._web_config = web_config
        self._folder = tempfile.TemporaryDirectory(prefix="pushgateway-")
        (self.port,) = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        folder = Path(self._folder.name)
        # Debian's keeps what was pushed in a file of the system's, for whoever comes next, unless it is told otherwise.
        command = ["prometheus-pushgateway", f"--web.listen-address={self.address}", "--persistence.file="]
        if self._web_config is not None:
            (folder / "web.yml").write_text(json.dumps(self._web_config))  # JSON is YAML
            command.append(f"--web.config.file={folder / 'web.yml'}")
        self._child = Child("pushgateway", command, folder / "pushgateway.log")
        try:
            self._await()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            error.add_note(f"--- pushgateway\n{self._child.tail()}")
        self._stop()

    def groups(self) -> list[dict[str, Any]]:
        """All groups that were pushed, as its API tells them: `labels`, and a key for each metric's name."""
        with _OPENER.open(f"{self.url}/api/v1/metrics", timeout=DEADLINE) as answer:
            return list(json.load(answer)["data"])

    def values(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The samples of a metric whose labels have these values, by all their labels."""
        found = {}
        for group in self.groups():
            for sample in group.get(name, {}).get("metrics", []):
                told = sample["labels"]
                if labels.items() <= told.items():
                    found[tuple(sorted(told.items()))] = float(sample["value"])
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of those samples; None where there are none."""
        found = self.values(name, **labels)
        return sum(found.values()) if found else None

    def exposition(self) -> str:
        """All that it tells to a scrape."""
        with _OPENER.open(f"{self.url}/metrics", timeout=DEADLINE) as answer:
            return str(answer.read().decode())

    def push(self, group: str, text: str) -> None:
        """Put metrics in Prometheus' text form under a group, e.g. `job/other`."""
        request = urllib.request.Request(f"{self.url}/metrics/{group}", text.encode(), method="PUT")
        with _OPENER.open(request, timeout=DEADLINE):
            pass

    def _await(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while not self._listens():
            self._child.must_live()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the Pushgateway did not answer within {DEADLINE:.0f} s:\n{self._child.tail()}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        try:
            with _OPENER.open(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refusal:  # it wants TLS or a password
            refusal.close()
            return True
        except OSError:
            return False

    def _stop(self) -> None:
        self._child.stop()
        self._folder.cleanup()
