"""Memory does not grow with the report: the measured peak of a process that reads a small and one that reads a large one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report

READER = """
import sys
from pathlib import Path
from findings_analysis.output import parquet
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.parts.part_analysis import NO_OWNERS
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.json_report import read_json

class Repeated:
    # The block again and again, each time of other findings, resources and vulnerabilities.
    def __init__(self, head, block, between, tail, times):
        self.pieces = self.all(head, block, between, tail, times)
        self.piece = b""

    def all(self, head, block, between, tail, times):
        yield head
        for number in range(times):
            yield between * bool(number) + block.replace(b"@@@@", b"%04x" % number)
        yield tail

    def readinto(self, buffer):
        self.piece = self.piece or next(self.pieces, b"")
        count = min(len(buffer), len(self.piece))
        buffer[:count] = self.piece[:count]
        self.piece = self.piece[count:]
        return count

class Nowhere:
    def write(self, data):
        return len(data)
    def flush(self):
        pass
    def seek(self, *_):
        raise AssertionError

way, folder, times = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
parquet.ROW_GROUP_ROWS = 2048
parts = [(folder / name).read_bytes() for name in ("head", "block", "between", "tail")]
counts, stream = Statistics(0), Repeated(*parts, times)
batches = read_csv(stream) if way == "csv" else read_json(stream)
def passing():
    for batch in batches:
        counts.add(NO_OWNERS.add_to(batch))
        yield batch
parquet.write(passing(), Nowhere())
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(counts.total, peak.split()[1])
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    findings = generate(400, seed=1, now=1.78e9, accounts=["111122223333"], region="eu-west-1")
    head, tail = b'{"findings":[', b"]}"
    table = csv_report(findings, 1.78e9)
    header = table.partition(b"\n")[0] + b"\n"
    parts = {
        "json": (head, json_report(findings).removeprefix(head).removesuffix(tail), b",", tail),
        "csv": (header, table.removeprefix(header), b"", b""),
    }
    folders = {}
    for form, (begin, block, between, end) in parts.items():
        folders[form] = tmp_path_factory.mktemp(form)
        # Of each ARN's, instance's and vulnerability's number a part is counted up.
        numbered = re.sub(rb"(:finding/|sha256:|CVE-20|[\",]i-)....", rb"\1@@@@", block)
        for name, content in zip(("head", "block", "between", "tail"), (begin, numbered, between, end), strict=True):
            (folders[form] / name).write_bytes(content)
    return folders


def peak_mib(way: str, folder: Path, times: int) -> float:
    process = subprocess.run(
        [sys.executable, "-c", READER, way, str(folder), str(times)],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": "layers/analytics:layers/exporter", "PATH": ""},
    )
    total, peak = map(int, process.stdout.split())
    assert total == 412 * times
    return peak / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux' /proc")
@pytest.mark.parametrize("way", ["json", "csv"])
def test_the_peak_does_not_grow_with_the_report(way: str, folders: dict[str, Path]) -> None:
    folder = folders[way]
    small, large = peak_mib(way, folder, 24), peak_mib(way, folder, 96)
    # Four times the report; what little is more is chance.
    assert large <= 1.2 * small
