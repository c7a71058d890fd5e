"""Plan Reports: which reports this start of a Region is of, and what the home Region is to expect of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from findings_exporter.aws import outbox, run_store, start_store, summary_store
from findings_exporter.aws.clients import ReportsClients
from findings_exporter.aws.start_store import Start
from findings_exporter.model.config import Config
from findings_exporter.model.errors import DENIED, THROTTLED, Failure, code_of
from findings_exporter.model.execution import Execution
from findings_exporter.model.home_messages import StartNotice
from findings_exporter.model.layout import reports_key
from findings_exporter.model.notes import Note, bounded
from findings_exporter.model.plan import IGNORED_KEYS, make_plan
from findings_exporter.model.reports import MOST_REPORTS_BYTES, Report, ReportsError, only_report, read_reports
from findings_exporter.model.summary import Expected
from findings_exporter.steps._results import Result, failed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

START_KEYS = {"reports", "schedule", "replaces", "notify"}
HARMLESS = {"report": {"name": "all", "format": "JSON", "filter_criteria": {}}, "on_busy": "wait", "deadline_hours": 1}
"""Stands for the parameters of the stack: where they are wrong, the report's own run says so, and is heard of."""
REPORTS_WHY_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports of a Region, as a start knows them.

    Attributes
    ----------
    note
        Why the file cannot be used; the report of the parameters is exported then.
    """

    reports: tuple[Report, ...]
    note: str | None = None


def plan_reports(clients: ReportsClients, execution: Execution, run_input: Any, now: datetime) -> Result:  # noqa: ANN401 - any JSON
    """Check the input, claim the scheduled time, and write down what is about to begin.

    Parameters
    ----------
    run_input
        ``{}`` or ``{"reports": [names]}`` of a person; ``schedule`` of the schedule, as Export Findings takes it.

    Returns
    -------
    Result
        ``state``: ``PLANNED`` (with ``reports``: each with ``name``, the name of its ``execution`` and its ``input``),
        ``DUPLICATE`` (with ``of``), ``PREVIOUS_RUNNING`` (with ``of``: the start that is still at work) or ``FAILED``
        (with ``failure``).
    """
    config = clients.config
    given = (
        {key: value for key, value in run_input.items() if key not in IGNORED_KEYS} if isinstance(run_input, dict) else run_input
    )
    found = _reports(clients.s3, config, execution)
    chosen = _chosen(given, found.reports, config, execution)
    if isinstance(chosen, Failure):
        return failed(chosen)
    passed_on = {key: given[key] for key in ("schedule", "replaces", "notify") if key in given}
    plan = make_plan({**HARMLESS, **passed_on}, config, execution)
    if isinstance(plan, Failure):
        return failed(plan)
    scheduled_for = plan.scheduled_for or plan.replaces
    if plan.schedule and plan.scheduled_for:
        held = run_store.claim_schedule(
            clients.table, plan.schedule, plan.scheduled_for, json.dumps(given, sort_keys=True), execution
        )
        if held != execution.arn:
            return {"state": "DUPLICATE", "of": held}
    previous = _still_running(clients.states, start_store.open_starts(clients.table), execution) if plan.is_scheduled else None
    named = tuple((report.name, report.execution_name(execution.arn)) for report in chosen)
    if not previous:
        # Before home hears of it: whatever becomes of this function, what never began is then said to have never begun.
        start_store.open_start(clients.table, Start(execution, scheduled_for, plan.replaces is not None, named))
    if plan.scheduled_for:
        _say_home(clients, execution, plan.scheduled_for, found, previous, now)
    if previous:
        return {"state": "PREVIOUS_RUNNING", "of": previous}
    inputs = [{"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": execution.arn, **report.input, **passed_on} for report in chosen]
    return {
        "state": "PLANNED",
        "reports": [{"name": name, "execution": child, "input": each} for (name, child), each in zip(named, inputs, strict=True)],
    }


def _chosen(given: object, reports: tuple[Report, ...], config: Config, execution: Execution) -> tuple[Report, ...] | Failure:
    """Return the reports that an input names, or all."""
    if not isinstance(given, dict) or not given.keys() <= START_KEYS:
        # In the words that Export Findings has for it.
        strange = (
            HARMLESS | {key: value for key, value in given.items() if key != "reports"} if isinstance(given, dict) else given
        )
        faulty = make_plan(strange, config, execution)
        return (
            faulty
            if isinstance(faulty, Failure)
            else Failure("InvalidInput", Note("cause.input", faults=[Note("reports.input")]))
        )
    names = given.get("reports")
    if names is None:
        return reports
    known = {report.name: report for report in reports}
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name in known for name in names):
        wrong = Note("input.fault", path="reports", fault=Note("reports.unknown", known=list(known)))
        return Failure("InvalidInput", Note("cause.input", faults=[wrong]))
    return tuple(known[name] for name in dict.fromkeys(names))


def _reports(s3: "S3Client", config: Config, execution: Execution) -> Reports:
    """Read the file of reports, where there is to be one."""
    if config.reports != "FILE":
        return Reports(only_report(config))
    key = reports_key(config.key_prefix)
    bucket, owner = config.bucket, config.bucket_owner
    try:
        # Asked for by listing: without a right to list all of the bucket, S3 refuses to read an object that is not there.
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1, ExpectedBucketOwner=owner).get("Contents", [])
        if not any(each["Key"] == key for each in listed):
            return Reports(only_report(config), Note("reports.missing", key=key))
        content = s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)["Body"].read(MOST_REPORTS_BYTES + 1)
        return Reports(read_reports(content, config, execution))
    except ReportsError as error:
        return Reports(only_report(config), Note("reports.not_used", key=key, faults=list(error.faults)))
    except ClientError as error:
        code = code_of(error)
        if code not in DENIED and not (code.startswith("KMS.") and code not in THROTTLED) and code != "NoSuchKey":
            raise
        return Reports(only_report(config), Note("reports.unread", key=key, why=str(error)[:REPORTS_WHY_CHARACTERS]))


def _say_home(
    clients: ReportsClients, execution: Execution, scheduled_for: str, found: Reports, previous: str | None, now: datetime
) -> None:
    config, names = clients.config, tuple(report.name for report in found.reports)
    same = json.dumps([config.config_hash, [[report.name, report.input] for report in found.reports]], sort_keys=True)
    notice = StartNotice(
        region=config.region,
        scheduled_for=scheduled_for,
        started_at=execution.started_at.isoformat(),
        execution=execution.arn,
        state="PREVIOUS_RUNNING" if previous else "STARTED",
        reports=names,
        config_hash=sha256(same.encode()).hexdigest()[:16],
        notes=(str(bounded(found.note, REPORTS_WHY_CHARACTERS)),) if found.note else (),
    )
    outbox.keep(clients.table, notice, now)
    expected = names
    if found.note:
        # What the file listed when it was last used is still expected: what it lists now is unknown.
        expected = tuple(start_store.kept_reports(clients.table)) or names
    else:
        start_store.keep_reports(clients.table, names, now)
    if config.is_home:
        deadline_at = datetime.fromisoformat(scheduled_for) + timedelta(hours=config.summary_hours)
        summary_store.begin(clients.table, scheduled_for, Expected(config.expected_regions, expected, by_home=True), deadline_at)
    clients.home.send_all(clients.table)


def _still_running(states: "SFNClient", starts: Sequence[Start], execution: Execution) -> str | None:
    """Return the ARN of an earlier start that is still at work."""
    for start in starts:
        if start.execution.arn != execution.arn and is_running(states, start.execution.arn):
            return start.execution.arn
    return None


def is_running(states: "SFNClient", arn: str) -> bool:
    """Tell whether an execution is at work; one that Step Functions does not know is not."""
    try:
        return states.describe_execution(executionArn=arn)["status"] in {"RUNNING", "PENDING_REDRIVE"}
    except ClientError as error:
        if code_of(error) != "ExecutionDoesNotExist":
            raise
        return False
