"""The parts that must fit together, read once: template, state machine, code."""

import json
from pathlib import Path
from typing import Any

from tests.builders.cloudformation import read_template

FUNCTIONS = Path("functions")
PACKAGE = Path("layers/exporter/findings_exporter")
ANALYTICS = Path("layers/analytics/findings_analysis")

TEMPLATE_TEXT = Path("template.yaml").read_text(encoding="utf-8")
TEMPLATE: dict[str, Any] = read_template(Path("template.yaml"))
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
PART_BYTES = int(RESOURCES["ExportFindings"]["Properties"]["DefinitionSubstitutions"]["PartBytes"])
MACHINE_TEXT = Path("statemachine/export_findings.asl.json").read_text(encoding="utf-8")
MACHINE: dict[str, Any] = json.loads(MACHINE_TEXT.replace("${Analysis}", "ON").replace("${PartBytes}", str(PART_BYTES)))
MAPS: dict[str, dict[str, Any]] = {name: state for name, state in MACHINE["States"].items() if state["Type"] == "Map"}
MAP_OF = {inner: name for name, state in MAPS.items() for inner in state["ItemProcessor"]["States"]}
"""By the name of a state in a Map, the Map."""
STATES: dict[str, dict[str, Any]] = MACHINE["States"] | {
    inner: each for state in MAPS.values() for inner, each in state["ItemProcessor"]["States"].items()
}
"""Every state, those in a Map too: no two have the same name."""
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of a type, by logical id: their properties."""
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


def catches(name: str) -> list[dict[str, Any]]:
    """Where a task's error is caught: by itself, or by the Map that it is in."""
    state = STATES[MAP_OF.get(name, name)]
    return list(state["Catch"])


def camel(folder: str) -> str:
    """plan_export is PlanExport."""
    return "".join(word.capitalize() for word in folder.split("_"))


def folder_of(state: str) -> str:
    """Plan Export is plan_export."""
    return state.lower().replace(" ", "_")


def listed(value: Any) -> list[Any]:
    """A value that may be one or a list, as a list."""
    return value if isinstance(value, list) else [value]


def source_files() -> list[Path]:
    """Everything that is deployed."""
    return [Path("template.yaml"), *sorted(Path("statemachine").glob("*.json")), *sorted(PACKAGE.rglob("*.py")),
            *sorted(ANALYTICS.rglob("*.py")),
            *sorted(FUNCTIONS.glob("*/app.py"))]  # fmt: skip
