"""What the steps around a report share: whose a report is, and when to check it next."""

from datetime import datetime

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.aws.inspector import InspectorReport
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import execution_of
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run
from findings_exporter.model.wait import next_wait_seconds


def is_at(report: InspectorReport, plan: Plan) -> bool:
    """Tell whether Inspector writes a report to the plan's own destination, which no other run has."""
    return (report.bucket, report.prefix) == (plan.destination.bucket, plan.destination.prefix)


def owner_of(clients: Clients, report: InspectorReport) -> Execution | None:
    """Return the execution of ours that a report belongs to, or None for an external report."""
    name = execution_of(report.prefix)
    run = run_store.find(clients.table, name) if name else None
    # Decided by the run's own plan: the deployment's bucket and prefix may have changed since.
    return run.execution if run and run.plan and is_at(report, run.plan) else None


def next_check(clients: Clients, run: Run, now: datetime) -> int:
    """Return how many seconds to wait before the next check of a run's report."""
    plan = run.require_plan()
    history = run_store.recent_report_seconds(clients.table, plan.report_name)
    elapsed = (now - (run.report_created_at or now)).total_seconds()
    return next_wait_seconds(elapsed, history, plan.remaining_seconds(now))
