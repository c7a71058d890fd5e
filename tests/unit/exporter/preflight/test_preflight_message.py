"""The results of a setup check: for programs, for people, and in the message of a failed run."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import from_stored
from findings_exporter.preflight import message
from findings_exporter.preflight.bucket import bucket_exists, bucket_policy_for_exporter, bucket_policy_for_inspector
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.key import key_usable
from tests.builders.exporter import ACCOUNT, BUCKET, REGION, START, TOPIC
from tests.builders.setup_builders import bucket, deployment, key, place
from tests.builders.setup_rows import denies, document, writes
from tests.unit.exporter.notification.test_messages import CHAT_SCHEMA, EVENT_SCHEMA, SNS_BYTES, flat, parts

HERE = deployment()
SCHEMA = json.loads(Path("docs/setup-check.schema.json").read_text(encoding="utf-8"))
PASSED = bucket_exists(bucket(), HERE)
MISSING = bucket_policy_for_inspector(bucket(policy=None), HERE, START)
DENIED = bucket_policy_for_exporter(bucket(policy=document([denies(place(HERE), "s3:*")])), HERE, START)
UNREAD = key_usable(key(description=Unread("AWS refused DescribeKey")), HERE)
SETS = {"right": [PASSED], "failed": [PASSED, MISSING, DENIED, UNREAD], "unknown": [PASSED, UNREAD]}
EVERY_SET = pytest.mark.parametrize("found", SETS.values(), ids=SETS)


@pytest.mark.parametrize(("name", "result"), [("right", "passed"), ("failed", "failed"), ("unknown", "unknown")])
def test_the_whole_is_as_good_as_its_worst_part(name: str, result: str) -> None:
    assert message.result_of(SETS[name]) == result


@EVERY_SET
def test_the_result_keeps_its_published_schema(found: list[Check]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    validator.validate(json.loads(json.dumps(message.result(found, HERE, START))))


def test_the_schema_describes_and_requires_every_field_and_allows_no_other() -> None:
    objects = list(parts(SCHEMA))
    assert len(objects) == 2
    for each in objects:
        assert each["additionalProperties"] is False
        assert sorted(each["required"]) == sorted(each["properties"])
        assert all(field["description"].endswith(".") for field in each["properties"].values())
    assert SCHEMA["properties"]["version"]["const"] == message.RESULT_VERSION


def test_the_text_has_failed_checks_first_and_statements_whole() -> None:
    text = message.text(SETS["failed"], HERE)
    assert text.startswith(f"Setup of the findings exporter in {ACCOUNT}, {REGION}: 2 failed, 1 unknown, 1 passed\n")
    assert text.index("FAILED: Bucket policy for Inspector") < text.index("UNKNOWN: KMS key") < text.index("Passed\n- The bucket")
    statements_text = text.split(f"to the bucket policy of\n     {BUCKET}.\n")[1].split("\n\n")[0]
    assert json.loads(statements_text) == writes(place(HERE))
    assert "denies s3:ListBucket" in flat(text) or "denies s3:GetObject" in flat(text)
    assert "events/test_export.json" in text


def test_a_setup_without_faults_has_a_short_text() -> None:
    text = message.text(SETS["right"], HERE)
    assert text.startswith(f"Setup of the findings exporter in {ACCOUNT}, {REGION}: 1 passed\n\nPassed\n- ")
    assert "FAILED" not in text
    assert message.summary(SETS["unknown"]).splitlines()[0].startswith("UNKNOWN: The check could not read the key")


@EVERY_SET
def test_what_is_published_is_what_sns_and_the_chat_take(found: list[Check]) -> None:
    published = message.publication(found, HERE, START)
    assert published["TopicArn"] == TOPIC
    assert len(published["Subject"]) < 100
    bodies = json.loads(published["Message"])
    assert bodies["email"] == message.text(found, HERE)
    Draft202012Validator(CHAT_SCHEMA).validate(json.loads(bodies["https"]))
    result = json.loads(bodies["default"])
    assert (result["type"], result["result"]) == (message.RESULT_TYPE, message.result_of(found))
    assert set(published["MessageAttributes"]) == {"region", "level"}  # no outcome, since it is not about a run


def test_the_largest_check_still_fits_into_a_message() -> None:
    huge = [bucket_policy_of(number) for number in range(15)]
    assert len(message.publication(huge, HERE, START)["Message"].encode()) < SNS_BYTES


def bucket_policy_of(number: int) -> Check:
    """A check of a bucket whose policy is as long as S3 takes it."""
    statements = [denies(place(HERE), "s3:*", Sid=f"N{each}", Condition={"IpAddress": {"aws:SourceIp": ["192.0.2.1"] * 30}})
                  for each in range(30)]  # fmt: skip
    return bucket_policy_for_inspector(bucket(policy=document([*statements, writes(place(HERE))])), HERE, START)


def test_a_failed_runs_message_holds_what_has_failed_and_names_what_is_unknown() -> None:
    found = from_stored(message.findings(SETS["failed"]))
    assert (found["result"], [each["check"] for each in found["failed"]]) == (
        "failed", ["bucket_policy_for_inspector", "bucket_policy_for_exporter"],
    )  # fmt: skip
    assert found["failed"][0]["statements"] == [writes(place(HERE))]
    assert found["unknown"] == [{"check": "key", "sentence": UNREAD.sentence}]
    schema: dict[str, Any] = EVENT_SCHEMA["properties"]["failure"]["properties"]["setup"]
    Draft202012Validator(schema).validate(json.loads(json.dumps(found)))


def test_what_a_failed_runs_message_holds_is_small_whatever_the_policies_are() -> None:
    found = message.findings([bucket_policy_of(number) for number in range(10)])
    assert len(json.dumps(found)) < 30_000  # of the 256 KiB of a state, the 400 KB of a record
