"""Compares each observation with what the code expects. Pure rules: an observation in, answers out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from findings_analysis.assessment.coverage import ERRORS, STATES
from findings_exporter.aws.inspector import FINAL
from findings_exporter.preview.counting import PAGE_FINDINGS
from tests.tools.aws_check.observations import Export, ReportObject, SecondReport, Status, Unanswered, form_of
from tests.tools.aws_check.questions import NONE, OTHER, Answer, Reason, Result, duration, enumeration, magnitude

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tools.aws_check.observations import AccountStatus, Alarm, FileForm, Members, OtherOwner, Page, Preview, Topic

OF_THE_SETUP = ("bucket", "bucket_owner", "bucket_policy_for_inspector", "key", "key_policy_for_inspector")
"""The checks of what Inspector needs to write a report."""
SETUP_ERRORS = ("INVALID_PERMISSIONS", "BUCKET_NOT_FOUND", "INCOMPATIBLE_BUCKET_REGION", "MALFORMED_KMS_KEY")
COVERAGE_GROUP = "RESOURCE_TYPE"
BUSY_ERRORS = ("LockNotObtained", "InspectorBusy")
TOO_LATE = "DeadlineExceeded"
CHANGED_MEANWHILE = 0.05
"""So much may the number of findings change between a preview and its export."""


def unknown(question: str, unanswered: Unanswered, seen: Mapping[str, str] | None = None) -> Answer:
    """Answer a question by why it has no answer."""
    return Answer(question, Result.UNKNOWN, seen or {}, unanswered.reason, unanswered.call, unanswered.code)


def _answer(question: str, seen: Mapping[str, str], *, expected: bool) -> Answer:
    return Answer(question, Result.AS_EXPECTED if expected else Result.DIFFERENT, seen)


# ---------------------------------------------------------------------------------------------------------------------
# Inspector's calls
# ---------------------------------------------------------------------------------------------------------------------


def status_without_report(before: Status | Unanswered, after: Status | Unanswered) -> Answer:
    """Assess what the status is without an ID, before and after the test export."""
    name = "status-without-report"
    for each in (before, after):
        if isinstance(each, Unanswered):
            return unknown(name, each)
    assert isinstance(before, Status)
    assert isinstance(after, Status)
    seen = {"before": _shown(before), "after": _shown(after)}
    if code := before.code or after.code:
        seen["code"] = code
    if "a report in progress" in seen.values():
        return unknown(name, Unanswered(Reason.OTHER_REPORT), seen)
    return _answer(name, seen, expected="refused" not in seen.values())


def _shown(status: Status) -> str:
    if status.form != "report":
        return status.form
    return "the last report" if status.status in FINAL else "a report in progress"


def status_in_progress(export: Export) -> Answer:
    """Assess whether Inspector describes the report in progress as it was asked for."""
    name, found = "status-in-progress", export.in_progress
    if isinstance(found, Unanswered):
        return unknown(name, found)
    is_there = found.bucket == export.bucket and found.prefix.rstrip("/") == export.prefix.rstrip("/")
    as_given = "as given" if found.prefix == export.prefix else "without the last slash"
    seen = {"status": found.status, "destination": as_given if is_there else "another"}
    # The code accepts a prefix without its last slash, and takes an unknown status for one in progress.
    return _answer(name, seen, expected=is_there and found.status == "IN_PROGRESS")


def second_report(found: SecondReport | Unanswered | None) -> Answer:
    """Assess what happened to a second report."""
    name = "second-report"
    if found is None:
        return unknown(name, Unanswered(Reason.NOT_IN_PROGRESS))
    if isinstance(found, Unanswered):
        return unknown(name, found)
    if found.is_accepted:
        seen = {"answer": "accepted", "cancelled": "yes" if found.is_cancelled else "no"}
        if not found.first_in_progress:
            return unknown(name, Unanswered(Reason.ENDED_MEANWHILE), seen)
        return _answer(name, seen, expected=False)
    seen = {"answer": "refused", "code": found.code, "text": "as expected" if found.has_expected_text else "another"}
    if found.has_expected_text:
        # Throttled and denied creates are raised, and retried by the state machine, without asking for the status.
        return _answer(name, seen, expected=not (found.is_throttled or found.is_denied))
    if found.is_denied or found.is_throttled:
        reason = Reason.DENIED if found.is_denied else Reason.THROTTLED
        return unknown(name, Unanswered(reason, "CreateFindingsReport", found.code), seen)
    return _answer(name, seen, expected=False)


def list_page(found: Page | Unanswered) -> Answer:
    """Assess how many findings a page holds."""
    name = "list-page"
    if isinstance(found, Unanswered):
        return unknown(name, found)
    seen = {
        "findings": str(found.findings or 0),
        "next_page": "yes" if found.has_next else "no",
        "statuses": ", ".join(sorted(found.statuses)) or NONE,
        "time": duration(found.seconds),
    }
    if not found.has_next and (found.findings or 0) < PAGE_FINDINGS:
        return unknown(name, Unanswered(Reason.TOO_FEW), seen)
    return _answer(name, seen, expected=found.findings == PAGE_FINDINGS)


def list_nothing(found: Page | Unanswered) -> Answer:
    """Assess what ListFindings returns when nothing matches."""
    name = "list-nothing"
    if isinstance(found, Unanswered):
        return unknown(name, found)
    if found.findings is None:
        answer = "no list"
    elif found.findings:
        answer = "findings"
    else:
        answer = "an empty list with a next page" if found.has_next else "an empty list"
    return _answer(name, {"answer": answer}, expected=answer == "an empty list")


def account_status(found: AccountStatus | Unanswered) -> Answer:
    """Assess the error codes of what is enabled."""
    name = "account-status"
    if isinstance(found, Unanswered):
        return unknown(name, found)
    codes = {code or NONE for state, code in found.states if STATES.get(state) == "on"}
    seen = {"states": ", ".join(sorted({state for state, _ in found.states})) or NONE, "codes": ", ".join(sorted(codes)) or NONE}
    if not codes:
        return unknown(name, Unanswered(Reason.NOT_ENABLED), seen)
    return _answer(name, seen, expected=codes <= {*ERRORS, NONE})


def list_members(found: Members | Unanswered) -> Answer:
    """Assess what ListMembers returns where there are no members."""
    name = "list-members"
    if isinstance(found, Unanswered):
        return unknown(name, found)
    if found.members:
        return unknown(name, Unanswered(Reason.ADMINISTRATOR), {"answer": "members"})
    seen = {"answer": "refused", "code": found.code} if found.code else {"answer": "an empty list"}
    return _answer(name, seen, expected=True)


def coverage_groups(keys: frozenset[str] | Unanswered) -> Answer:
    """Assess what the groups of resource types are named by."""
    name = "coverage-groups"
    if isinstance(keys, Unanswered):
        return unknown(name, keys)
    if not keys:
        return unknown(name, Unanswered(Reason.NO_RESOURCES))
    is_group = keys <= enumeration("CoverageResourceType")
    key = "the group" if is_group else "the name of the grouping" if keys == {COVERAGE_GROUP} else OTHER
    return _answer(name, {"key": key}, expected=is_group)


# ---------------------------------------------------------------------------------------------------------------------
# Setup, preview, bucket, alarm, topics
# ---------------------------------------------------------------------------------------------------------------------


def setup_check(checks: Mapping[str, str] | Unanswered, export: Export | Unanswered) -> Answer:
    """Assess whether the setup check agrees with what the export did."""
    name = "setup-check"
    for each in (checks, export):
        if isinstance(each, Unanswered):
            return unknown(name, each)
    assert not isinstance(checks, Unanswered)
    assert not isinstance(export, Unanswered)
    results = {checks.get(each, "unknown") for each in OF_THE_SETUP}
    result = "failed" if "failed" in results else "unknown" if "unknown" in results else "passed"
    is_setup = export.error.removeprefix("Report.") in SETUP_ERRORS
    ended = "succeeded" if export.outcome == "SUCCEEDED" else "failed because of the setup" if is_setup else "failed otherwise"
    seen = {"check": result, "export": ended}
    if result == "unknown":
        return unknown(name, Unanswered(Reason.UNDECIDED), seen)
    if export.nothing_found:
        return unknown(name, Unanswered(Reason.NOTHING_FOUND), seen)
    if ended == "failed otherwise":
        # Whether Inspector came as far as to need the bucket and the key is not known.
        return unknown(name, Unanswered(Reason.NOT_STARTED), seen)
    return _answer(name, seen, expected=(result == "passed") is (ended == "succeeded"))


def preview_count(preview: Preview | Unanswered, export: Export | Unanswered, form: FileForm | None) -> Answer:
    """Assess whether the preview counted what the report holds."""
    name = "preview-count"
    for each in (preview, export):
        if isinstance(each, Unanswered):
            return unknown(name, each)
    assert not isinstance(preview, Unanswered)
    assert not isinstance(export, Unanswered)
    if export.outcome != "SUCCEEDED":
        return unknown(name, Unanswered(Reason.NOT_STARTED))
    if isinstance(export.file, Unanswered) and not export.nothing_found:
        return unknown(name, export.file)
    if not export.nothing_found and (form is None or not form.arns):
        return unknown(name, Unanswered(Reason.TOO_LARGE))
    held = len(set(form.arns)) if form and not export.nothing_found else 0
    close = abs(held - preview.total) <= max(2, CHANGED_MEANWHILE * preview.total) and bool(held) == bool(preview.total)
    compared = "as many" if close else "more" if held > preview.total else "fewer"
    seen = {"counted_by": preview.counted_by, "report": compared, "findings": magnitude(held)}
    if not preview.is_exact and held >= preview.total:
        return unknown(name, Unanswered(Reason.NOT_EXACT), seen)
    return _answer(name, seen, expected=close)


def bucket_owner(found: OtherOwner | Unanswered) -> Answer:
    """Assess whether S3 refuses another owner."""
    if isinstance(found, Unanswered):
        return unknown("bucket-owner", found)
    seen = {"answer": "refused" if found.is_refused else "answered"} | ({"code": found.code} if found.code else {})
    return _answer("bucket-owner", seen, expected=found.is_refused)


def alarm_action(found: Alarm | Unanswered) -> Answer:
    """Assess whether an alarm reached its topic."""
    if isinstance(found, Unanswered):
        return unknown("alarm-action", found)
    seen = {"action": "executed" if found.is_executed else "failed", "put_back": "yes" if found.is_put_back else "no"}
    return _answer("alarm-action", seen, expected=found.is_executed)


def topic(name: str, found: Topic | Unanswered) -> Answer:
    """Assess what a topic took and delivered."""
    if isinstance(found, Unanswered):
        return unknown(name, found)
    seen = {
        "confirmed": ", ".join(sorted(set(found.confirmed))) or NONE,
        "pending": ", ".join(sorted(set(found.pending))) or NONE,
        "published": magnitude(found.published),
        "delivered": magnitude(found.delivered),
        "failed": magnitude(found.failed),
    }
    if found.published and not found.failed and not found.delivered:
        return unknown(name, Unanswered(Reason.NOT_DELIVERED), seen)
    return _answer(name, seen, expected=found.published > 0 and not found.failed)


# ---------------------------------------------------------------------------------------------------------------------
# An export and its file
# ---------------------------------------------------------------------------------------------------------------------


def of_export(export: Export | Unanswered, report_format: str) -> list[Answer]:
    """Assess an export, its object, and how the object is written."""
    name = report_format.lower()
    questions = [f"{name}-{each}" for each in ("export", "object", "form", "times")]
    if isinstance(export, Unanswered):
        return [unknown(each, export) for each in questions]
    answers = [_export(f"{name}-export", export)]
    file = export.file
    if not isinstance(file, Unanswered) and not file.objects and export.outcome != "SUCCEEDED":
        file = Unanswered(Reason.NOT_STARTED)
    if isinstance(file, Unanswered):
        return answers + [unknown(each, file) for each in questions[1:]]
    answers.append(_object(f"{name}-object", export, file))
    if not file.objects or (export.nothing_found and not file.size_bytes):
        return answers + [unknown(each, Unanswered(Reason.NOTHING_FOUND)) for each in questions[2:]]
    form = form_of(file, report_format)
    answers.append(_answer(f"{name}-form", form.facts, expected=form.is_complete or export.nothing_found != ""))
    if not form.time_forms:
        return [*answers, unknown(f"{name}-times", Unanswered(Reason.NOTHING_FOUND))]
    forms = "; ".join(sorted(each or OTHER for each in form.time_forms))
    return [*answers, _answer(f"{name}-times", {"forms": forms}, expected=None not in form.time_forms)]


def _export(name: str, export: Export) -> Answer:
    seen = {"outcome": export.outcome, "duration": duration(export.seconds)}
    if export.error:
        seen["error"] = export.error
    if export.outcome == "SUCCEEDED":
        seen["findings"] = export.nothing_found or "some"
    # Another report, a slow Inspector or a person who stops the run say nothing of what a run can do.
    was_in_progress = isinstance(export.in_progress, Status)
    if export.error in BUSY_ERRORS or (export.error == TOO_LATE and not was_in_progress):
        return unknown(name, Unanswered(Reason.OTHER_REPORT), seen)
    if export.error == TOO_LATE or export.outcome == "ABORTED":
        return unknown(name, Unanswered(Reason.NOT_ENDED), seen)
    return _answer(name, seen, expected=export.outcome == "SUCCEEDED")


def _object(name: str, export: Export, file: ReportObject) -> Answer:
    seen = {"objects": "none" if not file.objects else "1" if file.objects == 1 else "several"}
    if not file.objects:
        # Inspector may write nothing where it finds nothing. A success without an object says the same in a less certain way.
        if export.nothing_found == "no_findings":
            return unknown(name, Unanswered(Reason.NOTHING_FOUND), seen)
        return _answer(name, seen, expected=False)
    seen |= {
        "name": "the report's id" if file.is_named_by_id else "another",
        "encryption": file.encryption or NONE,
        "key": NONE if file.has_expected_key is None else "the expected one" if file.has_expected_key else "another",
        "content_type": file.content_type or NONE,
        "upload": "in several parts" if file.is_multipart else "in one part",
        "bytes": magnitude(file.size_bytes),
    }
    expected = file.objects == 1 and file.is_named_by_id and file.encryption == "aws:kms" and file.has_expected_key is True
    return _answer(name, seen, expected=expected)


def duplicate_arn(forms: list[FileForm | None]) -> Answer:
    """Assess whether a report has an ARN twice."""
    known = [form.arns for form in forms if form and form.arns]
    if not known:
        return unknown("duplicate-arn", Unanswered(Reason.NOTHING_FOUND))
    has_twice = any(len(set(arns)) < len(arns) for arns in known)
    return _answer("duplicate-arn", {"answer": "yes" if has_twice else "no"}, expected=not has_twice)
