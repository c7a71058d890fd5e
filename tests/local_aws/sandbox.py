"""An account of its own for a test of the emulator, in one Region, with short ways to create functions, roles, queues and executions."""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.local_aws.server import DEFAULT_REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local_aws.server import LocalAws

ENDED = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def eventually[T](check: Callable[[], T], *, seconds: float = 15.0) -> T:
    """Call a function repeatedly until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (seen := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing was seen within {seconds} s")
        time.sleep(0.05)
    return seen


def zipped(files: dict[str, str]) -> bytes:
    """Return a zip file with these texts."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return package.getvalue()


@dataclass(frozen=True)
class Sandbox:
    """One account of an embedded AWS, in one Region."""

    aws: LocalAws
    account: str
    region: str = DEFAULT_REGION

    def client(self, service: str) -> Any:
        """Return a client with all rights."""
        return self.aws.client(service, account=self.account, region=self.region)

    def role_client(self, service: str, role_arn: str) -> Any:
        """Return a client that may do what a role may do."""
        return self.aws.role_client(service, role_arn, account=self.account, region=self.region)

    def control(self, path: str, **body: Any) -> dict[str, Any]:
        """Post to a control route in this account's and Region's name."""
        return self.aws.control(path, {"account": self.account, "region": self.region, **body})

    def role(self, name: str, *statements: dict[str, Any], service: str = "lambda.amazonaws.com") -> str:
        """Make a role that a service may assume, and return its ARN."""
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*statements))
        return arn

    def function(self, name: str, code: str, *statements: dict[str, Any], **options: Any) -> str:
        """Make a function from the text of its module `app`, with a role of its own, and return its ARN."""
        created = self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=self.role(f"{name}-function", *statements),
            Code={"ZipFile": zipped({"app.py": code})},
            **options,
        )
        arn: str = created["FunctionArn"]
        return arn

    def invoke(self, name: str) -> Any:
        """Return what a function answers."""
        return json.load(self.client("lambda").invoke(FunctionName=name)["Payload"])

    def log_lines(self, name: str) -> list[str]:
        """Return the lines of a function's log so far."""
        logs = self.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def start(self, definition: dict[str, Any], *statements: dict[str, Any]) -> str:
        """Start a JSONata state machine whose role holds these statements, or all rights; return the execution's ARN."""
        states = self.client("stepfunctions")
        machine = states.create_state_machine(
            name="machine",
            definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
            roleArn=self.role("machine", *(statements or [ANYTHING]), service="states.amazonaws.com"),
        )
        arn: str = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
        return arn

    def execution(self, arn: str) -> Any:
        """Return an execution as it is now."""
        return self.client("stepfunctions").describe_execution(executionArn=arn)

    def run(self, definition: dict[str, Any], *statements: dict[str, Any]) -> Any:
        """Return the ended execution of a state machine."""
        arn = self.start(definition, *statements)
        return eventually(lambda: (ended := self.execution(arn))["status"] in ENDED and ended)

    def queue(self, name: str) -> tuple[str, str]:
        """Create a queue that any principal may write to; return its URL and its ARN."""
        sqs = self.client("sqs")
        arn = f"arn:aws:sqs:{self.region}:{self.account}:{name}"
        every_principal = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        url: str = sqs.create_queue(QueueName=name, Attributes={"Policy": policy(every_principal)})["QueueUrl"]
        return url, arn

    def messages(self, url: str) -> list[dict[str, Any]]:
        """Receive what is in a queue now."""
        received = self.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return list(received.get("Messages", []))

    def stack(self, resources: dict[str, Any]) -> dict[str, str]:
        """Create a stack and return its resources' physical ids by logical id."""
        cloudformation = self.client("cloudformation")
        template = json.dumps({"Resources": resources})
        cloudformation.create_stack(
            StackName="stack", TemplateBody=template, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )

        def check() -> Any:
            (found,) = cloudformation.describe_stacks(StackName="stack")["Stacks"]
            return None if found["StackStatus"].endswith("_IN_PROGRESS") else found

        created = eventually(check)
        listed = cloudformation.describe_stack_resources(StackName="stack")["StackResources"]
        if created["StackStatus"] != "CREATE_COMPLETE":
            events = cloudformation.describe_stack_events(StackName="stack")["StackEvents"]
            raise AssertionError([event.get("ResourceStatusReason") for event in events if "FAILED" in event["ResourceStatus"]])
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
