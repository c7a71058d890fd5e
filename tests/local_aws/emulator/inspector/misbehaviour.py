"""The faults of Inspector that a test can choose, for the next calls or reports, or until they are cleared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

type Operation = Literal["create", "status", "cancel", "list", "aggregate"]
type CallFault = Literal["throttle", "server_error", "lose_answer", "hang"]
type ReportFault = Literal[
    "fail", "cancel_itself", "unknown_status", "hold", "no_object", "broken_object", "other_prefix", "other_key"
]

OPERATIONS: tuple[str, ...] = get_args(Operation.__value__)
CALL_FAULTS: tuple[str, ...] = get_args(CallFault.__value__)
REPORT_FAULTS: tuple[str, ...] = get_args(ReportFault.__value__)


@dataclass
class Fault:
    """One fault.

    Faults of a call: "throttle" (429) and "server_error" (500) have no effect; "lose_answer" has the call's effect and
    closes the connection, or answers 500 with `answer="500"`; "hang" answers after `seconds`.

    Faults of a report, chosen when it is created: "fail" (with `error_code`, which may be one that the API does not have),
    "cancel_itself", "unknown_status" (`status` instead of IN_PROGRESS for `seconds`), "hold" (until released),
    "no_object", "broken_object", "other_prefix" (the object is under `prefix`), "other_key" (it is encrypted with
    `kms_key_arn`).
    """

    kind: str
    operation: str | None = None
    """Which call; None for each."""
    times: int | None = 1
    """For how many calls or reports; None until cleared."""
    skip: int = 0
    """How many pass before the fault takes effect."""
    seconds: float = 1.0
    answer: str = "close"
    error_code: str = "INTERNAL_ERROR"
    status: str = "QUEUED"
    prefix: str = "elsewhere/"
    kms_key_arn: str = ""

    def __post_init__(self) -> None:
        if self.kind not in CALL_FAULTS + REPORT_FAULTS:
            raise ValueError(f"kind must be one of {', '.join(CALL_FAULTS + REPORT_FAULTS)}")
        if self.operation not in (None, *OPERATIONS):
            raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}")
        if self.answer not in ("close", "500"):
            raise ValueError('answer must be "close" or "500"')
        if self.kind == "other_key" and not self.kms_key_arn:
            raise ValueError("other_key needs kms_key_arn")


@dataclass
class Misbehaviour:
    """The faults that are due. Callers must make sure that only one thread at a time uses it."""

    faults: list[Fault] = field(default_factory=list)

    def of_call(self, operation: str) -> Fault | None:
        """Return the first fault that is due for a call; it then counts as used."""
        wanted = (fault for fault in self.faults if fault.kind in CALL_FAULTS and fault.operation in (None, operation))
        return next(iter(_due(wanted)), None)

    def of_report(self) -> dict[str, Fault]:
        """Return the faults that are due for a report by kind; they then count as used."""
        due = list(_due(fault for fault in self.faults if fault.kind in REPORT_FAULTS))
        return {fault.kind: fault for fault in due}

    def pending(self) -> list[dict[str, Any]]:
        """Return the faults that have not taken effect yet."""
        return [vars(fault) for fault in self.faults if fault.times != 0]


def _due(faults: Iterable[Fault]) -> Iterable[Fault]:
    for fault in faults:
        if fault.times == 0:
            continue
        if fault.skip > 0:
            fault.skip -= 1
            continue
        if fault.times is not None:
            fault.times -= 1
        yield fault
