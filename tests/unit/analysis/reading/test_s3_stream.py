"""A report is read from S3 in ranges: in order, of one version, and what goes wrong is tried again or explained."""

from __future__ import annotations

import io
import random
import threading
import time
from concurrent.futures import wait
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError
from botocore.response import StreamingBody
from urllib3.exceptions import ProtocolError

from findings_analysis.assessment.statistics import Statistics
from findings_analysis.parts.part_analysis import NO_OWNERS
from findings_analysis.reading import s3_stream
from findings_analysis.reading.errors import ReportChangedError, ReportUnavailableError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.s3_stream import Pinned, RangedObject, pin
from tests.builders import exporter as builders
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import json_report

CONTENT = random.Random(1).randbytes(10_000)
PINNED = Pinned("bucket", "key", len(CONTENT), '"etag"', "v1", builders.ACCOUNT)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_stream, "RETRY_SECONDS", 0)


BROKEN_OFF = b"broken off"


class BreaksOff(io.BytesIO):
    """What urllib3 does when an answer is shorter than its head said."""

    def read(self, *_: object) -> bytes:
        raise ProtocolError("Connection broken: IncompleteRead(700 bytes read, 300 more expected)")


class FakeS3:
    """Gives ranges of CONTENT, after what is to happen to the range first."""

    def __init__(self, **faults: list[Any]) -> None:
        self.faults = {int(name.removeprefix("at_")): fault for name, fault in faults.items()}
        self.asked: list[dict[str, Any]] = []
        self.running = self.most_running = 0
        self.lock = threading.Lock()

    def get_object(self, **call: Any) -> dict[str, Any]:
        with self.lock:
            self.asked.append(call)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        begin, end = map(int, call["Range"].removeprefix("bytes=").split("-"))
        try:
            happens = self.faults.get(begin) or [None]
            fault = happens.pop(0)
            if isinstance(fault, Exception):
                raise fault
            if callable(fault):
                fault()
            content = fault if isinstance(fault, bytes) else CONTENT[begin : end + 1]
            raw = BreaksOff() if fault == BROKEN_OFF else io.BytesIO(content)
            return {"Body": StreamingBody(raw, len(content))}
        finally:
            with self.lock:
                self.running -= 1


def refused(code: str, status: int) -> ClientError:
    return builders.client_error(code, status, "GetObject")


def read(s3: Any, **settings: Any) -> bytes:
    read_bytes = bytearray()
    buffer = bytearray(700)
    with RangedObject(s3, PINNED, range_bytes=1000, **settings) as stream:
        while count := stream.readinto(memoryview(buffer)):
            read_bytes += buffer[:count]
    return bytes(read_bytes)


def test_ranges_are_read_in_order_pinned_and_with_the_owner_expected() -> None:
    s3 = FakeS3()
    assert read(s3) == CONTENT
    assert {(call["VersionId"], call["IfMatch"], call["ExpectedBucketOwner"]) for call in s3.asked} == {
        ("v1", '"etag"', builders.ACCOUNT)
    }
    assert len(s3.asked) == 10


def test_a_slow_range_holds_up_its_followers_but_not_their_fetching() -> None:
    others = threading.Event()
    waiting = threading.Event()

    def wait_for_others() -> None:
        waiting.set()
        assert others.wait(10)

    s3 = FakeS3(at_1000=[wait_for_others], at_3000=[others.set])
    assert read(s3, in_flight=4) == CONTENT
    assert waiting.is_set()


def test_no_more_is_fetched_than_is_read() -> None:
    s3 = FakeS3()
    with RangedObject(s3, PINNED, range_bytes=1000, in_flight=3) as stream:  # type: ignore[arg-type]
        deadline = time.monotonic() + 5
        while len(s3.asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        stream.readinto(memoryview(bytearray(10)))
        stream.readinto(memoryview(bytearray(10)))
    assert 3 <= len(s3.asked) <= 4
    assert s3.most_running <= 3


@pytest.mark.parametrize(
    "fault",
    [
        refused("InternalError", 500),
        refused("SlowDown", 503),
        EndpointConnectionError(endpoint_url="https://s3"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ConnectionResetError(),
        b"too short",
        BROKEN_OFF,
    ],
)
def test_a_range_that_fails_twice_is_read_at_the_third_try_and_the_others_once(fault: Any) -> None:
    s3 = FakeS3(at_4000=[fault, fault])
    assert read(s3) == CONTENT
    assert len(s3.asked) == 12


@pytest.mark.parametrize("fault", [refused("InternalError", 500), b"too short"])
def test_a_range_that_fails_three_times_is_explained(fault: Any) -> None:
    s3 = FakeS3(at_4000=[fault] * 3)
    with pytest.raises(ReportUnavailableError, match=r"bytes 4,000 to 4,999 of s3://bucket/key, asked 3 times"):
        read(s3)


@pytest.mark.parametrize(
    ("code", "status"), [("PreconditionFailed", 412), ("NoSuchVersion", 404), ("NoSuchKey", 404), ("InvalidRange", 416)]
)
def test_an_object_that_is_replaced_or_deleted_midway_is_reported_at_once(code: str, status: int) -> None:
    s3 = FakeS3(at_4000=[refused(code, status)])
    with pytest.raises(ReportChangedError, match="replaced or deleted while it was read"):
        read(s3)
    assert sum(call["Range"] == "bytes=4000-4999" for call in s3.asked) == 1


def test_a_denied_range_is_not_asked_for_again() -> None:
    s3 = FakeS3(at_4000=[refused("AccessDenied", 403)])
    with pytest.raises(ReportUnavailableError, match="AccessDenied"):
        read(s3)
    assert sum(call["Range"] == "bytes=4000-4999" for call in s3.asked) == 1


@pytest.mark.parametrize("versioned", [True, False])
def test_a_report_in_s3_is_counted_and_one_that_is_replaced_meanwhile_is_never_mixed(aws: None, versioned: bool) -> None:
    s3 = builders.client("s3")
    builders.make_bucket()
    if versioned:
        s3.put_bucket_versioning(Bucket=builders.BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first, second = (
        json_report(generate(120, seed=seed, now=1.78e9, accounts=["111122223333"], region="eu-west-1")) for seed in (1, 2)
    )
    s3.put_object(Bucket=builders.BUCKET, Key="report.json", Body=first)
    pinned = pin(s3, builders.BUCKET, "report.json", builders.ACCOUNT)
    assert pinned.size == len(first)
    assert bool(pinned.version_id) == versioned

    def count() -> int:
        counts = Statistics(0)
        with RangedObject(s3, pinned, range_bytes=10_000, in_flight=2) as stream:
            for batch in read_json(stream, buffer_bytes=20_000):
                counts.add(NO_OWNERS.add_to(batch))
                if counts.total < 100:
                    wait(stream._ahead)  # moto closes what it is reading when that is replaced
                    s3.put_object(Bucket=builders.BUCKET, Key="report.json", Body=second)
        return counts.total

    if versioned:
        assert count() == 124
    else:
        with pytest.raises(ReportChangedError):
            count()


def test_an_object_that_is_not_there_is_explained(aws: None) -> None:
    builders.make_bucket()
    with pytest.raises(ReportUnavailableError, match=r"S3 did not return s3://findings-bucket/none\.json"):
        pin(builders.client("s3"), builders.BUCKET, "none.json", builders.ACCOUNT)


def test_an_empty_object_is_read_as_nothing() -> None:
    with RangedObject(FakeS3(), Pinned("b", "k", 0, "e", None, "1")) as stream:  # type: ignore[arg-type]
        assert stream.readinto(memoryview(bytearray(10))) == 0
