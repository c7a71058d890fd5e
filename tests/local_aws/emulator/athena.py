"""Gap: a stack has no named queries, and a table of Parquet has the files' types instead of its own.

Without the table's types, a time of Parquet cannot even be answered: DuckDB hands it out with a time zone, for which it asks
for a package that is not there. Athena reads times of Parquet as UTC.

Guards: test_a_stack_has_named_queries, test_a_table_of_parquet_has_its_own_types.
"""

import json
from typing import Any

from ministack.services import athena
from ministack.services.cloudformation import provisioners

type Properties = dict[str, Any]

_TYPES = {"array<string>": "VARCHAR[]"}
"""What the emulator's own list of types lacks."""


def _create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    status, _, body = athena._create_named_query(properties)
    if status != 200:
        raise ValueError(f"AWS::Athena::NamedQuery: {body!r}")
    query_id: str = json.loads(body)["NamedQueryId"]
    return query_id, {"NamedQueryId": query_id}


def _delete(query_id: str, _properties: Properties) -> None:
    athena._delete_named_query({"NamedQueryId": query_id})


def _update(query_id: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None) -> tuple[str, Properties]:
    if old == new:
        return query_id, {"NamedQueryId": query_id}
    _delete(query_id, old)
    return _create(logical_id or query_id, new, stack)


def install() -> None:
    """Add the resource type, and read Parquet in the types of the table."""
    provisioners._RESOURCE_HANDLERS["AWS::Athena::NamedQuery"] = {
        "create": _create,
        "update": _update,
        "update_with_logical_id": True,
        "delete": _delete,
    }
    relation_of = athena._table_relation

    def typed_relation(table: Properties, files: list[str]) -> str:
        relation: str = relation_of(table, files)
        columns = [*table["StorageDescriptor"].get("Columns", []), *table.get("PartitionKeys", [])]
        if athena._data_format(table) != "parquet" or not columns:
            return relation
        typed = [
            f'CAST("{each["Name"]}" AS {_TYPES.get(each["Type"]) or athena._duckdb_type(each)}) AS "{each["Name"]}"'
            for each in columns
        ]
        return f"(SELECT {', '.join(typed)} FROM {relation})"  # noqa: S608 - of a test's own table

    athena._table_relation = typed_relation
