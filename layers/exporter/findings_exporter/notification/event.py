"""The event for programs (Lambda, SQS, Firehose). Its JSON Schema stands in docs/export-event.schema.json.

It is the same in every language: programs read its fields, and what it tells in words is English.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from findings_exporter.aws.run_store import Run
from findings_exporter.model.config import Config
from findings_exporter.notification.links import execution_url, report_url
from findings_exporter.notification.remediation import explain
from findings_exporter.notification.sanitize import for_programs
from findings_exporter.notification.view import digest_failure
from findings_exporter.steps.verify_report import Delivery

EVENT_VERSION = "2.0"
DIGEST = (
    "schema_version", "bucket", "digest_key", "page_key", "parquet_key", "keys_key", "keys_etag", "parquet_etag",
    "total", "open", "by_severity", "by_status", "no_baseline", "sentences",
)  # fmt: skip
"""Of the brief, what the event takes as it is."""
FINDING = (
    "severity", "vulnerability_id", "title", "resource", "resource_type", "resources", "resources_at_least", "findings",
    "account_id", "region", "packages", "fix_available", "exploit_known", "first_seen",
)  # fmt: skip
FIX = ("rank", "points", "vulnerability_id", "title", "severity", "exploit_known", "resources", "why")


def export_event(run: Run, config: Config) -> dict[str, Any]:
    """Return the event. A field is never left out: what is not known is null."""
    run = for_programs(run)
    explanation = explain(run.failure, config, "en") if run.failure else None
    failed = digest_failure(run)
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
        "digest": _digest(run.digest) if run.digest is not None and not failed and not run.failure else None,
        "digest_failure": failed,
        "failure": {
            "error": run.failure.error,
            "what": run.failure.cause,
            "why": explanation.why,
            "fix": list(explanation.fix),
            "setup": run.failure.setup,
        }
        if run.failure and explanation
        else None,
        "notes": list(run.notes),
    }


def _delivery(run: Run, delivery: Delivery, config: Config) -> dict[str, Any]:
    told = delivery.to_dict() | {"uri": delivery.uri, "url": report_url(run, config)}
    # The run's notes hold it.
    del told["note"]
    return told


def _digest(brief: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_fields(brief, DIGEST),
        "baseline": _object(brief, "baseline", ("execution", "started_at", "age")),
        "changes": _object(brief, "changes", ("appeared", "gone", "counts", "appeared_by_severity", "gone_by_severity")),
        "worst_new": [_fields(each, FINDING) for each in brief.get("worst_new") or ()],
        "worst_gone": [_fields(each, FINDING) for each in brief.get("worst_gone") or ()],
        "fix_first": [_fields(each, FIX) for each in brief.get("fix_first") or ()],
        "verdict": _object(brief, "verdict", ("state", "sudden_fall", "dark", "dark_accounts", "reasons")),
        "coverage": _object(brief, "coverage", ("scanned", "not_scanned")),
    }


def _fields(source: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: source.get(name) for name in names}


def _object(source: Mapping[str, Any], name: str, names: Iterable[str]) -> dict[str, Any] | None:
    value = source.get(name)
    return _fields(value, names) if isinstance(value, Mapping) else None
