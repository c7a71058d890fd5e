"""What is compact_event of a run: to a person at 7 a.m., to a chat, to a program; within every limit, whatever the run holds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from findings_exporter import notification
from findings_exporter.model.errors import Failure
from findings_exporter.model.filter_criteria import known_filters
from findings_exporter.model.run import Outcome, Run
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.remediation import REMEDIATIONS, remediation_for
from tests.builders.exporter import (
    ACCOUNT,
    BUCKET,
    KEY,
    REGION,
    REPORT_ID,
    SCHEDULE,
    TOPIC,
    config,
    delivery,
    ended_run,
    execution,
    failed_run,
    nothing,
    plan,
)
from tests.tools import gallery

SNS_BYTES = 256 * 1024
EVENT_SCHEMA = json.loads(Path("docs/export-event.schema.json").read_text(encoding="utf-8"))
OWNER_EVENT_SCHEMA = json.loads(Path("docs/owner-event.schema.json").read_text(encoding="utf-8"))
CHAT_SCHEMA = json.loads(Path("tests/contract/custom-notification.schema.json").read_text(encoding="utf-8"))
BROKEN = Failure("Report.INVALID_PERMISSIONS", f"The report {REPORT_ID} ended as FAILED.")
STATEMENTS: list[dict[str, Any]] = [
    {"Sid": name, "Effect": "Allow", "Principal": {"Service": "inspector2.amazonaws.com"}, "Action": "s3:*", "Resource": "*"}
    for name in ("InspectorMayWriteReports", "Another")
]
MISSING: dict[str, Any] = {
    "check": "bucket_policy_for_inspector",
    "sentence": "The policy of the bucket does not allow s3:PutObject.",
    "evidence": ["statement 1 does not apply: it does not name s3:PutObject"],
    "fix": ["Add the statements to the policy of the bucket."],
    "statements": STATEMENTS,
}
UNREAD = {"check": "key", "sentence": "It is not known whether the key can be used: AWS refused DescribeKey."}
FAILED_SETUP = replace(BROKEN, setup={"result": "failed", "failed": [MISSING], "unknown": [UNREAD]})
CLEAR_SETUP = replace(BROKEN, setup={"result": "unknown", "failed": [], "unknown": [UNREAD]})
LARGEST_SETUP = {
    "result": "failed",
    "failed": [
        MISSING | {"sentence": "ä" * 400, "evidence": ["ä" * 400] * 3, "fix": ["ä" * 400], "statements": STATEMENTS}
        for _ in range(10)
    ],
    "unknown": [{"check": "key", "sentence": "ä" * 400} for _ in range(10)],
}
SCHEDULED = plan({"schedule": {"scheduled_for": "2026-11-23T03:00:00Z", "arn": SCHEDULE}})
UNPLANNED = failed_run(
    Failure("InvalidInput", "The execution's input is wrong, so nothing was exported:\n- zzz is not known"),
    plan=None,
    report_id=None,
    report_created_at=None,
    report_ended_at=None,
)
LARGEST = failed_run(
    replace(notification.failure_from("x" * 256, "💥" * 32_768), setup=LARGEST_SETUP),
    execution=execution("夜" * 80, partition="aws-us-gov"),
    plan=plan(
        {"report": {"name": "n" * 63, "filter_criteria": {"updatedAt": ["last 7 days"]}}},
        KEY_PREFIX="p" * 500,
    ),
    notes=tuple(f'{number} "quoted" \\ 💥 ' + "ä" * 1200 for number in range(50)),
)
RUNS = {
    "success": ended_run(),
    "scheduled": ended_run(plan=SCHEDULED, notes=("This run waited for its turn: the run x was exporting.",)),
    "no findings": ended_run(delivery=nothing("no_findings")),
    "no object": ended_run(delivery=nothing("no_object")),
    "empty object": ended_run(delivery=delivery(size_bytes=15, nothing_found="empty_object")),
    "failed": failed_run(BROKEN),
    "failed setup": failed_run(FAILED_SETUP),
    "setup without a fault": failed_run(CLEAR_SETUP),
    "unplanned": UNPLANNED,
    "stopped": ended_run(outcome="ABORTED", failure=Failure("Stopped", "The execution was stopped."), delivery=None),
    "timed out": ended_run(outcome="TIMED_OUT", failure=Failure("TimedOut", "Too long."), delivery=None),
    "never seen to start": failed_run(BROKEN, ended_at=None),
    "largest": LARGEST,
} | gallery.runs()
JAPANESE = config(LANGUAGE="ja", TIME_ZONE="Asia/Tokyo")
EVERY_RUN = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
EVERY_ERROR = pytest.mark.parametrize("error", [*REMEDIATIONS, "States.Runtime", "Report.SOMETHING_NEW"])


def flat(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


class TestSubject:
    @pytest.mark.parametrize(
        ("name", "subject"),
        [
            ("success", "Inspector nightly, eu-central-1: delivered, 1.2 MB"),
            ("no findings", "Inspector nightly, eu-central-1: delivered, no findings"),
            ("empty object", "Inspector nightly, eu-central-1: delivered, no findings"),
            ("failed", "FAILED: Inspector nightly, eu-central-1: {title}"),
            ("unplanned", "FAILED: Inspector export, eu-central-1: {title}"),
            ("stopped", "FAILED: Inspector nightly, eu-central-1: {title}"),
            ("timed out", "FAILED: Inspector nightly, eu-central-1: {title}"),
        ],
    )
    def test_it_names_report_and_region_and_what_failed(self, name: str, subject: str) -> None:
        failure = RUNS[name].failure
        title = remediation_for(failure, config()).title if failure else ""
        assert notification.subject(RUNS[name], config()) == subject.format(title=title)

    def test_a_success_without_a_delivery_does_not_break_it(self) -> None:
        assert notification.subject(ended_run(delivery=None), config()).endswith("delivered, 0 bytes")

    @EVERY_RUN
    def test_it_is_what_sns_takes(self, run: Run) -> None:
        subject = notification.subject(run, config())
        assert notification.subject(run, replace(JAPANESE, time_zone="UTC")) == subject
        assert 0 < len(subject) < 100
        assert subject.isascii()
        assert subject.isprintable()

    @EVERY_ERROR
    def test_it_fits_for_each_error_with_the_longest_name(self, error: str) -> None:
        run = failed_run(Failure(error, "x"), plan=plan({"report": {"name": "n" * 63}}))
        assert len(notification.subject(run, config())) < 100


class TestEmail:
    def test_a_success_names_its_file_first(self) -> None:
        key = f"inspector/reports/nightly/year=2026/month=11/day=23/run-1/{REPORT_ID}.json"
        console = f"https://{REGION}.console.aws.amazon.com"
        arn = RUNS["scheduled"].execution.arn
        assert notification.email(RUNS["scheduled"], config()) == (
            'The report "nightly" was delivered.\n'
            f"Account {ACCOUNT}, {REGION}.\n"
            "\n"
            "Report\n"
            f"{console}/s3/object/{BUCKET}?region={REGION}&prefix={key}\n"
            f"s3://{BUCKET}/{key} (1.2 MB)\n"
            "\n"
            "Notes\n"
            "- This run waited for its turn: the run x was exporting.\n"
            "\n"
            "Format     JSON\n"
            "Filter     none: all active findings\n"
            "Scheduled  23 Nov 2026, 03:00 UTC\n"
            "Started    23 Nov 2026, 03:00 UTC\n"
            "Took       12 min 0 s, of which Inspector 10 min 0 s\n"
            "\n"
            "Execution\n"
            f"{console}/states/home?region={REGION}#/v2/executions/details/{arn}\n"
            "\n"
            "To open the links, sign in to the account. They do not expire.\n"
            "Notification 5f0c0b0e-0000-5000-8000-000000000000\n"
        )

    @pytest.mark.parametrize("how", ["no_findings", "no_object", "empty_object"])
    def test_an_empty_report_says_how_this_is_known(self, how: str) -> None:
        body = notification.email(ended_run(delivery=nothing(how)), config())
        assert body.startswith('The report "nightly" has no findings.\n')
        assert notification.NOTHING_FOUND[how] in flat(body)
        assert "Report\n" not in body

    def test_only_an_uncertain_empty_report_asks_to_check_scanning(self) -> None:
        result = {how: "check that scanning is active" in text for how, text in notification.NOTHING_FOUND.items()}
        assert result == {"no_findings": False, "no_object": True, "empty_object": True}

    @pytest.mark.parametrize(
        ("outcome", "error"), [("ABORTED", "Stopped"), ("TIMED_OUT", "TimedOut"), ("FAILED", "ServiceUnavailableError")]
    )
    def test_a_run_that_ended_after_its_report_does_not_say_that_it_was_not_delivered(self, outcome: Outcome, error: str) -> None:
        run = ended_run(outcome=outcome, failure=Failure(error, "x"), delivery=None)
        text = flat(notification.email(run, config()))
        assert text.startswith('Inspector finished the report "nightly", but the run ended before')
        assert f"it lies under s3://{BUCKET}/{run.require_plan().destination.prefix} " in text
        assert "not delivered" not in text
        before = flat(notification.email(replace(run, report_ended_at=None), config()))
        assert before.startswith('The report "nightly" was not delivered')

    @pytest.mark.parametrize("error", ["Report.INTERNAL_ERROR", "Delivery.Corrupt"])
    def test_a_report_that_is_known_to_be_bad_was_not_delivered(self, error: str) -> None:
        text = notification.email(ended_run(outcome="FAILED", failure=Failure(error, "x"), delivery=None), config())
        assert text.startswith('The report "nightly" was not delivered')

    @EVERY_ERROR
    def test_a_failure_says_what_happened_why_and_what_to_do(self, error: str) -> None:
        run = failed_run(Failure(error, "This is\nwhat happened."))
        remediation = remediation_for(Failure(error, ""), config(), run=run)
        body = notification.email(run, config())
        assert body.startswith(f'The report "nightly" was not delivered.\nAccount {ACCOUNT}, {REGION}.\n\n')
        assert f"Cause ({error})\n  This is\n  what happened.\n  " in body
        assert remediation.why in flat(body)
        for number, step in enumerate(remediation.fix, 1):
            assert f"{number}. {step}" in flat(body)
        assert "/v2/executions/details/" in body

    def test_a_stopped_run_says_so(self) -> None:
        assert notification.email(RUNS["stopped"], config()).startswith(
            'The report "nightly" was not delivered: the run was stopped.'
        )

    def test_a_run_without_a_plan_is_notified_without_its_name(self) -> None:
        body = notification.email(UNPLANNED, config())
        assert body.startswith("No report was delivered.")
        assert "- zzz is not known" in body
        assert "Format" not in body

    def test_the_filters_are_named(self) -> None:
        criteria = {"updatedAt": ["last 7 days"], "severity": [{"comparison": "EQUALS", "value": "HIGH"}]}
        run = ended_run(plan=plan({"report": {"filter_criteria": criteria}}))
        assert "\nFilter     updatedAt, severity\n" in notification.email(run, config())

    def test_lines_are_short_but_links_stay_whole(self) -> None:
        long = Failure("AccessDeniedError", "word " * 100 + KEY + "x" * 100)
        body = notification.email(failed_run(long), config())
        assert all(len(line) <= 72 or "://" in line or KEY in line for line in body.splitlines())
        assert KEY + "x" * 100 in body

    def test_at_most_ten_notes_are_shown(self) -> None:
        run = ended_run(notes=tuple(f"note {number:02}." for number in range(20)))
        assert notification.email(run, config()).count("\n- note") == 10


class TestChat:
    @EVERY_RUN
    def test_it_keeps_the_custom_notifications_schema(self, run: Run) -> None:
        for of in (config(), JAPANESE):
            Draft202012Validator(CHAT_SCHEMA).validate(notification.chat_message(run, of))

    @EVERY_ERROR
    def test_each_error_keeps_it_with_the_longest_names(self, error: str) -> None:
        for language in ("en", "ja"):
            key = KEY.replace("aws:", "aws-us-gov:")
            long = config(BUCKET="b" * 63, KMS_KEY_ARN=key, BUCKET_OWNER=ACCOUNT, LANGUAGE=language)
            content = notification.chat_message(failed_run(Failure(error, "x" * 3000)), long)
            Draft202012Validator(CHAT_SCHEMA).validate(content)
            assert not any(step.endswith("…") for step in content["content"]["nextSteps"])

    def test_a_success_leads_to_the_file(self) -> None:
        chat = notification.chat_message(RUNS["success"], config())
        assert chat["content"]["title"] == ":white_check_mark: Inspector nightly, eu-central-1: delivered, 1.2 MB"
        assert chat["content"]["description"].endswith(f"*Report* {notification.report_url(RUNS['success'], config())}")
        assert chat["content"]["nextSteps"] == []
        assert chat["metadata"]["additionalContext"]["uri"] == RUNS["success"].delivery.uri  # type: ignore[union-attr]

    def test_nothing_found_leads_to_the_execution(self) -> None:
        description = notification.chat_message(RUNS["no findings"], config())["content"]["description"]
        assert notification.NOTHING_FOUND["no_findings"] in description
        assert f"*Execution* {notification.execution_url(RUNS['no findings'], config())}" in description

    @EVERY_RUN
    def test_it_has_one_link(self, run: Run) -> None:
        content = notification.chat_message(run, config())["content"]
        assert (content["description"] + "".join(content["nextSteps"])).count("https://") == 1

    def test_a_failure_warns_and_leads_to_the_fix(self) -> None:
        chat = notification.chat_message(RUNS["failed"], config())
        assert chat["content"]["title"].startswith(":warning: ")
        assert chat["content"]["nextSteps"] == list(remediation_for(BROKEN, config(), run=RUNS["failed"]).fix)
        assert BROKEN.cause in chat["content"]["description"]
        context = chat["metadata"]["additionalContext"]
        assert (context["outcome"], context["error"], context["report"]) == ("FAILED", BROKEN.error, "nightly")

    def test_the_runs_of_one_report_are_one_thread(self) -> None:
        threads = {
            notification.chat_message(RUNS[name], config())["metadata"]["threadId"] for name in ("success", "failed", "no object")
        }
        assert len(threads) == 1


class TestSetup:
    def test_a_mail_has_the_findings_of_the_check_and_the_statements_instead_of_possible_causes(self) -> None:
        mail = notification.email(RUNS["failed setup"], config())
        text = flat(mail)
        assert "The setup check found: The policy of the bucket does not allow s3:PutObject." in text
        assert "It is not known whether the key can be used" in text
        assert "- statement 1 does not apply" in text
        assert "1. Add the statements to the policy of the bucket. 2. Run a test export" in text
        assert "or a Deny statement forbids it" not in text
        statements_text = mail.split("Policy statement to add (Bucket policy for Inspector)\n")[1].split("\n\n")[0]
        assert json.loads(f"[{statements_text}]") == STATEMENTS

    def test_a_mail_says_so_when_nothing_was_found_and_keeps_the_general_advice(self) -> None:
        text = flat(notification.email(RUNS["setup without a fault"], config()))
        general = remediation_for(BROKEN, config(), run=RUNS["failed"])
        assert f"{general.why} The setup check found no problem. It is not known whether the key can be used" in text
        assert "The check cannot see policies of the organization" in text
        assert all(step in text for step in general.fix)
        assert "Policy statement to add" not in text

    def test_a_chat_shows_whole_statements_or_none(self) -> None:
        description = notification.chat_message(RUNS["failed setup"], config())["content"]["description"]
        assert json.loads(f"[{description.split('```')[1]}]") == STATEMENTS
        assert "```" not in notification.chat_message(LARGEST, config())["content"]["description"]

    def test_programs_get_all_of_it(self) -> None:
        assert notification.export_event(RUNS["failed setup"], config())["failure"]["setup"] == FAILED_SETUP.setup
        assert notification.export_event(RUNS["failed"], config())["failure"]["setup"] is None


class TestEvent:
    @EVERY_RUN
    def test_it_keeps_its_published_schema(self, run: Run) -> None:
        event = json.loads(json.dumps(notification.export_event(run, config())))
        Draft202012Validator(EVENT_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event)

    @pytest.mark.parametrize(("schema", "count"), [(EVENT_SCHEMA, 29), (OWNER_EVENT_SCHEMA, 21)])
    def test_a_schema_describes_and_requires_every_field_and_allows_no_other(self, schema: dict[str, Any], count: int) -> None:
        Draft202012Validator.check_schema(schema)
        objects = list(parts(schema))
        assert len(objects) == count
        for each in objects:
            assert each["additionalProperties"] is False
            assert sorted(each["required"]) == sorted(each["properties"])
            assert all(field["description"].endswith(".") for field in each["properties"].values())

    def test_it_describes_a_success(self) -> None:
        event = notification.export_event(RUNS["scheduled"], config())
        assert (event["outcome"], event["failure"]) == ("SUCCEEDED", None)
        assert event["delivery"]["uri"] == f"s3://{BUCKET}/{event['delivery']['key']}"
        assert event["report"]["scheduled_for"] == "2026-11-23T03:00:00+00:00"
        assert (event["execution"]["duration_seconds"], event["report"]["report_seconds"]) == (720, 600)

    def test_it_describes_a_failure(self) -> None:
        event = notification.export_event(RUNS["failed"], config())
        assert (event["outcome"], event["delivery"]) == ("FAILED", None)
        assert (event["failure"]["error"], event["failure"]["what"]) == (BROKEN.error, BROKEN.cause)
        assert event["failure"]["why"]
        assert event["failure"]["fix"]

    def test_what_is_not_known_is_null(self) -> None:
        event = notification.export_event(UNPLANNED, config())
        assert (event["report"], event["delivery"]) == (None, None)


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object of a schema."""
    if "properties" in schema:
        yield schema
        for field in schema["properties"].values():
            yield from parts(field)
            yield from parts(field.get("items", {}))


class TestPublication:
    @EVERY_RUN
    def test_it_is_what_sns_takes(self, run: Run) -> None:
        published = max(
            (notification.publication(run, of) for of in (config(), JAPANESE)), key=lambda each: len(each["Message"].encode())
        )
        attributes = "".join(name + value["StringValue"] for name, value in published["MessageAttributes"].items())
        assert len(published["Message"].encode()) + len(attributes) < SNS_BYTES
        assert set(json.loads(published["Message"])) == {"default", "email", "https"}
        assert (published["TopicArn"], published["MessageStructure"]) == (TOPIC, "json")

    def test_each_protocol_gets_its_own_form(self) -> None:
        run = RUNS["failed"]
        bodies = json.loads(notification.publication(run, config())["Message"])
        assert json.loads(bodies["default"]) == notification.export_event(run, config())
        assert bodies["email"] == notification.email(run, config())
        assert json.loads(bodies["https"]) == notification.chat_message(run, config())

    @pytest.mark.parametrize(
        ("name", "attributes"), [("success", ("SUCCEEDED", "nightly")), ("unplanned", ("FAILED", "unknown"))]
    )
    def test_subscribers_may_filter(self, name: str, attributes: tuple[str, str]) -> None:
        result = notification.publication(RUNS[name], config())["MessageAttributes"]
        assert (result["outcome"]["StringValue"], result["report"]["StringValue"]) == attributes
        assert result["region"] == {"DataType": "String", "StringValue": REGION}

    def test_even_every_filter_and_the_most_hostile_text_fit(self) -> None:
        criteria: dict[str, Any] = {name: [] for name in known_filters()}
        every_filter = plan(KEY_PREFIX="p" * 900)
        object.__setattr__(every_filter, "filter_criteria", criteria)
        hostile = notification.failure_from("x" * 256, '"\\\n\x01' * 8000)
        run = failed_run(hostile, plan=every_filter, notes=tuple('"\\\x02' * 600 + str(number) for number in range(30)))
        assert len(notification.publication(run, config())["Message"].encode()) < SNS_BYTES

    def test_what_a_setup_check_read_gives_way_before_what_it_found(self) -> None:
        hostile = notification.failure_from("x" * 256, '"\\\n\x01' * 8000)

        def compact_event(text: str, count: int) -> dict[str, Any]:
            wrong = MISSING | {"sentence": text, "evidence": [text] * 3, "fix": [text]}
            setup = {"result": "failed", "failed": [wrong] * count, "unknown": []}
            run = failed_run(replace(hostile, setup=setup), notes=tuple('"\\\x02' * 600 + str(number) for number in range(30)))
            message = notification.publication(run, config())["Message"]
            assert len(message.encode()) < SNS_BYTES - 1000
            event: dict[str, Any] = json.loads(json.loads(message)["default"])
            return event

        assert [each["evidence"] for each in compact_event('"\\' * 150, 20)["failure"]["setup"]["failed"]] == [[]] * 20
        assert compact_event('"\\' * 200, 30)["failure"]["setup"] is None

    def test_the_same_run_gives_the_same_message(self) -> None:
        assert notification.publication(RUNS["failed"], config()) == notification.publication(RUNS["failed"], config())


class TestFailureFrom:
    @pytest.mark.parametrize(
        ("cause", "expected"),
        [
            ('{"errorMessage": "no", "errorType": "X", "stackTrace": ["f"]}', "no"),
            ('{"errorMessage": "  no \\n"}', "no"),
            ('{"errorMessage": ""}', "The workflow ended with the error X and gave no further information."),
            ('{"message": "no"}', '{"message": "no"}'),
            ("[1]", "[1]"),
            ("7", "7"),
            ('"text"', '"text"'),
            ("plain text", "plain text"),
            ('{"errorMessage": "cut off', '{"errorMessage": "cut off'),
            ("", "The workflow ended with the error X and gave no further information."),
            (" \n", "The workflow ended with the error X and gave no further information."),
        ],
    )
    def test_a_cause_is_read_whatever_its_form(self, cause: str, expected: str) -> None:
        assert notification.failure_from("X", cause) == Failure("X", expected)

    def test_a_long_cause_is_cut(self) -> None:
        cause = notification.failure_from("X", "y" * 32_768).cause
        assert (len(cause), cause[-2:]) == (notification.CAUSE_CHARACTERS, "y…")

    @settings(deadline=None)
    @given(cause=st.text(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
    def test_any_cause_gives_a_failure_that_can_be_reported(self, cause: str) -> None:
        failure = notification.failure_from("X", cause)
        assert failure.cause
        assert notification.email(failed_run(failure), config())


class TestLinks:
    @pytest.mark.parametrize(
        ("partition", "region", "console"),
        [
            ("aws", "eu-central-1", "https://eu-central-1.console.aws.amazon.com"),
            ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn"),
            ("aws-us-gov", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com"),
            ("aws-new", "new-1", "https://new-1.console.aws.amazon.com"),
        ],
    )
    def test_they_lead_to_the_partitions_own_console(self, partition: str, region: str, console: str) -> None:
        there = config(STATE_MACHINE_ARN=f"arn:{partition}:states:{region}:{ACCOUNT}:stateMachine:x-ExportFindings")
        run = ended_run(execution=execution(partition=partition, region=region))
        assert notification.execution_url(run, there) == (
            f"{console}/states/home?region={region}#/v2/executions/details/{run.execution.arn}"
        )
        assert str(notification.report_url(run, there)).startswith(
            f"{console}/s3/object/{BUCKET}?region={region}&prefix=inspector/"
        )

    def test_hostile_names_are_quoted(self) -> None:
        run = ended_run(execution=execution("a b&c#d?夜"), delivery=delivery(key="a b&c#d.json"))
        assert notification.execution_url(run, config()).endswith(":a%20b%26c%23d%3F%E5%A4%9C")
        assert str(notification.report_url(run, config())).endswith("&prefix=a%20b%26c%23d.json")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (913_000_000, "913.0 MB"), (2_500_000_000_000, "2,500.0 GB")],
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert Localization().size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (86_400, "24 h 0 min")]
)
def test_durations_are_readable(seconds: int, text: str) -> None:
    assert Localization().duration(seconds) == text
