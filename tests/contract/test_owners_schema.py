"""docs/owners.schema.json accepts and refuses the files that the code does, as far as a schema can say it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from findings_exporter.model.layout import REPORT_NAME
from findings_exporter.model.owner_rules import (
    CONDITIONS,
    MOST_RULES,
    MOST_VALUE_CHARACTERS,
    MOST_VALUES,
    OwnerRules,
    OwnerRulesError,
)

SCHEMA: dict[str, Any] = json.loads(Path("docs/owners.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
RULE: dict[str, Any] = {"owner": "shop", "accounts": ["111122223333"]}
TAG = {"key": "team", "value": "shop"}
ACCEPTED: dict[str, Any] = {
    "no rules": [],
    "one condition": [RULE],
    "every condition": [{"owner": "A_b-1", **{name: ["x*"] for name in CONDITIONS if name != "tags"}, "tags": [TAG, TAG]}],
    "the most rules": [RULE] * MOST_RULES,
    "the most values": [RULE | {"accounts": ["1"] * MOST_VALUES}],
    "the longest value": [RULE | {"accounts": ["x" * MOST_VALUE_CHARACTERS]}],
    "the longest owner": [RULE | {"owner": "x" * 63}],
}
REFUSED: dict[str, Any] = {
    "an object": {"rules": [RULE]},
    "no JSON object": ["shop"],
    "null": None,
    "too many rules": [RULE] * (MOST_RULES + 1),
    "no owner": [{"accounts": ["1"]}],
    "no condition": [{"owner": "shop"}],
    "an unknown condition": [RULE | {"account": ["1"]}],
    "an owner that leaves its place": [RULE | {"owner": "../shop"}],
    "an owner with a blank": [RULE | {"owner": "the shop"}],
    "an owner like one of a tag": [RULE | {"owner": "shop.0123abcd"}],
    "an owner that is too long": [RULE | {"owner": "x" * 64}],
    "an empty owner": [RULE | {"owner": ""}],
    "an owner that is a number": [RULE | {"owner": 7}],
    "a text instead of a list": [RULE | {"accounts": "1"}],
    "no value": [RULE | {"accounts": []}],
    "too many values": [RULE | {"accounts": ["1"] * (MOST_VALUES + 1)}],
    "an empty value": [RULE | {"accounts": [""]}],
    "a value that is too long": [RULE | {"accounts": ["x" * (MOST_VALUE_CHARACTERS + 1)]}],
    "a number as value": [RULE | {"accounts": [111122223333]}],
    "a tag without value": [RULE | {"tags": [{"key": "team"}]}],
    "a tag with more": [RULE | {"tags": [TAG | {"x": "y"}]}],
    "a tag as text": [RULE | {"tags": ["team"]}],
    "no tags": [RULE | {"tags": []}],
    "a tag with an empty key": [RULE | {"tags": [{"key": "", "value": "x"}]}],
}


def is_taken(document: Any) -> bool:
    """Whether the code can use a file."""
    try:
        OwnerRules.parse(json.dumps(document).encode())
    except OwnerRulesError:
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


VALUES = st.one_of(
    st.none(), st.integers(), st.text(max_size=3), st.lists(st.one_of(st.text(max_size=2), st.integers()), max_size=2)
)
RULES = st.dictionaries(st.sampled_from(["owner", *CONDITIONS, "other"]), VALUES | st.just([TAG]) | st.just("shop"), max_size=4)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RULES, max_size=3))
def test_both_decide_alike_on_any_rules(document: Any) -> None:
    assert VALIDATOR.is_valid(document) == is_taken(document)


def test_the_names_and_bounds_are_those_of_the_code() -> None:
    rule = SCHEMA["items"]
    assert rule["properties"]["owner"]["pattern"] == f"^{REPORT_NAME.pattern}$"
    assert set(rule["properties"]) == {"owner", *CONDITIONS}
    assert [each["required"][0] for each in rule["anyOf"]] == list(CONDITIONS)


def test_the_examples_of_the_documents_are_taken() -> None:
    text = Path("docs/configuration.md").read_text(encoding="utf-8").partition("## Owners")[2].partition("\n## ")[0]
    examples = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert examples
    assert all(VALIDATOR.is_valid(each) and is_taken(each) for each in examples)
