"""The template fits the code and the rules of this house: names, logs, roles, least privilege, every partition."""

import json
import re
from collections.abc import Iterator
from dataclasses import astuple
from datetime import timedelta
from fnmatch import fnmatchcase
from inspect import isfunction, signature
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from jsonschema import Draft202012Validator

from findings_exporter import notification
from findings_exporter.aws import run_store, table
from findings_exporter.model import layout
from findings_exporter.model.due_dates import RemediationDays
from findings_exporter.model.layout import REPORT_NAME, analysis_keys, owner_rules_key, reports_key, run_prefix, summary_keys
from findings_exporter.model.plan import MAX_DEADLINE_HOURS, Plan, make_plan
from tests.builders import setup_builders
from tests.builders.exporter import ACCOUNT, REGION, SCHEDULE, VARIABLES, config, execution
from tests.builders.rendered import CHAT, VARIANTS, Place, Rendered
from tests.contract.parts import FUNCTIONS, RESOURCES, TEMPLATE, TEMPLATE_TEXT, camel, listed, of_type, source_files

PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
FOLDERS = sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py"))
LAMBDAS = of_type("AWS::Serverless::Function")
ROLES = of_type("AWS::IAM::Role")
ACTION_FAMILIES = {"kms:GenerateDataKey*", "kms:ReEncrypt*"}
"""Wildcards that AWS' own guides write: one action with and without its plain text."""
INSPECTOR_CONDITION = {
    "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    "ArnLike": {
        "aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:inspector2:${AWS::Region}:${AWS::AccountId}:report/*"},
    },
}
INSPECTOR_PRINCIPAL = {"Service": {"Fn::FindInMap": ["InspectorPrincipal", {"Ref": "AWS::Region"}, "Name"]}}
BUCKET_ACTIONS = ["s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"]
KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey*"]
BUCKET = "arn:${AWS::Partition}:s3:::${ExistingBucketName}"
LONGEST_NAMES = {
    ("AWS::Athena::WorkGroup", "Name"): 128,
    ("AWS::Chatbot::MicrosoftTeamsChannelConfiguration", "ConfigurationName"): 128,
    ("AWS::Chatbot::SlackChannelConfiguration", "ConfigurationName"): 128,
    ("AWS::CloudWatch::Alarm", "AlarmName"): 255,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    ("AWS::IAM::Role", "Path"): 512,
    ("AWS::KMS::Alias", "AliasName"): 256,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::Logs::QueryDefinition", "Name"): 255,
    ("AWS::SNS::Topic", "TopicName"): 256,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::Serverless::StateMachine", "Name"): 80,
}
"""How many characters a name may have that has the stack's name in it [AWS: API reference of each service]."""
LONGEST_STACK_NAME = 80 - len("-ExportAllReports")
"""The state machines are named after the stack, and a name of one has at most 80 characters."""
ADDED_BY_STACK_SETS = len("StackSet--") + 36
"""StackSets makes the name of a stack of the stack set's name and a UUID."""
SUFFIX = "x" * 13
"""What CloudFormation adds to a name."""
ROLES_OF_ACCOUNT = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role"
OUR_ROLE = ROLES_OF_ACCOUNT + "/${AWS::StackName}/any-name"
OPT_IN = {
    "af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "me-south-1",
    "mx-central-1",
}  # fmt: skip


def plain(statement: Any) -> dict[str, Any]:
    """A statement, also one under a condition."""
    return cast("dict[str, Any]", statement["Fn::If"][1] if "Fn::If" in statement else statement)


def role_statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of a role's own policy, with the role."""
    for name, role in ROLES.items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, plain(statement)


def resource_statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of a resource's policy, with the resource."""
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            continue  # which is a role's
        document = resource["Properties"].get("PolicyDocument") or resource["Properties"].get("KeyPolicy")
        for statement in document["Statement"] if document else []:
            yield name, plain(statement)


def statements_to_add(output: str) -> list[dict[str, Any]]:
    """The statements of an output, which is text for a policy's list of statements."""
    value = TEMPLATE["Outputs"][output]["Value"]["Fn::Sub"]
    statements: list[dict[str, Any]] = json.loads(f"[{listed(value)[0]}]")
    return statements


def allows(statements: list[dict[str, Any]], action: str, resource: str, role: str, prefix: str | None) -> bool:
    """Decide on a role's call by statements as IAM does; a condition on what a call does not have is not met."""
    context = {"aws:PrincipalArn": role, "s3:prefix": prefix}
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert set(statement["Condition"]) <= {"ArnLike", "StringLike"}
        wanted = [each for condition in statement["Condition"].values() for each in condition.items()]
        met = (context[key] is not None and fnmatchcase(str(context[key]), pattern) for key, pattern in wanted)
        named = any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        there = any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        if named and there and all(met):
            return True
    return False


def the(resource: str, sid: str) -> dict[str, Any]:
    """A resource policy's statement by its id."""
    (found,) = [statement for name, statement in resource_statements() if name == resource and statement["Sid"] == sid]
    return found


EVERY_STATEMENT = pytest.mark.parametrize(
    ("role", "statement"), list(role_statements()), ids=lambda value: value if isinstance(value, str) else value["Sid"]
)


class TestParameters:
    @pytest.mark.parametrize("name", PARAMETERS)
    def test_a_parameter_is_described_and_has_a_default(self, name: str) -> None:
        parameter = PARAMETERS[name]
        assert parameter["Description"].endswith(".")
        assert "Default" in parameter
        assert ("AllowedPattern" in parameter) is ("ConstraintDescription" in parameter)

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_a_parameters_default_is_one_that_it_allows(self, name: str) -> None:
        parameter = PARAMETERS[name]
        if "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], str(parameter["Default"]))
        if "AllowedValues" in parameter:
            assert parameter["Default"] in parameter["AllowedValues"]
        if "MinValue" in parameter:
            assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_a_parameter_that_is_text_is_limited(self, name: str) -> None:
        parameter = PARAMETERS[name]
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)

    def test_each_parameter_is_in_one_group_and_is_used(self) -> None:
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        assert sorted(grouped) == sorted(PARAMETERS)
        for name in PARAMETERS:
            assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", TEMPLATE_TEXT), name

    def test_the_defaults_make_a_plan(self) -> None:
        defaults = {name: str(PARAMETERS[camel(name.lower())]["Default"]) for name in (
            "REPORT_NAME", "REPORT_FORMAT", "FILTER_CRITERIA", "ON_BUSY", "DEADLINE_HOURS", "KEY_PREFIX",
        )}  # fmt: skip
        assert isinstance(make_plan({}, config(**defaults), execution()), Plan)

    def test_parameters_allow_what_the_code_allows(self) -> None:
        assert PARAMETERS["ReportName"]["AllowedPattern"] == REPORT_NAME.pattern
        assert PARAMETERS["DeadlineHours"]["MaxValue"] == MAX_DEADLINE_HOURS
        assert PARAMETERS["OnBusy"]["AllowedValues"] == ["wait", "cancel", "fail"]
        assert PARAMETERS["ReportFormat"]["AllowedValues"] == ["JSON", "CSV"]

    @pytest.mark.parametrize(
        ("name", "right", "wrong"),
        [
            ("KeyPrefix", ["a", "a/b", "team=x/inspector"], ["", "/a", "a/", "a//b", "../a", "a b"]),
            (
                "ExistingKeyArn",
                ["", f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/x"],
                ["alias/x", f"arn:aws:kms:x:{ACCOUNT}:alias/x"],
            ),
            ("ExistingBucketOwner", ["", ACCOUNT], ["123", "12345678901a"]),
            ("NotificationEmail", ["", "a@b.example"], ["a", "a@b", "a b@c.d"]),
            (
                "PermissionsBoundaryArn",
                ["", f"arn:aws:iam::{ACCOUNT}:policy/teams/boundary", "arn:aws-us-gov:iam::aws:policy/PowerUserAccess"],
                ["boundary", f"arn:aws:iam::{ACCOUNT}:role/boundary", f"arn:aws:iam::{ACCOUNT}:policy/a b"],
            ),
            ("OwnerTag", ["", "team", "aws:cloudformation:stack-name", "Cost Center"], ["team\n", "t" * 129, "équipe"]),
            ("RemediationDays", ["", "{}", '{"CRITICAL": 15,\n "HIGH": 30}'], ["15", "[15]", '{"CRITICAL": 15', "x{}"]),
            ("SlackWorkspaceId", ["", "T0123ABCD"], ["t0123", "https://x.slack.com"]),
            ("SlackChannelId", ["", "C0123ABCD"], ["#general", "C 1"]),
            ("TeamsTeamId", ["", "22222222-0000-4000-8000-000000000000"], ["team", "22222222"]),
            ("TeamsChannelId", ["", "19%3Aab12%40thread.tacv2"], ["19:ab12@thread.tacv2", "general channel"]),
            ("ScheduleExpression", ["cron(0 3 * * ? *)", "rate(1 day)", "at(2026-11-23T03:00:00)"], ["", "0 3 * * *"]),
        ],
    )
    def test_a_pattern_accepts_right_and_refuses_wrong_values(self, name: str, right: list[str], wrong: list[str]) -> None:
        pattern = PARAMETERS[name]["AllowedPattern"]
        assert [text for text in right + wrong if re.fullmatch(pattern, text)] == right

    @pytest.mark.parametrize("rule", TEMPLATE["Rules"])
    def test_a_rule_says_what_it_asserts(self, rule: str) -> None:
        assert all(each["AssertDescription"] for each in TEMPLATE["Rules"][rule]["Assertions"])


class TestNames:
    def test_the_longest_name_of_a_stack_is_the_one_that_every_name_made_of_it_allows(self) -> None:
        region = max(TEMPLATE["Mappings"]["InspectorPrincipal"], key=len)
        allowed = {}
        for logical_id, resource in RESOURCES.items():
            for name, value in resource.get("Properties", {}).items():
                written = value.get("Fn::Sub") or f"${{{value.get('Ref')}}}" if isinstance(value, dict) else ""
                if (name == "Path" or name.endswith("Name")) and isinstance(written, str) and "${AWS::StackName}" in written:
                    assert (resource["Type"], name) in LONGEST_NAMES, "how long may this name be?"
                    rest = written.replace("${AWS::StackName}", "").replace("${AWS::Region}", region)
                    assert "${" not in rest
                    allowed[logical_id] = LONGEST_NAMES[resource["Type"], name] - len(rest)
        assert len(allowed) > 40
        assert min(allowed.values()) == LONGEST_STACK_NAME == allowed["ExportAllReports"]

    def test_the_documents_say_how_long_the_name_of_a_stack_and_of_a_stack_set_may_be(self) -> None:
        limits, deploying, organisation = (
            Path(f"docs/{name}.md").read_text(encoding="utf-8") for name in ("limits", "deploying", "organisation")
        )
        of_stack_set = LONGEST_STACK_NAME - ADDED_BY_STACK_SETS
        assert f"The name of a stack can have at most {LONGEST_STACK_NAME} characters" in limits
        assert f"StackSets adds {ADDED_BY_STACK_SETS} characters" in limits
        assert f"at most {of_stack_set}." in limits
        assert f"at most {of_stack_set} characters" in deploying
        assert f"at most {of_stack_set} characters" in organisation
        assert set(re.findall(r"at most (\d+)(?: characters)?\]\(limits\.md#runs\)", deploying + organisation)) == {
            str(LONGEST_STACK_NAME)
        }
        names = set(re.findall(r"--stack-set-name (\S+)", deploying))
        assert names
        assert [name for name in names if len(name) > of_stack_set] == []


class TestFunctions:
    def test_each_folder_is_a_function_by_its_name_and_no_other(self) -> None:
        assert sorted(LAMBDAS) == sorted(f"{camel(folder)}Function" for folder in FOLDERS)

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_a_function_has_its_code_its_log_group_and_its_own_role(self, folder: str) -> None:
        stem, function = camel(folder), LAMBDAS[f"{camel(folder)}Function"]
        assert function["CodeUri"] == f"functions/{folder}"
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{stem}LogGroup"}}
        assert function["Role"] == {"Fn::GetAtt": [f"{stem}FunctionRole", "Arn"]}
        assert function["Description"].endswith(".")
        assert RESOURCES[f"{stem}LogGroup"]["Properties"]["LogGroupName"] == {
            "Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{stem}"
        }
        logs = [
            statement
            for role, statement in role_statements()
            if role == f"{stem}FunctionRole" and statement["Sid"] == "WriteItsLog"
        ]
        assert logs[0]["Resource"] == {"Fn::GetAtt": [f"{stem}LogGroup", "Arn"]}

    def test_no_two_functions_share_a_role(self) -> None:
        roles = [json.dumps(function["Role"]) for function in LAMBDAS.values()]
        assert len(set(roles)) == len(roles)

    def test_every_log_group_has_a_retention(self) -> None:
        groups = of_type("AWS::Logs::LogGroup")
        assert len(groups) == len(LAMBDAS) + len(of_type("AWS::Serverless::StateMachine"))
        assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())

    def test_the_environment_is_what_the_code_reads(self) -> None:
        variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
        assert set(variables) == set(VARIABLES) | {"POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}
        own = {name: function["Environment"]["Variables"] for name, function in LAMBDAS.items() if "Environment" in function}
        assert set(own) == {
            f"{name}Function"
            for name in (
                *("CheckSetup", "CleanUp", "AnalyzePart", "AnalyzeReport", "Notify", "NotifyOwners"),
                *("PlanReports", "FinishReports", "Summarize", "PreviewExport"),
            )
        }
        # The language and the time zone of people, for the functions that write to them; the code has defaults for the others.
        result = {"LANGUAGE": {"Ref": "Language"}, "TIME_ZONE": {"Ref": "ScheduleTimezone"}}
        # Where what is said home goes to, for whoever says something.
        home = {"HOME_REGION": {"Ref": "HomeRegion"}, "REPORTS": {"Ref": "Reports"}}
        assert own["NotifyFunction"] == result | home
        assert own["PreviewExportFunction"] == result
        assert own["FinishReportsFunction"] == home
        regions = {"REGIONS": {"Fn::Join": [",", {"Ref": "Regions"}]}, "SUMMARY_HOURS": {"Ref": "SummaryHours"}}
        assert own["PlanReportsFunction"] == home | regions | {"KMS_KEY_ARN": "-"}
        assert own["SummarizeFunction"] == result | home | regions | {"FILTER_CRITERIA": "{}"}
        # What finds owners has their tag; what notifies them knows whether that is wanted.
        tag, messages = {"OWNER_TAG": {"Ref": "OwnerTag"}}, {"OWNER_MESSAGES": {"Ref": "OwnerMessages"}}
        owners = tag | messages | {"REMEDIATION_DAYS": {"Ref": "RemediationDays"}}
        assert own["AnalyzePartFunction"] == tag
        assert own["AnalyzeReportFunction"] == result | owners | {"ATHENA": {"Ref": "Athena"}, "FILTER_CRITERIA": "{}"}
        assert own["NotifyOwnersFunction"] == result | messages
        # And which report's success the hourly cleanup may expect.
        expected = {
            "EXPECTED_REPORT": {"Fn::If": ["ExpectTheReport", {"Ref": "ReportName"}, ""]},
            "EXPECTED_HOURS": {"Fn::If": ["ExpectReports", {"Ref": "ExpectedExportHours"}, ""]},
        }
        assert own["CleanUpFunction"] == result | messages | expected | home | {"FILTER_CRITERIA": "{}"}
        # The reports' filter makes room for the rest: a function has 4 kB for all its variables.
        of_check = {"FILTER_CRITERIA", "HOME_REGION", "LANGUAGE", "REPORTS", *owners}
        assert set(own["CheckSetupFunction"]) == set(setup_builders.SETUP_VARIABLES) | of_check
        assert own["CheckSetupFunction"]["LANGUAGE"] == result["LANGUAGE"]
        assert own["CheckSetupFunction"].items() >= owners.items()

    def test_the_longest_environment_that_the_parameters_allow_fits_into_lambdas_limit(self) -> None:
        stack = "s" * LONGEST_STACK_NAME
        region = max(TEMPLATE["Mappings"]["InspectorPrincipal"], key=len)
        place = f"{region}:{ACCOUNT}"
        # As many quotes as a filter has: Lambda measures the variables as JSON, where each is escaped.
        entry = '{"comparison":"EQUALS","value":"LOW"},'
        longest = PARAMETERS["FilterCriteria"]["MaxLength"]
        variables = {
            "TABLE_NAME": f"{stack}-Table-{SUFFIX}",
            "TOPIC_ARN": f"arn:aws-us-gov:sns:{place}:{stack}-Topic-{SUFFIX}",
            "STATE_MACHINE_ARN": f"arn:aws-us-gov:states:{place}:stateMachine:{stack}-ExportFindings",
            "BUCKET": "b" * 63,
            "BUCKET_OWNER": ACCOUNT,
            "KEY_PREFIX": "p" * PARAMETERS["KeyPrefix"]["MaxLength"],
            "KMS_KEY_ARN": "k" * PARAMETERS["ExistingKeyArn"]["MaxLength"],
            "REPORT_NAME": "r" * 63,
            "REPORT_FORMAT": max(PARAMETERS["ReportFormat"]["AllowedValues"], key=len),
            "FILTER_CRITERIA": ('{"severity":[' + entry * longest)[: longest - 2] + "]}",
            "ON_BUSY": max(PARAMETERS["OnBusy"]["AllowedValues"], key=len),
            "DEADLINE_HOURS": "0.123456",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "POWERTOOLS_SERVICE_NAME": stack,
        }
        assert set(variables) == set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
        days = PARAMETERS["RemediationDays"]["MaxLength"]
        longest_own = {
            "LANGUAGE": "ja",
            "TIME_ZONE": "z" * 50,
            "EXPECTED_REPORT": "r" * 63,
            "OWNER_TAG": "t" * 128,
            "OWNER_MESSAGES": "CHANGES",
            "HOME_REGION": region,
            "REPORTS": "FILE",
            "REGIONS": ",".join([region] * 15),
            "SUMMARY_HOURS": "168.25",
            "EXPECTED_HOURS": "168",
            **{
                name: f"arn:aws-us-gov:iam::{ACCOUNT}:role/{stack}/{'r' * 64}"
                for name in setup_builders.SETUP_VARIABLES
                if "ROLE" in name
            },
            "INSPECTOR_PRINCIPAL": f"inspector2.{region}.amazonaws.com",
            "DEAD_LETTER_QUEUE_URL": f"https://sqs.{region}.amazonaws.com.cn/{ACCOUNT}/{stack}-DeadLetterQueue-{SUFFIX}"[:150],
            "REMEDIATION_DAYS": ("{" + '"LOW": 3650, ' * days)[: days - 1] + "}",
        }
        for function in LAMBDAS.values():
            own = function.get("Environment", {"Variables": {}})["Variables"]
            filled = variables | {name: longest_own.get(name, value) for name, value in own.items()}
            # Some room is left for letters of more than one byte.
            assert len(json.dumps(filled, separators=(",", ":"))) < 4096 - 256, function["CodeUri"]

    def test_every_function_runs_the_projects_python_on_the_shared_layer(self) -> None:
        python = Path(".python-version").read_text(encoding="utf-8").strip()
        runtime = TEMPLATE["Globals"]["Function"]["Runtime"]
        assert python.startswith(runtime.removeprefix("python"))
        assert TEMPLATE["Globals"]["Function"]["Layers"] == [{"Ref": "ExporterLayer"}]
        assert RESOURCES["ExporterLayer"]["Metadata"]["BuildMethod"] == runtime

    def test_the_owners_topic_is_named_as_the_functions_know_it(self) -> None:
        owners = Rendered(VARIANTS["owners"])
        assert owners.arn("OwnerTopic").rpartition(":")[2] == config().owner_topic_arn.rpartition(":")[2] == "findings-Owners"
        assert owners.outputs["OwnerTopicArn"] == owners.arn("OwnerTopic")
        assert "OwnerTopicArn" not in Rendered().outputs

    def test_the_stack_subscribes_no_one_to_the_owners_topic(self) -> None:
        place = VARIANTS["owners"]
        rendered = Rendered(Place(parameters={**place.parameters, **CHAT, "NotificationEmail": "security@example.com"}))
        subscribed = [each["TopicArn"] for each in rendered.of_type("AWS::SNS::Subscription").values()]
        assert set(subscribed) == {rendered.arn("Topic"), rendered.arn("AlarmTopic")}
        channels = [each for kind in ("Slack", "MicrosoftTeams") for each in
                    rendered.of_type(f"AWS::Chatbot::{kind}ChannelConfiguration").values()]  # fmt: skip
        assert [rendered.arn("OwnerTopic") in each["SnsTopicArns"] for each in channels] == [False, False]

    def test_the_alarm_topic_is_named_as_the_functions_know_it(self) -> None:
        assert Rendered().arn("AlarmTopic").rpartition(":")[2] == config().alarm_topic_arn.rpartition(":")[2] == "findings-Alarms"

    def test_a_machine_is_named_where_the_functions_look_for_it(self) -> None:
        arn = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["STATE_MACHINE_ARN"]["Fn::Sub"]
        assert arn.endswith(":stateMachine:" + RESOURCES["ExportFindings"]["Properties"]["Name"]["Fn::Sub"])


class TestPolicies:
    @EVERY_STATEMENT
    def test_a_role_may_do_only_named_things(self, role: str, statement: dict[str, Any]) -> None:
        assert statement["Effect"] == "Allow", role
        assert re.fullmatch(r"([A-Z][a-z]*)+", statement["Sid"])
        wild = {action for action in listed(statement["Action"]) if "*" in action}
        assert wild <= ACTION_FAMILIES

    def test_a_statement_for_every_resource_has_its_reason_beside_it(self) -> None:
        lines = TEMPLATE_TEXT.splitlines()
        checked = 0
        for statement in nodes(yaml.compose(TEMPLATE_TEXT)):
            fields = {key.value: value for key, value in statement.value}
            above = lines[statement.start_mark.line - 1].strip()
            # Statements for everything that follow each other may share one reason.
            assert above.startswith("#") or above == 'Resource: "*"', fields["Sid"].value
            checked += 1
        assert checked >= 6

    def test_who_assumes_a_role_is_a_service_and_for_others_of_this_account(self) -> None:
        for name, role in ROLES.items():
            (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
            service = trust["Principal"]["Service"]
            if service != "lambda.amazonaws.com":
                assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}, name
            assert service in {f"{each}.amazonaws.com" for each in ("lambda", "states", "scheduler", "chatbot")}

    def test_only_the_accounts_root_may_do_everything_and_only_with_the_key(self) -> None:
        whole = [
            (name, statement["Sid"])
            for name, statement in resource_statements()
            if statement["Effect"] == "Allow" and any(action.endswith(":*") for action in listed(statement["Action"]))
        ]
        assert whole == [("Key", "TheAccountsPoliciesDecide")]
        assert the("Key", "TheAccountsPoliciesDecide")["Principal"] == {
            "AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
        }

    def test_a_statement_for_every_principal_has_a_condition(self) -> None:
        for name, statement in resource_statements():
            if statement["Effect"] == "Allow" and statement["Principal"] in ("*", {"AWS": "*"}):
                assert statement["Condition"]["StringEquals"]["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}, name

    def test_inspector_may_write_into_the_bucket_exactly_as_its_guide_says(self) -> None:
        statement = the("BucketPolicy", "InspectorMayWriteReports")
        assert statement == {
            "Sid": "InspectorMayWriteReports",
            "Effect": "Allow",
            "Principal": INSPECTOR_PRINCIPAL,
            "Action": BUCKET_ACTIONS,
            "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
            "Condition": INSPECTOR_CONDITION,
        }

    def test_inspector_may_use_the_key_exactly_as_its_guide_says(self) -> None:
        statement = the("Key", "InspectorMayEncryptReports")
        assert statement == {
            "Sid": "InspectorMayEncryptReports",
            "Effect": "Allow",
            "Principal": INSPECTOR_PRINCIPAL,
            "Action": KEY_ACTIONS,
            "Resource": "*",
            "Condition": INSPECTOR_CONDITION,
        }

    @pytest.mark.parametrize(
        ("output", "actions", "resource"),
        [
            ("BucketStatementForInspector", BUCKET_ACTIONS, "arn:${AWS::Partition}:s3:::${ExistingBucketName}/*"),
            ("KeyStatementForInspector", KEY_ACTIONS, "*"),
        ],
    )
    def test_the_statements_to_add_are_the_same(self, output: str, actions: list[str], resource: str) -> None:
        text, names = TEMPLATE["Outputs"][output]["Value"]["Fn::Sub"]
        statement = json.loads(text)
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", actions, resource)
        assert statement["Principal"] == {"Service": "${Principal}"}
        assert names["Principal"] == INSPECTOR_PRINCIPAL["Service"]
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
            "ArnLike": {"aws:SourceArn": INSPECTOR_CONDITION["ArnLike"]["aws:SourceArn"]["Fn::Sub"]},
        }

    @pytest.mark.parametrize(("output", "service"), [("BucketStatementForExporter", "s3"), ("KeyStatementForExporter", "kms")])
    def test_the_statements_for_our_roles_allow_whatever_these_do(self, output: str, service: str) -> None:
        ours = {
            action
            for _, statement in role_statements()
            for action in listed(statement["Action"])
            # What check_setup may not read in another account is unknown to it: no statement is asked for that.
            if action.startswith(f"{service}:") and statement["Sid"] not in {"UseTheTopicsKey", "ReadTheBucket"}
        }
        allowed = [action for statement in statements_to_add(output) for action in listed(statement["Action"])]
        assert [action for action in ours if not any(fnmatchcase(action, pattern) for pattern in allowed)] == []

    @pytest.mark.parametrize(
        ("action", "resource", "role", "prefix", "allowed"),
        [
            ("s3:ListBucket", BUCKET, OUR_ROLE, "${KeyPrefix}/reports/x/", True),
            ("s3:GetObject", f"{BUCKET}/${{KeyPrefix}}/reports/x", OUR_ROLE, None, True),
            ("s3:PutObject", f"{BUCKET}/${{KeyPrefix}}/analyses/x", OUR_ROLE, None, True),
            ("s3:ListBucket", BUCKET, OUR_ROLE, None, False),
            ("s3:ListBucket", BUCKET, OUR_ROLE, "", False),
            ("s3:ListBucket", BUCKET, OUR_ROLE, "other/", False),
            ("s3:GetObject", f"{BUCKET}/other/x", OUR_ROLE, None, False),
            ("s3:PutObject", f"{BUCKET}/other/x", OUR_ROLE, None, False),
            ("s3:DeleteObject", f"{BUCKET}/${{KeyPrefix}}/reports/x", OUR_ROLE, None, False),
            ("s3:DeleteObject", f"{BUCKET}/${{KeyPrefix}}/analyses/x/analysis.json", OUR_ROLE, None, False),
            ("s3:DeleteObject", f"{BUCKET}/${{KeyPrefix}}/analyses/x/parts/1/x", OUR_ROLE, None, True),
            ("s3:DeleteObject", f"{BUCKET}/${{KeyPrefix}}/analyses/x/parts/1/x", f"{ROLES_OF_ACCOUNT}/admin", None, False),
            ("s3:GetObject", f"{BUCKET}/${{KeyPrefix}}/reports/x", f"{ROLES_OF_ACCOUNT}/admin", None, False),
            ("s3:GetObject", f"{BUCKET}/${{KeyPrefix}}/reports/x", f"{ROLES_OF_ACCOUNT}/${{AWS::StackName}}-2/x", None, False),
            ("s3:ListBucket", BUCKET, f"{ROLES_OF_ACCOUNT}/admin", "${KeyPrefix}/reports/x/", False),
        ],
    )
    def test_an_existing_bucket_is_open_to_this_stacks_functions_below_the_prefix(
        self, action: str, resource: str, role: str, prefix: str | None, allowed: bool
    ) -> None:
        assert allows(statements_to_add("BucketStatementForExporter"), action, resource, role, prefix) is allowed

    @pytest.mark.parametrize(
        ("action", "role", "allowed"),
        [
            ("kms:Decrypt", OUR_ROLE, True),
            ("kms:GenerateDataKey", OUR_ROLE, True),
            ("kms:ScheduleKeyDeletion", OUR_ROLE, False),
            ("kms:Decrypt", f"{ROLES_OF_ACCOUNT}/admin", False),
        ],
    )
    def test_an_existing_key_is_open_to_this_stacks_functions(self, action: str, role: str, allowed: bool) -> None:
        assert allows(statements_to_add("KeyStatementForExporter"), action, "any", role, None) is allowed

    @pytest.mark.parametrize("output", ["BucketStatementForExporter", "KeyStatementForExporter"])
    def test_the_statements_for_our_roles_leave_the_decision_to_this_accounts_policies(self, output: str) -> None:
        # Naming the account grants nothing by itself [AWS: IAM user guide], and outlives a role that is made anew.
        for statement in statements_to_add(output):
            assert statement["Principal"] == {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}

    def test_every_function_has_its_role_on_the_path_that_the_statements_name(self) -> None:
        on_path = {name for name, role in ROLES.items() if role.get("Path") == {"Fn::Sub": "/${AWS::StackName}/"}}
        assert on_path == {f"{name}Role" for name in LAMBDAS}

    @pytest.mark.parametrize(
        ("output", "statements"),
        [
            ("BucketStatementForInspector", [setup_builders.deployment().bucket_statement_for_inspector()]),
            ("BucketStatementForExporter", setup_builders.deployment().bucket_statements_for_exporter()),
            ("KeyStatementForInspector", [setup_builders.deployment().key_statement_for_inspector()]),
            ("KeyStatementForExporter", [setup_builders.deployment().key_statement_for_exporter()]),
        ],
    )
    def test_the_statements_of_a_setup_check_are_those_of_the_outputs(
        self, output: str, statements: list[dict[str, Any]]
    ) -> None:
        filled = json.dumps(statements_to_add(output))
        for name, value in {
            "AWS::Partition": "aws",
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::StackName": "findings",
            "ExistingBucketName": setup_builders.BUCKET,
            "KeyPrefix": "inspector",
            "Principal": setup_builders.INSPECTOR,
        }.items():
            filled = filled.replace(f"${{{name}}}", value)
        assert json.loads(filled) == statements

    @pytest.mark.parametrize("kind", ["AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"])
    def test_nothing_is_sent_without_tls(self, kind: str) -> None:
        for policy in of_type(kind).values():
            denied = [plain(each) for each in policy["PolicyDocument"]["Statement"] if plain(each)["Effect"] == "Deny"]
            assert denied[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_what_holds_data_is_retained_with_the_stack_deleted(self) -> None:
        for name in ("Bucket", "BucketPolicy", "Key"):
            # A first deployment that fails leaves nothing behind.
            assert (RESOURCES[name]["DeletionPolicy"], RESOURCES[name]["UpdateReplacePolicy"]) == (
                "RetainExceptOnCreate",
                "Retain",
            )


def shape(value: Any) -> Any:
    """The members and types of a JSON value, without its values."""
    return {name: shape(member) for name, member in value.items()} if isinstance(value, dict) else type(value)


def nodes(root: Any) -> Iterator[yaml.MappingNode]:
    """Statements of roles' and managed policies for every resource, and where they are in the text."""
    document = {key.value: value for key, value in root.value}
    for _, resource in document["Resources"].value:
        fields = {key.value: value for key, value in resource.value}
        if fields["Type"].value in {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}:
            yield from for_everything(fields["Properties"])


def for_everything(node: Any) -> Iterator[yaml.MappingNode]:
    """Statements whose resource is everything."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from for_everything(each)
    if isinstance(node, yaml.MappingNode):
        fields = {key.value: value for key, value in node.value}
        if "Sid" in fields and "Resource" in fields and fields["Resource"].value == "*":
            yield node
        for each in fields.values():
            yield from for_everything(each)


class TestRegions:
    MAPPING = TEMPLATE["Mappings"]["InspectorPrincipal"]

    def test_opt_in_regions_have_their_own_principal_and_no_others_do(self) -> None:
        regional = {region for region, entry in self.MAPPING.items() if entry["Name"] != "inspector2.amazonaws.com"}
        assert regional == OPT_IN
        assert all(self.MAPPING[region] == {"Name": f"inspector2.{region}.amazonaws.com"} for region in OPT_IN)

    def test_the_other_partitions_are_known(self) -> None:
        assert {"cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1"} <= set(self.MAPPING)
        assert len(self.MAPPING) >= 37

    @pytest.mark.parametrize("path", source_files(), ids=str)
    def test_no_partition_is_written_out(self, path: Path) -> None:
        assert "arn:aws:" not in path.read_text(encoding="utf-8")


KEPT_IDS = {
    "AWS::DynamoDB::Table": {"Table"},
    "AWS::KMS::Key": {"Key"},
    "AWS::S3::Bucket": {"Bucket"},
    "AWS::SNS::Topic": {"Topic", "AlarmTopic"},
    "AWS::SQS::Queue": {"DeadLetterQueue"},
    "AWS::StepFunctions::StateMachine": {"ExportFindings"},
}
"""Logical ids that stay, whatever else is renamed: CloudFormation replaces a resource whose id changes, and its data or its
subscribers are lost."""


class TestData:
    def test_what_expires_is_named_by_its_prefix_so_that_what_people_configure_never_does(self) -> None:
        (bucket,) = Rendered().of_type("AWS::S3::Bucket").values()
        rules = bucket["LifecycleConfiguration"]["Rules"]
        expiring = {each["Prefix"]: each["ExpirationInDays"] for each in rules if "ExpirationInDays" in each}
        keys = [
            *astuple(analysis_keys("inspector", "nightly", execution(), is_regular=True)),
            *summary_keys("inspector", execution().started_at, 0),
            run_prefix("inspector", "nightly", execution()),
        ]
        written = {f"inspector/{key.split('/')[1]}/" for key in keys}
        assert expiring == dict.fromkeys(written, "400") | {"inspector/athena/": 7}
        for by_people in (owner_rules_key, reports_key):
            assert not any(by_people("inspector").startswith(prefix) for prefix in expiring)

    def test_every_key_of_the_layout_is_known_here(self) -> None:
        makers = {name for name, each in vars(layout).items() if isfunction(each) and "key_prefix" in signature(each).parameters}
        assert makers - {"_folder"} == {"analysis_keys", "owner_rules_key", "reports_key", "run_prefix", "summary_keys"}

    def test_the_days_of_the_example_are_some_that_the_code_reads(self) -> None:
        (example,) = set(re.findall(r"RemediationDays = '(.+?)'", Path("docs/configuration.md").read_text(encoding="utf-8")))
        days = RemediationDays.parse(example)
        assert days is not None
        assert dict(days.days) == {"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90, "LOW": 180}

    def test_what_holds_data_or_subscribers_keeps_its_logical_id(self) -> None:
        deployed = Rendered().resources
        assert {kind: {name for name, each in deployed.items() if each["Type"] == kind} for kind in KEPT_IDS} == KEPT_IDS
        assert deployed["ExportFindingsNightly"]["Type"] == "AWS::Scheduler::Schedule"

    def test_the_table_is_what_the_code_reads_and_writes(self) -> None:
        (properties,) = of_type("AWS::DynamoDB::Table").values()
        assert properties["GlobalSecondaryIndexes"][0]["IndexName"] == table.OPEN_INDEX
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
        assert [key["AttributeName"] for key in properties["KeySchema"]] == ["pk", "sk"]

    def test_a_runs_record_expires_before_its_name_may_come_again(self) -> None:
        assert timedelta(days=90) > run_store.EXECUTION_KEPT

    def test_the_event_is_the_published_one(self) -> None:
        schema = json.loads(Path("docs/export-event.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        assert schema["properties"]["version"]["const"] == notification.EVENT_VERSION


class TestStarts:
    INPUTS = sorted(set(Path("events").glob("*.json")) - {Path("events/check_setup.json")})  # which is a function's

    def test_the_schedules_input_is_planned_once_its_variables_are_filled_in(self) -> None:
        text = RESOURCES["ExportFindingsNightly"]["Properties"]["Target"]["Input"]
        sent = text.replace("<aws.scheduler.scheduled-time>", "2026-11-23T03:00:00Z").replace(
            "<aws.scheduler.schedule-arn>", SCHEDULE
        )
        made = make_plan(json.loads(sent), config(), execution())
        assert isinstance(made, Plan)
        assert (made.scheduled_for, made.schedule) == ("2026-11-23T03:00:00+00:00", SCHEDULE)

    def test_the_example_of_a_run_has_the_form_that_the_schedule_sends(self) -> None:
        sent = json.loads(RESOURCES["ExportFindingsNightly"]["Properties"]["Target"]["Input"])
        example = json.loads(Path("events/nightly.json").read_text(encoding="utf-8"))
        del example["Comment"]
        assert shape(example) == shape(sent)

    @pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
    def test_an_example_input_is_planned(self, path: Path) -> None:
        assert isinstance(make_plan(json.loads(path.read_text(encoding="utf-8")), config(), execution()), Plan)

    def test_every_end_without_success_is_cleaned_up(self) -> None:
        events = LAMBDAS["CleanUpFunction"]["Events"]
        detail = events["ExecutionEnded"]["Properties"]["Pattern"]["detail"]
        only, both = [{"Ref": "ExportFindings"}], [{"Ref": "ExportFindings"}, {"Ref": "ExportAllReports"}]
        assert detail == {"stateMachineArn": {"Fn::If": ["HasSummary", both, only]}, "status": ["ABORTED", "FAILED", "TIMED_OUT"]}
        assert events["HourlyCleanup"]["Properties"]["ScheduleExpression"] == "rate(1 hour)"

    def test_a_second_stack_in_the_region_is_possible(self) -> None:
        for function in ("CleanUpFunction", "SummarizeFunction"):
            events = RESOURCES[function]["Properties"]["Events"].values()
            schedules = [each for each in events if each["Type"] == "ScheduleV2"]
            assert [each["Properties"]["OmitName"] for each in schedules] == [True]
        assert "Name" not in RESOURCES["ExportFindingsNightly"]["Properties"]

    def test_the_schedule_starts_one_report_or_all(self) -> None:
        target = RESOURCES["ExportFindingsNightly"]["Properties"]["Target"]["Arn"]
        assert target == {"Fn::If": ["HasSummary", {"Ref": "ExportAllReports"}, {"Ref": "ExportFindings"}]}


@pytest.mark.parametrize("name", TEMPLATE["Outputs"])
def test_an_output_is_described(name: str) -> None:
    assert TEMPLATE["Outputs"][name]["Description"].endswith(".")


def test_every_reference_leads_somewhere() -> None:
    known = set(RESOURCES) | set(PARAMETERS) | {"CleanUpFunctionExecutionEnded"}
    used = set(re.findall(r"!Ref (\w+)(?!:)\b", TEMPLATE_TEXT)) | set(re.findall(r"!GetAtt (\w+)\.", TEMPLATE_TEXT))
    assert used <= known
