"""Render the page of an analysis as HTML.

Texts from a report are untrusted. They are cleaned, and Jinja2 escapes them. The rows of the list are JSON in which nothing can
end the script element, and the page's script writes text, never HTML. The content security policy allows only the page's own
style and script, and no requests.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from findings_analysis.assessment.priorities import EPSS_POINTS, EXPLOIT_POINTS, FIX_POINTS, SEVERITY_POINTS
from findings_analysis.comparison.difference import APPEARED, GONE, LISTED_KINDS, MARKS_CHANGED, STAYED, UNKNOWN
from findings_analysis.comparison.fingerprints import OWN_SCAN_TYPES, SCAN_TYPES, SEVERITIES, STATUSES
from findings_analysis.page.localization import TEXTS, Words, words, zone
from findings_analysis.page.trend import HEIGHT, RUNS, strips
from findings_exporter.model.text import clean, each_text

LANGUAGES = tuple(TEXTS)
WORST_FIRST = tuple(reversed(SEVERITIES))
GROUPS: Mapping[str, tuple[str, ...]] = {
    "appeared": APPEARED,
    "gone": GONE,
    "stayed": (*MARKS_CHANGED, *STAYED[1:]),
    "unknown": (UNKNOWN,),
}
"""The kinds of change by group, in the order of the page. Findings that are open and unchanged in both reports are not listed."""
ACCOUNTS_SHOWN = 50
SHOWN_AT_FIRST = 5
"""Entries of a list that are shown at once: the next section stays near, on a phone too."""
ROWS_AT_FIRST = 10
"""Rows of a table of accounts that are shown at once."""
LISTED_IN_GROUP = 25
"""New findings, and findings that are no longer open, that their sections list; the searchable list has all."""
TEXT_CHARACTERS = 2_000
"""The longest text from a report; invisible characters are removed from it, as in every message."""
CUT_AFTER = 160
"""A longer text is cut here; a click shows all of it."""

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
_ICON_COLOURS = {"good": "#1a7f4b", "dark": "#c4122f", "unknown": "#b26a00"}
_LISTED_FIELDS = (
    "finding_arn",
    "previous_finding_arn",
    "title",
    "vulnerability_id",
    "packages",
    "account_id",
    "region",
    "resource_type",
    "resource",
    "severity",
    "previous_severity",
    "exploit_known",
    "fix_available",
    "first_seen",
    "days_open",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A bar of a list: what it is of, how many, and its share of the longest one from 0 to 100."""

    name: str
    count: int
    percent: float


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


def render(digest: Mapping[str, Any], trend: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], language: str = "en") -> str:
    """Return the page of an analysis as HTML, to be stored as UTF-8.

    Parameters
    ----------
    digest
        A document of docs/digest.schema.json.
    trend
        The last runs of this report name, oldest first and this one last: ``started_at`` (ISO 8601), ``outcome``,
        ``by_severity`` of the open findings, which is null for a run without numbers, and ``is_dark``: scan coverage was lost
        or unknown. Only the last 30 are shown.
    facts
        ``deployment`` (``account``, ``region``, ``stack``), ``links`` (``report``, ``digest``, ``parquet``, ``execution``:
        addresses, or null), ``duration_seconds`` or null, and ``time_zone``, a name of the IANA database.
    language
        One of :data:`LANGUAGES`.

    Raises
    ------
    ValueError
        The page has no such language.
    """
    say = words(language, facts["time_zone"])
    digest, trend = (each_text(each, lambda _, text: clean(text, TEXT_CHARACTERS)) for each in (digest, trend))
    status = digest["verdict"]
    # Where scan coverage is lost, the page says so in its own words.
    reasons = status["reasons"] if status["state"] == "unknown" or (status["sudden_fall"] and status["state"] == "good") else []
    page = _TEMPLATE.render(
        say=say,
        language=language,
        digest=digest,
        facts=facts,
        style=Markup(_STYLE),  # noqa: S704 - our own file; the policy's hash is of the same text
        script=Markup(_SCRIPT),  # noqa: S704 - our own file; the policy's hash is of the same text
        policy=POLICY,
        icon=_icon(digest["verdict"]["state"]),
        answer=answer(digest, say),
        reasons=reasons,
        notes=[sentence for sentence in digest["sentences"] if sentence not in reasons],
        strips=strips(trend, WORST_FIRST),
        trend=trend[-RUNS:],
        axis=_axis(trend[-RUNS:], say),
        strip_height=HEIGHT,
        beside_open={status: count for status, count in digest["counts"]["by_status"].items() if status in STATUSES},
        groups={name: _group(name, digest["changes"]) for name in ("appeared", "gone")},
        listed=sum(map(len, digest["changes"]["lists"].values())) if digest["changes"] else 0,
        recorded=any(run["by_severity"] is not None for run in trend[-RUNS:]),
        recorded_uncertain=any(run["by_severity"] is not None and run["is_dark"] for run in trend[-RUNS:]),
        ages=_rows(digest["counts"]["by_age"]),
        age_severities=[severity for severity in WORST_FIRST if digest["counts"]["by_severity"].get(severity)],
        kinds=_kinds(digest["changes"]),
        changed_severities=_changed_severities(digest["changes"]),
        tops=_tops(digest["counts"]),
        accounts=_accounts(digest)[:ACCOUNTS_SHOWN],
        accounts_left=max(len(_accounts(digest)) - ACCOUNTS_SHOWN, 0),
        lacking=_lacking(digest["coverage"]),
        states=_states(digest["coverage"]),
        zone_is_known=zone(facts["time_zone"]) is not None,
        data=_data(digest, say),
    )
    # A report may hold half a surrogate pair, which no encoding can write.
    return page.encode("utf-8", "replace").decode("utf-8")


def answer(digest: Mapping[str, Any], say: Words) -> dict[str, Any]:
    """Return the headline of the page and its numbers.

    Returns
    -------
    dict
        ``headline``, ``open``, ``critical``, ``not_looked_at``, and ``new``, ``gone``, ``new_critical``, which are None without a
        baseline.
    """
    counts, changes, state = digest["counts"], digest["changes"], digest["verdict"]["state"]
    is_open, critical = counts["open"], counts["by_severity"].get("CRITICAL", 0)
    parts: dict[str, str] = {"open": say("headline.open", is_open), "critical": say("headline.critical", critical)}
    new = gone = new_critical = None
    not_looked_at = changes["counts"][UNKNOWN] if changes else 0
    if changes:
        new, gone = changes["counts"]["appeared"], changes["counts"]["gone"]
        new_critical = sum(changes["by_severity"][kind].get("CRITICAL", 0) for kind in APPEARED)
        parts |= {"new": say("headline.new", new), "gone": say("headline.gone", gone)}
        parts |= {"not_looked_at": say("headline.not_looked_at", not_looked_at)}
    how = "headline.alone" if not changes else "headline.compared_dark" if not_looked_at else "headline.compared"
    headline = say(how, None, **parts)
    if not is_open:
        headline = say("headline.none" if state == "good" else f"headline.none_{state}")
    elif state == "dark":
        headline = say("headline.dark")
    return {
        "headline": headline,
        "open": is_open,
        "critical": critical,
        "not_looked_at": not_looked_at,
        "new": new,
        "gone": gone,
        "new_critical": new_critical,
    }


def score(entry: Mapping[str, Any], say: Words) -> str:
    """Return how the priority score of a vulnerability adds up, in words.

    What the other parts leave of the score is that of the number of resources.
    """
    epss, severity = entry["epss_score"], entry["severity"]
    parts = [(say.known("severity", severity), SEVERITY_POINTS.get(severity, 0))]
    if entry["exploit_available"] == "YES":
        parts.append((say("fix.exploit"), EXPLOIT_POINTS))
    if epss is not None:
        parts.append((say("fix.epss", share=say.share(epss)), round(EPSS_POINTS * min(max(epss, 0.0), 1.0))))
    if entry["fix_available"] in FIX_POINTS:
        parts.append((say.known("fix", entry["fix_available"]), FIX_POINTS[entry["fix_available"]]))
    rest = entry["points"] - sum(points for _, points in parts)
    parts.append((say("fix.resources", entry["resources"]), rest))
    terms = [say("fix.term", what=what, points=say.number(points)) for what, points in parts]
    return say("fix.sum", terms=say("fix.plus").join(terms), sum=say.number(entry["points"]))


def scan_types_named(names: Sequence[str], say: Words) -> str:
    """Return scan types in words; all that an account itself decides on are not listed one by one."""
    if set(names) >= set(OWN_SCAN_TYPES):
        return say("dark.everything")
    return say("separator").join(say.known("scan_type", name) for name in sorted(names, key=lambda name: name == "other"))


def _group(name: str, changes: Mapping[str, Any] | None) -> ChangedGroup:
    kinds = GROUPS[name] if changes else ()
    rows: list[dict[str, Any]] = []
    by_severity = dict.fromkeys(WORST_FIRST, 0)
    counts: list[tuple[str, int]] = []
    for kind in kinds:
        assert changes  # for the type checker: without changes there are no kinds here
        rows += [{**row, "kind": kind} for row in changes["lists"][kind]]
        counts.append((kind, changes["counts"][kind]))
        for severity, count in changes["by_severity"][kind].items():
            by_severity[severity] = by_severity.get(severity, 0) + count
    rows.sort(key=lambda row: (_rank(row["severity"]), not row["exploit_known"]))
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
    return WORST_FIRST.index(severity) if severity in WORST_FIRST else len(WORST_FIRST)


def _code_and_words(why: str) -> tuple[str, str]:
    """Return the code that a reason begins with, or nothing, and the rest of it."""
    found = _CODE_AND_WORDS.fullmatch(why)
    return (found[1], found[2] or "") if found else ("", why)


def _axis(trend: Sequence[Mapping[str, Any]], say: Words) -> list[str]:
    """Return the ends of the trend: days, or times where all of it is of one day."""
    ends = list(dict.fromkeys(run["started_at"] for run in [*trend[:1], *trend[-1:]]))
    days = [say.day(end) for end in ends]
    return days if len(set(days)) == len(days) else [say.time(end) for end in ends]


def _kinds(changes: Mapping[str, Any] | None) -> list[tuple[str, list[tuple[str, int, Mapping[str, int]]]]]:
    """Return the groups of kinds that have changes, each with its kinds, their numbers and those by severity."""
    if changes is None:
        return []
    groups = [
        (group, [(kind, changes["counts"][kind], changes["by_severity"][kind]) for kind in kinds if changes["counts"][kind]])
        for group, kinds in GROUPS.items()
    ]
    return [(group, kinds) for group, kinds in groups if kinds]


def _changed_severities(changes: Mapping[str, Any] | None) -> list[str]:
    found = {severity for by_severity in (changes or {"by_severity": {}})["by_severity"].values() for severity in by_severity}
    return [severity for severity in WORST_FIRST if severity in found or severity in {"CRITICAL", "HIGH", "MEDIUM", "LOW"}]


def _rows(counts: Mapping[str, int]) -> list[Row]:
    most = max(counts.values(), default=0) or 1
    return [Row(name, count, round(100 * count / most, 1)) for name, count in counts.items()]


def _tops(counts: Mapping[str, Any]) -> list[tuple[str, list[Row], int]]:
    """Return the lists of the most frequent names, and by how much each of their numbers can be too low."""
    found: list[tuple[str, list[Row], int]] = []
    for name in ("repositories", "resources", "vulnerabilities", "packages"):
        if top := counts.get("top", {}).get(name):
            entries = {entry["name"]: entry["findings"] for entry in top["entries"][:10]}
            found.append((name, _rows(entries), top["too_low_by_at_most"]))
    found.append(("resource_types", _rows(dict(list(counts["by_resource_type"].items())[:10])), 0))
    return found


def _accounts(digest: Mapping[str, Any]) -> list[tuple[str, int, Mapping[str, int]]]:
    """Return all accounts with findings or changes, those with the most findings first."""
    counted = digest["counts"]["by_account"]
    changed = digest["changes"]["by_account"] if digest["changes"] else {}
    found = [(account, counted.get(account, 0), changed.get(account, {})) for account in {**counted, **changed}]
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))


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


def _data(digest: Mapping[str, Any], say: Words) -> Markup:
    """Return the data of the page's script as JSON that is safe inside a script element."""
    rows: list[dict[str, Any]] = []
    days: dict[str, str] = {}
    changes = digest["changes"]
    for group, kinds in GROUPS.items():
        for kind in kinds if changes else ():
            for listed in changes["lists"][kind]:
                first_seen = listed["first_seen"]
                days.setdefault(first_seen, say.day(first_seen))
                row = {name: listed[name] for name in _LISTED_FIELDS if listed[name]}
                rows.append(row | {"kind": kind, "group": group})
    data = {
        "rows": rows,
        "days": days,
        "severities": WORST_FIRST,
        "kinds": list(LISTED_KINDS),
        "cut_after": CUT_AFTER,
        "texts": {
            key: text
            for key, text in say.texts.items()
            if key.startswith(
                ("list.", "kind.", "meaning.", "severity.", "group.", "type.", "fix.YES", "fix.PARTIAL", "fix.NO", "fix.expl")
            )
        },
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
_ENVIRONMENT.filters["code_and_words"] = _code_and_words
_ENVIRONMENT.globals["cut_after"] = CUT_AFTER
_ENVIRONMENT.globals["shown_at_first"] = SHOWN_AT_FIRST
_ENVIRONMENT.globals["rows_at_first"] = ROWS_AT_FIRST
_ENVIRONMENT.globals["score"] = score
_ENVIRONMENT.globals["scan_types_named"] = scan_types_named
_ENVIRONMENT.globals["worst_first"] = WORST_FIRST
_TEMPLATE = _ENVIRONMENT.get_template("page.html.j2")
