"""`make demo`: the exporter's main job on the embedded AWS, live.

Deploys the real stack with the SAM CLI, lets the schedule itself start an export, starts a second run by hand while the
first is on, and shows what a person would see. Leaves `.demo/` and exits with 0 only if all of it was seen.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.local_aws.exporter import Execution, Exporter, wait_until
from tests.local_aws.inspector import InspectorControl
from tests.local_aws.server import DEFAULT_REGION, REPOSITORY, LocalAws

if TYPE_CHECKING:
    from pathlib import Path

DEMO = REPOSITORY / ".demo"
STACK = "inspector-findings-exporter"
ZONE = ZoneInfo("Europe/Berlin")
FINDINGS = 4000
WAIT_SCALE = 0.1
USD_A_TRANSITION = 0.025 / 1000
FREE_TRANSITIONS_A_MONTH = 4000
NIGHTS_A_MONTH = 30


class NotSeenError(Exception):
    """Something that the demo promises to show did not happen."""


def main() -> int:
    """Run the demo and return its exit code."""
    # make passes Ctrl-C on, but a plain kill would leave the processes behind that `with` ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A shell that starts the demo in the background lets it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    began = time.monotonic()
    try:
        with LocalAws(DEMO / "local-aws.log", wait_scale=WAIT_SCALE) as aws:
            exporter = deploy(aws)
            show(exporter)
            say(f"\nAll of it was seen, in {time.monotonic() - began:.0f} s. The files are in .demo/")
            if "--keep" in sys.argv:
                keep(aws, exporter)
    except KeyboardInterrupt:
        say("\nstopped; nothing is left running")
        return 130
    except NotSeenError as error:
        say(f"\nNOT SEEN: {error}\nThe log of the embedded AWS is .demo/local-aws.log")
        return 1
    return 0


def deploy(aws: LocalAws) -> Exporter:
    """Deploy the built stack with the SAM CLI, as its user does."""
    heading("Deploying the real stack with the SAM CLI to an embedded AWS on this machine")
    command = [str(REPOSITORY / ".venv-sam/bin/sam"), "deploy", "--config-env", "local"]
    with (DEMO / "sam-deploy.log").open("wb") as log:
        sam = subprocess.Popen(command, cwd=REPOSITORY, env=environment(aws), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            code = sam.wait()
        finally:
            sam.kill()
    if code:
        raise NotSeenError(f"sam deploy failed:\n{(DEMO / 'sam-deploy.log').read_text()[-3000:]}")
    exporter = Exporter(aws, STACK)
    resources = exporter.client("cloudformation").list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    say(f"  {len(resources)} resources in the stack {STACK}: {aws.endpoint_url}")
    return exporter


def environment(aws: LocalAws) -> dict[str, str]:
    """Return an environment in which AWS tools reach the embedded AWS and nothing else."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_REGION": DEFAULT_REGION,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HOME": str(DEMO),
        "PATH": os.environ["PATH"],
        "SAM_CLI_TELEMETRY": "0",
    }


def show(exporter: Exporter) -> None:
    """Let the night happen and show it."""
    inspector = InspectorControl(exporter.aws, exporter.account, exporter.region)
    heading(f"Inspector has {FINDINGS:,} active findings, and takes its time for a report")
    inspector.seed(findings=FINDINGS, seed=20261123)
    inspector.configure(base_seconds=6.0, seconds_per_1000=1.0)

    check_setup(exporter)
    heading("The nightly schedule fires")
    schedule_soon(exporter)
    nightly = wait_until(lambda: next(iter(exporter.executions()), None), "the schedule to start an execution", seconds=20).arn
    watch = Watch(exporter, {nightly: "nightly"})
    watch.until(lambda: "Wait for Report" in exporter.states_entered(nightly), "the nightly run to wait for its report")

    watch.line("  … and meanwhile somebody starts an export by hand (events/csv.json)\n")
    by_hand = exporter.start((REPOSITORY / "events/csv.json").read_text(), name="by-hand")
    watch.runs[by_hand] = "by hand"
    watch.until(lambda: all(exporter.describe(arn).status != "RUNNING" for arn in watch.runs), "both runs to end")

    runs = [exporter.describe(nightly), exporter.describe(by_hand)]
    check(
        all(run.status == "SUCCEEDED" for run in runs),
        f"both runs succeed, not {[(run.name, run.status, run.error) for run in runs]}",
    )
    check("scheduled_for" in runs[0].input, "the schedule gives the execution its scheduled time")
    check("Wait for Lock" in exporter.states_entered(by_hand), "the second run waits for the lock")
    creates = [call["status_code"] for call in inspector.record()["calls"] if call["operation"] == "create"]
    check(creates == [200, 200], f"the runs never ask for two reports at once, not {creates}")
    write_files(exporter, runs)
    tell(exporter, runs)


def check_setup(exporter: Exporter) -> None:
    """Ask whether everything is set up right, as one does before the first night."""
    heading("Is everything set up right? (aws lambda invoke check_setup)")
    result = exporter.invoke("CheckSetupFunction", {})
    told = [each for each in result["checks"] if each["verdict"] != "fine" or each["name"] == "schedule"]
    say(f"  {result['text'].splitlines()[0]}")
    for each in told:
        say(f"  {each['verdict']}: {each['sentence']} {each['fix']}".rstrip())
    wrong = [each["name"] for each in result["checks"] if each["verdict"] != "fine"]
    check(wrong == [], f"the setup is right, except for {wrong}")


def schedule_soon(exporter: Exporter) -> None:
    """Move the stack's own schedule to two seconds from now, as an operator may; the schedule then starts the run."""
    name, scheduler = exporter.resource("ExportFindingsNightly"), exporter.client("scheduler")
    schedule = scheduler.get_schedule(Name=name)
    soon = datetime.now(ZONE) + timedelta(seconds=2)
    say(f"  {schedule['ScheduleExpression']} is moved to {soon:%H:%M:%S} {ZONE.key}, two seconds from now")
    kept = {key: schedule[key] for key in ("FlexibleTimeWindow", "State", "Target")}
    scheduler.update_schedule(
        Name=name, ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})", ScheduleExpressionTimezone=ZONE.key, **kept
    )


class Watch:
    """Prints the states of runs as they pass, and a line that moves while they wait."""

    def __init__(self, exporter: Exporter, runs: dict[str, str]) -> None:
        self.exporter, self.runs = exporter, runs
        self._seen: dict[str, int] = {}
        self._live = sys.stdout.isatty()

    def until(self, done: Any, what: str, seconds: float = 60) -> None:
        """Show the runs until something is true."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise NotSeenError(f"{what} (within {seconds:g} s)")
            self._show()
            time.sleep(0.1)
        self._show()

    def _show(self) -> None:
        for arn, title in self.runs.items():
            history = self.exporter.history(arn)
            for state, at in history[self._seen.get(arn, 0) :]:
                if not state.endswith("?"):
                    self.line(f"  {at.astimezone(UTC):%H:%M:%S}  {title:<8} {state}\n")
            self._seen[arn] = len(history)
        if self._live:
            waiting = [
                f"{title}: {history[-1][0]} {'▪' * int((datetime.now(UTC) - history[-1][1]).total_seconds() * 4)}"
                for arn, title in self.runs.items()
                if (history := self.exporter.history(arn)) and history[-1][0].startswith("Wait")
            ]
            self.line(f"  {'  '.join(waiting)[:100]}")

    def line(self, text: str) -> None:
        """Print over the line that moves."""
        sys.stdout.write(f"\r\x1b[K{text}" if self._live else text)
        sys.stdout.flush()


def write_files(exporter: Exporter, runs: list[Execution]) -> None:
    """Leave what a person would want to look at."""
    nightly = exporter.message_of(runs[0].arn)
    (DEMO / "report.json").write_bytes(exporter.read(runs[0].output["delivery"]["key"]))
    (DEMO / "report.csv").write_bytes(exporter.read(runs[1].output["delivery"]["key"]))
    (DEMO / "email.txt").write_text(f"Subject: {nightly.subject}\n\n{nightly.email}")
    write_json(DEMO / "chat.json", nightly.chat)
    write_json(DEMO / "event.json", nightly.event)
    counts = [len(json_findings()), len(csv_findings())]
    check(counts == [FINDINGS, FINDINGS], f"both reports hold all {FINDINGS:,} findings, not {counts}")
    entries = [
        {
            "name": run.name,
            "input": json.loads(run.input),
            "status": run.status,
            "started": run.started_at.isoformat(),
            "ended": run.ended_at.isoformat() if run.ended_at else None,
            "transitions": len(exporter.history(run.arn)),
            "s3_uri": f"s3://{run.output['delivery']['bucket']}/{run.output['delivery']['key']}",
            "findings": count,
        }
        for run, count in zip(runs, counts, strict=True)
    ]
    write_json(DEMO / "executions.json", entries)


def tell(exporter: Exporter, runs: list[Execution]) -> None:
    """Show the end as a person would look at it."""
    heading("What each run did (seconds since its start)")
    for run, title in zip(runs, ("nightly", "by hand"), strict=True):
        steps = [
            f"{(at - run.started_at).total_seconds():5.1f} {state}"
            for state, at in exporter.history(run.arn)
            if not state.endswith("?")
        ]
        say(f"  {title}: {run.status}")
        for row in range(0, len(steps), 4):
            say("    " + "".join(f"{step:<28}" for step in steps[row : row + 4]).rstrip())
    heading("The reports")
    for entry in json.loads((DEMO / "executions.json").read_text()):
        say(f"  {entry['findings']:,} findings  {entry['s3_uri']}")
    heading("The first critical findings")
    for finding in [each for each in json_findings() if each["severity"] == "CRITICAL"][:5]:
        say(f"  {finding['severity']:<10}{finding['title'][:60]:<62}{finding['resources'][0]['type']}")
    heading("The mail")
    say("  | " + (DEMO / "email.txt").read_text().rstrip().replace("\n", "\n  | "))
    heading("The price")
    transitions = len(exporter.history(runs[0].arn))
    month = transitions * NIGHTS_A_MONTH
    say(f"  {transitions} state transitions a night, {month:,} a month: USD {month * USD_A_TRANSITION:.2f}, "
        f"within the {FREE_TRANSITIONS_A_MONTH:,} free ones")  # fmt: skip


def keep(aws: LocalAws, exporter: Exporter) -> None:
    """Leave the embedded AWS running until Ctrl-C."""
    heading("The embedded AWS goes on running; Ctrl-C ends it")
    settings = " ".join(
        f"{name}={environment(aws)[name]}"
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    )
    say(f"  export {settings}\n  aws stepfunctions start-execution --state-machine-arn {exporter.state_machine} --input '{{}}'")
    signal.pause()


def json_findings() -> list[dict[str, Any]]:
    """Return the findings of the nightly report as it was delivered."""
    findings: list[dict[str, Any]] = json.loads((DEMO / "report.json").read_text())["findings"]
    return findings


def csv_findings() -> list[dict[str, str]]:
    """Return the rows of the second run's report as it was delivered."""
    return list(csv.DictReader(io.StringIO((DEMO / "report.csv").read_text(newline=""))))


def check(seen: bool, what: str) -> None:
    """Make sure that something was seen."""
    if not seen:
        raise NotSeenError(what)


def write_json(path: Path, document: object) -> None:
    """Write a JSON file for people."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def heading(text: str) -> None:
    """Print a heading."""
    say(f"\n{text}")


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
