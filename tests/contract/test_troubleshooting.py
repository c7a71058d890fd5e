"""docs/troubleshooting.md is made from the texts that people see, and what it adds to them is complete and exists."""

import re
from typing import get_args

import pytest

from findings_exporter.model.notes import NOTE_TEXTS, Note
from findings_exporter.model.summary import State
from findings_exporter.notification.remediation import REMEDIATIONS, UNKNOWN
from tests.builders.exporter import client
from tests.builders.rendered import Rendered
from tests.builders.setup_rows import Row
from tests.contract.parts import ANALYTICS, TEMPLATE, of_type
from tests.tools import troubleshooting
from tests.tools.troubleshooting import (
    ANY_OTHER,
    FILES,
    FIXES,
    NOTES,
    PARTS_OF_NOTES,
    SENTENCES,
    SUMMARY,
    WHERE_TO_LOOK,
    shown,
)
from tests.unit.exporter.preflight.test_policy_evaluation import ROWS, policy_checks

DOCUMENT = troubleshooting.DOCUMENT.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
ENGLISH = NOTE_TEXTS["en"]


def entries(section: str) -> dict[str, str]:
    """The entries of a section: their headings and bodies."""
    return dict(re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", SECTIONS[section], re.MULTILINE | re.DOTALL))


def keys(heading: str) -> list[str]:
    """The keys in a heading."""
    return re.findall(r"`([^`]+)`", heading.split(": ", maxsplit=1)[0]) or [heading.split(": ", maxsplit=1)[0]]


def test_the_document_is_current() -> None:
    """Otherwise: python -m tests.tools.troubleshooting."""
    assert troubleshooting.document() == DOCUMENT


def test_every_error_of_a_run_has_an_entry_under_its_title_and_no_entry_is_of_an_unknown_error() -> None:
    titles = {key: heading.split(": ", 1)[1] for heading in entries("Failed runs") for key in keys(heading)}
    assert titles == {error: each.title for error, each in REMEDIATIONS.items()} | {ANY_OTHER: UNKNOWN.title}


def test_every_sentence_that_says_what_happened_belongs_to_an_error() -> None:
    result = [name for names in SENTENCES.values() for name in names]
    assert sorted(result) == sorted(name for name in ENGLISH if name.startswith("cause."))
    assert {*SENTENCES, *WHERE_TO_LOOK} <= {*REMEDIATIONS, ANY_OTHER}


def test_every_sentence_that_a_message_has_besides_is_in_the_document() -> None:
    """Whatever a run, a comparison or a file of the deployment can say of itself."""
    said = [name for name in ENGLISH if name.startswith((*NOTES, *FILES)) and not name.endswith(".one")]
    assert len(said) > 50
    missing = [name for name in said if f"`{shown(ENGLISH[name])}`" not in DOCUMENT]
    assert missing == list(PARTS_OF_NOTES)


def test_every_problem_that_a_summary_names_says_what_to_do() -> None:
    states = {state.lower() for state in get_args(State.__value__)} - {"succeeded"}
    of_a_report = {"not_analyzed", "lost", "lost_accounts", "unknown", "drop"}
    assert set(SUMMARY) == states | of_a_report | {"not_exported", "without_file", "differing", "not_begun"}


def test_every_check_that_fails_has_its_steps_and_every_step_belongs_to_one() -> None:
    assert [name for name in ENGLISH if name.startswith("failed.") and not name.endswith(".one") and name not in FIXES] == []
    assert {step for steps in FIXES.values() for step in steps} == {name for name in ENGLISH if name.startswith("fix.")}
    assert set(FIXES) <= set(ENGLISH)


@pytest.mark.parametrize("row", [row for row in ROWS if row.result != "passed"], ids=lambda row: row.name)
def test_the_steps_of_a_check_are_those_of_the_code(row: Row) -> None:
    check = policy_checks(row)[row.check]
    assert isinstance(check.sentence, Note)
    steps = {step.name for step in check.fix if isinstance(step, Note)}
    # A Deny may come with a missing Allow.
    assert steps <= {*FIXES[check.sentence.name], *FIXES["failed.not_allowed"]}
    assert steps & set(FIXES[check.sentence.name])


def test_every_error_code_of_inspector_is_in_the_document() -> None:
    codes = client("inspector2").meta.service_model.shape_for("ReportingErrorCode").enum
    known = {key for heading in entries("Failed runs") for key in keys(heading)}
    assert [code for code in codes if f"Report.{code}" not in known] == ["NO_FINDINGS_FOUND"]
    assert "`NO_FINDINGS_FOUND`" in SECTIONS["Empty reports"]


def test_every_error_of_an_analysis_has_an_entry_and_no_entry_is_of_an_unknown_error() -> None:
    named = set(re.findall(r'"(Analysis\.\w+)"', (ANALYTICS / "failures.py").read_text(encoding="utf-8")))
    assert named
    assert {key for heading in entries("Failed analyses") for key in keys(heading)} == named | {ANY_OTHER}


def test_every_alarm_has_an_entry_with_steps() -> None:
    bodies = entries("Alarms")
    assert len(bodies) == len(of_type("AWS::CloudWatch::Alarm"))
    assert [heading for heading, body in bodies.items() if "  2. " not in body or "`https://<Region>.console" not in body] == []


def test_everything_that_may_write_into_the_dead_letter_queue_is_named() -> None:
    rendered = Rendered()
    writers = {
        name for name, each in rendered.of_type("AWS::Scheduler::Schedule").items() if "DeadLetterConfig" in each["Target"]
    }
    writers |= {name for name, each in rendered.of_type("AWS::Events::Rule").items() if "DeadLetterConfig" in each["Targets"][0]}
    writers |= {name for name, each in rendered.of_type("AWS::Lambda::Function").items() if "DeadLetterConfig" in each}
    section = SECTIONS["The dead-letter queue"]
    assert {name for name in writers if f"`{name}`" not in section} == set()
    assert [keys(heading) for heading in entries("The dead-letter queue")] == [["SCHEDULE_ARN"], ["RULE_ARN"], ["RequestID"]]


@pytest.mark.parametrize("heading", [each for section in SECTIONS for each in entries(section)])
def test_an_entry_has_a_cause_a_fix_and_where_to_look(heading: str) -> None:
    (body,) = [entries(section)[heading] for section in SECTIONS if heading in entries(section)]
    assert re.fullmatch(r"\n- \*\*Cause\.\*\* \S.*\n- \*\*Fix\.\*\*\n  1\. .*\n- \*\*Where to look\.\*\* \S.*", body, re.DOTALL)


def test_every_output_that_a_command_names_exists() -> None:
    commands = "".join(re.findall(r"`aws [^`]+`", DOCUMENT))
    placeholders = set(re.findall(r"<([A-Z]\w+)>", commands)) - {"Region"}
    assert len(placeholders) > 5
    assert placeholders <= {*TEMPLATE["Outputs"], *Rendered().resources}
    named = set(re.findall(r"`((?:Existing|Schedule)[A-Z]\w+|\w+Statement\w+)`", DOCUMENT))
    assert named <= {*TEMPLATE["Outputs"], *TEMPLATE["Parameters"]}


def test_the_contents_lead_to_sections_that_exist() -> None:
    anchors = set(re.findall(r"\]\(#([\w-]+)\)", DOCUMENT))
    assert anchors <= {section.lower().replace(" ", "-") for section in SECTIONS}
