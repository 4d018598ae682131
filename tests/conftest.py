"""What all tests share: one real API for the session, and nothing left behind by any test."""

import threading
import time
from collections.abc import Iterator

import hypothesis
import pytest

from tests.world.fixtures import control_plane, namespace, pytest_runtest_makereport

FOLDERS = ("image", "modes", "edge", "core", "ship")
"""From the folder whose files take the longest."""

__all__ = ["control_plane", "namespace", "pytest_runtest_makereport"]

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the files, the long ones go first, so that none of them works alone at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: FOLDERS.index(item.path.parent.name))


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        _join(thread)
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert left == []


def _join(thread: threading.Thread) -> None:
    """Wait for a thread, which may be about to be started by another one that lives longer, such as a server's."""
    for _ in range(500):
        try:
            return thread.join(5)
        except RuntimeError:
            time.sleep(0.01)
    raise TimeoutError(f"{thread.name} was made and never started")
