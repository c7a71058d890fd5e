"""The message for a chat, of a run or of an owner's findings: a custom notification, schema version 1.0.

It is Amazon Q Developer in chat applications that shows it.

What does not keep the schema is dropped in silence [AWS: custom notifications], so every length is kept by rule.
"""

from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, cut, in_chat
from findings_exporter.notification.entry_lines import EntryLines
from findings_exporter.notification.links import execution_url, report_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.mail import subject
from findings_exporter.notification.phrases import (
    URI_CHARACTERS,
    action_lines,
    action_step,
    first_lines,
    outcome_lines,
    owner_lines,
    page_url,
)
from findings_exporter.notification.remediation import remediation_for, statements
from findings_exporter.notification.sanitize import for_chat
from findings_exporter.notification.subject_line import title
from findings_exporter.notification.view import MessageView, analysis_failure, view_of, worst_severity

CHAT_TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, STEP_CHARACTERS, KEYWORD_CHARACTERS = 250, 8_000, 350, 75
CHAT_LISTED = 3
OWNERS_IN_CHAT = 5


def chat(run: Run, config: Config, event_version: str) -> dict[str, Any]:
    """Return the custom notification of a run."""
    localization = Localization.of(config)
    run = for_chat(run, localization.language)
    view, uri = view_of(run), _uri(run)
    name = run.plan.report_name if run.plan else "export"
    owner = view.owner if view else None
    keywords = [name, run.outcome or "", config.region] if owner is None else [owner, name, config.region]
    keywords += [view.state, *(each for each in [worst_severity(view)] if each not in {"NONE", "UNKNOWN"})] if view else []
    return {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f"{(sign := _sign(run, view))} {title(run, config, localization, CHAT_TITLE_CHARACTERS - len(sign) - 1)}",
            "description": _description(run, view, config, localization),
            "nextSteps": [cut(step, STEP_CHARACTERS) for step in _steps(run, view, config, localization)],
            "keywords": [cut(word, KEYWORD_CHARACTERS) for word in keywords],
        },
        "metadata": {
            "threadId": f"inspector-findings-exporter-{config.region}-{name}" + (f"-{owner}" if owner is not None else ""),
            "summary": cut(subject(run, config), CHAT_TITLE_CHARACTERS),
            "eventType": "findings-report-export" if owner is None else "findings-of-an-owner",
            "relatedResources": [text for text in (in_chat(clean(run.execution.arn, URI_CHARACTERS)), uri) if text],
            "additionalContext": {
                "notification_id": str(run.notification_id),
                "outcome": str(run.outcome),
                "report": name,
                "uri": uri,
                "error": run.failure.error if run.failure else "",
                "event_version": event_version,
                "coverage": view.state if view else "unknown",
                "worst_new_severity": worst_severity(view),
                "new": "" if view is None or view.new is None else str(view.new),
                "no_longer_open": "" if view is None or view.no_longer_open is None else str(view.no_longer_open),
                "open": "" if view is None else str(view.open),
                "overdue": str(sum(view.overdue.values())) if view and view.has_due_dates else "",
                "due_soon": str(sum(view.due_soon.values())) if view and view.has_due_dates else "",
                "owner": owner or "",
            },
        },
    }


def _sign(run: Run, view: MessageView | None) -> str:
    if run.outcome != "SUCCEEDED" or analysis_failure(run):
        return ":warning:"
    if view and not view.is_good:
        return ":rotating_light:" if view.state == "lost" else ":warning:"
    if view and any(view.overdue.values()):
        return ":warning:"
    return ":white_check_mark:"


def _description(run: Run, view: MessageView | None, config: Config, localization: Localization) -> str:
    """Return the headline, coverage, what is new, what to fix first, and one link: details are on the page."""
    first, *lines = _of_an_analyzed_run(run, view, config, localization) if view else outcome_lines(run, config, localization)
    lines = [f"*{first}*", *lines]
    if failure := analysis_failure(run):
        lines += [failure["error"], failure["sentence"]]
    if run.failure:
        lines += [run.failure.cause, remediation_for(run.failure, config, localization.language, run).why]
    link = _link(run, view, config, localization)
    if len(link) > URI_CHARACTERS:
        link = localization.say("link_in_mail")
    description = f"{cut('\n'.join(lines), DESCRIPTION_CHARACTERS - len(link) - 1)}\n{link}"
    statements_text = statements(run.failure, localization.language) if run.failure else ()
    blocks = [
        f"*{localization.say('statements_to_add', check=check)}*\n```{statement}```" for check, statement in statements_text
    ]
    for block in (*(run.notes if view is None or view.owner is None else ()), *blocks):
        # Half a statement is of no use: what does not fit is in the mail and in the event.
        if len(f"{description}\n{block}") <= DESCRIPTION_CHARACTERS:
            description = f"{description}\n{block}"
    return description


def _of_an_analyzed_run(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    lines = [*action_lines(view, localization), *first_lines(run, view, config, localization)]
    if run.delivery and run.delivery.nothing_found and view.owner is None:
        lines.append(localization.say("nothing_matches"))
    entries, listed = EntryLines.of(view, localization), []
    if not view.has_no_changes or view.owner is not None:
        listed.append(("fix_first", view.fix_first))
    if view.new:
        listed.append(("worst_new", view.worst_new))
    listed.append(("most_overdue", view.most_overdue))
    for name, found in listed:
        if found:
            lines.append(f"*{localization.say(name)}*")
        for rank, each in enumerate(found[:CHAT_LISTED], 1):
            sign = f"{rank}." if name == "fix_first" else "•"
            lines.append(f"{sign} {localization.say('facts').join(entries.lines(each))}")
            if each.get("why"):
                lines.append(localization.say("score", why=each["why"]))
    if view.owners and not view.has_no_changes:
        head, *owners, last = owner_lines(view.owners, localization, OWNERS_IN_CHAT)
        lines += [f"*{head}*", *(f"• {each}" for each in owners), last]
    return lines


def _link(run: Run, view: MessageView | None, config: Config, localization: Localization) -> str:
    """Return the link to the page, else to the report, else to the execution."""
    of_owner = view is not None and view.owner is not None
    urls = {
        "owner_page" if view and view.owner not in {None, UNOWNED} else "page": page_url(run, view, config) if view else None,
        "report": None if of_owner else report_url(run, config),
        "execution": execution_url(run, config),
    }
    name, url = next((name, url) for name, url in urls.items() if url)
    return f"*{localization.say(f'link.{name}')}* {url}"


def _steps(run: Run, view: MessageView | None, config: Config, localization: Localization) -> list[str]:
    if run.failure:
        return list(remediation_for(run.failure, config, localization.language, run).fix)
    step = action_step(view, localization) if view else None
    return [step] if step else []


def _uri(run: Run) -> str:
    return in_chat(clean(run.delivery.uri, URI_CHARACTERS)) if run.delivery and run.delivery.uri else ""
