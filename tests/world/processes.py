"""Child processes that never outlive the process that started them.

Between us and a server stands a warden: this very file, run as a script. It holds one end of a pipe; when we close the
other end, or die in whatever way, the kernel tells it, and it ends the server. PR_SET_PDEATHSIG would be shorter, but it
fires when the *thread* that started the child ends, and it needs a fork, which is unsafe beside threads.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 3.0
"""Seconds between asking a server to end and killing it."""


class ChildDiedError(RuntimeError):
    """A server ended before it was told to; the message holds the tail of its log."""


class Child:
    """One running server with its log file."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._warden = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests; the servers go when the tests let them go
            )

    @property
    def pid(self) -> int:
        """The process group of the server and its warden."""
        return self._warden.pid

    def alive(self) -> bool:
        """Whether the server runs."""
        return self._warden.poll() is None

    def must_live(self) -> None:
        """Raise with the end of the log if the server is gone."""
        if not self.alive():
            raise ChildDiedError(f"{self.name} ended with {self._warden.returncode}:\n{self.tail()}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._warden.terminate()  # the warden then kills and buries the server: its ports are free when we return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._warden.wait(timeout=PATIENCE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._warden.wait()
        self._close_pipe()

    def stop(self) -> None:
        """Ask it to end, and see to it that it does."""
        self._close_pipe()
        try:
            self._warden.wait(timeout=PATIENCE + 2)
        except subprocess.TimeoutExpired:
            self.kill()

    def _close_pipe(self) -> None:
        if self._warden.stdin is not None:
            self._warden.stdin.close()

    def tail(self, size: int = 4000) -> str:
        """The last bytes of its log."""
        if not self.log.exists():
            return "(no log)"
        return self.log.read_bytes()[-size:].decode(errors="replace")


def _pipe_closed(wait: float) -> bool:
    readable, _, _ = select.select([0], [], [], wait)
    return bool(readable)


def _ward(command: list[str]) -> int:
    """Run the command until it ends, the pipe is closed (ask it to end) or we are told to end (kill it)."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: server.kill())
    while server.poll() is None:
        if _pipe_closed(0.1):
            break
    server.terminate()
    try:
        return server.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


if __name__ == "__main__":
    sys.exit(_ward(sys.argv[1:]))
