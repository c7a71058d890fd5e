"""Render the page of an analysis as HTML.

Texts from a report are untrusted. They are cleaned, and Jinja2 escapes them. The rows of the list are JSON in which nothing can
end the script element, and the page's script writes text, never HTML. The content security policy allows only the page's own
style and script, and no requests.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from findings_analysis.assessment.scores import EPSS_SCORE, EXPLOIT_SCORE, FIX_SCORES, SEVERITY_SCORES, runs_terms
from findings_analysis.page.consoles import findings_url, resource_url
from findings_analysis.page.localization import TEXTS, PageLocalization, page_localization, zone
from findings_analysis.page.trend import HEIGHT, RUNS, strips
from findings_analysis.reading.bounded_cache import Remembered
from findings_exporter.model.due_dates import DUE_SOON_DAYS
from findings_exporter.model.taxonomy import (
    APPEARED,
    MARKS_CHANGED,
    NO_LONGER_OPEN,
    NOT_OPEN,
    OWN_SCAN_TYPES,
    SCAN_TYPES,
    SEVERITIES,
    STATUS_UNKNOWN,
    STAYED,
)
from findings_exporter.model.text import clean, each_text

PAGE_LANGUAGES = tuple(TEXTS)
MOVES = ("moved", "moved_away")
"""Findings that changed their owner: to this one, and on an owner's page also to another one."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "appeared": APPEARED,
    "no_longer_open": NO_LONGER_OPEN,
    "owner_changed": MOVES,
    "stayed": (*(mark for mark in MARKS_CHANGED if mark not in MOVES), *STAYED[1:]),
    "unknown": (STATUS_UNKNOWN,),
}
"""The kinds of change by group, in the order of the page. Findings that are open and unchanged in both reports are not listed."""
OPEN_GROUPS = frozenset({"appeared", "owner_changed", "stayed"})
"""Groups whose findings are open, so that they can be overdue."""
ACCOUNTS_SHOWN = 50
SHOWN_AT_FIRST = 5
"""Entries of a list that are shown at once: the next section stays near, on a phone too."""
ROWS_AT_FIRST = 10
"""Rows of a table of accounts that are shown at once."""
PLACES_AT_FIRST = 2
"""Resources of an entry that a phone shows at once; a wider screen shows all that the entry has."""
LISTED_IN_GROUP = 25
"""New findings, and findings that are no longer open, that their sections list; the searchable list has all."""
PAGE_TEXT_CHARACTERS = 2_000
"""The longest text from a report; invisible characters are removed from it, as in every message."""
CUT_AFTER = 160
"""A longer text is cut here; a click shows all of it."""

NUMBERS_OF_OWNERS = ("counts", "changes", "due_dates")
_cleaned = Remembered[str, str](lambda text: clean(text, PAGE_TEXT_CHARACTERS))
"""The same names come on the page of the run and on those of its owners, again and again."""
_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_SCRIPT = (_FOLDER / "page.js").read_text(encoding="utf-8")
_ADVISORIES = (
    (re.compile(r"CVE-\d{4}-\d{4,19}", re.ASCII), "https://nvd.nist.gov/vuln/detail/"),
    (re.compile(r"GHSA(-[0-9a-z]{4}){3}", re.ASCII), "https://github.com/advisories/"),
)
_ARN = re.compile(r"arn:[\w-]+:[\w-]+:([\w-]*):(\d*):(.+)", re.ASCII | re.DOTALL)
_CODE_AND_WORDS = re.compile(r"([A-Z][A-Z0-9_]+)(?:: (.*))?", re.ASCII | re.DOTALL)
"""How a reason of Inspector begins: with its code."""
_IMAGE_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_ICON_COLOURS = {"active": "#1a7f4b", "lost": "#c4122f", "unknown": "#b26a00"}
_LISTED_FIELDS = (
    "finding_arn",
    "previous_finding_arn",
    "title",
    "vulnerability_id",
    "severity",
    "previous_severity",
    "owner",
    "previous_owner",
    "due_on",
    "exploit_available",
    "fix_available",
    "first_seen",
    "days_open",
    "priority_score",
    "epss_score",
    "runtime_reachability",
    "in_use_count",
)
"""Of a finding, for the page's script; where one has none it is left out."""
_TEXTS_OF_SCRIPT = ("list.", "kind.", "meaning.", "severity.", "group.", "type.", "fix.", "due.", "runs.", "exploit.", "owner.")


@dataclass(frozen=True, slots=True)
class Row:
    """A bar of a list: what it is of, how many, and its share of the longest one from 0 to 100."""

    name: str
    count: int
    percent: float


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """A row of the table of owners.

    Attributes
    ----------
    name
        None for all owners beyond those that the analysis lists, and for all owners together.
    address
        Of the owner's page, or of the owner's findings in this page's list.
    new, overdue
        None where they are not known: without a baseline, and without due dates.
    """

    name: str | None
    address: str | None
    open: int
    by_severity: Mapping[str, int]
    new: int | None
    overdue: int | None

    @classmethod
    def of(cls, numbers: Mapping[str, Any], name: str | None = None, address: str | None = None) -> Self:
        """Return the row of what the analysis has of an owner, or of several."""
        counts, changes, due = numbers["counts"], numbers["changes"], numbers["due_dates"]
        return cls(
            name,
            address,
            counts["open"],
            counts["by_severity"],
            changes["counts"]["appeared"] if changes else None,
            sum(due["overdue"].values()) if due else None,
        )


@dataclass(frozen=True, slots=True)
class DueSection:
    """Whether a finding is overdue on the day of a run.

    Attributes
    ----------
    days
        By severity, from the day on which a finding was first seen; another severity has no due date.
    """

    today: date
    days: Mapping[str, int]

    @classmethod
    def of(cls, due_dates: Mapping[str, Any] | None) -> Self | None:
        """Return those of an analysis; None where there are none."""
        return cls(date.fromisoformat(due_dates["today"]), due_dates["days"]) if due_dates else None

    def state(self, due_on: str | None, severity: str) -> str:
        """Return ``overdue``, ``soon``, ``later``, ``unknown`` or ``none``."""
        if due_on is None:
            return "unknown" if severity in self.days else "none"
        left = -self.days_overdue(due_on)
        return "overdue" if left < 0 else "soon" if left <= DUE_SOON_DAYS else "later"

    def days_overdue(self, due_on: str) -> int:
        """Return how many days ago a finding was due."""
        return (self.today - date.fromisoformat(due_on)).days


@dataclass(frozen=True, slots=True)
class ChangedGroup:
    """What a section of changed findings shows.

    Attributes
    ----------
    count
        All findings of the group; ``listed`` of them the analysis lists.
    by_severity, kinds
        All of them by severity, the most severe first, and by kind.
    first, rest
        Listed findings, the most severe first: those that are shown at once, and those that open by a click.
    """

    name: str
    count: int
    listed: int
    by_severity: Sequence[tuple[str, int]]
    kinds: Sequence[tuple[str, int]]
    first: Sequence[Mapping[str, Any]]
    rest: Sequence[Mapping[str, Any]]


def render(
    analysis: Mapping[str, Any],
    trend: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    language: str = "en",
    open_findings: Mapping[str, Any] | None = None,
) -> str:
    """Return the page of an analysis as HTML, to be stored as UTF-8.

    Parameters
    ----------
    analysis
        A document of docs/analysis.schema.json; for the page of an owner, one with the numbers of that owner alone.
    trend
        The last runs of this report name, oldest first and this one last: ``started_at`` (ISO 8601), ``outcome``,
        ``by_severity`` of the open findings, which is null for a run without numbers, and ``is_uncertain``: its scan coverage was
        lost or unknown. Only the last 30 are shown.
    facts
        ``deployment`` (``account``, ``region``, ``stack``), ``links`` (``report``, ``analysis``, ``parquet``, ``execution``:
        addresses, or null), ``duration_seconds`` or null, and ``time_zone``, a name of the IANA database. ``owner``: whose page
        it is; null for that of the run. Of an owner's page ``links`` has ``report_page``, the run's page; of the run's page
        ``owner_links`` has the owners' pages by name. ``athena_query``: the saved query of all open findings, or null.
    language
        One of :data:`PAGE_LANGUAGES`.
    open_findings
        ``count`` of all open findings, and ``rows``: those with the highest priority scores.

    Raises
    ------
    ValueError
        The page has no such language.
    """
    say = page_localization(language, facts["time_zone"])
    owner, owner_links = facts.get("owner"), facts.get("owner_links") or {}
    changes = analysis["changes"]
    lists = {kind: _cleaned_findings(listed) for kind, listed in (changes["lists"] if changes else {}).items()}
    # The owners' lists are on their own pages.
    analysis = {**analysis, "owners": _numbers_of(analysis["owners"]), "changes": {**changes, "lists": {}} if changes else None}
    analysis, trend, owner, owner_links = (
        each_text(each, lambda _, text: _cleaned[text]) for each in (analysis, trend, owner, owner_links)
    )
    if changes:
        analysis["changes"]["lists"] = lists
    if open_findings:
        open_findings = {**open_findings, "rows": _cleaned_findings(open_findings["rows"])}
    status = analysis["coverage_status"]
    # Where scan coverage is lost, the page says so in its own words.
    reasons = (
        status["reasons"] if status["state"] == "unknown" or (status["unusual_drop"] and status["state"] == "active") else []
    )
    kinds, due = _kinds(analysis["changes"]), DueSection.of(analysis["due_dates"])
    listed = sum(map(len, analysis["changes"]["lists"].values())) if analysis["changes"] else 0
    listed_by = {"open": len(open_findings["rows"]) if open_findings else 0, "changed": listed}
    page = _TEMPLATE.render(
        say=say,
        language=language,
        owner=owner,
        sections=_sections(analysis, owner, listed_by),
        lists=listed_by,
        open_findings=open_findings,
        due=due,
        due_days=say("separator").join(
            say("due.days", days, severity=say.known("severity", severity))
            for severity, days in (due.days if due else {}).items()
        ),
        owners=_owners(analysis, owner_links),
        analysis=analysis,
        facts=facts,
        style=Markup(_STYLE),  # noqa: S704 - our own file; the policy's hash is of the same text
        script=Markup(_SCRIPT),  # noqa: S704 - our own file; the policy's hash is of the same text
        policy=POLICY,
        icon=_icon(analysis["coverage_status"]["state"]),
        answer=answer(analysis, say),
        reasons=reasons,
        notes=[sentence for sentence in analysis["sentences"] if sentence not in reasons],
        strips=strips(trend, SEVERITIES),
        trend=trend[-RUNS:],
        axis=_axis(trend[-RUNS:], say),
        strip_height=HEIGHT,
        beside_open={status: count for status, count in analysis["statistics"]["by_status"].items() if status in NOT_OPEN},
        groups={name: _group(name, analysis["changes"]) for name in ("appeared", "no_longer_open")},
        recorded=sum(run["by_severity"] is not None for run in trend[-RUNS:]),
        recorded_uncertain=any(run["by_severity"] is not None and run["is_uncertain"] for run in trend[-RUNS:]),
        ages=_rows(analysis["statistics"]["by_age"]),
        age_severities=[severity for severity in SEVERITIES if analysis["statistics"]["by_severity"].get(severity)],
        kinds=kinds,
        changed_severities=_changed_severities(analysis["changes"]),
        names_accounts=len(analysis["statistics"]["by_account"]) > 1,
        tops=_tops(analysis["statistics"]),
        accounts=_accounts(analysis)[:ACCOUNTS_SHOWN],
        accounts_left=max(len(_accounts(analysis)) - ACCOUNTS_SHOWN, 0),
        lacking=_lacking(analysis["coverage"]),
        states=_states(analysis["coverage"]),
        zone_is_known=zone(facts["time_zone"]) is not None,
        data=_data(analysis, open_findings, owner, due, say),
    )
    # A report may hold half a surrogate pair, which no encoding can write.
    return page.encode("utf-8", "replace").decode("utf-8")


def answer(analysis: Mapping[str, Any], say: PageLocalization) -> dict[str, Any]:
    """Return the headline of the page and its numbers.

    Returns
    -------
    dict
        ``headline``, ``open``, ``critical``, ``status_unknown``, ``overdue``, ``due_soon``, ``moved`` and ``moved_away``; and
        ``new``, ``no_longer_open`` and ``new_critical``, which are None without a baseline.
    """
    counts, changes, state = analysis["statistics"], analysis["changes"], analysis["coverage_status"]["state"]
    is_open, critical = counts["open"], counts["by_severity"].get("CRITICAL", 0)
    parts: dict[str, str] = {"open": say("headline.open", is_open), "critical": say("headline.critical", critical)}
    new = no_longer_open = new_critical = None
    status_unknown = changes["counts"][STATUS_UNKNOWN] if changes else 0
    if changes:
        new, no_longer_open = changes["counts"]["appeared"], changes["counts"]["no_longer_open"]
        new_critical = sum(changes["by_severity"][kind].get("CRITICAL", 0) for kind in APPEARED)
        parts |= {"new": say("headline.new", new), "no_longer_open": say("headline.no_longer_open", no_longer_open)}
        parts |= {"status_unknown": say("headline.status_unknown", status_unknown)}
    how = "headline.alone" if not changes else "headline.compared_lost" if status_unknown else "headline.compared"
    headline = say(how, None, **parts)
    if not is_open:
        headline = say("headline.none" if state == "active" else f"headline.none_{state}")
    elif state == "lost":
        headline = say("headline.lost")
    return {
        "headline": headline,
        "open": is_open,
        "critical": critical,
        "status_unknown": status_unknown,
        "new": new,
        "no_longer_open": no_longer_open,
        "new_critical": new_critical,
        "moved": changes["counts"].get("moved", 0) if changes else 0,
        "moved_away": changes["counts"].get("moved_away", 0) if changes else 0,
        "overdue": sum(analysis["due_dates"]["overdue"].values()) if analysis["due_dates"] else 0,
        "due_soon": sum(analysis["due_dates"]["due_soon"].values()) if analysis["due_dates"] else 0,
    }


def score(entry: Mapping[str, Any], say: PageLocalization) -> str:
    """Return how the priority score of a vulnerability adds up, in words.

    What the other parts leave of the score is that of the number of resources.
    """
    epss, severity = entry["epss_score"], entry["severity"]
    parts = [(say.known("severity", severity), SEVERITY_SCORES.get(severity, 0))]
    if entry["exploit_available"] == "YES":
        parts.append((say("fix.exploit"), EXPLOIT_SCORE))
    if epss is not None:
        parts.append((say("fix.epss", share=say.share(epss)), round(EPSS_SCORE * min(max(epss, 0.0), 1.0))))
    runs = runs_terms(entry["runtime_reachability"], entry["in_use_count"])
    parts += [(say(f"fix.{name}"), term) for name, term in runs]
    if entry["fix_available"] in FIX_SCORES:
        parts.append((say.known("fix", entry["fix_available"]), FIX_SCORES[entry["fix_available"]]))
    rest = entry["priority_score"] - sum(score for _, score in parts)
    parts.append((say("fix.resources", entry["resource_count"]), rest))
    terms = [say("fix.term", what=what, score=say.number(score)) for what, score in parts]
    return say("fix.sum", terms=say("fix.plus").join(terms), sum=say.number(entry["priority_score"]))


def scan_types_named(names: Sequence[str], say: PageLocalization) -> str:
    """Return scan types in words; all that an account itself decides on are not listed one by one."""
    if set(names) >= set(OWN_SCAN_TYPES):
        return say("lost.everything")
    return say("separator").join(say.known("scan_type", name) for name in sorted(names, key=lambda name: name == "other"))


def _sections(analysis: Mapping[str, Any], owner: str | None, lists: Mapping[str, int]) -> list[str]:
    """Return the sections of the page, in the order of what to do first. An owner's page leaves out those without data."""
    is_compared = bool(analysis["changes"]) or not owner
    shown = {
        "due": bool(analysis["due_dates"]),
        "new": is_compared,
        "no_longer_open": is_compared,
        "owners": bool(analysis["owners"]),
        "changes": is_compared,
        "findings": any(lists.values()),
        "coverage": not owner,
        "trend": not owner,
    }
    order = (
        "fix", "due", "new", "no_longer_open", "owners", "changes", "findings", "coverage", "trend", "age", "where", "facts",
    )  # fmt: skip
    return [section for section in order if shown.get(section, True)]


def _owners(analysis: Mapping[str, Any], links: Mapping[str, str]) -> list[OwnerRow]:
    """Return the owners, those with the most overdue and then the most open findings first; then the rest, and all together."""
    if not analysis["owners"]:
        return []
    rows = [
        OwnerRow.of(numbers, name, links[name] if _is_address(links.get(name)) else list_address(owner=name))
        for name, numbers in analysis["owners"].items()
    ]
    rows.sort(key=lambda row: (-(row.overdue or 0), -row.open, row.name))
    if beyond := analysis["owners_left_out"]:
        rows.append(OwnerRow.of(beyond))
    everything = {"counts": analysis["statistics"], "changes": analysis["changes"], "due_dates": analysis["due_dates"]}
    return [*rows, OwnerRow.of(everything)]


def list_address(**chosen: str) -> str:
    """Return the address of findings in the page's own list: what its script reads."""
    return f"#{urlencode({'list': 'open'} | chosen)}"


def _group(name: str, changes: Mapping[str, Any] | None) -> ChangedGroup:
    kinds = GROUPS[name] if changes else ()
    rows: list[dict[str, Any]] = []
    by_severity = dict.fromkeys(SEVERITIES, 0)
    counts: list[tuple[str, int]] = []
    for kind in kinds:
        assert changes  # for the type checker: without changes there are no kinds here
        rows += [{**row, "kind": kind, "group": name} for row in changes["lists"][kind]]
        counts.append((kind, changes["counts"][kind]))
        for severity, count in changes["by_severity"][kind].items():
            by_severity[severity] = by_severity.get(severity, 0) + count
    rows.sort(key=lambda row: (_rank(row["severity"]), not row["exploit_available"]))
    return ChangedGroup(
        name,
        sum(count for _, count in counts),
        len(rows),
        [(severity, count) for severity, count in by_severity.items() if count],
        [(kind, count) for kind, count in counts if count],
        rows[:SHOWN_AT_FIRST],
        rows[SHOWN_AT_FIRST:LISTED_IN_GROUP],
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _code_and_words(why: str) -> tuple[str, str]:
    """Return the code that a reason begins with, or nothing, and the rest of it."""
    found = _CODE_AND_WORDS.fullmatch(why)
    return (found[1], found[2] or "") if found else ("", why)


def _axis(trend: Sequence[Mapping[str, Any]], say: PageLocalization) -> list[str]:
    """Return the ends of the trend: days, or times where all of it is of one day."""
    ends = list(dict.fromkeys(run["started_at"] for run in [*trend[:1], *trend[-1:]]))
    days = [say.day(end) for end in ends]
    return days if len(set(days)) == len(days) else [say.time(end) for end in ends]


def _kinds(changes: Mapping[str, Any] | None) -> list[tuple[str, list[tuple[str, int, Mapping[str, int]]]]]:
    """Return the groups of kinds that have changes, each with its kinds, their numbers and those by severity."""
    if changes is None:
        return []
    counts, by_severity = changes["counts"], changes["by_severity"]
    groups = [
        (group, [(kind, counts[kind], by_severity.get(kind, {})) for kind in kinds if counts.get(kind)])
        for group, kinds in GROUPS.items()
    ]
    return [(group, kinds) for group, kinds in groups if kinds]


def _changed_severities(changes: Mapping[str, Any] | None) -> list[str]:
    found = {severity for by_severity in (changes or {"by_severity": {}})["by_severity"].values() for severity in by_severity}
    return [severity for severity in SEVERITIES if severity in found or severity in {"CRITICAL", "HIGH", "MEDIUM", "LOW"}]


def _rows(counts: Mapping[str, int]) -> list[Row]:
    most = max(counts.values(), default=0) or 1
    return [Row(name, count, round(100 * count / most, 1)) for name, count in counts.items()]


def _tops(counts: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    """Return the lists of the most frequent names."""
    tops = [
        (name, counts.get("top", {}).get(name, [])[:10]) for name in ("repositories", "resources", "vulnerabilities", "packages")
    ]
    types = dict(list(counts["by_resource_type"].items())[:10])
    named = [(name, {entry["name"]: entry["findings"] for entry in entries}) for name, entries in tops if entries]
    return [(name, _rows(entries)) for name, entries in [*named, ("resource_types", types)]]


def _accounts(analysis: Mapping[str, Any]) -> list[tuple[str, int, Mapping[str, int]]]:
    """Return all accounts with findings or changes, those with the most findings first."""
    counted = analysis["statistics"]["by_account"]
    changed = (analysis["changes"] or {}).get("by_account", {})
    found = [(account, counted.get(account, 0), changed.get(account, {})) for account in {**counted, **changed}]
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))


def _cleaned_findings(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return findings with cleaned texts; the names of their fields are ours, and there may be tens of thousands."""
    return [
        {name: _cleaned[value] if isinstance(value, str) else value for name, value in row.items()}
        | {"packages": [{name: value and _cleaned[value] for name, value in each.items()} for each in row["packages"]]}
        for row in rows
    ]


def _numbers_of(owners: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]] | None:
    if owners is None:
        return None
    return {owner: {name: each[name] for name in NUMBERS_OF_OWNERS} for owner, each in owners.items()}


def _states(coverage: Mapping[str, Any]) -> dict[str, int]:
    states = [account["state"] for account in coverage["accounts"].values()]
    return {state: states.count(state) for state in ("on", "off", "unknown")}


def _lacking(coverage: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], list[str]]]:
    """Return the accounts without full coverage, with their deactivated scan types."""
    found = []
    for account, each in coverage["accounts"].items():
        off = [scan_type for scan_type in SCAN_TYPES if each["scan_types"].get(scan_type) == "off"]
        if each["state"] != "on" or off:
            found.append((account, each, off))
    return sorted(found, key=lambda entry: (entry[1]["state"] == "on", entry[0]))


class _Data:
    """Collects the rows of the page's script; what they have in common stands once: resources, days, consoles."""

    def __init__(self, due: DueSection | None, say: PageLocalization) -> None:
        self._due, self._say = due, say
        self.rows: list[dict[str, Any]] = []
        self.resources: dict[tuple[Any, ...], int] = {}
        self.days: dict[str, str] = {}
        self.consoles: dict[str, str] = {}

    def add(self, finding: Mapping[str, Any], *, is_open: bool = True, **place: str) -> None:
        """Take a finding; only an open one is due."""
        row = {name: finding[name] for name in _LISTED_FIELDS if finding.get(name) is not None and finding[name] is not False}
        row["packages"] = [[each["name"], each["installed_version"], each["fixed_version"]] for each in finding["packages"]]
        row["resource"] = self.resources.setdefault(_resource_of(finding), len(self.resources))
        for day in filter(None, (finding["first_seen"], finding["due_on"])):
            if day not in self.days:
                self.days[day] = self._say.day(day)
        if self._due and is_open:
            row["due"] = self._due.state(finding["due_on"], finding["severity"])
        if arn := finding["finding_arn"]:
            key = ":".join(arn.split(":", 4)[:4])
            if key not in self.consoles and (address := findings_url(arn)):
                self.consoles[key] = address
        self.rows.append(row | place)


_RESOURCE_FIELDS = ("name", "resource_id", "resource_type", "account_id", "region", "console")


def _resource_of(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("resource", "resource_id", "resource_type", "account_id", "region")
    return (*(finding[name] for name in names), resource_url(finding))


def _data(
    analysis: Mapping[str, Any],
    open_findings: Mapping[str, Any] | None,
    owner: str | None,
    due: DueSection | None,
    say: PageLocalization,
) -> Markup:
    """Return the data of the page's script as JSON that is safe inside a script element."""
    made, changes = _Data(due, say), analysis["changes"]
    for row in open_findings["rows"] if open_findings else ():
        made.add(row, list="open")
    for group, kinds in GROUPS.items():
        for kind in kinds if changes else ():
            for listed in changes["lists"].get(kind, ()):
                made.add(listed, is_open=group in OPEN_GROUPS, list="changed", kind=kind, group=group)
    report = analysis["report"]
    data = {
        "rows": made.rows,
        "resources": [
            {field: value for field, value in zip(_RESOURCE_FIELDS, each, strict=True) if value} for each in made.resources
        ],
        "days": made.days,
        "consoles": made.consoles,
        "lists": [name for name in ("open", "changed") if any(row["list"] == name for row in made.rows)],
        "groups": list(GROUPS),
        "severities": SEVERITIES,
        "has_due_dates": due is not None,
        "owner": owner,
        "has_owners": any(row.get("owner") not in {None, owner} for row in made.rows),
        "file": re.sub(r"[^A-Za-z0-9_-]+", "-", report["name"])[:60] + f"-{report['started_at'][:10]}",
        "cut_after": CUT_AFTER,
        "texts": {key: text for key, text in say.texts.items() if key.startswith(_TEXTS_OF_SCRIPT)},
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # Inside JSON these stand in strings only, where an escape means the same; outside a string none of them occurs.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - nothing in it can end the element


def _icon(state: str) -> str:
    circle = f'<circle cx="4.5" cy="4.5" r="4" fill="{_ICON_COLOURS[state]}"/>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{circle}</svg>'
    return f"data:image/svg+xml,{quote(drawing)}"


def _advisory(vulnerability_id: str | None) -> str | None:
    """Return the public page of a vulnerability; None for what is no well-known id."""
    for pattern, address in _ADVISORIES:
        if vulnerability_id and pattern.fullmatch(vulnerability_id):
            return address + vulnerability_id
    return None


def _resource(name: str) -> tuple[str, str]:
    """Return the short name of a resource, and the account and Region of its ARN. An image's digest is cut to 12 digits."""
    if found := _ARN.fullmatch(name):
        region, account, resource = found.groups()
        return _IMAGE_DIGEST.sub(r"\1…", resource), " · ".join(filter(None, (account, region)))
    return name, ""


def _image(name: str | None) -> str:
    """Return the short digest of an image's ARN, which tells two images of a repository apart; nothing for what is no image."""
    found = _IMAGE_DIGEST.search(name or "")
    return found[1] if found else ""


def _package(package: Mapping[str, Any]) -> str:
    """Return a package with the version that is installed, and the one that fixes it."""
    fixed = package["fixed_version"]
    return " ".join(filter(None, (package["name"], package["installed_version"], fixed and f"→ {fixed}")))


def _rest_of_title(finding: Mapping[str, Any]) -> str:
    """Return a title without the vulnerability's id, with which Inspector begins most titles."""
    return (finding["title"] or "").removeprefix(finding["vulnerability_id"] or "").removeprefix(" - ")


def _is_address(link: object) -> bool:
    return isinstance(link, str) and link.startswith("https://")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The content security policy: the page's own style and script, its icon, and nothing else."""

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.tests["address"] = _is_address
_ENVIRONMENT.filters["advisory"] = _advisory
_ENVIRONMENT.filters["resource"] = _resource
_ENVIRONMENT.filters["rest_of_title"] = _rest_of_title
_ENVIRONMENT.filters["package"] = _package
_ENVIRONMENT.filters["image"] = _image
_ENVIRONMENT.filters["console"] = resource_url
_ENVIRONMENT.filters["code_and_words"] = _code_and_words
_ENVIRONMENT.globals["cut_after"] = CUT_AFTER
_ENVIRONMENT.globals["shown_at_first"] = SHOWN_AT_FIRST
_ENVIRONMENT.globals["rows_at_first"] = ROWS_AT_FIRST
_ENVIRONMENT.globals["places_at_first"] = PLACES_AT_FIRST
_ENVIRONMENT.globals["score"] = score
_ENVIRONMENT.globals["runs_terms"] = runs_terms
_ENVIRONMENT.globals["list_address"] = list_address
_ENVIRONMENT.globals["scan_types_named"] = scan_types_named
_ENVIRONMENT.globals["worst_first"] = SEVERITIES
_TEMPLATE = _ENVIRONMENT.get_template("page.html.j2")
