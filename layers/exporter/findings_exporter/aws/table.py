"""The few forms of DynamoDB request that the records and the lock need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from findings_exporter.model.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPEN_INDEX = "Open"
"""Sparse index of the runs of which a notification is pending."""
PAGE_ITEMS = 200
"""Of a partition; most readers find what they look for among the first."""


@dataclass(frozen=True, slots=True)
class Table:
    """The few forms of DynamoDB request that the records and the lock need; attributes are text or whole numbers."""

    client: "DynamoDBClient"
    name: str

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """Read an item consistently."""
        answer = self.client.get_item(TableName=self.name, Key=_marshalled({"pk": pk, "sk": sk}), ConsistentRead=True)
        return _unmarshalled(answer["Item"]) if "Item" in answer else None

    def put(self, item: Mapping[str, str | int]) -> None:
        """Write an item over whatever was there."""
        self.client.put_item(TableName=self.name, Item=_marshalled(item))

    def put_new(self, item: Mapping[str, str | int]) -> dict[str, Any] | None:
        """Write an item if there is none yet, and return the one that was there before, if any."""
        try:
            self.client.put_item(
                TableName=self.name,
                Item=_marshalled(item),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            return refused_item(error)
        return None

    def delete(self, pk: str, sk: str) -> None:
        """Delete an item, if it is there."""
        self.client.delete_item(TableName=self.name, Key=_marshalled({"pk": pk, "sk": sk}))

    def update(
        self,
        key: tuple[str, str],
        expression: str,
        names: Mapping[str, str],
        values: Mapping[str, str | int | set[str]],
        condition: str = "attribute_exists(pk)",
    ) -> bool:
        """Update an item and return whether its condition held."""
        request: Any = {
            "TableName": self.name,
            "Key": _marshalled({"pk": key[0], "sk": key[1]}),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
        }
        # DynamoDB takes neither of them empty.
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        if values:
            request["ExpressionAttributeValues"] = _marshalled(values)
        try:
            self.client.update_item(**request)
        except ClientError as error:
            refused_item(error)
            return False
        return True

    def newest(self, pk: str) -> Iterator[dict[str, Any]]:
        """Read the items of a partition, the newest first: a page at a time, as far as they are taken."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=_marshalled({":pk": pk}),
            ScanIndexForward=False,
            PaginationConfig={"PageSize": PAGE_ITEMS},
        )
        return (_unmarshalled(item) for page in pages for item in page["Items"])

    def beginning_with(self, pk: str, start: str = "") -> Iterator[dict[str, Any]]:
        """Read the items of a partition in order, consistently; with a text, those whose sort key begins with it."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :start)" if start else "pk = :pk",
            ExpressionAttributeValues=_marshalled({":pk": pk} | ({":start": start} if start else {})),
            ConsistentRead=True,
        )
        return (_unmarshalled(item) for page in pages for item in page["Items"])

    def query_open(self, most: int, after: str = "0", kind: str = "OPEN") -> list[dict[str, Any]]:
        """Read what is open from the sparse index, by its start: from behind one on, then those up to it.

        Parameters
        ----------
        kind
            ``OPEN`` for runs, ``SUMMARY`` for summaries.
        """
        items: list[dict[str, Any]] = []
        for side in (">", "<="):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName=OPEN_INDEX,
                KeyConditionExpression=f"#open = :open AND started_at {side} :after",
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues=_marshalled({":open": kind, ":after": after}),
                ProjectionExpression="pk, sk, arn, started_at",
                PaginationConfig={"MaxItems": most - len(items)},
            )
            items += [_unmarshalled(item) for page in pages for item in page["Items"]]
            if len(items) == most:
                break
        return items


def refused_item(error: ClientError) -> dict[str, Any]:
    """Return the item that a condition refused; raise any other error on."""
    if code_of(error) != "ConditionalCheckFailedException":
        raise error
    item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
    return _unmarshalled(item)


def _marshalled(item: Mapping[str, str | int | set[str]]) -> dict[str, Any]:
    return {name: _typed(value) for name, value in item.items()}


def _typed(value: str | int | set[str]) -> dict[str, Any]:
    match value:
        case str():
            return {"S": _encodable(value)}
        case int():
            return {"N": str(value)}
        case set():
            return {"SS": sorted(map(_encodable, value))}


def _encodable(text: str) -> str:
    # AWS' and S3's answers, and what they say of findings, may hold half a surrogate pair, which no request can carry.
    return text.encode(errors="replace").decode()


def _unmarshalled(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(*value.items()) for name, value in item.items()}


def _plain(typed: tuple[str, Any]) -> str | int | set[str]:
    kind, value = typed
    return int(value) if kind == "N" else set(value) if kind == "SS" else str(value)
