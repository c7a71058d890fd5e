"""How late the end of a report is noticed, and by how many status checks, against a fixed minute; by arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.results import Row, at_most, times_better
from findings_exporter.model.wait import next_wait_seconds

DURATIONS = {"1 min": 60, "5 min": 300, "20 min": 1200, "1 h": 3600, "6 h": 21600, "12 h": 43200}
SPREAD = 0.2
DAILY_RUNS = 41
FIXED_SECONDS = 60
FAR_SECONDS = 10**9

type Wait = Callable[[float, Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching one report costs."""

    status_checks: int
    delay_seconds: float


def watch(duration_seconds: float, history_seconds: Sequence[float], wait: Wait) -> Cost:
    """Return the status checks until a report of a duration is seen finished, and how late that is."""
    elapsed, status_checks = 0.0, 0
    while status_checks == 0 or elapsed < duration_seconds:
        elapsed += wait(elapsed, history_seconds)
        status_checks += 1
    return Cost(status_checks, elapsed - duration_seconds)


def ours(elapsed_seconds: float, history_seconds: Sequence[float]) -> float:
    """Wait as the exporter does."""
    return next_wait_seconds(elapsed_seconds, history_seconds, FAR_SECONDS)


def fixed(_: float, __: Sequence[float]) -> float:
    """Wait as most tools do."""
    return FIXED_SECONDS


def main() -> list[Row]:
    """Print the table and return its rows."""
    rows: list[Row] = []
    print("Watching a report: status checks (each three transitions) and delay, against a fixed minute")
    print(f"  {'report':<8}{'fixed':>14}{'no history':>34}{'with history ±20 %: most checks, mean delay':>48}")
    for name, duration in DURATIONS.items():
        baseline, alone = watch(duration, [], fixed), watch(duration, [], ours)
        daily_runs = [duration * (1 - SPREAD + 2 * SPREAD * daily_run / (DAILY_RUNS - 1)) for daily_run in range(DAILY_RUNS)]
        known = [watch(daily_run, daily_runs, ours) for daily_run in daily_runs]
        mean_delay = sum(cost.delay_seconds / daily_run for cost, daily_run in zip(known, daily_runs, strict=True)) / DAILY_RUNS
        print(
            f"  {name:<8}{baseline.status_checks:>6} {baseline.delay_seconds:>5.0f} s"
            f"{alone.status_checks:>9} {alone.delay_seconds:>5.0f} s "
            f"({alone.status_checks / baseline.status_checks:.2f} of the checks)"
            f"{max(cost.status_checks for cost in known):>20} checks, {mean_delay:.1%}",
        )
        status_checks = max(cost.status_checks for cost in known)
        rows += [
            at_most(f"report of {name}: delay", "s", alone.delay_seconds, max(15.0, 0.1 * duration), baseline.delay_seconds),
            times_better(
                f"report of {name}: status checks",
                "checks",
                alone.status_checks,
                baseline.status_checks,
                5 if name == "6 h" else None,
            ),
            at_most(f"report of {name}: most status checks with history", "checks", status_checks, 15, baseline.status_checks),
            at_most(f"report of {name}: mean delay with history", "of it", mean_delay, 0.04),
        ]
    return rows
