"""Gap: the emulator's calls always succeed, so a test cannot see what a function does when they fail.

Puts a fault on a call that a function makes (chosen by function, IAM action and how many to let pass), or on a step of
a state machine. A function is the one of the Region that the request names, whichever Region it calls. Faults of a call, for `times` calls or for all of them:

- `throttle`, `server_error`, `denied`: refused before any effect, in the service's own protocol and words.
- `lost_answer`: the effect happens, and the connection is closed without an answer; `short_answer`: the answer breaks
  off before its Content-Length.
- `hang`: no effect, and no answer for as long as the client waits; `late`: the same, but after the client has given up
  the effect happens.
- `killed_before`, `killed_after`: the function's process is killed before or after the effect.
- `stopped`: the execution is stopped while its function continues, and the effect happens; `stopped_held`: it happens
  only after the function that the stop event invoked (clean_up) has returned.
- `overlap_before`, `overlap_after`: Step Functions loses the invocation and repeats the step (an event is delivered
  twice, where no step invoked the function) while this invocation hangs in the call; it continues once the repeat has
  returned.

Faults of a step, by function: `result_lost` (the function succeeded, but Step Functions receives `error`) and
`lambda_throttled`; by state: `stopped_between` (the execution is stopped when it enters the state).

Control routes: `/_local/faults/put`, `/_local/faults/clear`, `/_local/faults`, which lists where faults took effect, and
`/_local/faults/at_work`, which lists what has not ended yet.

Guards: test_call_faults, test_records_and_faults_of_two_regions_are_kept_apart,
test_an_execution_is_stopped_in_the_midst_of_a_call_to_another_region.
"""

import asyncio
import contextlib
import contextvars
import dataclasses
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_first
from typing import Any

import ministack.app as gateway
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from ministack.core.responses import StreamingResponse, error_response_json, get_account_id, get_region, set_request_region
from ministack.core.router import extract_access_key_id
from ministack.services import lambda_svc, stepfunctions

from tests.local_aws.emulator import calls, invocations
from tests.local_aws.emulator.control_routes import on_reset, route

type Answer = tuple[int, dict[str, str], Any]
type Dispatch = Callable[[], Awaitable[Answer]]

REFUSALS = ("throttle", "server_error", "denied")
CALL_FAULTS = (
    *REFUSALS,
    "lost_answer",
    "short_answer",
    "hang",
    "late",
    "killed_before",
    "killed_after",
    "stopped",
    "stopped_held",
    "overlap_before",
    "overlap_after",
)
STEP_FAULTS = ("result_lost", "lambda_throttled")
STATE_FAULTS = ("stopped_between",)

_HOLD_SECONDS = 6.0
"""The longest time that a call is held; less than the client's read timeout."""
_CHECK_SECONDS = 0.02
_NO_ANSWER: Answer = (444, {}, b"")
"""Closes the connection; the number is nginx's for that."""

# Status, code and text, as each service answers.
_JSON = {
    "throttle": (400, "ThrottlingException", "Rate exceeded"),
    "server_error": (500, "InternalServerError", "Internal server error"),
    "denied": (400, "AccessDeniedException", "User is not authorized to perform this action"),
}
_ERRORS: dict[str, dict[str, tuple[int, str, str]]] = {
    "inspector2": {
        "throttle": (429, "ThrottlingException", "Rate exceeded"),
        "server_error": (500, "InternalServerException", "Internal failure"),
        "denied": (403, "AccessDeniedException", "User is not authorized to perform this action"),
    },
    "s3": {
        "throttle": (503, "SlowDown", "Please reduce your request rate."),
        "server_error": (500, "InternalError", "We encountered an internal error. Please try again."),
        "denied": (403, "AccessDenied", "Access Denied"),
    },
    "sns": {
        "throttle": (400, "Throttling", "Rate exceeded"),
        "server_error": (500, "InternalError", "Internal server error"),
        "denied": (403, "AuthorizationError", "User is not authorized to perform this action"),
    },
}


@dataclasses.dataclass
class Fault:
    """One fault that a test has put."""

    kind: str
    account: str
    region: str
    function: str = ""
    """The name of the function; empty for any."""
    action: str = ""
    """The IAM action of the call; empty for any."""
    state: str = ""
    """For `stopped_between`."""
    execution: str = ""
    """The ARN of the execution; empty for any."""
    event: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What the function's event holds, such as {"part": {"number": 2}} for one of a Map's items; empty for any."""
    skip: int = 0
    """How many calls, or invocations, pass before the fault takes effect."""
    times: int | None = 1
    """For how many it then takes effect; None for all."""
    error: str = "Lambda.SdkClientException"
    """For `result_lost`: the error that Step Functions receives."""
    seconds: float = 9.0
    """How long `hang` and `late` keep the client waiting: longer than the functions' read timeout of 8 s."""

    def __post_init__(self) -> None:
        if self.kind not in CALL_FAULTS + STEP_FAULTS + STATE_FAULTS:
            raise ValueError(f"kind must be one of {', '.join(CALL_FAULTS + STEP_FAULTS + STATE_FAULTS)}")


@dataclasses.dataclass
class _Struck:
    """One time that a fault took effect."""

    account: str
    region: str
    kind: str
    function: str
    action: str
    state: str
    execution: str
    time: float


_lock = threading.Lock()
_faults: list[Fault] = []
_struck: list[_Struck] = []
_held: dict[tuple[str, str], int] = {}
_abandon: dict[tuple[str, ...], Future[Any]] = {}
"""By step: set to make a step stop waiting for its function, so that it is repeated early."""


@route("/_local/faults/put")
def _put(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    known = {member.name for member in dataclasses.fields(Fault)}
    given = {name: value for name, value in body.items() if name not in ("account", "region")}
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    if "kind" not in given:
        raise ValueError("kind is required")
    with _lock:
        _faults.append(Fault(**given, account=account, region=region))
    return {}


@route("/_local/faults/clear")
def _clear(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    with _lock:
        _faults[:] = [fault for fault in _faults if (fault.account, fault.region) != (account, region)]
        if body.get("forget"):
            _struck[:] = [struck for struck in _struck if (struck.account, struck.region) != (account, region)]
    return {}


@route("/_local/faults")
def _show(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    with _lock:
        struck = [dataclasses.asdict(each) for each in _struck if (each.account, each.region) == (account, region)]
    return {"struck": struck}


@route("/_local/faults/at_work")
def _show_work(_body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    running = [arn for arn, execution in stepfunctions._executions.items() if execution["status"] == "RUNNING"]
    held = _held.get((account, region), 0)
    return {"executions": running, "functions": invocations.working(account, region), "held_calls": held}


def _forget() -> None:
    _faults.clear()
    _struck.clear()


def _due(kinds: tuple[str, ...], place: tuple[str, str], execution: str, event: Any = None, **met: str) -> Fault | None:
    with _lock:
        for fault in _faults:
            wanted = (fault.account, fault.region) == place and fault.kind in kinds and fault.times != 0
            wanted = wanted and fault.execution in ("", execution) and _holds(event, fault.event)
            if not wanted or any(getattr(fault, name) not in ("", value) for name, value in met.items()):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            where = {"function": "", "action": "", "state": ""} | met
            _struck.append(_Struck(*place, fault.kind, execution=execution, time=time.time(), **where))
            return fault
    return None


def _holds(event: Any, wanted: Any) -> bool:
    """Return whether an event has these members, with these values."""
    if isinstance(wanted, dict) and isinstance(event, dict):
        return all(_holds(event.get(name), value) for name, value in wanted.items())
    return wanted == {} or bool(event == wanted)


def _step(place: tuple[str, str], function: str, event: Any) -> tuple[str, ...]:
    """Name a step: the event of one of a Map's items differs from those of the others."""
    return *place, function, json.dumps(event, sort_keys=True)


# ---- faults of calls


async def _strike(fault: Fault, call: calls.Call, worker: Any, working: invocations.Invocation, dispatch: Dispatch) -> Answer:
    match fault.kind:
        case "throttle" | "server_error" | "denied":
            return _refused(call["service"], fault.kind)
        case "lost_answer":
            await dispatch()
            return _NO_ANSWER
        case "short_answer":
            return _cut(await dispatch())
        case "hang":
            await asyncio.sleep(fault.seconds)
            return _NO_ANSWER
        case "late":
            await asyncio.sleep(fault.seconds)
            call["time"] = time.time()
            await dispatch()
            return _NO_ANSWER
        case "killed_before":
            await asyncio.to_thread(worker.kill)
            return _NO_ANSWER
        case "killed_after":
            await dispatch()
            await asyncio.to_thread(worker.kill)
            return _NO_ANSWER
        case "stopped":
            _stop(working.execution)
            return await dispatch()
        case "stopped_held":
            _stop(working.execution)
            await _until_back(working, time.time(), other_function=True)
            return await dispatch()
        case "overlap_before":
            await _repeat(working)
            return await dispatch()
        case _:
            answer = await dispatch()
            await _repeat(working)
            return answer


def _refused(service: str, kind: str) -> Answer:
    status, code, text = _ERRORS.get(service, _JSON)[kind]
    if service == "s3":
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{text}</Message></Error>'
        return status, {"Content-Type": "application/xml"}, body.encode()
    if service == "sns":
        body = (
            '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error>'
            f"<Type>{'Sender' if status < 500 else 'Receiver'}</Type><Code>{code}</Code><Message>{text}</Message>"
            "</Error></ErrorResponse>"
        )
        return status, {"Content-Type": "text/xml"}, body.encode()
    answer: Answer = error_response_json(code, text, status)
    return answer


def _cut(answer: Answer) -> Answer:
    status, headers, body = answer
    content = body.encode() if isinstance(body, str) else bytes(body)

    async def stop_in_the_midst(send: Any, _receive: Any) -> None:
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})

    kept = {name: value for name, value in headers.items() if name.lower() != "content-length"}
    return status, {**kept, "Content-Length": str(len(content))}, StreamingResponse(stop_in_the_midst)


def _stop(execution_arn: str) -> None:
    region = execution_arn.split(":")[3] if execution_arn else get_region()
    with _in_region(region):
        # Refused if it has ended in the meantime, which is right.
        stepfunctions._stop_execution({"executionArn": execution_arn, "error": "Operator", "cause": "stopped by a fault"})


@contextlib.contextmanager
def _in_region(region: str) -> Iterator[None]:
    """Act in a Region other than the one that the call goes to."""
    of_the_call = get_region()
    set_request_region(region)
    try:
        yield
    finally:
        set_request_region(of_the_call)


async def _repeat(working: invocations.Invocation) -> None:
    moment = time.time()
    abandoned = _abandon.get(_step((working.account, working.region), working.function, working.event))
    if abandoned and not abandoned.done():
        abandoned.set_result(None)
    else:
        # No step invoked the function: repeat the event, as at-least-once delivery may.
        with _in_region(working.region):
            function, config, _ = lambda_svc._get_func_record_for_ref(working.function)
            lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), working.event)
    await _until_back(working, moment, other_function=False)


async def _until_back(working: invocations.Invocation, moment: float, *, other_function: bool) -> None:
    deadline = time.monotonic() + _HOLD_SECONDS
    while time.monotonic() < deadline:
        for other in invocations.since(moment, working.account, working.region, working.execution):
            is_other = other.function != working.function
            if other.ended_at and is_other == other_function and (is_other or other.event == working.event):
                return
        await asyncio.sleep(_CHECK_SECONDS)


# ---- faults of steps


def _called_step(reference: str, event: Any, call: Callable[[str, Any], Any]) -> Any:
    _, config, _ = lambda_svc._get_func_record_for_ref(reference)
    function, place = str((config or {}).get("FunctionName", "")), (get_account_id(), get_region())
    execution = invocations.execution_of(event)
    fault = _due(STEP_FAULTS, place, execution, event, function=function)
    if fault and fault.kind == "lambda_throttled":
        cause = json.dumps({"errorType": "TooManyRequestsException", "errorMessage": "Rate Exceeded."})
        raise stepfunctions._ExecutionError("Lambda.TooManyRequestsException", cause)
    if fault:
        call(reference, event)
        raise stepfunctions._ExecutionError(fault.error, "the connection was lost")
    if not _may_overlap(place, function):
        return call(reference, event)
    return _call_until_abandoned(_step(place, function, event), lambda: call(reference, event))


def _may_overlap(place: tuple[str, str], function: str) -> bool:
    with _lock:
        return any(
            fault.kind.startswith("overlap")
            and (fault.account, fault.region) == place
            and fault.function in ("", function)
            and fault.times != 0
            for fault in _faults
        )


def _call_until_abandoned(step: tuple[str, ...], call: Callable[[], Any]) -> Any:
    abandoned = _abandon[step] = Future[Any]()
    pool = ThreadPoolExecutor(max_workers=1)
    result = pool.submit(contextvars.copy_context().run, call)
    pool.shutdown(wait=False)
    wait_for_first((result, abandoned), return_when="FIRST_COMPLETED")
    if abandoned.done():
        raise stepfunctions._ExecutionError("Lambda.SdkClientException", "the connection was lost")
    return result.result()


def install() -> None:
    """Wrap MiniStack's dispatcher (inside the record of calls), and the invocation of functions by steps."""
    on_reset(_forget)
    dispatch, call_function = gateway._dispatch_service_request, stepfunctions._call_lambda
    add_event, app_send = stepfunctions._add_event, HTTPStream.app_send

    async def struck(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str) -> Any:
        async def effect() -> Answer:
            answer: Answer = await dispatch(method, path, headers, body, query, request_id)
            return answer

        found, call = invocations.of_access_key(extract_access_key_id(headers, query)), calls.current.get()
        if not _faults or found is None or call is None:
            return await effect()
        worker, working = found
        met = {"function": working.function, "action": call["action"]}
        place = working.account, working.region
        fault = _due(CALL_FAULTS, place, working.execution, working.event, **met)
        if fault is None:
            return await effect()
        call["fault"] = fault.kind
        _held[place] = _held.get(place, 0) + 1
        try:
            return await _strike(fault, call, worker, working, effect)
        finally:
            _held[place] -= 1

    def add_event_or_stop(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        event = add_event(execution, kind, details)
        if kind.endswith("StateEntered"):
            arn, place = execution["executionArn"], (get_account_id(), get_region())
            if _due(STATE_FAULTS, place, arn, state=details["stateEnteredEventDetails"]["name"]):
                _stop(arn)
        return event

    async def send_or_close(self: Any, message: Any) -> None:
        if message is not None and message.get("status") == _NO_ANSWER[0]:
            self.state = ASGIHTTPState.CLOSED
            await self.send(StreamClosed(stream_id=self.stream_id))
        elif message is None or not self.closed:
            await app_send(self, message)

    gateway._dispatch_service_request = struck
    stepfunctions._call_lambda = lambda reference, event: _called_step(reference, event, call_function)
    stepfunctions._add_event = add_event_or_stop
    HTTPStream.app_send = send_or_close
