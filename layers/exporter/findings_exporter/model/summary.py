"""What is known of all reports of all Regions for one scheduled time: who was heard from, and what each said.

Pure: the messages that came (:mod:`findings_exporter.model.home_messages`), what was expected, and the time decide everything.
Counts of several reports over the same findings are not added up: a Region's total is that of its first report.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from findings_exporter.model.home_messages import HomeMessage, OwnerNumbers, ReportHeadline, StartNotice
from findings_exporter.model.taxonomy import SEVERITIES

type State = Literal[
    "SILENT", "RUNNING", "PREVIOUS_RUNNING", "NOT_CONFIGURED", "NOT_STARTED", "FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"
]
ENDED_STATES: tuple[State, ...] = ("NOT_STARTED", "FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED")
SETTLED: tuple[State, ...] = ("PREVIOUS_RUNNING", "NOT_CONFIGURED", *ENDED_STATES)
"""Nothing more is to be waited for."""
NO_REPORT: tuple[State, ...] = ("PREVIOUS_RUNNING", "NOT_CONFIGURED", "NOT_STARTED", "FAILED", "TIMED_OUT", "ABORTED")
SUPPLEMENT_WAIT = timedelta(hours=6)
"""How long a supplement waits for the others that are missing, so that there is one and not one each."""
GIVEN_UP = timedelta(days=15)
"""After it nothing more can come: SQS keeps a message for 14 days."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a scheduled time, frozen when it begins.

    Attributes
    ----------
    regions, reports
        Each report of each Region; the first report is the one whose numbers are a Region's total.
    by_home
        Whether home's own schedule has begun it. If a message of another Region has, what home exports is not known yet.
    """

    regions: tuple[str, ...]
    reports: tuple[str, ...]
    by_home: bool

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each Region with each report, in order."""
        return [(region, report) for region in self.regions for report in self.reports]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One report of one Region.

    Attributes
    ----------
    since
        When the Region said that it began; None when it was not heard from.
    is_expected
        Whether home expects it.
    """

    region: str
    report: str
    state: State
    headline: ReportHeadline | None = None
    since: str | None = None
    is_expected: bool = True

    @property
    def has_lost_coverage(self) -> bool:
        """Whether scan coverage is lost, unknown, or many findings are missing: what is not open any more may be."""
        headline = self.headline
        return (
            self.state == "SUCCEEDED"
            and headline is not None
            and headline.analysis == "DONE"
            and (headline.coverage != "active" or headline.unusual_drop)
        )

    @property
    def is_not_analyzed(self) -> bool:
        """Whether the report is there, and its analysis failed."""
        return self.state == "SUCCEEDED" and self.headline is not None and self.headline.analysis == "FAILED"

    @property
    def urgency(self) -> int:
        """Its place in a list: what was not heard from first, then what failed, then lost coverage, then the rest."""
        order = ("SILENT", "RUNNING", *NO_REPORT)
        if self.state in order:
            return order.index(self.state)
        return len(order) + (0 if self.has_lost_coverage else 1 if self.is_not_analyzed else 2)


@dataclass(frozen=True, slots=True)
class SummaryTotals:
    """Numbers of the first expected report of each expected Region.

    Attributes
    ----------
    regions, of_regions
        How many Regions they are of, and how many of the expected ones the message is about.
    new, no_longer_open
        Of the Regions that were compared; None when none was.
    overdue
        None where no Region has due dates.
    """

    regions: int
    of_regions: int
    open: int
    by_severity: Mapping[str, int]
    new: int | None
    new_by_severity: Mapping[str, int]
    no_longer_open: int | None
    status_unknown: int
    overdue: int | None
    due_soon: int | None


@dataclass(frozen=True, slots=True)
class ReportsSummary:
    """All reports of all Regions of one scheduled time.

    Attributes
    ----------
    scheduled_for
        ISO 8601, UTC.
    number
        0 for the summary, 1 and more for what came later.
    rows
        The most urgent first. Of a supplement: what is new in it, and what is still missing.
    differing
        Regions that are configured in another way than home.
    notes
        Why the file of reports could not be used, each with its Region. Of a supplement: of the Regions whose start is new in it.
    """

    scheduled_for: str
    number: int
    home: str
    expected: Expected
    rows: tuple[ReportRow, ...]
    differing: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    def in_state(self, *states: State) -> list[ReportRow]:
        """Return the rows in one of some states."""
        return [row for row in self.rows if row.state in states]

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is to be waited for."""
        return all(row.state in SETTLED for row in self.rows if row.is_expected)

    @property
    def lost_coverage(self) -> list[ReportRow]:
        """Return the rows whose missing findings may still be there."""
        return [row for row in self.rows if row.has_lost_coverage]

    @property
    def not_analyzed(self) -> list[ReportRow]:
        """Return the rows whose report could not be analyzed."""
        return [row for row in self.rows if row.is_not_analyzed]

    @property
    def without_file(self) -> list[str]:
        """Return the Regions whose file of reports could not be used: what it lists was not exported."""
        return list(dict.fromkeys(region for region, _ in self.notes))

    @property
    def problems(self) -> list[ReportRow]:
        """Return the rows that people have to act on."""
        return [row for row in self.rows if row.state != "SUCCEEDED" or row.has_lost_coverage or row.is_not_analyzed]

    @property
    def level(self) -> Literal["PROBLEM", "CHANGES", "NONE"]:
        """The worst of the rows; what was not heard from is a problem, and so is a file that could not be used."""
        levels = {row.headline.level for row in self.rows if row.headline}
        if self.problems or self.notes or "PROBLEM" in levels:
            return "PROBLEM"
        return "CHANGES" if "CHANGES" in levels else "NONE"

    @property
    def regions(self) -> set[str]:
        """Return the Regions that it is about: the expected ones, or where it has none of them, the others."""
        return {row.region for row in self.rows if row.is_expected} or {row.region for row in self.rows}

    @property
    def unexpected(self) -> list[ReportRow]:
        """Return the rows that home does not expect: they are in no sum."""
        return [row for row in self.rows if not row.is_expected]

    @property
    def firsts(self) -> list[ReportRow]:
        """Return the rows of the first expected report. A supplement can have none: another report does not stand for it."""
        return [row for row in self.rows if row.is_expected and row.report in self.expected.reports[:1]]

    @property
    def new_elsewhere(self) -> list[ReportRow]:
        """Return the rows outside the sums that have new findings, where the sums have none."""
        if self.totals.new:
            return []
        firsts = self.firsts
        return [row for row in self.rows if row not in firsts and row.headline and row.headline.new]

    @property
    def not_configured(self) -> list[ReportRow]:
        """Return the rows that a Region's file of reports does not list."""
        return [row for row in self.in_state("NOT_CONFIGURED") if row.region not in self.without_file]

    @property
    def not_exported(self) -> list[ReportRow]:
        """Return the rows that were not exported because the Region's file of reports could not be used."""
        return [row for row in self.in_state("NOT_CONFIGURED") if row.region in self.without_file]

    @property
    def totals(self) -> SummaryTotals:
        """Add up the first reports of the expected Regions."""
        counted = [
            row.headline for row in self.firsts if row.headline and row.headline.open is not None and row.state == "SUCCEEDED"
        ]
        compared = [each for each in counted if each.new is not None]
        dated = [each for each in counted if each.overdue is not None]
        return SummaryTotals(
            regions=len(counted),
            of_regions=len({row.region for row in self.rows if row.is_expected}),
            open=sum(each.open or 0 for each in counted),
            by_severity=_together(each.by_severity for each in counted),
            new=sum(each.new or 0 for each in compared) if compared else None,
            new_by_severity=_together(each.new_by_severity for each in compared),
            no_longer_open=sum(each.no_longer_open or 0 for each in compared) if compared else None,
            status_unknown=sum(each.status_unknown for each in counted),
            overdue=sum(sum((each.overdue or {}).values()) for each in dated) if dated else None,
            due_soon=sum(sum((each.due_soon or {}).values()) for each in dated) if dated else None,
        )

    @property
    def owners(self) -> list[OwnerNumbers] | None:
        """Return the owners of the first reports with the sums of their numbers, those with the most open findings first.

        None where a Region has not sent all of its owners, or does not know them while others do: the sum of none is known then.
        """
        delivered = [row.headline for row in self.firsts if row.headline and row.state == "SUCCEEDED"]
        are_whole = all(each.owner_count <= len(each.owners) and (each.owners or not each.open) for each in delivered)
        if not are_whole and any(each.owners for each in delivered):
            return None
        found: dict[str, OwnerNumbers] = {}
        for headline in delivered:
            for each in headline.owners:
                known = found.get(each.owner)
                found[each.owner] = each if known is None else _both(known, each)
        return sorted(found.values(), key=lambda each: (-each.open, each.owner))


@dataclass(frozen=True, slots=True)
class SummaryLines:
    """What a summary says in the deployment's language, for its page.

    Attributes
    ----------
    problems
        What to act on, a sentence each.
    first
        The sums, then what they are of.
    about
        Whose summary it is.
    words
        What became of each report, by Region and name.
    """

    problems: Sequence[str]
    first: Sequence[str]
    about: str
    words: Mapping[tuple[str, str], str]


def assess(
    scheduled_for: str,
    home: str,
    expected: Expected,
    messages: Iterable[HomeMessage],
    number: int = 0,
    new: frozenset[str] | None = None,
) -> ReportsSummary:
    """Return what is known of a scheduled time.

    Parameters
    ----------
    messages
        All that came.
    new
        Of a supplement: the keys of the messages that it is about. Its rows are those, and what is still missing.
    """
    messages = list(messages)
    starts = {each.region: each for each in messages if isinstance(each, StartNotice)}
    headlines: dict[tuple[str, str], ReportHeadline] = {}
    for each in sorted((each for each in messages if isinstance(each, ReportHeadline)), key=_order):
        # The last one that began: a run that a person started in place of the scheduled one counts for it.
        headlines[each.region, each.report] = each
    pairs = list(
        dict.fromkeys((*expected.pairs, *headlines, *((region, name) for region in starts for name in starts[region].reports)))
    )
    # What never began, or was started by a person later, does not say that the Region is at work.
    began = [each for each in messages if isinstance(each, StartNotice) or not (each.replaces or each.outcome == "NOT_STARTED")]
    heard = {region: min(each.started_at for each in began if each.region == region) for region in {m.region for m in began}}
    rows = [_row(pair, expected, headlines.get(pair), starts.get(pair[0]), heard.get(pair[0])) for pair in pairs]
    if new is not None:
        rows = [row for row in rows if row.state not in SETTLED or _is_new(row, starts.get(row.region), new)]
    rows.sort(key=lambda row: (row.urgency, pairs.index((row.region, row.report))))
    hashes = {region: start.config_hash for region, start in starts.items()}
    return ReportsSummary(
        scheduled_for,
        number,
        home,
        expected,
        tuple(rows),
        tuple(sorted(region for region, each in hashes.items() if home in hashes and each != hashes[home])),
        tuple(
            (region, note) for region, start in sorted(starts.items()) for note in start.notes if new is None or start.key in new
        ),
    )


def is_due(
    summary: ReportsSummary, deadline_at: datetime, last_sent_at: datetime | None, now: datetime, *, has_new: bool
) -> bool:
    """Tell whether a message is to be sent now.

    Parameters
    ----------
    last_sent_at
        When the last message about this time was sent; None before the summary.
    has_new
        Whether a message of a Region has come that is in none of ours.
    """
    if last_sent_at is None:
        return (summary.expected.by_home and summary.is_complete) or now >= deadline_at
    return has_new and (summary.is_complete or now >= last_sent_at + SUPPLEMENT_WAIT)


def _row(
    pair: tuple[str, str], expected: Expected, headline: ReportHeadline | None, start: StartNotice | None, since: str | None
) -> ReportRow:
    region, report = pair
    is_expected = region in expected.regions and report in expected.reports
    state: State
    if headline:
        (state,) = (each for each in ENDED_STATES if each == headline.outcome)
    elif start is None:
        # A Region whose notice of the start is late, while the end of another of its reports is known, is at work.
        state = "RUNNING" if since else "SILENT"
    elif start.state == "PREVIOUS_RUNNING":
        state = "PREVIOUS_RUNNING"
    else:
        state = "RUNNING" if report in start.reports else "NOT_CONFIGURED"
    return ReportRow(region, report, state, headline, since, is_expected)


def _is_new(row: ReportRow, start: StartNotice | None, new: frozenset[str]) -> bool:
    return row.headline.key in new if row.headline else start is not None and start.key in new


def _order(headline: ReportHeadline) -> tuple[bool, str, str]:
    return headline.outcome != "NOT_STARTED", headline.started_at, headline.execution


def _together(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in counted:
        found.update(each)
    return {word: found[word] for word in SEVERITIES if found[word]}


def _both(one: OwnerNumbers, other: OwnerNumbers) -> OwnerNumbers:
    def plus(first: int | None, second: int | None) -> int | None:
        return None if first is None and second is None else (first or 0) + (second or 0)

    return OwnerNumbers(
        one.owner,
        one.open + other.open,
        one.critical + other.critical,
        plus(one.new, other.new),
        plus(one.overdue, other.overdue),
    )


def rows_by_region(rows: Sequence[ReportRow]) -> dict[str, list[ReportRow]]:
    """Return rows by their Region, in the order of the rows."""
    found: dict[str, list[ReportRow]] = {}
    for row in rows:
        found.setdefault(row.region, []).append(row)
    return found
