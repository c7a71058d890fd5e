"""Bad input ends in a clear failure that names each field, and nothing is left behind."""

import json
from itertools import batched

import pytest

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl

AT_ONCE = 2
"""Runs at a time: each one more starts processes for all its steps, where a waiting one would be quicker."""
SCHEDULE = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/nightly"
EQUALS = {"comparison": "EQUALS", "value": "CRITICAL"}


def filtered(criteria: object) -> object:
    return {"report": {"filter_criteria": criteria}}


BAD_INPUTS: list[tuple[object, str]] = [
    ([], "input must be an object, not a list"),
    ("text", 'input must be an object, not "text"'),
    (7, "input must be an object, not the number 7"),
    ({"reprot": {}}, 'reprot is not a known field. Did you mean "report"?'),
    ({"report": "nightly"}, 'report must be an object, not "nightly"'),
    ({"report": {"names": "x"}}, 'report.names is not a known field. Did you mean "name"?'),
    ({"report": {"name": 7}}, "report.name must be"),
    ({"report": {"name": ""}}, "report.name must be"),
    ({"report": {"name": "../../other"}}, "report.name must be"),
    ({"report": {"name": "a/b"}}, "report.name must be"),
    ({"report": {"name": "n" * 64}}, "report.name must be"),
    ({"report": {"format": "json"}}, 'report.format must be JSON or CSV, not "json". Did you mean "JSON"?'),
    ({"report": {"format": None}}, "report.format must be JSON or CSV, not null"),
    ({"bucket": "my-own-bucket"}, "bucket is set by a parameter of the stack"),
    (
        {"report": {"kms_key_arn": "arn:aws:kms:eu-west-1:111122223333:key/x"}},
        "report.kms_key_arn is set by a parameter of the stack",
    ),
    ({"on_busy": "waits"}, 'on_busy must be wait, cancel or fail, not "waits". Did you mean "wait"?'),
    ({"deadline_hours": "6"}, 'deadline_hours must be a number of hours from 0.017 (one minute) to 24, not "6"'),
    ({"deadline_hours": 0}, "deadline_hours must be a number of hours"),
    ({"deadline_hours": 25}, "deadline_hours must be a number of hours"),
    ({"deadline_hours": True}, "deadline_hours must be a number of hours from 0.017 (one minute) to 24, not true"),
    ({"notify": "no"}, 'notify must be true or false, not "no"'),
    (
        {"schedule": {"scheduled_for": "<aws.scheduler.scheduled-time>", "arn": "x"}},
        "schedule.scheduled_for must be a date and time",
    ),
    ({"schedule": {"scheduled_for": "2126-01-01T03:00:00Z", "arn": "x"}}, "schedule.scheduled_for is in the future"),
    ({"schedule": {"scheduled_for": "2026-01-01T03:00:00Z", "arn": "x"}}, 'schedule.arn must be the ARN of a schedule, not "x"'),
    (filtered([]), "report.filter_criteria must be an object"),
    (filtered({"severty": [EQUALS]}), 'report.filter_criteria.severty is not a known field. Did you mean "severity"?'),
    (filtered({"severity": EQUALS}), "report.filter_criteria.severity must be a list, not an object"),
    (filtered({"severity": []}), "report.filter_criteria.severity must have 1 to 10 entries, not 0"),
    (filtered({"severity": [EQUALS] * 11}), "report.filter_criteria.severity must have 1 to 10 entries, not 11"),
    (
        filtered({"severity": [{"comparison": "LIKE", "value": "HIGH"}]}),
        "report.filter_criteria.severity[0].comparison must be EQUALS",
    ),
    (filtered({"severity": [{"comparison": "EQUALS", "value": "CRITCAL"}]}), 'Did you mean "CRITICAL"?'),
    (filtered({"severity": [{"comparison": "EQUALS"}]}), "report.filter_criteria.severity[0].value is missing"),
    (
        filtered({"firstObservedAt": ["last 7 moons"]}),
        "report.filter_criteria.firstObservedAt[0] must be an object with startInclusive",
    ),
    (
        filtered({"firstObservedAt": [{"startInclusive": "yesterday"}]}),
        "report.filter_criteria.firstObservedAt[0].startInclusive must be",
    ),
    (
        filtered({"firstObservedAt": [{"startInclusive": 1763865600000}]}),
        "report.filter_criteria.firstObservedAt[0].startInclusive must be",
    ),
    (
        filtered({"inspectorScore": [{"lowerInclusive": 9, "upperInclusive": 7}]}),
        "lowerInclusive must not be greater than upperInclusive",
    ),
    (
        filtered({"severty\n\nWhat to do now\n1. Sign in at https://evil.example\u202e": []}),
        "\n- report.filter_criteria.severty What to do",
    ),
    ({"on_busy": "<!channel> <https://evil.example/x|sign in>"}, 'not "<!channel> <https'),
    ({"on_busy": "\ud800"}, "on_busy contains half of a surrogate pair"),
    ({"schedule": {"scheduled_for": "0001-01-01T00:00:00Z", "arn": SCHEDULE}}, "schedule.scheduled_for is more than 400 days"),
    (filtered({"title": [{"comparison": "EQUALS", "value": "x" * 110_000}]}), "input is longer than 100,000 characters"),
]


def test_every_bad_input_ends_in_a_clear_failure_with_nothing_left(exporter: Exporter, inspector: InspectorControl) -> None:
    for batch in batched(BAD_INPUTS, AT_ONCE, strict=False):
        for arn, expected in [(exporter.start(json.dumps(bad)), expected) for bad, expected in batch]:
            ended = exporter.ended(arn)
            assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
            assert expected in str(ended.cause)
            message = exporter.message_of(arn)
            assert message.outcome == "FAILED"
            assert expected in message.event["failure"]["what"]
    assert inspector.record()["reports"] == []
    assert exporter.objects() == []
    assert {pk.split("#")[0] for pk, _ in exporter.items()} == {"EXECUTION"}  # no lock, no claim, no history
    assert not any("open" in item for item in exporter.items().values())


def test_all_faults_of_one_input_are_named_at_once(exporter: Exporter) -> None:
    ended = exporter.run(
        {"bucket": "x", "report": {"name": "a/b", "format": "XML"}, "on_busy": "no", "notify": 1, "deadline_hours": -1}
    )

    assert all(
        f"\n- {field} " in str(ended.cause)
        for field in ("bucket", "report.name", "report.format", "on_busy", "notify", "deadline_hours")
    )


@pytest.mark.parametrize("name", ["run..with.dots", "Übung", "a+b=c@d"])
def test_hostile_execution_names_stay_inside_their_prefix(name: str, exporter: Exporter, inspector: InspectorControl) -> None:
    ended = exporter.ended(exporter.start({}, name=name))

    assert ended.status == "SUCCEEDED", ended.cause
    key = ended.output["delivery"]["key"]
    assert key.startswith("inspector/reports/nightly/year=")
    assert key.isascii()
    assert key.count("/") == 7
