"""The sentences of :mod:`findings_exporter.model.notes`, in English. The names in braces are the same in every language."""

NOTES = {
    "list": ", ",
    "list.or": "{first} or {last}",
    "time": "%d %b %Y, %H:%M UTC",
    "severity.CRITICAL": "CRITICAL",
    "severity.HIGH": "HIGH",
    "severity.MEDIUM": "MEDIUM",
    "severity.LOW": "LOW",
    "severity.INFORMATIONAL": "INFORMATIONAL",
    "severity.UNTRIAGED": "UNTRIAGED",
    "scan_type.ec2": "EC2",
    "scan_type.ecr": "ECR",
    "scan_type.lambda": "Lambda",
    "scan_type.lambdaCode": "Lambda code",
    "scan_type.codeRepository": "code repositories",
    "scan_type.ami": "AMI",
    "scan_type.azure": "Azure",
    "scan_type.gcp": "Google Cloud",
    # What happened to a run.
    "run.waited": "The run waited: the run {run} was exporting.",
    "run.waited_external": "The run waited: Inspector was already creating another report ({report}, to {place}).",
    "run.cancelled_left": "The report {report}, left by the ended run {run}, was cancelled.",
    "run.cancelled_external": "The external report {report} (to {place}) was cancelled, because on_busy is cancel.",
    "run.create_failed": "Inspector failed when asked to create the report ({code}).",
    "run.not_cancelled": "The report of the run may still be in progress: cancelling it failed ({error}). The hourly cleanup"
    " tries again.",
    "run.not_cleaned_up": "The report of the run may still be in progress, or the run may still hold the lock: cleaning up failed"
    " ({error}). The hourly cleanup tries again.",
    "run.owners_off": "Messages to owners were not sent, because OwnerMessages has been switched off.",
    "run.owners_given_up": "Messages to owners were not sent, at least in part: {hours} hours of tries failed ({error}).",
    "run.tiny_report": "The report {uri} ({size} bytes) {fault}. ListFindings with the same filter returns no finding, so"
    " nothing was found.",
    "alarms.pending": "Alarms have unconfirmed subscriptions: {pending}. Open the link in the mail from SNS about the topic"
    " {topic}.",
    "alarms.none": "Alarms are not delivered: the topic {topic} has no subscription. Subscribe an address to it.",
    # Coverage: what Inspector scans.
    "lost.account": "Inspector no longer scans account {account} (all scan types are deactivated).",
    "lost.account_types": "Inspector no longer scans {types} in account {account}.",
    "lost.accounts": "Inspector no longer scans everything in {count} accounts: {places}.",
    "lost.missing": "{count} findings that were open there are missing from this report. That does not mean that they are"
    " fixed: their status is unknown.",
    "lost.missing.one": "1 finding that was open there is missing from this report. That does not mean that it is fixed: its"
    " status is unknown.",
    "lost.missing_unknown": "The status of what was open there is unknown.",
    "place.all": "{account} (all scan types)",
    "place.types": "{account} ({types})",
    "place.why": "{account} ({why})",
    "place.type_why": "{account} ({types}: {why})",
    "place.more": "{count} more",
    "place.no_account": "without an account",
    "drop": "Unusual drop: {before} open findings when last scanned, {now} now.",
    "drop.partly": "Places where scanning is deactivated are not in these numbers.",
    "drop.account": "Unusual drop in account {account}: {before} open findings when last scanned, {now} now.",
    "drop.no_account": "Unusual drop in findings without an account: {before} open findings when last scanned, {now} now.",
    "assessed": "{what} {coverage}",
    "what.empty": "The report has no open findings.",
    "what.drop": "Many findings are missing.",
    "what.open": "The report still has open findings.",
    "coverage.off": "Scanning is deactivated in {places}, so nothing is scanned there.",
    "coverage.none_scanned": "Inspector scans none of its {not_scanned} resources.",
    "coverage.left": "No longer a member account of Inspector: {places}.",
    "coverage.unknown": "It is unknown whether Inspector is scanning.",
    "coverage.unknown_in": "It is unknown whether Inspector scans {places}.",
    "coverage.active": "Scanning is active: {count} resources are scanned.",
    "coverage.active.one": "Scanning is active: 1 resource is scanned.",
    "coverage.active_unread": "Inspector is enabled, but how many resources it scans could not be read.",
    "coverage.active_no_resource": "Inspector is enabled, but has no resource to scan.",
    "missing_unknown": "{count} findings are missing where it is unknown whether Inspector scans: {places}.",
    "missing_unknown.one": "1 finding is missing where it is unknown whether Inspector scans: {places}.",
    "why.resuming": "scanning was not certain at the last run, and at most half of the open findings are back",
    "why.off": "deactivated",
    "why.not_returned": "Inspector returned no status",
    "why.status_unread": "the account status could not be read: {error}",
    "coverage.member_pages": "Inspector lists more than {pages} pages of member accounts. The others were not checked.",
    "coverage.members_unread": "Inspector did not list the member accounts ({error}). Only this account and accounts with"
    " findings were checked.",
    "coverage.account_unknown": "It is unknown whether Inspector scans account {account} ({why}).",
    "coverage.accounts_unknown": "It is unknown whether Inspector scans account {account} and {more} more ({why}).",
    "coverage.no_member": "Account {account} is not a member account of Inspector. Findings of accounts that are not members"
    " are in no report.",
    "coverage.no_members": "Account {account} and {more} more are not member accounts of Inspector. Findings of accounts that"
    " are not members are in no report.",
    "coverage.connectors_unread": "It is unknown whether other clouds are scanned: the connectors could not be listed ({error}).",
    "coverage.connector": "It is unknown whether all of {cloud} in account {account} is scanned: not every connector is"
    " connected and enabled.",
    "coverage.connectors": "It is unknown whether all of {cloud} in account {account} and {more} more is scanned: not every"
    " connector is connected and enabled.",
    "coverage.resources_pages": "It is unknown how many resources Inspector scans: its coverage has more than {pages} pages.",
    "coverage.resources_unread": "It is unknown how many resources Inspector scans: its coverage could not be read ({error}).",
    # What a report was compared with, and what a comparison cannot show.
    "baseline.first_run": "No earlier report of this name is recorded, so there is nothing to compare with yet.",
    "baseline.filter_changed": "The filter differs from that of the earlier reports of this name (the last one is of {at}), so"
    " changes are unknown. The next report with this filter is compared with this one.",
    "baseline.first_notified": "This is the first report of this name and filter with a notification, so changes are unknown."
    " Reports without a notification are not compared with.",
    "baseline.first_scheduled": "This is the first scheduled report of this name and filter with a notification, so changes are"
    " unknown. Reports without a notification and reports on demand are not compared with.",
    "baseline.no_analysis": "No earlier report of this name and filter was analyzed, so there is nothing to compare with.",
    "baseline.unreadable": "Changes are unknown: the fingerprints of the last comparable report ({at}, {key}) cannot be read:"
    " {why}. The next report is compared with this one.",
    "compared.formats": "The last comparable report is in {before}, this one is in {now}. A CSV does not have all that"
    " distinguishes findings of code and network paths: if their ARNs changed too, they count as new and as no longer open.",
    "compared.status_filter": "The filter does not include {statuses} findings. So it is unknown whether a finding that is no"
    " longer open was {statuses}, or its resource was removed. Resource removed: nothing is reported on its resource. No longer"
    " reported: other findings on its resource are.",
    "compared.or": "{first} or {second}",
    "status.closed": "closed",
    "status.suppressed": "suppressed",
    "compared.moving_window": "The filter has a time window that moves: no longer open includes what left the window, and new"
    " includes what entered it.",
    "compared.not_scanned": "{count} findings are missing where it is not certain that Inspector scans. They count neither as"
    " no longer open nor as open, and keep their first-seen days.",
    "compared.not_scanned.one": "1 finding is missing where it is not certain that Inspector scans. It counts neither as no"
    " longer open nor as open, and keeps its first-seen day.",
    "compared.no_details": "{count} listed findings have no details: no file of the last comparable report has them.",
    "compared.no_details.one": "1 listed finding has no details: no file of the last comparable report has it.",
    "compared.details_unread": "Details of missing findings may be lacking: {key} cannot be read: {why}.",
    "compared.details_wrong": "Details of missing findings may be lacking: {why}.",
    "compared.no_first_seen": "First-seen days are Inspector's own: no fingerprints of an earlier report could be read.",
    "read.duplicates": "{count} findings are in the report again under an ARN that it already has. Each ARN counts once, as it"
    " comes first.",
    "read.duplicates.one": "1 finding is in the report again under an ARN that it already has. Each ARN counts once, as it"
    " comes first.",
    "read.reopened": "{count} of them are open where the ARN comes again, but not where it comes first: treat them as open.",
    "read.reopened.one": "1 of them is open where the ARN comes again, but not where it comes first: treat it as open.",
    "read.values": "{count} values of {column} could not be read and were left out.",
    "read.values.one": "1 value of {column} could not be read and was left out.",
    # Why a vulnerability has its place among those to fix first.
    "priority": "{terms} = {total}",
    "priority.severity": "{severity} {score}",
    "priority.exploit": "exploit available {score}",
    "priority.epss": "EPSS {percent} {score}",
    "priority.reachable": "reachable at runtime {score}",
    "priority.in_use": "in use {score}",
    "priority.reachable_in_use": "reachable at runtime and in use {score}",
    "priority.not_reachable": "not reachable at runtime {score}",
    "priority.fix": "fix available {score}",
    "priority.fix_partial": "fix for a part {score}",
    "priority.resources": "open on {count} resources {score}",
    "priority.resources.one": "open on 1 resource {score}",
    # Why a report was not analyzed.
    "analysis.failed": "The report was delivered, but it could not be analyzed: {what}. {do} The next run makes its own"
    " analysis. Until then changes are unknown.",
    "analysis.malformed": "An incomplete report is not analyzed. Check the file.",
    "analysis.changed": "A mixture of two reports is not analyzed. Find out which role writes to the bucket.",
    "analysis.unreadable": "Check whether the steps of the analysis may read the bucket and use the key.",
    "analysis.too_large": "Narrow the filter of the report. For too many findings in one part, lower PartBytes in template.yaml.",
    "analysis.too_many_owners": "Their names come from a tag: name another one in OwnerTag, with one value for each team, or"
    " leave OwnerTag empty.",
    "analysis.owners_changed": "Start a new execution. If it happens again, check whether AnalyzePart and AnalyzeReport may both"
    " read config/owners.json.",
    "analysis.repeated": "Start a new execution. If it happens again, increase PartBytes: fewer parts repeat less.",
    "analysis.parts": "Start a new execution. If it happens again, look at who else writes under the prefix analyses/.",
    "analysis.not_stored": "Check whether the steps of the analysis may write into the bucket and use the key.",
    "analysis.broke_down": "Check the log of analyze_report; of a large report also those of cut_report and analyze_part.",
    # What is wrong with the file of the owners, or with the days for remediation.
    "owners.fault": "{path} {wrong}",
    "owners.no_json": "it is not JSON: {why}",
    "json.twice": "the field {name} is there twice in one object",
    "owners.too_long": "it has {count} bytes; at most {most} are read",
    "owners.list": "it must be a list of rules, not {found}",
    "owners.too_many": "it has {count} rules; at most {most} are allowed",
    "owners.rule": "must be a rule (an object), not {found}",
    "owners.name": "must be a name of letters, digits, _ and -, at most 63, that begins with a letter or digit, not {found}",
    "owners.no_condition": "has no condition, so that it would match everything. Give it one of: {choices}",
    "owners.tag": 'must be an object with the texts "key" and "value"',
    "owners.no_key": "the analysis did not say where they are",
    "owners.no_list": "the file has no list of owners",
    "owners.left_out": "{count} entries name no owner, or one that is there before, or are more than {most}",
    "owners.not_used": "The owners of findings are unknown, and no owner gets a message: {key} cannot be used: {faults}.",
    "owners.unread": "The owners of findings are unknown, and no owner gets a message: {key} cannot be read: {why}.",
    "owners.unknown": "It is not known whether there are rules for owners: {key} cannot be looked for: {why}.",
    "owners.baseline": "The report that this one is compared with knew no owners: what is no longer open counts as unowned, and"
    " nothing as moved.",
    "owners.no_file": "The report that this one is compared with had owners. This one has none: there is no {key}.",
    "owners.beyond": "There are {count} owners. Only {most} of them have a page and can get messages: unowned, and those with"
    " the most open findings.",
    "due.not_used": "There are no due dates: RemediationDays cannot be used: {wrong}.",
    "due.object": "it must be an object of severities and days, not {found}",
    "due.severity": "{name} is not one of: {choices}",
    "due.days": "{name} must be a whole number of days from 1 to 3650, not {found}",
    "kev.unknown": "Which vulnerabilities are known to be exploited (CISA KEV) could not be read: {why}.",
    # Several reports, and their start.
    "reports.list": "it must be a list of reports, not {found}",
    "reports.count": "it has {count} reports; 1 to {most} are allowed",
    "reports.entry": "must be a report (an object), not {found}",
    "reports.no_name": 'has no "name"',
    "reports.twice": "two reports have the name {name}",
    "reports.other_filter": "has the name of the parameter ReportName ({name}) and another filter than FilterCriteria; give it"
    " another name",
    "reports.missing": "There is no {key}, so the report of the parameters was exported. Upload it with make config.",
    "reports.not_used": "{key} cannot be used, so the report of the parameters was exported: {faults}.",
    "reports.unread": "{key} cannot be read, so the report of the parameters was exported: {why}.",
    "reports.unknown": "must be a list of names of reports; there are: {known}",
    "reports.input": 'the input may have the field "reports", and nothing else',
    "reports.stopped": "The start ended before this report began.",
}
