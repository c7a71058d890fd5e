"""Whom the steps talk to: clients with bounded retries, but for the one call that must never be repeated."""

from typing import Any

from findings_exporter.aws.clients import Desk, StartDesk
from tests.builders.exporter import ACCOUNT, REGION, VARIABLES, config


def attempts(client: Any) -> int:
    """How often a client tries."""
    return int(client.meta.config.retries["total_max_attempts"])


def test_only_the_creator_never_repeats_a_call_by_itself() -> None:
    start_desk = StartDesk.from_config(config())
    assert attempts(start_desk.creator) == 1
    others = (start_desk.desk.inspector.client, start_desk.desk.table.client, start_desk.s3, start_desk.states)
    assert [attempts(client) for client in others] == [3, 3, 3, 3]


def test_a_desk_is_of_one_account_region_and_table() -> None:
    desk = Desk.from_config(config())
    assert (desk.lock.account, desk.lock.region) == (ACCOUNT, REGION)
    assert desk.table.name == desk.lock.table.name == VARIABLES["TABLE_NAME"]
    assert desk.config == config()
