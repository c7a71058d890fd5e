"""Notify: publish the recorded outcome once, under a claim that one notifier holds at a time."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from findings_exporter import notification
from findings_exporter.aws import alarm_topic, outbox, run_store
from findings_exporter.aws.clients import NO_HOME, Home
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.notification.home_headline import home_headline
from findings_exporter.steps._results import Result
from findings_exporter.steps.record_run import ended_failure

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

CLAIM_MARGIN = timedelta(seconds=10)
"""How much longer a claim lasts than the function that holds it: clocks differ."""


def notify(  # noqa: PLR0913 - what it works with, and the clock
    table: Table,
    sns: "SNSClient",
    config: Config,
    execution: Execution,
    now: datetime,
    function_deadline: datetime,
    home: Home = NO_HOME,
) -> Result:
    """Publish the run's outcome, unless it was published already; and say home how it ended, where there is a summary.

    Returns
    -------
    Result
        ``state``: ``NOTIFIED`` or ``ALREADY_NOTIFIED``; ``failure``: what was recorded, and how the workflow ends;
        ``owners_due``: whether messages to owners are to be sent.
    """
    notified = publish_outcome(table, sns, config, execution, now, function_deadline)
    home.send_all(table)
    run = run_store.load(table, execution)
    # Record Run may have failed right after it had decided the outcome.
    run_store.keep_history(table, run)
    return {
        "state": "NOTIFIED" if notified else "ALREADY_NOTIFIED",
        "failure": ended_failure(run, config),
        "owners_due": run.owners_due,
    }


def publish_outcome(
    table: Table, sns: "SNSClient", config: Config, execution: Execution, now: datetime, function_deadline: datetime
) -> bool:
    """Publish a run's recorded outcome, unless that was done already or it is a success that asked for silence.

    A notifier that dies between publish and mark leaves its claim to run out; the next one publishes the same outcome
    under the same notification id.

    Parameters
    ----------
    function_deadline
        When this function is surely over.

    Returns
    -------
    bool
        Whether this call did what was due.
    """
    notifier = uuid.uuid4().hex
    run = run_store.claim_notification(table, execution, notifier, now, function_deadline + CLAIM_MARGIN)
    if run is None:
        return False
    try:
        if config.has_summary and (headline := home_headline(run, config)):
            # Before the run is closed: from here on the hourly cleanup sends it, whatever becomes of this function.
            outbox.keep(table, headline, now)
        if run.outcome != "SUCCEEDED" or not run.asked_for_silence:
            note = alarm_topic.unconfirmed_note(sns, config)
            noted = replace(run, notes=(note, *run.notes)) if note else run
            sns.publish(**notification.publication(noted, config))
    except Exception:
        # Whatever became of it, this notifier publishes no more: whoever tries again need not wait for the claim to run out.
        run_store.release_notification(table, execution, notifier)
        raise
    run_store.mark_notified(table, execution, now, owners_due=run.owners_due)
    return True
