"""How many events a turn costs, counted on executions: what the bound of 25,000 is computed from."""

from itertools import pairwise

import pytest

from tests.builders.exporter import EVENTS_A_RETRY, EVENTS_PER_CHECK
from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl


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
