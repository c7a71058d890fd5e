"""What is told about a setup check: its whole result, a text for a person, and what a failed run's message holds of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from findings_exporter.messages.level import level_of
from findings_exporter.setup.checks import Check, Verdict
from findings_exporter.setup.deployment import Deployment
from findings_exporter.texts import clean, cut, each_text, in_chat, in_mail, wrapped

RESULT_TYPE, RESULT_VERSION = "inspector-findings-exporter.setup-checked", "1.0"
"""Of the JSON result; its JSON Schema stands in docs/setup-check.schema.json."""
PROOF = "The full proof is a small real report: start an execution with events/probe.json."
SENTENCE_CHARACTERS, EVIDENCE_LINES = 400, 3
"""Of a verdict in a failed run's message, which has to fit with others into a state and a record."""
TITLE_CHARACTERS, DESCRIPTION_CHARACTERS, STEP_CHARACTERS, STEPS = 250, 8_000, 350, 10
"""Of a chat message [AWS: Amazon Q Developer in chat applications]."""
TEXT_CHARACTERS, EVIDENCE_TOLD = 1_000, 10
"""Of what a check says: policies, and AWS' own words, are anybody's."""
MESSAGE_BYTES = 255 * 1024
"""SNS takes 256 KiB with the attributes [AWS: SNS quotas]."""


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """Return the verdict on the whole: as good as its worst part."""
    verdicts = {check.verdict for check in checks}
    return "wrong" if "wrong" in verdicts else "unknown" if "unknown" in verdicts else "fine"


def result(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Return the whole result, with every policy to paste."""
    return event(checks, deployment, now) | {
        "checks": [_check(check) | {"policy": each_text(check.policy, _encodable)} for check in _told(checks)],
        "text": text(checks, deployment),
    }


def event(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Return the result for programs that listen to the topic: without whole policies, which may not fit."""
    return {
        "type": RESULT_TYPE,
        "version": RESULT_VERSION,
        "verdict": verdict_of(checks),
        "account": deployment.config.account,
        "region": deployment.config.region,
        "checked_at": now.isoformat(),
        "checks": [_check(check) for check in _told(checks)],
    }


def findings(checks: Sequence[Check]) -> dict[str, Any]:
    """Return what a failed run's message tells: what is wrong with its mending, and the names of what is unknown."""
    return {
        "verdict": verdict_of(checks),
        "wrong": [
            {
                "check": check.name,
                "sentence": clean(check.sentence, SENTENCE_CHARACTERS),
                "evidence": [clean(line, SENTENCE_CHARACTERS) for line in check.evidence[:EVIDENCE_LINES]],
                "fix": clean(check.fix, SENTENCE_CHARACTERS),
                "statements": list(check.statements),
            }
            for check in checks
            if check.verdict == "wrong"
        ],
        "unknown": [
            {"check": check.name, "sentence": clean(check.sentence, SENTENCE_CHARACTERS)}
            for check in checks
            if check.verdict == "unknown"
        ],
    }


def headline(checks: Sequence[Check], deployment: Deployment) -> str:
    """Return the verdict on the whole in a line."""
    counts = [
        f"{count} {verdict}"
        for verdict in ("wrong", "unknown", "fine")
        if (count := sum(check.verdict == verdict for check in checks))
    ]
    return f"Setup of the findings exporter in {deployment.config.account}, {deployment.config.region}: {', '.join(counts)}"


def summary(checks: Sequence[Check]) -> str:
    """Return a line a check, for a chat."""
    checks = _told(checks, in_chat)
    return "\n".join(f"{check.verdict.upper():<8} {check.sentence}" for check in checks)


def text(checks: Sequence[Check], deployment: Deployment) -> str:
    """Return the readable verdict: what is wrong first, each with what to do and what to paste."""
    checks = _told(checks, in_mail)
    parts = [headline(checks, deployment)]
    for verdict in ("wrong", "unknown"):
        parts += ["\n".join(_lines(check)) for check in checks if check.verdict == verdict]
    fine = [wrapped(check.sentence, "- ", "  ") for check in checks if check.verdict == "fine"]
    if fine:
        parts.append("Fine\n" + "\n".join(fine))
    return "\n\n".join([*parts, PROOF]) + "\n"


def pasted(statements: Sequence[Mapping[str, Any]]) -> str:
    """Return statements as they stand in a policy's list of statements."""
    return ",\n".join(json.dumps(statement, indent=2) for statement in statements)


def publication(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Return the arguments of the SNS Publish that tells a check; what is too long goes without what was seen."""
    told = _publication(checks, deployment, now)
    if len(told["Message"].encode()) <= MESSAGE_BYTES:
        return told
    return _publication([_short(check) for check in checks], deployment, now)


def _publication(checks: Sequence[Check], deployment: Deployment, now: datetime) -> dict[str, Any]:
    config, title = deployment.config, headline(checks, deployment)
    steps = [check.fix for check in _told(checks, in_chat) if check.verdict == "wrong" and check.fix]
    sign = ":white_check_mark:" if verdict_of(checks) == "fine" else ":warning:"
    chat = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": cut(f"{sign} {title}", TITLE_CHARACTERS),
            "description": cut(summary(checks), DESCRIPTION_CHARACTERS),
            "nextSteps": [cut(step, STEP_CHARACTERS) for step in steps[:STEPS]],
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
        "Subject": f"Inspector setup: {verdict_of(checks)} ({config.region})",
        "MessageStructure": "json",
        "Message": json.dumps(bodies, ensure_ascii=False),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("region", config.region), ("level", level_of(verdict_of(checks))))
        },
    }


def _short(check: Check) -> Check:
    sentence, fix = (clean(text, SENTENCE_CHARACTERS) for text in (check.sentence, check.fix))
    return replace(check, sentence=sentence, fix=fix, evidence=(), statements=())


def _told(checks: Sequence[Check], escape: Callable[[str], str] = str) -> list[Check]:
    """Return checks with their texts as a medium may show them."""
    return [
        replace(
            check,
            sentence=escape(clean(check.sentence, TEXT_CHARACTERS)),
            evidence=tuple(escape(clean(line, TEXT_CHARACTERS)) for line in check.evidence[:EVIDENCE_TOLD]),
            fix=escape(clean(check.fix, TEXT_CHARACTERS)),
        )
        for check in checks
    ]


def _encodable(_: str, text: str) -> str:
    return text.encode(errors="replace").decode()


def _lines(check: Check) -> list[str]:
    lines = [f"{check.verdict.upper()}: {check.name.replace('_', ' ')}", wrapped(check.sentence, "  ", "  ")]
    lines += [wrapped(line, "  - ", "    ") for line in check.evidence if check.verdict == "wrong"]
    if check.fix:
        lines.append(wrapped(check.fix, "  ", "  "))
    return lines + ([pasted(check.statements)] if check.statements else [])


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "verdict": check.verdict,
        "sentence": check.sentence,
        "evidence": list(check.evidence),
        "fix": check.fix,
        "statements": list(check.statements),
    }
