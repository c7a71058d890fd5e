"""What tests of every kind may use."""

import os
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# CI takes 15 minutes at most. Examples are drawn anew in each run, so that fewer of them are not fewer in the long run.
# How long an example takes says how busy the machine is.
settings.register_profile("ci", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


SLOW = (
    "test_region_histories",
    "test_deploying_regions",
    "test_histories",
    "test_page_in_browser",
    "test_regions",
    "test_faults",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest: at the end, they would run while the other workers have nothing to do."""

    def place(item: pytest.Item) -> int:
        return next((place for place, name in enumerate(SLOW) if f"/{name}.py" in item.nodeid), len(SLOW))

    items.sort(key=place)


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the environment and refuse sockets: for tests that need neither AWS nor its emulation."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a unit test opened a socket")

    for name in [name for name in os.environ if not name.startswith(("PYTEST", "COV", "TMP", "PATH", "HOME"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
