"""What Inspector delivered: whole and encrypted as asked, nothing found in three ways, or not to be trusted."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from findings_exporter import runs
from findings_exporter.delivery import TINY_BYTES, Delivery, found_report_id, holds_findings, verify, verify_run
from findings_exporter.errors import Failure, NotRecordedError
from findings_exporter.table import Table
from tests.unit.builders import (
    ACCOUNT,
    BUCKET,
    KEY,
    OTHER_ID,
    REPORT_ID,
    client,
    execution,
    make_bucket,
    plan,
    planned,
    put_report,
)

ARN = f"arn:aws:inspector2:eu-central-1:{ACCOUNT}:finding/0123456789abcdef0123456789abcdef"
FINDING = {"awsAccountId": ACCOUNT, "description": "x" * 900, "findingArn": ARN, "severity": "HIGH"}
HEADER = b"AWS Account Id,Severity,Fix Available,Finding Type,Title,Description,Finding ARN,First Seen\n"
ROW = f'{ACCOUNT},HIGH,YES,PACKAGE_VULNERABILITY,"CVE-2026-1 - zlib","spans\nlines",{ARN},2026-11-01\n'.encode()
BOM = b"\xef\xbb\xbf"
DESTINATION = plan().destination


class WatchedS3:
    """The S3 of moto, which keeps the requests and may answer otherwise where moto cannot."""

    def __init__(
        self, encryption: str | None = "aws:kms", key: str | None = KEY, on_head: Callable[[], object] = lambda: None
    ) -> None:
        self.encryption = {"ServerSideEncryption": encryption, "SSEKMSKeyId": key}
        self.on_head = on_head
        self.requests: list[dict[str, Any]] = []
        self.client: Any = self

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.requests.append(request)
            answer = getattr(client("s3"), operation)(**request)
            if operation != "head_object":
                return answer
            self.on_head()
            return {name: value for name, value in (answer | self.encryption).items() if value is not None}

        return call


@pytest.fixture(autouse=True)
def _bucket(aws: None) -> None:
    make_bucket()


def of(*findings: object, **others: object) -> bytes:
    """A JSON report."""
    return json.dumps({"findings": findings} | others).encode()


def judged(content: bytes, report_format: str = "JSON", *, found_nothing: bool = False) -> Delivery | Failure:
    """What is said of a report that lies where Inspector would put it."""
    put_report(content)
    return verify(client("s3"), DESTINATION, REPORT_ID, report_format, found_nothing=found_nothing)


def padded(size: int) -> bytes:
    """A JSON report of exactly so many bytes."""
    finding = FINDING | {"title": ""}
    finding["title"] = "t" * (size - len(of(finding)))
    content = of(finding)
    assert len(content) == size
    return content


def test_a_whole_report_is_verified() -> None:
    seen = judged(of(*[FINDING] * 20))
    assert isinstance(seen, Delivery)
    assert (seen.bucket, seen.prefix, seen.kms_key_arn, seen.nothing_found) == (BUCKET, DESTINATION.prefix, KEY, None)
    assert seen.uri == f"s3://{BUCKET}/{DESTINATION.prefix}{REPORT_ID}.json"
    assert seen.size_bytes == len(of(*[FINDING] * 20))
    assert seen.etag
    assert Delivery(**seen.to_dict()) == seen


@pytest.mark.parametrize(
    ("report_format", "content"),
    [
        ("JSON", b""),
        ("JSON", b" \n"),
        ("JSON", BOM),
        ("JSON", b"{}"),
        ("JSON", b"[]"),
        ("JSON", b"null"),
        ("JSON", b'{"findings":[]}'),
        ("JSON", BOM + b'{"findings": []}\n'),
        ("JSON", b'{"findings":null}'),
        ("JSON", b'{"findings":['),
        ("JSON", b'{"findings":[}'),
        ("JSON", b'{"findings":]}'),
        ("JSON", b"\xff\xfe\x00"),
        ("JSON", b"[" * TINY_BYTES),
        ("CSV", b""),
        ("CSV", HEADER),
        ("CSV", BOM + HEADER.strip()),
        ("CSV", HEADER + b"\r\n\n  \n"),
        ("CSV", b"garbage"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_an_object_without_any_finding_counts_as_nothing_found(report_format: str, content: bytes) -> None:
    seen = judged(content, report_format)
    assert isinstance(seen, Delivery)
    assert (seen.nothing_found, seen.size_bytes) == ("empty_object", len(content))
    assert seen.key


@pytest.mark.parametrize(
    ("report_format", "content"),
    [
        ("JSON", of(FINDING)),
        ("JSON", BOM + of(FINDING)),
        ("JSON", b'\n { "findings" : [' + json.dumps(FINDING).encode() + b"\n,\n" + json.dumps(FINDING).encode() + b" ] }\r\n"),
        ("JSON", of(FINDING).replace(b"xxx", b"x\x01x")),
        ("JSON", json.dumps({"version": 2, "findings": [FINDING]}).encode()),
        ("JSON", of(*[FINDING] * 50)),
        ("CSV", HEADER + ROW),
        ("CSV", BOM + HEADER + ROW),
        ("CSV", HEADER + ROW * 100),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_a_report_with_findings_is_verified(report_format: str, content: bytes) -> None:
    seen = judged(content, report_format)
    assert isinstance(seen, Delivery), seen
    assert seen.nothing_found is None


@pytest.mark.parametrize(
    ("report_format", "content", "fault"),
    [
        ("JSON", of(FINDING)[:-2], "breaks off before its end"),
        ("JSON", of(*[FINDING] * 50)[:-1], "breaks off before its end"),
        ("JSON", of(*[FINDING] * 50)[:30_000], "breaks off before its end"),
        ("JSON", b'{"findings":[{"awsAccountId":"123456789012","description":"brok', "breaks off before its end"),
        ("JSON", json.dumps([FINDING]).encode(), 'does not begin with {"findings":['),
        ("JSON", b'{"error":"' + ARN.encode() + b'"', 'does not begin with {"findings":['),
        ("JSON", b'"hello"', 'does not begin with {"findings":['),
        ("JSON", b"\0" * 10_000, 'does not begin with {"findings":['),
        ("JSON", HEADER + ROW * 100, 'does not begin with {"findings":['),
        ("CSV", ROW * 3, "does not begin with the header"),
        ("CSV", b"\n" + HEADER + ROW, "does not begin with the header"),
        ("CSV", of(*[FINDING] * 50), "does not begin with the header"),
        ("CSV", ARN.encode(), "does not begin with the header"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_a_broken_report_is_said_to_be_broken_never_empty(report_format: str, content: bytes, fault: str) -> None:
    seen = judged(content, report_format)
    assert isinstance(seen, Failure), seen
    assert seen.error == "Delivery.Corrupt"
    assert fault in seen.cause
    assert f"({len(content):,} bytes)" in seen.cause


@pytest.mark.parametrize("size", [TINY_BYTES - 1, TINY_BYTES, TINY_BYTES + 1, TINY_BYTES + 511])
def test_a_report_around_the_size_that_is_read_whole_is_judged_alike(size: int) -> None:
    assert isinstance(judged(padded(size)), Delivery)
    broken = judged(padded(size + 1)[:-1])
    assert isinstance(broken, Failure)
    assert broken.error == "Delivery.Corrupt"


def test_a_larger_object_without_findings_is_not_taken_for_an_empty_report() -> None:
    seen = judged(b" " * (TINY_BYTES + 1))
    assert isinstance(seen, Failure)


@pytest.mark.parametrize(("found_nothing", "how"), [(True, "no_findings"), (False, "no_object")])
def test_no_object_is_nothing_found(found_nothing: bool, how: str) -> None:
    seen = verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=found_nothing)
    assert isinstance(seen, Delivery)
    assert (seen.nothing_found, seen.key, seen.uri, seen.size_bytes) == (how, None, None, 0)


def test_an_object_that_is_not_there_yet_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def sleep(_: float) -> None:
        looks.append(1)
        if len(looks) == 2:
            put_report(of(FINDING))

    monkeypatch.setattr(time, "sleep", sleep)
    seen = verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key


@pytest.mark.parametrize(("found_nothing", "pauses"), [(True, 0), (False, 2)])
def test_an_object_that_nobody_expects_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, found_nothing: bool, pauses: int
) -> None:
    looks: list[float] = []
    monkeypatch.setattr(time, "sleep", looks.append)
    verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=found_nothing)
    assert len(looks) == pauses


def test_a_report_is_judged_even_where_inspector_told_of_no_findings() -> None:
    seen = judged(of(FINDING), found_nothing=True)
    assert isinstance(seen, Delivery)
    assert seen.nothing_found is None


@pytest.mark.parametrize(
    ("encryption", "told"),
    [
        ({"ServerSideEncryption": "AES256"}, "with AES256 under the key of S3"),
        (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY.replace("1111", "9999")},
            "with aws:kms under the key arn:aws:kms",
        ),
    ],
)
def test_a_report_with_another_encryption_is_not_trusted(encryption: dict[str, str], told: str) -> None:
    put_report(of(FINDING), **encryption)
    seen = verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Failure)
    assert seen.error == "Delivery.Encryption"
    assert told in seen.cause
    assert KEY in seen.cause


def test_an_unencrypted_report_is_not_trusted() -> None:
    put_report(of(FINDING))
    seen = verify(WatchedS3(encryption=None, key=None).client, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Failure)
    assert "is encrypted not at all" in seen.cause


def test_double_encryption_with_the_right_key_is_right() -> None:
    put_report(of(FINDING))
    seen = verify(WatchedS3(encryption="aws:kms:dsse").client, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)


@pytest.mark.parametrize("name", [f"{REPORT_ID}.json", f"report-{REPORT_ID}", f"{REPORT_ID}/part-0.json", "findings.json"])
def test_the_object_is_found_whatever_its_name(name: str) -> None:
    put_report(b"", DESTINATION.prefix)
    key = put_report(of(FINDING), DESTINATION.prefix + name)
    seen = verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == key


def test_the_object_with_the_reports_id_is_preferred() -> None:
    put_report(b"other", f"{DESTINATION.prefix}{OTHER_ID}.json")
    key = put_report(of(FINDING))
    seen = verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == key


def test_another_runs_object_is_not_seen() -> None:
    put_report(of(FINDING), f"{DESTINATION.prefix.removesuffix('/')}-2/{REPORT_ID}.json")
    seen = verify(client("s3"), DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.nothing_found == "no_object"


def test_s3_is_told_whose_bucket_it_must_be_at_every_request() -> None:
    put_report(of(*[FINDING] * 20))
    watched = WatchedS3()
    verify(watched.client, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    found_report_id(watched.client, DESTINATION)
    assert len(watched.requests) == 5
    assert {request.get("ExpectedBucketOwner") for request in watched.requests} == {ACCOUNT}


def test_an_object_that_changes_while_it_is_read_is_refused() -> None:
    put_report(of(*[FINDING] * 20))
    watched = WatchedS3(on_head=lambda: put_report(of(*[FINDING] * 21)))
    with pytest.raises(ClientError, match="PreconditionFailed"):
        verify(watched.client, DESTINATION, REPORT_ID, "JSON", found_nothing=False)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], None),
        ([f"{REPORT_ID}.json"], REPORT_ID),
        ([f"{REPORT_ID}.csv"], REPORT_ID),
        (["a.txt", f"{REPORT_ID}.json"], REPORT_ID),
        ([f"{REPORT_ID.upper()}.json"], None),
        ([f"{REPORT_ID}.json.tmp"], None),
        ([f"x-{REPORT_ID}.json"], None),
    ],
)
def test_a_report_of_an_earlier_try_is_known_by_its_objects_name(names: list[str], found: str | None) -> None:
    for name in names:
        put_report(b"x", DESTINATION.prefix + name)
    assert found_report_id(client("s3"), DESTINATION) == found


def test_holding_findings_is_decided_by_content_not_by_form() -> None:
    assert holds_findings(b'{"findings":[{}]}', "JSON")
    assert holds_findings(b"[1]", "JSON")
    assert not holds_findings(b"[]", "JSON")
    assert holds_findings(b"a\nb", "CSV")


class TestRun:
    def test_the_step_tells_the_delivery(self, table: Table) -> None:
        planned(table, execution())
        runs.note_report(table, execution(), REPORT_ID, execution().started_at)
        put_report(of(FINDING))
        result = verify_run(client("s3"), runs.load(table, execution()), found_nothing=False)
        assert result["state"] == "VERIFIED"
        assert Delivery(**result["delivery"]).key == f"{DESTINATION.prefix}{REPORT_ID}.json"
        assert json.loads(json.dumps(result)) == result

    def test_the_step_tells_the_failure(self, table: Table) -> None:
        put_report(b"\0" * 5000)
        result = verify_run(client("s3"), planned(table, execution()), found_nothing=False)
        assert (result["state"], result["failure"]["error"]) == ("FAILED", "Delivery.Corrupt")

    def test_a_run_without_a_plan_cannot_be_verified(self, table: Table) -> None:
        with pytest.raises(NotRecordedError):
            verify_run(client("s3"), runs.open_run(table, execution(), "{}"), found_nothing=False)
