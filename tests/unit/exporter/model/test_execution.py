"""The execution that a step works for, and its name where a name may be anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter.model.execution import Execution, execution_id
from tests.builders.exporter import HOSTILE_NAMES, execution

NAMES = st.text(st.characters(exclude_characters=":", codec="utf-8"), min_size=1, max_size=80)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_execution_name_becomes_a_safe_part_of_a_key(name: str) -> None:
    safe = execution_id(name)
    assert safe not in {"", ".", ".."}
    assert not safe.startswith(".")
    assert len(safe) <= 80
    assert all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in safe)


@pytest.mark.parametrize("name", ["run-1", "a.b_c-D", "x" * 80, "-", "0f8fad5b-d9cb-469f-a165-70867728950e_x"])
def test_a_safe_execution_name_stays_as_it_is(name: str) -> None:
    assert execution_id(name) == execution(name).id == name


@given(names=st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_two_execution_names_never_share_a_place(names: list[str]) -> None:
    assert len({execution_id(name) for name in names}) == len(names)


@given(name=NAMES)
def test_no_one_can_choose_a_name_that_has_anothers_place(name: str) -> None:
    place = execution_id(name)
    assert place == name or execution_id(place) != place


def test_an_execution_is_read_as_the_state_machine_sends_it() -> None:
    read = Execution.from_dict({"arn": execution("run-7").arn, "started_at": "2026-11-23T03:00:00.000Z"})
    assert (read, read.name) == (execution("run-7"), "run-7")
