"""`make aws-check REGION=…`: ask the questions of docs/limits.md that a deployment can answer by itself."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from tests.tools import regions
from tests.tools.aws_check import asking, calls, rendering
from tests.tools.aws_check.questions import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULT_FILE = Path("aws-check.json")
WHAT_IT_DOES = """\
make aws-check asks {region} what only a real account can show. It
- exports two reports, one as CSV, then one as JSON: the critical findings of the last 30 days (events/test_export.json); if there are
  none, all critical ones; if there are none, all active findings. Each takes Inspector minutes, at the latest it gives up after
  half an hour. The subscribers of the topic get one message, and one more if the JSON export fails. Owners who get messages get one;
- tries to create a second report while the first is in progress, which Inspector should refuse. If not, it cancels it;
- sets the alarm {stack}-{alarm} by hand and back. The subscribers of the alarm topic get an email that says so;
- invokes check_setup and preview_export, reads both reports, and makes some fifty calls that read.
It costs cents: two exports, and the metrics of the report name test-export for an hour. If CloudWatch bills metrics for whole months,
which is not confirmed, the name costs up to USD 5.40 once a month, as the first test export does.
It writes {file}, without account ids, names or findings.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and return the exit code: 0 where nothing is different, else 1."""
    parser = argparse.ArgumentParser(prog="make aws-check", description=__doc__)
    parser.add_argument("--region", default=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", ""))
    parser.add_argument("--stack", default="", help="name of the stack; without it that of samconfig.toml")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--samconfig", type=Path, default=regions.SAMCONFIG)
    parser.add_argument("--out", type=Path, default=RESULT_FILE)
    chosen = parser.parse_args(arguments)
    region = chosen.region
    if not regions.REGION.fullmatch(region):
        print("make aws-check: name the Region: make aws-check REGION=eu-west-1", file=sys.stderr)
        return 1
    try:
        settings = regions.settings_of(regions.read(chosen.samconfig), region, chosen.stack)
        aws = calls.deployed(settings.stack, region, clients(region, settings.profile), calls.Patience())
    except (regions.UnusableError, ClientError, BotoCoreError) as error:
        print(f"make aws-check: nothing was asked.\n{error}", file=sys.stderr)
        return 1
    print(WHAT_IT_DOES.format(region=region, stack=aws.stack, alarm=calls.ALARM, file=chosen.out))
    if not chosen.yes and not regions.is_confirmed("Begin?"):
        print("Nothing was asked.")
        return 1
    return run(aws, chosen.out)


def run(aws: calls.Deployed, out: Path) -> int:
    """Ask everything, print the table, write the file, and return the exit code."""
    try:
        answers = asking.everything(aws)
    except KeyboardInterrupt:
        print("\nmake aws-check: interrupted. The alarm was put back and the second report cancelled, unless a line above says"
              f" otherwise. A test export that was begun ends by itself, within half an hour. {out} was not written.",
              file=sys.stderr)  # fmt: skip
        return regions.INTERRUPTED
    architecture = aws.parameters.get("Architecture", "arm64")
    made = rendering.document(
        answers,
        release=aws.outputs.get("Version", ""),
        region=aws.region,
        architecture=architecture,
        checked_at=datetime.now(UTC),
    )
    print(rendering.table(answers))
    text = json.dumps(made, indent=2)
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        print(f"{text}\nmake aws-check: {out} could not be written: {error}. Its content is above.", file=sys.stderr)
        return 1
    print(f"Written to {out}. Attach it to a bug report: it has no account ids, names or findings.")
    return 1 if any(answer.result is Result.DIFFERENT for answer in answers) else 0


def clients(region: str, profile: str | None) -> Callable[[str, int], Any]:
    """Return what makes clients, each once."""
    session: Any = boto3.Session(profile_name=profile, region_name=region)
    made: dict[tuple[str, int], Any] = {}

    def client(service: str, tries: int) -> Any:
        if (service, tries) not in made:
            retries: Any = {"mode": "standard", "total_max_attempts": tries}
            made[service, tries] = session.client(service, config=ClientConfig(retries=retries, read_timeout=70))
        return made[service, tries]

    return client


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # What was changed is put back as after Ctrl-C.
        signal.signal(ending, signal.default_int_handler)
    sys.exit(main())
