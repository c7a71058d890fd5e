"""Summarize: in the home Region, keep what the Regions say, and send one message about each scheduled time.

It is called with messages of the queue, and hourly: a message about a time of which something is missing is sent up to an hour
after its deadline. SQS delivers at least once and in any order, and two functions may work at once: each part asks before acting.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from findings_exporter.aws import summary_store
from findings_exporter.aws.clients import SummaryClients
from findings_exporter.aws.metrics import count_missing_summaries, count_summary
from findings_exporter.aws.summary_store import Record
from findings_exporter.model.errors import ExporterError, NotificationInProgressError, code_of, translated
from findings_exporter.model.home_messages import HomeMessage, HomeMessageError, ReportHeadline, StartNotice, from_json
from findings_exporter.model.layout import summary_keys
from findings_exporter.model.summary import GIVEN_UP, SETTLED, Expected, ReportsSummary, SummaryLines, assess, is_due
from findings_exporter.notification.links import object_url
from findings_exporter.notification.summary_message import page_lines, summary_event, summary_publication
from findings_exporter.steps.notify import CLAIM_MARGIN

logger = logging.getLogger(__name__)

TIME_FOR_A_SUMMARY = timedelta(seconds=40)
"""What is left when the function begins with its last message about a time."""
SUMMARY_OVERDUE = timedelta(hours=2)
"""A summary that was not sent so long after its deadline is missing: the hourly call has failed twice."""

type Page = Callable[[ReportsSummary, Mapping[str, Any], SummaryLines, datetime], str]


@dataclass(frozen=True, slots=True)
class Summarizer:
    """What summarizing needs.

    Attributes
    ----------
    page
        Makes the page of a summary, its event and the time.
    now
        The clock.
    function_deadline
        When this function is surely over.
    """

    clients: SummaryClients
    page: Page
    now: Callable[[], datetime]
    function_deadline: datetime

    def collect(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Keep messages of the queue, send what is due of their times, and return the ids of those that are to come again.

        A message that is none of ours comes again, too, until the queue puts it aside: an alarm reports that.
        """
        again, times = [], set()
        for record in records:
            try:
                with translated():
                    times.add(self._keep(from_json(record["body"], self.now())))
            except HomeMessageError as error:
                logger.error("a message of a Region cannot be used: %s", error)  # noqa: TRY400 - it names a field alone
                again.append(record["messageId"])
            except (ExporterError, ClientError) as error:
                logger.warning("a message of a Region was not kept: %s", type(error).__name__)
                again.append(record["messageId"])
        for time in sorted(times):
            # What cannot be sent now is sent by the hourly call: the messages are kept.
            try:
                self._send_if_due(time)
            except (ExporterError, ClientError) as error:
                logger.warning("a summary was not sent now: %s", type(error).__name__)
        return again

    def hourly(self) -> list[str]:
        """Send what is due of all open times, and return which.

        Raises
        ------
        Exception
            The first one that was met, after all were tried.
        """
        sent, errors, missing = [], [], 0
        for time in summary_store.open_times(self.clients.table):
            if self.now() > self.function_deadline - TIME_FOR_A_SUMMARY:
                break
            try:
                with translated():
                    if self._send_if_due(time):
                        sent.append(time)
            except NotificationInProgressError:
                continue
            except (ExporterError, ClientError) as error:
                errors.append(error)
            missing += self._is_missing(summary_store.find(self.clients.table, time))
        count_missing_summaries(missing)
        if errors:
            raise errors[0]
        return sent

    def _is_missing(self, record: Record | None) -> bool:
        """Tell whether a summary was not sent in time, or home's schedule did not begin what another Region has begun."""
        if record is None:
            return False
        not_sent = record.sent_at is None and self.now() > record.deadline_at + SUMMARY_OVERDUE
        return not_sent or (
            record.expected is None and self.now() > datetime.fromisoformat(record.scheduled_for) + SUMMARY_OVERDUE
        )

    def _keep(self, message: HomeMessage) -> str:
        table, time = self.clients.table, message.scheduled_for
        summary_store.open_record(table, time, self._deadline(time))
        summary_store.keep(table, message)
        record = summary_store.find(table, time)
        if record and record.sent_at and message.key not in record.sent:
            summary_store.reopen(table, time)
        return time

    def _send_if_due(self, time: str) -> bool:
        table, now = self.clients.table, self.now()
        record = summary_store.find(table, time)
        if record is None:
            return False
        came = summary_store.messages(table, time, now)
        expected = record.expected or self._expected(came)
        summary = self._assessed(record, expected, came)
        if not is_due(summary, record.deadline_at, record.sent_at, now, has_new=_has_news(record, summary)):
            self._close_if_over(time)
            return False
        notifier = uuid.uuid4().hex
        claimed = summary_store.claim(
            table, record, expected, (message.key for message in came), notifier, now, self.function_deadline + CLAIM_MARGIN
        )
        try:
            self._publish(claimed, claimed.frozen_expected or expected, came)
        except Exception:
            summary_store.release(table, claimed, notifier)
            raise
        summary_store.mark_sent(table, claimed, now)
        count_summary()
        self._close_if_over(time)
        return True

    def _close_if_over(self, time: str) -> None:
        """Close a scheduled time of which nothing more is to be said."""
        table = self.clients.table
        if not self._is_over(time):
            return
        summary_store.close(table, time)
        # Whoever has kept a message meanwhile may have opened the time before it was closed.
        if not self._is_over(time):
            summary_store.reopen(table, time)

    def _is_over(self, time: str) -> bool:
        """Tell whether all that came was said, and nothing more is waited for."""
        record = summary_store.find(self.clients.table, time)
        if record is None or record.sent_at is None:
            return False
        came = summary_store.messages(self.clients.table, time, self.now())
        expected = record.expected or self._expected(came)
        if _has_news(record, self._assessed(record, expected, came)):
            return False
        said = assess(time, self.clients.config.home, expected, (message for message in came if message.key in record.sent))
        return said.is_complete or self.now() > datetime.fromisoformat(time) + GIVEN_UP

    def _publish(self, record: Record, expected: Expected, came: list[HomeMessage]) -> None:
        """Publish the message about what was frozen, and nothing that came after."""
        clients, config = self.clients, self.clients.config
        frozen = [message for message in came if message.key in (record.frozen or ())]
        summary = self._assessed(record, expected, frozen)
        time = datetime.fromisoformat(record.scheduled_for)
        page_key, document_key = summary_keys(config.key_prefix, time, record.number)
        page_url: str | None = object_url(config.bucket, page_key, config)
        event = summary_event(summary, config, page_url)
        try:
            page = self.page(summary, event, page_lines(summary, config), record.frozen_at or self.now())
            self._put(page_key, page, "text/html; charset=utf-8")
            self._put(document_key, json.dumps(event, ensure_ascii=False), "application/json")
        except Exception as error:  # noqa: BLE001 - a summary is sent without its page
            why = code_of(error) if isinstance(error, ClientError) else type(error).__name__
            logger.error("the page of a summary could not be made: %s", why)  # noqa: TRY400 - a traceback holds content
            page_url = None
        clients.sns.publish(**summary_publication(summary, config, page_url))

    def _assessed(self, record: Record, expected: Expected, messages: list[HomeMessage]) -> ReportsSummary:
        keys = frozenset(message.key for message in messages)
        new = keys - record.sent if record.number else None
        return assess(record.scheduled_for, self.clients.config.home, expected, messages, record.number, new)

    def _put(self, key: str, content: str, content_type: str) -> None:
        config = self.clients.config
        self.clients.s3.put_object(
            Bucket=config.bucket,
            Key=key,
            Body=content.encode("utf-8", "replace"),
            ContentType=content_type,
            ExpectedBucketOwner=config.bucket_owner,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=config.kms_key_arn,
        )

    def _deadline(self, time: str) -> datetime:
        return datetime.fromisoformat(time) + timedelta(hours=self.clients.config.summary_hours)

    def _expected(self, came: Iterable[HomeMessage]) -> Expected:
        """Return what is expected where home's schedule has not begun: the Regions, with the reports that any of them named."""
        config = self.clients.config
        named = [name for each in came if isinstance(each, StartNotice) for name in each.reports]
        named += [each.report for each in came if isinstance(each, ReportHeadline)]
        reports = tuple(dict.fromkeys(named)) or (config.defaults.report_name,)
        return Expected(config.expected_regions, reports, by_home=False)


def _has_news(record: Record, summary: ReportsSummary) -> bool:
    """Tell whether a supplement has something to say: of what is new in it, a report is settled.

    A start notice may settle a report, too. A headline that another one has replaced says nothing.
    """
    return record.number > 0 and bool(summary.in_state(*SETTLED))
