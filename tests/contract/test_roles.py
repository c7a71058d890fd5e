"""What each role may do, action by action: whoever gives a role more, or takes something away, changes this table, too."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from tests.builders.rendered import VARIANTS, Rendered
from tests.contract.parts import listed

FUNCTION = """
    logs:CreateLogStream logs:PutLogEvents
    xray:PutTelemetryRecords xray:PutTraceSegments
"""
"""Every function's: its log and its trace."""
PUBLISH = "sns:Publish kms:Decrypt kms:GenerateDataKey*"
OWNER_RULES = " s3:GetObject s3:ListBucket "
"""Who owns what; a missing file is distinguished from one that may not be read."""
OUTBOX = " dynamodb:PutItem/OUTBOX dynamodb:Query/OUTBOX dynamodb:DeleteItem/OUTBOX sqs:SendMessage "
"""What is said to the home Region."""
ROLES = {
    "ScheduleRole": "states:StartExecution sqs:SendMessage",
    "HourlyCleanupScheduleRole": "lambda:InvokeFunction sqs:SendMessage",
    "ExportFindingsRole": """
        lambda:InvokeFunction
        logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies
        logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery
        xray:GetSamplingRules xray:GetSamplingTargets xray:PutTelemetryRecords xray:PutTraceSegments
    """,
    "PlanExportFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:PutItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        dynamodb:PutItem/SCHEDULED
    """,
    "AcquireLockFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION dynamodb:GetItem/LOCK dynamodb:UpdateItem/LOCK
        states:DescribeExecution
    """,
    "StartReportFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION dynamodb:GetItem/LOCK dynamodb:UpdateItem/LOCK
        dynamodb:Query/REPORT
        inspector2:CancelFindingsReport inspector2:CreateFindingsReport inspector2:GetFindingsReportStatus inspector2:ListFindings
        kms:DescribeKey kms:GetKeyPolicy
        s3:ListBucket
        states:DescribeExecution
    """,
    "CheckReportFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION dynamodb:GetItem/LOCK dynamodb:UpdateItem/LOCK
        dynamodb:Query/REPORT
        inspector2:GetFindingsReportStatus
    """,
    "CancelReportFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:GetItem/LOCK
        inspector2:CancelFindingsReport inspector2:GetFindingsReportStatus
    """,
    "ReleaseLockFunctionRole": FUNCTION + "dynamodb:DeleteItem/LOCK",
    "VerifyReportFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION
        inspector2:ListFindings
        s3:GetObject s3:ListBucket kms:Decrypt
    """,
    "CheckSetupFunctionRole": FUNCTION + PUBLISH + OWNER_RULES + """
        iam:SimulatePrincipalPolicy
        inspector2:BatchGetAccountStatus inspector2:ListCoverageStatistics
        kms:DescribeKey kms:GetKeyPolicy
        s3:GetBucketLocation s3:GetBucketPolicy
        scheduler:GetSchedule scheduler:ListSchedules
        sns:GetTopicAttributes
        sqs:GetQueueAttributes
    """,
    "PreviewExportFunctionRole": FUNCTION + """
        dynamodb:Query/REPORT
        inspector2:GetFindingsReportStatus inspector2:ListFindingAggregations inspector2:ListFindings
        scheduler:GetSchedule scheduler:ListSchedules
    """,
    "CutReportFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        s3:GetObject kms:Decrypt
    """,
    "AnalyzePartFunctionRole": FUNCTION + OWNER_RULES + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        s3:GetObject s3:PutObject kms:Decrypt kms:GenerateDataKey
    """,
    "AnalyzeReportFunctionRole": FUNCTION + OWNER_RULES + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        dynamodb:Query/REPORT
        inspector2:BatchGetAccountStatus inspector2:BatchGetFindingDetails inspector2:ListConnectors inspector2:ListCoverageStatistics inspector2:ListMembers
        s3:DeleteObject s3:GetObject s3:PutObject kms:Decrypt kms:GenerateDataKey
    """,
    "RecordRunFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        dynamodb:PutItem/REPORT
    """,
    "NotifyFunctionRole": FUNCTION + PUBLISH + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        dynamodb:PutItem/REPORT
        sns:GetTopicAttributes
    """,
    "NotifyOwnersFunctionRole": FUNCTION + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION
        dynamodb:Query/EXECUTION
        s3:GetObject kms:Decrypt kms:GenerateDataKey*
    """,
    "CleanUpFunctionRole": FUNCTION + PUBLISH + """
        dynamodb:GetItem/EXECUTION dynamodb:UpdateItem/EXECUTION dynamodb:GetItem/LOCK dynamodb:UpdateItem/LOCK
        dynamodb:PutItem/EXECUTION dynamodb:PutItem/REPORT
        dynamodb:GetItem/HOURLY_CLEANUP dynamodb:PutItem/HOURLY_CLEANUP
        dynamodb:DeleteItem/LOCK
        dynamodb:Query
        dynamodb:Query/EXECUTION
        inspector2:CancelFindingsReport inspector2:GetFindingsReportStatus
        s3:GetObject
        sns:GetTopicAttributes
        sqs:SendMessage
        states:DescribeExecution states:ListExecutions
    """,
    "ExportAllReportsRole": """
        events:DescribeRule events:PutRule events:PutTargets
        lambda:InvokeFunction
        states:DescribeExecution states:StartExecution states:StopExecution
        logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies
        logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery
        xray:GetSamplingRules xray:GetSamplingTargets xray:PutTelemetryRecords xray:PutTraceSegments
    """,
    "PlanReportsFunctionRole": FUNCTION + OUTBOX + """
        dynamodb:PutItem/SCHEDULED dynamodb:PutItem/STARTS dynamodb:Query/STARTS dynamodb:GetItem/REPORTS dynamodb:PutItem/REPORTS
        s3:GetObject s3:ListBucket kms:Decrypt
        states:DescribeExecution
    """,
    "FinishReportsFunctionRole": FUNCTION + OUTBOX + """
        dynamodb:Query/STARTS dynamodb:DeleteItem/STARTS
        states:DescribeExecution
    """,
    "SummarizeFunctionRole": FUNCTION + PUBLISH + """
        dynamodb:GetItem/SUMMARY dynamodb:PutItem/SUMMARY dynamodb:UpdateItem/SUMMARY dynamodb:Query/SUMMARY dynamodb:Query
        s3:PutObject kms:GenerateDataKey
        sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:SendMessage
    """,
    "SummarizeScheduleRole": "lambda:InvokeFunction sqs:SendMessage",
    "ChatRole": "",
    "AthenaReaderPolicy": """
        athena:BatchGetNamedQuery athena:BatchGetQueryExecution athena:GetDataCatalog athena:GetDatabase athena:GetNamedQuery
        athena:GetQueryExecution athena:GetQueryResults athena:GetQueryResultsStream athena:GetQueryRuntimeStatistics
        athena:GetTableMetadata athena:GetWorkGroup athena:ListDataCatalogs athena:ListDatabases athena:ListEngineVersions
        athena:ListNamedQueries athena:ListQueryExecutions athena:ListTableMetadata athena:ListWorkGroups
        athena:StartQueryExecution athena:StopQueryExecution
        glue:GetDatabase glue:GetDatabases glue:GetPartition glue:GetPartitions glue:GetTable glue:GetTables
        kms:Decrypt kms:GenerateDataKey
        s3:AbortMultipartUpload s3:GetBucketLocation s3:GetObject s3:ListBucket s3:ListBucketMultipartUploads
        s3:ListMultipartUploadParts s3:PutObject
    """,
}  # fmt: skip
"""By role its actions, with those of the managed policies that it has; behind a slash the kind of the table's items."""
BOUNDARY = "arn:aws:iam::123456789012:policy/teams/developer-boundary"
WITH_OWNER_MESSAGES = {"NotifyOwnersFunctionRole": "sns:Publish"}
"""What roles may do on top where owners get messages."""
WITH_SUMMARY = {
    "NotifyFunctionRole": OUTBOX,
    "CleanUpFunctionRole": OUTBOX + "dynamodb:Query/STARTS dynamodb:DeleteItem/STARTS",
}
"""Where several reports or Regions are summarized."""
WITH_REPORTS_FILE = {
    "CleanUpFunctionRole": "dynamodb:PutItem/REPORTS dynamodb:GetItem/REPORTS dynamodb:Query/REPORTS dynamodb:GetItem/REPORT dynamodb:Query/REPORT"
}
AT_HOME = {"PlanReportsFunctionRole": "dynamodb:PutItem/SUMMARY dynamodb:UpdateItem/SUMMARY"}
"""Where the summary is made."""
OF_VARIANTS = {
    *("AthenaReaderPolicy", "ChatRole", "ExportAllReportsRole", "PlanReportsFunctionRole", "FinishReportsFunctionRole"),
    *("SummarizeFunctionRole", "SummarizeScheduleRole"),
}
"""Those that only some stacks have."""


def allowed(rendered: Rendered) -> Iterator[tuple[str, str]]:
    """Each role of a stack with each of its actions; a managed policy that no role of the stack has stands for itself."""
    for policy in rendered.policies():
        roles = attached(rendered).get(policy.where, [policy.where])
        for statement in policy.document["Statement"] if policy.kind == "identity" else []:
            for action in listed(statement["Action"]):
                kinds = listed(statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", []))
                for role, kind in product(roles, kinds or [""]):
                    yield role, f"{action}/{kind.removesuffix('#*')}".removesuffix("/")


def attached(rendered: Rendered) -> dict[str, list[str]]:
    """The roles that have each managed policy of the stack; a managed policy of another owner is a KeyError."""
    names = {rendered.arn(name): name for name in rendered.of_type("AWS::IAM::ManagedPolicy")}
    found: dict[str, list[str]] = {}
    for role, properties in rendered.of_type("AWS::IAM::Role").items():
        for arn in properties.get("ManagedPolicyArns", []):
            found.setdefault(names[arn], []).append(role)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_role_may_do_what_the_table_says_and_nothing_else(variant: str) -> None:
    rendered = Rendered(VARIANTS[variant])
    found: dict[str, set[str]] = {name: set() for name in rendered.of_type("AWS::IAM::Role")}
    for role, action in allowed(rendered):
        found.setdefault(role, set()).add(action)
    assert found.keys() - OF_VARIANTS == ROLES.keys() - OF_VARIANTS
    resources = rendered.resources
    extras = [
        each
        for each, is_there in (
            (WITH_OWNER_MESSAGES, "OwnerTopic" in resources),
            (WITH_SUMMARY, "ExportAllReports" in resources),
            (WITH_REPORTS_FILE, "MissingReportsAlarm" in resources),
            (AT_HOME, "HeadlinesQueue" in resources),
        )
        if is_there
    ]
    assert {role: sorted(actions) for role, actions in found.items()} == {
        role: sorted({*ROLES[role].split(), *(action for more in extras for action in more.get(role, "").split())})
        for role in found
    }


def test_a_region_that_is_not_home_has_no_queue_and_no_summary() -> None:
    beside = Rendered(VARIANTS["Region beside home"]).resources
    assert not {"HeadlinesQueue", "SummarizeFunction", "SummarizeFunctionRole", "MissingSummaryAlarm"} & beside.keys()
    assert {"HeadlinesQueue", "SummarizeFunction", "MissingSummaryAlarm"} <= Rendered(VARIANTS["home Region"]).resources.keys()


def test_nothing_more_is_deployed_for_one_report_in_one_region() -> None:
    rendered = Rendered()
    more = ("Reports", "Summar", "Headlines")
    assert [name for name in rendered.resources if any(each in name for each in more)] == []
    (machine,) = rendered.of_type("AWS::StepFunctions::StateMachine")
    assert machine == "ExportFindings"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_functions_roles_share_one_managed_policy_and_other_roles_have_none(variant: str) -> None:
    rendered = Rendered(VARIANTS[variant])
    functions = {each["Role"] for each in rendered.of_type("AWS::Lambda::Function").values()}
    roles = {name for name in rendered.of_type("AWS::IAM::Role") if rendered.arn(name) in functions}
    assert {policy: set(found) for policy, found in attached(rendered).items()} == {"TracePolicy": roles}
    for name, role in rendered.of_type("AWS::IAM::Role").items():
        assert set(role) <= {"AssumeRolePolicyDocument", "ManagedPolicyArns", "Path", "Policies"}, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_role_has_the_permissions_boundary_that_the_deployment_names(variant: str) -> None:
    place = VARIANTS[variant]
    bounded = Rendered(replace(place, parameters={**place.parameters, "PermissionsBoundaryArn": BOUNDARY}))
    roles = bounded.of_type("AWS::IAM::Role")
    assert len(roles) >= 15
    assert {name: role.get("PermissionsBoundary") for name, role in roles.items()} == dict.fromkeys(roles, BOUNDARY)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_role_has_a_permissions_boundary_unless_the_deployment_names_one(variant: str) -> None:
    assert all("PermissionsBoundary" not in role for role in Rendered(VARIANTS[variant]).of_type("AWS::IAM::Role").values())


def test_a_request_without_a_leading_key_matches_no_condition_on_it() -> None:
    # ForAllValues is met by a request that has no such key [AWS: IAM user guide, set operators].
    conditions = [
        statement["Condition"]
        for policy in Rendered().policies()
        for statement in policy.document["Statement"]
        if "dynamodb:LeadingKeys" in str(statement.get("Condition"))
    ]
    assert len(conditions) > 10
    assert all(each["Null"] == {"dynamodb:LeadingKeys": "false"} for each in conditions)


def test_every_role_names_the_kind_of_items_but_for_the_index() -> None:
    whole = {(role, action) for role, action in allowed(Rendered()) if action.startswith("dynamodb:") and "/" not in action}
    assert whole == {("CleanUpFunctionRole", "dynamodb:Query")}
