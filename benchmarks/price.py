"""What a run costs, by arithmetic: transitions counted on the state machine's definition, Lambda by measured seconds a finding.

Prices are those of us-east-1 on arm64, before any free tier [AWS: pricing of Step Functions, Lambda and S3]. Of S3 the requests
of the analysis count, not what is stored, since that depends on how long it is kept.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.analysis import LAMBDA_FACTOR, MEASURED
from benchmarks.polling import Wait, fixed, ours, watch
from benchmarks.processes import REPOSITORY
from benchmarks.results import Row
from tests.builders.cloudformation import read_template

DEFINITION = Path(__file__).resolve().parents[1] / "statemachine/export_findings.asl.json"
LOOP = {"Wait for Report", "Check Report", "Report Finished?"}
STATES_A_PART = ("Analyze Part", "Part Analyzed?", "Part Finished")
USD_A_TRANSITION = 0.025 / 1000
USD_A_GB_SECOND = 0.0000133334
"""arm64, us-east-1 [AWS: Lambda pricing]."""
USD_A_TEMPORARY_GB_SECOND = 0.0000000309
"""Of what is beyond 512 MB; from memory, not looked up. It is about a hundredth of what the memory of Analyze Report costs."""
FREE_TEMPORARY_GB = 0.5
USD_A_PUT, USD_A_GET = 0.005 / 1000, 0.0004 / 1000
PUTS_OF_A_RUN, PUTS_OF_A_PART = 5, 6
"""The files of an analysis; the four of a part and the copy of its Parquet file."""
RANGE_BYTES = 4 << 20
MEMORY_GB, STEP_SECONDS = 0.25, 0.3
"""A warm step takes about 0.1 s, a cold one about a second; 0.3 s is a generous mean."""
ANALYSIS_SECONDS, ANALYSIS_MEMORY_GB = 30, 1769 / 1024
"""A generous guess for some 100,000 findings."""
CUT_SECONDS, CUT_MEMORY_GB = 2, 0.5
START_SECONDS = 1
"""Of each function of the analysis, beside what a finding takes."""
DAILY_RUNS = 30
UNITS = ("transitions", "s of Lambda", "USD a month")
REPORTS_SECONDS = {"20 min": 1200, "6 h": 21600}
RUNS = {200_000: 1200, 2_000_000: 3600, 20_000_000: 21600}
"""Findings, and how long Inspector takes for the report: a guess, since AWS does not say it."""
BYTES_A_FINDING = 2_840
"""Of the reports of :mod:`benchmarks.reports` in JSON."""
NOT_MEASURED = {"whole": 50e-6, "part": 45e-6, "merge": 8e-6}
"""Seconds a finding where ``make bench`` has measured none yet."""


def success_path(*, in_parts: bool = False) -> list[str]:
    """Return the states of a run that meets no other, from the definition: the loop and the parts counted once."""
    states = json.loads(DEFINITION.read_text())["States"]
    follow = {"Export Planned?": "Acquire Lock", "Lock Acquired?": "Start Report", "Report Started?": "Wait for Report",
              "Report Finished?": "Release Lock", "Run Failed?": "Verify Report",
              "Report Verified?": "Cut Report" if in_parts else "Analyze Report", "Report Cut?": "Analyze Parts",
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
            rows.append(Row(f"scheduled run of a report of {name}", unit, baseline, mine, baseline / mine))
    return rows + rows_by_findings()


def cost(path: list[str], report_seconds: float, wait: Wait) -> tuple[int, float, float]:
    """Return transitions and seconds of Lambda of a run, and its price in USD a month."""
    transitions, steps = counted(path, report_seconds, wait)
    gb_seconds = steps * STEP_SECONDS * MEMORY_GB + ANALYSIS_SECONDS * ANALYSIS_MEMORY_GB
    states_usd = transitions * DAILY_RUNS * USD_A_TRANSITION
    lambda_usd = gb_seconds * DAILY_RUNS * USD_A_GB_SECOND
    return transitions, steps * STEP_SECONDS + ANALYSIS_SECONDS, states_usd + lambda_usd


def counted(path: list[str], report_seconds: float, wait: Wait) -> tuple[int, int]:
    """Return how many transitions a run has, parts left out, and how many of them run a function other than the analysis."""
    status_checks = watch(report_seconds, [], wait).status_checks
    others = ("Wait", "Prepare", "Export S", "Analy", "Cut")  # the analysis is counted by itself
    steps = sum(not state.endswith("?") and not state.startswith(others) for state in path) + status_checks - 1
    return len(path) + (status_checks - 1) * len(LOOP), steps


# ---- by the number of findings


@dataclass(frozen=True, slots=True)
class Work:
    """What a function does in a run.

    Attributes
    ----------
    temporary_gb
        Of its disk.
    """

    seconds: float
    memory_gb: float
    temporary_gb: float = FREE_TEMPORARY_GB

    @property
    def usd(self) -> float:
        """What it costs."""
        temporary_usd = (self.temporary_gb - FREE_TEMPORARY_GB) * USD_A_TEMPORARY_GB_SECOND
        return self.seconds * (self.memory_gb * USD_A_GB_SECOND + temporary_usd)


def rows_by_findings() -> list[Row]:
    """Print what one run costs by its number of findings, and return the rows."""
    rows = []
    print(f"One run by its findings, if a finding takes {LAMBDA_FACTOR} times as long on Lambda as here")
    for findings, report_seconds in RUNS.items():
        work, parts = analysis_of(findings)
        path = success_path(in_parts=parts > 0)
        usd, transitions = {}, {}
        for title, wait in (("ours", ours), ("fixed minute", fixed)):
            without_parts, steps = counted(path, report_seconds, wait)
            transitions[title] = without_parts + parts * len(STATES_A_PART)
            functions = [*work, Work(steps * STEP_SECONDS, MEMORY_GB)]
            states_usd, lambda_usd = transitions[title] * USD_A_TRANSITION, sum(each.usd for each in functions)
            usd[title] = states_usd + lambda_usd + requests_usd(findings, parts)
        seconds, analysis_usd = sum(each.seconds for each in work), sum(each.usd for each in work)
        print(
            f"  {findings:>10,} findings, report of {report_seconds // 60} min: {parts or 1} parts, "
            f"{transitions['ours']} transitions, {seconds:,.0f} s of analysis (USD {analysis_usd:.4f}), USD {usd['ours']:.4f}; "
            f"with a fixed minute {usd['fixed minute']:.4f}"
        )
        for unit, costs in (("transitions", transitions), ("USD", usd)):
            baseline, mine = costs["fixed minute"], costs["ours"]
            rows.append(Row(f"run of {findings:,} findings, parts included", unit, baseline, mine, baseline / mine))
    return rows


def analysis_of(findings: int) -> tuple[list[Work], int]:
    """Return what the analysis of a report takes, and its number of parts; 0 where it is not cut."""
    template = read_template(REPOSITORY / "template.yaml")["Resources"]
    measured = json.loads(MEASURED.read_text()) if MEASURED.exists() else NOT_MEASURED
    part_bytes = part_bytes_of(template)
    size_bytes = findings * BYTES_A_FINDING
    seconds = {kind: findings * each * LAMBDA_FACTOR for kind, each in measured.items()}
    if size_bytes <= part_bytes:
        return [function(template, "AnalyzeReport", seconds["whole"] + START_SECONDS)], 0
    parts = -(-size_bytes // part_bytes)
    return [
        Work(CUT_SECONDS, CUT_MEMORY_GB),
        function(template, "AnalyzePart", seconds["part"] + parts * START_SECONDS),
        function(template, "AnalyzeReport", seconds["merge"] + START_SECONDS),
    ], parts


def function(template: dict[str, Any], name: str, seconds: float) -> Work:
    """Return a function's work with the size that the template gives it."""
    properties = template[f"{name}Function"]["Properties"]
    return Work(seconds, properties["MemorySize"] / 1024, properties["EphemeralStorage"]["Size"] / 1024)


def part_bytes_of(template: dict[str, Any]) -> int:
    """Return how large a part is."""
    return int(template["ExportFindings"]["Properties"]["DefinitionSubstitutions"]["PartBytes"])


def requests_usd(findings: int, parts: int) -> float:
    """Return what the requests of the analysis to S3 cost: the report's ranges, and the files that are written."""
    return findings * BYTES_A_FINDING / RANGE_BYTES * USD_A_GET + (PUTS_OF_A_RUN + parts * PUTS_OF_A_PART) * USD_A_PUT
