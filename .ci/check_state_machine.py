"""Check a state machine: what no linter here finds.

Finds a Next, Default or StartAt that leads to a missing state, a state that leads nowhere and does not end, a state that is never
reached, a Choice whose Default is a success (an unknown answer would be one), a Fail with an error of Step Functions' own,
a state in a Map that assigns a variable of the states around it, and a JSONata expression that does not compile. The states of a
Map are checked like those of the machine: they lead to each other only.

Usage: check_state_machine.py DEFINITION.asl.json
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata

ENDING = {"Choice", "Succeed", "Fail"}
"""Kinds of states that have no Next: a Choice leads on by its rules."""


def faults(definition: dict[str, Any]) -> Iterator[str]:
    """Return what is wrong with a definition, a line each."""
    yield from _faults_within("", definition, set())
    for path, _, value in _leaves(definition, "definition"):
        if value.startswith("{%"):
            try:
                Jsonata(value.removeprefix("{%").removesuffix("%}").strip())
            except JException as error:
                yield f"{path} does not compile: {error}"


def _faults_within(place: str, machine: dict[str, Any], around: set[str]) -> Iterator[str]:
    """Check the states of a machine, or of a Map, which is named by its place."""
    states = machine["States"]
    reached, ahead = set[str](), [(f"{place}StartAt", machine["StartAt"])]
    while ahead:
        path, name = ahead.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in states:
            own = {key: value for key, value in states[name].items() if key != "ItemProcessor"}
            ahead += [(at, value) for at, key, value in _leaves(own, f"{place}{name}") if key in {"Next", "Default"}]
        else:
            yield f"{path} leads to a missing state: {name}"
    assigned = {variable for state in states.values() for variable in _assigned(state)}
    for name, state in states.items():
        if name not in reached:
            yield f"the state {name} is never reached"
        yield from _faults_of(name, state, states)
        if foreign := sorted(_assigned(state) & around):
            yield f"the state {name} assigns what only the states around its Map may assign: {', '.join(foreign)}"
        if state["Type"] == "Map":
            yield from _faults_within(f"{name}.", state["ItemProcessor"], around | assigned)


def _assigned(state: dict[str, Any]) -> set[str]:
    places = [state, *state.get("Catch", []), *state.get("Choices", [])]
    return {variable for each in places for variable in each.get("Assign", {})}


def _faults_of(name: str, state: dict[str, Any], states: dict[str, Any]) -> Iterator[str]:
    if state["Type"] not in ENDING and not {"Next", "End"} & set(state):
        yield f"the state {name} has neither Next nor End"
    if states.get(state.get("Default", ""), {}).get("Type") == "Succeed":
        yield f"the state {name} leads to a success by Default"
    if "States." in state.get("Error", ""):
        yield f"the state {name} fails with a name of Step Functions' own: {state['Error']}"


def _leaves(value: object, path: str, key: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}", name)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _leaves(member, f"{path}[{index}]", key)
    elif isinstance(value, str):
        yield path, key, value


if __name__ == "__main__":
    found = list(faults(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    print("\n".join(found) or f"{sys.argv[1]} is sound")
    sys.exit(1 if found else 0)
