"""Each owner is notified at least once, and twice only where a notifier died; a run is open until nothing is left to send."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import OwnerClients
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import (
    AccessDeniedError,
    NotificationInProgressError,
    NotRecordedError,
    ServiceUnavailableError,
)
from findings_exporter.model.layout import analysis_keys
from findings_exporter.model.run import Run
from findings_exporter.steps import notify_owners as module
from findings_exporter.steps.notify_owners import MOST_MESSAGES, TIME_FOR_A_MESSAGE, notify_owners, send_to_owners
from tests.builders.exporter import (
    BUCKET,
    Clock,
    client,
    client_error,
    config,
    delivery,
    execution,
    headline,
    items,
    make_bucket,
    minutes,
    planned,
)

ME = execution("me")
KEY = analysis_keys("inspector", "nightly", ME, is_regular=True).owner_messages
THREE = ["payments", "shop", "unowned"]


@dataclass
class OwnersTopic:
    """Keeps what is published; an error may wait for an owner, or for whoever comes next."""

    published: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)

    @property
    def owners(self) -> list[str]:
        """To whom each message went, in order."""
        return [each["MessageAttributes"]["owner"]["StringValue"] for each in self.published]

    def publish(self, **request: Any) -> dict[str, Any]:
        owner = request["MessageAttributes"]["owner"]["StringValue"]
        if error := self.errors.pop(owner, None) or self.errors.pop("", None):
            raise error
        self.published.append(request)
        return {"MessageId": "1"}


@pytest.fixture
def topic() -> OwnersTopic:
    """The owners' topic."""
    return OwnersTopic()


@pytest.fixture
def clients(table: Table, topic: OwnersTopic) -> OwnerClients:
    """What notifying owners needs."""
    make_bucket()
    made: Any = topic
    return OwnerClients(config(OWNER_MESSAGES="ALL"), table, client("s3"), made)


def entries(*owners: Any) -> list[Any]:
    """What the analysis leaves for owners."""
    return [headline(owner=owner, owners_key=None, owner_message_count=0, last_message=False) for owner in owners]


def put_messages(content: object) -> None:
    """Put the file with the messages where the analysis would."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=body)


def recorded(table: Table, *owners: Any, run_input: dict[str, Any] | None = None, **fields: Any) -> Run:
    """A notified success whose messages to owners are due."""
    planned(table, ME, run_input)
    put_messages({"schema_version": "1.0", "owners": entries(*(owners or THREE))})
    count = {"owners_key": KEY, "owner_message_count": len(owners or THREE)}
    run_store.note_analysis(table, ME, headline(**count | fields))
    run = run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))[0]
    run_store.mark_notified(table, ME, minutes(13), owners_due=run.owners_due)
    return run_store.load(table, ME)


def sent(clients: OwnerClients, at: float = 14, until: float | None = None) -> int:
    """Send what is due."""
    clock = Clock(minutes(at), timedelta(milliseconds=10))
    ends = minutes(at + 1.5)
    return send_to_owners(clients, run_store.load(clients.table, ME), clock, minutes(until) if until else ends, ends)


def is_open(table: Table) -> bool:
    """Whether the hourly cleanup would look at the run."""
    return bool(run_store.open_runs(table))


def test_each_owner_gets_one_message_on_the_owners_topic_and_the_run_is_closed(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table)
    assert is_open(clients.table)
    assert sent(clients) == 3
    assert topic.owners == THREE
    assert {each["TopicArn"] for each in topic.published} == {config().owner_topic_arn}
    assert run_store.load(clients.table, ME).owners_done_at is not None
    assert not is_open(clients.table)
    assert sent(clients, at=20) == 0
    assert topic.owners == THREE


def test_the_step_says_that_owners_were_notified_however_often_it_is_called(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table)
    answers = [notify_owners(clients, ME, Clock(minutes(at)), minutes(at + 1.5)) for at in (14, 16)]
    assert answers == [{"state": "OWNERS_NOTIFIED", "sent": 3}, {"state": "OWNERS_NOTIFIED", "sent": 0}]


def test_a_runs_record_and_those_of_its_owners_expire(clients: OwnerClients) -> None:
    recorded(clients.table)
    sent(clients)
    kept = [each for each in items(clients.table) if each["pk"]["S"] == "EXECUTION#me"]
    assert sorted(each["sk"]["S"] for each in kept) == ["EXECUTION", "OWNER#payments", "OWNER#shop", "OWNER#unowned"]
    assert all(int(each["expires"]["N"]) > (minutes(12) + run_store.EXECUTION_KEPT).timestamp() - 1 for each in kept)


@pytest.mark.parametrize(
    "fields",
    [
        {"owner_message_count": 0},
        {"owner_message_count": None},
        {"owner_message_count": "3"},
        {"error": "Analysis.X", "sentence": "x"},
    ],
)
def test_where_no_message_is_due_the_run_is_closed_with_its_own(clients: OwnerClients, fields: dict[str, Any]) -> None:
    recorded(clients.table, **fields)
    assert not is_open(clients.table)
    assert sent(clients) == 0


def test_a_run_that_asked_for_silence_notifies_no_owner(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table, run_input={"notify": False})
    assert not is_open(clients.table)
    assert sent(clients) == 0
    assert topic.owners == []


def test_a_publish_that_failed_leaves_the_owner_and_those_behind_to_the_next_try_at_once(
    clients: OwnerClients, topic: OwnersTopic
) -> None:
    recorded(clients.table)
    topic.errors["shop"] = client_error("InternalError", 500, "Publish")
    with pytest.raises(ServiceUnavailableError):
        sent(clients)
    assert topic.owners == ["payments"]
    assert is_open(clients.table)
    assert sent(clients, at=14.1) == 2
    assert topic.owners == THREE


def test_a_refusal_of_the_topic_ends_the_try_with_the_first_owner(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table)
    for owner in THREE:
        topic.errors[owner] = client_error("AuthorizationError", 403, "Publish")
    with pytest.raises(AccessDeniedError):
        sent(clients)
    assert list(topic.errors) == THREE[1:]


def test_a_message_that_sns_will_never_take_keeps_no_other_owner_from_theirs(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table)
    topic.errors["payments"] = client_error("InvalidParameter", 400, "Publish")
    with pytest.raises(Exception, match="InvalidParameter"):
        sent(clients)
    assert topic.owners == ["shop", "unowned"]
    assert is_open(clients.table)


def test_an_owner_whom_another_function_notifies_now_is_left_to_it_and_the_others_are_not(
    clients: OwnerClients, topic: OwnersTopic
) -> None:
    recorded(clients.table)
    run_store.claim_owner(clients.table, ME, "shop", "another", minutes(14), minutes(16))
    with pytest.raises(NotificationInProgressError):
        sent(clients)
    assert topic.owners == ["payments", "unowned"]
    assert sent(clients, at=16.1) == 1
    assert topic.owners == ["payments", "unowned", "shop"]


def test_a_notifier_that_died_before_its_mark_is_repeated_with_the_same_message(
    clients: OwnerClients, topic: OwnersTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    recorded(clients.table, "shop")
    with monkeypatch.context() as dying:
        dying.setattr(run_store, "mark_owner_notified", die)
        with pytest.raises(SystemExit):
            sent(clients)
    assert sent(clients, at=20) == 1
    first, second = topic.published
    assert first == second


def test_a_claim_whose_answer_was_lost_is_the_callers_own(clients: OwnerClients) -> None:
    recorded(clients.table)
    for _ in range(2):
        assert run_store.claim_owner(clients.table, ME, "shop", "mine", minutes(14), minutes(16))
    run_store.mark_owner_notified(clients.table, ME, "shop", minutes(15))
    assert not run_store.claim_owner(clients.table, ME, "shop", "mine", minutes(15), minutes(16))


def test_a_function_begins_no_message_that_it_may_not_finish_and_the_next_try_goes_on(
    clients: OwnerClients, topic: OwnersTopic
) -> None:
    recorded(clients.table)
    clock = Clock(minutes(14), timedelta(seconds=9))
    with pytest.raises(NotificationInProgressError, match=r"not sent yet: [12]"):
        notify_owners(clients, ME, clock, minutes(14) + TIME_FOR_A_MESSAGE + timedelta(seconds=30))
    assert 0 < len(topic.owners) < 3
    sent(clients, at=20)
    assert topic.owners == THREE
    assert not is_open(clients.table)


def test_owners_who_were_notified_are_found_by_one_query_and_not_claimed_again(
    clients: OwnerClients, topic: OwnersTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(clients.table)
    topic.errors["unowned"] = client_error("InternalError", 500, "Publish")
    with pytest.raises(ServiceUnavailableError):
        sent(clients)
    claimed: list[str] = []
    claim = run_store.claim_owner

    def watched(table: Table, of: Any, owner: str, *rest: Any) -> bool:
        claimed.append(owner)
        return claim(table, of, owner, *rest)

    monkeypatch.setattr(run_store, "claim_owner", watched)
    sent(clients, at=16)
    assert claimed == ["unowned"]


HOSTILE: list[Any] = [
    "../x", "a/b", "", " ", "shop\n", "x" * 64, "OWNER#x", "a.b", "a.1234567", "a.123456789", ".12345678", "a.1234567G", None, 7, ["a"],
    {"a": 1}, "ä", "-a", "a#b",
]  # fmt: skip


@pytest.mark.parametrize("owner", HOSTILE, ids=repr)
def test_a_name_that_is_no_owners_becomes_no_key_and_is_reported(clients: OwnerClients, topic: OwnersTopic, owner: Any) -> None:
    recorded(clients.table, "shop", owner)
    with pytest.raises(NotRecordedError, match="1 entries name no owner"):
        sent(clients)
    assert topic.owners == ["shop"]
    assert sum(each["sk"]["S"].startswith("OWNER#") for each in items(clients.table)) == 1
    assert is_open(clients.table)


def test_an_owner_of_a_tags_value_is_one(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table, "team-a.0123abcd")
    assert sent(clients) == 1


def test_an_owner_who_is_there_twice_gets_one_message_and_that_is_reported(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table, "shop", "shop")
    with pytest.raises(NotRecordedError):
        sent(clients)
    assert topic.owners == ["shop"]


def test_no_more_owners_are_notified_than_a_run_may_have(clients: OwnerClients, topic: OwnersTopic) -> None:
    recorded(clients.table, *(f"team-{number:03}" for number in range(MOST_MESSAGES + 2)))
    with pytest.raises(NotRecordedError, match="2 entries"):
        sent(clients)
    assert len(topic.owners) == MOST_MESSAGES


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is not JSON"),
        (b'{"owners": ', "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        ([], "no list of owners"),
        ({"owners": {}}, "no list of owners"),
        ({}, "no list of owners"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(clients: OwnerClients, topic: OwnersTopic, content: object, why: str) -> None:
    recorded(clients.table)
    put_messages(content)
    with pytest.raises(NotRecordedError, match=why):
        sent(clients)
    assert topic.owners == []
    assert is_open(clients.table)


def test_a_file_that_is_too_long_is_not_read(clients: OwnerClients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MESSAGES_BYTES", 100)
    recorded(clients.table)
    with pytest.raises(NotRecordedError, match="at most 100 are read"):
        sent(clients)


@pytest.mark.parametrize("fields", [{"owners_key": None}, {"bucket": None}, {"owners_key": 7}])
def test_a_headline_that_does_not_say_where_they_are_is_explained(clients: OwnerClients, fields: dict[str, Any]) -> None:
    recorded(clients.table, **fields)
    with pytest.raises(NotRecordedError, match="did not say where"):
        sent(clients)


def test_owners_whose_messages_were_switched_off_meanwhile_get_none_and_the_record_says_so(
    clients: OwnerClients, topic: OwnersTopic
) -> None:
    recorded(clients.table)
    off = OwnerClients(config(OWNER_MESSAGES="OFF"), clients.table, clients.s3, clients.sns)
    assert sent(off) == 0
    assert topic.owners == []
    assert not is_open(clients.table)
    assert any("switched off" in note for note in run_store.load(clients.table, ME).notes)


def test_a_run_is_not_closed_before_its_own_notification(clients: OwnerClients) -> None:
    planned(clients.table, ME)
    put_messages({"owners": entries("shop")})
    run_store.note_analysis(clients.table, ME, headline(owners_key=KEY, owner_message_count=1))
    run_store.record(clients.table, ME, "SUCCEEDED", None, delivery(), minutes(12))
    sent(clients)
    assert is_open(clients.table)
    run_store.mark_notified(clients.table, ME, minutes(15), owners_due=True)
    assert sent(clients, at=16) == 0
    assert not is_open(clients.table)


def test_the_time_of_each_mark_is_that_of_its_message(clients: OwnerClients) -> None:
    recorded(clients.table)
    sent(clients)
    marks = [
        datetime.fromisoformat(each["notified_at"]["S"]) for each in items(clients.table) if each["sk"]["S"].startswith("OWNER#")
    ]
    assert len(set(marks)) == 3
