"""What is told about a recorded run: one text for a mail, one for a chat, one event for programs.

All three are pure functions of the run and the deployment. Sizes are kept by rule: a subject has under 100 characters
[AWS: SNS Publish], a chat message keeps the lengths of the custom-notification schema [AWS: Amazon Q Developer in chat
applications], a mail's first screen its 24 lines of 72, and a cause is cut before anything else.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from findings_exporter.config import Config
from findings_exporter.errors import Failure
from findings_exporter.messages import custom_notification
from findings_exporter.messages.export_ended import EVENT_VERSION, export_event
from findings_exporter.messages.links import execution_url, object_url, report_url
from findings_exporter.messages.mail import email, subject
from findings_exporter.messages.night import night_of, worst_severity
from findings_exporter.messages.texts_en import TEXTS
from findings_exporter.runs import Run
from findings_exporter.texts import cut

__all__ = [
    "CAUSE_CHARACTERS",
    "EVENT_VERSION",
    "MESSAGE_BYTES",
    "NOTHING_FOUND",
    "attributes",
    "chat",
    "email",
    "execution_url",
    "export_event",
    "failure_from",
    "object_url",
    "publication",
    "report_url",
    "subject",
]

CAUSE_CHARACTERS = 3_000
MESSAGE_BYTES = 255 * 1024
"""SNS takes 256 KiB with the attributes [AWS: SNS quotas]."""
NOTHING_FOUND = {how: TEXTS[f"nothing_found.{how}"] for how in ("no_findings", "no_object", "empty_object")}


def failure_from(error: str, cause: str) -> Failure:
    """Return a failure from what the workflow caught.

    A function's exception arrives as JSON with its message and stack trace; anything else is plain text or empty.
    """
    try:
        document = json.loads(cause)
        text = document["errorMessage"]
    except (ValueError, TypeError, KeyError):
        text = cause
    return Failure(error, cut(str(text).strip(), CAUSE_CHARACTERS) or f"The workflow ended with {error} and no further word.")


def chat(run: Run, config: Config) -> dict[str, Any]:
    """Return a custom notification for Amazon Q Developer in chat applications, schema version 1.0."""
    return custom_notification.chat(run, config, EVENT_VERSION)


def attributes(run: Run, config: Config) -> dict[str, str]:
    """Return what subscribers may filter by; docs/subscriptions.md has examples. Alarms have none of them."""
    night = night_of(run)
    return {
        "outcome": run.outcome or "FAILED",
        "report": run.plan.report_name if run.plan else "unknown",
        "region": config.region,
        "night": night.state if night else "unknown",
        "worst_new_severity": worst_severity(night),
    }


def publication(run: Run, config: Config) -> dict[str, Any]:
    """Return the arguments of the one SNS Publish that tells a run: a body for each protocol, and filterable attributes."""
    texts = (_message(each, config) for each in _shorter_and_shorter(run))
    message = next((text for text in texts if len(text.encode()) <= MESSAGE_BYTES), _message(_shortest(run), config))
    return {
        "TopicArn": config.topic_arn,
        "Subject": subject(run, config),
        "MessageStructure": "json",
        "Message": message,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes(run, config).items()
        },
    }


def _message(run: Run, config: Config) -> str:
    bodies = {
        "default": json.dumps(export_event(run, config), ensure_ascii=False),
        "email": email(run, config),
        "https": json.dumps(chat(run, config), ensure_ascii=False),
    }
    return json.dumps(bodies, ensure_ascii=False)


def _shorter_and_shorter(run: Run) -> Iterator[Run]:
    """Leave out what matters less where the whole would be too long.

    Of a setup check that is what it saw: what it found and what to paste matter more. Of a digest it is its lists: they
    stand in the page and in digest.json.
    """
    yield run
    if run.failure and run.failure.setup:
        wrong = [{**each, "evidence": []} for each in run.failure.setup["wrong"]]
        yield replace(run, failure=replace(run.failure, setup={**run.failure.setup, "wrong": wrong}))
    if run.digest:
        yield replace(run, digest={**run.digest, "sentences": [], "worst_gone": []})


def _shortest(run: Run) -> Run:
    lists: dict[str, Any] = {"sentences": [], "worst_new": [], "worst_gone": [], "fix_first": []}
    digest = {**run.digest, **lists} if run.digest and "error" not in run.digest else run.digest
    return replace(run, digest=digest, failure=replace(run.failure, setup=None) if run.failure else None)
