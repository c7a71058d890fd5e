"""Record Run: decide the run's outcome once, and count it once."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from findings_exporter.aws import run_store
from findings_exporter.aws.metrics import count_run
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import AccessDeniedError, Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Outcome, Run
from findings_exporter.model.text import clean, cut
from findings_exporter.notification import failure_from
from findings_exporter.notification.remediation import evidence, remediation_for, statements
from findings_exporter.notification.sanitize import ERROR_CHARACTERS, for_programs
from findings_exporter.steps._results import Result

logger = logging.getLogger(__name__)

FAIL_CAUSE_CHARACTERS = 32_000
"""A Fail state's Cause has 32,768 characters [AWS: Amazon States Language]."""
ANALYSIS_CAUSE_CHARACTERS = 300
"""Enough to know it by; the log has the rest."""


def record_run(table: Table, config: Config, execution: Execution, event: Mapping[str, Any], now: datetime) -> Result:
    """Record what the workflow says of its end.

    Parameters
    ----------
    event
        ``failure`` (``error``, ``cause`` and perhaps ``setup``; ``not_cancelled``, an error, where its report could not be
        cancelled; null after a success), ``delivery`` (null without one),
        ``duplicate`` (whether another execution exports the scheduled time), and from release 2 on ``analysis_failure``
        (``error`` and ``cause`` of an analysis step that broke down; else null).

    Returns
    -------
    Result
        ``state``: ``NOTIFICATION_PENDING`` or ``CLOSED``; ``outcome`` as recorded; ``failure``: its error and its cause in words,
        for the workflow's Fail state, or null.
    """
    failure = _failure(event["failure"]) if event["failure"] else None
    delivery = Delivery.from_dict(event["delivery"]) if event["delivery"] and not failure else None
    if broken := event.get("analysis_failure"):
        run_store.note_analysis_failure(table, execution, analysis_failure(broken["error"], broken["cause"]))
    error = event["failure"] and event["failure"].get("not_cancelled")
    if error and not _cannot_have_a_report(table, execution, failure, error):
        run_store.note(table, execution, Note("run.not_cancelled", error=clean(error, ERROR_CHARACTERS)))
    outcome: Outcome = "FAILED" if failure else "DUPLICATE" if event["duplicate"] else "SUCCEEDED"
    run = record(table, execution, outcome, failure, delivery, now)
    return {
        "state": "CLOSED" if run.notified_at else "NOTIFICATION_PENDING",
        "outcome": run.outcome,
        "failure": ended_failure(run, config),
    }


def _cannot_have_a_report(table: Table, execution: Execution, failure: Failure | None, error: str) -> bool:
    """Tell whether a run was refused by Inspector before it could create a report: so it is where Inspector is off."""
    was_refused = failure is not None and failure.error == error == AccessDeniedError.__name__
    return was_refused and run_store.load(table, execution).report_id is None


def ended_failure(run: Run, config: Config) -> dict[str, str] | None:
    """Return a recorded run's error and its cause in words, for the workflow's Fail state; None when it did not fail."""
    if run.failure is None:
        return None
    try:
        failure = for_programs(run).failure or run.failure
        return {"error": failure.error, "cause": cause_text(failure, config, run)}
    except Exception as error:  # noqa: BLE001 - how a failure is explained does not decide whether it is passed_on
        logger.error("the failure is passed_on without its explanation: %s", type(error).__name__)  # noqa: TRY400 - a traceback holds content
        return {"error": clean(run.failure.error, ERROR_CHARACTERS), "cause": clean(run.failure.cause, FAIL_CAUSE_CHARACTERS)}


def record(
    table: Table,
    execution: Execution,
    outcome: Outcome,
    failure: Failure | None,
    delivery: Delivery | None,
    now: datetime,
) -> Run:
    """Record an outcome unless there is one already, count it if it is new, and return the run as it is recorded."""
    run, decided = run_store.record(table, execution, outcome, failure, delivery, now)
    if decided and run.outcome != "DUPLICATE":
        try:
            count_run(run)
        except Exception as error:  # noqa: BLE001 - what cannot be counted is passed_on all the same
            logger.error("the run could not be counted: %s", type(error).__name__)  # noqa: TRY400 - a traceback holds content
    return run


def analysis_failure(error: str, cause: str) -> dict[str, str]:
    """Return what is written down of an analysis step that broke down, with the sentence that people are passed_on."""
    what = cut(" ".join(failure_from(error, cause).cause.split()), ANALYSIS_CAUSE_CHARACTERS).rstrip(".")
    return {
        "error": error,
        "sentence": Note("analysis.failed", what=f"{what} ({error})", do=Note("analysis.broke_down")),
    }


def cause_text(failure: Failure, config: Config, run: Run) -> str:
    """Return a failure with its reason and fix, as the Step Functions console shows it."""
    remediation = remediation_for(failure, config, run=run)
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(remediation.fix, 1))
    seen = "".join(f"\n- {line}" for line in evidence(failure))
    add = "".join(f"\n\nPolicy statement to add ({check}):\n{statement}" for check, statement in statements(failure))
    return f"{failure.cause}\n\nCause: {remediation.why}{seen}\n\nFix:\n{steps}{add}"[:FAIL_CAUSE_CHARACTERS]


def _failure(caught: Mapping[str, Any]) -> Failure:
    passed_on, read = failure_from(caught["error"], caught["cause"]), Failure.from_dict(caught)
    return replace(passed_on, cause=read.cause if isinstance(read.cause, Note) else passed_on.cause, setup=read.setup)
