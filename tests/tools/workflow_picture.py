"""The README's picture of the workflow, drawn from the state machine's own definition: `make pictures` draws it anew."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path("README.md")
DEFINITION = Path("statemachine/export_findings.asl.json")
PLACE = re.compile(r"(?<=<!-- the workflow: make pictures -->\n).*?(?=<!-- end -->)", re.DOTALL)
SHAPES = {"Task": '["{}"]', "Pass": '["{}"]', "Wait": '(["{}"])', "Choice": '{{"{}"}}', "Succeed": '(("{}"))', "Fail": '(("{}"))'}
"""What a kind of state looks like in Mermaid's flowcharts."""
VARIABLES = {"$duplicate": "duplicate", "$delivery": "report verified"}
"""What a condition on a variable asks for."""


def picture(definition: dict[str, Any]) -> str:
    """Return the workflow as a flowchart of Mermaid, in a Markdown block: dotted is what an error does that outlasts all retries."""
    return "\n".join(["```mermaid", "flowchart TD", *_lines(definition["States"]), "```\n"])


def _lines(states: dict[str, Any]) -> Iterator[str]:
    for name, state in states.items():
        yield f"    {_id(name)}{SHAPES[state['Type']].format(name)}"
    for name, state in states.items():
        for choice in state.get("Choices", []):
            yield f"    {_id(name)} -->|{_label(choice['Condition'])}| {_id(choice['Next'])}"
        if "Default" in state:
            yield f"    {_id(name)} -->|otherwise| {_id(state['Default'])}"
        if "Next" in state:
            yield f"    {_id(name)} --> {_id(state['Next'])}"
        for catch in state.get("Catch", []):
            if catch["Next"] != state["Next"]:
                yield f"    {_id(name)} -.-> {_id(catch['Next'])}"


def _id(name: str) -> str:
    return re.sub(r"\W", "", name.replace("?", "Asked"))


def _label(condition: str) -> str:
    """Return what a condition compares with; "yes" where the state's name is the question."""
    if " in [" in condition:
        return "yes"
    words = [word.lower().replace("_", " ") for word in re.findall(r"'(\w+)'", condition)]
    if "$analysis" in condition:
        words = [*words[:-1], f"analysis {words[-1]}"]
    of_variables = [word for variable, word in VARIABLES.items() if variable in condition]
    return ", ".join(words or of_variables) or "yes"


def readme(text: str, definition: dict[str, Any]) -> str:
    """Return the README with the picture as it should be."""
    return PLACE.sub(lambda _: picture(definition), text)


if __name__ == "__main__":
    README.write_text(readme(README.read_text("utf-8"), json.loads(DEFINITION.read_text("utf-8"))), "utf-8")
