"""No sockets, a cleared environment with fake credentials, and a fresh AWS for whoever asks for it."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from findings_exporter.aws.clients import Clients, StartClients
from findings_exporter.aws.inspector import Inspector
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.steps import cancel_report, verify_report
from tests.builders import exporter as builders
from tests.builders.exporter import FakeInspector, FakeStates


@pytest.fixture(autouse=True)
def _environment(sealed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in builders.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_report, "CHECK_SECONDS", 0)
    monkeypatch.setattr(cancel_report, "CANCEL_CHECK_SECONDS", 0)


@pytest.fixture
def aws() -> Iterator[None]:
    """A fresh, empty AWS."""
    with mock_aws():
        yield


@pytest.fixture
def table(aws: None) -> Table:
    """The table as the template makes it."""
    return builders.make_table()


@pytest.fixture
def states() -> FakeStates:
    """Step Functions, in which nothing runs yet."""
    return FakeStates()


@pytest.fixture
def inspector() -> FakeInspector:
    """Inspector, with no report in progress."""
    return FakeInspector()


@pytest.fixture
def lock(table: Table) -> Lock:
    """The lock of the account and Region."""
    return Lock(table, builders.ACCOUNT, builders.REGION)


@pytest.fixture
def clients(table: Table, lock: Lock, inspector: FakeInspector) -> Clients:
    """What watching and stopping a report needs."""
    return Clients(builders.config(), table, lock, Inspector(inspector.client))


@pytest.fixture
def start_clients(clients: Clients, inspector: FakeInspector, states: FakeStates) -> StartClients:
    """What starting a report needs."""
    builders.make_bucket()
    return StartClients(
        clients.config, clients.table, clients.lock, clients.inspector, inspector.client, builders.client("s3"), states.client
    )
