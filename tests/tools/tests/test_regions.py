"""`make deploy REGIONS=…` and `make undeploy REGIONS=…`: which Regions, in which order, what is refused, and what is printed."""

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from tests.contract.parts import TEMPLATE
from tests.tools import regions, release_template
from tests.tools.regions import Found, Settings, State, UnusableError

HOME, OTHER, THIRD = "eu-west-1", "us-east-1", "ap-northeast-1"
STACK = "inspector-findings-exporter"
TOGETHER = {"HomeRegion": HOME, "Regions": f"{HOME},{OTHER}"}
NOW = datetime(2026, 11, 30, 3, tzinfo=UTC)


def settings(
    *names: str, given: dict[str, str] | None = None, own: dict[str, dict[str, str]] | None = None
) -> dict[str, Settings]:
    """What samconfig.toml says of Regions."""
    return {name: Settings(STACK, None, (given or {}) | (own or {}).get(name, {})) for name in names}


class TestNamed:
    @pytest.mark.parametrize("words", [[HOME, OTHER], [f"{HOME} {OTHER}"], [f"{HOME},{OTHER}"], [f" {HOME}, ", OTHER]])
    def test_blanks_and_commas_separate(self, words: list[str]) -> None:
        assert regions.named(words) == [HOME, OTHER]

    @pytest.mark.parametrize("name", ["us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"])
    def test_every_partitions_regions_are_names(self, name: str) -> None:
        assert regions.named([name]) == [name]

    def test_every_fault_is_named(self) -> None:
        with pytest.raises(UnusableError) as refused:
            regions.named(["Ireland", HOME, HOME])
        assert str(refused.value).splitlines() == [
            "REGIONS: Ireland is no name of a Region, such as eu-west-1.",
            "REGIONS names eu-west-1 more than once.",
        ]

    def test_none_is_refused(self) -> None:
        with pytest.raises(UnusableError, match="names no Region"):
            regions.named([" , "])

    def test_a_name_is_what_the_template_takes(self) -> None:
        assert TEMPLATE["Parameters"]["HomeRegion"]["AllowedPattern"] == f"({regions.REGION.pattern})?"


class TestSettings:
    def test_a_region_has_the_values_of_default_and_its_own_before_them(self) -> None:
        found = tomllib.loads("""
            [default.global.parameters]
            stack_name = "inspector-findings-exporter"
            [default.deploy.parameters]
            profile = "security"
            [default.deploy.parameters.parameter_overrides]
            HomeRegion = "eu-west-1"
            Regions = ["eu-west-1", "us-east-1"]
            Dashboard = "ON"
            SummaryHours = 6
            [us-east-1.deploy.parameters.parameter_overrides]
            Dashboard = "OFF"
        """)
        home, other = (regions.settings_of(found, region) for region in (HOME, OTHER))
        shared = {"HomeRegion": HOME, "Regions": f"{HOME},{OTHER}", "SummaryHours": "6"}
        assert home == Settings(STACK, "security", shared | {"Dashboard": "ON"})
        assert other == Settings(STACK, "security", shared | {"Dashboard": "OFF"}, is_own=True)

    @pytest.mark.parametrize(
        "form",
        [
            'HomeRegion=eu-west-1 NotifyOn="ALL"',
            ["HomeRegion=eu-west-1", 'NotifyOn="ALL"'],
            [{"HomeRegion": HOME}, "NotifyOn=ALL"],
        ],
    )
    def test_other_forms_of_the_sam_cli_are_read(self, form: Any) -> None:
        found = {"default": {"deploy": {"parameters": {"stack_name": "x", "parameter_overrides": form}}}}
        assert regions.settings_of(found, HOME).parameters == {"HomeRegion": HOME, "NotifyOn": "ALL"}

    @pytest.mark.parametrize("form", ["file://parameters.json", {"$include": "x.json"}, "ParameterKey=A,ParameterValue=B"])
    def test_what_is_not_read_is_refused_rather_than_passed_over(self, form: Any) -> None:
        found = {"default": {"deploy": {"parameters": {"stack_name": "x", "parameter_overrides": form}}}}
        with pytest.raises(UnusableError, match=r"samconfig\.toml|one parameter a line"):
            regions.settings_of(found, HOME)

    def test_the_stack_of_the_command_line_comes_first_and_one_is_needed(self) -> None:
        assert regions.settings_of({}, HOME, "mine").stack == "mine"
        with pytest.raises(UnusableError, match="names no stack"):
            regions.settings_of({}, HOME)

    def test_the_projects_samconfig_is_read(self) -> None:
        assert regions.settings_of(regions.read(regions.SAMCONFIG), HOME) == Settings(STACK, None, {})


class TestFaults:
    def test_without_a_home_any_regions_are_deployed(self) -> None:
        assert regions.faults(settings(HOME, OTHER, given={"ScheduleExpression": "rate(1 day)"})) == []

    def test_with_one_all_of_its_regions_are(self) -> None:
        assert regions.faults(settings(OTHER, HOME, given=TOGETHER)) == []

    def test_regions_without_home_are_refused(self) -> None:
        (said,) = regions.faults(settings(HOME, OTHER, given={"Regions": HOME}))
        assert "sets Regions, but no HomeRegion" in said

    def test_home_must_be_among_them(self) -> None:
        (said,) = regions.faults(settings(OTHER, given=TOGETHER))
        assert said == (
            "HomeRegion is eu-west-1 in samconfig.toml, but REGIONS does not name it. The home Region is deployed together with"
            ' the others, and first: make deploy REGIONS="eu-west-1 us-east-1".'
        )

    @pytest.mark.parametrize("asked", [(HOME,), (HOME, OTHER, THIRD), (HOME, THIRD)])
    def test_they_must_be_those_of_the_summary(self, asked: tuple[str, ...]) -> None:
        (said,) = regions.faults(settings(*asked, given=TOGETHER))
        assert said.startswith("The parameter Regions in samconfig.toml lists eu-west-1, us-east-1, but REGIONS lists ")
        assert f'Set Regions = "{",".join(asked)}" in samconfig.toml' in said
        assert 'or use make deploy REGIONS="eu-west-1 us-east-1".' in said

    def test_a_rate_is_refused_with_what_to_use_instead(self) -> None:
        (said,) = regions.faults(settings(HOME, OTHER, given=TOGETHER | {"ScheduleExpression": "rate(1 day)"}))
        assert "no scheduled time in common" in said
        assert "cron(0 3 * * ? *)" in said

    @pytest.mark.parametrize("name", regions.SAME_WITH_HOME)
    def test_what_must_be_the_same_is(self, name: str) -> None:
        said = regions.faults(settings(HOME, OTHER, given=TOGETHER, own={OTHER: {name: "another"}}))
        assert any(each.startswith(f"{name} must be the same in all Regions, but is ") for each in said)

    @pytest.mark.parametrize("name", regions.IN_ONE_REGION)
    def test_two_regions_share_no_bucket_and_no_key(self, name: str) -> None:
        (said,) = regions.faults(settings(HOME, OTHER, given=TOGETHER | {name: "x"}))
        assert said.startswith(f"{name} is x for eu-west-1, us-east-1, but")
        assert "[us-east-1.deploy.parameters.parameter_overrides]" in said
        assert regions.faults(settings(HOME, OTHER, given=TOGETHER, own={HOME: {name: "x"}, OTHER: {name: "y"}})) == []

    @pytest.mark.parametrize("name", [*regions.SAME_WITH_HOME, *regions.IN_ONE_REGION])
    def test_what_is_compared_is_a_parameter(self, name: str) -> None:
        assert name in TEMPLATE["Parameters"]


class TestDeployedState:
    @pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE"])
    def test_a_deployment_has_its_status(self, status: str) -> None:
        assert regions.deployed_state(HOME, status, code=0) == State(HOME, status, passed=True)

    def test_changes_that_were_not_confirmed_are_not_deployed(self) -> None:
        for status, refused in (("UPDATE_COMPLETE", True), ("REVIEW_IN_PROGRESS", False)):
            state = regions.deployed_state(HOME, status, code=0, refused=refused)
            assert not state.passed
            assert "not confirmed" in state.state

    @pytest.mark.parametrize(
        ("status", "advice"),
        [
            ("ROLLBACK_COMPLETE", "make undeploy REGIONS=eu-west-1"),
            ("UPDATE_IN_PROGRESS", "Wait"),
            ("UPDATE_ROLLBACK_FAILED", "Continue update rollback"),
            ("UPDATE_ROLLBACK_COMPLETE", ""),
            (regions.NO_STACK, ""),
        ],
    )
    def test_a_failure_has_its_reason_and_what_to_do_before_the_next_try(self, status: str, advice: str) -> None:
        state = regions.deployed_state(HOME, status, code=1, reason="Bucket: denied")
        assert (state.state, state.passed) == (f"failed ({status}): Bucket: denied", False)
        assert advice in state.advice
        assert bool(state.advice) == bool(advice)

    def test_a_stack_that_had_nothing_to_change_is_up_to_date_although_an_earlier_update_was_rolled_back(self) -> None:
        state = regions.deployed_state(HOME, "UPDATE_ROLLBACK_COMPLETE", code=0)
        assert state == State(HOME, "up to date, after an update that was rolled back (UPDATE_ROLLBACK_COMPLETE)", passed=True)
        assert not regions.deployed_state(HOME, "UPDATE_ROLLBACK_COMPLETE", code=0, refused=True).passed

    @pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", regions.NO_STACK])
    def test_a_status_that_is_not_complete_is_no_success(self, status: str) -> None:
        assert not regions.deployed_state(HOME, status, code=0).passed


class CloudFormation:
    """Answers of CloudFormation about one stack."""

    def __init__(
        self,
        status: str | None,
        events: list[dict[str, Any]] | None = None,
        sets: list[dict[str, Any]] | None = None,
        resources: list[dict[str, Any]] | None = None,
        parameters: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in (parameters or {}).items()]
        self.pages = {
            "describe_stack_events": {"StackEvents": events or []},
            "list_change_sets": {"Summaries": sets or []},
            "list_stack_resources": {"StackResourceSummaries": resources or []},
        }

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        answer: Any = {"ResponseMetadata": {"HTTPHeaders": {"date": "Mon, 30 Nov 2026 03:00:00 GMT"}}}
        if self.status is None:
            error: Any = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            answer["Error"] = error
            raise ClientError(answer, "DescribeStacks")
        return {**answer, "Stacks": [{"StackStatus": self.status, "Parameters": self.parameters}]}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [self.pages[name]])


def event(minutes: int, status: str, reason: str, name: str = "Bucket") -> dict[str, Any]:
    at = NOW + timedelta(minutes=minutes)
    return {"Timestamp": at, "ResourceStatus": status, "ResourceStatusReason": reason, "LogicalResourceId": name}


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Deploys with answers in place of CloudFormation and exit codes in place of the SAM CLI."""
    path = tmp_path / "samconfig.toml"
    values = "\n".join(f'{name} = "{value}"' for name, value in TOGETHER.items())
    path.write_text(
        f'[default.global.parameters]\nstack_name = "{STACK}"\n[default.deploy.parameters.parameter_overrides]\n{values}\n'
    )

    def deploy(answers: dict[str, Any], codes: dict[str, Any], *options: str) -> int:
        def sam(command: list[str], **_: Any) -> Any:
            code = codes[command[command.index("--region") + 1]]
            if isinstance(code, BaseException):
                raise code
            return SimpleNamespace(returncode=code)

        def client(service: str, region: str, profile: str | None) -> Any:
            if isinstance(answers[region], Exception):
                raise answers[region]
            return answers[region]

        monkeypatch.setattr("subprocess.run", sam)
        monkeypatch.setattr(regions, "client", client)
        return regions.main(["deploy", OTHER, HOME, "--samconfig", str(path), *options])

    return deploy


class TestDeploy:
    def test_home_is_first_and_all_have_a_state(self, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
        answers = {HOME: CloudFormation("CREATE_COMPLETE"), OTHER: CloudFormation("UPDATE_COMPLETE")}
        assert deploy(answers, {HOME: 0, OTHER: 0}, "--yes") == 0
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in printed if line] == [
            "==> eu-west-1 (1 of 2)", "==> us-east-1 (2 of 2)",
            "Region     state", "eu-west-1  CREATE_COMPLETE", "us-east-1  UPDATE_COMPLETE",
        ]  # fmt: skip

    def test_one_that_fails_stops_no_other_and_says_why_and_how_to_go_on(
        self, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        events = [
            event(3, "CREATE_FAILED", "Resource creation cancelled", "Table"),
            event(2, "CREATE_FAILED", "the quota of topics is used up", "Topic"),
            event(-9, "UPDATE_FAILED", "of an earlier try"),
        ]
        answers = {HOME: CloudFormation("ROLLBACK_COMPLETE", events), OTHER: CloudFormation("CREATE_COMPLETE")}
        assert deploy(answers, {HOME: 1, OTHER: 0}, "--yes") == 1
        assert capsys.readouterr().out.splitlines()[-5:] == [
            "Region     state",
            "eu-west-1  failed (ROLLBACK_COMPLETE): Topic: the quota of topics is used up",
            "us-east-1  CREATE_COMPLETE",
            "eu-west-1: a stack in this state cannot be updated. Delete it first: make undeploy REGIONS=eu-west-1",
            'To continue: make deploy REGIONS="eu-west-1 us-east-1" YES=1',
        ]

    def test_a_region_that_the_account_does_not_have_is_named(
        self, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        refused = ClientError({"Error": {"Code": "UnrecognizedClientException", "Message": "invalid token"}}, "DescribeStacks")
        assert deploy({HOME: CloudFormation("CREATE_COMPLETE"), OTHER: refused}, {HOME: 0}, "--yes") == 1
        assert "us-east-1: is this Region enabled in the account?" in capsys.readouterr().out

    def test_without_credentials_nothing_is_called_deployed(
        self, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert deploy({HOME: NoCredentialsError(), OTHER: NoCredentialsError()}, {}) == 1
        assert capsys.readouterr().out.count("unknown: Unable to locate credentials") == 2

    def test_a_change_set_that_was_left_was_not_confirmed(
        self, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        left = {"ExecutionStatus": "AVAILABLE", "CreationTime": NOW + timedelta(seconds=5)}
        older = {"ExecutionStatus": "AVAILABLE", "CreationTime": NOW - timedelta(days=1)}
        answers = {HOME: CloudFormation("UPDATE_COMPLETE", sets=[left]), OTHER: CloudFormation("UPDATE_COMPLETE", sets=[older])}
        assert deploy(answers, {HOME: 0, OTHER: 0}) == 1
        printed = capsys.readouterr().out
        assert "eu-west-1  not deployed, because the changes were not confirmed (UPDATE_COMPLETE)" in printed
        assert "us-east-1  UPDATE_COMPLETE" in printed
        assert printed.endswith('To continue: make deploy REGIONS="eu-west-1 us-east-1"\n')

    def test_an_interrupted_command_says_what_was_not_begun(
        self, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        answers = {HOME: CloudFormation(None), OTHER: CloudFormation(None)}
        assert deploy(answers, {HOME: KeyboardInterrupt()}) == 130
        printed = capsys.readouterr().out
        assert "eu-west-1  interrupted; CloudFormation may still be at work" in printed
        assert "us-east-1  not begun" in printed

    def test_what_cannot_work_changes_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert regions.main(["deploy", HOME, "--samconfig", str(tmp_path / "none.toml")]) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("make deploy: nothing was changed.\n")
        assert printed.out == ""


STACKS = {
    OTHER: Found(
        "CREATE_COMPLETE", {}, {"ExistingBucketName": "archive", "ExistingKeyArn": "arn:key"}, "inspector", "arn:reader"
    ),
    HOME: Found("CREATE_COMPLETE", {"Bucket": "findings-bucket", "Key": "1234abcd"}, {}, "inspector"),
}


class TestUndeploy:
    def test_it_says_what_would_be_deleted_and_what_to_do_before(self) -> None:
        lines = regions.announcement(STACKS, dict.fromkeys(STACKS, STACK))
        assert lines[0] == f"us-east-1  {STACK}: CREATE_COMPLETE"
        assert lines[1].startswith("  Detach arn:reader first")
        assert "run history" in lines[-1]

    def test_it_says_what_stays(self) -> None:
        text = "\n".join(regions.what_stays(STACKS))
        assert "eu-west-1  bucket with all reports: findings-bucket" in text
        assert "eu-west-1  key that decrypts them: 1234abcd" in text
        assert "us-east-1  objects below s3://archive/inspector/" in text
        assert "us-east-1  the statements that you added to the policy of arn:key" in text
        assert regions.what_stays({}) == []

    def test_the_stacks_key_does_not_decrypt_what_an_existing_key_encrypted(self) -> None:
        found = Found("CREATE_COMPLETE", {"Bucket": "findings-bucket", "Key": "1234abcd"}, {"ExistingKeyArn": "arn:key"})
        text = "\n".join(regions.what_stays({HOME: found}))
        assert "eu-west-1  key of reports from before ExistingKeyArn was set, if there are any: 1234abcd" in text
        assert "decrypts" not in text

    def test_after_a_first_deployment_that_failed_only_what_exists_stays(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        resources = [
            {"LogicalResourceId": "Bucket", "PhysicalResourceId": "findings-bucket", "ResourceStatus": "DELETE_COMPLETE"},
            {"LogicalResourceId": "Key", "ResourceStatus": "CREATE_FAILED"},
        ]
        answers = CloudFormation("ROLLBACK_COMPLETE", resources=resources)
        monkeypatch.setattr(regions, "client", lambda *_: answers)
        monkeypatch.setattr(regions, "_delete", lambda region, *_: State(region, "deleted", passed=True))
        assert regions.main(["undeploy", HOME, "--yes", "--stack", STACK]) == 0
        printed = capsys.readouterr().out
        assert "bucket with all reports" not in printed
        assert "key that decrypts" not in printed

    def test_a_stack_that_was_deployed_from_a_release_is_not_deleted_with_the_files_of_the_release(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answers = CloudFormation("CREATE_COMPLETE", parameters={release_template.PARAMETER: "example-artifacts"})
        monkeypatch.setattr(regions, "client", lambda *_: answers)
        monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("it was deleted"))
        assert regions.main(["undeploy", HOME, "--yes", "--stack", STACK]) == 1
        printed = capsys.readouterr().err
        assert "example-artifacts-eu-west-1" in printed
        assert f"aws cloudformation delete-stack --stack-name {STACK} --region {HOME}" in printed

    def test_what_a_deletion_that_failed_has_skipped_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        skipped = {"LogicalResourceId": "Key", "PhysicalResourceId": "1234abcd", "ResourceStatus": "DELETE_SKIPPED"}
        answers = CloudFormation("DELETE_FAILED", resources=[skipped])
        monkeypatch.setattr(regions, "client", lambda *_: answers)
        assert regions._find(HOME, Settings(STACK, None, {})).kept == {"Key": "1234abcd"}

    def test_what_stays_is_what_the_template_retains(self) -> None:
        retained = {name for name, each in TEMPLATE["Resources"].items() if "DeletionPolicy" in each}
        assert retained == {"Bucket", "BucketPolicy", "Key"}

    @pytest.mark.parametrize("answer", ["n", "", "no", None])
    def test_without_a_yes_nothing_is_deleted(
        self, answer: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def ask(_: str) -> str:
            if answer is None:
                raise EOFError
            return answer

        monkeypatch.setattr("builtins.input", ask)
        monkeypatch.setattr(regions, "_find", lambda region, _: STACKS[region])
        monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("it was deleted"))
        assert regions.main(["undeploy", OTHER, "--stack", STACK]) == 1
        assert "Nothing was deleted." in capsys.readouterr().out

    def test_home_is_last(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "samconfig.toml").write_text(f'[default.deploy.parameters]\nparameter_overrides = "HomeRegion={HOME}"\n')
        deleted: list[str] = []

        def delete(region: str, *_: Any) -> State:
            deleted.append(region)
            return State(region, "deleted", passed=True)

        monkeypatch.setattr(regions, "_find", lambda region, _: STACKS[region])
        monkeypatch.setattr(regions, "_delete", delete)
        arguments = ["undeploy", HOME, OTHER, "--yes", "--stack", STACK, "--samconfig", str(tmp_path / "samconfig.toml")]
        assert regions.main(arguments) == 0
        assert deleted == [OTHER, HOME]

    def test_what_stays_is_known_although_the_deletion_is_interrupted(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupt(*_: Any) -> State:
            raise KeyboardInterrupt

        monkeypatch.setattr(regions, "_find", lambda region, _: STACKS[region])
        monkeypatch.setattr(regions, "_delete", interrupt)
        assert regions.main(["undeploy", HOME, OTHER, "--yes", "--stack", STACK]) == regions.INTERRUPTED
        printed = capsys.readouterr().out
        assert all(line in printed for line in regions.what_stays(STACKS))

    def test_the_command_to_continue_deletes_the_same_stack_and_asks_again(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(regions, "_find", lambda region, _: STACKS[region])
        monkeypatch.setattr(regions, "_delete", lambda region, *_: State(region, "failed", passed=False))
        assert regions.main(["undeploy", HOME, OTHER, "--yes", "--stack", "weekly"]) == 1
        assert 'To continue: make undeploy REGIONS="eu-west-1 us-east-1" STACK=weekly\n' in capsys.readouterr().out
