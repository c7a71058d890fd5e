"""Findings reports of any size, with the statistics of real ones, made once and kept in ``.bench``.

Findings come in shuffled blocks: vulnerabilities come back some three times and resources some thirty times, but not side by
side, since the order of a real report is unknown.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import batched
from pathlib import Path
from random import Random

from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report

FOLDER = Path(__file__).resolve().parents[1] / ".bench"
NOW = 1_780_000_000.0
BLOCK = 10_000
ACCOUNTS = [f"{111122223333 + number:012d}" for number in range(60)]


def reports(count: int) -> tuple[Path, Path]:
    """Return the JSON and the CSV report of about so many findings."""
    json_path, csv_path = FOLDER / f"{count}.json", FOLDER / f"{count}.csv"
    if not csv_path.exists():
        FOLDER.mkdir(exist_ok=True)
        drafts = [path.with_suffix(".draft") for path in (json_path.with_name(f"j{count}"), csv_path.with_name(f"c{count}"))]
        with drafts[0].open("wb") as json_file, drafts[1].open("wb") as csv_file:
            json_file.write(b'{"findings":[')
            for number, (in_json, header, in_csv) in enumerate(_blocks(count)):
                json_file.write(b"," * bool(number) + in_json)
                csv_file.write(in_csv if number else header + in_csv)
            json_file.write(b"]}")
        drafts[0].rename(json_path)
        drafts[1].rename(csv_path)
    return json_path, csv_path


def _blocks(count: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    with ProcessPoolExecutor() as processes:
        # A few at a time: two million findings do not fit the memory.
        for numbers in batched(range(count // BLOCK), 4, strict=False):
            yield from processes.map(_block, numbers)


def _block(number: int) -> tuple[bytes, bytes, bytes]:
    findings = generate(BLOCK, seed=number, now=NOW, accounts=ACCOUNTS, region="eu-west-1")
    Random(number).shuffle(findings)
    table = csv_report(findings, NOW)
    header = table[: table.index(b"\n") + 1]
    return json_report(findings).removeprefix(b'{"findings":[').removesuffix(b"]}"), header, table[len(header) :]
