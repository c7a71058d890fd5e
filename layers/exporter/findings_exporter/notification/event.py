"""The event for programs (Lambda, SQS, Firehose). Its JSON Schema is docs/export-event.schema.json.

It is the same in every language: programs read its fields, and its texts are English.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.run import Run
from findings_exporter.notification.links import execution_url, report_url
from findings_exporter.notification.remediation import remediation_for
from findings_exporter.notification.sanitize import for_programs
from findings_exporter.notification.view import analysis_failure

EVENT_VERSION = "2.0"
ANALYSIS_FIELDS = (
    "schema_version", "bucket", "analysis_key", "page_key", "parquet_prefix", "fingerprints_key", "fingerprints_etag",
    "total", "open", "by_severity", "by_status", "no_baseline", "sentences",
)  # fmt: skip
"""Of the headline, what the event takes as it is."""
FINDING = (
    "severity", "vulnerability_id", "title", "resource", "resource_type", "resources", "resources_at_least", "findings",
    "account_id", "region", "packages", "fix_available", "exploit_available", "first_seen",
)  # fmt: skip
FIX = ("rank", "priority_score", "vulnerability_id", "title", "severity", "exploit_available", "resources", "why")


def export_event(run: Run, config: Config) -> dict[str, Any]:
    """Return the event. A field is never left out: what is not known is null."""
    run = for_programs(run)
    remediation = remediation_for(run.failure, config, "en") if run.failure else None
    failed = analysis_failure(run)
    return {
        "type": "inspector-findings-exporter.export-ended",
        "version": EVENT_VERSION,
        "notification_id": run.notification_id,
        "outcome": run.outcome,
        "account": config.account,
        "region": config.region,
        "execution": {
            "arn": run.execution.arn,
            "name": run.execution.name,
            "started_at": run.execution.started_at.isoformat(),
            "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            "duration_seconds": run.duration_seconds,
            "url": execution_url(run, config),
        },
        "report": {
            "name": run.plan.report_name,
            "format": run.plan.report_format,
            "id": run.report_id,
            "filter_hash": run.plan.filter_hash,
            "scheduled_for": run.plan.scheduled_for,
            "report_seconds": run.report_seconds,
        }
        if run.plan
        else None,
        "delivery": _delivery(run, run.delivery, config) if run.delivery else None,
        "analysis": _analysis(run.analysis) if run.analysis is not None and not failed and not run.failure else None,
        "analysis_failure": failed,
        "failure": {
            "error": run.failure.error,
            "what": run.failure.cause,
            "why": remediation.why,
            "fix": list(remediation.fix),
            "setup": run.failure.setup,
        }
        if run.failure and remediation
        else None,
        "notes": list(run.notes),
    }


def _delivery(run: Run, delivery: Delivery, config: Config) -> dict[str, Any]:
    fields = delivery.to_dict() | {"uri": delivery.uri, "url": report_url(run, config)}
    # The run's notes hold it.
    del fields["note"]
    return fields


def _analysis(headline: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_fields(headline, ANALYSIS_FIELDS),
        "baseline": _object(headline, "baseline", ("execution", "started_at", "age")),
        "changes": _object(
            headline, "changes", ("appeared", "no_longer_open", "counts", "appeared_by_severity", "no_longer_open_by_severity")
        ),
        "worst_new": [_fields(each, FINDING) for each in headline.get("worst_new") or ()],
        "worst_no_longer_open": [_fields(each, FINDING) for each in headline.get("worst_no_longer_open") or ()],
        "priorities": [_fields(each, FIX) for each in headline.get("priorities") or ()],
        "coverage_status": _object(
            headline, "coverage_status", ("state", "unusual_drop", "deactivated", "deactivated_accounts", "reasons")
        ),
        "coverage": _object(headline, "coverage", ("scanned", "not_scanned")),
    }


def _fields(source: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: source.get(name) for name in names}


def _object(source: Mapping[str, Any], name: str, names: Iterable[str]) -> dict[str, Any] | None:
    value = source.get(name)
    return _fields(value, names) if isinstance(value, Mapping) else None
