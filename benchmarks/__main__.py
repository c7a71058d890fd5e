"""Run every benchmark."""

from benchmarks import cold_starts, polling, price

for benchmark in (polling, price, cold_starts):
    benchmark.main()
    print()
