"""The headline keeps its form and its size, whatever an analysis holds."""

import json
from typing import Any

import pytest

from findings_analysis.assessment.coverage import AccountScanning, Coverage
from findings_analysis.comparison.baseline import StoredFile
from findings_analysis.comparison.fingerprints import DAY_MS
from findings_analysis.output.headline import CHARACTERS, HEADLINE_SENTENCE_CHARACTERS, StoredAnalysis, make_headline
from findings_exporter.model.taxonomy import APPEARED, KINDS, NO_LONGER_OPEN
from tests.builders.daily_runs import ACCOUNT, TODAY, finding
from tests.unit.analysis.output.test_document import analysis

STORED = StoredAnalysis(
    "findings", "d/analysis.json", "f/run-1/", StoredFile("d/findings.fingerprints", "e1"), StoredFile("d/findings.names", "e2")
)
HOSTILE = [
    '"\\' * 600,
    "\x00\x1f\u2028\n" * 400,
    "😀" * 1200,
    "<script>alert(1)</script>" * 80,
    "=cmd()" * 300,
    "\ud800" * 900,
    "\u202e\u2067a" * 400,
]
RESOURCE = {"name": str, "resource_type": str, "account_id": str, "region": str, "owner": None, "due_on": None}
PACKAGE = {"name": str, "installed_version": None, "fixed_version": None}
FINDING = {"severity": str, "vulnerability_id": str, "title": str, "resource": str, "resource_type": str, "resources": [RESOURCE],
           "resource_count": int, "resource_count_at_least": bool, "findings": int, "account_id": str, "region": str, "owner": None,
           "packages": [PACKAGE], "fix_available": str, "exploit_available": bool, "in_kev": bool, "kev_due_on": None,
           "first_seen": str, "due_on": None}  # fmt: skip
FORM: dict[str, Any] = {
    "schema_version": str, "bucket": str, "analysis_key": str, "page_key": None, "parquet_prefix": str, "fingerprints_key": str, "fingerprints_etag": str,
    "names_key": str, "names_etag": str, "total": int, "open": int, "by_severity": dict, "by_status": dict, "baseline": {"execution": str, "started_at": str, "age": str},
    "no_baseline": None,
    "changes": {"appeared": int, "no_longer_open": int, "counts": dict, "appeared_by_severity": dict, "no_longer_open_by_severity": dict},
    "worst_new": [FINDING], "worst_no_longer_open": [FINDING],
    "fix_first": [{"rank": int, "priority_score": int, "vulnerability_id": str, "title": str, "severity": str, "exploit_available": bool,
                   "runtime_reachability": None, "packages": [PACKAGE], "resource_count": int, "resources": [RESOURCE], "due_on": None,
                   "in_kev": bool, "kev_due_on": None, "why": str}],
    "due_dates": None, "most_overdue": list, "owners": None, "owners_key": None, "owner_message_count": int,
    "coverage_status": {"state": str, "unusual_drop": bool, "deactivated": dict, "deactivated_accounts": int, "reasons": list}, "coverage": {"scanned": int, "not_scanned": int},
    "sentences": list, "owner": None,
}  # fmt: skip


def assert_form(value: Any, form: Any) -> None:
    match form:
        case dict():
            assert list(value) == list(form)
            for name in form:
                assert_form(value[name], form[name])
        case [each]:
            assert value
            for one in value:
                assert_form(one, each)
        case None:
            assert value is None
        case _:
            assert isinstance(value, form)


def daily_run(count: int, title: str = "a title", severity: str = "HIGH") -> list[dict[str, Any]]:
    return [
        finding(
            f"{number:x}{severity[0].lower()}",
            title=title,
            severity=severity,
            vulnerability_id=f"CVE-{severity}-{number} {title}",
            package_names=[f"{title}{each}" for each in range(9)],
            resource_name=f"{number}{title}",
            repository_name=f"{number}{title}",
        )
        for number in range(count)
    ]


def test_it_has_the_agreed_form() -> None:
    made = make_headline(analysis(daily_run(3), daily_run(2, severity="LOW")), STORED)
    assert_form(made, FORM)
    assert json.loads(json.dumps(made)) == made


def test_a_first_run_says_why_nothing_is_compared() -> None:
    made = make_headline(analysis([finding("a"), finding("b", status="CLOSED"), finding("c", status="NEWER")]), STORED)
    assert (made["baseline"], made["changes"], made["no_baseline"]) == (None, None, "first_run")
    assert (made["total"], made["open"]) == (3, 2)
    assert (made["worst_new"], made["worst_no_longer_open"]) == ([], [])


def test_changes_are_summed_by_severity_over_all_kinds_of_their_side() -> None:
    made = make_headline(analysis([*daily_run(4), *daily_run(2, severity="CRITICAL")], daily_run(3, severity="LOW")), STORED)[
        "changes"
    ]
    assert (made["appeared"], made["no_longer_open"]) == (6, 3)
    assert made["appeared_by_severity"] == {"CRITICAL": 2, "HIGH": 4}
    assert made["no_longer_open_by_severity"] == {"LOW": 3}
    assert sum(made["counts"][kind] for kind in APPEARED) == 6
    assert sum(made["counts"][kind] for kind in NO_LONGER_OPEN) == 3
    assert list(made["counts"]) == list(KINDS)


def test_the_worst_come_first_and_few() -> None:
    current = [
        finding("1", severity="HIGH", vulnerability_id="exploited", exploit_available="YES"),
        finding("2", severity="HIGH", vulnerability_id="fixable", fix_available="YES"),
        finding("3", severity="CRITICAL", vulnerability_id="critical"),
        *daily_run(9, severity="LOW"),
    ]
    made = make_headline(analysis(current, daily_run(9, severity="MEDIUM")), STORED)
    assert [each["vulnerability_id"] for each in made["worst_new"]][:3] == ["critical", "exploited", "fixable"]
    assert (len(made["worst_new"]), len(made["worst_no_longer_open"]), len(made["fix_first"])) == (5, 3, 5)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:4]))
def test_whatever_texts_findings_have_it_stays_small_and_on_one_line(text: str) -> None:
    whole = analysis([finding("a")], [finding("b", vulnerability_id="CVE-2")])
    # As an analysis would have it of such findings, with lists as long as they get.
    for kind, listed in whole["changes"]["lists"].items():
        example = whole["changes"]["lists"]["new"][0] | {
            "title": text,
            "resource": text,
            "vulnerability_id": text,
            "packages": [dict.fromkeys(("name", "installed_version", "fixed_version"), text)] * 50,
            "owner": text,
            "account_id": text,
        }
        whole["changes"]["lists"][kind] = [example] * 25 if kind in {*APPEARED, *NO_LONGER_OPEN} else listed
    to_fix = whole["fix_first"][0]
    to_fix |= dict.fromkeys(("title", "vulnerability_id", "severity", "runtime_reachability", "why"), text)
    to_fix["packages"] = [dict.fromkeys(("name", "installed_version", "fixed_version"), text)] * 50
    to_fix["resources"] = [
        each | dict.fromkeys(("name", "resource_type", "account_id", "region", "owner"), text) for each in to_fix["resources"] * 9
    ]
    whole["fix_first"] = [to_fix] * 10
    whole["sentences"] = [text] * 500
    whole["coverage_status"] |= {
        "reasons": [text] * 500,
        "deactivated": {f"{number}{text}": ["ec2", "ecr", "lambda"] for number in range(500)},
    }
    whole["statistics"]["by_severity"] = {f"{number}{text}": 1 for number in range(500)}
    made = make_headline(whole, STORED)
    result = json.dumps(made, ensure_ascii=False)
    assert len(result) <= CHARACTERS
    assert result.encode().decode() == result
    assert "\\u00" not in result
    assert "\u202e" not in result
    assert all(len(sentence) <= HEADLINE_SENTENCE_CHARACTERS for sentence in made["sentences"])


def test_thousands_of_changes_and_accounts_leave_it_small() -> None:
    accounts = {f"{number:012}": AccountScanning("off") for number in range(2_000)}
    deactivated = Coverage(ACCOUNT, accounts | {ACCOUNT: AccountScanning("on")}, 7, 0, {})
    before = [finding(f"b{number:x}", account_id=f"{number:012}") for number in range(2_000)]
    made = make_headline(analysis([*daily_run(2_000, "t" * 300)], before, coverage=deactivated), STORED)
    assert len(json.dumps(made, ensure_ascii=False)) <= CHARACTERS
    assert made["changes"]["appeared"] == 2_000
    assert made["changes"]["counts"]["status_unknown"] == 2_000
    assert made["coverage_status"]["state"] == "lost"
    assert len(made["coverage_status"]["deactivated"]) == 20
    assert made["coverage_status"]["deactivated_accounts"] == len(accounts)


def image(name: str, repository: str = "shop/cart", **values: Any) -> dict[str, Any]:
    """A new finding in an image of a repository."""
    arn = f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{repository}/sha256:{name:0>64}"
    return finding(name, resource_id=arn, resource_name=repository, repository_name=repository, severity="CRITICAL") | values


def other(name: str, **values: Any) -> dict[str, Any]:
    """A new finding that is like no other."""
    return finding(name, vulnerability_id=f"CVE-2026-{name}", title=f"CVE-2026-{name} - zlib", **values)


def worst_new(*current: dict[str, Any]) -> list[dict[str, Any]]:
    """What messages say of new findings."""
    result: list[dict[str, Any]] = make_headline(analysis([*current], [other("999")]), STORED)["worst_new"]
    return result


def test_findings_that_would_read_the_same_are_one_entry_with_their_number() -> None:
    result = worst_new(*[image(each) for each in "abcd"], *[other(f"9{number}", severity="HIGH") for number in range(6)])
    assert len({each["vulnerability_id"] for each in result}) == len(result) == 5
    first = result[0]
    names = [each["name"] for each in first["resources"]]
    assert (first["resource_count"], first["findings"], first["resource"], names) == (
        4,
        4,
        "shop/cart",
        ["shop/cart"],
    )
    assert (first["resource_count_at_least"], first["resource_type"]) == (False, "AWS_ECR_CONTAINER_IMAGE")


def test_so_are_those_on_other_resources_with_some_names_and_what_they_have_in_common() -> None:
    instances = [
        finding(each, resource_type="AWS_EC2_INSTANCE", resource_id=f"i-{each}", resource_name=f"i-{each}", account_id=account,
                package_names=[f"package-{each}"])
        for each, account in (("a", ACCOUNT), ("b", "444455556666"), ("c", ACCOUNT), ("d", ACCOUNT))
    ]  # fmt: skip
    (result,) = worst_new(*instances)
    assert (result["resource_count"], len(result["resources"]), result["resource"]) == (4, 4, result["resources"][0]["name"])
    assert (result["account_id"], result["region"]) == (None, "eu-central-1")
    assert sorted(each["name"] for each in result["packages"]) == ["package-a", "package-b", "package-c", "package-d"]


@pytest.mark.parametrize(
    "apart",
    [
        {"severity": "HIGH"}, {"exploit_available": "YES"}, {"fix_available": "YES"}, {"vulnerability_id": "CVE-2026-2"},
        {"resource_type": "AWS_LAMBDA_FUNCTION"}, {"vulnerability_id": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_reads_differently_is_an_entry_of_its_own(apart: dict[str, Any]) -> None:
    assert len(worst_new(image("a"), image("b", **apart))) == 2


def test_several_findings_on_one_resource_are_not_several_resources() -> None:
    code = {
        "type": "CODE_VULNERABILITY", "vulnerability_id": None, "title": "CWE-798 - Hardcoded credentials", "package_names": None,
        "resource_type": "AWS_LAMBDA_FUNCTION", "resource_id": "arn:aws:lambda:x:1:function:resize:1", "resource_name": "resize",
    }  # fmt: skip
    result = worst_new(*[finding(each, **code) for each in "abc"])
    assert sum(each["findings"] for each in result) == 3
    assert [each["resource_count"] for each in result] == [1]


def test_a_list_that_is_cut_gives_numbers_that_may_be_too_low_and_says_so() -> None:
    whole = analysis([*[image(each) for each in "ab"], *[image(each, severity="LOW") for each in "cd"]], [other("999")])
    assert [each["resource_count_at_least"] for each in make_headline(whole, STORED)["worst_new"]] == [False, False]
    whole["changes"]["counts"]["new"] += 1
    assert [each["resource_count_at_least"] for each in make_headline(whole, STORED)["worst_new"]] == [False, True]


def test_what_no_file_has_the_name_of_is_counted_and_not_shown_as_one_finding() -> None:
    made = make_headline(analysis([other("3")], [other("1"), other("2"), other("3")], named=False), STORED)
    assert (made["changes"]["no_longer_open"], made["worst_no_longer_open"]) == (2, [])


def test_the_longest_open_of_a_group_is_its_first_day() -> None:
    days = [image("a", first_observed_at=(TODAY - 3) * DAY_MS), image("b", first_observed_at=(TODAY - 9) * DAY_MS)]
    (result,) = worst_new(*days)
    assert result["first_seen"] == "2026-11-14"
