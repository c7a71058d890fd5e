"""What tests of every kind may use."""

import os
import socket
from typing import Any

import pytest
from hypothesis import settings

# CI takes 15 minutes at most. Examples are drawn anew in each run, so that fewer of them are not fewer in the long run.
settings.register_profile("ci", max_examples=50)
settings.load_profile("ci")


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the environment and refuse sockets: for tests that need neither AWS nor its emulation."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a unit test opened a socket")

    for name in [name for name in os.environ if not name.startswith(("PYTEST", "COV", "TMP", "PATH", "HOME"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
