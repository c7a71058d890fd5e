"""Lines that mail and chat share: a night in one line, its first sentences, a finding, what to fix, a run's facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from findings_exporter.config import Config
from findings_exporter.delivery import Delivery
from findings_exporter.explanations import explain
from findings_exporter.messages.links import execution_url, object_url, report_url
from findings_exporter.messages.night import Night, clean, digest_failure, night_of
from findings_exporter.messages.speech import Speech
from findings_exporter.runs import Run

TITLE_CHARACTERS = 99
"""Under 100, as a mail's subject must be [AWS: SNS Publish]; a chat's title may be longer."""
NOTES_TOLD = 10
ACCOUNTS_NAMED = 5
SCAN_TYPES = {"ec2": "EC2", "ecr": "ECR", "lambda": "Lambda", "lambdaCode": "Lambda code", "codeRepository": "code", "ami": "AMI"}
"""As people know them; others stand as Inspector names them."""


def title(run: Run, config: Config, speech: Speech) -> str:
    """Return the night in a line. A report has its name in it when it is not the default one, and when that fits."""
    day = speech.date(run.execution.started_at, "subject_day")
    name = run.plan.report_name if run.plan else speech.say("told.export")
    night, size = night_of(run), speech.size(run.delivery.size_bytes if run.delivery else 0)
    if run.failure:
        how = {"ABORTED": "told.stopped", "TIMED_OUT": "told.timed_out"}.get(run.outcome or "", "told.failed")
        told = speech.say(how, title=explain(run.failure, config, speech.language).title)
    elif night:
        told = _night_in_a_line(night, speech)
        named = speech.say("subject_named", day=day, name=name, told=told)
        is_default = name == config.defaults.report_name
        return speech.say("subject", day=day, told=told) if is_default or len(named) > TITLE_CHARACTERS else named
    elif digest_failure(run):
        told = speech.say("told.digest_failed", size=size)
    elif run.delivery and run.delivery.nothing_found:
        told = speech.say("told.nothing_found")
    else:
        told = speech.say("told.size", size=size)
    return speech.say("subject", day=day, told=speech.say("told.as_before", name=name, told=told))


def headline(run: Run, speech: Speech) -> str:
    """Return the outcome in a sentence."""
    name = run.plan.report_name if run.plan else None
    match run.outcome:
        case "SUCCEEDED" if run.delivery and run.delivery.nothing_found:
            how = "nothing_found"
        case "SUCCEEDED":
            how = "delivered"
        case "ABORTED":
            how = "stopped" if name else "unnamed_stopped"
        case _:
            how = "failed" if name else "unnamed"
    return speech.say(f"headline.{how}", name=name or speech.say("told.export"))


def first_lines(run: Run, night: Night, speech: Speech) -> list[str]:
    """Return the three sentences of a night: what it was, whether Inspector was looking, what it was compared with."""
    name = run.plan.report_name if run.plan else speech.say("told.export")
    lines = []
    if night.state != "good":
        state = "dark_in_places" if night.state == "dark" and night.dark else night.state
        lines.append(speech.say(f"headline.{state}"))
    elif night.sudden_fall:
        lines.append(speech.say("headline.sudden_fall"))
    how = "quiet" if night.is_quiet else "changes" if night.new is not None else "counts"
    lines.append(speech.say(f"headline.{how}", name=name, **_numbers(night, speech)))
    if night.seen_again:
        lines.append(speech.say("seen_again", count=speech.number(night.seen_again)))
    lines += scanning_lines(night, speech)
    if night.compared == "yes" and night.baseline_at:
        age = speech.before(run.execution.started_at - night.baseline_at)
        lines.append(speech.say("compared", time=speech.time(night.baseline_at), age=age))
    elif night.compared != "yes":
        lines.append(speech.say(f"not_compared.{night.compared}"))
    return lines


def scanning_lines(night: Night, speech: Speech) -> list[str]:
    """Return whether Inspector was looking, and what to do where it was not."""
    if night.state == "dark":
        places = [f"{account} ({_scan_types(types, speech)})" for account, types in list(night.dark.items())[:ACCOUNTS_NAMED]]
        named = speech.listed(places)
        if more := night.dark_accounts - len(places):
            named = speech.say("dark.more", places=named, more=speech.counted("account", more))
        where = speech.say("dark.places", places=named) if places else speech.say("dark.nothing_scanned")
        missing = speech.say("dark.missing_count", count=speech.number(night.not_looked_at))
        return [where, missing if night.not_looked_at else speech.say("dark.missing"), speech.say("dark.step")]
    if night.state == "unknown":
        count = speech.number(night.not_looked_at)
        counted = [speech.say("unknown.missing_count", count=count)] if night.not_looked_at else []
        return [*counted, speech.say("unknown.step")]
    if night.scanned is None or night.not_scanned is None:
        return [speech.say("scanning.unread")]
    how = "some" if night.not_scanned else "all"
    scanned, not_scanned = speech.counted("resource", night.scanned), speech.number(night.not_scanned)
    return [speech.say(f"scanning.{how}", scanned=scanned, not_scanned=not_scanned)]


def finding_line(finding: Mapping[str, Any], speech: Speech) -> str:
    """Return a finding in a line."""
    return clean(
        speech.say(
            "finding",
            severity=speech.severity(str(finding.get("severity"))).upper(),
            vulnerability=_named(finding),
            resource=finding.get("resource") or "?",
            exploit=speech.say("mark.exploit") if finding.get("exploit_known") else "",
            fix=speech.say("mark.fix") if finding.get("fix_available") == "YES" else "",
        )
    )


def fix_line(fix: Mapping[str, Any], speech: Speech) -> str:
    """Return what to fix in a line."""
    return clean(
        speech.say(
            "fix",
            vulnerability=_named(fix),
            severity=speech.severity(str(fix.get("severity"))).upper(),
            exploit=speech.say("mark.exploit") if fix.get("exploit_known") else "",
            resources=speech.counted("resource", fix.get("resources") or 1),
        )
    )


def facts(run: Run, config: Config, speech: Speech) -> list[tuple[str, str]]:
    """Return the names and values of a run's facts."""
    found = []
    if run.delivery and run.delivery.uri:
        found += [("file", file_of(run.delivery, speech)), ("open", str(report_url(run, config)))]
    if run.plan:
        filtered = speech.listed(run.plan.filter_criteria) or speech.say("fact.no_filter")
        found += [("format", run.plan.report_format), ("filter", filtered)]
    if run.plan and run.plan.scheduled_for:
        found.append(("scheduled", speech.time(datetime.fromisoformat(run.plan.scheduled_for))))
    took = speech.duration(run.duration_seconds)
    if run.report_seconds is not None:
        took = speech.say("fact.took_of_which", duration=took, inspector=speech.duration(run.report_seconds))
    found += [
        ("started", speech.time(run.execution.started_at)),
        ("took", took),
        ("account", f"{config.account}, {config.region}"),
        ("execution", execution_url(run, config)),
    ]
    return [(speech.say(f"fact.{name}"), value) for name, value in found]


def page_url(run: Run, night: Night, config: Config) -> str | None:
    """Return the link to the night's page, when there is one."""
    return object_url(bucket_of(run), night.files["page"], config) if "page" in night.files else None


def file_of(delivery: Delivery, speech: Speech) -> str:
    """Return where the report lies and how large it is."""
    return speech.say("file", uri=delivery.uri, size=speech.size(delivery.size_bytes))


def bucket_of(run: Run) -> str:
    """Return the bucket of a night's files."""
    return str((run.digest or {}).get("bucket"))


def _scan_types(types: Sequence[str], speech: Speech) -> str:
    if set(types) >= SCAN_TYPES.keys():
        return speech.say("dark.everything")
    return speech.listed(SCAN_TYPES.get(each, each) for each in types)


def _night_in_a_line(night: Night, speech: Speech) -> str:
    numbers = _numbers(night, speech)
    if night.is_quiet:
        return speech.say("told.quiet", **numbers) if night.open else speech.say("told.nothing_open", **numbers)
    how = "changes" if night.new is not None else "counts"
    if night.is_good and not night.open and night.new == 0:
        how = "nothing_open"
    told = speech.say(f"told.{how}", **numbers)
    if night.state == "dark":
        how = f"told.dark{'_in_places' if night.dark else ''}{'_count' if night.not_looked_at else ''}"
        accounts = speech.counted("account", night.dark_accounts)
        return speech.say(how, told=told, accounts=accounts, count=speech.number(night.not_looked_at))
    if night.state != "good":
        return speech.say(f"told.{night.state}", told=told)
    if night.sudden_fall:
        return speech.say("told.sudden_fall", told=told)
    match night.compared:
        case "yes":
            return told
        case "no_digest" | "unreadable":
            return speech.say("told.not_compared", told=told)
        case _:
            return speech.say(f"told.{night.compared}", told=told)


def _numbers(night: Night, speech: Speech) -> dict[str, str]:
    worst = night.new_by_severity if night.new is not None else night.by_severity
    count = worst.get("CRITICAL") or 0
    told = speech.say("told.worst", count=speech.number(count), severity=speech.severity("CRITICAL")) if count else ""
    return {
        "new": speech.number(night.new or 0),
        "gone": speech.number(night.gone or 0),
        "open": speech.number(night.open),
        "worst": told,
    }


def _named(told: Mapping[str, Any]) -> str:
    """Return a vulnerability with what it is in: Inspector's titles are mostly "<id> - <packages>"."""
    known_as, title = str(told.get("vulnerability_id") or ""), str(told.get("title") or "")
    package = title.removeprefix(f"{known_as} - ") if known_as and title.startswith(f"{known_as} - ") else ""
    return f"{known_as} ({package})" if package else known_as or title or "?"
