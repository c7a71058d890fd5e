"""Two identities of a finding: the exact one is its ARN, the logical one outlives the rebuild of an image.

A rebuilt image gets a new ARN for the same vulnerability (seen by third parties), so what is new and what is gone is told
by the logical identity: account, Region, resource as people name it (repository, function, instance), vulnerability id or
title, packages. Both are digests, so that two nights can be compared in little memory.

The 128 bits of a logical key are four digests side by side. Sorted, the findings of one account, of one resource and of one
vulnerability on it stand together, and each of these can be told by a key's first bytes::

    account 4 | resource 5 | vulnerability 4 | packages 3

Two findings are taken for one only if all four parts agree. Among two million findings, a thousand accounts and a thousand
copies of each vulnerability, one such pair is expected in several hundred nights; it would be told as reissued instead of
as one new and one gone.
"""

from collections.abc import Sequence
from hashlib import blake2b

from findings_digest.columns import Batch
from findings_digest.remembered import Remembered

IDENTITY_VERSION = 1
"""Of the rules in this module: keys of another version cannot be compared with ours."""

ACCOUNT = slice(0, 4)
RESOURCE = slice(0, 9)
VULNERABILITY = slice(9, 13)
ON_RESOURCE = slice(0, 13)
"""A vulnerability on a resource, whatever its packages: these may change while the ARN stays."""
KEY_BYTES = 16
EXACT_BYTES = 8


def account_key(account_id: str | None) -> bytes:
    """Return an account's part of a logical key: 4 bytes."""
    return _digest(4, account_id or "")


def vulnerability_key(vulnerability: str) -> bytes:
    """Return the part of a logical key that stands for a vulnerability id, or for a title where there is none: 4 bytes."""
    return _digest(4, vulnerability)


def exact_keys(arns: Sequence[str]) -> list[bytes]:
    """Return a digest of each ARN: 8 bytes, so that among two million findings no two are likely ever to agree."""
    return [blake2b(arn.encode("utf-8", "surrogatepass"), digest_size=EXACT_BYTES).digest() for arn in arns]


class LogicalKeys:
    """Makes logical keys, and remembers the digests of resources, vulnerabilities and packages, which come again and again."""

    def __init__(self) -> None:
        self._resources = Remembered[tuple[str | None, ...], bytes](lambda place: account_key(place[0]) + _digest(5, *place))
        self._vulnerabilities = Remembered[str, bytes](vulnerability_key)
        # A CSV names packages in another order than JSON, and each perhaps once only.
        self._packages = Remembered[tuple[str | None, ...], bytes](
            lambda names: _digest(3, *sorted({each for each in names if each}))
        )

    def of(self, batch: Batch) -> list[bytes]:
        """Return the logical key of each finding of a batch: 16 bytes.

        Parameters
        ----------
        batch
            Its columns account_id, region, resource_type, resource_name, resource_id, vulnerability_id, title and
            package_names are read.
        """
        names = batch["resource_name"]
        if None in names:
            names = [name or resource_id for name, resource_id in zip(names, batch["resource_id"], strict=True)]
        places = zip(batch["account_id"], batch["region"], batch["resource_type"], names, strict=True)
        told = [one or other or "" for one, other in zip(batch["vulnerability_id"], batch["title"], strict=True)]
        packages = [tuple(listed) if listed else () for listed in batch["package_names"]]
        return [
            resource + vulnerability + package
            for resource, vulnerability, package in zip(
                self._resources.of(places), self._vulnerabilities.of(told), self._packages.of(packages), strict=True
            )
        ]


def _digest(size: int, *parts: str | None) -> bytes:
    return blake2b("\0".join([part or "" for part in parts]).encode("utf-8", "surrogatepass"), digest_size=size).digest()
