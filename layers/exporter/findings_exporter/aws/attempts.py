"""Reading from AWS what may be unreadable: :class:`Unread`, with the reason, instead of an error.

For functions that people ask, which answer with what they can read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.model.config import Config
from findings_exporter.model.errors import DENIED, code_of, text_of
from findings_exporter.model.notes import Note
from findings_exporter.model.text import cut

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

READ_ATTEMPTS = 2
"""A hanging service must not keep the failure path waiting: what does not answer twice is unknown this time."""
READ_MARGIN = timedelta(seconds=25)
"""The longest that one read takes: two tries, each with its timeouts."""
MISSING = frozenset(
    {"404", "NoSuchBucket", "NoSuchBucketPolicy", "NotFoundException", "NotFound", "ResourceNotFoundException",
     "NoSuchKey", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NoSuchEntity"},
)  # fmt: skip
SCHEDULE_PAGES = 10
"""Schedules are listed by the hundred; only reading them all shows which of them start our workflow."""
WHY_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read, and why.

    Attributes
    ----------
    code
        The error code that AWS answered with; empty where it answered with none.
    """

    why: str
    is_refused: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Reads for as long as there is time.

    Attributes
    ----------
    now
        The clock; reading takes time.
    until
        When the function is surely over.
    """

    now: Callable[[], datetime]
    until: datetime

    @property
    def is_late(self) -> bool:
        """Whether there is no time for another read."""
        return self.now() + READ_MARGIN > self.until

    def read[T](self, call: Callable[[], T]) -> T | Unread | None:
        """Return an answer, or None when AWS knows no such thing."""
        if self.is_late:
            return Unread(Note("why.no_time"))
        try:
            return call()
        except ClientError as error:
            code = code_of(error)
            if code in MISSING:
                return None
            if code in DENIED:
                return Unread(why_unread("why.refused", text_of(error), call=error.operation_name), is_refused=True, code=code)
            return Unread(why_unread("why.failed", text_of(error), call=error.operation_name, code=code), code=code)
        except BotoCoreError as error:
            return Unread(why_unread("why.no_answer", str(error)))


def why_unread(name: str, text: str, **values: str) -> Note:
    """Return why something was not read, in the words of AWS."""
    # The sentence around it ends with a full stop of its own.
    return Note(name, text=cut(text, WHY_CHARACTERS).removesuffix("."), **values)


def schedules(scheduler: "EventBridgeSchedulerClient", config: Config, attempts: Attempts) -> list[Mapping[str, Any]] | Unread:
    """Return the schedules that start the workflow, or that of all reports, as GetSchedule returns them."""
    machines = {config.state_machine_arn, config.all_reports_arn}
    pages = iter(scheduler.get_paginator("list_schedules").paginate(GroupName="default", PaginationConfig={"PageSize": 100}))
    found: list[Mapping[str, Any]] = []
    for _ in range(SCHEDULE_PAGES):
        page = attempts.read(lambda: next(pages, {"Schedules": None}))
        if page is None or isinstance(page, Unread):
            return page or Unread(Note("why.no_schedules"))
        if page["Schedules"] is None:
            return found
        for each in page["Schedules"]:
            if each["Target"]["Arn"] not in machines:
                continue
            schedule = attempts.read(partial(scheduler.get_schedule, GroupName=each["GroupName"], Name=each["Name"]))
            if isinstance(schedule, Unread):
                return schedule
            found += [schedule] if schedule else []
    return Unread(Note("why.many_schedules", count=SCHEDULE_PAGES * 100))
