"""The few forms of request: what is written is read, and a refusal is distinguished from an outage."""

import pytest
from botocore.exceptions import ClientError

from findings_exporter.aws.table import Table, refused_item
from tests.builders.exporter import client_error

ITEM: dict[str, str | int] = {"pk": "P", "sk": "S", "text": "ä", "number": 7}


def test_what_is_written_is_read(table: Table) -> None:
    assert table.get("P", "S") is None
    table.put(ITEM)
    assert table.get("P", "S") == ITEM


def test_the_first_of_two_new_items_stands(table: Table) -> None:
    assert table.put_new(ITEM) is None
    assert table.put_new(ITEM | {"text": "second"}) == ITEM
    assert table.get("P", "S") == ITEM


def test_an_update_returns_whether_its_condition_held(table: Table) -> None:
    assert not table.update(("P", "S"), "SET a = :a", {}, {":a": 1})
    assert table.get("P", "S") is None
    table.put(ITEM)
    assert table.update(("P", "S"), "SET #t = :a ADD notes :n", {"#t": "text"}, {":a": "new", ":n": {"x", "y"}})
    assert table.get("P", "S") == ITEM | {"text": "new", "notes": {"x", "y"}}


def test_a_partition_is_read_from_its_newest(table: Table) -> None:
    for day in ("1", "3", "2"):
        table.put({"pk": "P", "sk": day})
    table.put({"pk": "Q", "sk": "9"})
    assert [item["sk"] for item in table.newest("P")] == ["3", "2", "1"]


def test_only_open_items_are_in_the_index_the_oldest_first(table: Table) -> None:
    for day in ("2", "1"):
        table.put({"pk": "P", "sk": day, "open": "OPEN", "started_at": day})
    table.put({"pk": "P", "sk": "3", "started_at": "3"})
    assert [item["sk"] for item in table.query_open(10)] == ["1", "2"]


def test_an_outage_is_not_a_refusal(table: Table) -> None:
    missing = Table(table.client, "no-such-table")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        missing.put_new(ITEM)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        missing.update(("P", "S"), "SET a = :a", {}, {":a": 1})


def test_a_refusal_without_the_item_is_an_empty_one() -> None:
    assert refused_item(client_error("ConditionalCheckFailedException")) == {}
