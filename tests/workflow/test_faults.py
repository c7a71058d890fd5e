"""A sample of the fault matrix, which `make faults` runs whole: one cell of each sort, all quick ones."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.faults.lanes import Lane, lanes
from tests.faults.matrix import Cell, try_cell

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = (
    "nightly/AcquireLock/dynamodb:UpdateItem#1/overlap-aft",
    "nightly/StartReport/inspector2:CreateFindingsReport#1/lost",
    "nightly/StartReport/inspector2:CreateFindingsReport#1/stop-held",
    "nightly/CheckReport/inspector2:GetFindingsReportStatus#1/short",
    "nightly/VerifyReport/s3:ListBucket#1/throttle-on",
    "nightly/RecordRun/step/result-lost",
    "nightly/Notify/sns:Publish#1/denied-on",
    "nightly/Notify/state/stop-without-event",
    "parts/AnalyzePart.3/s3:PutObject#1/killed-aft",
    "deadline/CancelReport/inspector2:CancelFindingsReport#1/error",
    "stopped/CleanUp/dynamodb:DeleteItem#1/lost-3",
)


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with lanes(folder, emulators=1, each=1) as (lane,):
        yield lane


@pytest.mark.parametrize("name", SAMPLE)
def test_every_fault_keeps_the_invariants(name: str, lane: Lane) -> None:
    result = try_cell(lane, Cell.named(name))
    assert not result.troubles, result.story
