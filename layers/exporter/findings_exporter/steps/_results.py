"""What steps return to the workflow: a state, and with it what the next states need."""

from datetime import datetime
from typing import Any

from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run
from findings_exporter.model.wait import turn_wait_seconds

type Result = dict[str, Any]
"""``state``, and with it ``wait_seconds``, ``failure`` or what else the step found."""


def failed(failure: Failure) -> Result:
    """Return the result of a step after which the run has failed."""
    return {"state": "FAILED", "failure": failure.to_dict()}


def too_late(plan: Plan, name: str, **values: str) -> Failure:
    """Return the failure of a run whose deadline has passed."""
    return Failure("DeadlineExceeded", Note(name, hours=f"{plan.deadline_hours:g}", **values))


def wait_for_turn(run: Run, now: datetime) -> int:
    """Return how many seconds to wait before asking again for the lock or for another report of Inspector."""
    elapsed = (now - run.execution.started_at).total_seconds()
    return turn_wait_seconds(elapsed, run.require_plan().remaining_seconds(now))
