"""Plan Export: record the run first, so that its outcome is notified whatever happens, then check its input."""

import json

from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import make_plan
from findings_exporter.steps._results import Result, failed


def plan_export(table: Table, config: Config, execution: Execution, run_input: object) -> Result:
    """Write the run down, check its input, claim its scheduled time and write its plan down.

    Returns
    -------
    Result
        ``state``: ``PLANNED`` (with ``plan``), ``DUPLICATE`` (with ``of``: the execution that exports this scheduled
        time) or ``FAILED`` (with ``failure``: all faults of the input).
    """
    run_store.open_run(table, execution, json.dumps(run_input))
    plan = make_plan(run_input, config, execution)
    if isinstance(plan, Failure):
        return failed(plan)
    if plan.schedule and plan.scheduled_for:
        exporting = run_store.claim_schedule(
            table, plan.schedule, plan.scheduled_for, json.dumps(run_input, sort_keys=True), execution
        )
        if exporting != execution.arn:
            return {"state": "DUPLICATE", "of": exporting}
    if not run_store.note_plan(table, execution, plan):
        return failed(Failure("LockLostError", Note("cause.stopped_before", run=execution.id)))
    return {"state": "PLANNED", "plan": json.loads(plan.to_json())}
