"""Lanes: stacks of the exporter side by side, each in an account of its own, so that cells run at the same time."""

from __future__ import annotations

import uuid
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_REGION, LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FIRST_ACCOUNT = 200_000_000_001
WAIT_SCALE = 0.02
WAIT_SCALES = {"*": WAIT_SCALE, "StillCreatingError": 1.0, "NotificationInProgressError": 1.0, "Wait for Other Report": 1.0}
"""Retries that wait for a mark in the table keep their real length: the functions' clock is not scaled."""
IDLE_SECONDS = 600.0
"""A lane uses some functions once in minutes: a process that ended meanwhile would start cold, and use up a run's short deadline."""
FINDINGS = 5
"""So many that the file is larger than the few kilobytes at which a report could be empty."""
FINDINGS_OF_PARTS, PART_BYTES = 26, 20_000
"""So many that the file is some 75 kB, which is divided into four parts of about this size."""

OWNER_RULES = [{"owner": "shop", "accounts": ["444455556666"]}]
"""One of the members whose findings are seeded; those of the others are unowned, so that each run has two owners."""

_minutes = count()


class Lane:
    """One deployed exporter for one run after another."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.faults = FaultControl(exporter)
        self.inspector = InspectorControl(exporter.aws, exporter.account, exporter.region)
        self._events_come = True

    @classmethod
    def deploy(cls, aws: LocalAws, number: int, region: str = DEFAULT_REGION, **parameters: str) -> Lane:
        """Make a lane, or in another Region a part of one."""
        account, given = str(FIRST_ACCOUNT + number), {"OwnerMessages": "ALL", **parameters}
        return cls(Exporter.deploy(aws, f"lane{number}", account=account, region=region, parameters=given))

    def clear(self) -> None:
        """Clear what the run before left, and remove all faults."""
        exporter = self.exporter
        with exporter.aws.batch(exporter.account, exporter.region) as batch:
            faults, inspector = FaultControl(exporter, batch), InspectorControl(batch, exporter.account, exporter.region)
            faults.forget()
            faults.set_wait_scales(WAIT_SCALES)
            inspector.reset()
            inspector.seed(findings=FINDINGS, seed=1)
            inspector.configure(base_seconds=0.05, seconds_per_1000=0.0, fewest_checks=1)
            batch.control("/_local/executions/forget")
            batch.control("/_local/sns/published", {"clear": True})
        if not self._events_come:
            self.send_events(wanted=True)
        exporter.set_part_bytes(None)
        exporter.delete_items(lambda _: True)
        exporter.delete_objects()
        exporter.put_owner_rules(OWNER_RULES)

    def divide_reports(self) -> None:
        """Let the next run's report be large, and be analyzed in parts."""
        self.inspector.seed(findings=FINDINGS_OF_PARTS, seed=1)
        self.exporter.set_part_bytes(PART_BYTES)

    def send_events(self, *, wanted: bool) -> None:
        """Enable or disable the events of ended executions."""
        events, rule = self.exporter.client("events"), self.exporter.resource("CleanUpFunctionExecutionEnded")
        (events.enable_rule if wanted else events.disable_rule)(Name=rule)
        self._events_come = wanted

    def new_execution(self) -> str:
        """Return the ARN that the next execution of a new name will have."""
        return f"{self.exporter.state_machine.replace(':stateMachine:', ':execution:')}:{uuid.uuid4()}"

    def scheduled_input(self) -> dict[str, Any]:
        """Return the input of a scheduled run whose time no run has claimed yet."""
        at = datetime.now(UTC) - timedelta(days=1, minutes=next(_minutes))
        arn = f"arn:aws:scheduler:{self.exporter.region}:{self.exporter.account}:schedule/default/nightly"
        return {"schedule": {"scheduled_for": f"{at:%Y-%m-%dT%H:%M:00Z}", "arn": arn}}

    def start(self, arn: str, run_input: Mapping[str, Any]) -> None:
        """Start the execution with this ARN."""
        self.exporter.start(dict(run_input), name=arn.rsplit(":", 1)[-1])


@contextmanager
def lanes(folder: Path, *, emulators: int, each: int, processes: int = 0) -> Iterator[list[Lane]]:
    """Start emulators and deploy lanes on them; all of them before the first run, since a deployment ends workers.

    Parameters
    ----------
    processes
        How many processes each function may have; 0 sets no bound.
    """
    with ExitStack() as stack:
        made: list[Lane] = []
        for number in range(emulators):
            log = folder / f"local-aws-{number}.log"
            aws = stack.enter_context(LocalAws(log, wait_scale=WAIT_SCALE, processes=processes, idle_seconds=IDLE_SECONDS))
            made += [Lane.deploy(aws, number * each + lane) for lane in range(each)]
        yield made
