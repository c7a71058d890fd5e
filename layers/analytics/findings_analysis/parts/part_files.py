"""What an analyzed part leaves in S3 until the parts are merged, under fixed keys: a repeated step writes the same objects again.

Its JSON file, which names the others, is written last: where it lies, the others do, too.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args

import msgspec
from botocore.exceptions import ClientError

from findings_analysis.comparison.baseline import StoredFile
from findings_analysis.comparison.earlier_files import StoredStream, read_stored
from findings_analysis.output.storage import BINARY, PARQUET, copy, delete, put
from findings_analysis.parts.part import Part
from findings_analysis.parts.part_analysis import Totals
from findings_analysis.reading.errors import AnalysisError, ReportChangedError, ReportUnavailableError
from findings_analysis.reading.owner_file import OwnerFile, read_owner_file
from findings_analysis.reading.s3_stream import NOT_AS_PINNED
from findings_exporter.model.errors import code_of
from findings_exporter.model.layout import analysis_keys, owner_rules_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from findings_exporter.model.config import Config
    from findings_exporter.model.delivery import Delivery
    from findings_exporter.model.layout import AnalysisKeys
    from findings_exporter.model.plan import Destination
    from findings_exporter.model.run import Run

type PartFile = Literal["parquet", "names", "fingerprints", "totals"]

FORMAT = 1
PIECE_BYTES = 1 << 20
AT_ONCE = 8
"""Objects that are copied at once: S3 copies, so that each waits for its answer only."""


def keys_of(config: "Config", run: "Run") -> "AnalysisKeys":
    """Return the keys of a run's analysis."""
    plan = run.require_plan()
    return analysis_keys(config.key_prefix, plan.report_name, run.execution, is_regular=plan.is_regular)


def part_files(config: "Config", s3: "S3Client", run: "Run", delivery: "Delivery") -> "PartFiles":
    """Return the objects of a run's parts."""
    return PartFiles(s3, run.require_plan().destination, keys_of(config, run), str(delivery.etag))


def owner_file_of(config: "Config", s3: "S3Client", run: "Run") -> OwnerFile:
    """Return who owns what, as the file says now."""
    return read_owner_file(s3, run.require_plan().destination, owner_rules_key(config.key_prefix), config.owner_tag)


class PartFilesError(AnalysisError):
    """What the parts have left is not what the report's analysis needs."""


class WrittenFile(msgspec.Struct, frozen=True):
    """A file that a part has left. Its content identifies it: a second writer of the same part writes the same."""

    key: str
    size_bytes: int
    sha256: str


class AnalyzedPart(msgspec.Struct, frozen=True):
    """What a part has left, as its JSON file has it.

    ``owners_etag`` is of the file of owners that it was analyzed with: all parts must have had the same.

    Its totals are a file, too: those of all parts together may not fit the memory.
    """

    number: int
    begin: int
    end: int
    report_etag: str
    owners_etag: str
    files: dict[PartFile, WrittenFile]
    format: int = FORMAT

    @property
    def part(self) -> Part:
        """Which part it is."""
        return Part(self.number, self.begin, self.end)


class PartFiles:
    """The objects of a run's parts.

    Parameters
    ----------
    report_etag
        Of the report as it was verified: what a part of another object has left is not taken.
    """

    def __init__(self, s3: "S3Client", to: "Destination", keys: "AnalysisKeys", report_etag: str) -> None:
        self._s3, self._to, self._keys, self._report_etag = s3, to, keys, report_etag

    def store(
        self, part: Part, totals: Totals, files: Mapping[PartFile, BinaryIO], owners_etag: str = "", *, again: bool = False
    ) -> AnalyzedPart:
        """Write what a part leaves.

        Parameters
        ----------
        again
            The merge has analyzed the part once more. What it left first stays, for another try of the merge.
        """
        whole = {**files, "totals": io.BytesIO(msgspec.json.encode(totals.to_stored()))}
        written = {kind: self._written(self._key(part, kind, again=again), kind, file) for kind, file in whole.items()}
        analyzed = AnalyzedPart(part.number, part.begin, part.end, self._report_etag, owners_etag, written)
        put(self._s3, self._to, self._key(part, "json", again=again), msgspec.json.encode(analyzed), "application/json")
        return analyzed

    def _written(self, key: str, kind: PartFile, file: BinaryIO) -> WrittenFile:
        file.flush()
        file.seek(0)
        sha256 = hashlib.sha256()
        while piece := file.read(PIECE_BYTES):
            sha256.update(piece)
        size_bytes = file.tell()
        put(self._s3, self._to, key, file, PARQUET if kind == "parquet" else BINARY)
        return WrittenFile(key, size_bytes, sha256.hexdigest())

    def load(self, part: Part) -> AnalyzedPart:
        """Read what a part has left.

        Raises
        ------
        PartFilesError
            It is not there, or of another report, or of other bytes of it.
        ServiceUnavailableError
            S3 could not serve; worth another try.
        """
        key = self._key(part, "json")
        try:
            analyzed = msgspec.json.decode(b"".join(self._pieces(key)), type=AnalyzedPart)
        except msgspec.DecodeError as error:
            raise PartFilesError(f"{key} cannot be understood: {error}") from error
        if (analyzed.format, analyzed.part, analyzed.report_etag) != (FORMAT, part, self._report_etag):
            raise PartFilesError(f"{key} is of another analysis")
        return analyzed

    def totals(self, analyzed: AnalyzedPart, started_at: datetime) -> Totals:
        """Read what was counted of a part; it raises what :meth:`load` does."""
        try:
            return Totals.from_stored(msgspec.json.decode(b"".join(self._checked(analyzed.files["totals"]))), started_at)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise PartFilesError(f"the totals of part {analyzed.number} cannot be understood: {error!r}") from error

    def stream(self, file: WrittenFile) -> StoredStream:
        """Return a part's file to be read once; reading raises what :meth:`load` does."""
        return StoredStream(self._checked(file))

    def fetch(self, file: WrittenFile, path: Path) -> None:
        """Copy a part's file to the disk; it raises what :meth:`load` does."""
        with path.open("wb") as copied:
            for piece in self._checked(file):
                copied.write(piece)

    def publish(self, parts: Iterable[AnalyzedPart]) -> None:
        """Put the parts' Parquet files where Athena finds them; after an error they are taken back.

        Raises
        ------
        RefusedError
            S3 or KMS does not allow it.
        PartFilesError
            A file has another size than the one that the part has left.
        """
        keys = {self._keys.parquet(each.number): each.files["parquet"] for each in parts}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            copies = [threads.submit(self._copy, file, key) for key, file in keys.items()]
        try:
            for each in copies:
                each.result()
        except BaseException:
            delete(self._s3, self._to, list(keys))
            raise

    def delete(self, parts: Iterable[Part]) -> None:
        """Delete what parts have left; what cannot be deleted stays, and is logged."""
        kinds = ("json", *get_args(PartFile.__value__))
        delete(
            self._s3,
            self._to,
            [self._key(part, kind, again=again) for part in parts for kind in kinds for again in (False, True)],
        )

    def _key(self, part: Part, kind: str, *, again: bool = False) -> str:
        return self._keys.of_part(part.number, f"again.{kind}" if again else kind)

    def _copy(self, file: WrittenFile, key: str) -> None:
        try:
            size_bytes = copy(self._s3, self._to, file.key, key)
        except ClientError as error:
            if code_of(error) not in NOT_AS_PINNED:
                raise
            raise PartFilesError(f"{file.key} is not there any more: {error}") from error
        if size_bytes != file.size_bytes:
            raise PartFilesError(f"{file.key} has {size_bytes:,} bytes, where {file.size_bytes:,} were written")

    def _checked(self, file: WrittenFile) -> Iterator[bytes]:
        found = hashlib.sha256()
        for piece in self._pieces(file.key):
            found.update(piece)
            yield piece
        if found.hexdigest() != file.sha256:
            raise PartFilesError(f"{file.key} is not what was written")

    def _pieces(self, key: str) -> Iterator[bytes]:
        try:
            yield from read_stored(self._s3, self._to.bucket, StoredFile(key, ""), self._to.owner)
        except (ReportChangedError, ReportUnavailableError) as error:
            raise PartFilesError(f"{key} cannot be read: {error}") from error
