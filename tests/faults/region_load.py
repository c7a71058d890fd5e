"""Load at home: the headlines of twenty Regions with ten reports each come at once, and then all of them again."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from findings_exporter import RELEASE
from findings_exporter.model.home_messages import to_json
from tests.builders.summaries import ended, start
from tests.faults.load import FRESH_CONCURRENCY, PROCESSES
from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.server import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from findings_exporter.model.home_messages import HomeMessage

HOME = "eu-west-1"
REGIONS = (
    HOME, "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
    "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-south-1", "eu-west-2", "eu-west-3", "me-south-1",
    "sa-east-1", "us-east-1", "us-east-2", "us-west-2",
)  # fmt: skip
REPORTS = tuple(f"report-{number}" for number in range(10))
SENDERS = 20
TIMES = 2
MOST_SECONDS = 300.0
ACCOUNT = "300000000001"


@dataclass(frozen=True)
class Headlines:
    """The result of many headlines at once.

    Attributes
    ----------
    seconds
        From the first message to the summary, and until the queue was empty after the second time.
    """

    summaries: tuple[dict[str, Any], ...]
    put_aside: int
    seconds: tuple[float, float]

    @property
    def troubles(self) -> list[str]:
        """What is wrong."""
        if len(self.summaries) != 1:
            return [f"{len(self.summaries)} messages about one scheduled time"]
        (event,) = self.summaries
        said = {(row["region"], row["report"]): row for row in event["reports"]}
        lost = [
            f"{region}/{report}"
            for region in REGIONS
            for report in REPORTS
            if (region, report) not in said
            or said[region, report]["state"] != "SUCCEEDED"
            or said[region, report]["headline"] is None
        ]
        found = [f"not in the summary: {', '.join(lost)}"] if lost else []
        found += ["the summary is not complete"] if not event["complete"] else []
        found += [f"{len(said)} reports in the summary"] if len(said) != len(REGIONS) * len(REPORTS) else []
        return found + ([f"{self.put_aside} messages were put aside"] if self.put_aside else [])


@contextmanager
def fresh_home(folder: Path) -> Iterator[Exporter]:
    """Deploy the home stack of twenty Regions to an account with the limits of a new AWS account."""
    log = folder / "local-aws-headlines.log"
    schedule = {"ScheduleState": "ENABLED", "ScheduleExpression": "cron(0 3 1 1 ? 2099)"}
    parameters = {"HomeRegion": HOME, "Regions": ",".join(REGIONS), "Reports": "FILE", **schedule}
    with LocalAws(log, concurrency=FRESH_CONCURRENCY, processes=PROCESSES) as aws:
        yield Exporter.deploy(aws, "exporter", account=ACCOUNT, region=HOME, parameters=parameters)


def send_headlines(home: Exporter) -> Headlines:
    """Let home expect the reports of all Regions, and send what each of them would say, all at once and twice."""
    at = datetime.now(UTC).replace(microsecond=0).isoformat()
    home.put_reports([{"name": report} for report in REPORTS])
    machine = home.outputs["AllReportsStateMachineArn"].replace(":stateMachine:", ":execution:")
    schedule = {"scheduled_for": at, "arn": f"arn:aws:scheduler:{HOME}:{ACCOUNT}:schedule/default/nightly"}
    execution = {"arn": f"{machine}:start", "started_at": at}
    home.invoke("PlanReportsFunction", {"release": RELEASE, "execution": execution, "input": {"schedule": schedule}})
    came: list[HomeMessage] = [start(region, *REPORTS, scheduled_for=at, started_at=at) for region in REGIONS]
    came += [ended(region, report, scheduled_for=at, started_at=at, ended_at=at) for region in REGIONS for report in REPORTS]
    began = time.monotonic()
    _send(home, came)
    wait_until(lambda: home.summaries() or None, "the summary", MOST_SECONDS)
    summarized = time.monotonic() - began
    for _ in range(TIMES - 1):
        _send(home, came)
    wait_until(lambda: _waiting(home, "HeadlinesQueue") == 0 or None, "the queue to be empty", MOST_SECONDS)
    home.invoke("SummarizeFunction", {})
    seconds = (summarized, time.monotonic() - began)
    events = tuple(json.loads(each["bodies"]["default"]) for each in home.summaries())
    return Headlines(events, _waiting(home, "DeadLetterQueue"), seconds)


def section(result: Headlines) -> list[str]:
    """Return what is printed about it."""
    return [
        f"## {len(REGIONS) * len(REPORTS)} headlines of {len(REGIONS)} Regions at once, {TIMES} times",
        "",
        f"{len(result.summaries)} summary after {result.seconds[0]:.0f} s; all were taken after {result.seconds[1]:.0f} s.",
        *(f"VIOLATION {each}" for each in result.troubles),
    ]


def _send(home: Exporter, messages: Sequence[HomeMessage]) -> None:
    role = home.client("iam").get_role(RoleName=home.resource("NotifyFunctionRole"))["Role"]["Arn"]
    sqs = home.aws.role_client("sqs", role, account=ACCOUNT, region=HOME)
    queue = home.resource("HeadlinesQueue")
    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(lambda each: sqs.send_message(QueueUrl=queue, MessageBody=to_json(each)), messages))


def _waiting(home: Exporter, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = home.resource(queue)
    counts = home.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in counts.values())
