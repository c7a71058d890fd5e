"""The table for people, and aws-check.json for bug reports. Both show answers in the forms of their questions only."""

from __future__ import annotations

import tomllib
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from tests.tools.aws_check.questions import CALL, CODE, OTHER, Result, allowed, one_of, pattern
from tests.tools.regions import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tests.tools.aws_check.questions import Answer, Form

TYPE, VERSION = "inspector-findings-exporter.aws-check", "1.0"
REGION = pattern(r"[a-z]{2,8}(?:-[a-z]{2,12}){1,3}-\d")
RELEASE = pattern(r"\d{1,4}\.\d{1,4}\.\d{1,4}")
ARCHITECTURE = one_of("arm64", "x86_64")
WIDTHS = (32, 32, 38)


def document(answers: Sequence[Answer], *, release: str, region: str, architecture: str, checked_at: datetime) -> dict[str, Any]:
    """Return what aws-check.json holds: no account id, ARN, name, address or finding.

    Parameters
    ----------
    release
        The version that is deployed; that of this clone, which asks, can be another one.
    """
    return {
        "type": TYPE,
        "version": VERSION,
        "release": _only(RELEASE, release),
        "checked_with": tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"],
        "checked_at": f"{checked_at:%Y-%m-%dT%H:%M:%SZ}",
        "region": _only(REGION, region),
        "architecture": _only(ARCHITECTURE, architecture),
        "answers": [_entry(each) for each in answers],
    }


def _entry(answer: Answer) -> dict[str, Any]:
    question = answer.question
    return {
        "id": question.id,
        "question": question.text,
        "expected": question.expected,
        "result": answer.result.value,
        "seen": allowed(question, answer.seen),
        **({"reason": answer.reason.value} if answer.reason else {}),
        **({"call": _only(CALL, answer.call)} if answer.call else {}),
        **({"code": _only(CODE, answer.code)} if answer.code else {}),
    }


def _only(form: Form, value: str) -> str:
    return value if form(value) else OTHER


def table(answers: Sequence[Answer]) -> str:
    """Return the answers as a table, then what each different answer means and what to do."""
    lines = ["", *_row("question", "expected", "seen", "result"), ""]
    for answer in answers:
        entry = _entry(answer)
        why = [f"{entry['reason']}{_call(entry)}"] if "reason" in entry else []
        seen = "; ".join([*why, *(f"{name}: {value}" for name, value in entry["seen"].items())]) or "nothing"
        lines += _row(f"{answer.question.text} ({answer.id})", answer.question.expected, seen, answer.result)
        lines.append("")
    for answer in answers:
        if answer.result is Result.DIFFERENT:
            lines += [f"{answer.id}: {answer.question.means}", f"  {answer.question.advice}"]
    count = {result: sum(answer.result is result for answer in answers) for result in Result}
    lines.append(", ".join(f"{number} {result}" for result, number in count.items()))
    return "\n".join(lines)


def _call(entry: dict[str, Any]) -> str:
    named = " ".join(entry[name] for name in ("call", "code") if name in entry)
    return f" ({named})" if named else ""


def _row(question: str, expected: str, seen: str, result: str) -> list[str]:
    cells = [wrap(text, width, break_on_hyphens=False) for text, width in zip((question, expected, seen), WIDTHS, strict=True)]
    height = max(map(len, cells))
    padded = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    lines = []
    for number, texts in enumerate(zip(*padded, strict=True)):
        line = "  ".join(f"{text:<{width}}" for text, width in zip(texts, WIDTHS, strict=True))
        lines.append(f"{line}  {'' if number else result}".rstrip())
    return lines
