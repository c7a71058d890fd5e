"""What one nightly run costs: transitions counted on the state machine's own definition, by arithmetic."""

import json
from pathlib import Path

from benchmarks.polling import Wait, fixed, ours, watch

DEFINITION = Path(__file__).resolve().parents[1] / "statemachine/export_findings.asl.json"
LOOP = {"Wait for Report", "Check Report", "Report Finished?"}
USD_A_TRANSITION = 0.025 / 1000
USD_A_GB_SECOND = 0.0000133334
"""arm64, us-east-1 [AWS: Lambda pricing]."""
MEMORY_GB, STEP_SECONDS = 0.25, 0.3
"""A warm step takes about 0.1 s, a cold one about a second; 0.3 s is a generous mean."""
NIGHTS = 30
REPORTS_SECONDS = {"20 min": 1200, "6 h": 21600}


def success_path() -> list[str]:
    """Return the states of a run that meets no other, from the definition: the loop counted once."""
    states = json.loads(DEFINITION.read_text())["States"]
    follow = {"Export Planned?": "Acquire Lock", "Lock Acquired?": "Start Report", "Report Started?": "Wait for Report",
              "Report Finished?": "Release Lock", "Run Failed?": "Verify Report", "Report Verified?": "Record Run",
              "Anyone to Tell?": "Notify", "Export Failed?": "Export Succeeded"}  # fmt: skip
    path, name = [], "Prepare Run"
    while name:
        path.append(name)
        name = follow.get(name) or states[name].get("Next", "")
    return path


def main() -> None:
    """Print the table."""
    path = success_path()
    print("A nightly run: transitions and price a month, before any free tier")
    for name, seconds in REPORTS_SECONDS.items():
        for title, wait in (("ours", ours), ("fixed minute", fixed)):
            print(f"  {name:<8}{title:<14}{line(path, seconds, wait)}")


def line(path: list[str], report_seconds: float, wait: Wait) -> str:
    """Return one line of the table."""
    looks = watch(report_seconds, [], wait).looks
    transitions = len(path) + (looks - 1) * len(LOOP)
    steps = sum(not state.endswith("?") and not state.startswith(("Wait", "Prepare", "Export S")) for state in path) + looks - 1
    states_usd = transitions * NIGHTS * USD_A_TRANSITION
    lambda_usd = steps * STEP_SECONDS * MEMORY_GB * NIGHTS * USD_A_GB_SECOND
    return f"{transitions:>6} transitions, {steps * STEP_SECONDS:>5.0f} s of Lambda: USD {states_usd + lambda_usd:.3f} a month"
