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
from typing import Any

from findings_digest.columns import Batch

IDENTITY_VERSION = 1
"""Of the rules in this module: keys of another version cannot be compared with ours."""

ACCOUNT = slice(0, 4)
RESOURCE = slice(0, 9)
VULNERABILITY = slice(9, 13)
ON_RESOURCE = slice(0, 13)
"""A vulnerability on a resource, whatever its packages: these may change while the ARN stays."""
KEY_BYTES = 16
EXACT_BYTES = 8
KEPT_DIGESTS = 50_000
"""Digests of as many resources, vulnerabilities and package lists are kept for the next findings: few hundred bytes each."""


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
        self._resources: dict[tuple[Any, ...], bytes] = {}
        self._vulnerabilities: dict[str, bytes] = {}
        self._packages: dict[tuple[str | None, ...], bytes] = {}

    def of(self, batch: Batch) -> list[bytes]:
        """Return the logical key of each finding of a batch: 16 bytes.

        Parameters
        ----------
        batch
            Its columns account_id, region, resource_type, resource_name, resource_id, vulnerability_id, title and
            package_names are read.
        """
        resources, vulnerabilities, packages = self._resources, self._vulnerabilities, self._packages
        for digests in (resources, vulnerabilities, packages):
            if len(digests) > KEPT_DIGESTS:
                digests.clear()
        keys = []
        for account, region, kind, name, resource_id, vulnerability_id, title, names in zip(
            batch["account_id"],
            batch["region"],
            batch["resource_type"],
            batch["resource_name"],
            batch["resource_id"],
            batch["vulnerability_id"],
            batch["title"],
            batch["package_names"],
            strict=True,
        ):
            place = (account, region, kind, name or resource_id)
            resource = resources.get(place)
            if resource is None:
                resource = resources[place] = account_key(account) + _digest(5, *place)
            told = vulnerability_id or title or ""
            vulnerability = vulnerabilities.get(told)
            if vulnerability is None:
                vulnerability = vulnerabilities[told] = vulnerability_key(told)
            listed = tuple(names) if names else ()
            package = packages.get(listed)
            if package is None:
                # A CSV names packages in another order than JSON, and each perhaps once only.
                package = packages[listed] = _digest(3, *sorted({each for each in listed if each}))
            keys.append(resource + vulnerability + package)
        return keys


def _digest(size: int, *parts: str | None) -> bytes:
    return blake2b("\0".join([part or "" for part in parts]).encode("utf-8", "surrogatepass"), digest_size=size).digest()
