"""What a run was asked for, by its plan or, where its input was wrong and it has none, by the input itself."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.layout import REPORT_NAME
from findings_exporter.model.plan import IGNORED_KEYS
from findings_exporter.model.run import Run

STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


def scheduled_time(run: Run) -> tuple[str | None, bool]:
    """Return the scheduled time that a run stands for, and whether it replaces the run of that time.

    A run whose input was wrong has no plan; what the schedule wrote into its input is still there.
    """
    if run.plan:
        return run.plan.scheduled_for or run.plan.replaces, run.plan.scheduled_for is None
    given = given_input(run)
    schedule = given.get("schedule")
    scheduled, replaced = (schedule or {}).get("scheduled_for") if isinstance(schedule, Mapping) else None, given.get("replaces")
    try:
        time = datetime.fromisoformat(str(scheduled or replaced))
    except (TypeError, ValueError):
        return None, False
    return (time.astimezone(UTC).isoformat(), not scheduled) if time.tzinfo else (None, False)


def report_name(run: Run, config: Config) -> str:
    """Return the name of a run's report; without a plan, as far as the input says it."""
    if run.plan:
        return run.plan.report_name
    report = given_input(run).get("report")
    name = report.get("name") if isinstance(report, Mapping) else None
    return name if isinstance(name, str) and REPORT_NAME.fullmatch(name) else config.defaults.report_name


def given_input(run: Run) -> Mapping[str, Any]:
    """Return what a run was given; empty where that cannot be read."""
    try:
        given = json.loads(run.input)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def is_of_all_reports(run: Run, config: Config) -> bool:
    """Tell whether Export All Reports has started a run."""
    starts = config.all_reports_arn.replace(":stateMachine:", ":execution:")
    return str(given_input(run).get(STARTED_BY, "")).startswith(f"{starts}:")


def is_of_the_parameters(run: Run) -> bool:
    """Tell whether a run exports what the stack's parameters say: its input is empty but for the schedule."""
    given = given_input(run)
    return given.keys() <= {"schedule", *IGNORED_KEYS} and (bool(given) or run.input.strip() == "{}")
