"""Run the command line on a terminal of its own, and answer what it asks."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from tests.modes.running import command, environment


def on_a_terminal(kubeconfig: Path, answer: str | signal.Signals, *arguments: str) -> tuple[int, str]:
    """Type an answer, or send a signal, once the question is there (or never); the exit code and all that was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        env=environment(kubeconfig, TERM="xterm", COLUMNS="160"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, asked, deadline = "", False, time.monotonic() + 120
    try:
        while time.monotonic() < deadline and (piece := _piece(ours)) is not None:
            shown += piece
            if not asked and "[y/N]" in shown:
                asked = True
                process.send_signal(answer) if isinstance(answer, signal.Signals) else os.write(ours, answer.encode())
        return process.wait(timeout=60), shown
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def _piece(terminal: int) -> str | None:
    """What has been shown since; None once nobody can show anything any more."""
    if not select.select([terminal], [], [], 1)[0]:
        return ""
    try:
        return os.read(terminal, 1 << 16).decode(errors="replace") or None
    except OSError:  # Linux ends a terminal in this way
        return None


def plain(shown: str) -> str:
    """The same without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
