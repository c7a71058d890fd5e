"""How urgent each kind of message is, by the attribute ``level``."""

from dataclasses import replace
from typing import Any

import pytest

from findings_exporter import notification
from findings_exporter.model.errors import Failure
from findings_exporter.model.run import Run
from findings_exporter.notification import short
from findings_exporter.notification.level import LEVELS, level_of
from tests.builders.exporter import config, ended_run, headline, nothing
from tests.tools import gallery
from tests.unit.exporter.notification.test_messages_of_a_run import DAILY_RUNS

SCHEDULED = DAILY_RUNS
FAILED = gallery.failures()
NO_CHANGE = {
    "appeared": 0,
    "no_longer_open": 0,
    "counts": {"still_open": 7},
    "appeared_by_severity": {},
    "no_longer_open_by_severity": {},
}
LEVELS_OF = {
    "changes": "CHANGES",
    "owners-and-due-dates": "CHANGES",
    "another-report": "CHANGES",
    "several-places": "CHANGES",
    "without-a-page": "CHANGES",
    "no-changes": "NONE",
    "scan-coverage-lost": "PROBLEM",
    "nothing-scanned": "PROBLEM",
    "coverage-unknown": "PROBLEM",
    "unusual-drop": "PROBLEM",
    "first-report": "CHANGES",
    "filter-changed": "CHANGES",
    "not-compared-no-analysis": "CHANGES",
    "not-compared-unreadable": "CHANGES",
    "nothing-found": "CHANGES",
    "rediscovered": "CHANGES",
    "nothing-found-again": "NONE",
    "analysis-failed": "PROBLEM",
    "without-an-analysis": "CHANGES",
    "nothing-found-without-an-analysis": "CHANGES",
}


def compared(**fields: Any) -> Run:
    """A run whose report was compared and has no changes, but for these fields of the comparison."""
    return gallery.daily_run(headline(changes=NO_CHANGE | fields, worst_new=[], worst_no_longer_open=[]))


def first(**fields: Any) -> Run:
    """The first run of a report, which found nothing."""
    empty: dict[str, Any] = {
        "total": 0,
        "open": 0,
        "by_severity": {},
        "worst_new": [],
        "worst_no_longer_open": [],
        "fix_first": [],
    }
    analysis = headline(**empty, changes=None, baseline=None, no_baseline="first_run")
    return gallery.daily_run(analysis | fields, delivery=nothing("no_findings"))


def test_every_kind_of_successful_run_has_its_level() -> None:
    assert {kind: level_of(run) for kind, run in SCHEDULED.items()} == LEVELS_OF


@pytest.mark.parametrize("kind", FAILED)
def test_every_failure_is_a_problem(kind: str) -> None:
    assert level_of(FAILED[kind]) == "PROBLEM"


@pytest.mark.parametrize("outcome", ["FAILED", "ABORTED", "TIMED_OUT", None, "NEW_WORD"])
def test_a_run_that_did_not_succeed_is_a_problem_whatever_its_analysis_says(outcome: Any) -> None:
    assert level_of(replace(SCHEDULED["no-changes"], outcome=outcome)) == "PROBLEM"


def test_a_success_with_a_failure_is_a_problem() -> None:
    assert level_of(replace(SCHEDULED["no-changes"], failure=Failure("NotifyFailed", "AWS refused Publish"))) == "PROBLEM"


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, "NONE"),
        ({"appeared": 1, "counts": {"new": 1}}, "CHANGES"),
        ({"no_longer_open": 1, "counts": {"closed": 1}}, "CHANGES"),
        ({"counts": {"rediscovered": 1}}, "CHANGES"),
        ({"counts": {"severity_raised": 1}}, "CHANGES"),
        ({"counts": {"severity_lowered": 1}}, "CHANGES"),
        ({"counts": {"exploit_became_available": 1}}, "CHANGES"),
        ({"counts": {"fix_became_available": 1}}, "CHANGES"),
        ({"counts": {"moved": 1}}, "CHANGES"),
        ({"counts": {"moved_away": 1}}, "CHANGES"),
    ],
)
def test_every_change_counts(fields: dict[str, Any], level: str) -> None:
    assert level_of(compared(**fields)) == level


@pytest.mark.parametrize(("newly", "level"), [(0, "NONE"), (1, "CHANGES")])
def test_what_became_overdue_is_a_change_and_what_was_so_before_is_none(newly: int, level: str) -> None:
    analysis = headline(changes=NO_CHANGE, due_dates=gallery.due({"CRITICAL": 5}, {}, newly=newly))
    assert level_of(gallery.daily_run(analysis)) == level


def test_an_owners_last_message_is_a_change() -> None:
    unchanged = headline(changes=NO_CHANGE, owner="search", last_message=True)
    assert level_of(gallery.daily_run(unchanged)) == "CHANGES"
    assert level_of(gallery.daily_run(unchanged | {"last_message": False})) == "NONE"


def test_a_first_report_has_no_level_only_when_nothing_was_found_and_scanning_is_active() -> None:
    assert level_of(first()) == "NONE"
    assert level_of(first(coverage_status={"state": "unknown"})) == "PROBLEM"
    assert level_of(first(no_baseline="filter_changed")) == "CHANGES"
    # What an analysis of another release does not say is not taken for zero.
    assert level_of(replace(first(), delivery=SCHEDULED["no-changes"].delivery)) == "CHANGES"


@pytest.mark.parametrize(
    ("overall", "level"), [("passed", "NONE"), ("unknown", "PROBLEM"), ("failed", "PROBLEM"), ("new", "PROBLEM")]
)
def test_a_setup_check_has_a_level(overall: str, level: str) -> None:
    assert level_of(overall) == level


@pytest.mark.parametrize("run", [ended_run(), FAILED["failed-deadline"], SCHEDULED["no-changes"]])
def test_the_short_message_is_a_problem_since_it_knows_nothing_of_coverage_and_changes(run: Run) -> None:
    assert short.attributes(run, config())["level"] == "PROBLEM"


@pytest.mark.parametrize("kind", ["no-changes", "scan-coverage-lost", "changes"])
def test_what_is_published_has_a_published_level(kind: str) -> None:
    published = notification.publication(SCHEDULED[kind], config())["MessageAttributes"]["level"]
    assert published == {"DataType": "String", "StringValue": LEVELS_OF[kind]}
    assert LEVELS_OF[kind] in LEVELS
