"""What reading a report costs, against what one would write first; each in a process of its own, counts compared.

Generated reports of 20,000 and 200,000 findings; of 2,000,000, too, with ``BENCH=full``, where the baselines are left out:
they would need 40 GB. Processor time stands beside wall time: on a shared machine it drifts less.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reports import reports
from benchmarks.results import Row, at_most, show, times_better

REPOSITORY = Path(__file__).resolve().parents[1]
OURS, PANDAS = sys.executable, str(REPOSITORY / ".venv-bench/bin/python")
SIZES = (20_000, 200_000)
FULL_SIZE = 2_000_000
BIG = 200_000
ROUNDS = 5
FLAT = 1.1


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to read one report."""

    seconds: float
    processor_seconds: float
    peak_mib: float
    counts: dict[str, Any]


def measure(ways: Sequence[tuple[str, str]], report: Path, rounds: int = ROUNDS) -> list[Measured]:
    """Measure ways in turn, so that a drift of the machine meets all of them; medians of the rounds."""
    found: list[list[Measured]] = [[] for _ in ways]
    for _ in range(rounds):
        for place, (python, way) in enumerate(ways):
            begin, used = time.perf_counter(), processor_seconds()
            output = subprocess.run(  # noqa: S603 - our own command
                [python, "-m", "benchmarks.readers", way, str(report)], check=True, capture_output=True, cwd=REPOSITORY
            ).stdout
            measured = json.loads(output)
            seconds, used = time.perf_counter() - begin, processor_seconds() - used
            found[place].append(Measured(seconds, used, measured["peak_mib"], measured["counts"]))
    return [
        Measured(
            statistics.median(each.seconds for each in tries),
            statistics.median(each.processor_seconds for each in tries),
            max(each.peak_mib for each in tries),
            tries[0].counts,
        )
        for tries in found
    ]


def with_baseline(report: Path) -> Path:
    """Make sure of what the whole step is compared with, and return the report."""
    if not report.with_suffix(f"{report.suffix}.keys").exists():
        measure([(OURS, "keys")], report, rounds=1)
    return report


def processor_seconds() -> float:
    """Return what all processes that were started and waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def same(first: Measured, second: Measured, what: str) -> None:
    """Fail unless both counted the same. A top list beyond its memory is compared by its bound."""
    for name, counts in first.counts.items():
        if name != "top" and {key: count for key, count in as_dict(counts) if count} != {
            key: count for key, count in as_dict(second.counts[name]) if count
        }:
            raise AssertionError(f"{what}: {name} differs: {counts} and {second.counts[name]}")
    for name, top in first.counts["top"].items():
        if top["exact"] and top["entries"] != second.counts["top"][name]["entries"]:
            raise AssertionError(f"{what}: the top {name} differ")


def as_dict(counts: int | dict[str, int]) -> list[tuple[str, int]]:
    """Return counts by name; a total has one."""
    return list(counts.items()) if isinstance(counts, dict) else [("", counts)]


def main() -> list[Row]:
    """Print the table and return its rows."""
    rows: list[Row] = []
    peaks: dict[int, float] = {}
    print(f"Reading a report: wall time with Python's start, medians of {ROUNDS} processes each")
    for size in SIZES:
        in_json, in_csv = reports(size)
        found = json_rows(size, in_json, peaks) + csv_rows(size, in_csv)
        show(found)
        rows += found
    if os.environ.get("BENCH") == "full":
        found = full_rows(reports(FULL_SIZE)[0], peaks)
        show(found)
        rows += found
    rows.append(
        at_most(
            "analysis of JSON: largest by smallest peak of all sizes", "times", max(peaks.values()) / min(peaks.values()), FLAT
        )
    )
    show(rows[-1:])
    return rows


def json_rows(size: int, report: Path, peaks: dict[int, float]) -> list[Row]:
    """Measure the JSON report of a size."""
    ways = [(OURS, "load_and_count"), (OURS, "ours_counted"), (PANDAS, "load_and_write"), (OURS, "ours_whole")]
    load, counted, pandas, whole = measure(ways, with_baseline(report))
    same(counted, load, "analysis of JSON")
    same(whole, pandas, "whole step of JSON")
    peaks[size] = counted.peak_mib
    speed, big = report.stat().st_size / 1e6 / counted.seconds, size >= BIG
    analysis, step = f"analysis of JSON, {size:,} findings", f"whole step of JSON, {size:,} findings"
    return [
        times_better(f"{analysis}: time", "s", counted.seconds, load.seconds, 12 if big else None),
        times_better(f"{analysis}: processor time", "s", counted.processor_seconds, load.processor_seconds, None),
        Row(f"{analysis}: speed", "MB/s", None, speed, None, "at least 500 here" if big else "", speed >= 500 if big else None),
        at_most(f"{analysis}: peak memory", "MiB", counted.peak_mib, 48, load.peak_mib),
        times_better(f"{step}: time", "s", whole.seconds, pandas.seconds, 6 if big else None),
        times_better(f"{step}: processor time", "s", whole.processor_seconds, pandas.processor_seconds, None),
        at_most(f"{step}: peak memory", "MiB", whole.peak_mib, 128, pandas.peak_mib),
    ]


def csv_rows(size: int, report: Path) -> list[Row]:
    """Measure the CSV report of a size."""
    pandas, whole = measure([(PANDAS, "read_and_write"), (OURS, "ours_whole")], with_baseline(report))
    same(whole, pandas, "whole step of CSV")
    step, big = f"whole step of CSV, {size:,} findings", size >= BIG
    return [
        times_better(f"{step}: time", "s", whole.seconds, pandas.seconds, 1 if big else None),
        times_better(f"{step}: processor time", "s", whole.processor_seconds, pandas.processor_seconds, None),
        times_better(f"{step}: peak memory", "MiB", whole.peak_mib, pandas.peak_mib, 10 if big else None),
    ]


def full_rows(report: Path, peaks: dict[int, float]) -> list[Row]:
    """Measure the largest JSON report, once and without a baseline."""
    counted, whole = measure([(OURS, "ours_counted"), (OURS, "ours_whole")], with_baseline(report), rounds=1)
    peaks[FULL_SIZE] = counted.peak_mib
    megabytes = report.stat().st_size / 1e6
    analysis, step = f"analysis of JSON, {FULL_SIZE:,} findings", f"whole step of JSON, {FULL_SIZE:,} findings"
    return [
        Row(f"{analysis}: speed", "MB/s", None, megabytes / counted.seconds),
        at_most(f"{analysis}: peak memory", "MiB", counted.peak_mib, 48),
        Row(f"{step}: speed", "MB/s", None, megabytes / whole.seconds),
        at_most(f"{step}: peak memory", "MiB", whole.peak_mib, 192),
    ]
