"""One run of an export as its record has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import Failure, NotRecordedError
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan

type Outcome = Literal["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "DUPLICATE"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it is written down. What has not happened yet is None."""

    execution: Execution
    input: str
    plan: Plan | None = None
    report_id: str | None = None
    report_created_at: datetime | None = None
    report_ended_at: datetime | None = None
    outcome: Outcome | None = None
    failure: Failure | None = None
    delivery: Delivery | None = None
    ended_at: datetime | None = None
    notification_id: str | None = None
    notified_at: datetime | None = None
    owners_done_at: datetime | None = None
    """When the messages to the owners had all been sent, or were given up, which a note says."""
    notes: tuple[str, ...] = ()
    analysis: Mapping[str, Any] | None = None
    """The analysis' headline; of a failed analysis its ``error`` and ``sentence``; None without an analysis."""
    unread: tuple[str, ...] = ()
    """Fields of the record that cannot be read, and are None here: a run is notified whatever its record holds."""

    def require_plan(self) -> Plan:
        """Return the plan.

        Raises
        ------
        NotRecordedError
            The run has none: its input was wrong, or it ended before it was planned.
        """
        if self.plan is None:
            raise NotRecordedError(Note("cause.no_plan", run=self.execution.id))
        return self.plan

    @property
    def owners_due(self) -> bool:
        """Whether messages to owners are to be sent, and are not done yet.

        A run that asked for silence sends none: they are notifications, too.
        """
        if self.owners_done_at or self.outcome != "SUCCEEDED" or self.asked_for_silence:
            return False
        analysis = self.analysis or {}
        count = analysis.get("owner_message_count")
        return "error" not in analysis and isinstance(count, int) and count > 0

    @property
    def asked_for_silence(self) -> bool:
        """Whether a notification of its success is not to be sent."""
        return self.plan is not None and not self.plan.notify

    @property
    def is_unverified(self) -> bool:
        """Whether its report has ended at Inspector, and nothing is known of the file: the run ended in between."""
        if self.outcome == "SUCCEEDED" or self.report_ended_at is None or self.delivery or self.failure is None:
            return False
        return not self.failure.error.startswith(("Report.", "Delivery."))

    @property
    def duration_seconds(self) -> int:
        """From start to outcome."""
        return round(((self.ended_at or self.execution.started_at) - self.execution.started_at).total_seconds())

    @property
    def wait_seconds(self) -> int | None:
        """From start to the report's creation: the wait for the lock and for other reports of Inspector."""
        return round((self.report_created_at - self.execution.started_at).total_seconds()) if self.report_created_at else None

    @property
    def report_seconds(self) -> int | None:
        """How long Inspector took, as far as we saw."""
        if self.report_created_at is None or self.report_ended_at is None:
            return None
        return round((self.report_ended_at - self.report_created_at).total_seconds())
