"""Gap: executions differ from AWS in some JSONata fields, and in how they end.

- Succeed ignores Output; Assign evaluates one variable after the other, so that later ones see earlier ones' new
  values; a Condition that is not a boolean is evaluated by truthiness.
- A task's history lacks TaskStarted, which counts among the 25,000 events that an execution may have.
- A throttled function is `Lambda.Unknown`; a retrier's MaxDelaySeconds and JitterStrategy do nothing.
- The machine's TimeoutSeconds does nothing. Here it counts in scaled time, but never ends an execution before
  `_SHORTEST_TIMEOUT` real seconds (or the time-out itself, when that is shorter), because only waits are scaled: the
  work between them takes its real time. The control route `/_local/executions/time_out` ends one at once.
- Executions are kept forever. The control route `/_local/executions/forget` removes an account's ended ones in a Region.
- An execution that was stopped continues: it writes events, retries its task, and turns FAILED when that task fails.

Guards: test_succeed_has_an_output, test_assign_sees_the_values_of_before, test_a_condition_must_be_a_boolean,
test_an_undefined_variable_fails_the_evaluation, test_a_throttled_function_has_its_own_error,
test_a_task_has_the_events_that_aws_counts, test_a_retry_waits_no_longer_than_its_strategy_says,
test_an_execution_times_out, test_a_stopped_execution_stays_stopped.
"""

import contextlib
import contextvars
import json
import random
import threading
import time
from typing import Any, NoReturn

from ministack.services import stepfunctions

from tests.local_aws.emulator.control_routes import on_reset, route

_SHORTEST_TIMEOUT = 10.0
_TIMER_TICK = 0.1


class _ExecutionEndedError(BaseException):
    """Ends the thread of an execution that was stopped. Not an Exception, which would fail the execution again."""


def _assign(state: dict[str, Any], state_input: Any, context: Any, result: Any = None, error_output: Any = None) -> None:
    assignments = state.get("Assign")
    if assignments and stepfunctions._state_query_language(state, context) == "JSONata":
        values = {
            name: stepfunctions._apply_jsonata_template(template, state_input, context, result=result, error_output=error_output)
            for name, template in assignments.items()
        }
        context["variables"].update(values)


def _choose(rule: dict[str, Any], state_input: Any, context: Any) -> bool:
    value = stepfunctions._apply_jsonata_template(rule["Condition"], state_input, context)
    if not isinstance(value, bool):
        kind = stepfunctions._json_type(value)
        _raise("States.QueryEvaluationError", f"The Condition must be a boolean, but was of type '{kind}'.")
    return value


def _raise(error: str, cause: str) -> NoReturn:
    raise stepfunctions._ExecutionError(error, cause)


def _time_out(execution: dict[str, Any]) -> None:
    error = "States.Timeout"
    execution.update(status="TIMED_OUT", stopDate=stepfunctions.now_iso(), error=error)
    stepfunctions._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": error}})
    stepfunctions._emit_execution_status_event(execution)


def _time_out_when_due(execution: dict[str, Any], seconds: float) -> None:
    started = time.monotonic()
    while execution["status"] == "RUNNING":
        # Computed each time, since a test may change the scale while an execution runs.
        limit = max(seconds * stepfunctions._SFN_WAIT_SCALE, min(seconds, _SHORTEST_TIMEOUT))
        if time.monotonic() - started >= limit:
            _time_out(execution)
        time.sleep(_TIMER_TICK)


@route("/_local/executions/time_out")
def _time_out_now(body: dict[str, Any], _account: str, _region: str) -> dict[str, Any]:
    execution = stepfunctions._executions.get(body["executionArn"])
    if execution is None or execution["status"] != "RUNNING":
        raise ValueError(f"no execution {body['executionArn']} is running")
    _time_out(execution)
    return {"status": execution["status"]}


@route("/_local/executions/forget")
def _forget_ended(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    executions = stepfunctions._executions._data
    ended = [key for key, each in executions.items() if key[:2] == (account, region) and each["status"] != "RUNNING"]
    for key in ended:
        del executions[key]
    return {"forgotten": len(ended)}


def _with_own_pause(retrier: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a retrier whose next pause is the one that AWS would make."""
    pause = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** count
    pause = min(pause, retrier.get("MaxDelaySeconds", pause))
    if retrier.get("JitterStrategy") == "FULL":
        pause = random.uniform(0, pause)
    return {**retrier, "IntervalSeconds": pause, "BackoffRate": 1}


def _stop_all() -> None:
    for execution in stepfunctions._executions._data.values():
        if execution["status"] == "RUNNING":
            execution["status"] = "ABORTED"


def install() -> None:
    """Replace the functions that evaluate and that end."""
    on_reset(_stop_all)
    apply_output_path, call_lambda = stepfunctions._apply_output_path, stepfunctions._call_lambda
    add_event, fail, run = stepfunctions._add_event, stepfunctions._fail_execution, stepfunctions._run_execution
    find_retrier = stepfunctions._find_matching_retrier

    def apply_output(state: dict[str, Any], data: Any, context: Any = None) -> Any:
        if state.get("Type") == "Succeed" and stepfunctions._state_query_language(state, context) == "JSONata":
            return stepfunctions._apply_jsonata_output(state, data, context, default=data)
        return apply_output_path(state, data, context)

    def call_function(reference: str, event: Any) -> Any:
        try:
            return call_lambda(reference, event)
        except stepfunctions._ExecutionError as error:
            if error.error == "Lambda.Unknown" and '"TooManyRequestsException"' in error.cause:
                _raise("Lambda.TooManyRequestsException", error.cause)
            raise

    def add_event_while_running(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        if execution["status"] != "RUNNING" and not kind.startswith("Execution"):
            raise _ExecutionEndedError
        event = add_event(execution, kind, details)
        return add_event(execution, "TaskStarted") if kind == "TaskScheduled" else event

    def find_retrier_with_own_pause(retriers: Any, error: str, counts: Any) -> Any:
        retrier, place = find_retrier(retriers, error, counts)
        return (retrier and _with_own_pause(retrier, counts.get(place, 0))), place

    def fail_while_running(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    def run_until_ended(execution_arn: str) -> None:
        execution = stepfunctions._executions[execution_arn]
        definition = json.loads(stepfunctions._state_machines[execution["stateMachineArn"]]["definition"])
        if seconds := definition.get("TimeoutSeconds"):
            timer = (_time_out_when_due, execution, seconds)
            threading.Thread(target=contextvars.copy_context().run, args=timer, daemon=True).start()
        with contextlib.suppress(_ExecutionEndedError):
            run(execution_arn)

    stepfunctions._apply_state_assign = _assign
    stepfunctions._evaluate_jsonata_choice_rule = _choose
    stepfunctions._apply_output_path = apply_output
    stepfunctions._call_lambda = call_function
    stepfunctions._add_event = add_event_while_running
    stepfunctions._fail_execution = fail_while_running
    stepfunctions._find_matching_retrier = find_retrier_with_own_pause
    stepfunctions._run_execution = run_until_ended
