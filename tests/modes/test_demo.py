"""`demo`: a newcomer sees a world being cleaned, and can look at the same world from a second terminal."""

import json
import os
import pty
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.modes.running import command, environment, run


@pytest.fixture(scope="module")
def second_terminal() -> Iterator[dict[str, str]]:
    """The environment that a running demo tells its user to paste."""
    started = subprocess.Popen(command("demo"), env=environment(), stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    exports: dict[str, str] = {}
    for line in started.stdout:
        if found := re.fullmatch(r'\s*export (\w+)="?([^"\n]*)"?\n', line):
            exports[found[1]] = found[2]
        if line.startswith("sweep 2:"):
            break
    yield {name: path for name, path in exports.items() if name != "PATH"}
    started.send_signal(signal.SIGTERM)
    assert started.wait(30) == 0
    assert " deleted " in started.stdout.read().splitlines()[-1]
    started.stdout.close()


def test_it_ends_by_itself_with_a_summary() -> None:
    said = run("demo", "--for", "6s")

    assert (said.code, said.err) == (0, "")
    deleted = re.search(r"(\d+) sweeps? deleted (\d+) Jobs .*, 0 deletions failed\.\n$", said.out)
    assert deleted is not None
    assert int(deleted[1]) >= 1
    assert int(deleted[2]) >= 10


def test_it_shows_what_is_kept_and_that_the_protected_stay() -> None:
    said = run("demo", "--for", "4s")

    assert "protected" in said.out
    assert "current" in said.out
    assert "deleted fleet-default/payments-" not in said.out


def test_sweep_and_explain_from_a_second_terminal_agree(second_terminal: dict[str, str]) -> None:
    """Each time of asking the world has gone on, so the two are held together by what time does not change."""
    swept = run(
        "sweep",
        "--dry-run",
        "--output",
        "json",
        kubeconfig=Path(second_terminal["KUBECONFIG"]),
        GITJOB_CLEANER_CONFIG=second_terminal["GITJOB_CLEANER_CONFIG"],
    ).document
    explained = run(
        "explain",
        "payments",
        "--output",
        "json",
        kubeconfig=Path(second_terminal["KUBECONFIG"]),
        GITJOB_CLEANER_CONFIG=second_terminal["GITJOB_CLEANER_CONFIG"],
    ).document

    assert (swept["exit_code"], swept["fleet"]["version"]) == (0, "0.12.4")
    ours = {line["name"]: line["reason"] for line in swept["jobs"] if line["gitrepo"] == "payments"}
    theirs = {line["name"]: line["reason"] for line in explained["jobs"]}
    both = {name for name in ours.keys() & theirs.keys() if "running" not in (ours[name], theirs[name])}
    assert len(both) >= 5
    assert {ours[name] for name in both} == {theirs[name] for name in both} == {"protected"}


def test_a_dry_run_from_a_second_terminal_deletes_nothing(second_terminal: dict[str, str]) -> None:
    document = run(
        "sweep",
        "--dry-run",
        "--output",
        "json",
        kubeconfig=Path(second_terminal["KUBECONFIG"]),
        GITJOB_CLEANER_CONFIG=second_terminal["GITJOB_CLEANER_CONFIG"],
    ).document

    assert "deleted" not in document["totals"]["results"]


def test_kubectls_list_of_jobs_is_served(second_terminal: dict[str, str]) -> None:
    server = json.loads(Path(second_terminal["KUBECONFIG"]).read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
    request = urllib.request.Request(
        f"{server}/apis/batch/v1/jobs", headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        table = json.load(answer)

    assert [column["name"] for column in table["columnDefinitions"]][:2] == ["Name", "Status"]
    assert len(table["rows"]) >= 10


def test_on_a_terminal_it_draws_a_live_table() -> None:
    parent, child = pty.openpty()
    started = subprocess.Popen(command("demo", "--for", "5s"), env=environment(TERM="xterm-256color"), stdout=child, stdin=child)
    os.close(child)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            shown += os.read(parent, 65536)
        except OSError:  # the other end is gone
            break
    os.close(parent)

    assert started.wait(30) == 0
    assert b"KEPT BECAUSE" in shown
    assert b"DELETED" in shown


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        pytest.param(
            ("--for", "soon"),
            "argument --for: 'soon' is not a duration like 72h, 10m or 1h30m (see gitjob-cleaner demo --help)",
            id="duration",
        ),
        pytest.param(("--port", "x"), "--port: 'x' is not a port from 0 (a free one) to 65535", id="port"),
    ],
)
def test_bad_flags_get_one_line(flags: tuple[str, ...], line: str) -> None:
    said = run("demo", *flags)

    assert (said.code, said.out, said.err) == (2, "", f"gitjob-cleaner: {line}\n")
