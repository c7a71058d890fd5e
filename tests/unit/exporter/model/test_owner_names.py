"""What an owner may be called: what the rules and the tags give, and nothing that could leave its place in a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter.model.owner_rules import UNOWNED, is_owner, owner_of_tag

HOSTILE = ["", ".", "..", "../x", "a/b", "a b", "a\n", "a\x00", "x" * 64, "ä", "a.b", "a.1234567", "a.123456789", "a.ABCDEF01", ".0123abcd",
           "-a", "_a", "a#b", "OWNER#a", "%2e", f"{'x' * 55}.0123abcd"]  # fmt: skip


@pytest.mark.parametrize("name", [UNOWNED, "shop", "Team_A-1", "x" * 63, "team-a.0123abcd", f"{'x' * 54}.0123abcd"])
def test_a_name_of_a_rule_or_of_a_tag_is_an_owner(name: str) -> None:
    assert is_owner(name)


@pytest.mark.parametrize("name", [*HOSTILE, None, 7, ["shop"], {"shop": 1}], ids=repr)
def test_anything_else_is_none(name: object) -> None:
    assert not is_owner(name)


@given(st.text(max_size=200))
def test_whatever_a_tag_says_names_an_owner(value: str) -> None:
    assert is_owner(owner_of_tag(value))
