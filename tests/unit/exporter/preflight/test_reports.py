"""The setup check assesses the file of reports, where a start exports those of a file."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from findings_exporter.aws.attempts import Unread
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.reports import reports_file
from tests.builders.exporter import config

KEY = "inspector/config/reports.json"
CRITICAL = {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}


def check(content: Any) -> Check:
    """What the check says of a file, given as JSON, bytes, None or Unread."""
    raw = content if content is None or isinstance(content, bytes | Unread) else json.dumps(content).encode()
    return reports_file(raw, config(REPORTS="FILE"), datetime(2026, 11, 30, tzinfo=UTC))


def test_a_file_that_can_be_used_is_named_with_its_reports() -> None:
    made = check([{"name": "nightly"}, {"name": "weekly", "format": "CSV"}])
    assert (made.result, made.sentence) == ("passed", f"The file {KEY} has 2 reports: nightly, weekly.")


def test_a_missing_file_fails_with_what_to_do() -> None:
    made = check(None)
    assert made.result == "failed"
    assert "Reports is FILE" in made.sentence
    assert "make config" in made.fix[0]


def test_each_fault_is_named_with_its_place() -> None:
    made = check([{"name": "a/b"}, {"format": "CSV"}])
    assert made.result == "failed"
    assert [line.split()[0] for line in made.evidence] == ["[0].name", "[1]"]


def test_a_filter_of_the_name_of_the_parameters_is_left_to_the_start_which_knows_the_parameters_filter() -> None:
    assert check([{"name": "nightly", "filter_criteria": CRITICAL}]).result == "passed"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", {}, [], 7, [7], b"[" * 100_000, b" " * (2 << 20)])
def test_whatever_lies_there_is_assessed(content: Any) -> None:
    assert check(content).result == "failed"


def test_a_file_that_could_not_be_read_is_unknown() -> None:
    assert check(Unread("no right")).result == "unknown"
