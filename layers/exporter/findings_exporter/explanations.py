"""Why a run failed and what to do now, for each error that a run can end with.

Keyed by :attr:`findings_exporter.errors.Failure.error`. What happened is told by the failure itself; here stand the
reason in words and the fix. ``{names}`` are filled in by :func:`explain`.

An error ``States.X`` that the state machine catches is ``Workflow.X`` here: a Fail state should not use a name that Step
Functions reserves.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

from findings_exporter.config import Config
from findings_exporter.errors import Failure


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person needs to know of a failure.

    Attributes
    ----------
    title
        A few words for a subject line.
    why
        The reason, in a sentence or two.
    fix
        What to do now, step by step.
    """

    title: str
    why: str
    fix: tuple[str, ...]


START_AGAIN = "Start the export again from the Step Functions console with the input {{}}; it needs no clean-up first."
PROBE = (
    "Then start an execution with events/probe.json: a small real report that proves the setup in minutes,"
    " unless it finds nothing."
)
POLICIES = (
    "Compare the policies of the bucket and the key with those in template.yaml or, where the bucket or key is your own,"
    " with the statements in the stack's outputs."
)

OF_THE_SETUP = (
    "Report.INVALID_PERMISSIONS", "Report.BUCKET_NOT_FOUND", "Report.INCOMPATIBLE_BUCKET_REGION", "Report.MALFORMED_KMS_KEY",
    "NoSuchBucket", "AccessDeniedError",
)  # fmt: skip
"""After these the workflow checks the setup, and the failure tells what was found; the state machine names them, too."""
NOT_SEEN = "It cannot see an organisation's policies, nor what has changed since the failure."
FOUND, NOTHING_WRONG = "The setup check found: {sentences}", "The setup check found nothing wrong."

NO_BUCKET = Explanation(
    "the bucket does not exist",
    "There is no bucket {bucket}, or it does not belong to the account {owner} any more.",
    (
        "Check the bucket in the S3 console; a stack's own bucket comes back by deploying the stack anew under another name.",
        "With an existing bucket: correct the parameters ExistingBucketName and ExistingBucketOwner, and deploy.",
        PROBE,
    ),
)
SLOW = Explanation(
    "a step took too long",
    "A function did not end in its time, again and again: an AWS service that it calls hangs.",
    ("See the AWS Health Dashboard for {region}.", START_AGAIN),
)
LAMBDA_FAILED = Explanation(
    "Lambda failed",
    "Step Functions could not reach Lambda, or got no answer from it, again and again.",
    ("See the AWS Health Dashboard for Lambda in {region}.", START_AGAIN),
)
DIED = Explanation(
    "a step died",
    "A function's process ended before it had answered, again and again: most often it ran out of memory.",
    (
        "Open the execution and see which step failed; the last lines of its log group tell how far it came.",
        "If its memory was used up, raise MemorySize in template.yaml and deploy.",
        START_AGAIN,
    ),
)
WORKFLOW_BROKE = Explanation(
    "the workflow could not go on",
    "Step Functions could not process the workflow's own data. That is an error of this program, or of a change to it.",
    (
        "If somebody changed the state machine, deploy the stack again.",
        "Otherwise please report it with the execution's history.",
        START_AGAIN,
    ),
)
EXPLANATIONS = {
    "InvalidInput": Explanation(
        "the input is wrong",
        "The execution's input, or a default that it uses, does not have the form that the README's input table shows.",
        (
            "Correct the fields named above and start a new execution.",
            "The files in events/ are inputs that work as they stand.",
        ),
    ),
    "LockNotObtained": Explanation(
        "another run was exporting",
        "Runs export one after the other, since Inspector makes one report at a time."
        " An earlier run took until this one's deadline.",
        (
            "See what the other run is doing: its execution is named above.",
            "If its reports really take that long, raise the parameter DeadlineHours or narrow the filter criteria.",
            START_AGAIN,
        ),
    ),
    "SlotBusy": Explanation(
        "Inspector was making another report",
        "Inspector makes one report at a time in an account and Region, and the run was told not to wait for a foreign one.",
        ("Start the export again when that report has finished, or with on_busy: wait.",),
    ),
    "DeadlineExceeded": Explanation(
        "the deadline has passed",
        "Inspector gives no time for a report: many findings, or a busy service, make it slow.",
        (
            "Raise the parameter DeadlineHours (at most 24), or the input's deadline_hours.",
            "If reports were quick before, see the AWS Health Dashboard for Inspector in {region}.",
            START_AGAIN,
        ),
    ),
    "CreateRefused": Explanation(
        "Inspector refused the report",
        "Inspector judged the request and said no; its own words stand above.",
        (
            "If it names a filter, correct the filter criteria.",
            "Check that Inspector is enabled in {region}.",
            START_AGAIN,
        ),
    ),
    "Report.INVALID_PERMISSIONS": Explanation(
        "Inspector may not write the report",
        "The bucket policy of {bucket} or the key policy of {key} does not let Inspector write this account's report,"
        " or a Deny statement forbids it.",
        (
            POLICIES,
            "They must name the account {account} and the Region {region} in aws:SourceAccount and aws:SourceArn.",
            PROBE,
        ),
    ),
    "Report.BUCKET_NOT_FOUND": NO_BUCKET,
    "NoSuchBucket": NO_BUCKET,
    "Report.INCOMPATIBLE_BUCKET_REGION": Explanation(
        "the bucket is in another Region",
        "Inspector writes a report only into a bucket of the findings' own Region, {region}.",
        (
            "Name a bucket in {region} in the parameter ExistingBucketName, or leave it empty and let the stack create one.",
            PROBE,
        ),
    ),
    "Report.MALFORMED_KMS_KEY": Explanation(
        "the key cannot be used",
        "The key {key} must exist, be enabled, symmetric and customer managed, lie in {region}, and be named by its ARN.",
        (
            "Check its state and type in the KMS console: a key that is disabled or waits for deletion cannot be used.",
            "Name another key in the parameter ExistingKeyArn, or leave it empty and use the stack's key.",
            PROBE,
        ),
    ),
    "Report.INTERNAL_ERROR": Explanation(
        "Inspector failed",
        "Inspector had an error of its own. It usually passes.",
        (START_AGAIN, "If it stays, see the AWS Health Dashboard and give AWS Support the report id above."),
    ),
    "Report.CANCELLED": Explanation(
        "somebody cancelled the report",
        "The report was cancelled while this run waited for it: in the Inspector console, or by another tool."
        " CloudTrail says by whom (event CancelFindingsReport).",
        (START_AGAIN,),
    ),
    "Report.UNKNOWN": Explanation(
        "Inspector lost the report",
        "Inspector does not know the report that it had accepted. Disabling Inspector does that.",
        ("Check that Inspector is enabled in {region}.", START_AGAIN),
    ),
    "Delivery.Encryption": Explanation(
        "the report has the wrong encryption",
        "A default of the bucket {bucket}, or another writer, has replaced the encryption that Inspector was asked for.",
        (
            "Check the bucket's default encryption; the key must be {key}.",
            "Delete the wrongly encrypted report if it must not stay.",
            PROBE,
        ),
    ),
    "Delivery.Corrupt": Explanation(
        "the report is broken",
        "Inspector said that the report succeeded, but the file is not a whole findings report.",
        ("Look at the file named above; it was kept.", START_AGAIN, "If it stays, give AWS Support the report id."),
    ),
    "AccessDeniedError": Explanation(
        "AWS refused a call",
        "A policy does not allow what the exporter must do, or forbids it: the function's role, the bucket, the key, or a"
        " service control policy of the organisation. The call is named above. Inspector also refuses where it is not enabled,"
        " and S3 where the bucket belongs to another account than {owner}.",
        (
            "Check that Inspector is enabled in {region}, and that the bucket belongs to {owner}.",
            "Deploy the stack again if somebody changed its roles.",
            POLICIES,
            "Ask who owns the organisation's service control policies.",
            PROBE,
        ),
    ),
    "LockLostError": Explanation(
        "the run lost the lock",
        "Another run has the lock, so this one stopped rather than disturb it. A redriven execution ends like this.",
        ("Redrive is not supported: start a new execution.",),
    ),
    "ServiceUnavailableError": Explanation(
        "AWS did not answer",
        "An AWS service throttled or failed, again and again.",
        ("See the AWS Health Dashboard for {region}.", START_AGAIN),
    ),
    "StillCreatingError": Explanation(
        "a report may still be starting",
        "A function was cut off while it asked Inspector for the report, so its lock is kept until that can no longer succeed.",
        ("Nothing: the next run, or the hourly sweep, cancels the report and releases the lock.", START_AGAIN),
    ),
    "StillRunningError": Explanation(
        "a cancelled report has not stopped",
        "Inspector was told to cancel the report, but still shows it as in progress.",
        ("Nothing: the next run, or the hourly sweep, cancels it again and waits until it has stopped.", START_AGAIN),
    ),
    "ToldElsewhereError": Explanation(
        "another function was telling",
        "The outcome was recorded, but another function had claimed to tell it and had not finished in time.",
        (
            "Nothing, if a message about this run has come: it tells the recorded outcome.",
            "Otherwise wait for the next hourly sweep, which tells it.",
        ),
    ),
    "NotRecordedError": Explanation(
        "the run was not written down",
        "A step met a run without a record: somebody deleted it from the table, or it was redriven after its record had expired.",
        ("See that nobody else changes the table of the stack.", START_AGAIN),
    ),
    "ConfigurationError": Explanation(
        "the deployment is incomplete",
        "A function lacks variables of its environment, which are named above: somebody has changed the function by hand.",
        ("Deploy the stack again.", PROBE),
    ),
    "UnsupportedReleaseError": Explanation(
        "the run is older than the deployment",
        "The execution was started long before the deployed code, whose steps do not know its form any more.",
        (START_AGAIN,),
    ),
    "Sandbox.Timedout": SLOW,
    "Workflow.Timeout": SLOW,
    "Lambda.ServiceException": LAMBDA_FAILED,
    "Lambda.SdkClientException": LAMBDA_FAILED,
    "Lambda.ClientExecutionTimeoutException": LAMBDA_FAILED,
    "Lambda.AWSLambdaException": Explanation(
        "Lambda did not run a step",
        "The workflow may not invoke the function, or the function cannot start: its state, its role or its layer is wrong."
        " Lambda's own words stand above.",
        (
            "Open the function in the Lambda console: it says why it cannot run.",
            "Deploy the stack again if somebody changed a function or the workflow's role.",
            "If an explicit deny is named, ask who owns the organisation's service control policies.",
            PROBE,
        ),
    ),
    "Lambda.Unknown": DIED,
    "Runtime.ExitError": DIED,
    "Lambda.TooManyRequestsException": Explanation(
        "Lambda had no room",
        "Other functions used up the account's Lambda concurrency in {region}, again and again. A fresh account may have 10.",
        ("Raise the quota 'Concurrent executions' of Lambda in Service Quotas.", START_AGAIN),
    ),
    "Workflow.UnknownAnswer": Explanation(
        "a step gave an unknown answer",
        "The workflow does not know the answer of a step, so it cannot tell whether the report is complete."
        " The functions and the workflow come from different versions, or somebody changed one of them.",
        ("Deploy the stack again.", START_AGAIN, "If it stays, please report it with the execution's history."),
    ),
    "States.Runtime": WORKFLOW_BROKE,
    "Workflow.QueryEvaluationError": WORKFLOW_BROKE,
    "States.DataLimitExceeded": Explanation(
        "the input is too large",
        "Step Functions carries at most 256 KiB from step to step, and the execution's input nearly fills that.",
        ("Shorten the filter criteria of the input and start a new execution.",),
    ),
    "Stopped": Explanation(
        "the run was stopped",
        "Somebody stopped the execution. CloudTrail says who (event StopExecution)."
        " Its report is cancelled and its lock released by itself.",
        (START_AGAIN,),
    ),
    "TimedOut": Explanation(
        "the run took too long",
        "The state machine's own time limit ended the execution. Its report is cancelled and its lock released by itself.",
        (
            "This should not happen, since the deadline ends a run earlier: please report it with the execution's history.",
            START_AGAIN,
        ),
    ),
}
UNKNOWN = Explanation(
    "something unexpected happened",
    "Nobody planned for this error.",
    ("Open the execution and see which step failed; its log group holds the details.", START_AGAIN),
)


def explain(failure: Failure, config: Config, language: str = "en") -> Explanation:
    """Return the explanation of a failure, filled in with the deployment's names and with what a setup check found."""
    words = _words(language)
    found = words.EXPLANATIONS.get(failure.error, words.UNKNOWN)
    names = {
        "account": config.account,
        "bucket": config.bucket,
        "key": config.kms_key_arn,
        "owner": config.bucket_owner,
        "region": config.region,
    }
    explanation = Explanation(found.title, found.why.format(**names), tuple(step.format(**names) for step in found.fix))
    return _judged(explanation, failure.setup, words) if failure.setup else explanation


def _words(language: str) -> ModuleType:
    # Imported by whoever tells in that language only. It takes its class from this module.
    return import_module(f"{__name__}_{language}" if language == "ja" else __name__)


def evidence(failure: Failure) -> list[str]:
    """Return what a setup check saw of what is wrong, line by line."""
    return [line for each in (failure.setup["wrong"] if failure.setup else []) for line in each["evidence"]]


def statements(failure: Failure) -> list[tuple[str, str]]:
    """Return the statements to paste that a setup check has found missing, each with the name of its check."""
    wrong = failure.setup["wrong"] if failure.setup else []
    return [
        (each["check"].replace("_", " "), ",\n".join(json.dumps(one, indent=2) for one in each["statements"]))
        for each in wrong
        if each["statements"]
    ]


def _judged(explanation: Explanation, setup: Mapping[str, Any], words: ModuleType) -> Explanation:
    """Say what was found instead of what may be. What a check says is English in every language."""
    wrong, unknown = (" ".join(each["sentence"] for each in setup[verdict]) for verdict in ("wrong", "unknown"))
    if not wrong:
        told = (explanation.why, words.NOTHING_WRONG, unknown, words.NOT_SEEN)
        return replace(explanation, why=" ".join(text for text in told if text))
    return replace(
        explanation,
        why=words.FOUND.format(sentences=f"{wrong} {unknown}".strip()),
        fix=(*dict.fromkeys(each["fix"] for each in setup["wrong"] if each["fix"]), words.PROBE),
    )
