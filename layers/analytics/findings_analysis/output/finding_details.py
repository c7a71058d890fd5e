"""The names of changed findings, from names files, since fingerprint files hold hashes only."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from findings_analysis.comparison.sections import ReadableFile
from findings_analysis.output import names_format
from findings_analysis.output.names_format import NamesWriter

type DetailsByArn = Mapping[bytes, Mapping[str, Any]]
"""By ARN hash, the columns :data:`~findings_analysis.reading.parquet_columns.DETAIL_COLUMNS`."""


def find(source: ReadableFile, arn_hashes: AbstractSet[bytes]) -> dict[bytes, Mapping[str, Any]]:
    """Return the names of some findings, those that are listed (:mod:`findings_analysis.output.listed`).

    Raises
    ------
    DamagedFileError
        It is no whole names file.
    """
    details: dict[bytes, Mapping[str, Any]] = {}
    for found in names_format.find(source, arn_hashes):
        details |= found.rows()
    return details


def carry_over(
    source: ReadableFile,
    listed: AbstractSet[bytes],
    carried: AbstractSet[bytes],
    names: NamesWriter,
) -> dict[bytes, Mapping[str, Any]]:
    """Read an earlier run's names file once: return the names that are listed, and write those that are carried over.

    Parameters
    ----------
    carried
        A finding that stands several times is written once.

    Raises
    ------
    DamagedFileError
        It is no whole names file; what was read before is written.
    """
    details: dict[bytes, Mapping[str, Any]] = {}
    left = set(carried)
    for found in names_format.find(source, listed | carried):
        details = found.of(listed).rows() | details
        kept = found.of(left)
        names.add(kept.arn_hashes, kept.record)
        left.difference_update(kept.arn_hashes)
    return details
