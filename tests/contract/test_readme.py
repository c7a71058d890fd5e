"""What the README tells to type works: its targets, Regions, files and outputs exist."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from botocore.session import Session

from tests.contract.parts import MACHINE, RESOURCES, STATES, TEMPLATE
from tests.tools import workflow_picture

README = Path("README.md").read_text(encoding="utf-8")
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
    # SAM makes of them functions and layers, the rule and the schedules, and the state machine.
    "AWS::Serverless": ["Lambda", "EventBridge", "Scheduler", "Step Functions"],
}
"""By the first part of a resource's type, what the README calls it for whoever deploys."""
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


def test_the_readme_names_every_service_that_the_template_has_resources_of() -> None:
    (said,) = re.findall(r"^To deploy, a principal needs (.*?) To start an export", README, re.MULTILINE | re.DOTALL)
    said = " ".join(said.split())
    services = {resource["Type"].rsplit("::", 1)[0] for resource in RESOURCES.values()}
    assert services == set(SERVICES)
    assert [service for service, words in SERVICES.items() if not all(word in said for word in words)] == []


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
    assert set(re.findall(r"^\| `(\w+\.json)` \|", README, re.MULTILINE)) == inputs


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


def test_the_picture_is_the_workflows_own() -> None:
    assert workflow_picture.readme(README, MACHINE) == README, "make pictures"


def test_the_picture_has_every_state_and_every_way() -> None:
    names = dict(re.findall(r"^    (\w+)\W+\"(.+)\"\W+$", README, re.MULTILINE))
    drawn = {
        (names[begin], names[end]) for begin, end in re.findall(r"^    (\w+) -\.?->(?:\|[^|]*\|)? (\w+)$", README, re.MULTILINE)
    }
    assert sorted(names.values()) == sorted(STATES)
    assert drawn == {
        (name, way)
        for name, state in STATES.items()
        for part in [state, *state.get("Choices", []), *state.get("Catch", [])]
        for way in [part.get("Next"), part.get("Default")]
        if way
    }
