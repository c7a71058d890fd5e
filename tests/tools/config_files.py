"""`make config REGIONS=…`: check config/owners.json and config/reports.json, and upload them to each Region's bucket.

The files are checked by the very code that a deployment reads them with: first without AWS, then with the parameters of each
Region's stack. If anything is wrong anywhere, nothing is uploaded.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.model.config import Config, Defaults
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import owner_rules_key, reports_key
from findings_exporter.model.owner_rules import OwnerRules, OwnerRulesError
from findings_exporter.model.reports import ReportsError, read_reports
from tests.tools import regions as tools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWNERS, REPORTS = "owners.json", "reports.json"
PLACEHOLDER_REGION, PLACEHOLDER_ACCOUNT = "us-east-1", "000000000000"


@dataclass(frozen=True)
class Target:
    """Where the files of one Region go.

    Attributes
    ----------
    config
        The deployment's, as far as the files are checked with it.
    uses_file
        Whether the stack exports the reports of the file.
    """

    region: str
    config: Config
    profile: str | None
    uses_file: bool

    @property
    def keys(self) -> Mapping[str, str]:
        """The key of each file."""
        return {OWNERS: owner_rules_key(self.config.key_prefix), REPORTS: reports_key(self.config.key_prefix)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check and upload the files, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make config", description=__doc__)
    parser.add_argument("regions", nargs="+", help="names of Regions")
    parser.add_argument("--folder", type=Path, default=Path("config"), help=f"folder with {OWNERS}, {REPORTS} or both")
    parser.add_argument("--stack", default="", help="name of the stack; without it that of samconfig.toml")
    parser.add_argument("--samconfig", type=Path, default=tools.SAMCONFIG)
    chosen = parser.parse_args(arguments)
    try:
        regions = tools.named(chosen.regions)
        samconfig = tools.read(chosen.samconfig)
        files = read_files(chosen.folder)
        _stop_at(faults(files, config_of({}, {}), chosen.folder))
        print(f"Correct, as far as can be seen without AWS: {', '.join(str(chosen.folder / name) for name in files)}")
        targets = _targets({region: tools.settings_of(samconfig, region, chosen.stack) for region in regions})
        of_a_stack = {target: faults(files, target.config, chosen.folder) for target in targets}
        _stop_at([f"{target.region}: {each}" for target, found in of_a_stack.items() for each in found])
    except tools.UnusableError as error:
        print(f"make config: nothing was uploaded.\n{error}", file=sys.stderr)
        return 1
    states = [_upload(files, target) for target in targets]
    folder = "" if chosen.folder == parser.get_default("folder") else str(chosen.folder)
    print(tools.report(states, tools.make_command("config", regions, CONFIG=folder, STACK=chosen.stack)))
    if REPORTS in files:
        for target in targets:
            if not target.uses_file:
                print(f'{target.region}: the stack does not read {REPORTS} yet. Deploy with the parameter Reports = "FILE".')
    return 0 if all(each.passed for each in states) else 1


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files that exist.

    Raises
    ------
    tools.UnusableError
        There is none, or one cannot be read.
    """
    try:
        files = {name: (folder / name).read_bytes() for name in (OWNERS, REPORTS) if (folder / name).exists()}
    except OSError as error:
        raise tools.UnusableError(str(error)) from error
    if not files:
        raise tools.UnusableError(f"{folder}/ has neither {OWNERS} nor {REPORTS}. CONFIG=folder names another folder.")
    return files


def faults(files: Mapping[str, bytes], config: Config, folder: Path) -> list[str]:
    """Return what is wrong in the files, each with its file and place."""
    found: list[str] = []
    if OWNERS in files:
        try:
            OwnerRules.parse(files[OWNERS], config.owner_tag)
        except OwnerRulesError as error:
            found += [f"{folder / OWNERS}: {each}" for each in error.faults]
    if REPORTS in files:
        execution = Execution(f"{config.state_machine_arn.replace(':stateMachine:', ':execution:')}:check", datetime.now(UTC))
        try:
            read_reports(files[REPORTS], config, execution)
        except ReportsError as error:
            found += [f"{folder / REPORTS}: {each}" for each in error.faults]
    return found


def config_of(parameters: Mapping[str, str], outputs: Mapping[str, str]) -> Config:
    """Return the configuration that a stack's functions have, as far as the files are checked with it.

    Without parameters and outputs it finds what is wrong in any deployment: no report has the name of the parameters then, so
    that none can have another filter than they have.
    """
    machine = (
        outputs.get("StateMachineArn")
        or f"arn:aws:states:{PLACEHOLDER_REGION}:{PLACEHOLDER_ACCOUNT}:stateMachine:x-ExportFindings"
    )
    return Config(
        table_name=outputs.get("TableName", "x"),
        topic_arn=outputs.get("TopicArn", "x"),
        state_machine_arn=machine,
        bucket=outputs.get("BucketName", "x"),
        bucket_owner=parameters.get("ExistingBucketOwner") or machine.split(":")[4],
        key_prefix=parameters.get("KeyPrefix", "inspector").strip("/"),
        kms_key_arn=outputs.get("ReportsKeyArn", "x"),
        defaults=Defaults(
            report_name=parameters.get("ReportName", ""),
            report_format=parameters.get("ReportFormat", "JSON"),
            filter_criteria=parameters.get("FilterCriteria", "{}"),
            on_busy=parameters.get("OnBusy", "wait"),
            deadline_hours=parameters.get("DeadlineHours", "6"),
        ),
        owner_tag=parameters.get("OwnerTag", ""),
    )


def _stop_at(found: Sequence[str]) -> None:
    if found:
        raise tools.UnusableError("\n".join(f"- {each}" for each in found))


def _targets(settings: Mapping[str, tools.Settings]) -> list[Target]:
    """Ask for the stack of each Region."""
    targets: list[Target] = []
    found: list[str] = []
    for region, each in settings.items():
        try:
            stack = tools.described(tools.client("cloudformation", region, each.profile), each.stack)
        except (ClientError, BotoCoreError) as error:
            found.append(f"{region}: {error}")
            continue
        if stack is None:
            found.append(f"{region}: there is no stack {each.stack}. Deploy it first.")
            continue
        outputs = tools.outputs_of(stack)
        if missing := [name for name in ("BucketName", "ReportsKeyArn", "StateMachineArn") if name not in outputs]:
            found.append(
                f"{region}: the stack {each.stack} ({stack['StackStatus']}) has no output {missing[0]}. Deploy it first."
            )
            continue
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
        targets.append(Target(region, config_of(parameters, outputs), each.profile, parameters.get("Reports") == "FILE"))
    _stop_at(found)
    return targets


def _upload(files: Mapping[str, bytes], target: Target) -> tools.State:
    """Upload the files to a Region's bucket, encrypted as the stack's own objects are."""
    s3: Any = tools.client("s3", target.region, target.profile)
    done: list[str] = []
    for name, content in files.items():
        try:
            s3.put_object(
                Bucket=target.config.bucket,
                Key=target.keys[name],
                Body=content,
                ContentType="application/json",
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=target.config.kms_key_arn,
                ExpectedBucketOwner=target.config.bucket_owner,
            )
        except (ClientError, BotoCoreError) as error:
            uploaded = f" (uploaded: {', '.join(done)})" if done else ""
            return tools.State(target.region, f"{name} not uploaded: {error}{uploaded}", passed=False)
        done.append(f"s3://{target.config.bucket}/{target.keys[name]}")
    return tools.State(target.region, f"uploaded {', '.join(done)}", passed=True)


if __name__ == "__main__":
    sys.exit(main())
