"""The file of reports: each entry is checked as an input is, and a fault is named with its place."""

import json
from typing import Any

import pytest

from findings_exporter.model.execution import execution_id
from findings_exporter.model.reports import MOST_REPORTS_BYTES, Report, ReportsError, only_report, read_reports
from tests.builders.exporter import config, execution

CRITICAL = {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}


def read(content: Any, **variables: str) -> tuple[Report, ...]:
    """Read a file."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_reports(text, config(**variables), execution())


def test_reports_come_in_their_order_with_what_an_input_says_of_them() -> None:
    reports = read([{"name": "nightly"}, {"name": "criticals", "format": "CSV", "filter_criteria": CRITICAL, "on_busy": "fail"}])
    assert [report.name for report in reports] == ["nightly", "criticals"]
    assert reports[1].input == {"report": {"name": "criticals", "format": "CSV", "filter_criteria": CRITICAL}, "on_busy": "fail"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b'[{"name": "a", "name": "b"}]', "the field name is there twice"),
        ({}, "a list of reports"),
        ([], "1 to 10"),
        ([{"name": f"n{number}"} for number in range(11)], "1 to 10"),
        ([7], r"\[0\] must be a report"),
        ([{"format": "CSV"}], r"\[0\] has no .name."),
        ([{"name": "a"}, {"name": "a"}], "two reports have the name a"),
        ([{"name": "a", "format": "XML"}, {"name": "a"}, {}], "two reports have the name a"),
        ([{"name": "a/b"}], r"\[0\]\.name"),
        ([{"name": "a", "fromat": "CSV"}], r"\[0\]\.fromat .*format"),
        ([{"name": "a", "format": "XML"}], r"\[0\]\.format"),
        ([{"name": "a"}, {"name": "b", "filter_criteria": {"severty": []}}], r"\[1\]\.filter_criteria\.severty"),
        ([{"name": "a", "deadline_hours": 99}], r"\[0\]\.deadline_hours"),
        ([{"name": "nightly", "filter_criteria": CRITICAL}], "another filter than FilterCriteria"),
        (b" " * (MOST_REPORTS_BYTES + 1), "bytes"),
    ],
)
def test_a_fault_is_named_with_its_place(content: Any, said: str) -> None:
    with pytest.raises(ReportsError, match=said):
        read(content)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ReportsError) as caught:
        read([{"name": "a/b"}, {"name": "b", "format": "XML"}])
    assert len(caught.value.faults) == 2


def test_names_of_executions_are_fixed_fit_and_are_kept_in_keys() -> None:
    names = {report.execution_name("arn:start") for report in (Report("x" * 63, {}), Report("x" * 62 + "y", {}), Report("a", {}))}
    assert len(names) == 3
    assert all(len(name) <= 80 and execution_id(name) == name for name in names)
    assert Report("a", {}).execution_name("arn:start") != Report("a", {}).execution_name("arn:other")


def test_without_a_file_the_report_is_that_of_the_parameters() -> None:
    assert only_report(config(REPORT_NAME="weekly")) == (Report("weekly", {}),)
