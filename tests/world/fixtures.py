"""The world as pytest fixtures, for a conftest to import; the hook shows the servers' logs beside a failure."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.world import seed
from tests.world.control_plane import ControlPlane


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One API for all tests, GitRepos known and audit on; each test keeps to a Namespace of its own."""
    with ControlPlane(audit=True) as started:
        yield started.with_crd()


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A Namespace that no other test has seen."""
    return seed.namespace(control_plane)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the ends of the servers' logs under a test that failed."""
    report = yield
    if report.failed:
        used: dict[str, Any] = getattr(item, "funcargs", {})
        report.sections += [
            (f"logs of {name}", value.logs_tail()) for name, value in used.items() if isinstance(value, ControlPlane)
        ]
    return report
