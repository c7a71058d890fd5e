"""The check of the headlines that come at once finds what it is there to find."""

from typing import Any

from tests.faults.region_load import REGIONS, REPORTS, Headlines


def event(**fields: Any) -> dict[str, Any]:
    """The event of a summary that has every report."""
    rows = [
        {"region": region, "report": report, "state": "SUCCEEDED", "headline": {}} for region in REGIONS for report in REPORTS
    ]
    return {"complete": True, "reports": rows} | fields


def troubles(*events: dict[str, Any], put_aside: int = 0) -> list[str]:
    return Headlines(events, put_aside, (1.0, 2.0)).troubles


def test_one_summary_with_every_report_is_right() -> None:
    assert troubles(event()) == []


def test_a_second_summary_or_none_is_found() -> None:
    assert troubles(event(), event()) == ["2 messages about one scheduled time"]
    assert troubles() == ["0 messages about one scheduled time"]


def test_a_report_that_is_lost_silent_or_doubled_is_found() -> None:
    rows = event()["reports"]
    silent = [rows[0] | {"state": "SILENT", "headline": None}, *rows[1:]]
    assert troubles(event(reports=silent)) == ["not in the summary: eu-west-1/report-0"]
    assert troubles(event(reports=rows[1:])) == ["not in the summary: eu-west-1/report-0", "199 reports in the summary"]


def test_a_summary_that_is_not_complete_and_messages_that_were_put_aside_are_found() -> None:
    assert troubles(event(complete=False)) == ["the summary is not complete"]
    assert troubles(event(), put_aside=2) == ["2 messages were put aside"]
