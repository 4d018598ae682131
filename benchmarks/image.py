"""
What the image holds, and what it costs to start the tool in it: `gitjob-cleaner --version` against `python -c pass`, in turns.

It needs nothing but the image, and is given to its Python: `make bench-image`.
"""

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROUNDS = 40
COMMANDS = {
    "python -I -S -c pass": ("python", "-I", "-S", "-c", "pass"),
    "python -c pass": ("python", "-c", "pass"),
    "gitjob-cleaner --version": ("gitjob-cleaner", "--version"),
}
PARTS = {
    "/opt/venv/lib/*/site-packages/cleaner": "gitjob-cleaner",
    "/opt/venv": "libraries of Python",
    "/usr/bin": "Python",
    "/usr/local/bin": "Python",
    "/usr/lib/python3*": "Python's standard library",
    "/usr/local/lib/python3*": "Python's standard library",
    "*.so*": "libraries of C",
}
"""What a file belongs to: the first pattern that its path, or a folder above it, is like."""

_NOT_OF_THE_IMAGE = {"/proc", "/sys", "/dev", "/tmp", "/run"}


def sizes(root: str = "/") -> Counter[str]:
    """Bytes in files, by what they belong to."""
    found: Counter[str] = Counter()
    for path in _files(root):
        found[next((part for pattern, part in PARTS.items() if _is_like(path, pattern)), "the rest")] += path.lstat().st_size
    return found


def _files(root: str) -> Iterator[Path]:
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if os.path.join(parent, name) not in _NOT_OF_THE_IMAGE]  # noqa: PTH118
        yield from (path for path in (Path(parent, name) for name in files) if not path.is_symlink())


def _is_like(path: Path, pattern: str) -> bool:
    return any(each.match(pattern) for each in (path, *path.parents))


def took(command: tuple[str, ...]) -> float:
    """Seconds from start to end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def medians(rounds: int) -> dict[str, float]:
    """Seconds for each command; a first round, which fills the caches, does not count."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            seconds = took(command)
            if number:
                times[name].append(seconds)
    return {name: statistics.median(found) for name, found in times.items()}


def main(rounds: int) -> None:
    """Print both."""
    found = sizes()
    for part, size in (*found.most_common(), ("in all", found.total())):
        print(f"{part:<26} {size / 1e6:7.1f} MB")
    measured = medians(rounds)
    for name, median in measured.items():
        print(f"{name:<26} {median * 1000:7.1f} ms  {median / measured['python -c pass']:.2f} x python -c pass")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
