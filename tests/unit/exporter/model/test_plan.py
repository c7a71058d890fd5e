"""A run's plan: defaults, what an input may choose and what not, and all that can be wrong with it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from findings_exporter.model.errors import Failure
from findings_exporter.model.plan import Plan, make_plan
from tests.builders.exporter import ACCOUNT, BUCKET, HOSTILE_NAMES, KEY, SCHEDULE, START, config, execution, plan

SCHEDULED = {"scheduled_for": "2026-11-23T03:00:00Z", "arn": SCHEDULE}
PLACEHOLDERS = {"scheduled_for": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>"}


def cause_of(run_input: object, **variables: str) -> str:
    """Why an input is refused."""
    made = make_plan(run_input, config(**variables), execution())
    assert isinstance(made, Failure)
    assert made.error == "InvalidInput"
    return made.cause


def test_an_empty_input_exports_with_the_deployments_defaults() -> None:
    made = plan({}, FILTER_CRITERIA='{"severity": [{"comparison": "EQUALS", "value": "HIGH"}]}', DEADLINE_HOURS="2.5")
    assert (made.report_name, made.report_format, made.on_busy, made.notify) == ("nightly", "JSON", "wait", True)
    assert made.filter_criteria == {"severity": [{"comparison": "EQUALS", "value": "HIGH"}]}
    assert made.deadline_at == START + timedelta(hours=2.5)
    assert (made.scheduled_for, made.schedule) == (None, None)
    assert (made.destination.bucket, made.destination.kms_key_arn, made.destination.owner) == (BUCKET, KEY, ACCOUNT)
    assert made.destination.prefix == "inspector/reports/nightly/year=2026/month=11/day=23/run-1/"


def test_an_input_overrides_what_it_may() -> None:
    made = plan(
        {
            "report": {"name": "test-export", "format": "CSV", "filter_criteria": {"updatedAt": ["last 7 days"]}},
            "on_busy": "cancel",
            "deadline_hours": 0.5,
            "notify": False,
            "schedule": {"scheduled_for": "2026-11-23T04:00:00+01:00", "arn": SCHEDULE},
            "Comment": "the console's own example",
            "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn",
        }
    )
    assert (made.report_name, made.report_format, made.on_busy, made.notify) == ("test-export", "CSV", "cancel", False)
    assert made.filter_criteria["updatedAt"][0]["endInclusive"] == START.timestamp()
    assert made.deadline_at == START + timedelta(minutes=30)
    assert (made.scheduled_for, made.schedule) == ("2026-11-23T03:00:00+00:00", SCHEDULE)
    assert made.remaining_seconds(START + timedelta(minutes=31)) == -60


def nested(depth: int) -> Any:
    """Lists in lists."""
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


INVALID: list[tuple[object, str]] = [
    (None, "input must be an object, not null"),
    ([], "input must be an object, not a list"),
    ("{}", 'input must be an object, not "{}"'),
    ({"reports": {}}, 'reports is not a known field. Did you mean "report"?'),
    ({"zzz": 1}, "zzz is not a known field. Known fields: report, on_busy, deadline_hours, notify, schedule"),
    ({"x" * 200: 1}, f"{'x' * 60}… is not a known field"),
    ({"bucket": "mine"}, "bucket is set by a parameter of the stack and cannot be chosen in the input"),
    ({"KMS_KEY_ARN": "mine"}, "KMS_KEY_ARN is set by a parameter of the stack"),
    ({"report": {"destination": {}}}, "report.destination is set by a parameter of the stack"),
    ({"report": {"key_prefix": "x"}}, "report.key_prefix is set by a parameter of the stack"),
    ({"report": None}, "report must be an object, not null"),
    ({"report": {"nmae": "x"}}, 'report.nmae is not a known field. Did you mean "name"?'),
    ({"report": {"name": ""}}, 'report.name must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, not ""'),
    ({"report": {"name": "../../other"}}, 'not "../../other"'),
    ({"report": {"name": ".."}}, 'not ".."'),
    ({"report": {"name": "a/b"}}, 'not "a/b"'),
    ({"report": {"name": "year=2026"}}, 'not "year=2026"'),
    ({"report": {"name": "nightly\n"}}, "report.name must be"),
    ({"report": {"name": "nächtlich"}}, "report.name must be"),
    ({"report": {"name": "x" * 64}}, "report.name must be"),
    ({"report": {"name": 7}}, "report.name must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, not the"),
    ({"report": {"format": "json"}}, 'report.format must be JSON or CSV, not "json". Did you mean "JSON"?'),
    ({"report": {"format": None}}, "report.format must be JSON or CSV, not null"),
    ({"report": {"filter_criteria": None}}, "report.filter_criteria must be an object"),
    ({"report": {"filter_criteria": {"severty": []}}}, 'report.filter_criteria.severty is not a known field. Did you mean "severity"?'),
    ({"on_busy": "Wait"}, 'on_busy must be wait, cancel or fail, not "Wait". Did you mean "wait"?'),
    ({"on_busy": True}, "on_busy must be wait, cancel or fail, not true"),
    ({"deadline_hours": 0}, "deadline_hours must be a number of hours from 0.017 (one minute) to 24, not the number 0"),
    ({"deadline_hours": -1}, "not the number -1"),
    ({"deadline_hours": 24.1}, "not the number 24.1"),
    ({"deadline_hours": "6"}, 'not "6"'),
    ({"deadline_hours": True}, "not true"),
    ({"deadline_hours": float("nan")}, "not the number nan"),
    ({"deadline_hours": 10**400}, "not a long number"),
    ({"notify": "no"}, 'notify must be true or false, not "no"'),
    ({"notify": 0}, "notify must be true or false, not the number 0"),
    ({"schedule": "nightly"}, "schedule must be an object"),
    ({"schedule": PLACEHOLDERS}, "schedule.scheduled_for must be a date and time with a UTC offset, such as 2026-11-23T03:00:00Z"),
    ({"schedule": PLACEHOLDERS}, 'schedule.arn must be the ARN of a schedule, not "<aws.scheduler.schedule-arn>"'),
    ({"schedule": SCHEDULED | {"scheduled_for": "2026-11-23T03:00:00"}}, "schedule.scheduled_for must be a date and time with"),
    ({"schedule": SCHEDULED | {"scheduled_for": 1795402800}}, "schedule.scheduled_for must be a date and time with"),
    ({"schedule": SCHEDULED | {"scheduled_for": "2026-11-23T03:05:01Z"}}, "schedule.scheduled_for is in the future"),
    ({"schedule": SCHEDULED | {"scheduled_for": "0001-01-01T00:00:00+14:00"}}, "schedule.scheduled_for must be a date"),
    ({"schedule": SCHEDULED | {"scheduled_for": "9999-12-31T23:59:59-14:00"}}, "schedule.scheduled_for must be a date"),
    ({"schedule": {"arn": SCHEDULE}}, "schedule.scheduled_for must be a date and time with a UTC offset"),
    ({"schedule": SCHEDULED | {"arn": "arn:aws:iam::1:role/x"}}, "schedule.arn must be the ARN of a schedule"),
    ({"schedule": SCHEDULED | {"time": "x"}}, "schedule.time is not a known field"),
    ({"deadline_hours": 0.0166}, "deadline_hours must be a number of hours from 0.017 (one minute) to 24, not the number 0.0166"),
    ({"deadline_hours": float("inf")}, "not the number inf"),
    ({"deadline_hours": float("-inf")}, "not the number -inf"),
    ({"schedule": SCHEDULED | {"scheduled_for": "0001-01-01T00:00:00Z"}}, "schedule.scheduled_for is more than 400 days before"),
    ({"schedule": SCHEDULED | {"scheduled_for": "2025-10-19T02:59:59Z"}}, "schedule.scheduled_for is more than 400 days before"),
    ({"schedule": SCHEDULED | {"arn": SCHEDULE + "\u202e"}}, "schedule.arn must be the ARN of a schedule"),
    ({"schedule": SCHEDULED | {"arn": SCHEDULE + "夜"}}, "schedule.arn must be the ARN of a schedule"),
    ({"on_busy": "\ud800"}, "on_busy contains half of a surrogate pair"),
    ({"a\udfffb": 1}, "a\ufffdb has half of a surrogate pair"),
    ({"report": {"filter_criteria": {"severity": [{"value": "\ud800"}]}}}, "report.filter_criteria.severity[0].value contains half of a"),
    ({"report": {"filter_criteria": {"sev\ud800": []}}}, "report.filter_criteria.sev\ufffd has half of a surrogate pair"),
    ({"Comment": ["\ud800"]}, "Comment[0] contains half of a surrogate pair"),
    ("\ud800", "input contains half of a surrogate pair"),
    ({"report": nested(20)}, "is nested more than 20 levels deep"),
    ({"report": nested(9_000)}, "is nested more than 20 levels deep"),
    ({"zzz\n\nWhat to do now\u202e": 1}, "\n- zzz What to do now is not a known field"),
    ({"on_busy": "a\n- b\u200b"}, 'not "a - b"'),
    ({"report": {"filter_criteria": {"x" * 90_000: []}}}, "report.filter_criteria.xxx"),
    ({"Comment": "x" * 100_001}, "input is longer than 100,000 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("run_input", "fault"), INVALID, ids=lambda value: ascii(value)[:50])
def test_a_wrong_input_is_refused_with_the_field_and_the_reason(run_input: object, fault: str) -> None:
    result = cause_of(run_input)
    assert fault in result
    assert result.encode()
    assert all(len(line) < 900 for line in result.splitlines())
    assert result.replace("\n", "").isprintable()


def test_the_last_and_the_first_time_that_a_run_may_export_are_taken() -> None:
    back = START - timedelta(days=400)
    assert plan({"schedule": SCHEDULED | {"scheduled_for": back.isoformat()}}).scheduled_for == back.isoformat()
    assert plan({"deadline_hours": 1 / 60}).deadline_at == START + timedelta(minutes=1)


def test_half_a_surrogate_pair_in_the_parameter_is_refused_like_one_in_an_input() -> None:
    result = cause_of({}, FILTER_CRITERIA='{"title": [{"comparison": "EQUALS", "value": "\\ud800"}]}')
    assert "the parameter FilterCriteria.title[0].value contains half of a surrogate pair" in result


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"FILTER_CRITERIA": "{severity}"}, "the parameter FilterCriteria is not JSON"),
        ({"FILTER_CRITERIA": '{"severity": [], "severity": []}'}, "the field severity is there twice in one object"),
        ({"FILTER_CRITERIA": "[" * 4_000}, "the parameter FilterCriteria is not JSON"),
        (
            {"FILTER_CRITERIA": '{"severty": []}'},
            'the parameter FilterCriteria.severty is not a known field. Did you mean "severity"?',
        ),
        ({"FILTER_CRITERIA": "[]"}, "the parameter FilterCriteria must be an object"),
        ({"DEADLINE_HOURS": "six"}, 'deadline_hours must be a number of hours from 0.017 (one minute) to 24, not "six"'),
        ({"DEADLINE_HOURS": "25"}, "not the number 25.0"),
        ({"REPORT_NAME": "../up"}, 'not "../up"'),
        ({"REPORT_FORMAT": "XML"}, 'report.format must be JSON or CSV, not "XML"'),
        ({"ON_BUSY": "hurry"}, 'on_busy must be wait, cancel or fail, not "hurry"'),
    ],
)
def test_a_wrong_parameter_is_refused_like_a_wrong_input(variables: dict[str, str], fault: str) -> None:
    assert fault in cause_of({}, **variables)


def test_all_faults_are_reported_at_once() -> None:
    result = cause_of({"report": {"name": "a/b", "format": "XML"}, "on_busy": "x", "deadline_hours": 99, "notify": 1, "zzz": 1})
    for field in ("report.name", "report.format", "on_busy", "deadline_hours", "notify", "zzz"):
        assert f"\n- {field} " in result


def test_a_flood_of_faults_is_cut_and_counted() -> None:
    result = cause_of({f"key{number}": 1 for number in range(50)})
    assert result.endswith("and 30 more")
    assert len(result.splitlines()) == 22


def test_a_scheduled_time_a_moment_ahead_is_taken_since_clocks_differ() -> None:
    assert plan({"schedule": SCHEDULED | {"scheduled_for": "2026-11-23T03:05:00Z"}}).scheduled_for


def test_the_same_input_and_start_give_the_same_plan() -> None:
    run_input = {"report": {"filter_criteria": {"updatedAt": ["last 7 days"]}}, "schedule": SCHEDULED}
    before = json.dumps(run_input)
    assert plan(run_input) == plan(run_input)
    assert json.dumps(run_input) == before


def test_the_filter_hash_is_the_same_every_run() -> None:
    run_input = {"report": {"filter_criteria": {"updatedAt": ["last 7 days"]}}}
    tomorrow = plan(run_input, execution("run-2", START + timedelta(days=1)))
    assert tomorrow.filter_criteria != plan(run_input).filter_criteria
    assert tomorrow.filter_hash == plan(run_input).filter_hash != plan({}).filter_hash


@pytest.mark.parametrize("run_input", [{}, {"schedule": SCHEDULED, "deadline_hours": 0.25, "report": {"format": "CSV"}}])
def test_a_stored_plan_is_read_as_it_was_written(run_input: dict[str, Any]) -> None:
    assert Plan.from_json(plan(run_input).to_json()) == plan(run_input)


def test_what_a_later_release_added_to_a_stored_plan_is_left_out() -> None:
    stored = json.loads(plan().to_json())
    stored |= {"added": {"by": "a later release"}, "destination": stored["destination"] | {"added": 1}}
    assert Plan.from_json(json.dumps(stored)) == plan()


EXECUTION_NAMES = st.text(st.characters(exclude_characters=":", codec="utf-8"), min_size=1, max_size=80)
PLACES = st.sampled_from(["mine", "x/", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/mine", {"bucketName": "mine"}, "../..", "", None])
WORDS = ["bucket", "prefix", "key_prefix", "kms_key_arn", "destination", "s3_destination", "owner", "plan", "config"]
GRASPING = st.dictionaries(st.sampled_from(WORDS), PLACES, max_size=1)
NAMED = st.from_regex(r"[\w./-]{1,70}").map(lambda name: {"name": name})
INPUTS = GRASPING | (GRASPING | NAMED).map(lambda report: {"report": report})


@example(run_input={}, name="a/b")
@example(run_input={}, name="..")
@given(run_input=INPUTS, name=EXECUTION_NAMES | st.sampled_from(HOSTILE_NAMES))
def test_no_input_and_no_name_chooses_where_data_goes(run_input: dict[str, Any], name: str) -> None:
    made = make_plan(run_input, config(), execution(name))
    if isinstance(made, Plan):
        destination = made.destination
        assert (destination.bucket, destination.kms_key_arn, destination.owner) == (BUCKET, KEY, ACCOUNT)
        day = f"inspector/reports/{made.report_name}/year=2026/month=11/day=23/"
        assert destination.prefix.startswith(day)
        assert destination.prefix.count("/") == day.count("/") + 1
        assert set(run_input) <= {"report"}
        assert set(run_input.get("report", {})) <= {"name"}
        assert set(run_input.get("report", {})) <= {"name"}
