"""A small reader of the state machine: it walks the states and evaluates the real JSONata expressions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonata import Jsonata

from tests.contract.parts import MACHINE

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
        self.error = error
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
    _queues: dict[str, list[Any]] = field(default_factory=dict)

    def run(self) -> "Walk":
        """Walk until a state ends the execution."""
        self._queues = {name: list(each) for name, each in self.answers.items()}
        try:
            self.output = self._through(MACHINE, CONTEXT["Execution"]["Input"], CONTEXT)
        except StepError as failure:
            self.output = failure.output
        return self

    def _through(self, machine: Mapping[str, Any], given: Any, context: Mapping[str, Any]) -> Any:
        """Walk through a machine, or through the states of a Map, and return the output of the state that ends it."""
        name = machine["StartAt"]
        for _ in range(MOST_STEPS):
            self.path.append(name)
            state = machine["States"][name]
            states: dict[str, Any] = {"context": context, "input": given}
            match state["Type"]:
                case "Succeed":
                    return filled(state["Output"], self.variables, states)
                case "Fail":
                    raise StepError(*(filled(state[key], self.variables, states) for key in ("Error", "Cause")))
                case "Choice":
                    name = self._chosen(state, states)
                    continue
                case "Wait":
                    self.waits.append(filled(state["Seconds"], self.variables, states))
                case "Task" | "Map":
                    try:
                        states["result"] = self._worked(name, state, states)
                    except StepError as failure:
                        if (catch := _catch_of(state, failure.error)) is None:
                            raise
                        self._assign(catch, states | {"errorOutput": failure.output})
                        given, name = failure.output, catch["Next"]
                        continue
            self._assign(state, states)
            if "Output" in state:
                given = filled(state["Output"], self.variables, states)
            name = state["Next"]
        raise AssertionError(f"the execution does not end: {self.path}")

    def _worked(self, name: str, state: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
        """Return the result of a task, or of a Map, whose items are walked through one after the other."""
        if state["Type"] == "Map":
            items, before, results = filled(state["Items"], self.variables, states), dict(self.variables), []
            if not isinstance(items, list):
                raise StepError("States.QueryEvaluationError", "Items must be an array")
            for index, item in enumerate(items):
                context = dict(states["context"]) | {"Map": {"Item": {"Index": index, "Value": item}}}
                selected = filled(state["ItemSelector"], self.variables, dict(states) | {"context": context})
                results.append(self._through(state["ItemProcessor"], selected, context))
                self.variables = dict(before)  # what is assigned in a Map ends with the iteration
            return results
        self.payloads[name] = filled(state["Arguments"]["Payload"], self.variables, states)
        queue = self._queues[name]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, StepError):
            raise answer
        return {"Payload": answer}

    def _assign(self, state: Mapping[str, Any], states: Mapping[str, Any]) -> None:
        self.variables |= filled(state.get("Assign", {}), self.variables, states)

    def _chosen(self, state: Mapping[str, Any], states: Mapping[str, Any]) -> str:
        for choice in state["Choices"]:
            decided = filled(choice["Condition"], self.variables, states)
            assert isinstance(decided, bool)
            if decided:
                return str(choice["Next"])
        return str(state["Default"])


def _catch_of(state: Mapping[str, Any], error: str) -> Mapping[str, Any] | None:
    return next((each for each in state.get("Catch", []) if {error, "States.ALL"} & set(each["ErrorEquals"])), None)
