"""The message for a chat: a custom notification of Amazon Q Developer in chat applications, schema version 1.0.

What does not keep the schema is dropped in silence [AWS: custom notifications], so every length is kept by rule.
"""

from typing import Any

from findings_exporter.config import Config
from findings_exporter.explanations import explain, statements
from findings_exporter.messages.foreign import for_chat
from findings_exporter.messages.lines import (
    facts,
    finding_line,
    first_lines,
    fix_line,
    headline,
    page_url,
    title,
)
from findings_exporter.messages.links import report_url
from findings_exporter.messages.mail import subject
from findings_exporter.messages.night import Night, digest_failure, night_of, worst_severity
from findings_exporter.messages.speech import Speech
from findings_exporter.runs import Run
from findings_exporter.texts import clean, cut, in_chat

TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, STEP_CHARACTERS, KEYWORD_CHARACTERS = 250, 8_000, 350, 75
FIXES_AS_STEPS = 3
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
            "title": cut(f"{_sign(run, night)} {title(run, config, speech)}", TITLE_CHARACTERS),
            "description": cut("\n".join(_lines(run, night, config, speech)), DESCRIPTION_CHARACTERS),
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


def _lines(run: Run, night: Night | None, config: Config, speech: Speech) -> list[str]:
    if night:
        first, *more = first_lines(run, night, speech)
        lines = [f"*{first}*", *more]
        if night.new:
            counts = speech.severities(night.new_by_severity)
            lines.append(speech.say("head_with_counts", head=f"*{speech.say('worst_new')}*", counts=counts))
            lines += [f"• {finding_line(each, speech)}" for each in night.worst_new]
        if night.fix_first:
            lines.append(f"*{speech.say('fix_first')}*")
            lines += [f"{rank}. {fix_line(each, speech)}" for rank, each in enumerate(night.fix_first, 1)]
    else:
        lines = [f"*{headline(run, speech)}*"]
    if run.failure:
        lines += [run.failure.cause, explain(run.failure, config, speech.language).why]
    elif run.delivery and run.delivery.nothing_found:
        lines.append(speech.say("nothing_matches" if night else f"nothing_found.{run.delivery.nothing_found}"))
    if failure := digest_failure(run):
        lines += [f"*{speech.say('headline.digest_failed')}*", f"{failure['error']}: {failure['sentence']}"]
    if night and (url := page_url(run, night, config)):
        lines.append(f"*{speech.say('link.page')}* {url}")
    lines += [
        f"*{name}* {value if value.startswith('https://') else in_chat(value)}" for name, value in facts(run, config, speech)
    ]
    lines += [*(night.sentences if night else ()), *run.notes]
    for check, statement in statements(run.failure, speech.language) if run.failure else ():
        block = f"*{speech.say('to_paste', check=check)}*\n```{statement}```"
        # Half a statement is of no use: what does not fit stands in the mail and in the event.
        if len("\n".join([*lines, block])) <= DESCRIPTION_CHARACTERS:
            lines.append(block)
    return lines


def _steps(run: Run, night: Night | None, config: Config, speech: Speech) -> list[str]:
    if run.failure:
        return list(explain(run.failure, config, speech.language).fix)
    steps = []
    if night and night.state != "good":
        steps.append(speech.say(f"{night.state}.step"))
    if night:
        steps += [speech.say("step.fix", what=fix_line(each, speech)) for each in night.fix_first[:FIXES_AS_STEPS]]
    urls = {"page": page_url(run, night, config) if night else None, "report": report_url(run, config)}
    for name, url in urls.items():
        if url:
            step = speech.say(f"step.{name}", url=url)
            # A link that is cut leads nowhere.
            steps.append(step if len(step) <= STEP_CHARACTERS else speech.say(f"step.{name}_above"))
    return steps


def _uri(run: Run) -> str:
    return in_chat(clean(run.delivery.uri, URI_CHARACTERS)) if run.delivery and run.delivery.uri else ""
