"""How many findings a filter matches: exactly, or at least. Nothing is extrapolated.

Findings are listed (ListFindings) with the filter that the report would have. What does not end on the first page is counted by
Inspector, where an aggregation by account (ListFindingAggregations) says the same as the filter; else it is listed on, within
bounds of pages and time [AWS: Inspector API reference and service model].
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ConnectionClosedError

from findings_exporter.aws.attempts import READ_MARGIN, Attempts, Unread
from findings_exporter.aws.inspector import ACTIVE
from findings_exporter.model.errors import THROTTLED
from findings_exporter.model.filter_criteria import aggregation_values
from findings_exporter.model.notes import Note
from findings_exporter.model.taxonomy import SEVERITIES

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client

type CountedBy = Literal["ListFindings", "ListFindingAggregations"]
type StoppedBy = Literal["pages", "time", "throttled", "denied", "failed"]

PAGE_FINDINGS, COUNTED_PAGES = 100, 100
"""The largest page [AWS: ListFindings], and how many are read: 10,000 findings, if Inspector fills them."""
AGGREGATION_PAGES = 100
"""Of a hundred accounts."""
COUNT_TIME = timedelta(seconds=20)
"""After which no further page is asked for: with the longest read it still fits into the function's minute."""
SHOWN_FINDINGS = 10
OTHER = SEVERITIES[-1]


@dataclass(frozen=True, slots=True)
class Count:
    """How many findings match.

    Attributes
    ----------
    by_severity
        All severities, the worst first.
    stopped_by
        What ended the count early, so that at least so many match; None where the number is exact.
    why
        The same for people; empty where the number is exact.
    """

    by_severity: Mapping[str, int]
    counted_by: CountedBy
    stopped_by: StoppedBy | None = None
    why: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether so many match, neither more nor fewer."""
        return self.stopped_by is None

    @property
    def total(self) -> int:
        """How many match, or at least match."""
        return sum(self.by_severity.values())


@dataclass(frozen=True, slots=True)
class Matches:
    """What a filter matches: how many findings, and the worst of those that were listed first."""

    count: Count
    findings: tuple[Mapping[str, Any], ...] = ()


def matches(client: "Inspector2Client", filter_criteria: Mapping[str, Any], attempts: Attempts) -> Matches:
    """Count the findings that a report with a filter would have.

    Parameters
    ----------
    filter_criteria
        As CreateFindingsReport takes them.
    attempts
        With the end of the function; counting ends earlier.
    """
    bounded = replace(attempts, until=min(attempts.until, attempts.now() + COUNT_TIME + READ_MARGIN))
    listing = Listing(client, {**ACTIVE, **filter_criteria}, bounded)
    first = listing.count(1)
    if first.is_exact:
        return Matches(first, listing.worst())
    aggregation = aggregation_of(filter_criteria)
    # A number that the listed findings contradict is not understood.
    if aggregation and (counted := aggregated(client, aggregation, bounded)) and is_at_least(counted, first):
        return Matches(counted, listing.worst())
    return Matches(first if first.stopped_by != "pages" else listing.count(COUNTED_PAGES), listing.worst())


def is_at_least(count: Count, other: Count) -> bool:
    """Return whether a count has no fewer findings of any severity than another one."""
    return all(count.by_severity[severity] >= number for severity, number in other.by_severity.items())


@dataclass(slots=True)
class Listing:
    """ListFindings, page by page."""

    client: "Inspector2Client"
    criteria: Mapping[str, Any]
    attempts: Attempts
    severities: dict[str, str] = field(default_factory=dict)
    """By ARN: pages shift while findings change, and what comes twice counts once."""
    first: list[Mapping[str, Any]] = field(default_factory=list)
    pages: int = 0
    token: str | None = None

    def count(self, most_pages: int) -> Count:
        """List on until the end, or until so many pages have been read in all."""
        while self.pages < most_pages:
            answer = self.attempts.read(self._page)
            if answer is None or isinstance(answer, Unread):
                return self._counted(answer or Unread(Note("why.no_page")))
            self.pages += 1
            found = answer["findings"]
            self.first = self.first or found
            self.severities |= {each["findingArn"]: each.get("severity", OTHER) for each in found}
            self.token = answer.get("nextToken")
            if not self.token:
                return self._counted()
        return Count(self._by_severity(), "ListFindings", "pages", Note("count.pages", pages=self.pages))

    def worst(self) -> tuple[Mapping[str, Any], ...]:
        """Return the worst findings of the first page."""
        return tuple(sorted(self.first, key=lambda each: SEVERITIES.index(_severity(each.get("severity")))))[:SHOWN_FINDINGS]

    def _page(self) -> Mapping[str, Any]:
        request: Any = {"filterCriteria": self.criteria, "maxResults": PAGE_FINDINGS}
        answer = self.client.list_findings(**request | ({"nextToken": self.token} if self.token else {}))
        # A connection that breaks within the answer can leave an empty one, and botocore takes it for a whole one.
        if "findings" not in answer:
            raise ConnectionClosedError(endpoint_url=self.client.meta.endpoint_url)
        return answer

    def _counted(self, unread: Unread | None = None) -> Count:
        if unread is None:
            return Count(self._by_severity(), "ListFindings")
        return Count(self._by_severity(), "ListFindings", _stopped_by(unread), unread.why)

    def _by_severity(self) -> dict[str, int]:
        counts = Counter(map(_severity, self.severities.values()))
        return {severity: counts[severity] for severity in SEVERITIES}


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What ListFindingAggregations is asked for, so that it says the same as a filter.

    Attributes
    ----------
    severities
        Those that count; empty where all do.
    """

    accounts: tuple[str, ...] = ()
    finding_type: str = ""
    resource_type: str = ""
    severities: frozenset[str] = frozenset()

    def request(self) -> dict[str, Any]:
        """Return the arguments of the call."""
        confined = {"findingType": self.finding_type, "resourceType": self.resource_type}
        within = {name: value for name, value in confined.items() if value}
        accounts = [{"comparison": "EQUALS", "value": account} for account in self.accounts]
        return {
            "aggregationType": "ACCOUNT",
            "maxResults": PAGE_FINDINGS,
            **({"accountIds": accounts} if accounts else {}),
            **({"aggregationRequest": {"accountAggregation": within}} if within else {}),
        }


def aggregation_of(filter_criteria: Mapping[str, Any]) -> Aggregation | None:
    """Return the aggregation that says the same as a filter; None where there is none, or where that is not certain."""
    known = {"awsAccountId", "findingStatus", "findingType", "resourceType", "severity"}
    if not known >= filter_criteria.keys():
        return None
    if any(each["comparison"] != "EQUALS" for filters in filter_criteria.values() for each in filters):
        return None
    values = {name: {each["value"] for each in filters} for name, filters in filter_criteria.items()}
    # Whether an aggregation has a way to count what is suppressed or closed is not documented.
    if values.get("findingStatus", {"ACTIVE"}) != {"ACTIVE"}:
        return None
    single = {}
    for name in ("findingType", "resourceType"):
        wanted = values.get(name, set())
        if len(wanted) > 1 or not wanted <= {*aggregation_values(name)}:
            return None
        single[name] = next(iter(wanted), "")
    accounts, severities = tuple(sorted(values.get("awsAccountId", ()))), frozenset(values.get("severity", ()))
    return Aggregation(accounts, single["findingType"], single["resourceType"], severities)


def aggregated(client: "Inspector2Client", aggregation: Aggregation, attempts: Attempts) -> Count | None:
    """Let Inspector count; None where its answer does not come, does not end, or is not understood."""
    request: Any = aggregation.request()
    by_account: dict[str, Mapping[str, int]] = {}
    for _ in range(AGGREGATION_PAGES):
        answer = attempts.read(partial(client.list_finding_aggregations, **request))
        if answer is None or isinstance(answer, Unread):
            return None
        for each in answer.get("responses") or []:
            row = each.get("accountAggregation")
            if row is None or not row.get("accountId") or "severityCounts" not in row:
                return None
            by_account[row["accountId"]] = row["severityCounts"]  # type: ignore[assignment]
        if not answer.get("nextToken"):
            return _sum(by_account, aggregation) if "responses" in answer else None
        request = {**request, "nextToken": answer["nextToken"]}
    return None


def _sum(by_account: Mapping[str, Mapping[str, int]], aggregation: Aggregation) -> Count | None:
    """Add up the accounts; None where a number is missing, or where the parts are more than the whole."""
    counts: Counter[str] = Counter()
    for numbers in by_account.values():
        named = {severity: numbers.get(severity.lower()) for severity in SEVERITIES[:-1]}
        parts = sum(filter(None, named.values()))
        rest = numbers.get("all", parts) - parts
        if rest < 0 or (rest and None in named.values()):
            return None
        counts.update({severity: number or 0 for severity, number in named.items()} | {OTHER: rest})
    wanted = aggregation.severities or {*SEVERITIES}
    return Count({each: counts[each] if each in wanted else 0 for each in SEVERITIES}, "ListFindingAggregations")


def _severity(word: str | None) -> str:
    return word if word in SEVERITIES else OTHER


def _stopped_by(unread: Unread) -> StoppedBy:
    if unread.is_refused:
        return "denied"
    if unread.code in THROTTLED:
        return "throttled"
    return "time" if isinstance(unread.why, Note) and unread.why.name == "why.no_time" else "failed"
