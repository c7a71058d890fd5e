"""How long to wait before the next look at something that gives neither a percentage nor an event."""

import math
from collections.abc import Sequence

FLOOR_SECONDS = 15
CEILING_SECONDS = 15 * 60
GROWTH = 0.10
"""Without history a wait is this fraction of what has passed: about as many looks for a day as for an hour."""

NEAR_FLOOR_SECONDS = 2
NEAR_GROWTH = 0.05
NEAR_START, NEAR_END = 0.9, 1.25
"""Near the expected end, from a little before the fastest recent duration to well past the slowest, waits are short: the
last run alone may have been a fifth slower, or faster, than this one."""

LOCK_CEILING_SECONDS = 5 * 60


def next_wait_seconds(elapsed_seconds: float, history_seconds: Sequence[float], remaining_seconds: float) -> int:
    """Return how long to wait before the next look at a report.

    Parameters
    ----------
    elapsed_seconds
        Since the report was created.
    history_seconds
        How long this report's recent runs took, in any order; empty when there were none.
    remaining_seconds
        Until the deadline. The wait never goes past it, so that a late report is noticed in time.

    Returns
    -------
    int
        Whole seconds, at least 1: what a Wait state takes.
    """
    wait = _wait(elapsed_seconds, history_seconds)
    return max(1, math.ceil(min(wait, remaining_seconds)))


def _wait(elapsed: float, history: Sequence[float]) -> float:
    if history:
        first_check = min(history) * NEAR_START
        if elapsed < first_check:
            return first_check - elapsed
        if elapsed <= max(history) * NEAR_END:
            return max(NEAR_FLOOR_SECONDS, elapsed * NEAR_GROWTH)
    return min(CEILING_SECONDS, max(FLOOR_SECONDS, elapsed * GROWTH))


def turn_wait_seconds(elapsed_seconds: float, remaining_seconds: float) -> int:
    """Return how long to wait before asking again for the lock, or for another report of Inspector.

    Parameters
    ----------
    elapsed_seconds
        Since the run started.
    remaining_seconds
        Until the run's deadline.
    """
    wait = min(LOCK_CEILING_SECONDS, max(FLOOR_SECONDS, elapsed_seconds * GROWTH))
    return max(1, math.ceil(min(wait, remaining_seconds)))
