"""A recorded outcome is notified at least once, and twice only where a notifier died between publish and mark."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from findings_exporter.aws import alarm_topic, outbox, run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure, NotificationInProgressError, NotRecordedError
from findings_exporter.model.run import Run
from findings_exporter.notification import publication
from findings_exporter.steps.notify import notify, publish_outcome
from tests.builders.exporter import SCHEDULE, START, config, delivery, execution, headline, minutes, planned

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

ME = execution("me")


@pytest.fixture
def client() -> "SNSClient":
    """A client without a connection."""
    return boto3.client("sns")


@pytest.fixture
def sns(client: "SNSClient") -> Iterator[Stubber]:
    """Every publish that a test expects."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def run(table: Table) -> Run:
    """A recorded success, its notification pending."""
    planned(table, ME)
    return run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))[0]


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What is said of the alarm topic: nothing, as where everyone is confirmed."""
    said: dict[str, str | None] = {"note": None}
    monkeypatch.setattr(alarm_topic, "unconfirmed_note", lambda *_: said["note"])
    return said


def notified(table: Table, client: "SNSClient", at: float = 13) -> bool:
    """Notify of my run."""
    return publish_outcome(table, client, config(), ME, minutes(at), minutes(at + 0.5))


def test_an_outcome_is_notified_once(table: Table, client: "SNSClient", sns: Stubber, run: Run) -> None:
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    assert notified(table, client)
    assert not notified(table, client, at=99)
    assert run_store.load(table, ME).notified_at == minutes(13)


def test_a_message_says_first_of_what_else_happened_that_alarms_are_not_delivered(
    table: Table, client: "SNSClient", sns: Stubber, run: Run, heard: dict[str, str | None]
) -> None:
    heard["note"] = "Alarms are not delivered."
    for number in range(12):  # more than a message shows
        run_store.note(table, ME, f"note {number:02}.")
    recorded = run_store.load(table, ME)
    expected = publication(replace(recorded, notes=("Alarms are not delivered.", *recorded.notes)), config())
    assert json.loads(json.loads(expected["Message"])["default"])["notes"][0] == "Alarms are not delivered."
    sns.add_response("publish", {"MessageId": "1"}, expected)
    assert notified(table, client)
    assert run_store.load(table, ME).notes == recorded.notes


def test_a_publish_that_failed_leaves_the_outcome_to_the_next_try_at_once(
    table: Table, client: "SNSClient", sns: Stubber, run: Run
) -> None:
    sns.add_client_error("publish", "InternalError", http_status_code=500)
    with pytest.raises(ClientError):
        notified(table, client)
    assert run_store.load(table, ME).notified_at is None
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    assert notified(table, client, at=13.1)


def test_no_notification_is_sent_while_another_is_in_progress(table: Table, client: "SNSClient", sns: Stubber, run: Run) -> None:
    run_store.claim_notification(table, ME, "another", minutes(13), minutes(14))
    with pytest.raises(NotificationInProgressError):
        notified(table, client, at=13.6)
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    assert notified(table, client, at=14.1)


def test_a_notification_that_died_before_its_mark_is_repeated_with_the_same_message(
    table: Table, client: "SNSClient", sns: Stubber, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    for _ in range(2):
        sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    with monkeypatch.context() as dying:
        dying.setattr(run_store, "mark_notified", die)
        with pytest.raises(SystemExit):
            notified(table, client)
    assert notified(table, client, at=20)


def test_without_an_outcome_nothing_is_notified(table: Table, client: "SNSClient", sns: Stubber) -> None:
    planned(table, ME)
    with pytest.raises(NotRecordedError):
        notified(table, client)


@pytest.mark.parametrize(
    "given", [{"schedule": {"scheduled_for": START.isoformat(), "arn": SCHEDULE}}, {"replaces": START.isoformat()}]
)
@pytest.mark.parametrize("reports", ["FILE", "ONE"])
def test_a_silent_success_of_a_scheduled_time_is_said_home_and_not_published(
    table: Table, client: "SNSClient", sns: Stubber, given: dict[str, object], reports: str
) -> None:
    planned(table, ME, given | {"notify": False})
    run, _ = run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))
    assert run.notified_at is None
    assert publish_outcome(table, client, config(REPORTS=reports), ME, minutes(13), minutes(14))
    said = [item["body"] for item in table.beginning_with(outbox.OUTBOX)]
    assert [json.loads(body)["outcome"] for body in said] == (["SUCCEEDED"] if reports == "FILE" else [])
    assert run_store.load(table, ME).notified_at == minutes(13)
    assert run_store.open_runs(table) == []


def test_a_failure_is_published_although_it_asked_for_silence(table: Table, client: "SNSClient", sns: Stubber) -> None:
    planned(table, ME, {"notify": False, "replaces": START.isoformat()})
    run, _ = run_store.record(table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    assert notified(table, client)


def test_a_silent_success_is_not_notified(table: Table, client: "SNSClient", sns: Stubber) -> None:
    planned(table, ME, {"notify": False})
    run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))
    assert not notified(table, client)


def test_a_claim_lasts_longer_than_its_function_since_clocks_differ(
    table: Table, client: "SNSClient", sns: Stubber, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    function_deadline = minutes(13.5)
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    with monkeypatch.context() as dying:
        dying.setattr(run_store, "mark_notified", die)
        with pytest.raises(SystemExit):
            publish_outcome(table, client, config(), ME, minutes(13), function_deadline)
    with pytest.raises(NotificationInProgressError):
        publish_outcome(table, client, config(), ME, function_deadline + timedelta(seconds=9), minutes(15))
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    assert publish_outcome(table, client, config(), ME, function_deadline + timedelta(seconds=11), minutes(15))


@pytest.mark.parametrize(("count", "is_due"), [(2, True), (0, False)])
def test_a_run_whose_owners_are_to_be_notified_stays_open_after_its_own_notification_and_the_answer_says_so(
    table: Table, client: "SNSClient", sns: Stubber, count: int, is_due: bool
) -> None:
    planned(table, ME)
    run_store.note_analysis(table, ME, headline(owners_key="x/owners.json", owner_message_count=count))
    run = run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))[0]
    sns.add_response("publish", {"MessageId": "1"}, publication(run, config()))
    for state in ("NOTIFIED", "ALREADY_NOTIFIED"):
        answer = notify(table, client, config(), ME, minutes(13), minutes(13.5))
        assert answer == {"state": state, "failure": None, "owners_due": is_due}
        assert bool(run_store.open_runs(table)) is is_due
