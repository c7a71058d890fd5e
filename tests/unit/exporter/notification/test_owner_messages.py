"""What an owner reads: what to fix, where, until when, and where its page is; never better than it is known to be."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from findings_exporter import notification
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import Note, to_stored
from findings_exporter.model.run import Run
from findings_exporter.model.text import LINE_CHARACTERS, shown_lines, width
from tests.builders.exporter import config, execution, finding, fix, headline, older, on, package, plan
from tests.tools import gallery
from tests.unit.exporter.notification.test_messages import CHAT_SCHEMA, OWNER_EVENT_SCHEMA
from tests.unit.exporter.notification.test_messages_of_a_run import LARGEST, screen
from tests.unit.exporter.notification.test_sanitize import HOSTILE, assert_links_nowhere, assert_mentions_no_one, assert_seen
from tests.unit.exporter.notification.test_short_messages import ABSURD, VALUES_A_PLACE, assert_taken, places, with_value

OWNERS = gallery.of_owners()
EVERY_MESSAGE = pytest.mark.parametrize("name", OWNERS)
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])
SMALL = {
    name: value
    for name, value in headline(
        owner="payments",
        last_message=False,
        fix_first=[fix(**on("shop/api"))],
        most_overdue=[finding(packages=[package()])],
        due_dates=gallery.due({"HIGH": 1}, {"LOW": 1}),
    ).items()
    if name
    in {"owner", "last_message", "fix_first", "most_overdue", "due_dates", "bucket", "page_key", "open", "coverage_status"}
}
"""What is in an owner's message and not in that of a run, and what its short message needs."""
RUN = gallery.daily_run(headline())


def published(analysis: Any, run: Run = RUN, language: str = "en") -> dict[str, Any]:
    """What is published to an owner."""
    return notification.owner_publication(run, analysis, config(LANGUAGE=language))


def attributes(message: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of what is published."""
    return {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}


def bodies(analysis: Any, language: str = "en") -> dict[str, str]:
    """What is published for each protocol, as SNS takes it; its event keeps the published schema."""
    found = assert_taken(published(analysis, language=language))
    event = json.loads(found["default"])
    Draft202012Validator(OWNER_EVENT_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event)
    return found


def analysis_of(name: str) -> dict[str, Any]:
    """An owner's headline of the gallery."""
    return dict(OWNERS[name].analysis or {})


class TestSubject:
    @pytest.mark.parametrize(
        ("name", "subject"),
        [
            ("owner-changes", "payments: 3 new (1 critical), 2 overdue, 4 due soon, 3 moved here (Inspector nightly, eu-central-1)"),
            ("owner-no-changes", "payments: no changes, 45 open, 2 overdue, 4 due soon (Inspector nightly, eu-central-1)"),
            ("owner-unowned", "unowned: 3 new, 12 moved away, 61 open (Inspector nightly, eu-central-1)"),
            ("owner-scan-coverage-lost",
             "web: scan coverage lost; 546 findings missing, 0 new, 1 due soon (Inspector nightly, eu-central-1)"),
            ("owner-last-message", "search: no findings assigned any more, last message (Inspector nightly, eu-central-1)"),
        ],
    )  # fmt: skip
    def test_it_names_the_owner_then_the_numbers(self, name: str, subject: str) -> None:
        assert published(analysis_of(name))["Subject"] == subject

    @settings(deadline=None)
    @given(
        owner=st.text("abc-_.19", min_size=1, max_size=63),
        report=st.text("n", min_size=1, max_size=63),
        count=st.integers(0, 10**9),
    )
    def test_it_always_fits_and_keeps_the_owner_and_the_first_number(self, owner: str, report: str, count: int) -> None:
        changes = headline()["changes"] | {"appeared": count}
        run = replace(RUN, plan=replace(plan(), report_name=report))
        subject = published(headline(owner=owner, changes=changes, due_dates=gallery.due({"LOW": count}, {})), run)["Subject"]
        assert len(subject) < 100
        assert subject.startswith(f"{owner}: {count:,} new")


class TestMail:
    @LANGUAGES
    @EVERY_MESSAGE
    def test_one_screen_has_all_that_matters_and_the_page(self, name: str, language: str) -> None:
        text = screen(OWNERS[name], language)
        assert shown_lines(text) <= 24
        assert "/owners/" in text
        assert [line for line in text.splitlines() if width(line) > LINE_CHARACTERS and "://" not in line] == []

    def test_ten_seconds_are_enough(self) -> None:
        lines = screen(OWNERS["owner-changes"]).splitlines()
        assert lines[:14] == [
            'Findings of Amazon Inspector that are assigned to "payments" (report',
            '"nightly", account 123456789012, eu-central-1).',
            "3 new findings (1 critical). 1 no longer open. 3 moved here from others.",
            "2 moved away. 45 open.",
            "Overdue: 2 critical (1 since the last report). Due within 7 days: 4",
            "high.",
            "Compared with 22 Nov 2026, 03:00 UTC (24 h earlier).",
            "Scanning is active: 412 resources of all owners scanned, 6 not scanned.",
            "",
            "Fix first",
            "1. CRITICAL log4j-core 2.14.1 → 2.17.1 on shop/api, i-0abc1234def567890",
            "   CVE-2021-44228; overdue since 3 Nov; KEV 24 Oct; reachable",
            "2. CRITICAL openssl 3.0.1 → 3.0.7 on shop/api",
            "   CVE-2026-21001; due 8 Dec; exploit available; reachable at runtime",
        ]
        assert lines[-2] == "Your page"
        assert lines[-1].endswith("/owners/payments.html")

    def test_its_reader_gets_no_file_of_all_owners_and_no_facts_of_the_run(self) -> None:
        text = notification.email(OWNERS["owner-changes"], config())
        for word in ("analysis.json", "/reports/", "findings/report=", "Execution", "Filter ", "Took"):
            assert word not in text
        assert text.count("https://") == 1

    def test_without_a_page_it_links_to_no_file_of_all_owners(self) -> None:
        text = notification.email(gallery.daily_run(headline(owner="web", page_key=None)), config())
        assert "https://" not in text

    def test_an_owner_is_not_named_again_at_each_entry(self) -> None:
        assert "; owner: " not in notification.email(OWNERS["owner-changes"], config())

    def test_what_to_fix_first_is_said_without_changes_too(self) -> None:
        text = screen(OWNERS["owner-no-changes"])
        assert "No changes since 22 Nov 2026" in " ".join(text.split())
        assert "1. CRITICAL log4j-core 2.14.1 → 2.17.1" in text

    def test_moved_findings_are_named_on_both_sides(self) -> None:
        there, back = (
            bodies(headline(owner="web", changes=headline()["changes"] | {"counts": counts}))
            for counts in ({"moved": 3}, {"moved_away": 2})
        )
        for found, line, detail in ((there, "3 moved here from others.", "- moved here from another owner: 3"),
                                    (back, "2 moved away.", "- moved away to another owner: 2")):  # fmt: skip
            assert line in " ".join(found["email"].split())
            assert detail in found["email"]
            assert line in json.loads(found["https"])["content"]["description"]

    def test_the_findings_without_an_owner_are_said_to_have_none(self) -> None:
        text = " ".join(screen(OWNERS["owner-unowned"]).split())
        assert "Your page" not in text + notification.chat_message(OWNERS["owner-unowned"], config())["content"]["description"]
        assert "To give these an owner, ask the team" in " ".join(notification.email(OWNERS["owner-unowned"], config()).split())
        assert text.startswith("Findings of Amazon Inspector that have no owner: no rule or tag names one")
        assert "Nothing with a known due date is overdue. The due date of 7 open findings is unknown." in text


class TestLastMessage:
    @LANGUAGES
    def test_it_says_that_none_follows_before_anything_else(self, language: str) -> None:
        first = {
            "en": 'No findings are assigned to "search" any more: no rule or tag names this owner. This is the last message',
            "ja": "「search」に割り当てられた検出結果はなくなりました。",
        }[language]
        found = bodies(analysis_of("owner-last-message"), language=language)
        assert found["email"].replace("\n", " ").startswith(first)
        assert json.loads(found["https"])["content"]["description"].startswith(f"*{first}")
        assert json.loads(found["default"])["last_message"] is True

    def test_what_became_of_the_findings_is_said_and_missing_ones_are_not_called_fixed(self) -> None:
        counts = {"moved_away": 18, "status_unknown": 4}
        lost = headline()["coverage_status"] | {"state": "unknown", "reasons": ["AWS refused."]}
        last = headline(
            owner="search", last_message=True, coverage_status=lost, changes=headline()["changes"] | {"counts": counts}
        )
        text = " ".join(bodies(last)["email"].split())
        assert "18 moved away." in text
        assert "4 findings that were open are missing from the report. That does not mean that they are fixed" in text
        assert "Coverage unknown: it is not certain that Inspector scans everything." in text


class TestCoverage:
    @pytest.mark.parametrize(
        ("status", "said", "subject"),
        [
            ({"state": "lost", "deactivated": {"1": []}}, "Scan coverage lost: Inspector does not scan everything.", "scan coverage lost"),
            ({"state": "lost"}, "Scan coverage lost: Inspector does not scan everything.", "scan coverage lost"),
            ({"state": "unknown"}, "Coverage unknown: it is not certain that Inspector scans everything.", "coverage unknown"),
            ({"state": "active", "unusual_drop": True}, "Unusual drop: far fewer findings are open in the whole report than before.", "unusual drop"),
            ({}, "Coverage unknown: it is not certain that Inspector scans everything.", "coverage unknown"),
        ],
    )  # fmt: skip
    def test_what_is_not_certain_comes_first_and_is_a_problem(self, status: dict[str, Any], said: str, subject: str) -> None:
        none = {"appeared": 0, "no_longer_open": 0, "counts": {}}
        message = published(headline(owner="web", coverage_status=status, changes=none))
        found = assert_taken(message)
        assert " ".join(found["email"].split()).startswith(said)
        assert said in json.loads(found["https"])["content"]["description"]
        assert message["Subject"].startswith(f"web: {subject}; 0 new")
        assert attributes(message)["level"] == "PROBLEM"
        assert "No changes" not in found["email"]

    def test_the_reports_own_numbers_are_not_taken_for_the_owners(self) -> None:
        text = " ".join(notification.email(OWNERS["owner-scan-coverage-lost"], config()).split())
        before, after = text.split("Notes on the whole report")
        assert "546 findings that were open are missing" in before
        assert "1,221" not in before
        assert "1,221 findings" in after

    def test_the_owner_is_not_asked_to_activate_scanning(self) -> None:
        found = bodies(analysis_of("owner-scan-coverage-lost"))
        assert "Do now" not in found["email"]
        assert json.loads(found["https"])["content"]["nextSteps"] == []


class TestAttributes:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("owner-changes", ("payments", "CHANGES", "CRITICAL", "true")),
            ("owner-no-changes", ("payments", "NONE", "NONE", "true")),
            ("owner-unowned", ("unowned", "CHANGES", "HIGH", "false")),
            ("owner-scan-coverage-lost", ("web", "PROBLEM", "NONE", "false")),
            ("owner-last-message", ("search", "CHANGES", "NONE", "false")),
        ],
    )
    def test_subscribers_may_filter_by_owner_urgency_and_overdue(self, name: str, expected: tuple[str, ...]) -> None:
        message = published(analysis_of(name))
        found = attributes(message)
        assert message["TopicArn"] == config().owner_topic_arn
        assert tuple(found[name] for name in ("owner", "level", "worst_new_severity", "overdue")) == expected
        assert set(found) == {"owner", "report", "region", "level", "worst_new_severity", "overdue"}
        assert (found["report"], found["region"]) == ("nightly", "eu-central-1")

    def test_an_owner_of_a_run_has_one_notification_id(self) -> None:
        def of(owner: str, name: str = "run-1") -> str:
            message = published(headline(owner=owner), replace(RUN, execution=execution(name)))
            return str(json.loads(json.loads(message["Message"])["default"])["notification_id"])

        assert of("web") == of("web")
        assert len({of("web"), of("api"), of("web", "run-2"), str(RUN.notification_id)}) == 4


class TestEvent:
    def test_it_has_the_owners_numbers_and_lists(self) -> None:
        analysis = analysis_of("owner-changes")
        event = json.loads(bodies(analysis)["default"])
        assert (event["type"], event["version"]) == ("inspector-findings-exporter.owner-findings", "1.0")
        assert (event["owner"], event["last_message"]) == ("payments", False)
        assert event["page_url"].endswith("/owners/payments.html")
        for name in ("open", "by_severity", "changes", "due_dates", "fix_first", "worst_new", "most_overdue"):
            assert event["analysis"][name] == json.loads(json.dumps(analysis[name]))
        assert not {"analysis_key", "parquet_prefix", "fingerprints_key"} & set(event["analysis"])

    def test_it_is_the_same_in_every_language(self) -> None:
        analysis = analysis_of("owner-changes")
        assert bodies(analysis)["default"] == bodies(analysis, language="ja")["default"]

    def test_a_program_knows_an_owners_chat_message_from_that_of_the_run(self) -> None:
        run, owner = (notification.chat_message(each, config())["metadata"] for each in (RUN, OWNERS["owner-changes"]))
        assert run["threadId"] != owner["threadId"]
        assert run["eventType"] != owner["eventType"]
        assert (run["additionalContext"]["owner"], owner["additionalContext"]["owner"]) == ("", "payments")

    def test_notes_as_the_file_has_them_are_said_in_the_language(self) -> None:
        stored = json.loads(json.dumps(to_stored(headline(owner="web", sentences=[Note("compared.not_scanned", count=7)]))))
        assert "7 findings are missing where it is not certain" in " ".join(bodies(stored)["email"].split())
        assert "7 findings" not in bodies(stored, language="ja")["email"]


class TestBounds:
    @pytest.mark.parametrize("path", list(places(SMALL)), ids=str)
    def test_no_value_of_a_headline_prevents_a_message(self, path: tuple[Any, ...]) -> None:
        for put in random.sample(ABSURD, VALUES_A_PLACE):
            message = published(with_value(SMALL, path, put))
            assert_taken(message)
            if path != ("owner",):
                assert attributes(message)["owner"] == "payments"

    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda each: (
                st.lists(each, max_size=3)
                | st.dictionaries(st.sampled_from(sorted(headline())) | st.text(max_size=5), each, max_size=5)
            ),
        )
    )
    @example({"owner": "o" * 200, "no_baseline": []})
    def test_any_json_becomes_a_message(self, analysis: Any) -> None:
        assert_taken(published(analysis))

    @pytest.mark.parametrize("missing", headline(owner="web", last_message=False))
    def test_each_field_may_be_missing(self, missing: str) -> None:
        analysis = headline(owner="web", last_message=False, due_dates=gallery.due({"HIGH": 1}, {}))
        del analysis[missing]
        assert_taken(published(analysis))

    @LANGUAGES
    def test_the_largest_headline_fits_with_its_screen(self, language: str) -> None:
        found = assert_taken(published({**LARGEST, "owner": "o" * 63}, language=language))
        assert shown_lines(found["email"].split("\n\n-- ")[0]) <= 24

    def test_a_headline_of_an_older_release_is_shown(self) -> None:
        found = bodies({**older(headline()), "owner": "web"})
        assert (
            "1. CRITICAL org.apache.logging.log4j:log4j-core on 14 resources\n   CVE-2021-44228; exploit available\n"
            in found["email"]
        )
        assert "- CRITICAL openssl, openssl-libs on shop/api\n" in found["email"]
        (entry,) = (each for each in json.loads(found["default"])["analysis"]["fix_first"] if each["rank"] == 1)
        assert (entry["resource_count"], entry["resources"], entry["packages"]) == (14, [], [])


class TestShortMessage:
    def test_it_says_what_it_is_and_leads_to_the_page(self, caplog: pytest.LogCaptureFixture) -> None:
        message = published(headline(owner="web", open="a secret", page_key="prefix/owners/web.html"))
        found = assert_taken(message)
        assert message["Subject"] == "Inspector: findings of web, short message"
        assert found["email"].startswith("This is a short message: ")
        assert "Owner: web\nReport: nightly\nYour page:\nhttps://" in found["email"]
        assert "prefix/owners/web.html" in json.loads(found["https"])["content"]["description"]
        event = json.loads(found["default"])
        Draft202012Validator(OWNER_EVENT_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event)
        assert (event["owner"], event["analysis"]) == ("web", None)
        assert event["page_url"].endswith("prefix/owners/web.html")
        assert attributes(message) == {
            "owner": "web", "report": "nightly", "region": "eu-central-1", "level": "PROBLEM", "worst_new_severity": "UNKNOWN", "overdue": "false",
        }  # fmt: skip
        assert "secret" not in caplog.text

    @pytest.mark.parametrize("analysis", [None, 7, "x", [], {}, {"owner": ""}, {"error": "X"}, {"owner": None, "open": 7}])
    def test_without_an_owner_it_is_short(self, analysis: Any) -> None:
        message = published(analysis)
        assert "short message" in message["Subject"]
        assert attributes(message)["owner"] == "unknown"
        Draft202012Validator(OWNER_EVENT_SCHEMA).validate(json.loads(assert_taken(message)["default"]))

    @pytest.mark.parametrize("wrong", [{"unread": ("plan",)}, {"failure": Failure("X", "x")}, {"outcome": None}, {"plan": "x"}])
    def test_a_run_that_cannot_be_read_or_failed_is_no_good_news(self, wrong: dict[str, Any]) -> None:
        message = published(headline(owner="web"), replace(RUN, **wrong))
        assert_taken(message)
        assert message["Subject"] == "Inspector: findings of web, short message"
        assert attributes(message)["level"] == "PROBLEM"


class TestHostileTexts:
    @LANGUAGES
    def test_an_owner_and_packages_forge_nothing(self, language: str) -> None:
        lists = gallery.unusual()["hostile"].analysis or {}
        for owner in (HOSTILE, gallery.HOSTILE_TEXT * 9, "../../x", "夜" * 99):
            message = published({**lists, "owner": owner}, language=language)
            found = assert_taken(message)
            assert_seen(found["email"])
            assert_links_nowhere(found["email"])
            assert "\n1. Fix\n" not in found["email"]
            assert "\nFORGED" not in found["email"]
            chat = json.loads(found["https"])
            Draft202012Validator(CHAT_SCHEMA).validate(chat)
            assert_mentions_no_one(chat["content"]["title"] + chat["content"]["description"])
            assert len(attributes(message)["owner"]) <= 63
            assert attributes(message)["owner"].isprintable()
