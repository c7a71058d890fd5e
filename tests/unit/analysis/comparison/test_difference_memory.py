"""The comparison's memory does not grow with the reports: measured as the peak of a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
COMPARE = """
import random, re, sys, tempfile
from pathlib import Path

from findings_analysis.comparison import fingerprint_format
from findings_analysis.comparison.difference import compare
from findings_analysis.comparison.sorting import SortedFingerprints
from findings_exporter.model.taxonomy import NO_LONGER_OPEN

fingerprint_format.BLOCK_RECORDS = 4_096


def peak():
    # Of this program alone: ru_maxrss begins with what the process held that started it.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])


def run(count, seed):
    # A tenth of the findings is another one each run.
    dice = random.Random(seed)
    for start in range(0, count, 1_000):
        dice.seed(f"{start} {seed if start // 1_000 % 10 == 0 else 0}")
        yield [
            bytes([0, 0, 0, dice.randrange(60)]) + dice.randbytes(20) + bytes([0b10100000, 2, 80, 1, 0, 0]) for _ in range(1_000)
        ]


def write(count, seed, baseline, file):
    with SortedFingerprints(run_records=10_000, block_records=4_096) as records:
        for batch in run(count, seed):
            records.add(batch)
        writer = fingerprint_format.FingerprintWriter(file.write, fingerprint_format.Header("", "", "", "", {}, {}))
        found = compare(baseline and fingerprint_format.FingerprintReader(baseline).blocks(), records.blocks(), writer.add)
        writer.finish(fingerprint_format.Summary(writer.findings, {}, {}))
        return found.changes


before = peak()
count = int(sys.argv[1])
with tempfile.TemporaryFile() as baseline, tempfile.TemporaryFile() as current:
    write(count, 1, None, baseline)
    baseline.seek(0)
    changes = write(count, 2, baseline, current)
assert changes.counts["new"] == count // 10 == sum(changes.counts[kind] for kind in NO_LONGER_OPEN), changes.counts
print(before, peak())
"""


def peak_kib(count: int) -> tuple[int, int]:
    """Peak memory before and after comparing two runs of so many findings."""
    environment = {"PYTHONPATH": f"{ROOT}/layers/analytics:{ROOT}/layers/exporter", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, str(count)], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.split()
    return int(before), int(after)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is in KiB on Linux only")
def test_memory_is_the_same_for_forty_and_for_two_hundred_thousand_findings() -> None:
    before, small = peak_kib(40_000)
    _, large = peak_kib(200_000)
    assert large < 1.1 * small, (before, small, large)
    assert large - before < 24 << 10, "and it is little"
