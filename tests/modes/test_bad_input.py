"""Bad input is answered in one line, with the right exit code, without a traceback, and without a secret."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.modes.running import Said, run
from tests.world.control_plane import ControlPlane
from tests.world.ports import free_ports

SECRET = "s3cr3t-t0k3n-0f-n0b0dy"

Case = Callable[[Path, ControlPlane], Said]


def kubeconfig(folder: Path, control_plane: ControlPlane, server: str | None = None) -> Path:
    """A kubeconfig with a token that the server does not know."""
    return control_plane.kubeconfig(folder / "kubeconfig", token=SECRET, server=server)


def flags(*given: str, **env: str) -> Case:
    """Run with a good kubeconfig but for its token."""
    return lambda folder, control_plane: run(*given, kubeconfig=kubeconfig(folder, control_plane), timeout=100, **env)


def with_file(text: str) -> Case:
    """Run with this file of settings."""

    def case(folder: Path, control_plane: ControlPlane) -> Said:
        path = folder / "settings.yaml"
        path.write_text(text)
        return run("sweep", "--config", str(path), kubeconfig=kubeconfig(folder, control_plane))

    return case


def unreachable(*given: str) -> Case:
    """Run against a port that nobody listens on."""

    def case(folder: Path, control_plane: ControlPlane) -> Said:
        (port,) = free_ports(1)
        return run(*given, kubeconfig=kubeconfig(folder, control_plane, server=f"https://127.0.0.1:{port}"))

    return case


def with_kubeconfig(text: str) -> Case:
    """Run with this kubeconfig."""

    def case(folder: Path, _: ControlPlane) -> Said:
        path = folder / "kubeconfig"
        path.write_text(text)
        return run("sweep", kubeconfig=path)

    return case


def no_kubeconfig(folder: Path, _: ControlPlane) -> Said:
    """Run where no kubeconfig is to be found."""
    return run("sweep", HOME=str(folder))


def untrusted(folder: Path, control_plane: ControlPlane) -> Said:
    """Run against a server whose certificate nobody vouches for."""
    path = kubeconfig(folder, control_plane)
    config = json.loads(path.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority"]
    path.write_text(json.dumps(config))
    return run("explain", "a/b", kubeconfig=path)


CASES = [
    pytest.param(flags("sweep", "--failed-age", "-5m"), 2, "--failed-age", id="a negative age"),
    pytest.param(flags("sweep", "--failed-age=-5m"), 2, "--failed-age", id="a negative age after ="),
    pytest.param(flags("sweep", "--failed-age", "72"), 2, "--failed-age", id="an age without a unit"),
    pytest.param(
        flags("sweep", GITJOB_CLEANER_FAILED_AGE="-5m"), 2, "GITJOB_CLEANER_FAILED_AGE", id="a negative age in the environment"
    ),
    pytest.param(with_file("failed_age: -5m"), 2, "failed_age", id="a negative age in the file"),
    pytest.param(with_file("failed_aeg: 5m"), 2, "did you mean failed_age?", id="an unknown key in the file"),
    pytest.param(with_file("failed_age: 5m\nfailed_age: 6m"), 2, "failed_age", id="a key that stands twice"),
    pytest.param(with_file("failed_age: ["), 2, "settings.yaml", id="a file that is no YAML"),
    pytest.param(with_file("- a"), 2, "settings.yaml", id="a file that is a list"),
    pytest.param(flags("sweep", "--config", "/no/such/file"), 2, "/no/such/file", id="a file that is not there"),
    pytest.param(
        flags("sweep", GITJOB_CLEANER_FAILED_AEG="5m"), 2, "GITJOB_CLEANER_FAILED_AEG", id="an unknown name in the environment"
    ),
    pytest.param(flags("sweep", "--exclude-namespaces", "team-{a,b}"), 2, "--exclude-namespaces", id="a bad glob"),
    pytest.param(flags("sweep", "--namespaces", "Team A"), 2, "--namespaces", id="a bad name of a Namespace"),
    pytest.param(flags("sweep", "--selector", "a==b==c"), 2, "--selector", id="a bad selector"),
    pytest.param(flags("sweep", "--current", "some"), 2, "--current", id="an unknown policy"),
    pytest.param(flags("sweep", "--delete-workers", "0"), 2, "delete_workers", id="no workers"),
    pytest.param(flags("sweep", "--max-deletions", "many"), 2, "--max-deletions", id="a count that is none"),
    pytest.param(
        flags("sweep", GITJOB_CLEANER_INTERVAL="0"), 2, "GITJOB_CLEANER_INTERVAL: '0' is not a time", id="an interval of nothing"
    ),
    pytest.param(
        flags("sweep", GITJOB_CLEANER_LEASE_DURATION="1s"),
        2,
        "GITJOB_CLEANER_LEASE_DURATION: '1s' is not",
        id="a Lease that is too short",
    ),
    pytest.param(
        flags("sweep", GITJOB_CLEANER_LISTEN="8080"),
        2,
        "GITJOB_CLEANER_LISTEN: '8080' is not an address",
        id="an address that is a port",
    ),
    pytest.param(with_file("listen: 8080"), 2, "listen: '8080' is not an address", id="an address that is a port, in the file"),
    pytest.param(
        flags("sweep", GITJOB_CLEANER_LISTEN="::1:80"), 2, "GITJOB_CLEANER_LISTEN", id="an address of IPv6 without brackets"
    ),
    pytest.param(flags("sweep", "--log-format", "xml"), 2, "--log-format", id="an unknown form of the log"),
    pytest.param(flags("sweep", GITJOB_CLEANER_LEADER_ELECTION="auto"), 2, "true or false", id="an election that is no truth"),
    pytest.param(flags("sweep", "--no-such-flag"), 2, "--no-such-flag", id="an unknown flag"),
    pytest.param(flags("swep"), 2, "swep", id="an unknown command"),
    pytest.param(flags(), 2, "COMMAND", id="no command"),
    pytest.param(flags("explain"), 2, "GITREPO", id="no GitRepo"),
    pytest.param(flags("sweep", "--context", "no-such-context"), 2, "no-such-context", id="a kubeconfig without the context"),
    pytest.param(no_kubeconfig, 2, "kubeconfig", id="no kubeconfig at all"),
    pytest.param(with_kubeconfig("clusters: ["), 2, "kubeconfig", id="a kubeconfig that is no YAML"),
    pytest.param(with_kubeconfig(""), 2, "kubeconfig", id="an empty kubeconfig"),
    pytest.param(unreachable("sweep"), 4, "refused", id="an unreachable server"),
    pytest.param(unreachable("sweep", "--output", "json"), 4, "refused", id="an unreachable server, as JSON"),
    pytest.param(unreachable("explain", "a/b"), 4, "refused", id="an unreachable server, explain"),
    pytest.param(untrusted, 4, "CERTIFICATE", id="a server whose certificate is not trusted"),
    pytest.param(flags("sweep"), 3, "401", id="an expired token"),
    pytest.param(flags("explain", "a/b"), 3, "401", id="an expired token, explain"),
]


@pytest.mark.parametrize(("case", "code", "named"), CASES)
def test_bad_input_is_answered_in_one_line(
    control_plane: ControlPlane, tmp_path: Path, case: Case, code: int, named: str
) -> None:
    said = case(tmp_path, control_plane)

    assert said.code == code
    assert len(said.err.splitlines()) == 1
    assert named.lower() in said.err.lower()
    assert "Traceback" not in said.err + said.out
    assert SECRET not in said.err + said.out


def test_a_gitrepo_that_does_not_exist_is_one_line(control_plane: ControlPlane, namespace: str) -> None:
    said = run("explain", f"{namespace}/nobody", kubeconfig=control_plane.kubeconfig())

    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [f"gitjob-cleaner: there is no GitRepo {namespace}/nobody"]


def test_every_bad_field_has_a_line_of_its_own(control_plane: ControlPlane, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("settle: soon\nnonsense: 1\n")

    said = run(
        "sweep",
        "--config",
        str(path),
        "--failed-age=-1h",
        kubeconfig=kubeconfig(tmp_path, control_plane),
        GITJOB_CLEANER_CURRENT="x",
    )

    assert said.code == 2
    assert len(said.err.splitlines()) == 4
    for name in (f"{path}: settle", f"{path}: nonsense", "--failed-age", "GITJOB_CLEANER_CURRENT"):
        assert [line for line in said.err.splitlines() if name in line]


def test_the_debug_log_tells_no_secret(control_plane: ControlPlane, tmp_path: Path) -> None:
    said = run("sweep", "--log-level", "debug", kubeconfig=kubeconfig(tmp_path, control_plane))

    assert said.code == 3
    assert SECRET not in said.err + said.out
