"""Whatever a report's cells and members hold, the report is analyzed and shown, or the analysis fails with an explained error."""

import copy
import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from findings_analysis.pipeline import analyze_run
from findings_exporter import notification
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients
from tests.builders.exporter import START, config
from tests.local_aws.emulator.inspector.findings import Finding
from tests.local_aws.emulator.inspector.report_files import csv_report
from tests.unit.analysis.test_pipeline import FINDINGS, delivered
from tests.unit.analysis.test_pipeline import clients as clients  # noqa: PLC0414 - a fixture
from tests.unit.analysis.test_pipeline import s3 as s3  # noqa: PLC0414 - a fixture
from tests.unit.exporter.notification.test_messages import SNS_BYTES

DAILY_RUNS = 3
TEXTS = ["", " ", "\0", "\ud800", "x" * 20_000, "\u202eabc", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\nb\r\nc", "\u2028",
         "💥" * 300, "2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "NaN", "YES", "arn:aws:", ",,,", '"',
         "{{7*7}}", "%s", "\x7f\x1b[31m"]  # fmt: skip
NUMBERS = [0, -1, 0.5, 1e308, 2**31, 2**63, 2**70]
OTHERS: list[Any] = [None, True, [], {}, [None], ["x"], {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value, and each one within it, stands."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*path, name))


def spoilt(finding: Finding, dice: random.Random) -> Finding:
    """The finding with one to three unexpected values, mostly of the type that is expected there."""
    spoilt = copy.deepcopy(finding)
    for _ in range(dice.randint(1, 3)):
        *path, name = dice.choice([path for path in places(spoilt) if path])
        holder = spoilt
        for step in path:
            holder = holder[step]
        alike: list[Any] = (
            TEXTS if isinstance(holder[name], str) else NUMBERS if isinstance(holder[name], int | float) else OTHERS
        )
        holder[name] = dice.choice(alike if dice.random() < 0.95 else [*TEXTS, *NUMBERS, *OTHERS])
    return spoilt


def hostile_json(dice: random.Random) -> bytes:
    """A report of which a few findings are spoilt."""
    found = [spoilt(each, dice) if dice.random() < 0.06 else each for each in dice.sample(FINDINGS, 30)]
    return json.dumps({"findings": found}).encode()


def hostile_csv(dice: random.Random) -> bytes:
    """A report of which a few cells are spoilt."""
    rows = [*csv.DictReader(io.StringIO(csv_report(dice.sample(FINDINGS, 30), START.timestamp()).decode()))]
    for row in dice.sample(rows, 24):
        row[dice.choice([*row])] = str(dice.choice([*TEXTS, *NUMBERS]))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(errors="replace")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("report_format", "report"), [("JSON", hostile_json), ("CSV", hostile_csv)])
def test_a_hostile_run_is_reported_or_an_explained_error_is(
    clients: AnalysisClients, report_format: str, report: Any, seed: int
) -> None:
    dice = random.Random(seed)
    states = []
    for number in range(DAILY_RUNS):
        at = START + timedelta(days=number)
        run, delivery = delivered(clients, f"run-{number}", at, report(dice), report_format)
        answer = analyze_run(clients, run, delivery)
        states.append(answer["state"])
        assert answer.get("error") in {None, "Analysis.ReportMalformed"}
        recorded, _ = run_store.record(clients.table, run.execution, "SUCCEEDED", None, delivery, at + timedelta(minutes=9))
        for language in ("en", "ja"):
            result = notification.publication(recorded, config(LANGUAGE=language))
            assert len(json.dumps(result).encode()) <= SNS_BYTES
            assert result["Subject"].isascii()
            assert notification.email(recorded, config(LANGUAGE=language)).replace("\n", "").replace("\u3000", "").isprintable()
    # A refused report proves little.
    assert "ANALYZED" in states
