"""Images built and run where no registry is reached: buildah, podman and runc over a storage of their own (`make system`)."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world import binaries

PROGRAMS = ("buildah", "podman", "runc", "debootstrap")
DEBIAN = "trixie"
PACKAGES = ("python3", "python3-venv", "ca-certificates")
BASE = "localhost/debian-with-python"

_CAS = Path("/etc/ssl/certs/ca-certificates.crt")
_CAS_IN_BASE = "/etc/machine.crt"
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
# Locks in a file, not in the memory that a podman of the machine's uses.
_CONF = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
tmp_dir = "{folder}/state"
"""
# As a Pod is run under Pod Security "restricted" with a read-only root. The limits are given, since runc would raise them to
# what a virtual machine may forbid.
_CONFINED = (
    *("--network", "host", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--user", "65532:65532", "--tmpfs", "/tmp", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:4096"),
)


class FailedError(RuntimeError):
    """A program is lacking or failed; the message tells which, and what it said."""


class Containers:
    """Images and containers from `with` until its end, which removes them."""

    def __init__(self) -> None:
        for program in PROGRAMS:
            if shutil.which(program, path=_PATH) is None:
                raise FailedError(f"there is no {program} here: make system")
        if os.geteuid() != 0:
            raise FailedError("containers are tested as root only: debootstrap and the storage need it")
        self._folder = Path(tempfile.mkdtemp(prefix="containers-"))
        (self._folder / "tmp").mkdir()
        conf = self._folder / "containers.conf"
        conf.write_text(_CONF.format(folder=self._folder))
        self._own = {"PATH": _PATH, "CONTAINERS_CONF": str(conf), "TMPDIR": str(self._folder / "tmp")}
        self._environment = os.environ | self._own
        self._storage = ["--root", str(self._folder / "storage"), "--runroot", str(self._folder / "run")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tidy("podman", "rm", "--all", "--force", "--time", "0")
        self._tidy("buildah", "rm", "--all")
        for mounted in reversed(_mounts_below(self._folder)):
            subprocess.run(["umount", mounted], check=True)
        shutil.rmtree(self._folder)

    @property
    def builder(self) -> str:
        """What `make image` takes for a builder."""
        return " ".join(["buildah", *self._storage])

    def run(self, command: Sequence[str | Path], cwd: Path | None = None, timeout: float = 600) -> str:
        """Run a program in the environment of these containers; what it wrote to standard output."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise FailedError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def buildah(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run buildah; what it wrote, without the line's end."""
        return self.run(["buildah", *self._storage, *arguments], cwd).strip()

    def import_debian(self) -> str:
        """Make an image of a minimal Debian with Python, with this machine's way to the package index; its name."""
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, debian(), "/")
        for name, text in _pip_configuration().items():
            (self._folder / "added").write_text(text)
            self.buildah("copy", "--quiet", container, self._folder / "added", name)
        self.buildah("commit", "--quiet", container, BASE)
        self.buildah("rm", container)
        return BASE

    def mount(self, image: str) -> Path:
        """The files of an image, to be read here."""
        return Path(self.buildah("mount", self.buildah("from", "--pull-never", image)))

    def inspect(self, image: str) -> Any:
        """Configuration and history of an image, by the specification of OCI."""
        return json.loads(self.buildah("inspect", "--type", "image", image))["OCIv1"]

    def command(
        self,
        image: str,
        *arguments: str,
        name: str = "",
        entrypoint: str = "",
        mounts: Mapping[Path, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> list[str]:
        """The command line that runs an image confined as a Pod is; what is mounted is read-only."""
        line = ["env", *(f"{key}={value}" for key, value in self._own.items())]
        line += ["podman", *self._storage, "run", "--rm", "--pull", "never", *_CONFINED]
        line += ["--name", name] if name else []
        line += ["--entrypoint", entrypoint] if entrypoint else []
        line += [f"--volume={here}:{there}:ro" for here, there in (mounts or {}).items()]
        line += [f"--env={key}={value}" for key, value in (env or {}).items()]
        return [*line, image, *arguments]

    def kill(self, name: str) -> None:
        """End a container as a crash would, if it is there."""
        self._tidy("podman", "rm", "--force", "--ignore", "--time", "0", name)

    def _tidy(self, program: str, *arguments: str) -> None:
        line = [program, *self._storage, *arguments]
        subprocess.run(line, env=self._environment, capture_output=True, check=False)


def debian() -> Path:
    """A minimal Debian with Python, as an archive; made once, from wherever debootstrap takes it."""
    folder = binaries.cache_folder().parents[1] / "image"
    archive = folder / f"{DEBIAN}-{'-'.join(PACKAGES)}.tar"
    if not archive.exists():
        with binaries.alone(folder):
            if not archive.exists():
                _bootstrap(archive)
    return archive


def _bootstrap(archive: Path) -> None:
    """Make it beside its place and move it there, so that it is whole or not there."""
    folder = Path(tempfile.mkdtemp(dir=archive.parent, prefix="making-"))
    root, fresh = folder / "root", folder / "fresh.tar"
    make = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", DEBIAN, str(root)]
    pack = ["tar", "--create", "--file", str(fresh), "--directory", str(root), "--numeric-owner", "--one-file-system"]
    pack += ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "."]
    try:
        for command in (make, pack):
            done = subprocess.run(command, env=os.environ | {"PATH": _PATH}, capture_output=True, text=True, check=False)
            if done.returncode:
                raise FailedError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        fresh.rename(archive)
    finally:
        # If debootstrap was killed, the kernel's own file systems may still be mounted in it.
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)


def _pip_configuration() -> dict[str, str]:
    """How this machine's pip reaches an index, as files for the base image: it may need a mirror, or a CA of its own."""
    said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    lines = (line.partition("=") for line in said.splitlines())
    settings = {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, _, value in lines}
    kept = {name: value for name, value in settings.items() if name in _PIP_SETTINGS}
    files = {}
    if _CAS.exists():
        kept["cert"] = _CAS_IN_BASE
        files[_CAS_IN_BASE] = _CAS.read_text()
    return {**files, "/etc/pip.conf": "\n".join(["[global]", *(f"{name} = {value}" for name, value in kept.items())]) + "\n"}


def _mounts_below(folder: Path) -> list[str]:
    targets = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
    return [target for target in targets if target.startswith(f"{folder}/")]
