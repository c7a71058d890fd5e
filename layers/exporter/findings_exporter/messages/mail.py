"""The mail of a run: a subject that tells the night by itself, one screen that a person can act on, then the details."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from findings_exporter.config import Config
from findings_exporter.delivery import Delivery
from findings_exporter.errors import Failure
from findings_exporter.explanations import Explanation, evidence, explain, statements
from findings_exporter.messages.links import execution_url, object_url, report_url
from findings_exporter.messages.night import Night, clean, digest_failure, night_of
from findings_exporter.messages.speech import Speech
from findings_exporter.runs import Run
from findings_exporter.texts import LINE_CHARACTERS, cut_to_line, shown_lines, width, wrapped

SUBJECT_CHARACTERS = 99
SCREEN_LINES = 24
LISTED_ON_SCREEN = 3
NOTES_TOLD = 10
ACCOUNTS_NAMED = 5
SCAN_TYPES = {"ec2": "EC2", "ecr": "ECR", "lambda": "Lambda", "lambdaCode": "Lambda code", "codeRepository": "code", "ami": "AMI"}
"""As people know them; others stand as Inspector names them."""


def subject(run: Run, config: Config) -> str:
    """Return a mail's subject: ASCII [AWS: SNS Publish], under 100 characters, one line, in English in every language."""
    told = title(run, config, Speech.of(config, "en")).encode("ascii", "replace").decode()
    return told if len(told) <= SUBJECT_CHARACTERS else f"{told[: SUBJECT_CHARACTERS - 3]}..."


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
        return speech.say("subject", day=day, told=told) if is_default or len(named) > SUBJECT_CHARACTERS else named
    elif digest_failure(run):
        told = speech.say("told.digest_failed", size=size)
    elif run.delivery and run.delivery.nothing_found:
        told = speech.say("told.nothing_found")
    else:
        told = speech.say("told.size", size=size)
    return speech.say("subject", day=day, told=speech.say("told.as_before", name=name, told=told))


def email(run: Run, config: Config) -> str:
    """Return a mail's body, as its reader wants it at 7 a.m.: the outcome first, details last."""
    speech, night = Speech.of(config), night_of(run)
    parts = _of_a_night(run, night, config, speech) if night else _of_an_outcome(run, config, speech)
    return "\n\n".join(part for part in parts if part) + "\n"


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
        return [speech.say("unknown.step")]
    if night.scanned is None:
        return [speech.say("scanning.unread")]
    how = "some" if night.not_scanned else "all"
    scanned, not_scanned = speech.counted("resource", night.scanned), speech.number(night.not_scanned or 0)
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
        found += [("file", _file(run.delivery, speech)), ("open", str(report_url(run, config)))]
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
    return object_url(_bucket(run), night.files["page"], config) if "page" in night.files else None


def _of_an_outcome(run: Run, config: Config, speech: Speech) -> list[str]:
    """Tell a run that failed, one without a digest, and one whose digest failed."""
    parts = [wrapped(headline(run, speech))]
    if run.failure:
        parts += _failure_parts(run.failure, explain(run.failure, config, speech.language), speech)
    elif run.delivery and run.delivery.nothing_found:
        parts.append(wrapped(speech.say(f"nothing_found.{run.delivery.nothing_found}")))
    if failure := digest_failure(run):
        told = speech.say("what_happened", error=failure["error"])
        parts += [wrapped(speech.say("headline.digest_failed")), f"{told}\n{wrapped(failure['sentence'], '  ', '  ')}"]
    return [*parts, *_ending(facts(run, config, speech), run, speech)]


def _of_a_night(run: Run, night: Night, config: Config, speech: Speech) -> list[str]:
    first = "\n".join(wrapped(line) for line in first_lines(run, night, speech))
    if run.delivery and run.delivery.nothing_found:
        first += "\n" + wrapped(speech.say("nothing_matches"))
    links = _links(run, night, config, speech)
    own = {str(report_url(run, config)), _file(run.delivery, speech) if run.delivery else ""}
    others = [fact for fact in facts(run, config, speech) if fact[1] not in own]
    if night.is_quiet:
        return [first, *links, *_ending(others, run, speech)]
    return [
        *_screen([first], [_new_list(night, speech), _fix_list(night, speech)], links),
        _ruled(speech.say("details")),
        _details(night, speech),
        _files(run, night, config, speech),
        *_ending(others, run, speech),
    ]


def _screen(first: list[str], lists: list[list[str]], links: list[str]) -> list[str]:
    """Let the lists be as long as the screen allows: what happened and where the files are come before them.

    Where even that is too much, since a link is very long, the last link stands among the files alone.
    """
    for kept_links in (links, links[:1], []):
        for listed in range(LISTED_ON_SCREEN, 0 if kept_links else -1, -1):
            kept = ["\n".join(lines[: listed + 1]) for lines in lists if listed and len(lines) > 1]
            parts = [*first, *kept, *kept_links]
            # The line of the details comes after an empty one.
            if shown_lines("\n\n".join(parts)) <= SCREEN_LINES:
                return parts
    return first


def _new_list(night: Night, speech: Speech) -> list[str]:
    if not night.new:
        return []
    head = speech.say("head_with_counts", head=speech.say("worst_new"), counts=speech.severities(night.new_by_severity))
    return [cut_to_line(head), *(cut_to_line(f"- {finding_line(each, speech)}") for each in night.worst_new)]


def _fix_list(night: Night, speech: Speech) -> list[str]:
    lines = (f"{number}. {fix_line(each, speech)}" for number, each in enumerate(night.fix_first, 1))
    return [speech.say("fix_first"), *map(cut_to_line, lines)]


def _links(run: Run, night: Night, config: Config, speech: Speech) -> list[str]:
    """Link to the page, or the digest without one, and to the report.

    A link has a line of its own, so that a mail client finds both its ends.
    """
    shown = "page" if "page" in night.files else "digest"
    urls = {shown: object_url(_bucket(run), night.files[shown], config) if shown in night.files else None}
    urls["report"] = report_url(run, config)
    return [f"{speech.say(f'link.{name}')}\n{url}" for name, url in urls.items() if url]


def _files(run: Run, night: Night, config: Config, speech: Speech) -> str:
    found = []
    if run.delivery and run.delivery.uri:
        found.append((speech.say("link.report"), _file(run.delivery, speech), str(report_url(run, config))))
    for name, key in night.files.items():
        found.append((speech.say(f"link.{name}"), f"s3://{_bucket(run)}/{key}", object_url(_bucket(run), key, config)))
    return "\n".join([speech.say("files"), *("\n".join((f"- {name}", uri, url)) for name, uri, url in found)]) if found else ""


def _ruled(head: str) -> str:
    start = f"-- {head} "
    return start + "-" * (LINE_CHARACTERS - width(start))


def _details(night: Night, speech: Speech) -> str:
    parts = []
    kinds = [(kind, count) for kind, count in night.kinds.items() if count and speech.known(f"kind.{kind}")]
    if kinds:
        lines = [f"- {speech.say(f'kind.{kind}')}: {speech.number(count)}" for kind, count in kinds]
        for name, counts in (("new", night.new_by_severity), ("gone", night.gone_by_severity)):
            if any(counts.values()):
                lines.append(wrapped(speech.say(name, counts=speech.severities(counts)), "- ", "  "))
        parts.append("\n".join([speech.say("changes"), *lines]))
    if night.by_severity:
        parts.append(f"{speech.say('all_findings')}\n{wrapped(speech.severities(night.by_severity), '  ', '  ')}")
    for name, listed in (("worst_new", night.worst_new), ("worst_gone", night.worst_gone)):
        if listed:
            parts.append("\n".join([speech.say(name), *(_finding_lines(each, speech) for each in listed)]))
    if night.fix_first:
        parts.append("\n".join([speech.say("fix_first_why"), *_fix_lines(night.fix_first, speech)]))
    if night.sentences:
        parts.append("\n".join([speech.say("to_know"), *(wrapped(each, "- ", "  ") for each in night.sentences)]))
    return "\n\n".join(parts)


def _finding_lines(finding: Mapping[str, Any], speech: Speech) -> str:
    lines = [wrapped(finding_line(finding, speech), "- ", "  ")]
    if packages := speech.listed(map(str, finding.get("packages") or ())):
        lines.append(wrapped(clean(speech.say("of_finding.packages", packages=packages)), "  ", "  "))
    place = {
        "account": finding.get("account_id") or "?",
        "region": finding.get("region") or "?",
        "first_seen": finding.get("first_seen") or "?",
    }
    return "\n".join([*lines, wrapped(clean(speech.say("of_finding.place", **place)), "  ", "  ")])


def _fix_lines(fixes: Iterable[Mapping[str, Any]], speech: Speech) -> Iterable[str]:
    for number, each in enumerate(fixes, 1):
        lines = [wrapped(fix_line(each, speech), f"{number}. ", "   ")]
        if each.get("why"):
            lines.append(wrapped(clean(each["why"]), "   ", "   "))
        yield "\n".join(lines)


def _ending(listed: list[tuple[str, str]], run: Run, speech: Speech) -> list[str]:
    column = max([10, *(width(name) for name, _ in listed)])
    told = ["\n".join(f"{name}{' ' * (column - width(name))} {value}" for name, value in listed)]
    if run.notes:
        notes = (wrapped(text, "- ", "  ") for text in run.notes[:NOTES_TOLD])
        told.append("\n".join([speech.say("what_else"), *notes]))
    return [*told, wrapped(speech.say("links_stay", id=run.notification_id))]


def _failure_parts(failure: Failure, explanation: Explanation, speech: Speech) -> list[str]:
    lines = [line for line in failure.cause.splitlines() if line.strip()]
    what = "\n".join(wrapped(line, "  ", "    " if line.startswith("- ") else "  ") for line in lines)
    fix = "\n".join(wrapped(step, f"  {number}. ", "     ") for number, step in enumerate(explanation.fix, 1))
    why = "\n".join([wrapped(explanation.why, "  ", "  "), *(wrapped(line, "  - ", "    ") for line in evidence(failure))])
    return [
        f"{speech.say('what_happened', error=failure.error)}\n{what}",
        f"{speech.say('why')}\n{why}",
        f"{speech.say('what_to_do')}\n{fix}",
        # Not wrapped: it is to be pasted.
        *(f"{speech.say('to_paste', check=check)}\n{statement}" for check, statement in statements(failure)),
    ]


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
    if night.state == "dark" and night.dark:
        how = "told.dark_in_places_count" if night.not_looked_at else "told.dark_in_places"
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
    # By severity are all findings of the report: as long as all are open, it tells of the open ones.
    worst = night.new_by_severity if night.new is not None else night.by_severity if night.open == night.total else {}
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


def _file(delivery: Delivery, speech: Speech) -> str:
    return speech.say("file", uri=delivery.uri, size=speech.size(delivery.size_bytes))


def _bucket(run: Run) -> str:
    return str((run.digest or {}).get("bucket"))
