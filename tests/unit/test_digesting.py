"""A report that was verified becomes files and a brief; what goes wrong is written down, or raised where it passes."""

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from findings_digest import digesting, parquet
from findings_digest.baseline import HISTORY_FIELDS
from findings_digest.digesting import Desk, digest_run
from findings_exporter import runs
from findings_exporter.delivery import Delivery
from findings_exporter.errors import ServiceUnavailableError, translated
from findings_exporter.table import Table
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report
from tests.unit import builders
from tests.unit.builders import BUCKET, KEY, START, FakeInspector, client, client_error, config, execution, planned

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
                if operation == name and part in request["Key"]:
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
def desk(table: Table, s3: Any, inspector: FakeInspector) -> Desk:
    return Desk(config(), table, s3, inspector.client, lambda: START)


def delivered(
    desk: Desk, name: str, at: datetime, content: bytes | None, report_format: str = "JSON"
) -> tuple[runs.Run, Delivery]:
    """A run whose report was verified; without content Inspector found nothing."""
    run = planned(desk.table, execution(name, at), {"report": {"format": report_format}})
    prefix = run.require_plan().destination.prefix
    if content is None:
        return run, Delivery(BUCKET, prefix, None, 0, None, None, None, "no_findings")
    key = builders.put_report(content, f"{prefix}{builders.REPORT_ID}.{report_format.lower()}")
    head = client("s3").head_object(Bucket=BUCKET, Key=key)
    return run, Delivery(BUCKET, prefix, key, len(content), head["ETag"], head["VersionId"], KEY, None)


def night(
    desk: Desk, name: str = "night-1", at: datetime = START, findings: list[Any] | None = None, report_format: str = "JSON"
) -> dict[str, Any]:
    """A whole night: digested and recorded. Returns what was written down of the digest."""
    findings = ACTIVE if findings is None else findings
    content = json_report(findings) if report_format == "JSON" else csv_report(findings, START.timestamp())
    run, delivery = delivered(desk, name, at, content if findings else None, report_format)
    answer = digest_run(desk, run, delivery)
    recorded, _ = runs.record(desk.table, run.execution, "SUCCEEDED", None, delivery, at + timedelta(minutes=9))
    assert recorded.digest is not None
    assert answer == (
        {"state": "NOT_DIGESTED", "error": recorded.digest["error"]} if "error" in recorded.digest else {"state": "DIGESTED"}
    )
    return dict(recorded.digest)


def content_of(key: str) -> bytes:
    content: bytes = client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_a_first_night_leaves_its_files_encrypted_as_the_report_is(desk: Desk, s3: S3, report_format: str) -> None:
    told = night(desk, report_format=report_format)
    assert (told["total"], told["no_baseline"]) == (len(ACTIVE), "first_run")
    assert told["digest_key"] == "inspector/digests/nightly/year=2026/month=11/day=23/night-1/digest.json"
    assert told["keys_key"] == "inspector/digests/nightly/year=2026/month=11/day=23/night-1/findings.keys"
    assert told["parquet_key"] == "inspector/findings/report=nightly/day=2026-11-23/night-1.parquet"
    rows = [arn for batch in parquet.read(io.BytesIO(content_of(told["parquet_key"]))) for arn in batch["finding_arn"]]
    assert rows == [each["findingArn"] for each in ACTIVE]
    assert json.loads(content_of(told["digest_key"]))["counts"]["total"] == len(ACTIVE)
    assert told["page_key"] == "inspector/digests/nightly/year=2026/month=11/day=23/night-1/index.html"
    assert len(s3.puts) == 4
    for put in s3.puts:
        assert (put["ExpectedBucketOwner"], put["ServerSideEncryption"], put["SSEKMSKeyId"]) == (builders.ACCOUNT, "aws:kms", KEY)


def test_the_page_shows_the_trend_of_the_nights_and_is_in_the_language_of_the_deployment(desk: Desk) -> None:
    night(desk)
    desk = replace(desk, config=config(LANGUAGE="ja", TIME_ZONE="Asia/Tokyo"))
    told = night(desk, "night-2", START + timedelta(days=1), ACTIVE[5:])
    page = content_of(told["page_key"]).decode()
    assert '<html lang="ja"' in page
    assert "Asia/Tokyo" in page
    second = {"counts": {"by_severity": {"HIGH": 3}}, "verdict": {"dark": {"210987654321": ["ec2"]}}}
    assert digesting.trend(runs.history(desk.table, "nightly"), execution("night-2", START + timedelta(days=1)), second) == [
        {
            "started_at": START.isoformat(),
            "outcome": "SUCCEEDED",
            "by_severity": json.loads(runs.history(desk.table, "nightly")[-1]["by_severity"]),
            "is_dark": False,
        },
        {
            "started_at": (START + timedelta(days=1)).isoformat(),
            "outcome": "SUCCEEDED",
            "by_severity": {"HIGH": 3},
            "is_dark": True,
        },
    ]


def test_a_page_that_cannot_be_made_leaves_a_digest_without_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise ValueError("no")

    monkeypatch.setattr("findings_digest.page.render", broken)
    told = night(desk)
    assert (told["page_key"], told["total"]) == (None, len(ACTIVE))


def test_a_second_night_is_compared_by_the_files_of_the_first_and_names_what_is_gone(desk: Desk) -> None:
    night(desk)
    told = night(desk, "night-2", START + timedelta(days=1), ACTIVE[5:])
    assert told["baseline"] == {"execution": "night-1", "started_at": START.isoformat(), "age": "24 hours"}
    assert (told["changes"]["appeared"], told["changes"]["gone"]) == (0, 5)
    gone = {each["title"] for each in ACTIVE[:5]}
    assert {each["title"] for each in told["worst_gone"]} <= gone


def test_a_night_without_findings_has_a_digest_too(desk: Desk) -> None:
    night(desk)
    told = night(desk, "night-2", START + timedelta(days=1), [])
    assert (told["total"], told["changes"]["gone"], told["verdict"]["sudden_fall"]) == (0, len(ACTIVE), True)
    assert json.loads(content_of(told["digest_key"]))["report"]["key"] is None


def test_the_history_has_what_the_next_night_looks_up(desk: Desk) -> None:
    told = night(desk)
    (line,) = runs.history(desk.table, "nightly")
    assert set(HISTORY_FIELDS) <= set(line)
    assert json.loads(line["by_severity"]) == told["by_severity"]
    assert (line["open_findings"], json.loads(line["dark"])) == (told["open"], {})
    head = client("s3").head_object(Bucket=BUCKET, Key=line["digest_keys"])
    assert head["VersionId"] == line["digest_keys_version"]


def test_a_repeated_step_writes_the_same_again(desk: Desk, s3: S3) -> None:
    run, delivery = delivered(desk, "night-1", START, json_report(ACTIVE))
    assert digest_run(desk, run, delivery) == digest_run(desk, run, delivery) == {"state": "DIGESTED"}
    first, second = s3.puts[:4], s3.puts[4:]
    assert [put["Key"] for put in first] == [put["Key"] for put in second]
    versions = client("s3").list_object_versions(Bucket=BUCKET, Prefix="inspector/digests/")["Versions"]
    assert len({each["ETag"] for each in versions}) == 3, "one of the key file, one of digest.json and one of the page"


def test_a_broken_report_is_said_and_leaves_nothing_that_could_be_taken_for_whole(desk: Desk, s3: S3) -> None:
    content = json_report(ACTIVE)
    run, delivery = delivered(desk, "night-1", START, content[: len(content) // 2] + b"]}")
    assert digest_run(desk, run, delivery) == {"state": "NOT_DIGESTED", "error": "Digest.ReportMalformed"}
    told = runs.load(desk.table, run.execution).digest
    assert told is not None
    assert "whole findings" in told["sentence"]
    assert "the next run makes its own digest" in told["sentence"]
    assert s3.puts == []


def test_a_report_that_was_replaced_since_it_was_verified_is_not_digested(desk: Desk) -> None:
    run, delivery = delivered(desk, "night-1", START, json_report(ACTIVE))
    client("s3").put_object(Bucket=BUCKET, Key=str(delivery.key), Body=b'{"findings":[]}'.ljust(delivery.size_bytes))
    assert digest_run(desk, run, delivery)["error"] == "Digest.ReportChanged"


@pytest.mark.parametrize(
    ("operation", "part", "code", "error"),
    [
        ("get_object", "reports/", "AccessDenied", "Digest.ReportUnreadable"),
        ("put_object", ".parquet", "AccessDenied", "Digest.NotStored"),
        ("put_object", "digest.json", "KMS.DisabledException", "Digest.NotStored"),
    ],
)
def test_a_refusal_is_written_down_with_what_to_look_at(
    desk: Desk, s3: S3, operation: str, part: str, code: str, error: str
) -> None:
    s3.errors[operation, part] = client_error(code, 403)
    told = night(desk)
    assert told["error"] == error
    assert "use the key" in told["sentence"]


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("ThrottlingException", 400), ("KMS.ThrottlingException", 400)])
@pytest.mark.parametrize("part", ["reports/", "findings.keys"])
def test_what_passes_is_raised_so_that_the_step_is_tried_again(desk: Desk, s3: S3, part: str, code: str, status: int) -> None:
    night(desk)
    run, delivery = delivered(desk, "night-2", START + timedelta(days=1), json_report(ACTIVE))
    s3.errors["get_object", part] = client_error(code, status)
    with pytest.raises(ServiceUnavailableError):
        digest_run(desk, run, delivery)
    assert runs.load(desk.table, run.execution).digest is None


@pytest.mark.parametrize("code", ["SlowDown", "KMS.ThrottlingException"])
def test_a_file_that_could_not_be_stored_for_throttling_is_tried_again(desk: Desk, s3: S3, code: str) -> None:
    run, delivery = delivered(desk, "night-1", START, json_report(ACTIVE))
    s3.errors["put_object", "findings.keys"] = client_error(code, 400)
    with pytest.raises(ServiceUnavailableError), translated():
        digest_run(desk, run, delivery)
    assert runs.load(desk.table, run.execution).digest is None


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("findings_digest.ranged.RETRY_SECONDS", 0)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [("delete", "cannot be read"), ("replace", "was replaced since it was written"), ("deny", "AccessDenied")],
)
def test_a_baseline_that_cannot_be_read_is_said_and_the_rest_is_told(desk: Desk, s3: S3, spoil: str, why: str) -> None:
    keys = night(desk)["keys_key"]
    match spoil:
        case "delete":
            client("s3").delete_object(Bucket=BUCKET, Key=keys)
        case "replace":
            client("s3").put_object(Bucket=BUCKET, Key=keys, Body=b"IFEKEYS")
        case _:
            s3.errors["get_object", "night-1/findings.keys"] = client_error("AccessDenied", 403)
    told = night(desk, "night-2", START + timedelta(days=1))
    assert (told["no_baseline"], told["changes"], told["total"]) == ("unreadable", None, len(ACTIVE))
    assert any(why in sentence for sentence in told["sentences"])


def test_a_baselines_parquet_that_is_damaged_costs_names_only(desk: Desk) -> None:
    before = night(desk)
    line = runs.history(desk.table, "nightly")[0]
    damaged = client("s3").put_object(Bucket=BUCKET, Key=before["parquet_key"], Body=b"PAR1 and no more")
    desk.table.put({**line, "digest_parquet_version": damaged["VersionId"]})
    told = night(desk, "night-2", START + timedelta(days=1), ACTIVE[3:])
    assert told["changes"]["gone"] == 3
    assert all(each["title"] is None for each in told["worst_gone"])
    assert any("have no names" in sentence for sentence in told["sentences"])


def test_a_time_that_nobody_can_read_is_said(desk: Desk) -> None:
    content = json_report([ACTIVE[0] | {"updatedAt": 1.0}]).replace(b'"updatedAt":', b'"updatedAt":"the other day","x":', 1)
    run, delivery = delivered(desk, "night-1", START, content)
    digest_run(desk, run, delivery)
    told = runs.load(desk.table, run.execution).digest
    assert told is not None
    assert "1 values of updated_at could not be read and are left out." in told["sentences"]


def test_a_digest_that_comes_after_the_outcome_changes_nothing(desk: Desk) -> None:
    run, delivery = delivered(desk, "night-1", START, json_report(ACTIVE))
    runs.record(desk.table, run.execution, "SUCCEEDED", None, delivery, START)
    digest_run(desk, run, delivery)
    assert runs.load(desk.table, run.execution).digest is None


def test_how_long_it_took_is_counted_by_report(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    night(desk)
    counted = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "DigestDuration" in line)
    assert (counted["DigestDuration"], counted["report"]) == ([0.0], "nightly")


def test_no_text_of_a_finding_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger=digesting.__name__):
        night(desk)
    assert all(each["title"] not in caplog.text for each in ACTIVE)
