"""Small builders of everything that a test needs, with a value for whatever the test does not care about."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
from botocore.exceptions import ClientError

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.plan import Plan, make_plan
from findings_exporter.model.run import Run
from tests.builders.cloudformation import read_template

ACCOUNT, REGION = "123456789012", "eu-central-1"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:findings-ExportFindings"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:findings-Topic"
ALARM_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:findings-Alarms"
BUCKET = "findings-bucket"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/findings-nightly"
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
REPORT_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}
VARIABLES = {
    "TABLE_NAME": "findings-Table",
    "TOPIC_ARN": TOPIC,
    "STATE_MACHINE_ARN": MACHINE,
    "BUCKET": BUCKET,
    "BUCKET_OWNER": ACCOUNT,
    "KEY_PREFIX": "inspector",
    "KMS_KEY_ARN": KEY,
    "REPORT_NAME": "nightly",
    "REPORT_FORMAT": "JSON",
    "FILTER_CRITERIA": "{}",
    "ON_BUSY": "wait",
    "DEADLINE_HOURS": "6",
}
ENVIRONMENT = CREDENTIALS | VARIABLES
EVENTS_PER_CHECK, EVENTS_A_RETRY, EVENTS_A_PART = 9, 3, 11
"""Of Wait, Task and Choice together, of a task's further try, and of an iteration of Analyze Parts; counted in
tests/workflow/test_history_events.py."""
EVENTS_A_STANDARD_EXECUTION_MAY_HAVE = 25_000

HOSTILE_NAMES = [
    "..", ".", ".hidden", "a/b", "year=2026", "x" * 80, "ä" * 80, "夜", "a b", "a+b@c", "-", "x\n", "%2e%2e", "run-1",
]  # fmt: skip
"""Names that Step Functions may give an execution, and that must not stand in a key as they are."""


def minutes(count: float) -> datetime:
    """The time so many minutes after the run's start."""
    return START + timedelta(minutes=count)


def config(**variables: str) -> Config:
    """A deployment; variables by their environment's names."""
    return Config.from_env(VARIABLES | variables)


def execution(name: str = "run-1", started_at: datetime = START, region: str = REGION, partition: str = "aws") -> Execution:
    """An execution by its name."""
    return Execution(f"arn:{partition}:states:{region}:{ACCOUNT}:execution:findings-ExportFindings:{name}", started_at)


def plan(run_input: Mapping[str, Any] | None = None, of: Execution | None = None, **variables: str) -> Plan:
    """The plan of an input that is right."""
    made = make_plan(dict(run_input or {}), config(**variables), of or execution())
    assert isinstance(made, Plan), made
    return made


def delivery(**fields: Any) -> Delivery:
    """A verified delivery with findings."""
    prefix = plan().destination.prefix
    defaults: dict[str, Any] = {
        "bucket": BUCKET,
        "prefix": prefix,
        "key": f"{prefix}{REPORT_ID}.json",
        "size_bytes": 1_234_567,
        "etag": '"abc-2"',
        "version_id": "v1",
        "kms_key_arn": KEY,
        "nothing_found": None,
    }
    return Delivery(**defaults | fields)


def nothing(how: str) -> Delivery:
    """A delivery that holds nothing."""
    return delivery(key=None, size_bytes=0, etag=None, version_id=None, kms_key_arn=None, nothing_found=how)


def ended_run(**fields: Any) -> Run:
    """A run as it is recorded after a success."""
    defaults: dict[str, Any] = {
        "execution": execution(),
        "input": "{}",
        "plan": plan(),
        "report_id": REPORT_ID,
        "report_created_at": minutes(1),
        "report_ended_at": minutes(11),
        "outcome": "SUCCEEDED",
        "delivery": delivery(),
        "ended_at": minutes(12),
        "notification_id": "5f0c0b0e-0000-5000-8000-000000000000",
    }
    return Run(**defaults | fields)


def failed_run(failure: Failure, **fields: Any) -> Run:
    """A run as it is recorded after a failure: of its report, or before that has ended."""
    of_report = failure.error.startswith(("Report.", "Delivery."))
    report_ended_at = {} if of_report else {"report_ended_at": None}
    return ended_run(**{"outcome": "FAILED", "failure": failure, "delivery": None} | report_ended_at | fields)


def headline(**fields: Any) -> dict[str, Any]:
    """The headline of a run's analysis: 12 findings are new, 30 are no longer open."""
    folder = "inspector/analyses/nightly/year=2026/month=11/day=23/4f9c2a4e-8d0b-4c0e-9a55-0c7d8a3c1d11"
    table = "inspector/findings/report=nightly/day=2026-11-23/4f9c2a4e-8d0b-4c0e-9a55-0c7d8a3c1d11"
    return {
        "schema_version": "2.0",
        "bucket": BUCKET,
        "analysis_key": f"{folder}/analysis.json",
        "page_key": f"{folder}/index.html",
        "parquet_prefix": f"{table}/",
        "fingerprints_key": f"{folder}/findings.fingerprints",
        "fingerprints_etag": '"e1"',
        "names_key": f"{folder}/findings.names",
        "names_etag": '"e2"',
        "total": 1204,
        "open": 1204,
        "by_severity": {"CRITICAL": 3, "HIGH": 482, "MEDIUM": 642, "LOW": 77},
        "by_status": {"ACTIVE": 1204},
        "baseline": {"execution": "run-0", "started_at": "2026-11-22T03:00:00+00:00", "age": "24 hours"},
        "no_baseline": None,
        "changes": {
            "appeared": 12,
            "no_longer_open": 30,
            "counts": {"still_open": 1192, "new": 11, "reopened": 1, "closed": 22, "resource_removed": 8},
            "appeared_by_severity": {"CRITICAL": 2, "HIGH": 4, "MEDIUM": 6},
            "no_longer_open_by_severity": {"HIGH": 5, "MEDIUM": 25},
        },
        "worst_new": [
            finding(),
            finding(vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=[package("libxml2", "2.9.1", "2.9.4")], exploit_available=False),
            finding(severity="HIGH", vulnerability_id="CVE-2026-19876", title="CVE-2026-19876 - curl", packages=[package("curl", "8.4.0"), package("libcurl", "8.4.0")],
                    **instance("i-0abc1234def567890"), fix_available="NO", exploit_available=False),
            finding(severity="HIGH", vulnerability_id=None, title="Port 22 is reachable from an Internet Gateway - TCP", packages=[],
                    **instance("i-0abc1234def567890"), fix_available=None, exploit_available=None),
        ],
        "worst_no_longer_open": [
            finding(severity="HIGH", vulnerability_id="CVE-2025-48100", title="CVE-2025-48100 - zlib", packages=[package("zlib", "1.2.11", "1.3.1")])
        ],
        "most_overdue": [],
        "fix_first": [
            fix(),
            fix(rank=2, priority_score=79, vulnerability_id="CVE-2026-21001", title="CVE-2026-21001 - openssl", packages=[package()], **on("shop/api", "shop/web", "shop/cart"),
                why="CRITICAL 40 + known exploit 25 + EPSS 12.0% 2 + fix available 10 + open on 3 resources 2 = 79"),
            fix(rank=3, priority_score=58, vulnerability_id="CVE-2026-20311", title="CVE-2026-20311 - libxml2", packages=[package("libxml2", "2.9.1", "2.9.4")],
                **on("shop/api"), exploit_available=False, why="CRITICAL 40 + EPSS 38.1% 8 + fix available 10 + open on 1 resource 0 = 58"),
            fix(rank=4, priority_score=50, severity="HIGH", vulnerability_id="CVE-2025-31002", title="CVE-2025-31002 - sudo", packages=[package("sudo", "1.8.6", "1.8.23")],
                **on("i-0abc1234def567890", resource_type=INSTANCE, count=40), exploit_available=False,
                why="HIGH 30 + fix available 10 + open on 40 resources 10 = 50"),
        ],
        "due_dates": None,
        "owner": None,
        "owners": None,
        "owners_key": None,
        "owner_message_count": 0,
        "coverage_status": {"state": "active", "unusual_drop": False, "deactivated": {}, "deactivated_accounts": 0, "reasons": []},
        "coverage": {"scanned": 412, "not_scanned": 6},
        "sentences": [
            (
                "The filter does not include closed or suppressed findings. So it is unknown whether a finding that is no longer"
                " open was closed or suppressed, or its resource was removed. Resource removed: nothing is reported on its"
                " resource. No longer reported: other findings on its resource are."
            ),
        ],
    } | fields  # fmt: skip


IMAGE, INSTANCE = "AWS_ECR_CONTAINER_IMAGE", "AWS_EC2_INSTANCE"


def package(name: str = "openssl", installed: str | None = "3.0.1", fixed: str | None = None) -> dict[str, Any]:
    """A package as the headline lists it; without a name the one of :func:`finding`."""
    return {
        "name": name,
        "installed_version": installed,
        "fixed_version": "3.0.7" if name == "openssl" and fixed is None else fixed,
    }


def resource(name: str = "shop/api", **fields: Any) -> dict[str, Any]:
    """A resource as the headline lists it."""
    return {
        "name": name,
        "resource_type": IMAGE,
        "account_id": ACCOUNT,
        "region": REGION,
        "owner": None,
        "due_on": None,
    } | fields


def on(*names: str, count: int | None = None, **fields: Any) -> dict[str, Any]:
    """Where an entry of the headline is: resources of such names, of so many."""
    return {"resources": [resource(name, **fields) for name in names], "resource_count": count or len(names)}


def instance(*names: str, count: int | None = None, **fields: Any) -> dict[str, Any]:
    """The same for a finding on instances."""
    return {"resource": names[0], "resource_type": INSTANCE, **on(*names, count=count, resource_type=INSTANCE, **fields)}


def finding(**fields: Any) -> dict[str, Any]:
    """A finding as the headline lists it."""
    return {
        "severity": "CRITICAL",
        "vulnerability_id": "CVE-2026-21001",
        "title": "CVE-2026-21001 - openssl, openssl-libs",
        "resource": "shop/api",
        "resource_type": IMAGE,
        **on("shop/api"),
        "resource_count_at_least": False,
        "findings": 1,
        "account_id": ACCOUNT,
        "region": REGION,
        "owner": None,
        "packages": [package(), package("openssl-libs", "3.0.1", "3.0.7")],
        "fix_available": "YES",
        "exploit_available": True,
        "in_kev": False,
        "kev_due_on": None,
        "first_seen": "2026-11-23",
        "due_on": None,
    } | fields


def fix(**fields: Any) -> dict[str, Any]:
    """A vulnerability as the headline ranks it."""
    return {
        "rank": 1,
        "priority_score": 100,
        "vulnerability_id": "CVE-2021-44228",
        "title": "CVE-2021-44228 - org.apache.logging.log4j:log4j-core",
        "severity": "CRITICAL",
        "exploit_available": True,
        "in_kev": False,
        "kev_due_on": None,
        "runtime_reachability": None,
        "packages": [package("org.apache.logging.log4j:log4j-core", "2.14.1", "2.17.1")],
        **on("shop/api", "shop/web", "shop/cart", "shop/search", "shop/mail", count=14),
        "due_on": None,
        "why": "CRITICAL 40 + known exploit 25 + EPSS 94.4% 19 + fix available 10 + open on 14 resources 6 = 100",
    } | fields


def older(headline: Mapping[str, Any]) -> dict[str, Any]:
    """The headline as a release before owners and due dates wrote it."""
    new = {"most_overdue", "fix_first", "due_dates", "owner", "owners", "owners_key", "owner_message_count"}
    made = {name: value for name, value in headline.items() if name not in new}

    def finding_then(each: Mapping[str, Any]) -> dict[str, Any]:
        later = {"resource_count", "resource_count_at_least", "owner", "in_kev", "kev_due_on", "due_on"}
        return {name: value for name, value in each.items() if name not in later} | {
            "packages": [package["name"] for package in each["packages"]],
            "resources": each["resource_count"],
            "resources_at_least": each["resource_count_at_least"],
            "resource_names": list(dict.fromkeys(resource["name"] for resource in each["resources"]))[:3],
        }

    kept = ("rank", "priority_score", "vulnerability_id", "title", "severity", "exploit_available", "why")
    for name in ("worst_new", "worst_no_longer_open"):
        made[name] = [finding_then(each) for each in headline[name]]
    made["priorities"] = [
        {name: each[name] for name in kept} | {"resources": each["resource_count"]} for each in headline["fix_first"]
    ]
    return made


@cache
def client(service: str) -> Any:
    """A client with fake credentials; inside the fixture ``aws`` it talks to moto."""
    return boto3.client(
        cast("Any", service),
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@cache
def _table_properties() -> dict[str, Any]:
    properties = read_template(Path("template.yaml"))["Resources"]["Table"]["Properties"]
    wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    return {name: properties[name] for name in wanted}


def make_table() -> Table:
    """Create the template's table in moto."""
    client("dynamodb").create_table(TableName=VARIABLES["TABLE_NAME"], **_table_properties())
    return Table(client("dynamodb"), VARIABLES["TABLE_NAME"])


def make_bucket() -> None:
    """Create the bucket in moto."""
    client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def put_report(content: bytes, key: str | None = None, **encryption: str) -> str:
    """Put a report where Inspector would."""
    key = key or f"{plan().destination.prefix}{REPORT_ID}.json"
    encryption = encryption or {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=content, **encryption)
    return key


def items(table: Table) -> list[dict[str, Any]]:
    """Everything in the table, as DynamoDB holds it."""
    return sorted(table.client.scan(TableName=table.name)["Items"], key=str)


def planned(table: Table, of: Execution, run_input: Mapping[str, Any] | None = None) -> Run:
    """Write a run with its plan down."""
    run_store.open_run(table, of, json.dumps(run_input or {}))
    run_store.note_plan(table, of, plan(run_input, of))
    return run_store.load(table, of)


def client_error(code: str, status: int = 400, operation: str = "Operation", text: str = "said AWS") -> ClientError:
    """An error answer of AWS."""
    answer: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@dataclass
class Clock:
    """A clock that moves on by itself, at each look."""

    time: datetime = START
    step: timedelta = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.time += self.step
        return self.time


class FakeContext:
    """A Lambda context with a minute left."""

    function_name = "the-function"
    aws_request_id = "the-request"

    def get_remaining_time_in_millis(self) -> int:
        """A minute."""
        return 60_000


class _Doing:
    """Answers for a boto3 client; what it misses is missing."""

    meta = SimpleNamespace(endpoint_url="https://fake", events=SimpleNamespace(register=lambda *_: None))

    @property
    def client(self) -> Any:
        """The same, for whoever wants a typed client."""
        return self


@dataclass
class FakeStates(_Doing):
    """Step Functions: executions by ARN, as DescribeExecution tells of them; it may be refused, for all or for one."""

    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusal: ClientError | None = None
    refused_arn: str | None = None
    listing_refusal: ClientError | None = None
    page_size: int = 2
    forgotten_token: str | None = None
    listed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def exceptions(self) -> Any:
        """The real client's exceptions."""
        return client("stepfunctions").exceptions

    def add(self, each: Execution, status: str = "RUNNING", **fields: Any) -> Execution:
        """Add an execution, or change its status."""
        self.executions[each.arn] = {
            "executionArn": each.arn,
            "status": status,
            "startDate": each.started_at,
            "input": "{}",
        } | fields
        return each

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        """DescribeExecution."""
        if self.refusal and self.refused_arn in {None, executionArn}:
            raise self.refusal
        if executionArn not in self.executions:
            raise self.exceptions.ExecutionDoesNotExist(client_error("ExecutionDoesNotExist").response, "DescribeExecution")
        return self.executions[executionArn]

    def list_executions(
        self,
        stateMachineArn: str,  # noqa: N803
        statusFilter: str,  # noqa: N803
        maxResults: int,  # noqa: N803
        nextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        """ListExecutions, the newest first; a page's name is where it begins."""
        assert stateMachineArn == MACHINE
        assert maxResults <= 1000
        if self.listing_refusal:
            raise self.listing_refusal
        if nextToken == self.forgotten_token:
            self.forgotten_token = None
            raise client_error("InvalidToken")
        found = [each for each in self.executions.values() if each["status"] == statusFilter]
        found.sort(key=lambda each: each["startDate"], reverse=True)
        start = int(nextToken)
        end = start + min(self.page_size, maxResults)
        self.listed.append((statusFilter, nextToken))
        return {"executions": found[start:end]} | ({"nextToken": str(end)} if end < len(found) else {})


@dataclass
class FakeInspector(_Doing):
    """Inspector's reports by id, at most one in progress, and errors to raise once by the operation's name."""

    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    checks_to_cancel: int = 0
    kev: dict[str, dict[str, Any]] = field(default_factory=dict)
    on_create: Callable[[], None] | None = None

    @property
    def exceptions(self) -> Any:
        """The real client's exceptions."""
        return client("inspector2").exceptions

    def put(self, report_id: str, status: str, prefix: str, bucket: str = BUCKET, **fields: Any) -> None:
        """Let a report be."""
        self.reports[report_id] = {
            "reportId": report_id,
            "status": status,
            "destination": {"bucketName": bucket, "keyPrefix": prefix, "kmsKeyArn": KEY},
        } | fields

    def refuse(self, operation: str, error: Exception) -> None:
        """Let the operation's next call fail."""
        self.errors.setdefault(operation, []).append(error)

    def get_findings_report_status(self, reportId: str | None = None) -> dict[str, Any]:  # noqa: N803
        """GetFindingsReportStatus."""
        self._called("status" if reportId else "current")
        if reportId is None:
            running = [each for each in self.reports.values() if each["status"] not in {"SUCCEEDED", "FAILED", "CANCELLED"}]
            if not running:
                raise self._not_found("GetFindingsReportStatus")
            return running[-1]
        if reportId not in self.reports:
            raise self._not_found("GetFindingsReportStatus")
        report = self.reports[reportId]
        if report["status"] == "CANCELLING":
            self.checks_to_cancel -= 1
            if self.checks_to_cancel < 0:
                report["status"] = "CANCELLED"
        return dict(report)

    def cancel_findings_report(self, reportId: str) -> dict[str, Any]:  # noqa: N803
        """CancelFindingsReport."""
        self._called("cancel")
        self.reports[reportId]["status"] = "CANCELLING"
        return {"reportId": reportId}

    def create_findings_report(self, **request: Any) -> dict[str, Any]:
        """CreateFindingsReport."""
        if self.on_create:
            self.on_create()
        self._called("create")
        self.requests.append(request)
        destination = request["s3Destination"]
        self.put(REPORT_ID, "IN_PROGRESS", destination["keyPrefix"], destination["bucketName"])
        return {"reportId": REPORT_ID}

    def list_findings(self, **_: Any) -> dict[str, Any]:
        """ListFindings: nothing matches."""
        self._called("list_findings")
        return {"findings": []}

    def batch_get_account_status(self, accountIds: list[str]) -> dict[str, Any]:  # noqa: N803
        """BatchGetAccountStatus: every account is switched on."""
        self._called("account_status")
        on = {"status": "ENABLED", "errorCode": "ALREADY_ENABLED", "errorMessage": ""}
        scan_types = dict.fromkeys(("ec2", "ecr", "lambda", "lambdaCode"), on)
        return {"accounts": [{"accountId": each, "state": on, "resourceState": scan_types} for each in accountIds]}

    def batch_get_finding_details(self, findingArns: list[str]) -> dict[str, Any]:  # noqa: N803
        """BatchGetFindingDetails: what CISA says, by the finding's ARN."""
        self._called("finding_details")
        assert 1 <= len(findingArns) <= 10
        return {"findingDetails": [{"findingArn": arn, "cisaData": self.kev[arn]} for arn in findingArns if arn in self.kev]}

    def get_paginator(self, name: str) -> Any:
        """ListMembers: there are none; ListCoverageStatistics: seven resources are scanned."""
        self._called(name)
        return SimpleNamespace(paginate=lambda **asked: [{"totalCounts": 7 if "ACTIVE" in str(asked).split("'") else 0}])

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.errors.get(operation):
            raise self.errors[operation].pop(0)

    def _not_found(self, operation: str) -> Exception:
        error: Exception = self.exceptions.ResourceNotFoundException(
            client_error("ResourceNotFoundException", 404).response, operation
        )
        return error


def my_turn(clients: Clients, run_input: dict[str, Any] | None = None) -> Run:
    """Record the run run-1 and give it the lock."""
    run = planned(clients.table, execution(), run_input)
    assert clients.lock.acquire(FakeStates().client, execution(), START) is None
    return run


def my_prefix() -> str:
    """Where the report of the run run-1 goes."""
    return plan(of=execution()).destination.prefix
