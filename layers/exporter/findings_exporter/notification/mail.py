"""The mail of a run: a subject, one screen that a person can act on, then the details."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.run import Run
from findings_exporter.model.text import LINE_CHARACTERS, cut_to_line, shown_lines, width, wrapped
from findings_exporter.notification.links import execution_url, object_url, report_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.phrases import (
    action_lines,
    action_step,
    bucket_of,
    facts,
    file_of,
    finding_line,
    first_lines,
    fix_line,
    outcome_lines,
)
from findings_exporter.notification.remediation import Remediation, evidence, remediation_for, statements
from findings_exporter.notification.sanitize import for_mail
from findings_exporter.notification.subject_line import title
from findings_exporter.notification.view import MessageView, analysis_failure, view_of

SCREEN_LINES = 24
LISTED_ON_SCREEN = 3


def subject(run: Run, config: Config) -> str:
    """Return a mail's subject: ASCII [AWS: SNS Publish], under 100 characters, one line, in English in every language."""
    return title(for_mail(run), config, Localization.of(config, "en")).encode("ascii", "replace").decode()


def email(run: Run, config: Config) -> str:
    """Return a mail's body, as its reader wants it at 7 a.m.: the outcome first, details last."""
    localization = Localization.of(config)
    run = for_mail(run, localization.language)
    view = view_of(run)
    parts = _of_an_analyzed_run(run, view, config, localization) if view else _of_an_outcome(run, config, localization)
    return "\n\n".join(part for part in parts if part) + "\n"


def _of_an_outcome(run: Run, config: Config, localization: Localization) -> list[str]:
    """Write of a run that failed, one without an analysis, and one whose analysis failed."""
    parts = ["\n".join(wrapped(line) for line in outcome_lines(run, config, localization))]
    if run.failure:
        parts += _failure_parts(run.failure, remediation_for(run.failure, config, localization.language), localization)
    if failure := analysis_failure(run):
        cause = localization.say("cause", error=failure["error"])
        parts.append(f"{cause}\n{wrapped(failure['sentence'], '  ', '  ')}")
    if run.delivery and run.delivery.uri:
        parts.append(f"{localization.say('link.report')}\n{report_url(run, config)}\n{file_of(run.delivery, localization)}")
    return [*parts, _notes(run.notes, localization), *_ending(run, config, localization)]


def _of_an_analyzed_run(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    action = action_lines(view, localization)
    notes = _notes([*(each for each in view.sentences if each not in action), *run.notes], localization)
    if step := action_step(view, localization):
        action.append(localization.say("do_now", step=step))
    first = "\n".join(wrapped(line) for line in first_lines(run, view, config, localization))
    if run.delivery and run.delivery.nothing_found:
        first += "\n" + wrapped(localization.say("nothing_matches"))
    links = _links(run, view, config, localization)
    if view.has_no_changes:
        return [first, *links, notes, *_ending(run, config, localization)]
    top = ["\n".join(wrapped(line) for line in action), first] if action else [first]
    return [
        *_screen(top, [_new_list(view, localization), _fix_list(view, localization)], links[:1]),
        _ruled(localization.say("details")),
        _details(view, localization),
        notes,
        _files(run, view, config, localization),
        *_ending(run, config, localization),
    ]


def _screen(first: list[str], lists: list[list[str]], links: list[str]) -> list[str]:
    """Let the lists be as long as the screen allows: what happened and where the files are come before them.

    Where even that is too much, since the link is very long, it is among the files alone.
    """
    for kept_links in (links, []):
        for listed in range(LISTED_ON_SCREEN, 0 if kept_links else -1, -1):
            kept = ["\n".join(lines[: listed + 1]) for lines in lists if listed and len(lines) > 1]
            parts = [*first, *kept, *kept_links]
            # The line of the details comes after an empty one.
            if shown_lines("\n\n".join(parts)) <= SCREEN_LINES:
                return parts
    return first


def _new_list(view: MessageView, localization: Localization) -> list[str]:
    if not view.new:
        return []
    head = localization.say(
        "head_with_counts", head=localization.say("worst_new"), counts=localization.severities(view.new_by_severity)
    )
    return [cut_to_line(head), *(f"- {finding_line(each, localization, LINE_CHARACTERS - 2)}" for each in view.worst_new)]


def _fix_list(view: MessageView, localization: Localization) -> list[str]:
    lines = (f"{number}. {fix_line(each, localization, LINE_CHARACTERS - 3)}" for number, each in enumerate(view.priorities, 1))
    return [localization.say("priorities"), *lines]


def _links(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    """Link to the page, or the analysis without one, and to the report.

    A link has a line of its own, so that a mail client finds both its ends.
    """
    shown = "page" if "page" in view.files else "analysis"
    urls = {shown: object_url(bucket_of(run), view.files[shown], config) if shown in view.files else None}
    urls["report"] = report_url(run, config)
    return [f"{localization.say(f'link.{name}')}\n{url}" for name, url in urls.items() if url]


def _files(run: Run, view: MessageView, config: Config, localization: Localization) -> str:
    found = []
    if run.delivery and run.delivery.uri:
        found.append((localization.say("link.report"), file_of(run.delivery, localization), str(report_url(run, config))))
    for name, key in view.files.items():
        found.append((localization.say(f"link.{name}"), f"s3://{bucket_of(run)}/{key}", object_url(bucket_of(run), key, config)))
    return (
        "\n".join([localization.say("files"), *("\n".join((f"- {name}", uri, url)) for name, uri, url in found)]) if found else ""
    )


def _ruled(head: str) -> str:
    start = f"-- {head} "
    return start + "-" * (LINE_CHARACTERS - width(start))


def _details(view: MessageView, localization: Localization) -> str:
    parts = []
    kinds = [(kind, count) for kind, count in view.kinds.items() if count and localization.known(f"kind.{kind}")]
    if kinds:
        lines = [f"- {localization.say(f'kind.{kind}')}: {localization.number(count)}" for kind, count in kinds]
        for name, counts in (("new", view.new_by_severity), ("no_longer_open", view.no_longer_open_by_severity)):
            if any(counts.values()):
                lines.append(wrapped(localization.say(name, counts=localization.severities(counts)), "- ", "  "))
        parts.append("\n".join([localization.say("changes"), *lines]))
    if view.by_severity:
        parts.append(f"{localization.say('open_findings')}\n{wrapped(localization.severities(view.by_severity), '  ', '  ')}")
    if beside := [(localization.say(f"status.{name}"), count) for name, count in view.beside_open.items() if count]:
        beside_counts = localization.listed(
            localization.say("count", count=localization.number(count), what=what) for what, count in beside
        )
        parts.append(localization.say("beside_open", counts=beside_counts))
    for name, listed in (("worst_new", view.worst_new), ("worst_no_longer_open", view.worst_no_longer_open)):
        if listed:
            parts.append("\n".join([localization.say(name), *(_finding_lines(each, localization) for each in listed)]))
    if view.priorities:
        parts.append("\n".join([localization.say("fix_first_why"), *_fix_lines(view.priorities, localization)]))
    return "\n\n".join(parts)


def _notes(notes: Sequence[str], localization: Localization) -> str:
    return "\n".join([localization.say("notes"), *(wrapped(each, "- ", "  ") for each in notes)]) if notes else ""


def _finding_lines(finding: Mapping[str, Any], localization: Localization) -> str:
    lines = [wrapped(finding_line(finding, localization), "- ", "  ")]
    if packages := localization.listed(map(str, finding.get("packages") or ())):
        lines.append(wrapped(localization.say("of_finding.packages", packages=packages), "  ", "  "))
    unknown = localization.say("of_finding.several") if (finding.get("resources") or 1) > 1 else "?"
    place = {
        "account": finding.get("account_id") or unknown,
        "region": finding.get("region") or unknown,
        "first_seen": finding.get("first_seen") or "?",
    }
    return "\n".join([*lines, wrapped(localization.say("of_finding.place", **place), "  ", "  ")])


def _fix_lines(fixes: Iterable[Mapping[str, Any]], localization: Localization) -> Iterable[str]:
    for number, each in enumerate(fixes, 1):
        lines = [wrapped(fix_line(each, localization), f"{number}. ", "   ")]
        if each.get("why"):
            lines.append(wrapped(each["why"], "   ", "   "))
        yield "\n".join(lines)


def _ending(run: Run, config: Config, localization: Localization) -> list[str]:
    listed = facts(run, localization)
    column = max([10, *(width(name) for name, _ in listed)])
    execution = localization.say("link.execution")
    return [
        "\n".join(f"{name}{' ' * (column - width(name))} {value}" for name, value in listed),
        f"{execution}\n{execution_url(run, config)}",
        wrapped(localization.say("links_stay", id=run.notification_id)),
    ]


def _failure_parts(failure: Failure, remediation: Remediation, localization: Localization) -> list[str]:
    lines = [line for line in failure.cause.splitlines() if line.strip()]
    cause = [
        *(wrapped(line, "  ", "    " if line.startswith("- ") else "  ") for line in lines),
        wrapped(remediation.why, "  ", "  "),
        *(wrapped(line, "  - ", "    ") for line in evidence(failure)),
    ]
    fix = (wrapped(step, f"  {number}. ", "     ") for number, step in enumerate(remediation.fix, 1))
    return [
        "\n".join([localization.say("cause", error=failure.error), *cause]),
        "\n".join([localization.say("fix_now"), *fix]),
        # Not wrapped: it is to be pasted.
        *(
            f"{localization.say('statements_to_add', check=check)}\n{statement}"
            for check, statement in statements(failure, localization.language)
        ),
    ]
