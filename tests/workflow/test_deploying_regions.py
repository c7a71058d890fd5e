"""`make deploy`, `make config` and `make undeploy` with two Regions: the SAM CLI, the tools and the embedded AWS.

One test, because each deployment by the SAM CLI takes some ten seconds. What is deployed is what `make build` built, but for the
libraries in the layers: no function runs here, and the SAM CLI would compress 140 MB for each deployment.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.server import LocalAws
from tests.tools import config_files, regions

HOME, OTHER = "eu-west-1", "us-east-1"
ACCOUNT, STACK = "666677778888", "findings"
REPORTS = [{"name": "nightly"}, {"name": "criticals", "deadline_hours": 2}]
OWNERS = [{"owner": "shop", "accounts": ["111122223333"]}]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder in which the SAM CLI finds what was built, with empty layers."""
    folder, build = tmp_path / "project", Path(".aws-sam/build")
    layers = [path.name for path in build.iterdir() if path.name.endswith("Layer")]
    shutil.copytree(build, folder / build, ignore=shutil.ignore_patterns(*layers))
    for layer in layers:
        (folder / build / layer / "python").mkdir(parents=True)
        (folder / build / layer / "python" / "empty.py").touch()
    # The SAM CLI finds the definitions of the workflows from there, too.
    shutil.copytree("statemachine", folder / "statemachine")
    monkeypatch.setattr(regions, "REPOSITORY", folder)


@pytest.fixture
def credentials(exporter_aws: LocalAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which the SAM CLI and boto3 reach the embedded AWS and nothing else."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": exporter_aws.endpoint_url,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "HOME": str(tmp_path),
        "SAM_CLI_TELEMETRY": "0",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def samconfig(folder: Path, **of_the_other: str) -> Path:
    """Write a samconfig.toml with a section for one Region."""
    path = folder / "samconfig.toml"
    own = "".join(f"{name} = {json.dumps(value)}\n" for name, value in of_the_other.items())
    path.write_text(
        f"""version = 0.1
[default.global.parameters]
stack_name = "{STACK}"
[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
confirm_changeset = true
s3_prefix = "{STACK}"
resolve_s3 = true
[default.deploy.parameters.parameter_overrides]
Architecture = "x86_64"
ScheduleState = "DISABLED"
Reports = "FILE"
HomeRegion = "{HOME}"
Regions = "{HOME},{OTHER}"
FilterCriteria = '{{"severity": [{{"comparison": "EQUALS", "value": "HIGH"}}]}}'
[{OTHER}.deploy.parameters.parameter_overrides]
{own}""",
        encoding="utf-8",
    )
    return path


def statuses(printed: str) -> dict[str, str]:
    """The table at the end of a command."""
    lines = printed.rpartition("Region     state")[2].splitlines()
    return {
        region: line.removeprefix(region).strip() for line in lines for region in (HOME, OTHER) if line.startswith(f"{region}  ")
    }


@pytest.mark.usefixtures("credentials", "built")
def test_two_regions_are_deployed_continued_configured_and_deleted(
    exporter_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = samconfig(tmp_path, Dashboard="OFF")
    deploy = ["deploy", OTHER, HOME, "--yes", "--samconfig", str(path)]
    with monkeypatch.context() as broken_off:
        run = regions.run_sam_deploy

        def interrupted(region: str, *given: Any, **more: Any) -> int:
            if region == OTHER:
                raise KeyboardInterrupt
            return run(region, *given, **more)

        broken_off.setattr(regions, "run_sam_deploy", interrupted)
        assert regions.main(deploy) == regions.INTERRUPTED
    printed = capfd.readouterr().out
    found = statuses(printed)
    assert found == {HOME: "CREATE_COMPLETE", OTHER: "interrupted; CloudFormation may still be at work"}
    assert f'To continue: make deploy REGIONS="{HOME} {OTHER}" YES=1' in printed
    home = Exporter(exporter_aws, STACK, ACCOUNT, HOME)

    def updated(stack: Exporter) -> object:
        described = stack.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return described.get("LastUpdatedTime"), described["StackStatus"]

    before = updated(home)
    assert regions.main(deploy) == 0
    assert statuses(capfd.readouterr().out) == {HOME: "CREATE_COMPLETE", OTHER: "CREATE_COMPLETE"}
    assert updated(home) == before
    other = Exporter(exporter_aws, STACK, ACCOUNT, OTHER)
    assert ("DashboardConsole" in home.outputs, "DashboardConsole" in other.outputs) == (True, False)
    parameters = other.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in parameters}
    assert json.loads(given["FilterCriteria"]) == {"severity": [{"comparison": "EQUALS", "value": "HIGH"}]}

    of_the_sam_cli = home.client("cloudformation").describe_stacks(StackName="aws-sam-cli-managed-default")["Stacks"][0]
    packages, s3 = regions.outputs_of(of_the_sam_cli)["SourceBucket"], home.client("s3")

    def folders() -> set[str]:
        return {each["Key"].split("/")[0] for each in s3.list_objects_v2(Bucket=packages)["Contents"]}

    assert folders() == {STACK}
    s3.put_object(Bucket=packages, Key="another-stack/package")

    folder = tmp_path / "config"
    folder.mkdir()
    configure = [HOME, OTHER, "--folder", str(folder), "--samconfig", str(path)]
    (folder / "owners.json").write_text(json.dumps(OWNERS))
    (folder / "reports.json").write_text(json.dumps([{"name": "nightly", "filter_criteria": {}}]))
    assert config_files.main(configure) == 1  # another filter than that of the parameters
    assert "us-east-1: " in capfd.readouterr().err
    assert not [key for stack in (home, other) for key in stack.objects() if "/config/" in key]
    (folder / "reports.json").write_text(json.dumps(REPORTS))
    assert config_files.main(configure) == 0
    for stack in (home, other):
        assert json.loads(stack.read("inspector/config/reports.json")) == REPORTS
        assert json.loads(stack.read("inspector/config/owners.json")) == OWNERS
        head = stack.client("s3").head_object(Bucket=stack.outputs["BucketName"], Key="inspector/config/reports.json")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", stack.outputs["ReportsKeyArn"])
    capfd.readouterr()

    assert regions.main(["undeploy", HOME, OTHER, "--yes", "--samconfig", str(path)]) == 0
    printed = capfd.readouterr().out
    assert statuses(printed) == {OTHER: "deleted", HOME: "deleted"}
    assert folders() == {"another-stack"}
    for stack in (home, other):
        with pytest.raises(ClientError, match="does not exist"):
            stack.client("cloudformation").describe_stacks(StackName=STACK)
        bucket = stack.outputs["BucketName"]
        assert f"bucket with all reports: {bucket}" in printed
        assert "inspector/config/reports.json" in stack.objects()
        key = stack.outputs["ReportsKeyArn"].rpartition("/")[2]
        assert f"key that decrypts them: {key}" in printed
        assert stack.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert regions.main(["undeploy", HOME, OTHER, "--yes", "--samconfig", str(path)]) == 0
    assert statuses(capfd.readouterr().out) == {OTHER: "no stack", HOME: "no stack"}
