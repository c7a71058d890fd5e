"""The message that can always be sent: outcome, report, execution and its link, whatever a run's record holds.

It is sent where the full message cannot be created, and says so. Nothing here may raise, so that nothing is computed: each part
is a text of the record, cleaned, and what cannot be had is left out.
"""

import json
from dataclasses import replace
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, in_chat, in_mail, wrapped
from findings_exporter.notification.event import EVENT_VERSION, export_event
from findings_exporter.notification.links import execution_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.sanitize import ERROR_CHARACTERS

SHORT_NAME_CHARACTERS = 63
ARN_CHARACTERS = 256
NOTIFIED_OUTCOMES = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")


def subject(run: Run, config: Config) -> str:
    """Return a mail's subject: ASCII, under 100 characters."""
    text = Localization.of(config, "en").say("short.subject", name=_report(run) or "export", outcome=_outcome(run))
    return text.encode("ascii", "replace").decode()


def bodies(run: Run, config: Config) -> dict[str, str]:
    """Return a body for each protocol."""
    localization, url = Localization.of(config), execution_url(_bare(run), config)
    known = {"outcome": _outcome(run), "report": _report(run), "error": _error(run)}
    facts = [(localization.say(f"fact.{name}"), value) for name, value in known.items() if value]
    mail = [wrapped(localization.say("short")), *(f"{name}: {in_mail(value)}" for name, value in facts)]
    lines = [f"*{localization.say('short')}*", *(f"*{name}* {in_chat(value)}" for name, value in facts)]
    where = localization.say("link.execution")
    chat = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f":warning: {in_chat(subject(run, config))}",
            "description": "\n".join([*lines, f"*{where}* {url}"]),
        },
        "metadata": {"additionalContext": {"notification_id": _id(run), "event_version": EVENT_VERSION}},
    }
    return {
        "default": json.dumps(_event(run, config)),
        "email": "\n".join([*mail, f"{where}:\n{url}", wrapped(localization.say("links_stay", id=_id(run)))]) + "\n",
        "https": json.dumps(chat, ensure_ascii=False),
    }


def attributes(run: Run, config: Config) -> dict[str, str]:
    """Return what subscribers may filter by; coverage and changes are unknown, so that the level is that of a problem."""
    return {
        "outcome": _outcome(run),
        "report": _report(run) or "unknown",
        "region": config.region,
        "coverage": "unknown",
        "worst_new_severity": "UNKNOWN",
        "level": "PROBLEM",
    }


def _event(run: Run, config: Config) -> dict[str, Any]:
    text = Localization.of(config, "en").say("short")
    failure = None if _outcome(run) == "SUCCEEDED" else Failure(_error(run) or "Unknown", text)
    return export_event(replace(_bare(run), failure=failure, notes=(text,)), config)


def _bare(run: Run) -> Run:
    """Return the run with no more than who it is."""
    execution = Execution(clean(run.execution.arn, ARN_CHARACTERS), run.execution.started_at)
    return Run(execution, input="", outcome=_outcome(run), notification_id=_id(run))  # type: ignore[arg-type] # one of NOTIFIED_OUTCOMES


def _outcome(run: Run) -> str:
    return run.outcome if run.outcome in NOTIFIED_OUTCOMES else "FAILED"


def _report(run: Run) -> str:
    return clean(getattr(run.plan, "report_name", ""), SHORT_NAME_CHARACTERS)


def _error(run: Run) -> str:
    return clean(getattr(run.failure, "error", ""), ERROR_CHARACTERS)


def _id(run: Run) -> str:
    return clean(run.notification_id or "", SHORT_NAME_CHARACTERS)
