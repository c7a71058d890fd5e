"""A deployed stack of the exporter: deploys it, starts and watches executions, and reads what they leave."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Self

from tests.builders.cloudformation import read_template
from tests.local_aws.server import DEFAULT_ACCOUNT, DEFAULT_REGION, REPOSITORY, location_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from tests.local_aws.server import LocalAws

BUILT = REPOSITORY / ".aws-sam/build"
CHECK_SECONDS = 0.05
KEY_PREFIX = "inspector"
MINUTE_SECONDS = 60
"""The shortest deadline that a run may have."""


class NotInTimeError(Exception):
    """A wait ended before its condition was met."""


@dataclass(frozen=True)
class Execution:
    """One execution of the workflow, as Step Functions describes it."""

    arn: str
    status: str
    input: str
    started_at: datetime
    ended_at: datetime | None
    output: Any
    error: str | None
    cause: str | None

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.arn.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Message:
    """One notification: its bodies by protocol."""

    subject: str
    email: str
    chat: dict[str, Any]
    event: dict[str, Any]
    attributes: dict[str, Any]
    published_at: float
    """Epoch seconds."""

    @property
    def outcome(self) -> str:
        """The outcome that it reports."""
        return str(self.event["outcome"])

    @property
    def execution(self) -> str:
        """The name of the execution that it is about."""
        return str(self.event["execution"]["name"])


@dataclass(frozen=True)
class OwnerMessage:
    """One message to an owner: its bodies by protocol."""

    owner: str
    """The attribute that teams filter by."""
    subject: str
    email: str
    event: dict[str, Any]
    attributes: dict[str, Any]
    published_at: float
    """Epoch seconds."""

    @property
    def execution(self) -> str:
        """The name of the execution that it is about."""
        return str(self.event["execution"]["name"])


class Exporter:
    """A stack of the exporter on the embedded AWS."""

    def __init__(self, aws: LocalAws, stack_name: str, account: str = DEFAULT_ACCOUNT, region: str = DEFAULT_REGION) -> None:
        self.aws, self.stack_name, self.account, self.region = aws, stack_name, account, region
        self._clients: dict[str, Any] = {}
        self._resources: dict[str, tuple[str, str]] = {}
        stack = self.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        self.states = self.client("stepfunctions")
        self.state_machine = self.outputs["StateMachineArn"]
        self.forgotten: set[str] = set()
        self._deployed_definition = ""

    @classmethod
    def deploy(
        cls,
        aws: LocalAws,
        stack_name: str,
        *,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
        parameters: Mapping[str, str] | None = None,
    ) -> Self:
        """Create the stack from the output of sam build: the result of sam deploy, in a second."""
        s3 = aws.client("s3", account=account, region=region)
        bucket = f"packages-{account}-{region}"
        if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=bucket, **location_of(region))
        for key, content in packages().items():
            s3.put_object(Bucket=bucket, Key=key, Body=content)
        s3.put_object(Bucket=bucket, Key="template.json", Body=packaged_template(bucket).encode())
        template_url = f"{aws.endpoint_url}/{bucket}/template.json"
        return cls.create(aws, stack_name, template_url, account=account, region=region, parameters=parameters, has_macro=True)

    @classmethod
    def create(
        cls,
        aws: LocalAws,
        stack_name: str,
        template_url: str,
        *,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
        parameters: Mapping[str, str] | None = None,
        has_macro: bool = False,
    ) -> Self:
        """Create the stack from a template in a bucket, and wait until it is complete."""
        cloudformation = aws.client("cloudformation", account=account, region=region)
        # The schedules are disabled: a test that runs at 03:00 must not meet the scheduled export.
        given = {"Architecture": "x86_64", "ScheduleState": "DISABLED", **(parameters or {})}
        cloudformation.create_stack(
            StackName=stack_name,
            TemplateURL=template_url,
            Capabilities=["CAPABILITY_IAM", *(["CAPABILITY_AUTO_EXPAND"] if has_macro else [])],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )

        settled(cloudformation, stack_name, "CREATE_COMPLETE")
        return cls(aws, stack_name, account, region)

    def update(self, template_url: str, ends: str = "UPDATE_COMPLETE") -> None:
        """Update the stack to a template without macro, with the parameters that it has, and wait until it has a status."""
        cloudformation = self.client("cloudformation")
        parameters = cloudformation.describe_stacks(StackName=self.stack_name)["Stacks"][0]["Parameters"]
        cloudformation.update_stack(
            StackName=self.stack_name,
            TemplateURL=template_url,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in parameters],
        )
        stack = settled(cloudformation, self.stack_name, ends)
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        self._resources.clear()

    def delete(self) -> None:
        """Delete the stack, and wait for that."""
        cloudformation = self.client("cloudformation")
        stack_id = cloudformation.describe_stacks(StackName=self.stack_name)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=self.stack_name)
        settled(cloudformation, stack_id, "DELETE_COMPLETE")

    def client(self, service: str) -> Any:
        """Return a client with all rights in the stack's account."""
        if service not in self._clients:  # to make one takes longer than most calls
            self._clients[service] = self.aws.client(service, account=self.account, region=self.region)
        return self._clients[service]

    def resource(self, logical_id: str) -> str:
        """Return the physical id of one of the stack's resources."""
        return self._listed()[logical_id][1]

    def resources(self) -> dict[str, str]:
        """Return the physical ids of the stack's resources, by logical id."""
        return {logical_id: name for logical_id, (_, name) in self._listed().items()}

    def functions(self) -> dict[str, str]:
        """Return the names of the stack's functions, by logical id."""
        return {logical_id: name for logical_id, (kind, name) in self._listed().items() if kind == "AWS::Lambda::Function"}

    def _listed(self) -> dict[str, tuple[str, str]]:
        if not self._resources:
            pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack_name)
            listed = [each for page in pages for each in page["StackResourceSummaries"]]
            self._resources |= {each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"]) for each in listed}
        return self._resources

    @contextmanager
    def without_statement(self, role: str, sid: str) -> Iterator[None]:
        """Remove a statement from a role's policy while the context lasts."""
        iam, name = self.client("iam"), self.resource(role)
        policy = iam.list_role_policies(RoleName=name)["PolicyNames"][0]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        kept = [each for each in document["Statement"] if each["Sid"] != sid]
        if len(kept) == len(document["Statement"]):
            raise LookupError(f"{role} has no statement {sid}")
        put = partial(iam.put_role_policy, RoleName=name, PolicyName=policy)
        if kept:
            put(PolicyDocument=json.dumps(document | {"Statement": kept}))
        else:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        try:
            yield
        finally:
            put(PolicyDocument=json.dumps(document))

    @contextmanager
    def without_alarm_subscription(self) -> Iterator[None]:
        """Remove the alarm topic's subscription while the context lasts."""
        sns, topic = self.client("sns"), self.outputs["AlarmTopicArn"]
        (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        try:
            yield
        finally:
            sns.subscribe(TopicArn=topic, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])

    @contextmanager
    def with_parts_of(self, part_bytes: int) -> Iterator[None]:
        """Divide reports that are larger than this, while the context lasts."""
        self.set_part_bytes(part_bytes)
        try:
            yield
        finally:
            self.set_part_bytes(None)

    def set_part_bytes(self, part_bytes: int | None) -> None:
        """Divide the reports of later executions that are larger than this; None is the size that was deployed.

        The number in the state machine's definition is rewritten, since a report of 512 MiB would take too long here.
        """
        machine = {"stateMachineArn": self.state_machine}
        if not self._deployed_definition:
            if part_bytes is None:
                return
            self._deployed_definition = self.states.describe_state_machine(**machine)["definition"]
        definition = json.loads(self._deployed_definition)
        variables = definition["States"]["Prepare Run"]["Assign"]
        if part_bytes is not None:
            variables["part_bytes"] = re.sub(r"\d+", str(part_bytes), variables["part_bytes"])
        self.states.update_state_machine(**machine, definition=json.dumps(definition))
        if part_bytes is None:
            self._deployed_definition = ""

    def start(self, run_input: object = None, name: str | None = None) -> str:
        """Start an execution and return its ARN. A string is sent unchanged.

        An input's deadline is at least a minute. For a shorter one, the execution gets a deadline of a minute and a start
        time that lies the difference in the past.
        """
        if isinstance(run_input, dict) and 0 < (seconds := run_input.get("deadline_hours", 1) * 3600) < MINUTE_SECONDS:
            place = {"account": self.account, "region": self.region}
            self.aws.control("/_local/next_start", {**place, "seconds_ago": MINUTE_SECONDS - seconds})
            run_input = run_input | {"deadline_hours": MINUTE_SECONDS / 3600}
        text = run_input if isinstance(run_input, str) else json.dumps({} if run_input is None else run_input)
        named = {"name": name} if name else {}
        return str(self.states.start_execution(stateMachineArn=self.state_machine, input=text, **named)["executionArn"])

    def run(self, run_input: object = None, seconds: float = 40) -> Execution:
        """Start an execution and wait until it has ended."""
        return self.ended(self.start(run_input), seconds)

    def describe(self, arn: str) -> Execution:
        """Return the current state of an execution."""
        result = self.states.describe_execution(executionArn=arn)
        output = result.get("output") if result["status"] == "SUCCEEDED" else None
        return Execution(
            arn=arn,
            status=result["status"],
            input=result["input"],
            started_at=result["startDate"],
            ended_at=result.get("stopDate"),
            output=json.loads(output) if output else None,
            error=result.get("error"),
            cause=result.get("cause"),
        )

    def ended(self, arn: str, seconds: float = 40) -> Execution:
        """Wait until an execution has ended."""

        def ended() -> Execution | None:
            execution = self.describe(arn)
            return None if execution.status == "RUNNING" else execution

        return wait_until(ended, f"{arn} to end", seconds)

    def reached(self, arn: str, state: str, seconds: float = 20) -> None:
        """Wait until an execution has entered a state."""
        wait_until(lambda: state in self.states_entered(arn) or None, f"{arn} to reach {state}", seconds)

    def states_entered(self, arn: str) -> list[str]:
        """Return the names of the states that an execution has entered, in order."""
        return [name for name, _ in self.history(arn)]

    def history(self, arn: str) -> list[tuple[str, datetime]]:
        """Return the states that an execution has entered, with the time."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return [
            (event["stateEnteredEventDetails"]["name"], event["timestamp"])
            for event in events
            if "stateEnteredEventDetails" in event
        ]

    def executions(self) -> list[Execution]:
        """Return the executions since the last forget, the oldest first."""
        pages = self.states.get_paginator("list_executions").paginate(stateMachineArn=self.state_machine)
        arns = [each["executionArn"] for page in pages for each in page["executions"]]
        found = [self.describe(arn) for arn in arns if arn not in self.forgotten]
        return sorted(found, key=lambda execution: execution.started_at)

    def messages(self) -> list[Message]:
        """Return what was published about exports to the topic, the oldest first."""
        published = self.aws.control("/_local/sns/published", {"account": self.account, "region": self.region})["messages"]
        return [
            Message(
                subject=each["subject"],
                email=each["bodies"]["email"],
                chat=json.loads(each["bodies"]["https"]),
                event=json.loads(each["bodies"]["default"]),
                attributes=each["attributes"],
                published_at=each["time"],
            )
            for each in published
            if each["topic_arn"] == self.outputs["TopicArn"] and "outcome" in each["attributes"]
        ]

    def owner_messages(self) -> list[OwnerMessage]:
        """Return what was published to the owners' topic, the oldest first; nothing where the stack has none."""
        published = self.aws.control("/_local/sns/published", {"account": self.account, "region": self.region})["messages"]
        return [
            OwnerMessage(
                owner=each["attributes"]["owner"]["StringValue"],
                subject=each["subject"],
                email=each["bodies"]["email"],
                event=json.loads(each["bodies"]["default"]),
                attributes=each["attributes"],
                published_at=each["time"],
            )
            for each in published
            if each["topic_arn"] == self.outputs.get("OwnerTopicArn")
        ]

    def put_owner_rules(self, rules: object) -> None:
        """Put the file that says who owns what."""
        key = f"{KEY_PREFIX}/config/owners.json"
        self.client("s3").put_object(Bucket=self.outputs["BucketName"], Key=key, Body=json.dumps(rules).encode())

    def put_reports(self, content: object) -> None:
        """Put the file of reports."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.client("s3").put_object(Bucket=self.outputs["BucketName"], Key=f"{KEY_PREFIX}/config/reports.json", Body=body)

    def start_reports(self, run_input: object, name: str | None = None) -> str:
        """Start all reports of the Region and return the ARN of the execution."""
        named = {"name": name} if name else {}
        machine = self.outputs["AllReportsStateMachineArn"]
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(run_input), **named)["executionArn"])

    def summaries(self) -> list[dict[str, Any]]:
        """Return what was published about scheduled times, as SNS got it, the oldest first."""
        published = self.aws.control("/_local/sns/published", {"account": self.account, "region": self.region})["messages"]
        return [each for each in published if each["attributes"].get("kind", {}).get("StringValue") == "summary"]

    def message_of(self, arn: str, seconds: float = 20) -> Message:
        """Wait for the message about an execution, and fail if there is more than one."""
        name = arn.rsplit(":", 1)[-1]
        message = wait_until(
            lambda: [each for each in self.messages() if each.execution == name] or None, f"a message about {name}", seconds
        )
        if len(message) != 1:
            raise AssertionError(f"{len(message)} messages about {name}")
        return message[0]

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return all items of the table, by key."""
        scanned = self.client("dynamodb").scan(TableName=self.outputs["TableName"], ConsistentRead=True)["Items"]
        plain = [{name: next(iter(value.values())) for name, value in item.items()} for item in scanned]
        return {(item["pk"], item["sk"]): item for item in plain}

    def lock(self) -> dict[str, Any] | None:
        """Return the lock's item, or None when it is free."""
        return self.items().get((f"LOCK#{self.account}#{self.region}", "LOCK"))

    def put_lock(self, **attributes: Any) -> None:
        """Write the lock's item, as a crashed run would have left it."""
        item = {"pk": f"LOCK#{self.account}#{self.region}", "sk": "LOCK", **attributes}
        typed = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in item.items()}
        self.client("dynamodb").put_item(TableName=self.outputs["TableName"], Item=typed)

    def run_item(self, arn: str) -> dict[str, Any]:
        """Return the table's item about an execution."""
        return self.items()[f"EXECUTION#{arn.rsplit(':', 1)[-1]}", "EXECUTION"]

    def objects(self) -> list[str]:
        """Return the keys of all objects in the bucket."""
        return list(self.sizes())

    def sizes(self) -> dict[str, int]:
        """Return the sizes of all objects in the bucket, by key."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.outputs["BucketName"])
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        content: bytes = self.client("s3").get_object(Bucket=self.outputs["BucketName"], Key=key)["Body"].read()
        return content

    def invoke(self, function: str, event: object) -> Any:
        """Invoke a function by its logical id and return its answer, or raise with its error."""
        answer = self.client("lambda").invoke(FunctionName=self.resource(function), Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise FunctionFailedError(payload)
        return payload

    def send(self, function: str, event: object) -> None:
        """Invoke a function by its logical id as EventBridge does: asynchronously, with retries after a failure."""
        self.client("lambda").invoke(FunctionName=self.resource(function), Payload=json.dumps(event), InvocationType="Event")

    def forget(self) -> None:
        """Clear what earlier tests left: running executions, messages, objects, and all items but those of ended runs."""
        running = self.states.list_executions(stateMachineArn=self.state_machine, statusFilter="RUNNING")["executions"]
        for each in running:
            with suppress(self.states.exceptions.ValidationException):  # it has ended meanwhile
                self.states.stop_execution(executionArn=each["executionArn"])
        self.delete_items(lambda item: item["sk"] == "LOCK")
        wait_until(self._swept, "a notification of every ended run")
        # The item of a notified run stays: without it the hourly cleanup would notify again.
        self.delete_items(lambda item: item["sk"] != "EXECUTION")
        self.forgotten |= {execution.arn for execution in self.executions()}
        self.aws.control("/_local/sns/published", {"account": self.account, "region": self.region, "clear": True})
        self.delete_objects()

    def delete_items(self, unwanted: Callable[[dict[str, Any]], bool]) -> None:
        """Delete records."""
        keys = [{"pk": {"S": pk}, "sk": {"S": sk}} for (pk, sk), item in self.items().items() if unwanted(item)]
        for some in batched(keys, 25, strict=False):  # as many as BatchWriteItem takes
            deletes = [{"DeleteRequest": {"Key": key}} for key in some]
            self.client("dynamodb").batch_write_item(RequestItems={self.outputs["TableName"]: deletes})

    def delete_objects(self) -> None:
        """Delete all objects in the bucket."""
        for some in batched(self.objects(), 1000, strict=False):
            deletes = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            self.client("s3").delete_objects(Bucket=self.outputs["BucketName"], Delete=deletes)

    def _swept(self) -> bool | None:
        try:
            self.invoke("CleanUpFunction", {})
        except FunctionFailedError:
            return None  # the cleanup that the event started is still running
        return None if any(item.get("open") == "OPEN" for item in self.items().values()) else True


class FunctionFailedError(Exception):
    """A function ended in an error."""

    def __init__(self, payload: dict[str, Any]) -> None:
        super().__init__(json.dumps(payload))
        self.type, self.message = payload.get("errorType", ""), payload.get("errorMessage", "")


def wait_until[T](check: Callable[[], T | None], what: str, seconds: float = 20) -> T:
    """Call a function repeatedly until it returns something, and return that."""
    deadline = time.monotonic() + seconds
    while (seen := check()) is None:
        if time.monotonic() > deadline:
            raise NotInTimeError(f"waited {seconds} s for {what}")
        time.sleep(CHECK_SECONDS)
    return seen


def settled(cloudformation: Any, stack: str, ends: str) -> dict[str, Any]:
    """Wait until a stack has a status, fail at once where it ends with another one, and return its description."""

    def described() -> dict[str, Any] | None:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if found["StackStatus"] == ends:
            return found
        if not found["StackStatus"].endswith("IN_PROGRESS"):
            raise NotInTimeError(
                f"the stack ended as {found['StackStatus']}: {found.get('StackStatusReason', 'without a reason')}"
            )
        return None

    return wait_until(described, f"the stack to be {ends}", seconds=60)


@cache
def packages() -> dict[str, bytes]:
    """Return the built functions and the layer as archives, by the name of their folder."""
    if not (BUILT / "template.yaml").exists():
        raise FileNotFoundError("there is no build: run make build")
    return {folder.name: _archive(folder) for folder in BUILT.iterdir() if folder.is_dir()}


def _archive(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            # The embedded AWS runs on x86_64; the arm64 libraries are half of the analytics layer.
            if path.is_file() and "aarch64" not in path.name:
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def packaged_template(bucket: str) -> str:
    """Return the built template with its code in a bucket."""
    template = read_template(BUILT / "template.yaml")
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{bucket}/{name}"
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = f"s3://{bucket}/{name}"
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            definition = (BUILT / resource["Properties"].pop("DefinitionUri")).read_text()
            resource["Properties"]["Definition"] = json.loads(definition)
    return json.dumps(template)
