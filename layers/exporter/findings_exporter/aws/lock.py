"""The lock that orders our own runs: one report at a time in an account and Region.

::

    run A  acquire ─── start ─── wait ⟲ check ─── release
    run B       refused ⟲ wait ─────────────────────── acquire ─── …
    run C                                   refused ⟲ …

There is no lease to renew. Whether a holder still lives is asked (DescribeExecution), not guessed, and a lock expires only
when its execution cannot be running any more. A function outlives its stopped execution, so no run takes or releases the
lock before ``creating_until`` has passed: until then its function may still be creating a report.

The item ``LOCK#<account>#<region>`` holds ``owner`` (execution ARN), ``owner_started_at``, ``acquired_at``, ``expires_at``
and, for a moment, ``creating_until`` (times as epoch seconds). It has no TTL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from findings_exporter.aws.table import Table, refused_item
from findings_exporter.model.errors import DENIED, LockLostError, StillCreatingError, code_of
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

EXECUTION_TIMEOUT = timedelta(hours=32)
"""The state machine's TimeoutSeconds; a contract test holds the two together."""
EXPIRY_MARGIN = timedelta(minutes=5)
ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})

ABSENT = "attribute_not_exists(pk)"  # no run holds it
EXPIRED = "expires_at < :now"  # its execution ran out of the state machine's own time
DEAD = "#owner = :dead"  # its execution has ended without releasing it
UNMARKED = "attribute_not_exists(creating_until)"  # no function has said that it may create
NOT_CREATING = f"({UNMARKED} OR creating_until < :now)"  # no function can still create a report
MINE = "#owner = :me"
SAME_MARK = "creating_until = :mark"  # no other function of mine has said since that it may create


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock."""

    arn: str
    started_at: datetime
    creating_until: datetime | None

    @property
    def execution(self) -> Execution:
        """The holder's execution."""
        return Execution(self.arn, self.started_at)


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of one account and Region."""

    table: Table
    account: str
    region: str

    def acquire(self, states: "SFNClient", me: Execution, now: datetime) -> Holder | None:
        """Take the lock, or return who holds it.

        A repeated call by the holder changes nothing, since its condition refuses the holder too.

        Returns
        -------
        Holder or None
            None when the lock is mine.
        """
        refused_by = self._take(me, now)
        if refused_by is None or refused_by.arn == me.arn:
            return None
        if not has_ended(states, refused_by.arn):
            return refused_by
        refused_by = self._take(me, now, dead=refused_by.arn)
        return None if refused_by is None or refused_by.arn == me.arn else refused_by

    def release(self, me: Execution, now: datetime) -> None:
        """Give the lock back. A lock that is not mine counts as released.

        Raises
        ------
        StillCreatingError
            A function of mine may still be creating a report.
        """
        try:
            self.table.client.delete_item(
                **self._item(),
                ConditionExpression=f"{ABSENT} OR ({MINE} AND {NOT_CREATING})",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":me": {"S": me.arn}, ":now": {"N": str(_epoch(now))}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            holder = _holder(refused_item(error))
            if holder.arn == me.arn:
                raise StillCreatingError(_still_creating(holder)) from error

    def holder(self) -> Holder | None:
        """Read who holds the lock."""
        item = self.table.get(*self._key())
        return _holder(item) if item else None

    def require(self, me: Execution) -> Holder:
        """Make sure that the lock is mine.

        Raises
        ------
        LockLostError
            It is free or another's.
        """
        holder = self.holder()
        if holder is None or holder.arn != me.arn:
            raise LockLostError(_lost(me, holder))
        return holder

    def mark_creating(self, me: Execution, until: datetime, now: datetime, seen: datetime | None = None) -> datetime:
        """Say that a function of mine may create a report until then, and return the mark.

        Parameters
        ----------
        seen
            The mark that stood when this function looked for a report of mine, None for none: had another one been set
            since, what it saw would be out of date.

        Raises
        ------
        LockLostError
            The lock is free or another's.
        StillCreatingError
            Another function of mine has said so, and its time has not passed; or it has since this one looked.
        """
        # Whole seconds, rounded up: the mark is compared by its value.
        mark = datetime.fromtimestamp(_epoch(until) + 1, UTC)
        unchanged = f"({SAME_MARK} AND creating_until < :now)" if seen else UNMARKED
        values = {":mark": _epoch(seen), ":now": _epoch(now)} if seen else {}
        if not self._set_mark(me, mark, unchanged, values):
            raise StillCreatingError(_still_creating(self.require(me)))
        return mark

    def move_mark(self, me: Execution, mark: datetime, until: datetime) -> None:
        """Say that a report may still appear until then. Another function's mark is left alone."""
        self._set_mark(me, until, SAME_MARK, {":mark": _epoch(mark)})

    def clear_mark(self, me: Execution, mark: datetime) -> None:
        """Say that no report of mine can appear any more but the one that is known. Another's mark is left alone."""
        values: dict[str, str | int] = {":me": me.arn, ":mark": _epoch(mark)}
        self.table.update(self._key(), "REMOVE creating_until", {"#owner": "owner"}, values, condition=f"{MINE} AND {SAME_MARK}")

    def _set_mark(self, me: Execution, until: datetime, clause: str, values: Mapping[str, str | int]) -> bool:
        return self.table.update(
            self._key(),
            "SET creating_until = :until",
            {"#owner": "owner"},
            {":until": _epoch(until), ":me": me.arn, **values},
            condition=f"{MINE} AND {clause}",
        )

    def _take(self, me: Execution, now: datetime, dead: str | None = None) -> Holder | None:
        may_take = f"{ABSENT} OR (({EXPIRED}{f' OR {DEAD}' if dead else ''}) AND {NOT_CREATING} AND NOT {MINE})"
        values: dict[str, Any] = {
            ":me": {"S": me.arn},
            ":started": {"S": me.started_at.isoformat()},
            ":now": {"N": str(_epoch(now))},
            ":expires": {"N": str(_epoch(me.started_at + EXECUTION_TIMEOUT + EXPIRY_MARGIN))},
        }
        try:
            self.table.client.update_item(
                **self._item(),
                UpdateExpression="SET #owner = :me, owner_started_at = :started, acquired_at = :now, expires_at = :expires"
                " REMOVE creating_until",
                ConditionExpression=may_take,
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=values | ({":dead": {"S": dead}} if dead else {}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            return _holder(refused_item(error))
        return None

    def _key(self) -> tuple[str, str]:
        return f"LOCK#{self.account}#{self.region}", "LOCK"

    def _item(self) -> dict[str, Any]:
        pk, sk = self._key()
        return {"TableName": self.table.name, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}


def has_ended(states: "SFNClient", execution_arn: str) -> bool:
    """Tell whether an execution has surely ended. Not found and denied count as alive: a lock is not taken on a guess."""
    try:
        return states.describe_execution(executionArn=execution_arn)["status"] in ENDED
    except ClientError as error:
        if code_of(error) == "ExecutionDoesNotExist" or code_of(error) in DENIED:
            return False
        raise


def _holder(item: dict[str, Any]) -> Holder:
    until = item.get("creating_until")
    return Holder(
        arn=item["owner"],
        started_at=datetime.fromisoformat(item["owner_started_at"]),
        creating_until=datetime.fromtimestamp(until, UTC) if until else None,
    )


def _lost(me: Execution, holder: Holder | None) -> str:
    if holder is None:
        return Note("cause.lock_of_none", run=me.id)
    return Note("cause.lock_of_other", run=me.id, holder=holder.execution.id)


def _still_creating(holder: Holder) -> str:
    # Between the refusal and this look its mark may have been cleared.
    if holder.creating_until is None:
        return Note("cause.still_creating", run=holder.execution.id)
    return Note("cause.still_creating_until", run=holder.execution.id, time=f"{holder.creating_until:%H:%M:%S}")


def _epoch(time: datetime) -> int:
    return int(time.timestamp())
