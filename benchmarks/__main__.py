"""Run every benchmark, or those that are named; keep what was measured."""

import sys

from benchmarks import cold_starts, digest, polling, price
from benchmarks.results import Row, keep

BENCHMARKS = {"polling": polling.main, "price": price.main, "digest": digest.main, "cold_starts": cold_starts.main}

rows: list[Row] = []
for name in sys.argv[1:] or BENCHMARKS:
    rows += BENCHMARKS[name]()
    print()
keep(rows)
