"""Client of the routes of the emulated Inspector: sets its findings and its behavior, and reads what it has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, Unpack

from tests.local_aws.server import DEFAULT_ACCOUNT, DEFAULT_REGION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tests.local_aws.emulator.inspector.misbehaviour import CallFault, Operation, ReportFault


class Controlled(Protocol):
    """An embedded AWS."""

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Post JSON to one of the emulator's own routes and return its answer."""
        ...


class Settings(TypedDict, total=False):
    """How Inspector behaves; see the emulator's `reports.Settings` for what each one means."""

    base_seconds: float
    seconds_per_1000: float
    cancel_seconds: float
    fewest_checks: int
    reports_at_a_time: int
    without_report: Literal["not_found", "empty", "last"]
    when_nothing_found: Literal["fail", "no_object", "empty_object", "header_only", "malformed"]
    timestamps: Literal["iso", "epoch"]
    csv_style: Literal["plain", "quoted"]


class FaultDetails(TypedDict, total=False):
    """What goes wrong, and how; see the emulator's `misbehaviour.Fault`."""

    operation: Operation | None
    times: int | None
    skip: int
    seconds: float
    answer: Literal["close", "500"]
    error_code: str
    status: str
    prefix: str
    kms_key_arn: str


class EvolveOptions(TypedDict, total=False):
    """How a day changes the findings; see the emulator's `findings.evolve`."""

    fixed: float
    suppressed: float
    new: float
    rebuild: bool
    switch_off: str
    now: float


class Seeded(TypedDict):
    """The findings that Inspector now has, counted."""

    active: int
    all: int
    accounts: list[str]


class ChangedFindings(TypedDict):
    """What a day has changed, by finding ARN."""

    fixed: list[str]
    suppressed: list[str]
    new: list[str]
    rebuilt_image: str
    new_arn: dict[str, str]
    removed: list[str]


class ReportRecord(TypedDict):
    """One report as the emulator knows it. Times are epoch seconds."""

    id: str
    account: str
    region: str
    format: Literal["CSV", "JSON"]
    destination: dict[str, str]
    filter_criteria: dict[str, Any]
    started_by: str
    created_at: float
    ended_at: float | None
    status: Literal["IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELLED"]
    error_code: str
    error_message: str
    cancelled_by: str
    cancelled_at: float | None
    findings: int | None
    object_key: str
    is_external: bool
    is_held: bool
    status_checks: int
    faults: list[str]


class CallRecord(TypedDict, total=False):
    """One call that IAM allowed."""

    operation: Operation
    caller: str
    execution: str
    time: float
    status_code: int
    report_id: str
    fault: str


class InspectorRecord(TypedDict):
    """All calls that Inspector received, and all reports that it made."""

    reports: list[ReportRecord]
    most_in_progress: int
    calls: list[CallRecord]


class InspectorControl:
    """The Inspector of one account and Region."""

    def __init__(self, local_aws: Controlled, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> None:
        self._local_aws, self._account, self._region = local_aws, account, region

    def reset(self) -> None:
        """Forget findings, reports, settings, misbehaviours and the record."""
        self._post("reset")

    def seed(self, findings: int = 5_000, seed: int = 0, *, accounts: Sequence[str] = (), now: float | None = None) -> Seeded:
        """Generate findings: so many active ones, and a few suppressed and closed ones.

        Parameters
        ----------
        accounts
            The accounts that have findings; by default this one and two members.
        now
            The current time for the findings, in epoch seconds; by default the emulator's clock.
        """
        body: dict[str, Any] = {"findings": findings, "seed": seed, "accounts": list(accounts)}
        return self._post("seed", **body, **({} if now is None else {"now": now}))  # type: ignore[return-value]

    def load(self, path: Path) -> Seeded:
        """Take the findings from a file of JSON lines (.gz or not), as ListFindings sends them."""
        return self._post("load", path=str(path.resolve()))  # type: ignore[return-value]

    def evolve(self, day: int = 1, **options: Unpack[EvolveOptions]) -> ChangedFindings:
        """Let a day pass: some findings are fixed, suppressed and new, and an image is rebuilt."""
        return self._post("evolve", day=day, **options)  # type: ignore[return-value]

    def switch(self, member: str, *scan_types: str, on: bool) -> None:
        """Activate or deactivate scanning in an account, all of it or some scan types. Findings do not change."""
        self._post("switch", member=member, scan_types=list(scan_types), on=on)

    def put_into_kev(self, vulnerability_id: str, added: datetime, due: datetime | None = None, action: str = "") -> int:
        """Put a vulnerability into CISA's catalog, until the next reset, and return how many findings have it."""
        dates = {"dateAdded": added.timestamp()} | ({"dateDue": due.timestamp()} if due else {})
        answer = self._post("kev", vulnerability_id=vulnerability_id, **dates, **({"action": action} if action else {}))
        return int(answer["findings"])

    def findings(self, filter_criteria: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the findings that a report with these criteria (in the API's own form) would hold."""
        found: list[dict[str, Any]] = self._post("findings", filter_criteria=filter_criteria or {})["findings"]
        return found

    def configure(self, **settings: Unpack[Settings]) -> Settings:
        """Change settings and return all of them. A report keeps the ones that it began with."""
        return self._post("configure", **settings)  # type: ignore[return-value]

    def misbehave(self, kind: CallFault | ReportFault, **details: Unpack[FaultDetails]) -> None:
        """Make the next calls or reports fail: `times` of them after the first `skip`, or all until `behave`."""
        self._post("misbehave", kind=kind, **details)

    def behave(self) -> None:
        """Remove all faults that have not taken effect yet."""
        self._post("behave")

    def hold(self) -> None:
        """Keep reports in progress, this one and later ones, until released. They can be cancelled."""
        self._post("hold")

    def release(self) -> None:
        """Let all held reports continue, external ones too."""
        self._post("release")

    def external_report(self, **destination: str) -> str:
        """Start an external report (one from outside the stack) and return its id; it is in progress until released or ended."""
        return str(self._post("external_report", destination=destination)["report_id"])

    def end_report(
        self,
        report_id: str,
        status: Literal["SUCCEEDED", "FAILED", "CANCELLED"] = "SUCCEEDED",
        error_code: str = "INTERNAL_ERROR",
    ) -> None:
        """End a report at once; nothing is written."""
        self._post("end_report", report_id=report_id, status=status, error_code=error_code)

    def record(self) -> InspectorRecord:
        """Return the calls and reports since the last reset."""
        return self._post("record")  # type: ignore[return-value]

    def _post(self, action: str, /, **body: Any) -> dict[str, Any]:
        place = {"account": self._account, "region": self._region}
        return self._local_aws.control(f"/_local/inspector/{action}", {**body, **place})
