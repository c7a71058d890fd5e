"""Gap: there is no record of a function's events and results, nor of which of its processes made a call.

All processes of a function share one pair of credentials in MiniStack; on AWS each has its own. With this patch each one
has its own too, so that a call can be traced to its process and execution. The control route `/_local/invocations` returns
the record of all invocations.

Guards: test_an_invocation_is_recorded_with_its_execution_and_its_end, test_a_call_leads_to_the_process_that_made_it.
"""

import dataclasses
import time
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from ministack.core import lambda_runtime as workers
from ministack.services import lambda_svc, sts

from tests.local_aws.emulator.account_log import AccountLog
from tests.local_aws.emulator.control_routes import on_reset, route

_recorded: AccountLog["Invocation"] = AccountLog(10_000)
_by_access_key: dict[str, Any] = {}
_working: ContextVar[Any] = ContextVar("worker")


@dataclasses.dataclass(eq=False)
class Invocation:
    """One time that a function runs, or ran."""

    id: str
    function: str
    account: str
    region: str
    execution: str
    """The ARN of the execution that it works for, where its event names one."""
    started_at: float
    ended_at: float | None = None
    error: str = ""
    """The type of the error that it ended with."""
    result: Any = None
    event: Any = None


def of_access_key(access_key: str) -> tuple[Any, Invocation] | None:
    """Return the worker that has these credentials and what it works on, or None when they are no function's."""
    worker = _by_access_key.get(access_key)
    invocation: Invocation | None = getattr(worker, "invocation", None)
    return (worker, invocation) if invocation else None


def since(moment: float, account: str, region: str, execution: str) -> Iterator[Invocation]:
    """Yield what was invoked for an execution since then, the latest first."""
    for invocation in reversed(_recorded.of(account, region)):
        if invocation.started_at < moment:
            return
        if invocation.execution == execution:
            yield invocation


def working(account: str, region: str) -> int:
    """Return how many functions of an account work now in a Region."""
    return sum(invocation.ended_at is None for invocation in _recorded.of(account, region))


def execution_of(event: Any) -> str:
    """Return the ARN of the execution in an event: a step's event, or EventBridge's event of an execution's end."""
    if not isinstance(event, dict):
        return ""
    named = event.get("execution") or event.get("detail")
    return str(named.get("arn") or named.get("executionArn") or "") if isinstance(named, dict) else ""


@route("/_local/invocations")
def _show(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    found = _recorded.of(account, region)
    if body.get("clear"):
        _recorded.forget(account, region)
    return {"invocations": [dataclasses.asdict(invocation) for invocation in found]}


def install() -> None:
    """Record each invocation, and give each process credentials of its own."""
    on_reset(_recorded.clear)
    on_reset(_by_access_key.clear)
    invoke, environment = workers.ProvidedWorker.invoke, lambda_svc._provided_worker_env

    def recorded(self: Any, event: Any, request_id: str, **options: Any) -> Any:
        region, account = self.config["FunctionArn"].split(":")[3:5]
        self.invocation = Invocation(request_id, self.func_name, account, region, execution_of(event), time.time(), event=event)
        _recorded.add(account, region, self.invocation)
        _working.set(self)  # should its process have to be started first, which happens on this thread
        try:
            answer = invoke(self, event, request_id, **options)
        except Exception as error:
            self.invocation.error = getattr(error, "error_type", "") or type(error).__name__
            raise
        else:
            if answer["status"] == "error":
                payload = answer.get("error_payload")
                self.invocation.error = str(payload.get("errorType") if isinstance(payload, dict) else payload)
            self.invocation.result = answer.get("result")
            return answer
        finally:
            self.invocation.ended_at = time.time()

    def environment_with_own_credentials(config: dict[str, Any], code_dir: str, port: int) -> Any:
        built = environment(config, code_dir, port)
        session = sts._sessions.get(built.get("AWS_ACCESS_KEY_ID"))
        if session is None:
            return built
        access_key = f"ASIA{uuid.uuid4().hex[:16].upper()}"
        sts.register_session(access_key, dict(session))
        _by_access_key[access_key] = _working.get()
        return {**built, "AWS_ACCESS_KEY_ID": access_key}

    workers.ProvidedWorker.invoke = recorded
    lambda_svc._provided_worker_env = environment_with_own_credentials
