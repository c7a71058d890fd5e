"""`python -m tests.faults`: runs the fault matrix, random histories and a load, or one cell or one history."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults import histories, load, region_histories, region_load, table
from tests.faults.lanes import lanes
from tests.faults.load import RUNS
from tests.faults.matrix import OF_REPORTS, Cell, cells, try_cell
from tests.faults.region_cells import region_cells, try_region_cell
from tests.faults.region_histories import region_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.faults.matrix import Result

EMULATORS = 2
HISTORIES, REGION_HISTORIES = 200, 100
LANES_EACH, REGION_LANES_EACH = 14, 4
"""Most cells wait most of the time: for a client to give up, or for a mark to expire. A lane takes some 0.6 GB."""
PRINTED_EVERY_SECONDS = 30.0
LONG_SECONDS = 30.0


def run_all[L](wanted: Iterable[Cell], lanes_: Sequence[L], try_one: Callable[[L, Cell], Result]) -> list[Result]:
    """Run cells on all lanes at once: two thirds of the lanes begin with the first ones, a third with the last."""
    waiting = deque(wanted)
    running: set[Cell] = set()
    results: list[Result] = []

    def work(lane: L) -> None:
        take = waiting.popleft if lanes_.index(lane) % 3 else waiting.pop
        while True:
            try:
                cell = take()
            except IndexError:
                return
            running.add(cell)
            results.append(result := try_one(lane, cell))
            running.discard(cell)
            if result.troubles:
                print(*table.violations([result]), sep="\n", flush=True)

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in lanes_]
    for thread in threads:
        thread.start()
    shown = time.monotonic()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        if time.monotonic() - shown > PRINTED_EVERY_SECONDS:
            shown = time.monotonic()
            wrong = sum(bool(result.troubles) for result in results)
            print(f"{len(results)} cells done, {len(waiting)} to start, {wrong} with violations", flush=True)
            if not waiting:
                print(*(f"  still at {cell}" for cell in list(running)), sep="\n", flush=True)
    return results


def in_order(found: Sequence[Cell], seed: int) -> list[Cell]:
    """Return cells in a random order, but the long ones first.

    What waits is mixed with what computes, so that the processors are at work all the time.
    """
    shuffled = random.Random(seed).sample(found, len(found))
    long = [cell for cell in shuffled if cell.seconds > LONG_SECONDS]
    # Of these, first the step that reads the report: it waits longest for an answer that does not come.
    long.sort(key=lambda cell: (-cell.seconds, cell.step != "AnalyzeReport"))
    return long + [cell for cell in shuffled if cell.seconds <= LONG_SECONDS]


def main() -> int:
    """Run what the command line asks for; return 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--cell", help="run this cell alone, and print what happened")
    parser.add_argument("--only", help="run the cells whose name holds this, and nothing else")
    parser.add_argument("--history", help="drive this history alone, as it is printed or by its number, such as 7.42")
    parser.add_argument("--region-history", help="drive this history of Regions alone, as it is printed or by its number")
    parser.add_argument("--region-histories", type=int, default=REGION_HISTORIES, help="how many histories of Regions to drive")
    parser.add_argument("--histories", type=int, default=HISTORIES, help="how many histories to drive")
    parser.add_argument(
        "--load", type=int, default=RUNS, help="how many runs to start at once; 0 leaves out the headlines at once, too"
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="of the histories, and of the order of the cells"
    )
    parser.add_argument("--emulators", type=int, default=EMULATORS)
    parser.add_argument("--lanes", type=int, default=LANES_EACH, help="runs at once on each emulator")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    parts = [run_matrix, run_region_matrix, drive_histories, drive_region_histories, load_it, load_home]
    if chosen.history:
        is_right = drive_alone(chosen.history, folder)
    elif chosen.region_history:
        is_right = drive_regions_alone(chosen.region_history, folder)
    elif chosen.cell or chosen.only:
        is_of_reports = (chosen.cell or chosen.only).partition("/")[0] in OF_REPORTS
        is_right = run_region_matrix(chosen, folder) if is_of_reports else run_matrix(chosen, folder)
    else:
        # Each is run, whatever became of the one before.
        is_right = not [part for part in parts if not part(chosen, folder)]
    if not is_right:
        print(f"seed {chosen.seed}; the emulators' logs are in {folder}")
    return 0 if is_right else 1


def run_matrix(chosen: argparse.Namespace, folder: Path) -> bool:
    """Run the matrix of one report, or a part of it; return whether every rule held."""
    each = 1 if chosen.cell else chosen.lanes
    with lanes(folder, emulators=1 if chosen.cell else chosen.emulators, each=each) as made:
        return run_cells(chosen, made, cells, try_cell)


def run_region_matrix(chosen: argparse.Namespace, folder: Path) -> bool:
    """Run the matrix of several reports with one summary, or a part of it; return whether every rule held."""
    sizes = (1,) * (1 if chosen.cell else REGION_LANES_EACH)
    with region_lanes(folder, emulators=1 if chosen.cell else chosen.emulators, sizes=sizes) as made:
        return run_cells(chosen, made, region_cells, try_region_cell)


def run_cells[L](
    chosen: argparse.Namespace,
    made: Sequence[L],
    find: Callable[[L], list[Cell]],
    try_one: Callable[[L, Cell], Result],
) -> bool:
    """Run the cells that were asked for, and print what became of them; return whether every rule held."""
    started = time.monotonic()
    if chosen.cell:
        results = [try_one(made[0], Cell.named(chosen.cell))]
        print(results[0].story)
    else:
        found = [cell for cell in find(made[0]) if (chosen.only or "") in str(cell)]
        print(f"{len(found)} cells on {len(made)} lanes", flush=True)
        places = {cell: number for number, cell in enumerate(found)}
        results = sorted(run_all(in_order(found, chosen.seed), made, try_one), key=lambda result: places[result.cell])
    seconds = time.monotonic() - started
    print(*table.table(results), "", *table.violations(results), "", table.numbers(results, seconds), sep="\n", flush=True)
    return not any(result.troubles for result in results)


def drive_alone(asked: str, folder: Path) -> bool:
    """Drive one history; return whether it agrees with the model."""
    history = histories.numbered(asked)
    with lanes(folder, emulators=1, each=1, processes=histories.PROCESSES) as (lane,):
        result = histories.Driver(lane).drive(history)
    print(history, "", *histories.story(result), sep="\n")
    return not result.troubles


def drive_histories(chosen: argparse.Namespace, folder: Path) -> bool:
    """Drive random histories; return whether all agree with the model."""
    if not chosen.histories:
        return True
    drawn = [histories.drawn(chosen.seed, number) for number in range(chosen.histories)]
    with lanes(folder, emulators=chosen.emulators, each=histories.LANES_EACH, processes=histories.PROCESSES) as made:
        print(f"{len(drawn)} histories on {len(made)} lanes", flush=True)
        started = time.monotonic()
        results = histories.check_all_laws(made, drawn)
        seconds = time.monotonic() - started
    print("", *histories.section(chosen.seed, results, drawn, seconds), "", sep="\n", flush=True)
    return not any(result.troubles for result in results)


def drive_regions_alone(asked: str, folder: Path) -> bool:
    """Drive one history of Regions; return whether every rule held."""
    history = region_histories.numbered(asked)
    with region_lanes(folder, emulators=1, sizes=[history.regions]) as (lane,):
        result = region_histories.Driver(lane).drive(history)
    print(history, "", *region_histories.story(result), sep="\n")
    return not result.troubles


def drive_region_histories(chosen: argparse.Namespace, folder: Path) -> bool:
    """Drive random histories of Regions; return whether every rule held."""
    if not chosen.region_histories:
        return True
    drawn = [region_histories.drawn(chosen.seed, number) for number in range(chosen.region_histories)]
    with region_lanes(folder, emulators=chosen.emulators) as made:
        print(f"{len(drawn)} histories of Regions on {len(made)} accounts", flush=True)
        started = time.monotonic()
        results = region_histories.drive_all(made, drawn)
        seconds = time.monotonic() - started
    print("", *region_histories.section(chosen.seed, results, drawn, seconds), "", sep="\n", flush=True)
    return not any(result.troubles for result in results)


def load_it(chosen: argparse.Namespace, folder: Path) -> bool:
    """Start many runs at once; return whether every rule held."""
    if not chosen.load:
        return True
    with load.fresh_account(folder) as lane:
        print(f"{chosen.load} runs at once", flush=True)
        became = load.run_load(lane, chosen.load)
    print(*load.section(became), sep="\n", flush=True)
    return not became.troubles


def load_home(chosen: argparse.Namespace, folder: Path) -> bool:
    """Send home the headlines of many Regions at once; return whether one summary has them all."""
    if not chosen.load:
        return True
    with region_load.fresh_home(folder) as home:
        result = region_load.send_headlines(home)
    print("", *region_load.section(result), sep="\n", flush=True)
    return not result.troubles


if __name__ == "__main__":
    sys.exit(main())
