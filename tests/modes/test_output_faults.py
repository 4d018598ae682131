"""Standard output that nobody reads, that is full, or that knows ASCII only, and an API that talks in escape sequences."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.edge.faults import refusal, stock
from tests.edge.servers import JOBS, names_of
from tests.modes.running import Said, command, environment, run
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Proxy

FLEET = ("--fleet-version", "v0.16.1")
ESCAPES = "\x1b]0;owned\x07 \x9b31m \x1b[2J\r\nFAKE LINE \u202e"


@contextlib.contextmanager
def _closed_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@contextlib.contextmanager
def _full_disk() -> Iterator[int]:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        yield full
    finally:
        os.close(full)


Stdout = Callable[[], contextlib.AbstractContextManager[int]]
STDOUTS = [pytest.param(_closed_pipe, id="nobody reads"), pytest.param(_full_disk, id="the disk is full")]


def into(stdout: int, kubeconfig: Path, *arguments: str) -> Said:
    """Run with this standard output; there is nothing to be read from it."""
    done = subprocess.run(
        command(*arguments),
        env=environment(kubeconfig),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
        check=False,
    )
    return Said(done.returncode, "", done.stderr)


@pytest.mark.parametrize("stdout", STDOUTS)
@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize(("cap", "code"), [("0", 0), ("5", 1)])
def test_a_sweep_that_cannot_tell_its_report_exits_as_it_would_have(
    control_plane: ControlPlane,
    namespace: str,
    stdout: Stdout,
    output: str,
    cap: str,
    code: int,
) -> None:
    """A hundred Jobs: more than the buffers hold, so that writing fails in the midst of it and not only at the end."""
    stock(control_plane, namespace, 121)
    flags = ("--namespaces", namespace, *FLEET, "--delete-rate", "0", "--max-deletions", cap, "--output", output)

    with stdout() as descriptor:
        said = into(descriptor, control_plane.kubeconfig(), "sweep", *flags)

    assert said.code == code
    assert len(names_of(control_plane, JOBS.format(namespace))) == (1 if cap == "0" else 116)
    assert "Traceback" not in said.err
    assert "Exception ignored" not in said.err
    assert said.err.count("the report could not be written") == 1


@pytest.mark.parametrize("stdout", STDOUTS)
@pytest.mark.parametrize("output", ["table", "json"])
def test_an_explanation_that_nobody_reads_is_no_traceback(
    control_plane: ControlPlane, namespace: str, stdout: Stdout, output: str
) -> None:
    stock(control_plane, namespace, 121)

    with stdout() as descriptor:
        said = into(descriptor, control_plane.kubeconfig(), "explain", f"{namespace}/shop", *FLEET, "--output", output)

    assert said.code == 0
    assert "Traceback" not in said.err
    assert "Exception ignored" not in said.err


@pytest.mark.parametrize("words", [("sweep", "--namespaces"), ("explain", "shop", "--namespaces")])
def test_a_standard_output_that_knows_ascii_only_gets_the_report_all_the_same(
    control_plane: ControlPlane, namespace: str, words: tuple[str, ...]
) -> None:
    names = stock(control_plane, namespace, 4)

    said = run(*words, namespace, *FLEET, kubeconfig=control_plane.kubeconfig(), PYTHONIOENCODING="ascii")

    assert (said.code, said.err) == (0, "")
    assert said.out.isascii()
    assert names[0] in said.out


def one_printable_line(text: str) -> bool:
    """Whether a text is one line that no terminal obeys."""
    return text.endswith("\n") and text[:-1].isprintable()


@pytest.mark.parametrize(("status", "code"), [(403, 3), (404, 3), (500, 4)])
@pytest.mark.parametrize("words", [("explain", "shop"), ("sweep",)])
def test_what_the_api_says_in_escape_sequences_reaches_standard_error_without_them(
    control_plane: ControlPlane, namespace: str, words: tuple[str, ...], status: int, code: int
) -> None:
    answer = refusal(status, "NotFound" if status == 404 else "Forbidden", ESCAPES)

    with Proxy(control_plane, lambda _: answer) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        said = run(*words, "--namespaces", namespace, *FLEET, kubeconfig=kubeconfig)

    assert said.code == code
    assert one_printable_line(said.err)
    assert all(character == "\n" or character.isprintable() for character in said.out)
    assert not [line for line in said.out.splitlines() if line.startswith("FAKE LINE")]


def test_the_document_has_no_raw_control_characters_and_tells_them_all_the_same(
    control_plane: ControlPlane, namespace: str
) -> None:
    """JSON lets U+009B pass, which a terminal obeys as it obeys an escape sequence."""
    commit = "".join(map(chr, [*range(0x80, 0xA0), 0x1B, 0x7, 0x7F, 0xE9]))
    repo = seed.gitrepo(namespace, "shop")
    (owner,) = seed.put(control_plane, [repo])
    job = seed.job(owner, seed.sha("old"), "failed", finished=seed.ago(hours=100))
    job.object["metadata"]["annotations"]["commit"] = commit
    seed.bulk(control_plane, [job])

    for words in (("sweep", "--dry-run", "--namespaces", namespace), ("explain", f"{namespace}/shop")):
        said = run(*words, "--output", "json", *FLEET, kubeconfig=control_plane.kubeconfig())

        assert [line["commit"] for line in json.loads(said.out)["jobs"]] == [commit]
        assert not {hex(ord(c)) for c in said.out if c != "\n" and (ord(c) < 0x20 or 0x80 <= ord(c) < 0xA0)}


def test_the_log_has_no_raw_control_characters(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 2)

    with Proxy(control_plane, lambda r: refusal(403, "Forbidden", ESCAPES) if r.method == "DELETE" else None) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        said = run("sweep", "--namespaces", namespace, *FLEET, "--log-level", "debug", kubeconfig=kubeconfig)

    assert said.code == 1
    assert said.err.splitlines()
    assert all(character == "\n" or character.isprintable() for character in said.err + said.out)
    assert all(json.loads(line) for line in said.err.splitlines())
