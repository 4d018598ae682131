"""What real Fleets left behind, put into a real API as it was recorded: which Jobs survive a sweep, and why."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.edge.servers import JOBS, names_of
from tests.modes.running import run
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.seed import Made


class Recorded(NamedTuple):
    """Recorded GitRepos and Jobs of one Fleet, the Fleet that runs now, and the reason for each Job."""

    version: str
    gitrepos: tuple[str, ...]
    jobs: tuple[str, ...]
    reasons: dict[str, str]
    fleet: str = ""


OLD = ("failed-current", "failed-old", "running", "succeeded-current", "succeeded-old")
OLD_REASONS = {"slow-a-0b64f": "running", "bad-b-54224": "current", "good-a-4b291": "current", "good-c-009e2": "not-owned"}
CASES = [
    pytest.param(
        Recorded("v0.10.2", ("failed", "healthy", "running"), OLD, OLD_REASONS | {"bad-b-2db48": "asleep"}), id="Fleet 0.10.2"
    ),
    pytest.param(
        Recorded("v0.10.2", ("failed", "healthy", "running"), OLD, OLD_REASONS | {"bad-b-2db48": "superseded"}, "v0.16.1"),
        id="Fleet 0.10.2, upgraded",
    ),
    pytest.param(
        Recorded(
            "v0.10.4",
            ("failed", "healthy-with-job", "running", "unsettled-legacy-blocked"),
            ("failed-current", "failed-current-legacy-unlabelled", "failed-old", "running", "succeeded-current"),
            {
                "bad-b-54224": "current",
                "bad-a-9543c": "current",
                "bad-d-8e415": "not-owned",
                "slow-b-c1383": "running",
                "good-d-cccce": "current",
            },
        ),
        id="Fleet 0.10.4",
    ),
    pytest.param(
        Recorded(
            "v0.14.10",
            ("failed", "healthy", "running"),
            ("failed-current", "running", "succeeded-current"),
            {"bad-n-1d440": "not-owned", "slow-a-48558": "running", "good-n-29fc6": "not-owned"},
        ),
        id="Fleet 0.14.10",
    ),
    pytest.param(
        Recorded(
            "v0.16.1",
            ("failed", "healthy", "running"),
            ("failed-current", "failed-old", "failed-current-legacy-unlabelled", "running", "succeeded-current"),
            {
                "bad-a-9cf72": "current",
                "bad-a-9c062": "superseded",
                "bad-a-8243c": "not-owned",
                "slow-a-6e336": "running",
                "good-a-f51e1": "current",
            },
        ),
        id="Fleet 0.16.1",
    ),
    pytest.param(
        Recorded(
            "v0.16.1",
            ("failed", "healthy"),
            ("transitional-FailureTarget-only", "transitional-SuccessCriteriaMet-only", "failed-old"),
            {"bad-a-9cf72": "running", "good-a-f51e1": "running", "bad-a-9c062": "superseded"},
        ),
        id="Fleet 0.16.1, about to end",
    ),
    pytest.param(
        Recorded(
            "v0.16.1",
            ("unsettled-force-sync",),
            ("failed-current", "failed-old"),
            {"bad-a-9cf72": "superseded", "bad-a-9c062": "current"},
        ),
        id="Fleet 0.16.1, another repo and unsettled",
    ),
    pytest.param(
        Recorded(
            "v0.16.1",
            ("unsettled-legacy-blocked",),
            ("failed-current-legacy-unlabelled", "failed-old"),
            {"bad-a-8243c": "current", "bad-a-9c062": "not-owned"},
        ),
        id="Fleet 0.16.1, blocked by a legacy Job",
    ),
]


def moved(fixture: str, namespace: str) -> Made:
    """A recorded object, in another Namespace and else as it was."""
    recorded = seed.fixture(fixture)
    recorded["metadata"]["namespace"] = namespace
    return Made(recorded, recorded["status"])


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> Path:
    """As an administrator."""
    return control_plane.kubeconfig()


@pytest.mark.parametrize("recorded", CASES)
def test_what_a_real_fleet_left_is_judged_as_it_stands(
    control_plane: ControlPlane, namespace: str, kubeconfig: Path, recorded: Recorded
) -> None:
    for name in recorded.gitrepos:
        seed.place(control_plane, moved(f"{recorded.version}/gitrepo-{name}.json", namespace))
    seed.bulk(control_plane, [moved(f"{recorded.version}/jobs-{name}.json", namespace) for name in recorded.jobs])

    fleet = recorded.fleet or recorded.version
    flags = ("--namespaces", namespace, "--failed-keep", "0", "--failed-age", "1h", "--fleet-version", fleet)
    said = run("sweep", "--output", "json", *flags, kubeconfig=kubeconfig)

    assert {line["name"]: line["reason"] for line in said.document["jobs"]} == recorded.reasons
    survivors = {name for name, reason in recorded.reasons.items() if reason != "superseded"}
    assert names_of(control_plane, JOBS.format(namespace)) == survivors
    assert said.code == 0
