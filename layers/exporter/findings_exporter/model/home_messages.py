"""What a Region says to its home Region of a scheduled time: that its reports began, and how each of them ended.

The messages are JSON of at most :data:`MOST_MESSAGE_BYTES`; their schema is docs/home-message.schema.json. Whoever may send to
the queue may write anything: each message is read here, once, and one that does not keep the schema is refused with the name of
its field. Texts in it are cleaned where they are shown.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from findings_exporter.model.layout import REPORT_NAME
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.model.text import clean

MESSAGE_VERSION = "1.0"
MOST_MESSAGE_BYTES = 64 * 1024
"""SQS takes 256 KiB [AWS: SQS quotas]. A summary of 200 reports is made of as many of them."""
MOST_REPORTS_SAID, MOST_OWNERS_SAID = 20, 50
REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,12}){1,4}", re.ASCII)
URL_CHARACTERS, SAID_ARN_CHARACTERS, SAID_ERROR_CHARACTERS, SAID_CAUSE_CHARACTERS, SAID_HASH_CHARACTERS, SAID_OWNER_CHARACTERS = (
    2_000,
    512,
    256,
    400,
    64,
    63,
)
FAR_BACK, AHEAD = timedelta(days=400), timedelta(hours=1)
"""A scheduled time that is older, or later, is an error: clocks do not differ so much."""
MOST_COUNT = 10**12

OUTCOMES = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "NOT_STARTED")
RUN_LEVELS = ("PROBLEM", "CHANGES", "NONE")
COVERAGES = ("active", "lost", "unknown")
ANALYSES = ("DONE", "FAILED", "NONE")
START_STATES = ("STARTED", "PREVIOUS_RUNNING")


class HomeMessageError(ValueError):
    """A message does not keep the schema; the text names the field."""


@dataclass(frozen=True, slots=True)
class StartNotice:
    """The schedule of a Region has started its reports.

    Attributes
    ----------
    scheduled_for, started_at
        ISO 8601, UTC.
    state
        ``PREVIOUS_RUNNING``: nothing was started, since the start before was still at work.
    reports
        Their names, in order.
    config_hash
        Of what is to be the same in each Region.
    notes
        English sentences, such as why the file of reports could not be used.
    """

    region: str
    scheduled_for: str
    started_at: str
    execution: str
    state: str
    reports: tuple[str, ...]
    config_hash: str
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name among the messages of a scheduled time: the same message has the same one."""
        return f"START#{self.region}"


@dataclass(frozen=True, slots=True)
class OwnerNumbers:
    """The numbers of an owner in one report; None where they are not known."""

    owner: str
    open: int
    critical: int = 0
    new: int | None = None
    overdue: int | None = None


@dataclass(frozen=True, slots=True)
class ReportHeadline:
    """How one report of one Region ended.

    Attributes
    ----------
    execution
        ARN of the run; of the start where the run never began.
    replaces
        Whether a person started the run later, in place of the scheduled one.
    level
        Of the run's own message.
    cause
        Why it failed, in an English sentence.
    new, no_longer_open
        None when it was not compared.
    overdue, due_soon
        None where findings have no due dates.
    """

    region: str
    scheduled_for: str
    report: str
    execution: str
    started_at: str
    outcome: str
    level: str
    ended_at: str | None = None
    replaces: bool = False
    error: str | None = None
    cause: str | None = None
    analysis: str = "NONE"
    coverage: str = "unknown"
    deactivated_accounts: int = 0
    unusual_drop: bool = False
    open: int | None = None
    by_severity: Mapping[str, int] = field(default_factory=dict)
    new: int | None = None
    new_by_severity: Mapping[str, int] = field(default_factory=dict)
    no_longer_open: int | None = None
    status_unknown: int = 0
    overdue: Mapping[str, int] | None = None
    due_soon: Mapping[str, int] | None = None
    owner_count: int = 0
    owners: tuple[OwnerNumbers, ...] = ()
    page_url: str | None = None
    report_url: str | None = None
    execution_url: str | None = None
    filter_hash: str | None = None

    @property
    def key(self) -> str:
        """Its name among the messages of a scheduled time: the same message has the same one."""
        return f"HEADLINE#{self.region}#{self.report}#{self.execution.rpartition(':')[2]}#{self.outcome}"


type HomeMessage = StartNotice | ReportHeadline
TYPES: Mapping[str, type[HomeMessage]] = {"start": StartNotice, "headline": ReportHeadline}


def to_json(message: HomeMessage) -> str:
    """Return a message as it is sent."""
    (kind,) = (name for name, each in TYPES.items() if isinstance(message, each))
    content = {"type": kind, "version": MESSAGE_VERSION} | asdict(message)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    if isinstance(message, ReportHeadline) and len(text.encode()) > MOST_MESSAGE_BYTES:
        text = json.dumps(content | {"owners": []}, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()


def from_json(text: str, now: datetime) -> HomeMessage:
    """Read a message.

    Raises
    ------
    HomeMessageError
        It does not keep the schema.
    """
    if len(text.encode(errors="replace")) > MOST_MESSAGE_BYTES:
        raise HomeMessageError(f"the message has more than {MOST_MESSAGE_BYTES:,} bytes")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise HomeMessageError("the message is no JSON") from None
    if not isinstance(content, dict) or content.get("type") not in [*TYPES]:
        raise HomeMessageError(f"type: must be one of {', '.join(TYPES)}")
    if str(content.get("version", "")).partition(".")[0] != MESSAGE_VERSION.partition(".")[0]:
        raise HomeMessageError(f"version: this release reads {MESSAGE_VERSION}")
    read = _Reader(content, now)
    return read.start() if content["type"] == "start" else read.headline()


class _Reader:
    """Reads the fields of a message, each with its form. Fields that a later release has added are left out."""

    def __init__(self, content: Mapping[str, Any], now: datetime) -> None:
        self._content, self._now = content, now

    def start(self) -> StartNotice:
        reports = self._list("reports", MOST_REPORTS_SAID, self._is_report)
        return StartNotice(
            region=self._region(),
            scheduled_for=self._scheduled_for(),
            started_at=self._time("started_at"),
            execution=self._text("execution", SAID_ARN_CHARACTERS),
            state=self._one_of("state", START_STATES),
            reports=tuple(dict.fromkeys(reports)),
            config_hash=self._text("config_hash", SAID_HASH_CHARACTERS),
            notes=tuple(
                clean(each, SAID_CAUSE_CHARACTERS)
                for each in self._list("notes", MOST_REPORTS_SAID, lambda each: isinstance(each, str))
            ),
        )

    def headline(self) -> ReportHeadline:
        report = self._content.get("report")
        if not self._is_report(report):
            raise HomeMessageError("report: must be the name of a report")
        return ReportHeadline(
            region=self._region(),
            scheduled_for=self._scheduled_for(),
            report=str(report),
            execution=self._text("execution", SAID_ARN_CHARACTERS),
            started_at=self._time("started_at"),
            ended_at=self._time("ended_at") if self._content.get("ended_at") is not None else None,
            outcome=self._one_of("outcome", OUTCOMES),
            level=self._one_of("level", RUN_LEVELS),
            replaces=self._content.get("replaces") is True,
            error=self._maybe("error", SAID_ERROR_CHARACTERS),
            cause=self._maybe("cause", SAID_CAUSE_CHARACTERS),
            analysis=self._one_of("analysis", ANALYSES),
            coverage=self._one_of("coverage", COVERAGES),
            deactivated_accounts=self.count("deactivated_accounts"),
            unusual_drop=self._content.get("unusual_drop") is True,
            open=self._maybe_count("open"),
            by_severity=self._counts("by_severity") or {},
            new=self._maybe_count("new"),
            new_by_severity=self._counts("new_by_severity") or {},
            no_longer_open=self._maybe_count("no_longer_open"),
            status_unknown=self.count("status_unknown"),
            overdue=self._counts("overdue"),
            due_soon=self._counts("due_soon"),
            owner_count=self.count("owner_count"),
            owners=tuple(
                _Reader(each, self._now).owner()
                for each in self._list("owners", MOST_OWNERS_SAID, lambda each: isinstance(each, dict))
            ),
            page_url=self._url("page_url"),
            report_url=self._url("report_url"),
            execution_url=self._url("execution_url"),
            filter_hash=self._maybe("filter_hash", SAID_HASH_CHARACTERS),
        )

    def _region(self) -> str:
        value = self._content.get("region")
        if not isinstance(value, str) or not REGION.fullmatch(value):
            raise HomeMessageError("region: must be the name of a Region")
        return value

    def _scheduled_for(self) -> str:
        time = datetime.fromisoformat(self._time("scheduled_for"))
        if not self._now - FAR_BACK < time < self._now + AHEAD:
            raise HomeMessageError("scheduled_for: must be a time of the last 400 days")
        return time.isoformat()

    def _time(self, name: str) -> str:
        try:
            time = datetime.fromisoformat(self._content[name])
            utc = time.astimezone(UTC).isoformat() if time.tzinfo else None
        except (KeyError, TypeError, ValueError, OverflowError):
            utc = None
        if utc is None:
            raise HomeMessageError(f"{name}: must be a time with its zone")
        return utc

    def _text(self, name: str, most: int) -> str:
        value = self._content.get(name)
        if not isinstance(value, str) or not value or len(value) > most:
            raise HomeMessageError(f"{name}: must be a text of at most {most} characters")
        return value

    def _maybe(self, name: str, most: int) -> str | None:
        value = self._content.get(name)
        return (clean(value, most) if isinstance(value, str) else "") or None

    def _url(self, name: str) -> str | None:
        value = self._content.get(name)
        # A console of AWS, in any partition: whatever the message says, a reader is led nowhere else.
        return value if isinstance(value, str) and len(value) <= URL_CHARACTERS and CONSOLE_URL.fullmatch(value) else None

    def _one_of(self, name: str, words: Sequence[str]) -> str:
        value = self._content.get(name)
        if value not in words:
            raise HomeMessageError(f"{name}: must be one of {', '.join(words)}")
        return str(value)

    def count(self, name: str) -> int:
        return self._maybe_count(name) or 0

    def _maybe_count(self, name: str) -> int | None:
        value = self._content.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_COUNT:
            raise HomeMessageError(f"{name}: must be a number of findings")
        return value

    def _counts(self, name: str) -> dict[str, int] | None:
        value = self._content.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise HomeMessageError(f"{name}: must be numbers by severity")
        counted = _Reader(value, self._now)
        return {word: counted.count(word) for word in SEVERITIES if value.get(word)}

    def _list(self, name: str, most: int, is_member: Callable[[Any], bool]) -> list[Any]:
        value = self._content.get(name, [])
        if not isinstance(value, list) or len(value) > most or not all(map(is_member, value)):
            raise HomeMessageError(f"{name}: must be a list of at most {most}")
        return value

    def owner(self) -> OwnerNumbers:
        return OwnerNumbers(
            self._text("owner", SAID_OWNER_CHARACTERS),
            self.count("open"),
            self.count("critical"),
            self._maybe_count("new"),
            self._maybe_count("overdue"),
        )

    @staticmethod
    def _is_report(value: object) -> bool:
        return isinstance(value, str) and REPORT_NAME.fullmatch(value) is not None


CONSOLE_URL = re.compile(
    r"https://[a-z0-9-]+\.(?:console\.aws\.amazon\.com|console\.amazonaws\.cn|console\.amazonaws-us-gov\.com)/[!-~]*", re.ASCII
)
