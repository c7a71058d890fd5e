"""What the benchmark of the commit before this work measured, with today's code: ``python -m benchmarks.as_before WAY REPORT``.

It imports what these steps need and no more, as that benchmark did.
"""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findings_analysis.comparison.fingerprint_format import Header, checked
from findings_analysis.comparison.fingerprints import NO_OWNER
from findings_analysis.comparison.run_fingerprints import RunFingerprints
from findings_analysis.comparison.watch import Watched
from findings_analysis.parts.part_analysis import PartAnalysis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

    from arro3.core import RecordBatch

    from findings_analysis.reading.schema import Batch

FOLDER = Path(__file__).resolve().parents[1] / ".bench"
STARTED_AT = datetime.fromtimestamp(1_780_000_000, UTC)
NEW_EACH = 10
"""Of so many findings one is new since the baseline."""


class _Unnamed(PartAnalysis):
    """An analysis of a part that leaves no names file, as the one before had none."""

    def _name(self, record: RecordBatch) -> None:
        pass


def whole(report: Path) -> dict[str, Any]:
    """Take the steps that ``ours_whole`` of the commit before this work takes, with today's code.

    Reading, statistics, priorities, fingerprints, Parquet and the comparison with the report without each tenth finding;
    neither names nor document nor page, and nothing is stored.
    """
    paths = FOLDER / "as-before.parquet", FOLDER / "as-before.fingerprints"
    with paths[0].open("w+b") as table, paths[1].open("w+b") as fingerprint_file:
        part = _Unnamed(STARTED_AT, table, io.BytesIO())
        with report.open("rb", buffering=0) as stream:
            totals = part.read(_batches(report, stream), Counter())
        fingerprints = RunFingerprints(part.fingerprints.blocks, part.arns, totals.open)
        earlier = checked(_baseline_of(report), "bench", "baseline")
        of_report = totals.priorities.report
        watched = Watched({NO_OWNER: of_report.vulnerabilities()})
        found = fingerprints.compare(_header("now"), fingerprint_file, earlier, watched=watched)
        of_report.ranked(found.open_findings.of())
    assert found.with_baseline
    assert found.with_baseline.changes.counts["still_open"] > totals.statistics.total * 0.8
    return {"total": totals.statistics.total}


def baseline(report: Path) -> dict[str, Any]:
    """Leave what :func:`whole` is compared with."""
    part = _Unnamed(STARTED_AT - timedelta(days=1), io.BytesIO(), io.BytesIO())
    with report.open("rb", buffering=0) as stream:
        totals = part.read(map(_without_new, _batches(report, stream)), Counter())
    with _baseline_of(report).open("w+b") as file:
        RunFingerprints(part.fingerprints.blocks, part.arns, totals.open).compare(_header("baseline"), file)
    return {}


def _without_new(batch: Batch) -> Batch:
    rows = [row for row in range(len(batch["finding_arn"])) if row % NEW_EACH]
    return {name: [values[row] for row in rows] for name, values in batch.items()}


def _baseline_of(report: Path) -> Path:
    return report.with_suffix(f"{report.suffix}.fingerprints")


def _header(execution: str) -> Header:
    return Header("bench", execution, "2026-05-28T20:26:40+00:00", filter_hash="x", filter_criteria={}, scanning={})


def _batches(report: Path, stream: FileIO) -> Iterator[Batch]:
    if report.suffix == ".csv":
        from findings_analysis.reading.csv_report import read_csv

        return read_csv(stream)
    from findings_analysis.reading.json_report import read_json

    return read_json(stream)


WAYS = {way.__name__: way for way in (baseline, whole)}


def peak_mib() -> float:
    """Return the most memory that this process had."""
    (line,) = [line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    result = WAYS[sys.argv[1]](Path(sys.argv[2]))
    json.dump({"result": result, "peak_mib": peak_mib()}, sys.stdout)
