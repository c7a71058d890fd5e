"""Run every benchmark and keep what was measured; or run those that are named, and keep nothing."""

import sys

from benchmarks import analysis, cold_starts, page, polling, price
from benchmarks.results import Row, keep

BENCHMARKS = {
    "polling": polling.main,
    "page": page.main,
    "cold_starts": cold_starts.main,
    "analysis": analysis.main,
    "price": price.main,  # of what the analysis has measured
}

rows: list[Row] = []
for name in sys.argv[1:] or BENCHMARKS:
    rows += BENCHMARKS[name]()
    print()
if not sys.argv[1:]:
    keep(rows)
