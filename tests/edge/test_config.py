"""Where the cluster is and who we are there: the official client's own ways, and what a 401 makes of them."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cleaner.cluster import Denied, Misconfigured, Unreachable
from cleaner.kube import Connection, KubeCluster, Limits, load_configuration
from cleaner.result import exit_code
from tests.edge.faults import is_delete, refusal, stock
from tests.edge.passes import clock, sweep
from tests.edge.roles import allow
from tests.edge.servers import JOBS, names_of
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.proxy import Answer, Proxy, Request


def kubeconfig(control_plane: ControlPlane, path: Path, server: str = "", **users: dict[str, Any]) -> Path:
    """A kubeconfig with one context for each user; the first is the current one."""
    cluster = {"server": server or control_plane.url, "certificate-authority": str(control_plane.ca_file)}
    contexts = [{"name": name, "context": {"cluster": "c", "user": name, "namespace": f"ns-{name}"}} for name in users]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": contexts,
        "current-context": next(iter(users)),
    }
    path.write_text(json.dumps(config))
    return path


def connected(path: Path, context: str = "") -> Connection:
    """A connection by this kubeconfig."""
    return Connection((str(path), context), "gitjob-cleaner/test", 20, clock())


def who(control_plane: ControlPlane, connection: Connection) -> tuple[int, str]:
    """The status of a request, and whom the API took us for."""
    mark = control_plane.audit_end
    status = connection.send("GET", "/api/v1/namespaces").status
    connection.close()
    return status, control_plane.audit(mark)[-1]["user"]["username"]


def script(path: Path, text: str) -> Path:
    """A program that the client may run."""
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(("context", "user"), [("", "admin"), ("one", "admin"), ("two", "user-2")])
def test_the_context_chooses_the_user(control_plane: ControlPlane, tmp_path: Path, context: str, user: str) -> None:
    path = kubeconfig(control_plane, tmp_path / "config", one={"token": ADMIN}, two={"token": "user-2"})

    connection = connected(path, context)

    name = context or "one"
    assert connection.where == (name, control_plane.url, f"ns-{name}")
    assert who(control_plane, connection) == (200 if user == "admin" else 403, user)


def test_a_plugin_is_asked_for_the_token(control_plane: ControlPlane, tmp_path: Path) -> None:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": ADMIN}}
    plugin = script(tmp_path / "plugin", f"print({json.dumps(credential)!r})\n")
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}

    connection = connected(kubeconfig(control_plane, tmp_path / "config", plugged={"exec": exec_}))

    assert who(control_plane, connection) == (200, "admin")


def test_a_token_may_stand_in_a_file(control_plane: ControlPlane, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("user-3")

    connection = connected(kubeconfig(control_plane, tmp_path / "config", filed={"tokenFile": str(token)}))

    assert who(control_plane, connection) == (403, "user-3")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A client certificate that no authority known to the server has signed."""
    certificate, key = tmp_path / "client.crt", tmp_path / "client.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=somebody"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return str(certificate), str(key)


def test_a_client_certificate_is_shown(control_plane: ControlPlane, tmp_path: Path, certificate: tuple[str, str]) -> None:
    user = {"client-certificate": certificate[0], "client-key": certificate[1]}

    configuration, _ = load_configuration(str(kubeconfig(control_plane, tmp_path / "config", certified=user)))

    assert (configuration.cert_file, configuration.key_file) == certificate


@pytest.mark.parametrize("kind", ["token", "tokenFile", "exec"])
def test_a_token_replaced_on_disk_is_taken_up_in_mid_pass(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, kind: str
) -> None:
    """From the second deletion on, the first token is turned away with 401; the second one is sent, and nothing is lost."""
    names = stock(control_plane, namespace, 5)
    allow(control_plane, "user-4", namespace)
    token, path = tmp_path / "token", tmp_path / "config"
    credential = "{'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status': {'token': t}}"
    plugin = script(tmp_path / "plugin", f"import json\nt = open({str(token)!r}).read()\nprint(json.dumps({credential}))\n")
    turned_away: list[str] = []

    def write(text: str) -> None:
        token.write_text(text)
        exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
        users: dict[str, dict[str, Any]] = {
            "token": {"token": text},
            "tokenFile": {"tokenFile": str(token)},
            "exec": {"exec": exec_},
        }
        kubeconfig(control_plane, path, server=proxy.url, me=users[kind])

    def rule(request: Request) -> Answer | None:
        revoked = turned_away or (is_delete(request) and request.path.endswith(names[1]))
        if not revoked or {k.lower(): v for k, v in request.headers.items()}["authorization"] != "Bearer user-4":
            return None
        write(ADMIN)
        turned_away.append(request.path)
        return refusal(401, "Unauthorized")

    with Proxy(control_plane, rule) as proxy:
        write("user-4")
        passed = sweep(path, namespace, delete_workers=1)

    assert names_of(control_plane, JOBS.format(namespace)) == {names[4]}
    assert len(turned_away) == 1
    assert (len(passed.of("deleted")), exit_code(passed.result)) == (4, 0)


def test_a_token_that_has_expired_is_replaced_by_the_one_on_disk(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """The 401 is the real server's: it does not know the token that the client began with."""
    stock(control_plane, namespace, 2)
    path = kubeconfig(control_plane, tmp_path / "config", me={"token": "expired"})
    connection = connected(path)
    port = KubeCluster(connection, Limits(), clock())
    kubeconfig(control_plane, path, me={"token": ADMIN})
    asked = connection.requests

    found = [job for page in port.jobs(namespace) for job in page.facts]

    assert (len(found), connection.requests - asked) == (2, 2)
    connection.close()


def test_a_token_that_stays_bad_is_tried_once_more_and_then_denied(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    connection = connected(kubeconfig(control_plane, tmp_path / "config", me={"token": "expired"}))
    port = KubeCluster(connection, Limits(), clock())

    with pytest.raises(Denied):
        list(port.jobs(namespace))

    assert connection.requests == 2
    connection.close()


def test_the_certificate_authority_of_the_kubeconfig_alone_is_trusted(control_plane: ControlPlane, tmp_path: Path) -> None:
    path = kubeconfig(control_plane, tmp_path / "config", me={"token": ADMIN})
    config = json.loads(path.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority"]
    path.write_text(json.dumps(config))
    mark = control_plane.audit_end

    with pytest.raises(Unreachable, match=r"(?i)certificate"):
        connected(path).send("GET", "/version")

    assert control_plane.audit(mark) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("clusters: [", id="no YAML"),
        pytest.param("just a text", id="a text"),
        pytest.param("[]", id="a list"),
        pytest.param("", id="nothing"),
        pytest.param("{apiVersion: v1, kind: Config}", id="no contexts"),
        pytest.param(
            "{current-context: a, contexts: [{name: a, context: {cluster: x, user: y}}], clusters: [], users: []}",
            id="no cluster",
        ),
        pytest.param("{current-context: a, contexts: 5, clusters: [], users: []}", id="contexts that are a number"),
    ],
)
def test_a_bad_kubeconfig_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(Misconfigured) as told:
        load_configuration(str(path))

    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def test_a_missing_file_and_a_missing_context_are_told_in_one_line(control_plane: ControlPlane, tmp_path: Path) -> None:
    path = kubeconfig(control_plane, tmp_path / "config", one={"token": ADMIN})

    for source in ((str(tmp_path / "nowhere"), ""), (str(path), "no-such-context")):
        with pytest.raises(Misconfigured) as told:
            load_configuration(*source)
        assert "\n" not in str(told.value)


def test_without_its_plugins_token_nobody_is_let_in(control_plane: ControlPlane, tmp_path: Path) -> None:
    plugin = script(tmp_path / "plugin", "import sys\nsys.exit('line one\\nline two')\n")
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    path = kubeconfig(control_plane, tmp_path / "config", plugged={"exec": exec_})

    assert connected(path).send("GET", "/api/v1/namespaces").status in (401, 403)
