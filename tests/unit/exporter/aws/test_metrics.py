"""What is counted, and under which dimensions: dashboard and alarms find it by both."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from findings_exporter.aws import metrics
from findings_exporter.aws.metrics import (
    BY_REPORT,
    BY_STACK,
    count_analysis,
    count_expectation,
    count_failed_step,
    count_missing_reports,
    count_missing_summaries,
    count_overdue,
    count_run,
    count_status_check,
)
from findings_exporter.model.errors import Failure
from tests.builders.exporter import ended_run, failed_run, headline, plan


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metric lines that were written to the log."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]


def seen(capsys: pytest.CaptureFixture[str]) -> set[tuple[str, tuple[str, ...], str]]:
    """Each metric that was written: its name, dimensions and unit."""
    directives = [directive for line in lines(capsys) for directive in line["_aws"]["CloudWatchMetrics"]]
    assert {each["Namespace"] for each in directives} == {metrics.NAMESPACE}
    return {
        (metric["Name"], tuple(sorted(names)), metric["Unit"])
        for each in directives
        for names in each["Dimensions"]
        for metric in each["Metrics"]
    }


def counted(analysis: Mapping[str, Any] | None, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What is counted of a success with this analysis, by metric."""
    count_run(ended_run(analysis=analysis))
    written = list(lines(capsys))
    return {name: value[0] for line in written for name, value in line.items() if isinstance(value, list)}


def test_every_metric_that_is_known_is_written_with_its_unit_and_dimensions_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    count_run(ended_run(analysis=headline()))
    count_analysis("nightly", 12.0, 1_200_000)
    count_expectation("nightly")
    count_status_check("nightly")
    count_failed_step()
    count_missing_reports(1)
    count_missing_summaries(1)
    by_report = {(name, ("report", "service"), unit.value) for name, unit in BY_REPORT.items()}
    assert seen(capsys) == by_report | {(name, ("service",), unit.value) for name, unit in BY_STACK.items()}
    assert not set(BY_REPORT) & set(BY_STACK)


def test_findings_are_counted_by_severity_and_unknown_severities_together(capsys: pytest.CaptureFixture[str]) -> None:
    of = counted(headline(by_severity={"CRITICAL": 3, "HIGH": 4, "UNTRIAGED": 5, "SEVERE": 6}), capsys)
    severities = ("CriticalFindings", "HighFindings", "MediumFindings", "LowFindings", "OtherFindings")
    assert [of[name] for name in severities] == [3, 4, 0, 0, 11]
    assert (of["OpenFindings"], of["NewCriticals"], of["ResourcesScanned"], of["ResourcesNotScanned"]) == (1204, 2, 412, 6)


def test_without_a_baseline_the_metric_of_new_criticals_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "NewCriticals" not in counted(headline(changes=None), capsys)


def test_coverage_that_is_not_known_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    of = counted(headline(coverage={"scanned": None, "not_scanned": None}), capsys)
    assert not {"ResourcesScanned", "ResourcesNotScanned"} & of.keys()


@pytest.mark.parametrize(("deactivated", "count"), [({}, 0), ({"123456789012": ["EC2"], "210987654321": ["ECR", "LAMBDA"]}, 2)])
def test_lost_accounts_are_counted(deactivated: dict[str, list[str]], count: int, capsys: pytest.CaptureFixture[str]) -> None:
    coverage_status: dict[str, Any] = {
        "state": "lost" if deactivated else "active",
        "unusual_drop": False,
        "deactivated": deactivated,
        "deactivated_accounts": len(deactivated),
        "reasons": [],
    }
    assert counted(headline(coverage_status=coverage_status), capsys)["AccountsNotScanned"] == count


def test_lost_coverage_without_a_lost_account_fires_the_alarm_too(capsys: pytest.CaptureFixture[str]) -> None:
    coverage_status: dict[str, Any] = {
        "state": "lost",
        "unusual_drop": True,
        "deactivated": {},
        "deactivated_accounts": 0,
        "reasons": [],
    }
    assert counted(headline(coverage_status=coverage_status), capsys)["AccountsNotScanned"] == 1


@pytest.mark.parametrize("analysis", [None, {"error": "Analysis.NotStored", "sentence": "No."}])
def test_of_a_run_without_an_analysis_no_findings_are_counted(
    analysis: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    of = counted(analysis, capsys)
    assert of["ExportsSucceeded"] == 1
    assert not {"OpenFindings", "CriticalFindings", "AccountsNotScanned"} & of.keys()
    assert of.get("AnalysesFailed") == (1 if analysis else None)


def test_a_runs_duration_is_measured_against_its_own_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    count_run(failed_run(Failure("DeadlineExceeded", "x"), plan=plan({"deadline_hours": 0.2})))
    (of_stack,) = [line for line in lines(capsys) if "DeadlineUsed" in line]
    assert of_stack["DeadlineUsed"] == [pytest.approx(100)]


def test_an_analysis_that_failed_has_a_duration_and_no_speed(capsys: pytest.CaptureFixture[str]) -> None:
    count_analysis("nightly", 2.0, 3_000_000)
    count_analysis("nightly", 2.0, None)
    whole, failed = lines(capsys)
    assert (whole["AnalysisDuration"], whole["AnalysisSpeed"]) == ([2.0], [1_500_000.0])
    assert "AnalysisSpeed" not in failed


def test_an_expected_success_adds_nothing_to_the_successes(capsys: pytest.CaptureFixture[str]) -> None:
    count_expectation("weekly")
    (line,) = lines(capsys)
    assert (line["report"], line["RegularExportsSucceeded"]) == ("weekly", [0.0])


@pytest.mark.parametrize("deadline_hours", [5e-324, float("nan")])
def test_a_share_of_the_deadline_that_is_no_finite_number_is_not_written(
    deadline_hours: float, capsys: pytest.CaptureFixture[str]
) -> None:
    count_run(ended_run(plan=replace(plan(), deadline_hours=deadline_hours)))
    text = capsys.readouterr().out
    assert "ExportsFailed" in text
    assert not re.search("DeadlineUsed|NaN|Infinity", text)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 10**400, -(2.0**361)])
def test_a_number_that_cloudwatch_refuses_is_left_out_and_the_others_are_written(
    value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    of = counted(headline(coverage={"scanned": value, "not_scanned": 3}), capsys)
    assert "ResourcesScanned" not in of
    assert of["ResourcesNotScanned"] == 3


@pytest.mark.parametrize(("seconds", "size"), [(5e-324, 10**9), (0, 1)])
def test_a_speed_that_is_no_finite_number_is_not_written(seconds: float, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    count_analysis("nightly", seconds, size)
    assert not re.search("AnalysisSpeed|NaN|Infinity", capsys.readouterr().out)


def test_overdue_findings_are_counted_by_the_lowest_severity_beside_those_of_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    count_overdue("nightly", {"CRITICAL": 1, "HIGH": 3, "MEDIUM": 3, "LOW": 7})
    counted_lines = lines(capsys)
    assert [(line["lowest_severity"], line["OverdueFindings"]) for line in counted_lines] == [
        ("CRITICAL", [1.0]), ("HIGH", [3.0]), ("MEDIUM", [3.0]), ("LOW", [7.0]),
    ]  # fmt: skip
    for line in counted_lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert sorted(directive["Dimensions"][0]) == ["lowest_severity", "report", "service"]
        assert line["report"] == "nightly"


def test_no_overdue_finding_is_a_zero_and_what_has_no_metric_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    count_overdue("nightly", {"CRITICAL": 0, "INFORMATIONAL": 4})
    (line,) = lines(capsys)
    assert (line["lowest_severity"], line["OverdueFindings"]) == ("CRITICAL", [0.0])


def test_a_later_metric_has_no_dimension_of_overdue_findings(capsys: pytest.CaptureFixture[str]) -> None:
    count_overdue("nightly", {"CRITICAL": 1})
    count_expectation("nightly")
    assert "lowest_severity" not in lines(capsys)[-1]
