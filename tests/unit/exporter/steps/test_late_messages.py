"""Whatever a Region has said is in a message about its scheduled time: also what comes while one is sent, or was sent."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from findings_exporter.aws import summary_store
from findings_exporter.aws.clients import SummaryClients
from findings_exporter.aws.table import Table
from findings_exporter.model.home_messages import HomeMessage, to_json
from findings_exporter.model.summary import SUPPLEMENT_WAIT, Expected
from findings_exporter.steps.summarize import Summarizer
from tests.builders.exporter import config
from tests.builders.summaries import HOME, NOW, OTHER, TIME, ended, failed, start

if TYPE_CHECKING:
    from findings_exporter.model.config import Config

DEADLINE = NOW + timedelta(hours=6)
MACHINE = f"arn:aws:states:{HOME}:123456789012:stateMachine:findings-ExportFindings"
NEVER_BEGAN = failed(OTHER, outcome="NOT_STARTED", execution="arn:x:in-flight")
BEGAN_AFTER_ALL = ended(OTHER, execution="arn:x:in-flight")


@dataclass
class Topic:
    """SNS: keeps what is published, after it did what happens meanwhile."""

    meanwhile: Callable[[], None] = lambda: None
    published: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, **message: Any) -> None:
        """Publish a message about a scheduled time."""
        self.meanwhile()
        self.published.append(json.loads(json.loads(message["Message"])["default"]))

    def put_object(self, **_: Any) -> None:
        """Keep the page."""

    @property
    def said(self) -> list[dict[tuple[str, str], str]]:
        """What each message says of each report."""
        return [{(row["region"], row["report"]): row["state"] for row in each["reports"]} for each in self.published]


class Home:
    """The home Region, whose schedule has begun the scheduled time."""

    def __init__(self, table: Table, topic: Topic, *reports: str) -> None:
        self.table, self.topic, self.now = table, topic, NOW
        self.config: Config = config(HOME_REGION=HOME, REGIONS=f"{HOME},{OTHER}", STATE_MACHINE_ARN=MACHINE)
        summary_store.begin(table, TIME, Expected((HOME, OTHER), reports or ("nightly",), by_home=True), DEADLINE)

    def summarizer(self) -> Summarizer:
        """A function that begins now."""
        clients = SummaryClients(self.config, self.table, cast("Any", self.topic), cast("Any", self.topic))
        return Summarizer(clients, lambda *_: "<html></html>", lambda: self.now, self.now + timedelta(seconds=90))

    def hears(self, *messages: HomeMessage) -> None:
        """The queue gives messages to a function."""
        records = [{"messageId": str(number), "body": to_json(each)} for number, each in enumerate(messages)]
        assert self.summarizer().collect(records) == []

    def hour(self, after: timedelta = timedelta(hours=1)) -> None:
        """The hourly call comes."""
        self.now += after
        self.summarizer().hourly()

    @property
    def is_open(self) -> bool:
        """Whether the hourly call still looks at the scheduled time."""
        return summary_store.open_times(self.table) == [TIME]


@pytest.fixture
def topic() -> Topic:
    """The topic, to which nothing was published."""
    return Topic()


@pytest.fixture
def home(table: Table, topic: Topic) -> Home:
    """Home, with one report."""
    return Home(table, topic)


def test_a_run_that_began_after_all_is_said_though_it_comes_while_the_summary_is_sent(home: Home, topic: Topic) -> None:
    def meanwhile() -> None:
        topic.meanwhile = lambda: None
        home.hears(BEGAN_AFTER_ALL)

    topic.meanwhile = meanwhile
    home.hears(start(), start(OTHER), ended(), NEVER_BEGAN)
    home.hour()
    assert topic.said == [{(OTHER, "nightly"): "NOT_STARTED", (HOME, "nightly"): "SUCCEEDED"}, {(OTHER, "nightly"): "SUCCEEDED"}]
    assert not home.is_open


def test_what_comes_while_the_topic_refuses_the_summary_is_said_in_a_supplement(home: Home, topic: Topic) -> None:
    def refuse() -> None:
        raise ClientError({"Error": {"Code": "InternalError"}}, "Publish")

    topic.meanwhile = refuse
    home.hears(start(), start(OTHER), ended(), NEVER_BEGAN)
    home.hears(BEGAN_AFTER_ALL)
    topic.meanwhile = lambda: None
    home.hour()
    home.hour()
    # The first publish may have had its effect: the second one says the same.
    assert topic.said == [{(OTHER, "nightly"): "NOT_STARTED", (HOME, "nightly"): "SUCCEEDED"}, {(OTHER, "nightly"): "SUCCEEDED"}]
    assert not home.is_open


def test_what_comes_while_a_scheduled_time_is_closed_opens_it_again(
    home: Home, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = summary_store.close

    def close_late(table: Table, scheduled_for: str) -> None:
        monkeypatch.setattr(summary_store, "close", close)
        # Another function has kept it, and died before it could send anything.
        summary_store.keep(table, BEGAN_AFTER_ALL)
        summary_store.reopen(table, scheduled_for)
        close(table, scheduled_for)

    home.hears(start(), start(OTHER), ended(), NEVER_BEGAN)
    summary_store.reopen(home.table, TIME)
    monkeypatch.setattr(summary_store, "close", close_late)
    home.hour()
    home.hour()
    assert topic.said[1:] == [{(OTHER, "nightly"): "SUCCEEDED"}]


def test_a_late_start_notice_that_settles_a_report_is_said_in_a_supplement(table: Table, topic: Topic) -> None:
    home = Home(table, topic, "nightly", "weekly")
    home.hears(start(HOME, "nightly", "weekly"), ended(), ended(HOME, "weekly"), ended(OTHER))
    home.hour(timedelta(hours=7))
    assert topic.said[0][OTHER, "weekly"] == "RUNNING"
    home.hears(start(OTHER, "nightly"))
    home.hour()
    assert topic.said[1:] == [{(OTHER, "weekly"): "NOT_CONFIGURED"}]
    assert not home.is_open


def test_a_late_start_notice_that_settles_nothing_is_not_said(home: Home, topic: Topic) -> None:
    home.hears(start(), ended(), ended(OTHER))
    assert len(topic.said) == 1
    home.hears(start(OTHER))
    home.hour(SUPPLEMENT_WAIT)
    assert len(topic.said) == 1
    assert not home.is_open


def test_a_late_headline_that_another_one_has_replaced_sends_no_empty_supplement(home: Home, topic: Topic) -> None:
    home.hears(start(), start(OTHER), ended(), BEGAN_AFTER_ALL)
    home.hears(NEVER_BEGAN)
    home.hour(SUPPLEMENT_WAIT)
    assert len(topic.said) == 1
    assert not home.is_open


def test_the_first_of_two_messages_of_one_key_stays_so_that_a_second_copy_says_the_same(home: Home) -> None:
    home.hears(NEVER_BEGAN)
    later: datetime = NOW + timedelta(minutes=9)
    home.hears(failed(OTHER, outcome="NOT_STARTED", execution="arn:x:in-flight", ended_at=later.isoformat()))
    (kept,) = summary_store.messages(home.table, TIME, NOW)
    assert kept == NEVER_BEGAN


def test_the_newest_scheduled_times_come_first_and_a_hundred_that_wait_hide_none(home: Home, topic: Topic) -> None:
    """A Region that is listed and not deployed keeps each scheduled time open for days."""
    begun = datetime.fromisoformat(TIME)
    for minutes in range(150):
        earlier = (begun - timedelta(minutes=minutes)).isoformat()
        summary_store.open_record(home.table, earlier, DEADLINE + timedelta(days=9))
    home.hour(timedelta(hours=7))
    assert [each["scheduled_for"] for each in topic.published] == [TIME]


def test_a_region_that_never_began_is_not_running_because_a_person_exports_one_of_its_reports(table: Table, topic: Topic) -> None:
    home = Home(table, topic, "nightly", "weekly")
    home.hears(start(HOME, "nightly", "weekly"), ended(), ended(HOME, "weekly"))
    home.hour(timedelta(hours=7))
    home.hears(ended(OTHER, replaces=True))
    home.hour(SUPPLEMENT_WAIT)
    assert topic.said[1] == {(OTHER, "nightly"): "SUCCEEDED", (OTHER, "weekly"): "SILENT"}


def test_a_region_of_which_only_is_known_that_reports_never_began_is_not_running(table: Table, topic: Topic) -> None:
    home = Home(table, topic, "nightly", "weekly")
    home.hears(start(HOME, "nightly", "weekly"), ended(), ended(HOME, "weekly"), failed(OTHER, outcome="NOT_STARTED"))
    home.hour(timedelta(hours=7))
    assert topic.said[0][OTHER, "weekly"] == "SILENT"
