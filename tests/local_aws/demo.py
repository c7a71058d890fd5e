"""`make demo`: two nights of the exporter on the embedded AWS, live.

Deploys the real stack with the SAM CLI, lets the schedule itself start an export, and starts a second run by hand while the
first is on. Then findings change, an image is rebuilt, one account's Inspector is switched off, and the schedule starts the
second night, whose digest must say just that. Shows what a person would see and leaves `.demo/`; exits with 0 only if all of
it was seen.
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

from tests.local_aws import night, screenshot
from tests.local_aws.analyst import Analyst, QuestionFailedError
from tests.local_aws.exporter import Execution, Exporter, NotInTimeError, wait_until
from tests.local_aws.inspector import InspectorControl
from tests.local_aws.server import DEFAULT_REGION, REPOSITORY, LocalAws

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.local_aws.inspector import Night

DEMO = REPOSITORY / ".demo"
STACK = "inspector-findings-exporter"
ZONE = ZoneInfo("Europe/Berlin")
FINDINGS = 4000
DARK_ACCOUNT = "444455556666"
"""A member whose Inspector is switched off between the nights."""
QUESTION = "Open criticals by account"
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
    except (NotSeenError, NotInTimeError, QuestionFailedError) as error:
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
    """Let two nights happen and show them."""
    inspector = InspectorControl(exporter.aws, exporter.account, exporter.region)
    heading(f"Inspector has {FINDINGS:,} active findings, and takes its time for a report")
    inspector.seed(findings=FINDINGS, seed=20261123)
    inspector.configure(base_seconds=6.0, seconds_per_1000=1.0)
    check_setup(exporter)

    runs = first_night(exporter, inspector)
    before = inspector.findings()
    heading("A day passes")
    changed = inspector.evolve(switch_off=DARK_ACCOUNT)
    tell_the_day(changed, [each for each in before if each["awsAccountId"] == DARK_ACCOUNT])
    after = inspector.findings()
    runs.append(second_night(exporter))

    write_files(exporter, runs, [before, before, after])
    tell_the_runs(exporter, runs)
    tell_the_change(night.expected(before, after, changed, DARK_ACCOUNT), runs, after)
    tell_the_answer(exporter, after)
    tell_the_mail()
    tell_the_price(exporter, runs)
    tell_the_page()


def first_night(exporter: Exporter, inspector: InspectorControl) -> list[Execution]:
    """Let the schedule start a run, start another one by hand meanwhile, and return both when they have ended."""
    heading("Night one: the schedule fires")
    nightly = start_by_schedule(exporter)
    watch = Watch(exporter, {nightly: "night 1"})
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
    return runs


def second_night(exporter: Exporter) -> Execution:
    """Let the schedule start the next night's run and return it when it has ended."""
    heading("Night two: the schedule fires")
    nightly = start_by_schedule(exporter)
    Watch(exporter, {nightly: "night 2"}).until(lambda: exporter.describe(nightly).status != "RUNNING", "the run to end")
    run = exporter.describe(nightly)
    check(run.status == "SUCCEEDED", f"the second night succeeds, not {run.status} ({run.error})")
    return run


def tell_the_day(changed: Night, unseen: list[dict[str, Any]]) -> None:
    """Say what Inspector was told to change."""
    repository = changed["rebuilt_image"].split("repository/")[-1].split("/sha256:")[0]
    say(
        f"  {len(changed['fixed']):,} findings are fixed, {len(changed['suppressed']):,} suppressed, {len(changed['new']):,} are new"
    )
    say(f"  an image of {repository} is rebuilt: its {len(changed['reissued']):,} findings come back under new ARNs")
    say(f"  Inspector is switched off in the account {DARK_ACCOUNT}: its {len(unseen):,} findings vanish, fixed by nobody")


def check_setup(exporter: Exporter) -> None:
    """Run the setup check, as after a deployment."""
    heading("Check the setup (aws lambda invoke check_setup)")
    result = exporter.invoke("CheckSetupFunction", {})
    told = [each for each in result["checks"] if each["verdict"] != "passed" or each["name"] == "schedule"]
    say(f"  {result['text'].splitlines()[0]}")
    for each in told:
        say(f"  {each['verdict']}: {each['sentence']} {' '.join(each['fix'])}".rstrip())
    others = [each["name"] for each in result["checks"] if each["verdict"] != "passed"]
    check(others == [], f"every setup check passed, except for {others}")


def start_by_schedule(exporter: Exporter) -> str:
    """Move the stack's own schedule to two seconds from now, as an operator may; return the run that it then starts."""
    known = {run.arn for run in exporter.executions()}
    name, scheduler = exporter.resource("ExportFindingsNightly"), exporter.client("scheduler")
    schedule = scheduler.get_schedule(Name=name)
    soon = datetime.now(ZONE) + timedelta(seconds=2)
    say(f"  {schedule['ScheduleExpression']} is moved to {soon:%H:%M:%S} {ZONE.key}, two seconds from now")
    kept = {key: schedule[key] for key in ("FlexibleTimeWindow", "State", "Target")}
    scheduler.update_schedule(
        Name=name, ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})", ScheduleExpressionTimezone=ZONE.key, **kept
    )

    def started() -> str | None:
        return next((run.arn for run in exporter.executions() if run.arn not in known), None)

    return wait_until(started, "the schedule to start an execution", seconds=20)


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


def write_files(exporter: Exporter, runs: list[Execution], findings: list[list[dict[str, Any]]]) -> None:
    """Leave what a person would want to look at, and see that each report holds what Inspector had."""
    first, by_hand, second = runs
    for run, suffix, number in ((first, "", 1), (second, "-2", 2)):
        told = exporter.message_of(run.arn)
        (DEMO / f"report{suffix}.json").write_bytes(exporter.read(run.output["delivery"]["key"]))
        (DEMO / f"email{suffix}.txt").write_text(f"Subject: {told.subject}\n\n{told.email}")
        write_json(DEMO / f"chat{suffix}.json", told.chat)
        write_json(DEMO / f"event{suffix}.json", told.event)
        (DEMO / f"digest-{number}.json").write_bytes(exporter.read(brief_of(exporter, run)["digest_key"]))
    (DEMO / "report.csv").write_bytes(exporter.read(by_hand.output["delivery"]["key"]))
    brief = brief_of(exporter, second)
    (DEMO / "findings-2.parquet").write_bytes(exporter.read(brief["parquet_key"]))
    check(brief["page_key"] is not None, "the second night leaves a page in the bucket")
    (DEMO / "index.html").write_bytes(exporter.read(brief["page_key"]))

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


def brief_of(exporter: Exporter, run: Execution) -> dict[str, Any]:
    """Return what is written down about a run's digest."""
    brief: dict[str, Any] = json.loads(exporter.run_item(run.arn)["digest"])
    check("error" not in brief, f"the digest of {run.name} is made: {brief.get('sentence')}")
    return brief


def tell_the_runs(exporter: Exporter, runs: list[Execution]) -> None:
    """Say what each run did and left."""
    heading("What each run did (each state by the seconds until it was first entered)")
    for run, title in zip(runs, ("night 1", "by hand", "night 2"), strict=True):
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
    heading("The reports")
    for entry in json.loads((DEMO / "executions.json").read_text()):
        say(f"  {entry['findings']:,} findings  {entry['s3_uri']}")


def tell_the_change(expected: dict[str, Any], runs: list[Execution], after: list[dict[str, Any]]) -> None:
    """Say what changed, as the second night's digest has it, if that is what Inspector was told to change."""
    digest = json.loads((DEMO / "digest-2.json").read_text())
    check(
        digest["baseline"]["execution"] == runs[0].name, "the second night is compared with the first, not with the run by hand"
    )
    told = night.told(digest)
    wrong = {name: (told[name], wanted) for name, wanted in expected.items() if told[name] != wanted}
    check(not wrong, f"the digest says what Inspector was told to change; (said, wanted): {wrong}")
    fix_first = digest["fix_first"][0]
    name = fix_first["vulnerability_id"] or fix_first["title"]
    resources = night.resources_with(after, name)
    check(fix_first["resources"] == resources, f"{name} is open on {resources} resources, not {fix_first['resources']}")

    heading("What changed since night one, by the digest; each number is what Inspector was told to change")
    say(f"  DARK           account {', '.join(told['dark'])}: nobody looks there, so nobody knows whether anything was fixed")
    say(f"  new            {severities(told['new'])}")
    say(f"  gone           {severities(told['gone'])}")
    say(f"  re-issued      {severities(told['reissued'])}: the same under new ARNs, so neither new nor gone")
    say(f"  not looked at  {severities(told['not_looked_at'])}")
    say(f"  still open     {told['still_open']:,}; with the new and the re-issued ones {told['open']:,} are open")
    say(f"  fix first      {name}: {fix_first['why']} points")


def tell_the_answer(exporter: Exporter, after: list[dict[str, Any]]) -> None:
    """Ask a saved question with Athena and say what it answers."""
    heading(f"What Athena answers an analyst from the Parquet ({QUESTION!r}, a saved query of the stack)")
    rows = Analyst(exporter).ask(QUESTION)
    names = ("account_id", "open_criticals", "with_fix", "with_known_exploit")
    say("  " + "  ".join(f"{name:<18}" for name in names).rstrip())
    for row in rows:
        say("  " + "  ".join(f"{row[name]!s:<18}" for name in names).rstrip())
    answered = {str(row["account_id"]): {name: int(str(row[name])) for name in names[1:]} for row in rows}
    wanted = night.criticals(after)
    check(answered == wanted, f"Athena answers {wanted}, not {answered}")


def tell_the_mail() -> None:
    """Say what the mails say."""
    heading("The mail of night one")
    say("  | " + (DEMO / "email.txt").read_text().splitlines()[0])
    heading("The mail of night two")
    mail, _, details = (DEMO / "email-2.txt").read_text().partition("-- DETAILS --")
    say("  | " + mail.rstrip().replace("\n", "\n  | "))
    say(f"  … and {len(details.splitlines())} lines of details in .demo/email-2.txt")


def tell_the_price(exporter: Exporter, runs: list[Execution]) -> None:
    """Say what a night costs."""
    heading("The price")
    transitions = len(exporter.history(runs[0].arn))
    month = transitions * NIGHTS_A_MONTH
    say(f"  {transitions} state transitions a night, {month:,} a month: USD {month * USD_A_TRANSITION:.2f}, "
        f"within the {FREE_TRANSITIONS_A_MONTH:,} free ones")  # fmt: skip


def tell_the_page() -> None:
    """Name the page and take its picture, if there is something to take it with."""
    heading("The page of night two, as it lies in the bucket")
    why_not = screenshot.take(DEMO / "index.html", DEMO / "index.png")
    say("  .demo/index.html opens in any browser, without a network")
    say(f"  no picture of it: {why_not}" if why_not else "  .demo/index.png is a picture of its beginning")


def keep(aws: LocalAws, exporter: Exporter) -> None:
    """Leave the embedded AWS running until Ctrl-C."""
    heading("The embedded AWS goes on running; Ctrl-C ends it")
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
    """Return the findings of a report as it was delivered."""
    findings: list[dict[str, Any]] = json.loads((DEMO / name).read_text())["findings"]
    return findings


def csv_findings() -> list[dict[str, str]]:
    """Return the rows of the report that was asked for by hand, as it was delivered."""
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
