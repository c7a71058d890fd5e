"""What happened in a run that failed, in English; the names in braces are the same in every language.

``cause.``: the whole sentence. ``input.``: what is wrong with an input, after the name of the field. ``form.``: what is wrong
with a report file, after "it".
"""

CAUSES = {
    # ---- what happened in a run that failed
    "cause.input": "The execution input is not valid, so nothing was exported:\n- {faults}",
    "cause.report_unknown": "Inspector no longer knows the report {report}.",
    "cause.too_late_running": "The deadline of {hours} hours has passed. The report {report} still has the status {status}."
    " The run asks Inspector to cancel it.",
    "cause.too_late_not_started": "The deadline of {hours} hours passed before Inspector could start the report: it was busy"
    " with another report, or it failed.",
    "cause.too_late_other": "The deadline of {hours} hours has passed. Inspector was still creating another report ({report},"
    " to {place}).",
    "cause.report_ended": "The report {report} ended with the status {status}.",
    "cause.report_ended_text": "The report {report} ended with the status {status}. Inspector says: {text}",
    "cause.refused": "Inspector refused to create the report ({code}): {text}",
    "cause.busy": "Inspector is creating another report ({report}, to {place}), and on_busy is set to fail.",
    "cause.lock_held": "The run {run} was still exporting when this run's deadline of {hours} hours passed.",
    "cause.lock_of_other": "The execution {run} does not hold the lock; the execution {holder} holds it. This execution stops"
    " here. Redrive is not supported: start a new execution.",
    "cause.lock_of_none": "The execution {run} does not hold the lock; it is free. This execution stops here."
    " Redrive is not supported: start a new execution.",
    "cause.stopped_before": "The outcome of the execution {run} is already recorded, so it does not continue."
    " Redrive is not supported: start a new execution.",
    "cause.encryption": "The report {uri} is encrypted with {encryption} and the key {key}. The requested key is {wanted}.",
    "cause.encryption_s3": "The report {uri} is encrypted with {encryption} and a key of S3. The requested key is {wanted}.",
    "cause.encryption_none": "The report {uri} is not encrypted. The requested key is {wanted}.",
    "cause.missing_findings": "Inspector reported success, but there is no file below {uri}, although ListFindings returns"
    " findings for the same filter.",
    "cause.missing_refused": "Inspector reported success, but there is no file below {uri}. It can be a report without"
    " findings, but ListFindings, which is asked to be sure, was refused ({code}).",
    "cause.missing_unclear": "Inspector reported success, but there is no file below {uri}. It can be a report without"
    " findings, but the answer of ListFindings, which is asked to be sure, was incomplete.",
    "cause.corrupt": "The report {uri} ({bytes} bytes) is not a complete findings report: it {fault}.",
    "cause.corrupt_refused": "The report {uri} ({bytes} bytes) is not a complete findings report: it {fault}."
    " It may be an empty report, but AWS refused ListFindings, which would confirm that ({code}).",
    "cause.corrupt_unclear": "The report {uri} ({bytes} bytes) is not a complete findings report: it {fault}."
    " It may be an empty report, but ListFindings returned an incomplete answer, which does not confirm that.",
    "cause.corrupt_findings": "The report {uri} ({bytes} bytes) is not a complete findings report: it {fault}."
    " It is not an empty report, because ListFindings returns findings for the same filter.",
    "cause.denied": "AWS refused {call}: {text}",
    "cause.unavailable": "AWS could not process {call} ({code}): {text}",
    "cause.no_answer": "AWS did not answer: {text}",
    "cause.environment": "The function has no value for these environment variables: {names}. Deploy the stack again.",
    "cause.release": "Release {theirs} of the exporter started this execution; the deployed release {ours} does not support it."
    " Start a new execution.",
    "cause.not_recorded": "There is no record of the execution {run}. Start a new execution.",
    "cause.no_plan": "The record of the execution {run} has no plan. Start a new execution.",
    "cause.no_outcome": "The record of the execution {run} has no outcome, so no notification can be sent.",
    "cause.still_creating": "A function of the execution {run} may still be creating a report. The exporter tries again.",
    "cause.still_creating_until": "A function of the execution {run} may still be creating a report until {time} UTC."
    " The exporter tries again.",
    "cause.still_running": "The report {report} was cancelled but still has the status {status}. The exporter tries again.",
    "cause.not_ended": "The execution {run} has not ended yet. The exporter tries again.",
    "cause.notified_elsewhere": "Another function is sending the notification of the execution {run} at this moment.",
    "cause.owners_left": "Messages to owners of the execution {run} that are not sent yet: {left}. The exporter tries again.",
    "cause.owners_unusable": "Messages to owners of the execution {run} cannot be sent: {why}.",
    "cause.stopped": "The execution was stopped before it finished.",
    "cause.stopped_text": "The execution was stopped before it finished: {text}",
    "cause.timed_out": "The execution reached the time limit of the state machine before it finished.",
    "cause.forgotten": "Step Functions no longer knows the execution.",
    "cause.none": "The workflow ended with the error {error} and gave no further information.",
    "cause.unknown_answer": "{state} gave an answer that the workflow does not know: {text}",
    # ---- what is wrong with an input
    "input.fault": "{path} {fault}",
    "input.more": "and {count} more",
    "input.too_long": "is longer than {most} characters. Shorten its filter criteria.",
    "input.not_object": "must be an object, not {found}",
    "input.unknown": "is not a known field{suggestion}",
    "input.unknown_known": "is not a known field. Known fields: {known}",
    "input.of_the_stack": "is set by a parameter of the stack and cannot be chosen in the input",
    "input.too_deep": "is nested more than {most} levels deep",
    "input.half_character": "contains half of a surrogate pair, which is not a valid character",
    "input.half_character_in_name": "has half of a surrogate pair, which is not a valid character, in its name",
    "input.report_name": "must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, not {found}",
    "input.not_json": "is not JSON ({text}). Deploy the stack with a valid value.",
    "input.hours": "must be a number of hours from {least} (one minute) to {most}, not {found}",
    "input.one_of": "must be {choices}, not {found}{suggestion}",
    "input.boolean": "must be true or false, not {found}",
    "input.time": "must be a date and time with a UTC offset, such as 2026-11-23T03:00:00Z, not {found}",
    "input.future": "is in the future. A run cannot claim a later scheduled time.",
    "input.past": "is more than {days} days before the start of the run",
    "input.schedule_arn": "must be the ARN of a schedule, not {found}",
    "input.members": "must be an object with {choices}, not {found}",
    "input.missing": "is missing",
    "input.empty": "is empty. Give at least {choices}.",
    "input.order": "must not be greater than {high}, because no finding would match",
    "input.list": "must be a list, not {found}",
    "input.list_length": "must have {least} to {most} entries, not {count}",
    "input.text": "must be a text, not {found}",
    "input.text_length": "must be {least} to {most} characters long, not {count}",
    "input.number": "must be a number, not {found}",
    "input.whole_number": "must be a whole number, not {found}",
    "input.range": "must be from {least} to {most}, not {value}",
    "input.date": 'must be a date and time with a UTC offset (2026-11-23T03:00:00Z), epoch seconds, "7 days ago" or "now", from'
    " {first} to {last}, not {found}",
    "input.date_filter": 'must be an object with startInclusive or endInclusive, or a text such as "last 7 days", not {found}',
    "suggestion": '. Did you mean "{word}"?',
    "kind.quoted": '"{text}"',
    "kind.number": "the number {number}",
    "kind.long_number": "a long number",
    "kind.list": "a list",
    "kind.object": "an object",
    # ---- what is wrong with a report file
    "form.not_a_report": 'does not begin with {{"findings":[',
    "form.cut": "breaks off before its end",
    "form.no_findings": "contains no finding and does not have the form of an empty report",
    "form.no_findings_long": "contains no finding, but is too long for an empty report",
    "form.no_finding": "contains an entry that is not a finding",
    "form.second_list": "has a second list of findings",
    "form.goes_on": "continues after its end",
    "form.bad_start": "begins with an entry that is not a finding",
    "form.no_json": "is not valid JSON at character {position}",
    "form.too_deep": "is nested too deeply",
    "form.cells": "has {cells} cells in row {row}, but the header has {header}",
    "form.cut_header": "breaks off within its header or directly after it",
    "form.cut_quotes": "breaks off within quotation marks",
    "form.no_csv": "cannot be read as CSV: {text}",
    "form.no_header": "does not begin with the header of a findings report",
    "form.double_column": "has two columns with the same name",
    "form.cut_row": "breaks off within its last row",
}
