"""The summary: once a scheduled time, with one content, and whatever comes later in a supplement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from findings_exporter.aws import summary_store
from findings_exporter.aws.clients import SummaryClients
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import NotificationInProgressError
from findings_exporter.model.home_messages import HomeMessage, to_json
from findings_exporter.model.summary import GIVEN_UP, SUPPLEMENT_WAIT, Expected, ReportsSummary, SummaryLines
from findings_exporter.steps.summarize import SUMMARY_OVERDUE, Summarizer
from tests.builders.exporter import BUCKET, client, client_error, config, make_bucket
from tests.builders.summaries import EXPECTED, HOME, NOW, OTHER, TIME, ended, failed, start

DEADLINE = datetime.fromisoformat(TIME) + timedelta(hours=8)
WELL: list[HomeMessage] = [start(HOME), start(OTHER), ended(HOME), ended(OTHER)]


@dataclass
class Topic:
    """Keeps what is published; an error may wait for whoever comes next."""

    published: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    loses_answer: bool = False

    def publish(self, **request: Any) -> dict[str, Any]:
        if self.errors and not self.loses_answer:
            raise self.errors.pop()
        self.published.append(request)
        if self.errors:
            raise self.errors.pop()
        return {"MessageId": "1"}

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events for programs."""
        return [json.loads(json.loads(each["Message"])["default"]) for each in self.published]


@dataclass
class Now:
    """A clock that a test moves."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Home:
    """The home Region, at a time that a test moves."""

    def __init__(self, table: Table) -> None:
        make_bucket()
        self.topic, self.clock, self.table = Topic(), Now(), table
        deployment = config(
            HOME_REGION=HOME,
            REGIONS=f"{HOME},{OTHER}",
            STATE_MACHINE_ARN=f"arn:aws:states:{HOME}:111122223333:stateMachine:exporter-ExportFindings",
        )
        self.clients = SummaryClients(deployment, table, client("s3"), cast("Any", self.topic))
        self.page_error: Exception | None = None

    def summarizer(self) -> Summarizer:
        return Summarizer(self.clients, self._page, self.clock, self.clock.now + timedelta(seconds=90))

    def _page(self, summary: ReportsSummary, event: Mapping[str, Any], _: SummaryLines, __: datetime) -> str:
        if self.page_error:
            raise self.page_error
        return f"<p>{summary.scheduled_for} {event['level']}</p>"

    def begin(self) -> None:
        """Let home's own schedule begin the time."""
        summary_store.begin(self.table, TIME, Expected((HOME, OTHER), ("nightly",), by_home=True), DEADLINE)

    def take(self, *messages: HomeMessage | str) -> list[str]:
        """Let the queue deliver messages."""
        bodies = [each if isinstance(each, str) else to_json(each) for each in messages]
        return self.summarizer().collect([{"messageId": str(number), "body": body} for number, body in enumerate(bodies)])

    @property
    def states(self) -> list[dict[tuple[str, str], str]]:
        """What each message said of each report."""
        return [{(row["region"], row["report"]): row["state"] for row in event["reports"]} for event in self.topic.events]

    def open(self) -> list[str]:
        return summary_store.open_times(self.table)


@pytest.fixture
def home(table: Table) -> Home:
    """A home Region to which nothing has come."""
    return Home(table)


def test_as_soon_as_everything_has_come_one_message_is_sent_and_the_time_is_closed(home: Home) -> None:
    home.begin()
    assert home.take(*WELL[:3]) == []
    assert home.topic.published == []
    home.take(WELL[3])
    assert home.states == [{(HOME, "nightly"): "SUCCEEDED", (OTHER, "nightly"): "SUCCEEDED"}]
    assert home.open() == []
    page = client("s3").get_object(Bucket=BUCKET, Key="inspector/summaries/2026-11-30/0300/index.html")["Body"].read()
    assert page == f"<p>{TIME} NONE</p>".encode()


@pytest.mark.parametrize("order", [WELL, WELL[::-1], WELL * 2])
def test_the_order_and_copies_of_messages_change_nothing(home: Home, order: list[HomeMessage]) -> None:
    home.begin()
    for message in order:
        home.take(message)
    home.summarizer().hourly()
    assert home.states == [{(HOME, "nightly"): "SUCCEEDED", (OTHER, "nightly"): "SUCCEEDED"}]


def test_at_the_deadline_what_is_missing_is_named_and_what_comes_later_is_a_supplement(home: Home) -> None:
    home.begin()
    home.take(start(HOME), ended(HOME))
    home.clock.now = DEADLINE - timedelta(seconds=1)
    assert home.summarizer().hourly() == []
    home.clock.now = DEADLINE
    assert home.summarizer().hourly() == [TIME]
    assert home.states == [{(HOME, "nightly"): "SUCCEEDED", (OTHER, "nightly"): "SILENT"}]
    assert home.open() == [TIME]
    home.take(start(OTHER), failed(OTHER))
    assert home.states[1:] == [{(OTHER, "nightly"): "FAILED"}]
    assert home.open() == []
    assert len({event["notification_id"] for event in home.topic.events}) == 2


def test_a_supplement_waits_for_the_others_but_not_for_ever(home: Home) -> None:
    summary_store.begin(home.table, TIME, Expected((HOME, OTHER, "sa-east-1"), ("nightly",), by_home=True), DEADLINE)
    home.clock.now = DEADLINE
    home.summarizer().hourly()
    home.take(ended(OTHER))
    assert len(home.states) == 1
    home.clock.now = DEADLINE + SUPPLEMENT_WAIT
    home.summarizer().hourly()
    assert home.states[1] == {(OTHER, "nightly"): "SUCCEEDED", (HOME, "nightly"): "SILENT", ("sa-east-1", "nightly"): "SILENT"}


def test_a_message_that_comes_after_the_time_was_closed_is_in_a_supplement(home: Home) -> None:
    home.begin()
    home.take(*WELL)
    home.take(
        ended(HOME, execution="arn:a:b:again", started_at="2026-11-30T06:00:00+00:00", replaces=True, new=7, level="CHANGES")
    )
    assert home.topic.events[1]["totals"]["new"] == 7
    assert home.open() == []


def test_a_publisher_that_dies_sends_the_same_again_whatever_came_meanwhile(home: Home) -> None:
    home.begin()
    home.topic.errors, home.topic.loses_answer = [client_error("InternalError", 500)], True
    home.take(*WELL)
    home.take(ended(HOME, execution="arn:a:b:again", started_at="2026-11-30T06:00:00+00:00", replaces=True, new=7))
    home.summarizer().hourly()
    first, second, supplement = home.topic.events
    assert first == second
    assert supplement["supplement"] == 1


def test_a_second_copy_says_the_same_although_home_has_begun_the_time_meanwhile(home: Home) -> None:
    home.clock.now = DEADLINE
    home.topic.errors, home.topic.loses_answer = [client_error("InternalError", 500)], True
    home.take(start(OTHER))
    home.begin()
    home.summarizer().hourly()
    first, second = home.topic.events
    assert (first, first["begun_by_home"]) == (second, False)


def test_while_another_function_sends_it_no_second_one_does(home: Home) -> None:
    home.begin()
    for message in WELL:
        summary_store.keep(home.table, message)
    record = summary_store.find(home.table, TIME)
    assert record
    keys, until = [message.key for message in WELL], NOW + timedelta(minutes=2)
    summary_store.claim(home.table, record, EXPECTED, keys, "other", NOW, until)
    with pytest.raises(NotificationInProgressError):
        summary_store.claim(home.table, record, EXPECTED, [], "me", NOW, until)
    assert home.summarizer().hourly() == []
    home.clock.now = NOW + timedelta(minutes=3)
    assert home.summarizer().hourly() == [TIME]


def test_where_home_did_not_begin_a_time_it_is_summarized_at_the_deadline_and_counted_as_missing(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.take(start(OTHER), ended(OTHER))
    home.clock.now = datetime.fromisoformat(TIME) + SUMMARY_OVERDUE + timedelta(minutes=1)
    assert home.summarizer().hourly() == []
    assert '"SummariesMissing":[1' in capsys.readouterr().out.replace(" ", "")
    home.clock.now = DEADLINE
    home.summarizer().hourly()
    (event,) = home.topic.events
    assert not event["begun_by_home"]
    assert home.states == [{(HOME, "nightly"): "SILENT", (OTHER, "nightly"): "SUCCEEDED"}]


def test_what_is_no_message_comes_again_until_the_queue_puts_it_aside(home: Home) -> None:
    home.begin()
    assert home.take("no json", WELL[2], '{"type": "headline"}') == ["0", "2"]
    assert [sk for sk in _keys(home) if sk.startswith("HEADLINE#")] == [WELL[2].key]


def test_a_page_that_cannot_be_made_or_stored_does_not_stop_the_message(home: Home) -> None:
    home.begin()
    home.page_error = ValueError("template")
    home.take(*WELL)
    assert home.topic.events[0]["page_url"] is None


def test_a_topic_that_is_down_delays_the_message(home: Home) -> None:
    home.begin()
    home.topic.errors = [client_error("InternalError", 500)]
    home.take(*WELL)
    assert home.topic.published == []
    home.summarizer().hourly()
    assert len(home.topic.published) == 1


def test_after_fifteen_days_nothing_more_is_waited_for(home: Home) -> None:
    home.begin()
    home.clock.now = DEADLINE
    home.summarizer().hourly()
    home.clock.now = datetime.fromisoformat(TIME) + GIVEN_UP + timedelta(hours=1)
    home.summarizer().hourly()
    assert home.open() == []
    assert len(home.topic.published) == 1


def test_headlines_that_come_twice_give_one_message(home: Home) -> None:
    """Two hundred at once are in make faults (tests/faults/region_load.py)."""
    regions, reports = tuple(f"ap-southeast-{number}" for number in range(4)), tuple(f"r{number}" for number in range(10))
    summary_store.begin(home.table, TIME, Expected(regions, reports, by_home=True), DEADLINE)
    came = [ended(region, report) for region in regions for report in reports]
    for number in range(0, 80, 10):
        home.take(*(came * 2)[number : number + 10])
    (event,) = home.topic.events
    assert len(event["reports"]) == 40
    assert event["complete"]


def _keys(home: Home) -> list[str]:
    return [item["sk"]["S"] for item in home.table.client.scan(TableName=home.table.name)["Items"]]
