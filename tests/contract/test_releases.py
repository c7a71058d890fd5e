"""A change of what steps are sent, or of what is read of their answers, needs a new release: old executions still run."""

import pytest

from findings_exporter import RELEASE
from findings_exporter.aws import handler
from tests.contract.parts import TASKS
from tests.contract.releases import FROZEN, kept, released, shapes

RAISE = "raise RELEASE, unless that was done since the last release, and run python -m tests.contract.releases (CONTRIBUTING.md, Formats)"
EVERY_TASK = pytest.mark.parametrize("task", TASKS)


def test_this_release_and_the_one_before_are_kept() -> None:
    assert [str(release) for release in handler.RELEASES if release >= 1] == kept()
    assert sorted(FROZEN, key=int) == kept(), "run python -m tests.contract.releases"


@EVERY_TASK
def test_the_events_of_a_release_do_not_change(task: str) -> None:
    frozen = FROZEN[str(RELEASE)][task]["events"]
    assert shapes(released(task)["events"]) == shapes(frozen), RAISE


@EVERY_TASK
def test_what_a_release_reads_of_answers_does_not_change(task: str) -> None:
    assert released(task)["reads"] == FROZEN[str(RELEASE)][task]["reads"], RAISE


@EVERY_TASK
def test_a_frozen_event_says_its_release(task: str) -> None:
    for release in FROZEN:
        of_task = FROZEN[release].get(task)  # a step may be newer than the release
        assert of_task is None or {str(event["release"]) for event in of_task["events"]} == {release}
