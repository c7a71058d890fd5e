"""Gap: EventBridge Scheduler ignores time zones and roles, and does not fill in placeholders.

MiniStack's scheduler loop ignores time zones, stops at the first expression that it cannot read, delivers
`<aws.scheduler.scheduled-time>` literally, checks no role, has no dead-letter queue, and starts a rate with a pause, where
AWS fires at once. This patch replaces the loop: it runs every half second and fires each schedule at most once. A denied
delivery goes to the dead-letter queue at once, without the retries that AWS makes first.

The control route `/_local/scheduler/tick` {"now": "2030-01-01T02:00:00Z"} runs the loop once for one account, as if it
were that time.

Guards: test_a_schedule_fires_in_its_time_zone, test_a_schedule_passes_its_context,
test_a_bad_expression_does_not_stop_other_schedules, test_a_schedule_without_permission_goes_to_its_dead_letter_queue.
"""

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ministack.core.responses import get_account_id, get_region, set_request_account_id, set_request_region
from ministack.services import eventbridge, scheduler

from tests.local_aws.emulator import authorization
from tests.local_aws.emulator.asynchronous_invocation import send_to_queue
from tests.local_aws.emulator.control_routes import on_reset, route

_logger = logging.getLogger("scheduler")
_TICK_SECONDS = 0.5
_ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}

type Key = tuple[str, str, str]


def _due_time(schedule: dict[str, Any], last: datetime | None, now: datetime) -> datetime | None:
    """Return the time for which a schedule is to fire now, if there is one."""
    expression = schedule["ScheduleExpression"]
    zone = ZoneInfo(schedule["ScheduleExpressionTimezone"])
    changed = datetime.fromtimestamp(schedule["LastModificationDate"], UTC)
    # A changed schedule starts anew.
    if last and last < changed:
        last = None
    due: datetime | None
    if expression.startswith("at("):
        due = None if last else datetime.fromisoformat(expression[3:-1]).replace(tzinfo=zone)
    elif seconds := eventbridge._parse_rate_seconds(expression):
        # The first time is the start date, or at once.
        start = scheduler._to_epoch(schedule.get("StartDate"))
        first = datetime.fromtimestamp(start, UTC) if start else changed
        due = last + timedelta(seconds=seconds) if last else first
    else:
        due = _next_cron_time(expression, (last or changed).astimezone(zone))
    return due.astimezone(UTC) if due and due <= now else None


def _next_cron_time(expression: str, since: datetime) -> datetime | None:
    fields = eventbridge._parse_cron_fields(expression)
    if fields is None:
        raise ValueError(f"cannot read {expression}")
    due: datetime | None = eventbridge._cron_next_fire(fields, since)
    # Skip the hour that a change to summer time leaves out.
    while due and due.astimezone(UTC).astimezone(due.tzinfo).replace(fold=0) != due.replace(fold=0):
        due = eventbridge._cron_next_fire(fields, due)
    return due


def _is_active(schedule: dict[str, Any], now: datetime) -> bool:
    start, end = scheduler._to_epoch(schedule.get("StartDate")), scheduler._to_epoch(schedule.get("EndDate"))
    moment = now.timestamp()
    return schedule["State"] == "ENABLED" and (start is None or start <= moment) and (end is None or moment <= end)


def _deliver(schedule: dict[str, Any], due: datetime) -> None:
    target, arn = schedule["Target"], schedule["Arn"]
    values = {
        "schedule-arn": arn,
        "scheduled-time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    payload = target.get("Input") or "{}"
    for name, value in values.items():
        payload = payload.replace(f"<aws.scheduler.{name}>", value)
    role, session = target["RoleArn"], schedule["Name"]
    group_arn = arn.rsplit("/", 1)[0].replace(":schedule/", ":schedule-group/")
    denied = authorization.trust_denial(role, "scheduler.amazonaws.com", group_arn) or authorization.denial(
        role, session, _ACTIONS[target["Arn"].split(":")[2]], target["Arn"]
    )
    if not denied:
        event = {"EventId": values["execution-id"], "Source": "aws.scheduler", "Detail": "{}", "Time": due.timestamp()}
        eventbridge._invoke_target({**target, "Input": payload}, event, schedule)
        return
    _logger.error("schedule %s: %s", arn, denied)
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue and not authorization.denial(role, session, "sqs:SendMessage", queue):
        attributes = {"ERROR_CODE": "AccessDeniedException", "ERROR_MESSAGE": denied, "SCHEDULE_ARN": arn}
        send_to_queue(queue, payload, attributes)


def _fire_if_due(key: Key, schedule: dict[str, Any], now: datetime) -> None:
    fired = scheduler._schedule_last_fired.get(key)
    due = _due_time(schedule, datetime.fromtimestamp(fired, UTC) if fired else None, now)
    if due is None or not _is_active(schedule, now):
        return
    one_time = schedule["ScheduleExpression"].startswith("at(")
    # A one-time schedule counts as fired from now on, even when its time lies before its creation.
    scheduler._schedule_last_fired[key] = (max(due, now) if one_time else due).timestamp()
    _deliver(schedule, due)
    if one_time and schedule["ActionAfterCompletion"] == "DELETE":
        scheduler._schedules._data.pop(key, None)


def _start_due(now: datetime, place: tuple[str, str] | None = None) -> None:
    before = get_account_id(), get_region()
    for key, schedule in list(scheduler._schedules._data.items()):
        account, region, _ = key
        if place not in (None, (account, region)):
            continue
        set_request_account_id(account)
        set_request_region(region)
        try:
            _fire_if_due(key, schedule, now)
        except Exception:
            _logger.exception("schedule %s", schedule["Arn"])
    set_request_account_id(before[0])
    set_request_region(before[1])


@route("/_local/scheduler/tick")
def _tick(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    now = datetime.fromisoformat(body["now"])
    _start_due(now, (account, region))
    return {"now": now.isoformat()}


def install() -> None:
    """Replace the loop."""
    on_reset(scheduler._schedule_last_fired.clear)
    scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS
    scheduler._tick_schedules = lambda: _start_due(datetime.now(UTC))
