"""Plays the kubelet for a Pod of the API with one container: its process runs here, with the environment and mounts of the Pod.

The token is a real one, asked for as the Pod's projected volume says, and stands where the Pod has it. Of this machine,
where a kubelet would give it others, it has the user, the network and the files of the image.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world import container
from tests.world.control_plane import ControlPlane

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
IMAGES_OWN = (sys.executable, "-m", "cleaner")
"""What stands in the image before the arguments."""

_KEPT = ROOT, Path(sys.prefix), Path(sys.base_prefix)
"""What must stay in sight, whatever the Pod mounts over it: the project and its Python."""


class Container:
    """
    The container of a Pod, from `start` (or `with`) until its process has ended; the end of the block kills it.

    `override` is laid over its environment: two Pods on one machine cannot have the same port.
    """

    def __init__(
        self, plane: ControlPlane, pod: Json, override: Mapping[str, str] | None = None, *, command: tuple[str, ...] = IMAGES_OWN
    ) -> None:
        self.plane, self.pod = plane, pod
        (self.spec,) = pod["spec"]["containers"]
        self._command, self._override = command, override or {}
        self._folder = Path(tempfile.mkdtemp(prefix="kubelet-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """The Pod's."""
        return str(self.pod["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The Pod's."""
        return str(self.pod["metadata"]["namespace"])

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, once it was started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.end()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            error.add_note(f"--- {self.name}\n{self.err[-4000:]}")
        self.end()

    def start(self) -> Self:
        """Make its volumes and start its process."""
        if "command" in self.spec:
            raise ValueError(f"{self.spec['name']} has a command: the image's own is what this kubelet knows")
        plan = {
            "hostname": self.name,
            "mounts": list(self._mounts()),
            "read_only": self.spec.get("securityContext", {}).get("readOnlyRootFilesystem", False),
            "command": [*self._command, *self.spec.get("args", [])],
        }
        line = [*namespaces(), sys.executable, "-I", "-S", container.__file__, json.dumps(plan)]
        with (self._folder / "out").open("wb") as out, (self._folder / "err").open("wb") as err:
            self._process = subprocess.Popen(line, env=self.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        return self

    def wait(self, seconds: float = 120.0) -> int:
        """Its exit code."""
        return self.process.wait(seconds)

    def terminate(self) -> int:
        """End it as Kubernetes does: with SIGTERM, and when the Pod's grace period is over with SIGKILL; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.wait(self.pod["spec"]["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.wait()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.wait()

    def end(self) -> None:
        """Kill it if it runs, and forget its volumes."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def out(self) -> str:
        """What it wrote to standard output so far."""
        return (self._folder / "out").read_text()

    @property
    def err(self) -> str:
        """What it wrote to standard error so far."""
        path = self._folder / "err"
        return path.read_text() if path.exists() else "(it was not started)"

    def tell(self) -> None:
        """Tell the API how the Pod is: whether its process runs, or how it has ended."""
        code, now = self.process.poll(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        runs = code is None
        ended = {"exitCode": _as_shells_tell(code or 0), "startedAt": now, "finishedAt": now}
        state = {"running": {"startedAt": now}} if runs else {"terminated": ended}
        container = {"name": self.spec["name"], "image": self.spec["image"], "imageID": "", "restartCount": 0, "state": state}
        status: Json = {"phase": "Running" if runs else "Failed" if code else "Succeeded", "startTime": now}
        status["conditions"] = [{"type": kind, "status": str(runs)} for kind in ("Ready", "ContainersReady")]
        status["containerStatuses"] = [{**container, "ready": runs, "started": runs}]
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/status"
        kind = "application/strategic-merge-patch+json"
        _well(self.plane.request("PATCH", path, {"status": status}, content_type=kind), path)

    def environment(self) -> dict[str, str]:
        """All that its process finds in its environment, and where the image's own files are."""
        given = {"PATH": os.environ["PATH"], "HOSTNAME": self.name, "HOME": "/", "PYTHONPATH": str(ROOT)}
        given |= self._service_links() if self.pod["spec"].get("enableServiceLinks", True) else {}
        given |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.plane.port)}
        return given | {each["name"]: self._value(each) for each in self.spec.get("env", [])} | dict(self._override)

    def _service_links(self) -> dict[str, str]:
        """The older half of service discovery: where each Service of the Namespace is, in variables."""
        found: dict[str, str] = {}
        for service in self._get(f"/api/v1/namespaces/{self.namespace}/services")["items"]:
            prefix, address = re.sub("[^A-Z0-9]", "_", service["metadata"]["name"].upper()), service["spec"]["clusterIP"]
            port = service["spec"]["ports"][0]
            found |= {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(port["port"])}
            found |= {f"{prefix}_PORT": f"tcp://{address}:{port['port']}"}
            found |= {f"{prefix}_SERVICE_PORT_{port['name'].upper()}": str(port["port"])} if "name" in port else {}
        return found

    def _value(self, variable: Json) -> str:
        if "valueFrom" not in variable:
            return str(variable.get("value", ""))
        return self._field(variable["valueFrom"]["fieldRef"]["fieldPath"])

    def _field(self, path: str) -> str:
        found: Any = self.pod
        for part in path.split("."):
            found = found[part]
        return str(found)

    def _mounts(self) -> Iterator[tuple[str, str, bool]]:
        """What is bound where, and whether it is read-only; what hides this machine's own files comes last."""
        volumes = {volume["name"]: volume for volume in self.pod["spec"]["volumes"]}
        wanted = [(volumes[each["name"]], each) for each in self.spec.get("volumeMounts", [])]
        for volume, mount in sorted(wanted, key=lambda each: self._folder.is_relative_to(each[1]["mountPath"])):
            source = self._volume(volume)
            for kept in (path for path in _KEPT if path.is_relative_to(mount["mountPath"])):
                inside = source / kept.relative_to(mount["mountPath"])
                inside.mkdir(parents=True, exist_ok=True)
                yield str(kept), str(inside), False
            yield str(source), mount["mountPath"], mount.get("readOnly", False)

    def _volume(self, volume: Json) -> Path:
        """A folder with what the volume holds; every container of the Pod would have the same."""
        folder = self._folder.joinpath("volumes", str(volume["name"]))
        folder.mkdir(parents=True, exist_ok=True)
        if "projected" in volume:
            for source in volume["projected"]["sources"]:
                for name, text in self._projected(source):
                    _replace(folder / name, text)
        elif "emptyDir" not in volume:
            raise ValueError(f"volume {volume['name']}: this kubelet knows projected volumes and emptyDir")
        return folder

    def _projected(self, source: Json) -> Iterator[tuple[str, str]]:
        match source:
            case {"serviceAccountToken": wanted}:
                yield wanted["path"], self.token(wanted)
            case {"configMap": wanted}:
                found = self._get(f"/api/v1/namespaces/{self.namespace}/configmaps/{wanted['name']}")["data"]
                yield from ((item["path"], found[item["key"]]) for item in wanted["items"])
            case {"downwardAPI": wanted}:
                yield from ((item["path"], self._field(item["fieldRef"]["fieldPath"])) for item in wanted["items"])
            case _:
                raise ValueError(f"this kubelet does not know {source}")

    def token(self, wanted: Json, bound: Json | None = None) -> str:
        """A token of the Pod's ServiceAccount, as a projected volume wants it, that dies with the Pod or what it is bound to."""
        account = self.pod["spec"]["serviceAccountName"]
        pod = {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.pod["metadata"]["uid"]}
        spec: Json = {"expirationSeconds": wanted["expirationSeconds"], "boundObjectRef": bound or pod}
        spec |= {"audiences": [wanted["audience"]]} if "audience" in wanted else {}
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        return str(_well(self.plane.request("POST", path, {"spec": spec}), path)["status"]["token"])

    def renew(self, token: str) -> str:
        """Put another token into its volume, in one stroke, as the kubelet does long before the former has run out; that one."""
        (path,) = self._folder.glob("volumes/*/token")
        former = path.read_text()
        _replace(path, token)
        return former

    def _get(self, path: str) -> Json:
        return _well(self.plane.request("GET", path), path)


@cache
def namespaces() -> tuple[str, ...]:
    """The command that gives another one a file system and a host name of its own: as root, or as who may be root in them."""
    said = ""
    for more in ((), ("--user", "--map-root-user")):
        command = ("unshare", "--mount", "--uts", *more)
        tried = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return command
        said = tried.stderr.strip()
    raise RuntimeError(f"Pods cannot be run here: no mount namespaces for us, neither as root nor in a user namespace ({said})")


def _as_shells_tell(code: int) -> int:
    """An exit code; 128 and the number of the signal for a process that one has ended."""
    return 128 - code if code < 0 else code


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(text)
    fresh.rename(path)


def _well(answer: tuple[int, Any], path: str) -> Json:
    status, body = answer
    if status not in (200, 201):
        raise RuntimeError(f"{path} was refused: {body}")
    return dict(body)
