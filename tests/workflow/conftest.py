"""The exporter on the embedded AWS: one emulator and one stack for all tests of a worker, cleared between tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import LocalAws

if TYPE_CHECKING:
    from pathlib import Path

WAIT_SCALE = 0.02
FINDINGS = 60


@pytest.fixture(scope="session")
def exporter_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    log: Path = tmp_path_factory.mktemp("exporter") / "local-aws.log"
    with LocalAws(log, wait_scale=WAIT_SCALE) as aws:
        yield aws


@pytest.fixture(scope="session")
def deployed(exporter_aws: LocalAws) -> Exporter:
    return Exporter.deploy(exporter_aws, "exporter", parameters={"NotificationEmail": "security@example.com"})


@pytest.fixture
def exporter(deployed: Exporter, inspector: InspectorControl) -> Iterator[Exporter]:
    deployed.forget()
    yield deployed
    deployed.aws.set_wait_scale(WAIT_SCALE)


@pytest.fixture
def inspector(deployed: Exporter) -> InspectorControl:
    control = InspectorControl(deployed.aws, deployed.account, deployed.region)
    control.reset()
    control.seed(findings=FINDINGS, seed=1)
    control.configure(base_seconds=0.3, seconds_per_1000=0.0)
    return control


@pytest.fixture
def no_events(exporter: Exporter) -> Iterator[None]:
    """The event that an execution has ended never comes: it is delivered best effort only."""
    events, rule = exporter.client("events"), exporter.resource("CleanUpFunctionExecutionEnded")
    events.disable_rule(Name=rule)
    yield
    events.enable_rule(Name=rule)
