"""The diagrams in docs/architecture.md, drawn from the definitions of the state machines. `make pictures` draws them anew."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path("docs/architecture.md")
DEFINITIONS = sorted(Path("statemachine").glob("*.asl.json"))
BEGIN, END = "<!-- {}: make pictures -->\n", "<!-- end -->"
"""Around a diagram, with the name of the definition."""
SHAPES = {"Task": '["{}"]', "Pass": '["{}"]', "Wait": '(["{}"])', "Choice": '{{"{}"}}', "Succeed": '(("{}"))', "Fail": '(("{}"))'}
"""The shape of each type of state in a Mermaid flowchart."""
VARIABLES = {"$duplicate": "duplicate", "$delivery": "report verified"}
"""The label of a condition that compares no text, by the variable in it."""


def picture(definition: dict[str, Any]) -> str:
    """Return the workflow as a Mermaid flowchart in a Markdown block. A dotted arrow is an error that outlasts all retries."""
    return "\n".join(["```mermaid", "flowchart TD", *_lines(definition["States"]), "```\n"])


def _lines(states: dict[str, Any]) -> Iterator[str]:
    for name, state in states.items():
        if state["Type"] == "Map":
            yield f'    subgraph {_id(name)}["{name}"]'
            yield from _lines(state["ItemProcessor"]["States"])
            yield "    end"
        else:
            yield f"    {_id(name)}{SHAPES[state['Type']].format(name)}"
    for name, state in states.items():
        for choice in state.get("Choices", []):
            yield f"    {_id(name)} -->|{_label(choice['Condition'])}| {_id(choice['Next'])}"
        if "Default" in state:
            yield f"    {_id(name)} -->|otherwise| {_id(state['Default'])}"
        if "Next" in state:
            yield f"    {_id(name)} --> {_id(state['Next'])}"
        for following in dict.fromkeys(catch["Next"] for catch in state.get("Catch", [])):
            if following != state["Next"]:
                yield f"    {_id(name)} -.-> {_id(following)}"


def _id(name: str) -> str:
    return re.sub(r"\W", "", name.replace("?", "Asked"))


def _label(condition: str) -> str:
    """Return what a condition compares with; "yes" where the name of the state is the question."""
    if " in [" in condition:
        return "yes"
    words = [word.lower().replace("_", " ") for word in re.findall(r"'(\w+)'", condition)]
    if "$analysis" in condition:
        words = [*words[:-1], f"analysis {words[-1]}"]
    if "$part_bytes" in condition:
        words.append("larger than a part")
    of_variables = [word for variable, word in VARIABLES.items() if variable in condition]
    return ", ".join(words or of_variables) or "yes"


def redrawn(text: str) -> str:
    """Return the document with the diagrams as they should be."""
    for path in DEFINITIONS:
        before, begin, after = text.partition(BEGIN.format(path.name))
        text = before + begin + picture(json.loads(path.read_text("utf-8"))) + END + after.partition(END)[2]
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(redrawn(DOCUMENT.read_text("utf-8")), "utf-8")
