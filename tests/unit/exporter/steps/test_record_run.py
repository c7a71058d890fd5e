"""Recording how a run ended: the outcome, what the workflow's Fail state says, and metrics counted once."""

import json
from typing import Any

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure
from findings_exporter.steps import record_run as recording
from findings_exporter.steps.record_run import cause_text, record_run
from tests.builders.exporter import config, delivery, execution, failed_run, headline, minutes, planned

ME = execution("me")
SUCCESS: dict[str, Any] = {"failure": None, "delivery": delivery().to_dict(), "duplicate": False}
FAILURE: dict[str, Any] = {"failure": {"error": "Workflow.Timeout", "cause": ""}, "delivery": None, "duplicate": False}


def counted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics that were written to the log."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]


def record(table: Table, event: dict[str, Any]) -> dict[str, Any]:
    """Run the step."""
    return record_run(table, config(), ME, event, minutes(12))


def test_a_success_is_recorded_and_to_be_notified(table: Table) -> None:
    planned(table, ME)
    assert record(table, SUCCESS) == {"state": "NOTIFICATION_PENDING", "outcome": "SUCCEEDED", "failure": None}
    assert run_store.load(table, ME).delivery == delivery()


def test_a_failure_is_recorded_with_its_reason_and_fix(table: Table) -> None:
    planned(table, ME)
    result = record(table, FAILURE)
    assert (result["state"], result["outcome"], result["failure"]["error"]) == (
        "NOTIFICATION_PENDING",
        "FAILED",
        "Workflow.Timeout",
    )
    assert result["failure"]["cause"].startswith(
        "The workflow ended with the error Workflow.Timeout and gave no further information.\n\nCause: A function did not finish"
    )
    assert "\n1. Check the AWS Health Dashboard" in result["failure"]["cause"]


def test_a_deliverys_note_is_one_of_the_runs_notes(table: Table) -> None:
    planned(table, ME)
    run_store.note(table, ME, "Another one.")
    record(table, SUCCESS | {"delivery": delivery(note="How it was checked.").to_dict()})
    assert run_store.load(table, ME).notes == ("Another one.", "How it was checked.")


def test_a_failure_after_a_verified_delivery_is_a_failure(table: Table) -> None:
    planned(table, ME)
    assert record(table, FAILURE | {"delivery": SUCCESS["delivery"]})["outcome"] == "FAILED"
    assert run_store.load(table, ME).delivery is None


def test_what_a_setup_check_found_is_recorded_and_is_in_the_cause(table: Table) -> None:
    planned(table, ME)
    statement = {"Sid": "InspectorMayWriteReports", "Effect": "Allow"}
    wrong = {"check": "key", "sentence": "No.", "evidence": ["seen"], "fix": ["Do."], "statements": [statement]}
    setup = {"result": "failed", "failed": [wrong], "unknown": []}
    failure = {"error": "Report.INVALID_PERMISSIONS", "cause": "said", "setup": setup}
    result = record(table, FAILURE | {"failure": failure})
    assert result["failure"]["cause"].startswith(
        "said\n\nCause: The setup check found: No.\n- seen\n\nFix:\n1. Do.\n2. Run a test export"
    )
    assert json.loads(result["failure"]["cause"].split("Policy statement to add (KMS key):\n")[1]) == statement
    recorded = run_store.load(table, ME).failure
    assert recorded is not None
    assert recorded.setup == setup


def test_a_report_that_could_not_be_cancelled_is_noted(table: Table) -> None:
    planned(table, ME)
    failure = {"error": "DeadlineExceeded", "cause": "said", "not_cancelled": "AccessDeniedError"}
    record(table, FAILURE | {"failure": failure})
    (note,) = run_store.load(table, ME).notes
    assert "may still be in progress" in note
    assert "AccessDeniedError" in note


def test_a_run_that_inspector_refused_before_it_created_a_report_has_none_to_cancel(table: Table) -> None:
    planned(table, ME)
    failure = {"error": "AccessDeniedError", "cause": "said", "not_cancelled": "AccessDeniedError"}
    record(table, FAILURE | {"failure": failure})
    assert run_store.load(table, ME).notes == ()


def test_a_failure_of_a_duplicate_is_a_failure(table: Table) -> None:
    planned(table, ME)
    assert record(table, FAILURE | {"duplicate": True})["outcome"] == "FAILED"


@pytest.mark.parametrize(
    ("run_input", "event", "outcome"),
    [
        ({"notify": False}, SUCCESS, "SUCCEEDED"),
        ({}, SUCCESS | {"delivery": None, "duplicate": True}, "DUPLICATE"),
    ],
)
def test_a_silent_success_and_a_duplicate_are_closed(
    table: Table, run_input: dict[str, Any], event: dict[str, Any], outcome: str
) -> None:
    planned(table, ME, run_input)
    assert record(table, event) == {"state": "CLOSED", "outcome": outcome, "failure": None}


def test_the_workflow_gets_what_clean_up_recorded_first(table: Table) -> None:
    planned(table, ME)
    recording.record(table, ME, "ABORTED", Failure("Stopped", "by an operator"), None, minutes(11))
    result = record(table, SUCCESS)
    assert (result["outcome"], result["failure"]["error"]) == ("ABORTED", "Stopped")


def test_a_lambda_error_is_recorded_with_its_message_alone(table: Table) -> None:
    planned(table, ME)
    cause = json.dumps({"errorMessage": "no", "errorType": "AccessDeniedError", "stackTrace": ["secret"]})
    record(table, FAILURE | {"failure": {"error": "AccessDeniedError", "cause": cause}})
    assert run_store.load(table, ME).failure == Failure("AccessDeniedError", "no")


def test_a_success_is_counted_once_with_its_size_and_durations(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    planned(table, ME)
    run_store.note_report(table, ME, "id", minutes(1))
    run_store.note_report_ended(table, ME, minutes(11))
    record(table, SUCCESS)
    record(table, SUCCESS)
    metric, of_stack = counted(capsys)
    assert (metric["report"], metric["ExportsSucceeded"], of_stack["ExportsFailed"]) == ("nightly", [1.0], [0.0])
    assert metric["RegularExportsSucceeded"] == [1.0]
    assert (metric["RunDuration"], metric["ReportDuration"], metric["ReportSize"]) == ([720.0], [600.0], [1234567.0])
    assert metric["LockWait"] == [60.0]
    assert of_stack["DeadlineUsed"] == [pytest.approx(100 * 12 / 360)]
    assert "AnalysesFailed" not in of_stack


@pytest.mark.parametrize(
    ("run_input", "is_regular"),
    [
        ({}, True),
        ({"notify": False}, False),
        ({"report": {"filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "LOW"}]}}}, False),
        ({"report": {"name": "low", "filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "LOW"}]}}}, True),
    ],
)
def test_only_a_run_that_stands_for_the_report_is_its_success_and_writes_its_numbers(
    run_input: dict[str, Any], is_regular: bool, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    planned(table, ME, run_input)
    run_store.note_analysis(table, ME, headline())
    record(table, SUCCESS)
    metric, of_stack = counted(capsys)
    assert (metric["ExportsSucceeded"], metric["RegularExportsSucceeded"]) == ([1.0], [float(is_regular)])
    assert ("OpenFindings" in metric) == ("CriticalFindings" in metric) == is_regular
    assert of_stack["AccountsNotScanned"] == [0.0], "a silent run, too, reports that scanning is deactivated"


def test_an_analysis_that_broke_down_is_recorded_with_a_sentence_and_counted(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    planned(table, ME)
    broken = {
        "error": "Sandbox.Timedout",
        "cause": json.dumps({"errorMessage": "Task timed out\nafter 600 seconds. " + "x" * 999}),
    }
    assert record(table, SUCCESS | {"analysis_failure": broken})["outcome"] == "SUCCEEDED"
    analysis = run_store.load(table, ME).analysis
    assert analysis is not None
    assert analysis["error"] == "Sandbox.Timedout"
    assert analysis["sentence"].startswith(
        "The report was delivered, but it could not be analyzed: Task timed out after 600 seconds."
    )
    assert "Check the log of analyze_report" in analysis["sentence"]
    assert len(analysis["sentence"]) < 600
    _, of_analyses = counted(capsys)
    assert of_analyses["AnalysesFailed"] == [1.0]
    # What AnalysisAlarm watches.
    assert of_analyses["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert of_analyses["service"] == "findings_exporter"


def test_what_the_analyses_function_wrote_down_stands(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    planned(table, ME)
    run_store.note_analysis(table, ME, headline())
    record(table, SUCCESS | {"analysis_failure": {"error": "Workflow.Timeout", "cause": ""}})
    analysis = run_store.load(table, ME).analysis
    assert analysis is not None
    assert "error" not in analysis
    assert counted(capsys)[1]["AnalysesFailed"] == [0.0]


def test_a_failure_is_counted_even_before_its_plan(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    run_store.open_run(table, ME, "{}")
    record(table, FAILURE)
    metric, of_stack = counted(capsys)
    assert (metric["report"], metric["ExportsSucceeded"], of_stack["ExportsFailed"]) == ("unknown", [0.0], [1.0])
    assert {"ReportSize", "LockWait"} & metric.keys() == set()
    assert "DeadlineUsed" not in of_stack


def test_a_duplicate_is_not_counted(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    planned(table, ME)
    record(table, SUCCESS | {"delivery": None, "duplicate": True})
    assert counted(capsys) == []


def test_runs_that_one_hourly_cleanup_records_are_counted_under_their_own_reports(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        planned(table, execution(name), {"report": {"name": name}})
        recording.record(table, execution(name), "ABORTED", Failure("Stopped", "x"), None, minutes(1))
    lines = counted(capsys)
    assert [line["report"] for line in lines if "report" in line] == ["a", "b"]
    assert [line["ExportsFailed"] for line in lines if "ExportsFailed" in line] == [[1.0], [1.0]]


def test_the_fail_states_cause_fits() -> None:
    failure = Failure("InvalidInput", "x" * 100_000)
    assert len(cause_text(failure, config(), failed_run(failure))) == recording.FAIL_CAUSE_CHARACTERS
