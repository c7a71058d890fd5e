"""Gap: there is no record of the AWS calls that functions make, and the emulated CloudTrail names no role.

Records each API call that was made with a role's session (functions, and tests that assumed a role), with the execution
that it was made for, and shows the record at the control route `/_local/calls`. A function's calls are in the record of the Region
that the function is in, whichever Region they went to.

Guards: test_the_calls_of_a_function_are_recorded, test_records_and_faults_of_two_regions_are_kept_apart.
"""

import time
from contextvars import ContextVar
from typing import Any

import ministack.app as gateway
from ministack.core.iam_actions import extract_iam_action
from ministack.core.router import detect_service, extract_access_key_id, extract_region
from ministack.services import sts

from tests.local_aws.emulator import invocations
from tests.local_aws.emulator.account_log import AccountLog
from tests.local_aws.emulator.control_routes import on_reset, route

type Call = dict[str, Any]

_calls: AccountLog[Call] = AccountLog(20_000)  # one export makes about 40

current: ContextVar[Call | None] = ContextVar("call", default=None)
"""The call that is being answered; its status is None until then."""


@route("/_local/calls")
def _show(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    found = _calls.of(account, region)
    if body.get("clear"):
        _calls.forget(account, region)
    return {"calls": found}


def install() -> None:
    """Record what the general dispatcher answers."""
    on_reset(_calls.clear)
    dispatch = gateway._dispatch_service_request

    async def recorded(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        access_key = extract_access_key_id(headers, query)
        arn = (sts._sessions.get(access_key) or {}).get("Arn")
        if not arn:
            return await dispatch(method, path, headers, body, query, request_id)
        parameters = gateway._routing_params(method, path, headers, body, query)
        service = detect_service(method, path, headers, parameters)
        _, role, name = arn.split("/", 2)
        function = invocations.of_access_key(access_key)
        call: Call = {
            "action": extract_iam_action(service, method, path, headers, body, parameters) or service,
            "service": service,
            "method": method,
            "account": arn.split(":")[4],
            "region": extract_region(headers, query),
            "role": role,
            "session": name,
            "function": function[1].function if function else "",
            "invocation": function[1].id if function else "",
            "execution": function[1].execution if function else "",
            "time": time.time(),
            "status": None,
            "fault": "",
        }
        _calls.add(call["account"], function[1].region if function else call["region"], call)
        current.set(call)
        response = await dispatch(method, path, headers, body, query, request_id)
        call["status"] = response[0]
        return response

    gateway._dispatch_service_request = recorded
