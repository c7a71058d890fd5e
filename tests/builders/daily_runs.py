"""Findings of a run in few words, as batches and as records."""

import io
from typing import Any

from findings_analysis.comparison.fingerprints import DAY_MS, Fingerprinter
from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.output import parquet
from findings_analysis.output.names_format import NamesWriter
from findings_analysis.reading import schema

TODAY = 20_780
"""A day since 1970: 23 November 2026."""
ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
REGION = "eu-central-1"
REPOSITORY, INSTANCE, FUNCTION = "shop/cart", "i-0abc", "resize"


def arn(name: str) -> str:
    """The ARN of a finding by its last part."""
    return f"arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/{name}"


def finding(name: str = "a", **values: Any) -> dict[str, Any]:
    """A row: an open package vulnerability in an image, unless said otherwise."""
    row = dict.fromkeys((*schema.NAMES, schema.OWNER_COLUMN.name)) | {
        "finding_arn": arn(name),
        "account_id": ACCOUNT,
        "region": REGION,
        "type": "PACKAGE_VULNERABILITY",
        "severity": "HIGH",
        "status": "ACTIVE",
        "title": "CVE-2026-1 - openssl",
        "vulnerability_id": "CVE-2026-1",
        "package_names": ["openssl"],
        "resource_type": "AWS_ECR_CONTAINER_IMAGE",
        "resource_id": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}/sha256:{name:0>64}",
        "resource_name": REPOSITORY,
        "repository_name": REPOSITORY,
        "resource_count": 1,
        "first_observed_at": (TODAY - 10) * DAY_MS + 1,
        "fix_available": "NO",
        "exploit_available": "NO",
    }
    unknown = values.keys() - row.keys()
    assert not unknown, unknown
    return row | values


def batch(*rows: dict[str, Any]) -> schema.Batch:
    """A batch of rows."""
    return {name: [row[name] for row in rows] for name in (*schema.NAMES, schema.OWNER_COLUMN.name)}


def record(name: str = "a", today: int = TODAY, **values: Any) -> bytes:
    """One finding's record."""
    return records(finding(name, **values), today=today)[0]


def records(*rows: dict[str, Any], today: int = TODAY) -> list[bytes]:
    """The records of rows, sorted."""
    return sorted(Fingerprinter(today).of(batch(*rows)))


def names_file(*rows: dict[str, Any]) -> io.BytesIO:
    """The names file of rows."""
    return names_file_of([batch(*rows)] if rows else [])


def names_file_of(batches: list[schema.Batch]) -> io.BytesIO:
    """The names file of batches."""
    file = io.BytesIO()
    writer = NamesWriter(file.write)
    for each in batches:
        writer.add(exact_hashes(each["finding_arn"]), parquet.record_batch(each))
    writer.finish()
    file.seek(0)
    return file
