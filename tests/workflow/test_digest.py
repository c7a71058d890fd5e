"""A night's digest, as it is deployed: its files, what it compares with, and that it never fails the export."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_analysis.comparison.fingerprint_format import KeyReader
from findings_analysis.output import parquet
from tests.local_aws.deployed_exporter import Execution, Exporter
from tests.local_aws.inspector_control import InspectorControl

SCHEMA = Draft202012Validator(json.loads(Path("docs/digest.schema.json").read_text(encoding="utf-8")))
EVERY_STATUS = {"findingStatus": [{"comparison": "EQUALS", "value": each} for each in ("ACTIVE", "SUPPRESSED", "CLOSED")]}


def brief_of(exporter: Exporter, ended: Execution) -> dict[str, Any]:
    assert ended.status == "SUCCEEDED", ended.cause
    told: dict[str, Any] = json.loads(exporter.run_item(ended.arn)["digest"])
    return told


def digest_of(exporter: Exporter, brief: dict[str, Any]) -> dict[str, Any]:
    digest: dict[str, Any] = json.loads(exporter.read(brief["digest_key"]))
    SCHEMA.validate(digest)
    return digest


def history_of(exporter: Exporter, ended: Execution) -> dict[str, Any]:
    (line,) = [item for (_, sk), item in exporter.items().items() if sk.startswith("RUN#") and item["arn"] == ended.arn]
    return line


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_the_first_night_has_counts_and_files_and_nothing_to_compare_with(
    report_format: str, exporter: Exporter, inspector: InspectorControl
) -> None:
    ended = exporter.run({"report": {"format": report_format}})

    brief = brief_of(exporter, ended)
    findings = inspector.findings()
    assert (brief["total"], brief["open"]) == (len(findings), len(findings))
    assert (brief["no_baseline"], brief["baseline"], brief["changes"]) == ("first_run", None, None)
    assert brief["coverage"]["scanned"] > 0
    assert digest_of(exporter, brief)["counts"]["total"] == len(findings)
    rows = [arn for batch in parquet.read(io.BytesIO(exporter.read(brief["parquet_key"]))) for arn in batch["finding_arn"]]
    assert sorted(rows) == sorted(finding["findingArn"] for finding in findings)
    assert KeyReader(io.BytesIO(exporter.read(brief["keys_key"]))).header.execution == ended.name
    day = f"{ended.started_at:%Y-%m-%d}"
    assert brief["parquet_key"] == f"inspector/findings/report=nightly/day={day}/{ended.name}.parquet"
    s3 = exporter.client("s3")
    for key in (brief["digest_key"], brief["keys_key"], brief["parquet_key"]):
        head = s3.head_object(Bucket=brief["bucket"], Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", exporter.outputs["ReportsKeyArn"])
        assert head["ETag"] in {brief["keys_etag"], brief["parquet_etag"]} or key == brief["digest_key"]
    assert history_of(exporter, ended)["digest_keys"] == brief["keys_key"]


def test_the_second_night_tells_what_is_new_and_what_is_gone(exporter: Exporter, inspector: InspectorControl) -> None:
    first = exporter.run({"report": {"filter_criteria": EVERY_STATUS}})
    night = inspector.evolve()

    second = exporter.run({"report": {"filter_criteria": EVERY_STATUS}})

    brief = brief_of(exporter, second)
    assert brief["baseline"]["execution"] == first.name
    counts = brief["changes"]["counts"]
    assert counts["new"] + counts["another_copy"] == len(night["new"])
    assert brief["changes"]["appeared"] == sum(brief["changes"]["appeared_by_severity"].values())
    assert counts["reissued"] > 0
    assert brief["changes"]["gone"] > 0
    lists = digest_of(exporter, brief)["changes"]["lists"]
    assert {each["finding_arn"] for each in (*lists["new"], *lists["another_copy"])} == set(night["new"])
    assert {each["finding_arn"] for each in lists["closed"]} <= set(night["fixed"])
    assert all(each["title"] for kind in lists.values() for each in kind), "also what is gone has its name"
    assert brief["worst_new"][0]["title"]
    execution = exporter.states.describe_execution(executionArn=second.arn)
    assert brief["worst_new"][0]["title"] not in json.dumps(execution, default=str)


def test_a_report_that_found_nothing_has_a_digest_that_says_whether_that_is_good(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    exporter.run({})
    inspector.seed(findings=0, seed=1)
    inspector.configure(when_nothing_found="fail")

    brief = brief_of(exporter, exporter.run({}))

    assert (brief["total"], brief["verdict"]["sudden_fall"]) == (0, True)
    assert brief["changes"]["gone"] > 0


def test_a_malformed_report_is_delivered_without_a_digest_and_the_mail_says_so(
    exporter: Exporter, inspector: InspectorControl, tmp_path: Path
) -> None:
    load_with(inspector, tmp_path, severity=7)  # by which findings are counted; verification does not look at it

    ended = exporter.run({})

    told = brief_of(exporter, ended)
    assert told["error"] == "Digest.ReportMalformed"
    message = exporter.message_of(ended.arn)
    assert message.outcome == "SUCCEEDED"
    assert "it could not be analysed" in " ".join(message.email.split())
    assert "digest_keys" not in history_of(exporter, ended)


def test_an_unreadable_title_is_left_out_and_said_and_its_finding_counts(
    exporter: Exporter, inspector: InspectorControl, tmp_path: Path
) -> None:
    total = load_with(inspector, tmp_path, title=7)

    brief = brief_of(exporter, exporter.run({}))

    assert brief["total"] == total
    assert "1 value of title could not be read and was left out." in digest_of(exporter, brief)["sentences"]


def load_with(inspector: InspectorControl, folder: Path, **members: object) -> int:
    """Let one finding have odd members, and return how many there are."""
    findings = inspector.findings()
    findings[30] |= members
    path = folder / "findings.jsonl"
    path.write_text("\n".join(map(json.dumps, findings)), encoding="utf-8")
    inspector.load(path)
    return len(findings)


def test_a_digest_that_may_not_read_the_report_says_so_and_the_next_night_has_no_baseline(exporter: Exporter) -> None:
    with exporter.without_statement("DigestReportFunctionRole", "ReadTheReport"):
        ended = exporter.run({})

    assert brief_of(exporter, ended)["error"] == "Digest.ReportUnreadable"
    assert "digest_report may read the bucket" in " ".join(exporter.message_of(ended.arn).email.split())
    assert brief_of(exporter, exporter.run({}))["no_baseline"] == "no_digest"


def test_a_digest_that_breaks_down_is_written_down_by_the_workflow(exporter: Exporter) -> None:
    with exporter.without_statement("DigestReportFunctionRole", "FindTheBaseline"):
        ended = exporter.run({}, seconds=90)

    assert brief_of(exporter, ended)["error"] == "AccessDeniedError"
    assert "Look into the log of digest_report" in " ".join(exporter.message_of(ended.arn).email.split())


def test_a_baseline_that_was_replaced_is_said_and_not_compared_with(exporter: Exporter) -> None:
    first = brief_of(exporter, exporter.run({}))
    exporter.client("s3").put_object(Bucket=first["bucket"], Key=first["keys_key"], Body=b"something else")

    brief = brief_of(exporter, exporter.run({}))

    assert (brief["no_baseline"], brief["changes"]) == ("unreadable", None)
    assert any("was replaced since it was written" in sentence for sentence in brief["sentences"])


def test_a_digest_that_is_switched_off_is_not_made(exporter: Exporter) -> None:
    # As a deployment with the parameter at OFF writes it; a whole stack of its own would take a minute.
    machine = exporter.states.describe_state_machine(stateMachineArn=exporter.state_machine)["definition"]
    off = json.loads(machine)
    assert off["States"]["Prepare Run"]["Assign"]["digest"] == "ON"
    off["States"]["Prepare Run"]["Assign"]["digest"] = "OFF"
    exporter.states.update_state_machine(stateMachineArn=exporter.state_machine, definition=json.dumps(off))

    try:
        ended = exporter.run({}, seconds=90)
    finally:
        exporter.states.update_state_machine(stateMachineArn=exporter.state_machine, definition=machine)

    assert ended.status == "SUCCEEDED", ended.cause
    assert "Digest Report" not in exporter.states_entered(ended.arn)
    assert "digest" not in exporter.run_item(ended.arn)
    assert all(key.startswith("inspector/reports/") for key in exporter.objects())
