"""Rules name the owner of a resource; what is wrong with them is named with its place."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter.model.layout import REPORT_NAME
from findings_exporter.model.owner_rules import (
    MOST_FILE_BYTES,
    MOST_RULES,
    UNOWNED,
    OwnerRules,
    OwnerRulesError,
    Resource,
    Texts,
    owner_of_tag,
)

IMAGE = Resource("111122223333", "eu-west-1", "AWS_ECR_CONTAINER_IMAGE", "shop/api", ("arn:image", "shop/api"), {"team": "pay"})


def rules(*listed: dict[str, Any], tag: str = "") -> OwnerRules:
    return OwnerRules.parse(json.dumps(listed).encode(), tag)


def faults(content: object) -> list[str]:
    with pytest.raises(OwnerRulesError) as wrong:
        OwnerRules.parse(content if isinstance(content, bytes) else json.dumps(content).encode())
    return list(wrong.value.faults)


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({"accounts": ["111122223333"]}, True),
        ({"accounts": ["999988887777"]}, False),
        ({"accounts": ["999988887777", "1111*"]}, True),
        ({"repositories": ["shop/*"]}, True),
        ({"repositories": ["shop"]}, False),
        ({"repositories": ["*/api"]}, True),
        ({"repositories": ["s*/a*i"]}, True),
        ({"repositories": ["SHOP/*"]}, False),
        ({"resources": ["arn:*"]}, True),
        ({"resources": ["shop/api"]}, True),
        ({"resource_types": ["AWS_ECR*"], "regions": ["eu-*"]}, True),
        ({"resource_types": ["AWS_ECR*"], "regions": ["us-*"]}, False),
        ({"tags": [{"key": "team", "value": "p*"}]}, True),
        ({"tags": [{"key": "Team", "value": "p*"}]}, False),
        ({"tags": [{"key": "other", "value": "*"}, {"key": "team", "value": "pay"}]}, True),
        ({"accounts": ["*"]}, True),
    ],
)
def test_all_conditions_of_a_rule_must_hold_and_one_value_of_each(conditions: dict[str, Any], matches: bool) -> None:
    assert rules({"owner": "payments", **conditions}).owner_of(IMAGE) == ("payments" if matches else UNOWNED)


def test_the_first_rule_that_matches_wins_then_the_tag_then_none() -> None:
    found = rules({"owner": "first", "repositories": ["shop/*"]}, {"owner": "second", "accounts": ["*"]}, tag="team")
    assert found.owner_of(IMAGE) == "first"
    assert found.owner_of(IMAGE._replace(repository=None)) == "second"
    assert found.owner_of(IMAGE._replace(repository=None, account=None)) == "pay"
    assert found.owner_of(IMAGE._replace(repository=None, account=None, tags={})) == UNOWNED


parts = st.text(alphabet="ab*", max_size=6)


@given(st.lists(parts, min_size=1, max_size=5), st.text(alphabet="ab", max_size=8))
def test_an_asterisk_stands_for_any_text(values: list[str], text: str) -> None:
    assert Texts(values).match(text) == any(fnmatchcase(text, value) for value in values)


def test_many_asterisks_take_no_time() -> None:
    assert not Texts(["*a" * 200 + "b"]).match("a" * 500)


class TestTags:
    def test_a_value_that_is_a_name_is_the_owner(self) -> None:
        assert owner_of_tag("team_a-1") == "team_a-1"

    @pytest.mark.parametrize("value", ["", " ", "\n"])
    def test_an_empty_value_names_none(self, value: str) -> None:
        assert owner_of_tag(value) == UNOWNED

    def test_any_other_value_becomes_a_name_that_no_other_value_has(self) -> None:
        values = ["team a", "team/a", "team-a", "Ä", "../..", "-", "x" * 300, "team-a.12345678", "\ud800", "<script>"]
        owners = [owner_of_tag(value) for value in values]
        assert len(set(owners)) == len(values)
        for owner, value in zip(owners, values, strict=True):
            name, dot, ending = owner.partition(".")
            assert REPORT_NAME.fullmatch(name)
            assert (owner == value) if not dot else len(ending) == 8


class TestFaults:
    def test_each_is_named_with_its_place(self) -> None:
        found = faults(
            [
                {"owner": "a b", "acounts": ["1"], "regions": ["eu"]},
                {"regions": ["eu"]},
                {"owner": "x"},
                {"owner": "y", "tags": [{"key": "a"}, {"key": "a", "value": 1}]},
                "z",
                {"owner": "w", "accounts": []},
                {"owner": "v", "accounts": [5, ""]},
            ]
        )
        assert [fault.partition(" ")[0] for fault in found] == [
            "[0].owner", "[0].acounts", "[1].owner", "[2]", "[3].tags[0]", "[3].tags[1].value[0]", "[4]", "[5].accounts",
            "[6].accounts[0]", "[6].accounts[1]",
        ]  # fmt: skip
        assert 'Did you mean "accounts"?' in found[1]

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (b"{", "it is not JSON"),
            (b"\xff\xfe\x00", "it is not JSON"),
            (b"[" * 100_000, "it is not JSON"),
            (b'[{"owner": "a", "owner": "b"}]', "the field owner is there twice"),
            (b"{}", "it must be a list of rules, not an object"),
            (b" " * (MOST_FILE_BYTES + 1), "at most"),
            (json.dumps([{"owner": "a", "accounts": ["1"]}] * (MOST_RULES + 1)).encode(), "501 rules"),
        ],
        ids=range(7),
    )
    def test_a_file_that_is_no_list_of_rules_says_so(self, content: bytes, text: str) -> None:
        (fault,) = faults(content)
        assert text in fault

    def test_no_more_are_named_than_a_person_reads(self) -> None:
        assert len(faults([5] * 400)) == 20
