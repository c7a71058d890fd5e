"""A small reader of the state machine: it walks the states and evaluates the real JSONata expressions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonata import Jsonata

from tests.contract.parts import MACHINE, STATES

EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)
CONTEXT = {
    "Execution": {
        "Id": "arn:aws:states:eu-central-1:123456789012:execution:findings-ExportFindings:run-1",
        "Name": "run-1",
        "StartTime": "2026-11-23T03:00:00.000Z",
        "Input": {"notify": True},
    }
}
MOST_STEPS = 100


class StepError(Exception):
    """A step's task failed, as Step Functions tells it."""

    def __init__(self, error: str, cause: str | None) -> None:
        super().__init__(error)
        self.output = {"Error": error} if cause is None else {"Error": error, "Cause": cause}


def expressions(value: Any) -> Iterator[str]:
    """Every JSONata expression in a part of the definition."""
    match value:
        case str():
            if match := EXPRESSION.fullmatch(value):
                yield match[1].strip()
        case Mapping():
            for each in value.values():
                yield from expressions(each)
        case list():
            for each in value:
                yield from expressions(each)


def states_named(text: str) -> set[str]:
    """Every ``state`` of a step's answer that an expression names."""
    lists = re.findall(r"\.state in \[(.*?)\]", text)
    return {*re.findall(r"\.state !?= '([A-Z_]+)'", text), *re.findall(r"'([A-Z_]+)'", " ".join(lists))}


def evaluate(expression: str, variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    """Evaluate an expression as a state does."""
    compiled = Jsonata(expression)
    frame = compiled.create_frame()
    for name, value in (variables | {"states": states}).items():  # type: ignore[operator]
        frame.bind(name, value)
    return compiled.evaluate(None, frame)


def filled(value: Any, variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    """Fill the expressions in."""
    match value:
        case str() if match := EXPRESSION.fullmatch(value):
            return evaluate(match[1].strip(), variables, states)
        case Mapping():
            return {name: filled(each, variables, states) for name, each in value.items()}
        case list():
            return [filled(each, variables, states) for each in value]
        case _:
            return value


@dataclass
class Walk:
    """An execution of the state machine.

    ``answers`` has what each task answers, one after the other; the last one stays. An exception is raised.
    """

    answers: Mapping[str, list[Any]]
    path: list[str] = field(default_factory=list)
    payloads: dict[str, dict[str, Any]] = field(default_factory=dict)
    waits: list[int] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    output: Any = None

    def run(self) -> "Walk":
        """Walk until a state ends the execution."""
        queues = {name: list(each) for name, each in self.answers.items()}
        name, given = MACHINE["StartAt"], CONTEXT["Execution"]["Input"]
        for _ in range(MOST_STEPS):
            self.path.append(name)
            state = STATES[name]
            states: dict[str, Any] = {"context": CONTEXT, "input": given}
            match state["Type"]:
                case "Succeed":
                    self.output = filled(state["Output"], self.variables, states)
                    return self
                case "Fail":
                    self.output = {key: filled(state[key], self.variables, states) for key in ("Error", "Cause")}
                    return self
                case "Choice":
                    name = self._chosen(state, states)
                    continue
                case "Wait":
                    self.waits.append(filled(state["Seconds"], self.variables, states))
                case "Task":
                    self.payloads[name] = filled(state["Arguments"]["Payload"], self.variables, states)
                    queue = queues[name]
                    answer = queue.pop(0) if len(queue) > 1 else queue[0]
                    if isinstance(answer, StepError):
                        (catch,) = state["Catch"]
                        self._assign(catch, states | {"errorOutput": answer.output})
                        given, name = answer.output, catch["Next"]
                        continue
                    states["result"] = {"Payload": answer}
            self._assign(state, states)
            if "Output" in state:
                given = filled(state["Output"], self.variables, states)
            name = state["Next"]
        raise AssertionError(f"the execution does not end: {self.path}")

    def _assign(self, state: Mapping[str, Any], states: Mapping[str, Any]) -> None:
        self.variables |= filled(state.get("Assign", {}), self.variables, states)

    def _chosen(self, state: Mapping[str, Any], states: Mapping[str, Any]) -> str:
        for choice in state["Choices"]:
            decided = filled(choice["Condition"], self.variables, states)
            assert isinstance(decided, bool)
            if decided:
                return str(choice["Next"])
        return str(state["Default"])
