"""One check's result. What was not read, or is not understood, is unknown, and never passed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note

type CheckResult = Literal["passed", "failed", "unknown"]
type Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be right. Its texts are notes, so that a message has them in the deployment's language.

    Attributes
    ----------
    sentence
        The status in words.
    evidence
        What was seen, line by line.
    fix
        What to do now, step by step; empty where the check passed.
    statements
        The policy statements to add, where they are missing, or may be.
    policy
        The whole existing policy with the statements in it.
    """

    name: str
    result: CheckResult
    sentence: str
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    statements: tuple[Document, ...] = ()
    policy: Document | None = None


def unread(name: str, reason: Unread, **values: str) -> Check:
    """Return the result of a check whose subject could not be read."""
    return Check(name, "unknown", Note(f"unknown.{name}", why=reason.why, **values))
