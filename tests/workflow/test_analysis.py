"""A run's analysis, as it is deployed: its files, what it compares with, and that it never fails the export."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_analysis.comparison.fingerprint_format import FingerprintReader
from findings_analysis.reading import parquet_columns
from tests.local_aws.deployed_exporter import Execution, Exporter
from tests.local_aws.inspector_control import InspectorControl

SCHEMA = Draft202012Validator(json.loads(Path("docs/analysis.schema.json").read_text(encoding="utf-8")))
EVERY_STATUS = {"findingStatus": [{"comparison": "EQUALS", "value": each} for each in ("ACTIVE", "SUPPRESSED", "CLOSED")]}


def headline_of(exporter: Exporter, ended: Execution) -> dict[str, Any]:
    assert ended.status == "SUCCEEDED", ended.cause
    result: dict[str, Any] = json.loads(exporter.run_item(ended.arn)["analysis"])
    return result


def document_of(exporter: Exporter, headline: dict[str, Any]) -> dict[str, Any]:
    analysis: dict[str, Any] = json.loads(exporter.read(headline["analysis_key"]))
    SCHEMA.validate(analysis)
    return analysis


def history_of(exporter: Exporter, ended: Execution) -> dict[str, Any]:
    (line,) = [item for (_, sk), item in exporter.items().items() if sk.startswith("RUN#") and item["arn"] == ended.arn]
    return line


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_the_first_run_has_counts_and_files_and_nothing_to_compare_with(
    report_format: str, exporter: Exporter, inspector: InspectorControl
) -> None:
    ended = exporter.run({"report": {"format": report_format}})

    headline = headline_of(exporter, ended)
    findings = inspector.findings()
    assert (headline["total"], headline["open"]) == (len(findings), len(findings))
    assert (headline["no_baseline"], headline["baseline"], headline["changes"]) == ("first_run", None, None)
    assert headline["coverage"]["scanned"] > 0
    assert document_of(exporter, headline)["statistics"]["total"] == len(findings)
    rows = [
        arn
        for batch in parquet_columns.read(io.BytesIO(exporter.read(f"{headline['parquet_prefix']}0001.parquet")))
        for arn in batch["finding_arn"]
    ]
    assert sorted(rows) == sorted(finding["findingArn"] for finding in findings)
    assert FingerprintReader(io.BytesIO(exporter.read(headline["fingerprints_key"]))).header.execution == ended.name
    day = f"{ended.started_at:%Y-%m-%d}"
    assert headline["parquet_prefix"] == f"inspector/findings/report=nightly/day={day}/{ended.name}/"
    s3 = exporter.client("s3")
    parquet_key = f"{headline['parquet_prefix']}0001.parquet"
    for key in (headline["analysis_key"], headline["fingerprints_key"], headline["names_key"], parquet_key):
        head = s3.head_object(Bucket=headline["bucket"], Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", exporter.outputs["ReportsKeyArn"])
        assert head["ETag"] in {headline["fingerprints_etag"], headline["names_etag"]} or key.endswith(("json", "parquet"))
    assert history_of(exporter, ended)["analysis_fingerprints"] == headline["fingerprints_key"]


def test_the_second_run_names_what_is_new_and_what_is_no_longer_open(exporter: Exporter, inspector: InspectorControl) -> None:
    first = exporter.run({"report": {"filter_criteria": EVERY_STATUS}})
    daily_run = inspector.evolve()

    second = exporter.run({"report": {"filter_criteria": EVERY_STATUS}})

    headline = headline_of(exporter, second)
    assert headline["baseline"]["execution"] == first.name
    counts = headline["changes"]["counts"]
    assert counts["new"] + counts["additional_resource"] == len(daily_run["new"])
    assert headline["changes"]["appeared"] == sum(headline["changes"]["appeared_by_severity"].values())
    assert counts["unchanged_new_arn"] > 0
    assert headline["changes"]["no_longer_open"] > 0
    lists = document_of(exporter, headline)["changes"]["lists"]
    assert {each["finding_arn"] for each in (*lists["new"], *lists["additional_resource"])} == set(daily_run["new"])
    assert {each["finding_arn"] for each in lists["closed"]} <= set(daily_run["fixed"])
    assert all(each["title"] for kind in lists.values() for each in kind), "a finding that is no longer open has its name, too"
    assert headline["worst_new"][0]["title"]
    execution = exporter.states.describe_execution(executionArn=second.arn)
    assert headline["worst_new"][0]["title"] not in json.dumps(execution, default=str)


def test_a_report_without_findings_has_an_analysis_that_says_whether_scanning_is_active(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    exporter.run({})
    inspector.seed(findings=0, seed=1)
    inspector.configure(when_nothing_found="fail")

    headline = headline_of(exporter, exporter.run({}))

    assert (headline["total"], headline["coverage_status"]["unusual_drop"]) == (0, True)
    assert headline["changes"]["no_longer_open"] > 0


def test_a_malformed_report_is_delivered_without_an_analysis_and_the_mail_says_so(
    exporter: Exporter, inspector: InspectorControl, tmp_path: Path
) -> None:
    load_with(inspector, tmp_path, severity=7)  # by which findings are counted; verification does not look at it

    ended = exporter.run({})

    headline = headline_of(exporter, ended)
    assert headline["error"] == "Analysis.ReportMalformed"
    message = exporter.message_of(ended.arn)
    assert message.outcome == "SUCCEEDED"
    assert "it could not be analyzed" in " ".join(message.email.split())
    assert "analysis_fingerprints" not in history_of(exporter, ended)


def test_an_unreadable_title_is_left_out_and_said_and_its_finding_counts(
    exporter: Exporter, inspector: InspectorControl, tmp_path: Path
) -> None:
    total = load_with(inspector, tmp_path, title=7)

    headline = headline_of(exporter, exporter.run({}))

    assert headline["total"] == total
    assert "1 value of title could not be read and was left out." in document_of(exporter, headline)["sentences"]


def load_with(inspector: InspectorControl, folder: Path, **members: object) -> int:
    """Let one finding have odd members, and return how many there are."""
    findings = inspector.findings()
    findings[30] |= members
    path = folder / "findings.jsonl"
    path.write_text("\n".join(map(json.dumps, findings)), encoding="utf-8")
    inspector.load(path)
    return len(findings)


def test_an_analysis_that_may_not_read_the_report_says_so_and_the_next_run_has_no_baseline(exporter: Exporter) -> None:
    with exporter.without_statement("AnalyzeReportFunctionRole", "ReadTheReport"):
        ended = exporter.run({})

    assert headline_of(exporter, ended)["error"] == "Analysis.ReportUnreadable"
    assert "the steps of the analysis may read the bucket" in " ".join(exporter.message_of(ended.arn).email.split())
    assert headline_of(exporter, exporter.run({}))["no_baseline"] == "no_analysis"


def test_an_analysis_that_breaks_down_is_written_down_by_the_workflow(exporter: Exporter) -> None:
    with exporter.without_statement("AnalyzeReportFunctionRole", "FindTheBaseline"):
        ended = exporter.run({}, seconds=90)

    assert headline_of(exporter, ended)["error"] == "AccessDeniedError"
    assert "Check the log of analyze_report" in " ".join(exporter.message_of(ended.arn).email.split())


def test_a_baseline_that_was_replaced_is_noted_and_not_compared_with(exporter: Exporter) -> None:
    first = headline_of(exporter, exporter.run({}))
    exporter.client("s3").put_object(Bucket=first["bucket"], Key=first["fingerprints_key"], Body=b"something else")

    headline = headline_of(exporter, exporter.run({}))

    assert (headline["no_baseline"], headline["changes"]) == ("unreadable", None)
    assert "was replaced since it was written" in json.dumps(headline["sentences"])


def test_an_analysis_that_is_switched_off_is_not_made(exporter: Exporter) -> None:
    # As a deployment with the parameter at OFF writes it; a whole stack of its own would take a minute.
    machine = exporter.states.describe_state_machine(stateMachineArn=exporter.state_machine)["definition"]
    off = json.loads(machine)
    assert off["States"]["Prepare Run"]["Assign"]["analysis"] == "ON"
    off["States"]["Prepare Run"]["Assign"]["analysis"] = "OFF"
    exporter.states.update_state_machine(stateMachineArn=exporter.state_machine, definition=json.dumps(off))

    try:
        ended = exporter.run({}, seconds=90)
    finally:
        exporter.states.update_state_machine(stateMachineArn=exporter.state_machine, definition=machine)

    assert ended.status == "SUCCEEDED", ended.cause
    assert "Analyze Report" not in exporter.states_entered(ended.arn)
    assert "analysis" not in exporter.run_item(ended.arn)
    assert all(key.startswith("inspector/reports/") for key in exporter.objects())
