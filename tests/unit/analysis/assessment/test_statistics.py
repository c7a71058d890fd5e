"""What is counted of a report, as a whole and in parts."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.assessment.statistics import AGE_BANDS, NO_VALUE, Statistics, Tally
from findings_analysis.parts.part_analysis import NO_OWNERS
from findings_analysis.reading.json_report import read_json
from tests.builders.report_builders import FINDINGS, NOW_MS, Stream, expected_row, json_reports

if TYPE_CHECKING:
    from findings_analysis.reading.schema import Batch

DAY = 86_400_000


PLAIN = {
    "severity": "HIGH", "type": "T", "status": "ACTIVE", "resource_type": None, "fix_available": None,
    "exploit_available": None, "account_id": "1", "first_observed_at": NOW_MS, "epss_score": None, "resource_id": None,
    "further_resource_ids": None, "vulnerability_id": None, "package_names": None, "owner": None,
}  # fmt: skip


def counted(*rows: dict[str, Any], now_ms: int = NOW_MS) -> dict[str, Any]:
    counts = Statistics(now_ms)
    for row in rows:
        counts.add({name: [value] for name, value in (PLAIN | {"first_observed_at": now_ms} | row).items()})
    return counts.to_dict()


@settings(max_examples=12, deadline=None)
@given(st.data(), st.lists(FINDINGS, max_size=8))
def test_a_report_is_counted_as_its_findings_are(data: st.DataObject, findings: list[Any]) -> None:
    counts = Statistics(NOW_MS)
    for batch in read_json(Stream(data.draw(json_reports(findings))), buffer_bytes=1000):
        counts.add(NO_OWNERS.add_to(batch))
    result, rows = counts.to_dict(), [expected_row(finding) for finding in findings]
    assert result["total"] == len(rows)
    assert result["by_status"] == Counter(row["status"] for row in rows)
    rows = [row for row in rows if row["status"] not in {"CLOSED", "SUPPRESSED"}]
    assert result["open"] == len(rows)
    for kind in ("severity", "type", "resource_type", "fix_available", "exploit_available"):
        assert result[f"by_{kind}"] == Counter(row[kind] or NO_VALUE for row in rows)
    assert result["by_account"] == Counter(row["account_id"] for row in rows)
    assert {band: sum(each.values()) for band, each in result["by_age_and_severity"].items()} == result["by_age"]
    assert sum(map(Counter, result["by_age_and_severity"].values()), Counter()) == result["by_severity"]
    assert sum(result["by_age"].values()) == sum(result["by_epss"].values()) == len(rows)
    packages = Counter(name for row in rows for name in row["package_names"] or () if name)
    assert {entry["name"]: entry["findings"] for entry in result["top"]["packages"]} == packages
    every_id = [name for row in rows for name in [row["resource_id"], *(row["further_resource_ids"] or ())] if name]
    assert {entry["name"]: entry["findings"] for entry in result["top"]["resources"]} == Counter(every_id)
    repositories = Counter("a/b" for name in every_id if ":repository/" in name)
    assert {entry["name"]: entry["findings"] for entry in result["top"]["repositories"]} == repositories


@pytest.mark.parametrize(
    ("age_ms", "band"),
    [
        (-DAY, "0-7"),
        (0, "0-7"),
        (8 * DAY - 1, "0-7"),
        (8 * DAY, "8-30"),
        (31 * DAY - 1, "8-30"),
        (31 * DAY, "31-90"),
        (91 * DAY - 1, "31-90"),
        (91 * DAY, ">90"),
        (9000 * DAY, ">90"),
    ],
)
def test_age_is_counted_in_whole_days_at_the_runs_start(age_ms: int, band: str) -> None:
    result = counted({"first_observed_at": NOW_MS - age_ms})["by_age"]
    assert result == dict.fromkeys(AGE_BANDS, 0) | {band: 1}


@pytest.mark.parametrize(
    ("score", "band"), [(None, NO_VALUE), (0, "<0.01"), (0.01, "0.01-0.1"), (0.1, "0.1-0.5"), (0.499, "0.1-0.5"), (0.5, ">=0.5"), (1, ">=0.5")]
)  # fmt: skip
def test_exploit_probabilities_are_counted_from_a_bands_lower_bound_on(score: float | None, band: str) -> None:
    assert {name for name, count in counted({"epss_score": score})["by_epss"].items() if count} == {band}


def test_what_is_not_open_is_counted_by_its_status_alone() -> None:
    row = {"severity": "CRITICAL", "resource_id": "i-1", "vulnerability_id": "CVE-1", "package_names": ["a"]}
    result = counted(*(row | {"status": status} for status in ("ACTIVE", "CLOSED", "SUPPRESSED", "CLOSED", "OF_TOMORROW")))
    assert (result["total"], result["open"]) == (5, 2)
    assert result["by_status"] == {"CLOSED": 2, "ACTIVE": 1, "OF_TOMORROW": 1, "SUPPRESSED": 1}
    assert result["by_severity"] == {"CRITICAL": 2}
    assert (result["by_account"], sum(result["by_age"].values()), sum(result["by_epss"].values())) == ({"1": 2}, 2, 2)
    assert {name: top[0]["findings"] for name, top in result["top"].items() if top} == {
        "resources": 2, "vulnerabilities": 2, "packages": 2,
    }  # fmt: skip


def test_missing_values_and_unknown_values_are_counted_together() -> None:
    result = counted(
        {"fix_available": None},
        {"fix_available": NO_VALUE},
        {"fix_available": "YES"},
        {"account_id": None},
        {"account_id": NO_VALUE},
    )
    assert result["by_fix_available"] == {NO_VALUE: 4, "YES": 1}
    assert result["by_account"] == {"1": 3, NO_VALUE: 2}


def test_a_status_of_tomorrow_is_open_also_beside_closed_findings() -> None:
    statuses = ["CLOSED", "OF_TOMORROW", "ACTIVE", "SUPPRESSED"]
    counts = Statistics(NOW_MS)
    plain = dict.fromkeys(("resource_type", "fix_available", "exploit_available", "epss_score", "resource_id", "further_resource_ids",
                           "vulnerability_id", "package_names", "owner"), [None] * 4)  # fmt: skip
    result: dict[str, Any] = {
        "severity": ["LOW", "HIGH", "HIGH", "LOW"],
        "type": ["T"] * 4,
        "account_id": ["1"] * 4,
        "first_observed_at": [NOW_MS] * 4,
    }
    counts.add({**plain, **result, "status": statuses})
    assert (counts.to_dict()["open"], counts.to_dict()["by_severity"]) == (2, {"HIGH": 2})


def test_severities_come_by_their_weight_and_unknown_ones_last() -> None:
    rows = [{"severity": severity} for severity in ["NEW", "LOW", "LOW", "CRITICAL", "MEDIUM", "NEW", "NEW"]]
    assert list(counted(*rows)["by_severity"]) == ["CRITICAL", "MEDIUM", "LOW", "NEW"]


class TestTop:
    def test_every_name_is_counted_and_the_most_frequent_are_shown(self) -> None:
        tally = Tally("packages")
        for _ in range(3):
            tally.add(["a", "b", "a"])
        assert tally.top() == [{"name": "a", "findings": 6}, {"name": "b", "findings": 3}]
        tally.add(Counter({"c": 4, "d": 3}))
        assert tally.top(3) == [{"name": "a", "findings": 6}, {"name": "c", "findings": 4}, {"name": "b", "findings": 3}]

    def test_names_that_need_too_much_memory_are_an_error_that_says_of_what_there_is_too_much(self) -> None:
        tally = Tally("resources", most_bytes=10_000)
        for _ in range(100):
            tally.add(["x" * 4_000, "short"])
        with pytest.raises(match=r"names \d+ different resources, which need more than 10,000 bytes"):
            tally.add(f"name {number}" for number in range(60))

    def test_repositories_are_those_of_all_images(self) -> None:
        images = [f"arn:aws:ecr:eu-west-1:111122223333:repository/r{n % 3}/sha256:{n:064x}" for n in range(100)]
        counts = Statistics(NOW_MS)
        counts.tallies["resources"].add(images)
        assert {entry["name"]: entry["findings"] for entry in counts.to_dict()["top"]["repositories"]} == {
            "r0": 34, "r1": 33, "r2": 33,
        }  # fmt: skip


def columns(rows: list[dict[str, Any]]) -> Batch:
    return {name: [(PLAIN | row)[name] for row in rows] for name in PLAIN}


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_parts_that_were_stored_and_merged_are_the_whole(parts: int) -> None:
    rows = [
        {"severity": ["HIGH", "LOW", None][n % 3], "account_id": str(n % 4), "epss_score": [None, 0.2, 0.7][n % 3], "status": ["ACTIVE", "CLOSED"][n % 5 == 0],
         "first_observed_at": NOW_MS - n * 86_400_000, "resource_id": f"r{n % 7}", "vulnerability_id": f"v{n % 6}", "package_names": [f"p{n % 3}", "q"], "owner": f"o{n % 4}"}
        for n in range(60)
    ]  # fmt: skip
    whole, merged = Statistics(NOW_MS), Statistics(NOW_MS)
    whole.add(columns(rows))
    for number in range(parts):
        part = Statistics(NOW_MS)
        part.add(columns(rows[number::parts]))
        merged.merge(Statistics.from_stored(NOW_MS, json.loads(json.dumps(part.to_stored()))))
    assert merged.to_dict() == whole.to_dict()
    assert {name: each.to_dict() for name, each in merged.by_owner().items()} == {
        name: counted(*[row for row in rows if row["owner"] == name]) | {"top": Statistics(0).to_dict()["top"]}
        for name in ("o0", "o1", "o2", "o3")
    }
