"""Asks AWS, with the credentials of the person who runs aws-check, and returns plain observations.

Two things are changed, and both are put back, also after an error or Ctrl-C: an alarm is set by hand, and a second report is
created where Inspector should refuse it. What cannot be put back is said.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.aws.bucket import found_objects
from findings_exporter.aws.inspector import ACTIVE, FINAL
from findings_exporter.model.errors import DENIED, THROTTLED, code_of, is_refused, text_of
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import report_id_of, run_prefix
from findings_exporter.model.plan import Destination
from findings_exporter.model.report_completeness import EDGE_BYTES
from findings_exporter.preview.counting import PAGE_FINDINGS
from findings_exporter.steps.start_report import ONE_AT_A_TIME_TEXT
from tests.tools import regions
from tests.tools.aws_check.observations import (
    AccountStatus,
    Alarm,
    Export,
    Members,
    OtherOwner,
    Page,
    Preview,
    ReportObject,
    SecondReport,
    Status,
    Topic,
    Unanswered,
)
from tests.tools.aws_check.questions import CODE, OTHER, STATUSES, Reason
from tests.tools.aws_check.rules import COVERAGE_GROUP
from tests.tools.config_files import config_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from findings_exporter.model.config import Config

TEST_EXPORT = regions.REPOSITORY / "events/test_export.json"
ALARM = "deadline-near"
"""The end of the name of the alarm that is set by hand: every stack has it."""
ALARM_REASON = "make aws-check tries whether this alarm reaches its topic. Nothing is wrong."
PUT_BACK_REASON = "make aws-check has put this alarm back."
SECOND_REPORT = "aws-check"
"""The name of the second report, in its prefix."""
NOTHING: Mapping[str, Any] = {"title": [{"comparison": "EQUALS", "value": "aws-check matches nothing"}]}
"""A filter that no finding matches."""
METRICS = ("NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFailed")


@dataclass(frozen=True)
class Patience:
    """How often and how long aws-check asks again, in seconds.

    Attributes
    ----------
    export
        The test export gives up by itself after half an hour.
    metrics
        SNS sends its metrics every five minutes.
    """

    pause: float = 5
    export: float = 35 * 60
    history: float = 60
    metrics: float = 7 * 60


@dataclass(frozen=True)
class Deployed:
    """A stack, and the way to AWS.

    Attributes
    ----------
    client
        Makes a client of a service that tries a call so many times.
    functions
        Physical ids by logical id.
    """

    stack: str
    region: str
    config: Config
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    functions: Mapping[str, str]
    client: Callable[[str, int], Any]
    patience: Patience = field(default_factory=Patience)
    say: Callable[[str], None] = print


TRIES = 4


def deployed(
    stack: str, region: str, client: Callable[[str, int], Any], patience: Patience, say: Callable[[str], None] = print
) -> Deployed:
    """Read the stack.

    Raises
    ------
    regions.UnusableError
        There is none, or it is not an exporter.
    """
    cloudformation = client("cloudformation", TRIES)
    found = regions.described(cloudformation, stack)
    if found is None:
        raise regions.UnusableError(f"{region}: there is no stack {stack}. Deploy it first, or name it: STACK=name.")
    outputs = regions.outputs_of(found)
    if missing := [name for name in ("BucketName", "ReportsKeyArn", "StateMachineArn", "TopicArn") if name not in outputs]:
        raise regions.UnusableError(f"{region}: the stack {stack} ({found['StackStatus']}) has no output {missing[0]}.")
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = {
        each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for page in pages for each in page["StackResourceSummaries"]
    }
    return Deployed(stack, region, config_of(parameters, outputs), parameters, outputs, resources, client, patience, say)


def observed[T](observe: Callable[[], T]) -> T | Unanswered:
    """Return an observation, or why there is none: one that fails stops no other."""
    try:
        return observe()
    except ClientError as error:
        return _unanswered(error)
    except BotoCoreError as error:
        return Unanswered(Reason.NO_ANSWER, code=type(error).__name__)
    except Exception as error:
        return Unanswered(Reason.UNEXPECTED, code=type(error).__name__)


def _unanswered(error: ClientError) -> Unanswered:
    code = code_of(error)
    reason = Reason.DENIED if code in DENIED else Reason.THROTTLED if code in THROTTLED else Reason.FAILED
    return Unanswered(reason, error.operation_name, code if CODE(code) else OTHER)


# ---------------------------------------------------------------------------------------------------------------------
# Inspector
# ---------------------------------------------------------------------------------------------------------------------


def status(aws: Deployed) -> Status:
    """Ask for the status without an ID."""
    try:
        answer = aws.client("inspector2", TRIES).get_findings_report_status()
    except ClientError as error:
        code = code_of(error)
        if code == "ResourceNotFoundException":
            return Status("not found", code=code)
        if code in DENIED | THROTTLED or not is_refused(error):
            raise
        return Status("refused", code=code)
    if not answer.get("reportId"):
        return Status("empty")
    destination = answer.get("destination") or {}
    shown = answer.get("status", "")
    return Status(
        "report",
        shown if shown in STATUSES else OTHER,
        answer["reportId"],
        destination.get("bucketName", ""),
        destination.get("keyPrefix", ""),
    )


def page(aws: Deployed, filter_criteria: Mapping[str, Any] | None = None) -> Page:
    """List one page of findings."""
    began = time.monotonic()
    chosen = {"filterCriteria": filter_criteria} if filter_criteria else {}
    answer = aws.client("inspector2", TRIES).list_findings(maxResults=PAGE_FINDINGS, **chosen)
    found = answer.get("findings")
    statuses = frozenset(str(each.get("status")) for each in found or ())
    return Page(None if found is None else len(found), bool(answer.get("nextToken")), statuses, time.monotonic() - began)


def page_of_nothing(aws: Deployed) -> Page:
    """List findings by a filter that none matches."""
    return page(aws, {**ACTIVE, **NOTHING})


def account_status(aws: Deployed) -> AccountStatus:
    """Ask for the state of this account."""
    answer = aws.client("inspector2", TRIES).batch_get_account_status(accountIds=[aws.config.account])
    entries = [each for account in answer["accounts"] for each in (account["state"], *account.get("resourceState", {}).values())]
    return AccountStatus([(each.get("status", ""), each.get("errorCode") or "") for each in entries])


def members(aws: Deployed) -> Members:
    """List the first member accounts."""
    try:
        answer = aws.client("inspector2", TRIES).list_members(onlyAssociated=True)
    except ClientError as error:
        code = code_of(error)
        if code in DENIED | THROTTLED or not is_refused(error):
            raise
        return Members(0, code)
    return Members(len(answer.get("members", ())))


def coverage_groups(aws: Deployed) -> frozenset[str]:
    """Return the keys of the groups of scanned resources by their type."""
    criteria = {"scanStatusCode": [{"comparison": "EQUALS", "value": "ACTIVE"}]}
    answer = aws.client("inspector2", TRIES).list_coverage_statistics(filterCriteria=criteria, groupBy=COVERAGE_GROUP)
    return frozenset(str(each.get("groupKey")) for each in answer.get("countsByGroup", ()))


def second_report(aws: Deployed, first: str) -> SecondReport:
    """Try to create a report while another one is in progress; whatever happens, none of it is left in progress."""
    prefix = f"{aws.config.key_prefix}/reports/{SECOND_REPORT}/{first}/"
    destination = {
        "bucketName": aws.config.bucket,
        "keyPrefix": prefix,
        "kmsKeyArn": aws.config.kms_key_arn,
        "expectedBucketOwner": aws.config.bucket_owner,
    }
    inspector2 = aws.client("inspector2", TRIES)
    created, is_refusal = "", False
    try:
        # One try: a create whose answer was lost must not be repeated.
        created = aws.client("inspector2", 1).create_findings_report(
            reportFormat="JSON", s3Destination=destination, filterCriteria=NOTHING
        )["reportId"]
        is_in_progress = inspector2.get_findings_report_status(reportId=first).get("status") not in FINAL
        found = SecondReport(is_accepted=True, first_in_progress=is_in_progress)
    except ClientError as error:
        is_refusal = not created and is_refused(error)
        if not is_refusal:
            raise
        code = code_of(error)
        return SecondReport(
            is_accepted=False,
            first_in_progress=True,
            code=code,
            has_expected_text=ONE_AT_A_TIME_TEXT in text_of(error),
            is_throttled=code in THROTTLED,
            is_denied=code in DENIED,
        )
    finally:
        is_cancelled = not is_refusal and _cancelled(aws, created, prefix)
    return replace(found, is_cancelled=is_cancelled)


def _cancelled(aws: Deployed, report_id: str, prefix: str) -> bool:
    """Cancel the second report, which is found by its prefix where the answer of its create is missing."""
    why_not = "interrupted"
    try:
        if not report_id and (current := status(aws)).prefix.rstrip("/") == prefix.rstrip("/"):
            report_id = current.report_id
        if report_id:
            aws.client("inspector2", TRIES).cancel_findings_report(reportId=report_id)
        why_not = "" if report_id else "whether Inspector has created it is unknown"
    except (ClientError, BotoCoreError) as error:
        why_not = str(error)
    finally:
        if why_not:
            aws.say(f"The second report {report_id} was not cancelled: {why_not}. It matches no finding, so it ends by itself.")
    return not why_not


# ---------------------------------------------------------------------------------------------------------------------
# The stack's functions
# ---------------------------------------------------------------------------------------------------------------------


def _invoked(aws: Deployed, function: str, event: object) -> Any:
    answer = aws.client("lambda", TRIES).invoke(FunctionName=aws.functions[function], Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise ValueError(payload.get("errorType", ""))
    return payload


def setup(aws: Deployed) -> Mapping[str, str]:
    """Return the results of check_setup by the name of the check."""
    return {each["name"]: each["result"] for each in _invoked(aws, "CheckSetupFunction", {})["checks"]}


def preview(aws: Deployed, run_input: object) -> Preview:
    """Preview an export."""
    count = _invoked(aws, "PreviewExportFunction", run_input)["count"]
    return Preview(count["total"], count["is_exact"], count["counted_by"])


# ---------------------------------------------------------------------------------------------------------------------
# A test export
# ---------------------------------------------------------------------------------------------------------------------


def test_inputs(report_format: Literal["CSV", "JSON"], *, notify: bool) -> list[dict[str, Any]]:
    """Return inputs of a test export, the narrowest filter first: a later one is for where an earlier one matches nothing."""
    given = json.loads(TEST_EXPORT.read_text(encoding="utf-8"))
    criteria: dict[str, Any] = given["report"]["filter_criteria"]
    wider = {name: value for name, value in criteria.items() if name != "firstObservedAt"}
    return [
        {
            "report": {"name": given["report"]["name"], "format": report_format, "filter_criteria": each},
            "deadline_hours": given["deadline_hours"],
            # Never cancel a report of others.
            "on_busy": "wait",
            "notify": notify,
        }
        for each in (criteria, wider, {})
    ]


def export(aws: Deployed, run_input: Mapping[str, Any], *, with_second: bool) -> Export | Unanswered:
    """Export a report, and observe Inspector while it is in progress.

    Parameters
    ----------
    with_second
        Whether a second report is tried meanwhile.
    """
    states = aws.client("stepfunctions", TRIES)
    arn = states.start_execution(stateMachineArn=aws.config.state_machine_arn, input=json.dumps(run_input))["executionArn"]
    execution = states.describe_execution(executionArn=arn)
    run = Execution(arn, execution["startDate"].astimezone(UTC))
    report = run_input["report"]
    prefix = run_prefix(aws.config.key_prefix, report["name"], run)
    in_progress: Status | Unanswered = Unanswered(Reason.NOT_IN_PROGRESS)
    second: SecondReport | Unanswered | None = None
    until = time.monotonic() + aws.patience.export
    while execution["status"] == "RUNNING":
        if time.monotonic() > until:
            aws.say(f"The test export still runs: {arn}. It ends by itself.")
            return Unanswered(Reason.NOT_ENDED)
        if isinstance(in_progress, Unanswered):
            in_progress = observed(lambda: _in_progress(aws, run))
            if with_second and isinstance(in_progress, Status):
                second = observed(partial(second_report, aws, in_progress.report_id))
        time.sleep(aws.patience.pause)
        # One answer that is missing in half an hour does not end the wait.
        described = observed(partial(states.describe_execution, executionArn=arn))
        execution = execution if isinstance(described, Unanswered) else described
    succeeded = execution["status"] == "SUCCEEDED"
    output = json.loads(execution.get("output") or "{}") if succeeded else {}
    return Export(
        report_format=report["format"],
        outcome=execution["status"],
        error=execution.get("error", ""),
        seconds=(execution["stopDate"] - execution["startDate"]).total_seconds(),
        nothing_found=(output.get("delivery") or {}).get("nothing_found") or "",
        bucket=aws.config.bucket,
        prefix=prefix,
        in_progress=in_progress,
        second=second,
        file=observed(lambda: report_object(aws, prefix, in_progress.report_id if isinstance(in_progress, Status) else "")),
    )


def _in_progress(aws: Deployed, run: Execution) -> Status | Unanswered:
    """Return what Inspector says without an ID, once it describes the report of this run."""
    found = status(aws)
    is_of_the_run = found.status not in FINAL and f"/{run.id}" in found.prefix
    return found if found.form == "report" and is_of_the_run else Unanswered(Reason.NOT_IN_PROGRESS)


def report_object(aws: Deployed, prefix: str, report_id: str) -> ReportObject:
    """Read the object below the prefix of a run, at its ends where it is large."""
    s3, config = aws.client("s3", TRIES), aws.config
    objects = found_objects(s3, Destination(config.bucket, prefix, config.kms_key_arn, config.bucket_owner))
    if not objects:
        return ReportObject(0)
    key = max(objects, key=lambda each: (report_id_of(each, prefix) is not None, objects[each], each))
    named = report_id_of(key, prefix)
    there = {"Bucket": config.bucket, "Key": key, "ExpectedBucketOwner": config.bucket_owner}
    head = s3.head_object(**there)
    size, has_key = head["ContentLength"], "SSEKMSKeyId" in head

    def read(byte_range: str) -> bytes:
        content: bytes = s3.get_object(**there, Range=byte_range, IfMatch=head["ETag"])["Body"].read() if size else b""
        return content

    start = read(f"bytes=0-{EDGE_BYTES - 1}")
    return ReportObject(
        objects=len(objects),
        is_named_by_id=named is not None and report_id in ("", named),
        size_bytes=size,
        encryption=head.get("ServerSideEncryption", ""),
        has_expected_key=head["SSEKMSKeyId"] == config.kms_key_arn if has_key else None,
        content_type=head.get("ContentType", ""),
        is_multipart="-" in head["ETag"],
        start=start,
        end=start if size <= EDGE_BYTES else read(f"bytes=-{EDGE_BYTES}"),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Bucket, alarm and topics
# ---------------------------------------------------------------------------------------------------------------------


def other_owner(aws: Deployed) -> OtherOwner:
    """Ask for the bucket's Region as if another account owned it."""
    owner = aws.config.bucket_owner
    other = "".join(str((int(digit) + 1) % 10) for digit in owner)
    try:
        aws.client("s3", TRIES).get_bucket_location(Bucket=aws.config.bucket, ExpectedBucketOwner=other)
    except ClientError as error:
        code = code_of(error)
        if code in THROTTLED or not is_refused(error):
            raise
        # The same refusal comes where the credentials may not ask at all.
        aws.client("s3", TRIES).get_bucket_location(Bucket=aws.config.bucket, ExpectedBucketOwner=owner)
        return OtherOwner(is_refused=True, code=code)
    return OtherOwner(is_refused=False)


def alarm(aws: Deployed) -> Alarm | Unanswered:
    """Set an alarm by hand, wait for its action, and put the alarm back."""
    cloudwatch = aws.client("cloudwatch", TRIES)
    name = f"{aws.stack}-{ALARM}"
    before = _state(cloudwatch, name)
    if before == "ALARM":
        return Unanswered(Reason.ALARM_ON)
    began = datetime.now(UTC) - timedelta(seconds=2)
    is_executed: bool | None = None
    is_put_back = was_refused = False
    try:
        try:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=ALARM_REASON)
        except ClientError as error:
            was_refused = is_refused(error)
            raise
        until = time.monotonic() + aws.patience.history
        while (is_executed := _executed(cloudwatch, name, began)) is None and time.monotonic() < until:
            time.sleep(aws.patience.pause)
    finally:
        is_put_back = not was_refused and _put_back(aws, cloudwatch, name, before)
    if is_executed is None:
        return Unanswered(Reason.NO_HISTORY)
    return Alarm(is_executed, is_put_back)


def _state(cloudwatch: Any, name: str) -> str:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def _executed(cloudwatch: Any, name: str, began: datetime) -> bool | None:
    """Return whether the action was executed since then; None while the history does not say."""
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action", StartDate=began)["AlarmHistoryItems"]
    for each in items:
        # The data is JSON of AWS' own. The summary says the same in words.
        with suppress(ValueError):
            if state := json.loads(each.get("HistoryData") or "{}").get("actionState"):
                return bool(state == "Succeeded")
        return str(each.get("HistorySummary", "")).startswith("Successfully")
    return None


def _put_back(aws: Deployed, cloudwatch: Any, name: str, state: str) -> bool:
    """Set an alarm to what it was; CloudWatch may have done so by itself meanwhile."""
    why_not = "interrupted"
    try:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=PUT_BACK_REASON)
        why_not = ""
    except (ClientError, BotoCoreError) as error:
        why_not = str(error)
    finally:
        if why_not:
            aws.say(f"The alarm {name} was not put back to {state}: {why_not}. CloudWatch does so when it evaluates it next.")
    return not why_not


def topic(aws: Deployed, output: str, began: datetime, until: datetime) -> Topic | Unanswered:
    """Return the subscriptions of a topic, and what it took and delivered since aws-check began; wait for the metrics."""
    arn = aws.outputs[output]
    pages = aws.client("sns", TRIES).get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    subscriptions = [each for page in pages for each in page["Subscriptions"]]
    pending = [each["Protocol"] for each in subscriptions if each["SubscriptionArn"] == "PendingConfirmation"]
    confirmed = [each["Protocol"] for each in subscriptions if each["SubscriptionArn"] != "PendingConfirmation"]
    cloudwatch = aws.client("cloudwatch", TRIES)
    while (sums := _sums(cloudwatch, arn.rpartition(":")[2], began)) is None and datetime.now(UTC) < until:
        time.sleep(max(aws.patience.pause, 1))
    return Topic(confirmed, pending, *sums) if sums else Unanswered(Reason.NO_METRIC)


def _sums(cloudwatch: Any, name: str, began: datetime) -> tuple[int, int, int] | None:
    """Return the sums of the topic's metrics; None while none is there."""
    sums = []
    for metric in METRICS:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/SNS",
            MetricName=metric,
            Dimensions=[{"Name": "TopicName", "Value": name}],
            StartTime=began - timedelta(minutes=5),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=300,
            Statistics=["Sum"],
        )
        sums.append(sum(each["Sum"] for each in answer["Datapoints"]) if answer["Datapoints"] else None)
    if sums[0] is None or (sums[1] is None and sums[2] is None):
        return None
    published, delivered, failed = (int(each or 0) for each in sums)
    return published, delivered, failed
