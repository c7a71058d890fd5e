"""The start of all reports of a Region: claimed once, said home, and finished whatever becomes of it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from findings_exporter.aws import outbox, start_store, summary_store
from findings_exporter.aws.clients import Home, ReportsClients
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.model.home_messages import HomeMessage, ReportHeadline, StartNotice, from_json
from findings_exporter.steps.finish_reports import finish_ended, finish_reports
from findings_exporter.steps.plan_reports import plan_reports
from tests.builders.exporter import ACCOUNT, BUCKET, REGION, START, FakeStates, client, config, execution, make_bucket

SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"
SCHEDULED = {"schedule": {"scheduled_for": START.isoformat(), "arn": SCHEDULE}}
TWO = [{"name": "nightly"}, {"name": "weekly", "format": "CSV"}]
KEY = "inspector/config/reports.json"


@dataclass
class Queue:
    """The home Region's queue; it may be down."""

    bodies: list[str] = field(default_factory=list)
    is_down: bool = False

    def send_message(self, QueueUrl: str, MessageBody: str) -> dict[str, Any]:  # noqa: N803
        if self.is_down:
            raise EndpointConnectionError(endpoint_url=QueueUrl)
        self.bodies.append(MessageBody)
        return {"MessageId": "1"}

    @property
    def messages(self) -> list[HomeMessage]:
        """What came, as home reads it."""
        return [from_json(body, START) for body in self.bodies]


@pytest.fixture
def queue() -> Queue:
    """A home Region that is up."""
    return Queue()


@pytest.fixture
def reports(table: Table, states: FakeStates, queue: Queue) -> ReportsClients:
    """What a start needs, in a Region that is its own home."""
    make_bucket()
    return of(config(REPORTS="FILE"), table, states, queue)


def of(deployment: Config, table: Table, states: FakeStates, queue: Queue) -> ReportsClients:
    return ReportsClients(
        deployment, table, client("s3"), states.client, Home(cast("Any", queue), "https://sqs/queue", lambda: START)
    )


def put(content: object) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=body)


def start(name: str = "start-1") -> Execution:
    return Execution(execution(name).arn.replace("ExportFindings", "ExportAllReports"), START)


class TestPlan:
    def test_each_report_gets_its_input_and_a_fixed_name(self, reports: ReportsClients) -> None:
        put(TWO)
        first, again = (plan_reports(reports, start(), SCHEDULED, START) for _ in range(2))
        assert first == again
        assert [each["name"] for each in first["reports"]] == ["nightly", "weekly"]
        assert first["reports"][1]["input"] == {
            "report": {"name": "weekly", "format": "CSV"},
            "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": start().arn,
            **SCHEDULED,
        }

    def test_home_is_sent_a_notice_and_what_is_expected_is_frozen(self, reports: ReportsClients, queue: Queue) -> None:
        put(TWO)
        plan_reports(reports, start(), SCHEDULED, START)
        (notice,) = queue.messages
        assert isinstance(notice, StartNotice)
        assert (notice.region, notice.state, notice.reports, notice.notes) == (REGION, "STARTED", ("nightly", "weekly"), ())
        record = summary_store.find(reports.table, START.isoformat())
        assert record
        assert record.expected
        assert record.expected.pairs == [(REGION, "nightly"), (REGION, "weekly")]
        assert record.deadline_at == START + timedelta(hours=8)

    def test_what_is_expected_is_not_changed_by_a_later_start(self, reports: ReportsClients) -> None:
        put(TWO)
        plan_reports(reports, start(), SCHEDULED, START)
        put(TWO[:1])
        plan_reports(reports, start(), SCHEDULED, START)
        record = summary_store.find(reports.table, START.isoformat())
        assert record
        assert record.expected
        assert record.expected.reports == ("nightly", "weekly")

    def test_a_second_delivery_starts_nothing(self, reports: ReportsClients, queue: Queue) -> None:
        put(TWO)
        plan_reports(reports, start("a"), SCHEDULED, START)
        assert plan_reports(reports, start("b"), SCHEDULED, START) == {"state": "DUPLICATE", "of": start("a").arn}
        assert len(queue.bodies) == 1

    def test_a_start_that_finds_the_one_before_at_work_says_so(
        self, reports: ReportsClients, states: FakeStates, queue: Queue
    ) -> None:
        put(TWO)
        plan_reports(reports, states.add(start("a")), SCHEDULED, START)
        later = {"schedule": {"scheduled_for": (START + timedelta(minutes=4)).isoformat(), "arn": SCHEDULE}}
        assert plan_reports(reports, start("b"), later, START)["state"] == "PREVIOUS_RUNNING"
        assert [getattr(each, "state", "") for each in queue.messages] == ["STARTED", "PREVIOUS_RUNNING"]

    def test_a_start_before_that_has_ended_does_not_block(self, reports: ReportsClients, states: FakeStates) -> None:
        put(TWO)
        plan_reports(reports, states.add(start("a"), "FAILED"), SCHEDULED, START)
        later = {"schedule": {"scheduled_for": (START + timedelta(minutes=4)).isoformat(), "arn": SCHEDULE}}
        assert plan_reports(reports, start("b"), later, START)["state"] == "PLANNED"

    @pytest.mark.parametrize(
        ("content", "said"), [(None, "There is no"), (b"[", "cannot be used"), ([{"name": "a/b"}], "cannot be used")]
    )
    def test_a_file_that_cannot_be_used_is_a_note_and_the_parameters_report_is_exported(
        self, reports: ReportsClients, queue: Queue, content: Any, said: str
    ) -> None:
        if content is not None:
            put(content)
        planned = plan_reports(reports, start(), SCHEDULED, START)
        assert [each["name"] for each in planned["reports"]] == ["nightly"]
        (notice,) = queue.messages
        assert isinstance(notice, StartNotice)
        assert said in notice.notes[0]

    @pytest.mark.parametrize("content", [None, b"[", [{"name": "a/b"}]])
    def test_what_the_file_listed_is_still_expected_where_it_cannot_be_used(self, reports: ReportsClients, content: Any) -> None:
        put(TWO)
        before = {"schedule": {"scheduled_for": (START - timedelta(hours=1)).isoformat(), "arn": SCHEDULE}}
        plan_reports(reports, start("a"), before, START)
        client("s3").delete_object(Bucket=BUCKET, Key=KEY)
        if content is not None:
            put(content)
        plan_reports(reports, start("b"), SCHEDULED, START)
        record = summary_store.find(reports.table, START.isoformat())
        assert record
        assert record.expected
        assert record.expected.reports == ("nightly", "weekly")
        assert start_store.missing_reports(reports.table, START + timedelta(days=2), timedelta(hours=26)) == ["nightly", "weekly"]

    def test_a_wrong_parameter_is_left_to_the_report_s_own_run_which_is_heard_of(
        self, table: Table, states: FakeStates, queue: Queue
    ) -> None:
        clients = of(
            config(REPORTS="ONE", HOME_REGION=REGION, REGIONS=REGION, FILTER_CRITERIA='{"severty": []}'), table, states, queue
        )
        assert plan_reports(clients, start(), SCHEDULED, START)["state"] == "PLANNED"

    def test_some_reports_by_hand_are_no_scheduled_time(self, reports: ReportsClients, queue: Queue) -> None:
        put(TWO)
        planned = plan_reports(reports, start(), {"reports": ["weekly"], "Comment": "x"}, START)
        assert [each["name"] for each in planned["reports"]] == ["weekly"]
        assert queue.bodies == []

    @pytest.mark.parametrize(
        "run_input",
        [[], "x", {"reports": []}, {"reports": ["monthly"]}, {"reports": "weekly"}, {"report": {}}, {"schedule": {"x": 1}}],
    )
    def test_a_wrong_input_is_refused(self, reports: ReportsClients, run_input: Any) -> None:
        put(TWO)
        answer = plan_reports(reports, start(), run_input, START)
        assert (answer["state"], answer["failure"]["error"]) == ("FAILED", "InvalidInput")
        assert start_store.open_starts(reports.table) == []


class TestFinish:
    def test_a_report_that_never_began_is_said_and_one_that_did_says_so_itself(
        self, reports: ReportsClients, states: FakeStates, queue: Queue
    ) -> None:
        put(TWO)
        planned = plan_reports(reports, start(), SCHEDULED, START)
        states.add(execution(planned["reports"][0]["execution"]), "FAILED")
        results = [
            {"name": "nightly", "error": "States.TaskFailed", "cause": "x"},
            {"name": "weekly", "error": "Denied", "cause": "no right"},
        ]
        assert finish_reports(reports, start(), results, START) == {"state": "REPORTS_FAILED", "failed": ["nightly", "weekly"]}
        (headline,) = (each for each in queue.messages if isinstance(each, ReportHeadline))
        assert (headline.report, headline.outcome, headline.error, headline.cause) == (
            "weekly",
            "NOT_STARTED",
            "Denied",
            "no right",
        )
        assert start_store.open_starts(reports.table) == []

    def test_a_start_that_was_stopped_is_finished_by_the_hourly_cleanup(
        self, reports: ReportsClients, states: FakeStates, queue: Queue
    ) -> None:
        put(TWO)
        plan_reports(reports, states.add(start()), SCHEDULED, START)
        assert finish_ended(reports, START) == []
        states.add(start(), "ABORTED")
        assert finish_ended(reports, START) == ["start-1"]
        reports.home.send_all(reports.table)
        said = [(each.outcome, each.cause) for each in queue.messages if isinstance(each, ReportHeadline)]
        assert said == [("NOT_STARTED", "The start ended before this report began.")] * 2

    def test_by_hand_nothing_is_said_home(self, reports: ReportsClients, queue: Queue) -> None:
        put(TWO)
        plan_reports(reports, start(), {}, START)
        assert finish_reports(reports, start(), [], START) == {"state": "FINISHED"}
        assert queue.bodies == []


class TestOutbox:
    def test_a_home_that_is_down_loses_nothing_and_fails_nothing(self, reports: ReportsClients, queue: Queue) -> None:
        put(TWO)
        queue.is_down = True
        assert plan_reports(reports, start(), SCHEDULED, START)["state"] == "PLANNED"
        assert reports.home.send_all(reports.table) == 1
        queue.is_down = False
        assert reports.home.send_all(reports.table) == 0
        assert len(queue.bodies) == 1
        assert list(reports.table.beginning_with(outbox.OUTBOX)) == []

    def test_it_sends_until_its_time_is_over(self, reports: ReportsClients, queue: Queue) -> None:
        put(TWO)
        queue.is_down = True
        plan_reports(reports, start(), SCHEDULED, START)
        queue.is_down = False
        assert reports.home.send_all(reports.table, timedelta(seconds=-1)) == 1
        assert queue.bodies == []


def test_what_is_missing_is_what_has_not_succeeded_on_schedule(reports: ReportsClients) -> None:
    put(TWO)
    plan_reports(reports, start(), SCHEDULED, START)
    now, day = datetime(2026, 11, 24, 5, tzinfo=UTC), timedelta(hours=26)
    assert start_store.missing_reports(reports.table, now, day) == ["nightly", "weekly"]
    line: dict[str, str | int] = {"outcome": "SUCCEEDED", "scheduled": 1}
    reports.table.put({"pk": "REPORT#nightly", "sk": f"RUN#{(now - timedelta(hours=1)).isoformat()}#a", **line})
    reports.table.put(
        {"pk": "REPORT#weekly", "sk": f"RUN#{(now - timedelta(hours=1)).isoformat()}#a", **line, "outcome": "FAILED"}
    )
    reports.table.put({"pk": "REPORT#weekly", "sk": f"RUN#{(now - timedelta(hours=30)).isoformat()}#a", **line})
    assert start_store.missing_reports(reports.table, now, day) == ["weekly"]
    replaced = {"pk": "REPORT#weekly", "sk": f"RUN#{now.isoformat()}#b", **line, "scheduled": 0}
    reports.table.put(replaced)
    assert start_store.missing_reports(reports.table, now, day) == ["weekly"]
    reports.table.put(replaced | {"replaces": START.isoformat()})
    assert start_store.missing_reports(reports.table, now, day) == []


def test_a_report_is_missing_only_after_it_was_expected_for_so_long(table: Table) -> None:
    day, at = timedelta(hours=26), [START + timedelta(hours=hours) for hours in (0, 24, 27, 49, 51)]
    start_store.expect_first(table, "nightly", at[0])
    start_store.keep_reports(table, ["nightly", "weekly"], at[1])
    start_store.expect_first(table, "another", at[1])
    missing = [start_store.missing_reports(table, each, day) for each in at]
    assert missing == [[], [], ["nightly"], ["nightly"], ["nightly", "weekly"]]
    start_store.keep_reports(table, ["weekly"], at[4])
    start_store.keep_reports(table, ["weekly", "nightly"], at[4])
    assert start_store.missing_reports(table, at[4], day) == ["weekly"]


def test_a_report_that_was_kept_without_a_time_counts_as_long_expected(table: Table) -> None:
    table.put({"pk": "REPORTS", "sk": "REPORTS", "names": '["nightly"]'})
    assert start_store.missing_reports(table, START, timedelta(hours=26)) == ["nightly"]
    start_store.keep_reports(table, ["nightly"], START)
    assert start_store.missing_reports(table, START, timedelta(hours=26)) == ["nightly"]
