"""Statements of the roles that the embedded AWS does not enforce: their words are held here, since no run would miss them."""

from typing import Any

import pytest

from tests.builders.rendered import CHINA, GOV, REGIONS, Place, Rendered
from tests.contract.parts import TEMPLATE, of_type

REPORTS_KEY = {"Fn::If": ["UseStackKey", {"Fn::GetAtt": ["Key", "Arn"]}, {"Ref": "ExistingKeyArn"}]}
STEPS = [name.removesuffix("Function") for name in of_type("AWS::Serverless::Function")]


def via(service: str) -> dict[str, Any]:
    hosts = [f"{service}.${{AWS::Region}}.amazonaws.com", f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}"]
    return {"StringEquals": {"kms:ViaService": [{"Fn::Sub": host} for host in hosts]}}


def statement(role: str, sid: str) -> dict[str, Any]:
    policies = TEMPLATE["Resources"][role]["Properties"]["Policies"]
    every = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    found = [each for each in every if each.get("Sid") == sid]  # one under a condition has none on the outside
    assert len(found) == 1, f"{role} has {len(found)} statements {sid}"
    return {name: value for name, value in found[0].items() if name != "Sid"}


@pytest.mark.parametrize("step", STEPS)
def test_each_function_may_write_its_own_log_and_no_other(step: str) -> None:
    assert statement(f"{step}FunctionRole", "WriteItsLog") == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": [f"{step}LogGroup", "Arn"]},
    }


@pytest.mark.parametrize("step", STEPS)
def test_each_function_may_send_its_trace(step: str) -> None:
    assert TEMPLATE["Resources"][f"{step}FunctionRole"]["Properties"]["ManagedPolicyArns"] == [{"Ref": "TracePolicy"}]
    (trace,) = TEMPLATE["Resources"]["TracePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert trace == {
        "Sid": "Trace",
        "Effect": "Allow",
        "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Resource": "*",
    }


@pytest.mark.parametrize(
    ("place", "mode", "enabled"),
    [
        (Place(), "Active", True),
        (GOV, "Active", True),
        (CHINA, "PassThrough", False),
        (Place(parameters=REGIONS), "Active", True),
    ],
    ids=["aws", "aws-us-gov", "aws-cn", "home"],
)
def test_every_function_and_the_workflow_are_traced_where_aws_can(place: Place, mode: str, enabled: bool) -> None:
    rendered = Rendered(place)
    functions = rendered.of_type("AWS::Lambda::Function").values()
    machines = rendered.of_type("AWS::StepFunctions::StateMachine").values()
    of_all_reports = 3 if len(machines) > 1 else 0
    assert len(functions) == len(STEPS) - 3 + of_all_reports
    assert {each["TracingConfig"]["Mode"] for each in functions} == {mode}
    assert all(machine["TracingConfiguration"] == {"Enabled": enabled} for machine in machines)


@pytest.mark.parametrize(
    "role", ["NotifyFunctionRole", "NotifyOwnersFunctionRole", "CleanUpFunctionRole", "CheckSetupFunctionRole"]
)
def test_a_publisher_may_use_the_topics_key_through_sns_only(role: str) -> None:
    assert statement(role, "UseTheTopicsKey") == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": {"Fn::GetAtt": ["Key", "Arn"]},
        "Condition": via("sns"),
    }


@pytest.mark.parametrize(
    ("role", "sid"),
    [
        ("VerifyReportFunctionRole", "DecryptTheReport"),
        ("CutReportFunctionRole", "DecryptTheReport"),
        ("CheckSetupFunctionRole", "DecryptOwnerRules"),
        ("NotifyOwnersFunctionRole", "DecryptOwnerMessages"),
        ("CleanUpFunctionRole", "DecryptOwnerMessages"),
    ],
)
def test_what_only_reads_objects_may_decrypt_them_through_s3_only(role: str, sid: str) -> None:
    assert statement(role, sid) == {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": REPORTS_KEY,
        "Condition": via("s3"),
    }


@pytest.mark.parametrize("role", ["AnalyzePartFunctionRole", "AnalyzeReportFunctionRole"])
def test_the_analysis_may_use_the_reports_key_through_s3_only(role: str) -> None:
    assert statement(role, "UseTheReportsKey") == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": REPORTS_KEY,
        "Condition": via("s3"),
    }


def test_start_may_read_the_reports_key_as_the_guide_names_it() -> None:
    assert statement("StartReportFunctionRole", "ReadTheKeyAsTheGuideNames") == {
        "Effect": "Allow",
        "Action": ["kms:DescribeKey", "kms:GetKeyPolicy"],
        "Resource": REPORTS_KEY,
    }


def test_the_workflow_may_deliver_its_log() -> None:
    wanted = {"CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
              "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"}  # fmt: skip
    assert set(statement("ExportFindingsRole", "DeliverLogs")["Action"]) == {f"logs:{each}" for each in wanted}


def test_the_workflow_may_trace() -> None:
    wanted = {"PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets"}
    assert set(statement("ExportFindingsRole", "Trace")["Action"]) == {f"xray:{each}" for each in wanted}


def test_an_alarm_may_publish_to_the_encrypted_topic() -> None:
    key = TEMPLATE["Resources"]["Key"]["Properties"]["KeyPolicy"]["Statement"]
    topic = TEMPLATE["Resources"]["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    alarms = {"Fn::Sub": "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"}
    condition = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, "ArnLike": {"aws:SourceArn": alarms}}
    from_alarms = [each for each in [*key, *topic] if each.get("Principal") == {"Service": "cloudwatch.amazonaws.com"}]
    assert [each["Action"] for each in from_alarms] == [["kms:Decrypt", "kms:GenerateDataKey*"], "sns:Publish"]
    assert all(each["Condition"] == condition for each in from_alarms)


def test_alarms_may_publish_to_their_own_topic_only() -> None:
    policies = {name: each["PolicyDocument"]["Statement"] for name, each in of_type("AWS::SNS::TopicPolicy").items()}
    of_services = {name for name, each in policies.items() for one in each if "Service" in str(one["Principal"])}
    assert set(policies) == {"TopicPolicy", "AlarmTopicPolicy", "OwnerTopicPolicy"}
    assert of_services == {"AlarmTopicPolicy"}


def test_a_message_in_the_dead_letter_queue_raises_an_alarm_that_says_what_to_do() -> None:
    alarm = TEMPLATE["Resources"]["DeadLetterAlarm"]["Properties"]
    assert (alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "ApproximateNumberOfMessagesVisible", "GreaterThanThreshold", 0,
    )  # fmt: skip
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}}]
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert "Purge the queue." in Rendered().of_type("AWS::CloudWatch::Alarm")["DeadLetterAlarm"]["AlarmDescription"]
