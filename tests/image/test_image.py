"""The image, built as `make image` builds it and run confined as a Pod is: what is in it, what is not, and that it works."""

import json
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cleaner import __version__
from tests.edge.faults import stock
from tests.edge.servers import JOBS, LEASES, must, names_of, put_gitjob
from tests.edge.serving import eventually
from tests.image.conftest import IMAGE, SOURCE
from tests.modes import running
from tests.modes.running import ROOT
from tests.modes.serving import Running
from tests.modes.test_interrupt import deleted
from tests.world.containers import BASE, Containers
from tests.world.control_plane import ADMIN, ControlPlane

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PYTHON = "/opt/venv/bin/python"
IN_POD = "/var/run/secrets/kubernetes.io/serviceaccount"


def tool(containers: Containers, given: Path, *arguments: str) -> list[str]:
    """The command line that runs the tool with the kubeconfig."""
    return containers.command(IMAGE, *arguments, mounts={given: "/given"}, env={"KUBECONFIG": "/given/kubeconfig"})


def python(containers: Containers, code: str) -> Any:
    """What a line of Python in a container prints, as JSON."""
    return json.loads(containers.run(containers.command(IMAGE, "-W", "error", "-c", code, entrypoint=PYTHON)))


def test_the_build_sees_no_more_than_it_copies(containers: Containers, context: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    containers.buildah("build", "--quiet", "--file", tmp_path / "Dockerfile", "--tag", "localhost/context", context)

    seen = containers.mount("localhost/context")

    assert {path.relative_to(seen).as_posix() for path in seen.rglob("*") if path.is_file()} == {
        f"dist/gitjob_cleaner-{__version__}-py3-none-any.whl",
        "k8s/image/rootfs.py",
        "requirements/runtime.txt",
    }


def test_it_starts_the_tool(containers: Containers) -> None:
    assert containers.run(containers.command(IMAGE, "--version")) == f"gitjob-cleaner {__version__}\n"
    assert containers.run(containers.command(IMAGE)).startswith("usage: gitjob-cleaner ")


def test_what_its_start_costs_can_be_measured_in_it(containers: Containers) -> None:
    script = (ROOT / "benchmarks/start.py").read_text(encoding="utf-8")
    said = containers.run(containers.command(IMAGE, "-c", script, "1", entrypoint=PYTHON))

    assert [line.split("  ")[0] for line in said.splitlines()] == [
        "python -I -S -c pass",
        "python -c pass",
        "gitjob-cleaner --version",
    ]


def test_its_configuration(containers: Containers) -> None:
    image = containers.inspect(IMAGE)
    config = image["config"]

    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("65532:65532", ["gitjob-cleaner"], ["--help"])
    assert config["ExposedPorts"] == {"8080": {}} or config["ExposedPorts"] == {"8080/tcp": {}}
    assert sorted(config["Env"]) == [
        "PATH=/opt/venv/bin",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONUNBUFFERED=1",
        "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    ]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert (labels["title"], labels["licenses"]) == ("gitjob-cleaner", "Apache-2.0")
    assert (labels["version"], labels["source"]) == (__version__, SOURCE)
    assert len(image["rootfs"]["diff_ids"]) == 1, "no layer holds what a later one hides"


def test_no_secret_is_in_it(containers: Containers, root: Path, files: dict[str, os.stat_result]) -> None:
    words = (b"PRIVATE KEY-----\n", b"hunter2", b"Bearer eyJ", b"machine.crt", ADMIN.encode())
    texts = {name: (root / name).read_bytes() for name, found in files.items() if stat.S_ISREG(found.st_mode)}
    history = json.dumps(containers.inspect(IMAGE)).encode()

    assert [(name, word) for name, text in {**texts, "history": history}.items() for word in words if word in text] == []
    assert not {"etc/pip.conf", "etc/machine.crt", "root", "home", "build"} & set(files)


def test_python_and_the_tool_are_all_that_can_be_executed(root: Path, files: dict[str, os.stat_result]) -> None:
    regular = {name: found for name, found in files.items() if stat.S_ISREG(found.st_mode)}
    programs = {name for name, found in regular.items() if found.st_mode & 0o111 and ".so" not in name}
    links = {name: (root / name).readlink() for name, found in files.items() if stat.S_ISLNK(found.st_mode) and "bin/" in name}

    (interpreter,) = programs - {"opt/venv/bin/gitjob-cleaner"}
    assert interpreter.startswith("usr/bin/python3.")
    assert {Path(name).name[:6] for name in links} == {"python"}


def test_neither_installer_nor_compiler_nor_test_is_in_it(files: dict[str, os.stat_result]) -> None:
    unwanted = set("pip ensurepip setuptools venv test tests idlelib tkinter sqlite3 include gcc apt".split())
    names = {name: set(Path(name).parts) - {"venv" if name.startswith("opt/venv") else ""} for name in files}

    assert [name for name, parts in names.items() if parts & unwanted] == []
    assert [name for name in files if name.endswith((".c", ".h", ".a", ".o", ".pyx", ".deb", ".whl"))] == []


def test_nobody_can_change_it_or_gain_rights_by_it(files: dict[str, os.stat_result]) -> None:
    odd = {
        name: oct(found.st_mode)
        for name, found in files.items()
        if not stat.S_ISLNK(found.st_mode)
        if found.st_mode & 0o6022
        or found.st_uid
        or found.st_gid
        or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))
    }

    assert odd == {"tmp": oct(stat.S_IFDIR | 0o1777)}
    assert [name for name, found in files.items() if not found.st_mode & 0o004] == [], "everybody can read all"


def test_every_module_is_compiled_and_none_is_looked_at_for_its_time(root: Path, files: dict[str, os.stat_result]) -> None:
    tag = next(name for name in files if name.endswith(".pyc")).split(".")[-2]
    sources = [Path(name) for name in files if name.endswith(".py")]
    compiled = {path: root / path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in sources}

    assert len(sources) > 1000
    assert {path for path, code in compiled.items() if int.from_bytes(code.read_bytes()[4:8], "little") != 1} == set()


def test_scanners_find_the_packages_that_its_files_come_from(containers: Containers, root: Path, files: dict[str, Any]) -> None:
    debian = containers.mount(BASE)
    folder = root / "var/lib/dpkg/status.d"
    known = (debian / "var/lib/dpkg/status").read_text()

    records = {path.name: path.read_text() for path in folder.iterdir()}

    assert {"libc6", "libssl3t64", "zlib1g", "ca-certificates", "python3.13-minimal"} <= set(records)
    assert not {"apt", "dpkg", "bash", "perl-base", "python3.13-venv"} & set(records)
    assert {
        name for name, text in records.items() if text not in f"{known}\n" or not text.startswith(f"Package: {name}\n")
    } == set()
    assert {name for name in records if f"usr/share/doc/{name}/copyright" not in files and not _linked_doc(root, name)} == set()
    assert "VERSION_CODENAME=trixie" in (root / "etc/os-release").read_text()
    libraries = [name for name in files if name.startswith("opt/venv") and name.endswith(".dist-info/METADATA")]
    assert any("kubernetes-" in name for name in libraries)
    assert not any("aiohttp" in name for name in libraries)


def _linked_doc(root: Path, name: str) -> bool:
    return (root / "usr/share/doc" / (root / "usr/share/doc" / name).readlink() / "copyright").exists()


def test_it_is_nobody_and_can_write_nowhere_but_in_tmp(containers: Containers) -> None:
    code = """
import json, os
def can(path):
    try:
        open(path + "/made", "x").close()
    except OSError as error:
        return error.strerror
print(json.dumps([os.getuid(), os.getgid(), os.getpid(), *map(can, ("/tmp", "/", "/etc", "/opt/venv/bin"))]))"""
    line = containers.command(IMAGE, "-c", code, entrypoint=PYTHON)

    assert json.loads(containers.run(line)) == [65532, 65532, 1, None, *["Read-only file system"] * 3]

    line.remove("--read-only")
    assert json.loads(containers.run(line)) == [65532, 65532, 1, None, *["Permission denied"] * 3]


def test_every_module_of_ours_can_be_loaded_and_every_library_by_its_name(containers: Containers) -> None:
    code = """
import importlib, importlib.metadata, json, pkgutil, cleaner
names = [found.name for found in pkgutil.walk_packages(cleaner.__path__, "cleaner.") if found.name != "cleaner.__main__"]
names += {name for name, owners in importlib.metadata.packages_distributions().items() if name.isidentifier() and name != "_yaml"}
for name in names:
    importlib.import_module(name)
print(len(names))"""

    assert python(containers, code) > 100


def test_certificates_zones_names_and_ending_threads_work(containers: Containers) -> None:
    """What Python loads only when it is needed: by a path, by a name, or by the C library itself."""
    code = """
import ctypes, json, os, pwd, socket, ssl, threading, zoneinfo, datetime
thread = threading.Thread(target=lambda: ctypes.CDLL("libgcc_s.so.1")._Unwind_ForcedUnwind)
thread.start(); thread.join()
berlin = datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
print(json.dumps([
    ssl.create_default_context().cert_store_stats()["x509_ca"] > 100,
    berlin.isoformat()[-6:],
    pwd.getpwuid(os.getuid()).pw_name,
    socket.gethostbyname("localhost"),
    "ä".encode().decode("utf-8"),
]))"""

    assert python(containers, code) == [True, "+02:00", "nonroot", "127.0.0.1", "ä"]


def test_the_demo_runs_in_it(containers: Containers) -> None:
    said = containers.run(containers.command(IMAGE, "demo", "--for", "4s"))

    assert "superseded" in said
    assert "0 deletions failed" in said


def test_check_says_there_what_it_says_here(containers: Containers, control_plane: ControlPlane, given: Path) -> None:
    put_gitjob(control_plane, "cattle-fleet-system", "rancher/fleet:v0.16.1")
    arguments = ("check", "sweep", "--output", "json")

    here = running.run(*arguments, kubeconfig=control_plane.kubeconfig())
    there = json.loads(containers.run(tool(containers, given, *arguments)))

    assert here.code == 0
    assert [(line["check"], line["state"]) for line in there["lines"]] == [
        (line["check"], line["state"]) for line in here.document["lines"]
    ]


def test_a_sweep_deletes_what_nothing_needs(
    containers: Containers, control_plane: ControlPlane, namespace: str, given: Path
) -> None:
    names = stock(control_plane, namespace, 5)

    said = json.loads(containers.run(tool(containers, given, "sweep", "--namespaces", namespace, "--output", "json")))

    assert {line["name"] for line in said["jobs"] if line["result"] == "deleted"} == set(names[:-1])
    assert names_of(control_plane, JOBS.format(namespace)) == {names[-1]}


def test_a_sweep_that_is_told_to_end_finishes_what_is_under_way(
    containers: Containers, control_plane: ControlPlane, namespace: str, given: Path
) -> None:
    names = stock(control_plane, namespace, 120)
    mark = control_plane.audit_end
    line = tool(containers, given, "sweep", "--namespaces", namespace, "--output", "json", "--delete-rate", "2")
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: process.poll() is not None or len(deleted(control_plane, mark)) >= 2)

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    document = json.loads(out)
    gone = {job["name"] for job in document["jobs"] if job["result"] == "deleted"}
    assert (process.returncode, document["brake"]["brake"]) == (0, "stop"), err
    assert 2 <= len(gone) < 119
    assert names_of(control_plane, JOBS.format(namespace)) == set(names) - gone


class InPod(Running):
    """The service as the first process of a container that finds its cluster as a Pod does."""

    def __init__(self, containers: Containers, control_plane: ControlPlane, given: Path, *flags: str) -> None:
        self._containers = containers
        self._options: dict[str, Any] = {
            "mounts": {given: IN_POD},
            "env": {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(control_plane.port)},
        }
        super().__init__(given, *flags)

    def command_line(self, *arguments: str) -> list[str]:
        """Started by podman, which hands signals on."""
        return self._containers.command(IMAGE, *arguments, name="service", **self._options)

    def __exit__(self, *error: object) -> None:
        self._containers.kill("service")
        super().__exit__(*error)  # type: ignore[arg-type]


def test_the_service_ends_on_sigterm_and_gives_the_lease_back(
    containers: Containers, control_plane: ControlPlane, namespace: str, given: Path
) -> None:
    names = stock(control_plane, namespace, 4)
    flags = ("--namespaces", namespace, "--own-namespace", namespace, "--leader-election", "--lease-duration", "3s")

    with InPod(containers, control_plane, given, *flags) as service:
        service.ready()
        eventually(lambda: names_of(control_plane, JOBS.format(namespace)) == {names[-1]}, lambda: "".join(service.lines))
        (held,) = must(control_plane.request("GET", LEASES.format(namespace)))["items"]
        assert service.terminate(seconds=30) == 0, "the patience of Kubernetes"

    (released,) = must(control_plane.request("GET", LEASES.format(namespace)))["items"]
    assert held["spec"]["holderIdentity"]
    assert not released["spec"].get("holderIdentity")
    assert [line for line in service.lines if not line.startswith("{")] == [], "nothing but its log is said"
