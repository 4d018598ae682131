"""What makes Jobs run and finish by themselves beside a control plane: real controllers, a scheduler, and kwok for a Node.

kwok plays the part of the kubelet: a Pod on its Node runs, and if it is a Job's ends after a moment as the name of its Job says.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world import binaries
from tests.world.control_plane import DEADLINE, ControlPlane
from tests.world.processes import Child

CONTROLLERS = ("job-controller", "garbage-collector-controller", "namespace-controller", "serviceaccount-controller")
WORKLOADS = (
    *CONTROLLERS,
    "cronjob-controller",
    "deployment-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
)
"""What makes Pods of all that this project ships, with what they need of the API's certificate."""
TTL_AFTER_FINISHED = "ttl-after-finished-controller"
"""Deletes a Job `spec.ttlSecondsAfterFinished` after its end; a cluster runs it too, here only a test that asks for it."""

NODE = "node-0"

_CANNOT_CLONE = (
    '{"fleetErrorMessage":"no resource found at the following paths to deploy: [does-not-exist]","level":"fatal",'
    '"msg":"Fleet cli failed","time":"2026-11-23T09:07:53.080095884Z"}'
)


@dataclass(frozen=True)
class Course:
    """How the Pods of Jobs fare: for how many seconds they run, and the Jobs (a pattern of names) whose Pods fail."""

    seconds: float = 0.2
    failing: str = "^bad-"
    message: str = _CANNOT_CLONE
    """What a failing Pod leaves as its termination message."""
    spared: str = ""
    """A Namespace whose Pods are somebody else's to run: `kubelet`'s. They go at once all the same when they are deleted."""


@dataclass(frozen=True)
class Pace:
    """How many requests a second a controller may make, on average and at once.

    Kubernetes itself gives each controller 20 and 30. A Job takes seven of them before it has finished, so that fewer than
    three can finish in a second.
    """

    qps: float = 1000
    burst: int = 2000


AS_DELIVERED = Pace(20, 30)
"""The pace of a kube-controller-manager that nobody has tuned."""


class Controllers:
    """kube-controller-manager, kube-scheduler, kwok and one Node of its, from `start` (or `with`) until `stop`.

    A custom resource that owns others should be known to the API before: the garbage collector looks for new kinds only
    every half minute.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        controllers: Sequence[str] = CONTROLLERS,
        course: Course | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.control_plane = control_plane
        self._controllers = tuple(controllers)
        self._course = course or Course()
        self._pace = pace or Pace()
        self._folder = Path(tempfile.mkdtemp(prefix="controllers-"))
        self._kubeconfig = self._folder / "kubeconfig"
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Self:
        """Start all; wait until the Node is ready for Pods and the controllers are at work."""
        self.control_plane.kubeconfig(self._kubeconfig)
        self._write("stages", *stages(self._course))
        self._write("scheduler", self._scheduler_configuration())
        flags = {
            "kube-controller-manager": self._controller_flags(),
            "kube-scheduler": [f"--config={self._folder / 'scheduler'}", "--secure-port=0"],
            "kwok": ["--manage-all-nodes", f"--kubeconfig={self._kubeconfig}", f"--config={self._folder / 'stages'}"],
        }
        for name, program in binaries.controllers().items():
            self._children[name] = Child(name, [program, *flags[name]], self._folder / f"{name}.log")
        self._add_node()
        self._await(self._node_ready)
        self._await(self._controllers_work)
        return self

    def stop(self) -> None:
        """End all; the Node and what runs on it stay in the world as they are."""
        for name in list(self._children):
            self._children.pop(name).stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def must_live(self) -> None:
        """Raise, with the end of its log, if one of them has ended."""
        for child in self._children.values():
            child.must_live()

    def pids(self) -> dict[str, int]:
        """The process group of each, by name."""
        return {name: child.pid for name, child in self._children.items()}

    def logs_tail(self) -> str:
        """The ends of all logs, to be shown when something failed."""
        return "\n".join(f"--- {name}\n{child.tail()}" for name, child in self._children.items())

    def _write(self, name: str, *documents: dict[str, Any]) -> None:
        (self._folder / name).write_text("\n---\n".join(map(json.dumps, documents)))  # JSON is YAML

    def _controller_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self._kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
            f"--controllers={','.join(self._controllers)}",
            f"--service-account-private-key-file={self.control_plane.service_account_key}",
            f"--root-ca-file={self.control_plane.ca_file}",
            f"--kube-api-qps={self._pace.qps}",
            f"--kube-api-burst={self._pace.burst}",
        ]

    def _scheduler_configuration(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"kubeconfig": str(self._kubeconfig), "qps": 400, "burst": 800},
        }

    def _add_node(self) -> None:
        """Make the Node, unless an earlier set of controllers has."""
        self._ask("POST", "/api/v1/nodes", {"metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux"}}})
        # The API taints every new Node as not ready, and the controller that takes the taint away does not run here.
        self._ask("PATCH", f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}})

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> None:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        status, answer = self.control_plane.request(method, path, body, content_type=kind)
        if status not in {200, 201, 409}:
            raise RuntimeError(f"{method} {path} was refused: {answer}")

    def _node_ready(self) -> bool:
        _, node = self.control_plane.request("GET", f"/api/v1/nodes/{NODE}")
        return any((each["type"], each["status"]) == ("Ready", "True") for each in node["status"].get("conditions", []))

    def _controllers_work(self) -> bool:
        """Whether the first thing that any of ours does without being asked is done."""
        if "serviceaccount-controller" not in self._controllers:
            return True
        return self.control_plane.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            self.must_live()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the controllers were not ready after {DEADLINE:.0f} s:\n{self.logs_tail()}")
            time.sleep(0.05)


def stages(course: Course) -> list[dict[str, Any]]:
    """What kwok does with a Node and with the Pods on it."""
    fails = f'.metadata.labels["batch.kubernetes.io/job-name"] // "" | test({json.dumps(course.failing)})'
    alive = [_is(".metadata.deletionTimestamp", "DoesNotExist"), _is(".metadata.namespace", "NotIn", course.spared)]
    runs = [*alive, _is(".status.phase", "In", "Running"), _is('.metadata.labels["batch.kubernetes.io/job-name"]', "Exists")]
    return [
        _stage("node-ready", "Node", [_is(_READY, "NotIn", "True")], _NODE_READY),
        _stage("pod-runs", "Pod", [*alive, _is(".status.phase", "In", "Pending")], _POD_RUNS),
        _stage("pod-succeeds", "Pod", [*runs, _is(fails, "In", "false")], _ended("Succeeded", 0, "Completed"), course.seconds),
        _stage("pod-fails", "Pod", [*runs, _is(fails, "In", "true")], _ended("Failed", 1, "Error", course), course.seconds),
        _stage("pod-goes", "Pod", [_is(".metadata.deletionTimestamp", "Exists")], None),
    ]


def _stage(name: str, kind: str, conditions: list[dict[str, Any]], template: str | None, seconds: float = 0.0) -> dict[str, Any]:
    """A step of an object's life; one without a template is its end."""
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": conditions},
            "delay": {"durationMilliseconds": round(seconds * 1000)},
            "next": {"delete": True} if template is None else {"statusTemplate": template},
        },
    }


def _is(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'

_NODE_READY = """
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }},
   lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }}}
{{ end }}
allocatable: {cpu: 1k, memory: 1Ti, pods: 1M}
capacity: {cpu: 1k, memory: 1Ti, pods: 1M}
phase: Running
"""

_POD_RUNS = """
{{ $now := Now | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
- {type: Ready, status: "True", lastTransitionTime: {{ $now }}}
- {type: ContainersReady, status: "True", lastTransitionTime: {{ $now }}}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now }}, finishedAt: {{ $now }}}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  started: true
  state: {running: {startedAt: {{ $now }}}}
{{ end }}
phase: Running
startTime: {{ $now }}
"""

_POD_ENDED = """
{{ $now := Now | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
- {type: Ready, status: "False", reason: Pod%(phase)s, lastTransitionTime: {{ $now }}}
- {type: ContainersReady, status: "False", reason: Pod%(phase)s, lastTransitionTime: {{ $now }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  restartCount: 0
  started: false
  state:
    terminated: {exitCode: %(code)d, reason: %(reason)s, message: %(message)s, startedAt: {{ $now }}, finishedAt: {{ $now }}}
{{ end }}
phase: %(phase)s
"""


def _ended(phase: str, code: int, reason: str, course: Course | None = None) -> str:
    message = json.dumps(course.message if course else "")
    return _POD_ENDED % {"phase": phase, "code": code, "reason": reason, "message": message}
