"""What is counted: the one place that knows each metric's name, unit and dimensions.

Metrics are lines of the log (CloudWatch embedded metric format), in one namespace. Each carries ``service``, the stack's
name, so that two stacks of an account and Region are never added up. Those that are read by report carry ``report``, too; an
execution may give its report any name, so an alarm watches one without it, or the scheduled report's.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeIs

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from findings_exporter.model.run import Run

NAMESPACE = "InspectorFindingsExporter"
SEVERITY_METRICS = MappingProxyType(
    {"CRITICAL": "CriticalFindings", "HIGH": "HighFindings", "MEDIUM": "MediumFindings", "LOW": "LowFindings"}
)
"""The severities that have a metric of their own; whatever else findings say is counted together."""
BY_REPORT = MappingProxyType(
    {
        "ExportsSucceeded": MetricUnit.Count,
        "RegularExportsSucceeded": MetricUnit.Count,
        "RunDuration": MetricUnit.Seconds,
        "LockWait": MetricUnit.Seconds,
        "ReportDuration": MetricUnit.Seconds,
        "StatusChecks": MetricUnit.Count,
        "ReportSize": MetricUnit.Bytes,
        **dict.fromkeys(SEVERITY_METRICS.values(), MetricUnit.Count),
        "OtherFindings": MetricUnit.Count,
        "OpenFindings": MetricUnit.Count,
        "NewCriticals": MetricUnit.Count,
        "ResourcesScanned": MetricUnit.Count,
        "ResourcesNotScanned": MetricUnit.Count,
        "AnalysisDuration": MetricUnit.Seconds,
        "AnalysisSpeed": MetricUnit.BytesPerSecond,
    }
)
"""Metrics of one report's runs, with the dimensions ``report`` and ``service``."""
BY_SEVERITY = MappingProxyType({"OverdueFindings": MetricUnit.Count})
"""Metrics of one report's runs by the lowest severity that they count, with the dimension ``lowest_severity`` on top."""
BY_STACK = MappingProxyType(
    {
        "ExportsFailed": MetricUnit.Count,
        "DeadlineUsed": MetricUnit.Percent,
        "AnalysesFailed": MetricUnit.Count,
        "AccountsNotScanned": MetricUnit.Count,
        "StepsFailed": MetricUnit.Count,
        "ReportsMissing": MetricUnit.Count,
        "SummariesMissing": MetricUnit.Count,
        "SummariesSent": MetricUnit.Count,
    }
)
"""Metrics of all reports together, with the dimension ``service`` alone: what alarms watch."""
LARGEST = 2.0**360
"""CloudWatch takes no larger number, no infinity and no NaN [AWS: CloudWatch API, PutMetricData]; a log line with one is lost."""

# Once, at import: the stack cannot change under a running function. Tests have no stack.
_metrics = Metrics(namespace=NAMESPACE, service=os.environ.get("POWERTOOLS_SERVICE_NAME") or "findings_exporter")


def count_run(run: Run) -> None:
    """Count a run whose outcome was just decided; whoever did not decide it must not count it."""
    succeeded = run.outcome == "SUCCEEDED"
    _write_by_report(
        run.plan.report_name if run.plan else "unknown",
        {
            "ExportsSucceeded": int(succeeded),
            "RegularExportsSucceeded": int(succeeded and run.plan is not None and run.plan.is_regular),
            "RunDuration": run.duration_seconds,
            "LockWait": run.wait_seconds,
            "ReportDuration": run.report_seconds,
            "ReportSize": run.delivery.size_bytes if run.delivery else None,
        }
        # A silent run, or one of another filter, would mix other numbers into the report's.
        | (_of_analysis(run.analysis) if run.plan and run.plan.is_regular else {}),
    )
    _write_by_stack(
        {
            "ExportsFailed": int(not succeeded),
            "DeadlineUsed": 100 * run.duration_seconds / (run.plan.deadline_hours * 3600) if run.plan else None,
            "AnalysesFailed": int("error" in run.analysis) if run.analysis is not None else None,
            "AccountsNotScanned": _accounts_not_scanned(run.analysis["coverage_status"]) if _is_whole(run.analysis) else None,
        }
    )


def count_status_check(report_name: str) -> None:
    """Count a look at a report that is being made: the sum of a run is what its waiting costs."""
    _write_by_report(report_name, {"StatusChecks": 1})


def count_analysis(report_name: str, seconds: float, size_bytes: int | None) -> None:
    """Count one try to analyze a report.

    Parameters
    ----------
    size_bytes
        The report's size; None when the analysis failed, so that a broken one does not look fast.
    """
    speed = size_bytes / seconds if size_bytes is not None and seconds > 0 else None
    _write_by_report(report_name, {"AnalysisDuration": seconds, "AnalysisSpeed": speed})


def count_expectation(report_name: str) -> None:
    """Count an hour in which a success of a report is expected.

    It adds nothing to the sum of the successes. It makes that sum exist and be zero, which an alarm can distinguish from a stack
    that was deployed an hour ago.
    """
    _write_by_report(report_name, {"RegularExportsSucceeded": 0})


def count_overdue(report_name: str, overdue_by_lowest_severity: Mapping[str, int]) -> None:
    """Count the overdue findings of a report's run, for the dashboard and the alarm on them.

    Parameters
    ----------
    overdue_by_lowest_severity
        By severity, how many overdue findings have it or a worse one; what is not one of the four has no metric.
    """
    for severity in SEVERITY_METRICS:
        if severity in overdue_by_lowest_severity:
            _metrics.add_dimension(name="lowest_severity", value=severity)
            _metrics.add_dimension(name="report", value=report_name)
            _write(BY_SEVERITY, {"OverdueFindings": overdue_by_lowest_severity[severity]})


def count_failed_step() -> None:
    """Count an error that ended a function."""
    _write_by_stack({"StepsFailed": 1})


def count_missing_reports(count: int) -> None:
    """Count the reports without a recent success, once an hour: what the alarm on missing reports watches."""
    _write_by_stack({"ReportsMissing": count})


def count_missing_summaries(count: int) -> None:
    """Count the scheduled times whose summary is missing, once an hour; and let the sum of those that were sent exist."""
    _write_by_stack({"SummariesMissing": count, "SummariesSent": 0})


def count_summary() -> None:
    """Count a message about a scheduled time."""
    _write_by_stack({"SummariesSent": 1})


def _of_analysis(analysis: Mapping[str, Any] | None) -> dict[str, int | None]:
    if not _is_whole(analysis):
        return {}
    by_severity, changes, coverage = analysis["by_severity"], analysis["changes"], analysis["coverage"]
    return {
        **{name: by_severity.get(severity, 0) for severity, name in SEVERITY_METRICS.items()},
        "OtherFindings": sum(count for severity, count in by_severity.items() if severity not in SEVERITY_METRICS),
        "OpenFindings": analysis["open"],
        "NewCriticals": changes["appeared_by_severity"].get("CRITICAL", 0) if changes else None,
        "ResourcesScanned": coverage["scanned"],
        "ResourcesNotScanned": coverage["not_scanned"],
    }


def _is_whole(analysis: Mapping[str, Any] | None) -> TypeIs[Mapping[str, Any]]:
    return analysis is not None and "error" not in analysis


def _write_by_report(report_name: str, values: Mapping[str, float | None]) -> None:
    _metrics.add_dimension(name="report", value=report_name)
    _write(BY_REPORT, values)


def _write_by_stack(values: Mapping[str, float | None]) -> None:
    _write(BY_STACK, values)


def _write(units: Mapping[str, MetricUnit], values: Mapping[str, float | None]) -> None:
    """Write what is known, at once: an hourly cleanup records several runs, each under its own report's name."""
    for name, value in values.items():
        # Not a comparison that NaN could pass, nor isfinite, which raises for a whole number that no float can hold.
        if value is not None and abs(value) <= LARGEST:
            _metrics.add_metric(name=name, unit=units[name], value=value)
    _metrics.flush_metrics()


def _accounts_not_scanned(coverage_status: Mapping[str, Any]) -> int:
    # A headline names the first ones only; one that was written before a deployment may lack their number.
    # Where Inspector is on and scans nothing, no account is named, and the alarm must fire all the same.
    return max(
        int(coverage_status.get("deactivated_accounts", len(coverage_status["deactivated"]))),
        int(coverage_status.get("state") == "lost"),
    )
