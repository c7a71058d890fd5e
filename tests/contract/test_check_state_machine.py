"""The check of the state machine in make lint finds what it is for, each fault by its place."""

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.parts import MACHINE

SCRIPT = Path(".ci/check_state_machine.py")
BROKEN = "{% $x + %}"


def check() -> Any:
    """The script as a module; its folder is no package."""
    spec = importlib.util.spec_from_file_location("check_state_machine", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine() -> dict[str, Any]:
    """A copy of the real machine, to break."""
    return copy.deepcopy(MACHINE)


def faults(machine: dict[str, Any]) -> list[str]:
    return list(check().faults(machine))


def test_the_machine_as_it_stands_is_sound(machine: dict[str, Any]) -> None:
    assert faults(machine) == []


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (lambda machine: machine, "StartAt"),
        (lambda machine: machine["States"]["Wait for Lock"], "Wait for Lock.Next"),
        (lambda machine: machine["States"]["Export Failed?"], "Export Failed?.Default"),
        (lambda machine: machine["States"]["Lock Acquired?"]["Choices"][1], "Lock Acquired?.Choices[1].Next"),
        (lambda machine: machine["States"]["Notify"]["Catch"][0], "Notify.Catch[0].Next"),
    ],
)
def test_whatever_leads_to_a_missing_state_is_found(place: Any, expected: str, machine: dict[str, Any]) -> None:
    place(machine)[expected.rsplit(".", 1)[-1]] = "Nowhere"
    assert f"{expected} leads to a missing state: Nowhere" in faults(machine)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (lambda inner: inner, "Analyze Parts.StartAt"),
        (lambda inner: inner["States"]["Analyze Part"], "Analyze Parts.Analyze Part.Next"),
        (lambda inner: inner["States"]["Part Analyzed?"], "Analyze Parts.Part Analyzed?.Default"),
    ],
)
def test_a_state_in_a_map_leads_to_states_in_the_map_only(place: Any, expected: str, machine: dict[str, Any]) -> None:
    place(machine["States"]["Analyze Parts"]["ItemProcessor"])[expected.rsplit(".", 1)[-1]] = "Record Run"
    assert f"{expected} leads to a missing state: Record Run" in faults(machine)


def test_a_state_in_a_map_that_nothing_leads_to_is_found(machine: dict[str, Any]) -> None:
    machine["States"]["Analyze Parts"]["ItemProcessor"]["States"]["Island"] = {"Type": "Succeed"}
    assert faults(machine) == ["the state Island is never reached"]


def test_a_variable_of_the_states_around_a_map_that_is_assigned_in_it_is_found(machine: dict[str, Any]) -> None:
    machine["States"]["Analyze Parts"]["ItemProcessor"]["States"]["Analyze Part"]["Assign"] = {"parts": 1, "mine": 2}
    assert faults(machine) == ["the state Analyze Part assigns what only the states around its Map may assign: parts"]


def test_a_state_without_next_is_found(machine: dict[str, Any]) -> None:
    del machine["States"]["Wait for Lock"]["Next"]
    assert faults(machine) == ["the state Wait for Lock has neither Next nor End"]


def test_a_state_that_ends_the_machine_needs_no_next(machine: dict[str, Any]) -> None:
    del machine["States"]["Wait for Lock"]["Next"]
    machine["States"]["Wait for Lock"]["End"] = True
    assert faults(machine) == []


def test_a_state_that_nothing_leads_to_is_found(machine: dict[str, Any]) -> None:
    machine["States"]["Island"] = {"Type": "Pass", "Next": "Notify"}
    assert faults(machine) == ["the state Island is never reached"]


def test_states_that_lead_only_to_each_other_are_found(machine: dict[str, Any]) -> None:
    machine["States"] |= {"Here": {"Type": "Pass", "Next": "There"}, "There": {"Type": "Pass", "Next": "Here"}}
    assert faults(machine) == ["the state Here is never reached", "the state There is never reached"]


def test_a_success_by_default_is_found(machine: dict[str, Any]) -> None:
    machine["States"]["Export Failed?"]["Default"] = "Export Succeeded"
    assert faults(machine) == ["the state Export Failed? leads to a success by Default"]


@pytest.mark.parametrize("error", ["States.Timeout", "{% $failure != null ? $failure.error : 'States.Timeout' %}"])
def test_a_failure_under_a_name_of_step_functions_is_found(error: str, machine: dict[str, Any]) -> None:
    machine["States"]["Export Failed"]["Error"] = error
    assert faults(machine) == [f"the state Export Failed fails with a name of Step Functions' own: {error}"]


def test_a_missing_state_is_reported_once(machine: dict[str, Any]) -> None:
    del machine["States"]["Cancel Report"]
    assert len([fault for fault in faults(machine) if fault.endswith("missing state: Cancel Report")]) == 1


@pytest.mark.parametrize(
    ("place", "key", "expected"),
    [
        (lambda states: states["Wait for Lock"], "Seconds", "States.Wait for Lock.Seconds"),
        (lambda states: states["Plan Export"]["Catch"][0]["Assign"], "failure", "States.Plan Export.Catch[0].Assign.failure"),
        (lambda states: states["Run Failed?"]["Choices"][0], "Condition", "States.Run Failed?.Choices[0].Condition"),
    ],
)
def test_an_expression_that_does_not_compile_is_found(place: Any, key: str, expected: str, machine: dict[str, Any]) -> None:
    place(machine["States"])[key] = BROKEN
    (fault,) = faults(machine)
    assert fault.startswith(f"definition.{expected} does not compile: ")


@pytest.mark.parametrize("expression", ["{% $count([1, 2] %}", "{% 'open %}", "{% $a ? : 1 %}"])
def test_many_kinds_of_wrong_expressions_are_found(expression: str, machine: dict[str, Any]) -> None:
    machine["States"]["Wait for Lock"]["Seconds"] = expression
    assert len(faults(machine)) == 1


def test_a_fault_fails_the_check(machine: dict[str, Any], tmp_path: Path) -> None:
    definition = tmp_path / "machine.json"
    definition.write_text(json.dumps(machine), encoding="utf-8")
    run = [sys.executable, str(SCRIPT), str(definition)]
    assert subprocess.run(run, check=False, capture_output=True).returncode == 0
    machine["States"]["Island"] = {"Type": "Succeed"}
    definition.write_text(json.dumps(machine), encoding="utf-8")
    result = subprocess.run(run, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "the state Island is never reached\n")
