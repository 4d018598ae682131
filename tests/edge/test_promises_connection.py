"""Where requests go and as whom: never to another cluster, and never with a word of the credentials in any output."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.result import exit_code
from tests.edge.faults import is_delete, jobs_list, refusal, stock
from tests.edge.passes import Passed, sweep
from tests.edge.servers import JOBS, names_of
from tests.modes.running import run
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.proxy import Answer, Before, Fault, Proxy, Request

PASSWORD = "hunter2-of-nobody"
SECRET = "s3cr3t-t0k3n-0f-n0b0dy"


@pytest.fixture
def other(control_plane: ControlPlane) -> Iterator[Proxy]:
    """The server of another cluster."""
    with Proxy(control_plane) as proxy:
        yield proxy


def use_other_context(config: Any, other: Proxy) -> None:
    """Somebody switches to another context in another terminal."""
    config["current-context"] = "other"
    assert other.url in json.dumps(config)


def move_context(config: Any, other: Proxy) -> None:
    """Somebody gives the context another server."""
    config["clusters"][0]["cluster"]["server"] = other.url


def swept_while(control_plane: ControlPlane, namespace: str, other: Proxy, change: Any) -> tuple[Passed, Proxy]:
    """A pass whose first DELETE, or first list of Jobs, is answered 401 just after the kubeconfig has changed."""

    def rule(request: Request) -> Fault | None:
        if is_delete(request) and not changed:
            changed.append(True)
            change(config, other)
            kubeconfig.write_text(json.dumps(config))
            return refusal(401, "Unauthorized")
        return None

    changed: list[bool] = []
    with Proxy(control_plane, rule) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        config = json.loads(kubeconfig.read_text())
        ca = config["clusters"][0]["cluster"]["certificate-authority"]
        config["clusters"].append({"name": "other", "cluster": {"server": other.url, "certificate-authority": ca}})
        config["contexts"].append({"name": "other", "context": {"cluster": "other", "user": "world"}})
        kubeconfig.write_text(json.dumps(config))
        return sweep(kubeconfig, namespace, delete_workers=1), proxy


def test_a_current_context_that_changes_meanwhile_sends_nothing_to_the_other_cluster(
    control_plane: ControlPlane, namespace: str, other: Proxy
) -> None:
    names = stock(control_plane, namespace, 4)

    passed, proxy = swept_while(control_plane, namespace, other, use_other_context)

    assert other.seen == []
    assert passed.of("deleted") == set(names[:3])
    assert [seen.status for seen in proxy.seen if is_delete(seen.request)] == [401, 200, 200, 200]


def test_a_context_that_moves_to_another_server_sends_nothing_there(
    control_plane: ControlPlane, namespace: str, other: Proxy
) -> None:
    names = stock(control_plane, namespace, 4)

    passed, _ = swept_while(control_plane, namespace, other, move_context)

    assert other.seen == []
    assert names[0] in names_of(control_plane, JOBS.format(namespace))
    assert exit_code(passed.result) == 1


def with_token_file(control_plane: ControlPlane, folder: Path, token: bytes) -> Path:
    """A kubeconfig whose token stands in a file."""
    path = control_plane.kubeconfig(folder / "kubeconfig")
    (folder / "token").write_bytes(token)
    config = json.loads(path.read_text())
    config["users"][0]["user"] = {"tokenFile": str(folder / "token")}
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n\n"])
def test_a_token_file_may_end_with_a_newline(control_plane: ControlPlane, namespace: str, tmp_path: Path, ending: str) -> None:
    names = stock(control_plane, namespace, 2)

    passed = sweep(with_token_file(control_plane, tmp_path, (ADMIN + ending).encode()), namespace)

    assert (passed.of("deleted"), exit_code(passed.result)) == ({names[0]}, 0)


BAD_TOKENS = [
    pytest.param(f"{SECRET}\n{SECRET}\n".encode(), id="a newline inside"),
    pytest.param(f"{SECRET}\x00".encode(), id="a zero byte"),
    pytest.param(f"{SECRET}é".encode(), id="not ASCII"),
    pytest.param(f"{SECRET}\u20ac".encode(), id="not Latin-1"),
    pytest.param(SECRET.encode() + b"\xff", id="no text at all"),
]


@pytest.mark.parametrize("token", BAD_TOKENS)
@pytest.mark.parametrize("command", [("sweep",), ("explain", "a/b")])
def test_a_token_that_no_header_can_hold_is_one_line_without_it(
    control_plane: ControlPlane, tmp_path: Path, token: bytes, command: tuple[str, ...]
) -> None:
    said = run(*command, "--log-level", "debug", kubeconfig=with_token_file(control_plane, tmp_path, token))

    assert said.code in (2, 3, 4)
    assert (said.out.count("Traceback"), said.err.count("Traceback")) == (0, 0)
    assert SECRET not in said.out + said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("command", ["sweep", "explain"])
def test_a_password_in_the_servers_url_shows_nowhere(
    control_plane: ControlPlane, namespace: str, command: str, output: str
) -> None:
    stock(control_plane, namespace, 2)
    url = control_plane.url.replace("://", f"://admin:{PASSWORD}@")
    more = ("--dry-run", "--namespaces", namespace) if command == "sweep" else (f"{namespace}/shop",)
    kubeconfig = control_plane.kubeconfig(server=url)

    said = run(command, *more, "--output", output, "--log-level", "debug", kubeconfig=kubeconfig)

    assert said.code == 0
    assert PASSWORD not in said.out + said.err
    assert control_plane.url in said.out


NOWHERE = ["https://admin:{}@127.0.0.1:1", "https://admin:{}@127.0.0.1:99999", "admin:{}@[::1", "https://admin:{}@[::1"]


@pytest.mark.parametrize("server", NOWHERE)
def test_a_password_in_a_url_that_leads_nowhere_shows_nowhere(control_plane: ControlPlane, server: str) -> None:
    kubeconfig = control_plane.kubeconfig(server=server.format(PASSWORD))

    said = run("sweep", "--output", "json", "--log-level", "debug", kubeconfig=kubeconfig)

    assert said.code in (2, 4)
    assert "Traceback" not in said.err
    assert PASSWORD not in said.out + said.err


@pytest.mark.parametrize("depth", [2_000, 50_000])
def test_a_page_nested_beyond_reason_is_an_error_of_the_cluster_and_no_crash(
    control_plane: ControlPlane, namespace: str, depth: int
) -> None:
    names = stock(control_plane, namespace, 4)
    nested = b'{"metadata":{},"items":[{"spec":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}]}"

    with Proxy(control_plane, lambda request: Answer(200, nested) if jobs_list(request, namespace) else None) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    assert names_of(control_plane, JOBS.format(namespace)) == set(names)
    assert passed.fates() == {}
    assert passed.result.unreadable or passed.result.refused


def test_a_credential_that_goes_bad_while_deleting_costs_jobs_and_no_crash(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """A rotated token file is read again after a 401; if it is garbage by then, nothing of it is sent or shown."""
    names = stock(control_plane, namespace, 4)
    with Proxy(control_plane) as proxy:
        kubeconfig = with_token_file(control_plane, tmp_path, ADMIN.encode())
        kubeconfig.write_text(kubeconfig.read_text().replace(control_plane.url, proxy.url))
        spoil = Before(lambda: (tmp_path / "token").write_bytes(f"{SECRET}\n{SECRET}".encode()))
        answers: list[Fault] = [refusal(401, "Unauthorized")]

        def rule(request: Request) -> Fault | None:
            if not is_delete(request) or not answers:
                return None
            spoil.act()
            return answers.pop()

        proxy.rule = rule
        passed = sweep(kubeconfig, namespace, delete_workers=1)

    assert names_of(control_plane, JOBS.format(namespace)) == set(names)
    assert all(SECRET not in deletion.detail for deletion in passed.result.deletions.values())
    assert exit_code(passed.result) == 1
