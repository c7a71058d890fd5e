"""A sample of the random histories of Regions, which `make faults` has more of."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.faults.region_histories import RegionLane, drawn, drive_all, region_lanes, story

if TYPE_CHECKING:
    from pathlib import Path

SEED, HISTORIES = 1797, 10


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RegionLane]]:
    folder: Path = tmp_path_factory.mktemp("regions")
    with region_lanes(folder, emulators=1) as made:
        yield made


def test_the_summaries_of_random_histories_keep_the_rules(accounts: list[RegionLane]) -> None:
    results = drive_all(accounts, [drawn(SEED, number) for number in range(HISTORIES)])
    assert not [line for result in results if result.troubles for line in (str(result.history), *story(result))]
    assert sum(result.summaries for result in results) >= HISTORIES
