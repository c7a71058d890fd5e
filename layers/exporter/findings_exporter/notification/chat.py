"""The message for a chat: a custom notification of Amazon Q Developer in chat applications, schema version 1.0.

What does not keep the schema is dropped in silence [AWS: custom notifications], so every length is kept by rule.
"""

from typing import Any

from findings_exporter.aws.run_store import Run
from findings_exporter.model.config import Config
from findings_exporter.model.text import clean, cut, in_chat
from findings_exporter.notification.links import execution_url, report_url
from findings_exporter.notification.localization import Speech
from findings_exporter.notification.mail import subject
from findings_exporter.notification.phrases import (
    action_lines,
    action_step,
    finding_line,
    first_lines,
    fix_line,
    outcome_lines,
    page_url,
)
from findings_exporter.notification.remediation import explain, statements
from findings_exporter.notification.sanitize import for_chat
from findings_exporter.notification.subject_line import title
from findings_exporter.notification.view import Night, digest_failure, night_of, worst_severity

TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, STEP_CHARACTERS, KEYWORD_CHARACTERS = 250, 8_000, 350, 75
LISTED = 3
URI_CHARACTERS = 2_000


def chat(run: Run, config: Config, event_version: str) -> dict[str, Any]:
    """Return the custom notification of a run."""
    speech = Speech.of(config)
    run = for_chat(run, speech.language)
    night, uri = night_of(run), _uri(run)
    name = run.plan.report_name if run.plan else "export"
    keywords = [name, run.outcome or "", config.region]
    keywords += [night.state, *(each for each in [worst_severity(night)] if each not in {"NONE", "UNKNOWN"})] if night else []
    return {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f"{(sign := _sign(run, night))} {title(run, config, speech, TITLE_CHARACTERS - len(sign) - 1)}",
            "description": _description(run, night, config, speech),
            "nextSteps": [cut(step, STEP_CHARACTERS) for step in _steps(run, night, config, speech)],
            "keywords": [cut(word, KEYWORD_CHARACTERS) for word in keywords],
        },
        "metadata": {
            "threadId": f"inspector-findings-exporter-{config.region}-{name}",
            "summary": cut(subject(run, config), TITLE_CHARACTERS),
            "eventType": "findings-report-export",
            "relatedResources": [text for text in (in_chat(clean(run.execution.arn, URI_CHARACTERS)), uri) if text],
            "additionalContext": {
                "notification_id": str(run.notification_id),
                "outcome": str(run.outcome),
                "report": name,
                "uri": uri,
                "error": run.failure.error if run.failure else "",
                "event_version": event_version,
                "night": night.state if night else "unknown",
                "worst_new_severity": worst_severity(night),
                "new": "" if night is None or night.new is None else str(night.new),
                "gone": "" if night is None or night.gone is None else str(night.gone),
                "open": "" if night is None else str(night.open),
            },
        },
    }


def _sign(run: Run, night: Night | None) -> str:
    if run.outcome != "SUCCEEDED" or digest_failure(run):
        return ":warning:"
    if night and not night.is_good:
        return ":rotating_light:" if night.state == "dark" else ":warning:"
    return ":white_check_mark:"


def _description(run: Run, night: Night | None, config: Config, speech: Speech) -> str:
    """Return the headline, coverage, what is new, what to fix first, and one link: details are on the page."""
    first, *lines = _of_a_night(run, night, config, speech) if night else outcome_lines(run, config, speech)
    lines = [f"*{first}*", *lines]
    if failure := digest_failure(run):
        lines += [failure["error"], failure["sentence"]]
    if run.failure:
        lines += [run.failure.cause, explain(run.failure, config, speech.language).why]
    link = _link(run, night, config, speech)
    if len(link) > URI_CHARACTERS:
        link = speech.say("link_in_mail")
    told = f"{cut('\n'.join(lines), DESCRIPTION_CHARACTERS - len(link) - 1)}\n{link}"
    pasted = statements(run.failure, speech.language) if run.failure else ()
    blocks = [f"*{speech.say('to_paste', check=check)}*\n```{statement}```" for check, statement in pasted]
    for block in (*run.notes, *blocks):
        # Half a statement is of no use: what does not fit is in the mail and in the event.
        if len(f"{told}\n{block}") <= DESCRIPTION_CHARACTERS:
            told = f"{told}\n{block}"
    return told


def _of_a_night(run: Run, night: Night, config: Config, speech: Speech) -> list[str]:
    lines = [*action_lines(night, speech), *first_lines(run, night, config, speech)]
    if run.delivery and run.delivery.nothing_found:
        lines.append(speech.say("nothing_matches"))
    if night.new and night.worst_new:
        lines.append(f"*{speech.say('worst_new')}*")
        lines += [f"• {finding_line(each, speech)}" for each in night.worst_new[:LISTED]]
    if night.fix_first and not night.is_quiet:
        lines.append(f"*{speech.say('fix_first')}*")
        lines += [f"{rank}. {fix_line(each, speech)}" for rank, each in enumerate(night.fix_first[:LISTED], 1)]
    return lines


def _link(run: Run, night: Night | None, config: Config, speech: Speech) -> str:
    """Return the link to the page, else to the report, else to the execution."""
    urls = {
        "page": page_url(run, night, config) if night else None,
        "report": report_url(run, config),
        "execution": execution_url(run, config),
    }
    name, url = next((name, url) for name, url in urls.items() if url)
    return f"*{speech.say(f'link.{name}')}* {url}"


def _steps(run: Run, night: Night | None, config: Config, speech: Speech) -> list[str]:
    if run.failure:
        return list(explain(run.failure, config, speech.language).fix)
    step = action_step(night, speech) if night else None
    return [step] if step else []


def _uri(run: Run) -> str:
    return in_chat(clean(run.delivery.uri, URI_CHARACTERS)) if run.delivery and run.delivery.uri else ""
