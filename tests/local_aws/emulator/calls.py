"""Gap: nothing shows which AWS calls the functions made, and CloudTrail's emulation names no role.

Records each API call that was made with a role's session (functions, and tests that assumed a role) and shows the
record at the control route `/_local/calls`.

Guard: test_the_calls_of_a_function_are_recorded.
"""

import time
from collections import deque
from typing import Any

import ministack.app as gateway
from ministack.core.iam_actions import extract_iam_action
from ministack.core.router import detect_service, extract_access_key_id
from ministack.services import sts

from tests.local_aws.emulator.control import on_reset, route

# Bounded, so that a demo which runs for days does not grow; one export makes about 40 calls.
_calls: deque[dict[str, Any]] = deque(maxlen=50_000)


@route("/_local/calls")
def _show(body: dict[str, Any], account: str, _region: str) -> dict[str, Any]:
    found = [call for call in _calls if call["account"] == account]
    if body.get("clear"):
        for call in found:
            _calls.remove(call)
    return {"calls": found}


def install() -> None:
    """Record what the general dispatcher answers."""
    on_reset(_calls.clear)
    dispatch = gateway._dispatch_service_request

    async def recorded(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        response = await dispatch(method, path, headers, body, query, request_id)
        session = sts._sessions.get(extract_access_key_id(headers, query)) or {}
        if arn := session.get("Arn"):
            parameters = gateway._routing_params(method, path, headers, body, query)
            service = detect_service(method, path, headers, parameters)
            _, role, name = arn.split("/", 2)
            _calls.append(
                {
                    "action": extract_iam_action(service, method, path, headers, body, parameters) or service,
                    "account": arn.split(":")[4],
                    "role": role,
                    "session": name,
                    "status": response[0],
                    "time": time.time(),
                }
            )
        return response

    gateway._dispatch_service_request = recorded
