"""What an analyzed part leaves in S3 until the parts are merged, under fixed keys: a repeated step writes the same objects again.

Its totals are written last: where they lie, the other files do, too.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

import msgspec

from findings_analysis.comparison.baseline import StoredFile
from findings_analysis.comparison.earlier_files import StoredStream, read_stored
from findings_analysis.output.storage import BINARY, PARQUET, copy, delete, put
from findings_analysis.parts.part import Part
from findings_analysis.parts.part_analysis import Totals
from findings_analysis.reading.errors import AnalysisError
from findings_exporter.model.layout import analysis_keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from findings_exporter.model.config import Config
    from findings_exporter.model.delivery import Delivery
    from findings_exporter.model.layout import AnalysisKeys
    from findings_exporter.model.plan import Destination
    from findings_exporter.model.run import Run

type PartFile = Literal["parquet", "names", "fingerprints"]

FORMAT = 1
AT_ONCE = 8
"""Objects that are copied at once: S3 copies, so that each waits for its answer only."""


def keys_of(config: "Config", run: "Run") -> "AnalysisKeys":
    """Return the keys of a run's analysis."""
    plan = run.require_plan()
    return analysis_keys(config.key_prefix, plan.report_name, run.execution, is_regular=plan.is_regular)


def part_files(config: "Config", s3: "S3Client", run: "Run", delivery: "Delivery") -> "PartFiles":
    """Return the objects of a run's parts."""
    return PartFiles(s3, run.require_plan().destination, keys_of(config, run), str(delivery.etag))


class PartFilesError(AnalysisError):
    """What the parts have left is not what the report's analysis needs."""


@dataclass(frozen=True, slots=True)
class AnalyzedPart:
    """What a part has left.

    Attributes
    ----------
    seconds
        How long its analysis took.
    """

    part: Part
    totals: Totals
    files: Mapping[PartFile, StoredFile]
    seconds: float


class PartFiles:
    """The objects of a run's parts.

    Parameters
    ----------
    report_etag
        Of the report as it was verified: what a part of another object has left is not taken.
    """

    def __init__(self, s3: "S3Client", to: "Destination", keys: "AnalysisKeys", report_etag: str) -> None:
        self._s3, self._to, self._keys, self._report_etag = s3, to, keys, report_etag

    def store(self, part: Part, totals: Totals, files: Mapping[PartFile, BinaryIO], seconds: float) -> AnalyzedPart:
        """Write what a part leaves."""
        stored = {
            kind: put(self._s3, self._to, self._keys.of_part(part.number, kind), file, PARQUET if kind == "parquet" else BINARY)
            for kind, file in files.items()
        }
        content = {
            "format": FORMAT,
            "part": part.to_dict(),
            "report_etag": self._report_etag,
            "files": {kind: file.etag for kind, file in stored.items()},
            "seconds": seconds,
            "totals": totals.to_stored(),
        }
        put(self._s3, self._to, self._totals_key(part), msgspec.json.encode(content), "application/json")
        return AnalyzedPart(part, totals, stored, seconds)

    def load(self, part: Part, started_at: datetime) -> AnalyzedPart:
        """Read what a part has left.

        Raises
        ------
        PartFilesError
            It is of another report, or of other bytes of it.
        ReportUnavailableError
            S3 did not return it.
        """
        pieces = read_stored(self._s3, self._to.bucket, StoredFile(self._totals_key(part), ""), self._to.owner)
        stored: dict[str, Any] = msgspec.json.decode(b"".join(pieces))
        if (stored["format"], stored["part"], stored["report_etag"]) != (FORMAT, part.to_dict(), self._report_etag):
            raise PartFilesError(f"what part {part.number} has left is of another analysis")
        files: dict[PartFile, StoredFile] = {
            kind: StoredFile(self._keys.of_part(part.number, kind), etag) for kind, etag in stored["files"].items()
        }
        return AnalyzedPart(part, Totals.from_stored(stored["totals"], started_at), files, stored["seconds"])

    def stream(self, file: StoredFile) -> StoredStream:
        """Return a part's file to be read once; reading raises what :meth:`fetch` does."""
        return StoredStream(read_stored(self._s3, self._to.bucket, file, self._to.owner))

    def fetch(self, file: StoredFile, path: Path) -> None:
        """Copy a part's file to the disk.

        Raises
        ------
        ReportChangedError, ReportUnavailableError
            It is not what the part has left, or S3 did not return it.
        """
        with path.open("wb") as copied:
            for piece in read_stored(self._s3, self._to.bucket, file, self._to.owner):
                copied.write(piece)

    def publish(self, parts: Iterable[AnalyzedPart]) -> None:
        """Put the parts' Parquet files where Athena finds them; if that fails, none of them stays there.

        Raises
        ------
        RefusedError
            S3 or KMS does not allow it.
        """
        keys = {part.files["parquet"]: self._keys.parquet(part.part.number) for part in parts}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            copies = [threads.submit(copy, self._s3, self._to, file, key) for file, key in keys.items()]
        try:
            for each in copies:
                each.result()
        except BaseException:
            delete(self._s3, self._to, list(keys.values()))
            raise

    def delete(self, parts: Iterable[Part]) -> None:
        """Delete what parts have left."""
        kinds = ("json", *get_args(PartFile.__value__))
        delete(self._s3, self._to, [self._keys.of_part(part.number, kind) for part in parts for kind in kinds])

    def _totals_key(self, part: Part) -> str:
        return self._keys.of_part(part.number, "json")
