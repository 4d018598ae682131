"""A real kube-apiserver on a real etcd, on loopback, in a temporary folder.

Nothing else runs: no controller touches a Job, collects garbage or finishes the deletion of a Namespace, unless a test
starts `controllers.Controllers` beside it.
"""

import base64
import json
import secrets
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world import binaries, crd
from tests.world.client import Client, parsed
from tests.world.ports import free_ports
from tests.world.processes import Child

ADMIN = "admin-token"
USERS = {f"user-{n}": f"user-{n}" for n in range(10)}
"""Tokens and names of users who may do nothing until a test binds a role to them."""

DEADLINE = 120.0
"""Seconds until the API must be ready: generous, since a busy machine takes many times the usual four."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    # What the server asks itself is no business of a test.
    "rules": [{"level": "None", "users": ["system:apiserver", "system:anonymous"]}, {"level": "Metadata"}],
}


def signing_key() -> str:
    """An EC P-256 private key in SEC1 form: its DER is a fixed frame around 32 bytes, so no cryptography is needed."""
    scalar = (1 + secrets.randbelow(_P256_ORDER - 1)).to_bytes(32, "big")
    der = bytes.fromhex("30310201010420") + scalar + bytes.fromhex("a00a06082a8648ce3d030107")
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END EC PRIVATE KEY-----\n"


class ControlPlane:
    """etcd and kube-apiserver, from `start` (or `with`) until `stop`."""

    def __init__(self, users: Mapping[str, str] | None = None, *, audit: bool = False, fairness: bool = False) -> None:
        self._users = {**USERS, **(users or {})}
        self._audit = audit
        self._fairness = fairness
        self._folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
        self._children: dict[str, Child] = {}
        self.port, self.etcd_port, self._peer_port = free_ports(3)
        self.url = f"https://127.0.0.1:{self.port}"
        self.etcd = Client(self.etcd_port)
        self._client: Client | None = None
        self._gitrepos = False

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def ca_file(self) -> Path:
        """The certificate that the API shows, which is its own authority."""
        return self._folder / "apiserver.crt"

    @property
    def key_file(self) -> Path:
        """The private key to it: a proxy that ends TLS shows the same face."""
        return self._folder / "apiserver.key"

    @property
    def service_account_key(self) -> Path:
        """The private key that signs the tokens of ServiceAccounts."""
        return self._folder / "sa.key"

    def start(self) -> Self:
        """Start both and wait until the API is ready."""
        self._write_files()
        self._launch("etcd", self._etcd_flags())
        self._await("etcd", self._etcd_healthy)
        return self.start_apiserver()

    def start_apiserver(self) -> Self:
        """Start the API on the same port over the same data; wait until it is ready."""
        self._launch("kube-apiserver", self._apiserver_flags())
        self._await("kube-apiserver", self.ca_file.exists)
        if self._client is None:
            self._client = Client(self.port, ssl.create_default_context(cafile=str(self.ca_file)))
        self._await("kube-apiserver", self._ready)
        if self._gitrepos:
            self._await("kube-apiserver", self._serves_gitrepos)
        return self

    def kill_apiserver(self) -> None:
        """End the API as a crash would; etcd and its data stay."""
        self._children.pop("kube-apiserver").kill()
        if self._client is not None:
            self._client.forget()

    def stop(self) -> None:
        """End both, and forget everything."""
        self.etcd.forget()
        if self._client is not None:
            self._client.forget()
        for name in [name for name in ("kube-apiserver", "etcd") if name in self._children]:
            self._children.pop(name).stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def pids(self) -> list[int]:
        """The process groups of what runs."""
        return [child.pid for child in self._children.values()]

    def logs_tail(self) -> str:
        """The ends of both logs, to be shown when something failed."""
        return "\n".join(f"--- {name}\n{child.tail()}" for name, child in self._children.items())

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str = ADMIN,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Ask the API; the status and the JSON of the answer."""
        if self._client is None:
            raise RuntimeError("the control plane was not started")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type, "Accept": "application/json"}
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self._client.request(method, path, sent, headers)
        return status, parsed(answer)

    def kubeconfig(
        self,
        path: Path | None = None,
        token: str = ADMIN,
        server: str | None = None,
        context: str = "world",
        namespace: str | None = None,
    ) -> Path:
        """Write a kubeconfig for a token; `server` leads through a proxy."""
        target = path or self._folder / f"kubeconfig-{secrets.token_hex(4)}"
        cluster = {"server": server or self.url, "certificate-authority": str(self.ca_file)}
        place = {"cluster": context, "user": context} | ({"namespace": namespace} if namespace else {})
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": token}}],
            "contexts": [{"name": context, "context": place}],
            "current-context": context,
        }
        target.write_text(json.dumps(config))  # JSON is YAML
        return target

    def audit(self, since: int = 0) -> list[dict[str, Any]]:
        """What the API was asked (since an earlier `audit_end`), its own questions left out.

        A watch is told when it starts (stage ResponseStarted) and when it ends (ResponseComplete).
        """
        end = -1
        # A long answer can be out a moment before its line is written.
        while self.audit_end != end:
            end = self.audit_end
            time.sleep(0.05)
        log = self._folder / "audit.log"
        return [json.loads(line) for line in log.read_bytes()[since:].splitlines()] if log.exists() else []

    @property
    def audit_end(self) -> int:
        """Where the audit log ends now."""
        log = self._folder / "audit.log"
        return log.stat().st_size if log.exists() else 0

    def with_crd(self) -> Self:
        """Make GitRepos known to the API, and wait until it serves them."""
        status, answer = self.request("POST", crd.COLLECTION, crd.GITREPOS)
        if status not in {201, 409}:
            raise RuntimeError(f"the CRD was refused: {answer}")
        self._gitrepos = True
        self._await("kube-apiserver", self._serves_gitrepos)
        return self

    def _write_files(self) -> None:
        lines = [f'{ADMIN},admin,uid-admin,"system:masters"']
        lines += [f"{token},{name},uid-{name}" for token, name in self._users.items()]
        (self._folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        self.service_account_key.write_text(signing_key())
        (self._folder / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))

    def _launch(self, name: str, flags: list[str]) -> None:
        command: list[str | Path] = [binaries.assets() / name, *flags]
        self._children[name] = Child(name, command, self._folder / f"{name}.log")

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not _holds(condition):
            self._children[name].must_live()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} was not ready after {DEADLINE:.0f} s:\n{self.logs_tail()}")
            time.sleep(0.05)

    def _etcd_healthy(self) -> bool:
        return self.etcd.request("GET", "/health")[0] == 200

    def _ready(self) -> bool:
        return self.request("GET", "/readyz") == (200, "ok")

    def _serves_gitrepos(self) -> bool:
        # Ready does not mean that custom resources are served: for a moment more they are answered with 404 or 429.
        return self.request("GET", crd.PATH)[0] == 200

    def _etcd_flags(self) -> list[str]:
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            f"--quota-backend-bytes={8 << 30}",
            "--log-level=warn",
        ]

    def _apiserver_flags(self) -> list[str]:
        key = self.service_account_key
        flags = [
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self._folder}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            f"--enable-priority-and-fairness={str(self._fairness).lower()}",
            "--max-requests-inflight=4000",
            "--max-mutating-requests-inflight=4000",
        ]
        return flags + (self._audit_flags() if self._audit else [])

    def _audit_flags(self) -> list[str]:
        return [
            f"--audit-policy-file={self._folder / 'audit-policy.json'}",
            f"--audit-log-path={self._folder / 'audit.log'}",
            "--audit-log-mode=blocking",
        ]


def _holds(condition: Callable[[], bool]) -> bool:
    """Whether it holds; a server that is still starting may break the connection, which only means not yet."""
    try:
        return condition()
    except (OSError, ConnectionError):
        return False
