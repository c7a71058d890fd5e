"""How many findings a filter matches, by both ways of counting, compared with counts by hand-written predicates."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from findings_exporter.aws.attempts import READ_MARGIN, Attempts
from findings_exporter.aws.inspector import ACTIVE
from findings_exporter.model.filter_criteria import aggregation_values, resolve
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.preview import counting
from findings_exporter.preview.counting import Aggregation, Count, Listing, aggregated, aggregation_of, matches
from tests.builders.exporter import START, Clock, client_error, minutes
from tests.builders.inspector_findings import FakeFindings
from tests.local_aws.emulator.inspector.findings import generate

type Finding = Mapping[str, Any]
type Predicate = Callable[[Finding], bool]

ACCOUNTS = ("111122223333", "222233334444", "444455556666")
NOW = START.timestamp()
DAY = 86_400
FINDINGS = generate(700, seed="preview", now=NOW, accounts=ACCOUNTS, region="eu-west-1")
FILTERS = 200
TIME: Attempts = Attempts(lambda: START, minutes(5))
THROTTLED = client_error("ThrottlingException", 429, "ListFindings", "Rate exceeded")
DENIED = client_error("AccessDeniedException", 403, "ListFindings", "not authorized")
BROKEN = client_error("InternalServerException", 500, "ListFindings", "Internal failure")


def entries(comparison: str, *values: str) -> list[dict[str, str]]:
    """The entries of a filter of text."""
    return [{"comparison": comparison, "value": value} for value in values]


def resource(finding: Finding) -> Mapping[str, Any]:
    """The one resource of a generated finding."""
    (found,) = finding["resources"]
    return dict(found)


def drawn(random: Random) -> tuple[dict[str, Any], Predicate]:
    """A random filter, and by hand what it means: written without the emulator's matcher."""
    severities = random.sample(SEVERITIES[:-1], random.randint(1, 4))
    accounts = random.sample(ACCOUNTS, random.randint(1, 2))
    kinds = ("PACKAGE_VULNERABILITY", "NETWORK_REACHABILITY", "CODE_VULNERABILITY")
    types = random.sample(kinds, random.choice((1, 1, 1, 2)))
    resources = random.sample(("AWS_EC2_INSTANCE", "AWS_ECR_CONTAINER_IMAGE", "AWS_LAMBDA_FUNCTION"), random.choice((1, 1, 2)))
    statuses = random.choice((["ACTIVE"], ["ACTIVE", "SUPPRESSED"], ["CLOSED"]))
    score, probability, since = random.uniform(3, 9), random.random() / 5, NOW - random.randint(1, 300) * DAY
    start, answer = random.choice(("CVE-2024", "CVE-202", "CWE", "Port")), random.choice(("YES", "NO"))
    parts: dict[str, tuple[Any, Predicate]] = {
        "severity": (entries("EQUALS", *severities), lambda each: each["severity"] in severities),
        "awsAccountId": (entries("EQUALS", *accounts), lambda each: each["awsAccountId"] in accounts),
        "findingType": (entries("EQUALS", *types), lambda each: each["type"] in types),
        "resourceType": (entries("EQUALS", *resources), lambda each: resource(each)["type"] in resources),
        "findingStatus": (entries("EQUALS", *statuses), lambda each: each["status"] in statuses),
        "title": (entries("PREFIX", start), lambda each: each["title"][: len(start)] == start),
        "fixAvailable": (entries("EQUALS", answer), lambda each: each.get("fixAvailable") == answer),
        "exploitAvailable": (entries("NOT_EQUALS", answer), lambda each: each.get("exploitAvailable") != answer),
        "inspectorScore": ([{"lowerInclusive": score}], lambda each: each.get("inspectorScore", -1) >= score),
        "epssScore": ([{"upperInclusive": probability}], lambda each: each.get("epss", {"score": 2})["score"] <= probability),
        "firstObservedAt": (
            [{"startInclusive": since, "endInclusive": NOW}],
            lambda each: since <= each["firstObservedAt"] <= NOW,
        ),
    }
    if random.random() < 0.2:
        excluded = severities[0]
        parts["severity"] = (entries("NOT_EQUALS", excluded), lambda each: each["severity"] != excluded)
    simple = ["severity", "awsAccountId", "findingType", "resourceType"]
    names = random.sample(simple if random.random() < 0.5 else [*parts], random.randint(0, 3))
    chosen = {name: parts[name] for name in names}
    is_active = [] if "findingStatus" in chosen else [parts_active]
    predicates = [*is_active, *(predicate for _, predicate in chosen.values())]
    return {name: filters for name, (filters, _) in chosen.items()}, lambda each: all(holds(each) for holds in predicates)


def parts_active(finding: Finding) -> bool:
    """What a report holds where its filter names no status."""
    return bool(finding["status"] == "ACTIVE")


def by_hand(predicate: Predicate) -> dict[str, int]:
    """The count by severity."""
    found = Counter(each["severity"] for each in FINDINGS if predicate(each))
    return {severity: found[severity] for severity in SEVERITIES}


def listed(client: Any, criteria: Mapping[str, Any], pages: int = 10_000) -> Count:
    """The count by ListFindings alone."""
    return Listing(client, {**ACTIVE, **criteria}, TIME).count(pages)


def refuse(path: str, text: str) -> None:
    """A fault of a filter that should have none."""
    raise AssertionError(f"{path}: {text}")


RANDOM = Random(20261130)
DRAWN = [drawn(RANDOM) for _ in range(FILTERS)]


def test_both_ways_of_counting_agree_with_counts_by_hand_on_random_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "COUNTED_PAGES", 3)
    client: Any = FakeFindings(FINDINGS, most_rows=2)
    ways: Counter[str] = Counter()
    for criteria, predicate in DRAWN:
        assert resolve(criteria, "filter", START, refuse) == criteria
        wanted = by_hand(predicate)
        in_full = listed(client, criteria)
        assert (in_full.by_severity, in_full.is_exact) == (wanted, True), criteria
        if aggregation := aggregation_of(criteria):
            counted = aggregated(client, aggregation, TIME)
            assert counted is not None
            assert (counted.by_severity, counted.is_exact, counted.counted_by) == (wanted, True, "ListFindingAggregations"), (
                criteria
            )
        found = matches(client, criteria, TIME).count
        if found.is_exact:
            assert found.by_severity == wanted, criteria
        else:
            assert all(found.by_severity[each] <= wanted[each] for each in SEVERITIES), criteria
            assert found.total < sum(wanted.values())
        ways[f"{found.counted_by} {found.stopped_by}"] += 1
    assert set(ways) == {"ListFindings None", "ListFindings pages", "ListFindingAggregations None"}
    assert min(ways.values()) >= 20, "the filters draw each way often enough to show something"


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, Aggregation()),
        ({"findingStatus": entries("EQUALS", "ACTIVE")}, Aggregation()),
        ({"awsAccountId": entries("EQUALS", *ACCOUNTS)}, Aggregation(accounts=ACCOUNTS)),
        (
            {"severity": entries("EQUALS", "LOW", "HIGH"), "findingType": entries("EQUALS", "CODE_VULNERABILITY")},
            Aggregation(finding_type="CODE_VULNERABILITY", severities=frozenset({"LOW", "HIGH"})),
        ),
        ({"resourceType": entries("EQUALS", "AWS_EC2_INSTANCE")}, Aggregation(resource_type="AWS_EC2_INSTANCE")),
    ],
)
def test_an_aggregation_is_asked_for_what_the_filter_says(criteria: dict[str, Any], expected: Aggregation) -> None:
    assert aggregation_of(criteria) == expected


@pytest.mark.parametrize(
    "criteria",
    [
        {"title": entries("EQUALS", "x")},
        {"severity": entries("PREFIX", "HI")},
        {"severity": entries("NOT_EQUALS", "LOW")},
        {"awsAccountId": entries("PREFIX", "1111")},
        {"findingType": entries("EQUALS", "PACKAGE_VULNERABILITY", "CODE_VULNERABILITY")},
        {"resourceType": entries("EQUALS", "AWS_ECR_REPOSITORY")},
        {"findingStatus": entries("EQUALS", "SUPPRESSED")},
        {"findingStatus": entries("EQUALS", "ACTIVE", "CLOSED")},
        {"severity": entries("EQUALS", "LOW"), "firstObservedAt": [{"startInclusive": 1.0}]},
    ],
)
def test_a_filter_that_no_aggregation_expresses_exactly_is_listed(criteria: dict[str, Any]) -> None:
    assert aggregation_of(criteria) is None


def test_what_an_aggregation_can_be_confined_to_comes_from_the_service_model() -> None:
    assert "PACKAGE_VULNERABILITY" in aggregation_values("findingType")
    assert "AWS_ECR_REPOSITORY" not in aggregation_values("resourceType")


def test_a_filter_of_one_page_is_counted_by_that_page() -> None:
    client: Any = FakeFindings(FINDINGS)
    found = matches(client, {"severity": entries("EQUALS", "INFORMATIONAL")}, TIME)
    assert (found.count.counted_by, found.count.is_exact, len(client.calls)) == ("ListFindings", True, 1)


def test_a_filter_without_a_status_lists_active_findings_as_a_report_holds_them() -> None:
    client: Any = FakeFindings(FINDINGS)
    matches(client, {}, TIME)
    assert client.calls[0][1]["filterCriteria"] == ACTIVE
    matches(client, {"findingStatus": entries("EQUALS", "CLOSED")}, TIME)
    assert client.calls[-1][1]["filterCriteria"] == {"findingStatus": entries("EQUALS", "CLOSED")}


def test_ten_findings_are_shown_the_worst_of_the_first_page_first() -> None:
    client: Any = FakeFindings(FINDINGS)
    shown = [each["severity"] for each in matches(client, {}, TIME).findings]
    first = sorted((each["severity"] for each in client.list_findings(**client.calls[0][1])["findings"]), key=SEVERITIES.index)
    assert shown == first[:10]


def test_no_more_pages_are_read_than_the_bound_and_the_number_is_a_least_one() -> None:
    client: Any = FakeFindings(FINDINGS)
    found = listed(client, {}, pages=4)
    assert (found.total, found.is_exact, found.stopped_by, client.times("ListFindings")) == (400, False, "pages", 4)


def test_no_page_is_asked_for_after_the_time_is_over() -> None:
    client: Any = FakeFindings(FINDINGS)
    clock = Clock(step=timedelta(seconds=6))
    found = matches(client, {"title": entries("PREFIX", "C")}, Attempts(clock, minutes(5))).count
    assert (found.is_exact, found.stopped_by) == (False, "time")
    assert client.times("ListFindings") == 3
    assert clock.time - START < counting.COUNT_TIME + timedelta(seconds=12)


def test_the_count_and_the_longest_read_fit_into_the_functions_minute() -> None:
    assert timedelta(seconds=60) > counting.COUNT_TIME + READ_MARGIN


@pytest.mark.parametrize(
    ("error", "stopped_by", "word"),
    [
        (THROTTLED, "throttled", "Rate exceeded"),
        (DENIED, "denied", "ListFindings"),
        (BROKEN, "failed", "InternalServerException"),
    ],
)
@pytest.mark.parametrize("number", [1, 3])
def test_what_ends_the_list_early_is_named_and_what_was_counted_stands(
    error: ClientError, stopped_by: str, word: str, number: int
) -> None:
    client: Any = FakeFindings(FINDINGS, {("ListFindings", number): error})
    found = matches(client, {"title": entries("PREFIX", "C")}, TIME).count
    assert (found.total, found.is_exact, found.stopped_by) == ((number - 1) * 100, False, stopped_by)
    assert word in found.why


def test_where_no_finding_may_be_listed_inspector_still_counts() -> None:
    client: Any = FakeFindings(FINDINGS, {("ListFindings", 1): DENIED})
    found = matches(client, {}, TIME)
    assert (found.count.by_severity, found.findings) == (by_hand(parts_active), ())
    assert found.count.counted_by == "ListFindingAggregations"


def test_an_aggregation_that_is_throttled_leaves_the_count_to_the_list() -> None:
    error = client_error("ThrottlingException", 429, "ListFindingAggregations")
    client: Any = FakeFindings(FINDINGS, {("ListFindingAggregations", 1): error})
    found = matches(client, {}, TIME).count
    assert (found.by_severity, found.is_exact, found.counted_by) == (by_hand(parts_active), True, "ListFindings")


class Repeating(FakeFindings):
    """Inspector, which answers every aggregation with the same."""

    answer: Any = None

    def list_finding_aggregations(self, **_: Any) -> dict[str, Any]:
        """ListFindingAggregations."""
        return dict(self.answer)


def row(**counts: int) -> dict[str, Any]:
    """A row of an aggregation by account."""
    return {"accountAggregation": {"accountId": ACCOUNTS[0], "severityCounts": counts}}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"responses": [{"titleAggregation": {"title": "x"}}]},
        {"responses": [row(all=5, critical=1)]},
        {"responses": [row(all=1, critical=9, high=9_000, medium=9_000, low=9_000, informational=9_000, untriaged=9_000)]},
        {"responses": [row(all=60, critical=10, high=10, medium=10, low=10, informational=10, untriaged=10)]},
    ],
    ids=["empty answer", "another aggregation", "severities missing", "parts above the whole", "fewer than were listed"],
)
def test_an_aggregation_that_is_not_understood_or_contradicted_is_not_used(answer: dict[str, Any]) -> None:
    client: Any = Repeating(FINDINGS)
    client.answer = answer
    found = matches(client, {}, TIME).count
    assert (found.by_severity, found.counted_by) == (by_hand(parts_active), "ListFindings")


def test_findings_of_a_severity_that_is_newer_than_this_code_are_counted() -> None:
    known = {"critical": 100, "high": 100, "medium": 100, "low": 100, "informational": 100, "untriaged": 100}
    client: Any = Repeating([{**each, "severity": "URGENT"} for each in FINDINGS[:3]])
    client.answer = {"responses": [row(all=607, **known)]}
    counted = aggregated(client, Aggregation(), TIME)
    assert counted is not None
    assert (counted.total, counted.by_severity["OTHER"]) == (607, 7)
    assert listed(client, {}).by_severity["OTHER"] == 3


def test_a_finding_that_comes_on_two_pages_counts_once() -> None:
    client: Any = FakeFindings([*FINDINGS[:150], *FINDINGS[:150]])
    wanted = sum(each["status"] == "ACTIVE" for each in FINDINGS[:150])
    assert listed(client, {}).total == wanted


def test_an_answer_that_broke_off_is_not_the_end() -> None:
    class Broken(FakeFindings):
        def list_findings(self, **_: Any) -> dict[str, Any]:
            return {}

    client: Any = Broken(FINDINGS)
    found = listed(client, {})
    assert (found.total, found.stopped_by) == (0, "failed")
    with pytest.raises(ConnectionClosedError):
        Listing(client, {}, TIME)._page()


def test_an_aggregation_that_never_ends_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "AGGREGATION_PAGES", 2)
    client: Any = FakeFindings(FINDINGS, most_rows=1)
    assert aggregated(client, Aggregation(), TIME) is None
    assert client.times("ListFindingAggregations") == 2
