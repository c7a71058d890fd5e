"""Histories are the same for the same seed, hold everything that can happen, and are made shorter when they fail."""

from collections import Counter
from typing import Any, cast

import pytest

from tests.contract.parts import STATES as OF_THE_MACHINE
from tests.faults.histories import OUTLIVING, STATES, Result, drawn, made_shorter, numbered
from tests.faults.load import tau
from tests.faults.model import HOWS, RUNS, History

ENOUGH = 80


def test_a_seed_and_a_number_give_the_same_history_whatever_else_is_drawn() -> None:
    first = drawn(5, 3)
    assert [str(drawn(5, number)) for number in range(3)] != [str(first)] * 3
    assert str(drawn(5, 3)) == str(numbered("5.3")) == str(numbered(str(first))) == str(first)
    assert str(drawn(6, 3)) != str(first)


def test_everything_that_can_happen_does_and_runs_are_one_to_six() -> None:
    histories = [drawn(7, number) for number in range(ENOUGH)]
    happened = Counter(event.what for history in histories for event in history.events)
    assert set(happened) == {
        "start", "stop", "outlive", "time-out", "clean-up", "hourly_cleanup", "lose", "send", "expire", "pause",
        "external", "leaves", "hangs", "fails", "cancels", "lingers", "goes-on",
    }  # fmt: skip
    hows = {event.how for history in histories for event in history.events if event.what == "start"}
    assert hows == set(HOWS)
    assert {len(history.started()) for history in histories} == set(range(1, RUNS + 1))
    assert {event.how.partition(" ")[0] for history in histories for event in history.events if event.what == "outlive"} == set(
        OUTLIVING
    )


def test_a_run_can_be_stopped_in_every_state_in_which_it_does_or_waits_for_something() -> None:
    active = {name for name, state in OF_THE_MACHINE.items() if state["Type"] in ("Task", "Wait")}
    # No history has a failure of the setup, nor a report of several parts: the matrix stops runs there.
    assert active - set(STATES) == {"Check Setup", "Cut Report", "Analyze Part"}
    assert set(STATES) <= active


class Driver:
    """Fails whenever a stop of run 1 comes after its start."""

    def drive(self, history: History) -> Result:
        """Check a history without driving it."""
        text = str(history)
        troubles = ("wrong",) if "stop 1" in text.partition("start 1 plain")[2] else ()
        return Result(history, troubles, {}, 0, 0.0, "")


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("external; start 0 plain; start 1 plain; pause; stop 1; cleanup; stop 1", "start 1 plain; stop 1"),
        ("start 1 plain; stop 1", "start 1 plain; stop 1"),
    ],
)
def test_a_history_that_fails_is_made_as_short_as_it_still_fails(text: str, shortest: str) -> None:
    driver = Driver()
    assert str(made_shorter(cast("Any", driver), driver.drive(History.read(text))).history) == shortest


@pytest.mark.parametrize(
    ("order", "value"), [([0, 1, 2, 3], 1.0), ([3, 2, 1, 0], -1.0), ([1, 0], -1.0), ([0], 1.0), ([2, 0, 3, 1], 0.0)]
)
def test_the_order_of_service_is_distinguished_from_its_reverse(order: list[int], value: float) -> None:
    assert tau(order) == pytest.approx(value)
