"""One way to analyze a report, in a process of its own: ``python -m benchmarks.readers WAY REPORT [BASELINE [MORE]]``.

Each way is production's code, called as the functions call it (:mod:`findings_analysis.pipeline`,
:mod:`findings_analysis.part_pipeline`); only AWS' clients are other ones (:mod:`benchmarks.local_aws`). Prints what the way
returns and the process' peak memory as JSON.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.local_aws import Scene
from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.output import finding_details
from findings_analysis.part_pipeline import analyze_part_of_run, cut_run
from findings_analysis.parts.part import Part
from findings_analysis.pipeline import analyze
from findings_analysis.reading import parquet_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.reports import Baseline

PARTS_AT_ONCE = 2
"""As many as this kind of machine has cores. The workflow analyzes five at once."""
CHANGED = 3_600
NAMING_ROUNDS = 5


def whole(report: Path, baseline: Baseline) -> dict[str, Any]:
    """Analyze a report of one part, and compare it with the baseline that :func:`before` has left."""
    return _analyzed(Scene.of(report, baseline))


def before(report: Path, baseline: Baseline) -> dict[str, Any]:
    """Analyze the baseline a day before, and record its run."""
    scene = Scene.of_baseline(report, baseline)
    scene.history_file.unlink(missing_ok=True)
    headline = analyze(scene.clients, scene.run, scene.delivery, list)
    assert "error" not in headline, headline
    scene.record(headline)
    return {}


def parts(report: Path, baseline: Baseline, number: str) -> dict[str, Any]:
    """Cut a report into about so many parts, and analyze each in a process of its own."""
    began = time.perf_counter()
    scene = Scene.of(report, baseline)
    cut = cut_run(scene.part_clients, scene.run, scene.delivery, -(-scene.delivery.size_bytes // int(number)))
    assert cut["state"] == "CUT", cut
    analyzed_at = time.perf_counter()
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        answers = list(threads.map(lambda part: _process("part", report, baseline, json.dumps(part)), cut["parts"]))
    return {
        "parts": cut["parts"],
        "cut_seconds": analyzed_at - began,
        "parts_seconds": time.perf_counter() - analyzed_at,
        "part_peak_mib": max(each["peak_mib"] for each in answers),
    }


def in_parts(report: Path, baseline: Baseline, number: str) -> dict[str, Any]:
    """Analyze a report in about so many parts, and merge them in another process."""
    analyzed = parts(report, baseline, number)
    began = time.perf_counter()
    merged = _process("merge", report, baseline, json.dumps(analyzed["parts"]))
    result: dict[str, Any] = merged["result"]
    return analyzed | result | {"merge_seconds": time.perf_counter() - began, "merge_peak_mib": merged["peak_mib"]}


def part(report: Path, baseline: Baseline, fields: str) -> dict[str, Any]:
    """Analyze one part."""
    scene = Scene.of(report, baseline)
    answer = analyze_part_of_run(scene.part_clients, scene.run, scene.delivery, json.loads(fields))
    assert answer["state"] == "PART_ANALYZED", answer
    return answer


def merge(report: Path, baseline: Baseline, fields: str) -> dict[str, Any]:
    """Merge the parts."""
    return _analyzed(Scene.of(report, baseline), [Part.from_dict(each) for each in json.loads(fields)])


def naming(report: Path, baseline: Baseline) -> dict[str, Any]:
    """Find the names of :data:`CHANGED` findings of the baseline that :func:`before` has left, in turn as now and as before.

    Before, all columns of the Parquet file were decoded (arro3 has no projection), up to the last finding that was wanted.
    """
    scene = Scene.of_baseline(report, baseline)
    names_file, table = scene.bucket.content(scene.keys.names), scene.bucket.content(scene.keys.parquet(1))
    arns = [arn for batch in parquet_columns.read(io.BytesIO(table), ["finding_arn"]) for arn in batch["finding_arn"]]
    wanted = frozenset(exact_hashes(arns[:: -(-len(arns) // CHANGED)]))
    seconds: dict[str, list[float]] = {"now": [], "before": []}
    for _ in range(NAMING_ROUNDS):
        began = time.perf_counter()
        found = finding_details.find(io.BytesIO(names_file), wanted)
        seconds["now"].append(time.perf_counter() - began)
        began = time.perf_counter()
        found_before = _details_of_table(table, wanted)
        seconds["before"].append(time.perf_counter() - began)
        assert found == found_before
    return {
        "changed": len(wanted),
        "seconds": {way: statistics.median(each) for way, each in seconds.items()},
        "bytes": {"now": len(names_file), "before": len(table)},
    }


def _details_of_table(table: bytes, wanted: frozenset[bytes]) -> dict[bytes, dict[str, Any]]:
    found: dict[bytes, dict[str, Any]] = {}
    for batch in parquet_columns.read(io.BytesIO(table), parquet_columns.DETAIL_COLUMNS):
        for row, arn_hash in enumerate(exact_hashes(batch["finding_arn"])):
            if arn_hash in wanted:
                found[arn_hash] = {name: batch[name][row] for name in parquet_columns.DETAIL_COLUMNS}
        if len(found) == len(wanted):
            break
    return found


def _analyzed(scene: Scene, parts: Sequence[Part] = ()) -> dict[str, Any]:
    headline = analyze(scene.clients, scene.run, scene.delivery, scene.history, parts)
    assert "error" not in headline, headline
    assert headline["page_key"], "the page could not be made"
    files = {"document": scene.keys.document, "fingerprints": scene.keys.fingerprints}
    return {name: str(scene.bucket.folder / key) for name, key in files.items()}


def _process(way: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.readers", way, *map(str, arguments)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603 - our own command
    return cast("dict[str, Any]", json.loads(output))


def peak_mib() -> float:
    """Return the most memory that this process had; what its parent had before the start does not count."""
    (line,) = [line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


WAYS: dict[str, Callable[..., dict[str, Any]]] = {
    way.__name__: way for way in (whole, before, parts, in_parts, part, merge, naming)
}

if __name__ == "__main__":
    way, path, *more = sys.argv[1:]
    result = WAYS[way](Path(path), *more)
    json.dump({"result": result, "peak_mib": peak_mib()}, sys.stdout)
