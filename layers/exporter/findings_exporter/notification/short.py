"""The message that can always be sent: outcome, report, execution and its link, whatever a run's record holds.

It is sent where the full message cannot be created, and says so. Nothing here may raise, so that nothing is computed: each part
is a text of the record, cleaned, and what cannot be had is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, cut, in_chat, in_mail, wrapped
from findings_exporter.notification.event import EVENT_VERSION, OWNER_EVENT_VERSION, export_event, owner_event
from findings_exporter.notification.links import execution_url, object_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.sanitize import ERROR_CHARACTERS, OWNER_NAME_CHARACTERS
from findings_exporter.notification.subject_line import TITLE_CHARACTERS

SHORT_NAME_CHARACTERS = 63
ARN_CHARACTERS = 256
KEY_CHARACTERS = 1_100
"""Of a bucket and a key together at most [AWS: S3]."""
NOTIFIED_OUTCOMES = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")


def subject(run: Run, config: Config) -> str:
    """Return a mail's subject: ASCII, under 100 characters."""
    text = Localization.of(config, "en").say("short.subject", name=_report(run) or "export", outcome=_outcome(run))
    return text.encode("ascii", "replace").decode()


def bodies(run: Run, config: Config) -> dict[str, str]:
    """Return a body for each protocol."""
    localization = Localization.of(config)
    known = {"outcome": _outcome(run), "report": _report(run), "error": _error(run)}
    said = localization.say("short"), _facts(known, localization)
    where = (localization.say("link.execution"), execution_url(_bare(run), config))
    return _bodies(run, subject(run, config), said, where, (EVENT_VERSION, _event(run, config)), localization)


def owner_subject(run: Run, config: Config) -> str:
    """Return the subject of a mail to an owner: ASCII, under 100 characters."""
    text = Localization.of(config, "en").say("short.owner_subject", owner=_owner(run))
    return cut(text, TITLE_CHARACTERS).encode("ascii", "replace").decode()


def owner_bodies(run: Run, config: Config) -> dict[str, str]:
    """Return a body for each protocol, to an owner; the page is linked to where it is known."""
    localization, page = Localization.of(config), _page_url(run, config)
    said = localization.say("short.owner"), _facts({"owner": _owner(run), "report": _report(run)}, localization)
    where = (localization.say("link.owner_page" if page else "link.execution"), page or execution_url(_bare(run), config))
    bare = replace(_bare(run), analysis={"owner": _owner(run)})
    event = owner_event(bare, config) | {"page_url": page}
    return _bodies(run, owner_subject(run, config), said, where, (OWNER_EVENT_VERSION, event), localization)


def owner_attributes(run: Run, config: Config) -> dict[str, str]:
    """Return what the subscribers of the owners' topic may filter by; what is not known is a problem."""
    return {
        "owner": _owner(run),
        "report": _report(run) or "unknown",
        "region": config.region,
        "level": "PROBLEM",
        "worst_new_severity": "UNKNOWN",
        "overdue": "false",
    }


def _facts(known: Mapping[str, str], localization: Localization) -> list[tuple[str, str]]:
    return [(localization.say(f"fact.{name}"), value) for name, value in known.items() if value]


def _bodies(
    run: Run,
    title: str,
    said: tuple[str, Sequence[tuple[str, str]]],
    where: tuple[str, str],
    event: tuple[str, Mapping[str, Any]],
    localization: Localization,
) -> dict[str, str]:
    first, facts = said
    mail = [wrapped(first), *(f"{name}: {in_mail(value)}" for name, value in facts)]
    lines = [f"*{first}*", *(f"*{name}* {in_chat(value)}" for name, value in facts)]
    name, url = where
    chat = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f":warning: {in_chat(title)}",
            "description": "\n".join([*lines, f"*{name}* {url}"]),
        },
        "metadata": {"additionalContext": {"notification_id": _id(run), "event_version": event[0]}},
    }
    return {
        "default": json.dumps(event[1]),
        "email": "\n".join([*mail, f"{name}:\n{url}", wrapped(localization.say("links_stay", id=_id(run)))]) + "\n",
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


def _owner(run: Run) -> str:
    return (
        clean(run.analysis.get("owner") or "", OWNER_NAME_CHARACTERS) or "unknown"
        if isinstance(run.analysis, Mapping)
        else "unknown"
    )


def _page_url(run: Run, config: Config) -> str | None:
    found = run.analysis if isinstance(run.analysis, Mapping) else {}
    bucket, key = found.get("bucket"), found.get("page_key")
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or len(bucket) + len(key) > KEY_CHARACTERS:
        return None
    return object_url(clean(bucket, KEY_CHARACTERS), clean(key, KEY_CHARACTERS), config) if key else None
