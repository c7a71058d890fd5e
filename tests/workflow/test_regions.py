"""Several reports and Regions on the embedded AWS: one start, one headline each, one summary at home."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from findings_exporter import RELEASE
from tests.local_aws.deployed_exporter import Exporter, FunctionFailedError, wait_until
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import LocalAws
from tests.workflow.test_roles import fire, undelivered

HOME, OTHER = "eu-west-1", "us-east-1"
ACCOUNT = "444455556666"
REPORTS = [
    {"name": "nightly"},
    {"name": "criticals", "filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}},
]
START_NOTICE = {
    "type": "start",
    "version": "1.0",
    "region": OTHER,
    "state": "STARTED",
    "reports": ["nightly"],
    "config_hash": "a",
    "execution": f"arn:aws:states:{OTHER}:{ACCOUNT}:execution:exporter-ExportAllReports:start",
}
SCHEDULE = "arn:aws:scheduler:{region}:444455556666:schedule/default/nightly"


class Regions:
    """The stacks of two Regions, one of them home."""

    def __init__(self, home: Exporter, other: Exporter) -> None:
        self.home, self.other = home, other
        self.time = datetime.now(UTC).replace(microsecond=0)

    @property
    def stacks(self) -> tuple[Exporter, Exporter]:
        """Both."""
        return self.home, self.other

    def start(self, stack: Exporter, name: str | None = None) -> str:
        """Start all reports of a Region as its schedule does; return the execution's ARN."""
        run_input = {"schedule": {"scheduled_for": self.time.isoformat(), "arn": SCHEDULE.format(region=stack.region)}}
        return stack.start_reports(run_input, name)

    def summaries(self) -> list[dict[str, Any]]:
        """The messages about scheduled times, the oldest first."""
        return self.home.summaries()

    def summary(self, number: int = 0) -> dict[str, Any]:
        """Wait for a message about the scheduled time, and return its event."""
        found = wait_until(lambda: self.summaries()[number : number + 1] or None, "a summary", 60)
        event: dict[str, Any] = json.loads(found[0]["bodies"]["default"])
        return event

    def event(self, name: str = "start", stack: Exporter | None = None) -> dict[str, Any]:
        """What the workflow sends to a step of a scheduled start."""
        stack = stack or self.home
        arn = f"{stack.outputs['AllReportsStateMachineArn'].replace(':stateMachine:', ':execution:')}:{name}"
        schedule = {"scheduled_for": self.time.isoformat(), "arn": SCHEDULE.format(region=stack.region)}
        started = {"arn": arn, "started_at": self.time.isoformat()}
        return {"release": RELEASE, "execution": started, "input": {"schedule": schedule}}

    def said(self, start: str) -> list[dict[str, Any]] | None:
        """What home has heard of the scheduled time, by how its key begins."""
        found = [json.loads(item["body"]) for (_, sk), item in self.home.items().items() if sk.startswith(start)]
        return found or None

    def pass_deadline(self) -> None:
        """Let the summary's deadline be over, and the hourly call come."""
        now = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        self.home.client("dynamodb").update_item(
            TableName=self.home.outputs["TableName"],
            Key={"pk": {"S": f"SUMMARY#{self.time.isoformat()}"}, "sk": {"S": "SUMMARY"}},
            UpdateExpression="SET deadline_at = :at",
            ExpressionAttributeValues={":at": {"S": now}},
        )
        self.home.invoke("SummarizeFunction", {})


def states_of(event: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What a summary says of each report."""
    return {(each["region"], each["report"]): each["state"] for each in event["reports"]}


@pytest.fixture(scope="module")
def two(exporter_aws: LocalAws) -> tuple[Exporter, Exporter]:
    """The stacks; home first, as make deploy does it."""
    # The schedules are enabled, so that reports are expected, and fire in a far year.
    schedule = {"ScheduleState": "ENABLED", "ScheduleExpression": "cron(0 3 1 1 ? 2099)"}
    parameters = {"HomeRegion": HOME, "Regions": f"{HOME},{OTHER}", "Reports": "FILE", **schedule}
    home, other = (
        Exporter.deploy(exporter_aws, "exporter", account=ACCOUNT, region=region, parameters=parameters)
        for region in (HOME, OTHER)
    )
    return home, other


@pytest.fixture
def regions(two: tuple[Exporter, Exporter]) -> Iterator[Regions]:
    """The same, cleared of what an earlier test left."""
    made = Regions(*two)
    for stack in made.stacks:
        stop_starts(stack)
        stack.forget()
        FaultControl(stack).forget()
        control = InspectorControl(stack.aws, stack.account, stack.region)
        control.reset()
        control.seed(findings=30, seed=1)
        control.configure(base_seconds=0.2, seconds_per_1000=0.0)
        stack.put_reports(REPORTS)
    # What an earlier test left may still be on its way home.
    made.home.client("sqs").purge_queue(QueueUrl=made.home.resource("HeadlinesQueue"))
    made.home.delete_items(lambda item: item["pk"].startswith("SUMMARY#"))
    yield made
    for stack in made.stacks:
        FaultControl(stack).forget()


def stop_starts(stack: Exporter) -> None:
    """Stop the starts of all reports that an earlier test left."""
    machine = stack.outputs["AllReportsStateMachineArn"]
    for each in stack.states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
        stack.states.stop_execution(executionArn=each["executionArn"])


def test_two_regions_with_two_reports_each_give_one_summary(regions: Regions) -> None:
    arns = [regions.start(stack) for stack in regions.stacks]
    assert [stack.ended(arn, 90).status for stack, arn in zip(regions.stacks, arns, strict=True)] == ["SUCCEEDED", "SUCCEEDED"]
    event = regions.summary()
    assert states_of(event) == {(region, name): "SUCCEEDED" for region in (HOME, OTHER) for name in ("nightly", "criticals")}
    assert event["complete"]
    nightly = [each["headline"]["open"] for each in event["reports"] if each["report"] == "nightly"]
    assert event["totals"]["open"] == sum(nightly) > 0
    for stack in regions.stacks:
        assert not [key for key in stack.items() if key[0] in {"OUTBOX", "STARTS"}]
    time = regions.time
    assert f"inspector/summaries/{time:%Y-%m-%d/%H%M}/index.html" in regions.home.objects()
    assert b"criticals" in regions.home.read(f"inspector/summaries/{time:%Y-%m-%d/%H%M}/index.html")
    regions.home.invoke("SummarizeFunction", {})
    assert len(regions.summaries()) == 1
    assert len(regions.home.messages()) == len(regions.other.messages()) == 2


def test_a_schedule_that_is_delivered_twice_starts_its_reports_once(regions: Regions) -> None:
    first, second = regions.start(regions.home, "first"), regions.start(regions.home, "second")
    ended = [regions.home.ended(arn, 60) for arn in (first, second)]
    assert [each.status for each in ended] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(regions.home.executions()) == 2


def test_one_report_that_fails_stops_no_other_and_is_in_the_summary_with_its_cause(regions: Regions) -> None:
    wrong = {"name": "criticals", "deadline_hours": 1}
    regions.home.put_reports([wrong, {"name": "nightly"}])
    FaultControl(regions.home).put("denied", function="StartReportFunction", action="inspector2:CreateFindingsReport", times=1)
    arn = regions.start(regions.home)
    other = regions.start(regions.other)
    ended = regions.home.ended(arn, 60)
    assert (ended.status, ended.error) == ("FAILED", "ReportsFailed")
    assert "criticals" in str(ended.cause)
    regions.other.ended(other, 60)
    event = regions.summary()
    states = states_of(event)
    assert states[HOME, "criticals"] == "FAILED"
    assert states[HOME, "nightly"] == "SUCCEEDED"
    assert event["level"] == "PROBLEM"


def test_a_region_that_says_nothing_is_named_first_and_a_supplement_follows(regions: Regions) -> None:
    regions.home.ended(regions.start(regions.home), 60)
    wait_until(lambda: len([1 for pk, sk in regions.home.items() if sk.startswith("HEADLINE#")]) == 2 or None, "home's headlines")
    regions.home.invoke("SummarizeFunction", {})
    assert regions.summaries() == []
    regions.pass_deadline()
    event = regions.summary()
    assert [(each["region"], each["state"]) for each in event["reports"]][:2] == [(OTHER, "SILENT"), (OTHER, "SILENT")]
    assert regions.summaries()[0]["subject"].startswith("ACTION: Inspector summary, 2 Regions: not heard from us-east-1")
    regions.other.ended(regions.start(regions.other), 60)
    supplement = regions.summary(1)
    assert supplement["supplement"] == 1
    assert set(states_of(supplement)) == {(OTHER, "nightly"), (OTHER, "criticals")}
    assert supplement["notification_id"] != event["notification_id"]


def test_a_report_that_is_still_running_is_not_called_silent(regions: Regions) -> None:
    InspectorControl(regions.other.aws, ACCOUNT, OTHER).hold()
    regions.home.ended(regions.start(regions.home), 60)
    arn = regions.start(regions.other)
    wait_until(lambda: regions.other.executions() or None, "the first report to begin")
    regions.pass_deadline()
    assert {state for (region, _), state in states_of(regions.summary()).items() if region == OTHER} == {"RUNNING"}
    regions.other.states.stop_execution(executionArn=arn)


def test_stopping_the_start_stops_the_report_in_progress_and_says_so_of_the_others(regions: Regions) -> None:
    inspector = InspectorControl(regions.other.aws, ACCOUNT, OTHER)
    inspector.hold()
    arn = regions.start(regions.other)
    (child,) = wait_until(lambda: regions.other.executions() or None, "the first report to begin")
    regions.other.reached(child.arn, "Wait for Report")
    regions.other.states.stop_execution(executionArn=arn, cause="not tonight")
    assert regions.other.ended(child.arn).status == "ABORTED"
    wait_until(lambda: (not regions.other.lock()) or None, "the lock to be released")
    regions.home.ended(regions.start(regions.home), 60)
    event = regions.summary()
    assert states_of(event)[OTHER, "nightly"] == "ABORTED"
    assert states_of(event)[OTHER, "criticals"] == "NOT_STARTED"


def test_a_home_that_is_down_delays_the_summary_and_loses_nothing(regions: Regions) -> None:
    FaultControl(regions.other).put("server_error", action="sqs:SendMessage", times=None)
    arn = regions.start(regions.other)
    assert regions.other.ended(arn, 60).status == "SUCCEEDED"
    assert len([key for key in regions.other.items() if key[0] == "OUTBOX"]) == 3
    regions.home.ended(regions.start(regions.home), 60)
    assert regions.summaries() == []
    FaultControl(regions.other).forget()
    regions.other.invoke("CleanUpFunction", {})
    assert set(states_of(regions.summary()).values()) == {"SUCCEEDED"}


def test_messages_that_come_twice_change_nothing(regions: Regions) -> None:
    queue = regions.home.resource("HeadlinesQueue")
    sender = regions.home.aws.role_client("sqs", role_arn(regions.other, "NotifyFunctionRole"), account=ACCOUNT, region=HOME)
    for stack in regions.stacks:
        stack.ended(regions.start(stack), 60)
    regions.summary()
    for item in regions.home.items().values():
        if item["sk"].startswith(("HEADLINE#", "START#")):
            sender.send_message(QueueUrl=queue, MessageBody=item["body"])
    wait_until(lambda: _is_empty(regions.home, queue) or None, "the queue to be empty")
    regions.home.invoke("SummarizeFunction", {})
    assert len(regions.summaries()) == 1


def _is_empty(stack: Exporter, queue: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return all(count == "0" for count in counts.values())


def test_a_start_while_the_one_before_is_still_running_starts_nothing_and_says_so(regions: Regions) -> None:
    InspectorControl(regions.other.aws, ACCOUNT, OTHER).hold()
    first = regions.start(regions.other)
    wait_until(lambda: regions.other.executions() or None, "the first report to begin")
    regions.time += timedelta(minutes=1)
    second = regions.other.ended(regions.start(regions.other))
    assert (second.status, second.error) == ("FAILED", "PreviousStartRunning")
    regions.home.ended(regions.start(regions.home), 60)
    event = regions.summary()
    assert {state for (region, _), state in states_of(event).items() if region == OTHER} == {"PREVIOUS_RUNNING"}
    regions.other.states.stop_execution(executionArn=first)


def test_by_hand_all_or_some_reports_are_exported_without_a_summary(regions: Regions) -> None:
    arn = regions.home.start_reports({"reports": ["criticals"]})
    assert regions.home.ended(arn, 60).status == "SUCCEEDED"
    assert len(regions.home.executions()) == 1
    assert regions.home.ended(regions.home.start_reports({}), 60).status == "SUCCEEDED"
    assert len(regions.home.executions()) == 3
    assert not [key for key in regions.home.items() if key[0].startswith(("SUMMARY#", "OUTBOX"))]


@pytest.mark.parametrize(
    ("run_input", "said"),
    [({"reports": ["weekly"]}, "nightly"), ({"report": "nightly"}, "report"), ([], "input"), ({"reports": "nightly"}, "reports")],
)
def test_a_wrong_input_is_refused_in_words(regions: Regions, run_input: object, said: str) -> None:
    ended = regions.home.ended(regions.home.start_reports(run_input))
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert said in str(ended.cause)
    assert regions.home.executions() == []


def test_a_file_that_cannot_be_used_exports_the_report_of_the_parameters_with_a_note(regions: Regions) -> None:
    for stack in regions.stacks:
        stack.put_reports(b'[{"name": "a/b"}]')
    for stack in regions.stacks:
        assert stack.ended(regions.start(stack), 60).status == "SUCCEEDED"
    event = regions.summary()
    assert states_of(event) == {(HOME, "nightly"): "SUCCEEDED", (OTHER, "nightly"): "SUCCEEDED"}
    assert {each["region"] for each in event["notes"]} == {HOME, OTHER}
    assert all("config/reports.json cannot be used" in each["note"] for each in event["notes"])


@pytest.mark.parametrize("by", ["ExportFindings", "ExportAllReports"])
def test_a_run_that_replaces_one_of_a_scheduled_time_comes_in_a_supplement(regions: Regions, by: str) -> None:
    FaultControl(regions.home).put("denied", function="StartReportFunction", action="inspector2:CreateFindingsReport", times=1)
    for stack in regions.stacks:
        stack.ended(regions.start(stack), 60)
    assert "FAILED" in states_of(regions.summary()).values()
    replaces = {"replaces": regions.time.isoformat()}
    if by == "ExportFindings":
        assert regions.home.run({"report": {"name": "nightly"}, **replaces}).status == "SUCCEEDED"
    else:
        start = regions.home.start_reports({"reports": ["nightly"], **replaces})
        assert regions.home.ended(start, 60).status == "SUCCEEDED"
    supplement = regions.summary(1)
    assert states_of(supplement) == {(HOME, "nightly"): "SUCCEEDED"}


class TestWhoMaySend:
    def test_a_stranger_of_the_account_cannot_send_a_headline(self, regions: Regions) -> None:
        iam = regions.home.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        rights = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
        role = iam.create_role(RoleName="stranger", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
        iam.put_role_policy(RoleName="stranger", PolicyName="all", PolicyDocument=json.dumps({"Statement": [rights]}))
        sqs = regions.home.aws.role_client("sqs", role, account=ACCOUNT, region=HOME)
        with pytest.raises(ClientError, match="AccessDenied"):
            sqs.send_message(QueueUrl=regions.home.resource("HeadlinesQueue"), MessageBody="{}")

    def test_what_is_no_message_of_ours_is_put_aside_and_changes_no_summary(self, regions: Regions) -> None:
        answer = regions.home.invoke("SummarizeFunction", {"Records": [{"messageId": "m", "body": '{"type": "order"}'}]})
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
        assert regions.summaries() == []

    def test_a_sibling_of_the_stack_can_imitate_a_region(self, regions: Regions) -> None:
        """docs/security.md says so: the queue's policy knows the stack's roles, and not from which Region they come."""
        arn = role_arn(regions.other, "NotifyFunctionRole")
        sqs = regions.home.aws.role_client("sqs", arn, account=ACCOUNT, region=HOME)
        assert sqs.send_message(QueueUrl=regions.home.resource("HeadlinesQueue"), MessageBody="{}")["MessageId"]


def role_arn(stack: Exporter, role: str) -> str:
    """The ARN of a role by its logical id."""
    arn: str = stack.client("iam").get_role(RoleName=stack.resource(role))["Role"]["Arn"]
    return arn


class TestRoles:
    """Each statement of the new roles is needed: without it, what it allows does not happen, and that shows."""

    @pytest.mark.parametrize(
        "sid", ["ClaimTheScheduledTime", "KeepStarts", "KeepTheReports", "KeepMessagesForHome", "BeginTheSummary"]
    )
    def test_a_start_is_denied(self, regions: Regions, sid: str) -> None:
        with (
            regions.home.without_statement("PlanReportsFunctionRole", sid),
            pytest.raises(FunctionFailedError, match="AccessDenied"),
        ):
            regions.home.invoke("PlanReportsFunction", regions.event())

    def test_a_start_that_cannot_ask_for_the_one_before_is_denied(self, regions: Regions) -> None:
        regions.home.invoke("PlanReportsFunction", regions.event("a"))
        regions.time += timedelta(minutes=1)
        statement = regions.home.without_statement("PlanReportsFunctionRole", "AskWhetherExecutionsLive")
        with statement, pytest.raises(FunctionFailedError, match="AccessDenied"):
            regions.home.invoke("PlanReportsFunction", regions.event("b"))

    @pytest.mark.parametrize("sid", ["FindTheReportsFile", "ReadTheReportsFile"])
    def test_a_file_that_may_not_be_read_is_a_note(self, regions: Regions, sid: str) -> None:
        with regions.other.without_statement("PlanReportsFunctionRole", sid):
            planned = regions.other.invoke("PlanReportsFunction", regions.event(stack=regions.other))
        assert [each["name"] for each in planned["reports"]] == ["nightly"]
        start = wait_until(lambda: regions.said("START#"), "the start notice", 20)
        assert "cannot be read" in start[0]["notes"][0]

    @pytest.mark.parametrize("sid", ["FinishTheStart", "AskWhetherExecutionsLive", "KeepMessagesForHome"])
    def test_a_start_cannot_be_finished(self, regions: Regions, sid: str) -> None:
        regions.home.invoke("PlanReportsFunction", regions.event())
        event = {**regions.event(), "results": []}
        with (
            regions.home.without_statement("FinishReportsFunctionRole", sid),
            pytest.raises(FunctionFailedError, match="AccessDenied"),
        ):
            regions.home.invoke("FinishReportsFunction", event)

    @pytest.mark.parametrize("function", ["PlanReports", "FinishReports"])
    def test_what_may_not_be_sent_home_stays(self, regions: Regions, function: str) -> None:
        with regions.other.without_statement(f"{function}FunctionRole", "SendMessagesHome"):
            regions.other.invoke("PlanReportsFunction", regions.event(stack=regions.other))
            if function == "FinishReports":
                regions.other.invoke("FinishReportsFunction", {**regions.event(stack=regions.other), "results": []})
        assert [key for key in regions.other.items() if key[0] == "OUTBOX"]

    @pytest.mark.parametrize("sid", ["KeepMessagesForHome", "SendMessagesHome"])
    def test_a_run_that_may_say_nothing_home_is_heard_of_later(self, regions: Regions, sid: str) -> None:
        with regions.other.without_statement("NotifyFunctionRole", sid):
            regions.other.ended(regions.start(regions.other), 90)
            if sid == "KeepMessagesForHome":
                assert {each.error for each in regions.other.executions()} == {"AccessDeniedError"}
            sent = [each for each in FaultControl(regions.other).calls() if each["action"] == "sqs:SendMessage"]
            assert [each["status"] for each in sent if each["function"] == "NotifyFunction" and each["status"] == 200] == []
        regions.other.invoke("CleanUpFunction", {})
        assert wait_until(lambda: regions.said("HEADLINE#"), "the headlines", 20)

    @pytest.mark.parametrize(
        "sid", ["KeepMessagesForHome", "FinishStarts", "AskWhetherAStartLives", "FindMissingReports", "ExpectTheFirstReport"]
    )
    def test_the_hourly_cleanup_is_denied(self, regions: Regions, sid: str) -> None:
        regions.other.invoke("PlanReportsFunction", regions.event(stack=regions.other))
        with (
            regions.other.without_statement("CleanUpFunctionRole", sid),
            pytest.raises(FunctionFailedError, match="AccessDenied"),
        ):
            regions.other.invoke("CleanUpFunction", {})

    def test_the_hourly_cleanup_may_not_send(self, regions: Regions) -> None:
        with regions.other.without_statement("PlanReportsFunctionRole", "SendMessagesHome"):
            regions.other.invoke("PlanReportsFunction", regions.event(stack=regions.other))
        with regions.other.without_statement("CleanUpFunctionRole", "SendMessagesHome"):
            regions.other.invoke("CleanUpFunction", {})
        assert [key for key in regions.other.items() if key[0] == "OUTBOX"]

    @pytest.mark.parametrize("sid", ["ExportTheReports", "FollowTheReports", "HearOfTheirEnd"])
    def test_reports_that_may_not_be_started_or_followed_fail_the_start(self, regions: Regions, sid: str) -> None:
        with regions.other.without_statement("ExportAllReportsRole", sid):
            ended = regions.other.ended(regions.start(regions.other), 90)
        assert (ended.status, ended.error) == ("FAILED", "ReportsFailed")
        assert "of one without a run, the history of this execution does" in str(ended.cause)

    def test_a_start_that_may_invoke_no_step_fails(self, regions: Regions) -> None:
        with regions.other.without_statement("ExportAllReportsRole", "InvokeTheSteps"):
            assert regions.other.ended(regions.start(regions.other), 90).status == "FAILED"

    def test_a_message_that_may_not_be_kept_comes_again(self, regions: Regions) -> None:
        body = json.dumps({**START_NOTICE, "scheduled_for": regions.time.isoformat(), "started_at": regions.time.isoformat()})
        with regions.home.without_statement("SummarizeFunctionRole", "KeepSummaries"):
            answer = regions.home.invoke("SummarizeFunction", {"Records": [{"messageId": "m", "body": body}]})
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}

    def test_open_summaries_may_not_be_found(self, regions: Regions) -> None:
        statement = regions.home.without_statement("SummarizeFunctionRole", "FindOpenSummaries")
        with statement, pytest.raises(FunctionFailedError, match="AccessDenied"):
            regions.home.invoke("SummarizeFunction", {})

    @pytest.mark.parametrize("sid", ["WriteThePage", "PublishToTheTopic"])
    def test_a_summary_without_its_page_is_sent_and_one_that_may_not_be_published_is_not(
        self, regions: Regions, sid: str
    ) -> None:
        regions.home.invoke("PlanReportsFunction", regions.event())
        # What it says home must have been taken: else that call, and not the one of the hour, may be the one that is refused.
        wait_until(lambda: regions.said("START#"), "home to hear of its own start")
        wait_until(lambda: _is_empty(regions.home, regions.home.resource("HeadlinesQueue")) or None, "the queue to be empty")
        with regions.home.without_statement("SummarizeFunctionRole", sid):
            refused = pytest.raises(FunctionFailedError, match="AccessDenied") if sid == "PublishToTheTopic" else nullcontext()
            with refused:
                regions.pass_deadline()
        assert [json.loads(each["bodies"]["default"])["page_url"] for each in regions.summaries()] == [None][
            : sid == "WriteThePage"
        ]

    def test_a_call_of_the_hour_that_fails_is_kept(self, regions: Regions) -> None:
        undelivered(regions.home)
        with regions.home.without_statement("SummarizeFunctionRole", "FindOpenSummaries"):
            regions.home.send("SummarizeFunction", {})
            assert wait_until(lambda: undelivered(regions.home) or None, "the failed call in the dead-letter queue", 30) == 1
            with regions.home.without_statement("SummarizeFunctionRole", "KeepWhatFailed"):
                regions.home.send("SummarizeFunction", {})
                wait_until(lambda: "is lost" in regions.home.aws.log_text() or None, "the lost call", 30)

    @pytest.mark.parametrize("sid", ["StartTheSummary", "KeepWhatCouldNotBeStarted"])
    def test_a_schedule_that_may_not_start_the_summary_keeps_that_it_could_not(self, regions: Regions, sid: str) -> None:
        undelivered(regions.home)
        with regions.home.without_statement("SummarizeScheduleRole", "StartTheSummary"):
            if sid == "StartTheSummary":
                fire(regions.home, "SummarizeFunctionHourly")
                assert wait_until(lambda: undelivered(regions.home) or None, "what could not be started", 30) == 1
            else:
                with regions.home.without_statement("SummarizeScheduleRole", sid):
                    fire(regions.home, "SummarizeFunctionHourly")
                    assert undelivered(regions.home) == 0
