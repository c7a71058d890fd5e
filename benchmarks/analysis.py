"""What the analysis of a report costs, from its bytes to its page, against the same work in pandas.

Ours is production's own code (:mod:`benchmarks.readers`), the baseline is :mod:`benchmarks.pandas_step`; what both count is
compared. Each way runs in a process of its own, Python's start included, in turn with what it is compared with. Processor time
stands beside wall time: on a shared machine it drifts less. Reports have 20,000 and 200,000 findings; with ``BENCH=full``
2,000,000, too, where pandas is left out (it would need 40 GB), and with ``BENCH=quick`` 20,000 only, to try the benchmark.

What the marks do not say:

- S3 costs nothing here, and Inspector answers at once. What Lambda waits for S3 is not measured.
- pandas renders no page and asks for no scan coverage: of ours that is a fixed second or less, which weighs in small reports.
- "Two parts on two cores" gives pandas one process: it has no cut. numpy and Arrow may use both cores by themselves.
- The largest report is calculated from the seconds and bytes a finding between the two largest reports that were measured.
  Memory is not part of it: that would need reports of more findings than this machine has time for.
- The benchmark of the commit before this work measured reading, statistics, priorities, fingerprints, Parquet and comparison,
  though its pipeline did more (names, document, page). Today's code is measured over the same steps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import (
    REPOSITORY,
    Measured,
    Way,
    answer_of,
    as_before,
    measure,
    ours,
    pandas,
    processor_seconds,
    run,
    with_local_bytes,
)
from benchmarks.reports import FOLDER, report
from benchmarks.results import Row, at_least, at_most, at_most_times, show, times_better
from findings_exporter.model.taxonomy import KINDS as ALL_KINDS
from findings_exporter.model.taxonomy import LISTED_KINDS, MARKS_CHANGED
from tests.builders.cloudformation import read_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.reports import Baseline, Format

MODE = os.environ.get("BENCH", "")
SIZES = {"quick": (20_000,), "full": (20_000, 200_000, 2_000_000)}.get(MODE, (20_000, 200_000))
MARKED = MOST_OF_PANDAS = 200_000
BIG = min(MARKED, SIZES[-1])
ROUNDS = 3
LINEAR, HARD, MEMORY_SHARE, NAMING, BEFORE_FASTER = 10.5, 1.3, 0.6, 3, 1.25
MARKS: Mapping[Format, tuple[float, float]] = {"json": (5, 9), "csv": (1.5, 2.7)}
"""So many times faster than pandas: one part, and two parts on two cores."""
KINDS = frozenset(ALL_KINDS) - frozenset(MARKS_CHANGED)
PHASES = {"cut": "for the cut", "parts": "for the parts", "merge": "for the merge"}
PARTS = (1, 2, 8, 64)
MERGED_PARTS = 8
LEAST_OF_ALL_PARTS = 50_000_000
LAMBDA_FACTOR = 2
"""One vCPU of Lambda takes so many times as long as a core here: a guess, which no measurement supports yet."""
OWNED, OWNED_SIZE = 1.1, 2_000_000
"""At two million findings; the pages and messages of 200 owners take the same time whatever the report's size."""
COMMIT_BEFORE = "d8ec420"
BEFORE = FOLDER / "before"
MEASURED = FOLDER / "measured.json"
"""Seconds a finding, for :mod:`benchmarks.price`."""


def main() -> list[Row]:
    """Print the table and return its rows."""
    rows: list[Row] = []
    print(f"The analysis of a report: wall time with Python's start, medians of {ROUNDS} processes each")
    whole: dict[int, Measured] = {}
    merges: dict[int, dict[str, float]] = {}
    for size in SIZES:
        rows += shown(json_rows(size, whole))
        if size <= MOST_OF_PANDAS:
            rows += shown(csv_rows(size))
    rows += shown(hard_rows())
    rows += shown(owner_rows())
    rows += shown(naming_rows())
    rows += shown(rows_against_before())
    rows += shown(equality_rows(whole[BIG]))
    for size in SIZES[-2:]:
        merges[size] = merge_of(size)
    rows += shown(memory_rows(whole, merges))
    rows += shown(largest_rows(whole, merges))
    return rows


def shown(rows: list[Row]) -> list[Row]:
    """Print rows as soon as they are known, and return them."""
    show(rows)
    return rows


# ---- against pandas


def json_rows(size: int, whole: dict[int, Measured]) -> list[Row]:
    """Measure JSON reports; beyond what pandas can read against the next smaller size."""
    if size <= MOST_OF_PANDAS:
        rows, whole[size] = rows_against_pandas(size, "json")
        return rows
    path = report(size, "json")
    run(before_of(path, "quiet"))
    (whole[size],) = measure([ours("whole", path, "quiet")], 1)
    step = step_of(size, "json")
    return [
        at_most_times(f"{step}, one part: time against {BIG:,}", "s", whole[size].seconds, whole[BIG].seconds, LINEAR),
        at_most_times(
            f"{step}, one part: processor time", "s", whole[size].processor_seconds, whole[BIG].processor_seconds, LINEAR
        ),
    ]


def csv_rows(size: int) -> list[Row]:
    """Measure CSV reports."""
    return rows_against_pandas(size, "csv")[0]


def rows_against_pandas(size: int, report_format: Format) -> tuple[list[Row], Measured]:
    """Measure the whole step in one part and in two, against pandas."""
    path = with_baselines(size, report_format)
    ways = [pandas("whole", path, "quiet"), pandas("narrow", path, "quiet"), ours("whole", path, "quiet")]
    all_work, narrow, one, two = measure([*ways, ours("in_parts", path, "quiet", 2)], ROUNDS)
    for each in (one, two):
        same(document_of(each), document_of(all_work), step_of(size, report_format))
    spent = ", ".join(f"{two.result[f'{each}_seconds']:.2f} s {text}" for each, text in PHASES.items())
    print(f"  {step_of(size, report_format)}, two parts: {spent}, each process' start included")
    for_one, for_two = MARKS[report_format] if size == MARKED else (None, None)
    step, alone = step_of(size, report_format), "against reading and writing alone in pandas"
    return [
        times_better(f"{step}, one part: time", "s", one.seconds, all_work.seconds, for_one),
        times_better(f"{step}, one part: processor time", "s", one.processor_seconds, all_work.processor_seconds, None),
        times_better(f"{step}, one part: peak memory", "MiB", one.peak_mib, all_work.peak_mib, None),
        times_better(f"{step}, one part: {alone}", "s", one.seconds, narrow.seconds, None),
        times_better(f"{step}, two parts on two cores: time", "s", two.seconds, all_work.seconds, for_two),
        times_better(f"{step}, two parts: processor time", "s", two.processor_seconds, all_work.processor_seconds, None),
        times_better(f"{step}, two parts: {alone}", "s", two.seconds, narrow.seconds, None),
    ], one


def with_baselines(size: int, report_format: Format) -> Path:
    """Return a report after all is there that it is compared with."""
    path = report(size, report_format)
    report(size, report_format, "quiet")
    for way in (before_of(path, "quiet"), pandas("before", path, "quiet")):
        run(way)
    return path


def before_of(path: Path, kind: Baseline) -> Way:
    """Return the way that leaves a report's baseline."""
    report(int(path.stem.partition("-")[0]), "csv" if path.suffix == ".csv" else "json", "quiet" if kind == "owned" else kind)
    return ours("before", path, kind)


def step_of(size: int, report_format: Format) -> str:
    """Return a row's name."""
    return f"whole step of {report_format.upper()}, {size:,} findings"


def document_of(measured: Measured) -> dict[str, Any]:
    """Return the document that a way has left: the last way that ran has written it."""
    document: dict[str, Any] = json.loads((REPOSITORY / measured.result["document"]).read_text(encoding="utf-8"))
    return document


def same(mine: dict[str, Any], theirs: dict[str, Any], what: str) -> None:
    """Fail unless both counted the same statistics, changes and priorities, and know the same first-seen days.

    Which of several findings of one identity is taken for the one with another ARN is arbitrary, so what depends on their
    severities may differ by as many as there are.
    """
    kinds = {kind: count for kind, count in mine["changes"]["counts"].items() if kind in KINDS}
    their_kinds = {kind: count for kind, count in theirs["changes"]["counts"].items() if kind in KINDS}
    pairs = {
        **{kind: (mine["statistics"][kind], counts) for kind, counts in theirs["statistics"].items()},
        "changes": (kinds, their_kinds),
        "priorities": (
            [(each["vulnerability_id"] or each["title"], *ranked(each)) for each in mine["priorities"]],
            [(each["vulnerability"], *ranked(each)) for each in theirs["priorities"]],
        ),
    }
    for name, (one, other) in pairs.items():
        if without_zeros(one) != without_zeros(other):
            raise AssertionError(f"{what}: {name} differs: {one} and {other}")
    severities, their_severities = mine["changes"]["by_severity"], theirs["changes"]["by_severity"]
    for kind in LISTED_KINDS:
        one, other = Counter(severities[kind]), Counter(their_severities.get(kind, {}))
        if max((one - other).total(), (other - one).total()) > kinds["unchanged_new_arn"]:
            raise AssertionError(f"{what}: {kind} differs by severity: {one} and {other}")
    listed = {each["finding_arn"]: each["first_seen"] for each in theirs["changes"]["lists"]}
    entries = [each for kind in mine["changes"]["lists"].values() for each in kind]
    days = [(each["first_seen"], listed.get(each["finding_arn"])) for each in entries]
    if not any(theirs_seen for _, theirs_seen in days) or any(day != (seen or day)[:10] for day, seen in days):
        raise AssertionError(f"{what}: first-seen days differ")


def ranked(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes a place among the priorities."""
    return entry["priority_score"], entry["resources"], entry["finding_arn"]


def without_zeros(counts: Any) -> Any:  # noqa: ANN401 - a number, a list or counts by name
    """Return counts without those that are 0."""
    if not isinstance(counts, dict):
        return counts
    return {name: left for name, each in counts.items() if (left := without_zeros(each))}


# ---- ours, against itself


def hard_rows() -> list[Row]:
    """Measure runs in which nothing is as it was, against a quiet one."""
    path = report(BIG, "json")
    for kind in ("rebuilt", "other"):
        run(before_of(path, kind))
    quiet, rebuilt, other = measure([ours("whole", path, kind) for kind in ("quiet", "rebuilt", "other")], ROUNDS)
    total = document_of(quiet)["statistics"]["open"]
    counts = [document_of(each)["changes"]["counts"] for each in (rebuilt, other)]
    assert counts[0]["unchanged_new_arn"] == total, counts
    assert counts[1]["new"] > 0.999 * total, counts  # by chance some have the same identity
    rows = []
    for name, hard in (("every image rebuilt", rebuilt), ("nothing in common with the baseline", other)):
        rows += [
            at_most_times(f"{name}, {BIG:,} findings: time against a quiet run", "s", hard.seconds, quiet.seconds, HARD),
            Row(f"{name}: processor time", "s", quiet.processor_seconds, hard.processor_seconds,
                quiet.processor_seconds / hard.processor_seconds),
        ]  # fmt: skip
    return rows


def owner_rows() -> list[Row]:
    """Measure runs with two hundred owners, due dates, their pages and messages, against runs without."""
    path = report(SIZES[-1], "json")
    for kind in ("quiet", "owned"):
        run(before_of(path, kind))
    quiet, owned = measure([ours("whole", path, kind) for kind in ("quiet", "owned")], ROUNDS)
    assert len(document_of(owned)["owners"]) > 150
    name = f"200 owners and due dates, {SIZES[-1]:,} findings"
    is_marked = SIZES[-1] == OWNED_SIZE
    return [
        at_most_times(f"{name}: time against a run without", "s", owned.seconds, quiet.seconds, OWNED)
        if is_marked
        else Row(f"{name}: time against a run without", "s", quiet.seconds, owned.seconds, quiet.seconds / owned.seconds),
        Row(f"{name}: processor time", "s", quiet.processor_seconds, owned.processor_seconds,
            quiet.processor_seconds / owned.processor_seconds),
    ]  # fmt: skip


def naming_rows() -> list[Row]:
    """Measure how the names of what changed are found."""
    found = run(ours("naming", report(BIG, "json"), "quiet"))
    name, seconds, size = f"names of {found['changed']:,} of {BIG:,} findings", found["seconds"], found["bytes"]
    return [
        times_better(f"{name}: time", "ms", seconds["now"] * 1000, seconds["before"] * 1000, NAMING),
        times_better(f"{name}: bytes that are fetched of the baseline", "MB", size["now"] / 1e6, size["before"] / 1e6, NAMING),
    ]


def rows_against_before() -> list[Row]:
    """Measure the step of a CSV as the commit before this work measured it."""
    if not fetched_before():
        print(f"  the commit before this work ({COMMIT_BEFORE}) is left out: git does not have it")
        return []
    path = report(BIG, "csv")
    earlier = [Way((sys.executable, "-m", "benchmarks.readers", way, str(path)), BEFORE) for way in ("keys", "ours_whole")]
    answer_of(earlier[0].run(), earlier[0])
    run(as_before("baseline", path))
    then, now = measure([earlier[1], as_before("whole", path)], ROUNDS)
    name = f"steps of {COMMIT_BEFORE}'s benchmark, CSV, {BIG:,} findings"
    return [
        times_better(f"{name}: time", "s", now.seconds, then.seconds, BEFORE_FASTER),
        times_better(f"{name}: processor time", "s", now.processor_seconds, then.processor_seconds, None),
    ]


def fetched_before() -> bool:
    """Make sure of the code of the commit before this work."""
    if BEFORE.exists():
        return True
    archive = subprocess.run(  # noqa: S603 - our own command
        ["git", "archive", COMMIT_BEFORE, "benchmarks", "layers", "tests"],  # noqa: S607 - the git of who runs this
        check=False,
        capture_output=True,
        cwd=REPOSITORY,
    )
    if archive.returncode:
        return False
    (BEFORE / ".bench").mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(BEFORE)], check=True, input=archive.stdout)  # noqa: S603, S607
    return True


def equality_rows(whole: Measured) -> list[Row]:
    """Fail unless any number of parts leaves what the whole leaves."""
    path = report(BIG, "json")
    run(ours("whole", path, "quiet"))
    document, fingerprints = document_of(whole), Path(whole.result["fingerprints"]).read_bytes()
    for number in PARTS:
        result = run(ours("in_parts", path, "quiet", number))
        assert len(result["parts"]) == number, result["parts"]
        if Path(result["fingerprints"]).read_bytes() != fingerprints:
            raise AssertionError(f"{number} parts: the fingerprints differ")
        in_parts = json.loads(Path(result["document"]).read_text(encoding="utf-8"))
        for name, value in document.items():
            if in_parts[name] != value:
                raise AssertionError(f"{number} parts: {name} differs")
    name = f"equal on {', '.join(map(str, PARTS))} parts, {BIG:,} findings"
    return [Row(name, "parts", 1, PARTS[-1], None, "all equal", met=True)]


def merge_of(size: int) -> dict[str, float]:
    """Analyze a report in eight parts, and measure the processor time of both, and what the merge keeps on its disk."""
    path = report(size, "json")
    used = processor_seconds()
    analyzed = run(ours("parts", path, "quiet", MERGED_PARTS))
    part_seconds = processor_seconds() - used
    used = processor_seconds()
    answer, local_bytes = with_local_bytes(ours("merge", path, "quiet", json.dumps(analyzed["parts"])))
    return {
        "part_seconds": part_seconds,
        "seconds": processor_seconds() - used,
        "bytes": local_bytes,
        "peak_mib": answer["peak_mib"],
        "part_peak_mib": analyzed["part_peak_mib"],
        "findings": document_of_answer(answer)["statistics"]["total"],
    }


def document_of_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that a process has left."""
    document: dict[str, Any] = json.loads(Path(answer["result"]["document"]).read_text(encoding="utf-8"))
    return document


def memory_rows(whole: Mapping[int, Measured], merges: Mapping[int, Mapping[str, float]]) -> list[Row]:
    """Compare the memory of the largest report with the function's."""
    size, most = SIZES[-1], MEMORY_SHARE * limits("AnalyzeReportFunction")["memory_mib"]
    return [
        at_most(f"peak memory, {size:,} findings, one part", "MiB", whole[size].peak_mib, most),
        at_most(f"peak memory, {size:,} findings, merge of {MERGED_PARTS} parts", "MiB", merges[size]["peak_mib"], most),
        at_most(f"peak memory, {size:,} findings, one part of {MERGED_PARTS}", "MiB", merges[size]["part_peak_mib"], most),
    ]


def largest_rows(whole: Mapping[int, Measured], merges: Mapping[int, Mapping[str, float]]) -> list[Row]:
    """Calculate the largest report from what a finding takes, against what the function has."""
    path = report(BIG, "json")
    _, one_bytes = with_local_bytes(ours("whole", path, "quiet"))
    one_bytes_each = one_bytes / document_of(whole[BIG])["statistics"]["total"]
    totals = {size: merges[size]["findings"] for size in SIZES[-2:]}
    one_seconds = slope((totals[size], whole[size].processor_seconds) for size in totals)
    merge_seconds = slope((totals[size], merges[size]["seconds"]) for size in totals)
    merge_bytes = merges[SIZES[-1]]["bytes"] / totals[SIZES[-1]]
    part_seconds = slope((totals[size], merges[size]["part_seconds"]) for size in totals)
    is_marked = BIG == MARKED  # a small report alone takes what is fixed for what its findings take
    if is_marked:
        MEASURED.write_text(json.dumps({"whole": one_seconds, "part": part_seconds, "merge": merge_seconds}))
    rows = [Row("each part: time a finding", "µs", None, part_seconds * 1e6)]
    for name, seconds, size, least in (
        ("one part", one_seconds, one_bytes_each, None),
        ("all parts", merge_seconds, merge_bytes, LEAST_OF_ALL_PARTS),
    ):
        has = limits("AnalyzeReportFunction")
        rows += [
            Row(f"{name}: time a finding" + (" of the merge" if least else ""), "µs", None, seconds * 1e6),
            Row(f"{name}: temporary space a finding" + (" of the merge" if least else ""), "bytes", None, size),
            at_least(
                f"largest report, {name}",
                "findings",
                min(has["seconds"] / seconds, has["bytes"] / size),
                least if is_marked else None,
            ),
            at_least(
                f"largest report, {name}, if Lambda takes {LAMBDA_FACTOR} times as long",
                "findings",
                min(has["seconds"] / seconds / LAMBDA_FACTOR, has["bytes"] / size),
                None,
            ),
        ]
    return rows


def slope(measured: Iterable[tuple[float, float]]) -> float:
    """Return what each more finding takes, from one or two sizes; a single one counts what is fixed, too."""
    (findings, value), *others = sorted(measured, reverse=True)
    return (value - others[0][1]) / (findings - others[0][0]) if others else value / findings


def limits(function: str) -> dict[str, float]:
    """Return what a function has, from the template."""
    properties = read_template(REPOSITORY / "template.yaml")["Resources"][function]["Properties"]
    return {
        "memory_mib": properties["MemorySize"],
        "seconds": properties["Timeout"],
        "bytes": properties["EphemeralStorage"]["Size"] * (1 << 20),
    }
