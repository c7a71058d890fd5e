"""Lines that mail and chat share: the first sentences of a run, a finding, what to fix, a run's facts."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from findings_exporter.aws.run_store import Run
from findings_exporter.model.config import Config
from findings_exporter.model.text import clean, cut_to_line, in_mail, width
from findings_exporter.notification.links import object_url
from findings_exporter.notification.localization import Speech
from findings_exporter.notification.subject_line import numbers
from findings_exporter.notification.view import Night, digest_failure
from findings_exporter.steps.verify_report import Delivery

URI_CHARACTERS = 2_000
RESOURCE_COLUMNS, LEAST_COLUMNS = 12, 6
"""Of a resource's name before packages are cut for it; and of either at least, since with fewer they tell nothing."""
ACCOUNTS_NAMED = 5
IMAGE = "AWS_ECR_CONTAINER_IMAGE"
KINDS_OF_RESOURCE = {IMAGE: "image", "AWS_EC2_INSTANCE": "instance", "AWS_LAMBDA_FUNCTION": "function"}
"""What people call resources, by Inspector's type; others are resources."""


def outcome_lines(run: Run, config: Config, speech: Speech) -> list[str]:
    """Return the outcome of a run without an analysis, and whose it is."""
    name = run.plan.report_name if run.plan else None
    match run.outcome:
        case "SUCCEEDED" if digest_failure(run):
            how = "not_analysed"
        case "SUCCEEDED" if run.delivery and run.delivery.nothing_found:
            how = "nothing_found"
        case "SUCCEEDED":
            how = "delivered"
        case "ABORTED":
            how = "stopped" if name else "unnamed_stopped"
        case _:
            how = "failed" if name else "unnamed"
    lines = [speech.say(f"headline.{how}", name=name or ""), speech.say("account", account=config.account, region=config.region)]
    if run.delivery and run.delivery.nothing_found and not digest_failure(run):
        lines.append(speech.say(f"nothing_found.{run.delivery.nothing_found}"))
    return lines


def action_lines(night: Night, speech: Speech) -> list[str]:
    """Return why to act; empty where there is no need to."""
    if night.is_good:
        return []
    # Other reasons are notes. The last one says most of why coverage is unknown, the first ones of what is off or dropped.
    match night.state:
        case "unknown":
            return [speech.say("headline.unknown"), *night.reasons[-1:]]
        case "dark":
            return [*(night.reasons[:2] if night.dark else night.reasons[-1:])] or [speech.say("headline.lost")]
    return [*night.reasons[:1]] or [speech.say("headline.drop")]


def action_step(night: Night, speech: Speech) -> str | None:
    """Return what to do now; None where there is nothing to do."""
    if night.is_good:
        return None
    if night.state == "dark" and night.dark:
        named = speech.listed(list(night.dark)[:ACCOUNTS_NAMED])
        if more := night.dark_accounts - len(list(night.dark)[:ACCOUNTS_NAMED]):
            named = speech.say("lost.more", places=named, more=speech.counted("account", more))
        return speech.say("lost.step", accounts=named)
    return speech.say({"dark": "nothing_scanned.step", "unknown": "unknown.step"}.get(night.state, "drop.step"))


def first_lines(run: Run, night: Night, config: Config, speech: Speech) -> list[str]:
    """Return the sums of a run, whose it is, what it was compared with, and what Inspector scans."""
    name = run.plan.report_name if run.plan else speech.say("told.export")
    compared = [] if night.compared == "yes" else [speech.say(f"not_compared.{night.compared}")]
    sums = _sums(night, speech)
    if night.baseline_at and not compared:
        age = speech.before(run.execution.started_at - night.baseline_at)
        how = speech.say("unchanged" if night.is_quiet else "compared", time=speech.time(night.baseline_at), age=age)
        sums, compared = ([how, *sums[1:]], []) if night.is_quiet else (sums, [how])
    lines = [speech.sentences(sums)]
    if night.marks:
        marks = speech.listed(
            speech.say("count", count=speech.number(count), what=speech.say(f"kind.{kind}"))
            for kind, count in night.marks.items()
        )
        lines.append(speech.say("marks", counts=marks))
    lines += [speech.say("report", name=name, account=config.account, region=config.region), *compared]
    if night.state == "good":
        lines.append(_scanning(night, speech))
    return lines


def _sums(night: Night, speech: Speech) -> list[str]:
    counted = numbers(night, speech)
    if night.is_quiet:
        return [speech.say("sum.no_changes"), speech.say("sum.open", **counted)]
    if night.new is None:
        return [speech.counted("sum.findings", night.open, worst=counted["worst"])]
    again = [speech.say("sum.rediscovered", count=speech.number(night.seen_again))] if night.seen_again else []
    new = speech.counted("sum.new", night.new, worst=counted["worst"])
    return [new, speech.say("sum.no_longer_open", **counted), *again, speech.say("sum.open", **counted)]


def _scanning(night: Night, speech: Speech) -> str:
    if night.scanned is None or night.not_scanned is None:
        return speech.say("scanning.unread")
    how = "some" if night.not_scanned else "all"
    scanned, not_scanned = speech.counted("resource", night.scanned), speech.number(night.not_scanned)
    return speech.say(f"scanning.{how}", scanned=scanned, not_scanned=not_scanned)


def finding_line(finding: Mapping[str, Any], speech: Speech, most: int | None = None) -> str:
    """Return a finding, or several that are alike, in a line.

    Parameters
    ----------
    most
        The columns that a line has. First the resource's name is cut, then the packages, then that there is a fix is left
        out, then that it is an exploit that is available is said shorter; the vulnerability's id never is cut.
    """
    several = (finding.get("resources") or 1) > 1
    names = (finding.get("resource_names") if several else None) or [finding.get("resource") or "?"]
    marks = _marks(finding)

    def line(resource: str, packages: str, mark: str = "") -> str:
        return speech.say(
            "finding",
            severity=speech.severity(str(finding.get("severity"))).upper(),
            vulnerability=_named(finding, packages),
            where=_where(finding, resource, len(names), speech),
            marks=speech.say(f"marks.{mark}") if mark else "",
        )

    # Of several resources the number says more than examples of names.
    shown = [speech.listed(names), ""] if several else [speech.listed(names)]
    tries = [_fitted(partial(line, mark=mark), resource, finding, most) for mark in marks for resource in shown]
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


def facts(run: Run, speech: Speech) -> list[tuple[str, str]]:
    """Return the names and values of a run's facts."""
    found = []
    if run.plan:
        filtered = speech.listed(run.plan.filter_criteria) or speech.say("fact.no_filter")
        found += [("format", run.plan.report_format), ("filter", filtered)]
    if run.plan and run.plan.scheduled_for:
        found.append(("scheduled", speech.time(datetime.fromisoformat(run.plan.scheduled_for))))
    took = speech.duration(run.duration_seconds)
    if run.report_seconds is not None:
        took = speech.say("fact.took_of_which", duration=took, inspector=speech.duration(run.report_seconds))
    found += [("started", speech.time(run.execution.started_at)), ("took", took)]
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


def _marks(finding: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a line may say of exploit and fix, the longest first."""
    has_fix = finding.get("fix_available") == "YES"
    if finding.get("exploit_known"):
        return ("both", "exploit", "short") if has_fix else ("exploit", "short")
    return ("fix", "") if has_fix else ("",)


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
