"""Gap: a Map leaves no trace of its iterations, works on after one has failed, and runs more at once than AWS does.

On AWS each iteration writes MapIterationStarted, the events of its states and MapIterationSucceeded, all of which count among
the 25,000 that an execution may have. The first error ends the Map at once and aborts the other iterations; a function that
was invoked already works on. An inline Map runs 40 iterations at once at most.

Here too, for an inline Map in JSONata; any other Map stays as MiniStack has it. A fault that stops an execution on entering a
state takes effect in the states of a Map as well, since entering them is an event now.

Guards: test_a_map_has_the_events_that_aws_counts, test_the_first_error_ends_a_map_and_aborts_its_other_iterations,
test_a_map_runs_no_more_iterations_at_once_than_it_says, test_a_stop_ends_an_execution_in_the_midst_of_its_map.
"""

import contextvars
import copy
import json
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ministack.services import stepfunctions

_MOST_AT_ONCE = 40
"""[AWS: Step Functions developer guide, inline mode]"""

type Execution = dict[str, Any]


class _AbortedError(BaseException):
    """Ends an iteration whose Map has failed. Not an Exception, since neither Retry nor Catch sees it."""


@dataclass
class _Map:
    """A Map that runs, and the one around it."""

    name: str
    around: "_Map | None"
    error: BaseException | None = None
    """The first error of its iterations."""

    @property
    def is_over(self) -> bool:
        return self.error is not None or (self.around is not None and self.around.is_over)


_map: ContextVar[_Map | None] = ContextVar("map", default=None)
"""The innermost Map that a thread works for."""
_lock = threading.RLock()


def is_aborted() -> bool:
    """Return whether this thread works for a Map that has failed."""
    around = _map.get()
    return around is not None and around.is_over


def _write(execution: Execution, kind: str, name: str, index: int) -> None:
    details = {f"mapIteration{kind}EventDetails": {"name": name, "index": index}}
    stepfunctions._add_event(execution, f"MapIteration{kind}", details)


def _write_state(execution: Execution, kind: str, moved: str, name: str, **data: Any) -> None:
    details = {"name": name, **{member: json.dumps(value) for member, value in data.items()}}
    stepfunctions._add_event(execution, f"{kind}State{moved}", {f"state{moved}EventDetails": details})


def _run_states(processor: dict[str, Any], given: Any, execution: Execution, context: dict[str, Any]) -> Any:
    """Run the states of one iteration, with their events, and return the output of the last."""
    name = processor["StartAt"]
    while name:
        state = processor["States"][name]
        kind = state["Type"]
        context["State"] = {"Name": name, "EnteredTime": stepfunctions.now_iso(), "RetryCount": 0}
        _write_state(execution, kind, "Entered", name, input=given)
        match kind:
            case "Fail":
                raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, given, context))
            case "Succeed":
                given, following = stepfunctions._apply_output_path(state, given, context), None
            case "Task" | "Parallel" | "Map":
                execute = getattr(stepfunctions, f"_execute_{kind.lower()}")
                given, following = execute(state, given, execution, context)
            case _:
                given, following = getattr(stepfunctions, f"_execute_{kind.lower()}")(state, given, context)
        _write_state(execution, kind, "Exited", name, output=given)
        name = following
    return given


def _run_iteration(this: _Map, state: dict[str, Any], given: Any, execution: Execution, context: dict[str, Any]) -> Any:
    """Run one iteration. The first error of all iterations is the Map's; what comes later is aborted."""
    _map.set(this)
    index, item = context["Map"]["Item"]["Index"], context["Map"]["Item"]["Value"]
    _write(execution, "Started", this.name, index)
    try:
        selector = state.get("ItemSelector")
        selected = item if selector is None else stepfunctions._apply_jsonata_template(selector, given, context)
        result = _run_states(state["ItemProcessor"], selected, execution, context)
        _write(execution, "Succeeded", this.name, index)
    except (_AbortedError, stepfunctions._ExecutionError) as error:
        with _lock:
            if is_first := not this.is_over:
                this.error = error
        _map.set(this.around)  # so that this can still be written
        _write(execution, "Failed" if is_first else "Aborted", this.name, index)
        raise _AbortedError from error
    return result


def _run_map(state: dict[str, Any], given: Any, execution: Execution, context: dict[str, Any]) -> Any:
    items = stepfunctions._jsonata_state_field(state, "Items", "array", given, context)
    limit = stepfunctions._jsonata_state_field({"MaxConcurrency": 0, **state}, "MaxConcurrency", "number", given, context)
    stepfunctions._add_event(execution, "MapStateStarted", {"mapStateStartedEventDetails": {"length": len(items)}})
    this = _Map(context["State"]["Name"], around=_map.get())

    def run(index: int, item: Any) -> Any:
        own = copy.deepcopy(context) | {"Map": {"Item": {"Index": index, "Value": item}}}
        return _run_iteration(this, state, given, execution, own)

    pool = ThreadPoolExecutor(max_workers=int(min(limit or _MOST_AT_ONCE, _MOST_AT_ONCE)))
    futures: list[Future[Any]] = [pool.submit(contextvars.copy_context().run, run, *each) for each in enumerate(items)]
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    pool.shutdown(wait=False, cancel_futures=True)
    if errors := [error for future in done if not future.cancelled() and (error := future.exception())]:
        stepfunctions._add_event(execution, "MapStateFailed")  # not where the execution has ended, or a Map around this one
        raise this.error or errors[0]
    results = [future.result() for future in futures]
    stepfunctions._add_event(execution, "MapStateSucceeded")
    output = stepfunctions._apply_jsonata_output(state, given, context, result=results, default=results)
    stepfunctions._apply_state_assign(state, given, context, result=results)
    return output, stepfunctions._next_or_end(state)


def install() -> None:
    """Replace the running of items, and let no aborted iteration write an event."""
    run_items, add_event, run_execution = stepfunctions._run_map_items, stepfunctions._add_event, stepfunctions._run_execution

    def run_inline(state: dict[str, Any], given: Any, execution: Execution, context: dict[str, Any]) -> Any:
        is_inline = (state.get("ItemProcessor", {}).get("ProcessorConfig") or {}).get("Mode", "INLINE") == "INLINE"
        return (_run_map if is_inline and "Items" in state else run_items)(state, given, execution, context)

    def add_event_unless_aborted(execution: Execution, kind: str, details: Any = None) -> Any:
        if is_aborted():
            raise _AbortedError
        with _lock:  # an event's number is the length of the list
            return add_event(execution, kind, details)

    def run_outside_of_maps(execution_arn: str) -> None:
        # An execution that a task in a Map starts inherits the context of its thread.
        _map.set(None)
        run_execution(execution_arn)

    stepfunctions._run_map_items = run_inline
    stepfunctions._add_event = add_event_unless_aborted
    stepfunctions._run_execution = run_outside_of_maps
