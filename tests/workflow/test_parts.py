"""A report that is larger than one part, as it is deployed: it is divided, analyzed in parts and merged to the same analysis."""

import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from findings_analysis.comparison.fingerprint_format import FingerprintReader
from findings_analysis.reading import parquet_columns
from tests.local_aws.deployed_exporter import Execution, Exporter
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl

PART_BYTES = {"JSON": 12_000, "CSV": 8_000}
"""Divides the report of these tests into at least eight parts."""
FEWEST_PARTS = 8
EVERY_STATUS = {"findingStatus": [{"comparison": "EQUALS", "value": each} for each in ("ACTIVE", "SUPPRESSED", "CLOSED")]}


def report(name: str, report_format: str = "JSON") -> dict[str, Any]:
    return {"report": {"name": name, "format": report_format, "filter_criteria": EVERY_STATUS}}


def headline_of(exporter: Exporter, ended: Execution) -> dict[str, Any]:
    assert ended.status == "SUCCEEDED", ended.cause
    result: dict[str, Any] = json.loads(exporter.run_item(ended.arn)["analysis"])
    return result


def fingerprints_of(exporter: Exporter, headline: dict[str, Any]) -> list[bytes]:
    reader = FingerprintReader(io.BytesIO(exporter.read(headline["fingerprints_key"])))
    return list(itertools.chain.from_iterable(reader.blocks()))


def rows_of(exporter: Exporter, headline: dict[str, Any]) -> list[str]:
    keys = [key for key in exporter.objects() if key.startswith(headline["parquet_prefix"])]
    batches = (parquet_columns.read(io.BytesIO(exporter.read(key))) for key in keys)
    return sorted(arn for batch in itertools.chain.from_iterable(batches) for arn in batch["finding_arn"])


def parts_of(exporter: Exporter, ended: Execution) -> int:
    return exporter.states_entered(ended.arn).count("Analyze Part")


def parts_left(exporter: Exporter) -> list[str]:
    return [key for key in exporter.objects() if "/parts/" in key]


@pytest.fixture(params=PART_BYTES)
def report_format(request: pytest.FixtureRequest, exporter: Exporter) -> Iterator[str]:
    yield request.param
    exporter.set_part_bytes(None)


def test_a_report_in_parts_gives_the_analysis_of_the_whole(
    report_format: str, exporter: Exporter, inspector: InspectorControl
) -> None:
    first = exporter.run(report("whole", report_format))
    with exporter.with_parts_of(PART_BYTES[report_format]):
        first_in_parts = exporter.run(report("divided", report_format), seconds=90)
    inspector.evolve()
    second = exporter.run(report("whole", report_format))
    with exporter.with_parts_of(PART_BYTES[report_format]):
        second_in_parts = exporter.run(report("divided", report_format), seconds=90)

    for whole, in_parts in ((first, first_in_parts), (second, second_in_parts)):
        assert parts_of(exporter, whole) == 0
        assert (count := parts_of(exporter, in_parts)) >= FEWEST_PARTS
        expected, merged = headline_of(exporter, whole), headline_of(exporter, in_parts)
        assert fingerprints_of(exporter, merged) == fingerprints_of(exporter, expected)
        assert rows_of(exporter, merged) == rows_of(exporter, expected)
        assert len([key for key in exporter.objects() if key.startswith(merged["parquet_prefix"])]) == count
        for name in ("total", "open", "by_severity", "by_status", "changes", "no_baseline", "fix_first", "coverage_status"):
            assert merged[name] == expected[name], name
        documents = [json.loads(exporter.read(each["analysis_key"])) for each in (merged, expected)]
        assert documents[0]["statistics"] == documents[1]["statistics"]
    assert merged["baseline"]["execution"] == first_in_parts.name
    assert parts_left(exporter) == []


@pytest.mark.usefixtures("inspector")
def test_a_report_of_no_more_than_one_part_is_not_divided(exporter: Exporter) -> None:
    size = exporter.run({}).output["delivery"]["size_bytes"]
    with exporter.with_parts_of(size):
        assert parts_of(exporter, exporter.run({})) == 0
    with exporter.with_parts_of(size - 1):
        assert parts_of(exporter, exporter.run({}, seconds=90)) >= 2


def test_a_part_that_cannot_be_decoded_fails_the_analysis_and_not_the_export(
    exporter: Exporter, inspector: InspectorControl, tmp_path: Path
) -> None:
    findings = inspector.findings()
    findings[30]["severity"] = 7  # by which findings are counted; verification does not look at it
    path = tmp_path / "findings.jsonl"
    path.write_text("\n".join(map(json.dumps, findings)), encoding="utf-8")
    inspector.load(path)

    with exporter.with_parts_of(PART_BYTES["JSON"]):
        ended = exporter.run({}, seconds=90)

    assert headline_of(exporter, ended)["error"] == "Analysis.ReportMalformed"
    states = exporter.states_entered(ended.arn)
    assert "Part Not Analyzed" in states
    assert "Analyze Report" not in states
    message = exporter.message_of(ended.arn)
    assert message.outcome == "SUCCEEDED"
    assert "it could not be analyzed" in " ".join(message.email.split())
    assert not [key for key in exporter.objects() if "/findings/report=" in key]


@pytest.mark.usefixtures("inspector")
def test_a_part_makes_as_many_requests_as_the_document_counts_with(exporter: Exporter) -> None:
    """The files of these parts are smaller than the ranges of 4 MiB that a larger one is read in."""

    def requests(part_bytes: int) -> tuple[int, Counter[tuple[str, str]]]:
        FaultControl(exporter).forget()
        with exporter.with_parts_of(part_bytes):
            ended = exporter.run(report(f"of-{part_bytes}"), seconds=90)  # without a baseline
        calls = [call for call in FaultControl(exporter).calls() if call["service"] == "s3" and call["execution"] == ended.arn]
        return parts_of(exporter, ended), Counter((call["function"], call["method"]) for call in calls)

    (few, before), (many, after) = requests(4 * PART_BYTES["JSON"]), requests(PART_BYTES["JSON"])
    for_each_part = {key: (after[key] - before[key]) / (many - few) for key in after}
    assert for_each_part == {
        ("VerifyReportFunction", "GET"): 0,
        ("VerifyReportFunction", "HEAD"): 0,
        ("StartReportFunction", "GET"): 0,
        ("CutReportFunction", "GET"): 1,
        ("AnalyzePartFunction", "GET"): 2,  # one of them looks for the rules of the owners
        ("AnalyzePartFunction", "PUT"): 5,
        ("AnalyzeReportFunction", "HEAD"): 5,
        ("AnalyzeReportFunction", "GET"): 4,
        ("AnalyzeReportFunction", "PUT"): 1,
        ("AnalyzeReportFunction", "POST"): 0,
    }
