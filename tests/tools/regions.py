"""`make deploy REGIONS=…` and `make undeploy REGIONS=…`: one stack in each Region, with the values of samconfig.toml.

The home Region is deployed first and deleted last. A Region that fails stops no other. The same command continues, because a
stack that is up to date stays as it is. It runs in the environment of the SAM CLI, so it imports nothing of the exporter.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
SAM = REPOSITORY / ".venv-sam/bin/sam"
SAMCONFIG = Path("samconfig.toml")
REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,12}){1,4}", re.ASCII)
OVERRIDE = re.compile(r'(?:^|\s)(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
SAME_WITH_HOME = ("HomeRegion", "Regions", "Reports", "ScheduleExpression", "ScheduleTimezone", "SummaryHours")
"""Parameters that have one value in all Regions of a summary."""
IN_ONE_REGION = ("ExistingBucketName", "ExistingKeyArn")
"""What exists in one Region, so that two stacks cannot share it."""
NO_STACK = "no stack"
COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
NOT_ENABLED = {"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"}
REASON_CHARACTERS = 300
RELEASE_PARAMETER = "ArtifactBucketPrefix"
"""Only the template of a release has it (:mod:`tests.tools.release_template`)."""
INTERRUPTED = 130


class UnusableError(Exception):
    """The command or samconfig.toml cannot be used; the message has one line for each fault."""


@dataclass(frozen=True)
class Settings:
    """What samconfig.toml says of one Region.

    Attributes
    ----------
    parameters
        Of the stack, as text.
    is_own
        Whether the Region has a section of its own, whose values come before those of ``default``.
    """

    stack: str
    profile: str | None
    parameters: Mapping[str, str]
    is_own: bool = False


@dataclass(frozen=True)
class State:
    """How the command ended in one Region."""

    region: str
    state: str
    passed: bool
    advice: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy or delete, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make deploy, make undeploy", description=__doc__)
    parser.add_argument("command", choices=["deploy", "undeploy"])
    parser.add_argument("regions", nargs="+", help="names of Regions")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--stack", default="", help="name of the stack; without it that of samconfig.toml")
    parser.add_argument("--samconfig", type=Path, default=SAMCONFIG)
    chosen = parser.parse_args(arguments)
    try:
        regions = named(chosen.regions)
        samconfig = read(chosen.samconfig)
        settings = {region: settings_of(samconfig, region, chosen.stack) for region in regions}
        if chosen.command == "undeploy":
            return _undeploy(settings, make_command("undeploy", regions, STACK=chosen.stack), yes=chosen.yes)
        if found := faults(settings):
            raise UnusableError("\n".join(found))
        return _deploy(settings, chosen.samconfig, yes=chosen.yes)
    except UnusableError as error:
        print(f"make {chosen.command}: nothing was changed.\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nmake {chosen.command}: interrupted. Run the same command again to continue.", file=sys.stderr)
        return INTERRUPTED


# ---------------------------------------------------------------------------------------------------------------------
# What is asked for
# ---------------------------------------------------------------------------------------------------------------------


def named(words: Sequence[str]) -> list[str]:
    """Return the Regions of the command line, which blanks or commas separate.

    Raises
    ------
    UnusableError
        A word is no name of a Region, or a Region is named twice.
    """
    regions = [region for word in words for region in re.split(r"[\s,]+", word) if region]
    found = [
        f"REGIONS: {region} is no name of a Region, such as eu-west-1." for region in regions if not REGION.fullmatch(region)
    ]
    found += [f"REGIONS names {region} more than once." for region in dict.fromkeys(regions) if regions.count(region) > 1]
    if not regions:
        found.append('REGIONS names no Region. Example: REGIONS="eu-west-1 us-east-1".')
    if found:
        raise UnusableError("\n".join(found))
    return regions


def read(path: Path) -> dict[str, Any]:
    """Read samconfig.toml.

    Raises
    ------
    UnusableError
        It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableError(f"{path} cannot be read: {error}") from error


def settings_of(samconfig: Mapping[str, Any], region: str, stack: str = "") -> Settings:
    """Return what samconfig.toml says of a Region: the values of ``default``, and those of a section with the Region's name.

    Raises
    ------
    UnusableError
        The parameters are in a form that this tool does not read, or no stack is named.
    """
    values: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    for environment in ("default", region):
        for command in ("global", "deploy"):
            section = samconfig.get(environment, {}).get(command, {}).get("parameters", {})
            values |= section
            parameters |= _overrides(section.get("parameter_overrides", {}))
    name = stack or str(values.get("stack_name", ""))
    if not name:
        raise UnusableError("samconfig.toml names no stack (stack_name).")
    return Settings(name, values.get("profile"), parameters, region in samconfig)


def _overrides(given: object) -> dict[str, str]:
    """Return parameters in each of the forms that the SAM CLI reads, but for files."""
    if isinstance(given, dict):
        if "$include" in given:
            raise UnusableError("parameter_overrides includes a file. Write the parameters into samconfig.toml.")
        return {name: _text(value) for name, value in given.items()}
    if isinstance(given, list):
        return {name: value for each in given for name, value in _overrides(each).items()}
    text = str(given)
    if "file://" in text or "ParameterKey=" in text:
        raise UnusableError('parameter_overrides has a form that is not read here. Write one parameter a line: Name = "value".')
    return {
        name: re.sub(r'^"(.*)"$', r"\1", value, flags=re.DOTALL).replace('\\"', '"') for name, value in OVERRIDE.findall(text)
    }


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(each).strip() for each in value)
    return str(value)


def home_of(settings: Mapping[str, Settings]) -> str:
    """Return the home Region, or nothing where none is set."""
    return next((each.parameters["HomeRegion"] for each in settings.values() if each.parameters.get("HomeRegion")), "")


def home_first(regions: Sequence[str], home: str) -> list[str]:
    """Return the Regions in the order in which they are deployed."""
    return sorted(regions, key=lambda region: region != home)


def listed(regions: str) -> list[str]:
    """Return the Regions of the parameter ``Regions``."""
    return [region for each in regions.split(",") if (region := each.strip())]


def faults(settings: Mapping[str, Settings]) -> list[str]:
    """Return why these Regions cannot be deployed together; each with what to do."""
    home, regions = home_of(settings), list(settings)
    found = _shared(settings)
    if not home:
        if any(each.parameters.get("Regions") for each in settings.values()):
            found.append("samconfig.toml sets Regions, but no HomeRegion. Set HomeRegion, or remove Regions.")
        return found
    found += _different(settings)
    if home not in regions:
        found.append(
            f"HomeRegion is {home} in samconfig.toml, but REGIONS does not name it. The home Region is deployed together with the"
            f" others, and first: {make_command('deploy', [home, *regions])}."
        )
        return found
    summarized = listed(settings[home].parameters.get("Regions", ""))
    if sorted(summarized) != sorted(regions):
        found.append(
            f"The parameter Regions in samconfig.toml lists {_and(summarized)}, but REGIONS lists {_and(regions)}. The summary"
            " is of the Regions of the parameter, so both must be the same."
            f' Set Regions = "{",".join(home_first(regions, home))}" in samconfig.toml'
            + (f", or use {make_command('deploy', home_first(summarized, home))}." if home in summarized else ".")
        )
    schedule = settings[home].parameters.get("ScheduleExpression", "")
    if schedule.strip().startswith("rate("):
        found.append(
            f"ScheduleExpression is {schedule}, and HomeRegion is set. A rate counts from the moment at which each stack was"
            " deployed, so the Regions would have no scheduled time in common. Use cron(...), such as cron(0 3 * * ? *) for each day"
            " at 03:00."
        )
    return found


def _different(settings: Mapping[str, Settings]) -> list[str]:
    """Return which values are not the same, but must be, where there is a summary."""
    stacks = {region: each.stack for region, each in settings.items()}
    values = {name: {region: each.parameters.get(name, "") for region, each in settings.items()} for name in SAME_WITH_HOME}
    return [
        f"{name} must be the same in all Regions, but is {', '.join(f'{value!r} in {region}' for region, value in each.items())}."
        for name, each in {"stack_name": stacks, **values}.items()
        if len(set(each.values())) > 1
    ]


def _shared(settings: Mapping[str, Settings]) -> list[str]:
    """Return what several Regions would share, but cannot."""
    found = []
    for name in IN_ONE_REGION:
        users: dict[str, list[str]] = {}
        for region, each in settings.items():
            if value := each.parameters.get(name):
                users.setdefault(value, []).append(region)
        found += [
            f"{name} is {value} for {_and(regions)}, but it must be in the Region of the stack. Give each Region a value of its"
            f" own, in a section [{regions[-1]}.deploy.parameters.parameter_overrides] of samconfig.toml."
            for value, regions in users.items()
            if len(regions) > 1
        ]
    return found


# ---------------------------------------------------------------------------------------------------------------------
# make deploy
# ---------------------------------------------------------------------------------------------------------------------


def _deploy(settings: Mapping[str, Settings], samconfig: Path, *, yes: bool) -> int:
    order = home_first(list(settings), home_of(settings))
    states: list[State] = []
    interrupted = False
    for number, region in enumerate(order, 1):
        if interrupted:
            states.append(State(region, "not begun", passed=False))
            continue
        print(f"\n==> {region} ({number} of {len(order)})", flush=True)
        try:
            states.append(_deploy_to(region, settings[region], samconfig, yes=yes))
        except KeyboardInterrupt:
            interrupted = True
            states.append(State(region, "interrupted; CloudFormation may still be at work", passed=False))
    print(report(states, make_command("deploy", order, YES="1" if yes else "")), flush=True)
    if interrupted:
        return INTERRUPTED
    return 0 if all(each.passed for each in states) else 1


def _deploy_to(region: str, settings: Settings, samconfig: Path, *, yes: bool) -> State:
    try:
        cloudformation = client("cloudformation", region, settings.profile)
        began = _time_of_aws(cloudformation, settings.stack)
        code = run_sam_deploy(region, settings, samconfig, yes=yes)
        status = stack_status(cloudformation, settings.stack)
        refused = code == 0 and not yes and _is_unconfirmed(cloudformation, settings.stack, began)
        reason = _reason(cloudformation, settings.stack, began) if code and status != NO_STACK else ""
    except (ClientError, BotoCoreError) as error:
        return State(region, f"unknown: {_first_line(error)}", passed=False, advice=_hint(region, error))
    return deployed_state(region, status, code=code, reason=reason, refused=refused)


def run_sam_deploy(region: str, settings: Settings, samconfig: Path, *, yes: bool) -> int:
    """Let the SAM CLI deploy to a Region, and return its exit code."""
    with TemporaryDirectory() as folder:
        command = [
            str(SAM),
            "deploy",
            "--config-file",
            str(samconfig.resolve()),
            "--region",
            region,
            "--no-fail-on-empty-changeset",
        ]
        if yes:
            command.append("--no-confirm-changeset")
        if settings.is_own:
            # The SAM CLI reads YAML, of which JSON is a part. Values on the command line it would cut at a blank.
            merged = Path(folder) / "parameters.yaml"
            merged.write_text(json.dumps(settings.parameters, ensure_ascii=False), encoding="utf-8")
            command += ["--parameter-overrides", f"file://{merged}", "--stack-name", settings.stack]
        return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


def deployed_state(region: str, status: str, *, code: int, reason: str = "", refused: bool = False) -> State:
    """Return how the deployment of a Region ended.

    Parameters
    ----------
    code
        Exit code of the SAM CLI.
    reason
        Why CloudFormation failed, where it says so.
    refused
        Whether the changes were shown and not confirmed.
    """
    if refused or (code == 0 and status == "REVIEW_IN_PROGRESS"):
        return State(region, f"not deployed, because the changes were not confirmed ({status})", passed=False)
    if code == 0 and status in COMPLETE:
        return State(region, status, passed=True)
    if code == 0 and status == "UPDATE_ROLLBACK_COMPLETE":
        # The SAM CLI fails when an update is rolled back, so this one had nothing to change.
        return State(region, f"up to date, after an update that was rolled back ({status})", passed=True)
    advice = ""
    if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}:
        advice = f"{region}: a stack in this state cannot be updated. Delete it first: make undeploy REGIONS={region}"
    elif status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        advice = f"{region}: CloudFormation is still at work. Wait until it has ended."
    elif status == "UPDATE_ROLLBACK_FAILED":
        advice = f"{region}: open the stack in the CloudFormation console and choose Continue update rollback."
    why = reason or "the output above says why"
    return State(region, f"failed ({status}): {why}", passed=False, advice=advice)


def _time_of_aws(cloudformation: Any, stack: str) -> datetime:
    """Return the time by the clock of AWS, with which its events are compared: this machine's may differ."""
    try:
        answer = cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if not _is_missing(error):
            raise
        answer = error.response
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def _is_unconfirmed(cloudformation: Any, stack: str, began: datetime) -> bool:
    """Whether the SAM CLI left a change set of this deployment that was not executed: it exits with 0 after a "no"."""
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
    return any(
        each["CreationTime"] >= began and each.get("ExecutionStatus") == "AVAILABLE"
        for page in pages
        for each in page["Summaries"]
    )


def _reason(cloudformation: Any, stack: str, began: datetime) -> str:
    """Return the first failure that CloudFormation met; what it cancelled afterwards is no cause."""
    found = ""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:  # the newest first
            if event["Timestamp"] < began:
                return found
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("FAILED") and reason and "cancelled" not in reason.lower():
                found = f"{event['LogicalResourceId']}: {reason}"[:REASON_CHARACTERS]
    return found


# ---------------------------------------------------------------------------------------------------------------------
# make undeploy
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A stack before it is deleted.

    Attributes
    ----------
    kept
        The stack's own bucket and key by logical id; they stay.
    existing
        A bucket or key that the stack uses but does not own, by parameter.
    """

    status: str
    kept: Mapping[str, str]
    existing: Mapping[str, str]
    prefix: str = ""
    reader_policy: str = ""


def _undeploy(settings: Mapping[str, Settings], again: str, *, yes: bool) -> int:
    home = home_of(settings)
    order = list(reversed(home_first(list(settings), home)))
    stacks = {region: _find(region, settings[region]) for region in order}
    print("\n".join(announcement(stacks, {region: settings[region].stack for region in order})), flush=True)
    present = [region for region in order if stacks[region].status != NO_STACK]
    # Before the deletion, too: if it is interrupted, no stack is left that names its bucket and key.
    print("\n".join(what_stays({region: stacks[region] for region in present})), flush=True)
    if home in order and (left := [each for each in listed(settings[home].parameters.get("Regions", "")) if each not in order]):
        print(f"{home} is the home Region of {_and(left)}, too: without it there is no summary of them.", flush=True)
    if present and not yes and not is_confirmed(f"Delete {_count(present)}?"):
        print("Nothing was deleted.")
        return 1
    states = []
    for region in order:
        if region in present:
            print(f"\n==> {region}", flush=True)
        states.append(_delete(region, settings[region], stacks[region]))
    print(report(states, again), flush=True)
    deleted = {each.region: stacks[each.region] for each in states if each.passed and each.region in present}
    print("\n".join(what_stays(deleted)), flush=True)
    return 0 if all(each.passed for each in states) else 1


def _find(region: str, settings: Settings) -> Found:
    try:
        cloudformation = client("cloudformation", region, settings.profile)
        stack = described(cloudformation, settings.stack)
        if stack is None:
            return Found(NO_STACK, {}, {})
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=settings.stack)
        resources = {each["LogicalResourceId"]: each for page in pages for each in page["StackResourceSummaries"]}
    except (ClientError, BotoCoreError) as error:
        raise UnusableError(f"{region}: {_first_line(error)} {_hint(region, error)}".rstrip()) from error
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    if prefix := parameters.get(RELEASE_PARAMETER):
        # The SAM CLI deletes the code that a template names, before the stack: here a release's, which other stacks have, too.
        raise UnusableError(
            f"{region}: {settings.stack} was deployed from the files of a release in {prefix}-{region}, which this would delete. Use"
            f" aws cloudformation delete-stack --stack-name {settings.stack} --region {region}"
            " (docs/deploying.md, Uninstall a release)."
        )
    return Found(
        stack["StackStatus"],
        {name: resources[name]["PhysicalResourceId"] for name in ("Bucket", "Key") if _exists(resources.get(name))},
        {name: parameters[name] for name in IN_ONE_REGION if parameters.get(name)},
        parameters.get("KeyPrefix", ""),
        outputs_of(stack).get("AthenaReaderPolicyArn", ""),
    )


def _exists(resource: Mapping[str, Any] | None) -> bool:
    """Whether a resource of a stack exists: a first deployment that fails deletes what it created, and does not create the rest."""
    return resource is not None and "PhysicalResourceId" in resource and resource["ResourceStatus"] != "DELETE_COMPLETE"


def announcement(stacks: Mapping[str, Found], names: Mapping[str, str]) -> list[str]:
    """Return what would be deleted."""
    lines = []
    for region, found in stacks.items():
        lines.append(f"{region}  {names[region]}: {found.status}")
        if found.reader_policy:
            lines.append(f"  Detach {found.reader_policy} first (docs/operations.md, Detach the reader policy).")
    lines.append(
        "With a stack, its alarms, dashboard, run history, topics with all subscriptions, logs and saved queries are deleted."
    )
    return lines


def what_stays(stacks: Mapping[str, Found]) -> list[str]:
    """Return what stacks leave when they are deleted, which nothing but a person deletes."""
    if not stacks:
        return []
    lines = ["\nWhat stays, so that no report is lost by mistake (docs/operations.md, Uninstall, says how to delete it, too):"]
    for region, found in stacks.items():
        own_key = "key that decrypts them"
        if "ExistingKeyArn" in found.existing:
            own_key = "key of reports from before ExistingKeyArn was set, if there are any"
        names = {"Bucket": "bucket with all reports", "Key": own_key}
        lines += [f"  {region}  {names[name]}: {value}" for name, value in found.kept.items()]
        if bucket := found.existing.get("ExistingBucketName"):
            lines.append(
                f"  {region}  objects below s3://{bucket}/{found.prefix}/, and the statements that you added to its policy"
            )
        if key := found.existing.get("ExistingKeyArn"):
            lines.append(f"  {region}  the statements that you added to the policy of {key}")
        lines.append(f"  {region}  the stack aws-sam-cli-managed-default, with the bucket that the SAM CLI uploads packages to")
    return lines


def is_confirmed(question: str) -> bool:
    """Ask a person; without a terminal the answer is no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        print()
        return False


def _delete(region: str, settings: Settings, found: Found) -> State:
    if found.status == NO_STACK:
        return State(region, NO_STACK, passed=True)
    command = [str(SAM), "delete", "--no-prompts", "--stack-name", settings.stack, "--region", region]
    command += ["--profile", settings.profile] if settings.profile else []
    try:
        cloudformation = client("cloudformation", region, settings.profile)
        began = _time_of_aws(cloudformation, settings.stack)
        code = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
        status = stack_status(cloudformation, settings.stack)
        if status == NO_STACK:
            return State(region, "deleted", passed=True)
        reason = _reason(cloudformation, settings.stack, began) or f"the SAM CLI ended with {code}; its output says why"
    except (ClientError, BotoCoreError) as error:
        return State(region, f"unknown: {_first_line(error)}", passed=False, advice=_hint(region, error))
    return State(region, f"failed ({status}): {reason}", passed=False)


# ---------------------------------------------------------------------------------------------------------------------
# What both print and ask
# ---------------------------------------------------------------------------------------------------------------------


def report(states: Sequence[State], again: str) -> str:
    """Return the table of all Regions, and what to do about those that failed.

    Parameters
    ----------
    again
        The command that continues: all that was given, but for the YES of a deletion.
    """
    lines = ["", *table([("Region", "state"), *((each.region, each.state) for each in states)])]
    lines += [each.advice for each in states if each.advice]
    if not all(each.passed for each in states):
        lines.append(f"To continue: {again}")
    return "\n".join(lines)


def table(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Return lines with two columns."""
    width = max(len(first) for first, _ in rows)
    return [f"{first:<{width}}  {second}" for first, second in rows]


def client(service: str, region: str, profile: str | None) -> Any:
    """Return a client; the stubs type one by a literal name only."""
    session: Any = boto3.Session(profile_name=profile, region_name=region)
    return session.client(service)


def described(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    """Return a stack as CloudFormation describes it, or None where there is none."""
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if _is_missing(error):
            return None
        raise
    return dict(found) if found["StackStatus"] != "DELETE_COMPLETE" else None


def _is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error)


def stack_status(cloudformation: Any, stack: str) -> str:
    """Return the status of a stack, or that there is none."""
    found = described(cloudformation, stack)
    return str(found["StackStatus"]) if found else NO_STACK


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the outputs of a stack as CloudFormation describes it."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _hint(region: str, error: Exception) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return f"{region}: is this Region enabled in the account? Opt-in Regions are not, at first." if code in NOT_ENABLED else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:REASON_CHARACTERS]


def _and(regions: Sequence[str]) -> str:
    return ", ".join(regions) or "none"


def _quoted(regions: Sequence[str]) -> str:
    return f'"{" ".join(regions)}"' if len(regions) > 1 else regions[0]


def make_command(target: str, regions: Sequence[str], **variables: str) -> str:
    """Return a command to run, with the variables of make that have a value."""
    given = [f"{name}={shlex.quote(value)}" for name, value in variables.items() if value]
    return " ".join([f"make {target} REGIONS={_quoted(regions)}", *given])


def _count(regions: Sequence[str]) -> str:
    return f"the stack in {regions[0]}" if len(regions) == 1 else f"{len(regions)} stacks in {_and(regions)}"


if __name__ == "__main__":
    sys.exit(main())
