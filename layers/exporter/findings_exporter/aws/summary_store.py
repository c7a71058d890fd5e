"""What the home Region knows of a scheduled time.

==========================  =========================  ==============================================================
``SUMMARY#<time>``          ``SUMMARY``                what is expected, and which messages were sent (expires)
``SUMMARY#<time>``          ``START#<Region>``         a Region's start notice (expires)
``SUMMARY#<time>``          ``HEADLINE#<Region>#…``    how a report ended (expires)
==========================  =========================  ==============================================================

It is open, in the sparse index, until a message has had everything that is expected. A message is claimed as the notification of
a run is; the claim freezes what it is about, so that a second copy says the same.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from findings_exporter.aws.run_store import NOT_CLAIMED
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import NotificationInProgressError
from findings_exporter.model.home_messages import HomeMessage, HomeMessageError, from_json, to_json
from findings_exporter.model.notes import Note
from findings_exporter.model.summary import Expected

OPEN_SUMMARY = "SUMMARY"
SUMMARIES_KEPT = timedelta(days=60)
MESSAGES_READ = 2_000
"""Of one scheduled time: 20 Regions with 20 reports have some 500, and more would be a sender that is wrong."""
SUMMARIES_AT_ONCE = 1_000
"""A Region that is listed and says nothing keeps each scheduled time open for 15 days: 360 of them where one begins each hour."""


@dataclass(frozen=True, slots=True)
class Record:
    """A scheduled time as it is written down.

    Attributes
    ----------
    expected
        As home's own schedule has frozen it; None until then.
    number
        Of the message that is next.
    sent_at
        When the last message was sent.
    sent
        Keys of the Regions' messages that ours have had.
    frozen, frozen_at, frozen_expected
        What the next message is about, once a function has claimed it: keys, the time that it was assessed at, and what was
        expected then: home's schedule may begin the time between two copies.
    """

    scheduled_for: str
    expected: Expected | None
    deadline_at: datetime
    number: int = 0
    sent_at: datetime | None = None
    sent: frozenset[str] = frozenset()
    frozen: frozenset[str] | None = None
    frozen_at: datetime | None = None
    frozen_expected: Expected | None = None


def begin(table: Table, scheduled_for: str, expected: Expected, deadline_at: datetime) -> None:
    """Freeze what is expected of a scheduled time: home's schedule has begun it. A repeated call changes nothing."""
    open_record(table, scheduled_for, deadline_at)
    table.update(
        _key(scheduled_for),
        "SET expected = if_not_exists(expected, :expected)",
        {},
        {":expected": json.dumps([expected.regions, expected.reports])},
    )


def open_record(table: Table, scheduled_for: str, deadline_at: datetime) -> None:
    """Write a scheduled time down, unless that was done: whoever hears of it first."""
    pk, sk = _key(scheduled_for)
    table.put_new(
        {
            "pk": pk,
            "sk": sk,
            "open": OPEN_SUMMARY,
            "started_at": scheduled_for,
            "deadline_at": deadline_at.isoformat(),
            "number": 0,
            "expires": _expires(scheduled_for),
        }
    )


def keep(table: Table, message: HomeMessage) -> None:
    """Keep a message of a Region; the same one, sent twice, is kept once.

    The first one stays, so that a second copy of our message says the same.
    """
    pk, _ = _key(message.scheduled_for)
    table.put_new({"pk": pk, "sk": message.key, "body": to_json(message), "expires": _expires(message.scheduled_for)})


def find(table: Table, scheduled_for: str) -> Record | None:
    """Read a scheduled time; None where nothing was heard of it."""
    item = table.get(*_key(scheduled_for))
    return _record(item) if item else None


def open_times(table: Table) -> list[str]:
    """Return the scheduled times of which something is still to be said, the newest first: of the others most was said."""
    return [item["started_at"] for item in reversed(table.query_open(SUMMARIES_AT_ONCE, kind=OPEN_SUMMARY))]


def messages(table: Table, scheduled_for: str, now: datetime) -> list[HomeMessage]:
    """Return what the Regions have said of a scheduled time."""
    pk, _ = _key(scheduled_for)
    found = []
    for start in ("START#", "HEADLINE#"):
        for item in islice(table.beginning_with(pk, start), MESSAGES_READ):
            try:
                found.append(from_json(item["body"], now))
            except HomeMessageError:  # of another release; it was readable when it came
                continue
    return found


def claim(  # noqa: PLR0913 - what is frozen, and by whom
    table: Table, record: Record, expected: Expected, about: Iterable[str], notifier: str, now: datetime, until: datetime
) -> Record:
    """Claim the next message about a scheduled time, and freeze what it is about.

    Raises
    ------
    NotificationInProgressError
        Another function sends it now, or has just sent it.
    """
    claimed = table.update(
        _key(record.scheduled_for),
        "SET notifying_until = :until, notifier = :notifier, frozen = if_not_exists(frozen, :about),"
        " frozen_at = if_not_exists(frozen_at, :at), frozen_expected = if_not_exists(frozen_expected, :expected)",
        {"#number": "number"},
        {
            ":until": _epoch(until),
            ":notifier": notifier,
            ":now": _epoch(now),
            ":about": json.dumps(sorted(about)),
            ":at": now.isoformat(),
            ":expected": json.dumps([expected.regions, expected.reports, expected.by_home]),
            ":number": record.number,
        },
        condition=f"#number = :number AND {NOT_CLAIMED}",
    )
    item = table.get(*_key(record.scheduled_for)) or {}
    if claimed or (item.get("notifier") == notifier and item.get("number") == record.number):
        return _record(item)
    raise NotificationInProgressError(Note("cause.notified_elsewhere", run=record.scheduled_for))


def release(table: Table, record: Record, notifier: str) -> None:
    """Give the claim back: this notifier could not publish. What the message is about stays frozen."""
    table.update(
        _key(record.scheduled_for),
        "SET notifying_until = :never",
        {},
        {":never": 0, ":notifier": notifier},
        condition="notifier = :notifier",
    )


def mark_sent(table: Table, record: Record, now: datetime) -> None:
    """Record that a message was published."""
    table.update(
        _key(record.scheduled_for),
        "SET #number = :next, sent_at = :now, sent = :sent, notifying_until = :never REMOVE frozen, frozen_at, frozen_expected",
        {"#number": "number"},
        {
            ":next": record.number + 1,
            ":number": record.number,
            ":now": now.isoformat(),
            ":never": 0,
            ":sent": json.dumps(sorted(record.sent | (record.frozen or frozenset()))),
        },
        condition="#number = :number",
    )


def reopen(table: Table, scheduled_for: str) -> None:
    """Open a scheduled time again, since a message of a Region has come that none of ours has had."""
    table.update(_key(scheduled_for), "SET #open = :open", {"#open": "open"}, {":open": OPEN_SUMMARY})


def close(table: Table, scheduled_for: str) -> None:
    """Record that nothing more is to be said of a scheduled time."""
    table.update(_key(scheduled_for), "REMOVE #open", {"#open": "open"}, {})


def _record(item: dict[str, Any]) -> Record:
    expected = json.loads(item["expected"]) if "expected" in item else None
    frozen = json.loads(item["frozen_expected"]) if "frozen_expected" in item else None
    return Record(
        scheduled_for=item["started_at"],
        expected=Expected(tuple(expected[0]), tuple(expected[1]), by_home=True) if expected else None,
        deadline_at=datetime.fromisoformat(item["deadline_at"]),
        number=item["number"],
        sent_at=datetime.fromisoformat(item["sent_at"]) if "sent_at" in item else None,
        sent=frozenset(json.loads(item.get("sent", "[]"))),
        frozen=frozenset(json.loads(item["frozen"])) if "frozen" in item else None,
        frozen_at=datetime.fromisoformat(item["frozen_at"]) if "frozen_at" in item else None,
        frozen_expected=Expected(tuple(frozen[0]), tuple(frozen[1]), by_home=frozen[2]) if frozen else None,
    )


def _key(scheduled_for: str) -> tuple[str, str]:
    return f"SUMMARY#{scheduled_for}", "SUMMARY"


def _expires(scheduled_for: str) -> int:
    return _epoch(datetime.fromisoformat(scheduled_for).astimezone(UTC) + SUMMARIES_KEPT)


def _epoch(time: datetime) -> int:
    return int(time.timestamp())
