"""An execution that began before a deployment goes on under its own state machine, with the new code, and ends well."""

import json

from findings_exporter import RELEASE
from tests.local_aws.deployed_exporter import Exporter, packages
from tests.local_aws.inspector_control import InspectorControl


def test_a_run_that_began_under_the_release_before_ends_well_after_a_deployment(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    machine = exporter.states.describe_state_machine(stateMachineArn=exporter.state_machine)["definition"]
    before = json.loads(machine)
    before["States"]["Prepare Run"]["Assign"]["release"] = RELEASE - 1
    exporter.states.update_state_machine(stateMachineArn=exporter.state_machine, definition=json.dumps(before))
    inspector.hold()
    old = exporter.start({})
    exporter.reached(old, "Wait for Report")
    waiting = exporter.start({})
    exporter.reached(waiting, "Wait for Lock")

    exporter.states.update_state_machine(stateMachineArn=exporter.state_machine, definition=machine)
    for function, package in packages().items():
        if function in exporter.functions():  # those of several Regions are not deployed
            exporter.client("lambda").update_function_code(FunctionName=exporter.resource(function), ZipFile=package)
    new = exporter.start({})
    inspector.release()

    for run in (old, waiting, new):
        assert exporter.ended(run, seconds=60).status == "SUCCEEDED"
        assert exporter.message_of(run).outcome == "SUCCEEDED"
    assert exporter.lock() is None
