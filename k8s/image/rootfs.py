"""Puts the root file system of the image together: Python, the venv, the libraries that both load, and nothing else.

Run by the first stage of the Dockerfile, as root, with the Python of its base: a Debian whose Python may be Debian's own
(below /usr) or one built from source (below /usr/local).
"""

import argparse
import compileall
import functools
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT_OF_PYTHON = (
    "__pycache__",  # all is compiled anew
    "site-packages",
    "dist-packages",
    "config-*",  # a static library, and what extension modules are built with
    "sitecustomize.py",  # Debian's is a link into /etc, for its crash reports
    # to test, to install and to look things up
    *("test", "_test*", "_ctypes_test*", "_xx*", "xx*", "ensurepip", "venv", "pydoc_data"),
    # windows, terminals and databases: each needs libraries of its own
    *("idlelib", "tkinter", "_tkinter*", "turtle.py", "turtledemo", "curses", "_curses*", "readline*"),
    *("sqlite3", "_sqlite3*", "dbm", "_dbm*", "_gdbm*"),
)
"""Files and folders of the standard library, at whatever depth."""

LEFT_OUT_OF_VENV = (
    "__pycache__",
    ".gitignore",
    "include",
    "tests",
    "*.pyi",
    *("*.c", "*.h", "*.pyx", "*.pxd"),  # what extension modules were compiled from
    # Two thirds of all libraries: the client's asynchronous twin, which nothing imports, and its methods and models, each of
    # which it loads when it is first named. We name none.
    *("kubernetes/aio", "kubernetes/client/api/[!_]*", "kubernetes/client/models/[!_]*"),
)

COMMAND = "gitjob-cleaner"
SCRIPT = "#!{venv}/bin/python\nfrom cleaner.__main__ import main\n\nmain()\n"
"""The one command of the venv. pip's own script for it loads the module of regular expressions, for Windows, at each start."""

FILES = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
AS_THEY_ARE = ("/etc/ssl/certs/ca-certificates.crt", "/etc/os-release", "/etc/debian_version")


class Rootfs:
    """A root file system in the making, filled from the one that this runs in."""

    def __init__(self, target: Path, source: Path = Path("/")) -> None:
        self._target = target
        self._source = source
        self.files: set[Path] = set()
        """What was taken and is a file, by its place in both."""

    def take(self, path: Path) -> None:
        """Copy a file, or make its folder; links on the way to it are made again, and what they lead to is taken."""
        here = Path("/")
        for depth, part in enumerate(path.parts[1:], start=2):
            here /= part
            original, copy = self._source / here.relative_to("/"), self.place(here)
            if original.is_symlink():
                leads = original.readlink()
                if not copy.is_symlink():
                    copy.symlink_to(leads)
                self.take(Path(os.path.normpath(here.parent / leads), *path.parts[depth:]))
                return
            if original.is_dir():
                copy.mkdir(exist_ok=True)
                shutil.copymode(original, copy)
        if not original.is_dir() and here not in self.files:
            shutil.copy2(original, copy)
            if here.suffix == ".py":
                copy.chmod(0o644)  # some of the standard library are programs, of a shell that is not there
            self.files.add(here)

    def take_tree(self, folder: Path, left_out: Iterable[str]) -> None:
        """Take a folder with all that is in it, but for these patterns."""
        for parent, folders, files in os.walk(self._source / folder.relative_to("/")):
            here = Path("/", Path(parent).relative_to(self._source))
            folders[:] = [name for name in folders if not matches(here / name, left_out)]
            for path in [here / name for name in (*folders, *files)]:
                if not matches(path, left_out):
                    self.take(path)

    def write(self, name: str, text: str) -> None:
        """Make a file of our own that everyone may read."""
        path = self._target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def place(self, path: Path) -> Path:
        """Where the copy of it is."""
        return self._target / path.relative_to("/")


def matches(path: Path, patterns: Iterable[str]) -> bool:
    """Whether its name, or its name and those of the folders above it, are like one of these."""
    return any(path.match(pattern) for pattern in patterns)


def main() -> None:
    """Fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venv", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    given.target.mkdir(mode=0o755)
    rootfs = Rootfs(given.target)
    take_python(rootfs)
    take_venv(rootfs, given.venv)
    for name in AS_THEY_ARE:
        rootfs.take(Path(name))
    take_libraries(rootfs)
    for name, text in FILES.items():
        rootfs.write(name, text)
    (given.target / "tmp").mkdir()
    (given.target / "tmp").chmod(0o1777)
    record_packages(rootfs, Path("/var/lib/dpkg"))
    compile_modules(given.target, [stdlib(), given.venv])


def stdlib() -> Path:
    """Where the standard library is."""
    return Path(sysconfig.get_path("stdlib"))


def take_python(rootfs: Rootfs) -> None:
    """The interpreter and its standard library."""
    rootfs.take(Path(sys.executable))
    rootfs.take_tree(stdlib(), LEFT_OUT_OF_PYTHON)


def take_venv(rootfs: Rootfs, venv: Path) -> None:
    """Our libraries and the one command; links in `bin` lead to the interpreter."""
    rootfs.take_tree(venv, [*LEFT_OUT_OF_VENV, "bin"])
    rootfs.take(venv / "bin")
    for path in (venv / "bin").iterdir():
        if path.is_symlink():
            rootfs.take(path)
    command = venv / "bin" / COMMAND
    rootfs.write(str(command.relative_to("/")), SCRIPT.format(venv=venv))
    rootfs.place(command).chmod(0o755)


def take_libraries(rootfs: Rootfs) -> None:
    """What the loader needs for all programs and extension modules taken so far, and a list of where it is."""
    found = loaded(path for path in rootfs.files if is_elf(path))
    (libc,) = (path for path in found if path.name == "libc.so.6")
    # The C library loads it by name when a thread is ended from outside, as Python does with daemons at its end.
    found.add(libc.with_name("libgcc_s.so.1"))
    for path in found:
        rootfs.take(path)
    # By itself the loader looks into Debian's folders only, not into /usr/local/lib.
    folders = sorted({path.parent for path in found})
    subprocess.run(["ldconfig", "-X", "-r", rootfs.place(Path("/")), *folders], check=True)


def is_elf(path: Path) -> bool:
    """Whether it is a program or a library."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def loaded(files: Iterable[Path]) -> set[Path]:
    """What the loader would load for these, itself among it."""
    command = ["ldd", *sorted(map(str, files))]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    if "not found" in said:
        raise SystemExit(f"the base lacks a library:\n{said}")
    return {Path(path) for path in re.findall(r"(?:=>|^)\s+(/\S+) \(0x", said, re.MULTILINE)}


def record_packages(rootfs: Rootfs, dpkg: Path) -> None:
    """Leave word of the packages that files were taken from, where vulnerability scanners look; and their licences."""
    stanzas = dict(read_status((dpkg / "status").read_text(encoding="utf-8")))
    # The bundle of certificates is put together on the machine, so that no package lists it.
    for package in sorted({"ca-certificates"} | owners(rootfs.files, dpkg / "info")):
        rootfs.write(f"var/lib/dpkg/status.d/{package}", stanzas[package])
        rootfs.take(Path("/usr/share/doc", package, "copyright"))
    rootfs.take_tree(Path("/usr/share/common-licenses"), ())


def read_status(text: str) -> Iterator[tuple[str, str]]:
    """Each package's name and paragraph in dpkg's record."""
    for paragraph in text.strip().split("\n\n"):
        name = paragraph.partition("\n")[0].removeprefix("Package: ")
        yield name, f"{paragraph}\n"


def owners(files: set[Path], info: Path) -> set[str]:
    """The packages of these files. A list may name a file by way of a linked folder (/lib)."""
    real = functools.cache(os.path.realpath)
    return {
        path.stem.partition(":")[0]
        for path in info.glob("*.list")
        for folder, _, name in (line.rpartition("/") for line in path.read_text(encoding="utf-8").splitlines())
        if Path(real(folder or "/"), name) in files
    }


def compile_modules(target: Path, folders: Iterable[Path]) -> None:
    """Compile what nobody can compile later on a read-only root; a file's time has no part in it."""
    for folder in folders:
        compiled = compileall.compile_dir(
            str(target / folder.relative_to("/")),
            quiet=1,
            workers=0,
            stripdir=str(target),
            prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not compiled:
            raise SystemExit(f"not all modules of {folder} could be compiled")


if __name__ == "__main__":
    main()
