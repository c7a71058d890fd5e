"""Rows of what was measured, each beside its baseline, printed and kept in ``benchmarks/results.json``."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PATH = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes
    ----------
    ratio
        How many times better than the baseline; None where only the value itself has a mark.
    mark
        What it should be, in words; empty where there is none.
    met
        None where there is no mark.
    """

    name: str
    unit: str
    baseline: float | None
    ours: float
    ratio: float | None = None
    mark: str = ""
    met: bool | None = None


def at_most(name: str, unit: str, ours: float, most: float | None, baseline: float | None = None) -> Row:
    """Return a row whose mark, if it has one, is an upper bound."""
    mark = "" if most is None else f"at most {most:.4g}"
    return Row(
        name, unit, baseline, ours, baseline / ours if baseline and ours else None, mark, None if most is None else ours <= most
    )


def times_better(name: str, unit: str, ours: float, baseline: float, times: float | None) -> Row:
    """Return a row whose mark, if it has one, is to be so many times smaller than the baseline."""
    mark = "" if times is None else f"at least {times:.4g} times"
    return Row(name, unit, baseline, ours, baseline / ours, mark, None if times is None else baseline >= times * ours)


def at_most_times(name: str, unit: str, ours: float, baseline: float, times: float) -> Row:
    """Return a row whose mark is to be at most so many times as large as the baseline."""
    return Row(name, unit, baseline, ours, baseline / ours, f"at most {times:.4g} times as much", ours <= times * baseline)


def at_least(name: str, unit: str, ours: float, least: float | None) -> Row:
    """Return a row whose mark, if it has one, is a lower bound."""
    mark = "" if least is None else f"at least {least:,.4g}"
    return Row(name, unit, None, ours, None, mark, None if least is None else ours >= least)


def show(rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    for row in rows:
        baseline = "" if row.baseline is None else f"baseline {row.baseline:,.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} times"
        coverage_status = {True: "met", False: "NOT MET", None: ""}[row.met]
        print(f"  {row.name:<74}{row.ours:>12,.4g} {row.unit:<12}{baseline:<20}{ratio:<13}{row.mark:<29}{coverage_status}")


def keep(rows: Sequence[Row]) -> None:
    """Write all rows with the machine they were measured on."""
    machine = {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    PATH.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n", encoding="utf-8")
