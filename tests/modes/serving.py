"""`gitjob-cleaner run` as a process of its own, and what it answers and logs."""

import json
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.edge.serving import eventually
from tests.modes.running import command, environment
from tests.world.ports import free_ports


class Answered(NamedTuple):
    """What an address answered."""

    status: int
    text: str


class Running:
    """A service under way; the end of the block kills it, if it has not ended."""

    COMMAND: tuple[str, ...] = ("run", "--fleet-version", "v0.16.1")

    def __init__(self, kubeconfig: Path, *flags: str) -> None:
        (self.port,) = free_ports(1)
        self.process = subprocess.Popen(
            self.command_line(*self.COMMAND, "--listen", f"127.0.0.1:{self.port}", *flags),
            env=environment(kubeconfig),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, name="log of run")
        self._listener.start()

    def command_line(self, *arguments: str) -> list[str]:
        """How it is started."""
        return command(*arguments)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._listener.join()
        if self.process.stderr is not None:
            self.process.stderr.close()
        if error is not None:
            error.add_note("".join(self.lines[-30:]))

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def terminate(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """End it as Kubernetes does; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def get(self, path: str = "/", accept: str = "") -> Answered:
        """Ask it over HTTP."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept} if accept else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answered(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, error.read().decode())
        except OSError as error:
            return Answered(0, str(error))

    def ready(self) -> Self:
        """Wait until it has read everything once."""
        eventually(lambda: self.get("/readyz").status == 200, lambda: "".join(self.lines[-20:]))
        return self

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels; 0 where there are none."""
        return sum(value for found, value in self._series(name) if labels.items() <= found.items())

    def _series(self, name: str) -> list[tuple[dict[str, str], float]]:
        found = re.findall(rf"^gitjob_cleaner_{name}(?:\{{(.*)\}})? (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for labels, value in found]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        return [line for line in map(_read, list(self.lines)) if line.get("event") == event]


def _read(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
