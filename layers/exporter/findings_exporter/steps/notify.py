"""Telling a recorded outcome, once: one publish to the topic under a claim that one notifier holds at a time."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from findings_exporter import notification
from findings_exporter.aws import alarm_topic, run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

MARGIN = timedelta(seconds=10)


def tell(
    table: Table, sns: "SNSClient", config: Config, execution: Execution, now: datetime, function_deadline: datetime
) -> bool:
    """Publish a run's recorded outcome, unless it was told already.

    A notifier that dies between publish and mark leaves its claim to run out; whoever comes then tells the same outcome
    under the same notification id.

    Parameters
    ----------
    function_deadline
        When this function is surely over.

    Returns
    -------
    bool
        Whether this call published.
    """
    notifier = uuid.uuid4().hex
    run = run_store.claim_notification(table, execution, notifier, now, function_deadline + MARGIN)
    if run is None:
        return False
    try:
        note = alarm_topic.unconfirmed_note(sns, config)
        noted = replace(run, notes=(note, *run.notes)) if note else run
        sns.publish(**notification.publication(noted, config))
    except Exception:
        # Whatever became of it, this notifier publishes no more: whoever tries again need not wait for the claim to run out.
        run_store.release_notification(table, execution, notifier)
        raise
    run_store.mark_notified(table, execution, now)
    return True
