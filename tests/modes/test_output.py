"""What a person sees: a question on a terminal, plain lines elsewhere, and nothing that a tenant could forge."""

import signal

import pytest

from tests.edge.faults import stock
from tests.edge.servers import GITREPOS, JOBS, names_of, patch
from tests.modes.running import run
from tests.modes.terminal import on_a_terminal, plain
from tests.world import seed
from tests.world.control_plane import ControlPlane

FLEET = ("--fleet-version", "v0.16.1")
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nFAKE LINE\x9b31m\u202e"


def living(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(control_plane, JOBS.format(namespace))


def sweep(control_plane: ControlPlane, namespace: str, answer: str | signal.Signals, *flags: str) -> tuple[int, str]:
    """A sweep on a terminal."""
    code, shown = on_a_terminal(control_plane.kubeconfig(), answer, "sweep", "--namespaces", namespace, *FLEET, *flags)
    return code, plain(shown)


def test_without_a_terminal_the_table_is_plain_lines_and_nothing_is_asked(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)

    said = run("sweep", "--namespaces", namespace, *FLEET, kubeconfig=control_plane.kubeconfig())

    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert "context world" in lines[0]
    assert control_plane.url in lines[0]
    assert "\x1b" not in said.out
    assert [line.split()[:1] for line in lines if line.startswith(f"{namespace}/shop-")] == [
        [f"{namespace}/{name}"] for name in names[:3]
    ]
    assert "3 deleted, 1 kept" in lines[-1]


@pytest.mark.parametrize("answer", ["n\n", "\n", "yess\n", "\x04", signal.SIGINT])
def test_on_a_terminal_anything_but_yes_deletes_nothing(
    control_plane: ControlPlane, namespace: str, answer: str | signal.Signals
) -> None:
    names = stock(control_plane, namespace, 4)

    code, shown = sweep(control_plane, namespace, answer)

    assert shown.count(f"Delete 3 Jobs in context world ({control_plane.url})?") == 1
    assert living(control_plane, namespace) == set(names)
    assert code == 0


def test_on_a_terminal_yes_deletes(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)

    code, shown = sweep(control_plane, namespace, "y\n")

    assert shown.count("[y/N]") == 1
    assert (code, living(control_plane, namespace)) == (0, {names[3]})


@pytest.mark.parametrize(("flag", "left"), [("--yes", 1), ("--dry-run", 4)])
def test_nothing_is_asked_with_yes_or_in_a_dry_run(control_plane: ControlPlane, namespace: str, flag: str, left: int) -> None:
    stock(control_plane, namespace, 4)

    code, shown = sweep(control_plane, namespace, "n\n", flag)

    assert "[y/N]" not in shown
    assert (code, len(living(control_plane, namespace))) == (0, left)


def test_where_nothing_is_due_nothing_is_asked(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 1)

    code, shown = sweep(control_plane, namespace, "n\n")

    assert ("[y/N]" in shown, code) == (False, 0)


@pytest.fixture
def hostile(control_plane: ControlPlane, namespace: str) -> str:
    """A GitRepo and Jobs whose every free text is an attack on a terminal."""
    repo = seed.gitrepo(namespace, "shop")
    (owner,) = seed.put(control_plane, [repo])
    old = seed.commits(repo, 4)
    jobs = [seed.job(owner, c, "failed", finished=seed.ago(hours=100 + n)) for n, c in enumerate(old)]
    jobs[0].object["metadata"]["annotations"]["commit"] = HOSTILE
    jobs[1].object["metadata"]["annotations"]["gitjob-cleaner/failed-age"] = HOSTILE
    jobs[2].object["metadata"]["annotations"][f"gitjob-cleaner/{'x' * 9}"] = HOSTILE
    jobs[3].status["conditions"][-1]["message"] = HOSTILE
    seed.bulk(control_plane, jobs)
    status = {"status": {"conditions": [{"type": "Stalled", "status": "True", "message": HOSTILE}], "commit": HOSTILE}}
    answer = control_plane.request(
        "PATCH", f"{GITREPOS.format(namespace)}/shop/status", status, content_type="application/merge-patch+json"
    )
    assert answer[0] == 200
    patch(control_plane, f"{GITREPOS.format(namespace)}/shop", {"metadata": {"annotations": {"note": HOSTILE}}})
    return namespace


@pytest.mark.parametrize("command", [("sweep", "--dry-run", "--namespaces"), ("explain", "shop", "--namespaces")])
@pytest.mark.parametrize("annotated", [True, False])
def test_no_control_character_of_a_tenant_reaches_the_table(
    control_plane: ControlPlane, hostile: str, command: tuple[str, ...], *, annotated: bool
) -> None:
    if annotated:
        body = {"metadata": {"annotations": {"gitjob-cleaner/failed-age": HOSTILE}}}
        patch(control_plane, f"{GITREPOS.format(hostile)}/shop", body)

    said = run(*command, hostile, *FLEET, "--log-level", "debug", kubeconfig=control_plane.kubeconfig())

    assert said.code == 0
    assert all(character == "\n" or character.isprintable() for character in said.out + said.err)
    assert not [line for line in said.out.splitlines() if line.startswith("FAKE LINE")]


def test_no_control_character_of_a_tenant_reaches_a_terminal(control_plane: ControlPlane, hostile: str) -> None:
    _, shown = on_a_terminal(control_plane.kubeconfig(), "n\n", "explain", f"{hostile}/shop", *FLEET)

    assert "\x1b[2J" not in shown
    assert "\x1b]0;" not in shown
    assert "\x9b" not in shown
    assert "\u202e" not in shown
