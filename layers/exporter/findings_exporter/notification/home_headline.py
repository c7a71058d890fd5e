"""What a recorded run says to the home Region (:mod:`findings_exporter.model.home_messages`)."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.home_messages import (
    MOST_OWNERS_SAID,
    OUTCOMES,
    SAID_ARN_CHARACTERS,
    SAID_CAUSE_CHARACTERS,
    SAID_ERROR_CHARACTERS,
    OwnerNumbers,
    ReportHeadline,
)
from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.model.text import clean
from findings_exporter.notification.level import level_of
from findings_exporter.notification.links import execution_url, object_url, report_url
from findings_exporter.notification.run_input import report_name, scheduled_time
from findings_exporter.notification.sanitize import for_programs
from findings_exporter.notification.view import MessageView, analysis_failure, view_of


def home_headline(run: Run, config: Config) -> ReportHeadline | None:
    """Return what a run says home; None where it belongs to no scheduled time, or another run stands for it."""
    scheduled_for, replaces = scheduled_time(run)
    if scheduled_for is None or run.outcome not in OUTCOMES:
        return None
    run = for_programs(run)
    view, failed = view_of(run), analysis_failure(run)
    error, cause = (failed["error"], failed["sentence"]) if failed else ("", "")
    if run.failure:
        error, cause = run.failure.error, run.failure.cause
    numbers = _numbers(view) if view else {}
    return ReportHeadline(
        region=config.region,
        scheduled_for=scheduled_for,
        report=report_name(run, config),
        execution=clean(run.execution.arn, SAID_ARN_CHARACTERS),
        started_at=run.execution.started_at.astimezone(UTC).isoformat(),
        ended_at=run.ended_at.astimezone(UTC).isoformat() if run.ended_at else None,
        outcome=str(run.outcome),
        level=level_of(run),
        replaces=replaces,
        error=clean(error, SAID_ERROR_CHARACTERS) or None,
        cause=clean(cause, SAID_CAUSE_CHARACTERS) or None,
        analysis="DONE" if view else "FAILED" if failed else "NONE",
        page_url=object_url(str((run.analysis or {}).get("bucket")), view.files["page"], config)
        if view and "page" in view.files
        else None,
        report_url=report_url(run, config),
        execution_url=execution_url(run, config),
        filter_hash=run.plan.filter_hash if run.plan else None,
        **numbers,
    )


def _numbers(view: MessageView) -> dict[str, Any]:
    owners = view.owners
    return {
        "coverage": view.state,
        "deactivated_accounts": view.deactivated_accounts,
        "unusual_drop": view.unusual_drop,
        "open": view.open,
        "by_severity": _counts(view.by_severity),
        "new": view.new,
        "new_by_severity": _counts(view.new_by_severity),
        "no_longer_open": view.no_longer_open,
        "status_unknown": view.status_unknown,
        "overdue": _counts(view.overdue) if view.has_due_dates else None,
        "due_soon": _counts(view.due_soon) if view.has_due_dates else None,
        "owner_count": owners.count if owners else 0,
        "owners": tuple(
            OwnerNumbers(
                str(each["owner"]), each.get("open") or 0, each.get("critical") or 0, each.get("new"), each.get("overdue")
            )
            for each in (owners.listed[:MOST_OWNERS_SAID] if owners else ())
            if each.get("owner")
        ),
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: counts[word] for word in SEVERITIES if counts.get(word)}
