"""Records every change of lock, reports and runs: from the table's own stream and Inspector's record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.faults.invariants import owner_name
from tests.faults.model import (
    Began,
    CancelAsked,
    LockState,
    LockWritten,
    Over,
    OwnerPublished,
    OwnerWritten,
    Published,
    ReportBegan,
    ReportOver,
    RunState,
    RunWritten,
    Seen,
)
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.local_aws.deployed_exporter import Exporter

MILLISECOND_DIGITS = 20
"""The emulator's sequence numbers begin with the time in milliseconds; a record's own time has only seconds."""

type Item = Mapping[str, Any]
type Written = LockWritten | RunWritten | OwnerWritten


class TableStream:
    """The changes of a deployed exporter's table, from now on."""

    def __init__(self, exporter: Exporter) -> None:
        table, dynamodb = exporter.outputs["TableName"], exporter.client("dynamodb")
        if not (described := dynamodb.describe_table(TableName=table)["Table"]).get("LatestStreamArn"):
            every_image = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            described = dynamodb.update_table(TableName=table, StreamSpecification=every_image)["TableDescription"]
        self._streams, self._arn = exporter.client("dynamodbstreams"), described["LatestStreamArn"]
        self._iterator = self._now()

    def restart(self) -> None:
        """Start again: what was written so far is not read."""
        self._iterator = self._now()

    def read(self) -> list[Written]:
        """Return what was written to the lock, to runs and to the items of their owners."""
        return [written for change in self._changes() for written in _written(change)]

    def images(self) -> list[tuple[float, Item]]:
        """Return what was written, in order: each time and the item as it was then."""
        return [(_time_of(change), _plain(change["NewImage"])) for change in self._changes() if change.get("NewImage")]

    def _changes(self) -> list[Mapping[str, Any]]:
        changes: list[Mapping[str, Any]] = []
        while page := (answer := self._streams.get_records(ShardIterator=self._iterator))["Records"]:
            changes += [record["dynamodb"] for record in page]
            self._iterator = answer["NextShardIterator"]
        return changes

    def _now(self) -> str:
        (shard,) = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        latest = {"StreamArn": self._arn, "ShardId": shard["ShardId"], "ShardIteratorType": "LATEST"}
        return str(self._streams.get_shard_iterator(**latest)["ShardIterator"])


def _written(change: Mapping[str, Any]) -> Iterator[Written]:
    at = _time_of(change)
    before, after = _plain(change.get("OldImage")), _plain(change.get("NewImage"))
    match (before or after)["sk"]:
        case "LOCK":
            yield LockWritten(at, _lock(before), _lock(after))
        case "EXECUTION" if after:
            yield RunWritten(at, after["arn"].rsplit(":", 1)[-1], _run(before), _run(after))
        case sk if after and sk.startswith("OWNER#"):
            run, owner = after["pk"].removeprefix("EXECUTION#"), sk.removeprefix("OWNER#")
            yield OwnerWritten(at, run, owner, "notified_at" in after)


def _time_of(change: Mapping[str, Any]) -> float:
    return int(change["SequenceNumber"][:MILLISECOND_DIGITS]) / 1000


def _plain(image: Mapping[str, Any] | None) -> Item:
    return {name: next(iter(value.values())) for name, value in (image or {}).items()}


def _lock(item: Item) -> LockState | None:
    if not item:
        return None
    return LockState(item["owner"].rsplit(":", 1)[-1], int(item["expires_at"]), int(item.get("creating_until", 0)))


def _run(item: Item) -> RunState:
    return RunState(
        on_busy=json.loads(item["plan"])["on_busy"] if "plan" in item else "",
        report=item.get("report_id", ""),
        outcome=outcome_of(item),
        notification_id=item.get("notification_id", ""),
        notified="notified_at" in item,
        owners_done="owners_done_at" in item,
    )


def outcome_of(item: Item) -> str:
    """Return the outcome of a run's item, a failure's with its error; empty when there is none."""
    outcome, failure = item.get("outcome", ""), json.loads(item.get("failure", "null"))
    return f"{outcome}: {failure['error']}" if outcome == "FAILED" else str(outcome)


def trace(exporter: Exporter, stream: TableStream, arns: Sequence[str]) -> list[Seen]:
    """Return everything that was recorded since the stream was restarted."""
    seen: list[Seen] = list(stream.read())
    for arn in arns:
        execution = exporter.describe(arn)
        seen.append(Began(execution.started_at.timestamp(), execution.name))
        if execution.ended_at:
            seen.append(Over(execution.ended_at.timestamp(), execution.name, execution.status))
    record = InspectorControl(exporter.aws, exporter.account, exporter.region).record()
    for report in record["reports"]:
        seen.append(ReportBegan(report["created_at"], report["id"], "" if report["is_external"] else owner_name(report)))
        if report["ended_at"]:
            seen.append(ReportOver(report["ended_at"], report["id"], report["error_code"] or report["status"]))
    cancels = [call for call in record["calls"] if call["operation"] == "cancel"]
    starts = [each for each in FaultControl(exporter).invocations() if each["function"] == "StartReportFunction"]
    for call in cancels:
        began = [each["started_at"] for each in starts if each["execution"] == call["execution"]]
        asking = max((at for at in began if at <= call["time"]), default=call["time"])
        seen.append(CancelAsked(call["time"], call["report_id"], call["execution"].rsplit(":", 1)[-1], asking))
    for message in exporter.messages():
        event = message.event
        seen.append(Published(message.published_at, event["execution"]["name"], event["outcome"], event["notification_id"]))
    seen += [OwnerPublished(each.published_at, each.execution, each.owner) for each in exporter.owner_messages()]
    return seen
