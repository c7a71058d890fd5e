"""Check a state machine: what no linter here finds.

Finds a Next, Default or StartAt that leads to a missing state, a state that nothing leads to, and a JSONata expression
that does not compile.

Usage: check_state_machine.py DEFINITION.asl.json
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata


def faults(definition: dict[str, Any]) -> Iterator[str]:
    """Return what is wrong with a definition, a line each."""
    states = definition["States"]
    targets = {definition["StartAt"]: ["StartAt"]}
    for name, state in states.items():
        for path, key, value in _leaves(state, name):
            if key in {"Next", "Default"}:
                targets.setdefault(value, []).append(path)
    for target, paths in targets.items():
        if target not in states:
            yield f"{paths[0]} leads to a missing state: {target}"
    yield from (f"nothing leads to the state {name}" for name in states if name not in targets)
    for path, _, value in _leaves(definition, "definition"):
        if value.startswith("{%"):
            try:
                Jsonata(value.removeprefix("{%").removesuffix("%}").strip())
            except JException as error:
                yield f"{path} does not compile: {error}"


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
