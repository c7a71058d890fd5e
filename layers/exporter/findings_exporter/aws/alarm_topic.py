"""Whether alarms are delivered. They have a topic of their own, and SNS asks its subscribers to confirm that one, too."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.model.config import Config
from findings_exporter.model.notes import Note

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = logging.getLogger(__name__)


def subscriptions(attributes: Mapping[str, str]) -> tuple[int, int]:
    """Return how many of a topic's subscriptions are confirmed, and how many wait for it."""
    return int(attributes.get("SubscriptionsConfirmed", 0)), int(attributes.get("SubscriptionsPending", 0))


def unconfirmed_note(sns: "SNSClient", config: Config) -> str | None:
    """Return what a run's message says while alarms are not delivered to all that the topic is for.

    None where every subscription is confirmed, and also where that cannot be read: check_setup reports which of the two, and
    no message waits for it.
    """
    try:
        attributes = sns.get_topic_attributes(TopicArn=config.alarm_topic_arn)["Attributes"]
    except (ClientError, BotoCoreError) as error:
        logger.warning("the subscriptions of the alarm topic could not be read: %s", type(error).__name__)
        return None
    confirmed, pending = subscriptions(attributes)
    topic = config.alarm_topic_arn.rpartition(":")[2]
    if pending:
        return Note("alarms.pending", pending=pending, topic=topic)
    if not confirmed:
        return Note("alarms.none", topic=topic)
    return None
