"""A sample of the random histories and a small load, which `make faults` has more of."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.faults.histories import PROCESSES, check_all_laws, drawn, story
from tests.faults.lanes import Lane, lanes
from tests.faults.load import run_load, section

if TYPE_CHECKING:
    from pathlib import Path

SEED, HISTORIES, LANES, RUNS = 17, 10, 2, 4


@pytest.fixture(scope="module")
def few_lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lane]]:
    folder: Path = tmp_path_factory.mktemp("histories")
    with lanes(folder, emulators=1, each=LANES, processes=PROCESSES) as made:
        yield made


def test_what_becomes_of_random_histories_is_what_the_model_allows(few_lanes: list[Lane]) -> None:
    results = check_all_laws(few_lanes, [drawn(SEED, number) for number in range(HISTORIES)])
    assert not [line for result in results if result.troubles for line in (str(result.history), *story(result))]


def test_runs_at_once_are_served_one_after_the_other_and_each_is_notified(few_lanes: list[Lane]) -> None:
    load = run_load(few_lanes[0], RUNS)
    assert not load.troubles, "\n".join(section(load))
    assert load.most_in_progress == 1
    assert len({run.report_at for run in load.served}) == RUNS
    assert max(run.transitions for run in load.served) > 0  # whoever waited has asked again
