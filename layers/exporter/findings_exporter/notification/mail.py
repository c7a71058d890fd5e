"""The mail of a run, or of an owner's findings: a subject, one screen that a person can act on, then the details."""

from collections.abc import Iterable, Sequence

from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.run import Run
from findings_exporter.model.text import LINE_CHARACTERS, cut_to_line, shown_lines, width, wrapped
from findings_exporter.notification.entries import Entry
from findings_exporter.notification.entry_lines import EntryLines
from findings_exporter.notification.links import execution_url, object_url, report_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.phrases import (
    action_lines,
    action_step,
    bucket_of,
    facts,
    file_of,
    first_lines,
    outcome_lines,
    owner_lines,
)
from findings_exporter.notification.remediation import Remediation, evidence, remediation_for, statements
from findings_exporter.notification.sanitize import for_mail
from findings_exporter.notification.subject_line import title
from findings_exporter.notification.view import MessageView, analysis_failure, view_of

SCREEN_LINES = 24
LISTED_ON_SCREEN = 3
FIX_FIRST, NEW, OVERDUE = range(3)
TURNS = (FIX_FIRST, NEW, FIX_FIRST, NEW, OVERDUE, FIX_FIRST, NEW, OVERDUE, OVERDUE)
"""Which list of the screen gets its next entry: what is overdue is often among what to fix first."""
OWNERS_IN_MAIL = 10


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
        parts += _failure_parts(run.failure, remediation_for(run.failure, config, localization.language, run), localization)
    if failure := analysis_failure(run):
        cause = localization.say("cause", error=failure["error"])
        parts.append(f"{cause}\n{wrapped(failure['sentence'], '  ', '  ')}")
    if run.delivery and run.delivery.uri:
        parts.append(f"{localization.say('link.report')}\n{report_url(run, config)}\n{file_of(run.delivery, localization)}")
    return [*parts, _notes(run.notes, localization), *_ending(run, None, config, localization)]


def _of_an_analyzed_run(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    action, entries = action_lines(view, localization), EntryLines.of(view, localization)
    step = [localization.say("do_now", step=each) for each in [action_step(view, localization)] if each]
    first = _lines(first_lines(run, view, config, localization))
    if run.delivery and run.delivery.nothing_found and view.owner is None:
        first += "\n" + wrapped(localization.say("nothing_matches"))
    while len(action) > 1 and shown_lines("\n\n".join([_lines([*action, *step]), first])) > SCREEN_LINES:
        # A reason that is too long for the screen is a note.
        action.pop()
    notes = _notes([*(each for each in view.sentences if each not in action), *run.notes], localization)
    if view.owner is not None:
        notes = _notes(view.sentences, localization, "notes_on_all")
    links, ending = _links(run, view, config, localization), _ending(run, view, config, localization)
    if view.has_no_changes and view.owner is None:
        overdue = "\n".join(_list(localization.say("most_overdue"), view.most_overdue[:LISTED_ON_SCREEN], entries))
        return [first, overdue, *links, notes, *ending]
    top = [_lines([*action, *step]), first] if action else [first]
    return [
        *_screen(top, _lists(view, entries), links[:1]),
        _ruled(localization.say("details")),
        _details(view, localization, entries),
        notes,
        _files(run, view, config, localization) if view.owner is None else "",
        *ending,
    ]


def _lines(sentences: Iterable[str]) -> str:
    return "\n".join(wrapped(each) for each in sentences)


def _lists(view: MessageView, entries: EntryLines) -> list[tuple[str, list[str]]]:
    """Return what the screen lists, what the reader has to do first: headings, and an entry's lines as one text each."""
    say = entries.localization.say
    new = say("head_with_counts", head=say("worst_new"), counts=entries.localization.severities(view.new_by_severity))
    lists = [
        (say("fix_first"), view.fix_first),
        (cut_to_line(new), view.worst_new if view.new else ()),
        (say("most_overdue"), view.most_overdue),
    ]
    return [(head, _list("", listed, entries, numbered=not place)[1:]) for place, (head, listed) in enumerate(lists)]


def _screen(first: list[str], lists: list[tuple[str, list[str]]], links: list[str]) -> list[str]:
    """Let the lists be as long as the screen allows: what happened and where the page is come before them.

    The lists get an entry in turn, so that one does not push out another. Where there is no room for any, since the link is
    very long, it is among the files alone.
    """
    with_link, without = (_filled(first, lists, each) for each in (links, []))
    if with_link and (len(with_link) > len(first) + len(links) or not any(entries for _, entries in lists)):
        return with_link
    return without or first


def _filled(first: list[str], lists: list[tuple[str, list[str]]], links: list[str]) -> list[str]:
    """Return the parts of a screen that is as full as it can be; nothing where it is too small."""

    def parts(counts: Sequence[int]) -> list[str]:
        kept = ("\n".join([head, *entries[:count]]) for (head, entries), count in zip(lists, counts, strict=True) if count)
        return [*first, *kept, *links]

    def fits(counts: Sequence[int]) -> bool:
        # The line of the details comes after an empty one.
        return shown_lines("\n\n".join(parts(counts))) <= SCREEN_LINES

    counts = [0] * len(lists)
    for turn in TURNS:
        more = [count + (place == turn) for place, count in enumerate(counts)]
        if more[turn] <= len(lists[turn][1]) and fits(more):
            counts = more
    return parts(counts) if fits(counts) else []


def _list(head: str, listed: Iterable[Entry], entries: EntryLines, *, numbered: bool = False) -> list[str]:
    """Return a heading and entries for the screen, each in lines that it has the columns for; nothing without an entry."""
    found = []
    for number, each in enumerate(listed, 1):
        sign = f"{number}. " if numbered else "- "
        lines = entries.lines(each, LINE_CHARACTERS - len(sign))
        found.append("\n".join((" " * len(sign) if place else sign) + line for place, line in enumerate(lines)))
    return [head, *found] if found else []


def _links(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    """Link to the page, or the analysis without one, and to the report; an owner to its page alone.

    A link has a line of its own, so that a mail client finds both its ends.
    """
    shown = "page" if "page" in view.files or view.owner is not None else "analysis"
    name = "owner_page" if view.owner not in {None, UNOWNED} else shown
    urls = {name: object_url(bucket_of(run), view.files[shown], config) if shown in view.files else None}
    if view.owner is None:
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


def _details(view: MessageView, localization: Localization, entries: EntryLines) -> str:
    parts = []
    named = {"moved": "moved_here"} if view.owner is not None else {}
    kinds = [(named.get(kind, kind), count) for kind, count in view.kinds.items() if count and localization.known(f"kind.{kind}")]
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
    return "\n\n".join([*parts, *_listed(view, localization, entries)])


def _listed(view: MessageView, localization: Localization, entries: EntryLines) -> list[str]:
    parts = []
    if view.owners:
        owners = owner_lines(view.owners, localization, OWNERS_IN_MAIL)
        parts.append(
            "\n".join([owners[0], *(wrapped(line, "- ", "  ") for line in owners[1:-1]), wrapped(owners[-1], "  ", "  ")])
        )
    if view.fix_first:
        parts.append("\n".join([localization.say("fix_first_why"), *_entries(view.fix_first, entries, numbered=True)]))
    for name, listed in (("worst_new", view.worst_new), ("most_overdue", view.most_overdue)):
        if listed:
            parts.append("\n".join([localization.say(name), *_entries(listed, entries)]))
    if view.worst_no_longer_open:
        lines = _entries(view.worst_no_longer_open, entries, is_open=False)
        parts.append("\n".join([localization.say("worst_no_longer_open"), *lines]))
    return parts


def _entries(listed: Iterable[Entry], entries: EntryLines, *, numbered: bool = False, is_open: bool = True) -> Iterable[str]:
    """Return entries with all that is known of them."""
    for number, each in enumerate(listed, 1):
        sign = f"{number}. " if numbered else "- "
        first, *rest = [*entries.lines(each, is_open=is_open), *entries.details(each, is_open=is_open)]
        rest += [str(each["why"])] if each.get("why") else []
        indent = " " * len(sign)
        yield "\n".join([wrapped(first, sign, indent), *(wrapped(line, indent, indent) for line in rest)])


def _notes(notes: Sequence[str], localization: Localization, head: str = "notes") -> str:
    return "\n".join([localization.say(head), *(wrapped(each, "- ", "  ") for each in notes)]) if notes else ""


def _ending(run: Run, view: MessageView | None, config: Config, localization: Localization) -> list[str]:
    links_stay = wrapped(localization.say("links_stay", id=run.notification_id))
    if view and view.owner is not None:
        # Who fixes findings does not run the export.
        return [wrapped(localization.say("owner.not_owned" if view.owner == UNOWNED else "owner.not_yours")), links_stay]
    listed = facts(run, localization)
    column = max([10, *(width(name) for name, _ in listed)])
    return [
        "\n".join(f"{name}{' ' * (column - width(name))} {value}" for name, value in listed),
        f"{localization.say('link.execution')}\n{execution_url(run, config)}",
        links_stay,
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
