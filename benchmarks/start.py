"""
What it costs to start the tool in its image: `gitjob-cleaner --version` against `python -c pass` and against the least that
Python can do (`-I -S`), taking turns.

It needs nothing but the image, and is given to its Python: `make bench-image`, or
`podman run --rm -i --entrypoint python gitjob-cleaner:0.1.0 - <benchmarks/start.py`.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 40
COMMANDS = {
    "python -I -S -c pass": ("python", "-I", "-S", "-c", "pass"),
    "python -c pass": ("python", "-c", "pass"),
    "gitjob-cleaner --version": ("gitjob-cleaner", "--version"),
}


def took(command: tuple[str, ...]) -> float:
    """Seconds from start to end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main(rounds: int) -> None:
    """Print the medians, and how they relate to Python's."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            seconds = took(command)
            if number:  # the first round fills the caches
                times[name].append(seconds)
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:<26} {median * 1000:7.1f} ms  {median / medians['python -c pass']:.2f} x python -c pass")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
