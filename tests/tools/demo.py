"""`make demo`: two scheduled runs of the exporter on the embedded AWS, shown live.

Deploys the real stack with the SAM CLI, lets the schedule start an export, and starts a second run by hand while the first
one is in progress. Then findings change, an image is rebuilt, scanning is deactivated in one account, and the schedule starts
the next run, whose analysis must report exactly these changes. Then two Regions with two reports each give one summary. Prints what an operator would see and leaves the files in
`.demo/`. Exits with 0 only if everything happened as described.
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
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.local_aws.athena_reader import AthenaReader, QueryFailedError
from tests.local_aws.deployed_exporter import Execution, Exporter, NotInTimeError, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_REGION, REPOSITORY, LocalAws
from tests.tools import demo_expectations, demo_regions, screenshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.local_aws.inspector_control import ChangedFindings

DEMO = REPOSITORY / ".demo"
STACK = "inspector-findings-exporter"
ZONE = ZoneInfo("Europe/Berlin")
FINDINGS = 4000
DEACTIVATED_ACCOUNT = "444455556666"
"""A member account in which scanning is deactivated between the two scheduled runs."""
OWNERS = ({"owner": "shop", "repositories": ["shop/*"]}, {"owner": "platform", "repositories": ["platform/*"]})
"""The rules of the demo; what they do not name has the owner that its tag `team` names, or none."""
OWNER_BY_TAG = "payments"
SAVED_QUERY = "Overdue by owner"
ROWS_SHOWN = 8
WAIT_SCALE = 0.1
TITLES = ("scheduled run 1", "run by hand", "scheduled run 2")
USD_A_TRANSITION = 0.025 / 1000
FREE_TRANSITIONS_A_MONTH = 4000
RUNS_A_MONTH = 30


class NotAsDescribedError(Exception):
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
            heading("Two Regions with two reports each, one summary")
            demo_regions.show_regions(aws, DEMO, say, check)
            say(f"\nDone: everything happened as described, in {time.monotonic() - began:.0f} s. The files are in .demo/")
            if "--keep" in sys.argv:
                keep(aws, exporter)
    except KeyboardInterrupt:
        say("\nStopped. No process is left running.")
        return 130
    except (NotAsDescribedError, NotInTimeError, QueryFailedError) as error:
        say(f"\nFAILED. The demo expected: {error}\nThe log of the embedded AWS is .demo/local-aws.log")
        return 1
    return 0


def deploy(aws: LocalAws) -> Exporter:
    """Deploy the built stack with the SAM CLI, as its user does."""
    heading("Deploy the real stack with the SAM CLI, to an embedded AWS on this machine")
    command = [str(REPOSITORY / ".venv-sam/bin/sam"), "deploy", "--config-env", "local"]
    with (DEMO / "sam-deploy.log").open("wb") as log:
        sam = subprocess.Popen(command, cwd=REPOSITORY, env=environment(aws), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            code = sam.wait()
        finally:
            sam.kill()
    if code:
        raise NotAsDescribedError(f"sam deploy failed:\n{(DEMO / 'sam-deploy.log').read_text()[-3000:]}")
    exporter = Exporter(aws, STACK)
    resources = exporter.client("cloudformation").list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    say(f"  Stack {STACK}: {len(resources)} resources, at {aws.endpoint_url}")
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
    """Run two scheduled exports and one by hand, and show what they leave."""
    inspector = InspectorControl(exporter.aws, exporter.account, exporter.region)
    heading("Prepare the emulated Amazon Inspector")
    seeded = inspector.seed(findings=FINDINGS, seed=20261123)
    inspector.configure(base_seconds=6.0, seconds_per_1000=1.0)
    say(f"  {seeded['active']:,} active findings in the accounts {', '.join(seeded['accounts'])}")
    put_owners(exporter)
    check_setup(exporter)
    preview(exporter, inspector)

    runs = first_run_and_run_by_hand(exporter, inspector)
    before = inspector.findings()
    put_into_kev(exporter, inspector, runs[0])
    heading("One day later (simulated), Inspector's findings have changed")
    changed = inspector.evolve(switch_off=DEACTIVATED_ACCOUNT)
    show_the_day(changed, [each for each in before if each["awsAccountId"] == DEACTIVATED_ACCOUNT])
    after = inspector.findings()
    runs.append(second_run(exporter))

    write_files(exporter, runs, [before, before, after])
    show_the_runs(exporter, runs)
    show_the_changes(demo_expectations.expected(before, after, changed, DEACTIVATED_ACCOUNT), runs, after)
    show_the_owners(exporter, runs, after)
    show_the_query(exporter)
    show_the_emails()
    show_the_cost(exporter, runs)
    show_the_page()


def first_run_and_run_by_hand(exporter: Exporter, inspector: InspectorControl) -> list[Execution]:
    """Let the schedule start a run, start another one by hand meanwhile, and return both when they have ended."""
    heading("Scheduled run 1, and a run by hand that has to wait (times in UTC; each state when it is first entered)")
    scheduled = start_by_schedule(exporter)
    watch = Watch(exporter, {scheduled: TITLES[0]})
    watch.until(lambda: "Wait for Report" in exporter.states_entered(scheduled), "the scheduled run waits for its report")

    watch.line("  While this report is in progress, an operator starts an export by hand (events/csv.json).\n")
    by_hand = exporter.start((REPOSITORY / "events/csv.json").read_text(), name="by-hand")
    watch.runs[by_hand] = TITLES[1]
    watch.until(lambda: all(exporter.describe(arn).status != "RUNNING" for arn in watch.runs), "both runs end")

    runs = [exporter.describe(scheduled), exporter.describe(by_hand)]
    check(
        all(run.status == "SUCCEEDED" for run in runs),
        f"both runs succeed, not {[(run.name, run.status, run.error) for run in runs]}",
    )
    check("scheduled_for" in runs[0].input, "the schedule gives the execution its scheduled time")
    check("Wait for Lock" in exporter.states_entered(by_hand), "the run by hand waits for the lock")
    creates = [call["status_code"] for call in inspector.record()["calls"] if call["operation"] == "create"]
    check(creates == [200, 200], f"the runs never request two reports at the same time, not {creates}")
    say("  The run by hand waited until the first report was finished: Inspector makes one report at a time.")
    return runs


def second_run(exporter: Exporter) -> Execution:
    """Let the schedule start the next day's run and return it when it has ended."""
    heading("Scheduled run 2 (times in UTC)")
    scheduled = start_by_schedule(exporter)
    Watch(exporter, {scheduled: TITLES[2]}).until(lambda: exporter.describe(scheduled).status != "RUNNING", "the run ends")
    run = exporter.describe(scheduled)
    check(run.status == "SUCCEEDED", f"the second scheduled run succeeds, not {run.status} ({run.error})")
    return run


def show_the_day(changed: ChangedFindings, not_scanned: list[dict[str, Any]]) -> None:
    """Show what was changed in the emulated Inspector."""
    repository = changed["rebuilt_image"].split("repository/")[-1].split("/sha256:")[0]
    say(
        f"  {len(changed['new']):,} findings are new, {len(changed['fixed']):,} fixed, {len(changed['suppressed']):,} suppressed."
    )
    say(f"  An image of {repository} was rebuilt: its {len(changed['new_arn']):,} findings have new finding ARNs.")
    say(
        f"  Scanning is deactivated in account {DEACTIVATED_ACCOUNT}: Inspector no longer reports its {len(not_scanned):,} findings."
    )
    say("  None of those was fixed.")


def check_setup(exporter: Exporter) -> None:
    """Check the setup, as an operator does before the first run."""
    heading("Check the setup (aws lambda invoke check_setup)")
    result = exporter.invoke("CheckSetupFunction", {})
    shown = [each for each in result["checks"] if each["result"] != "passed" or each["name"] == "schedule"]
    say(f"  {result['text'].splitlines()[0]}")
    for each in shown:
        say(f"  {each['result']}: {each['sentence']} {' '.join(each['fix'])}".rstrip())
    failed = [each["name"] for each in result["checks"] if each["result"] != "passed"]
    check(failed == [], f"every check of the setup passes, except for {failed}")


def preview(exporter: Exporter, inspector: InspectorControl) -> None:
    """Preview the first export, as an operator does before it, and check its numbers."""
    heading("Preview the export (aws lambda invoke preview_export)")
    answer = exporter.invoke("PreviewExportFunction", {})
    write_json(DEMO / "preview.json", answer)
    for line in answer["text"]:
        say(f"  {line}".rstrip())
    held = Counter(each["severity"] for each in inspector.findings())
    counted = {severity: count for severity, count in answer["count"]["by_severity"].items() if count}
    check(
        answer["count"]["is_exact"] and counted == held, f"the preview counts the findings of the export, {held}, not {counted}"
    )
    check(exporter.executions() == [], "a preview starts no export")


def start_by_schedule(exporter: Exporter) -> str:
    """Move the stack's own schedule to two seconds from now, as an operator may; return the run that it then starts."""
    known = {run.arn for run in exporter.executions()}
    name, scheduler = exporter.resource("ExportFindingsNightly"), exporter.client("scheduler")
    schedule = scheduler.get_schedule(Name=name)
    soon = datetime.now(ZONE) + timedelta(seconds=2)
    say(f"  The schedule {schedule['ScheduleExpression']} is moved to {soon:%H:%M:%S} {ZONE.key}, two seconds from now.")
    kept = {key: schedule[key] for key in ("FlexibleTimeWindow", "State", "Target")}
    scheduler.update_schedule(
        Name=name, ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})", ScheduleExpressionTimezone=ZONE.key, **kept
    )

    def started() -> str | None:
        return next((run.arn for run in exporter.executions() if run.arn not in known), None)

    return wait_until(started, "the schedule to start an execution", seconds=20)


class Watch:
    """Prints each state of the runs when it is first entered, and on a terminal a moving line while they wait."""

    def __init__(self, exporter: Exporter, runs: dict[str, str]) -> None:
        self.exporter, self.runs = exporter, runs
        self._printed: set[tuple[str, str]] = set()
        self._live = sys.stdout.isatty()

    def until(self, done: Any, what: str, seconds: float = 60) -> None:
        """Show the runs until something is true."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise NotAsDescribedError(f"{what} (within {seconds:g} s)")
            self._show()
            time.sleep(0.1)
        self._show()

    def _show(self) -> None:
        for arn, title in self.runs.items():
            for state, at in self.exporter.history(arn):
                if not state.endswith("?") and (arn, state) not in self._printed:
                    self.line(f"  {at.astimezone(UTC):%H:%M:%S}  {title:<15}  {state}\n")
                    self._printed.add((arn, state))
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


def write_files(exporter: Exporter, runs: list[Execution], findings: list[list[dict[str, Any]]]) -> None:
    """Write the files of the runs to .demo/, and check that each report holds all of Inspector's findings."""
    first, by_hand, second = runs
    for run, suffix, number in ((first, "", 1), (second, "-2", 2)):
        message = exporter.message_of(run.arn)
        (DEMO / f"report{suffix}.json").write_bytes(exporter.read(run.output["delivery"]["key"]))
        (DEMO / f"email{suffix}.txt").write_text(f"Subject: {message.subject}\n\n{message.email}")
        write_json(DEMO / f"chat{suffix}.json", message.chat)
        write_json(DEMO / f"event{suffix}.json", message.event)
        (DEMO / f"analysis-{number}.json").write_bytes(exporter.read(headline_of(exporter, run)["analysis_key"]))
    (DEMO / "report.csv").write_bytes(exporter.read(by_hand.output["delivery"]["key"]))
    headline = headline_of(exporter, second)
    (DEMO / "findings-2.parquet").write_bytes(exporter.read(f"{headline['parquet_prefix']}0001.parquet"))
    check(headline["page_key"] is not None, "the second scheduled run leaves a page in the bucket")
    (DEMO / "index.html").write_bytes(exporter.read(headline["page_key"]))

    counts = [len(json_findings("report.json")), len(csv_findings()), len(json_findings("report-2.json"))]
    wanted = [len(each) for each in findings]
    check(counts == wanted, f"the reports hold {wanted} findings, all that Inspector had, not {counts}")
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


def headline_of(exporter: Exporter, run: Execution) -> dict[str, Any]:
    """Return the part of a run's analysis that its record in the table holds."""
    headline: dict[str, Any] = json.loads(exporter.run_item(run.arn)["analysis"])
    check("error" not in headline, f"the report of {run.name} is analyzed: {headline.get('sentence')}")
    return headline


def show_the_runs(exporter: Exporter, runs: list[Execution]) -> None:
    """Show the states of each run, and the report that it delivered."""
    heading("The states of each run (seconds from its start until the state was first entered)")
    for run, title in zip(runs, TITLES, strict=True):
        history = [(state, at) for state, at in exporter.history(run.arn) if not state.endswith("?")]
        times = Counter(state for state, _ in history)
        first = dict(reversed(history))
        steps = [
            f"{(first[state] - run.started_at).total_seconds():5.1f} {state}" + (f" ({count} times)" if count > 1 else "")
            for state, count in times.items()
        ]
        say(f"  {title}: {run.status}")
        for row in range(0, len(steps), 4):
            say("    " + "".join(f"{step:<32}" for step in steps[row : row + 4]).rstrip())
    heading("The delivered reports")
    for entry, title in zip(json.loads((DEMO / "executions.json").read_text()), TITLES, strict=True):
        say(f"  {title}: {entry['findings']:,} findings in\n    {entry['s3_uri']}")


def show_the_changes(expected: dict[str, Any], runs: list[Execution], after: list[dict[str, Any]]) -> None:
    """Show the changes that the second analysis reports, after a check against what was changed in Inspector."""
    analysis = json.loads((DEMO / "analysis-2.json").read_text())
    check(
        analysis["baseline"]["execution"] == runs[0].name,
        "the second scheduled run is compared with the first one, not with the run by hand",
    )
    reported = demo_expectations.reported(analysis)
    wrong = {name: (reported[name], wanted) for name, wanted in expected.items() if reported[name] != wanted}
    check(not wrong, f"the analysis reports the changes that were made in Inspector; (reported, expected): {wrong}")
    first = analysis["fix_first"][0]
    name = first["vulnerability_id"] or first["title"]
    resources = demo_expectations.resources_with(after, name)
    check(first["resource_count"] == resources, f"{name} is open on {resources} resources, not {first['resource_count']}")

    heading("What changed since scheduled run 1, as the analysis reports it (each number checked against Inspector)")
    say(f"  scan coverage lost  account {', '.join(reported['coverage_lost'])}: scanning is deactivated")
    say(f"  status unknown      {severities(reported['status_unknown'])}: not scanned, so not known to be fixed")
    say(f"  new                 {severities(reported['new'])}")
    say(f"  no longer open      {severities(reported['no_longer_open'])}")
    say(f"  new finding ARN     {severities(reported['new_arn'])}: image rebuilt, otherwise unchanged")
    say(f"  unchanged           {reported['unchanged']:,}")
    say(f"  open now            {reported['open']:,}: the unchanged ones, those with a new finding ARN, and the new ones")
    say(f"  fix first           {name}, priority score: {first['why']}")


def put_owners(exporter: Exporter) -> None:
    """Put the rules of the owners into the bucket."""
    heading("Say who owns what: two rules, and the tag `team` for the rest")
    exporter.put_owner_rules(OWNERS)
    say(f"  config/owners.json: {json.dumps(OWNERS)}")
    wanted = {"FilterPolicy": json.dumps({"owner": [OWNER_BY_TAG]})}
    topic = exporter.outputs["OwnerTopicArn"]
    exporter.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="payments@example.com", Attributes=wanted)
    say(f"  payments@example.com subscribes to the messages to {OWNER_BY_TAG}: {wanted['FilterPolicy']}")


def put_into_kev(exporter: Exporter, inspector: InspectorControl, run: Execution) -> None:
    """Let CISA list the vulnerability that the first run says to fix first."""
    first = json.loads(exporter.read(headline_of(exporter, run)["analysis_key"]))["fix_first"][0]["vulnerability_id"]
    now = datetime.now(UTC)
    inspector.put_into_kev(first, now - timedelta(days=2), now + timedelta(days=12), "Apply updates.")


def show_the_owners(exporter: Exporter, runs: list[Execution], after: list[dict[str, Any]]) -> None:
    """Show the owners' numbers, after a check that they add up, and leave their messages and pages."""
    analysis = json.loads((DEMO / "analysis-2.json").read_text())
    owners, first = analysis["owners"], analysis["fix_first"][0]
    check({"shop", "platform", OWNER_BY_TAG} <= owners.keys(), f"two owners by rules and one by tag, not {list(owners)}")
    check(sum(each["counts"]["total"] for each in owners.values()) == len(after), "the owners' findings add up to the report's")
    check(analysis["due_dates"]["overdue"].get("CRITICAL", 0) > 0, "some criticals are overdue")
    check(any(each["kev"] for each in analysis["fix_first"]), f"CISA's date of {first['vulnerability_id']} is shown")
    heading("Owners (the sums are the report's)")
    for owner, each in owners.items():
        overdue = sum(each["due_dates"]["overdue"].values())
        say(
            f"  {owner:<16} {each['counts']['open']:>6,} open  {each['changes']['counts']['appeared']:>4,} new  {overdue:>6,} overdue"
        )
    folder = DEMO / "owners"
    folder.mkdir()
    messages = {each.owner: each for each in exporter.owner_messages()}
    for owner, message in messages.items():
        (folder / f"{owner}.txt").write_text(f"Subject: {message.subject}\n\n{message.email}")
        write_json(folder / f"{owner}.json", message.event)
        if owners.get(owner, {}).get("page_key"):
            (folder / f"{owner}.html").write_bytes(exporter.read(owners[owner]["page_key"]))
    due = headline_of(exporter, runs[-1])["owner_message_count"]
    check(len(messages) >= due > 0, f"{due} owners are notified of scheduled run 2, not {len(messages)}")
    mail = (folder / f"{OWNER_BY_TAG}.txt").read_text().partition("-- DETAILS --")[0]
    heading(f"The email to the owner {OWNER_BY_TAG} (all of them are in .demo/owners/)")
    say("  | " + mail.rstrip().replace("\n", "\n  | "))


def show_the_query(exporter: Exporter) -> None:
    """Run a saved query of the stack in Athena and show its result."""
    heading(f"The saved query {SAVED_QUERY!r} of the stack, run in Athena with the reader policy")
    rows = AthenaReader(exporter).ask(SAVED_QUERY)
    names = ("owner", "severity", "overdue", "overdue_since")
    say("  " + "  ".join(f"{name:<14}" for name in names).rstrip())
    for row in rows[:ROWS_SHOWN]:
        say("  " + "  ".join(f"{row[name]!s:<14}" for name in names).rstrip())
    answered: dict[str, Counter[str]] = {}
    for row in rows:
        answered.setdefault(str(row["owner"]), Counter())[str(row["severity"])] = int(str(row["overdue"]))
    owners = json.loads((DEMO / "analysis-2.json").read_text())["owners"]
    wanted = {owner: each["due_dates"]["overdue"] for owner, each in owners.items() if each["due_dates"]["overdue"]}
    check(answered == wanted, f"Athena answers {wanted}, not {answered}")


def show_the_emails() -> None:
    """Show the first email's subject, and the second email without its details."""
    heading("The email of scheduled run 1")
    say("  | " + (DEMO / "email.txt").read_text().splitlines()[0])
    heading("The email of scheduled run 2")
    mail, _, details = (DEMO / "email-2.txt").read_text().partition("-- DETAILS --")
    say("  | " + mail.rstrip().replace("\n", "\n  | "))
    say(f"  ... and {len(details.splitlines())} lines of details in .demo/email-2.txt")


def show_the_cost(exporter: Exporter, runs: list[Execution]) -> None:
    """Show what the workflow's state transitions cost."""
    heading("The cost of the workflow's state transitions")
    transitions = len(exporter.history(runs[0].arn))
    month = transitions * RUNS_A_MONTH
    say(f"  {transitions} a run, {month:,} a month with one run a day: USD {month * USD_A_TRANSITION:.2f}, "
        f"within the {FREE_TRANSITIONS_A_MONTH:,} free ones")  # fmt: skip


def show_the_page() -> None:
    """Name the page of the second run and take a picture of it, where there is a browser."""
    heading("The page of scheduled run 2")
    why_not = screenshot.take(DEMO / "index.html", DEMO / "index.png")
    say("  .demo/index.html is the page as it lies in the bucket. Open it in any browser; it needs no network.")
    say(f"  There is no picture of it: {why_not}" if why_not else "  .demo/index.png is a picture of its top.")


def keep(aws: LocalAws, exporter: Exporter) -> None:
    """Keep the embedded AWS running until Ctrl-C."""
    heading("The embedded AWS keeps running. Stop it with Ctrl-C. To use it from another terminal:")
    settings = " ".join(
        f"{name}={environment(aws)[name]}"
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    )
    say(f"  export {settings}\n  aws stepfunctions start-execution --state-machine-arn {exporter.state_machine} --input '{{}}'")
    signal.pause()


def severities(counted: Mapping[str, int]) -> str:
    """Return a number of findings with its severities, the worst first."""
    order = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED")
    each = ", ".join(f"{counted[name]:,} {name.lower()}" for name in order if counted.get(name))
    return f"{sum(counted.values()):,} ({each})" if each else "0"


def json_findings(name: str) -> list[dict[str, Any]]:
    """Return the findings of a delivered report."""
    findings: list[dict[str, Any]] = json.loads((DEMO / name).read_text())["findings"]
    return findings


def csv_findings() -> list[dict[str, str]]:
    """Return the rows of the report that was started by hand."""
    return list(csv.DictReader(io.StringIO((DEMO / "report.csv").read_text(newline=""))))


def check(happened: bool, what: str) -> None:
    """Raise unless something that the demo promises has happened."""
    if not happened:
        raise NotAsDescribedError(what)


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
