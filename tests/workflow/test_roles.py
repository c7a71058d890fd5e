"""Each step runs with a role of its own, and needs each statement of it.

Every statement of every role in the template is in one of the tables below: taken out, a run is seen to break; or the
embedded AWS does not enforce it, and a contract test holds its words.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders.cloudformation import read_template
from tests.local_aws.deployed_exporter import Exporter, FunctionFailedError, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import REPOSITORY

type Scenario = Callable[[Exporter, InspectorControl], None]

STEPS = ("PlanExport", "AcquireLock", "StartReport", "CheckReport", "CancelReport", "ReleaseLock", "VerifyReport", "CutReport",
         "AnalyzePart", "AnalyzeReport", "RecordRun", "Notify", "NotifyOwners", "CleanUp", "PreviewExport")  # fmt: skip
"""The functions that use the table."""
SHORT = {"deadline_hours": 0.0005}
PART_BYTES = 50_000
"""Divides the report of these tests into several parts."""


def export_is_denied(exporter: Exporter, _: InspectorControl) -> None:
    assert exporter.run({}, seconds=90).error == "AccessDeniedError"


def workflow_may_not_invoke_its_steps(exporter: Exporter, _: InspectorControl) -> None:
    ended = exporter.run({}, seconds=90)
    assert ended.status == "FAILED"
    assert "not authorized to perform: lambda:InvokeFunction" in str(ended.cause)


def dead_holder_counts_as_alive(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    dead = exporter.start({})
    exporter.reached(dead, "Wait for Report")
    exporter.states.stop_execution(executionArn=dead)
    assert exporter.run(SHORT).error == "LockNotObtained"


def dead_runs_report_counts_as_alive(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    dead = exporter.start({})
    exporter.reached(dead, "Wait for Report")
    exporter.states.stop_execution(executionArn=dead)
    ended = exporter.run(SHORT)
    assert ended.error == "DeadlineExceeded"
    assert inspector.record()["reports"][0]["status"] == "IN_PROGRESS"


def scheduled_export_is_denied(exporter: Exporter, _: InspectorControl) -> None:
    scheduled = json.loads((REPOSITORY / "events/nightly.json").read_text(encoding="utf-8"))
    scheduled["schedule"]["scheduled_for"] = f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert exporter.run(scheduled, seconds=90).error == "AccessDeniedError"


def next_check_is_denied(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    assert exporter.run({}, seconds=90).error == "AccessDeniedError"


def history_is_not_written(exporter: Exporter, _: InspectorControl) -> None:
    # Notify would write the line that Record Run could not.
    with exporter.without_statement("NotifyFunctionRole", "WriteHistory"):
        exporter.run({}, seconds=90)
    assert [pk for pk, _ in exporter.items() if pk.startswith("REPORT#")] == []


def external_report_cannot_be_cancelled(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.external_report()
    assert exporter.run({"on_busy": "cancel"}, seconds=90).error == "AccessDeniedError"


def report_runs_on_after_the_deadline(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    assert exporter.run(SHORT, seconds=90).error == "DeadlineExceeded"
    assert inspector.record()["reports"][0]["status"] == "IN_PROGRESS"


def analysis_fails(error: str) -> Scenario:
    """The export succeeds, and its record says which way the analysis failed."""

    def scenario(exporter: Exporter, _: InspectorControl) -> None:
        ended = exporter.run({}, seconds=90)
        assert ended.status == "SUCCEEDED"
        assert json.loads(exporter.run_item(ended.arn)["analysis"])["error"] == error

    return scenario


def analysis_of_parts_fails(error: str) -> Scenario:
    """The same for a report that is analyzed in parts."""

    def scenario(exporter: Exporter, inspector: InspectorControl) -> None:
        with exporter.with_parts_of(PART_BYTES):
            analysis_fails(error)(exporter, inspector)

    return scenario


def merged_parts_are_left(exporter: Exporter, _: InspectorControl) -> None:
    with exporter.with_parts_of(PART_BYTES):
        assert exporter.run({}, seconds=90).status == "SUCCEEDED"
    assert [key for key in exporter.objects() if "/parts/" in key]


def owners_are_unread(exporter: Exporter, _: InspectorControl) -> None:
    exporter.put_owner_rules([{"owner": "shop", "accounts": ["*"]}])
    analysis = json.loads(exporter.run_item(exporter.run({}, seconds=90).arn)["analysis"])
    assert "The owners of findings are unknown" in json.dumps(analysis["sentences"])


def owners_are_unknown(exporter: Exporter, _: InspectorControl) -> None:
    exporter.put_owner_rules([{"owner": "shop", "accounts": ["*"]}])
    analysis = json.loads(exporter.run_item(exporter.run({}, seconds=90).arn)["analysis"])
    assert "It is not known whether there are rules for owners" in json.dumps(analysis["sentences"])


def owners_of_parts_are_unread(exporter: Exporter, _: InspectorControl) -> None:
    exporter.put_owner_rules([{"owner": "shop", "accounts": ["*"]}])
    with exporter.with_parts_of(PART_BYTES):
        analysis = json.loads(exporter.run_item(exporter.run({}, seconds=90).arn)["analysis"])
    assert analysis["error"] == "Analysis.OwnersChanged"
    assert "may both read config/owners.json" in json.dumps(analysis["sentence"])


def kev_dates_are_unknown(exporter: Exporter, inspector: InspectorControl) -> None:
    for finding in inspector.findings():
        if "packageVulnerabilityDetails" in finding:
            inspector.put_into_kev(finding["packageVulnerabilityDetails"]["vulnerabilityId"], datetime.now(UTC))
    analysis = json.loads(exporter.run_item(exporter.run({}).arn)["analysis"])
    assert not any(each["in_kev"] for each in analysis["fix_first"])


def analysis_does_not_know_whether_inspector_scans(exporter: Exporter, _: InspectorControl) -> None:
    analysis = json.loads(exporter.run_item(exporter.run({}).arn)["analysis"])
    assert analysis["coverage"] == {"scanned": None, "not_scanned": None}


def malformed_object_of_nothing_is_corrupt(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.seed(findings=0, seed=1)
    inspector.configure(when_nothing_found="malformed")
    ended = exporter.run({}, seconds=90)
    assert ended.error == "Delivery.Corrupt"
    assert "AWS refused ListFindings, which would confirm that (AccessDeniedException)" in str(ended.cause)


def hourly_cleanup_is_denied(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    exporter.states.stop_execution(executionArn=run)
    with pytest.raises(FunctionFailedError) as raised:
        exporter.invoke("CleanUpFunction", {})
    assert raised.value.type == "AccessDeniedError"


def schedule_starts_nothing_and_says_so(exporter: Exporter, _: InspectorControl) -> None:
    fire(exporter, "ExportFindingsNightly")
    assert undelivered(exporter) == 1
    assert exporter.executions() == []


def lost_start_is_kept_nowhere(exporter: Exporter, _: InspectorControl) -> None:
    with exporter.without_statement("ScheduleRole", "StartTheNightlyExport"):
        fire(exporter, "ExportFindingsNightly")
    assert undelivered(exporter) == 0


def hourly_cleanup_is_not_started_and_that_is_said(exporter: Exporter, _: InspectorControl) -> None:
    fire(exporter, "CleanUpFunctionHourlyCleanup")
    assert undelivered(exporter) == 1


def lost_hourly_cleanup_is_kept_nowhere(exporter: Exporter, _: InspectorControl) -> None:
    with exporter.without_statement("HourlyCleanupScheduleRole", "StartTheHourlyCleanup"):
        fire(exporter, "CleanUpFunctionHourlyCleanup")
    assert undelivered(exporter) == 0


def failed_clean_up_is_kept_nowhere(exporter: Exporter, _: InspectorControl) -> None:
    with exporter.without_statement("CleanUpFunctionRole", "KeepRecords"):
        fire(exporter, "CleanUpFunctionHourlyCleanup")
        lost = f"the failed event of {exporter.resource('CleanUpFunction')} is lost"
        wait_until(lambda: lost in exporter.aws.log_text() or None, "all tries of the hourly cleanup to fail")
    assert undelivered(exporter) == 0


def check_is_unknown(name: str) -> Scenario:
    """What the setup check may not read is unknown, and all else is checked as before."""

    def scenario(exporter: Exporter, _: InspectorControl) -> None:
        checks = {check["name"]: check for check in exporter.invoke("CheckSetupFunction", {})["checks"]}
        assert checks[name]["result"] == "unknown"
        assert "AWS refused" in checks[name]["sentence"]
        assert {check["result"] for check in checks.values()} - {"failed"} == {"passed", "unknown"}

    return scenario


def check_of_owners_is_unknown(exporter: Exporter, inspector: InspectorControl) -> None:
    exporter.put_owner_rules([{"owner": "shop", "accounts": ["*"]}])
    check_is_unknown("owners")(exporter, inspector)


def check_cannot_be_published(exporter: Exporter, _: InspectorControl) -> None:
    with pytest.raises(FunctionFailedError) as raised:
        exporter.invoke("CheckSetupFunction", {"notify": True})
    assert raised.value.type == "AccessDeniedError"


def preview_is_unknown(name: str) -> Scenario:
    """What the preview may not read is unknown, and all else is shown as before."""

    def scenario(exporter: Exporter, _: InspectorControl) -> None:
        made = exporter.invoke("PreviewExportFunction", {})
        known = {each: made[each]["is_known"] for each in ("in_progress", "recent_runs", "schedules")}
        assert known == dict.fromkeys(known, True) | {name: False}
        assert "AWS refused" in made[name]["why"]
        assert made["count"]["is_exact"]

    return scenario


def preview_counts_nothing(exporter: Exporter, _: InspectorControl) -> None:
    count = exporter.invoke("PreviewExportFunction", {})["count"]
    assert (count["is_exact"], count["total"], count["stopped_by"]) == (False, 0, "denied")
    assert "ListFindings" in count["why"]


def run_does_not_say_that_alarms_are_not_delivered(exporter: Exporter, _: InspectorControl) -> None:
    with exporter.without_alarm_subscription():
        assert exporter.message_of(exporter.run({}).arn).event["notes"] == []


def hourly_cleanup_does_not_say_that_alarms_are_not_delivered(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    exporter.states.stop_execution(executionArn=run)
    with exporter.without_alarm_subscription():
        exporter.invoke("CleanUpFunction", {})
        assert exporter.message_of(run).event["notes"] == []


def fire(exporter: Exporter, schedule: str) -> None:
    """Let a schedule's next time come now."""
    scheduler, name = exporter.client("scheduler"), exporter.resource(schedule)
    kept = {key: value for key, value in scheduler.get_schedule(Name=name).items() if key in {"FlexibleTimeWindow", "Target"}}
    # A time that has passed fires at the next tick, which is asked for here.
    past = datetime.now(UTC) - timedelta(seconds=1)
    scheduler.update_schedule(Name=name, ScheduleExpression=f"at({past:%Y-%m-%dT%H:%M:%S})", State="ENABLED", **kept)
    exporter.aws.control("/_local/scheduler/tick", {"account": exporter.account, "now": datetime.now(UTC).isoformat()})


def undelivered(exporter: Exporter) -> int:
    """Count and remove what lies in the dead-letter queue."""
    sqs, queue = exporter.client("sqs"), exporter.outputs["DeadLetterQueueUrl"]
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return len(messages)


NEEDED: dict[tuple[str, str], Scenario] = {
    ("ExportFindingsRole", "InvokeTheSteps"): workflow_may_not_invoke_its_steps,
    ("ScheduleRole", "StartTheNightlyExport"): schedule_starts_nothing_and_says_so,
    ("ScheduleRole", "KeepWhatCouldNotBeStarted"): lost_start_is_kept_nowhere,
    ("HourlyCleanupScheduleRole", "StartTheHourlyCleanup"): hourly_cleanup_is_not_started_and_that_is_said,
    ("HourlyCleanupScheduleRole", "KeepWhatCouldNotBeStarted"): lost_hourly_cleanup_is_kept_nowhere,
    ("PlanExportFunctionRole", "KeepRecords"): export_is_denied,
    ("PlanExportFunctionRole", "ClaimTheScheduledTime"): scheduled_export_is_denied,
    ("AcquireLockFunctionRole", "TakeTheLock"): export_is_denied,
    ("AcquireLockFunctionRole", "AskWhetherARunLives"): dead_holder_counts_as_alive,
    ("StartReportFunctionRole", "KeepRecords"): export_is_denied,
    ("StartReportFunctionRole", "ReadHistory"): export_is_denied,
    ("StartReportFunctionRole", "CreateTheReport"): export_is_denied,
    ("StartReportFunctionRole", "CancelADeadOrExternalReport"): external_report_cannot_be_cancelled,
    ("StartReportFunctionRole", "FindTheReport"): export_is_denied,
    ("StartReportFunctionRole", "AskWhetherARunLives"): dead_runs_report_counts_as_alive,
    ("CheckReportFunctionRole", "KeepRecords"): export_is_denied,
    ("CheckReportFunctionRole", "ReadHistory"): next_check_is_denied,
    ("CheckReportFunctionRole", "ReadTheReport"): export_is_denied,
    ("CancelReportFunctionRole", "ReadRecords"): report_runs_on_after_the_deadline,
    ("CancelReportFunctionRole", "StopTheReport"): report_runs_on_after_the_deadline,
    ("ReleaseLockFunctionRole", "ReleaseTheLock"): export_is_denied,
    ("VerifyReportFunctionRole", "ReadRecords"): export_is_denied,
    ("VerifyReportFunctionRole", "FindTheReport"): export_is_denied,
    ("VerifyReportFunctionRole", "ReadTheReport"): export_is_denied,
    ("VerifyReportFunctionRole", "AskWhetherAnythingMatches"): malformed_object_of_nothing_is_corrupt,
    ("CheckSetupFunctionRole", "ReadInspector"): check_is_unknown("inspector"),
    ("CheckSetupFunctionRole", "ReadTheBucket"): check_is_unknown("bucket_policy_for_inspector"),
    ("CheckSetupFunctionRole", "ReadConfigFiles"): check_of_owners_is_unknown,
    ("CheckSetupFunctionRole", "FindOwnerRules"): check_is_unknown("owners"),
    ("CheckSetupFunctionRole", "ReadTheKeys"): check_is_unknown("key"),
    ("CheckSetupFunctionRole", "SimulateTheRoles"): check_is_unknown("permissions"),
    ("CheckSetupFunctionRole", "ReadTheTopic"): check_is_unknown("topic"),
    ("CheckSetupFunctionRole", "FindTheSchedule"): check_is_unknown("schedule"),
    ("CheckSetupFunctionRole", "ReadTheSchedule"): check_is_unknown("schedule"),
    ("CheckSetupFunctionRole", "ReadTheDeadLetterQueue"): check_is_unknown("dead_letter_queue"),
    ("CheckSetupFunctionRole", "PublishToTheTopic"): check_cannot_be_published,
    ("PreviewExportFunctionRole", "CountFindings"): preview_counts_nothing,
    ("PreviewExportFunctionRole", "ReadTheReportInProgress"): preview_is_unknown("in_progress"),
    ("PreviewExportFunctionRole", "ReadHistory"): preview_is_unknown("recent_runs"),
    ("PreviewExportFunctionRole", "FindTheSchedule"): preview_is_unknown("schedules"),
    ("PreviewExportFunctionRole", "ReadTheSchedule"): preview_is_unknown("schedules"),
    ("CutReportFunctionRole", "KeepRecords"): analysis_of_parts_fails("AccessDeniedError"),
    ("CutReportFunctionRole", "ReadTheReport"): analysis_of_parts_fails("Analysis.ReportUnreadable"),
    ("AnalyzePartFunctionRole", "ReadOwnerRules"): owners_of_parts_are_unread,
    ("AnalyzePartFunctionRole", "FindOwnerRules"): owners_of_parts_are_unread,
    ("AnalyzeReportFunctionRole", "ReadOwnerRules"): owners_are_unread,
    ("AnalyzeReportFunctionRole", "FindOwnerRules"): owners_are_unknown,
    ("AnalyzeReportFunctionRole", "ReadFindingDetails"): kev_dates_are_unknown,
    ("AnalyzePartFunctionRole", "KeepRecords"): analysis_of_parts_fails("AccessDeniedError"),
    ("AnalyzePartFunctionRole", "ReadTheReport"): analysis_of_parts_fails("Analysis.ReportUnreadable"),
    ("AnalyzePartFunctionRole", "WriteItsPart"): analysis_of_parts_fails("Analysis.NotStored"),
    ("AnalyzeReportFunctionRole", "KeepRecords"): analysis_fails("AccessDeniedError"),
    ("AnalyzeReportFunctionRole", "FindTheBaseline"): analysis_fails("AccessDeniedError"),
    ("AnalyzeReportFunctionRole", "ReadTheReport"): analysis_fails("Analysis.ReportUnreadable"),
    ("AnalyzeReportFunctionRole", "KeepAnalyses"): analysis_fails("Analysis.NotStored"),
    ("AnalyzeReportFunctionRole", "DeleteMergedParts"): merged_parts_are_left,
    ("AnalyzeReportFunctionRole", "ReadInspector"): analysis_does_not_know_whether_inspector_scans,
    ("RecordRunFunctionRole", "KeepRecords"): export_is_denied,
    ("RecordRunFunctionRole", "WriteHistory"): history_is_not_written,
    ("NotifyFunctionRole", "KeepRecords"): export_is_denied,
    ("NotifyFunctionRole", "WriteHistory"): export_is_denied,
    ("NotifyFunctionRole", "PublishToTheTopic"): export_is_denied,
    ("NotifyFunctionRole", "AskWhoHearsAlarms"): run_does_not_say_that_alarms_are_not_delivered,
    ("CleanUpFunctionRole", "KeepRecords"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "WriteRecords"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "ContinueTheHourlyCleanup"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "ReleaseTheLock"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "FindOpenRuns"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "StopTheReport"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "AskWhetherARunLives"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "FindEndedRuns"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "PublishToTheTopic"): hourly_cleanup_is_denied,
    ("CleanUpFunctionRole", "AskWhoHearsAlarms"): hourly_cleanup_does_not_say_that_alarms_are_not_delivered,
    ("CleanUpFunctionRole", "KeepWhatFailed"): failed_clean_up_is_kept_nowhere,
}
OF_OWNERS = {
    *(
        ("NotifyOwnersFunctionRole", sid)
        for sid in ("KeepRecords", "FindNotifiedOwners", "ReadOwnerMessages", "PublishToTheOwners")
    ),
    *(("CleanUpFunctionRole", sid) for sid in ("FindNotifiedOwners", "ReadOwnerMessages", "PublishToTheOwners")),
}
"""Tried in test_owner_messages.py, on a stack that notifies owners."""
OF_REGIONS = {
    *(
        ("PlanReportsFunctionRole", sid)
        for sid in (
            *("ClaimTheScheduledTime", "KeepStarts", "KeepTheReports", "BeginTheSummary", "FindTheReportsFile"),
            *("ReadTheReportsFile", "AskWhetherExecutionsLive", "KeepMessagesForHome", "SendMessagesHome"),
        )
    ),
    *(
        ("FinishReportsFunctionRole", sid)
        for sid in ("FinishTheStart", "AskWhetherExecutionsLive", "KeepMessagesForHome", "SendMessagesHome")
    ),
    *(("NotifyFunctionRole", sid) for sid in ("KeepMessagesForHome", "SendMessagesHome")),
    *(
        ("CleanUpFunctionRole", sid)
        for sid in (
            "KeepMessagesForHome",
            "SendMessagesHome",
            "FinishStarts",
            "AskWhetherAStartLives",
            "FindMissingReports",
            "ExpectTheFirstReport",
        )
    ),
    *(
        ("SummarizeFunctionRole", sid)
        for sid in ("KeepSummaries", "FindOpenSummaries", "WriteThePage", "PublishToTheTopic", "KeepWhatFailed")
    ),
    *(("SummarizeScheduleRole", sid) for sid in ("StartTheSummary", "KeepWhatCouldNotBeStarted")),
    *(("ExportAllReportsRole", sid) for sid in ("InvokeTheSteps", "ExportTheReports", "FollowTheReports", "HearOfTheirEnd")),
}
"""Tried in test_regions.py, on the stacks of two Regions."""
NOT_ENFORCED_HERE = {
    "DecryptTheReportsFile",
    "EncryptThePage",
    # Lambda asks for it when the mapping is made: without it the stack is refused, which test_regions_and_nesting.py shows.
    "TakeMessages",
    "DecryptOwnerMessages",
    "DecryptOwnerRules",
    "DecryptTheReport",
    "DeliverLogs",
    "ReadTheKeyAsTheGuideNames",
    "Trace",
    "UseTheReportsKey",
    "UseTheTopicsKey",
    "WriteItsLog",
}


def policies() -> list[tuple[str, dict[str, Any]]]:
    """Every statement of every role in the template, with the role."""
    template = read_template(REPOSITORY / "template.yaml")
    roles = {name: resource for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::Role"}
    return [
        (name, statement["Fn::If"][1] if "Fn::If" in statement else statement)
        for name, role in roles.items()
        for policy in role["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def statements() -> list[tuple[str, str]]:
    return [(role, statement["Sid"]) for role, statement in policies()]


def test_every_statement_of_every_role_is_accounted_for() -> None:
    assert {each for each in statements() if each[1] not in NOT_ENFORCED_HERE} == {*NEEDED, *OF_OWNERS, *OF_REGIONS}


@pytest.mark.usefixtures("no_events")
@pytest.mark.parametrize(("role", "sid"), NEEDED, ids=[f"{role}-{sid}" for role, sid in NEEDED])
def test_statement_is_needed(role: str, sid: str, exporter: Exporter, inspector: InspectorControl) -> None:
    undelivered(exporter)
    with exporter.without_statement(role, sid):
        NEEDED[role, sid](exporter, inspector)


def test_clean_up_that_fails_three_times_lands_in_the_dead_letter_queue(exporter: Exporter) -> None:
    undelivered(exporter)
    with exporter.without_statement("CleanUpFunctionRole", "KeepRecords"):
        fire(exporter, "CleanUpFunctionHourlyCleanup")
        assert wait_until(lambda: undelivered(exporter) or None, "the failed hourly cleanup in the dead-letter queue") == 1


def test_each_step_runs_with_its_own_role_and_keeps_to_its_policy(exporter: Exporter, inspector: InspectorControl) -> None:
    of_one_report = {role for role, _ in statements() if role.endswith("FunctionRole")} - {role for role, _ in OF_REGIONS}
    of_one_report |= {"NotifyFunctionRole", "CleanUpFunctionRole"}
    roles = {exporter.resource(role): role for role in sorted(of_one_report)}
    of_account = {"account": exporter.account}
    exporter.aws.control("/_local/calls", of_account | {"clear": True})
    with exporter.with_parts_of(PART_BYTES):
        exporter.run({})
    inspector.hold()
    exporter.run(SHORT, seconds=90)  # what a failure needs, too
    exporter.invoke("CheckSetupFunction", {"notify": True})
    exporter.invoke("PreviewExportFunction", {})

    made: dict[str, set[str]] = {}
    for call in exporter.aws.control("/_local/calls", of_account)["calls"]:
        if call["role"] in roles:
            made.setdefault(roles[call["role"]], set()).add(call["action"])
    allowed = actions_by_role()
    assert set(made) >= set(roles.values()) - {"CleanUpFunctionRole", "NotifyOwnersFunctionRole"}
    assert {role: actions - allowed[role] for role, actions in made.items() if actions - allowed[role]} == {}
    assert [role for role, actions in made.items() if "inspector2:CreateFindingsReport" in actions] == ["StartReportFunctionRole"]


STRANGERS = {
    "EXECUTION#": {"ReleaseLock", "PreviewExport"},
    "LOCK#": {
        "PlanExport",
        "VerifyReport",
        "CutReport",
        "AnalyzePart",
        "AnalyzeReport",
        "RecordRun",
        "Notify",
        "NotifyOwners",
        "PreviewExport",
    },
    "REPORT#": {
        "PlanExport",
        "AcquireLock",
        "CancelReport",
        "ReleaseLock",
        "VerifyReport",
        "CutReport",
        "AnalyzePart",
        "NotifyOwners",
    },
    "SCHEDULED#": set(STEPS) - {"PlanExport"},
    "HOURLY_CLEANUP": set(STEPS) - {"CleanUp"},
}
"""The steps that have nothing to do with a kind of item."""


ITEM_CALLS: dict[str, Callable[[Any, str, dict[str, Any]], object]] = {
    "get": lambda client, table, key: client.get_item(TableName=table, Key=key),
    "put": lambda client, table, key: client.put_item(TableName=table, Item=key),
    "update": lambda client, table, key: client.update_item(TableName=table, Key=key, UpdateExpression="REMOVE notified_at"),
    "delete": lambda client, table, key: client.delete_item(TableName=table, Key=key),
    "query": lambda client, table, key: client.query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": key["pk"]}
    ),
    "scan": lambda client, table, _: client.scan(TableName=table),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_step_reaches_no_item_that_it_has_nothing_to_do_with(kind: str, exporter: Exporter) -> None:
    table, key = exporter.outputs["TableName"], {"pk": {"S": f"{kind}of-another"}, "sk": {"S": "1"}}
    allowed = []
    for step in sorted(STRANGERS[kind]):
        arn = exporter.client("iam").get_role(RoleName=exporter.resource(f"{step}FunctionRole"))["Role"]["Arn"]
        client = exporter.aws.role_client("dynamodb", arn, account=exporter.account, region=exporter.region)
        for name, call in ITEM_CALLS.items():
            try:
                call(client, table, key)
            except client.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "AccessDeniedException"  # noqa: PT017 - what is not raised counts
            else:
                allowed.append((step, name))
    assert allowed == []


def actions_by_role() -> dict[str, set[str]]:
    """What each role of the template may do."""
    found: dict[str, set[str]] = {}
    for role, statement in policies():
        actions = statement["Action"]
        found.setdefault(role, set()).update([actions] if isinstance(actions, str) else actions)
    return found
