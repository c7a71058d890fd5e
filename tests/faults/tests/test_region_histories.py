"""Histories of Regions are the same for the same seed, hold everything that can happen, and are made shorter when they fail."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, cast

from tests.faults.region_histories import (
    DIES,
    DOWN,
    FILES,
    LOSES,
    RUN_STATES,
    SIZES,
    START_STATES,
    RegionHistory,
    Result,
    drawn,
    made_shorter,
    numbered,
)

ENOUGH = 300
MODEL = Path(__file__).resolve().parents[3] / "docs/model.md"


def test_a_seed_and_a_number_give_the_same_history_and_its_printed_form_is_enough() -> None:
    first = drawn(5, 3)
    assert drawn(5, 3) == numbered("5.3") == numbered(str(first)) == first
    assert drawn(5, 4) != first != drawn(6, 3)


def test_everything_that_can_happen_does_and_the_model_names_it() -> None:
    histories = [drawn(7, number) for number in range(ENOUGH)]
    events = [event for history in histories for event in history.events]
    assert {history.regions for history in histories} == set(SIZES)
    assert {history.reports for history in histories} == {1, 2, 3}
    for what, hows in {"lose": LOSES, "down": DOWN, "file": FILES, "stop": START_STATES, "stop-run": RUN_STATES}.items():
        assert {event.how for event in events if event.what == what} - {""} == set(hows)
    assert {event.how.split()[1] for event in events if event.what == "dies"} == set(DIES)
    named = MODEL.read_text().partition("## What can happen to a summary")[2]
    assert not [what for what in Counter(event.what for event in events) if not re.search(rf"`{re.escape(what)}\b", named)]


class Driver:
    """Fails whenever home is down."""

    def drive(self, history: RegionHistory) -> Result:
        """Check a history without driving it."""
        return Result(history, ("wrong",) if "down" in str(history) else (), (), 0, 0, 0.0, "")


def test_a_failing_history_is_made_shorter() -> None:
    text = "2 Regions, 1 reports: start 0; down killed; pause; start 1"
    driver = cast("Any", Driver())
    assert str(made_shorter(driver, driver.drive(numbered(text))).history) == "2 Regions, 1 reports: down killed"
