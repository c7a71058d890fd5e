"""No execution nears the 25,000 events that its history may have, whatever its deadline and whatever goes wrong all day."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

from botocore.exceptions import ClientError

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import StartClients
from findings_exporter.model.errors import translated
from findings_exporter.model.plan import MAX_DEADLINE_HOURS
from findings_exporter.model.run import Run
from findings_exporter.model.wait import CEILING_SECONDS, NEAR_END, next_wait_seconds, turn_wait_seconds
from findings_exporter.steps.start_report import start_report
from tests.builders.exporter import (
    EVENTS_A_PART,
    EVENTS_A_RETRY,
    EVENTS_A_STANDARD_EXECUTION_MAY_HAVE,
    EVENTS_PER_CHECK,
    START,
    Clock,
    FakeInspector,
    FakeStates,
    client_error,
    execution,
    planned,
)
from tests.contract.parts import TASKS

DAY = MAX_DEADLINE_HOURS * 3600
RETRIERS = TASKS["Check Report"]["Retry"]
PAUSES = sorted(
    min(each["IntervalSeconds"] * each["BackoffRate"] ** number, each.get("MaxDelaySeconds", DAY))
    for each in RETRIERS
    for number in range(each["MaxAttempts"])
)
"""Before a task's further tries, when all are needed, the short ones first."""
DURATIONS = [1, 5, 20, 40, 60, 300, 1000, 3600, CEILING_SECONDS * 20 / NEAR_END, 6 * 3600, 12 * 3600, DAY]
ME = execution("run-1")

type Wait = Callable[[float], int]


def turns(wait: Wait, seconds: float = DAY) -> int:
    """Return how often a day, or a part of it, is waited."""
    elapsed, count = 0.0, 0
    while elapsed < seconds:
        elapsed += wait(elapsed)
        count += 1
    return count


def most_events(wait: Wait, pauses: Sequence[float] = PAUSES) -> int:
    """Return the most events of a day, when an adversary lets each turn's task fail as often as suits best."""
    tries = [(EVENTS_PER_CHECK + EVENTS_A_RETRY * number, int(sum(pauses[:number]))) for number in range(len(pauses) + 1)]
    most = [0] * (DAY + 1)
    for elapsed in reversed(range(DAY)):
        waited = elapsed + wait(elapsed)
        most[elapsed] = max(events + most[min(waited + paused, DAY)] for events, paused in tries)
    return most[0]


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


def test_a_whole_day_of_waiting_and_another_of_status_checks_stay_far_below_the_limit_however_often_tasks_are_retried() -> None:
    waits = for_a_turn, for_the_report(*worst_history())
    # The numbers in docs/model.md. The deadline is one for both, so their sum is more than any execution can reach.
    assert [turns(wait) for wait in waits] == [320, 218]
    assert [most_events(wait, ()) for wait in waits] == [2_880, 1_962]
    assert [most_events(wait) for wait in waits] == [8_352, 5_364]
    assert sum(most_events(wait) for wait in waits) < EVENTS_A_STANDARD_EXECUTION_MAY_HAVE * 0.6


def test_no_task_has_other_retries_than_those_that_are_counted() -> None:
    others = {name: task["Retry"] for name, task in TASKS.items() if task["Retry"] != RETRIERS}
    # The analysis is tried once in an execution, not once a turn.
    assert list(others) == ["Cut Report", "Analyze Report", "Analyze Part"]
    for retriers in others.values():
        assert sum(each["MaxAttempts"] for each in retriers) <= 1 + sum(each["MaxAttempts"] for each in RETRIERS)


def test_the_worst_day_leaves_room_for_the_most_parts() -> None:
    waits = for_a_turn, for_the_report(*worst_history())
    left = EVENTS_A_STANDARD_EXECUTION_MAY_HAVE - sum(most_events(wait) for wait in waits)
    # Each part with one further try; what is not retried, or for good, ends the Map.
    assert left > 300 * (EVENTS_A_PART + EVENTS_A_RETRY)


class Day:
    """A run that works on Start Report all day, as the state machine lets it."""

    def __init__(self, start_clients: StartClients) -> None:
        self.start_clients, self.clock, self.events = start_clients, Clock(START, timedelta(0)), 0

    def turn(self) -> dict[str, Any]:
        """Run the step with its retries, and wait as it says; an error that outlasts them ends the execution."""
        self.events += EVENTS_PER_CHECK
        (retrier,) = [each for each in RETRIERS if "ServiceUnavailableError" in each["ErrorEquals"]]
        for pause in [
            *(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number for number in range(retrier["MaxAttempts"])),
            None,
        ]:
            try:
                with translated():
                    result = start_report(self.start_clients, self._run(), self.clock, self.clock.time + timedelta(seconds=60))
            except Exception as error:
                if pause is None or type(error).__name__ not in retrier["ErrorEquals"]:
                    raise
                self.events += EVENTS_A_RETRY
                self.clock.time += timedelta(seconds=pause)
            else:
                self.clock.time += timedelta(seconds=result.get("wait_seconds", 0))
                return result
        raise AssertionError

    def _run(self) -> Run:
        return run_store.load(self.start_clients.table, ME)


def test_creates_that_fail_without_a_clear_answer_are_tried_no_more_often_than_a_turn_is_waited_for(
    start_clients: StartClients, inspector: FakeInspector
) -> None:
    hours = 3  # later on a wait is at its longest: what holds by then holds all day
    planned(start_clients.table, ME, {"deadline_hours": hours})
    start_clients.lock.acquire(FakeStates().client, ME, START)
    most_turns = turns(lambda elapsed: turn_wait_seconds(elapsed, hours * 3600 - elapsed), hours * 3600)
    inspector.errors["create"] = [server_error() for _ in range(most_turns)]
    day = Day(start_clients)

    for _ in range(most_turns):
        if (result := day.turn())["state"] != "BUSY":
            break

    assert (result["state"], result["failure"]["error"]) == ("FAILED", "DeadlineExceeded")
    assert day.events < EVENTS_A_STANDARD_EXECUTION_MAY_HAVE * hours / MAX_DEADLINE_HOURS / 2


def server_error() -> ClientError:
    """Inspector is down, and says nothing of the effect."""
    return client_error("InternalServerException", 500)
