"""The function check_setup: a step of a failed run, and a check that anyone may ask for."""

import json
from types import ModuleType
from typing import Any

import pytest

from findings_exporter import RELEASE
from findings_exporter.model.errors import ConfigurationError, UnsupportedReleaseError
from findings_exporter.preflight.check import Check
from tests.builders.exporter import REGION, START, FakeContext, execution
from tests.builders.setup_builders import SETUP_VARIABLES
from tests.unit.exporter.steps.test_functions import load

CONTEXT: Any = FakeContext()
RUN = {"execution": {"arn": execution().arn, "started_at": START.isoformat()}}
PASSED, FAILED = Check("bucket", "passed", "Passed."), Check("key", "failed", "Wrong.", ("seen",), ("Fix it.",))


class FakeTopic:
    """SNS, which keeps what was published."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def publish(self, **arguments: Any) -> None:
        self.published.append(arguments)


@pytest.fixture
def topic() -> FakeTopic:
    return FakeTopic()


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, topic: FakeTopic) -> ModuleType:
    for name, value in SETUP_VARIABLES.items():
        monkeypatch.setenv(name, value)
    module = load("check_setup")
    monkeypatch.setattr(module, "check_report", lambda *_: [FAILED])
    monkeypatch.setattr(module, "check_all", lambda *_: [PASSED, FAILED])
    object.__setattr__(module.clients, "sns", topic)
    return module


def test_a_failed_run_gets_what_its_message_needs(function: ModuleType, topic: FakeTopic) -> None:
    answer = function.handler(RUN | {"release": RELEASE}, CONTEXT)
    wrong = {"check": "key", "sentence": "Wrong.", "evidence": ["seen"], "fix": ["Fix it."], "statements": []}
    assert answer == {"state": "CHECKED", "setup": {"result": "failed", "failed": [wrong], "unknown": []}}
    assert topic.published == []


def test_an_event_of_an_unknown_release_is_refused(function: ModuleType) -> None:
    with pytest.raises(UnsupportedReleaseError):
        function.handler(RUN | {"release": RELEASE + 1}, CONTEXT)


@pytest.mark.parametrize("event", [{}, {"notify": False}, {"notify": "no"}, {"Comment": "the console's own example"}])
def test_the_caller_gets_the_whole_result_and_nothing_is_published(
    function: ModuleType, topic: FakeTopic, event: dict[str, Any]
) -> None:
    answer = json.loads(json.dumps(function.handler(event, CONTEXT)))
    assert (answer["result"], [check["name"] for check in answer["checks"]]) == ("failed", ["bucket", "key"])
    assert "FAILED: KMS key\n" in answer["text"]
    assert topic.published == []


def test_the_result_is_published_on_demand(function: ModuleType, topic: FakeTopic) -> None:
    with open("events/check_setup.json", encoding="utf-8") as file:  # noqa: PTH123 - as the console pastes it
        function.handler(json.load(file), CONTEXT)
    (published,) = topic.published
    assert published["Subject"] == f"Inspector setup: failed ({REGION})"


@pytest.mark.parametrize("name", SETUP_VARIABLES)
def test_a_function_without_its_own_variables_says_so_when_it_starts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in set(SETUP_VARIABLES) - {name}:
        monkeypatch.setenv(each, SETUP_VARIABLES[each])
    with pytest.raises(ConfigurationError, match=name):
        load("check_setup")
