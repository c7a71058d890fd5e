"""Client of the fault routes: puts faults on the calls and steps of a deployed exporter, and lists where they took effect."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.local_aws.deployed_exporter import Exporter
    from tests.local_aws.inspector_control import Controlled


class Where(TypedDict, total=False):
    """Which calls or steps a fault is for; see the emulator's `faults.Fault`. Functions are named by their logical ids."""

    function: str
    action: str
    state: str
    execution: str
    event: Mapping[str, Any]
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
    event: Any


class Struck(TypedDict):
    """One time that a fault took effect."""

    kind: str
    function: str
    """The logical id; empty for a fault of a state."""
    action: str
    state: str
    execution: str
    time: float


class AtWork(TypedDict):
    """What has not ended yet."""

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
        """Add a fault."""
        named = {"function": self._exporter.resource(where["function"])} if where.get("function") else {}
        self._post("/_local/faults/put", kind=kind, **{**where, **named})

    def clear(self) -> None:
        """Remove all faults."""
        self._post("/_local/faults/clear")

    def struck(self) -> list[Struck]:
        """Return where faults took effect since the last forget."""
        return self._with_logical_ids(self._post("/_local/faults")["struck"])

    def at_work(self) -> AtWork:
        """Return what has not ended yet."""
        return self._post("/_local/faults/at_work")  # type: ignore[return-value]

    def calls(self) -> list[Call]:
        """Return the calls that functions made since the last forget."""
        return self._with_logical_ids(call for call in self._post("/_local/calls")["calls"] if call["function"])

    def invocations(self) -> list[Invocation]:
        """Return the invocations since the last forget."""
        return self._with_logical_ids(self._post("/_local/invocations")["invocations"])

    def forget(self) -> None:
        """Remove all faults, and forget where they took effect, all calls and all invocations."""
        self._post("/_local/faults/clear", forget=True)
        self._post("/_local/calls", clear=True)
        self._post("/_local/invocations", clear=True)

    def set_wait_scales(self, scales: Mapping[str, float]) -> None:
        """Set the factors on waits: by the retried error, by the waiting state, and `*` for all others."""
        self._post("/_local/wait_scales", scales=dict(scales))

    def _with_logical_ids(self, records: Any) -> list[Any]:
        return [{**each, "function": self._logical_ids.get(each["function"], "")} for each in records]

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        place = {"account": self._exporter.account, "region": self._exporter.region}
        return self._via.control(path, {**body, **place})
