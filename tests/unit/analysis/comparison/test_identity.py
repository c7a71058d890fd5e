"""What makes two findings the same: for the ARN, and for people."""

from pathlib import Path
from typing import Any

import botocore.session
import pytest

from findings_analysis.comparison import identity
from findings_analysis.comparison.identity import (
    ACCOUNT,
    RESOURCE,
    VULNERABILITY,
    LogicalHashes,
    account_hash,
    exact_hashes,
    vulnerability_hash,
)
from tests.builders import daily_runs
from tests.builders.daily_runs import batch, finding


def key(**values: Any) -> bytes:
    return LogicalHashes().of(batch(finding(**values)))[0]


@pytest.mark.parametrize(
    "difference",
    [
        {"finding_arn": daily_runs.arn("b"), "resource_id": "arn:aws:ecr:…/sha256:b", "first_observed_at": 1},
        {"title": "CVE-2026-1 - openssl, and more"},
        {"severity": "LOW", "status": "CLOSED", "fix_available": "YES"},
        {"package_names": ["openssl", None, "openssl"]},
        {"file_paths": ["usr/lib/x.jar"]},
    ],
)
def test_a_rebuilt_image_keeps_its_vulnerabilities(difference: dict[str, Any]) -> None:
    assert key(**difference) == key()


@pytest.mark.parametrize(
    "difference",
    [
        {"account_id": daily_runs.OTHER_ACCOUNT},
        {"region": "us-east-1"},
        {"resource_name": "shop/basket"},
        {"resource_type": "AWS_LAMBDA_FUNCTION"},
        {"vulnerability_id": "CVE-2026-2"},
        {"package_names": ["openssl", "libssl"]},
        {"package_names": None},
    ],
)
def test_each_part_of_the_logical_identity_counts(difference: dict[str, Any]) -> None:
    assert key(**difference) != key()


def test_the_order_in_which_packages_are_reported_does_not_matter() -> None:
    assert key(package_names=["a", "b"]) == key(package_names=["b", "a", "a"])


def test_what_has_no_vulnerability_id_is_identified_by_its_title() -> None:
    port = {"vulnerability_id": None, "package_names": None}
    assert key(title="Port 22 is reachable", **port) != key(title="Port 443 is reachable", **port)
    assert key(title="Port 22 is reachable", **port) == key(title="Port 22 is reachable", **port)


CODE = {
    "type": "CODE_VULNERABILITY",
    "title": "CWE-798 - Hardcoded credentials",
    "vulnerability_id": None,
    "package_names": None,
    "detector_id": "python/hardcoded",
    "detector_name": "Hardcoded credentials",
    "rule_id": "r-1",
    "file_paths": ["src/a.py"],
    "start_line": 6,
    "end_line": 7,
}
NETWORK = {
    "type": "NETWORK_REACHABILITY",
    "title": "A port range is reachable",
    "vulnerability_id": None,
    "package_names": None,
    "protocol": "TCP",
    "port_begin": 22,
    "port_end": 23,
    "network_path": ["igw-1", "sg-1", "eni-1"],
}
PACKAGE = {"type": "PACKAGE_VULNERABILITY", "vulnerability_id": "CVE-2026-1", "package_names": ["openssl"]}
DISTINGUISHED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "PACKAGE_VULNERABILITY": (PACKAGE, {"vulnerability_id": "CVE-2026-2", "package_names": ["libssl"]}),
    "CODE_VULNERABILITY": (
        CODE,
        {
            "title": "CWE-22 - Path traversal",
            "detector_id": "python/other",
            "detector_name": "Other",
            "rule_id": "r-2",
            "file_paths": ["src/b.py"],
            "start_line": 90,
            "end_line": 91,
        },
    ),
    "NETWORK_REACHABILITY": (
        NETWORK,
        {
            "title": "Another port range is reachable",
            "protocol": "UDP",
            "port_begin": 21,
            "port_end": 25,
            "network_path": ["igw-1", "sg-2", "eni-1"],
        },
    ),
}
"""A finding of each type, and for each column that distinguishes it another value."""


def test_every_finding_type_of_the_model_has_an_identity() -> None:
    model = botocore.session.Session().get_service_model("inspector2")
    assert set(model.shape_for("FindingType").enum) == DISTINGUISHED.keys()  # type: ignore[attr-defined]
    document = Path("docs/analysis.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in document for kind in DISTINGUISHED), "and the document says which"


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, (_, others) in DISTINGUISHED.items() for name in others], ids=str
)
def test_each_part_that_distinguishes_a_finding_of_a_type_counts(kind: str, name: str) -> None:
    values, others = DISTINGUISHED[kind]
    assert key(**values) == key(**values)
    assert key(**values) != key(**values | {name: others[name]})
    assert key(**values) != key(**values | {name: None})


def test_values_of_one_column_are_not_taken_for_another_ones() -> None:
    assert key(**CODE | {"start_line": 1, "end_line": 12}) != key(**CODE | {"start_line": 11, "end_line": 2})
    assert key(**NETWORK | {"network_path": ["a", "b"]}) != key(**NETWORK | {"network_path": ["a b"]})


def test_a_resource_without_a_name_is_identified_by_its_id() -> None:
    assert key(resource_name=None, resource_id="x") != key(resource_name=None, resource_id="y")


def test_parts_are_not_run_together() -> None:
    assert key(region="eu", resource_name="1x") != key(region="eu1", resource_name="x")


def test_a_fingerprint_begins_with_its_account_then_its_resource_then_its_vulnerability() -> None:
    one, other = key(), key(vulnerability_id="CVE-2026-2", package_names=["zlib"])
    assert len(one) == identity.LOGICAL_BYTES
    assert one[ACCOUNT] == account_hash(daily_runs.ACCOUNT)
    assert one[RESOURCE] == other[RESOURCE]
    assert one[VULNERABILITY] == vulnerability_hash("CVE-2026-1")
    assert one[RESOURCE] != key(account_id=daily_runs.OTHER_ACCOUNT)[RESOURCE]


def test_fingerprints_are_the_same_in_every_run_of_this_version() -> None:
    """Fingerprint files outlive a release: whoever changes the rules must raise IDENTITY_VERSION, and this text with it."""
    assert (identity.IDENTITY_VERSION, key().hex(), exact_hashes([daily_runs.arn("a")])[0].hex()) == (
        2,
        "82a2181e38d8dfece1ca4096222b9404",
        "e075460ee7f7ae4b",
    )


def test_cached_hashes_change_nothing() -> None:
    keys = LogicalHashes()
    for each in (keys._resources, keys._vulnerabilities, keys._packages):
        each._most_bytes = 700
    rows = [finding(resource_name=f"r{n}", vulnerability_id=f"v{n}", package_names=[f"p{n}"]) for n in range(9)]
    assert [keys.of(batch(row))[0] for row in rows] == LogicalHashes().of(batch(*rows))
    assert 1 <= len(keys._resources) <= 2


def test_exact_fingerprints_distinguish_arns_and_survive_hostile_text() -> None:
    arns = [daily_runs.arn("a"), daily_runs.arn("b"), "\ud800", ""]
    assert len(set(exact_hashes(arns))) == 4
    assert {len(each) for each in exact_hashes(arns)} == {identity.EXACT_BYTES}
    assert key(title="\ud800", vulnerability_id=None) != key(title="\udfff", vulnerability_id=None)


def test_an_empty_batch_has_no_fingerprints() -> None:
    assert LogicalHashes().of(batch()) == []
