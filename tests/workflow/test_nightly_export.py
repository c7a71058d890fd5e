"""The main job: a findings report is exported every day, and people are notified."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import REPOSITORY
from tests.workflow.conftest import FINDINGS

EVENTS = [path for path in sorted((REPOSITORY / "events").glob("*.json")) if path.stem != "check_setup"]
"""Of executions; check_setup.json is for the function of that name, see test_check_setup.py."""
SUCCESS_PATH = [
    "Prepare Run", "Plan Export", "Acquire Lock", "Start Report", "Wait for Report", "Check Report", "Release Lock",
    "Verify Report", "Analyze Report", "Record Run", "Notify", "Export Succeeded",
]  # fmt: skip


def test_schedule_starts_the_export_at_its_time_in_its_time_zone(exporter: Exporter, inspector: InspectorControl) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    fires_at = (datetime.now(zone) + timedelta(seconds=2)).replace(microsecond=0)
    arn = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/"

    reschedule(exporter, f"at({fires_at:%Y-%m-%dT%H:%M:%S})", zone.key)

    execution = wait_until(lambda: next(iter(exporter.executions()), None), "the schedule to start an execution")
    ended = exporter.ended(execution.arn)
    assert ended.status == "SUCCEEDED", ended.cause
    sent = json.loads(ended.input)["schedule"]
    assert sent["arn"].startswith(arn)
    assert datetime.fromisoformat(sent["scheduled_for"]) == fires_at
    assert ended.started_at >= fires_at
    result = fires_at.astimezone(UTC)
    assert f"Scheduled  {result.day} {result:%b %Y, %H:%M} UTC" in exporter.message_of(execution.arn).email


def test_empty_input_exports_all_active_findings_with_the_defaults(exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run({})

    assert ended.status == "SUCCEEDED", ended.cause
    assert [state for state in exporter.states_entered(ended.arn) if not state.endswith("?")] == SUCCESS_PATH
    delivery = ended.output["delivery"]
    day = ended.started_at.astimezone(UTC)
    assert delivery["key"].startswith(f"inspector/reports/nightly/{day:year=%Y/month=%m/day=%d}/{ended.name}/")
    assert len(json.loads(exporter.read(delivery["key"]))["findings"]) == FINDINGS
    head = exporter.client("s3").head_object(Bucket=delivery["bucket"], Key=delivery["key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", exporter.outputs["ReportsKeyArn"])
    assert delivery["size_bytes"] == head["ContentLength"]
    assert exporter.lock() is None


def test_success_is_notified_with_the_place_of_the_file(exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run({})

    message = exporter.message_of(ended.arn)
    uri = f"s3://{ended.output['delivery']['bucket']}/{ended.output['delivery']['key']}"
    assert message.subject.startswith(f"Inspector nightly, {message.event['region']}: first report, {FINDINGS:,} open")
    assert uri in message.email
    assert message.event["delivery"]["uri"] == uri
    assert message.chat["metadata"]["additionalContext"]["uri"] == uri
    assert message.event["outcome"] == "SUCCEEDED"
    assert exporter.run_item(ended.arn)["notification_id"] == message.event["notification_id"]


def test_a_queue_gets_the_event_for_programs(exporter: Exporter, inspector: InspectorControl) -> None:
    sqs, sns = exporter.client("sqs"), exporter.client("sns")
    queue = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    subscription = sns.subscribe(TopicArn=exporter.outputs["TopicArn"], Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    ended = exporter.run({})

    got: list[Any] = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the event in the queue")
    sns.unsubscribe(SubscriptionArn=subscription)
    event = json.loads(json.loads(got[0]["Body"])["Message"])
    assert (event["type"], event["execution"]["arn"]) == ("inspector-findings-exporter.export-ended", ended.arn)


def test_the_run_is_written_down_with_its_history(exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run({})

    run = exporter.run_item(ended.arn)
    assert run["outcome"] == "SUCCEEDED"
    assert "notified_at" in run
    assert "open" not in run
    history = [item for (pk, _), item in exporter.items().items() if pk == "REPORT#nightly"]
    assert [(item["outcome"], item["arn"]) for item in history] == [("SUCCEEDED", ended.arn)]
    assert int(history[0]["expires"]) > datetime.now(UTC).timestamp()


def test_the_same_scheduled_time_delivered_twice_is_exported_once(exporter: Exporter, inspector: InspectorControl) -> None:
    nightly = json.loads((REPOSITORY / "events/nightly.json").read_text())

    first, second = (exporter.ended(arn) for arn in [exporter.start(nightly), exporter.start(nightly)])

    assert {first.status, second.status} == {"SUCCEEDED"}
    assert {first.output["outcome"], second.output["outcome"]} == {"SUCCEEDED", "DUPLICATE"}
    assert len(inspector.record()["reports"]) == 1
    assert len(exporter.messages()) == 1
    duplicate = first if first.output["outcome"] == "DUPLICATE" else second
    assert exporter.run_item(duplicate.arn)["outcome"] == "DUPLICATE"


def test_a_claim_with_another_input_does_not_silence_the_run(exporter: Exporter, inspector: InspectorControl) -> None:
    nightly = json.loads((REPOSITORY / "events/nightly.json").read_text())
    test_export = json.loads((REPOSITORY / "events/test_export.json").read_text())
    forged = exporter.run(nightly | test_export | {"notify": False})

    real = exporter.run(nightly)

    assert (forged.output["outcome"], real.output["outcome"]) == ("SUCCEEDED", "SUCCEEDED")
    assert exporter.message_of(real.arn).outcome == "SUCCEEDED"


def test_silenced_success_is_recorded_and_not_notified(exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run({"notify": False})

    assert ended.status == "SUCCEEDED"
    assert exporter.messages() == []
    assert "open" not in exporter.run_item(ended.arn)


@pytest.mark.parametrize("path", EVENTS, ids=[path.stem for path in EVENTS])
def test_every_example_input_works_as_it_stands(path: Any, exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run(path.read_text())

    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["outcome"] == "SUCCEEDED"
    assert exporter.message_of(ended.arn).outcome == "SUCCEEDED"


def test_a_filter_reaches_inspector_with_its_dates_resolved(exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run((REPOSITORY / "events/critical_and_high_last_7_days.json").read_text())

    delivery = ended.output["delivery"]
    findings = json.loads(exporter.read(delivery["key"]))["findings"] if delivery["key"] else []
    assert {finding["severity"] for finding in findings} <= {"CRITICAL", "HIGH"}
    week = ended.started_at - timedelta(days=7)
    assert all(datetime.fromisoformat(finding["firstObservedAt"]) >= week for finding in findings)
    assert len(findings) < FINDINGS


def test_the_test_export_makes_a_report_that_is_small_and_not_empty(exporter: Exporter, inspector: InspectorControl) -> None:
    everything = inspector.seed(findings=2_000, seed=1)["active"]

    ended = exporter.run((REPOSITORY / "events/test_export.json").read_text())

    findings = json.loads(exporter.read(ended.output["delivery"]["key"]))["findings"]
    assert 1 <= len(findings) <= everything / 50


def test_csv_report_is_delivered_as_inspector_writes_it(exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.run({"report": {"format": "CSV"}})

    key = ended.output["delivery"]["key"]
    assert key.endswith(".csv")
    assert exporter.read(key).startswith(b"AWS Account Id,Severity,")


def test_waits_follow_what_earlier_runs_took(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.configure(base_seconds=3.0, seconds_per_1000=0.0)
    exporter.aws.set_wait_scale(1.0 / 15)  # a first status check without history comes after one second
    first = exporter.run({})
    checks_without_history = exporter.states_entered(first.arn).count("Check Report")
    exporter.aws.set_wait_scale(1.0)

    second = exporter.run({})

    assert checks_without_history >= 3
    assert exporter.states_entered(second.arn).count("Check Report") <= 2


def reschedule(exporter: Exporter, expression: str, zone: str) -> None:
    name, scheduler = exporter.resource("ExportFindingsNightly"), exporter.client("scheduler")
    kept = {key: value for key, value in scheduler.get_schedule(Name=name).items() if key in {"FlexibleTimeWindow", "Target"}}
    scheduler.update_schedule(Name=name, ScheduleExpression=expression, ScheduleExpressionTimezone=zone, State="ENABLED", **kept)
