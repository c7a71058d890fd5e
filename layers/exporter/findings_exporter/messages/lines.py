"""Lines that mail and chat share: a night in one line, its first sentences, a finding, what to fix, a run's facts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from findings_exporter.config import Config
from findings_exporter.delivery import Delivery
from findings_exporter.explanations import explain
from findings_exporter.messages.links import execution_url, object_url, report_url
from findings_exporter.messages.night import Night, digest_failure, night_of
from findings_exporter.messages.speech import Speech
from findings_exporter.runs import Run
from findings_exporter.texts import clean, cut_to_line, in_mail, width

TITLE_CHARACTERS = 99
"""Under 100, as a mail's subject must be [AWS: SNS Publish]; a chat's title may be longer."""
URI_CHARACTERS = 2_000
RESOURCE_COLUMNS, LEAST_COLUMNS = 12, 6
"""Of a resource's name before packages are cut for it; and of either at least, since with fewer they tell nothing."""
ACCOUNTS_NAMED = 5
SCAN_TYPES = {"ec2": "EC2", "ecr": "ECR", "lambda": "Lambda", "lambdaCode": "Lambda code", "codeRepository": "code", "ami": "AMI"}
"""As people know them; others stand as Inspector names them."""
IMAGE = "AWS_ECR_CONTAINER_IMAGE"
KINDS_OF_RESOURCE = {IMAGE: "image", "AWS_EC2_INSTANCE": "instance", "AWS_LAMBDA_FUNCTION": "function"}
"""What people call resources, by Inspector's type; others are resources."""


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
    if night.marks:
        marks = speech.listed(
            speech.say("count", count=speech.number(count), what=speech.say(f"kind.{kind}"))
            for kind, count in night.marks.items()
        )
        lines.append(speech.say("marks", counts=marks))
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


def finding_line(finding: Mapping[str, Any], speech: Speech, most: int | None = None) -> str:
    """Return a finding, or several that are alike, in a line.

    Parameters
    ----------
    most
        The columns that a line has. First the resource's name is cut, then the packages, then that there is a fix is left
        out; the vulnerability's id never is, though the line be longer.
    """
    several = (finding.get("resources") or 1) > 1
    names = (finding.get("resource_names") if several else None) or [finding.get("resource") or "?"]
    fix = speech.say("mark.fix") if finding.get("fix_available") == "YES" else ""

    def line(resource: str, packages: str, fix: str = fix) -> str:
        return speech.say(
            "finding",
            severity=speech.severity(str(finding.get("severity"))).upper(),
            vulnerability=_named(finding, packages),
            where=_where(finding, resource, len(names), speech),
            exploit=speech.say("mark.exploit") if finding.get("exploit_known") else "",
            fix=fix,
        )

    # Of several resources the number says more than examples of names.
    shown = [speech.listed(names), ""] if several else [speech.listed(names)]
    tries = [_fitted(form, resource, finding, most) for form in (line, partial(line, fix="")) for resource in shown]
    return next((told for told in tries if most is None or width(told) <= most), tries[-1])


def fix_line(fix: Mapping[str, Any], speech: Speech, most: int | None = None) -> str:
    """Return what to fix in a line; ``most`` as for :func:`finding_line`."""

    def line(_: str, packages: str) -> str:
        return speech.say(
            "fix",
            vulnerability=_named(fix, packages),
            severity=speech.severity(str(fix.get("severity"))).upper(),
            exploit=speech.say("mark.exploit") if fix.get("exploit_known") else "",
            resources=speech.counted("resource", fix.get("resources") or 1),
        )

    return _fitted(line, "", fix, most)


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
    return speech.say("file", uri=in_mail(clean(delivery.uri, URI_CHARACTERS)), size=speech.size(delivery.size_bytes))


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


def _where(finding: Mapping[str, Any], resource: str, names: int, speech: Speech) -> str:
    """Return where a finding is, or where several that are alike are."""
    resources, findings = finding.get("resources") or 1, finding.get("findings") or 1
    if resources == 1:
        how = "where.one" if findings == 1 else "where.often"
        return speech.say(how, resource=resource, count=speech.number(findings))
    count = speech.counted(KINDS_OF_RESOURCE.get(str(finding.get("resource_type")), "resource"), resources)
    if finding.get("resources_at_least"):
        count = speech.say("at_least", count=count)
    how = "in" if finding.get("resource_type") == IMAGE else "on"
    kind = "" if not resource else "_named" if names == 1 else "_such_as"
    return speech.say(f"where.{how}{kind}", count=count, resource=resource)


def _named(told: Mapping[str, Any], packages: str) -> str:
    known_as = told.get("vulnerability_id")
    return f"{known_as} ({packages})" if known_as and packages else str(known_as or told.get("title") or "?")


def _packages(told: Mapping[str, Any]) -> str:
    """Return what a vulnerability is in: Inspector's titles are mostly "<id> - <packages>"."""
    start, title = f"{told.get('vulnerability_id')} - ", str(told.get("title") or "")
    return title.removeprefix(start) if title.startswith(start) else ""


def _fitted(line: Callable[[str, str], str], resource: str, told: Mapping[str, Any], most: int | None) -> str:
    packages = _packages(told)
    whole = line(resource, packages)
    if most is None or width(whole) <= most:
        return whole
    least = line(cut_to_line(resource, RESOURCE_COLUMNS), packages)
    if width(least) > most:
        left = width(packages) - (width(least) - most)
        packages = cut_to_line(packages, left) if left >= LEAST_COLUMNS else ""
    # What the packages leave is the resource's again.
    over = width(line(resource, packages)) - most
    shorter = line(cut_to_line(resource, max(width(resource) - over, LEAST_COLUMNS)), packages)
    return shorter if told.get("vulnerability_id") else cut_to_line(shorter, most)
