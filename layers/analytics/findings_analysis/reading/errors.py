"""Why a report could not be read.

::

    AnalysisError
    ├── MalformedReportError     the report is cut short, or is not what a report looks like
    ├── ReportChangedError       the object was replaced or deleted while it was read
    ├── ReportUnavailableError   S3 did not give a part of it, however often it was asked
    ├── TooLargeError            memory cannot hold what it names
    ├── TooManyOwnersError       its findings have more owners than memory holds
    ├── OwnersChangedError       its parts were not all read with the same rules of owners
    └── FindingsRepeatedError    too many of its findings stand in several of its parts
"""


class AnalysisError(Exception):
    """Anything that this package raises."""


class MalformedReportError(AnalysisError):
    """The report breaks somewhere: it must not be taken for one with fewer findings.

    Attributes
    ----------
    findings
        How many findings were whole before the break; None where they were not counted.
    offset
        The byte, from 0, where a JSON report broke; None for a CSV.
    row
        The row, from 1 with the header, where a CSV broke; None for JSON.
    """

    def __init__(
        self,
        reason: str,
        *,
        findings: int | None,
        offset: int | None = None,
        row: int | None = None,
        part_begins: int | None = None,
    ) -> None:
        place = f"byte {offset:,}" if row is None else f"row {row:,}"
        of_part = "" if part_begins is None else f" of the part that begins at byte {part_begins:,}"
        after = "" if findings is None else f", after {findings:,} whole findings"
        where = f"{place}{after}{of_part}" if row is None else f"{place}{of_part}{after}"
        super().__init__(f"The report is malformed at {where}: {reason}.")
        self.reason = reason
        self.findings = findings
        self.offset = offset
        self.row = row


class ReportChangedError(AnalysisError):
    """The object was replaced or deleted while it was read."""


class ReportUnavailableError(AnalysisError):
    """S3 did not give a part of the report, however often it was asked."""


class TooLargeError(AnalysisError):
    """Memory cannot hold what a part of the report, or the report, names."""


class TooManyOwnersError(AnalysisError):
    """The findings of a part of the report, or of the report, have more owners than memory holds."""


class OwnersChangedError(AnalysisError):
    """A part of the report was read with other rules of owners than the merge, or could not read them."""


class FindingsRepeatedError(AnalysisError):
    """Too many findings stand in several parts of the report to count each of them once."""
