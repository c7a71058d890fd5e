"""Deploying: what it installs, unattended and by samconfig.toml, and what docs/ci.md gives to GitHub Actions."""

import json
import os
import re
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from findings_exporter.model.layout import owner_rules_key, reports_key
from tests.builders.rendered import VARIANTS, Place, Rendered
from tests.contract.parts import TEMPLATE, listed
from tests.tools import regions

MAKEFILE = Path("Makefile").read_text(encoding="utf-8")
SAMCONFIG = Path("samconfig.toml").read_text(encoding="utf-8")
DOCUMENT = Path("docs/ci.md").read_text(encoding="utf-8")
OPERATIONS = Path("docs/operations.md").read_text(encoding="utf-8")
ORGANISATION = Path("docs/organisation.md").read_text(encoding="utf-8")

# ---------------------------------------------------------------------------------------------------------------------
# make
# ---------------------------------------------------------------------------------------------------------------------


def steps(*arguments: str) -> str:
    """What make would do in a folder where nothing is installed."""
    return make("-n", "--always-make", *arguments)


def make(*arguments: str) -> str:
    """What make prints; also where make itself runs the tests, as a make of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.parametrize("target", ["deploy", "build"])
def test_deploying_installs_the_sam_cli_and_no_other_environment(target: str) -> None:
    assert set(re.findall(r"UV_PROJECT_ENVIRONMENT=(\S+)", steps(target))) == {".venv-sam"}


def test_a_deployment_asks_unless_yes_is_set() -> None:
    assert steps("deploy").splitlines()[-1].split()[-2:] == ["sam", "deploy"]
    unattended = steps("deploy", "YES=1").splitlines()[-1]
    assert unattended.endswith("sam deploy --no-confirm-changeset --no-fail-on-empty-changeset")


def test_with_regions_the_tool_deploys_them_with_the_sam_cli_s_environment() -> None:
    planned = steps("deploy", "REGIONS=eu-west-1 us-east-1", "YES=1")
    assert planned.splitlines()[-1] == ".venv-sam/bin/python -m tests.tools.regions deploy eu-west-1 us-east-1 --yes"
    assert set(re.findall(r"UV_PROJECT_ENVIRONMENT=(\S+)", planned)) == {".venv-sam"}
    undeploy = steps("undeploy", "REGIONS=us-east-1", "STACK=mine")
    assert undeploy.splitlines()[-1].endswith("-m tests.tools.regions undeploy us-east-1  --stack 'mine'")
    assert set(re.findall(r"UV_PROJECT_ENVIRONMENT=(\S+)", undeploy)) == {".venv-sam"}


def test_the_tool_needs_nothing_but_what_the_sam_cli_installs() -> None:
    command = [".venv-sam/bin/python", "-m", "tests.tools.regions", "--help"]
    assert "home Region" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", ["config", "undeploy"])
def test_without_regions_it_says_how_to_name_them(target: str) -> None:
    command = ["make", "--old-file=install", "--old-file=.venv-sam/.synced", target]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "REGIONS"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode != 0
    assert f'Name the Regions: make {target} REGIONS="eu-west-1 us-east-1"' in ended.stderr


def test_make_deploy_does_not_deploy_another_stack_than_the_one_that_was_named() -> None:
    command = ["make", "--old-file=build", "deploy", "STACK=inspector-findings-weekly", "sam=exit 9 #"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "make deploy takes the stack of samconfig.toml, not STACK=." in ended.stderr
    assert ended.returncode == 2


def test_make_help_describes_every_target() -> None:
    targets = {name for names in re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE) for name in names.split()}
    parts = {name for name in targets if name.startswith("lint-")}
    assert parts == set(re.search(r"output-sync=target (.+)", MAKEFILE)[1].split())  # type: ignore[index]
    targets -= parts
    printed = make("help")
    described = dict(re.findall(r"^  make (\S+) +(\S.*)$", printed, re.MULTILINE))
    assert set(described) == targets
    assert make() == printed


# ---------------------------------------------------------------------------------------------------------------------
# samconfig.toml
# ---------------------------------------------------------------------------------------------------------------------

PARSE = """
import inspect, json, sys
from unittest.mock import patch
from click.testing import CliRunner
from samcli.commands.deploy import command

given = {}
names = list(inspect.signature(command.do_cli).parameters)
with patch.object(command, "do_cli", lambda *values: given.update(zip(names, values))):
    ended = CliRunner().invoke(command.cli, sys.argv[1:], catch_exceptions=False)
assert ended.exit_code == 0, ended.output
print(json.dumps({name: value for name, value in given.items() if isinstance(value, (str, bool, dict, list))}))
"""
"""Runs ``sam deploy`` up to where it would call AWS, and prints what it was given."""


def deployment(config: str, folder: Path, *options: str) -> dict[str, Any]:
    """What the SAM CLI reads from a samconfig.toml."""
    path = folder / "samconfig.toml"
    path.write_text(config, encoding="utf-8")
    command = [".venv-sam/bin/python", "-c", PARSE, "--config-file", str(path), "--template-file", "template.yaml", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    given: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return given


def uncommented() -> str:
    """samconfig.toml with its example in force."""
    return re.sub(
        r"^# (\[default\.deploy\.parameters\.parameter_overrides\]|[A-Z][A-Za-z]+ = )", r"\1", SAMCONFIG, flags=re.MULTILINE
    )


def test_the_example_gives_the_sam_cli_each_value_as_it_is_written(tmp_path: Path) -> None:
    given = deployment(uncommented(), tmp_path)["parameter_overrides"]
    severities = [{"comparison": "EQUALS", "value": value} for value in ("CRITICAL", "HIGH")]
    assert json.loads(given.pop("FilterCriteria")) == {"severity": severities}
    assert given == {
        "NotificationEmail": "security@example.com",
        "NotifyOn": "CHANGES",
        "ScheduleExpression": "cron(0 5 * * ? *)",
        "ScheduleTimezone": "Europe/Berlin",
        "DeadlineHours": "8",
        "RemediationDays": '{"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90, "LOW": 180}',
        "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/developer-boundary",
    }


def test_the_example_has_parameters_and_values_of_the_template(tmp_path: Path) -> None:
    for name, value in deployment(uncommented(), tmp_path)["parameter_overrides"].items():
        parameter = TEMPLATE["Parameters"][name]
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), name
        assert value in parameter.get("AllowedValues", [value])


def test_as_it_stands_it_sets_no_parameter_and_needs_no_question_for_a_first_deployment(tmp_path: Path) -> None:
    given = deployment(SAMCONFIG, tmp_path, "--no-confirm-changeset", "--no-fail-on-empty-changeset")
    assert "parameter_overrides" not in given or given["parameter_overrides"] == {}
    assert (given["stack_name"], given["resolve_s3"], given["guided"]) == ("inspector-findings-exporter", True, False)
    assert given["s3_prefix"] == given["stack_name"]
    assert (given["confirm_changeset"], given["fail_on_empty_changeset"]) == (False, False)
    assert given["capabilities"] == ["CAPABILITY_IAM"]
    assert deployment(SAMCONFIG, tmp_path)["confirm_changeset"] is True


def test_the_second_stack_of_the_operations_page_has_values_of_its_own(tmp_path: Path) -> None:
    (section,) = re.findall(r"^```toml\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    given = deployment(f"{SAMCONFIG}\n{section}", tmp_path, "--config-env", "weekly")
    assert (given["stack_name"], given["resolve_s3"]) == ("inspector-findings-weekly", True)
    assert given["s3_prefix"] == given["stack_name"]  # sam delete deletes the packages below it
    assert given["capabilities"] == ["CAPABILITY_IAM"]
    for name, value in given["parameter_overrides"].items():
        assert re.fullmatch(TEMPLATE["Parameters"][name].get("AllowedPattern", ".*"), value), name
    assert {"ReportName", "AthenaDatabase"} <= set(given["parameter_overrides"])


def test_the_regions_of_the_organisation_page_can_be_deployed_by_the_command_beside_them() -> None:
    text = ORGANISATION.partition("## Several Regions, one summary")[2]
    blocks = [textwrap.dedent(block) for block in re.findall(r"^ *```toml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)]
    shared, own = blocks[:2]
    samconfig = tomllib.loads(f"[default.global.parameters]\nstack_name = 'x'\n{shared}\n{own}")
    (command,) = set(re.findall(r'make deploy REGIONS="([^"]+)"', text))
    settings = {region: regions.settings_of(samconfig, region) for region in regions.named([command])}
    assert len(settings) == 5
    assert regions.faults(settings) == []
    assert {each.parameters.get("Dashboard") for each in settings.values()} == {None, "OFF"}
    for each in settings.values():
        for name, value in each.parameters.items():
            parameter = TEMPLATE["Parameters"][name]
            parts = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
            assert all(re.fullmatch(parameter.get("AllowedPattern", ".*"), part) for part in parts), name
            assert value in parameter.get("AllowedValues", [value])


@pytest.mark.parametrize(
    ("overrides", "read"),
    [
        ('"ScheduleExpression=cron(0 5 * * ? *)"', {"ScheduleExpression": "cron(0"}),
        ('"""\nDeadlineHours=8\nReportName=weekly\n"""', {"DeadlineHours": "8\nReportName=weekly"}),
        (
            '"""\nScheduleState=DISABLED OnBusy=fail\nReportName=weekly"""',
            {"ScheduleState": "DISABLED", "OnBusy": "fail\nReportName=weekly"},
        ),
    ],
)
def test_the_other_form_loses_what_its_comment_says(overrides: str, read: dict[str, str], tmp_path: Path) -> None:
    config = SAMCONFIG.replace("resolve_s3 = true\n\n", f"resolve_s3 = true\nparameter_overrides = {overrides}\n\n", 1)
    assert deployment(config, tmp_path)["parameter_overrides"] == read


# ---------------------------------------------------------------------------------------------------------------------
# docs/ci.md
# ---------------------------------------------------------------------------------------------------------------------

JSON_BLOCKS = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)]
TRUST, POLICY, ATHENA, CHAT, CONFIG_FILES, BOUNDARY = JSON_BLOCKS
STATEMENTS: list[dict[str, Any]] = [*POLICY["Statement"], *ATHENA, *CHAT, *CONFIG_FILES]
(WORKFLOW,) = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)]
STACK, PLACE = "inspector-findings-exporter", "eu-west-1:123456789012"
CUT = f"{STACK[:24]}-Resource-ABCDEFGHIJKL"
"""The shortest form of a name that CloudFormation makes of the stack's."""
IAM = "arn:aws:iam::123456789012"
ARNS = {
    "AWS::Athena::NamedQuery": [f"arn:aws:athena:{PLACE}:workgroup/{STACK}"],
    "AWS::Athena::WorkGroup": [f"arn:aws:athena:{PLACE}:workgroup/{STACK}"],
    "AWS::Chatbot::MicrosoftTeamsChannelConfiguration": ["*"],
    "AWS::Chatbot::SlackChannelConfiguration": ["*"],
    "AWS::CloudWatch::Alarm": [f"arn:aws:cloudwatch:{PLACE}:alarm:{CUT}"],
    "AWS::CloudWatch::Dashboard": [f"arn:aws:cloudwatch::123456789012:dashboard/{STACK}-eu-west-1"],
    "AWS::DynamoDB::Table": [f"arn:aws:dynamodb:{PLACE}:table/{CUT}"],
    "AWS::Events::Rule": [f"arn:aws:events:{PLACE}:rule/{CUT}"],
    "AWS::Glue::Database": [f"arn:aws:glue:{PLACE}:catalog", f"arn:aws:glue:{PLACE}:database/inspector_findings"],
    "AWS::Glue::Table": [f"arn:aws:glue:{PLACE}:catalog", f"arn:aws:glue:{PLACE}:table/inspector_findings/findings"],
    "AWS::IAM::ManagedPolicy": [f"{IAM}:policy/{CUT}"],
    "AWS::IAM::Role": [f"{IAM}:role/{STACK}/{CUT}", f"{IAM}:role/{CUT}", f"{IAM}:role/{STACK}-chat/{CUT}"],
    "AWS::KMS::Alias": [f"arn:aws:kms:{PLACE}:alias/{STACK}", f"arn:aws:kms:{PLACE}:key/0000"],
    "AWS::KMS::Key": [f"arn:aws:kms:{PLACE}:key/0000"],
    "AWS::Lambda::EventSourceMapping": [f"arn:aws:lambda:{PLACE}:event-source-mapping:00000000-0000"],
    "AWS::Lambda::Function": [f"arn:aws:lambda:{PLACE}:function:{CUT}"],
    "AWS::Lambda::LayerVersion": [f"arn:aws:lambda:{PLACE}:layer:{name}Layer:1" for name in ("Exporter", "Analytics")],
    "AWS::Lambda::Permission": [f"arn:aws:lambda:{PLACE}:function:{CUT}"],
    "AWS::Logs::LogGroup": [
        f"arn:aws:logs:{PLACE}:log-group:{group}"
        for group in (f"/aws/lambda/{STACK}-Notify:*", f"/aws/vendedlogs/states/{STACK}-ExportFindings:*")
    ],
    "AWS::Logs::QueryDefinition": ["*"],
    "AWS::S3::Bucket": [f"arn:aws:s3:::{STACK}-bucket-abcdef", "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-abc"],
    "AWS::S3::BucketPolicy": [f"arn:aws:s3:::{STACK}-bucket-abcdef"],
    "AWS::SNS::Subscription": [f"arn:aws:sns:{PLACE}:{CUT}"],
    "AWS::SNS::Topic": [f"arn:aws:sns:{PLACE}:{CUT}", f"arn:aws:sns:{PLACE}:{STACK}-Alarms"],
    "AWS::SNS::TopicPolicy": [f"arn:aws:sns:{PLACE}:{CUT}"],
    "AWS::SQS::Queue": [f"arn:aws:sqs:{PLACE}:{CUT}"],
    "AWS::SQS::QueuePolicy": [f"arn:aws:sqs:{PLACE}:{CUT}"],
    "AWS::Scheduler::Schedule": [f"arn:aws:scheduler:{PLACE}:schedule/default/{CUT}"],
    "AWS::StepFunctions::StateMachine": [f"arn:aws:states:{PLACE}:stateMachine:{STACK}-ExportFindings"],
}
"""By the type of a resource, the ARNs that it may have in a stack of the default name; * where the service knows no ARN."""
NOT_NEEDED = {
    "a table has no replica, import, stream or item of CloudFormation's": [
        "dynamodb:AssociateTableReplica", "dynamodb:BatchWriteItem", "dynamodb:CreateTableReplica", "dynamodb:DeleteItem",
        "dynamodb:DisableKinesisStreamingDestination", "dynamodb:EnableKinesisStreamingDestination", "dynamodb:GetItem",
        "dynamodb:ImportTable", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem",
        "dynamodb:UpdateKinesisStreamingDestination", "kinesis:*", "logs:CreateLogStream", "logs:DescribeLogStreams",
        "logs:PutLogEvents", "s3:GetObjectMetadata",
    ],
    "the functions are in no VPC, and use no file system, code signing or capacity provider": [
        "ec2:*", "elasticfilesystem:*", "s3files:*", "lambda:*CodeSigningConfig", "lambda:AssociateRuntimeAlias",
        "lambda:PassCapacityProvider",
    ],
    "the database has no connection and the table no schema registry": [
        "glue:*Connection", "glue:GetSchemaVersion",
    ],
    "Lake Formation grants of its own, as the document says": ["lakeformation:*"],
    "policies are attached to roles only": ["iam:*GroupPolicy", "iam:*UserPolicy"],
    "the key's own policy lets DynamoDB use it for the account; nothing else is encrypted or decrypted while deploying": [
        "kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:RevokeGrant",
    ],
    "the log groups have no key, index, data protection or delivery elsewhere": [
        "firehose:*", "logs:*BearerTokenAuthentication", "logs:*DataProtectionPolicy", "logs:*IndexPolicy", "logs:*KmsKey",
        "logs:DeleteResourcePolicy", "logs:PutLogGroupDeletionProtection", "s3:REST.PUT.OBJECT",
    ],
    "the bucket has no tables of metadata, and CloudFormation writes and reads no object of it": [
        "s3:*MetadataTableConfiguration", "s3:*Metadata*TableConfiguration", "s3:AbortMultipartUpload", "s3:DeleteObject",
        "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts", "s3:PutObjectAcl", "s3tables:*",
    ],
    "the bucket has no website, CORS, replication, analytics, metrics or lock, so that none is deleted": [
        "s3:DeleteBucketAnalyticsConfiguration", "s3:DeleteBucketCors", "s3:DeleteBucketEncryption", "s3:DeleteBucketLifecycle",
        "s3:DeleteBucketMetricsConfiguration", "s3:DeleteBucketReplication", "s3:DeleteBucketWebsite",
    ],
    "topics have no data protection policy": ["sns:PutDataProtectionPolicy"],
}  # fmt: skip
"""Permissions that the resource types declare for what this template does not use, by the reason."""
OF_ANOTHER_RESOURCE = {
    "AWS::IAM::ManagedPolicy": {"iam:AttachRolePolicy", "iam:DetachRolePolicy"},
    "AWS::Lambda::Function": {"lambda:GetLayerVersion"},
}
"""Permissions of a type that are used on a resource of another type."""
PATTERNS = [pattern for patterns in NOT_NEEDED.values() for pattern in patterns]
TYPES = {
    resource["Type"]
    for place in [*VARIANTS.values(), Place(parameters={"NotificationEmail": "a@example.com"})]
    for resource in Rendered(place).resources.values()
}


@cache
def declared() -> dict[str, set[str]]:
    """The permissions that CloudFormation's handlers of each type declare, but for listing the account's."""
    found: dict[str, set[str]] = {}
    package = find_spec("cfnlint")
    assert package
    assert package.origin
    for path in (Path(package.origin).parent / "data/schemas/resources").glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if schema.get("typeName") in TYPES:
            handlers = [each for name, each in schema.get("handlers", {}).items() if name != "list"]
            found.setdefault(schema["typeName"], set()).update(*(each.get("permissions", []) for each in handlers))
    return found


def allowing(action: str, arn: str | None = None) -> Iterator[dict[str, Any]]:
    """The statements that allow an action, on an ARN when one is given."""
    for statement in STATEMENTS:
        named = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))
        if named and (arn is None or any(fnmatchcase(arn, pattern) for pattern in listed(statement["Resource"]))):
            yield statement


def is_needed(action: str) -> bool:
    return not any(fnmatchcase(action, pattern) for pattern in PATTERNS)


def test_the_role_may_upload_the_files_of_config_and_nothing_else_into_the_bucket() -> None:
    bucket = f"arn:aws:s3:::{STACK}-bucket-abcdef"
    for key in (owner_rules_key("inspector"), reports_key("inspector")):
        assert [each["Sid"] for each in allowing("s3:PutObject", f"{bucket}/{key}")] == ["ConfigFiles"]
    assert not list(allowing("s3:PutObject", f"{bucket}/inspector/reports/report.json"))
    assert [each["Sid"] for each in allowing("kms:GenerateDataKey", f"arn:aws:kms:{PLACE}:key/0000")] == ["ConfigKey"]


def test_every_type_of_resource_is_known_with_its_permissions() -> None:
    assert set(declared()) == set(ARNS) == TYPES


@pytest.mark.parametrize("kind", sorted(ARNS))
def test_the_policy_allows_what_cloudformation_declares_for_each_resource(kind: str) -> None:
    for permission in filter(is_needed, declared()[kind]):
        assert list(allowing(permission)), permission
        is_on_it = f":{permission.split(':')[0]}:" in ARNS[kind][0] and permission not in OF_ANOTHER_RESOURCE.get(kind, ())
        for arn in ARNS[kind] if is_on_it else []:
            assert list(allowing(permission, arn)), f"{permission} on {arn}"


def test_no_exception_is_stale() -> None:
    every = set().union(*declared().values())
    assert [pattern for pattern in PATTERNS if not any(fnmatchcase(each, pattern) for each in every)] == []


def test_the_policy_gives_no_access_to_findings() -> None:
    assert not list(allowing("s3:GetObject", f"arn:aws:s3:::{STACK}-bucket-abcdef/inspector/reports/x"))
    assert not list(allowing("s3:PutObject", f"arn:aws:s3:::{STACK}-bucket-abcdef/inspector/reports/x"))
    assert not list(allowing("dynamodb:GetItem"))
    assert not list(allowing("kms:Decrypt"))
    assert not list(allowing("athena:StartQueryExecution"))


def test_everything_is_named_but_what_no_name_confines() -> None:
    everywhere = {statement["Sid"] for statement in STATEMENTS if "*" in listed(statement["Resource"])}
    assert everywhere == {"ChatChannels", "LogDelivery", "NewKey", "SummaryQueue", "Subscriptions"}
    keys = next(each for each in STATEMENTS if each["Sid"] == "KeysOfStack")
    assert keys["Condition"] == {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}


def test_a_role_is_passed_to_the_services_that_the_template_lets_assume_one() -> None:
    rendered = Rendered(VARIANTS["chat"])
    trusted = {
        statement["Principal"]["Service"]
        for role in rendered.of_type("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    (pass_role,) = allowing("iam:PassRole")
    assert set(pass_role["Condition"]["StringEquals"]["iam:PassedToService"]) == trusted


@pytest.mark.parametrize(("statements", "limit"), [(STATEMENTS, 10_240)])
def test_with_every_option_it_fits_into_a_roles_inline_policies(statements: list[Any], limit: int) -> None:
    # Blanks do not count [AWS: IAM and AWS STS quotas].
    assert len(json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))) < limit


PARLIAMENT = """
import json, sys, parliament
for finding in parliament.analyze_policy_string(sys.stdin.read()).findings:
    details = finding.detail if isinstance(finding.detail, list) else [finding.detail]
    for detail in details:
        action = detail["action"] if isinstance(detail, dict) else detail
        print(json.dumps([finding.issue, action or str(finding.location.get("string", ""))]))
"""
KNOWN = {
    ("INVALID_ARN", "Account expected to be of form like 123456789012"),  # of the transform, whose account is aws
    ("RESOURCE_MISMATCH", "athena:ListTagsForResource"),  # of a workgroup, and of nothing else that has tags
    ("RESOURCE_MISMATCH", "athena:TagResource"),
    ("RESOURCE_MISMATCH", "athena:UntagResource"),
}


def test_iam_knows_every_action_condition_and_resource_of_the_policy() -> None:
    command = [".venv-security/bin/python", "-W", "ignore", "-c", PARLIAMENT]
    document = json.dumps(POLICY | {"Statement": STATEMENTS})
    printed = subprocess.run(command, input=document, capture_output=True, text=True, check=True).stdout
    findings = {(issue, detail) for issue, detail in map(json.loads, printed.splitlines())}
    # What a wildcard names beside what is meant harms nothing, and what a chat configuration's name confines is little.
    written = {action for statement in STATEMENTS for action in listed(statement["Action"]) if "*" not in action}
    beside = {(issue, action) for issue, action in findings if issue == "RESOURCE_MISMATCH" and action not in written}
    chat = {(issue, action) for issue, action in findings if issue == "RESOURCE_STAR" and action.startswith("chatbot:")}
    assert findings - beside - chat == KNOWN


def test_the_trust_policy_admits_the_job_of_the_workflow_and_no_other() -> None:
    (statement,) = TRUST["Statement"]
    conditions = statement["Condition"]["StringEquals"]
    environment = WORKFLOW["jobs"]["deploy"]["environment"]
    issuer = statement["Principal"]["Federated"].partition("/")[2]
    assert conditions == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": f"repo:example-org/inspector-findings-exporter:environment:{environment}",
    }
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert f"--url https://{issuer} --client-id-list sts.amazonaws.com" in DOCUMENT


def test_the_workflow_takes_the_role_and_deploys_unattended() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read", "id-token": "write"}
    steps_of_the_job = WORKFLOW["jobs"]["deploy"]["steps"]
    credentials = next(step["with"] for step in steps_of_the_job if "credentials" in step.get("uses", ""))
    role = credentials["role-to-assume"].rpartition("/")[2]
    assert f"create-role --role-name {role} " in DOCUMENT
    assert f"put-role-policy --role-name {role} " in DOCUMENT
    assert {"run": "make deploy YES=1"} in steps_of_the_job
    python = next(step["with"]["python-version"] for step in steps_of_the_job if "setup-python" in step.get("uses", ""))
    assert Path(".python-version").read_text(encoding="utf-8").startswith(python)
    # Two updates of one stack at a time are refused by CloudFormation.
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False
    assert "CheckSetupCommand" in TEMPLATE["Outputs"]
    check = steps_of_the_job[-1]["run"]
    assert "OutputKey=='CheckSetupCommand'" in check
    assert f"for region in {credentials['aws-region']};" in check
    assert '--region "$region"' in check
    assert subprocess.run(["bash", "-n"], input=check, text=True, check=False).returncode == 0
    (invoke,) = allowing("lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:{CUT}")
    assert invoke["Effect"] == "Allow"


def test_the_condition_for_a_boundary_names_the_example_of_samconfig() -> None:
    (boundary,) = BOUNDARY["StringEquals"].values()
    assert f'PermissionsBoundaryArn = "{boundary}"' in SAMCONFIG
