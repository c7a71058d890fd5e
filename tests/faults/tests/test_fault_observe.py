"""Runs are at rest when nothing is at work and no event will be sent again; not a moment before."""

from typing import Any

import pytest

from tests.faults import observe

ARN, TRIES = "arn", 3


class Emulator:
    """Answers about an event's three tries; time passes with each question."""

    def __init__(self, begins: int) -> None:
        self.asked, self.begins, self.ends = 0, begins, begins + 3
        """The questions after which the third try begins and has ended."""

    def at_work(self) -> dict[str, Any]:
        self.asked += 1
        return {"functions": ["CleanUp"] if self.begins <= self.asked < self.ends else [], "held_calls": 0, "executions": []}

    def invocations(self) -> list[dict[str, Any]]:
        self.asked += 1
        failed = {"function": "CleanUpFunction", "execution": ARN, "error": "StillCreatingError"}
        return [failed, failed, *([failed | {"error": ""}] if self.asked >= self.begins else [])]


@pytest.mark.parametrize("begins", range(3, 12))
def test_the_last_try_of_an_event_is_waited_for_whenever_it_begins(begins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator(begins)
    monkeypatch.setattr(observe, "FaultControl", lambda _: emulator)
    monkeypatch.setattr("time.sleep", lambda _: None)
    exporter: Any = None
    assert observe.come_to_rest(exporter, [ARN])
    assert emulator.asked >= emulator.ends
