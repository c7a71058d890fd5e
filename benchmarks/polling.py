"""How late a report is told and how many looks that costs, against a fixed pause of a minute; by arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.results import Row, at_most, times_better
from findings_exporter.model.wait import next_wait_seconds

DURATIONS = {"1 min": 60, "5 min": 300, "20 min": 1200, "1 h": 3600, "6 h": 21600, "12 h": 43200}
SPREAD = 0.2
NIGHTS = 41
FIXED_SECONDS = 60
FAR_SECONDS = 10**9

type Wait = Callable[[float, Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching one report costs."""

    looks: int
    delay_seconds: float


def watch(duration_seconds: float, history_seconds: Sequence[float], wait: Wait) -> Cost:
    """Return the looks until a report of a duration is seen finished, and how late that is."""
    elapsed, looks = 0.0, 0
    while looks == 0 or elapsed < duration_seconds:
        elapsed += wait(elapsed, history_seconds)
        looks += 1
    return Cost(looks, elapsed - duration_seconds)


def ours(elapsed_seconds: float, history_seconds: Sequence[float]) -> float:
    """Wait as the exporter does."""
    return next_wait_seconds(elapsed_seconds, history_seconds, FAR_SECONDS)


def fixed(_: float, __: Sequence[float]) -> float:
    """Wait as most tools do."""
    return FIXED_SECONDS


def main() -> list[Row]:
    """Print the table and return its rows."""
    rows: list[Row] = []
    print("Watching a report: looks (each three transitions) and delay, against a fixed minute")
    print(f"  {'report':<8}{'fixed':>14}{'no history':>34}{'with history ±20 %: worst looks, mean delay':>48}")
    for name, duration in DURATIONS.items():
        baseline, alone = watch(duration, [], fixed), watch(duration, [], ours)
        nights = [duration * (1 - SPREAD + 2 * SPREAD * night / (NIGHTS - 1)) for night in range(NIGHTS)]
        known = [watch(night, nights, ours) for night in nights]
        mean_delay = sum(cost.delay_seconds / night for cost, night in zip(known, nights, strict=True)) / NIGHTS
        print(
            f"  {name:<8}{baseline.looks:>6} {baseline.delay_seconds:>5.0f} s"
            f"{alone.looks:>9} {alone.delay_seconds:>5.0f} s ({alone.looks / baseline.looks:.2f} of the looks)"
            f"{max(cost.looks for cost in known):>20} looks, {mean_delay:.1%}",
        )
        looks = max(cost.looks for cost in known)
        rows += [
            at_most(f"report of {name}: delay", "s", alone.delay_seconds, max(15.0, 0.1 * duration), baseline.delay_seconds),
            times_better(f"report of {name}: looks", "looks", alone.looks, baseline.looks, 5 if name == "6 h" else None),
            at_most(f"report of {name}: most looks with history", "looks", looks, 15, baseline.looks),
            at_most(f"report of {name}: mean delay with history", "of it", mean_delay, 0.04),
        ]
    return rows
