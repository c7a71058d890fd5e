"""Gap: one factor scales all waits of all accounts, so no wait can keep its real length while others are shortened.

A function's clock is not scaled: `creating_until` and `notifying_until` pass in real seconds, so a retry that waits for
them has to wait as long as on AWS. The control route `/_local/wait_scales` gives an account in a Region factors of its own:
{"scales": {"StillCreatingError": 1, "Wait for Report": 1, "*": 0.02}}, by the error that is retried, by the state that
waits, and for all others.

A deadline cannot be scaled either, and is at least a minute. `/_local/next_start` {"seconds_ago": 58} moves the start time
of the next execution there so far into the past, as if its first step had started late.

Guards: test_a_wait_can_have_a_pace_of_its_own, test_an_execution_can_have_begun_long_ago.
"""

import threading
import time
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from tests.local_aws.emulator.control_routes import on_reset, route

_scales: dict[tuple[str, str], dict[str, float]] = {}
_seconds_ago: dict[tuple[str, str], float] = {}
_begins = threading.local()
_reason: ContextVar[str] = ContextVar("reason", default="*")


@route("/_local/wait_scales")
def _set(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    _scales[account, region] = {str(reason): float(scale) for reason, scale in body.get("scales", {}).items()}
    return {"scales": _scales[account, region]}


@route("/_local/next_start")
def _begun(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    _seconds_ago[account, region] = float(body["seconds_ago"])
    return {"seconds_ago": _seconds_ago[account, region]}


def install() -> None:
    """Use the account's own factors first."""
    on_reset(_scales.clear)
    on_reset(_seconds_ago.clear)
    start, now_iso = stepfunctions._start_execution, stepfunctions.now_iso

    def start_earlier(data: dict[str, Any]) -> Any:
        _begins.seconds_ago = _seconds_ago.pop((get_account_id(), get_region()), 0.0)
        try:
            return start(data)
        finally:
            _begins.seconds_ago = 0.0

    def now_or_earlier() -> str:
        # Only the starting thread is affected; the execution runs in another one.
        seconds, now = getattr(_begins, "seconds_ago", 0.0), str(now_iso())
        if not seconds:
            return now
        earlier = datetime.fromisoformat(now) - timedelta(seconds=seconds)
        return f"{earlier:%Y-%m-%dT%H:%M:%S}.{earlier.microsecond // 1000:03}Z"

    stepfunctions._start_execution, stepfunctions.now_iso = start_earlier, now_or_earlier
    find_retrier, wait = stepfunctions._find_matching_retrier, stepfunctions._execute_wait

    def find_retrier_for(retriers: Any, error: str, counts: Any) -> Any:
        _reason.set(error)
        return find_retrier(retriers, error, counts)

    def wait_in(state: dict[str, Any], state_input: Any, context: Any = None) -> Any:
        _reason.set(((context or {}).get("State") or {}).get("Name", "*"))
        return wait(state, state_input, context)

    def sleep(seconds: float) -> None:
        scales = _scales.get((get_account_id(), get_region()), {})
        scale = scales.get(_reason.get(), scales.get("*", stepfunctions._SFN_WAIT_SCALE))
        if seconds * scale > 0:
            time.sleep(seconds * scale)

    stepfunctions._find_matching_retrier = find_retrier_for
    stepfunctions._execute_wait = wait_in
    stepfunctions._scaled_sleep = sleep
