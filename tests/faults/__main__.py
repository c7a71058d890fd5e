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

from tests.faults import histories, load, table
from tests.faults.lanes import lanes
from tests.faults.load import RUNS
from tests.faults.matrix import Cell, Result, cells, try_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.lanes import Lane

EMULATORS = 2
HISTORIES = 200
LANES_EACH = 14
"""Most cells wait most of the time: for a client to give up, or for a mark to expire. A lane takes some 0.6 GB."""
PRINTED_EVERY_SECONDS = 30.0
LONG_SECONDS = 30.0


def run_all(wanted: Iterable[Cell], lanes_: Sequence[Lane]) -> list[Result]:
    """Run cells on all lanes at once: two thirds of the lanes begin with the first ones, a third with the last."""
    waiting = deque(wanted)
    running: set[Cell] = set()
    results: list[Result] = []

    def work(lane: Lane) -> None:
        take = waiting.popleft if lanes_.index(lane) % 3 else waiting.pop
        while True:
            try:
                cell = take()
            except IndexError:
                return
            running.add(cell)
            results.append(result := try_cell(lane, cell))
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
    parser.add_argument("--histories", type=int, default=HISTORIES, help="how many histories to drive")
    parser.add_argument("--load", type=int, default=RUNS, help="how many runs to start at once")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="of the histories, and of the order of the cells"
    )
    parser.add_argument("--emulators", type=int, default=EMULATORS)
    parser.add_argument("--lanes", type=int, default=LANES_EACH, help="runs at once on each emulator")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    if chosen.history:
        is_right = drive_alone(chosen.history, folder)
    elif chosen.cell or chosen.only:
        is_right = run_matrix(chosen, folder)
    else:
        # Each is run, whatever became of the one before.
        is_right = all([run_matrix(chosen, folder), drive_histories(chosen, folder), load_it(chosen, folder)])
    if not is_right:
        print(f"seed {chosen.seed}; the emulators' logs are in {folder}")
    return 0 if is_right else 1


def run_matrix(chosen: argparse.Namespace, folder: Path) -> bool:
    """Run the matrix, or a part of it; return whether every rule held."""
    alone = Cell.named(chosen.cell) if chosen.cell else None
    with lanes(folder, emulators=1 if alone else chosen.emulators, each=1 if alone else chosen.lanes) as made:
        started = time.monotonic()
        if alone:
            results = [try_cell(made[0], alone)]
            print(results[0].story)
        else:
            found = [cell for cell in cells(made[0]) if (chosen.only or "") in str(cell)]
            print(f"{len(found)} cells on {len(made)} lanes", flush=True)
            places = {cell: number for number, cell in enumerate(found)}
            results = sorted(run_all(in_order(found, chosen.seed), made), key=lambda result: places[result.cell])
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


def load_it(chosen: argparse.Namespace, folder: Path) -> bool:
    """Start many runs at once; return whether every rule held."""
    if not chosen.load:
        return True
    with load.fresh_account(folder) as lane:
        print(f"{chosen.load} runs at once", flush=True)
        became = load.run_load(lane, chosen.load)
    print(*load.section(became), sep="\n", flush=True)
    return not became.troubles


if __name__ == "__main__":
    sys.exit(main())
