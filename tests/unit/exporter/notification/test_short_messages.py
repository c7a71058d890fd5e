"""Rendering never decides whether people are notified: whatever a record holds, SNS is given a message that it takes."""

import json
import logging
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jsonschema import Draft202012Validator

from findings_exporter import notification
from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure
from findings_exporter.model.run import Run
from findings_exporter.notification import short
from findings_exporter.steps import record_run
from findings_exporter.steps.notify import publish_outcome
from tests.builders.exporter import (
    REPORT_ID,
    START,
    client_error,
    config,
    delivery,
    ended_run,
    execution,
    failed_run,
    finding,
    headline,
    minutes,
    package,
    plan,
    planned,
)
from tests.tools import gallery
from tests.unit.exporter.notification.test_messages import CHAT_SCHEMA, EVENT_SCHEMA, LARGEST_SETUP, SNS_BYTES

ME = execution("me")
FIRST_DAY = "0001-01-01T00:00:00+00:00"
ABSURD: list[Any] = [
    None,
    True,
    -1,
    10**400,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "\ud800",
    "many",
    [],
    [None],
    {},
    {"a": 1},
    "x" * 30_000,
]
VALUES_A_PLACE = 4
"""Of them, in one run of the tests: drawn anew each time, since a message takes some milliseconds."""
INVALID_PARTS: list[dict[str, Any]] = [
    {"plan": "a text"},
    {"plan": replace(plan(), report_name=["\ud800"])},  # type: ignore[arg-type]
    {"plan": replace(plan(), filter_criteria=7)},  # type: ignore[arg-type]
    {"plan": replace(plan(), scheduled_for="then")},
    {"plan": replace(plan(), scheduled_for=7)},  # type: ignore[arg-type]
    {"notes": (None, 7, "\ud800", "")},
    {"notes": 7},
    {"failure": "a text"},
    {"failure": Failure(7, None)},  # type: ignore[arg-type]
    {"failure": Failure("\ud800", "\ud800" * 9)},
    {"ended_at": START.replace(tzinfo=None)},
    {"ended_at": "then"},
    {"report_created_at": 7},
    {"delivery": "x"},
    {"delivery": delivery(size_bytes="x")},
    {"delivery": delivery(key="\ud800" * 2000)},
    {"outcome": "NEW"},
    {"outcome": None},
    {"notification_id": None},
    {"notification_id": "\ud800" * 999},
    {"execution": execution("\ud800" * 99, datetime(1, 1, 1, tzinfo=UTC))},
    {"execution": execution("x", datetime.max.replace(tzinfo=UTC))},
]
WHOLE = headline(
    most_overdue=[],
    due_dates=gallery.due({"HIGH": 1}, {"LOW": 1}),
    owners={"count": 1, "unowned": 0, "listed": [{"owner": "web", "open": 7, "critical": 1, "new": 2, "overdue": 1}]},
)
SHORT = "This is a short message"


def assert_taken(published: dict[str, Any]) -> dict[str, str]:
    """SNS takes it, a chat does not drop it; returns its bodies."""
    title, message = published["Subject"], published["Message"]
    assert 0 < len(title) < 100
    assert title.isascii()
    assert title.isprintable()
    values = [each["StringValue"] for each in published["MessageAttributes"].values()]
    assert all(values)
    assert (
        len(message.encode())
        + sum(len(name) + len(value.encode()) for name, value in zip(published["MessageAttributes"], values, strict=True))
        <= SNS_BYTES
    )
    bodies: dict[str, str] = json.loads(message)
    json.loads(bodies["default"], parse_constant=pytest.fail)
    Draft202012Validator(CHAT_SCHEMA).validate(json.loads(bodies["https"]))
    assert bodies["email"].encode()
    return bodies


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value within a value stands."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from places(member, (*path, name))


def with_value(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    """A copy with another value in a place."""
    changed = json.loads(json.dumps(value))
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = put
    return changed


class TestPublication:
    @pytest.mark.parametrize(
        "path", [path for path in places(WHOLE) if not any(isinstance(step, int) and step for step in path)], ids=str
    )
    def test_no_value_of_a_headline_prevents_a_notification(self, path: tuple[Any, ...]) -> None:
        for put in random.sample(ABSURD, VALUES_A_PLACE):
            run = gallery.daily_run(with_value(WHOLE, path, put))
            bodies = assert_taken(notification.publication(run, config(LANGUAGE="ja")))
            assert "nightly" in bodies["email"]
            assert run.execution.name in bodies["email"]

    @pytest.mark.parametrize(
        "analysis", [7, "text", [1], {"error": 7}, {"error": None, "sentence": []}, {"error": "\ud800"}, {}], ids=repr
    )
    def test_nor_does_an_analysis_that_is_none(self, analysis: Any) -> None:
        assert_taken(notification.publication(ended_run(analysis=analysis), config()))

    @pytest.mark.parametrize(
        "setup",
        [
            7,
            "x",
            {"failed": 7},
            {"failed": [{}], "unknown": []},
            {"coverage_status": "\ud800"},
            LARGEST_SETUP,
            {"failed": [{"statements": [{"\ud800": float("nan")}]}]},
        ],
        ids=lambda each: str(each)[:20],
    )
    def test_nor_does_what_a_setup_check_left(self, setup: Any) -> None:
        bodies = assert_taken(notification.publication(failed_run(Failure("Report.INVALID_PERMISSIONS", "x", setup)), config()))
        assert "not delivered" in bodies["email"] or (
            "Report.INVALID_PERMISSIONS" in bodies["email"] and SHORT in bodies["email"]
        )

    @pytest.mark.parametrize("wrong", INVALID_PARTS, ids=lambda each: ascii(each)[:40])
    @pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED"])
    def test_nor_does_any_other_part_of_a_record(self, wrong: dict[str, Any], outcome: str) -> None:
        failure = Failure("X", "x") if outcome == "FAILED" else None
        run = ended_run(**{"outcome": outcome, "failure": failure} | wrong)
        for of in (config(), config(LANGUAGE="ja", TIME_ZONE="America/New_York"), config(LANGUAGE="xx", TIME_ZONE="../\ud800")):
            assert_taken(notification.publication(run, of))

    def test_a_time_that_a_zone_does_not_have_is_shown_in_utc_and_the_message_whole(self) -> None:
        run = ended_run(
            plan=replace(plan(), scheduled_for=FIRST_DAY), execution=execution(started_at=datetime.fromisoformat(FIRST_DAY))
        )
        bodies = assert_taken(notification.publication(run, config(TIME_ZONE="America/New_York")))
        assert "Scheduled  1 Jan 1, 00:00 UTC" in bodies["email"]
        assert SHORT not in bodies["email"]

    def test_a_failure_that_cannot_be_read_never_becomes_a_success(self) -> None:
        run = ended_run(outcome="FAILED", failure=None, delivery=None)
        published = notification.publication(run, config())
        bodies = assert_taken(published)
        assert published["Subject"] == "Inspector: nightly FAILED, short message"
        assert bodies["email"].startswith(SHORT)
        assert published["MessageAttributes"]["outcome"]["StringValue"] == "FAILED"

    def test_a_short_message_has_outcome_report_error_execution_and_link_and_says_what_it_is(self) -> None:
        run = failed_run(Failure("States.Runtime", "x", {"failed": 7}))
        published = notification.publication(run, config())
        bodies = assert_taken(published)
        link = notification.execution_url(run, config())
        text = " ".join(bodies["email"].split())
        for part in (SHORT, "Outcome: FAILED", "Report: nightly", "Error: States.Runtime", link, str(run.notification_id)):
            assert part in text
            assert part in bodies["https"] or ": " in part
        event = json.loads(bodies["default"])
        Draft202012Validator(EVENT_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event)
        assert (event["outcome"], event["failure"]["error"], event["execution"]["arn"]) == (
            "FAILED",
            "States.Runtime",
            run.execution.arn,
        )
        assert event["notes"][0].startswith(SHORT)
        attributes = {name: each["StringValue"] for name, each in published["MessageAttributes"].items()}
        assert attributes == {
            "outcome": "FAILED",
            "report": "nightly",
            "region": "eu-central-1",
            "coverage": "unknown",
            "worst_new_severity": "UNKNOWN",
            "level": "PROBLEM",
        }

    def test_it_is_in_the_deployments_language(self) -> None:
        bodies = short.bodies(ended_run(), config(LANGUAGE="ja"))
        assert bodies["email"].startswith("これは簡易通知です")
        assert "結果: SUCCEEDED" in bodies["email"]

    def test_the_log_says_so_without_content(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            notification.publication(gallery.daily_run(headline(open="a secret")), config())
        assert "short message" in caplog.text
        assert "secret" not in caplog.text

    @pytest.mark.parametrize("language", ["en", "ja"])
    def test_a_message_near_the_limit_is_counted_in_bytes_and_not_in_characters(self, language: str) -> None:
        def of(count: int) -> Run:
            return gallery.daily_run(
                headline(
                    worst_new=[finding(vulnerability_id=None, title="脆弱性" * 60, packages=[package("夜" * 80)] * 5)] * count
                )
            )

        form = notification._of_runs(config())
        for count in range(40, 200, 20):
            text = notification._message(of(count), config(LANGUAGE=language), form)
            if len(text) < notification.MESSAGE_BYTES < len(text.encode()):
                break
        else:
            pytest.fail("no message is between the two")
        result = assert_taken(notification.publication(of(count), config(LANGUAGE=language)))
        assert SHORT not in result["email"]
        assert "これは簡易通知です" not in result["email"]

    def test_what_no_shortening_makes_fit_becomes_a_short_message(self) -> None:
        kinds = {f"{number:0400}": 7 for number in range(400)}
        run = gallery.daily_run(headline(by_severity=kinds))
        assert SHORT in assert_taken(notification.publication(run, config()))["email"]


class FakeTopic:
    """Keeps what is published, as SNS would take it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []

    @property
    def client(self) -> Any:
        return self

    def get_topic_attributes(self, **_: str) -> dict[str, Any]:
        return {"Attributes": {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}}

    def publish(self, **request: Any) -> dict[str, Any]:
        self.bodies.append(assert_taken(request))
        return {"MessageId": "1"}


class TestRecords:
    @pytest.mark.parametrize(
        "name", ["plan", "failure", "delivery", "analysis", "ended_at", "report_created_at", "report_ended_at"]
    )
    @pytest.mark.parametrize(
        "text", ["no JSON", "7", '"x"', "[]", "{}", '{"a": 1}', "[" * 9_000, "9" * 5_000, "NaN", "0001-01-01T00:00:00", ""]
    )
    def test_a_run_is_notified_whatever_its_record_holds(self, table: Table, name: str, text: str) -> None:
        planned(table, ME)
        run_store.record(table, ME, "FAILED", Failure("X", "x"), delivery(), minutes(12))
        table.update((f"EXECUTION#{ME.id}", "EXECUTION"), "SET #name = :value", {"#name": name}, {":value": text})
        topic = FakeTopic()
        assert publish_outcome(table, topic.client, config(), ME, minutes(13), minutes(14))
        run = run_store.load(table, ME)
        assert run.notified_at
        assert "FAILED" in topic.bodies[0]["default"]
        # What comes before and after it in a workflow does not raise either.
        run_store.keep_history(table, run)
        record_run.ended_failure(run, config())

    def test_what_cannot_be_read_is_named(self, table: Table) -> None:
        planned(table, ME)
        table.update((f"EXECUTION#{ME.id}", "EXECUTION"), "SET #name = :value", {"#name": "plan"}, {":value": "no JSON"})
        run = run_store.load(table, ME)
        assert (run.plan, run.unread) == (None, ("plan",))

    def test_an_analysis_without_what_the_history_needs_is_recorded_and_notified(self, table: Table) -> None:
        planned(table, ME)
        run_store.note_analysis(table, ME, {"open": 10**60, "coverage_status": {"state": "active"}})
        recorded = record_run.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))
        assert recorded.outcome == "SUCCEEDED"
        topic = FakeTopic()
        assert publish_outcome(table, topic.client, config(), ME, minutes(13), minutes(14))

    def test_a_line_that_dynamodb_refuses_for_good_keeps_no_run_from_being_reported(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planned(table, ME)
        run, _ = run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))
        errors = [client_error("ValidationException"), client_error("ThrottlingException")]

        def refuse(*_: object) -> None:
            raise errors.pop(0)

        monkeypatch.setattr(Table, "put", refuse)
        run_store.keep_history(table, run)
        with pytest.raises(ClientError, match="Throttling"):
            run_store.keep_history(table, run)

    def test_half_a_surrogate_pair_is_kept_as_a_sign_that_dynamodb_takes(self, table: Table) -> None:
        planned(table, ME)
        run_store.note(table, ME, "from \ud800 afar\n" + "x" * 9_000)
        run_store.note_report(table, ME, f"{REPORT_ID}\udfff", minutes(1))
        run_store.note_analysis(table, ME, {"error": "X", "sentence": "\ud800"})
        run_store.record(table, ME, "FAILED", Failure("X", "\ud800"), delivery(key="\ud800"), minutes(12))
        run = run_store.load(table, ME)
        (note,) = run.notes
        assert note.startswith("from \ufffd afar x")
        assert len(note) == run_store.NOTE_CHARACTERS
        assert Failure("X", "\ud800").to_dict()["cause"].encode()

    @pytest.mark.parametrize("setup", [7, {"failed": 7}, {"failed": [{"evidence": "\ud800"}]}])
    def test_a_failure_is_reported_to_the_workflow_though_it_cannot_be_explained(self, setup: Any) -> None:
        ended = record_run.ended_failure(failed_run(Failure("X", "this\nhappened \ud800", setup)), config())
        assert ended is not None
        assert ended["error"] == "X"
        assert ended["cause"].startswith("this")
        assert ended["cause"].encode()
