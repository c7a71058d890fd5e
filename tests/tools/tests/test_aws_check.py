"""aws-check: each answer is compared with what the code expects, nothing private is shown, and what was changed is put back."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from findings_exporter.model.errors import DENIED
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import NEWER_CSV_COLUMNS, broken, csv_report, json_report
from tests.tools import regions
from tests.tools.aws_check import __main__ as aws_check
from tests.tools.aws_check import asking, calls, rendering, rules
from tests.tools.aws_check.calls import Deployed, Patience, observed
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
    form_of,
    time_form,
)
from tests.tools.aws_check.questions import OTHER, QUESTIONS, TIME_FORMS, Answer, Question, Reason, Result, allowed
from tests.tools.config_files import config_of

ACCOUNT, BUCKET, STACK, ARN = (
    "111122223333",
    "the-bucket",
    "the-stack",
    "arn:aws:inspector2:eu-west-1:111122223333:report/x",
)
FIRST, SECOND = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"
PREFIX = "inspector/reports/test-export/year=2026/month=12/day=01/run/"
OUTPUTS = {
    "BucketName": BUCKET,
    "ReportsKeyArn": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/x",
    "StateMachineArn": f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:x-ExportFindings",
    "TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:topic",
}
FINDINGS = generate(40, seed=3, now=1_764_547_200.0, accounts=[ACCOUNT], region="eu-west-1")
AS_EXPECTED, DIFFERENT, UNKNOWN = Result


def report(content: bytes, **changes: Any) -> ReportObject:
    return replace(ReportObject(1, True, len(content), "aws:kms", True, "application/json", False, content, content), **changes)


def exported(file: ReportObject | Unanswered | None = None, **changes: Any) -> Export:
    there = Status("report", "IN_PROGRESS", FIRST, BUCKET, PREFIX)
    file = report(json_report(FINDINGS)) if file is None else file
    return replace(Export("JSON", "SUCCEEDED", "", 90.0, "", BUCKET, PREFIX, there, None, file), **changes)


def result(answers: list[Answer], name: str) -> Result:
    (found,) = [answer.result for answer in answers if answer.id == name]
    return found


# ---- the rules

NOT_FOUND, LAST = Status("not found"), Status("report", "SUCCEEDED", FIRST, BUCKET, PREFIX)
RUNNING = Status("report", "IN_PROGRESS", FIRST, BUCKET, PREFIX)
REFUSED = SecondReport(is_accepted=False, first_in_progress=True, code="ValidationException", has_expected_text=True)
ACCEPTED = SecondReport(is_accepted=True, first_in_progress=True, is_cancelled=True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (rules.status_without_report(NOT_FOUND, LAST), AS_EXPECTED),
        (rules.status_without_report(Status("empty"), Status("empty")), AS_EXPECTED),
        (rules.status_without_report(Status("refused", code="ValidationException"), LAST), DIFFERENT),
        (rules.status_without_report(RUNNING, LAST), UNKNOWN),
        (rules.status_in_progress(exported()), AS_EXPECTED),
        (rules.status_in_progress(exported(in_progress=replace(RUNNING, prefix=PREFIX.rstrip("/")))), AS_EXPECTED),
        (rules.status_in_progress(exported(in_progress=replace(RUNNING, prefix="elsewhere/"))), DIFFERENT),
        (rules.status_in_progress(exported(in_progress=replace(RUNNING, status=OTHER))), DIFFERENT),
        (rules.status_in_progress(exported(in_progress=Unanswered(Reason.NOT_IN_PROGRESS))), UNKNOWN),
        (rules.second_report(REFUSED), AS_EXPECTED),
        (rules.second_report(replace(REFUSED, has_expected_text=False)), DIFFERENT),
        (rules.second_report(replace(REFUSED, code="ThrottlingException", is_throttled=True)), DIFFERENT),
        (rules.second_report(replace(REFUSED, has_expected_text=False, is_denied=True)), UNKNOWN),
        (rules.second_report(ACCEPTED), DIFFERENT),
        (rules.second_report(replace(ACCEPTED, first_in_progress=False)), UNKNOWN),
        (rules.second_report(None), UNKNOWN),
        (rules.list_page(Page(100, has_next=True)), AS_EXPECTED),
        (rules.list_page(Page(25, has_next=True)), DIFFERENT),
        (rules.list_page(Page(25, has_next=False)), UNKNOWN),
        (rules.list_nothing(Page(0, has_next=False)), AS_EXPECTED),
        (rules.list_nothing(Page(0, has_next=True)), DIFFERENT),
        (rules.list_nothing(Page(None, has_next=False)), DIFFERENT),
        (rules.account_status(AccountStatus([("ENABLED", ""), ("ENABLED", "ALREADY_ENABLED"), ("DISABLED", "X")])), AS_EXPECTED),
        (rules.account_status(AccountStatus([("ENABLED", "SSM_THROTTLED")])), DIFFERENT),
        (rules.account_status(AccountStatus([("DISABLED", "")])), UNKNOWN),
        (rules.list_members(Members(0)), AS_EXPECTED),
        (rules.list_members(Members(0, "ValidationException")), AS_EXPECTED),
        (rules.list_members(Members(3)), UNKNOWN),
        (rules.coverage_groups(frozenset({"AWS_EC2_INSTANCE"})), AS_EXPECTED),
        (rules.coverage_groups(frozenset({"RESOURCE_TYPE"})), DIFFERENT),
        (rules.coverage_groups(frozenset()), UNKNOWN),
        (rules.bucket_owner(OtherOwner(is_refused=True, code="AccessDenied")), AS_EXPECTED),
        (rules.bucket_owner(OtherOwner(is_refused=False)), DIFFERENT),
        (rules.alarm_action(Alarm(is_executed=True, is_put_back=True)), AS_EXPECTED),
        (rules.alarm_action(Alarm(is_executed=False, is_put_back=True)), DIFFERENT),
        (rules.topic("run-topic", Topic(["email"], ["https"], 1, 1, 0)), AS_EXPECTED),
        (rules.topic("run-topic", Topic(["email"], [], 1, 1, 1)), DIFFERENT),
        (rules.topic("run-topic", Topic(["email"], [], 0, 0, 0)), DIFFERENT),
        (rules.topic("run-topic", Topic([], ["email"], 1, 0, 0)), UNKNOWN),
    ],
)
def test_an_observation_is_compared_with_what_the_code_expects(answer: Answer, expected: Result) -> None:
    assert answer.result is expected
    # Its facts are in the forms of the question, so that nothing is shown as "other" without need.
    assert allowed(answer.question, answer.seen) == answer.seen


PASSED = dict.fromkeys(rules.OF_THE_SETUP, "passed")
FAILED = PASSED | {"key": "failed"}
REFUSED_EXPORT = exported(outcome="FAILED", error="Report.INVALID_PERMISSIONS", file=Unanswered(Reason.NOT_STARTED))


@pytest.mark.parametrize(
    ("checks", "export", "expected"),
    [
        (PASSED, exported(), AS_EXPECTED),
        (FAILED, REFUSED_EXPORT, AS_EXPECTED),
        (PASSED, REFUSED_EXPORT, DIFFERENT),
        (FAILED, exported(), DIFFERENT),
        (PASSED | {"key": "unknown"}, exported(), UNKNOWN),
        (FAILED, exported(nothing_found="no_findings"), UNKNOWN),
        (PASSED, replace(REFUSED_EXPORT, error="Report.INTERNAL_ERROR"), UNKNOWN),
        (PASSED, exported(outcome="ABORTED"), UNKNOWN),
        (FAILED, exported(outcome="FAILED", error="LockNotObtained"), UNKNOWN),
    ],
)
def test_the_setup_check_and_the_export_agree(checks: dict[str, str], export: Export, expected: Result) -> None:
    assert rules.setup_check(checks, export).result is expected


@pytest.mark.parametrize(
    ("counted", "is_exact", "expected"),
    [
        (40, True, AS_EXPECTED),
        (41, True, AS_EXPECTED),
        (20, True, DIFFERENT),
        (60, True, DIFFERENT),
        (20, False, UNKNOWN),
        (60, False, DIFFERENT),
    ],
)
def test_the_preview_and_the_report_hold_the_same_number(counted: int, is_exact: bool, expected: Result) -> None:
    active = [finding for finding in FINDINGS if finding["status"] == "ACTIVE"][:40]
    export = exported(report(json_report(active)))
    answer = rules.preview_count(Preview(counted, is_exact, "ListFindings"), export, asking.of_file(export))
    assert answer.result is expected


def test_a_report_of_nothing_where_the_preview_counted_some_is_different() -> None:
    export = exported(ReportObject(0), nothing_found="no_object")
    assert rules.preview_count(Preview(1, True, "ListFindings"), export, None).result is DIFFERENT
    answers = rules.of_export(export, "JSON")
    assert [result(answers, f"json-{name}") for name in ("export", "object", "form")] == [AS_EXPECTED, DIFFERENT, UNKNOWN]


@pytest.mark.parametrize(
    "changes",
    [{"objects": 2}, {"is_named_by_id": False}, {"encryption": "AES256", "has_expected_key": None}, {"has_expected_key": False}],
)
def test_an_object_that_is_not_as_expected_is_different(changes: dict[str, Any]) -> None:
    answers = rules.of_export(exported(report(json_report(FINDINGS), **changes)), "JSON")
    assert result(answers, "json-object") is DIFFERENT


@pytest.mark.parametrize(
    ("error", "outcome", "in_progress", "reason"),
    [
        ("LockNotObtained", "FAILED", Unanswered(Reason.NOT_IN_PROGRESS), Reason.OTHER_REPORT),
        ("DeadlineExceeded", "FAILED", Unanswered(Reason.NOT_IN_PROGRESS), Reason.OTHER_REPORT),
        ("DeadlineExceeded", "FAILED", RUNNING, Reason.NOT_ENDED),
        ("", "ABORTED", RUNNING, Reason.NOT_ENDED),
        ("CreateRefused", "FAILED", RUNNING, None),
    ],
)
def test_a_run_that_only_had_no_time_is_unknown(error: str, outcome: str, in_progress: Any, reason: Reason | None) -> None:
    export = exported(error=error, outcome=outcome, in_progress=in_progress, file=ReportObject(0))
    answer, *rest = rules.of_export(export, "JSON")
    assert (answer.result, answer.reason) == (UNKNOWN if reason else DIFFERENT, reason)
    assert {each.reason for each in rest} == {Reason.NOT_STARTED}


class Topics:
    """SNS with two subscriptions, and CloudWatch with the sums of a topic's metrics."""

    def __init__(self, *sums: int | None) -> None:
        self.sums = dict(zip(calls.METRICS, sums, strict=True))

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: str) -> list[Any]:
        pending = {"Protocol": "https", "SubscriptionArn": "PendingConfirmation"}
        return [{"Subscriptions": [{"Protocol": "email", "SubscriptionArn": ARN}, pending]}]

    def get_metric_statistics(self, **request: Any) -> Any:
        found = self.sums[request["MetricName"]]
        return {"Datapoints": [] if found is None else [{"Sum": float(found)}, {"Sum": 1.0}]}


@pytest.mark.parametrize(
    ("sums", "found"),
    [
        ((1, 0, None), Topic(["email"], ["https"], 2, 1, 0)),
        ((1, None, None), Unanswered(Reason.NO_METRIC)),
        ((None, None, None), Unanswered(Reason.NO_METRIC)),
    ],
)
def test_what_a_topic_took_is_read_from_its_metrics(sums: Any, found: Any) -> None:
    topics, now = Topics(*sums), datetime.now(UTC)
    assert calls.topic(deployed(sns=topics, cloudwatch=topics), "TopicArn", now, now) == found


# ---- the bytes of a report


def test_json_is_described_by_its_structure() -> None:
    form = form_of(report(json_report(FINDINGS)), "JSON")
    assert form.facts == {
        "byte_order_mark": "no", "complete": "yes", "begins_with": '{"findings":[', "first_member": "awsAccountId",
        "between_findings": "comma", "ends_with": "]}",
    }  # fmt: skip
    other = (
        b'\xef\xbb\xbf{"created": 1, "findings": [\n'
        + b",\n".join(json_report([each])[13:-2] for each in FINDINGS)
        + b'\n], "more": 2}\n'
    )
    facts = form_of(report(other), "JSON").facts
    assert (facts["byte_order_mark"], facts["begins_with"], facts["ends_with"]) == ("yes", "other members", "other members")
    assert (facts["between_findings"], facts["complete"]) == ("comma and white space", "yes")


@pytest.mark.parametrize(
    ("style", "seen"),
    [
        ("plain", {"quotes": "where needed", "line_ends": "LF", "list_separator": "comma"}),
        ("quoted", {"quotes": "every cell", "line_ends": "CR LF", "list_separator": "comma and blank"}),
    ],
)
def test_a_csv_is_described_by_its_header_and_quotes(style: Any, seen: dict[str, str]) -> None:
    form = form_of(report(csv_report(FINDINGS, 1_764_547_200.0, style)), "CSV")
    missing = "Image In Use Count, Image Last In Use At"
    assert form.facts == seen | {
        "byte_order_mark": "no", "complete": "yes", "columns": "55", "missing_columns": missing, "new_columns": "none",
        "ends_with": "line end",
    }  # fmt: skip
    assert len(form.arns) == len(FINDINGS)
    assert form.time_forms == {"ISO 8601 with Z"}


def test_new_columns_are_named_of_a_header_only() -> None:
    columns = (*NEWER_CSV_COLUMNS, "Runtime Reachability", "Account 111122223333")
    facts = form_of(report(csv_report(FINDINGS, 0.0, "plain", columns)), "CSV").facts
    assert (facts["new_columns"], facts["missing_columns"]) == ("Runtime Reachability, other", "none")
    without_header = csv_report(FINDINGS, 0.0).partition(b"\n")[2]
    facts = form_of(report(without_header), "CSV").facts
    assert (facts["new_columns"], facts["complete"]) == (OTHER, "no")


@pytest.mark.parametrize("report_format", ["CSV", "JSON"])
def test_a_cut_report_is_different(report_format: str) -> None:
    content = csv_report(FINDINGS, 0.0) if report_format == "CSV" else json_report(FINDINGS)
    answers = rules.of_export(exported(report(broken(content)), report_format=report_format), report_format)
    assert result(answers, f"{report_format.lower()}-form") is DIFFERENT


def test_a_large_report_is_described_by_its_ends() -> None:
    content = json_report(FINDINGS * 20)
    form = form_of(report(content, start=content[: 1 << 20], end=content[-(1 << 20) :]), "JSON")
    assert len(content) > 1 << 20
    assert (form.is_complete, form.facts["ends_with"], form.arns) == (True, "]}", ())


def test_an_arn_that_is_there_twice_is_different() -> None:
    once, twice = (form_of(report(json_report(found)), "JSON") for found in (FINDINGS, [*FINDINGS, FINDINGS[0]]))
    assert rules.duplicate_arn([once, None]).result is AS_EXPECTED
    assert rules.duplicate_arn([once, twice]).result is DIFFERENT
    assert rules.duplicate_arn([None, None]).result is UNKNOWN


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2025-12-26T14:21:44.742Z", TIME_FORMS[0]),
        ("2025-12-26 14:21:44.742000+01:00", TIME_FORMS[1]),
        ("2025-12-26T14:21:44", TIME_FORMS[2]),
        (1678220584, TIME_FORMS[3]),
        ("1.678220584098E9", TIME_FORMS[3]),
        (1678220584098, TIME_FORMS[4]),
        ("Wed Sep 04 16:59:44.356 UTC 2024", TIME_FORMS[5]),
        ("Mar 20, 2023, 6:08:05 PM", TIME_FORMS[6]),
        ("yesterday", None),
    ],
)
def test_the_form_of_a_time_is_named(value: str | float, form: str | None) -> None:
    assert time_form(value) == form


def test_a_time_that_the_analysis_cannot_read_is_different() -> None:
    content = json_report([finding | {"firstObservedAt": "yesterday"} for finding in FINDINGS], "epoch")
    answers = rules.of_export(exported(report(content)), "JSON")
    assert result(answers, "json-times") is DIFFERENT


# ---- what is shown

SECRETS = (ACCOUNT, ARN, BUCKET, STACK, "security@example.com", "CVE-2026-0001 - openssl", "Shop Production", FIRST)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda question: question.id)
def test_nothing_but_the_forms_of_a_question_is_shown(question: Question) -> None:
    for secret in SECRETS:
        seen = dict.fromkeys(question.facts, secret)
        answer = Answer(question.id, DIFFERENT, seen, Reason.DENIED, secret, secret)
        shown = json.dumps(
            rendering.document([answer], release=secret, region=secret, architecture=secret, checked_at=datetime.now(UTC))
        )
        assert secret not in shown + rendering.table([answer])
        assert set(json.loads(shown)["answers"][0]["seen"].values()) <= {OTHER}


def test_the_table_says_what_a_different_answer_means_and_what_to_do() -> None:
    answers = [rules.second_report(ACCEPTED), rules.list_page(Unanswered(Reason.DENIED, "ListFindings", "AccessDeniedException"))]
    lines = rendering.table(answers)
    assert QUESTIONS["second-report"].means in lines
    assert QUESTIONS["second-report"].advice in lines
    assert "AWS denied a call" in lines
    assert "0 AS_EXPECTED, 1 DIFFERENT, 1 UNKNOWN" in lines
    assert QUESTIONS["list-page"].means not in lines


# ---- the calls


def error(code: str, operation: str, text: str = "", status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


class Inspector:
    """Inspector with one report in progress."""

    def __init__(self, create: Callable[[], Any]) -> None:
        self.create, self.cancelled, self.shown = create, list[str](), dict[str, Any]()

    def create_findings_report(self, **request: Any) -> Any:
        self.request = request
        return self.create()

    def get_findings_report_status(self, **_: str) -> dict[str, Any]:
        return self.shown or {"reportId": FIRST, "status": "IN_PROGRESS", "destination": {"keyPrefix": PREFIX}}

    def cancel_findings_report(self, *, reportId: str) -> None:  # noqa: N803 - the API's name
        self.cancelled.append(reportId)


def deployed(**services: Any) -> Deployed:
    quick = Patience(pause=0, export=1, history=0, metrics=0)
    config = config_of({"KeyPrefix": "inspector"}, OUTPUTS)
    say = services.pop("say", lambda _: None)
    return Deployed(STACK, "eu-west-1", config, {}, OUTPUTS, {}, lambda service, _: services[service], quick, say)


def raises(problem: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise problem

    return act


def test_a_second_report_that_is_refused_needs_no_cancelling() -> None:
    refusal = error("ValidationException", "CreateFindingsReport", "Cannot have multiple reports in-progress")
    inspector = Inspector(raises(refusal))
    assert calls.second_report(deployed(inspector2=inspector), FIRST) == REFUSED
    assert inspector.cancelled == []


def test_a_second_report_that_is_accepted_is_cancelled() -> None:
    inspector, tries = Inspector(lambda: {"reportId": SECOND}), set[int]()

    def client(_: str, most: int) -> Inspector:
        tries.add(most)
        return inspector

    assert calls.second_report(replace(deployed(), client=client), FIRST) == ACCEPTED
    assert min(tries) == 1
    assert inspector.cancelled == [SECOND]
    destination = inspector.request["s3Destination"]
    assert (destination["bucketName"], destination["keyPrefix"]) == (BUCKET, f"inspector/reports/aws-check/{FIRST}/")
    assert inspector.request["filterCriteria"] == calls.NOTHING


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), ReadTimeoutError(endpoint_url="x"), error("Failed", "X", status=500)])
def test_a_second_report_whose_answer_is_lost_is_found_by_its_prefix(problem: BaseException) -> None:
    inspector = Inspector(raises(problem))
    inspector.shown = {
        "reportId": SECOND, "status": "IN_PROGRESS", "destination": {"keyPrefix": f"inspector/reports/aws-check/{FIRST}"},
    }  # fmt: skip
    with pytest.raises(type(problem)):
        calls.second_report(deployed(inspector2=inspector), FIRST)
    assert inspector.cancelled == [SECOND]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), ReadTimeoutError(endpoint_url="x")])
def test_a_report_of_others_is_never_cancelled_and_that_one_may_be_left_is_said(problem: BaseException) -> None:
    inspector, said = Inspector(raises(problem)), list[str]()
    with pytest.raises(type(problem)):
        calls.second_report(deployed(inspector2=inspector, say=said.append), FIRST)
    assert inspector.cancelled == []
    assert "was not cancelled: whether Inspector has created it is unknown" in said[0]


class States:
    """Step Functions with one execution, whose second description fails."""

    def __init__(self) -> None:
        self.asked = 0

    def start_execution(self, **_: str) -> dict[str, str]:
        return {"executionArn": f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:x-ExportFindings:run"}

    def describe_execution(self, **_: str) -> dict[str, Any]:
        self.asked += 1
        if self.asked == 2:
            raise ReadTimeoutError(endpoint_url="x")
        times = {"startDate": datetime(2026, 12, 1, 3, tzinfo=UTC), "stopDate": datetime(2026, 12, 1, 3, 2, tzinfo=UTC)}
        return {**times, "status": "RUNNING" if self.asked == 1 else "SUCCEEDED"}


def test_a_description_that_fails_does_not_end_an_export() -> None:
    inspector = Inspector(
        raises(error("ValidationException", "CreateFindingsReport", "Cannot have multiple reports in-progress"))
    )
    aws = deployed(stepfunctions=States(), inspector2=inspector)
    found = calls.export(aws, calls.test_inputs("JSON", notify=False)[0], with_second=True)
    assert isinstance(found, Export)
    assert (found.outcome, found.seconds, found.prefix, found.second) == ("SUCCEEDED", 120, PREFIX, REFUSED)
    assert isinstance(found.in_progress, Status)
    assert isinstance(found.file, Unanswered)  # there is no S3 here, which costs the export nothing else


class CloudWatch:
    """CloudWatch with one alarm."""

    def __init__(self, state: str = "OK", history: Callable[[], Any] = list) -> None:
        self.state, self.history, self.states = state, history, list[str]()

    def describe_alarms(self, **_: Any) -> dict[str, Any]:
        return {"MetricAlarms": [{"StateValue": self.state}]}

    def set_alarm_state(self, **request: str) -> None:
        self.states.append(request["StateValue"])

    def describe_alarm_history(self, **_: Any) -> dict[str, Any]:
        return {"AlarmHistoryItems": self.history()}


@pytest.mark.parametrize(
    ("item", "is_executed"),
    [
        ({"HistoryData": '{"actionState": "Succeeded"}'}, True),
        ({"HistoryData": '{"actionState": "Failed"}'}, False),
        ({"HistorySummary": "Successfully executed action arn"}, True),
        ({"HistorySummary": "Failed to execute action arn"}, False),
    ],
)
def test_an_alarm_is_set_and_put_back(item: dict[str, str], is_executed: bool) -> None:
    cloudwatch = CloudWatch("INSUFFICIENT_DATA", lambda: [item])
    assert calls.alarm(deployed(cloudwatch=cloudwatch)) == Alarm(is_executed, is_put_back=True)
    assert cloudwatch.states == ["ALARM", "INSUFFICIENT_DATA"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), error("AccessDenied", "DescribeAlarmHistory")])
def test_an_alarm_is_put_back_whatever_happens(problem: BaseException) -> None:
    cloudwatch = CloudWatch(history=raises(problem))
    with pytest.raises(type(problem)):
        calls.alarm(deployed(cloudwatch=cloudwatch))
    assert cloudwatch.states == ["ALARM", "OK"]


def test_an_alarm_that_cannot_be_put_back_is_said_also_after_ctrl_c() -> None:
    class Stuck(CloudWatch):
        """It takes the first state, and no other."""

        def set_alarm_state(self, **request: str) -> None:
            super().set_alarm_state(**request)
            if len(self.states) > 1:
                raise KeyboardInterrupt

    said = list[str]()
    with pytest.raises(KeyboardInterrupt):
        calls.alarm(deployed(cloudwatch=Stuck(), say=said.append))
    assert said == [
        f"The alarm {STACK}-deadline-near was not put back to OK: interrupted. CloudWatch does so when it evaluates it next."
    ]


@pytest.mark.parametrize(
    ("problem", "states"),
    [
        (error("AccessDenied", "SetAlarmState", status=403), ["ALARM"]),
        (error("InternalFailure", "SetAlarmState", status=500), ["ALARM", "OK"]),
        (ReadTimeoutError(endpoint_url="x"), ["ALARM", "OK"]),
    ],
)
def test_an_alarm_is_put_back_unless_aws_refused_to_change_it(problem: Exception, states: list[str]) -> None:
    class Failing(CloudWatch):
        """Its first change fails."""

        def set_alarm_state(self, **request: str) -> None:
            super().set_alarm_state(**request)
            if len(self.states) == 1:
                raise problem

    cloudwatch, said = Failing(), list[str]()
    with pytest.raises(type(problem)):
        calls.alarm(deployed(cloudwatch=cloudwatch, say=said.append))
    assert (cloudwatch.states, said) == (states, [])


def test_an_alarm_that_is_on_is_not_touched() -> None:
    cloudwatch = CloudWatch("ALARM")
    assert calls.alarm(deployed(cloudwatch=cloudwatch)) == Unanswered(Reason.ALARM_ON)
    assert cloudwatch.states == []


@pytest.mark.parametrize(
    ("problem", "unanswered"),
    [
        (error("AccessDeniedException", "ListFindings"), Unanswered(Reason.DENIED, "ListFindings", "AccessDeniedException")),
        (error("ThrottlingException", "ListFindings"), Unanswered(Reason.THROTTLED, "ListFindings", "ThrottlingException")),
        (error("InternalServerException", "ListFindings"), Unanswered(Reason.FAILED, "ListFindings", "InternalServerException")),
        (error(ARN, "ListFindings"), Unanswered(Reason.FAILED, "ListFindings", OTHER)),
        (ReadTimeoutError(endpoint_url="x"), Unanswered(Reason.NO_ANSWER, code="ReadTimeoutError")),
        (KeyError(ARN), Unanswered(Reason.UNEXPECTED, code="KeyError")),
    ],
)
def test_an_observation_that_fails_says_why_and_stops_no_other(problem: Exception, unanswered: Unanswered) -> None:
    assert observed(raises(problem)) == unanswered


def test_where_every_call_is_denied_every_question_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Denied:
        def __getattr__(self, name: str) -> Any:
            def refuse(**_: Any) -> Any:
                raise error(min(DENIED - {"403"}), "Operation")

            return refuse

    aws = replace(deployed(), client=lambda *_: Denied(), functions={"CheckSetupFunction": "x", "PreviewExportFunction": "x"})
    assert aws_check.run(aws, tmp_path / "aws-check.json") == 0
    answers = json.loads((tmp_path / "aws-check.json").read_text())["answers"]
    assert {answer["id"] for answer in answers} == QUESTIONS.keys()
    assert {answer["result"] for answer in answers} == {"UNKNOWN"}
    assert f"0 AS_EXPECTED, 0 DIFFERENT, {len(QUESTIONS)} UNKNOWN" in capsys.readouterr().out
    # Nothing was published, so that there are no metrics to wait for.
    assert {answer["reason"] for answer in answers if answer["id"].endswith("-topic")} == {"nothing was sent to the topic"}


# ---- the command


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> list[Deployed]:
    asked: list[Deployed] = []
    monkeypatch.setattr(aws_check, "clients", lambda *_: lambda *_: None)
    monkeypatch.setattr(calls, "deployed", lambda *_: deployed())

    def run(aws: Deployed, _: Path) -> int:
        asked.append(aws)
        return 0

    monkeypatch.setattr(aws_check, "run", run)
    return asked


def test_it_says_what_it_does_and_costs_and_asks_before_it_begins(
    stack: list[Deployed], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert aws_check.main(["--region", "eu-west-1"]) == 1
    printed = capsys.readouterr().out
    assert f"sets the alarm {STACK}-deadline-near by hand and back" in printed
    assert "It costs cents" in printed
    assert stack == []
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert aws_check.main(["--region", "eu-west-1"]) == 0
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked"))
    assert aws_check.main(["--region", "eu-west-1", "--yes"]) == 0
    assert len(stack) == 2


def test_without_a_terminal_nothing_begins(stack: list[Deployed], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_terminal(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", no_terminal)
    assert aws_check.main(["--region", "eu-west-1"]) == 1
    assert stack == []


def test_without_a_region_or_a_stack_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aws_check.main(["--yes"]) == 1
    assert "REGION=eu-west-1" in capsys.readouterr().err
    monkeypatch.setattr(regions, "described", lambda *_: None)
    monkeypatch.setattr(aws_check, "clients", lambda *_: lambda *_: None)
    assert aws_check.main(["--region", "eu-west-1", "--stack", "x", "--yes"]) == 1
    assert "there is no stack x. Deploy it first" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code"), [(REFUSED, 0), (ACCEPTED, 1)])
def test_only_a_different_answer_fails_the_command(
    answer: SecondReport, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [rules.second_report(answer), rules.second_report(None)]
    monkeypatch.setattr(asking, "everything", lambda _: answers)
    assert aws_check.run(deployed(), tmp_path / "aws-check.json") == code


def test_answers_whose_file_cannot_be_written_are_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asking, "everything", lambda _: [rules.second_report(REFUSED)])
    assert aws_check.run(deployed(), tmp_path) == 1
    printed = capsys.readouterr()
    assert "1 AS_EXPECTED" in printed.out
    content, _, said = printed.err.partition("make aws-check: ")
    assert json.loads(content)["answers"][0]["id"] == "second-report"
    assert "could not be written" in said


def test_the_file_names_the_release_that_is_deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(asking, "everything", lambda _: [])
    aws = deployed()
    assert aws_check.run(replace(aws, outputs={**aws.outputs, "Version": "0.0.9"}), tmp_path / "aws-check.json") == 0
    written = json.loads((tmp_path / "aws-check.json").read_text())
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    assert (written["release"], written["checked_with"]) == ("0.0.9", version)


def test_ctrl_c_says_what_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(asking, "everything", lambda _: raises(KeyboardInterrupt())())
    assert aws_check.run(deployed(), tmp_path / "aws-check.json") == regions.INTERRUPTED
    printed = capsys.readouterr().err
    assert "the second report cancelled" in printed
    assert "aws-check.json was not written." in printed
    assert not (tmp_path / "aws-check.json").exists()
