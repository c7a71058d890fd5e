"""The one message about all reports of all Regions of a scheduled time: a mail, a chat message, and an event for programs.

What was not heard from stands first, in the subject, too: it is as loud as lost coverage. Then comes what failed, then lost
coverage, then the numbers. A supplement is the same message about what came later.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.home_messages import ReportHeadline
from findings_exporter.model.summary import ReportRow, ReportsSummary, State, SummaryLines, SummaryTotals
from findings_exporter.model.text import clean, cut, in_chat, in_mail, wrapped
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.remediation import remediation_for
from findings_exporter.notification.sanitize import Escape
from findings_exporter.notification.subject_line import TITLE_CHARACTERS, fitted

SUMMARY_EVENT_VERSION = "1.0"
SUMMARY_BYTES = 250 * 1024
SUMMARY_TITLE_CHARACTERS, SUMMARY_DESCRIPTION_CHARACTERS = 250, 8_000
ROWS_IN_CHAT, ROWS_IN_MAIL, REPORTS_NAMED, OWNERS_IN_SUMMARY, NOTES_IN_SUMMARY = 20, 250, 8, 10, 10

OF_A_SHORT_HEADLINE = ("outcome", "level", "error", "open", "new", "no_longer_open", "status_unknown", "coverage")
NOT_BEGUN: tuple[State, ...] = ("PREVIOUS_RUNNING", "NOT_CONFIGURED")
ENDED_BADLY: tuple[State, ...] = ("NOT_STARTED", "FAILED", "TIMED_OUT", "ABORTED")


def summary_publication(summary: ReportsSummary, config: Config, page_url: str | None) -> dict[str, Any]:
    """Return the arguments of the one SNS Publish about a summary."""
    bodies = {
        "default": json.dumps(summary_event(summary, config, page_url), ensure_ascii=False),
        "email": summary_email(summary, config, page_url),
        "https": json.dumps(summary_chat(summary, config, page_url), ensure_ascii=False),
    }
    if len(json.dumps(bodies, ensure_ascii=False).encode()) > SUMMARY_BYTES:
        bodies["default"] = json.dumps(_shorter(summary_event(summary, config, page_url)), ensure_ascii=False)
        bodies["email"] = summary_email(summary, config, page_url, rows=REPORTS_NAMED)
    filterable = {"kind": "summary", "level": summary.level, "region": config.region}
    return {
        "TopicArn": config.topic_arn,
        "Subject": summary_subject(summary, config),
        "MessageStructure": "json",
        "Message": json.dumps(bodies, ensure_ascii=False),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in filterable.items()},
    }


def _shorter(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event whose reports have their numbers, and no addresses; the whole is in the bucket."""
    rows = [
        row | {"headline": row["headline"] and {name: row["headline"][name] for name in OF_A_SHORT_HEADLINE}}
        for row in event["reports"]
    ]
    return event | {"reports": rows, "owners": event["owners"][:OWNERS_IN_SUMMARY]}


def notification_id(summary: ReportsSummary, config: Config) -> str:
    """Return the id of a message about a scheduled time: a second copy of it has the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{config.all_reports_arn} {summary.scheduled_for} {summary.number}"))


def summary_subject(summary: ReportsSummary, config: Config) -> str:
    """Return a mail's subject: ASCII, under 100 characters, in English in every language."""
    return _title(summary, Localization.of(config, "en"), TITLE_CHARACTERS).encode("ascii", "replace").decode()


def summary_email(summary: ReportsSummary, config: Config, page_url: str | None, rows: int = ROWS_IN_MAIL) -> str:
    """Return a mail's body: what to act on, the sums, then a line for each report of each Region."""
    localization = Localization.of(config)
    say = localization.say
    problems = [wrapped(line) for line in problem_lines(summary, config, localization, in_mail)]
    lines = [f"- {line}" for line in _row_lines(summary.rows[:rows], localization, in_mail)]
    if more := len(summary.rows) - rows:
        lines += [wrapped(_more(more, page_url, localization))] if more > 0 else []
    parts = [
        "\n".join(problems),
        "\n".join(wrapped(line) for line in first_lines(summary, config, localization)),
        f"{say('link.summary_page')}\n{page_url}" if page_url else "",
        "\n".join([say("summary.reports"), *(wrapped(line, "", "  ") for line in lines)]),
        _owners(summary, localization),
        _notes(summary, localization),
        "\n".join(_links(summary.rows[:rows], localization)),
        wrapped(say("links_stay", id=notification_id(summary, config))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary_chat(summary: ReportsSummary, config: Config, page_url: str | None) -> dict[str, Any]:
    """Return a custom notification for Amazon Q Developer in chat applications, schema version 1.0."""
    localization = Localization.of(config)
    problems = problem_lines(summary, config, localization, in_chat)
    sign = ":warning:" if summary.level == "PROBLEM" else ":white_check_mark:"
    first, *rest = [*problems, *first_lines(summary, config, localization)]
    lines = [f"*{first}*", *rest, *(f"• {line}" for line in _row_lines(summary.rows[:ROWS_IN_CHAT], localization, in_chat))]
    if (more := len(summary.rows) - ROWS_IN_CHAT) > 0:
        lines.append(_more(more, page_url, localization))
    link = f"{localization.say('link.summary_page')} {page_url}" if page_url else localization.say("link_in_mail")
    title = in_chat(_title(summary, localization, SUMMARY_TITLE_CHARACTERS - len(sign) - 1))
    return {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f"{sign} {title}",
            "description": f"{cut(chr(10).join(lines), SUMMARY_DESCRIPTION_CHARACTERS - len(link) - 1)}\n{link}",
            "keywords": [
                "summary",
                summary.level,
                *list(dict.fromkeys((*(row.region for row in summary.problems), *summary.without_file)))[:5],
            ],
        },
        "metadata": {
            "threadId": f"inspector-findings-exporter-summary-{config.region}",
            "summary": cut(summary_subject(summary, config), SUMMARY_TITLE_CHARACTERS),
            "eventType": "findings-report-summary",
            "additionalContext": {
                "notification_id": notification_id(summary, config),
                "event_version": SUMMARY_EVENT_VERSION,
                "scheduled_for": summary.scheduled_for,
                "level": summary.level,
            },
        },
    }


def summary_event(summary: ReportsSummary, config: Config, page_url: str | None) -> dict[str, Any]:
    """Return the event for programs: docs/summary-event.schema.json. A field is never left out: what is not known is null."""
    return {
        "type": "inspector-findings-exporter.summary",
        "version": SUMMARY_EVENT_VERSION,
        "notification_id": notification_id(summary, config),
        "scheduled_for": summary.scheduled_for,
        "supplement": summary.number,
        "account": config.account,
        "home_region": config.region,
        "level": summary.level,
        "complete": summary.is_complete,
        "begun_by_home": summary.expected.by_home,
        "expected": {"regions": list(summary.expected.regions), "reports": list(summary.expected.reports)},
        "totals": asdict(summary.totals),
        "reports": [_event_row(row) for row in summary.rows],
        "owners": [asdict(each) for each in summary.owners or ()],
        "differing_regions": list(summary.differing),
        "notes": [{"region": region, "note": note} for region, note in summary.notes],
        "page_url": page_url,
    }


def page_lines(summary: ReportsSummary, config: Config) -> SummaryLines:
    """Return what the page of a summary says of it."""
    localization = Localization.of(config)
    words = {(row.region, row.report): _page_words(row, localization) for row in summary.rows}
    about = _about(summary, config, localization)
    first = [line for line in first_lines(summary, config, localization) if line != about]
    return SummaryLines(problem_lines(summary, config, localization, in_mail), first, about, words)


def _page_words(row: ReportRow, localization: Localization) -> str:
    """Return what became of a report: its numbers have columns of their own."""
    if row.headline is None or row.state != "SUCCEEDED" or row.headline.open is None:
        return row_numbers(row, localization)
    if row.has_lost_coverage:
        how = {"lost": "opening.coverage_lost", "unknown": "opening.unknown"}.get(row.headline.coverage, "opening.drop")
        return localization.say(how)
    return localization.say("summary.delivered")


def _about(summary: ReportsSummary, config: Config, localization: Localization) -> str:
    return localization.say(
        "summary.supplement" if summary.number else "summary.about",
        regions=localization.counted("summary.region", len(summary.regions)),
        time=localization.time(datetime.fromisoformat(summary.scheduled_for)),
        account=config.account,
    )


def problem_lines(summary: ReportsSummary, config: Config, localization: Localization, escape: Escape) -> list[str]:
    """Return what to act on, a sentence each, the most urgent first; empty where all is well."""
    say = localization.say
    found = [*_missing_lines(summary, localization)]
    found += [
        say(f"summary.{row.state.lower()}", place=_place(row, localization), why=_why(row, config, localization, escape))
        for row in summary.in_state(*ENDED_BADLY)[:REPORTS_NAMED]
    ]
    found += [say("summary.not_analyzed", place=_place(row, localization)) for row in summary.not_analyzed[:REPORTS_NAMED]]
    found += [_coverage_line(row.headline, row, localization) for row in summary.lost_coverage[:REPORTS_NAMED] if row.headline]
    if summary.without_file:
        found.append(say("summary.without_file", regions=localization.listed(summary.without_file)))
    if summary.differing:
        found.append(say("summary.differing", regions=localization.listed(summary.differing)))
    if not summary.expected.by_home:
        found.append(say("summary.not_begun", home=summary.home))
    return found


def _missing_lines(summary: ReportsSummary, localization: Localization) -> Iterator[str]:
    """Give a sentence about each kind of report of which there is no end."""
    say = localization.say
    yield from _about_places("silent", summary.in_state("SILENT"), localization)
    for row in summary.in_state("RUNNING")[:REPORTS_NAMED]:
        since = localization.time(datetime.fromisoformat(row.since)) if row.since else "?"
        yield say("summary.running", place=_place(row, localization), time=since)
    yield from _about_places("previous_running", summary.in_state("PREVIOUS_RUNNING"), localization)
    yield from _about_places("not_configured", summary.not_configured, localization)
    yield from _about_places("not_exported", summary.not_exported, localization)


def _about_places(name: str, rows: Sequence[ReportRow], localization: Localization) -> list[str]:
    """Return a sentence about some reports; none where there are no such reports."""
    return [localization.say(f"summary.{name}", places=_places(rows, localization))] if rows else []


def _coverage_line(headline: ReportHeadline, row: ReportRow, localization: Localization) -> str:
    how = _coverage_word(headline)
    accounts = localization.counted("account", headline.deactivated_accounts)
    how = f"{how}_accounts" if how == "lost" and headline.deactivated_accounts else how
    missing = localization.counted("summary.missing", headline.status_unknown) if headline.status_unknown else ""
    line = localization.say(f"summary.{how}", place=_place(row, localization), accounts=accounts)
    return localization.sentences(filter(None, (line, missing)))


def _coverage_word(headline: ReportHeadline) -> str:
    return headline.coverage if headline.coverage != "active" else "drop"


def first_lines(summary: ReportsSummary, config: Config, localization: Localization) -> list[str]:
    """Return the sums, and what they are of."""
    say, totals = localization.say, summary.totals
    about = _about(summary, config, localization)
    elsewhere = _about_places("new_elsewhere", summary.new_elsewhere, localization)
    unexpected = _about_places("unexpected", summary.unexpected, localization)
    if not totals.regions:
        return [*elsewhere, about, *unexpected]
    sums = []
    if totals.new is not None and not totals.new and not totals.no_longer_open and summary.level == "NONE":
        sums.append(say("sum.no_changes"))
    elif totals.new is not None:
        worst = _worst(totals.new_by_severity, localization)
        sums += [
            localization.counted("sum.new", totals.new, worst=worst),
            say("sum.no_longer_open", no_longer_open=localization.number(totals.no_longer_open or 0)),
        ]
    worst = _worst(totals.by_severity, localization) if totals.new is None else ""
    sums.append(say("summary.open", open=localization.number(totals.open), worst=worst))
    if totals.overdue is not None:
        sums.append(
            say(
                "summary.overdue", overdue=localization.number(totals.overdue), due_soon=localization.number(totals.due_soon or 0)
            )
        )
    lines = [localization.sentences([*sums, *elsewhere]), about]
    if totals.regions < totals.of_regions:
        lines.insert(
            1, say("summary.part", regions=localization.number(totals.regions), of=localization.number(totals.of_regions))
        )
    if len(summary.expected.reports) > 1:
        lines.append(say("summary.first_report", report=summary.expected.reports[0]))
    return [*lines, *unexpected]


def row_numbers(row: ReportRow, localization: Localization) -> str:
    """Return the numbers of a report, or what became of it."""
    say, headline = localization.say, row.headline
    if row.state != "SUCCEEDED" or headline is None:
        return say(f"summary.state.{row.state}")
    if headline.open is None:
        return say("summary.state.not_analyzed" if headline.analysis == "FAILED" else "summary.state.SUCCEEDED")
    counts = []
    if headline.new is not None:
        counts.append(
            say("opening.new", new=localization.number(headline.new), worst=_worst(headline.new_by_severity, localization))
        )
        counts.append(say("opening.no_longer_open", no_longer_open=localization.number(headline.no_longer_open or 0)))
    counts.append(say("opening.open", open=localization.number(headline.open)))
    if overdue := sum((headline.overdue or {}).values()):
        counts.append(say("opening.overdue", count=localization.number(overdue)))
    if row.has_lost_coverage:
        counts.append(say({"lost": "opening.coverage_lost", "unknown": "opening.unknown"}.get(headline.coverage, "opening.drop")))
    return localization.listed(counts)


def _title(summary: ReportsSummary, localization: Localization, most: int) -> str:
    say, totals = localization.say, summary.totals
    reasons, lost = [], summary.lost_coverage
    if silent := summary.in_state("SILENT"):
        reasons.append(say("summary.title_silent", regions=_short([row.region for row in silent], localization)))
    if running := summary.in_state("RUNNING"):
        reasons.append(say("summary.title_running", count=localization.number(len(running))))
    ended_badly = summary.in_state(*NOT_BEGUN, *ENDED_BADLY)
    if ended_badly:
        count, of = localization.number(len(ended_badly)), localization.number(len(summary.rows))
        reasons.append(say("summary.title_failed", count=count, of=of))
    uncertain = {
        how: [row.region for row in lost if row.headline and _coverage_word(row.headline) == how]
        for how in ("lost", "unknown", "drop")
    }
    reasons += [say(f"summary.title_{how}", regions=_short(each, localization)) for how, each in uncertain.items() if each]
    if failed := summary.not_analyzed:
        reasons.append(say("summary.title_not_analyzed", count=localization.number(len(failed))))
    if summary.without_file:
        reasons.append(say("summary.title_without_file", regions=_short(summary.without_file, localization)))
    urgency = "action" if silent or running or (reasons and not ended_badly) else "failed" if ended_badly else "plain"
    parts = [*reasons, *_number_parts(summary, totals, localization)] or [_delivered(summary, localization)]

    def line(regions: str, kept: Sequence[str]) -> str:
        text = say("action_list" if reasons else "list").join(filter(None, (kept[0], localization.listed(kept[1:]))))
        what = say("summary.name_supplement" if summary.number else "summary.name")
        return say(f"summary.subject_{urgency}", what=what, regions=regions, line=text)

    return fitted(line, localization.counted("summary.region", len(summary.regions)), parts, most)


def _number_parts(summary: ReportsSummary, totals: SummaryTotals, localization: Localization) -> list[str]:
    say = localization.say
    if not totals.regions:
        return _new_elsewhere(summary, localization)
    if summary.level == "NONE":
        return [say("opening.no_changes", open=localization.number(totals.open))]
    parts = []
    if totals.new is not None:
        parts.append(say("opening.new", new=localization.number(totals.new), worst=_worst(totals.new_by_severity, localization)))
    parts += _new_elsewhere(summary, localization)
    if totals.overdue:
        parts.append(say("opening.overdue", count=localization.number(totals.overdue)))
    if totals.no_longer_open:
        parts.append(say("opening.no_longer_open", no_longer_open=localization.number(totals.no_longer_open)))
    return [*parts, say("opening.open", open=localization.number(totals.open))]


def _new_elsewhere(summary: ReportsSummary, localization: Localization) -> list[str]:
    """Return what a title says of new findings outside the sums."""
    rows, say = summary.new_elsewhere, localization.say
    names = _short([row.report if row.is_expected else _place(row, localization) for row in rows], localization)
    if len(rows) == 1 and (headline := rows[0].headline):
        new, worst = localization.number(headline.new or 0), _worst(headline.new_by_severity, localization)
        return [say("summary.title_so_many_new_in", new=say("opening.new", new=new, worst=worst), report=names)]
    return [say("summary.title_new_in", reports=names)] if rows else []


def _delivered(summary: ReportsSummary, localization: Localization) -> str:
    """Return what a title says where all is well and there are no sums: a supplement need not have a first report."""
    if analyzed := sum(row.headline is not None and row.headline.open is not None for row in summary.rows):
        return localization.counted("summary.title_delivered", analyzed)
    return localization.say("summary.title_nothing")


def _more(count: int, page_url: str | None, localization: Localization) -> str:
    return localization.counted("summary.more" if page_url else "summary.unlisted", count)


def _worst(counts: Mapping[str, int], localization: Localization) -> str:
    count = counts.get("CRITICAL") or 0
    if not count:
        return ""
    return localization.say("opening.worst", count=localization.number(count), severity=localization.severity("CRITICAL"))


def _place(row: ReportRow, localization: Localization) -> str:
    return localization.say("summary.place", region=row.region, report=row.report)


def _places(rows: Sequence[ReportRow], localization: Localization) -> str:
    return _short([_place(row, localization) for row in rows], localization, REPORTS_NAMED)


def _short(names: Iterable[str], localization: Localization, most: int = 2) -> str:
    names = list(dict.fromkeys(names))
    text = localization.listed(names[:most])
    more = len(names) - most
    return localization.say("summary.and_more", names=text, more=localization.number(more)) if more > 0 else text


def _why(row: ReportRow, config: Config, localization: Localization, escape: Escape) -> str:
    headline = row.headline
    if headline is None or not headline.error:
        return ""
    if row.state == "NOT_STARTED":
        return escape(headline.cause or headline.error)
    return remediation_for(
        Failure(escape(clean(headline.error, 256)), escape(headline.cause or "")), config, localization.language
    ).title


def _row_lines(rows: Iterable[ReportRow], localization: Localization, _: Escape) -> list[str]:
    return [
        localization.say(
            "summary.row" if row.is_expected else "summary.row_unexpected",
            place=_place(row, localization),
            numbers=row_numbers(row, localization),
        )
        for row in rows
    ]


def _owners(summary: ReportsSummary, localization: Localization) -> str:
    owners = summary.owners
    if owners is None:
        return wrapped(localization.say("summary.owners_unknown"))
    if not owners:
        return ""
    lines = [localization.say("owners.head", count=localization.number(len(owners)))]
    for each in owners[:OWNERS_IN_SUMMARY]:
        counts = [
            localization.say("opening.open", open=localization.number(each.open))
            + _worst({"CRITICAL": each.critical}, localization)
        ]
        if each.new is not None:
            counts.append(localization.say("opening.new", new=localization.number(each.new), worst=""))
        if each.overdue is not None:
            counts.append(localization.say("opening.overdue", count=localization.number(each.overdue)))
        lines.append(
            wrapped(localization.say("owners.line", owner=in_mail(each.owner), numbers=localization.listed(counts)), "- ", "  ")
        )
    if (more := len(owners) - OWNERS_IN_SUMMARY) > 0:
        lines.append(localization.counted("owners.more", more))
    return "\n".join(lines)


def _notes(summary: ReportsSummary, localization: Localization) -> str:
    if not summary.notes:
        return ""
    shown = (wrapped(f"{region}: {in_mail(note)}", "- ", "  ") for region, note in summary.notes[:NOTES_IN_SUMMARY])
    return "\n".join([localization.say("notes"), *shown])


def _links(rows: Sequence[ReportRow], localization: Localization) -> list[str]:
    found = []
    for row in rows:
        url = row.headline and (row.headline.page_url or row.headline.execution_url)
        if url:
            found += [localization.say("summary.link", place=_place(row, localization)), url]
    return found


def _event_row(row: ReportRow) -> dict[str, Any]:
    headline = asdict(row.headline) if row.headline else None
    if headline:
        headline.pop("owners")
    return {
        "region": row.region,
        "report": row.report,
        "state": row.state,
        "expected": row.is_expected,
        "running_since": row.since if row.state == "RUNNING" else None,
        "headline": headline,
    }
