"""Filter criteria: what is right, what is wrong and how that is said, and what becomes of dates."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_exporter.model import filter_criteria
from tests.builders.exporter import START, client

EPOCH = int(START.timestamp())
DAY = 86_400
TEXT = {"comparison": "EQUALS", "value": "x"}


def checked(criteria: object, now: datetime = START) -> tuple[dict[str, Any], list[str]]:
    """Return the resolved criteria and the faults."""
    faults: list[str] = []
    return filter_criteria.resolve(criteria, "filter_criteria", now, lambda path, text: faults.append(f"{path} {text}")), faults


def dates(start: object) -> dict[str, Any]:
    """A date filter with a start."""
    return {"updatedAt": [{"startInclusive": start}]}


RIGHT: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({}, None),
    ({"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}, None),
    ({"severity": [{"comparison": "NOT_EQUALS", "value": "LOW"}, {"comparison": "NOT_EQUALS", "value": "MEDIUM"}]}, None),
    ({"severity": [{"comparison": "PREFIX", "value": "CRIT"}]}, None),
    ({"cloudProvider": [{"comparison": "PREFIX", "value": "NEWER"}]}, None),
    ({"vulnerabilitySource": [{"comparison": "EQUALS", "value": "UBUNTU_CVE"}]}, None),
    ({"machineImagePlatform": [{"comparison": "EQUALS", "value": "AMAZON_LINUX_2023"}]}, None),
    ({"lambdaFunctionRuntime": [{"comparison": "EQUALS", "value": "PYTHON_3_13"}]}, None),
    ({"awsAccountId": [TEXT] * 10}, None),
    ({"title": [TEXT | {"value": "x" * 1024}]}, None),
    ({"resourceType": [{"comparison": "EQUALS", "value": "AWS_LAMBDA_FUNCTION"}]}, None),
    ({"inspectorScore": [{"lowerInclusive": 7, "upperInclusive": 10.0}]}, None),
    ({"inspectorScore": [{"lowerInclusive": 7.5}]}, None),
    ({"inspectorScore": [{"lowerInclusive": 7, "upperInclusive": 7}]}, None),
    ({"portRange": [{"beginInclusive": 0, "endInclusive": 65535}]}, None),
    ({"resourceTags": [{"comparison": "EQUALS", "key": "team", "value": ""}]}, None),
    ({"resourceTags": [{"comparison": "EQUALS", "key": "team"}]}, None),
    ({"vulnerablePackages": [{"name": TEXT, "epoch": {"lowerInclusive": 0}}]}, None),
    (dates("2026-11-01T00:00:00Z"), dates(datetime(2026, 11, 1, tzinfo=UTC).timestamp())),
    (dates("2026-11-01T02:00:00+02:00"), dates(datetime(2026, 11, 1, tzinfo=UTC).timestamp())),
    (dates("2026-11-01T00:00:00.500-05:00"), dates(datetime(2026, 11, 1, 5, tzinfo=UTC).timestamp() + 0.5)),
    (dates(EPOCH), dates(EPOCH)),
    (dates(EPOCH + 0.25), dates(EPOCH + 0.25)),
    (dates("now"), dates(EPOCH)),
    (dates("7 days ago"), dates(EPOCH - 7 * DAY)),
    (dates("1 day ago"), dates(EPOCH - DAY)),
    (dates("36 hours ago"), dates(EPOCH - 1.5 * DAY)),
    (dates("2 weeks ago"), dates(EPOCH - 14 * DAY)),
    ({"updatedAt": ["last 7 days"]}, {"updatedAt": [{"startInclusive": EPOCH - 7 * DAY, "endInclusive": EPOCH}]}),
    ({"updatedAt": ["last 9823 days"]}, {"updatedAt": [{"startInclusive": EPOCH - 9823 * DAY, "endInclusive": EPOCH}]}),
    ({"updatedAt": ["last 1 hour"]}, {"updatedAt": [{"startInclusive": EPOCH - 3600, "endInclusive": EPOCH}]}),
    (
        {"firstObservedAt": [{"startInclusive": "2 weeks ago", "endInclusive": "1 week ago"}]},
        {"firstObservedAt": [{"startInclusive": EPOCH - 14 * DAY, "endInclusive": EPOCH - 7 * DAY}]},
    ),
]

INVALID: list[tuple[object, str]] = [
    (None, "filter_criteria must be an object"),
    ([], "not a list"),
    ("severity", 'not "severity"'),
    (7, "not the number 7"),
    (True, "not true"),
    ({"severty": [TEXT]}, 'filter_criteria.severty is not a known field. Did you mean "severity"?'),
    ({"SEVERITY": [TEXT]}, 'filter_criteria.SEVERITY is not a known field. Did you mean "severity"?'),
    ({"qqqqqq": [TEXT]}, "filter_criteria.qqqqqq is not a known field"),
    ({"title": []}, "filter_criteria.title must have 1 to 10 entries, not 0"),
    ({"title": [TEXT] * 11}, "filter_criteria.title must have 1 to 10 entries, not 11"),
    ({"title": TEXT}, "filter_criteria.title must be a list, not an object"),
    ({"title": None}, "filter_criteria.title must be a list, not null"),
    ({"title": ["x"]}, 'filter_criteria.title[0] must be an object with comparison or value, not "x"'),
    ({"title": [{"value": "x"}]}, "filter_criteria.title[0].comparison is missing"),
    ({"title": [{"comparison": "EQUALS"}]}, "filter_criteria.title[0].value is missing"),
    ({"title": [{}]}, "filter_criteria.title[0].value is missing"),
    ({"title": [TEXT | {"values": ["x"]}]}, 'filter_criteria.title[0].values is not a known field. Did you mean "value"?'),
    ({"title": [TEXT | {"comparison": "EQUAL"}]}, 'not "EQUAL". Did you mean "EQUALS"?'),
    ({"title": [TEXT | {"comparison": "equals"}]}, 'must be EQUALS, PREFIX or NOT_EQUALS, not "equals". Did you mean "EQUALS"?'),
    ({"title": [TEXT | {"comparison": 1}]}, "comparison must be a text, not the number 1"),
    ({"title": [TEXT | {"value": ""}]}, "value must be 1 to 1024 characters long, not 0"),
    ({"title": [TEXT | {"value": "x" * 1025}]}, "value must be 1 to 1024 characters long, not 1,025"),
    ({"title": [TEXT | {"value": 5}]}, "value must be a text, not the number 5"),
    ({"title": [TEXT, TEXT | {"value": None}]}, "filter_criteria.title[1].value must be a text, not null"),
    ({"severity": [{"comparison": "EQUALS", "value": "CRITCAL"}]}, 'not "CRITCAL". Did you mean "CRITICAL"?'),
    ({"severity": [{"comparison": "NOT_EQUALS", "value": "low"}]}, 'not "low". Did you mean "LOW"?'),
    ({"findingStatus": [{"comparison": "EQUALS", "value": "OPEN"}]}, "must be ACTIVE, SUPPRESSED or CLOSED"),
    ({"cloudProvider": [{"comparison": "EQUALS", "value": "AZUR"}]}, 'AWS, AZURE or GCP, not "AZUR". Did you mean "AZURE"?'),
    ({"cloudProvider": [{"comparison": "NOT_EQUALS", "value": "aws"}]}, 'Did you mean "AWS"?'),
    ({"networkProtocol": [{"comparison": "EQUALS", "value": "ICMP"}]}, "must be TCP or UDP"),
    ({"codeRepositoryProviderType": [{"comparison": "EQUALS", "value": "GITLAB"}]}, "must be GITHUB or GITLAB_SELF_MANAGED"),
    ({"lambdaFunctionRuntime": [{"comparison": "EQUALS", "value": "python3.13"}]}, 'not "python3.13"'),
    ({"fixAvailable": [{"comparison": "EQUALS", "value": "y" * 50}]}, f'not "{"y" * 40}…"'),
    ({"resourceTags": [{"comparison": "PREFIX", "key": "a"}]}, 'comparison must be EQUALS, not "PREFIX"'),
    ({"resourceTags": [{"comparison": "EQUALS", "value": "a"}]}, "resourceTags[0].key is missing"),
    ({"resourceTags": [{"comparison": "EQUALS", "key": "k" * 129}]}, "key must be 1 to 128 characters long, not 129"),
    ({"inspectorScore": [{"lowerInclusive": "7"}]}, 'lowerInclusive must be a number, not "7"'),
    ({"inspectorScore": [{"lowerInclusive": True}]}, "lowerInclusive must be a number, not true"),
    ({"inspectorScore": [{"lowerInclusive": float("nan")}]}, "lowerInclusive must be a number, not the number nan"),
    ({"inspectorScore": [{"lowerInclusive": float("inf")}]}, "lowerInclusive must be a number, not the number inf"),
    ({"inspectorScore": [{"lowerInclusive": 10**400}]}, "lowerInclusive must be a number, not a long number"),
    ({"inspectorScore": [{"lowerInclusive": 9, "upperInclusive": 7}]}, "lowerInclusive must not be greater than upperInclusive"),
    ({"inspectorScore": [{}]}, "is empty. Give at least upperInclusive or lowerInclusive"),
    ({"portRange": [{"beginInclusive": 65536}]}, "beginInclusive must be from 0 to 65535, not 65536"),
    ({"portRange": [{"beginInclusive": -1}]}, "beginInclusive must be from 0 to 65535, not -1"),
    ({"portRange": [{"beginInclusive": 22.0}]}, "beginInclusive must be a whole number, not the number 22.0"),
    ({"portRange": [{"beginInclusive": 443, "endInclusive": 80}]}, "beginInclusive must not be greater than endInclusive"),
    ({"vulnerablePackages": [{}]}, "vulnerablePackages[0] is empty. Give at least"),
    ({"vulnerablePackages": [{"name": {"comparison": "EQUALS"}}]}, "vulnerablePackages[0].name.value is missing"),
    (dates("2026-11-01T00:00:00"), "a date and time with a UTC offset"),
    (dates("2026-11-01"), "a date and time with a UTC offset"),
    (dates("yesterday"), 'not "yesterday"'),
    (dates("7 days"), 'not "7 days"'),
    (dates("12345 days ago"), 'not "12345 days ago"'),
    (dates("٧ days ago"), "must be a date and time"),  # noqa: RUF001 - digits that are not ASCII
    (dates(EPOCH * 1000), f"from 2000 to 2100, not the number {EPOCH * 1000}"),
    (dates(-1), "not the number -1"),
    (dates(0), "from 2000 to 2100, not the number 0"),
    (dates(float("nan")), "not the number nan"),
    (dates(True), "not true"),
    (dates(None), "not null"),
    (dates("1999-12-31T23:59:59Z"), "from 2000 to 2100"),
    (dates("0001-01-01T00:00:00+14:00"), "from 2000 to 2100"),
    (dates("9999-12-31T23:59:59-14:00"), "from 2000 to 2100"),
    (
        {"updatedAt": [{"startInclusive": "now", "endInclusive": "1 day ago"}]},
        "startInclusive must not be greater than endInclusive",
    ),
    ({"updatedAt": ["last 0 days"]}, 'a text such as "last 7 days", not "last 0 days"'),
    ({"updatedAt": ["last week"]}, 'a text such as "last 7 days", not "last week"'),
    ({"updatedAt": ["last 9999 weeks"]}, 'a text such as "last 7 days", not "last 9999 weeks"'),
    ({"updatedAt": ["last 9824 days"]}, 'not "last 9824 days"'),
    ({"updatedAt": "last 7 days"}, 'updatedAt must be a list, not "last 7 days"'),
    ({"updatedAt": [{}]}, "updatedAt[0] is empty"),
]


def id_of(value: object) -> str | None:
    """A short id of a row."""
    return str(value)[:60] if isinstance(value, dict) else None


@pytest.mark.parametrize(("criteria", "resolved"), RIGHT, ids=id_of)
def test_right_criteria_are_taken_with_their_dates_made_absolute(
    criteria: dict[str, Any], resolved: dict[str, Any] | None
) -> None:
    assert checked(criteria) == (criteria if resolved is None else resolved, [])


@pytest.mark.parametrize(("criteria", "fault"), INVALID, ids=id_of)
def test_wrong_criteria_are_refused_with_the_field_and_the_reason(criteria: object, fault: str) -> None:
    _, faults = checked(criteria)
    assert any(fault in each for each in faults), faults


def test_every_fault_is_reported_not_only_the_first() -> None:
    _, faults = checked({"severty": [], "title": [{"comparison": "LIKE", "value": ""}], "portRange": [{"endInclusive": "x"}]})
    assert len(faults) == 4


def test_relative_dates_count_from_the_time_that_is_passed_in() -> None:
    earlier = datetime(2020, 1, 1, tzinfo=UTC)
    assert checked(dates("now"), earlier)[0] == dates(earlier.timestamp())


def test_the_hash_is_of_the_criteria_as_written() -> None:
    written = {"updatedAt": ["last 7 days"], "severity": [{"comparison": "EQUALS", "value": "HIGH"}]}
    reordered = {"severity": [{"value": "HIGH", "comparison": "EQUALS"}], "updatedAt": ["last 7 days"]}
    assert filter_criteria.hash_of(written) == filter_criteria.hash_of(reordered)
    assert filter_criteria.hash_of(written) != filter_criteria.hash_of({"updatedAt": ["last 8 days"]})
    assert len(filter_criteria.hash_of({})) == 16


def test_the_known_filters_are_the_models() -> None:
    known = filter_criteria.known_filters()
    assert len(known) >= 69
    assert {"severity", "updatedAt", "vulnerablePackages", "portRange", "resourceTags"} <= set(known)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("now") | st.just("last 3 days"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(["EQUALS", "PREFIX", "NOT_EQUALS", "LIKE", "CRITICAL", "HIGH", "x", ""])
NUMBERS = st.integers(-5, 70_000) | st.floats() | st.just(10**400) | st.none()
DATES = st.sampled_from(["now", "3 days ago", "2026-11-01T00:00:00Z", "2026-11-01", EPOCH, EPOCH * 1000, 1.5e9, None, "x"])
EACH = (
    st.fixed_dictionaries({"comparison": WORDS, "value": WORDS | st.text(max_size=5)})
    | st.fixed_dictionaries({"comparison": WORDS, "key": WORDS}, optional={"value": WORDS})
    | st.fixed_dictionaries({}, optional={"startInclusive": DATES, "endInclusive": DATES})
    | st.fixed_dictionaries({}, optional={"lowerInclusive": NUMBERS, "upperInclusive": NUMBERS})
    | st.fixed_dictionaries({}, optional={"beginInclusive": NUMBERS, "endInclusive": NUMBERS})
    | st.fixed_dictionaries({}, optional={"name": st.fixed_dictionaries({"comparison": WORDS, "value": WORDS}), "epoch": JSON})
    | st.just("last 7 days")
    | JSON
)
NEARLY_RIGHT = st.dictionaries(
    st.sampled_from(["severity", "title", "updatedAt", "inspectorScore", "portRange", "resourceTags", "vulnerablePackages"]),
    st.lists(EACH, max_size=11),
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(criteria=JSON | NEARLY_RIGHT)
def test_any_json_is_validated_without_raising_and_what_is_taken_botocore_takes(criteria: object) -> None:
    resolved, faults = checked(criteria)
    assert isinstance(resolved, dict)
    if not faults:
        shape = client("inspector2").meta.service_model.operation_model("CreateFindingsReport").input_shape
        request = {"filterCriteria": resolved, "reportFormat": "JSON", "s3Destination": {"bucketName": "b", "kmsKeyArn": "k"}}
        assert not ParamValidator().validate(request, shape).has_errors()
