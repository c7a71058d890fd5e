"""Messages to the home Region, kept until its queue has taken them: a home that is down delays a summary and loses nothing.

==========  ============================  ==========================================================
``OUTBOX``  ``<scheduled time>#<key>``    one message that the queue has not taken yet (expires)
==========  ============================  ==========================================================

A message is written before the run that it is about is closed, and deleted when SendMessage has answered. It may be sent twice;
the home Region keeps one.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.aws.table import Table
from findings_exporter.model.errors import code_of
from findings_exporter.model.home_messages import HomeMessage, to_json

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

OUTBOX = "OUTBOX"
MESSAGES_KEPT = timedelta(days=14)
"""As long as the queue itself would keep it."""
SENT_AT_ONCE = 200
"""More than the reports of a Region in a week; the next hourly cleanup goes on."""


def keep(table: Table, message: HomeMessage, now: datetime) -> None:
    """Keep a message until it is sent; a repeated call writes the same."""
    expires = int((now + MESSAGES_KEPT).timestamp())
    table.put({"pk": OUTBOX, "sk": f"{message.scheduled_for}#{message.key}", "body": to_json(message), "expires": expires})


def send_all(table: Table, sqs: "SQSClient", queue_url: str, now: Callable[[], datetime], until: datetime) -> int:
    """Send what has not been sent yet, the oldest first, and return how many messages are left, as far as is known.

    What the queue does not take, or what cannot be read or deleted now, stays: the hourly cleanup tries again. That never fails
    the run, whose own notification was sent before.
    """
    left = 0
    try:
        for item in islice(table.beginning_with(OUTBOX), SENT_AT_ONCE):
            left += 1
            if left > 1 or now() > until:
                continue
            sqs.send_message(QueueUrl=queue_url, MessageBody=str(item["body"]))
            table.delete(OUTBOX, str(item["sk"]))
            left -= 1
    except (BotoCoreError, ClientError) as error:
        why = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        logger.warning("messages to the home Region are left: %s", why)
    return left
