"""A report that was verified becomes files and a headline; what goes wrong is written down, or raised where it passes."""

import io
import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from arro3.core import Array, DataType, Field, RecordBatch, Schema
from arro3.io import write_parquet

from findings_analysis import pipeline
from findings_analysis.comparison.baseline import HISTORY_FIELDS, StoredFile
from findings_analysis.comparison.earlier_files import EarlierFiles
from findings_analysis.comparison.fingerprint_format import (
    BLOCK,
    HEADER,
    MAGIC,
    SUMMARY,
    FingerprintReader,
    _packed,
)
from findings_analysis.comparison.fingerprints import FINGERPRINT_BYTES, FIRST_SEEN
from findings_analysis.comparison.identity import IDENTITY_VERSION, exact_hashes
from findings_analysis.comparison.sections import write_section
from findings_analysis.output import names_format
from findings_analysis.output.names_format import NamesWriter
from findings_analysis.page import run_page
from findings_analysis.page.run_page import trend
from findings_analysis.pipeline import analyze_run
from findings_analysis.reading import parquet_columns
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.table import Table
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import THROTTLED, ServiceUnavailableError, translated
from findings_exporter.model.run import Run
from tests.builders import exporter as builders
from tests.builders.exporter import BUCKET, KEY, START, FakeInspector, client, client_error, config, execution, planned
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report

FINDINGS = generate(40, seed=3, now=START.timestamp(), accounts=[builders.ACCOUNT], region=builders.REGION)
ACTIVE = [each for each in FINDINGS if each["status"] == "ACTIVE"]


class S3:
    """The bucket, and errors by operation and a part of the key."""

    def __init__(self) -> None:
        self.errors: dict[tuple[str, str], Exception] = {}
        self.puts: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            for (operation, part), error in self.errors.items():
                if operation == name and part in request.get("Key", ""):
                    raise error
            if name == "put_object":
                self.puts.append(request)
            return getattr(client("s3"), name)(**request)

        return call


@pytest.fixture
def s3(table: Table) -> S3:
    builders.make_bucket()
    client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return S3()


@pytest.fixture
def clients(table: Table, s3: Any, inspector: FakeInspector) -> AnalysisClients:
    return AnalysisClients(config(), table, s3, inspector.client, lambda: START)


def delivered(
    clients: AnalysisClients, name: str, at: datetime, content: bytes | None, report_format: str = "JSON", **run_input: Any
) -> tuple[Run, Delivery]:
    """A run whose report was verified; without content Inspector found nothing."""
    report = {"format": report_format} | run_input.pop("report", {})
    run = planned(clients.table, execution(name, at), {"report": report} | run_input)
    prefix = run.require_plan().destination.prefix
    if content is None:
        return run, Delivery(BUCKET, prefix, None, 0, None, None, None, "no_findings")
    key = builders.put_report(content, f"{prefix}{builders.REPORT_ID}.{report_format.lower()}")
    head = client("s3").head_object(Bucket=BUCKET, Key=key)
    return run, Delivery(BUCKET, prefix, key, len(content), head["ETag"], head.get("VersionId"), KEY, None)


def daily_run(
    clients: AnalysisClients,
    name: str = "run-1",
    at: datetime = START,
    findings: list[Any] | None = None,
    report_format: str = "JSON",
    **run_input: Any,
) -> dict[str, Any]:
    """A whole run: analyzed and recorded. Returns what was written down of the analysis."""
    findings = ACTIVE if findings is None else findings
    content = json_report(findings) if report_format == "JSON" else csv_report(findings, START.timestamp())
    run, delivery = delivered(clients, name, at, content if findings else None, report_format, **run_input)
    answer = analyze_run(clients, run, delivery)
    recorded, _ = run_store.record(clients.table, run.execution, "SUCCEEDED", None, delivery, at + timedelta(minutes=9))
    assert recorded.analysis is not None
    assert answer == (
        {"state": "NOT_ANALYZED", "error": recorded.analysis["error"]} if "error" in recorded.analysis else {"state": "ANALYZED"}
    )
    return dict(recorded.analysis)


def parquet_key(headline: dict[str, Any]) -> str:
    return f"{headline['parquet_prefix']}0001.parquet"


def names_of(table: bytes) -> bytes:
    """A whole names file that says a Parquet file has all active findings."""
    file = io.BytesIO()
    NamesWriter(file.write)
    arn_hashes = exact_hashes([each["findingArn"] for each in ACTIVE])
    write_section(file.write, names_format.NAMES_SECTION, len(ACTIVE).to_bytes(4) + b"".join(arn_hashes) + table)
    write_section(file.write, names_format.END_SECTION, len(ACTIVE).to_bytes(8))
    return file.getvalue()


def content_of(key: str) -> bytes:
    content: bytes = client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_a_first_run_leaves_its_files_encrypted_as_the_report_is(clients: AnalysisClients, s3: S3, report_format: str) -> None:
    result = daily_run(clients, report_format=report_format)
    assert (result["total"], result["no_baseline"]) == (len(ACTIVE), "first_run")
    assert result["analysis_key"] == "inspector/analyses/nightly/year=2026/month=11/day=23/run-1/analysis.json"
    assert result["fingerprints_key"] == "inspector/analyses/nightly/year=2026/month=11/day=23/run-1/findings.fingerprints"
    assert result["parquet_prefix"] == "inspector/findings/report=nightly/day=2026-11-23/run-1/"
    rows = [arn for batch in parquet_columns.read(io.BytesIO(content_of(parquet_key(result)))) for arn in batch["finding_arn"]]
    assert rows == [each["findingArn"] for each in ACTIVE]
    assert json.loads(content_of(result["analysis_key"]))["statistics"]["total"] == len(ACTIVE)
    assert result["page_key"] == "inspector/analyses/nightly/year=2026/month=11/day=23/run-1/index.html"
    assert len(s3.puts) == 5
    for put in s3.puts:
        assert (put["ExpectedBucketOwner"], put["ServerSideEncryption"], put["SSEKMSKeyId"]) == (
            builders.ACCOUNT,
            "aws:kms",
            KEY,
        )


def test_the_page_shows_the_trend_of_the_runs_and_is_in_the_language_of_the_deployment(clients: AnalysisClients) -> None:
    daily_run(clients)
    clients = replace(clients, config=config(LANGUAGE="ja", TIME_ZONE="Asia/Tokyo"))
    result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE[5:])
    page = content_of(result["page_key"]).decode()
    assert '<html lang="ja"' in page
    assert "Asia/Tokyo" in page
    second = {"statistics": {"by_severity": {"HIGH": 3}}, "coverage_status": {"state": "unknown"}}
    run = run_store.load(clients.table, execution("run-2", START + timedelta(days=1)))
    assert trend(run_store.history(clients.table, "nightly"), run, second) == [
        {
            "started_at": START.isoformat(),
            "outcome": "SUCCEEDED",
            "by_severity": json.loads([*run_store.history(clients.table, "nightly")][-1]["by_severity"]),
            "is_uncertain": False,
        },
        {
            "started_at": (START + timedelta(days=1)).isoformat(),
            "outcome": "SUCCEEDED",
            "by_severity": {"HIGH": 3},
            "is_uncertain": True,
        },
    ]


def test_a_page_that_cannot_be_rendered_leaves_an_analysis_without_one(
    clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ValueError("no")

    monkeypatch.setattr("findings_analysis.page.run_page.render", broken)
    result = daily_run(clients)
    assert (result["page_key"], result["total"]) == (None, len(ACTIVE))


def test_a_second_run_is_compared_by_the_files_of_the_first_and_names_what_is_no_longer_open(clients: AnalysisClients) -> None:
    daily_run(clients)
    result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE[5:])
    assert result["baseline"] == {"execution": "run-1", "started_at": START.isoformat(), "age": "24 hours"}
    assert (result["changes"]["appeared"], result["changes"]["no_longer_open"]) == (0, 5)
    no_longer_open = {each["title"] for each in ACTIVE[:5]}
    assert {each["title"] for each in result["worst_no_longer_open"]} <= no_longer_open


def test_a_run_without_findings_has_an_analysis_too(clients: AnalysisClients) -> None:
    daily_run(clients)
    result = daily_run(clients, "run-2", START + timedelta(days=1), [])
    assert (result["total"], result["changes"]["no_longer_open"], result["coverage_status"]["unusual_drop"]) == (
        0,
        len(ACTIVE),
        True,
    )
    assert json.loads(content_of(result["analysis_key"]))["report"]["key"] is None


def test_the_history_has_what_the_next_run_looks_up(clients: AnalysisClients) -> None:
    result = daily_run(clients)
    (line,) = run_store.history(clients.table, "nightly")
    assert set(HISTORY_FIELDS) <= set(line)
    assert json.loads(line["by_severity"]) == result["by_severity"]
    assert (line["open_findings"], line["coverage"]) == (result["open"], "active")
    assert (line["scheduled"], line["notified"]) == (0, 1)
    head = client("s3").head_object(Bucket=BUCKET, Key=line["analysis_fingerprints"])
    assert head["ETag"] == line["analysis_fingerprints_etag"]


def test_a_repeated_step_writes_the_same_again(clients: AnalysisClients, s3: S3) -> None:
    run, delivery = delivered(clients, "run-1", START, json_report(ACTIVE))
    assert analyze_run(clients, run, delivery) == analyze_run(clients, run, delivery) == {"state": "ANALYZED"}
    first, second = s3.puts[:5], s3.puts[5:]
    assert [put["Key"] for put in first] == [put["Key"] for put in second]
    versions = client("s3").list_object_versions(Bucket=BUCKET, Prefix="inspector/analyses/")["Versions"]
    assert len({each["ETag"] for each in versions}) == 4, "of the fingerprint file, the names file, analysis.json and the page"


def test_a_broken_report_is_noted_and_leaves_nothing_that_could_be_taken_for_whole(clients: AnalysisClients, s3: S3) -> None:
    content = json_report(ACTIVE)
    run, delivery = delivered(clients, "run-1", START, content[: len(content) // 2] + b"]}")
    assert analyze_run(clients, run, delivery) == {"state": "NOT_ANALYZED", "error": "Analysis.ReportMalformed"}
    analysis = run_store.load(clients.table, run.execution).analysis
    assert analysis is not None
    assert "whole findings" in analysis["sentence"]
    assert "The next run makes its own analysis" in analysis["sentence"]
    assert s3.puts == []


def test_a_report_that_was_replaced_since_it_was_verified_is_not_analyzed(clients: AnalysisClients) -> None:
    run, delivery = delivered(clients, "run-1", START, json_report(ACTIVE))
    client("s3").put_object(Bucket=BUCKET, Key=str(delivery.key), Body=b'{"findings":[]}'.ljust(delivery.size_bytes))
    assert analyze_run(clients, run, delivery)["error"] == "Analysis.ReportChanged"


@pytest.mark.parametrize(
    ("operation", "part", "code", "error"),
    [
        ("get_object", "reports/", "AccessDenied", "Analysis.ReportUnreadable"),
        ("put_object", ".parquet", "AccessDenied", "Analysis.NotStored"),
        ("put_object", "analysis.json", "KMS.DisabledException", "Analysis.NotStored"),
    ],
)
def test_a_refusal_is_written_down_with_what_to_look_at(
    clients: AnalysisClients, s3: S3, operation: str, part: str, code: str, error: str
) -> None:
    s3.errors[operation, part] = client_error(code, 403)
    result = daily_run(clients)
    assert result["error"] == error
    assert "use the key" in result["sentence"]


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("ThrottlingException", 400), ("KMS.ThrottlingException", 400)])
@pytest.mark.parametrize("part", ["reports/", "findings.fingerprints"])
def test_a_transient_error_is_raised_so_that_the_step_is_tried_again(
    clients: AnalysisClients, s3: S3, part: str, code: str, status: int
) -> None:
    daily_run(clients)
    run, delivery = delivered(clients, "run-2", START + timedelta(days=1), json_report(ACTIVE))
    s3.errors["get_object", part] = client_error(code, status)
    with pytest.raises(ServiceUnavailableError):
        analyze_run(clients, run, delivery)
    assert run_store.load(clients.table, run.execution).analysis is None


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize("code", sorted(THROTTLED))
@pytest.mark.parametrize("status", [400, 429, 503])
@pytest.mark.parametrize(
    ("operation", "part"),
    [("get_object", "reports/"), ("get_object", "findings.fingerprints"), ("head_object", "findings.fingerprints")],
)
def test_throttling_is_tried_again_whatever_the_status_of_its_answer(
    clients: AnalysisClients, s3: S3, operation: str, part: str, code: str, status: int
) -> None:
    if part != "reports/":
        daily_run(clients)
    run, delivery = delivered(clients, "run-2", START + timedelta(days=1), json_report(ACTIVE[:2]))
    s3.errors[operation, part] = client_error(code, status)
    with pytest.raises(ServiceUnavailableError):
        analyze_run(clients, run, delivery)
    assert run_store.load(clients.table, run.execution).analysis is None


@pytest.mark.parametrize("code", ["SlowDown", "KMS.ThrottlingException"])
def test_a_file_that_could_not_be_stored_for_throttling_is_tried_again(clients: AnalysisClients, s3: S3, code: str) -> None:
    run, delivery = delivered(clients, "run-1", START, json_report(ACTIVE))
    s3.errors["put_object", "findings.fingerprints"] = client_error(code, 400)
    with pytest.raises(ServiceUnavailableError), translated():
        analyze_run(clients, run, delivery)
    assert run_store.load(clients.table, run.execution).analysis is None


@pytest.mark.usefixtures("_no_pause")
def test_a_refusal_that_is_no_throttling_is_not_tried_again(clients: AnalysisClients, s3: S3) -> None:
    s3.errors["get_object", "reports/"] = client_error("InvalidRequest", 400)
    assert daily_run(clients)["error"] == "Analysis.ReportUnreadable"


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("findings_analysis.reading.s3_stream.RETRY_SECONDS", 0)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [("delete", "cannot be read"), ("replace", "was replaced since it was written"), ("deny", "AccessDenied")],
)
def test_a_baseline_that_cannot_be_read_is_noted_and_the_rest_is_analyzed(
    clients: AnalysisClients, s3: S3, spoil: str, why: str
) -> None:
    keys = daily_run(clients)["fingerprints_key"]
    match spoil:
        case "delete":
            client("s3").delete_object(Bucket=BUCKET, Key=keys)
        case "replace":
            client("s3").put_object(Bucket=BUCKET, Key=keys, Body=content_of(keys), Metadata={"anothers": "hand"})
            client("s3").put_object(Bucket=BUCKET, Key=keys, Body=b"IFEFPRT")
        case _:
            s3.errors["get_object", "run-1/findings.fingerprints"] = client_error("AccessDenied", 403)
    result = daily_run(clients, "run-2", START + timedelta(days=1))
    assert (result["no_baseline"], result["changes"], result["total"]) == ("unreadable", None, len(ACTIVE))
    assert any(why in sentence for sentence in result["sentences"])


def test_a_baselines_names_file_that_is_damaged_costs_names_only(clients: AnalysisClients) -> None:
    before = daily_run(clients)
    forge(clients, "analysis_names", before["names_key"], names_of(b"PAR1 and no more"))
    result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE[3:])
    assert result["changes"]["no_longer_open"] == 3
    assert all(each["title"] is None for each in result["worst_no_longer_open"])
    assert any("the Parquet file cannot be read" in sentence for sentence in result["sentences"])
    assert any("no details" in sentence for sentence in result["sentences"])
    healed = daily_run(clients, "run-3", START + timedelta(days=2), ACTIVE[5:])
    assert all(each["title"] for each in healed["worst_no_longer_open"])


def test_an_unreadable_time_is_noted(clients: AnalysisClients) -> None:
    content = json_report([ACTIVE[0] | {"updatedAt": 1.0}]).replace(b'"updatedAt":', b'"updatedAt":"the other day","x":', 1)
    run, delivery = delivered(clients, "run-1", START, content)
    analyze_run(clients, run, delivery)
    analysis = run_store.load(clients.table, run.execution).analysis
    assert analysis is not None
    assert "1 value of updated_at could not be read and was left out." in analysis["sentences"]


def test_an_analysis_that_comes_after_the_outcome_changes_nothing(clients: AnalysisClients) -> None:
    run, delivery = delivered(clients, "run-1", START, json_report(ACTIVE))
    run_store.record(clients.table, run.execution, "SUCCEEDED", None, delivery, START)
    analyze_run(clients, run, delivery)
    assert run_store.load(clients.table, run.execution).analysis is None


def test_how_long_it_took_is_counted_by_report(clients: AnalysisClients, capsys: pytest.CaptureFixture[str]) -> None:
    daily_run(clients)
    counted = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "AnalysisDuration" in line)
    assert (counted["AnalysisDuration"], counted["report"]) == ([0.0], "nightly")


def test_no_text_of_a_finding_is_logged(clients: AnalysisClients, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger=pipeline.__name__):
        daily_run(clients)
    assert all(each["title"] not in caplog.text for each in ACTIVE)


def forge(clients: AnalysisClients, name: str, key: str, content: bytes) -> None:
    """Another file in the place of one of ours, which the record takes for ours."""
    etag = client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)["ETag"]
    line = next(run_store.history(clients.table, "nightly"))
    clients.table.put({**line, f"{name}_etag": etag})


def fingerprint_file(records: bytes = b"", **header: Any) -> bytes:
    """A fingerprint file as an attacker may write it, with right checksums."""
    facts: dict[str, Any] = {
        "report": "nightly", "execution": "run-1", "started_at": START.isoformat(), "filter_hash": "x", "filter_criteria": {},
        "scanning": {}, "identity_version": IDENTITY_VERSION,
    } | header  # fmt: skip
    file = io.BytesIO(MAGIC)
    file.seek(len(MAGIC))
    write_section(file.write, HEADER, json.dumps(facts).encode())
    if records:
        write_section(file.write, BLOCK, records)
    write_section(file.write, SUMMARY, b'{"findings":0,"open":{},"status_unknown":{}}')
    return file.getvalue()


FORGED_KEYS: dict[str, bytes] = {
    "empty": b"",
    "no fingerprint file": b"{}" * 500,
    "another report's": fingerprint_file(report="weekly"),
    "another run's": fingerprint_file(execution="run-0"),
    "a header without fields": fingerprint_file()[: len(MAGIC)]
    + HEADER
    + (2).to_bytes(4)
    + zlib.crc32(b"{}").to_bytes(4)
    + b"{}",
    "scanning that is a list": fingerprint_file(scanning=[1]),
    "scanning that is a number": fingerprint_file(scanning={"1": 7}),
    "criteria that are deep": fingerprint_file(filter_criteria={"a": [{"b": {"c": {"d": 1}}}]}),
    "a filter hash that is null": fingerprint_file(filter_hash=None),
    "records of no length": fingerprint_file(records=b"\0\0\0\1"),
    "records that are a bomb": fingerprint_file(records=(30_000).to_bytes(4) + zlib.compress(bytes(64 << 20))),
    "records of a scan type that there is not": fingerprint_file(records=_packed([b"\x01" * 24 + b"\x60\xff\0\0\0\0"])),
    "more findings than it says": fingerprint_file(records=_packed([bytes(FINGERPRINT_BYTES)])),
    "rules of another release": fingerprint_file(identity_version=IDENTITY_VERSION + 1),
    "rules that are no number": fingerprint_file(identity_version="2"),
}


@pytest.mark.parametrize("content", FORGED_KEYS.values(), ids=FORGED_KEYS)
def test_a_forged_fingerprint_file_is_unreadable_and_heals_in_the_next_run(clients: AnalysisClients, content: bytes) -> None:
    forge(clients, "analysis_fingerprints", daily_run(clients)["fingerprints_key"], content)
    result = daily_run(clients, "run-2", START + timedelta(days=1))
    assert (result["no_baseline"], result["total"]) == ("unreadable", len(ACTIVE))
    assert any("cannot be read" in sentence for sentence in result["sentences"])
    assert any("First-seen days are Inspector's own" in sentence for sentence in result["sentences"])
    healed = daily_run(clients, "run-3", START + timedelta(days=2), ACTIVE[2:])
    assert (healed["no_baseline"], healed["changes"]["no_longer_open"]) == (None, 2)


def table_of(columns: dict[str, Any]) -> bytes:
    """A Parquet file of other columns than ours."""
    file = io.BytesIO()
    schema = Schema([Field(name, array.type) for name, array in columns.items()])
    batch = RecordBatch.from_arrays(list(columns.values()), schema=schema)
    write_parquet(batch, file)
    return file.getvalue()


FORGED_TABLES: dict[str, bytes] = {
    "empty": b"",
    "no Parquet": b"PAR1" * 9,
    "a footer of a length that there is not": b"PAR1" + b"\xff" * 8 + b"PAR1",
    "ARNs that are numbers": table_of({"finding_arn": Array([1, 2], DataType.int64())}),
    "packages that are a text": table_of({
        "finding_arn": Array(["a"], DataType.string()), "package_names": Array(["a"], DataType.string()),
    }),
    "no ARN at all": table_of({"title": Array(["a"], DataType.string())}),
    "ARNs that are null": table_of({"finding_arn": Array([None], DataType.string())}),
}  # fmt: skip


@pytest.mark.parametrize("content", FORGED_TABLES.values(), ids=FORGED_TABLES)
def test_a_forged_table_costs_names_only(clients: AnalysisClients, content: bytes) -> None:
    forge(clients, "analysis_names", daily_run(clients)["names_key"], names_of(content))
    result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE[3:])
    assert (result["changes"]["no_longer_open"], result["worst_no_longer_open"]) == (3, [])
    assert any("no details" in sentence for sentence in result["sentences"])


class TestBaseline:
    """What a run is compared with, and from where first-seen days come."""

    SCHEDULED: ClassVar[dict[str, Any]] = {"schedule": {"scheduled_for": START.isoformat(), "arn": builders.SCHEDULE}}
    CRITICALS: ClassVar[dict[str, Any]] = {
        "report": {"filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}}
    }

    def test_what_appeared_in_a_silent_run_is_new_to_the_next_one(self, clients: AnalysisClients) -> None:
        daily_run(clients, findings=ACTIVE[5:], **self.SCHEDULED)
        silent = daily_run(clients, "silent", START + timedelta(hours=9), ACTIVE, notify=False)
        on_demand = daily_run(clients, "on-demand", START + timedelta(hours=12), ACTIVE)
        result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE, **self.SCHEDULED)
        assert [each["changes"]["appeared"] for each in (silent, on_demand, result)] == [5, 5, 5]
        assert result["baseline"]["execution"] == "run-1"
        again = daily_run(clients, "on-demand-2", START + timedelta(days=1, hours=1), ACTIVE)
        assert again["baseline"]["execution"] == "run-2"

    def test_any_number_of_other_runs_does_not_hide_it(self, clients: AnalysisClients) -> None:
        daily_run(clients, **self.SCHEDULED)
        line = next(run_store.history(clients.table, "nightly"))
        for number in range(450):
            started = (START + timedelta(minutes=number + 1)).isoformat()
            kind: Any = (
                {"outcome": "FAILED"}
                if number % 2
                else {"notified": 0, "analysis_fingerprints": "lost", "analysis_fingerprints_etag": "lost"}
            )
            clients.table.put({**line, "sk": f"RUN#{started}#other-{number}", **kind})
        result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE[4:], **self.SCHEDULED)
        assert (result["baseline"]["execution"], result["changes"]["no_longer_open"]) == ("run-1", 4)

    def rebuilt(self, day: int) -> list[Any]:
        """The same findings under new ARNs, which Inspector saw first on that day."""
        seen = (START + timedelta(days=day)).timestamp()
        return [
            each | {"findingArn": f"{each['findingArn'][:-8]}{day:08}", "firstObservedAt": seen}
            for each in ACTIVE
            if each["resources"][0]["type"] == "AWS_ECR_CONTAINER_IMAGE"
        ]

    def first_seen(self, given: dict[str, Any]) -> set[int]:
        (records,) = FingerprintReader(io.BytesIO(content_of(given["fingerprints_key"]))).blocks()
        return {int.from_bytes(record[FIRST_SEEN]) for record in records}

    def test_a_changed_filter_makes_nothing_young(self, clients: AnalysisClients) -> None:
        first = daily_run(clients, findings=self.rebuilt(0), **self.SCHEDULED)
        # The newest run of all has few findings: its filter is narrow.
        daily_run(clients, "narrow", START + timedelta(hours=9), self.rebuilt(0)[:2], **self.CRITICALS)
        changed: dict[str, Any] = {"report": {"filter_criteria": {"fixAvailable": [{"comparison": "EQUALS", "value": "YES"}]}}}
        result = daily_run(clients, "run-2", START + timedelta(days=1), self.rebuilt(1), **self.SCHEDULED, **changed)
        assert result["no_baseline"] == "filter_changed"
        assert self.first_seen(result) == self.first_seen(first)

    def test_a_narrow_filter_in_between_makes_nothing_young(self, clients: AnalysisClients) -> None:
        first = daily_run(clients, findings=self.rebuilt(0), **self.SCHEDULED)
        daily_run(clients, "run-2", START + timedelta(days=1), self.rebuilt(0)[:1], **self.SCHEDULED, **self.CRITICALS)
        changed: dict[str, Any] = {"report": {"filter_criteria": {"fixAvailable": [{"comparison": "EQUALS", "value": "YES"}]}}}
        result = daily_run(clients, "run-3", START + timedelta(days=2), self.rebuilt(2), **self.SCHEDULED, **changed)
        assert self.first_seen(result) == self.first_seen(first)

    def test_a_damaged_fingerprint_file_makes_nothing_young(self, clients: AnalysisClients) -> None:
        first = daily_run(clients, findings=self.rebuilt(0), **self.SCHEDULED)
        damaged = daily_run(clients, "run-2", START + timedelta(days=1), self.rebuilt(1), **self.SCHEDULED)
        client("s3").put_object(Bucket=BUCKET, Key=damaged["fingerprints_key"], Body=b"damaged")
        result = daily_run(clients, "run-3", START + timedelta(days=2), self.rebuilt(2), **self.SCHEDULED)
        assert result["no_baseline"] == "unreadable"
        assert self.first_seen(result) == self.first_seen(first)
        assert not any("Inspector's own" in sentence for sentence in result["sentences"])

    def test_what_a_silent_run_saw_first_keeps_its_day(self, clients: AnalysisClients) -> None:
        daily_run(clients, findings=[], **self.SCHEDULED)
        daily_run(clients, "silent", START + timedelta(hours=9), self.rebuilt(0), notify=False)
        result = daily_run(clients, "run-2", START + timedelta(days=1), self.rebuilt(1), **self.SCHEDULED)
        assert result["changes"]["appeared"] == len(self.rebuilt(1))
        assert self.first_seen(result) == {(START - datetime(1970, 1, 1, tzinfo=UTC)).days}

    def test_scanning_that_was_switched_off_is_lost_also_where_the_filter_has_changed(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        daily_run(clients, **self.SCHEDULED)
        off = {"status": "DISABLED", "errorCode": "RESOURCE_NOT_FOUND", "errorMessage": ""}
        answer = {"accounts": [{"accountId": builders.ACCOUNT, "state": off, "resourceState": {"ec2": off}}]}
        monkeypatch.setattr(FakeInspector, "batch_get_account_status", lambda *_, **__: answer)
        result = daily_run(clients, "run-2", START + timedelta(days=1), ACTIVE[:3], **self.SCHEDULED, **self.CRITICALS)
        assert (result["no_baseline"], result["coverage_status"]["state"]) == ("filter_changed", "lost")

    def test_the_baselines_own_file_is_read_once(self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch) -> None:
        daily_run(clients)
        fetched: list[str] = []
        copied = EarlierFiles.copy

        def noted(files: EarlierFiles, bucket: str, stored: StoredFile) -> Any:
            fetched.append(stored.key.rpartition("/")[2])
            return copied(files, bucket, stored)

        monkeypatch.setattr(EarlierFiles, "copy", noted)
        daily_run(clients, "run-2", START + timedelta(days=1))
        assert fetched == ["findings.fingerprints"]

    def test_that_it_was_on_in_any_run_is_enough_for_an_alarm(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        daily_run(clients, **self.SCHEDULED)
        off = {"status": "DISABLED", "errorCode": "RESOURCE_NOT_FOUND", "errorMessage": ""}
        answer = {"accounts": [{"accountId": builders.ACCOUNT, "state": off, "resourceState": {"ec2": off}}]}
        monkeypatch.setattr(FakeInspector, "batch_get_account_status", lambda *_, **__: answer)
        # The silent run does not notify that scanning is deactivated, and must not make it look as if it had always been.
        daily_run(clients, "silent", START + timedelta(hours=9), [], notify=False)
        result = daily_run(clients, "run-2", START + timedelta(days=1), [], **self.SCHEDULED, **self.CRITICALS)
        assert (result["no_baseline"], list(result["coverage_status"]["deactivated"])) == ("filter_changed", [builders.ACCOUNT])

    def test_only_a_run_that_stands_for_the_report_is_among_athenas_runs_of_it(self, clients: AnalysisClients) -> None:
        inputs: dict[str, dict[str, Any]] = {
            "scheduled": self.SCHEDULED,
            "on-demand": {},
            "silent": {"notify": False},
            "narrow": self.CRITICALS,
            "another": {"report": {"name": "criticals", **self.CRITICALS["report"]}},
        }
        keys = {
            name: daily_run(clients, name, START + timedelta(minutes=number), ACTIVE[:1], **run_input)["parquet_prefix"]
            for number, (name, run_input) in enumerate(inputs.items())
        }
        assert {name: key.split("/")[2] for name, key in keys.items()} == {
            "scheduled": "report=nightly",
            "on-demand": "report=nightly",
            "silent": "report=nightly.other",
            "narrow": "report=nightly.other",
            "another": "report=criticals",
        }


class TestTrend:
    """The numbers of runs that this one can be compared with, and of no other."""

    def of(self, clients: AnalysisClients, run_input: dict[str, Any]) -> list[str]:
        run = planned(clients.table, execution("this", START + timedelta(days=9)), run_input)
        analysis = {"statistics": {"by_severity": {}}, "coverage_status": {"state": "active"}}
        return [each["started_at"][8:10] for each in trend(run_store.history(clients.table, "nightly"), run, analysis)]

    LOW: ClassVar[dict[str, Any]] = {"severity": [{"comparison": "EQUALS", "value": "LOW"}]}

    @pytest.mark.parametrize(
        ("run_input", "is_named"),
        [
            ({}, True),
            ({"report": {"name": "criticals"}}, False),
            ({"report": {"filter_criteria": LOW}}, False),
            ({"notify": False}, False),
        ],
    )
    def test_the_page_names_the_saved_query_only_where_it_answers_for_its_report(
        self,
        table: Table,
        s3: S3,
        inspector: FakeInspector,
        monkeypatch: pytest.MonkeyPatch,
        run_input: dict[str, Any],
        is_named: bool,
    ) -> None:
        named: list[str | None] = []

        def render(_: object, __: object, facts: dict[str, Any], *___: object) -> str:
            named.append(facts["athena_query"])
            return ""

        monkeypatch.setattr(run_page, "render", render)
        clients = AnalysisClients(config(ATHENA="ON"), table, s3, inspector.client, lambda: START)  # type: ignore[arg-type]
        daily_run(clients, **run_input)
        assert named == ["All open findings" if is_named else None]

    def test_silent_runs_and_those_of_another_filter_or_kind_are_not_in_it(self, clients: AnalysisClients) -> None:
        schedule: dict[str, Any] = {"schedule": {"scheduled_for": START.isoformat(), "arn": builders.SCHEDULE}}
        narrow: dict[str, Any] = {"report": {"filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "LOW"}]}}}
        for day, run_input in enumerate([schedule, {}, {"notify": False}, narrow, schedule | narrow, schedule]):
            daily_run(clients, f"run-{day}", START + timedelta(days=day), ACTIVE[:2], **run_input)
        assert self.of(clients, schedule) == ["23", "28", "02"]
        assert self.of(clients, {}) == ["23", "24", "28", "02"]
        assert self.of(clients, narrow) == ["26", "27", "02"]


class TestCarriedOver:
    """Findings that are not scanned keep their names for as long as it takes."""

    def switch(self, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
        state: Any = {"status": status, "errorCode": "" if status == "ENABLED" else "RESOURCE_NOT_FOUND", "errorMessage": ""}
        types = dict.fromkeys(("ec2", "ecr", "lambda", "lambdaCode"), state)
        answer = {"accounts": [{"accountId": builders.ACCOUNT, "state": state, "resourceState": types}]}
        monkeypatch.setattr(FakeInspector, "batch_get_account_status", lambda *_, **__: answer)

    def test_names_stay_known_over_several_runs_without_scanning(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        daily_run(clients)
        self.switch(monkeypatch, "DISABLED")
        for number in (2, 3, 4):
            result = daily_run(clients, f"run-{number}", START + timedelta(days=number), [])
            document = json.loads(content_of(result["analysis_key"]))
            listed = document["changes"]["lists"]["status_unknown"]
            assert {each["finding_arn"] for each in listed} == {each["findingArn"] for each in ACTIVE}
            assert all(each["title"] and each["resource"] for each in listed)
            assert not any("details" in sentence for sentence in result["sentences"])
        self.switch(monkeypatch, "ENABLED")
        result = daily_run(clients, "run-5", START + timedelta(days=5), ACTIVE[5:])
        assert (result["changes"]["no_longer_open"], result["changes"]["counts"]["rediscovered"]) == (5, len(ACTIVE) - 5)
        assert {each["title"] for each in result["worst_no_longer_open"]} <= {each["title"] for each in ACTIVE[:5]}

    def test_what_is_only_being_switched_on_is_neither_no_longer_open_nor_new(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        daily_run(clients)
        kinds = []
        for number, (status, found) in enumerate(
            [("DISABLED", []), ("ENABLING", ACTIVE[:3]), ("ENABLED", []), ("ENABLED", ACTIVE)]
        ):
            self.switch(monkeypatch, status)
            result = daily_run(clients, f"later-{number}", START + timedelta(days=number + 1), found)
            kinds.append(
                (
                    result["coverage_status"]["state"],
                    {kind: count for kind, count in result["changes"]["counts"].items() if count},
                )
            )
        rest = len(ACTIVE) - 3
        assert kinds == [
            ("lost", {"status_unknown": len(ACTIVE)}),
            ("unknown", {"rediscovered": 3, "status_unknown": rest}),
            ("unknown", {"status_unknown": len(ACTIVE)}),
            ("active", {"rediscovered": len(ACTIVE)}),
        ]

    def test_a_run_that_is_no_baseline_remembers_that_scanning_was_off(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        schedule: dict[str, Any] = {"schedule": {"scheduled_for": START.isoformat(), "arn": builders.SCHEDULE}}
        daily_run(clients, **schedule)
        self.switch(monkeypatch, "DISABLED")
        daily_run(clients, "silent", START + timedelta(hours=9), [], notify=False)
        self.switch(monkeypatch, "ENABLED")
        result = daily_run(clients, "run-2", START + timedelta(days=1), [], **schedule)
        assert (result["baseline"]["execution"], result["coverage_status"]["state"], result["changes"]["no_longer_open"]) == (
            "run-1",
            "unknown",
            0,
        )
        soon = daily_run(clients, "on-demand", START + timedelta(days=1, minutes=5), [])
        assert (soon["coverage_status"]["state"], soon["changes"]["no_longer_open"]) == ("unknown", 0)
        later = daily_run(clients, "run-3", START + timedelta(days=2, minutes=1), [], **schedule)
        assert later["changes"]["no_longer_open"] == len(ACTIVE), "after a day nothing more is waited for"

    def test_a_few_rediscovered_findings_do_not_close_the_others(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        images = [each for each in ACTIVE if each["resources"][0]["type"] == "AWS_ECR_CONTAINER_IMAGE"]
        daily_run(clients, findings=images)
        self.switch(monkeypatch, "DISABLED")
        daily_run(clients, "run-2", START + timedelta(days=1), [])
        self.switch(monkeypatch, "ENABLED")
        result = daily_run(clients, "run-3", START + timedelta(days=2), images[:2])
        counts = {kind: count for kind, count in result["changes"]["counts"].items() if count}
        assert (result["coverage_status"]["state"], counts) == ("unknown", {"rediscovered": 2, "status_unknown": len(images) - 2})

    def test_a_names_file_that_is_lost_costs_names_only_and_says_so(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        daily_run(clients)
        self.switch(monkeypatch, "DISABLED")
        second = daily_run(clients, "run-2", START + timedelta(days=1), [])
        client("s3").delete_object(Bucket=BUCKET, Key=second["names_key"])
        result = daily_run(clients, "run-3", START + timedelta(days=2), [])
        assert result["changes"]["counts"]["status_unknown"] == len(ACTIVE)
        assert any("Details of missing findings may be lacking" in sentence for sentence in result["sentences"])


def test_an_arn_that_stands_twice_is_counted_once_and_mentioned(clients: AnalysisClients) -> None:
    daily_run(clients)
    result = daily_run(clients, "run-2", START + timedelta(days=1), [*ACTIVE, ACTIVE[0], ACTIVE[3], ACTIVE[3]])
    assert (result["total"], result["open"], result["changes"]["appeared"]) == (len(ACTIVE), len(ACTIVE), 0)
    assert any(sentence.startswith("3 findings are in the report again under an ARN") for sentence in result["sentences"])
    rows = [arn for batch in parquet_columns.read(io.BytesIO(content_of(parquet_key(result)))) for arn in batch["finding_arn"]]
    assert sorted(rows) == sorted(each["findingArn"] for each in ACTIVE)
    assert json.loads(content_of(result["analysis_key"]))["statistics"]["duplicates"] == 3
