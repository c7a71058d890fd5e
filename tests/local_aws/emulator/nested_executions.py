"""Gap: a nested execution (`startExecution.sync`, `.sync:2`) runs as an express one inside its parent's thread.

It sends no events, may have the name of an earlier one, continues when its parent is stopped, and fails its parent with its own
error. On AWS it is an execution like any other:

- Its parent's task fails with `States.TaskFailed` and the child's description as the cause, or with the refusal of StartExecution,
  such as `StepFunctions.ExecutionAlreadyExistsException`.
- The description has its members in the order of their names and its times in milliseconds; with `.sync:2`, input and output are
  JSON instead of text. [seen on AWS by third parties] It lacks what is about redrive.
- It is stopped when its parent is stopped or times out, when the Map that started it has failed, or at the task's TimeoutSeconds,
  if its parent's role may `states:StopExecution`. Not when another branch of a Parallel fails: MiniStack runs all branches to their end.
- The role needs the rule by which Step Functions hears of the end. AWS refuses a state machine whose role may not have it. Here,
  so does a task, since the role may have lost the right meanwhile; so it is with `states:DescribeExecution`. [guess]

Guards: test_a_nested_execution_is_an_execution_like_any_other, test_a_failed_child_fails_the_task_with_its_description,
test_a_child_s_name_can_be_used_once, test_a_child_ends_with_its_parent, test_a_child_ends_with_the_time_of_its_task,
test_a_child_ends_with_the_map_that_started_it, test_a_child_continues_where_the_role_may_not_stop_it,
test_a_parent_needs_rights_on_its_child, test_a_state_machine_with_children_needs_their_rule.
"""

import json
import threading
import time
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import stepfunctions

from tests.local_aws.emulator import authorization, cloudformation, map_states

_CHECK_SECONDS = 0.02
_RULE = "arn:aws:events:{region}:{account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
_DENIED = "StepFunctions.AWSStepFunctionsException"

type Execution = dict[str, Any]

_parent: ContextVar[Execution] = ContextVar("parent")
_is_over: ContextVar[threading.Event | None] = ContextVar("is_over", default=None)
"""Set when the time of the task that waits is over."""


def _rule_denial(role: str) -> str | None:
    rule = _RULE.format(region=get_region(), account=get_account_id())
    actions = ("events:PutTargets", "events:PutRule", "events:DescribeRule")
    if any(authorization.denial(role, "states", action, rule) for action in actions):
        return f"'{role}' is not authorized to create managed-rule."
    return None


def _machine_denial(definition: str, role: str) -> str | None:
    return _rule_denial(role) if ":states:startExecution.sync" in definition else None


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _described(child: Execution, *, as_json: bool) -> dict[str, Any]:
    read = json.loads if as_json else str
    members = {
        "Cause": child.get("cause"),
        "Error": child.get("error"),
        "ExecutionArn": child["executionArn"],
        "Input": read(child["input"]),
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": _milliseconds(child["startDate"]),
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": _milliseconds(child["stopDate"]),
    }
    # A failed execution has no output on AWS; MiniStack keeps error and cause there.
    if child["status"] == "SUCCEEDED":
        members |= {"Output": read(child["output"]), "OutputDetails": {"Included": True}}
    return {name: members[name] for name in sorted(members) if members[name] is not None}


def _is_unwanted() -> bool:
    over = _is_over.get()
    return _parent.get()["status"] != "RUNNING" or map_states.is_aborted() or (over is not None and over.is_set())


def _run_child(resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
    role: str = stepfunctions._state_machines[_parent.get()["stateMachineArn"]]["roleArn"]
    if denied := _rule_denial(role):
        raise stepfunctions._ExecutionError(_DENIED, denied)
    started = stepfunctions._invoke_nested_start_execution(resource, arguments)
    child = stepfunctions._executions[started["ExecutionArn"]]
    if denied := authorization.denial(role, "states", "states:DescribeExecution", child["executionArn"]):
        raise stepfunctions._ExecutionError(_DENIED, denied)
    while child["status"] == "RUNNING":
        if _is_unwanted():
            if not authorization.denial(role, "states", "states:StopExecution", child["executionArn"]):
                stepfunctions._stop_execution({"executionArn": child["executionArn"]})
            # Whatever is raised here: the parent has ended, or does not wait any more.
            raise stepfunctions._ExecutionError("States.TaskFailed", "the parent does not wait for this child any more")
        time.sleep(_CHECK_SECONDS)
    if child["status"] != "SUCCEEDED":
        cause = json.dumps(_described(child, as_json=False), separators=(",", ":"))
        raise stepfunctions._ExecutionError("States.TaskFailed", cause)
    return _described(child, as_json=resource.endswith(":2"))


def _refuse_machine(arn: str, _properties: dict[str, Any]) -> None:
    machine = stepfunctions._state_machines[arn]
    if denied := _machine_denial(machine["definition"], machine["roleArn"]):
        del stepfunctions._state_machines[arn]
        raise ValueError(f"AWS::StepFunctions::StateMachine: {denied}")


def install() -> None:
    """Run nested executions as executions of their own, and refuse state machines whose role may not wait for them."""
    task, start = stepfunctions._execute_task, stepfunctions._invoke_nested_start_execution
    invoke_in_time = stepfunctions._invoke_resource_with_timeout
    create, update = stepfunctions._create_state_machine, stepfunctions._update_state_machine

    def task_of(state: dict[str, Any], state_input: Any, execution: Execution, context: Any) -> Any:
        _parent.set(execution)
        _is_over.set(None)  # a child inherits the context of its parent's thread
        return task(state, state_input, execution, context)

    def start_or_refuse(resource: str, arguments: dict[str, Any]) -> Any:
        try:
            return start(resource, arguments)
        except stepfunctions._ExecutionError as error:
            if error.error in ("ExecutionAlreadyExists", "StateMachineDoesNotExist"):
                raise stepfunctions._ExecutionError(f"StepFunctions.{error.error}Exception", error.cause) from None
            raise

    def invoke_until_over(resource: str, arguments: Any, seconds: float) -> Any:
        over = threading.Event()
        token = _is_over.set(over)
        try:
            return invoke_in_time(resource, arguments, seconds)
        finally:
            over.set()
            _is_over.reset(token)

    def create_if_allowed(data: dict[str, Any]) -> Any:
        if denied := _machine_denial(data.get("definition", ""), data.get("roleArn", "")):
            return error_response_json("AccessDeniedException", denied, 400)
        return create(data)

    def update_if_allowed(data: dict[str, Any]) -> Any:
        machine = stepfunctions._state_machines.get(data.get("stateMachineArn"), {})
        after = {**machine, **data}
        if machine and (denied := _machine_denial(after["definition"], after["roleArn"])):
            return error_response_json("AccessDeniedException", denied, 400)
        return update(data)

    stepfunctions._execute_task = task_of
    stepfunctions._invoke_nested_start_execution = start_or_refuse
    stepfunctions._invoke_nested_start_execution_sync = _run_child
    stepfunctions._invoke_resource_with_timeout = invoke_until_over
    stepfunctions._create_state_machine, stepfunctions._update_state_machine = create_if_allowed, update_if_allowed
    cloudformation.then("AWS::StepFunctions::StateMachine", _refuse_machine)
