"""Write docs/troubleshooting.md from the texts that people see: ``python -m tests.tools.troubleshooting``.

Causes and fixes are those of the code, alarms those of the template. Here is only what no message says: which sentences belong to
an error, and where to look.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from findings_exporter.model.notes import NOTE_TEXTS
from findings_exporter.notification import NOTHING_FOUND
from findings_exporter.notification.localization import LANGUAGES
from findings_exporter.notification.remediation import REMEDIATIONS, UNKNOWN, Remediation
from tests.builders.cloudformation import read_template
from tests.builders.rendered import STACK, Place, Rendered

DOCUMENT = Path("docs/troubleshooting.md")
OTHER = Path("tests/tools/troubleshooting_other.md")
"""What neither code nor template says: the dead-letter queue, missing messages, deployments."""
TEXTS = NOTE_TEXTS["en"]
VALUE = re.compile(r"(?<!\{)\{(\w+)\}")
ANY_OTHER = "any other error"
PLACE = Place(
    parameters={
        "ReportName": "ReportNameX",
        "ExpectedExportHours": "77",
        "DeadlineHours": "11",
        "RemediationDays": '{"CRITICAL": 15}',
        "OverdueAlarm": "CRITICAL",
    }
)
PLACEHOLDERS = {
    "severity CRITICAL or worse": "severity <OverdueAlarm> or worse",
    "ReportNameX": "<ReportName>", "77 hours": "<ExpectedExportHours> hours", "DeadlineHours is 11": "DeadlineHours is <DeadlineHours>",
    "eu-west-1": "<Region>", "123456789012": "<account>", f"{STACK}-": "<stack>-", f"Stack {STACK}": "Stack <stack>", f"stack {STACK}": "stack <stack>",
    f"--stack-name {STACK}": "--stack-name <stack>",
}  # fmt: skip

SENTENCES = {
    "InvalidInput": ["cause.input"],
    "LockNotObtained": ["cause.lock_held"],
    "InspectorBusy": ["cause.busy"],
    "DeadlineExceeded": ["cause.too_late_running", "cause.too_late_not_started", "cause.too_late_other"],
    "CreateRefused": ["cause.refused"],
    "Report.INVALID_PERMISSIONS": ["cause.report_ended", "cause.report_ended_text"],
    "Report.UNKNOWN": ["cause.report_unknown"],
    "Delivery.Encryption": ["cause.encryption", "cause.encryption_s3", "cause.encryption_none"],
    "Delivery.Missing": ["cause.missing_findings", "cause.missing_refused", "cause.missing_unclear"],
    "Delivery.Corrupt": ["cause.corrupt", "cause.corrupt_refused", "cause.corrupt_unclear", "cause.corrupt_findings"],
    "AccessDeniedError": ["cause.denied"],
    "LockLostError": ["cause.lock_of_other", "cause.lock_of_none", "cause.stopped_before"],
    "ServiceUnavailableError": ["cause.unavailable", "cause.no_answer"],
    "StillCreatingError": ["cause.still_creating", "cause.still_creating_until"],
    "StillRunningError": ["cause.still_running", "cause.not_ended"],
    "NotificationInProgressError": ["cause.notified_elsewhere", "cause.owners_left"],
    "NotRecordedError": ["cause.not_recorded", "cause.no_plan", "cause.no_outcome", "cause.owners_unusable"],
    "ConfigurationError": ["cause.environment"],
    "UnsupportedReleaseError": ["cause.release"],
    "Workflow.UnknownAnswer": ["cause.unknown_answer"],
    "Stopped": ["cause.stopped", "cause.stopped_text"],
    "TimedOut": ["cause.timed_out"],
    ANY_OTHER: ["cause.none", "cause.forgotten"],
}
"""By error, what the message says first. A failed report's sentence is the same for each of its error codes."""
WHERE_TO_LOOK = {
    "InvalidInput": "`aws stepfunctions describe-execution --execution-arn <execution> --query input`.",
    "LockNotObtained": "`aws stepfunctions list-executions --state-machine-arn <StateMachineArn> --status-filter RUNNING`.",
    "InspectorBusy": "`aws inspector2 get-findings-report-status` without an id shows the report in progress and its destination.",
    "DeadlineExceeded": "The metric `ReportDuration` in the namespace `InspectorFindingsExporter`.",
    "CreateRefused": "`aws inspector2 batch-get-account-status`; the same filter:"
    " `aws inspector2 list-findings --filter-criteria '…' --max-results 1`.",
    "Report.INVALID_PERMISSIONS": "`aws s3api get-bucket-policy --bucket <BucketName>` and"
    " `aws kms get-key-policy --key-id <ReportsKeyArn> --policy-name default`. The outputs `BucketStatementForInspector` and"
    " `KeyStatementForInspector` have the policy statements.",
    "Report.BUCKET_NOT_FOUND": "`aws s3api head-bucket --bucket <BucketName> --expected-bucket-owner <account>`.",
    "Report.INCOMPATIBLE_BUCKET_REGION": "`aws s3api head-bucket --bucket <BucketName> --query BucketRegion`.",
    "Report.MALFORMED_KMS_KEY": "`aws kms describe-key --key-id <ReportsKeyArn>`: `KeyState` Enabled, `KeySpec` SYMMETRIC_DEFAULT,"
    " `KeyManager` CUSTOMER.",
    "Report.INTERNAL_ERROR": "The AWS Health Dashboard of the Region.",
    "Report.CANCELLED": "CloudTrail, *Event history*, event name `CancelFindingsReport`.",
    "Report.UNKNOWN": "`aws inspector2 batch-get-account-status`.",
    "Delivery.Encryption": "`aws s3api head-object --bucket <BucketName> --key <key>` and"
    " `aws s3api get-bucket-encryption --bucket <BucketName>`.",
    "Delivery.Missing": "`aws s3api list-object-versions --bucket <BucketName> --prefix <prefix that is named>`.",
    "Delivery.Corrupt": "`aws s3 cp s3://<BucketName>/<key> - | head -c 300`. The faults are listed under"
    " [Damaged report files](#damaged-report-files).",
    "AccessDeniedError": "The message of AWS names the principal, the action and the kind of policy. For your own bucket or key, the"
    " outputs `BucketStatementForExporter` and `KeyStatementForExporter` have the policy statements.",
    "LockLostError": "The page of the execution in the console shows *Redriven*.",
    "ServiceUnavailableError": "CloudTrail shows throttled calls; Service Quotas shows the quotas of the service.",
    "StillCreatingError": "`aws inspector2 get-findings-report-status`.",
    "StillRunningError": "`aws inspector2 get-findings-report-status --report-id <id>`.",
    "NotificationInProgressError": "The item `EXECUTION#<execution name>` in the table: `notified_at` is set when the notification was sent.",
    "NotRecordedError": "`aws dynamodb get-item --table-name <TableName>"
    ' --key \'{"pk": {"S": "EXECUTION#<execution name>"}, "sk": {"S": "EXECUTION"}}\'`.',
    "ConfigurationError": "`aws lambda get-function-configuration --function-name <function> --query Environment`.",
    "UnsupportedReleaseError": "The start of the execution and the last update of the stack.",
    "Sandbox.Timedout": "The failed state in the graph of the execution, and the last line of its log group.",
    "Lambda.ServiceException": "The events of the failed state in the history of the execution.",
    "Lambda.AWSLambdaException": "`aws lambda get-function-configuration --function-name <function>"
    " --query '[State, StateReason, LastUpdateStatusReason]'`.",
    "Lambda.Unknown": "The REPORT line in the log group of the function: `Max Memory Used` and `Memory Size`.",
    "Lambda.TooManyRequestsException": "`aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions`; the metric"
    " `Throttles` in `AWS/Lambda`.",
    "Workflow.UnknownAnswer": "The output of the step that is named, in the history of the execution.",
    "States.Runtime": "`aws stepfunctions get-execution-history --execution-arn <execution> --reverse-order --max-results 5`.",
    "States.DataLimitExceeded": "The length of the input in the console.",
    "Stopped": "CloudTrail, *Event history*, event name `StopExecution`.",
    "TimedOut": "`aws stepfunctions get-execution-history --execution-arn <execution>`.",
    ANY_OTHER: "The log group of the failed step, and `get-execution-history` as above.",
}
FIXES = {
    "failed.inspector_unknown_account": ["fix.inspector"],
    "failed.inspector_off": ["fix.inspector"],
    "failed.coverage": ["fix.coverage"],
    "failed.bucket": ["fix.bucket"],
    "failed.bucket_region": ["fix.bucket"],
    "failed.bucket_owner": ["fix.bucket_owner"],
    "failed.denied": ["fix.deny"],
    "failed.not_allowed": ["fix.statement", "fix.statements"],
    "failed.key_arn": ["fix.key"],
    "failed.key_region": ["fix.key"],
    "failed.key": ["fix.key"],
    "failed.key_unfit": ["fix.key"],
    "failed.key_unfit_state": ["fix.key_enable", "fix.key_deletion", "fix.key"],
    "failed.permissions": ["fix.deploy", "fix.boundary"],
    "failed.analysis_permissions": ["fix.deploy", "fix.boundary"],
    "failed.topic_permissions": ["fix.deploy", "fix.boundary"],
    "failed.topic": ["fix.deploy"],
    "failed.topic_denied": ["fix.topic_deny"],
    "failed.topic_no_subscription": ["fix.topic_subscribe"],
    "failed.reports": ["fix.reports"],
    "failed.reports_none": ["fix.reports"],
    "failed.alarm_topic": ["fix.deploy"],
    "failed.alarm_topic_pending": ["fix.alarm_topic_confirm"],
    "failed.alarm_topic_no_subscription": ["fix.alarm_topic_subscribe"],
    "failed.owners": ["fix.owners"],
    "failed.owners_none": ["fix.owners_none"],
    "failed.owners_empty": ["fix.owners_none"],
    "failed.due_dates": ["fix.due_dates"],
    "failed.owner_topic": ["fix.deploy"],
    "failed.owner_topic_denied": ["fix.topic_deny"],
    "failed.owner_topic_no_subscription": ["fix.owner_topic_subscribe"],
    "failed.owner_permissions": ["fix.deploy", "fix.boundary"],
    "failed.schedule": ["fix.deploy"],
    "failed.schedule_disabled": ["fix.schedule_enable"],
    "failed.schedule_over": ["fix.schedule_expression"],
    "failed.schedule_rate": ["fix.schedule_cron"],
    "failed.dead_letter_queue": ["fix.deploy"],
    "failed.dead_letter_queue_messages": ["fix.dead_letter_queue"],
    "unknown.policy": ["fix.make_sure"],
    "unknown.policy_statement": ["fix.make_sure"],
    "unknown.generate_data_key": ["fix.make_sure"],
    "unknown.organization": ["fix.organization"],
}
"""By sentence of a setup check, its steps, as far as it comes with any."""
NOTES = (
    "run.", "alarms.", "lost.", "drop", "coverage.", "missing_unknown", "baseline.", "compared.", "read.", "kev.", "owners.not_used",
    "owners.unread", "owners.unknown", "owners.baseline", "owners.no_file", "owners.beyond", "due.not_used", "reports.missing",
    "reports.not_used", "reports.unread", "reports.stopped",
)  # fmt: skip
"""Beginnings of the names of what a message says besides."""
PARTS_OF_NOTES = ("compared.or",)
FILES = ("owners.", "due.", "reports.")
SUMMARY = {
    "silent": "See in that Region how the execution of *Export All Reports* ended, and whether the schedule is enabled. If nothing was started,"
    " start the reports by hand with `replaces`. If all ended well, the headlines wait there for the hourly cleanup: see its log.",
    "running": "Wait for the supplement. If it is often so, set `SummaryHours` to at least the sum of the reports' deadlines.",
    "previous_running": "Shorten the reports' deadlines, or start them less often: the reports of a start are exported one after the other.",
    "not_configured": "Run `make config` with all Regions, so that they have the same `config/reports.json`.",
    "not_started": "The sentence says why. Start the report by hand, with `replaces`.",
    "failed": "The message of that Region has cause and fix. Start the report by hand, with `replaces`.",
    "timed_out": "The time limit of the state machine ended the execution, which its deadline normally does earlier. Start the report by hand,"
    " with `replaces`. If it happens again, open an issue and attach the execution history.",
    "aborted": "A user has stopped the execution. Start the report by hand, with `replaces`.",
    "not_analyzed": "The message of that Region, or the output of the execution, says why: [Failed analyses](#failed-analyses).",
    "lost": "Run the command in the output `CheckSetupCommand` of that Region. If scanning is off there, activate it: `aws inspector2 enable --resource-types <types>`.",
    "lost_accounts": "Activate scanning again for these accounts in that Region: `aws inspector2 enable --resource-types <types> --account-ids <account>`.",
    "unknown": "Run the command in the output `CheckSetupCommand` of that Region.",
    "drop": "Find out whether resources were deleted or a filter or suppression rule was added, before you take it for progress.",
    "not_exported": "The note has the fault of the file. Start these reports by hand, with `replaces`, when it is corrected.",
    "without_file": "The note has the fault. Correct `config/reports.json`, upload it with `make config`, and start the missing reports by hand"
    " with `replaces`.",
    "differing": "Run `make deploy` with all Regions, and `make config` if you use its files.",
    "not_begun": "See in the home Region whether the schedule `ExportFindingsNightly` is enabled, and what is in the dead-letter queue.",
}
"""By line of a summary, what to do."""
AGAIN = "[Start a new execution](operations.md#run-again)."
"""The message itself says with which input."""
BY_HAND = "Check it in the console, or run a test export."
HEAD = """# Troubleshooting

<!-- Written by python -m tests.tools.troubleshooting from the texts of the code and the template. Do not edit it by hand. -->

Search this page for the text that you see; `<…>` stands for what differs from case to case.

| you see | go to |
|---|---|
| a failed run: the *Error* of an execution, a message about it, or `failure.error` in an event | [Failed runs](#failed-runs) |
| a fault of the input | [Input faults](#input-faults) |
| a damaged report file | [Damaged report files](#damaged-report-files) |
| a report without findings | [Empty reports](#empty-reports) |
| a note in a message | [Notes](#notes) |
| a fault of `config/owners.json`, `config/reports.json` or `RemediationDays` | [Faults of the files](#faults-of-the-files) |
| a summary that names what is missing | [Summaries](#summaries) |
| a report that could not be analyzed | [Failed analyses](#failed-analyses) |
| a result of the setup check | [Setup checks](#setup-checks) |
| an alarm | [Alarms](#alarms) |
| a message in the dead-letter queue | [The dead-letter queue](#the-dead-letter-queue) |
| no message at all | [No message](#no-message) |
| a parameter that is refused | [Parameters](#parameters) |
| a deployment that fails | [Deployments](#deployments) |

`<…>` in a command is an output of the stack, or what the message names. [Run again](operations.md#run-again)
says how to start a new execution. To check the setup, run the command in the output `CheckSetupCommand`.
"""
RUNS = """## Failed runs

To see the error and its cause: `aws stepfunctions describe-execution --execution-arn <execution> --query '[error, cause]'`.
To see the log of a step, such as Start Report:
`aws logs filter-log-events --log-group-name /aws/lambda/<stack>-StartReport --filter-pattern '"<execution name>"'`.
"""
EMPTY = """## Empty reports

The run succeeded, and its report has no findings. Make sure that Inspector is scanning: `aws inspector2 batch-get-account-status` shows
what is enabled, `aws inspector2 list-coverage-statistics` what is scanned. Inspector's code `NO_FINDINGS_FOUND` is no error. A test
export without findings proves neither the bucket nor the key.
"""
ANALYSES = """## Failed analyses

The report itself was delivered. The next run makes an analysis of its own and is compared with the newest one that worked. The name of
the error is in the field `analysis` of the run's record.
"""
ANALYSIS = {
    "Analysis.ReportMalformed": (
        "the report cannot be read to its end",
        "Both ends of the file are complete, but it breaks off in between. The message names the byte or the row.",
        ["Start a new execution.", "If it happens again, look at the file at that place. A new format needs a new release of the exporter."],
        "`aws s3 cp s3://<BucketName>/<key> - | tail -c +<byte> | head -c 300`.",
    ),
    "Analysis.ReportChanged": (
        "the report was replaced while it was read",
        "A user or a rule of the bucket has overwritten or deleted the object after it was verified.",
        ["Find out who writes under the prefix `reports/`, and prevent it."],
        "`aws s3api list-object-versions --bucket <BucketName> --prefix <key>`.",
    ),
    "Analysis.ReportUnreadable": (
        "the report cannot be read",
        "S3 refused to return the report: a bucket policy or key policy denies it, or the key is disabled.",
        ["Add the policy statements of the outputs `BucketStatementForExporter` and `KeyStatementForExporter`."],
        "`aws s3api head-object --bucket <BucketName> --key <key>`, and the setup check.",
    ),
    "Analysis.NotStored": (
        "the files of the analysis cannot be written",
        "S3 refused to store a file: a bucket policy or key policy denies it. Inspector writes reports; the exporter writes analyses.",
        ["Add the policy statements of the outputs `BucketStatementForExporter` and `KeyStatementForExporter`."],
        "The setup check.",
    ),
    "Analysis.TooLarge": (
        "memory cannot hold what the report names",
        "A part of the report has more findings, or the report names more different resources, packages or vulnerabilities, than the code allows.",
        ["If a part has too many findings, lower `PartBytes` in `template.yaml` and deploy.",
         "If the report names too many things, narrow its filter, or make several reports."],
        "The message names what there is too much of.",
    ),
    "Analysis.TooManyOwners": (
        "the findings have more owners than memory holds",
        "`OwnerTag` names a tag with a value for each resource, such as `Name`. A report has at most 1,000 owners; rules are at most 500.",
        ["Name a tag in `OwnerTag` that has one value for each team, or leave `OwnerTag` empty and write rules in `config/owners.json`.",
         "Start a new execution."],
        "The tags of a finding in the report: `resources[].tags`.",
    ),
    "Analysis.OwnersChanged": (
        "the parts of a large report were not all read with the same rules of owners",
        ("`config/owners.json` was written while the parts of the report were analyzed, or one of the two functions cannot read it. The"
         " numbers of owners would not fit together."),
        ["Start a new execution.",
         "If it happens again, allow the roles of AnalyzePart and AnalyzeReport to read the file in the bucket policy and key policy."],
        ("`aws s3api head-object --bucket <BucketName> --key <prefix>/config/owners.json`; the log groups"
         " `/aws/lambda/<stack>-AnalyzePart` and `-AnalyzeReport`."),
    ),
    "Analysis.FindingsRepeated": (
        "too many findings are in several parts of a large report",
        ("Each finding counts once. The parts that repeat findings of earlier ones are read once more, but not more than 8 of them. No"
         " such report was seen."),
        ["Start a new execution: Inspector makes another report.",
         "If it happens again, increase `PartBytes` in `template.yaml` and deploy: fewer parts repeat less. Report it as an issue."],
        "`statistics.duplicates` of smaller reports in their `analysis.json`.",
    ),
    "Analysis.PartsUnusable": (
        "the parts of a large report cannot be merged",
        "What the parts have left under `analyses/…/parts/` was replaced, deleted or damaged before it was merged.",
        ["Start a new execution.", "If it happens again, find out who else writes under the prefix `analyses/`."],
        "The log group `/aws/lambda/<stack>-AnalyzeReport`, by the name of the execution.",
    ),
    ANY_OTHER: (
        "a step ended early",
        ("A step of the analysis ran out of time, memory or space, or met an error in its code. The name in brackets says which;"
        " `Sandbox.Timedout` and `Runtime.ExitError` mean that a part, or the report, is too large for the function."),
        ["See in the execution which step it was: Analyze Report, or of a large report Cut Report or Analyze Part. Read its log.",
         "If it was Analyze Part, lower `PartBytes` in `template.yaml` and deploy.",
         ("If it was Analyze Report, which has all the time and temporary space that Lambda gives, increase its *MemorySize*, narrow the report's"
         " filter, or set the parameter `Analysis` to `OFF`.")],
        "The log groups `/aws/lambda/<stack>-AnalyzeReport`, `-CutReport` and `-AnalyzePart`, by the name of the execution.",
    ),
}  # fmt: skip


def document() -> str:
    """Return the whole document."""
    parts = [
        HEAD, RUNS, *_runs(), *_texts("Input faults", "input.", "After the name of the field:"),
        *_texts("Damaged report files", "form.", "After *is not a complete findings report: it*:"),
        EMPTY, _table(NOTHING_FOUND.values()), *_texts("Notes", NOTES, "What happened besides, in a message:"),
        *_texts("Faults of the files", FILES, "After the name of the file or parameter, and the place in it. Correct it, and run `make config`:"),
        *_summaries(),
        ANALYSES, *(_entry(f"`{error}`" if "." in error else error, *result) for error, result in ANALYSIS.items()), *_setup(), *_alarms(),
        *_parameters(), OTHER.read_text(encoding="utf-8"),
    ]  # fmt: skip
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def shown(text: str) -> str:
    """Return a text of the code with the name of each value in it."""
    return VALUE.sub(r"<\1>", text).replace("{{", "{").replace("}}", "}")


def prose(text: str) -> str:
    """Return a text outside of code, in which Markdown would take a name in angle brackets for HTML."""
    return re.sub(r"<[\w-]+>(?:-\w+)?", r"`\g<0>`", text)


def _runs() -> Iterator[str]:
    grouped: dict[int, list[str]] = {}
    for error, remediation in REMEDIATIONS.items():
        grouped.setdefault(id(remediation), []).append(error)
    for errors in grouped.values():
        yield _run(errors, REMEDIATIONS[errors[0]])
    yield _run([ANY_OTHER], UNKNOWN)


def _run(errors: list[str], remediation: Remediation) -> str:
    place = next(WHERE_TO_LOOK[error] for error in errors if error in WHERE_TO_LOOK)
    name = ", ".join(f"`{error}`" if error != ANY_OTHER else error for error in errors)
    entry = _entry(
        name,
        remediation.title,
        prose(shown(remediation.why)),
        [prose(shown(step.replace("{again}", AGAIN))) for step in remediation.fix],
        place,
    )
    said = [TEXTS[name] for error in errors for name in SENTENCES.get(error, [])]
    return f"{entry}\n{_table(said)}" if said else entry


def _entry(name: str, title: str, cause: str, fix: Iterable[str], place: str) -> str:
    steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(fix, 1))
    return f"### {name}: {title}\n\n- **Cause.** {cause}\n- **Fix.**\n{steps}\n- **Where to look.** {place}\n"


def _table(texts: Iterable[str]) -> str:
    return "| text |\n|---|\n" + "".join(f"| `{shown(each).replace(chr(10), ' ')}` |\n" for each in texts)


def _texts(head: str, prefix: str | tuple[str, ...], intro: str) -> Iterator[str]:
    yield f"## {head}\n\n{intro}\n"
    names = [name for name in TEXTS if name.startswith(prefix) and not name.endswith(".one") and name not in PARTS_OF_NOTES]
    yield _table(TEXTS[name] for name in names if prefix is not FILES or not name.startswith(NOTES))


def _summaries() -> Iterator[str]:
    yield (
        "## Summaries\n\nWhat a summary names before its numbers. *By hand, with `replaces`*:"
        " [Start reports by hand](operations.md#start-reports-by-hand).\n"
    )
    rows = (f"| `{shown(LANGUAGES['en'][f'summary.{name}'])}` | {step} |" for name, step in SUMMARY.items())
    yield "| text | what to do |\n|---|---|\n" + "\n".join(rows)


def _setup() -> Iterator[str]:
    yield (
        "## Setup checks\n\nEach check *passed*, *failed* or is *unknown*. Unknown is what the check may not read or cannot evaluate. A result"
        " has the policy statements to add (`statements`) and your whole policy with them (`policy`). The check cannot see policies of"
        " the organization on resources.\n"
    )
    names = [name for name in TEXTS if name.startswith(("failed.", "unknown.")) and not name.endswith(".one")]
    steps = {name: " ".join(prose(shown(TEXTS[step])) for step in FIXES.get(name, [])) or BY_HAND for name in names}
    rows = (f"| `{shown(TEXTS[name])}` | {steps[name]} |" for name in names)
    yield "| text | fix |\n|---|---|\n" + "\n".join(rows)


def _alarms() -> Iterator[str]:
    yield "## Alarms\n\nThe description of an alarm, with the values of your stack in place of `<…>`:\n"
    several = Place(parameters={**PLACE.parameters, "Reports": "FILE"})
    alarms = Rendered(PLACE).of_type("AWS::CloudWatch::Alarm")
    # Those that both have are of a stack without several reports.
    for alarm in (alarms | Rendered(several).of_type("AWS::CloudWatch::Alarm") | alarms).values():
        name, result = alarm["AlarmName"], alarm["AlarmDescription"]
        for value, placeholder in PLACEHOLDERS.items():
            name, result = name.replace(value, placeholder), result.replace(value, placeholder)
        happened, *steps, link = re.split(r" (?=\d\. |https:)", result)
        title = happened.split(": ", 1)[1].split(". ")[0].rstrip(".")
        place = f"`{link}`, and the metric `{alarm['MetricName']}` in the namespace `{alarm['Namespace']}`."
        yield _entry(f"`{name}`", prose(title), prose(happened), [prose(step[3:]) for step in steps], place)


def _parameters() -> Iterator[str]:
    template = read_template(Path("template.yaml"))
    yield "## Parameters\n\nBefore anything is created: *Parameter … failed to satisfy constraint: …*, or a rule:\n"
    result = [(each.get("ConstraintDescription"), name) for name, each in template["Parameters"].items()]
    result += [
        (each["AssertDescription"], f"rule {name}") for name, rule in template["Rules"].items() for each in rule["Assertions"]
    ]
    rows = [f"| `{text}` | `{name}` |" for text, name in result if text]
    yield "| text | parameter |\n|---|---|\n" + "\n".join(rows)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
