"""What Inspector delivered: whole and encrypted as asked, nothing found in three ways, or not to be trusted."""

import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from findings_exporter.aws import run_store
from findings_exporter.aws.bucket import found_report_id
from findings_exporter.aws.inspector import matches_any
from findings_exporter.aws.table import Table
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import Failure, NotRecordedError
from findings_exporter.model.report_completeness import EDGE_BYTES, of_whole
from findings_exporter.steps.verify_report import TINY_BYTES, AsksInspector, verify, verify_report
from tests.builders.exporter import (
    ACCOUNT,
    BUCKET,
    KEY,
    OTHER_ID,
    REPORT_ID,
    client,
    client_error,
    execution,
    make_bucket,
    plan,
    planned,
    put_report,
)

ARN = f"arn:aws:inspector2:eu-central-1:{ACCOUNT}:finding/0123456789abcdef0123456789abcdef"
FINDING = {"awsAccountId": ACCOUNT, "description": "x" * 900, "findingArn": ARN, "severity": "HIGH"}
HEADER = b"AWS Account Id,Severity,Fix Available,Finding Type,Title,Description,Finding ARN,First Seen,Status\n"
ROW = f'{ACCOUNT},HIGH,YES,PACKAGE_VULNERABILITY,"CVE-2026-1 - zlib","spans\nlines",{ARN},2026-11-01,ACTIVE\n'.encode()
BOM = b"\xef\xbb\xbf"
DESTINATION = plan().destination


class WatchedS3:
    """The S3 of moto, which keeps the requests and may answer otherwise where moto cannot."""

    def __init__(
        self,
        encryption: str | None = "aws:kms",
        key: str | None = KEY,
        on_head: Callable[[], object] = lambda: None,
        written: Mapping[str, datetime] | None = None,
    ) -> None:
        self.written = written or {}
        self.encryption = {"ServerSideEncryption": encryption, "SSEKMSKeyId": key}
        self.on_head = on_head
        self.requests: list[dict[str, Any]] = []
        self.client: Any = self

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.requests.append(request)
            answer = getattr(client("s3"), operation)(**request)
            for item in answer.get("Contents", []):
                item["LastModified"] = self.written.get(item["Key"], item["LastModified"])
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


def not_asked() -> bool | None:
    """Inspector, where it need not be asked."""
    raise AssertionError("ListFindings was called")


def verified(
    content: bytes, report_format: str = "JSON", ask: AsksInspector = not_asked, *, found_nothing: bool = False
) -> Delivery | Failure:
    """What is said of a report that lies where Inspector would put it."""
    put_report(content)
    return verify(client("s3"), ask, DESTINATION, REPORT_ID, report_format, found_nothing=found_nothing)


def padded(size: int) -> bytes:
    """A JSON report of exactly so many bytes."""
    finding = FINDING | {"title": ""}
    finding["title"] = "t" * (size - len(of(finding)))
    content = of(finding)
    assert len(content) == size
    return content


def test_a_whole_report_is_verified() -> None:
    seen = verified(of(*[FINDING] * 20))
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
        ("JSON", b' {\t"findings"\r\n:\n[ ] } '),
        ("JSON", b"{ }\n"),
        ("JSON", b" [\n] "),
        ("CSV", b""),
        ("CSV", BOM + b"\r\n"),
        ("CSV", HEADER),
        ("CSV", BOM + HEADER),
        ("CSV", HEADER + b"\r\n\n  \n"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_an_object_that_says_so_counts_as_nothing_found(report_format: str, content: bytes) -> None:
    seen = verified(content, report_format)
    assert isinstance(seen, Delivery)
    assert (seen.nothing_found, seen.size_bytes, seen.note) == ("empty_object", len(content), None)
    assert seen.key


GARBAGE = [
    ("JSON", b"<Error><Code>InternalError</Code></Error>"),
    ("JSON", b'{"findings":['),
    ("JSON", b'{"findings":[]'),
    ("JSON", b'{"findings":[}'),
    ("JSON", b'{"findings":]}'),
    ("JSON", b'{"findings":null}'),
    ("JSON", b'{"findings":{}}'),
    ("JSON", b'{"findings":[1]}'),
    ("JSON", b'{"findings":[],"more":1}'),
    ("JSON", b'{"findings":[],"findings":[]}'),
    ("JSON", b'{"findings":[]}{}'),
    ("JSON", b'{"error":"try again"}'),
    ("JSON", b'{"find ings":[]}'),
    ("JSON", b"nul"),
    ("JSON", b"[1]"),
    ("JSON", b"\xc2\xa0"),
    ("JSON", b"\0" * 40),
    ("JSON", b"\xff\xfe\x00"),
    ("JSON", bytes(random.Random(1).randbytes(1000))),
    ("JSON", b"[" * TINY_BYTES),
    ("JSON", b'{"a":' * 800),
    ("CSV", b"garbage"),
    ("CSV", b"<Error>\n<Code>InternalError</Code>\n</Error>"),
    ("CSV", b"\0" * 40),
    ("CSV", b"\xff\xfe\x00"),
    ("CSV", HEADER[:40]),
    ("CSV", HEADER.strip()),
    ("CSV", b'"' + HEADER),
    ("CSV", HEADER + b"123456789012,HIG"),
]


@pytest.mark.parametrize(("report_format", "content"), GARBAGE, ids=lambda value: repr(value)[:40])
class TestATinyObjectInNoKnownForm:
    """It is no good news by itself: Inspector is asked."""

    def test_is_nothing_found_with_a_note_where_no_finding_matches(self, report_format: str, content: bytes) -> None:
        seen = verified(content, report_format, ask=lambda: False)
        assert isinstance(seen, Delivery)
        assert seen.nothing_found == "empty_object"
        assert seen.note
        assert f"({len(content):,} bytes)" in seen.note
        assert "ListFindings" in seen.note
        assert seen.note.isprintable()

    def test_is_corrupt_where_a_finding_matches(self, report_format: str, content: bytes) -> None:
        seen = verified(content, report_format, ask=lambda: True)
        assert isinstance(seen, Failure)
        assert seen.error == "Delivery.Corrupt"
        assert "ListFindings returns findings" in seen.cause

    def test_is_corrupt_where_the_answer_does_not_say(self, report_format: str, content: bytes) -> None:
        seen = verified(content, report_format, ask=lambda: None)
        assert isinstance(seen, Failure)
        assert "does not confirm that" in seen.cause

    def test_is_corrupt_where_inspector_refuses_to_answer(self, report_format: str, content: bytes) -> None:
        seen = verified(content, report_format, ask=refusing("AccessDeniedException", 403))
        assert isinstance(seen, Failure)
        assert seen.error == "Delivery.Corrupt"
        assert "which would confirm that (AccessDeniedException)" in seen.cause


def refusing(code: str, status: int) -> AsksInspector:
    """Inspector, answering with an error."""

    def ask() -> bool | None:
        raise ClientError(
            {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
            "ListFindings",
        )

    return ask


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 429), ("Throttling", 400), ("InternalServerException", 500)]
)
def test_a_transient_error_is_asked_again_before_an_object_is_called_corrupt(code: str, status: int) -> None:
    with pytest.raises(ClientError):
        verified(b"<Error/>", ask=refusing(code, status))


@pytest.mark.parametrize(("report_format", "content"), [(kind, content * 1000) for kind, content in GARBAGE[:1] + GARBAGE[16:17]])
def test_a_larger_object_without_any_finding_is_corrupt_whatever_inspector_has(report_format: str, content: bytes) -> None:
    seen = verified(content, report_format)
    assert isinstance(seen, Failure)
    assert seen.error == "Delivery.Corrupt"


class TestAskingInspector:
    """ListFindings, with the filter of the report."""

    CLOSED: ClassVar[dict[str, Any]] = {"findingStatus": [{"comparison": "EQUALS", "value": "CLOSED"}]}
    ACTIVE: ClassVar[dict[str, Any]] = {"findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}]}
    HIGH: ClassVar[dict[str, Any]] = {"severity": [{"comparison": "EQUALS", "value": "HIGH"}]}

    @pytest.mark.parametrize(
        ("answer", "matches"),
        [
            ({"findings": []}, False),
            ({"findings": [FINDING]}, True),
            ({"findings": [FINDING], "nextToken": "more"}, True),
            ({"findings": [], "nextToken": "more"}, None),
        ],
    )
    @pytest.mark.parametrize(
        ("criteria", "asked"), [({}, ACTIVE), (HIGH, ACTIVE | HIGH), (HIGH | CLOSED, HIGH | CLOSED), (CLOSED, CLOSED)]
    )
    def test_asks_for_one_active_finding_unless_the_filter_names_a_status(
        self, answer: dict[str, Any], matches: bool | None, criteria: dict[str, Any], asked: dict[str, Any]
    ) -> None:
        inspector = FakeInspector(answer)
        assert matches_any(inspector.client, criteria) is matches
        assert inspector.requests == [{"filterCriteria": asked, "maxResults": 1}]

    def test_an_empty_answer_is_no_answer(self) -> None:
        with pytest.raises(ConnectionClosedError):
            matches_any(FakeInspector({}).client, {})


class FakeInspector:
    """An Inspector with one answer, which keeps the requests."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer, self.requests = answer, list[dict[str, Any]]()
        self.client: Any = self
        self.meta = client("inspector2").meta

    def list_findings(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return self.answer


@pytest.mark.parametrize(
    ("report_format", "content"),
    [
        ("JSON", of(FINDING)),
        ("JSON", BOM + of(FINDING)),
        ("JSON", b'\n { "findings" : [' + json.dumps(FINDING).encode() + b"\n,\n" + json.dumps(FINDING).encode() + b" ] }\r\n"),
        ("JSON", of(FINDING).replace(b"xxx", b"x\x01x")),
        ("JSON", json.dumps({"version": 2, "findings": [FINDING]}).encode()),
        ("JSON", of(FINDING, more=1)),
        ("JSON", json.dumps({"a": {"findings": ["]}"]}, "findings": [FINDING, {}], "b": [1.5, None]}).encode()),
        ("JSON", of(FINDING).replace(b'"HIGH"', b"NaN")),
        ("JSON", of(*[FINDING] * 50)),
        ("CSV", HEADER + ROW),
        ("CSV", BOM + HEADER + ROW),
        ("CSV", HEADER + ROW * 100),
        ("CSV", (HEADER + ROW * 100).strip()),
        ("CSV", (HEADER + ROW * 100).replace(b"\n", b"\r\n")),
        ("CSV", HEADER + b"\n" + ROW),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_a_report_with_findings_is_verified(report_format: str, content: bytes) -> None:
    seen = verified(content, report_format)
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
        ("JSON", b'{"error":"' + ARN.encode() + b'"', "breaks off before its end"),
        ("JSON", b'{"error":"' + ARN.encode() + b'"}', 'does not begin with {"findings":['),
        ("JSON", b"\0" * 10_000, 'does not begin with {"findings":['),
        ("JSON", b" " * 10_000, "contains no finding"),
        ("JSON", of(FINDING, more=1)[:-1], "breaks off before its end"),
        ("JSON", of(FINDING)[:-1] + b',"findings":[]}', "second list"),
        ("JSON", of(FINDING) + b"{}", "continues after its end"),
        ("JSON", of(FINDING, more=[])[:-2] + b"[" * 20_000, "nested too deeply"),
        ("JSON", HEADER + ROW * 100, 'does not begin with {"findings":['),
        ("CSV", ROW * 3, "does not begin with the header"),
        ("CSV", b"\n" + HEADER + ROW, "does not begin with the header"),
        ("CSV", of(*[FINDING] * 50), "does not begin with the header"),
        ("CSV", ARN.encode(), "does not begin with the header"),
        ("CSV", HEADER + ROW * 100 + ROW[:60], "breaks off within quotation marks"),
        ("CSV", HEADER + ROW * 100 + ROW[:20], "has 3 cells in row 102"),
        ("CSV", HEADER + ROW[:20] + b"\n" + ROW, "has 3 cells in row 2"),
        ("CSV", HEADER + ROW + b"\xff", "has 1 cells in row 3"),
        ("CSV", HEADER.strip() + b",status\n" + ROW, "two columns"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else value,
)
def test_a_broken_report_is_said_to_be_broken_never_empty(report_format: str, content: bytes, fault: str) -> None:
    seen = verified(content, report_format)
    assert isinstance(seen, Failure), seen
    assert seen.error == "Delivery.Corrupt"
    assert fault in seen.cause
    assert f"({len(content):,} bytes)" in seen.cause


@pytest.mark.parametrize("size", [TINY_BYTES - 1, TINY_BYTES, TINY_BYTES + 1, EDGE_BYTES - 1, EDGE_BYTES, EDGE_BYTES + 1])
def test_a_report_around_the_size_that_is_read_whole_is_assessed_alike(size: int) -> None:
    assert isinstance(verified(padded(size)), Delivery)
    broken = verified(padded(size + 1)[:-1])
    assert isinstance(broken, Failure)
    assert broken.error == "Delivery.Corrupt"


def test_a_larger_object_without_findings_is_not_taken_for_an_empty_report() -> None:
    seen = verified(b" " * (TINY_BYTES + 1))
    assert isinstance(seen, Failure)


@pytest.mark.parametrize("content", [of(*[FINDING] * 8), of(FINDING, more=[1, {"a": "}"}]), HEADER + ROW * 8])
def test_a_report_that_is_cut_anywhere_is_never_verified_but_between_rows_or_within_an_unquoted_last_cell(content: bytes) -> None:
    report_format = "CSV" if content.startswith(HEADER) else "JSON"
    for size in range(len(content)):
        seen = of_whole(content[:size], report_format)
        if seen.fault is None and seen.holds == "findings":
            assert report_format == "CSV"
            assert content[:size].rpartition(b",")[2] in b"ACTIVE\n" or content[size - 1 : size] == b"\n"
        if seen.holds == "nothing":
            assert content[:size] in {b"", HEADER}


@pytest.mark.parametrize(("ask", "how"), [(not_asked, "no_findings"), (lambda: False, "no_object")])
def test_no_object_is_nothing_found_where_inspector_says_so(ask: AsksInspector, how: str) -> None:
    seen = verify(client("s3"), ask, DESTINATION, REPORT_ID, "JSON", found_nothing=how == "no_findings")
    assert isinstance(seen, Delivery)
    assert (seen.nothing_found, seen.key, seen.uri, seen.size_bytes) == (how, None, None, 0)


@pytest.mark.parametrize(
    ("matches", "said"),
    [
        (True, "although ListFindings returns findings for the same filter"),
        (None, "was incomplete"),
        (client_error("AccessDeniedException", 403), "was refused (AccessDeniedException)"),
    ],
)
def test_a_success_without_an_object_is_no_good_news_unless_inspector_has_nothing(matches: Any, said: str) -> None:
    def ask() -> bool | None:
        if isinstance(matches, Exception):
            raise matches
        return bool(matches) if matches is not None else None

    seen = verify(client("s3"), ask, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Failure)
    assert seen.error == "Delivery.Missing"
    assert said in str(seen.cause)
    assert f"s3://{DESTINATION.bucket}/{DESTINATION.prefix}" in str(seen.cause)


def test_an_object_that_is_not_there_yet_is_searched_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses_made = []

    def sleep(_: float) -> None:
        pauses_made.append(1)
        if len(pauses_made) == 2:
            put_report(of(FINDING))

    monkeypatch.setattr(time, "sleep", sleep)
    seen = verify(client("s3"), not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key


@pytest.mark.parametrize(("found_nothing", "pauses"), [(True, 0), (False, 2)])
def test_an_object_that_no_one_expects_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, found_nothing: bool, pauses: int
) -> None:
    pauses_made: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses_made.append)
    verify(client("s3"), lambda: False, DESTINATION, REPORT_ID, "JSON", found_nothing=found_nothing)
    assert len(pauses_made) == pauses


def test_a_report_is_verified_even_where_inspector_reported_no_findings() -> None:
    seen = verified(of(FINDING), found_nothing=True)
    assert isinstance(seen, Delivery)
    assert seen.nothing_found is None


@pytest.mark.parametrize(
    ("encryption", "expected"),
    [
        ({"ServerSideEncryption": "AES256"}, "with AES256 and a key of S3"),
        (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY.replace("1111", "9999")},
            "with aws:kms and the key arn:aws:kms",
        ),
    ],
)
def test_a_report_with_another_encryption_is_not_trusted(encryption: dict[str, str], expected: str) -> None:
    put_report(of(FINDING), **encryption)
    seen = verify(client("s3"), not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Failure)
    assert seen.error == "Delivery.Encryption"
    assert expected in seen.cause
    assert KEY in seen.cause


def test_an_unencrypted_report_is_not_trusted() -> None:
    put_report(of(FINDING))
    seen = verify(WatchedS3(encryption=None, key=None).client, not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Failure)
    assert "is not encrypted" in seen.cause


def test_double_encryption_with_the_right_key_is_right() -> None:
    put_report(of(FINDING))
    seen = verify(WatchedS3(encryption="aws:kms:dsse").client, not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)


@pytest.mark.parametrize("name", [f"{REPORT_ID}.json", f"report-{REPORT_ID}", f"{REPORT_ID}/part-0.json", "findings.json"])
def test_the_object_is_found_whatever_its_name(name: str) -> None:
    put_report(b"", DESTINATION.prefix)
    key = put_report(of(FINDING), DESTINATION.prefix + name)
    seen = verify(client("s3"), not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == key


@pytest.mark.parametrize("other", [OTHER_ID, "0", "z"])
def test_the_object_with_the_reports_id_is_preferred(other: str) -> None:
    key = put_report(of(FINDING))
    put_report(b"other", f"{DESTINATION.prefix}{other}.json")
    seen = verify(client("s3"), not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == key


@pytest.mark.parametrize("report_id", [REPORT_ID, ""])
@pytest.mark.parametrize("newest", ["a.json", "m.json", "z.json"])
def test_of_several_objects_without_the_reports_id_the_newest_is_taken(newest: str, report_id: str) -> None:
    keys = {name: put_report(of(FINDING), DESTINATION.prefix + name) for name in ("a.json", "m.json", "z.json")}
    written = {key: datetime(2026, 11, 2 if name == newest else 1, tzinfo=UTC) for name, key in keys.items()}
    watched = WatchedS3(written=written)
    seen = verify(watched.client, not_asked, DESTINATION, report_id, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == keys[newest]


def test_an_id_in_the_prefix_names_no_object() -> None:
    keys = [put_report(of(FINDING), DESTINATION.prefix + name) for name in ("run-1.json", "other.json")]
    written = {keys[0]: datetime(2026, 11, 1, tzinfo=UTC), keys[1]: datetime(2026, 11, 2, tzinfo=UTC)}
    assert "run-1" in DESTINATION.prefix
    seen = verify(WatchedS3(written=written).client, not_asked, DESTINATION, "run-1", "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == keys[0]


def test_of_several_objects_with_the_reports_id_the_newest_is_taken() -> None:
    keys = [put_report(of(FINDING), f"{DESTINATION.prefix}{REPORT_ID}{end}") for end in (".json", ".json.tmp")]
    written = {keys[0]: datetime(2026, 11, 2, tzinfo=UTC), keys[1]: datetime(2026, 11, 1, tzinfo=UTC)}
    seen = verify(WatchedS3(written=written).client, not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.key == keys[0]


def test_another_runs_object_is_not_found() -> None:
    put_report(of(FINDING), f"{DESTINATION.prefix.removesuffix('/')}-2/{REPORT_ID}.json")
    seen = verify(client("s3"), lambda: False, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    assert isinstance(seen, Delivery)
    assert seen.nothing_found == "no_object"


def test_every_request_names_the_expected_bucket_owner() -> None:
    put_report(padded(EDGE_BYTES + 1))
    watched = WatchedS3()
    verify(watched.client, not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)
    found_report_id(watched.client, DESTINATION)
    assert len(watched.requests) == 5
    assert {request.get("ExpectedBucketOwner") for request in watched.requests} == {ACCOUNT}


def test_an_object_that_changes_while_it_is_read_is_refused() -> None:
    put_report(of(*[FINDING] * 20))
    watched = WatchedS3(on_head=lambda: put_report(of(*[FINDING] * 21)))
    with pytest.raises(ClientError, match="PreconditionFailed"):
        verify(watched.client, not_asked, DESTINATION, REPORT_ID, "JSON", found_nothing=False)


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


class TestRun:
    def test_the_step_returns_the_delivery(self, table: Table) -> None:
        planned(table, execution())
        run_store.note_report(table, execution(), REPORT_ID, execution().started_at)
        put_report(of(FINDING))
        result = verify_report(client("s3"), client("inspector2"), run_store.load(table, execution()), found_nothing=False)
        assert result["state"] == "VERIFIED"
        assert Delivery(**result["delivery"]).key == f"{DESTINATION.prefix}{REPORT_ID}.json"
        assert json.loads(json.dumps(result)) == result

    def test_the_step_returns_the_failure(self, table: Table) -> None:
        put_report(b"\0" * 5000)
        result = verify_report(client("s3"), client("inspector2"), planned(table, execution()), found_nothing=False)
        assert (result["state"], result["failure"]["error"]) == ("FAILED", "Delivery.Corrupt")

    def test_a_run_without_a_plan_cannot_be_verified(self, table: Table) -> None:
        with pytest.raises(NotRecordedError):
            verify_report(client("s3"), client("inspector2"), run_store.open_run(table, execution(), "{}"), found_nothing=False)
