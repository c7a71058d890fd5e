"""Acquire Lock: wait for the run's turn, since Inspector makes one report at a time."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from findings_exporter.aws import run_store
from findings_exporter.aws.lock import Lock
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Run
from findings_exporter.steps._results import Result, failed, wait_for_turn

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

logger = logging.getLogger(__name__)


def acquire_lock(lock: Lock, states: "SFNClient", run: Run, now: datetime) -> Result:
    """Acquire the lock for a run, or return how long to wait before asking again.

    Returns
    -------
    Result
        ``state`` is ``ACQUIRED``, ``HELD`` (with ``wait_seconds``) or ``FAILED`` (with ``failure``: the deadline passed).
    """
    if run.outcome is not None:
        # The run has an outcome: a redrive, or a function that still works after the run was stopped, must not begin again.
        recorded = Note("cause.stopped_before", run=run.execution.id)
        return failed(Failure("LockLostError", recorded))
    holder = lock.acquire(states, run.execution, now)
    if holder is None:
        return {"state": "ACQUIRED"}
    plan = run.require_plan()
    if plan.remaining_seconds(now) <= 0:
        held = Note("cause.lock_held", run=holder.execution.id, hours=f"{plan.deadline_hours:g}")
        return failed(Failure("LockNotObtained", held))
    logger.info("the run %s holds the lock", holder.execution.id)
    run_store.note(lock.table, run.execution, Note("run.waited", run=holder.execution.id))
    return {"state": "HELD", "wait_seconds": wait_for_turn(run, now), "holder": holder.execution.name}
