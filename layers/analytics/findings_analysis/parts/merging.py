"""The parts of a report, merged: what comes out is the same whatever the number of parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from findings_analysis.comparison.fingerprint_format import FingerprintReader, FingerprintWriter, Header, Summary
from findings_analysis.comparison.fingerprints import EXACT, is_open
from findings_analysis.comparison.sorting import merged
from findings_analysis.output.names_format import NamesWriter
from findings_analysis.parts.arn_index import SortedArnIndex
from findings_analysis.parts.part import Part, are_whole
from findings_analysis.parts.part_analysis import Totals
from findings_analysis.parts.part_files import AnalyzedPart, PartFiles, PartFilesError
from findings_analysis.reading.errors import FindingsRepeatedError, OwnersChangedError

PART_BLOCK_RECORDS = 4_096
"""Fingerprints in a block of a part's file: merging holds a block of each part, some 400 kB."""
MOST_REPEATING_PARTS = 8
"""So many parts are analyzed again since they repeat findings of earlier ones, one after the other, each for as long as a step
Analyze Part."""
MOST_REPEATED = 2_000_000
"""Findings that are in several parts: some 200 bytes each while they are looked for."""
NO_HEADER = Header("", "", "", "", {}, {})

type AnalyzeAgain = Callable[[Part, Mapping[bytes, bool]], AnalyzedPart]
"""Analyzes a part once more without the findings that stand in earlier parts; stores and returns what it has left."""


def write_fingerprints(blocks: Iterator[list[bytes]], file: BinaryIO, block_records: int = PART_BLOCK_RECORDS) -> None:
    """Write sorted fingerprints that are of no run yet."""
    writer = FingerprintWriter(file.write, NO_HEADER, block_records)
    for block in blocks:
        writer.add(block)
    writer.finish(Summary(writer.findings, {}, {}))


def read_fingerprints(path: Path) -> Iterator[list[bytes]]:
    """Give what :func:`write_fingerprints` wrote.

    Raises
    ------
    DamagedFileError
        It is damaged or truncated.
    """
    with path.open("rb") as file:
        yield from FingerprintReader(file).blocks()


@dataclass(frozen=True, slots=True)
class MergedParts:
    """A report's parts, merged.

    Attributes
    ----------
    names
        Takes what else is to stand in the names file; not finished.
    """

    parts: list[AnalyzedPart]
    totals: Totals
    arns: SortedArnIndex
    names: NamesWriter
    _fingerprints: Path

    def blocks(self) -> Iterator[list[bytes]]:
        """Return all fingerprints, sorted, in blocks that are not empty."""
        return read_fingerprints(self._fingerprints)


def merge(  # noqa: PLR0913 - what is merged, where, and how a part is analyzed again
    files: PartFiles,
    parts: Sequence[Part],
    size_bytes: int,
    started_at: datetime,
    folder: Path,
    names: BinaryIO,
    analyze_again: AnalyzeAgain,
    owners_etag: str = "",
) -> MergedParts:
    """Merge what the parts have left.

    Parameters
    ----------
    folder
        For the fingerprints of the parts and for the merged ones: some 19 bytes a finding each.
    names
        An empty file, for the names file: some 54 bytes a finding.
    owners_etag
        Of the file of owners as it is now.

    Raises
    ------
    PartFilesError
        The parts are not all of the report, or what one has left is not there as it was written.
    OwnersChangedError
        A part was analyzed with another file of owners than the one that is there now, or without it.
    FindingsRepeatedError
        Too many parts repeat findings of earlier ones.
    DamagedFileError
        A part's file is damaged.
    """
    if not are_whole(parts, size_bytes):
        raise PartFilesError("the parts are not all of the report")
    analyzed = [files.load(part) for part in parts]
    if {each.owners_etag for each in analyzed} != {owners_etag}:
        raise OwnersChangedError("config/owners.json changed, or a step could not read it, while the parts were analyzed")
    index = _index(files, analyzed, folder)
    repeated = index.repeated(MOST_REPEATED)
    if repeated is None:
        raise FindingsRepeatedError(f"more than {MOST_REPEATED:,} findings are in several of its parts")
    if repeated:
        analyzed = _without_repeated(files, analyzed, repeated, folder, analyze_again)
    totals = Totals.of_nothing(started_at)
    for each in analyzed:
        totals.merge(files.totals(each, started_at))
    together = folder / "fingerprints"
    with together.open("wb") as file:
        write_fingerprints(merged([read_fingerprints(_path(folder, each)) for each in analyzed]), file)
    writer = NamesWriter(names.write)
    for each in analyzed:
        _path(folder, each).unlink()
        writer.add_file(files.stream(each.files["names"]))
    return MergedParts(analyzed, totals, index, writer, together)


def _index(files: PartFiles, analyzed: list[AnalyzedPart], folder: Path) -> SortedArnIndex:
    """Fetch the parts' fingerprints, and index their ARN hashes."""
    index = SortedArnIndex()
    for each in analyzed:
        files.fetch(each.files["fingerprints"], _path(folder, each))
        index.add(record[EXACT] for record in chain.from_iterable(read_fingerprints(_path(folder, each))))
    return index


def _without_repeated(
    files: PartFiles, analyzed: list[AnalyzedPart], repeated: set[bytes], folder: Path, analyze_again: AnalyzeAgain
) -> list[AnalyzedPart]:
    """Analyze the parts again that repeat findings of earlier ones: of an ARN the first finding of the report counts."""
    seen: dict[bytes, bool] = {}
    again: dict[int, dict[bytes, bool]] = {}
    for place, each in enumerate(analyzed):
        found = {
            record[EXACT]: not is_open(record)
            for record in chain.from_iterable(read_fingerprints(_path(folder, each)))
            if record[EXACT] in repeated
        }
        if earlier := {arn_hash: seen[arn_hash] for arn_hash in found.keys() & seen.keys()}:
            again[place] = earlier
        seen = found | seen
    if len(again) > MOST_REPEATING_PARTS:
        raise FindingsRepeatedError(f"{len(again):,} of its {len(analyzed):,} parts have findings that are in earlier parts, too")
    left = list(analyzed)
    for place, earlier in again.items():
        left[place] = analyze_again(analyzed[place].part, earlier)
        files.fetch(left[place].files["fingerprints"], _path(folder, left[place]))
    return left


def _path(folder: Path, each: AnalyzedPart) -> Path:
    return folder / f"fingerprints-{each.number}"
