"""`make config`: each fault has its file and place, and the files are checked as a deployment checks them."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.tools import config_files, regions

HOME, OTHER = "eu-west-1", "us-east-1"
OWNERS = [{"owner": "shop", "accounts": ["111122223333"]}]
CRITICAL = {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}
REPORTS: list[Any] = [{"name": "nightly"}, {"name": "criticals", "filter_criteria": CRITICAL}]
OUTPUTS = {
    "BucketName": "the-bucket",
    "ReportsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/x",
    "StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:x-ExportFindings",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "owners.json").write_text(json.dumps(OWNERS))
    (tmp_path / "reports.json").write_text(json.dumps(REPORTS))
    return tmp_path


class Aws:
    """CloudFormation and S3 of each Region."""

    def __init__(self, **parameters: str) -> None:
        self.parameters, self.outputs, self.puts = parameters, dict(OUTPUTS), list[dict[str, Any]]()

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {
            "Stacks": [
                {
                    "StackStatus": "CREATE_COMPLETE",
                    "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()],
                    "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()],
                }
            ]
        }

    def put_object(self, **request: Any) -> None:
        self.puts.append(request)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> dict[str, Aws]:
    stacks = {HOME: Aws(KeyPrefix="inspector", Reports="FILE"), OTHER: Aws(KeyPrefix="a/b", Reports="ONE")}
    monkeypatch.setattr(regions, "client", lambda _service, region, _profile: stacks[region])
    return stacks


def run(folder: Path) -> int:
    return config_files.main([HOME, OTHER, "--folder", str(folder), "--stack", "x"])


def test_both_files_go_to_each_regions_bucket_encrypted_with_its_key(
    folder: Path, aws: dict[str, Aws], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder) == 0
    assert [put["Key"] for put in aws[HOME].puts] == ["inspector/config/owners.json", "inspector/config/reports.json"]
    assert [put["Key"] for put in aws[OTHER].puts] == ["a/b/config/owners.json", "a/b/config/reports.json"]
    put = aws[HOME].puts[1]
    assert (put["Bucket"], put["ExpectedBucketOwner"]) == ("the-bucket", "111122223333")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", OUTPUTS["ReportsKeyArn"])
    assert json.loads(put["Body"]) == REPORTS
    printed = capsys.readouterr().out
    assert "uploaded s3://the-bucket/inspector/config/owners.json, s3://the-bucket/inspector/config/reports.json" in printed
    assert 'us-east-1: the stack does not read reports.json yet. Deploy with the parameter Reports = "FILE".' in printed
    assert "eu-west-1: the stack does not" not in printed


def test_one_of_them_is_enough(folder: Path, aws: dict[str, Aws]) -> None:
    (folder / "reports.json").unlink()
    assert run(folder) == 0
    assert [put["Key"] for put in aws[HOME].puts] == ["inspector/config/owners.json"]


def test_a_bucket_of_another_account_must_belong_to_it(folder: Path, aws: dict[str, Aws]) -> None:
    aws[HOME].parameters["ExistingBucketOwner"] = "444455556666"
    assert run(folder) == 0
    assert aws[HOME].puts[0]["ExpectedBucketOwner"] == "444455556666"


def test_a_bucket_that_refuses_is_named_and_the_command_to_continue_has_all_that_was_given(
    folder: Path, aws: dict[str, Aws], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(aws[HOME], "put_object", refuse)
    assert run(folder) == 1
    printed = capsys.readouterr().out
    assert "eu-west-1  owners.json not uploaded: " in printed
    assert f'To continue: make config REGIONS="eu-west-1 us-east-1" CONFIG={folder} STACK=x\n' in printed


def test_every_fault_is_named_with_its_file_and_place_before_aws_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(regions, "client", lambda *_: pytest.fail("AWS was asked"))
    (folder / "owners.json").write_text(json.dumps([*OWNERS, {"owner": "the shop", "accounts": ["1"]}]))
    (folder / "reports.json").write_text(json.dumps([{"name": "a/b"}, {"name": "x", "filter": {}}]))
    assert run(folder) == 1
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "make config: nothing was uploaded."
    assert len(printed) == 4
    assert f"{folder}/owners.json: [1].owner" in printed[1]
    assert f"{folder}/reports.json: [0]" in printed[2]
    assert f"{folder}/reports.json: [1].filter" in printed[3]


def test_no_json_is_a_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "reports.json").write_text("[{]")
    assert run(folder) == 1
    assert "reports.json: " in capsys.readouterr().err


def test_what_one_regions_parameters_forbid_is_uploaded_nowhere(
    folder: Path, aws: dict[str, Aws], capsys: pytest.CaptureFixture[str]
) -> None:
    aws[OTHER].parameters |= {"ReportName": "criticals", "FilterCriteria": "{}"}
    assert run(folder) == 1
    assert "us-east-1: " in capsys.readouterr().err
    assert not aws[HOME].puts
    assert not aws[OTHER].puts


def test_what_all_regions_parameters_allow_is_no_fault(folder: Path, aws: dict[str, Aws]) -> None:
    for each in aws.values():
        each.parameters |= {"ReportName": "criticals", "FilterCriteria": json.dumps(CRITICAL)}
    assert run(folder) == 0


def test_a_stack_that_is_not_ready_is_named(folder: Path, aws: dict[str, Aws], capsys: pytest.CaptureFixture[str]) -> None:
    aws[OTHER].outputs.clear()
    assert run(folder) == 1
    assert "us-east-1: the stack x (CREATE_COMPLETE) has no output BucketName. Deploy it first." in capsys.readouterr().err
    assert not aws[HOME].puts


def test_a_folder_without_files_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 1
    assert "has neither owners.json nor reports.json" in capsys.readouterr().err
