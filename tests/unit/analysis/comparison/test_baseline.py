"""Which earlier run a report is compared with."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from findings_analysis.comparison.baseline import (
    HISTORY_FIELDS,
    EarlierRun,
    NoBaseline,
    StoredFile,
    choose,
    earlier_runs,
    unreadable,
)

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def run(days_ago: float, name: str = "", **values: Any) -> dict[str, Any]:
    """A line of the history, as the records write it and the analysis completes it."""
    started = NOW - timedelta(days=days_ago)
    item = {
        "pk": "REPORT#nightly",
        "sk": f"RUN#{started.isoformat()}#{name or f'run-{days_ago}'}",
        "outcome": "SUCCEEDED",
        "filter_hash": "same",
        "scheduled": 1,
        "notified": 1,
        "format": "JSON",
        "bucket": "findings",
        "key": "reports/r.json",
        "analysis_fingerprints": "analyses/findings.fingerprints",
        "analysis_fingerprints_etag": "e1",
        "analysis_names": "analyses/findings.names",
        "analysis_names_etag": "e2",
    }
    return {field: value for field, value in (item | values).items() if value is not None}


def found_in(items: tuple[dict[str, Any], ...], *, scheduled: bool) -> EarlierRun | NoBaseline:
    newest_first = sorted(items, key=lambda item: str(item.get("sk")), reverse=True)
    return choose(earlier_runs(newest_first, "now", NOW), "same", scheduled=scheduled)


def chosen(*items: dict[str, Any], scheduled: bool = True) -> EarlierRun:
    found = found_in(items, scheduled=scheduled)
    assert isinstance(found, EarlierRun), found
    return found


def refused(*items: dict[str, Any], scheduled: bool = True) -> NoBaseline:
    found = found_in(items, scheduled=scheduled)
    assert isinstance(found, NoBaseline), found
    return found


def test_the_newest_verified_run_of_the_same_filter_is_chosen() -> None:
    found = chosen(run(3), run(1), run(2), run(0.5, filter_hash="other"), run(0.4, outcome="FAILED"))
    assert found == EarlierRun(
        "run-1", NOW - timedelta(days=1), "same", True, True, "JSON", "findings", "reports/r.json",
        StoredFile("analyses/findings.fingerprints", "e1"), StoredFile("analyses/findings.names", "e2"),
    )  # fmt: skip


def test_a_silent_run_swallows_nothing() -> None:
    assert chosen(run(2), run(1, notified=0)).execution == "run-2"
    assert chosen(run(2), run(1, notified=0), scheduled=False).execution == "run-2"
    assert refused(run(1, notified=0)).reason == "first_notified"


def test_a_run_on_demand_is_no_baseline_of_the_schedule_and_is_compared_with_the_newest_of_both() -> None:
    on_demand, nightly = run(1, scheduled=0), run(2)
    assert chosen(on_demand, nightly).execution == "run-2"
    assert chosen(on_demand, nightly, scheduled=False).execution == "run-1"
    assert chosen(run(1), run(2, scheduled=0), scheduled=False).execution == "run-1"
    found = refused(on_demand)
    assert found.reason == "first_notified"
    assert "the first scheduled report of this name and filter with a notification" in found.sentence


def test_no_number_of_other_runs_hides_it_and_no_more_is_read_than_is_needed() -> None:
    others = [run(0.5, f"x{number}", outcome="FAILED" if number % 2 else "SUCCEEDED", notified=0) for number in range(5_000)]
    lines = iter([*others, run(1), run(2)])
    found = choose(earlier_runs(lines, "now", NOW), "same", scheduled=True)
    assert isinstance(found, EarlierRun)
    assert (found.execution, len(list(lines))) == ("run-1", 1)


def test_another_format_is_a_baseline_too() -> None:
    assert chosen(run(1, format="CSV")).report_format == "CSV"


def test_a_run_without_findings_is_a_baseline_too() -> None:
    found = chosen(run(1, key=None, analysis_names=None, analysis_names_etag=None))
    assert (found.report_key, found.names) == (None, None)


def test_neither_the_run_itself_nor_a_later_one_is_its_baseline() -> None:
    assert chosen(run(2), run(0.1, "now"), run(-1)).execution == "run-2"


def test_an_execution_name_may_hold_anything() -> None:
    assert chosen(run(1, "a#b#c")).execution == "a#b#c"


def test_a_run_whose_analysis_failed_is_passed_over() -> None:
    assert chosen(run(1, analysis_fingerprints=None), run(2)).execution == "run-2"


@pytest.mark.parametrize("items", [[], [run(1, outcome="FAILED")], [run(-1)], [run(1, "now")]])
def test_the_first_report_has_none(items: list[dict[str, Any]]) -> None:
    assert refused(*items).reason == "first_run"


def test_a_changed_filter_is_named_as_such() -> None:
    found = refused(run(1, filter_hash="other"), run(2, filter_hash="another"))
    assert found.reason == "filter_changed"
    assert "22 Nov 2026, 03:00 UTC" in found.sentence


def test_runs_from_before_there_were_analyses_are_named_as_such() -> None:
    assert refused(run(1, analysis_fingerprints=None), run(2, bucket=None)).reason == "no_analysis"


@pytest.mark.parametrize("sk", ["RUN#yesterday#x", "RUN#2026-11-22T03:00:00#naive", "RUN#2026-11-22", "OTHER#1#2", ""])
def test_lines_that_are_no_runs_are_passed_over(sk: str) -> None:
    assert refused(run(1, sk=sk)).reason == "first_run"
    assert refused({"outcome": "SUCCEEDED"}).reason == "first_run"


@pytest.mark.parametrize(
    ("days", "text"),
    [(0.5 / 24, "0 hours"), (1 / 24, "1 hour"), (1, "24 hours"), (1.9, "46 hours"), (2, "2 days"), (30.2, "30 days")],
)
def test_its_age_is_written_as_people_write_it(days: float, text: str) -> None:
    assert chosen(run(days)).age_text(NOW) == text


def test_what_cannot_be_read_is_said_with_its_place_and_reason() -> None:
    found = unreadable(chosen(run(1)), "it is truncated at its finding 7")
    assert found.reason == "unreadable"
    assert "analyses/findings.fingerprints" in found.sentence
    assert "truncated at its finding 7" in found.sentence


def test_the_fields_that_an_analysis_adds_are_the_ones_that_are_read() -> None:
    complete = chosen(run(1))
    for field in HISTORY_FIELDS:
        moved = chosen(run(1, **{field: "moved"}))
        assert "moved" in {*(moved.fingerprints or ()), *(moved.names or ())}
        assert moved != complete
