"""The part of `make demo` that shows two Regions with two reports each, and the one summary of them.

Both Regions have a stack of the same name; eu-west-1 is home. Between the two scheduled times, findings change, and scanning is
deactivated in one account of us-east-1: the second summary must say so before any number.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local_aws.server import LocalAws

ACCOUNT, STACK = "777788889999", "inspector-findings-exporter"
HOME, OTHER = "eu-west-1", "us-east-1"
DEACTIVATED_ACCOUNT = "444455556666"
CRITICAL = {"severity": [{"comparison": "EQUALS", "value": "CRITICAL"}]}
REPORTS: list[dict[str, Any]] = [{"name": "nightly"}, {"name": "criticals", "filter_criteria": CRITICAL}]
FINDINGS = 300


def show_regions(aws: LocalAws, folder: Path, say: Callable[[str], None], check: Callable[[bool, str], None]) -> None:
    """Deploy two Regions, start their reports for two scheduled times, and show the summaries.

    Parameters
    ----------
    folder
        For the second summary: ``summary-email.txt``, ``summary.json`` and ``summary.html``.
    """
    parameters = {"HomeRegion": HOME, "Regions": f"{HOME},{OTHER}", "Reports": "FILE", "ScheduleTimezone": "Europe/Berlin"}
    stacks = [Exporter.deploy(aws, STACK, account=ACCOUNT, region=region, parameters=parameters) for region in (HOME, OTHER)]
    inspectors = [InspectorControl(aws, ACCOUNT, stack.region) for stack in stacks]
    for number, (stack, inspector) in enumerate(zip(stacks, inspectors, strict=True)):
        inspector.seed(findings=FINDINGS, seed=number)
        inspector.configure(base_seconds=0.5, seconds_per_1000=0.5)
        stack.put_reports(REPORTS)
    names = ", ".join(str(each["name"]) for each in REPORTS)
    say(f"  {HOME} (home) and {OTHER} in account {ACCOUNT}; reports: {names}")
    first = _summary_of(stacks, 1)
    say(f"  Summary 1: {first['subject']}")
    say(f"  Findings change, and scanning is deactivated in account {DEACTIVATED_ACCOUNT} of {OTHER}.")
    inspectors[0].evolve()
    inspectors[1].evolve(switch_off=DEACTIVATED_ACCOUNT)
    second = _summary_of(stacks, 2)
    say(f"  Summary 2: {second['subject']}")
    event = json.loads(second["bodies"]["default"])
    _write(stacks[0], second, event, folder)
    _check(event, second, check)
    say("  The mail is in .demo/summary-email.txt, the event in .demo/summary.json, the page in .demo/summary.html:\n")
    say("    " + "\n    ".join(second["bodies"]["email"].split("\n\n")[0].splitlines()))


def _summary_of(stacks: list[Exporter], number: int) -> dict[str, Any]:
    """Start all reports of each Region for one scheduled time, and return the summary."""
    at = datetime.now(UTC).replace(microsecond=0).isoformat()
    arns = []
    for stack in stacks:
        schedule = f"arn:aws:scheduler:{stack.region}:{ACCOUNT}:schedule/default/{stack.resource('ExportFindingsNightly')}"
        arns.append(stack.start_reports({"schedule": {"scheduled_for": at, "arn": schedule}}))
    for stack, arn in zip(stacks, arns, strict=True):
        stack.ended(arn, 90)
    wait_until(lambda: len(stacks[0].summaries()) >= number or None, f"summary {number}", 30)
    return stacks[0].summaries()[number - 1]


def _write(home: Exporter, summary: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    (folder / "summary-email.txt").write_text(f"Subject: {summary['subject']}\n\n{summary['bodies']['email']}")
    (folder / "summary.json").write_text(json.dumps(event, indent=2, ensure_ascii=False) + "\n")
    time = datetime.fromisoformat(event["scheduled_for"])
    (folder / "summary.html").write_bytes(home.read(f"inspector/summaries/{time:%Y-%m-%d/%H%M}/index.html"))


def _check(event: dict[str, Any], summary: dict[str, Any], check: Callable[[bool, str], None]) -> None:
    reports = {(each["region"], each["report"]): each for each in event["reports"]}
    check(
        set(reports) == {(region, each["name"]) for region in (HOME, OTHER) for each in REPORTS},
        f"the summary has both reports of both Regions, not {sorted(reports)}",
    )
    check(event["complete"] and event["supplement"] == 0, "the summary is complete")
    coverage = {key: each["headline"]["coverage"] for key, each in reports.items()}
    check(
        {key[0] for key, state in coverage.items() if state == "lost"} == {OTHER},
        f"scan coverage is lost in {OTHER} alone, not {coverage}",
    )
    check(f"scan coverage lost in {OTHER}" in summary["subject"], "the subject says where scan coverage is lost")
    nightly = [each["headline"]["open"] for key, each in reports.items() if key[1] == "nightly"]
    check(event["totals"]["open"] == sum(nightly), "the total is that of the first report of each Region")
