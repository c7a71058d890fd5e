"""How an expected error of an analysis is recorded: what happened, why, and what to do."""

from findings_analysis.comparison.sections import DamagedFileError
from findings_analysis.output.storage import RefusedError
from findings_analysis.parts.part_files import PartFilesError
from findings_analysis.reading.errors import (
    AnalysisError,
    FindingsRepeatedError,
    MalformedReportError,
    OwnersChangedError,
    ReportChangedError,
    ReportUnavailableError,
    TooLargeError,
    TooManyOwnersError,
)
from findings_exporter.model.notes import Note

EXPECTED = (AnalysisError, RefusedError, DamagedFileError)
FAILED_CAUSE_CHARACTERS = 600
"""The longest cause in the sentence of a failed analysis."""


def failed_analysis(error: Exception) -> dict[str, str]:
    """Return one of :data:`EXPECTED` as it is recorded in the place of a headline."""
    what = " ".join(str(error).split())
    what = (what if len(what) <= FAILED_CAUSE_CHARACTERS else f"{what[: FAILED_CAUSE_CHARACTERS - 1]}…").rstrip(".")
    match error:
        case MalformedReportError():
            name, do = "Analysis.ReportMalformed", "malformed"
        case ReportChangedError():
            name, do = "Analysis.ReportChanged", "changed"
        case ReportUnavailableError():
            name, do = "Analysis.ReportUnreadable", "unreadable"
        case TooLargeError():
            name, do = "Analysis.TooLarge", "too_large"
        case TooManyOwnersError():
            name, do = "Analysis.TooManyOwners", "too_many_owners"
        case OwnersChangedError():
            name, do = "Analysis.OwnersChanged", "owners_changed"
        case FindingsRepeatedError():
            name, do = "Analysis.FindingsRepeated", "repeated"
        case PartFilesError() | DamagedFileError():
            name, do = "Analysis.PartsUnusable", "parts"
        case _:
            name, do = "Analysis.NotStored", "not_stored"
    return {"error": name, "sentence": Note("analysis.failed", what=what, do=Note(f"analysis.{do}"))}
