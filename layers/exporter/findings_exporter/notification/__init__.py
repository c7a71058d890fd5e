"""The messages about a recorded run, and about an owner's findings in it: a mail, a chat message, and an event for programs.

The findings of an owner are a run whose analysis is the owner's headline. All three are pure functions of the run and the
deployment. Sizes are kept by rule: a subject has under 100 characters [AWS: SNS Publish], a chat message keeps the lengths of
the custom-notification schema [AWS: Amazon Q Developer in chat applications], a mail's first screen its 24 lines of 72, and a
cause is cut before anything else.

Offered beside the names below: ``remediation`` and ``sanitize`` for the Fail state's cause, ``chat`` and ``level`` for the
setup check's message, ``links`` for the page, ``localization`` for
the preview; ``home_headline`` for what a run says to the home Region, and ``summary_message``.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import Note, from_stored
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, cut
from findings_exporter.notification import chat, short
from findings_exporter.notification.event import EVENT_VERSION, OWNER_EVENT_VERSION, export_event, owner_event
from findings_exporter.notification.level import LEVELS, level_of
from findings_exporter.notification.links import execution_url, object_url, report_url
from findings_exporter.notification.mail import email, subject
from findings_exporter.notification.sanitize import CAUSE_CHARACTERS, ERROR_CHARACTERS, OWNER_NAME_CHARACTERS, for_programs
from findings_exporter.notification.subject_line import TITLE_CHARACTERS
from findings_exporter.notification.texts_en import TEXTS
from findings_exporter.notification.view import view_of, worst_severity

__all__ = [
    "CAUSE_CHARACTERS",
    "EVENT_VERSION",
    "LEVELS",
    "MESSAGE_BYTES",
    "NOTHING_FOUND",
    "OWNER_EVENT_VERSION",
    "attributes",
    "chat_message",
    "email",
    "execution_url",
    "export_event",
    "failure_from",
    "level_of",
    "object_url",
    "of_owner",
    "owner_attributes",
    "owner_event",
    "owner_publication",
    "publication",
    "report_url",
    "subject",
]

logger = logging.getLogger(__name__)

MESSAGE_BYTES, ATTRIBUTE_BYTES = 255 * 1024, 512
"""SNS takes 256 KiB of a message with its attributes [AWS: SNS quotas]."""
SEVERAL_LINES = "InvalidInput"
"""The one error whose cause is a list: of its faults, each cleaned by the plan."""
NOTHING_FOUND = {how: TEXTS[f"nothing_found.{how}"] for how in ("no_findings", "no_object", "empty_object")}


def failure_from(error: str, cause: str) -> Failure:
    """Return a failure from what the workflow caught.

    A function's exception arrives as JSON with its message and stack trace; anything else is plain text or empty. Either may
    hold anything: it becomes one line, or a list of them where it is one.
    """
    try:
        document = json.loads(cause)
        text = document["errorMessage"]
    except (ValueError, TypeError, KeyError, RecursionError):
        text = cause
    error = clean(error, ERROR_CHARACTERS) or "Unknown"
    lines = str(text).splitlines() if error == SEVERAL_LINES else [text]
    text = cut("\n".join(filter(None, (clean(line, CAUSE_CHARACTERS) for line in lines))), CAUSE_CHARACTERS)
    return Failure(error, text or Note("cause.none", error=error))


def chat_message(run: Run, config: Config) -> dict[str, Any]:
    """Return a custom notification for Amazon Q Developer in chat applications, schema version 1.0."""
    view = view_of(run)
    return chat.chat(run, config, EVENT_VERSION if view is None or view.owner is None else OWNER_EVENT_VERSION)


def attributes(run: Run, config: Config) -> dict[str, str]:
    """Return what subscribers may filter by; docs/subscriptions.md has examples. Alarms have none of them."""
    run = for_programs(run)
    view = view_of(run)
    return {
        "outcome": run.outcome or "FAILED",
        "report": run.plan.report_name if run.plan else "unknown",
        "region": config.region,
        "coverage": view.state if view else "unknown",
        "worst_new_severity": worst_severity(view),
        "level": level_of(run),
    }


def owner_attributes(run: Run, config: Config) -> dict[str, str]:
    """Return what the subscribers of the owners' topic may filter by: first of all the owner."""
    run = for_programs(run)
    view = view_of(run)
    return {
        "owner": view.owner if view and view.owner else "unknown",
        "report": run.plan.report_name if run.plan else "unknown",
        "region": config.region,
        "level": level_of(run),
        "worst_new_severity": worst_severity(view),
        "overdue": "true" if view and any(view.overdue.values()) else "false",
    }


@dataclass(frozen=True, slots=True)
class _Form:
    """What differs between the messages about a run and those about an owner's findings."""

    topic_arn: str
    is_whole: Callable[[Run], bool]
    event: Callable[[Run, Config], dict[str, Any]]
    attributes: Callable[[Run, Config], dict[str, str]]
    short_subject: Callable[[Run, Config], str]
    short_bodies: Callable[[Run, Config], dict[str, str]]
    short_attributes: Callable[[Run, Config], dict[str, str]]


def publication(run: Run, config: Config) -> dict[str, Any]:
    """Return the arguments of the one SNS Publish about a run: a body for each protocol, and filterable attributes.

    A message goes out whatever the record holds: where the full one cannot be created, it is a short one.
    """
    analysis = (
        {**run.analysis, "owner": None} if isinstance(run.analysis, Mapping) and "error" not in run.analysis else run.analysis
    )
    return _publication(replace(run, analysis=analysis), config, _of_runs(config))


def owner_publication(run: Run, headline: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return the arguments of the SNS Publish about an owner's findings, to the owners' topic; bounded as :func:`publication`.

    Parameters
    ----------
    headline
        Of the owner, as ``owners.json`` has it: the form of the run's, with ``owner`` and ``last_message``.
    """
    return _publication(of_owner(run, headline), config, _of_owners(config))


def of_owner(run: Run, headline: Mapping[str, Any]) -> Run:
    """Return a run as its messages to an owner see it; the same owner of the same run has the same notification id."""
    read = from_stored(headline) if isinstance(headline, Mapping) else {}
    owner = clean(read.get("owner") or "", OWNER_NAME_CHARACTERS)
    name = f"{clean(run.execution.arn, short.ARN_CHARACTERS)} {owner}"
    return replace(run, analysis={**read, "owner": owner}, notification_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)))


def _of_runs(config: Config) -> _Form:
    return _Form(config.topic_arn, _is_shown_whole, export_event, attributes, short.subject, short.bodies, short.attributes)


def _of_owners(config: Config) -> _Form:
    shortest = short.owner_subject, short.owner_bodies, short.owner_attributes
    return _Form(config.owner_topic_arn, _is_owner_shown, owner_event, owner_attributes, *shortest)


def _publication(run: Run, config: Config, form: _Form) -> dict[str, Any]:
    try:
        published = _published(subject(run, config), _fitting(run, config, form), form.attributes(run, config), form)
        if form.is_whole(run) and _is_taken(published):
            return published
        logger.error("a short message is sent: the full one lacks a part or exceeds a limit of SNS")
    except Exception as error:  # noqa: BLE001 - no error of rendering may prevent the notification
        logger.error("a short message is sent: %s", type(error).__name__)  # noqa: TRY400 - a traceback holds content
    return _published(
        form.short_subject(run, config), json.dumps(form.short_bodies(run, config)), form.short_attributes(run, config), form
    )


def _published(title: str, message: str, filterable: Mapping[str, str], form: _Form) -> dict[str, Any]:
    return {
        "TopicArn": form.topic_arn,
        "Subject": title,
        "MessageStructure": "json",
        "Message": message,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in filterable.items()},
    }


def _is_shown_whole(run: Run) -> bool:
    # A failure that cannot be read must not look like a success.
    return not run.unread and run.outcome in short.NOTIFIED_OUTCOMES and (run.outcome == "SUCCEEDED" or run.failure is not None)


def _is_owner_shown(run: Run) -> bool:
    view = view_of(run)
    return _is_shown_whole(run) and view is not None and bool(view.owner)


def _is_taken(published: Mapping[str, Any]) -> bool:
    """Return whether SNS takes a message [AWS: SNS Publish]; what cannot be encoded raises."""
    title = published["Subject"]
    values = [each["StringValue"] for each in published["MessageAttributes"].values()]
    fits = len(published["Message"].encode()) <= MESSAGE_BYTES and len("".join(values).encode()) <= ATTRIBUTE_BYTES
    return fits and all(values) and 0 < len(title) <= TITLE_CHARACTERS and title.isascii() and title.isprintable()


def _fitting(run: Run, config: Config, form: _Form) -> str:
    texts = (_message(each, config, form) for each in _shorter_and_shorter(run))
    return next((text for text in texts if len(text.encode()) <= MESSAGE_BYTES), None) or _message(_shortest(run), config, form)


def _message(run: Run, config: Config, form: _Form) -> str:
    bodies = {
        "default": json.dumps(form.event(run, config), ensure_ascii=False, allow_nan=False),
        "email": email(run, config),
        "https": json.dumps(chat_message(run, config), ensure_ascii=False),
    }
    return json.dumps(bodies, ensure_ascii=False)


def _shorter_and_shorter(run: Run) -> Iterator[Run]:
    """Leave out what matters less where the whole would be too long.

    Of a setup check that is its evidence: results and policy statements matter more. Of an analysis it is its lists: they
    are on the page and in analysis.json.
    """
    yield run
    if run.failure and run.failure.setup:
        failed = [{**each, "evidence": []} for each in run.failure.setup["failed"]]
        yield replace(run, failure=replace(run.failure, setup={**run.failure.setup, "failed": failed}))
    if run.analysis:
        yield replace(run, analysis={**run.analysis, "sentences": [], "worst_no_longer_open": []})


def _shortest(run: Run) -> Run:
    lists: dict[str, Any] = {name: [] for name in ("sentences", "worst_new", "worst_no_longer_open", "most_overdue", "fix_first")}
    analysis = {**run.analysis, **lists} if run.analysis and "error" not in run.analysis else run.analysis
    return replace(run, analysis=analysis, failure=replace(run.failure, setup=None) if run.failure else None)
