"""The kubelet that the tests play: a Pod of the API in, and what its process sees out."""

import json
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.edge.servers import must
from tests.edge.serving import eventually
from tests.world import kubelet
from tests.world.control_plane import ControlPlane
from tests.world.kubelet import Container
from tests.world.pods import PODS

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOOKS = f"""
import json, os, pathlib, socket, ssl, sys, urllib.request
account = pathlib.Path("{ACCOUNT}")
def ask():
    server = "https://{{KUBERNETES_SERVICE_HOST}}:{{KUBERNETES_SERVICE_PORT}}".format(**os.environ)
    url = server + "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    headers = {{"Authorization": "Bearer " + (account / "token").read_text(), "Content-Type": "application/json"}}
    tls = ssl.create_default_context(cafile=account / "ca.crt")
    asked = urllib.request.urlopen(urllib.request.Request(url, b"{{}}", headers), context=tls)
    return json.load(asked)["status"]["userInfo"]["username"]
def writes(path):
    try:
        pathlib.Path(path).write_text("")
    except OSError as error:
        return error.strerror
    return "written"
print(json.dumps({{
    "host": socket.gethostname(),
    "who": ask(),
    "namespace": (account / "namespace").read_text(),
    "run": sorted(str(path) for path in pathlib.Path("/run").rglob("*") if path.is_file() and not path.is_symlink()),
    "tmp": writes("/tmp/{{}}".format(os.getpid())),
    "root": "read-only" if os.statvfs("/").f_flag & os.ST_RDONLY else "writable",
    "token": writes(account / "token"),
    "environment": dict(os.environ),
    "arguments": sys.argv[1:],
}}))
"""
WAITS = "import time; print('up', flush=True); time.sleep(1000)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(1000)"


@pytest.fixture
def home(control_plane: ControlPlane, namespace: str) -> str:
    """A Namespace with an account and the API's certificate, which a controller puts there elsewhere."""
    must(control_plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "cleaner"}}))
    root = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": control_plane.ca_file.read_text()}}
    must(control_plane.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", root))
    return namespace


def put(plane: ControlPlane, home: str, container: dict[str, Any] | None = None, **spec: Any) -> Any:
    """A Pod, as the API shows it: with the volume of its account's token put in."""
    made = {"name": "main", "image": "any", "args": ["one", "two"], **(container or {})}
    made.setdefault("volumeMounts", []).append({"name": "tmp", "mountPath": "/tmp"})
    volumes = [{"name": "tmp", "emptyDir": {}}]
    whole = {"serviceAccountName": "cleaner", "containers": [made], "volumes": volumes, **spec}
    name = f"cleaner-{secrets.token_hex(3)}"
    return must(plane.request("POST", PODS.format(home), {"metadata": {"name": name}, "spec": whole}))


def looked(plane: ControlPlane, pod: Any, override: dict[str, str] | None = None) -> Any:
    """What a process sees that looks around in the Pod."""
    with Container(plane, pod, override, command=(sys.executable, "-c", LOOKS)) as container:
        assert container.wait() == 0, container.err
        return json.loads(container.out)


def test_a_process_is_who_its_pod_says_and_sees_what_is_mounted(control_plane: ControlPlane, home: str) -> None:
    pod = put(control_plane, home, {"securityContext": {"readOnlyRootFilesystem": True}})

    seen = looked(control_plane, pod)

    assert (seen["who"], seen["namespace"]) == (f"system:serviceaccount:{home}:cleaner", home)
    assert (seen["host"], seen["arguments"]) == (pod["metadata"]["name"], ["one", "two"])
    assert seen["run"] == [str(ACCOUNT.resolve() / name) for name in ("ca.crt", "namespace", "token")]
    assert (seen["tmp"], seen["root"], seen["token"]) == ("written", "read-only", "Read-only file system")


def test_the_environment_is_the_pods_alone(control_plane: ControlPlane, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "of-this-machine")
    monkeypatch.setenv("GITJOB_CLEANER_SETTLE", "of-this-machine")
    service = {"metadata": {"name": "my-svc"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    made = must(control_plane.request("POST", f"/api/v1/namespaces/{home}/services", service))
    env = [
        {"name": "PLAIN", "value": "text"},
        {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "OVERRIDDEN", "value": "text"},
    ]

    linked = looked(control_plane, put(control_plane, home, {"env": env}), {"OVERRIDDEN": "other"})["environment"]
    bare = looked(control_plane, put(control_plane, home, enableServiceLinks=False))["environment"]

    address = made["spec"]["clusterIP"]
    assert (linked["PLAIN"], linked["WHERE"], linked["OVERRIDDEN"]) == ("text", home, "other")
    links = {name: text for name, text in linked.items() if name.startswith("MY_SVC")}
    assert links == {
        "MY_SVC_PORT": f"tcp://{address}:80",
        "MY_SVC_SERVICE_HOST": address,
        "MY_SVC_SERVICE_PORT": "80",
        "MY_SVC_SERVICE_PORT_HTTP": "80",
    }
    given = {"HOME", "HOSTNAME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "PATH", "PYTHONPATH"}
    assert set(bare) - given <= {"LC_CTYPE"}  # which Python sets


def test_a_pod_without_its_token_has_none(control_plane: ControlPlane, home: str) -> None:
    pod = put(control_plane, home, automountServiceAccountToken=False)

    with Container(control_plane, pod, command=(sys.executable, "-c", f"import os; print(os.path.exists('{ACCOUNT}'))")) as one:
        assert (one.wait(), one.out) == (0, "False\n")


def test_a_token_that_is_renewed_is_there_at_once(control_plane: ControlPlane, home: str) -> None:
    script = f"import sys, time\nwhile open('{ACCOUNT}/token').read() != 'fresh': time.sleep(0.01)"
    with Container(control_plane, put(control_plane, home), command=(sys.executable, "-c", script)) as container:
        container.renew("fresh")
        assert container.wait() == 0


@pytest.mark.parametrize(("script", "code"), [(WAITS, -signal.SIGTERM), (DEAF, -signal.SIGKILL)])
def test_it_is_ended_as_kubernetes_does(control_plane: ControlPlane, home: str, script: str, code: int) -> None:
    pod = put(control_plane, home, terminationGracePeriodSeconds=1)
    with Container(control_plane, pod, command=(sys.executable, "-c", script)) as container:
        eventually(lambda: container.out == "up\n", lambda: container.err)
        assert container.terminate() == code


def test_the_end_of_the_block_ends_the_process(control_plane: ControlPlane, home: str) -> None:
    with Container(control_plane, put(control_plane, home), command=(sys.executable, "-c", WAITS)) as container:
        eventually(lambda: container.out == "up\n", lambda: container.err)

    with pytest.raises(ProcessLookupError):
        os.kill(container.process.pid, 0)


@pytest.mark.parametrize(
    ("given", "spec", "told"),
    [
        ({"command": ["sh"]}, {}, "has a command"),
        (
            {"volumeMounts": [{"name": "host", "mountPath": "/run/host"}]},
            {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "host", "hostPath": {"path": "/"}}]},
            "volume host",
        ),
    ],
)
def test_what_it_does_not_know_it_refuses(
    control_plane: ControlPlane, home: str, given: dict[str, Any], spec: dict[str, Any], told: str
) -> None:
    pod = put(control_plane, home, given, **spec)

    with pytest.raises(ValueError, match=told), Container(control_plane, pod):
        pass


def test_where_there_are_no_namespaces_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unable = tmp_path / "unshare"
    unable.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    unable.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(RuntimeError, match=r"no mount namespaces .*Operation not permitted"):
        kubelet.namespaces.__wrapped__()
