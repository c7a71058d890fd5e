"""Findings reports of any size, with the statistics of real ones, made once and kept in ``.bench``.

Findings come in shuffled blocks: vulnerabilities come back some three times and resources some thirty times, but not side by
side, since the order of a real report is unknown.

Each report has baselines, all made from the same findings:

========  ==============================================================================================================
quiet     a tenth of the report's findings is new, and a tenth of the baseline's is missing
rebuilt   the same findings, each under another ARN, first observed 30 days earlier, images with other digests
other     nothing in common: findings of another seed
========  ==============================================================================================================
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import batched
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report

type Kind = Literal["now", "quiet", "rebuilt", "other"]
type Baseline = Literal[Kind, "owned"]
"""What a report is compared with: ``owned`` is the quiet one, with owners and due dates."""
type Format = Literal["json", "csv"]

FOLDER = Path(__file__).resolve().parents[1] / ".bench"
NOW = 1_780_000_000.0
BLOCK = 10_000
SHARE = 11
"""Of so many findings one is not in the report, and another one not in its quiet baseline."""
REBUILT_BEFORE_SECONDS = 30 * 86_400.0
OTHER_SEEDS = 1_000_000
ACCOUNTS = [f"{111122223333 + number:012d}" for number in range(60)]
KINDS: tuple[Kind, ...] = get_args(Kind.__value__)


def report(count: int, report_format: Format, kind: Kind = "now") -> Path:
    """Return the report of about so many findings, or one of its baselines."""
    path = FOLDER / f"{count}-{kind}.{report_format}"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(b'{"findings":[' * (report_format == "json"))
            for number, block in enumerate(_blocks(count, report_format, kind)):
                file.write(b"," * (number > 0 and report_format == "json") + block)
            file.write(b"]}" * (report_format == "json"))
        draft.rename(path)
    return path


def _blocks(count: int, report_format: Format, kind: Kind) -> Iterator[bytes]:
    with ProcessPoolExecutor() as processes:
        # A few at a time: two million findings do not fit the memory.
        for numbers in batched(range(count // BLOCK), 4, strict=False):
            yield from processes.map(partial(_block, report_format, kind), numbers)


def _block(report_format: Format, kind: Kind, number: int) -> bytes:
    findings = _findings(kind, number)
    if report_format == "json":
        return json_report(findings).removeprefix(b'{"findings":[').removesuffix(b"]}")
    table = csv_report(findings, NOW)
    return table[table.index(b"\n") + 1 :] if number else table


def _findings(kind: Kind, number: int) -> list[dict[str, Any]]:
    seed = number + OTHER_SEEDS if kind == "other" else number
    findings = generate(BLOCK * SHARE // (SHARE - 1), seed=seed, now=NOW, accounts=ACCOUNTS, region="eu-west-1")
    Random(seed).shuffle(findings)
    left_out = SHARE // 2 if kind == "quiet" else 0
    kept = [each for place, each in enumerate(findings) if place % SHARE != left_out]
    return list(map(_rebuilt, kept)) if kind == "rebuilt" else kept


def _rebuilt(finding: dict[str, Any]) -> dict[str, Any]:
    arn, (resource,) = finding["findingArn"], finding["resources"]
    name, of_image, _ = resource["id"].partition("/sha256:")
    if of_image:
        resource = {**resource, "id": name + of_image + sha256(resource["id"].encode()).hexdigest()}
    return {
        **finding,
        "findingArn": f"{arn.rpartition('/')[0]}/{sha256(arn.encode()).hexdigest()[:32]}",
        "firstObservedAt": finding["firstObservedAt"] - REBUILT_BEFORE_SECONDS,
        "resources": [resource],
    }
