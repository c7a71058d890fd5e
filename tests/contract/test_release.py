"""What a release ships: the resources that SAM makes, without its macro; and what docs/deploying.md gives to each tool."""

import ast
import json
import re
import shlex
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from botocore.session import Session
from botocore.validate import ParamValidator

from tests.builders.cloudformation import read_template
from tests.builders.rendered import TEMPLATE, transformed
from tests.tools.release import Release, notes_of
from tests.tools.release_template import BUCKET, CODE, MAX_BYTES, PARAMETER, code_of, release_template, text_of

SOURCE = read_template(TEMPLATE)
KEYS = {name: f"inspector-findings-exporter/0.1.0/{name}-0123456789ab.zip" for name in code_of(SOURCE)}
RELEASED = release_template(SOURCE, KEYS, "0.1.0")
INTERFACE = "AWS::CloudFormation::Interface"
DOCUMENT = Path("docs/deploying.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------------------
# The template
# ---------------------------------------------------------------------------------------------------------------------


@cache
def made_by_sam() -> dict[str, Any]:
    """The template as a deployment by SAM has it, with the code in one bucket."""
    template = deepcopy(SOURCE)
    for name, key in KEYS.items():
        properties = template["Resources"][name]["Properties"]
        (uri,) = set(CODE.values()) & set(properties)
        properties[uri] = f"s3://one-bucket/{key}"
    return transformed(template, "us-east-1")


def test_the_resources_are_those_that_sam_makes_but_for_the_bucket_of_their_code() -> None:
    in_one_bucket = json.dumps(RELEASED["Resources"]).replace(json.dumps(BUCKET), '"one-bucket"')
    assert unversioned(in_one_bucket) == unversioned(json.dumps(made_by_sam()["Resources"]))


def unversioned(resources: str) -> Any:
    """Resources without what SAM adds to the name of a layer: a hash of its properties, the bucket among them."""
    without, count = re.subn(r"\b(ExporterLayer|AnalyticsLayer)[0-9a-f]{10}\b", r"\1", resources)
    assert count > 20
    return json.loads(without)


def test_it_has_no_macro_and_nothing_of_sam() -> None:
    assert "Transform" not in RELEASED
    assert "AWS::Serverless" not in text_of(RELEASED)
    assert "Globals" not in RELEASED


@pytest.mark.parametrize("part", ["AWSTemplateFormatVersion", "Description", "Rules", "Mappings", "Conditions", "Outputs"])
def test_everything_else_stays(part: str) -> None:
    assert RELEASED[part] == made_by_sam()[part] == SOURCE[part]


def test_it_has_one_parameter_more_which_has_no_default_and_its_place_in_the_console() -> None:
    assert set(RELEASED["Parameters"]) - set(SOURCE["Parameters"]) == {PARAMETER}
    assert {name: RELEASED["Parameters"][name] for name in SOURCE["Parameters"]} == SOURCE["Parameters"]
    assert "Default" not in RELEASED["Parameters"][PARAMETER]
    groups = [group["Parameters"] for group in RELEASED["Metadata"][INTERFACE]["ParameterGroups"]]
    assert sorted(name for group in groups for name in group) == sorted(RELEASED["Parameters"])


@pytest.mark.parametrize(
    ("prefix", "fits"),
    [("my-artifacts", True), ("a" * 48, True), ("a" * 49, False), ("My", False), ("a.b", False), ("-a", False), ("a", False)],
)
def test_the_prefix_is_that_of_a_bucket_name(prefix: str, fits: bool) -> None:
    assert bool(re.fullmatch(RELEASED["Parameters"][PARAMETER]["AllowedPattern"], prefix)) is fits
    assert not fits or len(f"{prefix}-ap-southeast-1") <= 63


def test_every_file_with_code_is_read_from_the_regions_bucket_by_its_own_key() -> None:
    read = sorted(found for resource in RELEASED["Resources"].values() for found in places(resource["Properties"]))
    assert read == sorted(KEYS.values())


def places(properties: dict[str, Any]) -> Iterator[str]:
    """The keys that a resource reads from the artifact bucket."""
    for name in ("Code", "Content", "DefinitionS3Location"):
        if name in properties and "S3Bucket" in properties[name]:
            assert properties[name]["S3Bucket"] == BUCKET
            yield properties[name]["S3Key"]
        elif name in properties and "Bucket" in properties[name]:
            assert properties[name]["Bucket"] == BUCKET
            yield properties[name]["Key"]


def test_new_code_changes_what_cloudformation_sees() -> None:
    changed = release_template(SOURCE, KEYS | {"ExporterLayer": "inspector-findings-exporter/0.1.0/other.zip"}, "0.1.0")
    layers = [{each for each in template["Resources"] if each.startswith("ExporterLayer")} for template in (RELEASED, changed)]
    assert layers[0] != layers[1], "a layer's version is a resource of its own, so that functions get the new one"


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_one_template_is_right_in_every_partition(region: str) -> None:
    assert release_template(SOURCE, KEYS, "0.1.0", region) == RELEASED


def test_its_text_is_what_cloudformation_reads() -> None:
    text = text_of(RELEASED)
    assert yaml.safe_load(text) == RELEASED
    assert not [event for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)]
    assert 51_200 < len(text.encode()) < MAX_BYTES, "docs/deploying.md says that it needs a URL in S3"


def test_a_stack_names_the_version_that_is_deployed() -> None:
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert SOURCE["Outputs"]["Version"]["Value"] == version
    assert RELEASED["Outputs"]["Version"]["Value"] == "0.1.0"


def test_the_changelog_has_notes_of_the_version_or_of_what_becomes_it() -> None:
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert notes_of(changelog, version) or notes_of(changelog, "Unreleased")


# ---------------------------------------------------------------------------------------------------------------------
# docs/deploying.md
# ---------------------------------------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


def block_with(language: str, text: str) -> str:
    (found,) = [block for block in blocks(language) if text in block]
    return found


def commands() -> list[str]:
    """The commands of the AWS CLI that are one call of an API."""
    lines = [line for block in blocks("sh") for line in re.sub(r"<\w+>", "X", block).replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("aws ") and not re.match(r"aws (s3|cloudformation deploy) ", line)]


def typed(words: list[str], shape: Any) -> Any:
    """The words of an option as the AWS CLI reads them: in its shorthand, else as they are."""
    if shape.type_name == "list":
        return [typed([word], shape.member) for word in words]
    (word,) = words
    if shape.type_name == "structure":
        pairs = re.findall(r"(\w+)=(.*?)(?=,\w+=|$)", word)
        assert ",".join(f"{name}={value}" for name, value in pairs) == word
        assert {name for name, _ in pairs} <= set(shape.members), shape.name
        return {name: typed(listed(value, shape.members[name]), shape.members[name]) for name, value in pairs}
    return word == "true" if shape.type_name == "boolean" else word


def listed(value: str, shape: Any) -> list[str]:
    """What stands after a name in the shorthand: several values where the member is a list."""
    return value.split(",") if shape.type_name == "list" else [value]


def options(words: list[str]) -> dict[str, list[str]]:
    """The words behind each option of a command."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word[2:]] = []
        else:
            found[list(found)[-1]].append(word)
    return found


@pytest.mark.parametrize("command", commands())
def test_a_call_by_the_cli_has_the_members_and_types_of_the_api(command: str) -> None:
    _, service, operation, *rest = shlex.split(command)
    model = Session().get_service_model({"s3api": "s3"}.get(service, service))
    shape = model.operation_model({xform_name(name, "-"): name for name in model.operation_names}[operation]).input_shape
    assert shape
    members = {xform_name(member, "-"): member for member in shape.members}
    given = {name: words for name, words in options(rest).items() if name not in {"region", "query", "output"}}
    request: dict[str, Any] = {}
    for option, words in given.items():
        name = option if option in members else option.removeprefix("no-")
        request[members[name]] = typed(words, shape.members[members[name]]) if name == option else False
    assert not (report := ParamValidator().validate(request, shape)).has_errors(), report.generate_report()
    for parameter in request.get("Parameters", []):
        assert parameter["ParameterKey"] in RELEASED["Parameters"]


def test_both_kinds_of_stack_sets_are_shown() -> None:
    models = {model for command in commands() for model in re.findall(r"--permission-model (\w+)", command)}
    assert models == {"SELF_MANAGED", "SERVICE_MANAGED"}


def test_terraform_reads_its_example() -> None:
    parse = "import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))"
    (block,) = blocks("hcl")
    command = [".venv-security/bin/python", "-W", "ignore", "-c", parse]
    read = json.loads(subprocess.run(command, input=block, capture_output=True, text=True, check=True).stdout)
    (stack,) = [each["aws_cloudformation_stack"] for each in read["resource"] if "aws_cloudformation_stack" in each]
    (resource,) = stack.values()
    assert set(resource["parameters"][0]) <= set(RELEASED["Parameters"])
    assert PARAMETER in resource["parameters"][0]
    assert resource["capabilities"] == [["CAPABILITY_IAM"]]
    (files,) = [each["aws_s3_object"]["release"] for each in read["resource"] if "aws_s3_object" in each]
    assert files["lifecycle"] == [{"create_before_destroy": [True]}], "a rollback reads the files of the earlier version"
    assert "source_hash" in files, "a trial that was made again has other files of the same names"
    assert resource["depends_on"] == [["${aws_s3_object.release}"]]
    (bucket,) = [each["aws_s3_bucket"]["artifacts"]["bucket"][0] for each in read["resource"] if "aws_s3_bucket" in each]
    (provider,) = read["provider"]
    assert bucket == f"{resource['parameters'][0][PARAMETER]}-{provider['aws']['region'][0]}"


def test_the_example_of_the_cdk_is_python_and_sets_parameters_that_exist() -> None:
    (block,) = blocks("python")
    (given,) = [
        keyword.value
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "parameters"
    ]
    assert PARAMETER in ast.literal_eval(given)
    assert set(ast.literal_eval(given)) <= set(RELEASED["Parameters"])


def test_the_workflow_of_ci_uploads_before_it_deploys_and_checks_the_files_first() -> None:
    workflow = yaml.safe_load(block_with("yaml", "jobs:"))
    (job,) = workflow["jobs"].values()
    runs = " ".join(step["run"] for step in job["steps"] if "run" in step)
    order = [runs.index(each) for each in ("sha256sum -c SHA256SUMS", "aws s3 cp", "aws cloudformation deploy")]
    assert order == sorted(order)
    assert f"--parameter-overrides {PARAMETER}=" in runs
    assert "NotificationEmail=" in runs
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}


def test_every_deployment_by_command_names_the_bucket_prefix_and_the_capability() -> None:
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    deployments = [
        line for line in lines if re.match(r"(aws cloudformation (deploy|create-stack|create-stack-set)|sam deploy) ", line)
    ]
    assert len(deployments) == 5
    for line in deployments:
        assert PARAMETER in line, line
        assert "CAPABILITY_IAM" in line, line


def test_an_upgrade_keeps_the_parameters_that_the_first_deployment_set() -> None:
    set_first, kept = (
        {frozenset(re.findall(rf"ParameterKey=(\w+),{value}", command)) for command in commands() if f" {verb}-stack" in command}
        - {frozenset()}
        for verb, value in (("create", "ParameterValue="), ("update", "UsePreviousValue=true"))
    )
    assert set_first == kept
    assert len([command for command in commands() if " update-stack" in command]) == 2


def test_what_creates_a_stack_has_what_deletes_it() -> None:
    operations = {command.split()[2] for command in commands()}
    for created in ("stack", "stack-set", "stack-instances"):
        assert {f"create-{created}", f"delete-{created}"} <= operations
    uninstall = DOCUMENT.partition("## Uninstall a release")[2]
    for command in ("terraform destroy", "cdk destroy", "aws s3 rb"):
        assert command in uninstall


@pytest.mark.parametrize("command", [command for command in commands() if " cloudformation " in command])
def test_a_command_names_the_region_of_its_stack_or_stack_set(command: str) -> None:
    assert re.search(r" --region [a-z]+-[a-z]+-\d\b", command)


CRITICAL = {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}


def test_a_value_that_is_json_is_right_in_each_way() -> None:
    table = dict(re.findall(r"^\| (.+?) \| (.*FilterCriteria.*|.*the JSON as it is.*) \|$", DOCUMENT, re.MULTILINE))
    assert json.loads(table["console"].split("`")[1]) == CRITICAL
    (word,) = shlex.split(table["`aws cloudformation deploy`, CI"].split("`")[3])
    assert json.loads(word.split("=", 1)[1]) == CRITICAL
    assert json.loads(ast.literal_eval("{" + table["CDK"].strip("`") + "}")["FilterCriteria"]) == CRITICAL
    assert 'FilterCriteria = jsonencode({ severity = [{ comparison = "EQUALS", value = "CRITICAL" }] })' in table["Terraform"]
    read_by_sam = yaml.safe_load(block_with("yaml", "FilterCriteria"))
    read_by_the_api = json.loads(block_with("json", "ParameterKey"))
    assert read_by_sam == {each["ParameterKey"]: each["ParameterValue"] for each in read_by_the_api}
    assert json.loads(read_by_sam.pop("FilterCriteria")) == CRITICAL
    assert set(read_by_sam) == {PARAMETER, "NotificationEmail"}


def test_the_input_of_the_test_export_is_that_of_the_clone() -> None:
    assert json.loads(block_with("json", "deadline_hours")) == json.loads(
        Path("events/test_export.json").read_text(encoding="utf-8")
    )


def test_the_outputs_that_are_named_exist() -> None:
    named = set(re.findall(r"output\s+`(\w+)`", DOCUMENT))
    assert {"CheckSetupCommand", "PreviewCommand", "StateMachineConsole"} <= named <= set(RELEASED["Outputs"])


def test_the_workflows_role_may_write_and_read_the_files_and_nothing_else() -> None:
    statement = json.loads(block_with("json", "ReleaseFiles"))
    job = yaml.safe_load(block_with("yaml", "jobs:"))["jobs"]["deploy"]
    assert statement["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert statement["Resource"] == f"arn:aws:s3:::{job['env']['BUCKET']}/inspector-findings-exporter/*"
    template_prefix = re.search(r"--s3-prefix (\S+)", json.dumps(job))
    assert template_prefix
    assert template_prefix[1].startswith("inspector-findings-exporter/")


def test_what_the_bucket_lets_other_accounts_do_is_to_read() -> None:
    (policy,) = [json.loads(block) for block in blocks("json") if "PrincipalOrgID" in block]
    (statement,) = policy["Statement"]
    assert statement["Action"] == "s3:GetObject"
    assert set(statement["Condition"]["StringEquals"]) == {"aws:PrincipalOrgID"}


def test_keys_are_below_the_version() -> None:
    prefix = Release("0.1.0", datetime(2026, 12, 1, tzinfo=UTC), "").prefix
    assert prefix == "inspector-findings-exporter/0.1.0/"
    assert prefix in DOCUMENT
