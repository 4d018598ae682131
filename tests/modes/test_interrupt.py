"""A signal in mid-pass: what is under way is finished, the rest is left, and both are said truly. What only reads just ends."""

import json
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from tests.edge.faults import is_delete, stock
from tests.edge.servers import JOBS, names_of
from tests.modes.running import command, environment
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Delay, Fault, Proxy, Request
from tests.world.wire import Wire


def begun(server: str, control_plane: ControlPlane, namespace: str, *flags: str) -> "subprocess.Popen[str]":
    """A sweep under way."""
    return subprocess.Popen(
        command("sweep", "--namespaces", namespace, "--fleet-version", "v0.16.1", *flags),
        env=environment(control_plane.kubeconfig(server=server)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def deleted(control_plane: ControlPlane, since: int) -> set[str]:
    """The Jobs that the API has deleted."""
    events = [e for e in control_plane.audit(since) if e["verb"] == "delete" and e["responseStatus"]["code"] == 200]
    return {event["objectRef"]["name"] for event in events if event["objectRef"]["resource"] == "jobs"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_pass_lets_finish_what_is_under_way(
    control_plane: ControlPlane, namespace: str, number: signal.Signals
) -> None:
    """Over a slow wire: the signal comes while deletions are on their way there and back."""
    names = stock(control_plane, namespace, 120)
    mark = control_plane.audit_end
    several = threading.Event()

    with Wire(control_plane.port, latency=0.05) as wire:
        process = begun(wire.url, control_plane, namespace, "--output", "json", "--delete-workers", "4", "--delete-rate", "40")
        watcher = threading.Thread(target=_await_deletions, args=(control_plane, mark, 5, several))
        watcher.start()
        assert several.wait(120)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        watcher.join()

    document: dict[str, Any] = json.loads(out)
    said = {line["name"] for line in document["jobs"] if line["result"] == "deleted"}
    left = {line["name"] for line in document["jobs"] if line["result"] == "left"}
    assert (process.returncode, document["brake"]["brake"]) == (0, "stop")
    assert said == deleted(control_plane, mark)
    assert 5 <= len(said) < 119
    assert left == set(names[:-1]) - said
    assert document["totals"]["backlog"] == len(left)
    assert names_of(control_plane, JOBS.format(namespace)) == set(names) - said
    assert "Traceback" not in err


def _await_deletions(control_plane: ControlPlane, mark: int, count: int, reached: threading.Event) -> None:
    for _ in range(600):
        if len(deleted(control_plane, mark)) >= count:
            reached.set()
            return


def test_a_signal_while_reading_deletes_nothing(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)
    reading = threading.Event()

    def rule(request: Request) -> Fault | None:
        if request.path == JOBS.format(namespace):
            reading.set()
            return Delay(2)
        return None

    with Proxy(control_plane, rule) as proxy:
        process = begun(proxy.url, control_plane, namespace)
        assert reading.wait(120)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)

    assert process.returncode == 0
    assert not any(is_delete(seen.request) for seen in proxy.seen)
    assert names_of(control_plane, JOBS.format(namespace)) == set(names)
    assert "STOPPED by stop: SIGTERM" in out
    assert "Traceback" not in err


HEARD = """
import signal, sys
from cleaner.cli import run
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever began us in the background has it ignored
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("arguments", [("check",), ("explain", "nobody")], ids=["check", "explain"])
def test_an_interrupted_reader_says_nothing(control_plane: ControlPlane, arguments: tuple[str, ...]) -> None:
    with Proxy(control_plane, lambda _: Delay(60)) as proxy:
        process = subprocess.Popen(
            [sys.executable, "-c", HEARD, *arguments],
            env=environment(control_plane.kubeconfig(server=proxy.url)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not proxy.seen and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (130, "")
