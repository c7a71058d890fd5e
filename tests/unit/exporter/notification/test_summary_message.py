"""The message about all reports and Regions: what was not heard from is as loud as lost coverage, and every report is in it."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from findings_exporter.model.config import Config
from findings_exporter.model.home_messages import HomeMessage, OwnerNumbers, ReportHeadline, to_json
from findings_exporter.model.summary import Expected, ReportsSummary
from findings_exporter.notification.level import LEVELS
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.summary_message import (
    SUMMARY_BYTES,
    notification_id,
    summary_chat,
    summary_email,
    summary_event,
    summary_publication,
    summary_subject,
)
from tests.builders.exporter import config
from tests.builders.summaries import HOME, OTHER, THIRD, ended, failed, start, summary

EVENT_SCHEMA = Draft202012Validator(json.loads(Path("docs/summary-event.schema.json").read_text(encoding="utf-8")))
HOME_SCHEMA = Draft202012Validator(json.loads(Path("docs/home-message.schema.json").read_text(encoding="utf-8")))
CHAT_SCHEMA = Draft202012Validator(json.loads(Path("tests/contract/custom-notification.schema.json").read_text(encoding="utf-8")))
PAGE = "https://eu-west-1.console.aws.amazon.com/s3/object/reports?region=eu-west-1&prefix=summaries/index.html"
LOST = ended(OTHER, coverage="lost", deactivated_accounts=2, status_unknown=55, level="PROBLEM")
STARTS = [start(HOME), start(OTHER)]
CASES: dict[str, list[HomeMessage]] = {
    "all-well": [*STARTS, ended(HOME), ended(OTHER)],
    "changes": [
        *STARTS,
        ended(
            HOME,
            new=3,
            new_by_severity={"CRITICAL": 1, "HIGH": 2},
            no_longer_open=12,
            level="CHANGES",
            overdue={"HIGH": 2},
            due_soon={},
        ),
        ended(OTHER, new=2, level="CHANGES", owners=(OwnerNumbers("shop", 600, 8, 1, 2),)),
    ],
    "failed": [*STARTS, failed(HOME), ended(OTHER)],
    "silent": [start(HOME), ended(HOME)],
    "lost-coverage": [*STARTS, ended(HOME), LOST],
    "running": [*STARTS, ended(HOME)],
    "not-started": [
        *STARTS,
        ended(HOME),
        failed(OTHER, outcome="NOT_STARTED", cause="The start ended before this report began."),
    ],
    "not-analyzed": [
        *STARTS,
        ended(HOME),
        ended(OTHER, analysis="FAILED", coverage="unknown", open=None, new=None, no_longer_open=None),
    ],
    "first-report": [
        *STARTS,
        ended(HOME, new=None, no_longer_open=None, level="CHANGES"),
        ended(OTHER, new=None, no_longer_open=None, level="CHANGES"),
    ],
    "nothing-heard": [],
}


def home(language: str = "en") -> Config:
    """The deployment of the home Region."""
    return config(HOME_REGION=HOME, REGIONS=f"{HOME},{OTHER}", LANGUAGE=language, TIME_ZONE="Europe/Berlin")


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("case", CASES)
class TestEveryCase:
    def test_each_body_keeps_its_form_and_names_every_report(self, case: str, language: str) -> None:
        made = summary(*CASES[case])
        published = summary_publication(made, home(language), PAGE)
        bodies = json.loads(published["Message"])
        assert list(EVENT_SCHEMA.iter_errors(json.loads(bodies["default"]))) == []
        assert list(CHAT_SCHEMA.iter_errors(json.loads(bodies["https"]))) == []
        assert published["Subject"].isascii()
        assert 0 < len(published["Subject"]) < 100
        for row in made.rows:
            place = Localization(language).say("summary.place", region=row.region, report=row.report)
            assert place in bodies["email"].replace("\n  ", " ")
            assert row.region in json.loads(bodies["https"])["content"]["description"]
        attributes = {name: each["StringValue"] for name, each in published["MessageAttributes"].items()}
        assert attributes == {"kind": "summary", "level": made.level, "region": home().region}
        assert made.level in LEVELS


@pytest.mark.parametrize(
    ("case", "subject"),
    [
        ("all-well", "Inspector summary, 2 Regions: no changes, 2,000 open"),
        ("changes", "Inspector summary, 2 Regions: 5 new (1 critical), 2 overdue, 12 no longer open, 2,000 open"),
        ("failed", "FAILED: Inspector summary, 2 Regions: 1 of 2 reports not delivered; 0 new, 1,000 open"),
        ("silent", "ACTION: Inspector summary, 2 Regions: not heard from us-east-1; 0 new, 1,000 open"),
        ("lost-coverage", "ACTION: Inspector summary, 2 Regions: scan coverage lost in us-east-1; 0 new, 2,000 open"),
        ("running", "ACTION: Inspector summary, 2 Regions: 1 still running; 0 new, 1,000 open"),
        ("not-analyzed", "ACTION: Inspector summary, 2 Regions: 1 not analyzed; 0 new, 1,000 open"),
        ("nothing-heard", "ACTION: Inspector summary, 2 Regions: not heard from eu-west-1, us-east-1"),
    ],
)
def test_the_subject_says_the_worst_first(case: str, subject: str) -> None:
    assert summary_subject(summary(*CASES[case]), home()) == subject


def test_a_mail_begins_with_what_to_act_on() -> None:
    mail = summary_email(
        summary(start(HOME), failed(HOME), ended(THIRD), expected=Expected((HOME, OTHER), ("nightly",), by_home=True)),
        home(),
        PAGE,
    )
    first, second = mail.split("\n\n")[:2]
    assert first.startswith("Not heard from: us-east-1 (nightly).")
    assert "Failed: eu-west-1 (nightly): Inspector cannot write the report." in first
    assert second.startswith("Summary of 2 Regions, scheduled for")
    assert "ap-northeast-1 (nightly), not expected: " in mail


def test_the_sums_are_of_the_expected_regions_and_say_who_is_not_in_them() -> None:
    made = summary(ended(HOME, open=900), ended(THIRD, open=800), start(OTHER))
    mail = summary_email(made, home(), PAGE)
    assert "900 open." in mail
    assert "These numbers are of 1 of 2 Regions." in mail
    assert "Not expected, and not in the sums: ap-northeast-1 (nightly)." in mail
    assert summary_subject(made, home()) == "ACTION: Inspector summary, 2 Regions: 1 still running; 0 new, 900 open"


def test_what_is_new_in_a_report_outside_the_sums_is_said() -> None:
    expected = Expected((HOME,), ("images", "instances"), by_home=True)
    made = summary(ended(HOME, "images", open=8), ended(HOME, "instances", new=3, level="CHANGES"), expected=expected)
    assert summary_subject(made, home()) == "Inspector summary, 1 Region: 0 new, 3 new in instances, 8 open"
    mail = summary_email(made, home(), PAGE).replace("\n", " ")
    assert "8 open. New findings in other reports: eu-west-1 (instances)." in mail


def test_a_supplement_without_a_first_report_has_no_sums() -> None:
    expected = Expected((HOME,), ("all", "critical"), by_home=True)
    in_time, late = ended(HOME, "all", open=800), ended(HOME, "critical", open=7, new=1, level="CHANGES")
    made = summary(in_time, late, expected=expected, number=1, new=frozenset({late.key}))
    mail = summary_email(made, home(), PAGE)
    assert summary_subject(made, home()) == "Inspector supplement, 1 Region: 1 new in critical"
    assert mail.startswith("New findings in other reports: eu-west-1 (critical).\n")
    quiet = replace(late, new=0, level="NONE")
    made = summary(in_time, quiet, expected=expected, number=1, new=frozenset({late.key}))
    assert summary_subject(made, home()) == "Inspector supplement, 1 Region: 1 report delivered"
    assert "- eu-west-1 (critical): 1 new, 0 no longer open, 7 open" in mail
    assert "the sums are of the report" not in mail


@pytest.mark.parametrize(
    ("page_url", "said"), [(PAGE, "more reports are on the page."), (None, "more reports are not listed here.")]
)
def test_what_is_not_listed_is_said_to_be_on_the_page_only_if_there_is_one(page_url: str | None, said: str) -> None:
    reports = tuple(f"report-{number}" for number in range(30))
    made = summary(*(ended(HOME, report) for report in reports), expected=Expected((HOME,), reports, by_home=True))
    assert f"10 {said}" in summary_chat(made, home(), page_url)["content"]["description"]
    assert f"5 {said}" in summary_email(made, home(), page_url, rows=25)


def test_where_home_did_not_begin_the_time_the_message_says_so() -> None:
    guessed = Expected((HOME, OTHER), ("nightly",), by_home=False)
    assert "did not begin this time" in summary_email(summary(ended(OTHER), expected=guessed), home(), PAGE)


def test_a_file_that_cannot_be_used_stands_among_the_problems_and_says_what_to_do() -> None:
    found = summary(start(HOME, notes=("There is no config/reports.json.",)), start(OTHER), ended(HOME), ended(OTHER))
    mail = " ".join(summary_email(found, home(), None).split())
    assert summary_subject(found, home()).startswith("ACTION: Inspector summary, 2 Regions: reports file not used in eu-west-1")
    assert mail.startswith("Reports file not used: eu-west-1.")
    assert "upload it with make config" in mail
    assert "There is no config/reports.json." in mail
    assert "Reports file not used" in json.dumps(summary_chat(found, home(), None))


def test_a_supplement_has_another_name_and_another_id() -> None:
    made, later = summary(*CASES["silent"]), summary(*CASES["all-well"], number=1, new=frozenset({ended(OTHER).key}))
    assert summary_subject(later, home()) == "Inspector supplement, 1 Region: no changes, 1,000 open"
    assert notification_id(made, home()) != notification_id(later, home())
    assert notification_id(made, home()) == notification_id(summary(*CASES["all-well"]), home())


def test_several_reports_of_a_region_are_not_added_up_and_the_mail_says_so() -> None:
    expected = Expected((HOME,), ("nightly", "weekly"), by_home=True)
    mail = summary_email(summary(ended(HOME, open=10), ended(HOME, "weekly", open=500), expected=expected), home(), PAGE)
    assert "10 open." in mail
    assert "Numbers of several reports are not added up" in mail


def test_sums_by_owner_that_are_not_known_are_said_to_be_unknown() -> None:
    made = summary(ended(HOME, owners=(OwnerNumbers("web", 9),), owner_count=51), ended(OTHER))
    mail = summary_email(made, home(), PAGE).replace("\n", " ")
    assert "Owners: not added up, because a Region did not send all of them." in mail
    assert "web" not in mail
    assert summary_event(made, home(), PAGE)["owners"] == []


def test_reports_of_a_file_that_cannot_be_used_are_not_said_to_be_missing_from_it() -> None:
    expected = Expected((HOME, OTHER), ("daily", "weekly"), by_home=True)
    came: list[HomeMessage] = [
        start(HOME, "daily", notes=("not JSON",)),
        ended(HOME, "daily"),
        start(OTHER, "daily"),
        ended(OTHER, "daily"),
    ]
    mail = summary_email(summary(*came, expected=expected), home(), PAGE).replace("\n", " ")
    assert "Not exported, because the file of reports could not be used: eu-west-1 (weekly)." in mail
    assert "Not in the file of reports of that Region: us-east-1 (weekly)." in mail


def test_what_is_new_in_a_region_that_is_not_expected_is_said_with_its_place() -> None:
    made = summary(ended(HOME), ended(OTHER), ended(THIRD, new=5, new_by_severity={"CRITICAL": 2}, level="CHANGES"))
    subject = "Inspector summary, 2 Regions: 0 new, 5 new (2 critical) in ap-northeast-1 (nightly), 2,000 open"
    assert summary_subject(made, home()) == subject


def test_what_a_region_writes_is_only_text() -> None:
    hostile = failed(HOME, cause="see https://evil.example <!channel> *x* @here `rm`", error="Weird.Error", outcome="NOT_STARTED")
    made = summary(
        hostile, ended(OTHER, owners=(OwnerNumbers("<b>@all www.evil.example", 3),)), start(HOME, notes=("http://evil.example",))
    )
    mail, chat = summary_email(made, home(), PAGE), summary_chat(made, home(), PAGE)["content"]["description"]
    assert "https://evil" not in mail
    assert "http://evil" not in mail
    assert "www.evil" not in mail
    assert not set("<>`@") & set(chat.replace(PAGE, ""))


def test_two_hundred_reports_of_twenty_regions_fit_into_one_message() -> None:
    regions = tuple(f"ap-southeast-{number}" for number in range(20))
    reports = tuple(f"report-{'x' * 50}-{number}" for number in range(10))
    owners = tuple(OwnerNumbers(f"owner-{number}-" + "y" * 40, 10**6, 10, 10, 10) for number in range(50))
    came = [ended(region, report, owners=owners, page_url=PAGE + "z" * 900) for region in regions for report in reports]
    made = summary(*came, expected=Expected(regions, reports, by_home=True))
    message = summary_publication(made, home(), PAGE)["Message"]
    assert len(message.encode()) < SUMMARY_BYTES
    assert "20 Regions" in json.loads(message)["email"]


@pytest.mark.parametrize(
    "message", [*CASES["changes"], failed(), start(HOME, state="PREVIOUS_RUNNING", notes=("no file",)), LOST]
)
def test_what_regions_send_keeps_its_schema(message: HomeMessage) -> None:
    assert list(HOME_SCHEMA.iter_errors(json.loads(to_json(message)))) == []


def _any_headline(region: str) -> st.SearchStrategy[ReportHeadline]:
    counts = st.none() | st.integers(0, 10**9)
    by_severity = st.dictionaries(st.sampled_from(["CRITICAL", "HIGH", "LOW"]), st.integers(0, 10**9))
    return st.builds(
        lambda **fields: ended(region, **fields),
        report=st.sampled_from(["nightly", "x" * 63]),
        outcome=st.sampled_from(["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "NOT_STARTED"]),
        level=st.sampled_from(LEVELS),
        analysis=st.sampled_from(["DONE", "FAILED", "NONE"]),
        coverage=st.sampled_from(["active", "lost", "unknown"]),
        unusual_drop=st.booleans(),
        open=counts,
        new=counts,
        no_longer_open=counts,
        by_severity=by_severity,
        new_by_severity=by_severity,
        overdue=st.none() | by_severity,
        error=st.none() | st.text(max_size=80),
        cause=st.none() | st.text(max_size=80),
    )


@given(st.lists(st.sampled_from([HOME, OTHER, THIRD, "us-gov-west-1"]).flatmap(_any_headline), max_size=6), st.integers(0, 2))
def test_any_headlines_give_a_message_that_sns_takes(headlines: list[ReportHeadline], number: int) -> None:
    made: ReportsSummary = summary(*headlines, number=number)
    published: dict[str, Any] = summary_publication(made, home(), PAGE)
    assert published["Subject"].isascii()
    assert 0 < len(published["Subject"]) < 100
    bodies = json.loads(published["Message"])
    assert list(EVENT_SCHEMA.iter_errors(json.loads(bodies["default"]))) == []
    assert list(CHAT_SCHEMA.iter_errors(json.loads(bodies["https"]))) == []
    event = summary_event(made, home(), PAGE)
    assert event["totals"] == json.loads(json.dumps(asdict(made.totals)))


@pytest.mark.parametrize(
    ("came", "step"),
    [
        (failed(OTHER), "Its own message says what to do."),
        (failed(OTHER, outcome="TIMED_OUT"), "Its own message says what to do."),
        (failed(OTHER, outcome="ABORTED"), "Start it again if you need it."),
        (
            ended(OTHER, analysis="FAILED", coverage="unknown", open=None, new=None, no_longer_open=None),
            "its own message, or its execution, says why.",
        ),
        (ended(OTHER, level="PROBLEM", coverage="lost"), "Check that scanning is active there."),
        (ended(OTHER, level="PROBLEM", coverage="lost", deactivated_accounts=2), "Activate scanning there."),
        (ended(OTHER, level="PROBLEM", coverage="unknown"), "Run the setup check there."),
        (ended(OTHER, level="PROBLEM", unusual_drop=True), "Find out why before you take it for progress."),
    ],
)
def test_a_problem_comes_with_what_to_do(came: HomeMessage, step: str) -> None:
    mail = summary_email(summary(*STARTS, ended(HOME), came), home(), PAGE)
    assert step in mail.split("\n\n", maxsplit=1)[0].replace("\n", " ")
