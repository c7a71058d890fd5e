"""Notify Owners: publish to each owner what the analysis found of theirs, once, under a claim of its own.

What the messages need lies in S3: a run's record of 400 KB could not hold it. It is data: an owner whose name could be no
key of ours gets no message, and the step reports that.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from findings_exporter import notification
from findings_exporter.aws import run_store
from findings_exporter.model.errors import NotificationInProgressError, NotRecordedError, code_of, translated
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.owner_rules import is_owner
from findings_exporter.steps._results import Result
from findings_exporter.steps.notify import CLAIM_MARGIN

if TYPE_CHECKING:
    from findings_exporter.aws.clients import OwnerClients
    from findings_exporter.model.run import Run

MOST_MESSAGES, MOST_MESSAGES_BYTES = 200, 16 << 20
TIME_FOR_A_MESSAGE = timedelta(seconds=40)
"""What is left of the function when it begins with its last message: a call that hangs takes 33 seconds."""
OF_ONE_MESSAGE = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})
"""What SNS says of a message that it will never take; the others are sent all the same."""


@dataclass(frozen=True, slots=True)
class Messages:
    """What is to be sent.

    Attributes
    ----------
    headlines
        By owner.
    left_out
        How many entries cannot be sent: they name no owner, or one that is there already, or are too many.
    """

    headlines: Mapping[str, Mapping[str, Any]]
    left_out: int


def notify_owners(
    clients: "OwnerClients", execution: Execution, now: Callable[[], datetime], function_deadline: datetime
) -> Result:
    """Publish the messages to the owners that are not sent yet.

    Parameters
    ----------
    function_deadline
        When this function is surely over.

    Returns
    -------
    Result
        ``state``: ``OWNERS_NOTIFIED``, also where nothing was left to send; ``sent``: how many this call published.

    Raises
    ------
    NotificationInProgressError
        Some are left, for lack of time or because another function sends them now: try again.
    NotRecordedError
        What is to be sent cannot be used, at least in part.
    """
    run = run_store.load(clients.table, execution)
    sent = send_to_owners(clients, run, now, function_deadline - TIME_FOR_A_MESSAGE, function_deadline)
    return {"state": "OWNERS_NOTIFIED", "sent": sent}


def send_to_owners(
    clients: "OwnerClients", run: "Run", now: Callable[[], datetime], until: datetime, function_deadline: datetime
) -> int:
    """Publish what is due to the owners and not sent yet, close the run when nothing is left, and return how many were sent.

    Parameters
    ----------
    until
        When no further message is begun.
    """
    if not run.owners_due:
        return 0
    if clients.config.owner_messages == "OFF":
        # Then there is no topic, either.
        give_up(clients, run, Note("run.owners_off"), now())
        return 0
    with translated():
        messages = read_messages(clients, run)
        sent = 0
        busy: list[NotificationInProgressError] = []
        refused: list[ClientError] = []
        done = run_store.notified_owners(clients.table, run.execution)
        waiting = [owner for owner in messages.headlines if owner not in done]
        for place, owner in enumerate(waiting):
            if now() > until:
                left = len(waiting) - place + len(busy)
                raise NotificationInProgressError(Note("cause.owners_left", run=run.execution.id, left=left))
            try:
                sent += _publish(clients, run, owner, messages.headlines[owner], now, function_deadline)
            except NotificationInProgressError as error:
                busy.append(error)
            except ClientError as error:
                if code_of(error) not in OF_ONE_MESSAGE:
                    raise
                refused.append(error)
    for trouble in (*busy, *refused):
        raise trouble
    if messages.left_out:
        raise _unusable(run, Note("owners.left_out", count=messages.left_out, most=MOST_MESSAGES))
    run_store.close_owners(clients.table, run.execution, now())
    return sent


def give_up(clients: "OwnerClients", run: "Run", why: Note, now: datetime) -> None:
    """Close a run whose messages to owners cannot be sent, and say so in its record."""
    run_store.note(clients.table, run.execution, why)
    run_store.close_owners(clients.table, run.execution, now)


def read_messages(clients: "OwnerClients", run: "Run") -> Messages:
    """Read what the analysis left for the owners of a run.

    Raises
    ------
    NotRecordedError
        It cannot be used.
    """
    analysis = run.analysis or {}
    bucket, key = analysis.get("bucket"), analysis.get("owners_key")
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise _unusable(run, Note("owners.no_key"))
    answer = clients.s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=clients.config.bucket_owner)
    if answer["ContentLength"] > MOST_MESSAGES_BYTES:
        raise _unusable(run, Note("owners.too_long", count=answer["ContentLength"], most=MOST_MESSAGES_BYTES))
    try:
        document = json.loads(answer["Body"].read())
    except (ValueError, RecursionError) as error:
        raise _unusable(run, Note("owners.no_json", why=str(error))) from None
    entries = document.get("owners") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _unusable(run, Note("owners.no_list"))
    return _messages(entries)


def _messages(entries: Sequence[object]) -> Messages:
    headlines: dict[str, Mapping[str, Any]] = {}
    for entry in entries[:MOST_MESSAGES]:
        owner = entry.get("owner") if isinstance(entry, dict) else None
        # It becomes a part of a key.
        if isinstance(entry, dict) and isinstance(owner, str) and is_owner(owner) and owner not in headlines:
            headlines[owner] = entry
    return Messages(headlines, len(entries) - len(headlines))


def _publish(
    clients: "OwnerClients",
    run: "Run",
    owner: str,
    headline: Mapping[str, Any],
    now: Callable[[], datetime],
    function_deadline: datetime,
) -> bool:
    """Publish the message to one owner unless that was done already, and return whether this call did."""
    notifier, execution = uuid.uuid4().hex, run.execution
    if not run_store.claim_owner(clients.table, execution, owner, notifier, now(), function_deadline + CLAIM_MARGIN):
        return False
    try:
        clients.sns.publish(**notification.owner_publication(run, headline, clients.config))
    except Exception:
        # As with the run's own: this notifier publishes no more.
        run_store.release_notification(clients.table, execution, notifier, owner)
        raise
    run_store.mark_owner_notified(clients.table, execution, owner, now())
    return True


def _unusable(run: "Run", why: str) -> NotRecordedError:
    return NotRecordedError(Note("cause.owners_unusable", run=run.execution.id, why=why))
