"""The emulated Inspector's files have the form of real ones."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_aws.emulator.inspector.findings import DAY, Finding, generate, load
from tests.local_aws.emulator.inspector.misbehaviour import Fault, Misbehaviour
from tests.local_aws.emulator.inspector.report_files import CSV_COLUMNS, broken, csv_report, empty_report, json_report

if TYPE_CHECKING:
    from tests.local_aws.emulator.inspector.report_files import CsvStyle

pytestmark = pytest.mark.usefixtures("sealed")

NOW = 1_780_000_000.0
REAL_FINDINGS = Path(os.environ.get("REAL_FINDINGS", "tests/data/real-findings.jsonl.gz"))
TIMES = {
    *("firstObservedAt", "lastObservedAt", "updatedAt", "vendorCreatedAt", "vendorUpdatedAt"),
    *("lastKnownExploitAt", "pushedAt", "launchedAt", "lastModifiedAt", "lastInUseAt"),
}


def make(count: int) -> list[Finding]:
    return generate(count, seed=1, now=NOW, accounts=["111122223333"], region="eu-west-1")


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def times(structure: Any) -> list[Any]:
    if isinstance(structure, list):
        return [time for item in structure for time in times(item)]
    if isinstance(structure, dict):
        own = [value for name, value in structure.items() if name in TIMES]
        return own + [time for item in structure.values() for time in times(item)]
    return []


class TestJson:
    def test_it_is_compact_and_holds_the_findings_of_the_api(self) -> None:
        findings = make(50)
        content = json_report(findings, "epoch")
        assert content.startswith(b'{"findings":[{"')
        assert json.loads(content) == {"findings": findings}

    def test_all_its_timestamps_are_iso_8601(self) -> None:
        findings = make(400)
        result = times(json.loads(json_report(findings)))
        assert [datetime.fromisoformat(time).timestamp() for time in result] == pytest.approx(times(findings), abs=0.001)

    def test_it_can_be_empty(self) -> None:
        assert json_report([]) == b'{"findings":[]}'


class TestCsv:
    def test_it_has_the_55_columns_that_were_seen(self) -> None:
        header = csv_report([], NOW).decode().rstrip("\n").split(",")
        assert (len(header), header[0], header[21], header[-1]) == (55, "AWS Account Id", "Age (Days)", "Package Manager")
        assert tuple(header) == CSV_COLUMNS

    @pytest.mark.parametrize("style", ["plain", "quoted"])
    def test_commas_line_breaks_and_quotes_survive(self, style: CsvStyle) -> None:
        description = ' a "quoted", text\nwith\r\nbreaks; and Umlaute: ü'
        findings = [{**finding, "description": description} for finding in make(20)]
        result = rows(csv_report(findings, NOW, style))
        assert [row["Description"] for row in result] == [description] * len(findings)
        assert all(None not in row and None not in row.values() for row in result)

    def test_a_row_holds_its_finding(self) -> None:
        findings = make(300)
        for row, finding in zip(rows(csv_report(findings, NOW)), findings, strict=True):
            assert row["Finding ARN"] == finding["findingArn"]
            assert (row["Severity"], row["Status"]) == (finding["severity"], finding["status"])
            assert row["Age (Days)"] == str(int((NOW - finding["firstObservedAt"]) / DAY))
            assert datetime.fromisoformat(row["First Seen"]).timestamp() == pytest.approx(finding["firstObservedAt"])
            details = finding.get("packageVulnerabilityDetails", {})
            assert row["Vulnerability Id"] == details.get("vulnerabilityId", "")
            packages = ",".join(package["name"] for package in details.get("vulnerablePackages", []))
            assert row["Affected Packages"] == packages

    def test_every_column_is_filled_somewhere(self) -> None:
        result = rows(csv_report(make(20_000), NOW))
        # It is not known when Inspector gives a vendor's CVSS2 score.
        assert {name for name in CSV_COLUMNS if not any(row[name] for row in result)} == {
            "Vendor CVSS2 Score",
            "Vendor CVSS2 Vector",
        }

    def test_lists_in_a_row_are_of_unequal_lengths(self) -> None:
        lengths = Counter(
            row["Affected Packages"].count(",") - row["Fixed in Version"].count(",") for row in rows(csv_report(make(5_000), NOW))
        )
        assert lengths.keys() - {0}

    def test_rows_have_the_size_of_real_ones(self) -> None:
        assert 1_400 <= len(csv_report(make(5_000), NOW)) / 5_150 <= 2_200


@pytest.mark.parametrize("count", [1, 2, 500])
class TestBroken:
    def test_json_cannot_be_parsed_but_holds_findings(self, count: int) -> None:
        content = broken(json_report(make(count)))
        assert b"findingArn" in content
        with pytest.raises(ValueError, match="Unterminated string"):
            json.loads(content)

    def test_csv_ends_within_a_row(self, count: int) -> None:
        content = broken(csv_report(make(count), NOW))
        last = list(csv.reader(io.StringIO(content.decode(), newline="")))[-1]
        assert 1 < len(last) < len(CSV_COLUMNS)


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_reports_of_nothing_hold_no_finding(report_format: str) -> None:
    contents = [empty_report(report_format, kind) for kind in ("empty_object", "header_only", "malformed")]
    assert contents[0] == b""
    assert len(set(contents)) == 3
    assert not any(b"arn:" in content for content in contents)


def test_malformed_json_cannot_be_parsed() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(empty_report("JSON", "malformed"))


@pytest.mark.skipif(not REAL_FINDINGS.exists(), reason="REAL_FINDINGS names no file of real findings")
def test_real_findings_survive_both_formats() -> None:
    findings = load(REAL_FINDINGS)
    assert len(findings) > 1_000
    assert len(json.loads(json_report(findings))["findings"]) == len(findings)
    result = rows(csv_report(findings, NOW))
    assert [row["Description"] for row in result] == [finding["description"] for finding in findings]
    assert [row["Finding ARN"] for row in result] == [finding["findingArn"] for finding in findings]


class TestMisbehaviour:
    def test_faults_of_a_call_come_in_turn_and_are_used_up(self) -> None:
        throttled, failed = Fault("throttle", times=2), Fault("server_error")
        faults = Misbehaviour([throttled, failed])
        assert [faults.of_call("create") for _ in range(4)] == [throttled, throttled, failed, None]
        assert faults.pending() == []

    def test_a_fault_waits_for_its_call(self) -> None:
        faults = Misbehaviour([Fault("throttle", operation="cancel", skip=1)])
        assert [bool(faults.of_call(name)) for name in ("create", "cancel", "status", "cancel")] == [False, False, False, True]

    def test_a_fault_without_a_number_stays(self) -> None:
        faults = Misbehaviour([Fault("throttle", times=None)])
        assert all(faults.of_call("status") for _ in range(20))

    def test_a_report_takes_all_its_faults_at_once(self) -> None:
        faults = Misbehaviour([Fault("hold"), Fault("throttle"), Fault("fail", error_code="NEW_ONE")])
        assert faults.of_report().keys() == {"hold", "fail"}
        assert faults.of_report() == {}

    @pytest.mark.parametrize(
        "wrong",
        [{"kind": "explode"}, {"kind": "hang", "operation": "delete"}, {"kind": "other_key"}, {"kind": "hang", "answer": "no"}],
    )
    def test_an_unknown_fault_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"must be|needs"):
            Fault(**wrong)
