"""A report from its creation to its end, the three calls for it, ListFindings, and ListFindingAggregations by account."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import StreamingResponse, error_response_json, get_region, json_response
from ministack.services import inspector2

from tests.local_aws.emulator import calls
from tests.local_aws.emulator.inspector import aggregation, criteria, delivery, report_files
from tests.local_aws.emulator.inspector.misbehaviour import Fault, Misbehaviour

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tests.local_aws.emulator.inspector.findings import Finding

type Answer = tuple[int, dict[str, str], Any]
type Handler = Callable[[dict[str, Any], str], Awaitable[Answer]]

IN_PROGRESS, SUCCEEDED, FAILED, CANCELLED = "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELLED"
_MOST_LISTED = 100
_ANY_STATUS = {"findingStatus": [{"comparison": "EQUALS", "value": status} for status in ("ACTIVE", "SUPPRESSED", "CLOSED")]}
WHEN_NOTHING_FOUND = ("fail", "no_object", "empty_object", "header_only", "malformed")
WITHOUT_REPORT = ("not_found", "empty", "last")
_REPORT_ID = re.compile(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}")
_RETRY_AFTER = {"Retry-After": "1"}


@dataclass
class Settings:
    """How this Inspector behaves where the real one's behavior is unknown, and how long it takes."""

    base_seconds: float = 1.0
    seconds_per_1000: float = 0.2
    """By the number of findings that match."""
    cancel_seconds: float = 0.0
    """From the cancel call until the report is CANCELLED; until then it counts as the one report in progress."""
    fewest_checks: int = 0
    """A report does not succeed before so many status checks by its id, however slow the caller is."""
    reports_at_a_time: int = 1
    """AWS: one. More are for tests of what notices that."""
    without_report: str = "not_found"
    """The answer to a status call without an id when no report is in progress: "not_found", "empty" or "last"."""
    when_nothing_found: str = "fail"
    """"fail" (NO_FINDINGS_FOUND), or SUCCEEDED with "no_object", an "empty_object", "header_only" or "malformed"."""
    timestamps: str = "iso"
    csv_style: str = "plain"

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set what is named, or raise ValueError and set nothing."""
        words = {
            "without_report": WITHOUT_REPORT,
            "when_nothing_found": WHEN_NOTHING_FOUND,
            "timestamps": get_args(report_files.Timestamps.__value__),
            "csv_style": get_args(report_files.CsvStyle.__value__),
        }
        for name, value in changes.items():
            if name not in vars(self):
                raise ValueError(f"{name} is not a setting; the settings are {', '.join(vars(self))}")
            if name in words and value not in words[name]:
                raise ValueError(f"{name} must be one of {', '.join(words[name])}")
            if name not in words and not (isinstance(value, int | float) and value >= 0):
                raise ValueError(f"{name} must be a number")
        vars(self).update(changes)


@dataclass
class Report:
    """One report, from its creation on."""

    id: str
    format: str
    destination: dict[str, str]
    filter_criteria: dict[str, Any]
    started_by: str
    created_at: float
    faults: dict[str, Fault] = field(default_factory=dict)
    is_external: bool = False
    is_held: bool = False
    status: str = IN_PROGRESS
    error_code: str = ""
    error_message: str = ""
    findings: int | None = None
    """How many match; None until they are counted."""
    object_key: str = ""
    """The object's key; empty when nothing was written."""
    cancelled_by: str = ""
    cancelled_at: float | None = None
    ended_at: float | None = None
    status_checks: int = 0

    def shown_status(self) -> str:
        """Return the status that the API returns."""
        odd = self.faults.get("unknown_status")
        if self.status == IN_PROGRESS and odd and time.time() < self.created_at + odd.seconds:
            return odd.status
        return self.status

    def status_answer(self) -> dict[str, Any]:
        """Return the answer of GetFindingsReportStatus. AWS: `destination` never holds the whole object key."""
        answer: dict[str, Any] = {"reportId": self.id, "status": self.shown_status(), "destination": self.destination}
        if self.filter_criteria:
            answer["filterCriteria"] = self.filter_criteria
        if self.error_code:
            answer |= {"errorCode": self.error_code, "errorMessage": self.error_message}
        return answer


class Place:
    """Inspector in one account and Region: its findings, its one report in progress, and the record of calls.

    `changed` guards everything here and wakes the reports' threads. It is held for moments only, so that a call's
    handler on the event loop never waits for long.
    """

    def __init__(self, account: str, region: str) -> None:
        self.account, self.region = account, region
        self.changed = threading.Condition()
        self.findings: Sequence[Finding] = ()
        self.seed: int | str = 0
        self.accounts: tuple[str, ...] = ()
        self.switched_off: frozenset[tuple[str, str]] = frozenset()
        """Accounts with the scan type that is deactivated in them; an empty scan type means all."""
        self.kev: dict[str, dict[str, Any]] = {}
        """By vulnerability id, what CISA's catalog of known exploited vulnerabilities has of it: see `details`."""
        self.settings = Settings()
        self.misbehaviour = Misbehaviour()
        self.is_held = False
        self.reports: dict[str, Report] = {}
        self.calls: list[dict[str, Any]] = []
        self.most_in_progress = 0

    def is_scanned(self, account: str, scan_type: str) -> bool:
        """Return whether Inspector scans this in an account."""
        return not self.switched_off & {(account, ""), (account, scan_type)}

    def in_progress(self) -> Report | None:
        """Return the report in progress. AWS: one at a time in an account and Region."""
        return next((report for report in self.reports.values() if report.status == IN_PROGRESS), None)

    def count_in_progress(self) -> int:
        """Return how many reports are in progress."""
        return sum(report.status == IN_PROGRESS for report in self.reports.values())

    def add(self, report: Report) -> None:
        """Start a report. The caller holds `changed`."""
        self.reports[report.id] = report
        self.most_in_progress = max(self.most_in_progress, self.count_in_progress())
        life = contextvars.copy_context()
        threading.Thread(target=life.run, args=(_live, self, report), name=f"report {report.id}", daemon=True).start()

    def end(self, report: Report, status: str, error_code: str = "", error_message: str = "") -> None:
        """End a report, unless it has ended."""
        with self.changed:
            if report.status == IN_PROGRESS:
                report.status, report.error_code, report.error_message = status, error_code, error_message
                report.ended_at = time.time()
                self.changed.notify_all()


_places: dict[tuple[str, str], Place] = {}


def place(account: str, region: str) -> Place:
    """Return an account's Inspector in a Region."""
    return _places.setdefault((account, region), Place(account, region))


def forget(account: str, region: str) -> None:
    """Forget the settings, findings and reports of an account and Region; a running report writes nothing more."""
    _abandon(_places.pop((account, region), None))


def forget_all() -> None:
    """Forget everything."""
    while _places:
        _abandon(_places.popitem()[1])


def _abandon(place: Place | None) -> None:
    if place:
        for report in list(place.reports.values()):
            place.end(report, CANCELLED)


# ---- a report, on a thread of its own


def _live(here: Place, report: Report) -> None:
    try:
        _make(here, report)
    except delivery.Refusal as refusal:
        here.end(report, FAILED, refusal.code, refusal.message)
    except Exception as error:
        # End the report before raising, or it would stay in progress forever.
        here.end(report, FAILED, "INTERNAL_ERROR", repr(error))
        raise


def _make(here: Place, report: Report) -> None:
    settings, findings = Settings(**vars(here.settings)), here.findings
    matching: list[Finding] = []
    if not report.is_external:
        matches = criteria.matcher(report.filter_criteria)
        matching = [finding for finding in findings if matches(finding)]
        report.findings = len(matching)
    _take_time(here, report, report.created_at + settings.base_seconds + settings.seconds_per_1000 * len(matching) / 1000)
    if "cancel_itself" in report.faults:
        here.end(report, CANCELLED)
    elif fault := report.faults.get("fail"):
        here.end(report, FAILED, fault.error_code, "A test made the emulator fail this report")
    elif report.status == IN_PROGRESS:
        if not report.is_external:
            _deliver(here, report, matching, settings)
        here.end(report, SUCCEEDED)


def _take_time(here: Place, report: Report, until: float) -> None:
    with here.changed:
        while report.status == IN_PROGRESS:
            is_cancelled = report.cancelled_at is not None
            is_watched = report.status_checks >= here.settings.fewest_checks or report.is_external
            is_held = (here.is_held or report.is_held or not is_watched) and not is_cancelled
            left = (report.cancelled_at or until) - time.time()
            if left > 0 or is_held:
                here.changed.wait(None if is_held else left)
            elif is_cancelled:
                here.end(report, CANCELLED)
            else:
                return


def _deliver(here: Place, report: Report, matching: Sequence[Finding], settings: Settings) -> None:
    extension = report.format.lower()
    prefix, destination = report.destination.get("keyPrefix", ""), report.destination
    source = delivery.Source(here.account, here.region, report.id)
    # The prefix as it was given: AWS puts no slash between.
    object_key = f"{prefix}{report.id}.{extension}"
    delivery.check_destination(source, destination, object_key)
    kind = settings.when_nothing_found
    if not matching and kind == "fail":
        raise delivery.Refusal("NO_FINDINGS_FOUND", "No findings match the filter criteria")
    if "no_object" in report.faults or (not matching and kind == "no_object"):
        return
    if not matching:
        content = report_files.empty_report(report.format, kind)
    elif report.format == "JSON":
        content = report_files.json_report(matching, settings.timestamps)  # type: ignore[arg-type]  # checked when set
    else:
        content = report_files.csv_report(matching, time.time(), settings.csv_style)  # type: ignore[arg-type]
    if "broken_object" in report.faults:
        content = report_files.broken(content)
    if fault := report.faults.get("other_prefix"):
        object_key = f"{fault.prefix}{report.id}.{extension}"
    if fault := report.faults.get("other_key"):
        destination = {**destination, "kmsKeyArn": fault.kms_key_arn}
    if report.status == IN_PROGRESS:
        delivery.write(destination, object_key, content)
        report.object_key = object_key


# ---- the calls


def _refused(message: str, reason: str = "OTHER", problems: Sequence[criteria.Problem] = ()) -> Answer:
    fields = [{"name": name, "message": problem} for name, problem in problems]
    answer: Answer = error_response_json("ValidationException", message, 400, extra={"reason": reason, "fields": fields})
    return answer


def _invalid(problems: Sequence[criteria.Problem]) -> Answer:
    text = "; ".join(f"{name} {problem}" for name, problem in problems)
    return _refused(f"The request is not valid: {text}", "FIELD_VALIDATION_FAILED", problems)


def _not_found(message: str) -> Answer:
    answer: Answer = error_response_json("ResourceNotFoundException", message, 404)
    return answer


def _invalid_report_id(request: Mapping[str, Any], *, is_required: bool) -> Answer | None:
    report_id = request.get("reportId")
    if report_id is None and not is_required:
        return None
    if not isinstance(report_id, str) or not _REPORT_ID.fullmatch(report_id):
        return _invalid([("reportId", "must be a report's id")])
    return None


def _create(here: Place, request: dict[str, Any], caller: str) -> Answer:
    if problems := criteria.request_problems(request):
        return _invalid(problems)
    if here.count_in_progress() >= here.settings.reports_at_a_time:
        # AWS: the text. That it is a ValidationException with this reason is a guess.
        return _refused("Cannot have multiple reports in-progress")
    report = Report(
        id=str(uuid.uuid4()),
        format=request["reportFormat"],
        destination=request["s3Destination"],
        filter_criteria=request.get("filterCriteria") or {},
        started_by=caller,
        created_at=time.time(),
        faults=here.misbehaviour.of_report(),
    )
    report.is_held = "hold" in report.faults
    here.add(report)
    answer: Answer = json_response({"reportId": report.id})
    return answer


def _status(here: Place, request: dict[str, Any], _caller: str) -> Answer:
    if invalid := _invalid_report_id(request, is_required=False):
        return invalid
    report_id = request.get("reportId")
    # AWS: without an id it describes the report in progress. Its answer when there is none is not known.
    report = here.reports.get(report_id) if report_id else here.in_progress()
    if report is None and not report_id:
        if here.settings.without_report == "last":
            report = next(reversed(here.reports.values()), None)
        elif here.settings.without_report == "empty":
            nothing: Answer = json_response({})
            return nothing
    if report is None:
        return _not_found(f"There is no report {report_id}" if report_id else "There is no report in progress")
    answer: Answer = json_response(report.status_answer())
    if report_id:
        report.status_checks += 1
        here.changed.notify_all()
    return answer


def _cancel(here: Place, request: dict[str, Any], caller: str) -> Answer:
    if invalid := _invalid_report_id(request, is_required=True):
        return invalid
    report = here.reports.get(request["reportId"])
    if report is None:
        return _not_found(f"There is no report {request['reportId']}")
    if report.status != IN_PROGRESS:
        # What AWS answers here is not known.
        return _refused(f"The report {report.id} is not in progress")
    if report.cancelled_at is None:
        report.cancelled_by, report.cancelled_at = caller, time.time() + here.settings.cancel_seconds
        if here.settings.cancel_seconds == 0:
            here.end(report, CANCELLED)
        here.changed.notify_all()
    answer: Answer = json_response({"reportId": report.id})
    return answer


def _list(here: Place, request: dict[str, Any], _caller: str) -> Answer:
    wanted, most = request.get("filterCriteria") or {}, request.get("maxResults", _MOST_LISTED)
    problems = criteria.problems(wanted)
    if not isinstance(most, int) or not 1 <= most <= _MOST_LISTED:
        problems.append(("maxResults", f"must be from 1 to {_MOST_LISTED}"))
    if problems:
        return _invalid(problems)
    # Unlike a report it lists findings of every status, unless findingStatus names some: a guess.
    matches = criteria.matcher(_ANY_STATUS | wanted)
    found, start = list(filter(matches, here.findings)), int(request.get("nextToken") or 0)
    more = {"nextToken": str(start + most)} if start + most < len(found) else {}
    answer: Answer = json_response({"findings": found[start : start + most], **more})
    return answer


def _aggregate(here: Place, request: dict[str, Any], _caller: str) -> Answer:
    problems = aggregation.problems(request)
    if problems:
        return _invalid(problems)
    counted = aggregation.by_account(here.findings, request)
    most, start = request.get("maxResults", aggregation.MOST_ROWS), int(request.get("nextToken") or 0)
    more = {"nextToken": str(start + most)} if start + most < len(counted) else {}
    rows = [{"accountAggregation": row} for row in counted[start : start + most]]
    answer: Answer = json_response({"aggregationType": request["aggregationType"], "responses": rows, **more})
    return answer


def _call(operation: str, act: Callable[[Place, dict[str, Any], str], Answer]) -> Handler:
    async def handle(request: dict[str, Any], account: str) -> Answer:
        here, caller = place(account, get_region()), caller_arn()
        execution = (calls.current.get() or {}).get("execution", "")
        record: dict[str, Any] = {"operation": operation, "caller": caller, "execution": execution, "time": time.time()}
        with here.changed:
            here.calls.append(record)
            fault = here.misbehaviour.of_call(operation)
            kind = fault.kind if fault else ""
            if kind == "throttle":
                answer: Answer = error_response_json("ThrottlingException", "Rate exceeded", 429)
            elif kind == "server_error":
                answer = error_response_json("InternalServerException", "Internal failure", 500)
            else:
                answer = act(here, request, caller)
        if kind in ("throttle", "server_error"):
            answer = (answer[0], {**answer[1], **_RETRY_AFTER}, answer[2])
        record |= {"status_code": answer[0], "report_id": _report_id(request, answer), "fault": kind}
        if fault and kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault and kind == "lose_answer":
            return _lost(fault)
        return answer

    return handle


def _report_id(request: Mapping[str, Any], answer: Answer) -> str:
    match = _REPORT_ID.search(answer[2].decode()) if isinstance(answer[2], bytes) and answer[0] == 200 else None
    return match[0] if match else str(request.get("reportId") or "")


def _lost(fault: Fault) -> Answer:
    if fault.answer == "500":
        status, headers, body = error_response_json("InternalServerException", "Internal failure", 500)
        return status, {**headers, **_RETRY_AFTER}, body

    async def stop_in_the_midst(send: Any, _receive: Any) -> None:
        await send({"type": "http.response.body", "body": b"{", "more_body": True})

    # Without a length the answer is chunked and its last chunk is missing: the connection closes, and botocore raises a
    # ConnectionClosedError. (botocore accepts an answer that is shorter than its Content-Length.)
    return 200, {"Content-Type": "application/json"}, StreamingResponse(stop_in_the_midst)


def install() -> None:
    """Register the calls in MiniStack's table of Inspector paths, where IAM is enforced."""
    handlers = {
        "/reporting/create": _call("create", _create),
        "/reporting/status/get": _call("status", _status),
        "/reporting/cancel": _call("cancel", _cancel),
        "/findings/list": _call("list", _list),
        "/findings/aggregation/list": _call("aggregate", _aggregate),
    }
    inspector2._path_handlers.update(handlers)
    inspector2._async_handlers.update(handlers)
