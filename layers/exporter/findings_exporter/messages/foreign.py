"""Text from elsewhere, made safe for the medium that shows it.

Names of executions, prefixes of other reports, AWS' error texts, an input's keys, findings: anybody may have written them. A
run's record passes here once before anything is said of it: each text is cleaned and cut, then escaped as its medium needs.
What programs look things up by (ARNs, S3 keys) stays as it is; people see it in links, which quote it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from findings_exporter.errors import Failure
from findings_exporter.plan import Plan
from findings_exporter.runs import Run
from findings_exporter.texts import clean

TEXT_CHARACTERS = 400
ERROR_CHARACTERS = 256
LENGTHS = {
    "error": ERROR_CHARACTERS, "sentence": 1_200, "title": 200, "resource": 200, "resource_names": 80, "vulnerability_id": 80,
    "packages": 80,
}  # fmt: skip
"""Characters of a text by its field's name, where they are others. Why a digest failed ends with what to do."""
CAUSE_CHARACTERS = 3_000
NOTES_TOLD = 10
EXACT = re.compile(r"bucket|statements|.+_key|.+_version")
"""Fields that are looked up or pasted, so that no character of theirs may change."""

ADDRESS = re.compile(r"(?<![a-z0-9+.-])(?!s3://)([a-z][a-z0-9+.-]*)://([^\s/]*)", re.ASCII | re.IGNORECASE)
"""An address that a client makes a link of, and its host. Of an S3 URI none does."""
WWW = re.compile(r"(?<![a-z0-9])(www)\.", re.ASCII | re.IGNORECASE)
LOOK_ALIKES = str.maketrans("<>`*@&", "‹›'∗＠＆")  # noqa: RUF001 - signs that only look alike

type Escape = Callable[[str], str]


def in_mail(text: str) -> str:
    """Return a text in which a mail client finds nothing to link to: ``https[://]example[.]com``, as is usual for such."""
    text = ADDRESS.sub(lambda found: f"{found[1]}[://]{found[2].replace('.', '[.]')}", text)
    return WWW.sub(r"\1[.]", text)


def in_chat(text: str) -> str:
    """Return a text that a chat shows as it is: it calls nobody, links nowhere and sets nothing in another type."""
    return in_mail(text).translate(LOOK_ALIKES).replace("](", "] (")


def for_mail(run: Run) -> Run:
    """Return a run as a mail may tell it."""
    return _told(run, in_mail)


def for_chat(run: Run) -> Run:
    """Return a run as a chat may tell it."""
    return _told(run, in_chat)


def for_programs(run: Run) -> Run:
    """Return a run as programs are told of it: cleaned, since they show it to people, and not escaped."""
    return _told(run, str)


def _told(run: Run, escape: Escape) -> Run:
    return replace(
        run,
        plan=_plan(run.plan, escape) if run.plan else None,
        failure=_failure(run.failure, escape) if run.failure else None,
        notes=tuple(escape(clean(note, TEXT_CHARACTERS)) for note in run.notes[:NOTES_TOLD]),
        digest=_texts(run.digest, "", escape),
    )


def _plan(plan: Plan, escape: Escape) -> Plan:
    return replace(
        plan,
        report_name=escape(clean(plan.report_name, 63)),
        filter_criteria={escape(clean(name, TEXT_CHARACTERS)): value for name, value in plan.filter_criteria.items()},
    )


def _failure(failure: Failure, escape: Escape) -> Failure:
    # A list of faults has a line for each; what an input wrote into one was cleaned before.
    lines = [escape(clean(line, CAUSE_CHARACTERS)) for line in failure.cause.splitlines()]
    return Failure(
        escape(clean(failure.error, ERROR_CHARACTERS)), "\n".join(filter(None, lines)), _texts(failure.setup, "", escape)
    )


def _texts(value: Any, name: str, escape: Escape) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of a record with each text in it cleaned and escaped; ``name`` is its field's."""
    match value:
        case str():
            return escape(clean(value, LENGTHS.get(name, TEXT_CHARACTERS)))
        case Mapping():
            return {
                escape(clean(key, TEXT_CHARACTERS)): each if EXACT.fullmatch(key) else _texts(each, key, escape)
                for key, each in value.items()
            }
        case list() | tuple():
            return [_texts(each, name, escape) for each in value]
    return value
