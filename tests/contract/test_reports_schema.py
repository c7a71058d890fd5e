"""docs/reports.schema.json accepts and refuses the files that the code does, as far as a schema can say it."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import REPORT_NAME
from findings_exporter.model.plan import MAX_DEADLINE_HOURS, MIN_DEADLINE_HOURS, Plan, make_plan
from findings_exporter.model.reports import FIELDS, MOST_REPORTS, OPTIONS, ReportsError, read_reports
from findings_exporter.steps.plan_reports import START_KEYS
from tests.builders.exporter import config, execution

SCHEMA: dict[str, Any] = json.loads(Path("docs/reports.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
REPORT: dict[str, Any] = {"name": "criticals"}
CRITICAL = {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}
ACCEPTED: dict[str, Any] = {
    "a name": [REPORT],
    "everything": [REPORT | {"format": "CSV", "filter_criteria": CRITICAL, "on_busy": "fail", "deadline_hours": 0.5}],
    "the name of the parameters": [{"name": "nightly"}],
    "the most reports": [{"name": f"r{number}"} for number in range(MOST_REPORTS)],
    "the longest name": [{"name": "x" * 63}],
    "an empty filter": [REPORT | {"filter_criteria": {}}],
    "the shortest deadline": [REPORT | {"deadline_hours": MIN_DEADLINE_HOURS}],
    "the longest deadline": [REPORT | {"deadline_hours": MAX_DEADLINE_HOURS}],
}
REFUSED: dict[str, Any] = {
    "an object": {"reports": [REPORT]},
    "null": None,
    "no report": [],
    "too many reports": [{"name": f"r{number}"} for number in range(MOST_REPORTS + 1)],
    "no object": ["criticals"],
    "no name": [{"format": "CSV"}],
    "a name that leaves its place": [{"name": "../x"}],
    "a name with a dot": [{"name": "x.other"}],
    "an empty name": [{"name": ""}],
    "a name that is too long": [{"name": "x" * 64}],
    "a number as name": [{"name": 7}],
    "an unknown field": [REPORT | {"filter": {}}],
    "a field of an input": [REPORT | {"notify": False}],
    "another format": [REPORT | {"format": "XML"}],
    "a format in small letters": [REPORT | {"format": "csv"}],
    "a filter as text": [REPORT | {"filter_criteria": "{}"}],
    "a filter that is null": [REPORT | {"filter_criteria": None}],
    "another on_busy": [REPORT | {"on_busy": "queue"}],
    "a deadline as text": [REPORT | {"deadline_hours": "6"}],
    "a deadline that is true": [REPORT | {"deadline_hours": True}],
    "no time": [REPORT | {"deadline_hours": 0}],
    "more than a day": [REPORT | {"deadline_hours": 24.5}],
}
REFUSED_BY_THE_CODE_ALONE: dict[str, Any] = {
    "one name twice": [REPORT, REPORT],
    "another filter under the parameters' name": [{"name": "nightly", "filter_criteria": CRITICAL}],
    "a filter that Inspector does not have": [REPORT | {"filter_criteria": {"severty": []}}],
}


def is_taken(document: Any) -> bool:
    """Whether the code can use a file."""
    try:
        read_reports(json.dumps(document).encode(), config(), execution())
    except ReportsError:
        return False
    return True


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ACCEPTED)
def test_both_take(name: str) -> None:
    assert (VALIDATOR.is_valid(ACCEPTED[name]), is_taken(ACCEPTED[name])) == (True, True)


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name: str) -> None:
    assert (VALIDATOR.is_valid(REFUSED[name]), is_taken(REFUSED[name])) == (False, False)


@pytest.mark.parametrize("name", REFUSED_BY_THE_CODE_ALONE)
def test_what_a_schema_cannot_say_the_code_refuses(name: str) -> None:
    document = REFUSED_BY_THE_CODE_ALONE[name]
    assert (VALIDATOR.is_valid(document), is_taken(document)) == (True, False)


VALUES = st.one_of(st.none(), st.integers(-1, 30), st.text("aZ9_-/. é", max_size=3), st.floats(0, 30), st.just({}), st.booleans())
REPORTS = st.dictionaries(
    st.sampled_from([*FIELDS, *OPTIONS, "other"]), VALUES | st.sampled_from(["JSON", "wait", "criticals"]), max_size=4
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(REPORTS, max_size=2, unique_by=lambda report: repr(report.get("name"))))
def test_both_decide_alike_on_any_reports(document: Any) -> None:
    assert VALIDATOR.is_valid(document) == is_taken(document)


def test_the_names_and_bounds_are_those_of_the_code() -> None:
    assert (SCHEMA["minItems"], SCHEMA["maxItems"]) == (1, MOST_REPORTS)
    properties = SCHEMA["items"]["properties"]
    assert properties["name"]["pattern"] == f"^{REPORT_NAME.pattern}$"
    assert list(properties) == [*FIELDS, *OPTIONS]
    hours = properties["deadline_hours"]
    assert (hours["minimum"], hours["maximum"]) == (MIN_DEADLINE_HOURS, MAX_DEADLINE_HOURS)


def test_the_examples_of_the_documents_are_taken() -> None:
    text = Path("docs/configuration.md").read_text(encoding="utf-8").partition("## Several reports")[2].partition("\n## ")[0]
    (example,) = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert VALIDATOR.is_valid(example)
    assert is_taken(example)


def test_the_inputs_by_hand_of_the_document_are_taken() -> None:
    text = Path("docs/operations.md").read_text(encoding="utf-8").partition("### Start reports by hand")[2].partition("\n## ")[0]
    inputs = [json.loads(each) for each in re.findall(r"<StateMachineArn> --input '(.+?)'", text)]
    assert [set(each) for each in inputs] == [{"report", "replaces"}]
    time = datetime.fromisoformat(inputs[0]["replaces"]) + timedelta(hours=6)
    plan = make_plan(inputs[0], config(), Execution(execution().arn, time))
    assert isinstance(plan, Plan), plan
    assert plan.replaces == inputs[0]["replaces"]
    of_all = [json.loads(each) for each in re.findall(r"<AllReportsStateMachineArn> --input '(.+?)'", text)]
    assert [set(each) for each in of_all] == [set(), {"reports"}, {"reports", "replaces"}]
    assert all(set(each) <= START_KEYS for each in of_all)
