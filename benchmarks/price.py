"""What one scheduled run costs: transitions counted on the state machine's own definition, by arithmetic."""

import json
from pathlib import Path

from benchmarks.polling import Wait, fixed, ours, watch
from benchmarks.results import Row

DEFINITION = Path(__file__).resolve().parents[1] / "statemachine/export_findings.asl.json"
LOOP = {"Wait for Report", "Check Report", "Report Finished?"}
USD_A_TRANSITION = 0.025 / 1000
USD_A_GB_SECOND = 0.0000133334
"""arm64, us-east-1 [AWS: Lambda pricing]."""
MEMORY_GB, STEP_SECONDS = 0.25, 0.3
"""A warm step takes about 0.1 s, a cold one about a second; 0.3 s is a generous mean."""
ANALYSIS_SECONDS, ANALYSIS_MEMORY_GB = 30, 1769 / 1024
"""A generous guess for some 100,000 findings."""
DAILY_RUNS = 30
UNITS = ("transitions", "s of Lambda", "USD a month")
REPORTS_SECONDS = {"20 min": 1200, "6 h": 21600}


def success_path() -> list[str]:
    """Return the states of a run that meets no other, from the definition: the loop counted once."""
    states = json.loads(DEFINITION.read_text())["States"]
    follow = {"Export Planned?": "Acquire Lock", "Lock Acquired?": "Start Report", "Report Started?": "Wait for Report",
              "Report Finished?": "Release Lock", "Run Failed?": "Verify Report", "Report Verified?": "Analyze Report",
              "Notification Needed?": "Notify", "Export Failed?": "Export Succeeded"}  # fmt: skip
    path, name = [], "Prepare Run"
    while name:
        path.append(name)
        name = follow.get(name) or states[name].get("Next", "")
    return path


def main() -> list[Row]:
    """Print the table and return its rows."""
    rows = []
    path = success_path()
    print("A scheduled run: transitions and price a month, before any free tier")
    for name, seconds in REPORTS_SECONDS.items():
        costs = {title: cost(path, seconds, wait) for title, wait in (("ours", ours), ("fixed minute", fixed))}
        for title, (transitions, lambda_seconds, usd) in costs.items():
            print(
                f"  {name:<8}{title:<14}{transitions:>6} transitions, {lambda_seconds:>5.0f} s of Lambda: USD {usd:.3f} a month"
            )
        for unit, baseline, mine in zip(UNITS, costs["fixed minute"], costs["ours"], strict=True):
            rows.append(Row(f"nightly run of a report of {name}", unit, baseline, mine, baseline / mine))
    return rows


def cost(path: list[str], report_seconds: float, wait: Wait) -> tuple[int, float, float]:
    """Return transitions and seconds of Lambda of a run, and its price in USD a month."""
    status_checks = watch(report_seconds, [], wait).status_checks
    transitions = len(path) + (status_checks - 1) * len(LOOP)
    others = ("Wait", "Prepare", "Export S", "Analy")  # the analysis is counted by itself
    steps = sum(not state.endswith("?") and not state.startswith(others) for state in path) + status_checks - 1
    gb_seconds = steps * STEP_SECONDS * MEMORY_GB + ANALYSIS_SECONDS * ANALYSIS_MEMORY_GB
    states_usd = transitions * DAILY_RUNS * USD_A_TRANSITION
    lambda_usd = gb_seconds * DAILY_RUNS * USD_A_GB_SECOND
    return transitions, steps * STEP_SECONDS + ANALYSIS_SECONDS, states_usd + lambda_usd
