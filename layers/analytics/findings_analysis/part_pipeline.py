"""The steps Cut Report and Analyze Part: a report larger than one part is analyzed in parts, which Analyze Report merges.

What a part leaves is described in :mod:`findings_analysis.parts.part_files`. As with Analyze Report, an expected error is
recorded as a failed analysis, with a sentence, and a transient one is raised.
"""

from collections.abc import Mapping
from typing import Any

from findings_analysis.failures import EXPECTED, failed_analysis
from findings_analysis.parts.part import Part
from findings_analysis.parts.part_files import owner_file_of, part_files
from findings_analysis.parts.report_reader import ReportReader
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import PartClients
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.run import Run


def cut_run(clients: PartClients, run: Run, delivery: Delivery, part_bytes: int) -> dict[str, Any]:
    """Cut a run's report into parts of about a size.

    Returns
    -------
    dict
        ``state``: ``CUT`` with ``parts``, or ``NOT_ANALYZED`` with ``error``.
    """
    try:
        parts = ReportReader.of(clients.s3, run.require_plan(), delivery).cut(part_bytes)
    except EXPECTED as error:
        return _not_analyzed(clients, run, error)
    return {"state": "CUT", "parts": [part.to_dict() for part in parts]}


def analyze_part_of_run(clients: PartClients, run: Run, delivery: Delivery, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Analyze a part of a run's report, and leave its files.

    Returns
    -------
    dict
        ``state``: ``PART_ANALYZED``, or ``NOT_ANALYZED`` with ``error``.
    """
    reader = ReportReader.of(clients.s3, run.require_plan(), delivery)
    files = part_files(clients.config, clients.s3, run, delivery)
    try:
        owner_file = owner_file_of(clients.config, clients.s3, run)
        reader.analyze(Part.from_dict(fields), run.execution.started_at, files, owner_file)
    except EXPECTED as error:
        return _not_analyzed(clients, run, error)
    return {"state": "PART_ANALYZED"}


def _not_analyzed(clients: PartClients, run: Run, error: Exception) -> dict[str, Any]:
    failed = failed_analysis(error)
    run_store.note_analysis_failure(clients.table, run.execution, failed)
    return {"state": "NOT_ANALYZED", "error": failed["error"]}
