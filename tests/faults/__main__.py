"""`python -m tests.faults`: run the fault matrix, or one cell of it, and print what became of it."""

from __future__ import annotations

import argparse
import queue
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults import table
from tests.faults.lanes import lanes
from tests.faults.matrix import Cell, Result, cells, try_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.lanes import Lane

EMULATORS = 2
LANES_EACH = 10
"""Most cells wait for most of their time: for a client that gives up, or for a mark that has to pass."""
TOLD_EVERY_SECONDS = 30.0


def run_all(wanted: Iterable[Cell], lanes_: Sequence[Lane]) -> list[Result]:
    """Run cells on all lanes at once."""
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in wanted:
        waiting.put(cell)
    results: list[Result] = []

    def work(lane: Lane) -> None:
        while True:
            try:
                cell = waiting.get_nowait()
            except queue.Empty:
                return
            results.append(result := try_cell(lane, cell))
            if result.troubles:
                print(*table.violations([result]), sep="\n", flush=True)

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in lanes_]
    for thread in threads:
        thread.start()
    told = time.monotonic()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        if time.monotonic() - told > TOLD_EVERY_SECONDS:
            told = time.monotonic()
            wrong = sum(bool(result.troubles) for result in results)
            print(f"{len(results)} cells done, {waiting.qsize()} to start, {wrong} with violations", flush=True)
    return results


def in_order(found: Sequence[Cell], seed: int) -> list[Cell]:
    """Return cells in a random order, but the long ones first."""
    shuffled = random.Random(seed).sample(found, len(found))
    return sorted(shuffled, key=lambda cell: -cell.kind.seconds)


def main() -> int:
    """Run what the command line asks for; return 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--cell", help="run this cell alone, and tell its story")
    parser.add_argument("--only", default="", help="run the cells whose name holds this")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the order of the cells")
    parser.add_argument("--emulators", type=int, default=EMULATORS)
    parser.add_argument("--lanes", type=int, default=LANES_EACH, help="runs at once on each emulator")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    alone = Cell.named(chosen.cell) if chosen.cell else None
    with lanes(folder, emulators=1 if alone else chosen.emulators, each=1 if alone else chosen.lanes) as made:
        started = time.monotonic()
        if alone:
            results = [try_cell(made[0], alone)]
            print(results[0].story)
        else:
            found = [cell for cell in cells(made[0]) if chosen.only in str(cell)]
            print(f"{len(found)} cells on {len(made)} lanes", flush=True)
            places = {cell: number for number, cell in enumerate(found)}
            results = sorted(run_all(in_order(found, chosen.seed), made), key=lambda result: places[result.cell])
        seconds = time.monotonic() - started
    print(*table.table(results), "", *table.violations(results), "", table.numbers(results, seconds), sep="\n")
    if any(result.troubles for result in results):
        print(f"seed {chosen.seed}; the emulators' logs are in {folder}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
