"""Two identities of a finding: the exact one is its ARN, the logical one outlives the rebuild of an image.

The same ARN is the same finding, whatever else changed. A rebuilt image gets a new ARN for the same vulnerability (seen by
third parties), so findings whose ARNs are not in both reports are compared by their logical identity: account, Region, resource
as people name it (repository, function, instance), vulnerability id or title, and what docs/analysis.md names for each type of
finding: packages; of code the detector, rule, file and lines; of a network path the protocol, ports and components. Both
identities are hashes, so that two runs can be compared in little memory.

The 128 bits of a logical hash are four hashes side by side. Sorted, the findings of one account, of one resource and of one
vulnerability on it stand together, and its first bytes identify each of these::

    account 4 | resource 5 | vulnerability 4 | what 3

Two findings are taken for one only if all four parts agree. Among two million findings, a thousand accounts and a thousand
copies of each vulnerability, one such pair is expected in several hundred runs; it would
count as unchanged under a new ARN, instead of as one new and one that is no longer open.
"""

from collections.abc import Sequence
from hashlib import blake2b

from findings_analysis.reading.bounded_cache import Remembered
from findings_analysis.reading.schema import Batch

IDENTITY_VERSION = 2
"""Of the rules in this module: keys of another version cannot be compared with ours."""

ACCOUNT = slice(0, 4)
RESOURCE = slice(0, 9)
VULNERABILITY = slice(9, 13)
ON_RESOURCE = slice(0, 13)
"""A vulnerability on a resource, whatever its packages: these may change while the ARN stays."""
DETAILS = ("detector_id", "detector_name", "rule_id", "file_paths", "start_line", "end_line",
           "protocol", "port_begin", "port_end", "network_path")  # fmt: skip
"""The columns that distinguish findings without packages: those of code, then those of a network path."""
LOGICAL_BYTES = 16
EXACT_BYTES = 8


def account_hash(account_id: str | None) -> bytes:
    """Return an account's part of a logical hash: 4 bytes."""
    return _hash(4, account_id or "")


def vulnerability_hash(vulnerability: str) -> bytes:
    """Return the part of a logical hash that stands for a vulnerability id, or for a title where there is none: 4 bytes."""
    return _hash(4, vulnerability)


def owner_hash(owner: str) -> bytes:
    """Return what stands for an owner in a fingerprint: 4 bytes."""
    return _hash(4, owner)


def exact_hashes(arns: Sequence[str]) -> list[bytes]:
    """Return an analysis of each ARN: 8 bytes, so that among two million findings no two are likely ever to agree."""
    return [blake2b(arn.encode("utf-8", "surrogatepass"), digest_size=EXACT_BYTES).digest() for arn in arns]


def finding_key(exact_hash: bytes) -> int:
    """Return an ARN's hash as the whole number that tables have: 64 bits, with a sign."""
    return int.from_bytes(exact_hash, signed=True)


class LogicalHashes:
    """Makes logical hashes, and remembers the hashes of resources, vulnerabilities and packages, which come again and again."""

    def __init__(self) -> None:
        self._resources = Remembered[tuple[str | None, ...], bytes](lambda place: account_hash(place[0]) + _hash(5, *place))
        self._vulnerabilities = Remembered[str, bytes](vulnerability_hash)
        # A CSV names packages in another order than JSON, and each perhaps once only.
        self._packages = Remembered[tuple[str | None, ...], bytes](
            # Cut as the cell of a CSV is, so that a comma in a name makes no other finding of it.
            lambda names: _hash(3, *sorted({name for each in names if each for name in map(str.strip, each.split(",")) if name}))
        )
        self._details = Remembered[tuple[str, ...], bytes](lambda details: _hash(3, *details))

    def of(self, batch: Batch) -> list[bytes]:
        """Return the logical hash of each finding of a batch: 16 bytes.

        Parameters
        ----------
        batch
            Its columns account_id, region, resource_type, resource_name, resource_id, vulnerability_id, title,
            package_names and :data:`DETAILS` are read.
        """
        names = batch["resource_name"]
        if None in names:
            names = [name or resource_id for name, resource_id in zip(names, batch["resource_id"], strict=True)]
        places = zip(batch["account_id"], batch["region"], batch["resource_type"], names, strict=True)
        named_by = [one or other or "" for one, other in zip(batch["vulnerability_id"], batch["title"], strict=True)]
        packages = [tuple(listed) if listed else () for listed in batch["package_names"]]
        what = self._packages.of(packages)
        if without := [row for row, listed in enumerate(packages) if not listed]:
            details = zip(*[[_text(batch[name][row]) for row in without] for name in DETAILS], strict=True)
            for row, other in zip(without, self._details.of(details), strict=True):
                what[row] = other
        return list(map(b"".join, zip(self._resources.of(places), self._vulnerabilities.of(named_by), what, strict=True)))


def _text(value: object) -> str:
    return "\1".join(map(_text, value)) if isinstance(value, list) else "" if value is None else str(value)


def _hash(size: int, *parts: str | None) -> bytes:
    return blake2b("\0".join([part or "" for part in parts]).encode("utf-8", "surrogatepass"), digest_size=size).digest()
