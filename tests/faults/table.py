"""Prints the matrix as tables."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tests.faults.matrix import ALL_SCENARIOS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence

    from tests.faults.matrix import Cell, Result

WORDS = {
    "SUCCEEDED": "ok",
    "ABORTED": "stopped",
    "DeadlineExceeded": "late",
    "AccessDeniedError": "denied",
    "ServiceUnavailableError": "outage",
    "Lambda.TooManyRequestsException": "crowded",
}
"""How an execution ended, in a word that fits a column."""
WIDTH = 12
LONGEST = 12


def table(results: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of one table for each scenario and sort of fault: step and call down, faults across."""
    in_tables = sorted(results, key=lambda each: (ALL_SCENARIOS.index(each.cell.scenario), _sort(each.cell)))
    for (scenario, sort), group in groupby(in_tables, key=lambda each: (each.cell.scenario, _sort(each.cell))):
        found = list(group)
        kinds = list(dict.fromkeys(each.cell.kind.name for each in found))
        yield ""
        yield f"{scenario}, faults of {sort}"
        yield f"{'':44}" + "".join(f"{kind:{WIDTH}}" for kind in kinds)
        rows: dict[str, dict[str, Result]] = {}
        for each in found:
            rows.setdefault(f"{each.cell.step} {each.cell.call}", {})[each.cell.kind.name] = each
        for row, by_kind in rows.items():
            words = (_word(by_kind[kind]) if kind in by_kind else "" for kind in kinds)
            yield f"{row:44}" + "".join(f"{word:{WIDTH}}" for word in words).rstrip()


def violations(results: Iterable[Result]) -> Iterator[str]:
    """Yield each thing that was wrong, with how to run its cell alone."""
    for result in results:
        for trouble in result.troubles:
            yield f"{result.cell}: {trouble}\n    make faults CELL={result.cell}"


def numbers(results: Sequence[Result], seconds: float) -> str:
    """Return the sums."""
    wrong = sum(bool(result.troubles) for result in results)
    longest = sorted(results, key=lambda result: -result.seconds)[:LONGEST]
    shown = "".join(f"\n  {result.seconds:.0f} s {result.cell}" for result in longest)
    return f"{len(results)} cells in {seconds / 60:.1f} minutes, {wrong} with violations; the longest took{shown}"


def _word(result: Result) -> str:
    word = WORDS.get(result.outcome, result.outcome)
    return f"{'!' if result.troubles else ''}{word}"[: WIDTH - 1]


def _sort(cell: Cell) -> str:
    return {"step": "steps", "state": "states"}.get(cell.call, "calls")


def counted(counts: Counter[str]) -> str:
    """Return names with how often each was counted, the most frequent first."""
    return ", ".join(f"{name or 'nothing'} {count}" for name, count in counts.most_common())
