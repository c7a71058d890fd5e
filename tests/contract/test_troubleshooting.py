"""docs/troubleshooting.md has what a person may see, word for word, and nothing that nobody can see."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from findings_exporter import errors, messages
from findings_exporter.explanations import EXPLANATIONS, UNKNOWN
from tests.builders.exporter import client
from tests.builders.rendered import Rendered
from tests.contract.parts import ANALYTICS, PACKAGE, TEMPLATE, of_type

DOCUMENT = Path("docs/troubleshooting.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
PARTS = ["What happened.", "Why.", "What to do.", "How to check."]
ANY_OTHER = "any other error"
# Which argument of a call is told to somebody.
TOLD = {
    "Failure": 1,
    "failure_from": 1,
    "fault": 1,
    "_corrupt": 1,
    "_too_late": 1,
    "note": 2,
    "Ended": 4,
    "Check": 2,
    **dict.fromkeys((name for name in vars(errors) if name.endswith("Error")), 0),
}


def entries(section: str) -> dict[str, str]:
    """The entries of a section: their headings and bodies."""
    return dict(re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", SECTIONS[section], re.MULTILINE | re.DOTALL))


def keys(heading: str) -> list[str]:
    """The keys in a heading."""
    return re.findall(r"`([^`]+)`", heading.split(": ", maxsplit=1)[0]) or [heading.split(": ", maxsplit=1)[0]]


def texts() -> list[str]:
    """Every text that the document explains: the first column of each table of texts."""
    tables = re.findall(r"^\| text \|.*\n\|---\|---\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    return [row.split("`")[1] for table in tables for row in table.splitlines()]


def template(node: ast.AST) -> str | None:
    """A text with … for each value in it, or None when it is no text."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=values):
            return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in values)  # type: ignore[misc]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (template(left) or "…") + (template(right) or "…")
        case ast.BoolOp(op=ast.Or(), values=[*_, last]):
            return template(last)
    return None


def resolved(node: ast.expr, function: ast.AST, module: ast.Module) -> Iterator[str]:
    """The texts that an argument may be: itself, what was assigned to its name, or what the helper called there returns."""
    if text := template(node):
        yield text
    elif isinstance(node, ast.Name):
        for each in ast.walk(function):
            if isinstance(each, ast.Assign) and [node.id] == [ast.unparse(target) for target in each.targets]:
                yield from filter(None, [template(each.value)])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for helper in ast.walk(module):
            if isinstance(helper, ast.FunctionDef) and helper.name == node.func.id:
                returned = [each.value for each in ast.walk(helper) if isinstance(each, ast.Return) and each.value]
                yield from filter(None, map(template, returned))


def told_by_the_code() -> set[str]:
    """Every text that the package tells a person: of failures, faults of an input, notes and exceptions."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in (each for each in ast.walk(module) if isinstance(each, ast.FunctionDef)):
            if function.name.endswith("_note"):
                returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value]
                found |= set(filter(None, map(template, returned)))
            for call in (each for each in ast.walk(function) if isinstance(each, ast.Call)):
                name = ast.unparse(call.func).rsplit(".", 1)[-1]
                is_fine = name == "Check" and ast.unparse(call.args[1]) == "'fine'"
                told = call.args[TOLD[name] :][:1] if name in TOLD and not is_fine else []
                told += [
                    keyword.value
                    for keyword in call.keywords
                    if (name, keyword.arg) in {("replace", "sentence"), ("replace", "note")}
                ]
                for argument in told:
                    found |= set(resolved(argument, function, module))
    return {clean(text) for text in found if text.strip("… ")}


def clean(text: str) -> str:
    """A text on one line, with one … where values follow each other."""
    return re.sub(r"\s+", " ", re.sub("…+", "…", text)).strip()


def told_by_the_template() -> set[str]:
    rules = [each["AssertDescription"] for rule in TEMPLATE["Rules"].values() for each in rule["Assertions"]]
    constraints = [each["ConstraintDescription"] for each in TEMPLATE["Parameters"].values() if "ConstraintDescription" in each]
    alarms = [alarm["AlarmDescription"] for alarm in of_type("AWS::CloudWatch::Alarm").values()]
    return {clean(text) for text in [*rules, *constraints, *alarms]}


def test_every_error_of_a_run_has_an_entry_under_its_title_and_no_entry_is_of_an_unknown_error() -> None:
    titles = {key: heading.split(": ", 1)[1] for heading in entries("Errors of a run") for key in keys(heading)}
    assert titles == {error: each.title for error, each in EXPLANATIONS.items()} | {ANY_OTHER: UNKNOWN.title}


def test_every_error_code_of_inspector_stands_in_the_document() -> None:
    codes = client("inspector2").meta.service_model.shape_for("ReportingErrorCode").enum
    known = {key for heading in entries("Errors of a run") for key in keys(heading)}
    assert [code for code in codes if f"Report.{code}" not in known] == ["NO_FINDINGS_FOUND"]
    assert "`NO_FINDINGS_FOUND`" in SECTIONS["Nothing found"]


def test_every_text_that_is_told_is_explained_word_for_word_and_no_other() -> None:
    told = told_by_the_code() | told_by_the_template() | {clean(text) for text in messages.NOTHING_FOUND.values()}
    assert len(told) > 70
    explained = texts()
    assert sorted(told - set(explained)) == []
    assert sorted(set(explained) - told) == []
    assert sorted(explained) == sorted(set(explained))


def test_every_error_of_a_digest_has_an_entry_and_no_entry_is_of_an_unknown_error() -> None:
    named = set(re.findall(r'"(Digest\.\w+)"', (ANALYTICS / "digesting.py").read_text(encoding="utf-8")))
    assert named
    assert {key for heading in entries("A digest that failed") for key in keys(heading)} == named | {ANY_OTHER}


def test_every_alarm_has_an_entry_and_no_entry_is_of_an_unknown_alarm() -> None:
    assert {key for heading in entries("Alarms") for key in keys(heading)} == set(of_type("AWS::CloudWatch::Alarm"))


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


@pytest.mark.parametrize(
    "heading", [each for section in SECTIONS for each in entries(section) if each != "A parameter is refused"]
)
def test_an_entry_says_what_happened_why_what_to_do_and_how_to_check(heading: str) -> None:
    (body,) = [entries(section)[heading] for section in SECTIONS if heading in entries(section)]
    assert re.findall(r"^- \*\*(.+?)\*\* \S", body, re.MULTILINE) == PARTS


def test_every_output_and_parameter_that_is_named_exists() -> None:
    placeholders = set(re.findall(r"<([A-Z]\w+)>", DOCUMENT)) - {"Region", "Step"}
    assert placeholders <= {*TEMPLATE["Outputs"], *Rendered().resources}
    named = set(re.findall(r"`((?:Existing|Schedule)[A-Z]\w+|\w+Statement\w+)`", DOCUMENT))
    assert len(named) > 9
    assert named <= {*TEMPLATE["Outputs"], *TEMPLATE["Parameters"]}


def test_the_contents_lead_to_sections_that_exist() -> None:
    anchors = set(re.findall(r"\]\(#([\w-]+)\)", DOCUMENT))
    assert anchors <= {section.lower().replace(" ", "-") for section in SECTIONS}
