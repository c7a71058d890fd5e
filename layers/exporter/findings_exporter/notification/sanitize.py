"""Text from elsewhere, made safe for the medium that shows it.

Names of executions, prefixes of other reports, AWS' error texts, an input's keys, findings: anybody may have written them. A
run's record passes here once before anything is said of it: each text is cleaned and cut, then escaped as its medium needs.
What programs look things up by (ARNs, S3 keys) stays as it is; people see it in links, which quote it.
"""

from collections.abc import Callable
from dataclasses import replace

from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import in_language, recognized
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, cut, each_text, in_chat, in_mail

TEXT_CHARACTERS = 400
ERROR_CHARACTERS = 256
OWNER_NAME_CHARACTERS = 63
LENGTHS = {
    "error": ERROR_CHARACTERS, "sentence": 1_200, "title": 200, "resource": 200, "resource_names": 80, "vulnerability_id": 80,
    "packages": 80, "name": 80, "installed_version": 60, "fixed_version": 60, "owner": OWNER_NAME_CHARACTERS,
}  # fmt: skip
"""Characters of a text by its field's name, where they are others. Why an analysis failed ends with what to do."""
CAUSE_CHARACTERS = 3_000
NOTES_SHOWN = 10
EXACT_FIELDS = frozenset({"bucket", "analysis_key", "page_key", "parquet_prefix", "fingerprints_key", "owners_key", "statements"})
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
    def shown(text: str, most: int) -> str:
        return escape(clean(in_language(text, language), most))

    return replace(
        run,
        plan=_plan(run.plan, escape) if run.plan else None,
        failure=_failure(run.failure, shown, language) if run.failure else None,
        notes=tuple(shown(note, TEXT_CHARACTERS) for note in run.notes[:NOTES_SHOWN]),
        analysis=each_text(run.analysis, lambda name, text: shown(text, LENGTHS.get(name, TEXT_CHARACTERS)), EXACT_FIELDS),
    )


def _plan(plan: Plan, escape: Escape) -> Plan:
    return replace(
        plan,
        report_name=escape(clean(plan.report_name, 63)),
        filter_criteria={escape(clean(name, TEXT_CHARACTERS)): value for name, value in plan.filter_criteria.items()},
    )


def _failure(failure: Failure, shown: Callable[[str, int], str], language: str) -> Failure:
    # A list of faults has a line for each; what an input wrote into one was cleaned before. An exception's message is English.
    cause = in_language(recognized(failure.cause), language)
    lines = [shown(line, CAUSE_CHARACTERS) for line in cut(cause, CAUSE_CHARACTERS).splitlines()]
    setup = each_text(failure.setup, lambda name, text: shown(text, LENGTHS.get(name, TEXT_CHARACTERS)), EXACT_FIELDS)
    return Failure(shown(failure.error, ERROR_CHARACTERS), "\n".join(filter(None, lines)), setup)
