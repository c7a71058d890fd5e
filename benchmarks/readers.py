"""One way to read a report, in a process of its own: ``python -m benchmarks.readers WAY REPORT``.

Prints what it counted and its peak memory as JSON. The baselines are what a good engineer would write first.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOW_MS = 1_780_000_000_000
OUTPUT = Path(__file__).resolve().parents[1] / ".bench"
SHOWN = 20
NEW_EACH = 10
"""Of so many findings one is new since the baseline."""


# ---- ours


def ours_counted(path: Path) -> dict[str, Any]:
    """Count, and read only what counting needs."""
    from findings_analysis.assessment.statistics import Statistics
    from findings_analysis.reading.json_report import read_json

    counts = Statistics(NOW_MS, top_entries=2048)
    with path.open("rb", buffering=0) as stream:
        for batch in read_json(stream, counted_only=True):
            counts.add(batch)
    return counts.to_dict()


def ours_whole(path: Path) -> dict[str, Any]:
    """Count, write all columns to Parquet, rank what to fix first, and compare with the baseline that :func:`keys` has left."""
    from findings_analysis.assessment.priorities import Priorities
    from findings_analysis.assessment.statistics import Statistics
    from findings_analysis.comparison.arns import Arns
    from findings_analysis.comparison.fingerprint_format import checked
    from findings_analysis.comparison.run_fingerprints import RunFingerprints
    from findings_analysis.output import parquet

    counts, arns, priorities = Statistics(NOW_MS), Arns(), Priorities()

    def passing(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            first = arns.first_of_each(batch)
            counts.add(first)
            fingerprints.add(first)
            priorities.add(first)
            yield first

    with (
        path.open("rb", buffering=0) as stream,
        (OUTPUT / "ours.parquet").open("wb") as file,
        (OUTPUT / "ours.keys").open("w+b") as fingerprint_file,
        RunFingerprints(datetime.fromtimestamp(NOW_MS / 1000, UTC), arns) as fingerprints,
    ):
        parquet.write(passing(_batches(path, stream)), file)
        baseline = checked(_keys_of(path), "bench", "baseline")
        found = fingerprints.compare(_header("now"), fingerprint_file, baseline, watched=priorities.watched())
        priorities.ranked(found.resources)
    assert found.with_baseline
    assert found.with_baseline.changes.counts["still_open"] > counts.total * 0.85
    return counts.to_dict()


def keys(path: Path) -> dict[str, Any]:
    """Leave what the whole step is compared with: the same report without each tenth finding."""
    from findings_analysis.comparison.arns import Arns
    from findings_analysis.comparison.run_fingerprints import RunFingerprints

    with (
        path.open("rb", buffering=0) as stream,
        _keys_of(path).open("w+b") as fingerprint_file,
        RunFingerprints(datetime.fromtimestamp(NOW_MS / 1000 - 86_400, UTC), Arns()) as fingerprints,
    ):
        for batch in _batches(path, stream):
            kept = [row for row in range(len(batch["severity"])) if row % NEW_EACH]
            fingerprints.add({name: [values[row] for row in kept] for name, values in batch.items()})
        fingerprints.compare(_header("baseline"), fingerprint_file)
    return {}


def _keys_of(path: Path) -> Path:
    return path.with_suffix(f"{path.suffix}.keys")


def _header(execution: str) -> Any:  # noqa: ANN401 - imported by whoever needs it
    from findings_analysis.comparison.fingerprint_format import Header

    return Header("bench", execution, "2026-05-28T20:26:40+00:00", filter_hash="x", filter_criteria={}, scanning={})


def _batches(path: Path, stream: Any) -> Iterator[Any]:  # noqa: ANN401 - imported by whoever needs it
    if path.suffix == ".csv":
        from findings_analysis.reading.csv_report import read_csv

        return read_csv(stream)
    from findings_analysis.reading.json_report import read_json

    return read_json(stream)


# ---- baselines


def load_and_count(path: Path) -> dict[str, Any]:
    """Load the report and count."""
    with path.open(encoding="utf-8") as file:
        return _count(json.load(file)["findings"])


def load_and_write(path: Path) -> dict[str, Any]:
    """Load the report, count, and let pandas write it to Parquet."""
    import pandas as pd

    with path.open(encoding="utf-8") as file:
        findings = json.load(file)["findings"]
    counts = _count(findings)
    pd.json_normalize(findings).to_parquet(OUTPUT / "baseline.parquet")
    return counts


def read_and_write(path: Path) -> dict[str, Any]:
    """Let pandas read the CSV, count, and write it to Parquet."""
    import pandas as pd

    table = pd.read_csv(path, dtype={"AWS Account Id": str})
    table.to_parquet(OUTPUT / "baseline.parquet")

    def by(column: str) -> dict[str, int]:
        return dict(table[column].fillna("UNKNOWN").value_counts())

    days = (NOW_MS - pd.to_datetime(table["First Seen"]).astype("datetime64[ms, UTC]").astype("int64")) // 86_400_000
    ages = pd.cut(days, [-1e9, 7, 30, 90, 1e9], labels=["0-7", "8-30", "31-90", ">90"])
    scores = pd.cut(table["Epss Score"], [-1, 0.01, 0.1, 0.5, 2], right=False, labels=["<0.01", "0.01-0.1", "0.1-0.5", ">=0.5"])
    packages = table["Affected Packages"].dropna().str.split(",").explode()
    repositories = table["Resource ID"].str.extract(r":repository/(.+)/sha256:")[0].dropna()
    crossed = pd.crosstab(ages, table["Severity"])
    return _summed(
        total=len(table),
        ages={band: dict(row) for band, row in crossed.iterrows()},
        kinds={
            "severity": by("Severity"),
            "type": by("Finding Type"),
            "status": by("Status"),
            "resource_type": by("Resource Type"),
            "fix_available": by("Fix Available"),
            "exploit_available": by("Exploit Available"),
            "account": by("AWS Account Id"),
            "age": dict(ages.value_counts()),
            "epss": dict(scores.value_counts()) | {"UNKNOWN": scores.isna().sum()},
        },
        tops={
            "resources": Counter(table["Resource ID"].value_counts().to_dict()),
            "repositories": Counter(repositories.value_counts().to_dict()),
            "vulnerabilities": Counter(table["Vulnerability Id"].value_counts().to_dict()),
            "packages": Counter(packages.value_counts().to_dict()),
        },
    )


def _count(findings: list[dict[str, Any]]) -> dict[str, Any]:
    kinds: dict[str, Counter[str]] = {name: Counter() for name in ("account", "age", "epss")}
    names = {"severity": "severity", "type": "type", "status": "status", "fix_available": "fixAvailable",
             "exploit_available": "exploitAvailable"}  # fmt: skip
    for kind, name in names.items():
        kinds[kind] = Counter(finding.get(name, "UNKNOWN") for finding in findings)
    kinds["resource_type"] = Counter(finding["resources"][0]["type"] for finding in findings)
    tops: dict[str, Counter[str]] = {name: Counter() for name in ("resources", "repositories", "vulnerabilities", "packages")}
    ages: dict[str, Counter[str]] = {}
    for finding in findings:
        kinds["account"][finding["awsAccountId"]] += 1
        days = (NOW_MS - round(datetime.fromisoformat(finding["firstObservedAt"]).timestamp() * 1000)) // 86_400_000
        band = "0-7" if days <= 7 else "8-30" if days <= 30 else "31-90" if days <= 90 else ">90"
        kinds["age"][band] += 1
        ages.setdefault(band, Counter())[finding["severity"]] += 1
        score = finding.get("epss", {}).get("score")
        kinds["epss"][
            "UNKNOWN"
            if score is None
            else "<0.01"
            if score < 0.01
            else "0.01-0.1"
            if score < 0.1
            else "0.1-0.5"
            if score < 0.5
            else ">=0.5"
        ] += 1
        for resource in finding["resources"]:
            tops["resources"][resource["id"]] += 1
            if ":repository/" in resource["id"]:
                tops["repositories"][resource["id"].split(":repository/")[1].rsplit("/", 1)[0]] += 1
        if details := finding.get("packageVulnerabilityDetails"):
            tops["vulnerabilities"][details["vulnerabilityId"]] += 1
            tops["packages"].update(package["name"] for package in details["vulnerablePackages"])
    return _summed(len(findings), ages, kinds, tops)


def _summed(total: int, ages: dict[str, Any], kinds: dict[str, Any], tops: dict[str, Counter[str]]) -> dict[str, Any]:
    return {
        "total": total,
        **{f"by_{kind}": {name: int(count) for name, count in counts.items()} for kind, counts in kinds.items()},
        "by_age_and_severity": {
            band: {name: int(count) for name, count in counts.items() if count}
            for band, counts in ages.items()
            if any(counts.values())
        },
        "top": {
            name: {
                "entries": [
                    {"name": key, "findings": count} for key, count in sorted(counts.items(), key=lambda e: (-e[1], e[0]))[:SHOWN]
                ]
            }
            for name, counts in tops.items()
        },
    }


WAYS = {way.__name__: way for way in (ours_counted, ours_whole, keys, load_and_count, load_and_write, read_and_write)}


def peak_mib() -> float:
    """Return the most memory that this process had; what its parent had before the start does not count."""
    (line,) = [line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    counted = WAYS[sys.argv[1]](Path(sys.argv[2]))
    json.dump({"counts": counted, "peak_mib": peak_mib()}, sys.stdout)
