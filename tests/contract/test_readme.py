"""What the README tells the reader to type works: its targets, Regions, files and outputs exist, and its first screen says what it must."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from botocore.session import Session

from findings_exporter.model import plan
from tests.contract.parts import RESOURCES, TASKS, TEMPLATE, folder_of, of_type

README = Path("README.md").read_text(encoding="utf-8")
FIRST_SCREEN = "\n".join(README.splitlines()[:40])
CONFIGURATION = Path("docs/configuration.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line and not line.startswith("#")
]
SERVICES = {
    "AWS::Athena": ["Athena"],
    "AWS::Chatbot": ["Amazon Q Developer in chat applications (`chatbot`)"],
    "AWS::CloudWatch": ["CloudWatch alarms and dashboards"],
    "AWS::DynamoDB": ["DynamoDB"],
    "AWS::Glue": ["Glue"],
    "AWS::IAM": ["IAM roles", "IAM policies"],
    "AWS::KMS": ["KMS"],
    "AWS::Logs": ["CloudWatch Logs"],
    "AWS::S3": ["S3"],
    "AWS::SNS": ["SNS"],
    "AWS::SQS": ["SQS"],
    "AWS::Scheduler": ["Scheduler"],
    # SAM makes of them functions and layers, the rule and the schedules, and the state machine.
    "AWS::Serverless": ["Lambda", "EventBridge", "Scheduler", "Step Functions"],
}
"""What the README calls the service of a resource, by the first part of the resource's type."""
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE))
# A deployment without install, build and SAM CLI: it only prints the Region that the SAM CLI would see.
DEPLOY = ["make", "--silent", "--old-file=install", "--old-file=build", "deploy", "sam=printenv AWS_DEFAULT_REGION #"]


def region_of_a_deployment(environment: dict[str, str]) -> str | None:
    path = {"PATH": os.environ["PATH"]}
    result = subprocess.run(DEPLOY, env=path | environment, capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) >= 7


def test_every_target_that_is_named_exists() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", README)) | set(re.findall(r"^make ([a-z-]+)", "\n".join(COMMANDS), re.MULTILINE))
    assert {"demo", "test", "deploy"} <= named <= TARGETS


@pytest.mark.parametrize("target", ["demo", "test", "faults", "bench"])
def test_what_needs_the_embedded_aws_says_so_elsewhere_than_on_linux(target: str, tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n", encoding="utf-8")
    uname.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run(["make", target], env=path, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert result.stderr.startswith("The embedded AWS needs Linux, not Darwin: it runs functions on Lambda's own runtime client")
    assert result.stdout == ""


@pytest.mark.parametrize("target", ["install", "build", "lint", "deploy", "messages", "audit"])
def test_everything_else_needs_no_linux(target: str) -> None:
    steps = subprocess.run(["make", "-n", "--always-make", target], capture_output=True, text=True, check=True).stdout
    assert "uname" not in steps
    assert ".venv-runtime" not in steps


def test_the_permissions_to_deploy_name_every_service_that_the_template_has_resources_of() -> None:
    (said,) = re.findall(r"^To deploy, a principal needs (.*?) To start an export", README, re.MULTILINE | re.DOTALL)
    said = " ".join(said.split())
    services = {resource["Type"].rsplit("::", 1)[0] for resource in RESOURCES.values()}
    assert services == set(SERVICES)
    assert [service for service, words in SERVICES.items() if not all(word in said for word in words)] == []


def test_what_comes_after_a_deployment_needs_permissions_of_its_own() -> None:
    (said,) = re.findall(r"^To deploy, a principal needs .*?\n\n", README, re.MULTILINE | re.DOTALL)
    assert "`states:StartExecution`" in said
    assert "`lambda:InvokeFunction`" in said


def test_the_address_is_set_in_the_clone_before_the_deployment() -> None:
    (block,) = [block for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL) if "git clone" in block]
    steps = [block.index(each) for each in ("git clone", "NotificationEmail", "make deploy")]
    assert steps == sorted(steps)


def test_an_exported_region_is_one_that_the_sam_cli_reads() -> None:
    _, variable, *_ = Session.SESSION_VARIABLES["region"]
    exported = [line.split()[1].split("=")[0] for line in COMMANDS if line.startswith("export ")]
    assert exported == [variable]


def test_a_command_of_the_sam_cli_outside_a_deployment_names_its_region() -> None:
    commands = [line for line in COMMANDS if "bin/sam " in line]
    assert commands
    assert all(re.search(r"--region [a-z]+-[a-z]+-\d\b", line) for line in commands)


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-2"}, "eu-west-1"),
        ({}, None),  # not exported at all, so that the profile's Region holds
    ],
)
def test_a_deployment_goes_to_the_region_of_the_environment(environment: dict[str, str], region: str | None) -> None:
    assert region_of_a_deployment(environment) == region


def test_every_input_that_is_named_exists_and_is_explained() -> None:
    inputs = {path.name for path in Path("events").glob("*.json")}
    assert set(re.findall(r"events/(\w+\.json)", README)) <= inputs
    assert set(re.findall(r"^\| `(\w+\.json)` \|", CONFIGURATION, re.MULTILINE)) == inputs


def test_every_parameter_is_explained_once_with_its_default() -> None:
    table = CONFIGURATION.partition("## Parameters")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line.startswith("| `")]
    documented = [(name, default) for names, _, default in rows for name in re.findall(r"`(\w+)`", names)]
    defaults = {name: str(each["Default"]) for name, each in TEMPLATE["Parameters"].items()}
    assert dict(documented) == {name: f"`{default}`" if default else "empty" for name, default in defaults.items()}
    assert len(documented) == len(defaults)


def test_every_key_of_an_input_is_explained() -> None:
    table = CONFIGURATION.partition("## Execution input")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(
        [*(key for key in plan.KEYS if key != "report"), *(f"report.{key}" for key in plan.REPORT_KEYS)]
    )


def test_the_first_screen_says_what_it_is_how_far_it_is_and_how_to_try_it() -> None:
    assert len(README.splitlines()) < 200
    assert "**Status: 0.1.0, not yet run on a real AWS account.**" in FIRST_SCREEN
    assert "](docs/limits.md)" in FIRST_SCREEN
    assert "](docs/page-desktop.png)" in FIRST_SCREEN
    assert len(re.findall(r"^- \*\*", FIRST_SCREEN, re.MULTILINE)) == 6
    assert re.findall(r"^make (\w+)", FIRST_SCREEN, re.MULTILINE) == ["demo", "test"]


def test_the_contents_lead_to_every_section_in_order() -> None:
    contents = README.partition("**Contents:**")[2].partition("\n\n")[0]
    assert re.findall(r"\[([^]]+)\]", contents) == re.findall(r"^## (.+)$", README, re.MULTILINE)


def test_every_output_that_is_named_exists() -> None:
    named = re.findall(r"output `(\w+)`", README) + re.findall(r"`(\w+Statement\w+)`", README) + re.findall(r"<(\w+Arn)>", README)
    assert len(named) >= 6
    assert set(named) <= set(TEMPLATE["Outputs"])


def test_everything_is_installed_into_the_projects_folder() -> None:
    show = ["make", "--silent", "--eval=show: ; printenv UV_CACHE_DIR PIP_CACHE_DIR", "show"]
    result = subprocess.run(show, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    folders = [Path(line) for line in result.stdout.splitlines()]
    assert len(folders) == 2
    assert all(folder.is_relative_to(Path.cwd() / ".uv") for folder in folders)


def test_the_numbers_of_functions_are_those_of_workflow_and_template() -> None:
    words = {4: "four", 5: "five", 6: "six", 13: "thirteen", 14: "fourteen", 15: "fifteen"}
    steps = {folder_of(task) for task in TASKS}
    others = len(of_type("AWS::Serverless::Function")) - len(steps)
    assert f"A Step Functions workflow of {words[len(steps)]} Lambda functions, {words[others]} more" in README
