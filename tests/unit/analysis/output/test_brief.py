"""The brief keeps its form and its size, whatever a digest holds."""

import json
from typing import Any

import pytest

from findings_analysis.assessment.coverage import AccountScanning, Coverage
from findings_analysis.comparison.baseline import StoredFile
from findings_analysis.comparison.difference import APPEARED, GONE
from findings_analysis.comparison.fingerprints import DAY_MS
from findings_analysis.output.headline import CHARACTERS, KINDS, SENTENCE_CHARACTERS, Stored, brief
from tests.builders.nights import ACCOUNT, TODAY, finding
from tests.unit.analysis.output.test_digest import digest

STORED = Stored("findings", "d/digest.json", StoredFile("f/night-1.parquet", "e1"), StoredFile("d/findings.keys", "e2"))
HOSTILE = [
    '"\\' * 600,
    "\x00\x1f\u2028\n" * 400,
    "😀" * 1200,
    "<script>alert(1)</script>" * 80,
    "=cmd()" * 300,
    "\ud800" * 900,
    "\u202e\u2067a" * 400,
]
FINDING = {"severity": str, "vulnerability_id": str, "title": str, "resource": str, "resource_type": str, "resource_names": list, "resources": int,
           "resources_at_least": bool, "findings": int, "account_id": str, "region": str, "packages": list,
           "fix_available": str, "exploit_known": bool, "first_seen": str}  # fmt: skip
FORM: dict[str, Any] = {
    "schema_version": str, "bucket": str, "digest_key": str, "page_key": None, "parquet_key": str, "parquet_etag": str, "keys_key": str, "keys_etag": str,
    "carried_key": None, "carried_etag": None, "total": int, "open": int, "by_severity": dict, "by_status": dict, "baseline": {"execution": str, "started_at": str, "age": str},
    "no_baseline": None,
    "changes": {"appeared": int, "gone": int, "counts": dict, "appeared_by_severity": dict, "gone_by_severity": dict},
    "worst_new": [FINDING], "worst_gone": [FINDING],
    "fix_first": [{"rank": int, "points": int, "vulnerability_id": str, "title": str, "severity": str, "exploit_known": bool, "resources": int, "why": str}],
    "verdict": {"state": str, "sudden_fall": bool, "dark": dict, "dark_accounts": int, "reasons": list}, "coverage": {"scanned": int, "not_scanned": int},
    "sentences": list,
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


def night(count: int, title: str = "a title", severity: str = "HIGH") -> list[dict[str, Any]]:
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
    made = brief(digest(night(3), night(2, severity="LOW")), STORED)
    assert_form(made, FORM)
    assert json.loads(json.dumps(made)) == made


def test_a_first_night_says_why_nothing_is_compared() -> None:
    made = brief(digest([finding("a"), finding("b", status="CLOSED"), finding("c", status="NEWER")]), STORED)
    assert (made["baseline"], made["changes"], made["no_baseline"]) == (None, None, "first_run")
    assert (made["total"], made["open"]) == (3, 2)
    assert (made["worst_new"], made["worst_gone"]) == ([], [])


def test_changes_are_summed_by_severity_over_all_kinds_of_their_side() -> None:
    made = brief(digest([*night(4), *night(2, severity="CRITICAL")], night(3, severity="LOW")), STORED)["changes"]
    assert (made["appeared"], made["gone"]) == (6, 3)
    assert made["appeared_by_severity"] == {"CRITICAL": 2, "HIGH": 4}
    assert made["gone_by_severity"] == {"LOW": 3}
    assert sum(made["counts"][kind] for kind in APPEARED) == 6
    assert sum(made["counts"][kind] for kind in GONE) == 3
    assert list(made["counts"]) == list(KINDS)


def test_the_worst_come_first_and_few() -> None:
    tonight = [
        finding("1", severity="HIGH", vulnerability_id="exploited", exploit_available="YES"),
        finding("2", severity="HIGH", vulnerability_id="fixable", fix_available="YES"),
        finding("3", severity="CRITICAL", vulnerability_id="critical"),
        *night(9, severity="LOW"),
    ]
    made = brief(digest(tonight, night(9, severity="MEDIUM")), STORED)
    assert [each["vulnerability_id"] for each in made["worst_new"]][:3] == ["critical", "exploited", "fixable"]
    assert (len(made["worst_new"]), len(made["worst_gone"]), len(made["fix_first"])) == (5, 3, 5)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:4]))
def test_whatever_texts_findings_have_it_stays_small_and_on_one_line(text: str) -> None:
    whole = digest([finding("a")], [finding("b", vulnerability_id="CVE-2")])
    # As a digest would have it of such findings, with lists as long as they get.
    for kind, listed in whole["changes"]["lists"].items():
        example = whole["changes"]["lists"]["new"][0] | {
            "title": text,
            "resource": text,
            "vulnerability_id": text,
            "packages": [text] * 50,
        }
        whole["changes"]["lists"][kind] = [example] * 25 if kind in {*APPEARED, *GONE} else listed
    whole["fix_first"] = [whole["fix_first"][0] | {"title": text, "vulnerability_id": text, "severity": text, "why": text}] * 10
    whole["sentences"] = [text] * 500
    whole["verdict"] |= {"reasons": [text] * 500, "dark": {f"{number}{text}": ["ec2", "ecr", "lambda"] for number in range(500)}}
    whole["counts"]["by_severity"] = {f"{number}{text}": 1 for number in range(500)}
    made = brief(whole, STORED)
    told = json.dumps(made, ensure_ascii=False)
    assert len(told) <= CHARACTERS
    assert told.encode().decode() == told
    assert "\\u00" not in told
    assert "\u202e" not in told
    assert all(len(sentence) <= SENTENCE_CHARACTERS for sentence in made["sentences"])


def test_thousands_of_changes_and_accounts_leave_it_small() -> None:
    accounts = {f"{number:012}": AccountScanning("off") for number in range(2_000)}
    dark = Coverage(ACCOUNT, accounts | {ACCOUNT: AccountScanning("on")}, 7, 0, {})
    before = [finding(f"b{number:x}", account_id=f"{number:012}") for number in range(2_000)]
    made = brief(digest([*night(2_000, "t" * 300)], before, coverage=dark), STORED)
    assert len(json.dumps(made, ensure_ascii=False)) <= CHARACTERS
    assert made["changes"]["appeared"] == 2_000
    assert made["changes"]["counts"]["not_looked_at"] == 2_000
    assert made["verdict"]["state"] == "dark"
    assert len(made["verdict"]["dark"]) == 20
    assert made["verdict"]["dark_accounts"] == len(accounts)


def image(name: str, repository: str = "shop/cart", **values: Any) -> dict[str, Any]:
    """A new finding in an image of a repository."""
    arn = f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{repository}/sha256:{name:0>64}"
    return finding(name, resource_id=arn, resource_name=repository, repository_name=repository, severity="CRITICAL") | values


def other(name: str, **values: Any) -> dict[str, Any]:
    """A new finding that is like no other."""
    return finding(name, vulnerability_id=f"CVE-2026-{name}", title=f"CVE-2026-{name} - zlib", **values)


def worst_new(*tonight: dict[str, Any]) -> list[dict[str, Any]]:
    """What is told of new findings."""
    told: list[dict[str, Any]] = brief(digest([*tonight], [other("999")]), STORED)["worst_new"]
    return told


def test_findings_that_would_tell_the_same_are_one_entry_with_their_number() -> None:
    told = worst_new(*[image(each) for each in "abcd"], *[other(f"9{number}", severity="HIGH") for number in range(6)])
    assert len({each["vulnerability_id"] for each in told}) == len(told) == 5
    first = told[0]
    assert (first["resources"], first["findings"], first["resource"], first["resource_names"]) == (
        4,
        4,
        "shop/cart",
        ["shop/cart"],
    )
    assert (first["resources_at_least"], first["resource_type"]) == (False, "AWS_ECR_CONTAINER_IMAGE")


def test_so_are_those_on_other_resources_with_some_names_and_what_they_have_in_common() -> None:
    instances = [
        finding(each, resource_type="AWS_EC2_INSTANCE", resource_id=f"i-{each}", resource_name=f"i-{each}", account_id=account,
                package_names=[f"package-{each}"])
        for each, account in (("a", ACCOUNT), ("b", "444455556666"), ("c", ACCOUNT), ("d", ACCOUNT))
    ]  # fmt: skip
    (told,) = worst_new(*instances)
    assert (told["resources"], len(told["resource_names"]), told["resource"]) == (4, 3, told["resource_names"][0])
    assert (told["account_id"], told["region"]) == (None, "eu-central-1")
    assert sorted(told["packages"]) == ["package-a", "package-b", "package-c", "package-d"]


@pytest.mark.parametrize(
    "apart",
    [
        {"severity": "HIGH"}, {"exploit_available": "YES"}, {"fix_available": "YES"}, {"vulnerability_id": "CVE-2026-2"},
        {"resource_type": "AWS_LAMBDA_FUNCTION"}, {"vulnerability_id": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_tells_something_else_is_an_entry_of_its_own(apart: dict[str, Any]) -> None:
    assert len(worst_new(image("a"), image("b", **apart))) == 2


def test_several_findings_on_one_resource_are_not_several_resources() -> None:
    code = {
        "type": "CODE_VULNERABILITY", "vulnerability_id": None, "title": "CWE-798 - Hardcoded credentials", "package_names": None,
        "resource_type": "AWS_LAMBDA_FUNCTION", "resource_id": "arn:aws:lambda:x:1:function:resize:1", "resource_name": "resize",
    }  # fmt: skip
    told = worst_new(*[finding(each, **code) for each in "abc"])
    assert sum(each["findings"] for each in told) == 3
    assert [each["resources"] for each in told] == [1]


def test_a_list_that_is_cut_gives_numbers_that_may_be_too_low_and_says_so() -> None:
    whole = digest([*[image(each) for each in "ab"], *[image(each, severity="LOW") for each in "cd"]], [other("999")])
    assert [each["resources_at_least"] for each in brief(whole, STORED)["worst_new"]] == [False, False]
    whole["changes"]["counts"]["new"] += 1
    assert [each["resources_at_least"] for each in brief(whole, STORED)["worst_new"]] == [False, True]


def test_the_longest_open_of_a_group_is_its_first_day() -> None:
    days = [image("a", first_observed_at=(TODAY - 3) * DAY_MS), image("b", first_observed_at=(TODAY - 9) * DAY_MS)]
    (told,) = worst_new(*days)
    assert told["first_seen"] == "2026-11-14"
