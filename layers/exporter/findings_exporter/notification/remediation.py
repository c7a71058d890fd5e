"""Why a run failed and how to fix it, for each error that a run can end with.

Keyed by :attr:`findings_exporter.model.errors.Failure.error`. The failure itself says what happened; here are the cause and the fix.
``{names}`` are filled in by :func:`explain`. docs/troubleshooting.md is made from these texts.

An error ``States.X`` that the state machine catches is ``Workflow.X`` here: a Fail state should not use a name that Step
Functions reserves.
"""
# ruff: noqa: E501, ISC004 - each step is a text of its own line

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import in_language, named
from findings_exporter.model.run import Run
from findings_exporter.notification.run_input import is_of_all_reports, is_of_the_parameters, report_name, scheduled_time


@dataclass(frozen=True, slots=True)
class Remediation:
    """The cause of a failure and its fix.

    Attributes
    ----------
    title
        A few words for a subject line.
    why
        The cause, in a sentence or two.
    fix
        What to do now, step by step.
    """

    title: str
    why: str
    fix: tuple[str, ...]


AGAIN = {
    "parameters": "Start a new execution of the state machine with the input {}.",
    "same": "Start a new execution of the state machine with the input of this one, which the console shows, but without its field schedule.",
    "all_reports": "Start a new execution of the state machine Export All Reports with the input {input}.",
}
"""How a run is done again, by what it was asked for: ``{again}`` in the steps below."""
START_AGAIN = "{again} No clean-up is needed first."
TEST_EXPORT = (
    "Run a test export: start an execution with the input in events/test_export.json. It exports a small real report, usually within"
    " minutes. If it finds nothing, it does not prove the setup."
)
EXPORT_MISSED = "{again} It exports the missed report."
CHECK_SETUP = "Run the setup check (stack output CheckSetupCommand). It names what is missing."
POLICIES = (
    "Compare the bucket policy and the key policy with template.yaml. For your own bucket or key, compare them with the policy"
    " statements in the stack outputs."
)
HEALTH = "Check the AWS Health Dashboard for {region}."
REPORT_BUG = "If it happens again, open an issue and attach the execution history."

OF_THE_SETUP = (
    "Report.INVALID_PERMISSIONS", "Report.BUCKET_NOT_FOUND", "Report.INCOMPATIBLE_BUCKET_REGION", "Report.MALFORMED_KMS_KEY",
    "NoSuchBucket", "AccessDeniedError",
)  # fmt: skip
"""After these the workflow checks the setup, and the failure has what was found; the state machine names them, too."""
NOT_SEEN = "The check cannot see policies of the organization, nor changes since the failure."
FOUND, ALL_PASSED = "The setup check found: {sentences}", "The setup check found no problem."

NO_BUCKET = Remediation(
    "the bucket does not exist",
    "The bucket {bucket} does not exist, or the account {owner} no longer owns it.",
    (
        "Find the bucket in the S3 console.",
        "If it is your own bucket, correct the parameters ExistingBucketName and ExistingBucketOwner and deploy the stack.",
        "If it was the bucket of the stack, deploy the stack under a new name. This creates a new bucket.",
        TEST_EXPORT,
        EXPORT_MISSED,
    ),
)
SLOW = Remediation(
    "a step timed out",
    "A function did not finish within its timeout, in every attempt. Usually an AWS service that it calls does not answer.",
    (HEALTH, START_AGAIN),
)
LAMBDA_FAILED = Remediation(
    "Lambda did not answer",
    "Step Functions could not call Lambda or got no answer, in every attempt.",
    ("Check the AWS Health Dashboard for Lambda in {region}.", START_AGAIN),
)
DIED = Remediation(
    "a step ended unexpectedly",
    "The process of a function ended before it answered, in every attempt. The usual cause is too little memory.",
    (
        "Open the execution to see which step failed, and read the last lines of its log group.",
        "If the function used all its memory, increase MemorySize in template.yaml and deploy the stack.",
        START_AGAIN,
    ),
)
WORKFLOW_BROKE = Remediation(
    "the workflow has an error",
    "Step Functions could not evaluate the workflow's own data. This is an error in this program or in a change to it.",
    ("If the state machine was changed by hand, deploy the stack again.", START_AGAIN, REPORT_BUG),
)
REMEDIATIONS = {
    "InvalidInput": Remediation(
        "the input is not valid",
        "The execution input, or a stack parameter that it uses by default, does not have the form that docs/configuration.md describes.",
        (
            "Correct the fields that are named above.",
            "Start a new execution. The files in events/ are examples of valid input.",
        ),
    ),
    "LockNotObtained": Remediation(
        "another run was exporting",
        "Inspector has a limit of one report at a time, so runs export one after the other."
        " An earlier run did not finish before this run's deadline.",
        (
            "Open the execution of the other run, which is named above, and wait until it has finished.",
            "If reports regularly take this long, raise the parameter DeadlineHours or narrow the filter criteria.",
            START_AGAIN,
        ),
    ),
    "InspectorBusy": Remediation(
        "Inspector is creating another report",
        "Inspector has a limit of one report at a time in an account and Region."
        " An external report was in progress, and on_busy is set to fail.",
        ("Start a new execution when the other report has finished, or start one with on_busy set to wait.",),
    ),
    "DeadlineExceeded": Remediation(
        "the deadline has passed",
        "The report did not finish in time. Inspector promises no duration: many findings or a busy service take longer.",
        (
            "If reports used to be quick, check the AWS Health Dashboard for Inspector in {region}.",
            "Otherwise raise the parameter DeadlineHours (at most 24) or deadline_hours in the input, or narrow the filter criteria.",
            START_AGAIN,
        ),
    ),
    "CreateRefused": Remediation(
        "Inspector refused the report",
        "Inspector did not accept the request. Its reason is quoted above.",
        (
            "If the reason names a filter, correct the filter criteria.",
            "Check that Inspector is enabled in {region}.",
            START_AGAIN,
        ),
    ),
    "Report.INVALID_PERMISSIONS": Remediation(
        "Inspector cannot write the report",
        "The bucket policy of {bucket} or the key policy of {key} does not allow Inspector to write reports of this account,"
        " or a Deny statement forbids it.",
        (
            CHECK_SETUP,
            POLICIES,
            "Make sure that aws:SourceAccount is {account} and that aws:SourceArn contains the Region {region}.",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Report.BUCKET_NOT_FOUND": NO_BUCKET,
    "NoSuchBucket": NO_BUCKET,
    "Report.INCOMPATIBLE_BUCKET_REGION": Remediation(
        "the bucket is in another Region",
        "Inspector writes reports only to a bucket in the Region of the findings, {region}.",
        (
            "Set the parameter ExistingBucketName to a bucket in {region}, or leave it empty to use a bucket of the stack.",
            "Deploy the stack.",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Report.MALFORMED_KMS_KEY": Remediation(
        "the KMS key cannot be used",
        "Inspector cannot encrypt with the key {key}. The key must exist, be enabled, symmetric and customer managed, be in {region},"
        " and be given by its ARN.",
        (
            "Check the state and the type of the key in the KMS console. Enable it if it is disabled; cancel its deletion if it is"
            " scheduled.",
            "If that is not possible, set the parameter ExistingKeyArn to another key or leave it empty to use the key of the stack,"
            " and deploy the stack.",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Report.INTERNAL_ERROR": Remediation(
        "Inspector had an internal error",
        "Inspector ended the report with an error of its own. This is usually temporary.",
        (START_AGAIN, HEALTH, "If it happens again, give AWS Support the report id that is named above."),
    ),
    "Report.CANCELLED": Remediation(
        "the report was cancelled",
        "A user, another tool or another stack cancelled the report in Inspector while this run waited for it.",
        ("Find out who cancelled it: CloudTrail, Event history, event name CancelFindingsReport.", START_AGAIN),
    ),
    "Report.UNKNOWN": Remediation(
        "Inspector no longer has the report",
        "Inspector had accepted the report but no longer knows it. This happens when Inspector is disabled.",
        ("Check that Inspector is enabled in {region}.", START_AGAIN),
    ),
    "Delivery.Encryption": Remediation(
        "the report has the wrong encryption",
        "The report is not encrypted with the requested key. The default encryption of the bucket {bucket}, or another writer,"
        " replaced it.",
        (
            "Set the default encryption of the bucket to the key {key}.",
            "Delete the report that is named above if it must not be kept.",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Delivery.Missing": Remediation(
        "the report file is missing",
        "Inspector reported success, but wrote no file, or something has moved or deleted it.",
        (
            "Find out what moves or deletes new objects of the bucket {bucket}. CloudTrail shows it if it records data events of S3.",
            START_AGAIN,
            "If it happens again, give AWS Support the report id.",
        ),
    ),
    "Delivery.Corrupt": Remediation(
        "the report file is damaged",
        "Inspector reported success, but the file is not a complete findings report.",
        (
            "Check the file that is named above. It was kept.",
            START_AGAIN,
            "If it happens again, give AWS Support the report id.",
        ),
    ),
    "AccessDeniedError": Remediation(
        "AWS refused a call",
        "A policy does not allow the call that is named above, or denies it: the role of the function, the bucket policy, the key"
        " policy, or a service control policy of the organization. Inspector also refuses calls where it is not enabled, and S3 where"
        " the bucket does not belong to {owner}.",
        (
            CHECK_SETUP,
            "Check that Inspector is enabled in {region} and that the bucket belongs to the account {owner}.",
            "If a role of the stack was changed by hand, deploy the stack again.",
            POLICIES,
            "If AWS names a service control policy, ask its owner to allow the call.",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "LockLostError": Remediation(
        "the run does not hold the lock",
        "The run stopped because it does not hold the lock. This happens when an execution is redriven.",
        ("Start a new execution. Redrive is not supported.",),
    ),
    "ServiceUnavailableError": Remediation(
        "an AWS service is unavailable",
        "An AWS service throttled the call, failed or did not answer, in every attempt.",
        (HEALTH, START_AGAIN),
    ),
    "StillCreatingError": Remediation(
        "a report may still be starting",
        "A function was interrupted while it asked Inspector to create the report. The lock is kept until no report can appear.",
        ("Do nothing: the next run or the hourly cleanup cancels the report and releases the lock.", START_AGAIN),
    ),
    "StillRunningError": Remediation(
        "a cancelled report is still running",
        "Inspector was asked to cancel the report but still shows it as in progress.",
        ("Do nothing: the next run or the hourly cleanup cancels the report again and waits for it.", START_AGAIN),
    ),
    "NotificationInProgressError": Remediation(
        "a notification is pending",
        "The outcome is recorded. Another function had started to send the notification and did not finish in time.",
        (
            "If you have received a message about this run, do nothing: it has the recorded outcome.",
            "Otherwise wait for the next hourly cleanup, which sends the notification.",
        ),
    ),
    "NotRecordedError": Remediation(
        "the run has no record",
        "The run has no record in the table, or a part of it is missing. It was deleted, or the execution was redriven after the"
        " record had expired.",
        ("Make sure that only the stack changes its table.", START_AGAIN),
    ),
    "ConfigurationError": Remediation(
        "a function lacks its configuration",
        "Environment variables of a function are missing. The function was changed by hand.",
        ("Deploy the stack again.", TEST_EXPORT, EXPORT_MISSED),
    ),
    "UnsupportedReleaseError": Remediation(
        "the run is older than the deployment",
        "The execution was started before the stack was updated, and the deployed release does not support it.",
        (START_AGAIN,),
    ),
    "Sandbox.Timedout": SLOW,
    "Workflow.Timeout": SLOW,
    "Lambda.ServiceException": LAMBDA_FAILED,
    "Lambda.SdkClientException": LAMBDA_FAILED,
    "Lambda.ClientExecutionTimeoutException": LAMBDA_FAILED,
    "Lambda.AWSLambdaException": Remediation(
        "Lambda did not run a step",
        "The workflow is not allowed to invoke the function, or the function cannot start because of its state, role or layer."
        " The reason that Lambda gives is quoted above.",
        (
            "Open the function in the Lambda console. It shows why the function cannot run.",
            "If a function or a role was changed by hand, deploy the stack again.",
            "If an explicit deny is named, ask the owner of the organization's service control policies.",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Lambda.Unknown": DIED,
    "Runtime.ExitError": DIED,
    "Lambda.TooManyRequestsException": Remediation(
        "Lambda throttled a step",
        "Other functions used the whole Lambda concurrency of the account in {region}, in every attempt. A new account may have a"
        " quota of 10.",
        ("Request an increase of the Lambda quota 'Concurrent executions' in Service Quotas.", START_AGAIN),
    ),
    "Workflow.UnknownAnswer": Remediation(
        "a step gave an unknown answer",
        "The workflow does not know the answer of a step, so it is unknown whether the report is complete."
        " The functions and the workflow have different versions, or one of them was changed by hand.",
        ("Deploy the stack again.", START_AGAIN, REPORT_BUG),
    ),
    "States.Runtime": WORKFLOW_BROKE,
    "Workflow.QueryEvaluationError": WORKFLOW_BROKE,
    "States.DataLimitExceeded": Remediation(
        "the input is too large",
        "Step Functions passes at most 256 KiB from step to step, and the execution input nearly fills that.",
        ("Shorten the filter criteria in the input.", "Start a new execution."),
    ),
    "Stopped": Remediation(
        "the run was stopped",
        "A user or a tool stopped the execution. The exporter cancels its report, if that is still in progress, and releases its lock by itself.",
        ("Find out who stopped it: CloudTrail, Event history, event name StopExecution.", START_AGAIN),
    ),
    "TimedOut": Remediation(
        "the run reached its time limit",
        "The time limit of the state machine ended the execution. The exporter cancels its report, if that is still in progress, and releases its lock by itself."
        " Normally the run's deadline ends a run earlier.",
        (START_AGAIN, REPORT_BUG),
    ),
}
OF_THE_EXPORTER = frozenset({"bucket_policy_for_exporter", "key_policy_for_exporter", "permissions"})
"""Checks of what only the exporter needs: none of it makes Inspector's report fail."""
UNKNOWN = Remediation(
    "unexpected error",
    "The exporter has no explanation for this error.",
    (
        "Open the execution to see which step failed, and read its log group.",
        START_AGAIN,
        REPORT_BUG,
    ),
)


def remediation_for(failure: Failure, config: Config, language: str = "en", run: Run | None = None) -> Remediation:
    """Return the explanation of a failure, filled in with the deployment's names and with what a setup check found.

    The failure's setup has its texts in that language already. The run says how it is done again.
    """
    words = _words(language)
    found = words.REMEDIATIONS.get(failure.error, words.UNKNOWN)
    names = {
        "again": _again(run, config, words),
        "account": config.account,
        "bucket": config.bucket,
        "key": config.kms_key_arn,
        "owner": config.bucket_owner,
        "region": config.region,
    }
    remediation = Remediation(found.title, found.why.format(**names), tuple(step.format(**names) for step in found.fix))
    return _with_setup_results(remediation, failure.error, failure.setup, words, names) if failure.setup else remediation


def _again(run: Run | None, config: Config, words: ModuleType) -> str:
    """Return how a run is done again: with its own report, and in place of its scheduled time where there is a summary of that."""
    again: Mapping[str, str] = words.AGAIN
    if run is None:
        return again["same"]
    time, _ = scheduled_time(run)
    if time and is_of_all_reports(run, config):
        return again["all_reports"].format(input=json.dumps({"reports": [report_name(run, config)], "replaces": time}))
    return again["parameters" if is_of_the_parameters(run) else "same"]


def _words(language: str) -> ModuleType:
    # Imported only where it is needed. It takes its class from this module.
    return import_module(f"{__name__}_{language}" if language == "ja" else __name__)


def evidence(failure: Failure) -> list[str]:
    """Return the evidence of the setup check for what failed, line by line."""
    return [line for each in (failure.setup["failed"] if failure.setup else []) for line in each["evidence"]]


def statements(failure: Failure, language: str = "en") -> list[tuple[str, str]]:
    """Return the policy statements to add, as a setup check found them, each with the name of its check."""
    failed = failure.setup["failed"] if failure.setup else []
    return [
        (
            in_language(named("name", each["check"]), language),
            ",\n".join(json.dumps(one, indent=2) for one in each["statements"]),
        )
        for each in failed
        if each["statements"]
    ]


def _with_setup_results(
    remediation: Remediation, error: str, setup: Mapping[str, Any], words: ModuleType, names: Mapping[str, str]
) -> Remediation:
    """Say what the setup check found instead of what may be the cause; beside it, where what was found cannot be the cause."""
    failed, unknown = (" ".join(each["sentence"] for each in setup[result]) for result in ("failed", "unknown"))
    if not failed:
        sentences = (remediation.why, words.ALL_PASSED, unknown, words.NOT_SEEN)
        return replace(remediation, why=" ".join(text for text in sentences if text))
    found = words.FOUND.format(sentences=f"{failed} {unknown}".strip())
    steps = tuple(dict.fromkeys(step for each in setup["failed"] for step in each["fix"]))
    if error.startswith("Report.") and all(each["check"] in OF_THE_EXPORTER for each in setup["failed"]):
        return replace(remediation, why=f"{remediation.why} {found}", fix=(*steps, *remediation.fix))
    return replace(remediation, why=found, fix=(*steps, words.TEST_EXPORT, words.EXPORT_MISSED.format(**names)))
