"""What a setup check returns: its result for programs, a text for people, and its part of a failed run's message."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from findings_exporter.model import notes
from findings_exporter.model.notes import Note
from findings_exporter.model.text import clean, cut, each_text, in_chat, in_mail, wrapped
from findings_exporter.notification import MESSAGE_BYTES
from findings_exporter.notification.chat import CHAT_TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, STEP_CHARACTERS
from findings_exporter.notification.level import level_of
from findings_exporter.preflight.check import Check, CheckResult
from findings_exporter.preflight.deployment import Deployment

RESULT_TYPE, RESULT_VERSION = "inspector-findings-exporter.setup-checked", "2.0"
"""Of the JSON result; its JSON Schema is docs/setup-check.schema.json."""
SETUP_SENTENCE_CHARACTERS, EVIDENCE_LINES = 400, 3
"""Of a check in a failed run's message, which has to fit with others into a state and a record."""
ORDER: tuple[CheckResult, ...] = ("failed", "unknown", "passed")
STEPS = 10
"""Of a chat message [AWS: Amazon Q Developer in chat applications]."""
SETUP_TEXT_CHARACTERS, EVIDENCE_SHOWN = 1_000, 10
"""Of what a check says: policies, and AWS' own texts, come from outside."""


def result_of(checks: Sequence[Check]) -> CheckResult:
    """Return the result of the whole: as good as its worst part."""
    results = {check.result for check in checks}
    return next((each for each in ORDER if each in results), "passed")


def result(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Return the whole result, with every policy that lacks a statement. Its fields are English, its text is not."""
    return event(checks, deployment, now) | {
        "checks": [_check(check) | {"policy": each_text(check.policy, _encodable)} for check in _shown(checks)],
        "text": text(checks, deployment),
    }


def event(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Return the result for programs that listen to the topic: without whole policies, which may not fit."""
    return {
        "type": RESULT_TYPE,
        "version": RESULT_VERSION,
        "result": result_of(checks),
        "account": deployment.config.account,
        "region": deployment.config.region,
        "checked_at": now.isoformat(),
        "checks": [_check(check) for check in _shown(checks)],
    }


def findings(checks: Sequence[Check]) -> dict[str, Any]:
    """Return what a failed run's message needs: what failed and its fix, and what is unknown. Its notes are stored ones."""
    found = {
        "result": result_of(checks),
        "failed": [
            {
                "check": check.name,
                "sentence": notes.cut(check.sentence, SETUP_SENTENCE_CHARACTERS),
                "evidence": [notes.cut(line, SETUP_SENTENCE_CHARACTERS) for line in check.evidence[:EVIDENCE_LINES]],
                "fix": [notes.cut(step, SETUP_SENTENCE_CHARACTERS) for step in check.fix],
                "statements": list(check.statements),
            }
            for check in checks
            if check.result == "failed"
        ],
        "unknown": [
            {"check": check.name, "sentence": notes.cut(check.sentence, SETUP_SENTENCE_CHARACTERS)}
            for check in checks
            if check.result == "unknown"
        ],
    }
    stored: dict[str, Any] = notes.to_stored(found)
    return stored


def headline(checks: Sequence[Check], deployment: Deployment) -> Note:
    """Return the coverage status on the whole in a line."""
    counted = [(result, sum(check.result == result for check in checks)) for result in ORDER]
    counts = [Note(f"count.{result}", number=count) for result, count in counted if count]
    return Note("setup.headline", account=deployment.config.account, region=deployment.config.region, counts=counts)


def summary(checks: Sequence[Check], language: str = "en") -> str:
    """Return a line a check, for a chat: what failed first."""
    shown = _shown(checks, in_chat, language)
    return "\n".join(
        f"{_word(result, language)}: {check.sentence}" for result in ORDER for check in shown if check.result == result
    )


def text(checks: Sequence[Check], deployment: Deployment) -> str:
    """Return the text for people: what failed first, each with its fix and the policy statements to add."""
    language = deployment.config.language
    shown = _shown(checks, in_mail, language)
    parts = [headline(checks, deployment).said(language)]
    for result in ("failed", "unknown"):
        parts += ["\n".join(_lines(check, language)) for check in shown if check.result == result]
    if passed := [wrapped(check.sentence, "- ", "  ") for check in shown if check.result == "passed"]:
        parts.append("\n".join([Note("setup.passed").said(language), *passed]))
    return "\n\n".join([*parts, wrapped(Note("setup.proof").said(language))]) + "\n"


def statements_text(statements: Sequence[Mapping[str, Any]]) -> str:
    """Return statements as they stand in a policy's list of statements."""
    return ",\n".join(json.dumps(statement, indent=2) for statement in statements)


def publication(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Return the arguments of the SNS Publish of a check; what is too long goes without its evidence."""
    published = _publication(checks, deployment, now)
    if len(published["Message"].encode()) <= MESSAGE_BYTES:
        return published
    return _publication([_short(check) for check in checks], deployment, now)


def _publication(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    config = deployment.config
    title = headline(checks, deployment).said(config.language)
    steps = [step for check in _shown(checks, in_chat, config.language) if check.result == "failed" for step in check.fix]
    sign = ":white_check_mark:" if result_of(checks) == "passed" else ":warning:"
    chat = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": cut(f"{sign} {title}", CHAT_TITLE_CHARACTERS),
            "description": cut(summary(checks, config.language), DESCRIPTION_CHARACTERS),
            "nextSteps": [cut(step, STEP_CHARACTERS) for step in dict.fromkeys(steps)][:STEPS],
        },
        "metadata": {"threadId": f"inspector-findings-exporter-{config.region}-setup", "eventType": "setup-check"},
    }
    bodies = {
        "default": json.dumps(event(checks, deployment, now), ensure_ascii=False),
        "email": text(checks, deployment),
        "https": json.dumps(chat, ensure_ascii=False),
    }
    return {
        "TopicArn": config.topic_arn,
        "Subject": f"Inspector setup: {result_of(checks)} ({config.region})",
        "MessageStructure": "json",
        "Message": json.dumps(bodies, ensure_ascii=False),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("region", config.region), ("level", level_of(result_of(checks))))
        },
    }


def _short(check: Check) -> Check:
    fix = tuple(notes.cut(step, SETUP_SENTENCE_CHARACTERS) for step in check.fix)
    return replace(check, sentence=notes.cut(check.sentence, SETUP_SENTENCE_CHARACTERS), fix=fix, evidence=(), statements=())


def _shown(checks: Sequence[Check], escape: Callable[[str], str] = str, language: str = "en") -> list[Check]:
    """Return checks with their texts as a medium may show them, in a language."""

    def shown(text: str) -> str:
        return escape(clean(notes.in_language(text, language), SETUP_TEXT_CHARACTERS))

    return [
        replace(
            check,
            sentence=shown(check.sentence),
            evidence=tuple(map(shown, check.evidence[:EVIDENCE_SHOWN])),
            fix=tuple(map(shown, check.fix)),
        )
        for check in checks
    ]


def _word(result: CheckResult, language: str) -> str:
    return Note(f"result.{result}").said(language)


def _encodable(_: str, text: str) -> str:
    return text.encode(errors="replace").decode()


def _lines(check: Check, language: str) -> list[str]:
    name = notes.in_language(notes.named("name", check.name), language)
    lines = [f"{_word(check.result, language)}: {name}", wrapped(check.sentence, "  ", "  ")]
    lines += [wrapped(line, "  - ", "    ") for line in check.evidence if check.result == "failed"]
    lines += [wrapped(step, f"  {number}. ", "     ") for number, step in enumerate(check.fix, 1)]
    return lines + ([statements_text(check.statements)] if check.statements else [])


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "result": check.result,
        "sentence": check.sentence,
        "evidence": list(check.evidence),
        "fix": list(check.fix),
        "statements": list(check.statements),
    }
