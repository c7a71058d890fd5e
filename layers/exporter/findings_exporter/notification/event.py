"""The events for programs (Lambda, SQS, Firehose): of a run, and of an owner's findings.

Their JSON Schemas are docs/export-event.schema.json and docs/owner-event.schema.json. They are the same in every language:
programs read their fields, and their texts are English.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run
from findings_exporter.notification.entries import listed
from findings_exporter.notification.links import execution_url, object_url, report_url
from findings_exporter.notification.remediation import remediation_for
from findings_exporter.notification.sanitize import for_programs
from findings_exporter.notification.view import analysis_failure

EVENT_VERSION = "2.0"
OWNER_EVENT_VERSION = "1.0"
NUMBERS = ("total", "open", "by_severity", "by_status", "no_baseline", "sentences")
ANALYSIS_FIELDS = (
    "schema_version", "bucket", "analysis_key", "page_key", "parquet_prefix", "fingerprints_key", "fingerprints_etag", *NUMBERS,
)  # fmt: skip
"""Of the headline, what the event takes as it is."""
OWNER_ANALYSIS_FIELDS = ("schema_version", "bucket", "page_key", *NUMBERS)
"""Of an owner's headline: the other files have the findings of all owners."""
FINDING = (
    "severity", "vulnerability_id", "title", "resource", "resource_type", "resources", "resource_count",
    "resource_count_at_least", "findings", "account_id", "region", "owner", "packages", "fix_available", "exploit_available",
    "in_kev", "kev_due_on", "first_seen", "due_on",
)  # fmt: skip
FIX = (
    "rank", "priority_score", "vulnerability_id", "title", "severity", "exploit_available", "in_kev", "kev_due_on",
    "runtime_reachability", "packages", "resources", "resource_count", "due_on", "why",
)  # fmt: skip
OWNERS_IN_EVENT = 10
OWNER_NUMBERS = ("owner", "open", "critical", "new", "overdue")


def export_event(run: Run, config: Config) -> dict[str, Any]:
    """Return the event. A field is never left out: what is not known is null."""
    run = for_programs(run)
    remediation = remediation_for(run.failure, config, "en", run) if run.failure else None
    failed = analysis_failure(run)
    return {
        "type": "inspector-findings-exporter.export-ended",
        "version": EVENT_VERSION,
        "notification_id": run.notification_id,
        "outcome": run.outcome,
        "account": config.account,
        "region": config.region,
        "execution": _execution(run, config),
        "report": _report(run, run.plan) if run.plan else None,
        "delivery": _delivery(run, run.delivery, config) if run.delivery else None,
        "analysis": _run_analysis(run.analysis) if run.analysis is not None and not failed and not run.failure else None,
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


def owner_event(run: Run, config: Config) -> dict[str, Any]:
    """Return the event of a run whose analysis is an owner's headline. A field is never left out: what is not known is null."""
    run = for_programs(run)
    headline = run.analysis or {}
    page_key, bucket = headline.get("page_key"), headline.get("bucket")
    return {
        "type": "inspector-findings-exporter.owner-findings",
        "version": OWNER_EVENT_VERSION,
        "notification_id": run.notification_id,
        "owner": headline.get("owner"),
        "last_message": headline.get("last_message") is True,
        "account": config.account,
        "region": config.region,
        "execution": _execution(run, config),
        "report": _report(run, run.plan) if run.plan else None,
        "page_url": object_url(bucket, page_key, config) if page_key and bucket else None,
        # A short message has no numbers: there may be some, but they could not be read.
        "analysis": _analysis(headline, OWNER_ANALYSIS_FIELDS) if "open" in headline else None,
    }


def _execution(run: Run, config: Config) -> dict[str, Any]:
    return {
        "arn": run.execution.arn,
        "name": run.execution.name,
        "started_at": run.execution.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "duration_seconds": run.duration_seconds,
        "url": execution_url(run, config),
    }


def _report(run: Run, plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.report_name,
        "format": plan.report_format,
        "id": run.report_id,
        "filter_hash": plan.filter_hash,
        "scheduled_for": plan.scheduled_for,
        "report_seconds": run.report_seconds,
    }


def _delivery(run: Run, delivery: Delivery, config: Config) -> dict[str, Any]:
    fields = delivery.to_dict() | {"uri": delivery.uri, "url": report_url(run, config)}
    # The run's notes hold it.
    del fields["note"]
    return fields


def _run_analysis(headline: Mapping[str, Any]) -> dict[str, Any]:
    owners = _object(headline, "owners", ("count", "unowned"))
    listed_owners = ((headline.get("owners") or {}).get("listed") or [])[:OWNERS_IN_EVENT] if owners else ()
    return {
        **_analysis(headline, ANALYSIS_FIELDS),
        "owners": owners and {**owners, "listed": [_fields(each, OWNER_NUMBERS) for each in listed_owners]},
        "owner_message_count": headline.get("owner_message_count"),
    }


def _analysis(headline: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    return {
        **_fields(headline, fields),
        "baseline": _object(headline, "baseline", ("execution", "started_at", "age")),
        "changes": _object(
            headline, "changes", ("appeared", "no_longer_open", "counts", "appeared_by_severity", "no_longer_open_by_severity")
        ),
        "due_dates": _object(headline, "due_dates", ("overdue", "due_soon", "newly_overdue", "unknown", "today")),
        "fix_first": [_fields(each, FIX) for each in listed(headline, "fix_first")],
        **{
            name: [_fields(each, FINDING) for each in listed(headline, name)]
            for name in ("worst_new", "most_overdue", "worst_no_longer_open")
        },
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
