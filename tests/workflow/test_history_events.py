"""How many events a turn or a part costs, counted on executions: what the bound of 25,000 is computed from."""

import itertools
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.builders.exporter import EVENTS_A_PART, EVENTS_A_RETRY, EVENTS_PER_CHECK
from tests.contract.parts import MACHINE, PART_BYTES
from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.sandbox import Sandbox
from tests.local_aws.server import LocalAws

MODEL = Path("docs/model.md").read_text(encoding="utf-8")
_accounts = itertools.count(160_000_000_001)


def costs(exporter: Exporter, arn: str, wait: str) -> list[int]:
    """Return how many events lie between one entry of a Wait state and the next."""
    pages = exporter.states.get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event for page in pages for event in page["events"]]
    entered = [event["id"] for event in events if event.get("stateEnteredEventDetails", {}).get("name") == wait]
    return [later - earlier for earlier, later in pairwise(entered)]


def entered(exporter: Exporter, arn: str, state: str, times: int) -> None:
    """Wait until an execution has entered a state so often."""
    wait_until(lambda: exporter.states_entered(arn).count(state) >= times or None, f"{arn} to enter {state} {times} times")


@pytest.mark.parametrize("wait", ["Wait for Lock", "Wait for Other Report", "Wait for Report"])
def test_a_turn_costs_as_many_events_as_are_counted_on(wait: str, exporter: Exporter, inspector: InspectorControl) -> None:
    if wait == "Wait for Other Report":
        inspector.external_report()
    else:
        inspector.hold()
    holder = exporter.start({}) if wait == "Wait for Lock" else None
    if holder:
        exporter.reached(holder, "Wait for Report")
    run = exporter.start({})
    entered(exporter, run, wait, times=3)
    inspector.release()

    exporter.ended(run)

    assert set(costs(exporter, run, wait)) == {EVENTS_PER_CHECK}


def test_a_further_try_of_a_task_costs_as_many_events_as_are_counted_on(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    inspector.misbehave("server_error", operation="status", times=3)  # the client's own tries
    entered(exporter, run, "Wait for Report", times=4)
    inspector.release()

    exporter.ended(run)

    assert set(costs(exporter, run, "Wait for Report")) == {EVENTS_PER_CHECK, EVENTS_PER_CHECK + EVENTS_A_RETRY}


ANSWERS = """
PARTS = [{"number": number, "begin": (number - 1) * PART_BYTES, "end": number * PART_BYTES} for number in range(1, COUNT + 1)]
def handler(event, context):
    if "part_bytes" in event: return {"state": "CUT", "parts": PARTS}
    return {"state": "PART_ANALYZED"} if "part" in event else {"state": "ANALYZED"}
"""


def analysis_alone(function: str) -> dict[str, Any]:
    """Return the workflow from Cut Report to Analyze Report, with one function for its three steps."""
    names = ("Cut Report", "Report Cut?", "Analyze Parts", "Analyze Report")
    text = json.dumps({name: MACHINE["States"][name] for name in names}).replace("${Partition}", "aws")
    for step in ("CutReport", "AnalyzePart", "AnalyzeReport"):
        text = text.replace(f"${{{step}FunctionArn}}", function)
    prepared = MACHINE["States"]["Prepare Run"]["Assign"] | {"delivery": {"size_bytes": 1}}
    prepare = {"Type": "Pass", "Assign": prepared, "Next": "Cut Report"}
    return {"StartAt": "Prepare", "States": {"Prepare": prepare, **json.loads(text), "Record Run": {"Type": "Succeed"}}}


@pytest.mark.parametrize("count", [3, 64, 300])
def test_parts_cost_as_many_events_and_bytes_as_the_document_says(count: int, exporter_aws: LocalAws) -> None:
    sandbox = Sandbox(exporter_aws, str(next(_accounts)))
    code = ANSWERS.replace("PART_BYTES", str(PART_BYTES)).replace("COUNT", str(count))
    arn = sandbox.start(analysis_alone(sandbox.function("step", code)))
    ended = wait_until(lambda: each if (each := sandbox.execution(arn))["status"] != "RUNNING" else None, "the parts", 60)

    assert ended["status"] == "SUCCEEDED", ended
    pages = sandbox.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event["type"] for page in pages for event in page["events"]]
    # Beside the parts: Cut Report (5), Report Cut? (2) and the Map (4).
    of_the_parts = events[events.index("TaskStateEntered") : events.index("MapStateExited") + 1]
    assert len(of_the_parts) == 11 + EVENTS_A_PART * count
    merge = next(each for each in reversed(sandbox.control("/_local/invocations")["invocations"]) if "parts" in each["event"])
    # The requests are computed: tests/workflow/test_parts.py counts those of small parts.
    kilobytes = len(json.dumps(merge["event"]["parts"], separators=(",", ":"))) / 1000
    assert f"| {count} | {len(of_the_parts):,} | {kilobytes:.1f} kB | {140 * count:,} | {6 * count + 4:,} |" in MODEL
