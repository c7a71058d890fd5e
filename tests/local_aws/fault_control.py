"""Puts faults on the calls and steps of a deployed exporter, and tells where they have struck."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.local_aws.deployed_exporter import Exporter
    from tests.local_aws.inspector_control import Controlled


class Where(TypedDict, total=False):
    """What a fault is to meet; see the emulator's `faults.Fault`. Functions are named by their logical ids."""

    function: str
    action: str
    state: str
    execution: str
    skip: int
    times: int | None
    error: str
    seconds: float


class Call(TypedDict):
    """One call that a function made."""

    action: str
    service: str
    method: str
    function: str
    """The logical id."""
    invocation: str
    execution: str
    time: float
    status: int | None
    fault: str


class Invocation(TypedDict):
    """One time that a function ran."""

    id: str
    function: str
    """The logical id."""
    execution: str
    started_at: float
    ended_at: float | None
    error: str
    result: Any


class Struck(TypedDict):
    """One time that a fault has met something."""

    kind: str
    function: str
    """The logical id; empty for a fault of a state."""
    action: str
    state: str
    execution: str
    time: float


class AtWork(TypedDict):
    """What has not come to an end yet."""

    executions: list[str]
    functions: int
    held_calls: int


class FaultControl:
    """The faults of one deployed exporter, and the record of what its functions did."""

    def __init__(self, exporter: Exporter, via: Controlled | None = None) -> None:
        self._exporter, self._via = exporter, via or exporter.aws

    @cached_property
    def _logical_ids(self) -> dict[str, str]:
        return {name: logical_id for logical_id, name in self._exporter.functions().items()}

    def put(self, kind: str, **where: Unpack[Where]) -> None:
        """Put a fault."""
        named = {"function": self._exporter.resource(where["function"])} if where.get("function") else {}
        self._post("/_local/faults/put", kind=kind, **{**where, **named})

    def clear(self) -> None:
        """Take all faults away."""
        self._post("/_local/faults/clear")

    def struck(self) -> list[Struck]:
        """Return where faults have struck since the last forget."""
        return self._with_logical_ids(self._post("/_local/faults")["struck"])

    def at_work(self) -> AtWork:
        """Return what has not come to an end yet."""
        return self._post("/_local/faults/at_work")  # type: ignore[return-value]

    def calls(self) -> list[Call]:
        """Return the calls that functions made since the last forget."""
        return self._with_logical_ids(call for call in self._post("/_local/calls")["calls"] if call["function"])

    def invocations(self) -> list[Invocation]:
        """Return what was invoked since the last forget."""
        return self._with_logical_ids(self._post("/_local/invocations")["invocations"])

    def forget(self) -> None:
        """Take all faults away, and forget where they have struck, all calls and all invocations."""
        self._post("/_local/faults/clear", forget=True)
        self._post("/_local/calls", clear=True)
        self._post("/_local/invocations", clear=True)

    def set_wait_scales(self, scales: Mapping[str, float]) -> None:
        """Give waits factors of their own: by retried error, by waiting state, and `*` for all others."""
        self._post("/_local/wait_scales", scales=dict(scales))

    def _with_logical_ids(self, records: Any) -> list[Any]:
        return [{**each, "function": self._logical_ids.get(each["function"], "")} for each in records]

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        place = {"account": self._exporter.account, "region": self._exporter.region}
        return self._via.control(path, {**body, **place})
