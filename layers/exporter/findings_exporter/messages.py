"""What is told about a recorded run: one text for a mail, one for a chat, one event for programs.

All three are pure functions of the run and the deployment. Sizes are kept by rule: a subject has under 100 characters
[AWS: SNS Publish], a chat message keeps the lengths of the custom-notification schema [AWS: Amazon Q Developer in chat
applications], and a cause is cut before anything else.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from findings_exporter.config import Config
from findings_exporter.errors import Failure
from findings_exporter.explanations import Explanation, evidence, explain, statements
from findings_exporter.runs import Run
from findings_exporter.texts import cut, wrapped

EVENT_VERSION = "1.1"
"""Of the event for programs; its JSON Schema stands in docs/export-event.schema.json."""
SUBJECT_CHARACTERS = 99
CAUSE_CHARACTERS = 3_000
NOTES_TOLD = 10
MESSAGE_BYTES = 255 * 1024
"""SNS takes 256 KiB with the attributes [AWS: SNS quotas]."""
TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, STEP_CHARACTERS, KEYWORD_CHARACTERS = 250, 8_000, 350, 75
CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
NOTHING_FOUND = {
    "no_findings": "Inspector found nothing that matches the filter, and wrote no file.",
    "no_object": "Inspector reported success but wrote no file, which it does when nothing matches the filter."
    " If you expected findings, check that Inspector is scanning.",
    "empty_object": "The file holds no finding: nothing matches the filter."
    " If you expected findings, check that Inspector is scanning.",
}
OUTCOME_WORDS = {"SUCCEEDED": "delivered", "FAILED": "FAILED", "ABORTED": "STOPPED", "TIMED_OUT": "TIMED OUT"}


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


def subject(run: Run, config: Config) -> str:
    """Return a mail's subject, which tells the night by itself: ASCII, under 100 characters, one line."""
    day = f"{run.execution.started_at:%d %b}".lstrip("0")
    name = run.plan.report_name if run.plan else "export"
    if run.failure:
        told = f"{OUTCOME_WORDS[run.outcome or 'FAILED']}: {explain(run.failure, config).title}"
    elif run.delivery and run.delivery.nothing_found:
        told = "delivered, nothing found"
    else:
        told = f"delivered, {size_text(run.delivery.size_bytes if run.delivery else 0)}"
    text = f"Inspector {day}: {name} {told}".encode("ascii", "replace").decode()
    return text if len(text) <= SUBJECT_CHARACTERS else f"{text[: SUBJECT_CHARACTERS - 3]}..."


def email(run: Run, config: Config) -> str:
    """Return a mail's body, as its reader wants it at 7 a.m.: the outcome first, details last."""
    parts = [_headline(run)]
    if run.failure:
        parts += _failure_parts(run.failure, explain(run.failure, config))
    elif run.delivery and run.delivery.nothing_found:
        parts.append(wrapped(NOTHING_FOUND[run.delivery.nothing_found]))
    parts.append("\n".join(f"{name:<10} {value}" for name, value in _facts(run, config)))
    if notes := _notes(run):
        parts.append("What else happened\n" + "\n".join(wrapped(text, "- ", "  ") for text in notes))
    parts.append("The links ask you to sign in to the account, and stay valid. Notification " + str(run.notification_id))
    return "\n\n".join(parts) + "\n"


def chat(run: Run, config: Config) -> dict[str, Any]:
    """Return a custom notification for Amazon Q Developer in chat applications, schema version 1.0."""
    explanation = explain(run.failure, config) if run.failure else None
    lines = [f"*{_headline(run)}*"]
    if run.failure and explanation:
        lines += [run.failure.cause, explanation.why]
    elif run.delivery and run.delivery.nothing_found:
        lines.append(NOTHING_FOUND[run.delivery.nothing_found])
    lines += [f"*{name}* {value}" for name, value in _facts(run, config)]
    lines += _notes(run)
    for place, statement in statements(run.failure) if run.failure else ():
        block = f"*{place}*\n```{statement}```"
        # Half a statement is of no use: what does not fit stands in the mail and in the event.
        if len("\n".join([*lines, block])) <= DESCRIPTION_CHARACTERS:
            lines.append(block)
    steps = explanation.fix if explanation else _success_steps(run, config)
    name = run.plan.report_name if run.plan else "export"
    keywords = [name, run.outcome or "", config.region]
    event = export_event(run, config)
    return {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": cut(
                f"{':white_check_mark:' if run.outcome == 'SUCCEEDED' else ':warning:'} {subject(run, config)}",
                TITLE_CHARACTERS,
            ),
            "description": cut("\n".join(lines), DESCRIPTION_CHARACTERS),
            "nextSteps": [cut(step, STEP_CHARACTERS) for step in steps],
            "keywords": [cut(word, KEYWORD_CHARACTERS) for word in keywords],
        },
        "metadata": {
            "threadId": f"inspector-findings-exporter-{config.region}-{name}",
            "summary": cut(subject(run, config), TITLE_CHARACTERS),
            "eventType": "findings-report-export",
            "relatedResources": [text for text in (run.execution.arn, run.delivery.uri if run.delivery else None) if text],
            "additionalContext": {
                "notification_id": str(run.notification_id),
                "outcome": str(run.outcome),
                "report": name,
                "uri": (run.delivery.uri if run.delivery else None) or "",
                "error": run.failure.error if run.failure else "",
                "event_version": str(event["version"]),
            },
        },
    }


def export_event(run: Run, config: Config) -> dict[str, Any]:
    """Return the event for programs (Lambda, SQS, Firehose). A field is never left out: what is not known is null."""
    explanation = explain(run.failure, config) if run.failure else None
    return {
        "type": "inspector-findings-exporter.export-ended",
        "version": EVENT_VERSION,
        "notification_id": run.notification_id,
        "outcome": run.outcome,
        "account": config.account,
        "region": config.region,
        "execution": {
            "arn": run.execution.arn,
            "name": run.execution.name,
            "started_at": run.execution.started_at.isoformat(),
            "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            "duration_seconds": run.duration_seconds,
            "url": execution_url(run, config),
        },
        "report": {
            "name": run.plan.report_name,
            "format": run.plan.report_format,
            "id": run.report_id,
            "filter_hash": run.plan.filter_hash,
            "scheduled_for": run.plan.scheduled_for,
            "report_seconds": run.report_seconds,
        }
        if run.plan
        else None,
        "delivery": run.delivery.to_dict() | {"uri": run.delivery.uri, "url": report_url(run, config)} if run.delivery else None,
        "failure": {
            "error": run.failure.error,
            "what": run.failure.cause,
            "why": explanation.why,
            "fix": list(explanation.fix),
            "setup": run.failure.setup,
        }
        if run.failure and explanation
        else None,
        "notes": _notes(run),
    }


def publication(run: Run, config: Config) -> dict[str, Any]:
    """Return the arguments of the one SNS Publish that tells a run: a body for each protocol, and filterable attributes."""
    attributes = {
        "outcome": run.outcome or "FAILED",
        "report": run.plan.report_name if run.plan else "unknown",
        "region": config.region,
    }
    texts = (_message(each, config) for each in _shorter_and_shorter(run))
    message = next((text for text in texts if len(text.encode()) <= MESSAGE_BYTES), _message(_without_setup(run), config))
    return {
        "TopicArn": config.topic_arn,
        "Subject": subject(run, config),
        "MessageStructure": "json",
        "Message": message,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }


def _message(run: Run, config: Config) -> str:
    bodies = {
        "default": json.dumps(export_event(run, config), ensure_ascii=False),
        "email": email(run, config),
        "https": json.dumps(chat(run, config), ensure_ascii=False),
    }
    return json.dumps(bodies, ensure_ascii=False)


def _shorter_and_shorter(run: Run) -> Iterator[Run]:
    """Leave out what a setup check saw where the whole would be too long: what it found and what to paste matter more."""
    yield run
    if run.failure and run.failure.setup:
        wrong = [{**each, "evidence": []} for each in run.failure.setup["wrong"]]
        yield replace(run, failure=replace(run.failure, setup={**run.failure.setup, "wrong": wrong}))


def _without_setup(run: Run) -> Run:
    return replace(run, failure=replace(run.failure, setup=None) if run.failure else None)


def execution_url(run: Run, config: Config) -> str:
    """Return the link to the execution in the Step Functions console."""
    return f"{_console(config)}/states/home?region={config.region}#/v2/executions/details/{quote(run.execution.arn, safe=':')}"


def report_url(run: Run, config: Config) -> str | None:
    """Return the link to the report in the S3 console; it outlives the night, unlike a presigned one."""
    if run.delivery is None or run.delivery.key is None:
        return None
    return (
        f"{_console(config)}/s3/object/{run.delivery.bucket}?region={config.region}&prefix={quote(run.delivery.key, safe='/=')}"
    )


def size_text(size_bytes: int) -> str:
    """Return a size as people read it."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - SI units
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def duration_text(seconds: int) -> str:
    """Return a duration as people read it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _notes(run: Run) -> list[str]:
    failed = [run.digest["sentence"]] if run.digest and "error" in run.digest else []
    return [*failed, *run.notes][:NOTES_TOLD]


def _headline(run: Run) -> str:
    name = f'The findings report "{run.plan.report_name}"' if run.plan else "The export"
    match run.outcome:
        case "SUCCEEDED" if run.delivery and run.delivery.nothing_found:
            return f"{name} was made: nothing found."
        case "SUCCEEDED":
            return f"{name} was delivered."
        case "ABORTED":
            return f"{name} was NOT delivered: the run was stopped."
        case _:
            return f"{name} was NOT delivered."


def _failure_parts(failure: Failure, explanation: Explanation) -> list[str]:
    lines = [line for line in failure.cause.splitlines() if line.strip()]
    what = "\n".join(wrapped(line, "  ", "    " if line.startswith("- ") else "  ") for line in lines)
    fix = "\n".join(wrapped(step, f"  {number}. ", "     ") for number, step in enumerate(explanation.fix, 1))
    why = "\n".join([wrapped(explanation.why, "  ", "  "), *(wrapped(line, "  - ", "    ") for line in evidence(failure))])
    # Not wrapped: it is to be pasted.
    paste = [f"{place}\n{statement}" for place, statement in statements(failure)]
    return [f"What happened ({failure.error})\n{what}", f"Why\n{why}", f"What to do now\n{fix}", *paste]


def _success_steps(run: Run, config: Config) -> tuple[str, ...]:
    url = report_url(run, config)
    if url is None:
        return ()
    step = f"Open the report: {url}"
    # A link that is cut leads nowhere.
    return (step if len(step) <= STEP_CHARACTERS else "Open the report with the link above.",)


def _facts(run: Run, config: Config) -> list[tuple[str, str]]:
    facts = []
    if run.delivery and run.delivery.uri:
        facts += [
            ("File", f"{run.delivery.uri} ({size_text(run.delivery.size_bytes)})"),
            ("Open", str(report_url(run, config))),
        ]
    if run.plan:
        filtered = ", ".join(run.plan.filter_criteria) or "none: all active findings"
        facts += [("Format", run.plan.report_format), ("Filter", filtered)]
    if run.plan and run.plan.scheduled_for:
        facts.append(("Scheduled", _time_text(datetime.fromisoformat(run.plan.scheduled_for))))
    inspector = f", of which Inspector {duration_text(run.report_seconds)}" if run.report_seconds is not None else ""
    return [
        *facts,
        ("Started", _time_text(run.execution.started_at)),
        ("Took", f"{duration_text(run.duration_seconds)}{inspector}"),
        ("Account", f"{config.account}, {config.region}"),
        ("Execution", execution_url(run, config)),
    ]


def _time_text(time: datetime) -> str:
    return f"{time:%d %b %Y, %H:%M:%S} UTC"


def _console(config: Config) -> str:
    return f"https://{config.region}.{CONSOLES.get(config.partition, CONSOLES['aws'])}"
