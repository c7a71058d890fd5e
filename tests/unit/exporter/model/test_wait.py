"""How long to wait: the marks of delay and cost, for reports of a minute to a day."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter.model.wait import next_wait_seconds, turn_wait_seconds

MINUTE, HOUR = 60, 3600
DURATIONS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 17 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR]


def watch(duration: float, history: Sequence[float], deadline: float = 30 * HOUR) -> tuple[int, float]:
    """Return the looks that a report of this duration takes, and how late its end is seen."""
    elapsed, status_checks = 0.0, 0
    while elapsed < duration:
        elapsed += next_wait_seconds(elapsed, history, deadline - elapsed)
        status_checks += 1
    return status_checks, elapsed - duration


@pytest.mark.parametrize("duration", DURATIONS)
def test_without_history_an_end_is_noticed_within_a_tenth_of_the_duration_or_fifteen_seconds(duration: int) -> None:
    for exact in range(duration - 30, duration + 30):
        assert watch(exact, [])[1] <= max(15, exact * 0.10)


@pytest.mark.parametrize("duration", [6 * HOUR, 12 * HOUR, 24 * HOUR])
def test_a_long_report_takes_at_most_a_fifth_of_the_checks_of_a_fixed_minute(duration: int) -> None:
    assert watch(duration, [])[0] <= duration / 60 / 5


@pytest.mark.parametrize("daily_runs", [1, 3, 10])
@pytest.mark.parametrize("duration", DURATIONS)
def test_with_history_within_a_fifth_an_end_is_noticed_with_few_checks_and_little_delay(duration: int, daily_runs: int) -> None:
    chance = random.Random(duration + daily_runs)
    watched = [watch(duration, [duration * chance.uniform(0.8, 1.2) for _ in range(daily_runs)]) for _ in range(300)]
    assert max(status_checks for status_checks, _ in watched) <= 15
    assert sum(delay for _, delay in watched) / len(watched) <= duration * 0.04


def test_a_report_much_slower_than_its_history_is_watched_as_if_there_were_none() -> None:
    assert next_wait_seconds(1000, [100, 120], 10_000) == next_wait_seconds(1000, [], 10_000) == 100


def test_the_first_status_check_is_a_little_before_the_fastest_recent_duration() -> None:
    assert next_wait_seconds(0, [900, 600, 1200], 10_000) == 540
    assert next_wait_seconds(200, [900, 600, 1200], 10_000) == 340
    assert next_wait_seconds(0, [900, 600, 1200], 60) == 60


@pytest.mark.parametrize(
    ("elapsed", "remaining", "wait"),
    [(0, 10_000, 15), (200, 10_000, 20), (50_000, 30_000, 900), (0, 7, 7), (0, 0.2, 1), (500, -20, 1)],
)
def test_waits_grow_from_a_floor_to_a_ceiling_and_end_at_the_deadline(elapsed: float, remaining: float, wait: int) -> None:
    assert next_wait_seconds(elapsed, [], remaining) == wait


@pytest.mark.parametrize(
    ("elapsed", "remaining", "wait"),
    [(0, 10_000, 15), (1000, 10_000, 100), (10_000, 10_000, 300), (0, 3.2, 4), (0, -1, 1)],
)
def test_waits_for_a_turn_grow_from_a_floor_to_five_minutes_and_end_at_the_deadline(
    elapsed: float, remaining: float, wait: int
) -> None:
    assert turn_wait_seconds(elapsed, remaining) == wait


@given(
    elapsed=st.floats(0, 1e6),
    history=st.lists(st.floats(1, 1e5), max_size=10),
    remaining=st.floats(-1e6, 1e6),
)
def test_a_wait_is_whole_at_least_a_second_and_never_past_the_deadline(
    elapsed: float, history: list[float], remaining: float
) -> None:
    for wait in (next_wait_seconds(elapsed, history, remaining), turn_wait_seconds(elapsed, remaining)):
        assert isinstance(wait, int)
        assert 1 <= wait <= max(1, remaining + 1)
