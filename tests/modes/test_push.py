"""`sweep` beside something that is no Pushgateway: the push is told, and changes nothing that was done."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.failing_gateways import Impostor, answer
from tests.edge.servers import JOBS, SandboxServer, names_of
from tests.edge.serving import eventually
from tests.edge.test_service import stock
from tests.modes import pushing
from tests.modes.pushing import check, nowhere, pushgateway_of, sweep
from tests.modes.running import command, environment, run
from tests.modes.terminal import on_a_terminal
from tests.world import seed

PASSWORD = "sw0rdfish-in-a-file"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with pushing.sandbox(tmp_path) as made:
        yield made


def lines(gateway: Impostor) -> list[bytes]:
    """The first lines of the requests that came."""
    return [request.splitlines()[0] for request in gateway.requests]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer("500 Internal Server Error", PASSWORD.encode()), id="refused"),
        pytest.param(answer("302 Found", b"", b"Location: /login"), id="login page"),
        pytest.param(None, id="silent"),
        pytest.param(b"", id="closed"),
    ],
)
def test_a_push_that_fails_is_told_and_changes_no_exit_code(server: SandboxServer, tmp_path: Path, said: bytes | None) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    flags = ("--pushgateway-username", "me", "--pushgateway-password-file", str(tmp_path / "password"))
    with Impostor(said).running() as gateway:
        done = sweep(server, gateway.url, "--pushgateway-timeout", "1s", *flags)

    assert (done.code, done.document["totals"]["results"]) == (0, {"deleted": 2})
    assert done.err.count("run totals not pushed") == 1
    assert gateway.url in done.err
    assert PASSWORD not in done.err.replace(f"HTTP 500: {PASSWORD}", "") + done.out


def test_without_a_gateway_nothing_is_pushed_and_nothing_said(server: SandboxServer) -> None:
    done = run("sweep", "--output", "json", kubeconfig=server.kubeconfig())

    assert (done.code, done.err) == (0, "")


def test_a_success_is_put_and_a_failure_is_posted(server: SandboxServer, tmp_path: Path) -> None:
    with Impostor(answer("200 OK")).running() as gateway:
        capped = ("--failed-keep", "0", "--max-deletions", "1")
        codes = [sweep(server, gateway.url, *flags).code for flags in ((), capped, ("--dry-run", "--instance", "mine"))]
        codes.append(sweep(nowhere(tmp_path), gateway.url).code)

    group = b"/metrics/job/gitjob-cleaner/dry_run/false/mode/sweep HTTP/1.1"
    assert codes == [0, 0, 0, 4]
    assert lines(gateway) == [
        b"PUT " + group,
        b"PUT " + group,
        b"PUT /metrics/job/gitjob-cleaner/dry_run/true/installation/mine/mode/sweep HTTP/1.1",
        b"POST " + group,
    ]


def test_a_question_that_is_declined_was_no_run(server: SandboxServer) -> None:
    with Impostor(answer("200 OK")).running() as gateway:
        code, shown = on_a_terminal(server.kubeconfig(), "n\n", "sweep", "--pushgateway", gateway.url)
        declined = lines(gateway)
        on_a_terminal(server.kubeconfig(), "y\n", "sweep", "--pushgateway", gateway.url)

    assert (code, declined) == (0, []), shown
    assert [line.split()[0] for line in lines(gateway)] == [b"PUT"]


def test_a_migration_pushes_under_its_own_mode(server: SandboxServer) -> None:
    with Impostor(answer("200 OK")).running() as gateway:
        flags = ("--own-namespace", pushing.PLACE, "--no-leader-election", "--pushgateway", gateway.url)
        done = run("migrate", *flags, kubeconfig=server.kubeconfig())

    assert done.code == 0, done
    assert lines(gateway) == [b"PUT /metrics/job/gitjob-cleaner/dry_run/false/mode/migrate HTTP/1.1"]
    assert "run totals pushed" in done.err


def test_a_migration_that_is_refused_is_posted(server: SandboxServer) -> None:
    with Impostor(answer("200 OK")).running() as gateway:
        done = run("migrate", "--own-namespace", "nowhere", "--pushgateway", gateway.url, kubeconfig=server.kubeconfig())

    assert done.code == 2
    assert [line.split()[0] for line in lines(gateway)] == [b"POST"]


def test_a_run_that_a_signal_stops_is_no_success(server: SandboxServer) -> None:
    failed: list[seed.Outcome] = ["failed"] * 30
    stock(server, pushing.PLACE, *failed, name="many")
    with Impostor(answer("200 OK")).running() as gateway:
        flags = ("--delete-rate", "1", "--failed-keep", "0", "--pushgateway", gateway.url)
        process = subprocess.Popen(
            command("sweep", *flags), env=environment(server.kubeconfig()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        eventually(lambda: len(names_of(server, JOBS.format(pushing.PLACE))) < 33)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)

    assert (code, [line.split()[0] for line in lines(gateway)]) == (0, [b"POST"])
    assert names_of(server, JOBS.format(pushing.PLACE))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(answer("200 OK", b"OK"), ("ok", "it is ready"), id="ready"),
        pytest.param(answer("503 Busy", b"not yet"), ("warning", "it is not ready: HTTP 503: not yet"), id="not ready"),
        pytest.param(
            answer("200 OK", b"<html>"), ("warning", "it is not ready: what answered is no Pushgateway: <html>"), id="login page"
        ),
        pytest.param(None, ("warning", "it is not ready: no answer within 1s"), id="silent"),
    ],
)
@pytest.mark.parametrize("command", ["sweep", "migrate"])
def test_check_asks_whether_it_is_ready_and_pushes_nothing(
    server: SandboxServer, command: str, said: bytes | None, told: tuple[str, str]
) -> None:
    with Impostor(said).running() as gateway:
        done = check(server, command, "--pushgateway", gateway.url, "--pushgateway-timeout", "1s")

    assert lines(gateway) == [b"GET /-/ready HTTP/1.1"]
    assert pushgateway_of(done) == [told]


def test_check_of_a_command_that_pushes_nothing_asks_nobody(server: SandboxServer) -> None:
    with Impostor(answer("200 OK", b"OK")).running() as gateway:
        done = check(server, "run", "--pushgateway", gateway.url)

    assert (lines(gateway), pushgateway_of(done)) == ([], [])
