"""Text from elsewhere, made safe for the medium that shows it.

Names of executions, prefixes of other reports, AWS' error texts, an input's keys, findings: anybody may have written them. A
run's record passes here once before anything is said of it: each text is cleaned and cut, then escaped as its medium needs.
What programs look things up by (ARNs, S3 keys) stays as it is; people see it in links, which quote it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from findings_exporter.errors import Failure
from findings_exporter.phrase import Phrase, localized
from findings_exporter.plan import Plan
from findings_exporter.runs import Run
from findings_exporter.texts import clean, each_text, in_chat, in_mail

TEXT_CHARACTERS = 400
ERROR_CHARACTERS = 256
LENGTHS = {
    "error": ERROR_CHARACTERS, "sentence": 1_200, "title": 200, "resource": 200, "resource_names": 80, "vulnerability_id": 80,
    "packages": 80,
}  # fmt: skip
"""Characters of a text by its field's name, where they are others. Why a digest failed ends with what to do."""
CAUSE_CHARACTERS = 3_000
NOTES_TOLD = 10
EXACT = frozenset({"bucket", "digest_key", "page_key", "parquet_key", "keys_key", "statements"})
"""Fields that are looked up or pasted, so that no character of theirs may change."""

type Escape = Callable[[str], str]


def for_mail(run: Run, language: str = "en") -> Run:
    """Return a run as a mail shows it, its notes in a language."""
    return _shown(run, in_mail, language)


def for_chat(run: Run, language: str = "en") -> Run:
    """Return a run as a chat shows it, its notes in a language."""
    return _shown(run, in_chat, language)


def for_programs(run: Run) -> Run:
    """Return a run as programs get it: cleaned, since they show it to people, and not escaped; its notes are English."""
    return _shown(run, str)


def _shown(run: Run, escape: Escape, language: str = "en") -> Run:
    def shown(name: str, text: str) -> str:
        # A finding's text is never taken for a sentence of ours.
        said = localized(text, language) if isinstance(text, Phrase) else text
        return escape(clean(said, LENGTHS.get(name, TEXT_CHARACTERS)))

    return replace(
        run,
        plan=_plan(run.plan, escape) if run.plan else None,
        failure=_failure(run.failure, escape, language) if run.failure else None,
        notes=tuple(escape(clean(localized(note, language), TEXT_CHARACTERS)) for note in run.notes[:NOTES_TOLD]),
        digest=each_text(run.digest, shown, EXACT),
    )


def _plan(plan: Plan, escape: Escape) -> Plan:
    return replace(
        plan,
        report_name=escape(clean(plan.report_name, 63)),
        filter_criteria={escape(clean(name, TEXT_CHARACTERS)): value for name, value in plan.filter_criteria.items()},
    )


def _failure(failure: Failure, escape: Escape, language: str) -> Failure:
    # A list of faults has a line for each; what an input wrote into one was cleaned before.
    cause = localized(failure.cause, language, failure.phrase)
    lines = [escape(clean(line, CAUSE_CHARACTERS)) for line in cause.splitlines()]
    return Failure(escape(clean(failure.error, ERROR_CHARACTERS)), "\n".join(filter(None, lines)), _texts(failure.setup, escape))


def _texts(value: Any, escape: Escape) -> Any:  # noqa: ANN401 - any JSON
    return each_text(value, lambda name, text: escape(clean(text, LENGTHS.get(name, TEXT_CHARACTERS))), EXACT)
