"""The 30 bytes that are kept of a finding are enough for a comparison."""

from typing import Any

import pytest

from findings_analysis.comparison import fingerprints
from findings_analysis.comparison.fingerprints import DAY_MS, day
from findings_exporter.model.taxonomy import SCAN_TYPES
from tests.builders import daily_runs
from tests.builders.daily_runs import TODAY, batch, finding, record


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        ("ACTIVE", fingerprints.OPEN),
        ("SUPPRESSED", fingerprints.SUPPRESSED),
        ("CLOSED", fingerprints.CLOSED_STATUS),
        ("NEWER", fingerprints.OPEN),
    ],
)
def test_whatever_is_neither_suppressed_nor_closed_is_open(expected: str, status: int) -> None:
    found = record(status=expected)
    assert fingerprints.status(found) == status
    assert fingerprints.is_open(found) == fingerprints.was_open(found) == (status == fingerprints.OPEN)


@pytest.mark.parametrize("expected", ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED"])
@pytest.mark.parametrize("fix", [None, "NO", "PARTIAL", "YES"])
@pytest.mark.parametrize("exploit", [None, "NO", "YES"])
@pytest.mark.parametrize("status", ["ACTIVE", "SUPPRESSED", "CLOSED"])
def test_marks_do_not_get_in_each_others_way(expected: str, fix: str | None, exploit: str | None, status: str) -> None:
    found = record(severity=expected, fix_available=fix, exploit_available=exploit, status=status)
    assert fingerprints.severity(found) == expected
    assert fingerprints.has_exploit(found) == (exploit == "YES")
    assert fingerprints.fix(found) == [None, "NO", "PARTIAL", "YES"].index(fix)
    assert fingerprints.status(found) == {"ACTIVE": 0, "SUPPRESSED": 1, "CLOSED": 2}[status]


def test_an_unknown_severity_is_other() -> None:
    assert fingerprints.severity(record(severity="APOCALYPTIC")) == "OTHER"


def test_the_higher_mark_is_to_be_listed_first() -> None:
    order: list[dict[str, Any]] = [
        {"severity": "CRITICAL", "exploit_available": "YES"},
        {"severity": "CRITICAL", "fix_available": "YES"},
        {"severity": "CRITICAL", "fix_available": None},
        {"severity": "HIGH", "exploit_available": "YES"},
        {"severity": "UNTRIAGED"},
        {"severity": "UNHEARD_OF"},
    ]
    marks = [record(**values)[fingerprints.MARKS] for values in order]
    assert marks == sorted(marks, reverse=True)


def test_a_status_can_be_changed_and_nothing_else_is() -> None:
    found = record(severity="CRITICAL", exploit_available="YES", status="CLOSED")
    changed = fingerprints.with_status(found, fingerprints.UNKNOWN_STATUS)
    assert fingerprints.was_open(changed)
    assert not fingerprints.is_open(changed)
    assert fingerprints.with_status(changed, fingerprints.CLOSED_STATUS) == found


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, 0),
        (DAY_MS - 1, 0),
        (DAY_MS, 1),
        (TODAY * DAY_MS + 7, TODAY),
        (-DAY_MS, 0),
        (10**17, fingerprints.LAST_DAY),
        (None, 65_535),
    ],
)
def test_the_first_seen_day_is_the_utc_day_within_two_bytes(milliseconds: int | None, expected: int) -> None:
    assert day(record(first_observed_at=milliseconds)[fingerprints.FIRST_SEEN]) == expected


def test_a_finding_has_a_closed_day_only_when_it_is_closed() -> None:
    assert day(record(status="CLOSED", updated_at=5 * DAY_MS)[fingerprints.CLOSED]) == 5
    assert day(record(status="CLOSED", updated_at=None)[fingerprints.CLOSED]) == TODAY
    assert day(record(status="ACTIVE", updated_at=5 * DAY_MS)[fingerprints.CLOSED]) == 0


def test_a_reader_that_does_not_know_when_findings_were_updated_is_enough() -> None:
    columns = batch(finding(status="CLOSED"))
    del columns["updated_at"]
    assert day(fingerprints.Fingerprinter(TODAY).of(columns)[0][fingerprints.CLOSED]) == TODAY


@pytest.mark.parametrize(
    ("resource_type", "finding_type", "expected"),
    [
        ("AWS_EC2_INSTANCE", "NETWORK_REACHABILITY", "ec2"),
        ("AWS_ECR_CONTAINER_IMAGE", "PACKAGE_VULNERABILITY", "ecr"),
        ("AWS_LAMBDA_FUNCTION", "PACKAGE_VULNERABILITY", "lambda"),
        ("AWS_LAMBDA_FUNCTION", "CODE_VULNERABILITY", "lambdaCode"),
        ("CODE_REPOSITORY", "CODE_VULNERABILITY", "codeRepository"),
        ("MACHINE_IMAGE", "PACKAGE_VULNERABILITY", "ami"),
        ("Microsoft.Web/sites", "PACKAGE_VULNERABILITY", "azure"),
        ("compute.googleapis.com/Instance", "PACKAGE_VULNERABILITY", "gcp"),
        ("OF_TOMORROW", "PACKAGE_VULNERABILITY", "other"),
        (None, "PACKAGE_VULNERABILITY", "other"),
    ],
)
def test_a_finding_belongs_to_the_scan_type_that_finds_it(resource_type: str | None, finding_type: str, expected: str) -> None:
    found = record(resource_type=resource_type, type=finding_type)
    assert SCAN_TYPES[found[fingerprints.SCAN_TYPE]] == expected


def test_records_keep_the_order_of_their_batch_and_their_length() -> None:
    rows = [finding(name, vulnerability_id=name) for name in "cab"]
    found = fingerprints.Fingerprinter(TODAY).of(batch(*rows))
    assert [each[fingerprints.EXACT] for each in found] == [record(name)[fingerprints.EXACT] for name in "cab"]
    assert {len(each) for each in found} == {fingerprints.FINGERPRINT_BYTES}
    assert fingerprints.cut(b"".join(found)) == found


def test_the_earliest_day_of_a_logical_identity_is_found() -> None:
    days: list[Any] = [record(name, first_observed_at=at * DAY_MS) for name, at in (("a", 9), ("b", 3), ("c", 5))]
    assert [day(each) for each in fingerprints.earliest_first_seen(days).values()] == [3]
    assert fingerprints.earliest_first_seen([]) == {}
    assert daily_runs.records() == []
