"""The trend's geometry: one row of bars for each severity, each with its own scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RUNS = 30
FEWEST_PLACES = 12
"""The bars of fewer runs are as wide as those of so many."""
PLACE_WIDTH = 10
"""Of a bar with the gap after it; the template draws the bar itself 8 wide."""
HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One run; lengths are in units of the drawing, ``count`` is None where the run has no numbers."""

    x: int
    y: float
    height: float
    count: int | None
    started_at: str
    outcome: str
    is_uncertain: bool
    """Scan coverage was lost or unknown."""


@dataclass(frozen=True, slots=True)
class Strip:
    """One severity.

    Attributes
    ----------
    first, last
        The first and the last run with numbers.
    change
        From the last run but one with numbers to the last; None with one alone.
    """

    severity: str
    bars: tuple[Bar, ...]
    width: int
    first: Bar
    last: Bar
    least: int
    most: int
    change: int | None

    @property
    def is_uncertain(self) -> bool:
        """Whether lost or unknown coverage, in the last run with numbers or the one before, can explain the change."""
        return self.change is not None and any(
            bar.is_uncertain for bar in [bar for bar in self.bars if bar.count is not None][-2:]
        )

    @property
    def has_uncertain(self) -> bool:
        """Whether a run with numbers had lost or unknown scan coverage."""
        return any(bar.is_uncertain and bar.count is not None for bar in self.bars)


def strips(trend: Sequence[Mapping[str, Any]], severities: Sequence[str]) -> list[Strip]:
    """Return the rows of the trend: the severities of which any run had open findings.

    Parameters
    ----------
    trend
        Runs, oldest first; of more than 30 the last 30 are shown.
    severities
        The worst first.
    """
    runs = trend[-RUNS:]
    shown_severities = [severity for severity in severities if any((run["by_severity"] or {}).get(severity) for run in runs)]
    return [_strip(severity, runs) for severity in shown_severities]


def _strip(severity: str, runs: Sequence[Mapping[str, Any]]) -> Strip:
    counts = [None if run["by_severity"] is None else int(run["by_severity"].get(severity, 0)) for run in runs]
    known = [count for count in counts if count is not None]
    most = max(known)
    bars = []
    for place, (run, count) in enumerate(zip(runs, counts, strict=True)):
        # A small number stays visible beside large ones.
        height = max(round((HEIGHT - 4) * count / most, 1), 2.0) if count else 1.0
        bars.append(
            Bar(place * PLACE_WIDTH, HEIGHT - height, height, count, run["started_at"], run["outcome"], run["is_uncertain"])
        )
    shown = [bar for bar in bars if bar.count is not None]
    change = known[-1] - known[-2] if len(known) > 1 else None
    width = max(len(runs), FEWEST_PLACES) * PLACE_WIDTH
    return Strip(severity, tuple(bars), width, shown[0], shown[-1], min(known), most, change)
