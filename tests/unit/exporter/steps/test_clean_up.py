"""What is left to do for executions that ended outside the workflow, by event and by hourly cleanup."""

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from findings_exporter import notification
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import CleanUpClients, Clients
from findings_exporter.aws.lock import EXECUTION_TIMEOUT, EXPIRY_MARGIN, Lock
from findings_exporter.model.errors import (
    AccessDeniedError,
    Failure,
    NotificationInProgressError,
    NotRecordedError,
    ServiceUnavailableError,
    StillCreatingError,
    StillRunningError,
)
from findings_exporter.model.execution import Execution
from findings_exporter.model.run import Outcome
from findings_exporter.steps import clean_up as module
from findings_exporter.steps.clean_up import Ended, clean_up, clean_up_event, execution_of, hourly_cleanup
from tests.builders.exporter import (
    ALARM_TOPIC,
    OTHER_ID,
    REPORT_ID,
    START,
    Clock,
    FakeInspector,
    FakeStates,
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
from tests.unit.exporter.steps.test_notify_owners import KEY as OWNERS_KEY
from tests.unit.exporter.steps.test_notify_owners import ME as OWNERS_RUN
from tests.unit.exporter.steps.test_notify_owners import entries, put_messages

ME, OTHER = execution("run-1"), execution("run-2")


@dataclass
class FakeTopic:
    """Keeps what is published."""

    published: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return self

    @property
    def notified(self) -> list[tuple[str, str]]:
        """Each notified outcome, with its execution's name."""
        events = [json.loads(json.loads(each["Message"])["default"]) for each in self.published]
        return [(event["execution"]["name"], event["outcome"]) for event in events]

    def get_topic_attributes(self, TopicArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        assert TopicArn == ALARM_TOPIC
        return {"Attributes": {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}}

    def publish(self, **request: Any) -> dict[str, Any]:
        if self.errors:
            raise self.errors.pop(0)
        self.published.append(request)
        return {"MessageId": "1"}


def cleaning(clients: Clients, topic: FakeTopic, states: FakeStates | None = None) -> CleanUpClients:
    """What a cleanup works with."""
    asked = (states or FakeStates()).client
    return CleanUpClients(clients.config, clients.table, clients.lock, clients.inspector, asked, topic.client, client("s3"))


@pytest.fixture
def topic() -> FakeTopic:
    """The topic."""
    return FakeTopic()


def ended(of: Execution = ME, status: str = "ABORTED", error: str = "", cause: str = "") -> Ended:
    """An execution that has ended."""
    return Ended(of, status, '{"a": 1}', error, cause)


def cleaned(clients: Clients, topic: FakeTopic, each: Ended | None = None, at: float = 30) -> str:
    """Clean up after my run."""
    return clean_up(cleaning(clients, topic), each or ended(), Clock(minutes(at)), minutes(at + 1))


def cleaned_up(clients: Clients, states: FakeStates, topic: FakeTopic, at: float = 60) -> list[str]:
    """Run the hourly cleanup."""
    return hourly_cleanup(cleaning(clients, topic, states), Clock(minutes(at)), minutes(at + 3))


def exporting(clients: Clients, inspector: FakeInspector, of: Execution = ME) -> None:
    """Leave a run behind in the middle of its report."""
    run = planned(clients.table, of)
    assert clients.lock.acquire(FakeStates().client, of, START) is None
    run_store.note_report(clients.table, of, REPORT_ID, minutes(1))
    inspector.put(REPORT_ID, "IN_PROGRESS", run.require_plan().destination.prefix)


def notified_with_its_report_running(clients: Clients, states: FakeStates, inspector: FakeInspector) -> None:
    """Leave a run that ended by itself and was notified, but could not cancel its report."""
    exporting(clients, inspector)
    clients.lock.release(ME, minutes(11))
    run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
    run_store.mark_notified(clients.table, ME, minutes(12))
    states.add(ME, "FAILED")


class TestEnded:
    @pytest.mark.parametrize(
        ("each", "failure"),
        [
            (ended(), Failure("Stopped", "The execution was stopped before it finished.")),
            (
                ended(error="Me", cause="had to"),
                Failure("Stopped", "The execution was stopped before it finished: Me: had to"),
            ),
            (
                ended(status="TIMED_OUT"),
                Failure("TimedOut", "The execution reached the time limit of the state machine before it finished."),
            ),
            (ended(status="FAILED", error="X", cause='{"errorMessage": "y"}'), Failure("X", "y")),
            (
                ended(status="FAILED"),
                Failure("Unknown", "The workflow ended with the error Unknown and gave no further information."),
            ),
        ],
    )
    def test_the_error_depends_on_how_it_ended(self, each: Ended, failure: Failure) -> None:
        assert each.failure == failure

    @pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
    def test_a_cause_of_any_length_is_cut(self, status: str) -> None:
        assert len(ended(status=status, error="x" * 256, cause="x" * 32_768).failure.cause) <= notification.CAUSE_CHARACTERS


class TestEvent:
    DETAIL = {  # noqa: RUF012
        "executionArn": ME.arn,
        "stateMachineArn": "arn",
        "name": "run-1",
        "status": "FAILED",
        "startDate": 1795402800123,
        "stopDate": 1795406400000,
        "input": None,
        "error": None,
        "cause": None,
    }

    def cleaned(self, clients: Clients, states: FakeStates, topic: FakeTopic, at: float = 30) -> str:
        """Clean up as the handler does."""
        of = execution_of(self.DETAIL)
        return clean_up_event(cleaning(clients, topic, states), of, Clock(minutes(at)), minutes(at + 1))

    def test_its_execution_is_read(self) -> None:
        assert execution_of(self.DETAIL) == Execution(ME.arn, START + timedelta(milliseconds=123))

    def test_how_the_execution_ended_is_asked_not_believed(self, clients: Clients, states: FakeStates, topic: FakeTopic) -> None:
        planned(clients.table, ME)
        states.add(ME, "TIMED_OUT")
        assert self.cleaned(clients, states, topic) == "CLEANED_UP"
        assert topic.notified == [("run-1", "TIMED_OUT")]
        assert self.cleaned(clients, states, topic) == "NOTHING_LEFT"

    def test_an_execution_that_runs_again_is_left_alone(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        states.add(ME)
        before = items(clients.table)
        with pytest.raises(StillRunningError, match="run-1 has not ended"):
            self.cleaned(clients, states, topic)
        assert items(clients.table) == before
        assert "cancel" not in inspector.calls


class TestCleanUp:
    @pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
    def test_everything_that_is_left_is_done(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector, status: str
    ) -> None:
        exporting(clients, inspector)
        assert cleaned(clients, topic, ended(status=status)) == "CLEANED_UP"
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
        assert clients.lock.holder() is None
        assert topic.notified == [("run-1", status)]
        assert run_store.load(clients.table, ME).notified_at

    def test_a_second_event_finds_nothing_left(self, clients: Clients, topic: FakeTopic, inspector: FakeInspector) -> None:
        exporting(clients, inspector)
        cleaned(clients, topic)
        before = items(clients.table)
        assert cleaned(clients, topic) == "NOTHING_LEFT"
        assert items(clients.table) == before
        assert len(topic.published) == 1

    def test_a_notified_run_that_holds_the_lock_is_released(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        assert cleaned(clients, topic) == "CLEANED_UP"
        assert clients.lock.holder() is None
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
        assert topic.published == []

    def test_a_recorded_outcome_is_notified_as_it_was_recorded(self, clients: Clients, topic: FakeTopic) -> None:
        planned(clients.table, ME)
        run_store.record(clients.table, ME, "SUCCEEDED", None, delivery(), minutes(12))
        assert cleaned(clients, topic, ended(status="FAILED", error="X")) == "CLEANED_UP"
        assert topic.notified == [("run-1", "SUCCEEDED")]

    def test_an_execution_that_was_never_written_down_is_recorded_and_notified(self, clients: Clients, topic: FakeTopic) -> None:
        assert cleaned(clients, topic, ended(status="FAILED", error="States.Runtime")) == "CLEANED_UP"
        run = run_store.load(clients.table, ME)
        assert (run.input, run.outcome) == ('{"a": 1}', "FAILED")
        assert topic.notified == [("run-1", "FAILED")]

    def test_another_runs_lock_and_report_are_left_alone(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector, OTHER)
        planned(clients.table, ME)
        cleaned(clients, topic)
        holder = clients.lock.holder()
        assert holder is not None
        assert holder.arn == OTHER.arn
        assert inspector.reports[REPORT_ID]["status"] == "IN_PROGRESS"

    def test_nothing_is_released_before_a_create_can_no_longer_land(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        clients.lock.mark_creating(ME, minutes(31), minutes(30))
        with pytest.raises(StillCreatingError):
            cleaned(clients, topic)
        assert clients.lock.holder() is not None
        assert topic.published == []
        run = run_store.load(clients.table, ME)
        assert (run.outcome, run.notes) == (None, ())
        assert cleaned(clients, topic, at=32) == "CLEANED_UP"

    def test_nothing_is_released_before_the_report_has_stopped(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        inspector.checks_to_cancel = 10_000
        with pytest.raises(StillRunningError):
            cleaned(clients, topic)
        assert clients.lock.holder() is not None

    @pytest.mark.parametrize("operation", ["status", "cancel"])
    @pytest.mark.parametrize(
        ("trouble", "raised"),
        [
            (client_error("AccessDeniedException", 403), AccessDeniedError),
            (client_error("InternalServerException", 500), ServiceUnavailableError),
            (client_error("SomethingNewException"), ClientError),
            (ReadTimeoutError(endpoint_url="https://inspector2"), ServiceUnavailableError),
        ],
        ids=["denied", "500", "another", "timeout"],
    )
    def test_a_run_is_notified_although_inspector_cannot_be_asked_and_released_when_it_can(
        self,
        clients: Clients,
        topic: FakeTopic,
        inspector: FakeInspector,
        operation: str,
        trouble: Exception,
        raised: type[Exception],
    ) -> None:
        exporting(clients, inspector)
        inspector.refuse(operation, trouble)
        with pytest.raises(raised) as error:
            cleaned(clients, topic)
        assert type(error.value) is raised
        run = run_store.load(clients.table, ME)
        note = (
            "The report of the run may still be in progress, or the run may still hold the lock: cleaning up failed"
            f" ({raised.__name__}). The hourly cleanup tries again."
        )
        assert (run.outcome, run.notified_at is not None, run.notes) == ("ABORTED", True, (note,))
        assert topic.notified == [("run-1", "ABORTED")]
        assert note in topic.published[0]["Message"]
        assert clients.lock.holder() is not None

        assert cleaned(clients, topic, at=40) == "CLEANED_UP"
        assert clients.lock.holder() is None
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
        assert cleaned(clients, topic, at=50) == "NOTHING_LEFT"
        assert len(topic.published) == 1

    def test_a_run_is_notified_although_its_report_does_not_stop(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        inspector.checks_to_cancel = 10_000
        with pytest.raises(StillRunningError):
            cleaned(clients, topic)
        assert topic.notified == [("run-1", "ABORTED")]
        assert "(StillRunningError)" in run_store.load(clients.table, ME).notes[0]

    @pytest.mark.parametrize("id_is_known", [True, False])
    def test_a_report_that_appears_between_reading_and_release_is_cancelled_too(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector, monkeypatch: pytest.MonkeyPatch, id_is_known: bool
    ) -> None:
        run = planned(clients.table, ME)
        clients.lock.acquire(FakeStates().client, ME, START)
        release = Lock.release

        def created_meanwhile(self: Lock, me: Execution, now: datetime) -> None:
            inspector.put(REPORT_ID, "IN_PROGRESS", run.require_plan().destination.prefix)
            if id_is_known:
                run_store.note_report(clients.table, ME, REPORT_ID, minutes(30))
            release(self, me, now)

        monkeypatch.setattr(Lock, "release", created_meanwhile)
        assert cleaned(clients, topic) == "CLEANED_UP"
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
        assert clients.lock.holder() is None

    def test_a_create_that_is_marked_between_reading_and_release_is_waited_for_before_the_notification(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exporting(clients, inspector)
        release = Lock.release

        def marked_meanwhile(self: Lock, me: Execution, now: datetime) -> None:
            self.mark_creating(me, minutes(31), now)
            release(self, me, now)

        monkeypatch.setattr(Lock, "release", marked_meanwhile)
        with pytest.raises(StillCreatingError):
            cleaned(clients, topic)
        assert clients.lock.holder() is not None
        assert topic.published == []

    @pytest.mark.parametrize("holder", [None, OTHER], ids=["free", "another's"])
    def test_nothing_is_left_of_a_notified_failure_whose_report_has_ended(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector, holder: Execution | None
    ) -> None:
        exporting(clients, inspector)
        inspector.reports[REPORT_ID]["status"] = "FAILED"
        clients.lock.release(ME, minutes(2))
        if holder:
            clients.lock.acquire(FakeStates().client, holder, minutes(3))
        run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        before = items(clients.table)
        assert cleaned(clients, topic) == "NOTHING_LEFT"
        assert "cancel" not in inspector.calls
        assert items(clients.table) == before
        assert topic.published == []

    @pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED"])
    def test_a_notified_runs_missing_line_in_the_history_is_written(
        self, clients: Clients, topic: FakeTopic, outcome: Outcome
    ) -> None:
        planned(clients.table, ME)
        failure = Failure("X", "x") if outcome == "FAILED" else None
        run_store.record(clients.table, ME, outcome, failure, None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        (line,) = list(clients.table.newest("REPORT#nightly"))
        key = {name: {"S": line[name]} for name in ("pk", "sk")}
        clients.table.client.delete_item(TableName=clients.table.name, Key=key)
        assert cleaned(clients, topic, ended(status="FAILED")) == "NOTHING_LEFT"
        assert list(clients.table.newest("REPORT#nightly")) == [line]

    @pytest.mark.parametrize("id_is_known", [True, False])
    def test_a_report_that_appeared_after_a_failure_was_notified_is_cancelled_at_once(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector, id_is_known: bool
    ) -> None:
        run = planned(clients.table, ME)
        run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        if id_is_known:
            run_store.note_report(clients.table, ME, REPORT_ID, minutes(13))
        inspector.put(REPORT_ID, "IN_PROGRESS", run.require_plan().destination.prefix)
        assert cleaned(clients, topic) == "CLEANED_UP"
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
        assert topic.published == []

    def test_a_notified_failure_whose_report_does_not_stop_is_tried_again(
        self, clients: Clients, topic: FakeTopic, states: FakeStates, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        inspector.checks_to_cancel = 10_000
        with pytest.raises(StillRunningError):
            cleaned(clients, topic)

    def test_a_notified_failure_of_an_account_without_inspector_is_not_tried_again(
        self, clients: Clients, topic: FakeTopic, states: FakeStates, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        inspector.refuse("status", client_error("AccessDeniedException", 403))
        assert cleaned(clients, topic) == "NOTHING_LEFT"

    def test_a_notified_failure_whose_report_cannot_be_cancelled_is_an_error(
        self, clients: Clients, topic: FakeTopic, states: FakeStates, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        inspector.refuse("cancel", client_error("AccessDeniedException", 403))
        with pytest.raises(AccessDeniedError):
            cleaned(clients, topic)

    @pytest.mark.parametrize("outcome", ["SUCCEEDED", "DUPLICATE"])
    def test_inspector_is_asked_nothing_for_a_run_that_ended_well(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector, outcome: Outcome
    ) -> None:
        planned(clients.table, ME)
        run_store.record(clients.table, ME, outcome, None, None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        assert cleaned(clients, topic) == "NOTHING_LEFT"
        assert inspector.calls == []

    def test_a_notification_in_progress_is_waited_for(self, clients: Clients, topic: FakeTopic) -> None:
        planned(clients.table, ME)
        run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
        run_store.claim_notification(clients.table, ME, "another", minutes(30), minutes(31))
        with pytest.raises(NotificationInProgressError):
            cleaned(clients, topic)

    def test_a_duplicate_that_was_recorded_is_not_notified(self, clients: Clients, topic: FakeTopic) -> None:
        planned(clients.table, ME)
        run_store.record(clients.table, ME, "DUPLICATE", None, None, minutes(1))
        assert cleaned(clients, topic) == "NOTHING_LEFT"
        assert topic.published == []


class TestHourlyCleanup:
    def test_an_unnotified_ended_run_is_cleaned_up(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        states.add(ME, "ABORTED", error="Me", cause="x")
        assert cleaned_up(clients, states, topic) == ["run-1"]
        assert clients.lock.holder() is None
        assert cleaned_up(clients, states, topic) == []
        assert topic.notified == [("run-1", "ABORTED")]

    def test_open_runs_are_notified_where_executions_cannot_be_listed(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        states.add(ME, "ABORTED")
        states.listing_refusal = client_error("AccessDeniedException", 400)
        with pytest.raises(AccessDeniedError):
            cleaned_up(clients, states, topic)
        assert topic.notified == [("run-1", "ABORTED")]
        assert clients.lock.holder() is None

    def test_a_running_run_is_left_alone(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        states.add(ME)
        before = items(clients.table)
        assert cleaned_up(clients, states, topic) == []
        assert items(clients.table) == before
        assert topic.published == []

    def test_the_locks_dead_holder_is_found_even_where_its_run_was_notified(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        states.add(ME, "FAILED")
        assert cleaned_up(clients, states, topic) == ["run-1"]
        assert clients.lock.holder() is None

    @pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
    def test_an_execution_that_was_never_written_down_is_found(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, status: str
    ) -> None:
        for number in range(5):
            states.add(execution(f"lost-{number}", minutes(number)), status)
        states.add(execution("long-ago", START - timedelta(days=3)), status)
        states.add(execution("succeeded"), "SUCCEEDED")
        assert sorted(cleaned_up(clients, states, topic)) == [f"lost-{number}" for number in range(5)]
        assert sorted(topic.notified) == [(f"lost-{number}", status) for number in range(5)]

    def test_one_run_that_cannot_be_cleaned_up_does_not_keep_the_others_from_it(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        inspector.checks_to_cancel = 10_000
        planned(clients.table, OTHER)
        for each in (ME, OTHER):
            states.add(each, "ABORTED")
        with pytest.raises(StillRunningError):
            cleaned_up(clients, states, topic)
        assert sorted(topic.notified) == [("run-1", "ABORTED"), ("run-2", "ABORTED")]

    @pytest.mark.parametrize(
        "wrong", [{"plan": "no JSON"}, {"plan": '{"of": "another time"}'}, {"failure": "no JSON"}, {"notified_at": "then"}]
    )
    def test_a_run_whose_record_cannot_be_read_is_notified_like_the_others(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, wrong: dict[str, str]
    ) -> None:
        for each in (ME, OTHER):
            planned(clients.table, each)
            states.add(each, "ABORTED")
        ((name, value),) = wrong.items()
        clients.table.update((f"EXECUTION#{ME.id}", "EXECUTION"), "SET #name = :value", {"#name": name}, {":value": value})
        cleaned_up(clients, states, topic)
        # A run is not notified twice, although the time of its notification is not known.
        names = ["run-2"] if name == "notified_at" else ["run-1", "run-2"]
        assert topic.notified == [(each, "ABORTED") for each in names]
        mails = [json.loads(each["Message"])["email"] for each in topic.published]
        assert [mail.startswith("This is a short message") for mail in mails] == [name == "plan", False][-len(mails) :]

    def test_nor_does_a_failed_one_that_was_closed_long_ago(self, clients: Clients, states: FakeStates, topic: FakeTopic) -> None:
        states.add(execution("lost"), "FAILED")
        planned(clients.table, ME)
        run_store.record(clients.table, ME, "FAILED", Failure("X", "x"), None, minutes(12))
        run_store.mark_notified(clients.table, ME, minutes(12))
        states.add(ME, "FAILED")
        clients.table.update((f"EXECUTION#{ME.id}", "EXECUTION"), "SET #plan = :plan", {"#plan": "plan"}, {":plan": "no JSON"})
        assert cleaned_up(clients, states, topic) == ["lost"]

    @pytest.mark.parametrize(
        ("refusal", "raised"),
        [
            (client_error("AccessDeniedException", 403), AccessDeniedError),
            (client_error("InternalError", 500), ServiceUnavailableError),
            (client_error("InvalidArn"), ClientError),
        ],
        ids=["denied", "500", "another"],
    )
    def test_nor_does_one_execution_that_step_functions_does_not_describe(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, refusal: ClientError, raised: type[Exception]
    ) -> None:
        for each in (ME, OTHER):
            planned(clients.table, each)
            states.add(each, "ABORTED")
        states.refusal, states.refused_arn = refusal, ME.arn
        with pytest.raises(raised) as error:
            cleaned_up(clients, states, topic)
        assert type(error.value) is raised
        assert topic.notified == [("run-2", "ABORTED")]

    def test_the_first_of_several_errors_is_raised_after_all_were_tried(
        self, clients: Clients, states: FakeStates, topic: FakeTopic
    ) -> None:
        late = execution("run-3", minutes(2))
        for each in (ME, execution("run-2", minutes(1)), late):
            planned(clients.table, each)
            states.add(each, "ABORTED")
        topic.errors.extend([client_error("AuthorizationError", 403), client_error("InternalError", 500)])
        with pytest.raises(AccessDeniedError):
            cleaned_up(clients, states, topic)
        assert topic.notified == [("run-3", "ABORTED")]

    @pytest.mark.parametrize(
        ("refusal", "raised"),
        [
            (client_error("AuthorizationError", 403), AccessDeniedError),
            (client_error("InvalidParameter"), type(client_error("InvalidParameter"))),
        ],
    )
    def test_nor_does_an_error_of_aws(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, refusal: Exception, raised: type[Exception]
    ) -> None:
        for each in (ME, OTHER):
            planned(clients.table, each)
            states.add(each, "ABORTED")
        topic.errors.append(refusal)
        with pytest.raises(raised):
            cleaned_up(clients, states, topic)
        assert len(topic.published) == 1

    def test_a_run_that_step_functions_no_longer_knows_is_closed_when_it_cannot_be_running(
        self, clients: Clients, states: FakeStates, topic: FakeTopic
    ) -> None:
        planned(clients.table, ME)
        surely_over = (EXECUTION_TIMEOUT + EXPIRY_MARGIN) / timedelta(minutes=1)
        assert cleaned_up(clients, states, topic, at=surely_over - 1) == []
        assert cleaned_up(clients, states, topic, at=surely_over + 1) == ["run-1"]
        assert topic.notified == [("run-1", "FAILED")]

    def test_a_notified_runs_report_that_blocks_others_is_cancelled_and_its_run_named(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        inspector.checks_to_cancel = 3
        assert cleaned_up(clients, states, topic) == ["run-1"]
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
        assert cleaned_up(clients, states, topic) == []
        assert topic.published == []

    def test_so_it_is_where_another_run_cannot_be_cleaned_up(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        planned(clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        topic.errors.append(client_error("AuthorizationError", 403))
        with pytest.raises(AccessDeniedError):
            cleaned_up(clients, states, topic)
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"

    def test_a_running_runs_report_in_progress_is_left_alone(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        states.add(ME)
        assert cleaned_up(clients, states, topic) == []
        assert "cancel" not in inspector.calls

    @pytest.mark.parametrize(
        "trouble",
        [
            client_error("AccessDeniedException", 403),
            client_error("InternalServerException", 500),
            client_error("SomethingNewException"),
            ReadTimeoutError(endpoint_url="https://inspector2"),
        ],
        ids=["denied", "500", "another", "timeout"],
    )
    def test_an_inspector_that_is_down_fails_no_hourly_cleanup_that_has_nothing_else_to_do(
        self,
        clients: Clients,
        states: FakeStates,
        topic: FakeTopic,
        inspector: FakeInspector,
        trouble: Exception,
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        inspector.refuse("current", trouble)
        assert cleaned_up(clients, states, topic) == []
        assert cleaned_up(clients, states, topic) == ["run-1"]

    def test_a_report_of_an_ended_run_that_cannot_be_cancelled_fails_the_hourly_cleanup_after_all_else(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        planned(clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        inspector.refuse("cancel", client_error("AccessDeniedException", 403))
        with pytest.raises(AccessDeniedError):
            cleaned_up(clients, states, topic)
        assert topic.notified == [(OTHER.name, "ABORTED")]
        assert cleaned_up(clients, states, topic) == ["run-1"]

    def test_a_report_in_progress_that_does_not_stop_in_time_is_left_to_the_next_hourly_cleanup(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        notified_with_its_report_running(clients, states, inspector)
        inspector.checks_to_cancel = 10_000
        assert cleaned_up(clients, states, topic) == []
        inspector.checks_to_cancel = 2
        assert cleaned_up(clients, states, topic) == ["run-1"]

    def test_an_external_report_in_progress_is_left_alone(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        planned(clients.table, ME)
        states.add(ME, "ABORTED")
        inspector.put(OTHER_ID, "IN_PROGRESS", "console/")
        cleaned_up(clients, states, topic)
        assert "cancel" not in inspector.calls


class TestBounds:
    """An hourly cleanup does what is useful first, in its time, and the next one goes on where it stopped."""

    def failed_and_notified(self, clients: Clients, states: FakeStates, count: int) -> None:
        """Let others' executions have failed and been notified, each after the one before."""
        for number in range(count):
            each = execution(f"failed-{number}", minutes(number / 60))
            run_store.open_run(clients.table, each, "{}")
            run_store.mark_notified(clients.table, each, minutes(2))
            states.add(each, "FAILED")

    def test_open_runs_and_the_locks_holder_come_before_any_failed_execution_is_asked_for(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exporting(clients, inspector)
        states.add(ME, "ABORTED")
        asked: list[tuple[list[tuple[str, str]], bool]] = []
        listed = FakeStates.list_executions

        def noted(self: FakeStates, **request: Any) -> dict[str, Any]:
            asked.append((topic.notified, clients.lock.holder() is None))
            return listed(self, **request)

        monkeypatch.setattr(FakeStates, "list_executions", noted)
        cleaned_up(clients, states, topic)
        assert asked[0] == ([("run-1", "ABORTED")], True)

    def test_any_number_of_failed_executions_is_checked_in_bounded_hourly_cleanups_the_newest_each_time(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAGES_AT_ONCE", 5)
        self.failed_and_notified(clients, states, 60)
        states.add(execution("lost", START - timedelta(minutes=1)), "FAILED")
        hourly_cleanups = 0
        while not topic.notified:
            states.listed.clear()
            states.add(execution(f"just-lost-{hourly_cleanups}", minutes(5 + hourly_cleanups)), "TIMED_OUT")
            hourly_cleanups += 1
            result = cleaned_up(clients, states, topic, at=60 * hourly_cleanups)
            assert f"just-lost-{hourly_cleanups - 1}" in result
            topic.published = [each for each in topic.published if "just-lost" not in each["Message"]]
            assert len(states.listed) <= 3 + 5
        assert topic.notified == [("lost", "FAILED")]
        assert hourly_cleanups == 6
        # Seen to its end, it begins with the newest.
        cleaned_up(clients, states, topic, at=60 * hourly_cleanups)
        assert run_store.cleanup_mark(clients.table) == run_store.CleanupMark()

    def test_a_remembered_page_that_no_longer_exists_does_not_end_the_listing(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAGES_AT_ONCE", 1)
        self.failed_and_notified(clients, states, 8)
        cleaned_up(clients, states, topic)
        states.forgotten_token = run_store.cleanup_mark(clients.table).token
        assert states.forgotten_token
        monkeypatch.setattr(module, "PAGES_AT_ONCE", 50)
        states.add(execution("lost", START - timedelta(minutes=1)), "FAILED")
        assert cleaned_up(clients, states, topic) == ["lost"]

    @pytest.mark.parametrize(("hours", "expected"), [(47.9, ["lost"]), (48.1, [])])
    def test_an_execution_that_was_never_written_down_is_searched_for_two_days(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, hours: float, expected: list[str]
    ) -> None:
        states.add(execution("lost"), "FAILED")
        assert cleaned_up(clients, states, topic, at=60 * hours) == expected

    def test_an_hourly_cleanup_stops_in_time_says_so_and_the_next_one_begins_with_the_rest(
        self,
        clients: Clients,
        states: FakeStates,
        topic: FakeTopic,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        open_runs = [execution(f"run-{number}", minutes(number)) for number in range(12)]
        for each in open_runs:
            planned(clients.table, each)
            states.add(each, "ABORTED")
        seen: list[set[str]] = []
        asked: set[str] = set()
        # None of them is closed: so that the same ones would be tried each time.
        monkeypatch.setattr(module, "clean_up", lambda _, ended, *__, **___: asked.add(ended.execution.name))
        for hour in (1, 2, 3, 4):
            asked.clear()
            clock = Clock(minutes(60 * hour), timedelta(seconds=6))
            hourly_cleanup(cleaning(clients, topic, states), clock, minutes(60 * hour + 2.5))
            assert clock.time < minutes(60 * hour + 2.5)
            assert asked
            seen.append({*asked})
        assert "goes on from there" in caplog.text
        assert set.union(*seen) == {each.name for each in open_runs}
        assert not seen[0] & seen[1]

    def test_more_open_runs_than_are_read_at_once_are_reached_by_the_next_hourly_cleanups(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_store, "OPEN_AT_ONCE", 2)
        for number in range(4):
            planned(clients.table, execution(f"alive-{number}", minutes(number)))
            states.add(execution(f"alive-{number}", minutes(number)))
        last = execution("run-4", minutes(4))
        planned(clients.table, last)
        states.add(last, "ABORTED")
        assert [cleaned_up(clients, states, topic, at=60 * hour) for hour in (1, 2, 3)] == [[], [], ["run-4"]]

    def test_a_report_that_does_not_stop_takes_no_more_than_its_share_of_the_time(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        inspector.checks_to_cancel = 10_000
        planned(clients.table, OTHER)
        for each in (ME, OTHER):
            states.add(each, "ABORTED")
        clock = Clock(minutes(60))
        with pytest.raises(StillRunningError):
            hourly_cleanup(cleaning(clients, topic, states), clock, minutes(62.5))
        assert sorted(topic.notified) == [("run-1", "ABORTED"), ("run-2", "ABORTED")]
        assert clock.time < minutes(61.5)

    def test_an_event_leaves_the_time_to_notify_although_the_report_does_not_stop(
        self, clients: Clients, topic: FakeTopic, inspector: FakeInspector
    ) -> None:
        exporting(clients, inspector)
        inspector.checks_to_cancel = 10_000
        clock = Clock(minutes(30))
        with pytest.raises(StillRunningError):
            clean_up(cleaning(clients, topic), ended(), clock, minutes(32.5))
        assert topic.notified == [("run-1", "ABORTED")]
        assert minutes(31.5) < clock.time < minutes(32.5) - timedelta(seconds=10)


def test_the_longest_cause_can_be_notified(clients: Clients, topic: FakeTopic) -> None:
    planned(clients.table, ME)
    cleaned(clients, topic, ended(cause="💥" * 32_768))
    (published,) = topic.published
    assert len(published["Message"].encode()) < 256 * 1024
    assert published["TopicArn"] == config().topic_arn


@pytest.mark.parametrize("report", ["nightly", ""])
def test_an_hourly_cleanup_counts_an_hour_in_which_a_success_is_expected_even_when_it_fails_later(
    report: str, clients: Clients, states: FakeStates, topic: FakeTopic, capsys: pytest.CaptureFixture[str]
) -> None:
    states.listing_refusal = client_error("AccessDeniedException", 403)
    expecting = replace(clients, config=config(EXPECTED_REPORT=report))
    with pytest.raises(AccessDeniedError):
        cleaned_up(expecting, states, topic)
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    assert [(line["report"], line["RegularExportsSucceeded"]) for line in counted] == ([("nightly", [0.0])] if report else [])


class TestOwners:
    """Messages to owners that the workflow did not send."""

    @staticmethod
    def waiting(clients: Clients, *owners: str, at: float = 12, notified: bool = True) -> Clients:
        """Leave a notified success behind whose owners were not notified; return the clients that would."""
        notifying = replace(clients, config=config(OWNER_MESSAGES="ALL"))
        make_bucket()
        put_messages({"owners": entries(*owners)})
        planned(clients.table, OWNERS_RUN)
        run_store.note_analysis(clients.table, OWNERS_RUN, headline(owners_key=OWNERS_KEY, owner_message_count=len(owners)))
        run_store.record(clients.table, OWNERS_RUN, "SUCCEEDED", None, delivery(), minutes(at))
        if notified:
            run_store.mark_notified(clients.table, OWNERS_RUN, minutes(at + 1), owners_due=True)
        return notifying

    @staticmethod
    def owners(topic: FakeTopic) -> list[str]:
        """The owners that were notified, in order."""
        attributes = [each["MessageAttributes"] for each in topic.published]
        return [each["owner"]["StringValue"] for each in attributes if "owner" in each]

    @pytest.mark.parametrize("status", ["SUCCEEDED", "ABORTED", "FAILED", "TIMED_OUT"])
    def test_the_hourly_cleanup_sends_what_is_missing_of_a_run_that_has_ended(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, status: str
    ) -> None:
        notifying = self.waiting(clients, "payments", "shop")
        states.add(OWNERS_RUN, status)
        assert cleaned_up(notifying, states, topic) == ["me"]
        assert self.owners(topic) == ["payments", "shop"]
        assert run_store.open_runs(clients.table) == []
        assert cleaned_up(notifying, states, topic, at=120) == []
        assert len(topic.published) == 2

    def test_a_run_that_still_works_notifies_its_owners_itself(
        self, clients: Clients, states: FakeStates, topic: FakeTopic
    ) -> None:
        notifying = self.waiting(clients, "shop")
        states.add(OWNERS_RUN)
        assert cleaned_up(notifying, states, topic) == []
        assert topic.published == []

    def test_a_run_that_was_stopped_before_its_notification_has_both_sent_its_own_first(
        self, clients: Clients, topic: FakeTopic
    ) -> None:
        notifying = self.waiting(clients, "shop", notified=False)
        assert cleaned(notifying, topic, ended(OWNERS_RUN)) == "CLEANED_UP"
        assert ["owner" in each["MessageAttributes"] for each in topic.published] == [False, True]
        assert run_store.open_runs(clients.table) == []

    def test_an_owners_topic_that_refuses_keeps_no_other_run_from_its_notification(
        self, clients: Clients, states: FakeStates, topic: FakeTopic
    ) -> None:
        notifying = self.waiting(clients, "shop")
        states.add(OWNERS_RUN, "SUCCEEDED")
        planned(clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        topic.errors.append(client_error("AuthorizationError", 403, "Publish"))
        with pytest.raises(AccessDeniedError):
            cleaned_up(notifying, states, topic)
        assert len(topic.published) == 1  # the one that came second
        cleaned_up(notifying, states, topic, at=120)
        assert self.owners(topic) == ["shop"]
        assert run_store.open_runs(clients.table) == []

    @pytest.mark.parametrize(("hours", "is_open"), [(47.5, True), (48.5, False)])
    def test_what_cannot_be_sent_is_tried_for_two_days_and_then_given_up_with_a_note(
        self, clients: Clients, states: FakeStates, topic: FakeTopic, hours: float, is_open: bool
    ) -> None:
        notifying = self.waiting(clients, "shop", at=0)
        put_messages(b"broken")
        states.add(OWNERS_RUN, "SUCCEEDED")
        if is_open:
            with pytest.raises(NotRecordedError):
                cleaned_up(notifying, states, topic, at=hours * 60)
        else:
            cleaned_up(notifying, states, topic, at=hours * 60)
        assert bool(run_store.open_runs(clients.table)) is is_open
        notes = run_store.load(clients.table, OWNERS_RUN).notes
        assert any("48 hours of tries failed (NotRecordedError)" in note for note in notes) is not is_open

    def test_many_owners_take_no_more_than_their_share_of_an_hourly_cleanup_and_the_next_one_goes_on(
        self, clients: Clients, states: FakeStates, topic: FakeTopic
    ) -> None:
        notifying = self.waiting(clients, *(f"team-{number}" for number in range(30)))
        states.add(OWNERS_RUN, "SUCCEEDED")
        with pytest.raises(NotificationInProgressError):  # the clock goes on a second at each look
            cleaned_up(notifying, states, topic)
        sent = len(topic.published)
        assert 0 < sent < 15
        for at in range(120, 600, 60):
            with suppress(NotificationInProgressError):
                cleaned_up(notifying, states, topic, at=at)
        assert sorted(self.owners(topic)) == sorted(f"team-{number}" for number in range(30))
        assert run_store.open_runs(clients.table) == []
