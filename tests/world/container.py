"""What a container's runtime does before the container's own process begins: its name, its mounts, a root that is read-only.

Run as a script, in namespaces of its own, with a plan in JSON; at the end the process stands in our place. It hides /run (and
with it /var/run) behind an empty one; everything else of this machine stays in sight.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


def begin(plan: dict[str, Any]) -> None:
    """Make the container and become its process."""
    socket.sethostname(plan["hostname"])
    _mount("-t", "tmpfs", "tmpfs", "/run")
    for source, target, read_only in plan["mounts"]:
        _bind(source, Path(target).resolve(), read_only=read_only)
    if plan["read_only"]:
        _mount("-o", "remount,bind,ro", "/")
    os.chdir("/")
    os.execv(plan["command"][0], plan["command"])


def _bind(source: str, target: Path, *, read_only: bool) -> None:
    if target.is_relative_to("/run"):
        target.mkdir(parents=True, exist_ok=True)
    elif not target.is_dir():
        raise SystemExit(f"{target} is not on this machine, and making it would leave it there")
    _mount("--rbind", source, str(target))
    if read_only:
        _mount("-o", "remount,bind,ro", str(target))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    begin(json.loads(sys.argv[1]))
