"""Whom the steps talk to: clients with bounded retries, but for the one call that must never be repeated."""

from typing import Any

from findings_exporter.aws.clients import Clients, StartClients
from tests.builders.exporter import ACCOUNT, REGION, VARIABLES, config


def attempts(client: Any) -> int:
    """How often a client tries."""
    return int(client.meta.config.retries["total_max_attempts"])


def test_only_the_creator_never_repeats_a_call_by_itself() -> None:
    start_clients = StartClients.from_config(config())
    assert attempts(start_clients.creator) == 1
    others = (start_clients.inspector.client, start_clients.table.client, start_clients.s3, start_clients.states)
    assert [attempts(client) for client in others] == [3, 3, 3, 3]


def test_a_clients_is_of_one_account_region_and_table() -> None:
    clients = Clients.from_config(config())
    assert (clients.lock.account, clients.lock.region) == (ACCOUNT, REGION)
    assert clients.table.name == clients.lock.table.name == VARIABLES["TABLE_NAME"]
    assert clients.config == config()
