"""Reads a report, or a part of it, from S3, pinned to the object that was verified."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, Self

from findings_analysis.parts import cutting, merging
from findings_analysis.parts.byte_range import as_csv, as_json, in_report
from findings_analysis.parts.part import Part
from findings_analysis.parts.part_analysis import PartAnalysis, Totals
from findings_analysis.parts.part_files import AnalyzedPart, PartFile, PartFiles
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import MalformedReportError, ReportUnavailableError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.owner_file import OwnerFile
from findings_analysis.reading.owners import Owners
from findings_analysis.reading.s3_stream import Pinned, PinnedObject, RangedObject, raise_if_transient

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from findings_analysis.reading.schema import Batch
    from findings_exporter.model.delivery import Delivery
    from findings_exporter.model.plan import Plan


@dataclass(frozen=True, slots=True)
class ReportReader:
    """Reads the object that a run's report was verified in; its methods raise AnalysisError, or ServiceUnavailableError."""

    s3: "S3Client"
    pinned: Pinned
    report_format: str

    @classmethod
    def of(cls, s3: "S3Client", plan: "Plan", delivery: "Delivery") -> Self:
        """Pin the report as it was verified: a later object under its key is not read."""
        # By its ETag alone: to read a version by its id would need one more permission of every owner of a bucket.
        pinned = Pinned(delivery.bucket, str(delivery.key), delivery.size_bytes, str(delivery.etag), None, plan.destination.owner)
        return cls(s3, pinned, plan.report_format)

    def cut(self, part_bytes: int) -> list[Part]:
        """Cut the report into parts of about a size."""
        try:
            return cutting.cut(self._read_range, self.pinned.size, part_bytes, self.report_format)
        except ReportUnavailableError as error:
            raise_if_transient(error)
            raise

    def read(self, analysis: PartAnalysis, part: Part) -> Totals:
        """Read the findings of a part once."""
        unreadable_values: Counter[str] = Counter()
        with ExitStack() as reading:
            return analysis.read(self._batches(reading, part, unreadable_values), unreadable_values)

    def analyze(
        self,
        part: Part,
        started_at: datetime,
        files: PartFiles,
        owner_file: OwnerFile,
        earlier: Mapping[bytes, bool] | None = None,
    ) -> AnalyzedPart:
        """Analyze a part and leave its files.

        Parameters
        ----------
        earlier
            Of :class:`findings_analysis.comparison.arns.Arns`, where the part is analyzed once more.
        """
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            table, names, fingerprints = (
                stack.enter_context((folder / name).open("w+b")) for name in ("parquet", "names", "fingerprints")
            )
            analysis = PartAnalysis(started_at, table, names, Owners(owner_file.rules), earlier)
            totals = self.read(analysis, part)
            analysis.names.finish()
            merging.write_fingerprints(analysis.fingerprints.blocks(), fingerprints)
            left: dict[PartFile, BinaryIO] = {"parquet": table, "names": names, "fingerprints": fingerprints}
            return files.store(part, totals, left, owner_file.etag, again=earlier is not None)

    def _batches(self, reading: ExitStack, part: Part, unreadable_values: Counter[str]) -> Iterator["Batch"]:
        source = reading.enter_context(RangedObject(self.s3, self.pinned, begin=part.begin, end=part.end))
        try:
            if self.report_format == "CSV":
                header = cutting.csv_header(self._read_range, self.pinned.size)[0] if part.begin else b""
                yield from read_csv(as_csv(source, part, header), unreadable=unreadable_values)
            else:
                yield from read_json(as_json(source, part, self.pinned.size), unreadable=unreadable_values)
        except ReportUnavailableError as error:
            raise_if_transient(error)
            raise
        except MalformedReportError as error:
            raise in_report(error, part) from error

    def _read_range(self, begin: int, end: int) -> bytes:
        return PinnedObject(self.s3, self.pinned).read(begin, end)
