"""No execution nears the 25,000 events that its history may have, whatever its deadline and whatever goes wrong all day."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError

from findings_exporter import reports, runs
from findings_exporter.desk import StartDesk
from findings_exporter.errors import translated
from findings_exporter.plan import MAX_DEADLINE_HOURS
from findings_exporter.polling import CEILING_SECONDS, NEAR_END, next_wait_seconds, turn_wait_seconds
from tests.contract.parts import TASKS
from tests.unit.builders import (
    EVENTS_A_LOOK,
    EVENTS_A_RETRY,
    EVENTS_A_STANDARD_EXECUTION_MAY_HAVE,
    START,
    Clock,
    FakeInspector,
    FakeStates,
    client_error,
    execution,
    planned,
)

DAY = MAX_DEADLINE_HOURS * 3600
(RETRIER,) = TASKS["Check Report"]["Retry"]
PAUSES = [RETRIER["IntervalSeconds"] * RETRIER["BackoffRate"] ** number for number in range(RETRIER["MaxAttempts"])]
DURATIONS = [1, 5, 20, 40, 60, 300, 1000, 3600, CEILING_SECONDS * 20 / NEAR_END, 6 * 3600, 12 * 3600, DAY]
ME = execution("night-1")

type Wait = Callable[[float], int]


def turns(wait: Wait, seconds: float = DAY) -> int:
    """Return how often a day, or a part of it, is waited."""
    elapsed, count = 0.0, 0
    while elapsed < seconds:
        elapsed += wait(elapsed)
        count += 1
    return count


def events(wait: Wait) -> int:
    """Return the most events of a day, when an adversary lets each task fail as often as it costs most."""
    # For each turn alone, retries that are free in time are the worst: so the pauses are left out, and all are taken.
    return turns(wait) * (EVENTS_A_LOOK + EVENTS_A_RETRY * len(PAUSES))


def for_a_turn(elapsed: float) -> int:
    """Wait for the lock, or for another report."""
    return turn_wait_seconds(elapsed, DAY - elapsed)


def for_the_report(*history: float) -> Wait:
    """Wait for a report with this history."""
    return lambda elapsed: next_wait_seconds(elapsed, history, DAY - elapsed)


def worst_history() -> tuple[float, ...]:
    """Return the history of a report that costs the most looks."""
    pairs = [(fast, slow) for fast, slow in product(DURATIONS, repeat=2) if fast <= slow]
    return max([(), *pairs], key=lambda history: turns(for_the_report(*history)))


def test_the_numbers_in_the_model_document_are_these() -> None:
    assert (turns(for_a_turn), turns(for_the_report()), turns(for_the_report(*worst_history()))) == (320, 139, 218)
    assert (events(for_a_turn), events(for_the_report(*worst_history()))) == (8_640, 5_886)


def test_a_day_of_waiting_and_a_day_of_looking_together_stay_below_the_limit_though_every_task_is_retried() -> None:
    most = events(for_a_turn) + events(for_the_report(*worst_history()))
    assert most < EVENTS_A_STANDARD_EXECUTION_MAY_HAVE * 0.6


def test_a_day_of_both_without_retries_stays_below_a_fifth() -> None:
    most = (turns(for_a_turn) + turns(for_the_report(*worst_history()))) * EVENTS_A_LOOK
    assert most < EVENTS_A_STANDARD_EXECUTION_MAY_HAVE / 5


def test_no_task_has_other_retries_than_those_that_are_counted() -> None:
    assert all(task["Retry"] == [RETRIER] for task in TASKS.values())


class Day:
    """A run that works on Start Report all day, as the state machine lets it."""

    def __init__(self, start_desk: StartDesk) -> None:
        self.start_desk, self.clock, self.events = start_desk, Clock(START, timedelta(0)), 0

    def turn(self) -> dict[str, Any]:
        """Run the step with its retries, and wait as it says; an error that outlasts them ends the execution."""
        self.events += EVENTS_A_LOOK
        for pause in [*PAUSES, None]:
            try:
                with translated():
                    result = reports.start(self.start_desk, self._run(), self.clock, self.clock.time + timedelta(seconds=60))
            except Exception as error:
                if pause is None or type(error).__name__ not in RETRIER["ErrorEquals"]:
                    raise
                self.events += EVENTS_A_RETRY
                self.clock.time += timedelta(seconds=pause)
            else:
                self.clock.time += timedelta(seconds=result.get("wait_seconds", 0))
                return result
        raise AssertionError

    def _run(self) -> runs.Run:
        return runs.load(self.start_desk.desk.table, ME)


@pytest.mark.xfail(strict=True, reason="a mark is waited for in seconds, all day: reports.py, _busy(creating_until - now)")
def test_creates_that_fail_without_a_clear_answer_are_tried_no_more_often_than_a_turn_is_waited_for(
    start_desk: StartDesk, inspector: FakeInspector
) -> None:
    hours = 3  # later on a wait is at its longest: what holds by then holds all day
    planned(start_desk.desk.table, ME, {"deadline_hours": hours})
    start_desk.desk.lock.acquire(FakeStates().client, ME, START)
    most_turns = turns(lambda elapsed: turn_wait_seconds(elapsed, hours * 3600 - elapsed), hours * 3600)
    inspector.errors["create"] = [server_error() for _ in range(most_turns)]
    day = Day(start_desk)

    for _ in range(most_turns):
        if (result := day.turn())["state"] != "BUSY":
            break

    assert (result["state"], result["failure"]["error"]) == ("FAILED", "DeadlineExceeded")
    assert day.events < events(for_a_turn) * hours / MAX_DEADLINE_HOURS


def server_error() -> ClientError:
    """Inspector is down, and says nothing of the effect."""
    return client_error("InternalServerException", 500)
