"""What an execution that began under a release sends to the steps, and reads of their answers.

Such an execution goes on with its own state machine, while a deployment gives it new code. `releases.json` holds what was
released; it is added to, never changed. After ``RELEASE`` was raised, ``python -m tests.contract.releases`` adds the events of that
release and takes out those that no execution can have any more.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from findings_exporter import RELEASE
from tests.contract.interpreter import StepError, Walk, expressions, states_named
from tests.contract.parts import PART_BYTES, STATES, TASKS

PATH = Path("tests/contract/releases.json")
FROZEN: dict[str, dict[str, Any]] = json.loads(PATH.read_text(encoding="utf-8"))
"""By release and task: ``events``, and ``reads``: the members of an answer, and the values of its ``state``."""

DELIVERY = {
    "bucket": "findings-bucket",
    "prefix": "inspector/reports/nightly/year=2026/month=11/day=23/run-1/",
    "key": "inspector/reports/nightly/year=2026/month=11/day=23/run-1/0f8fad5b-d9cb-469f-a165-70867728950e.json",
    "size_bytes": 1234,
    "etag": '"abc-2"',
    "version_id": "v1",
    "kms_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    "nothing_found": None,
}
LARGE = DELIVERY | {"size_bytes": PART_BYTES + 1}
PARTS = [{"number": 1, "begin": 0, "end": PART_BYTES - 9}, {"number": 2, "begin": PART_BYTES - 9, "end": PART_BYTES + 1}]
SETUP = {
    "result": "failed",
    "failed": [
        {
            "check": "key",
            "sentence": "The key is disabled.",
            "evidence": ["KeyState is Disabled"],
            "fix": "Enable the key.",
            "statements": [],
        }
    ],
    "unknown": [{"check": "bucket", "sentence": "The bucket policy may not be read."}],
}
DAILY_RUN: dict[str, list[Any]] = {
    "Plan Export": [{"state": "PLANNED", "plan": {}}],
    "Acquire Lock": [{"state": "ACQUIRED"}],
    "Start Report": [{"state": "STARTED", "report_id": "id", "wait_seconds": 33}],
    "Check Report": [{"state": "FINISHED", "found_nothing": False}],
    "Cancel Report": [{"state": "NONE"}],
    "Release Lock": [{"state": "RELEASED"}],
    "Check Setup": [{"state": "CHECKED", "setup": SETUP}],
    "Verify Report": [{"state": "VERIFIED", "delivery": DELIVERY}],
    "Cut Report": [{"state": "CUT", "parts": PARTS}],
    "Analyze Part": [{"state": "PART_ANALYZED"}],
    "Analyze Report": [{"state": "ANALYZED"}],
    "Record Run": [{"state": "NOTIFICATION_PENDING", "outcome": "SUCCEEDED", "failure": None}],
    "Notify": [{"state": "NOTIFIED"}],
    "Notify Owners": [{"state": "OWNERS_NOTIFIED", "sent": 2}],
}
DAILY_RUNS = (
    DAILY_RUN,
    DAILY_RUN | {"Verify Report": [{"state": "VERIFIED", "delivery": DELIVERY | {"key": None, "nothing_found": "no_findings"}}]},
    DAILY_RUN | {"Verify Report": [{"state": "VERIFIED", "delivery": LARGE}]},
    DAILY_RUN | {"Notify": [{"state": "NOTIFIED", "owners_due": True}]},
    DAILY_RUN | {"Plan Export": [{"state": "DUPLICATE", "of": "arn"}]},
    DAILY_RUN | {"Analyze Report": [StepError("Sandbox.Timedout", "it took too long")]},
    DAILY_RUN | {"Check Report": [StepError("States.Timeout", None)]},
    DAILY_RUN | {"Check Report": [StepError("AccessDeniedError", "AWS refused it")]},
)
"""A success, one that found nothing, one of two parts, one with messages to owners, a duplicate, an analysis that broke down, a failure and one of the setup: between them every form of every event."""


def kept() -> list[str]:
    """Return the releases whose executions may still run: this one and the one before."""
    return [str(release) for release in (RELEASE - 1, RELEASE) if release >= 1]


def released(task: str) -> dict[str, Any]:
    """Return what the state machine, as it stands, sends to a task and reads of its answer."""
    payloads = [walk.payloads[task] for walk in (Walk(daily_run).run() for daily_run in DAILY_RUNS) if task in walk.payloads]
    distinct = {json.dumps(shape(payload), sort_keys=True): payload for payload in payloads}
    return {"events": list(distinct.values()), "reads": reads(task)}


def reads(task: str) -> dict[str, list[str]]:
    """Return the members of a task's answer that the state machine reads, and the values of ``state`` that it knows."""
    then = STATES[TASKS[task]["Next"]]
    texts = [*expressions(TASKS[task].get("Assign", {})), *(expressions(then) if then["Type"] == "Choice" else ())]
    members = {each for text in texts for each in re.findall(r"\$states\.(?:result\.Payload|input)\.(\w+)", text)}
    return {
        "members": sorted(members),
        "states": sorted({each for text in texts for each in states_named(text)}),
    }


def shape(value: Any) -> Any:
    """Return a value's form: its members with their kinds. An execution's input is anybody's."""
    match value:
        case Mapping():
            return {name: "anything" if name == "input" else shape(each) for name, each in value.items()}
        case [first, *_]:
            return [shape(first)]
        case _:
            return type(value).__name__


def shapes(events: list[Any]) -> list[Any]:
    """Return the forms of events, in an order of their own."""
    return sorted((shape(event) for event in events), key=lambda each: json.dumps(each, sort_keys=True))


def add_this_release() -> None:
    """Write the events of this release beside those of the release before it. What was released stays as it is."""
    with_this = FROZEN | {str(RELEASE): FROZEN.get(str(RELEASE)) or {task: released(task) for task in TASKS}}
    PATH.write_text(json.dumps({release: with_this[release] for release in kept()}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    add_this_release()
