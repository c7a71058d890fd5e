"""Executions that start executions, and accounts that work in two Regions: each patch is still needed, and still works.

As in test_patches, each question is asked once without patches and once with them, where MiniStack alone gives another answer.
"""

from __future__ import annotations

import itertools
import json
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.sandbox import ANYTHING, ENDED, Sandbox, eventually, policy
from tests.local_aws.server import REPOSITORY, LocalAws, location_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME, OTHER = "eu-west-1", "us-east-1"
"""In us-east-1 some things differ from all other Regions."""
WAIT_SCALE = 0.01
LONG = 3000
"""Seconds of a wait that takes half a minute here: longer than any of these tests."""

_accounts = itertools.count(200_000_000_001)
_BOTO3 = f"import sys; sys.path.append({str(REPOSITORY / '.venv/lib/python3.13/site-packages')!r})\nimport boto3\n"


@pytest.fixture(scope="module")
def plain_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("plain") / "emulator.log", patches="none", wait_scale=WAIT_SCALE) as aws:
        yield aws


@pytest.fixture(scope="module")
def full_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("full") / "emulator.log", wait_scale=WAIT_SCALE) as aws:
        yield aws


@pytest.fixture
def plain(plain_aws: LocalAws) -> Sandbox:
    return Sandbox(plain_aws, str(next(_accounts)))


@pytest.fixture
def full(full_aws: LocalAws) -> Sandbox:
    return Sandbox(full_aws, str(next(_accounts)))


def elsewhere(sandbox: Sandbox) -> Sandbox:
    """Return the same account in the other Region."""
    return Sandbox(sandbox.aws, sandbox.account, OTHER)


def refusal(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


# ---- executions that start executions

CHILD = {
    "QueryLanguage": "JSONata",
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "Seconds": "{% $states.input.wait %}", "Next": "End well?"},
        "End well?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.fail %}", "Next": "Failed"}],
            "Default": "Ended",
        },
        "Failed": {"Type": "Fail", "Error": "Refused", "Cause": "too large"},
        "Ended": {"Type": "Pass", "Output": {"found": 1}, "End": True},
    },
}
QUICK = {"wait": 0, "fail": False}
SLOW = {"wait": LONG, "fail": False}
FAILING = {"wait": 0, "fail": True}


def child_of(sandbox: Sandbox) -> str:
    role = sandbox.role("child", ANYTHING, service="states.amazonaws.com")
    created = sandbox.client("stepfunctions").create_state_machine(name="child", definition=json.dumps(CHILD), roleArn=role)
    return str(created["stateMachineArn"])


def task(child: str, given: dict[str, Any], name: str = "one", form: str = "sync:2", **more: Any) -> dict[str, Any]:
    arguments = {"StateMachineArn": child, "Name": name, "Input": given}
    resource = f"arn:aws:states:::states:startExecution.{form}"
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True, **more}


def parent(child: str, given: dict[str, Any], form: str = "sync:2", **more: Any) -> dict[str, Any]:
    return {"StartAt": "Child", "States": {"Child": task(child, given, form=form, **more)}}


def child_arn(child: str, name: str = "one") -> str:
    return f"{child.replace(':stateMachine:', ':execution:')}:{name}"


def status(sandbox: Sandbox, child: str, name: str = "one") -> str:
    """Return the child's status, or nothing where it is no execution yet."""
    with suppress(ClientError):
        return str(sandbox.execution(child_arn(child, name))["status"])
    return ""


def ended(sandbox: Sandbox, arn: str) -> Any:
    return eventually(lambda: (seen := sandbox.execution(arn))["status"] in ENDED and seen)


def runs(sandbox: Sandbox, child: str, name: str = "one") -> None:
    eventually(lambda: status(sandbox, child, name) == "RUNNING")


def watched(sandbox: Sandbox) -> Callable[[str], list[str]]:
    """Return a function that lists the statuses of which EventBridge has sent an event, of one state machine."""
    url, arn = sandbox.queue("watch")
    events = sandbox.client("events")
    events.put_rule(Name="watch", EventPattern=json.dumps({"source": ["aws.states"]}))
    events.put_targets(Rule="watch", Targets=[{"Id": "queue", "Arn": arn}])
    seen: list[dict[str, Any]] = []

    def statuses(machine: str) -> list[str]:
        received = sandbox.messages(url)
        seen.extend(json.loads(message["Body"])["detail"] for message in received)
        for message in received:
            sandbox.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [each["status"] for each in seen if each["stateMachineArn"] == machine]

    return statuses


def waiting_rights(sandbox: Sandbox, child: str) -> list[dict[str, Any]]:
    """Return the statements that a role needs to start a child and to wait for it."""
    rule = f"arn:aws:events:{sandbox.region}:{sandbox.account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    own = {"Effect": "Allow", "Action": ["states:DescribeExecution", "states:StopExecution"], "Resource": child_arn(child, "*")}
    return [
        {"Effect": "Allow", "Action": "states:StartExecution", "Resource": child},
        own,
        {"Effect": "Allow", "Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"], "Resource": rule},
    ]


class TestNestedExecutions:
    def test_a_nested_execution_is_an_execution_like_any_other(self, plain: Sandbox, full: Sandbox) -> None:
        def heard(sandbox: Sandbox) -> tuple[Any, list[str]]:
            statuses, child = watched(sandbox), child_of(sandbox)
            result = json.loads(sandbox.run(parent(child, QUICK))["output"])
            machine = child.replace("child", "machine")
            eventually(lambda: statuses(machine)[-1:] == ["SUCCEEDED"])
            return result, statuses(child)

        assert heard(plain)[1] == []
        result, events = heard(full)
        assert events == ["RUNNING", "SUCCEEDED"]
        assert (result["Input"], result["Output"], result["Status"]) == (QUICK, {"found": 1}, "SUCCEEDED")
        assert list(result) == sorted(result)
        assert isinstance(result["StartDate"], int)
        child = full.execution(result["ExecutionArn"])
        # Nothing is added to its input, such as the parent's id.
        assert (child["status"], child["input"]) == ("SUCCEEDED", json.dumps(QUICK))

    def test_the_first_form_has_texts_instead_of_json(self, full: Sandbox) -> None:
        result = json.loads(full.run(parent(child_of(full), QUICK, form="sync"))["output"])
        assert (json.loads(result["Input"]), json.loads(result["Output"])) == (QUICK, {"found": 1})

    def test_a_failed_child_fails_the_task_with_its_description(self, plain: Sandbox, full: Sandbox) -> None:
        def failed(sandbox: Sandbox) -> Any:
            return sandbox.run(parent(child_of(sandbox), FAILING))

        assert failed(plain)["error"] == "Refused"
        found = failed(full)
        described = json.loads(found["cause"])
        assert found["error"] == "States.TaskFailed"
        assert {name: described[name] for name in ("Error", "Cause", "Name", "Status")} == {
            "Error": "Refused",
            "Cause": "too large",
            "Name": "one",
            "Status": "FAILED",
        }
        assert json.loads(described["Input"]) == FAILING  # a text in a cause, with either form
        assert described.keys() >= {"ExecutionArn", "StartDate", "StateMachineArn", "StopDate"}
        assert "Output" not in described

    def test_a_child_s_name_can_be_used_once(self, plain: Sandbox, full: Sandbox) -> None:
        def again(sandbox: Sandbox) -> Any:
            child = child_of(sandbox)
            first = task(child, QUICK, Next="Again")
            del first["End"]
            return sandbox.run({"StartAt": "First", "States": {"First": first, "Again": task(child, QUICK)}})

        assert again(plain)["status"] == "SUCCEEDED"
        assert again(full)["error"] == "StepFunctions.ExecutionAlreadyExistsException"

    def test_a_child_that_does_not_exist_has_an_error_of_its_own(self, full: Sandbox) -> None:
        unknown = child_of(full) + "-unknown"
        assert full.run(parent(unknown, QUICK))["error"] == "StepFunctions.StateMachineDoesNotExistException"

    def test_a_child_ends_with_its_parent(self, plain: Sandbox, full: Sandbox) -> None:
        def left(sandbox: Sandbox) -> str:
            child = child_of(sandbox)
            arn = sandbox.start(parent(child, SLOW))
            if sandbox is full:
                runs(sandbox, child)
            sandbox.client("stepfunctions").stop_execution(executionArn=arn)
            with suppress(TimeoutError):
                eventually(lambda: status(sandbox, child) == "ABORTED", seconds=1 if sandbox is plain else 15)
            return status(sandbox, child)

        assert left(plain) != "ABORTED"
        assert left(full) == "ABORTED"

    def test_a_child_ends_with_the_time_of_its_task(self, full: Sandbox) -> None:
        child = child_of(full)
        found = full.run(parent(child, SLOW, TimeoutSeconds=1))
        assert found["error"] == "States.Timeout"
        assert eventually(lambda: status(full, child) == "ABORTED")

    def test_a_child_in_time_is_left_alone_by_the_time_of_its_task(self, full: Sandbox) -> None:
        child = child_of(full)
        assert full.run(parent(child, QUICK, TimeoutSeconds=20))["status"] == "SUCCEEDED"
        assert status(full, child) == "SUCCEEDED"

    def test_a_child_ends_with_the_map_that_started_it(self, full: Sandbox) -> None:
        child = child_of(full)
        one = task(child, QUICK)
        one["Arguments"] |= {"Name": "{% $states.input.name %}", "Input": "{% $states.input.given %}"}
        items = [{"name": "slow", "given": SLOW}, {"name": "failing", "given": {"wait": 150, "fail": True}}]
        processor = {"StartAt": "Child", "States": {"Child": one}}
        found = full.run(
            {"StartAt": "Each", "States": {"Each": {"Type": "Map", "Items": items, "ItemProcessor": processor, "End": True}}}
        )
        assert found["error"] == "States.TaskFailed"
        assert eventually(lambda: status(full, child, "slow") == "ABORTED")
        assert status(full, child, "failing") == "FAILED"

    def test_a_child_continues_where_the_role_may_not_stop_it(self, full: Sandbox) -> None:
        child = child_of(full)
        rights = waiting_rights(full, child)
        rights[1]["Action"] = "states:DescribeExecution"
        arn = full.start(parent(child, SLOW), *rights)
        runs(full, child)
        full.client("stepfunctions").stop_execution(executionArn=arn)
        time.sleep(0.5)
        assert status(full, child) == "RUNNING"

    def test_the_children_of_a_child_end_with_it(self, full: Sandbox) -> None:
        grandchild = child_of(full)
        role = full.role("between", ANYTHING, service="states.amazonaws.com")
        definition = json.dumps({"QueryLanguage": "JSONata", **parent(grandchild, SLOW)})
        states = full.client("stepfunctions")
        between = states.create_state_machine(name="between", definition=definition, roleArn=role)["stateMachineArn"]
        arn = full.start(parent(between, {}, TimeoutSeconds=60))
        runs(full, grandchild)
        states.stop_execution(executionArn=arn)
        assert eventually(lambda: (status(full, between), status(full, grandchild)) == ("ABORTED", "ABORTED"))

    @pytest.mark.parametrize(("missing", "started"), [("states:StartExecution", False), ("states:DescribeExecution", True)])
    def test_a_parent_needs_rights_on_its_child(self, missing: str, started: bool, full: Sandbox) -> None:
        child = child_of(full)
        denied = {"Effect": "Deny", "Action": missing, "Resource": "*"}
        found = full.run(parent(child, QUICK), *waiting_rights(full, child), denied)
        assert found["error"] == "StepFunctions.AWSStepFunctionsException"
        assert f"is not authorized to perform: {missing}" in found["cause"]
        assert bool(status(full, child)) is started

    def test_these_rights_are_enough(self, full: Sandbox) -> None:
        child = child_of(full)
        assert full.run(parent(child, QUICK), *waiting_rights(full, child))["status"] == "SUCCEEDED"

    def test_a_state_machine_with_children_needs_their_rule(self, plain: Sandbox, full: Sandbox) -> None:
        def asked(sandbox: Sandbox) -> list[str]:
            states, child = sandbox.client("stepfunctions"), child_of(sandbox)
            role = sandbox.role("poor", *waiting_rights(sandbox, child)[:2], service="states.amazonaws.com")
            waits = json.dumps({"QueryLanguage": "JSONata", **parent(child, QUICK)})
            starts = json.dumps({"QueryLanguage": "JSONata", "StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
            created = refusal(lambda: states.create_state_machine(name="waits", definition=waits, roleArn=role))
            machine = states.create_state_machine(name="starts", definition=starts, roleArn=role)["stateMachineArn"]
            return [created, refusal(lambda: states.update_state_machine(stateMachineArn=machine, definition=waits))]

        assert asked(plain) == ["", ""]
        assert asked(full) == ["AccessDeniedException"] * 2

    def test_a_stack_with_such_a_state_machine_is_refused(self, full: Sandbox) -> None:
        child = child_of(full)
        role = full.role("poor", *waiting_rights(full, child)[:2], service="states.amazonaws.com")
        definition = {"QueryLanguage": "JSONata", **parent(child, QUICK)}
        machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"Definition": definition, "RoleArn": role}}
        with pytest.raises(AssertionError, match="not authorized to create managed-rule"):
            full.stack({"Machine": machine})
        assert len(full.client("stepfunctions").list_state_machines()["stateMachines"]) == 1


# ---- one account in two Regions

SENDS = f"{_BOTO3}def handler(event, context):\n    boto3.client('sns').publish(TopicArn=TOPIC, Message='a')\n    return 1\n"


def role_for(service: str, *statements: dict[str, Any]) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    rights = {"PolicyName": "rights", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    properties = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}, "Policies": [rights]}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def function_of(role: str, code: str, **more: Any) -> dict[str, Any]:
    properties = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": [role, "Arn"]},
        "Code": {"ZipFile": code},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties | more}


def of_each_kind() -> dict[str, Any]:
    """Return resources without names, of the kinds that the exporter's template has."""
    own = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": {"Fn::GetAtt": ["Table", "Arn"]}}
    keys = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    ends = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    document = {"Version": "2012-10-17", "Statement": [own]}
    return {
        "Role": role_for("lambda.amazonaws.com", own),
        "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}},
        "Function": function_of("Role", "def handler(event, context): return 1\n"),
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {**keys, "BillingMode": "PAY_PER_REQUEST"}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "MachineRole": role_for("states.amazonaws.com", own),
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"Definition": ends, "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]}},
        },
    }


class TestRegions:
    def test_one_stack_in_two_regions_has_two_sets_of_names(self, plain: Sandbox, full: Sandbox) -> None:
        def shared(sandbox: Sandbox) -> set[str]:
            home, other = (each.stack(of_each_kind()) for each in (sandbox, elsewhere(sandbox)))
            return {logical_id for logical_id, name in home.items() if name.rsplit("/")[-1] == other[logical_id].rsplit("/")[-1]}

        assert shared(plain) >= {"Role", "Policy", "Function", "Table", "Queue", "MachineRole"}
        assert shared(full) == set()
        for sandbox in (full, elsewhere(full)):
            stack = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described(sandbox)}
            rights = sandbox.client("iam").get_role_policy(RoleName=stack["Role"], PolicyName="rights")["PolicyDocument"]
            assert f":{sandbox.region}:" in rights["Statement"][0]["Resource"]

    def test_names_stay_the_same_over_an_update(self, full: Sandbox) -> None:
        before = full.stack(of_each_kind())
        changed = of_each_kind()
        changed["Function"]["Properties"]["Timeout"] = 9
        changed["Role"]["Properties"]["Description"] = "changed"
        changed["Queue"]["Properties"] = {"VisibilityTimeout": 9}
        cloudformation = full.client("cloudformation")
        cloudformation.update_stack(
            StackName="stack", TemplateBody=json.dumps({"Resources": changed}), Capabilities=["CAPABILITY_IAM"]
        )
        eventually(lambda: cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE")
        assert {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described(full)} == before
        assert full.client("lambda").get_function_configuration(FunctionName=before["Function"])["Timeout"] == 9

    def test_a_deployment_ends_no_processes_of_another_region(self, plain: Sandbox, full: Sandbox) -> None:
        def stays(sandbox: Sandbox) -> bool:
            sandbox.function("work", "import os\ndef handler(event, context): return os.getpid()\n")
            before = sandbox.invoke("work")
            named = function_of("Role", "def handler(event, context): return 1\n", FunctionName="work")
            elsewhere(sandbox).stack({"Role": role_for("lambda.amazonaws.com", ANYTHING), "Function": named})
            return bool(sandbox.invoke("work") == before)

        assert not stays(plain)
        assert stays(full)

    def test_records_and_faults_of_two_regions_are_kept_apart(self, full: Sandbox) -> None:
        home, other = full, elsewhere(full)
        for sandbox in (home, other):
            topic = sandbox.client("sns").create_topic(Name="topic")["TopicArn"]
            sandbox.function(f"work-{sandbox.region}", SENDS.replace("TOPIC", repr(topic)), ANYTHING, Timeout=20)
        home.control("/_local/faults/put", kind="denied", action="sns:Publish", times=None)
        answers = [sandbox.invoke(f"work-{sandbox.region}") for sandbox in (home, other)]
        assert [answer if answer == 1 else answer["errorType"] for answer in answers] == ["AuthorizationErrorException", 1]
        for sandbox, struck in ((home, 1), (other, 0)):
            function = f"work-{sandbox.region}"
            assert [each["function"] for each in sandbox.control("/_local/invocations")["invocations"]] == [function]
            assert [(each["function"], each["region"]) for each in sandbox.control("/_local/calls")["calls"]] == [
                (function, sandbox.region)
            ]
            assert len(sandbox.control("/_local/faults")["struck"]) == struck
            assert len(sandbox.control("/_local/sns/published")["messages"]) == 1 - struck
        other.control("/_local/faults/clear", forget=True)
        other.control("/_local/calls", clear=True)
        assert home.invoke(f"work-{HOME}")["errorType"] == "AuthorizationErrorException"
        assert len(home.control("/_local/calls")["calls"]) == 2
        assert other.control("/_local/calls") == {"calls": []}

    def test_two_regions_have_waits_and_starts_of_their_own(self, full: Sandbox) -> None:
        home, other = full, elsewhere(full)
        home.control("/_local/wait_scales", scales={"*": 0})
        home.control("/_local/next_start", seconds_ago=3600)
        machine = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": LONG, "End": True}}})
        role = full.role("machine", ANYTHING, service="states.amazonaws.com")
        begun = {}
        for sandbox in (other, home):
            states = sandbox.client("stepfunctions")
            arn = states.create_state_machine(name="waits", definition=machine, roleArn=role)["stateMachineArn"]
            begun[sandbox] = states.start_execution(stateMachineArn=arn)["executionArn"]
        assert ended(home, begun[home])["status"] == "SUCCEEDED"
        assert other.execution(begun[other])["status"] == "RUNNING"
        started = [sandbox.execution(begun[sandbox])["startDate"].timestamp() for sandbox in (home, other)]
        assert started[1] - started[0] > 3000
        home.control("/_local/executions/forget")
        assert refusal(lambda: home.execution(begun[home])) == "ExecutionDoesNotExist"
        other.client("stepfunctions").stop_execution(executionArn=begun[other])
        home.control("/_local/executions/forget")
        assert other.execution(begun[other])["status"] == "ABORTED"

    def test_an_execution_is_stopped_in_the_midst_of_a_call_to_another_region(self, full: Sandbox) -> None:
        topic = elsewhere(full).client("sns").create_topic(Name="topic")["TopicArn"]
        code = SENDS.replace("TOPIC", repr(topic)).replace("'sns'", f"'sns', region_name={OTHER!r}")
        function = full.function("work", code, ANYTHING, Timeout=20)
        full.control("/_local/faults/put", kind="stopped", action="sns:Publish")
        payload = {"execution": {"arn": "{% $states.context.Execution.Id %}"}}
        work = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
        work["Arguments"] = {"FunctionName": function, "Payload": payload}
        assert full.run({"StartAt": "Work", "States": {"Work": work}})["status"] == "ABORTED"
        assert eventually(lambda: elsewhere(full).control("/_local/sns/published")["messages"])
        (call,) = full.control("/_local/calls")["calls"]
        assert (call["region"], call["fault"]) == (OTHER, "stopped")

    def test_the_exporter_works_twice_in_one_account(self, full: Sandbox) -> None:
        exporters = [Exporter.deploy(full.aws, "exporter", account=full.account, region=region) for region in (HOME, OTHER)]
        home, other = (set(exporter._listed().values()) for exporter in exporters)
        # These have the template's names, and each Region has its own.
        of_template = {"AWS::CloudWatch::Alarm", "AWS::KMS::Alias", "AWS::Logs::LogGroup", "AWS::Logs::QueryDefinition"}
        assert {kind for kind, _ in home & other} == of_template
        for exporter in exporters:
            (alarm, *_) = exporter.client("cloudwatch").describe_alarms(AlarmNamePrefix="exporter-")["MetricAlarms"]
            (alias,) = exporter.client("kms").list_aliases()["Aliases"]
            (log, *_) = exporter.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/exporter-")["logGroups"]
            assert {arn.split(":")[3] for arn in (alarm["AlarmArn"], alias["AliasArn"], log["arn"])} == {exporter.region}
        for exporter, findings in zip(exporters, (60, 20), strict=True):
            inspector = InspectorControl(full.aws, full.account, exporter.region)
            inspector.seed(findings=findings, seed=1)
            inspector.configure(base_seconds=0.1, seconds_per_1000=0.0)
        runs_of_both = [exporter.ended(arn, seconds=120) for exporter, arn in [(each, each.start()) for each in exporters]]
        assert [run.status for run in runs_of_both] == ["SUCCEEDED", "SUCCEEDED"]
        for exporter, run in zip(exporters, runs_of_both, strict=True):
            assert exporter.message_of(run.arn).outcome == "SUCCEEDED"
            assert [message.execution for message in exporter.messages()] == [run.name]
            assert {call["function"] for call in FaultControl(exporter).calls()} >= {"StartReportFunction", "NotifyFunction"}
            assert "" not in {invocation["function"] for invocation in FaultControl(exporter).invocations()}

    @pytest.mark.parametrize("region", [HOME, OTHER])
    def test_a_bucket_is_made_as_s3_wants_it(self, region: str, full: Sandbox) -> None:
        s3 = Sandbox(full.aws, full.account, region).client("s3")
        s3.create_bucket(Bucket=f"made-{full.account}", **location_of(region))
        assert s3.get_bucket_location(Bucket=f"made-{full.account}").get("LocationConstraint") in (region, None)
        if region == OTHER:
            wrong = {"CreateBucketConfiguration": {"LocationConstraint": OTHER}}
            assert refusal(lambda: s3.create_bucket(Bucket=f"wrong-{full.account}", **wrong)) == "InvalidLocationConstraint"


def described(sandbox: Sandbox) -> list[dict[str, Any]]:
    return list(sandbox.client("cloudformation").describe_stack_resources(StackName="stack")["StackResources"])


# ---- from one Region into another's queue

SENDER = f"""{_BOTO3}
def handler(event, context):
    sent = []
    for region in event["regions"]:
        sqs = boto3.client("sqs", region_name=region)
        try:
            sent.append(sqs.send_message(QueueUrl=event["url"], MessageBody="from " + context.invoked_function_arn)["MessageId"] and "sent")
        except Exception as error:
            sent.append(error.response["Error"]["Code"])
    return sent
"""
TAKER = """
def handler(event, context):
    for record in event["Records"]:
        print("TOOK", record["body"], record["awsRegion"], record["eventSourceARN"])
    bad = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}
"""
TAKES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def collecting(senders: str, code: str = TAKER, **more: Any) -> dict[str, Any]:
    """Return a queue to which only these roles may send, its dead-letter queue, and the function that takes from it."""
    queue = {"Fn::GetAtt": ["Queue", "Arn"]}
    others = {"Condition": {"ArnNotLike": {"aws:PrincipalArn": senders}}}
    refused = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue, **others}
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}, "maxReceiveCount": 2}
    return {
        "DeadLetters": {"Type": "AWS::SQS::Queue"},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 3, "RedrivePolicy": redrive}},
        "OnlySenders": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [refused]}},
        },
        "TakerRole": role_for(
            "lambda.amazonaws.com",
            {"Effect": "Allow", "Action": TAKES, "Resource": queue},
            {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
        ),
        "Taker": function_of("TakerRole", code, Timeout=3),
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": queue,
                "FunctionName": {"Ref": "Taker"},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "BatchSize": 10,
                **more,
            },
        },
    }


def sender(sandbox: Sandbox, name: str, queue_arn: str) -> str:
    right = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn}
    sandbox.function(name, SENDER, right, Timeout=20)
    return name


def invoked(sandbox: Sandbox, name: str, event: dict[str, Any]) -> Any:
    return json.load(sandbox.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])


def kept(sqs: Any, url: str) -> int:
    """Return how many messages are in a queue, whether they can be received now or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(int(value) for value in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())


def arn_of(sandbox: Sandbox, url: str) -> str:
    return f"arn:aws:sqs:{sandbox.region}:{sandbox.account}:{url.rsplit('/', 1)[-1]}"


class TestQueuesOfAnotherRegion:
    def test_a_function_sends_to_a_queue_of_another_region(self, full: Sandbox) -> None:
        home, other = full, elsewhere(full)
        stack = home.stack(collecting(f"arn:aws:iam::{full.account}:role/exporter/*"))
        url, arn = stack["Queue"], arn_of(home, stack["Queue"])
        right = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
        role = role_for("lambda.amazonaws.com", right)
        role["Properties"]["Path"] = "/exporter/"
        poor = role_for("lambda.amazonaws.com", {**right, "Resource": arn + "-another"})
        poor["Properties"]["Path"] = "/exporter/"
        names = other.stack(
            {
                "Role": role,
                "Sender": function_of("Role", SENDER, Timeout=20),
                "StrangersRole": role_for("lambda.amazonaws.com", right),
                "Stranger": function_of("StrangersRole", SENDER, Timeout=20),
                "PoorRole": poor,
                "Poor": function_of("PoorRole", SENDER, Timeout=20),
            }
        )
        event = {"url": url, "regions": [HOME, OTHER]}
        # A URL leads nowhere but to a queue of the client's own Region.
        assert invoked(other, names["Sender"], event) == ["sent", "AccessDenied"]
        for refused in ("Stranger", "Poor"):
            assert invoked(other, names[refused], event) == ["AccessDenied"] * 2
        taken = eventually(lambda: [line for line in home.log_lines(stack["Taker"]) if "TOOK" in line])
        assert all(f"from arn:aws:lambda:{OTHER}:{full.account}:function:{names['Sender']}" in line for line in taken)
        assert all(line.split()[-2:] == [HOME, arn] for line in taken)

    def test_a_condition_on_the_principal_sees_the_role(self, plain: Sandbox, full: Sandbox) -> None:
        def sent(sandbox: Sandbox) -> list[str]:
            url, arn = sandbox.queue("letters")
            senders = {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{sandbox.account}:role/sender"}}
            refused = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn, "Condition": senders}
            sandbox.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(refused)})
            roles = [sandbox.role(name, ANYTHING) for name in ("sender", "stranger")]
            clients = [sandbox.role_client("sqs", role) for role in roles]
            return [refusal(partial(client.send_message, QueueUrl=url, MessageBody="a")) for client in clients]

        assert sent(plain) == ["AccessDenied", "AccessDenied"]
        assert sent(full) == ["", "AccessDenied"]

    def test_failed_messages_come_again_and_end_in_the_dead_letter_queue(self, full: Sandbox) -> None:
        stack = full.stack(collecting("*"))
        invoked(full, stack["Taker"], {"Records": []})  # a cold start could last as long as a message is hidden
        sqs = full.client("sqs")
        for body in ("good", "bad"):
            sqs.send_message(QueueUrl=stack["Queue"], MessageBody=body)
        (letter,) = eventually(lambda: full.messages(stack["DeadLetters"]))
        assert letter["Body"] == "bad"
        taken = [line.split()[1] for line in full.log_lines(stack["Taker"]) if "TOOK" in line]
        assert sorted(taken) == ["bad", "bad", "good"]

    def test_a_malformed_answer_fails_the_whole_batch(self, plain: Sandbox, full: Sandbox) -> None:
        def left(sandbox: Sandbox) -> list[str]:
            code = "def handler(event, context): return {'batchItemFailures': [{'id': 'a'}]}\n"
            stack = sandbox.stack(collecting("*", code))
            sqs = sandbox.client("sqs")
            sqs.send_message(QueueUrl=stack["Queue"], MessageBody="a")
            eventually(lambda: kept(sqs, stack["Queue"]) == 0, seconds=30)
            return [each["Body"] for each in sandbox.messages(stack["DeadLetters"])]

        assert left(plain) == []
        assert left(full) == ["a"]

    @pytest.mark.parametrize("how", ["another region", "no rights", "hidden too briefly", "no queue"])
    def test_a_mapping_is_refused_as_lambda_refuses_it(self, how: str, plain: Sandbox, full: Sandbox) -> None:
        reasons = {
            "another region": "region",
            "no rights": "does not have permissions to call DeleteMessage on SQS",
            "hidden too briefly": "Queue visibility timeout: 30 seconds is less than Function timeout: 40 seconds",
            "no queue": "NonExistentQueue",
        }

        def mapped(sandbox: Sandbox) -> None:
            at = elsewhere(sandbox) if how == "another region" else sandbox
            _, arn = at.queue("letters")
            action = TAKES[:1] if how == "no rights" else TAKES
            role = role_for("lambda.amazonaws.com", {"Effect": "Allow", "Action": action, "Resource": "*"})
            taker = function_of("Role", TAKER, Timeout=40 if how == "hidden too briefly" else 3)
            source = arn + "-another" if how == "no queue" else arn
            mapping = {"EventSourceArn": source, "FunctionName": {"Ref": "Taker"}}
            sandbox.stack(
                {"Role": role, "Taker": taker, "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}}
            )

        mapped(plain)
        with pytest.raises(AssertionError, match=f"(?i){reasons[how]}"):
            mapped(full)

    def test_a_mapping_by_the_api_is_refused_as_well(self, full: Sandbox) -> None:
        _, arn = full.queue("letters")
        full.function("taker", TAKER)
        create = full.client("lambda").create_event_source_mapping
        assert refusal(lambda: create(EventSourceArn=arn, FunctionName="taker")) == "InvalidParameterValueException"
        full.function("allowed", TAKER, {"Effect": "Allow", "Action": TAKES, "Resource": arn})
        assert create(EventSourceArn=arn, FunctionName="allowed")["State"] in ("Creating", "Enabled")

    def test_the_queue_s_own_policy_may_give_the_right_to_receive(self, full: Sandbox) -> None:
        url, arn = full.queue("letters")
        full.function("taker", TAKER)
        taker = {"AWS": f"arn:aws:iam::{full.account}:role/taker-function"}
        allowed = {"Effect": "Allow", "Principal": taker, "Action": TAKES, "Resource": arn}
        full.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(allowed)})
        assert full.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="taker")["UUID"]
